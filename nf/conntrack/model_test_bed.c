/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/syscall.h>
#include <unistd.h>

#include "nf/conntrack/model_test_int.h"

/* -- time is the test's own --------------------------------------------------------------- */

uint32_t slow_now = 1000;

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, ts);
	*ts = (struct timespec){ .tv_sec = slow_now };
	return 0;
}

/* -- connections -------------------------------------------------------------------------- */

unsigned
slow_below(struct model *m, unsigned n)
{
	return (unsigned)(draw(&m->seed) % n);
}

uint32_t
slow_lasts(const struct one *c)
{
	static const uint32_t tcp[] = { 120, 60, 432000, 120, 60, 30, 120, 10, 120 };

	switch (c->kind) {
	case UDP:
		return c->assured ? 120 : 30;
	case ECHO:
		return 30;
	case GRE:
		return c->assured ? 180 : 30;
	case OTHER:
		return 600;
	default:
		return c->tcp == OPEN && (c->unacked[0] || c->unacked[1]) ? 300 : tcp[c->tcp];
	}
}

bool
slow_is_same(const struct ends *x, const struct ends *y)
{
	return x->six == y->six && x->src == y->src && x->dst == y->dst && x->sport == y->sport &&
	    x->dport == y->dport;
}

/* The connection that has these ends, and which of them they begin with. */
struct one *
slow_find(struct model *m, enum kind kind, unsigned zone, const struct ends *e, unsigned *end)
{
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		struct one *c = &m->all[i];
		const struct ends back = ends_back(&c->ends);

		if (!c->there || c->kind != kind || c->zone != zone)
			continue;
		if (!slow_is_same(&c->ends, e) && !slow_is_same(&back, e))
			continue;
		*end = !slow_is_same(&c->ends, e);
		return c;
	}
	return NULL;
}

struct one *
slow_begin(struct model *m, enum kind kind, unsigned zone, const struct ends *e)
{
	unsigned of_source = 0;
	struct one *c = NULL;

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (!m->all[i].there)
			c = c ? c : &m->all[i];
		else
			of_source += m->all[i].counted && m->all[i].zone == zone &&
			    m->all[i].ends.six == e->six && m->all[i].ends.src == e->src;
	}
	assert_non_null(c);
	if (m->b.deny || (m->limit && of_source >= m->limit))
		return NULL;
	*c = (struct one){
		.there = true,
		.kind = kind,
		.zone = zone,
		.ends = *e,
		.counted = m->limit > 0,
		.seen = slow_now,
		.created = slow_now,
		.did = "                       ",
	};
	return c;
}

void
slow_forget_old(struct model *m)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (m->all[i].there && slow_now - m->all[i].seen > slow_lasts(&m->all[i]))
			m->all[i].there = false;
	for (unsigned i = 0; i < 2; i++)
		ct_sweep(m->b.core->table, slow_now, UINT32_MAX);
}

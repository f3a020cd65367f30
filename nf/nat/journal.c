/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/journal_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/base/rcu.h"
#include "nf/lines.h"
#include "nf/nat/control_int.h"
#include "nf/nat/log/log_line.h"
#include "nf/query.h"

/* Events that are written before other things have their turn: workers may be faster. */
#define AT_ONCE (1u << 18)

/* What a pool's events say of where they come from. */
struct source {
	struct nat_journal *journal;
	uint8_t instance;
};

struct nat_journal {
	struct mr_nat *nat;
	_Atomic(struct nat_log *) log; /* RCU; null: none */
	struct nat_conf_log conf, next_conf;
	struct nat_log *next, *old;
	bool change; /* there is another one to come, or none */
	bool fresh;  /* it has not been told what is held */
	struct source sources[NAT_INSTANCES_MAX + 1];
};

int
nat_journal_create(struct nat_journal **out, struct mr_nat *nat, struct mr_error *error)
{
	struct nat_journal *j = calloc(1, sizeof(*j));

	if (!j)
		return mr_error_set(error, -ENOMEM, "no memory");
	j->nat = nat;
	for (unsigned i = 0; i <= NAT_INSTANCES_MAX; i++)
		j->sources[i] = (struct source){ j, (uint8_t)i };
	*out = j;
	return 0;
}

void
nat_journal_destroy(struct nat_journal *j)
{
	if (!j)
		return;
	nat_log_destroy(atomic_load(&j->log));
	nat_log_destroy(j->next);
	nat_log_destroy(j->old);
	free(j);
}

/* -- events ------------------------------------------------------------------------------- */

bool
nat_journal_is_on(const struct nat_journal *j)
{
	return j && mr_rcu_read(&j->log) != NULL;
}

static void
on_event(void *arg, unsigned worker, const struct nat_event *event)
{
	const struct source *s = arg;
	struct nat_log *log = mr_rcu_read(&s->journal->log);

	(void)worker;
	if (log)
		(void)nat_log_block(log, s->instance, event);
}

void
nat_journal_hook(struct nat_journal *j, uint8_t instance, struct nat_pool_config *c)
{
	c->event = on_event;
	c->event_arg = &j->sources[instance];
}

void
nat_journal_mapping(struct nat_journal *j, enum nat_log_kind kind, const struct nat_entry *e,
    const uint8_t six[16], uint32_t now)
{
	struct nat_log *log = j ? mr_rcu_read(&j->log) : NULL;
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	be32_t address = NAT_ADDRESS(inside);
	struct nat_log_mapping m = { .kind = kind,
		.six = six != NULL,
		.protocol = NAT_PROTO_OF(inside),
		.outside = NAT_ADDRESS(outside),
		.inside_port = NAT_PORT_OF(inside),
		.outside_port = NAT_PORT_OF(outside),
		.age = now - atomic_load_explicit(&e->created, memory_order_relaxed) };

	if (!log)
		return;
	memcpy(m.inside, six ? (const void *)six : &address, six ? 16 : 4);
	(void)nat_log_mapping(log, NAT_INSTANCE_OF(inside), &m);
}

/* A pool's blocks, one after the other, as if given back now. */
void
nat_journal_pool_gone(struct nat_journal *j, uint8_t instance, const struct nat_pool *pool)
{
	struct nat_log *log = mr_rcu_read(&j->log);
	struct nat_event e;
	uint32_t cursor = 0, told = 0;

	while (log && pool && nat_pool_next_block(pool, &cursor, &e)) {
		e.kind = NAT_BLOCK_RETURNED;
		e.now = nat_seconds();
		(void)nat_log_block(log, instance, &e);
		/* There may be more than the ring holds, and nobody else takes them out. */
		if (++told % 1024 == 0)
			(void)nat_log_write(log, AT_ONCE);
	}
}

static void
tell_held(void *arg, struct nat_log *log)
{
	const struct nat_journal *j = arg;

	for (unsigned n = 1; n <= NAT_INSTANCES_MAX; n++) {
		const struct nat_pool *pool = j->nat->pools[n].pool;
		uint32_t cursor = 0;
		struct nat_event e;

		while (pool && nat_pool_next_block(pool, &cursor, &e))
			nat_log_held(log, (uint16_t)n, &e, nat_seconds());
	}
}

/* -- another log -------------------------------------------------------------------------- */

static bool
is_same(const struct nat_conf_log *a, const struct nat_conf_log *b)
{
	return a->on == b->on && strcmp(a->file, b->file) == 0 && a->size == b->size &&
	    a->keep == b->keep && a->syslog == b->syslog && a->syslog_port == b->syslog_port;
}

int
nat_journal_prepare(struct nat_journal *j, const struct nat_conf_log *conf, struct mr_error *error)
{
	struct nat_log_config c = { .path = conf->file[0] ? conf->file : NULL,
		.size = conf->size,
		.keep = conf->keep,
		.syslog = conf->syslog,
		.syslog_port = mr_be16(conf->syslog_port),
		.held = tell_held,
		.arg = j };
	int rc = 0;

	j->change = !is_same(conf, &j->conf);
	j->next_conf = *conf;
	if (j->change && conf->on)
		rc = nat_log_create(&j->next, &c, error);
	return rc ? mr_error_prefix(error, "nat/log") : 0;
}

void
nat_journal_abort(struct nat_journal *j)
{
	nat_log_destroy(j->next);
	j->next = NULL;
	j->change = false;
}

static void
name_all(const struct nat_journal *j, struct nat_log *log)
{
	for (unsigned i = 0; log && i < j->nat->conf.count; i++)
		nat_log_name(log, j->nat->conf.instances[i].number, j->nat->conf.instances[i].name);
}

void
nat_journal_commit(struct nat_journal *j)
{
	if (j->change) {
		/* Whoever reads the log forgets what an earlier process gave and never took back. */
		name_all(j, j->next);
		for (unsigned i = 0; j->next && i < j->nat->conf.count; i++)
			nat_log_mark(j->next, j->nat->conf.instances[i].number, true);
		j->old = mr_rcu_swap(&j->log, j->next);
		j->fresh = j->next != NULL;
		j->next = NULL;
		j->conf = j->next_conf;
		j->change = false;
	} else {
		name_all(j, mr_rcu_read(&j->log));
	}
}

void
nat_journal_finish(struct nat_journal *j)
{
	struct nat_log *log = mr_rcu_read(&j->log);

	if (j->old) {
		mr_rcu_synchronize();
		nat_log_destroy(j->old);
		j->old = NULL;
	}
	if (j->fresh) {
		(void)nat_log_write(log, UINT32_MAX);
		tell_held(j, log);
		j->fresh = false;
	}
}

void
nat_journal_tick(struct nat_journal *j)
{
	struct nat_log *log = mr_rcu_read(&j->log);

	if (log)
		(void)nat_log_write(log, AT_ONCE);
}

/* -- to look at --------------------------------------------------------------------------- */

void
nat_journal_show(const struct nat_journal *j, struct mr_state *st)
{
	const struct nat_log *log = mr_rcu_read(&j->log);
	struct nat_log_state s;

	if (!log)
		return;
	nat_log_state(log, &s);
	mr_state_open(st, "log-state");
	mr_state_uint(st, "written", s.written);
	mr_state_uint(st, "sent", s.sent);
	mr_state_uint(st, "waiting", s.waiting);
	mr_state_uint(st, "lost", s.lost);
	mr_state_uint(st, "files", s.files);
	mr_state_uint(st, "write-errors", s.errors);
	mr_state_uint(st, "send-errors", s.send_errors);
	if (s.error[0])
		mr_state_text(st, "error", s.error);
	mr_state_close(st);
}

void
nat_pool_show(const struct nat_pool *pool, struct mr_state *st)
{
	static const char *const names[] = {
#define X(id, name, doc) [NAT_POOL_##id] = name,
		NAT_POOL_COUNTS(X)
#undef X
	};
	struct nat_pool_state s;

	nat_pool_state(pool, &s);
	mr_state_uint(st, "blocks", s.blocks);
	mr_state_uint(st, "blocks-used", s.blocks_used);
	mr_state_uint(st, "quarantined", s.quarantined);
	mr_state_open(st, "pool-counters");
	for (unsigned i = 0; i < NAT_POOL_COUNT_COUNT; i++)
		mr_state_uint(st, names[i], s.counts[i]);
	mr_state_close(st);
}

/* -- who has it now ----------------------------------------------------------------------- */

struct holders {
	struct mr_lines lines;
	const struct nat_journal *journal;
	be32_t address;
	be16_t port;
	unsigned next; /* step */
};

static void
put_line(struct holders *h, struct nat_line *l, const char *name, uint32_t age)
{
	char text[NAT_LINE_MAX];
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	l->time = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	l->since = l->time - (int64_t)age * 1000;
	if (l->event == NAT_LINE_MAPPING_BEGUN)
		l->time = l->since;
	snprintf(l->nat, sizeof(l->nat), "%s", name);
	(void)nat_line_print(l, text);
	mr_lines_put(&h->lines, "%s\n", text);
}

/* The mapping that has this port, when its instance logs each. */
static void
put_mapping(struct holders *h, const struct nat_conf_instance *c, const struct nat_pool *pool,
    enum nat_proto proto)
{
	const struct nat_table *t = h->journal->nat->core->table;
	uint32_t number = nat_pool_find(pool, h->address, proto, h->port);
	const struct nat_entry *e = &t->entries[number <= t->max ? number : 0];
	uint32_t word = atomic_load_explicit(&e->word, memory_order_acquire);
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	be32_t address = NAT_ADDRESS(inside);
	struct nat_line l = { .event = NAT_LINE_MAPPING_BEGUN,
		.six = word & NAT_SIX,
		.outside = h->address,
		.first = mr_be16(h->port),
		.last = mr_be16(h->port),
		.protocol = NAT_PROTO_OF(inside),
		.inside_port = mr_be16(NAT_PORT_OF(inside)) };

	if (!number || !(word & NAT_LIVE) || !(word & NAT_LOGGED))
		return;
	memcpy(l.inside, &address, 4);
	for (unsigned i = 0; l.six && i < 2; i++) {
		uint64_t half = atomic_load_explicit(&t->six[number].half[i], memory_order_relaxed);

		memcpy(l.inside + 8 * i, &half, 8);
	}
	if (nat_is_same(e, word))
		put_line(h, &l, c->name,
		    nat_seconds() - atomic_load_explicit(&e->created, memory_order_relaxed));
}

static void
put_instance(struct holders *h, const struct nat_conf_instance *c)
{
	const struct nat_pool *pool = h->journal->nat->pools[c->number].pool;
	struct nat_event e;

	if (!pool)
		return;
	if (nat_pool_block_of(pool, h->address, h->port, &e)) {
		struct nat_line l = { .event = c->ports.deterministic ? NAT_LINE_DETERMINISTIC
								      : NAT_LINE_BLOCK_HELD,
			.six = e.six,
			.outside = e.address,
			.first = e.first,
			.last = e.last };

		memcpy(l.inside, e.inside, sizeof(l.inside));
		put_line(h, &l, c->name, nat_seconds() - e.since);
	}
	for (unsigned proto = 0; proto < NAT_PROTOS; proto++)
		put_mapping(h, c, pool, (enum nat_proto)proto);
}

static bool
make_lines(void *user)
{
	struct holders *h = user;
	const struct mr_nat *nat = h->journal->nat;

	if (h->next++)
		return false;
	mr_lines_put(&h->lines, "%s\n", h->journal->conf.file);
	for (unsigned i = 0; nat->core && i < nat->conf.count; i++)
		put_instance(h, &nat->conf.instances[i]);
	return true;
}

static size_t
holders_read(void *state, char *text, size_t size)
{
	struct holders *h = state;

	return mr_lines_read(&h->lines, make_lines, h, text, size);
}

static void
holders_close(void *state)
{
	struct holders *h = state;

	mr_lines_free(&h->lines);
	free(h);
}

int
nat_journal_stream(struct nat_journal *j, const struct mr_nf_query *asked, struct mr_nf_stream *out,
    struct mr_error *error)
{
	const char *address = asked->value(asked->arg, "address");
	struct holders *h = calloc(1, sizeof(*h));
	int port = 0, rc = 0;

	if (!h)
		return mr_error_set(error, -ENOMEM, "no memory");
	h->journal = j;
	if (!address || inet_pton(AF_INET, address, &h->address) != 1)
		rc = mr_error_set(error, -EINVAL, "an IPv4 address is needed");
	if (!rc)
		rc = mr_query_number(asked, "port", 0, 65535, "port", &port, error);
	if (rc) {
		free(h);
		return rc;
	}
	h->port = mr_be16((uint16_t)port);
	*out = (struct mr_nf_stream){
		.type = "application/x-ndjson",
		.read = holders_read,
		.close = holders_close,
		.state = h,
	};
	return 0;
}

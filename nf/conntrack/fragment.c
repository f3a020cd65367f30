/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/fragment_int.h"

#include <errno.h>
#include <stdlib.h>

#define SETS 512u
#define WAYS 4u
#define GONE_SECONDS 5u /* its node would have seen to it */

struct ct_fragments {
	_Atomic uint32_t waiting; /* written by its worker */
	struct ct_fragment entries[SETS][WAYS];
};

int
ct_fragments_create(struct ct_fragments **out, struct mr_error *error)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : mr_error_set(error, -ENOMEM, "no memory for fragments");
}

void
ct_fragments_destroy(struct ct_fragments *f)
{
	free(f);
}

static uint32_t
waiting_of(const struct ct_fragments *f)
{
	return atomic_load_explicit(&f->waiting, memory_order_relaxed);
}

static void
set_waiting(struct ct_fragments *f, uint32_t n)
{
	atomic_store_explicit(&f->waiting, n, memory_order_relaxed);
}

static bool
is_past(const struct ct_fragment *e, uint32_t now)
{
	return (int32_t)(now - e->until) > 0;
}

struct ct_fragment *
ct_fragment_find(struct ct_fragments *f, uint64_t key, uint32_t now)
{
	struct ct_fragment *set = f->entries[key % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == (key | 1) && !is_past(&set[i], now))
			return &set[i];
	return NULL;
}

struct ct_fragment *
ct_fragment_make(struct ct_fragments *f, uint64_t key, uint16_t node, uint32_t now,
    uint32_t *evicted)
{
	struct ct_fragment *set = f->entries[key % SETS], *oldest = NULL;
	struct ct_fragment *e = ct_fragment_find(f, key, now);

	*evicted = MR_PACKET_NONE;
	if (e)
		return e;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].waiting && set[i].node != node)
			continue;
		if (!oldest || !set[i].key ||
		    (oldest->key && (int32_t)(set[i].until - oldest->until) < 0))
			oldest = &set[i];
	}
	if (!oldest)
		return NULL;
	*evicted = ct_fragment_take(f, oldest);
	*oldest = (struct ct_fragment){ .key = key | 1, .until = now + CT_FRAGMENT_SECONDS };
	return oldest;
}

bool
ct_fragment_wait(struct ct_fragments *f, struct ct_fragment *e, uint16_t node, void *base,
    uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(base, packet);

	if (waiting_of(f) >= CT_FRAGMENT_WAITING || e->waiting >= CT_FRAGMENT_WAITING_EACH ||
	    (e->waiting && e->node != node))
		return false;
	p->hash = MR_PACKET_NONE;
	p->flags = (uint16_t)(p->flags & ~MR_PACKET_HASHED);
	if (e->waiting)
		mr_packet_at(base, e->last)->hash = packet;
	else
		e->first = packet;
	e->node = node;
	e->last = packet;
	e->waiting++;
	set_waiting(f, waiting_of(f) + 1);
	return true;
}

uint32_t
ct_fragment_take(struct ct_fragments *f, struct ct_fragment *e)
{
	uint32_t first = e->waiting ? e->first : MR_PACKET_NONE;

	set_waiting(f, waiting_of(f) - e->waiting);
	e->waiting = 0;
	return first;
}

struct ct_fragment *
ct_fragments_due(struct ct_fragments *f, uint16_t node, uint32_t now, uint32_t *cursor)
{
	while (waiting_of(f) && *cursor < SETS * WAYS) {
		struct ct_fragment *e = &f->entries[0][0] + (*cursor)++;

		if (e->waiting && (e->track || is_past(e, now)) &&
		    (e->node == node || is_past(e, now - GONE_SECONDS)))
			return e;
	}
	return NULL;
}

uint32_t
ct_fragments_waiting(const struct ct_fragments *f)
{
	return waiting_of(f);
}

uint32_t
ct_fragment_number(const struct ct_fragments *f, const struct ct_fragment *e)
{
	return (uint32_t)(e - &f->entries[0][0]);
}

uint32_t
ct_fragment_ports(const struct ct_fragments *f, uint32_t number)
{
	return (&f->entries[0][0] + number % (SETS * WAYS))->ports;
}

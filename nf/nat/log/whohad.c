/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/log/whohad_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A time that is told in seconds of age may be this much off. */
#define TOLERANCE 2000
#define NONE UINT32_MAX

int
nat_whohad_create(struct nat_whohad **out, struct mr_error *error)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : mr_error_set(error, -ENOMEM, "no memory");
}

void
nat_whohad_destroy(struct nat_whohad *w)
{
	if (!w)
		return;
	free(w->entries);
	free(w->open);
	free(w);
}

void
nat_whohad_only(struct nat_whohad *w, be32_t address)
{
	w->only = address;
}

uint64_t
nat_whohad_lines(const struct nat_whohad *w, uint64_t *bad)
{
	*bad = w->bad;
	return w->lines;
}

/* -- those that have no end yet, by a hash of what they are of ------------------------------ */

static uint32_t
hash(be32_t outside, uint16_t first, uint8_t protocol, uint16_t nat)
{
	uint64_t k =
	    (uint64_t)outside << 32 | (uint64_t)first << 16 | protocol | (uint64_t)nat << 8;

	/* A file of one's own: no adversary that is worth a key chooses what is in it. */
	k ^= k >> 31;
	k *= UINT64_C(0x9e3779b97f4a7c15);
	k ^= k >> 29;
	k *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(k >> 32);
}

static bool
is_of(const struct nat_interval *e, const struct nat_interval *key)
{
	return e->outside == key->outside && e->first == key->first &&
	    e->protocol == key->protocol && e->nat == key->nat;
}

/* Its place; where there is none yet, the empty one. */
static uint32_t *
place(const struct nat_whohad *w, const struct nat_interval *key)
{
	uint32_t at = hash(key->outside, key->first, key->protocol, key->nat);

	for (;; at++) {
		uint32_t *p = &w->open[at & w->open_mask];

		if (!*p || is_of(&w->entries[*p - 1], key))
			return p;
	}
}

/* Places are never emptied: one leads to the last interval of its key. */
static int
grow_open(struct nat_whohad *w)
{
	uint32_t size = w->open ? (w->open_mask + 1) * 2 : 1024, *old = w->open;
	uint32_t old_size = w->open ? w->open_mask + 1 : 0;

	w->open = calloc(size, sizeof(*w->open));
	if (!w->open) {
		w->open = old;
		return -ENOMEM;
	}
	w->open_mask = size - 1;
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i])
			*place(w, &w->entries[old[i] - 1]) = old[i];
	free(old);
	return 0;
}

static int
append(struct nat_whohad *w, const struct nat_interval *e)
{
	uint32_t *p;

	if (w->count == w->room) {
		uint32_t room = w->room ? w->room * 2 : 1024;
		struct nat_interval *more =
		    w->room < NONE / 4 ? realloc(w->entries, room * sizeof(*more)) : NULL;

		if (!more)
			return -ENOMEM;
		w->entries = more;
		w->room = room;
	}
	if (!w->open || w->keys >= w->open_mask / 2)
		if (grow_open(w))
			return -ENOMEM;
	p = place(w, e);
	w->keys += *p == 0;
	w->entries[w->count++] = *e;
	*p = w->count;
	return 0;
}

/* -- lines -------------------------------------------------------------------------------- */

static int
number_of(struct nat_whohad *w, const char *name, uint16_t *number)
{
	for (unsigned i = 0; i < w->nat_count; i++)
		if (strcmp(w->nats[i], name) == 0) {
			*number = (uint16_t)i;
			return 0;
		}
	if (w->nat_count == NAT_WHOHAD_NATS)
		return -ENOSPC;
	snprintf(w->nats[w->nat_count], sizeof(w->nats[0]), "%s", name);
	*number = (uint16_t)w->nat_count++;
	return 0;
}

/* The translator forgot all that it had given. */
static void
end_all(struct nat_whohad *w, uint16_t nat, int64_t time)
{
	for (uint32_t i = 0; w->open && i <= w->open_mask; i++) {
		struct nat_interval *e = w->open[i] ? &w->entries[w->open[i] - 1] : NULL;

		if (e && e->nat == nat && e->to == NAT_WHOHAD_NOW)
			e->to = MR_MAX(time, e->from);
	}
}

static bool
is_same_end(const struct nat_interval *a, const struct nat_interval *b)
{
	return memcmp(a->inside, b->inside, sizeof(a->inside)) == 0 && a->six == b->six &&
	    a->inside_port == b->inside_port;
}

/* The same interval. */
static bool
is_same(const struct nat_interval *a, const struct nat_interval *b)
{
	int64_t apart = a->from - b->from;

	return is_same_end(a, b) && apart <= TOLERANCE && apart >= -TOLERANCE;
}

static int
begin(struct nat_whohad *w, const struct nat_interval *e)
{
	struct nat_interval *last = NULL;
	uint32_t *p = w->open ? place(w, e) : NULL;

	if (p && *p)
		last = &w->entries[*p - 1];
	if (last && is_same(last, e))
		return 0; /* told twice */
	if (last && last->to == NAT_WHOHAD_NOW)
		last->to = MR_MAX(e->from, last->from);
	return append(w, e);
}

static int
end(struct nat_whohad *w, struct nat_interval *e, int64_t since, int64_t time)
{
	struct nat_interval *last = NULL;
	uint32_t *p = w->open ? place(w, e) : NULL;

	e->from = since ? since : time;
	e->to = time;
	if (p && *p)
		last = &w->entries[*p - 1];
	if (last && is_same(last, e)) {
		/* The beginning was told more exactly. */
		last->to = MR_MAX(time, last->from);
		return 0;
	}
	if (last && last->from > e->from) {
		/* It began earlier than we were told; or, another's, it ended when this began. */
		if (is_same_end(last, e) && last->to == NAT_WHOHAD_NOW) {
			last->from = e->from;
			last->to = time;
		}
		return 0;
	}
	if (last && last->to == NAT_WHOHAD_NOW)
		last->to = e->from;
	return append(w, e);
}

int
nat_whohad_line(struct nat_whohad *w, const char *text, size_t len)
{
	struct nat_interval e;
	struct nat_line l;
	uint16_t nat;

	w->lines++;
	if (nat_line_parse(&l, text, len) || number_of(w, l.nat, &nat)) {
		w->bad++;
		return 0;
	}
	if (l.event <= NAT_LINE_STOPPED) {
		end_all(w, nat, l.time);
		return 0;
	}
	if (w->only && l.outside != w->only)
		return 0;
	e = (struct nat_interval){ .outside = l.outside,
		.first = l.first,
		.last = l.last,
		.protocol = l.protocol,
		.nat = nat,
		.six = l.six,
		.inside_port = l.inside_port,
		.from = l.event == NAT_LINE_BLOCK_HELD && l.since ? l.since : l.time,
		.to = NAT_WHOHAD_NOW };
	memcpy(e.inside, l.inside, sizeof(e.inside));
	if (l.event == NAT_LINE_DETERMINISTIC)
		e.from = 0;
	if (l.event == NAT_LINE_BLOCK_RETURNED || l.event == NAT_LINE_MAPPING_ENDED)
		return end(w, &e, l.since, l.time);
	return begin(w, &e);
}

/* -- questions ---------------------------------------------------------------------------- */

static int
compare_key(const struct nat_interval *a, const struct nat_interval *b)
{
	if (a->outside != b->outside)
		return mr_be32(a->outside) < mr_be32(b->outside) ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	return a->nat < b->nat ? -1 : a->nat > b->nat;
}

static int
compare(const void *x, const void *y)
{
	const struct nat_interval *a = x, *b = y;
	int key = compare_key(a, b);

	return key ? key : a->from < b->from ? -1 : a->from > b->from;
}

void
nat_whohad_seal(struct nat_whohad *w)
{
	if (w->sealed)
		return;
	if (w->count)
		qsort(w->entries, w->count, sizeof(*w->entries), compare);
	w->span = 1;
	for (uint32_t i = 0; i < w->count; i++) {
		struct nat_interval *e = &w->entries[i];

		w->span = MR_MAX(w->span, e->last - e->first + 1u);
		e->reach = e->to;
		if (i && compare_key(&e[-1], e) == 0)
			e->reach = MR_MAX(e->to, e[-1].reach);
	}
	/* The places named other orders. */
	free(w->open);
	w->open = NULL;
	w->keys = 0;
	w->sealed = true;
}

/* The first entry that is not before the key, in the order of compare; `from` counts. */
static uint32_t
lower_bound(const struct nat_whohad *w, const struct nat_interval *key, uint32_t low, uint32_t high)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare(&w->entries[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct search {
	const struct nat_whohad *w;
	const struct nat_whohad_question *q;
	void (*answer)(void *arg, const struct nat_whohad_answer *);
	void *arg;
	unsigned found;
};

static void
tell(struct search *s, const struct nat_interval *e)
{
	struct nat_whohad_answer a = { .nat = s->w->nats[e->nat],
		.six = e->six,
		.mapping = e->protocol != 0,
		.protocol = e->protocol,
		.inside_port = e->inside_port,
		.first = e->first,
		.last = e->last,
		.from = e->from,
		.to = e->to };

	memcpy(a.inside, e->inside, sizeof(a.inside));
	s->found++;
	if (s->answer)
		s->answer(s->arg, &a);
}

/* Those of one key, which end before `high`. */
static void
search_key(struct search *s, const struct nat_interval *of, uint32_t low, uint32_t high)
{
	struct nat_interval key = *of;
	uint32_t i;

	if (s->q->protocol && of->protocol && of->protocol != s->q->protocol)
		return;
	key.from = s->q->to == INT64_MAX ? INT64_MAX : s->q->to + 1;
	i = lower_bound(s->w, &key, low, high);
	while (i-- > low) {
		const struct nat_interval *e = &s->w->entries[i];

		if (e->reach < s->q->from)
			break;
		if (e->to >= s->q->from && s->q->port <= e->last)
			tell(s, e);
	}
}

unsigned
nat_whohad_find(const struct nat_whohad *w, const struct nat_whohad_question *q,
    void (*answer)(void *arg, const struct nat_whohad_answer *), void *arg)
{
	struct search s = { w, q, answer, arg, 0 };
	struct nat_interval key = { .outside = q->address,
		.first = q->port,
		.protocol = UINT8_MAX,
		.nat = UINT16_MAX,
		.from = INT64_MAX };
	uint32_t high = lower_bound(w, &key, 0, w->count);

	/* From the last key with a first port not above ours down to the first that may reach it. */
	while (high) {
		const struct nat_interval *e = &w->entries[high - 1];
		uint32_t low;

		if (e->outside != q->address || e->first + w->span <= q->port)
			break;
		key = *e;
		key.from = INT64_MIN;
		low = lower_bound(w, &key, 0, high);
		search_key(&s, e, low, high);
		high = low;
	}
	return s.found;
}

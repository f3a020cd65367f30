/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: drawn, replaced, and their memory, which waits for readers. */
#include <errno.h>
#include <stdlib.h>

#include "kit/table/fib6_int.h"

/* Flush when this many units wait, or an eighth of what is in use. */
#define WAITING_MIN 8192u
/* More runs than this and a node is wide: at bytes 2 and 3, and further down. The look-up's
 * cycles and the memory of a full table decided, see docs/performance-notes.md. */
#define RUNS_HIGH 16u
#define RUNS_LOW 38u
/* Nodes that one change can replace. */
#define REPLACED_MAX 4u

/* A draft with equal neighbours joined. */
struct joined {
	uint64_t bits[4];
	uint32_t head;
	unsigned runs;
	uint32_t slot[FIB6_SLOTS];
};

/* -- memory ------------------------------------------------------------------------- */

static void
free_limbo(struct mr_rcu_head *head)
{
	struct fib6_limbo *l = mr_container_of(head, struct fib6_limbo, head);
	struct mr_fib6 *t = l->table;

	for (unsigned i = 0; i < l->count; i++) {
		t->waiting -= l->item[i].count;
		fib6_lines_give(&t->lines, l->item[i].unit, l->item[i].count);
	}
	free(l);
}

/* Everything that a change may need; after this it cannot fail. */
int
fib6_prepare(struct mr_fib6 *t)
{
	if (fib6_lines_reserve(&t->lines, FIB6_CHANGE_UNITS) < 0)
		return -ENOMEM;
	if (!t->limbo || t->limbo->count + REPLACED_MAX > FIB6_LIMBO) {
		struct fib6_limbo *l = malloc(sizeof(*l));

		if (!l)
			return -ENOMEM;
		if (t->limbo)
			mr_rcu_defer(&t->queue, &t->limbo->head, free_limbo);
		l->table = t;
		l->count = 0;
		t->limbo = l;
	}
	return 0;
}

/* After a change. An empty table waits for nothing, so that its memory goes back. */
void
fib6_tidy(struct mr_fib6 *t)
{
	uint32_t most = MR_MAX(WAITING_MIN, t->lines.used / 8);

	if (mr_likely(t->waiting <= most && (t->store.count || !t->waiting)))
		return;
	if (t->limbo)
		mr_rcu_defer(&t->queue, &t->limbo->head, free_limbo);
	t->limbo = NULL;
	mr_rcu_flush(&t->queue);
}

void
fib6_retire(struct mr_fib6 *t, uint32_t slot)
{
	const struct fib6_runs *r = fib6_node_at(t, slot);
	struct fib6_limbo *l = t->limbo;
	unsigned count;

	if ((slot & FIB6_KIND) == FIB6_ONE)
		count = 1;
	else if ((slot & FIB6_KIND) == FIB6_WIDE)
		count = sizeof(struct fib6_wide) / FIB6_UNIT;
	else
		count = fib6_runs_units(fib6_runs_count(r), fib6_node_skip(r->node.head));
	l->item[l->count].unit = slot & FIB6_NUMBER;
	l->item[l->count++].count = count;
	t->waiting += count;
	t->nodes--;
}

/* -- drawing nodes ------------------------------------------------------------------ */

void
fib6_draft_begin(struct fib6_draft *d, uint32_t best, unsigned level, struct fib6_key key,
    unsigned from)
{
	d->best = best;
	d->level = level;
	d->skip = level - from;
	for (unsigned i = 0; i < d->skip; i++)
		d->skipped[i] = (uint8_t)fib6_key_byte(key, from + i);
	memset(d->slot, 0, sizeof(d->slot));
}

static void
load_runs(struct fib6_draft *d, const struct fib6_runs *n)
{
	unsigned run = 0, begin = 0;

	while (begin < FIB6_SLOTS) {
		uint32_t slot = fib6_get(&n->slot[run++]);
		unsigned end = begin + 1;

		/* Where the next run begins. */
		for (; end < FIB6_SLOTS; end = (end | 63) + 1) {
			uint64_t word = n->bits[end >> 6] >> (end & 63);

			if (word) {
				end += (unsigned)__builtin_ctzll(word);
				break;
			}
		}
		for (unsigned i = begin; slot && i < end; i++)
			d->slot[i] = slot;
		begin = end;
	}
}

void
fib6_draft_load(const struct mr_fib6 *t, struct fib6_draft *d, uint32_t slot)
{
	const struct fib6_node *n = fib6_node_at(t, slot);
	const struct fib6_wide *wide = (const struct fib6_wide *)n;
	const struct fib6_one *one = (const struct fib6_one *)n;
	unsigned first;

	d->best = fib6_get(&n->best);
	d->level = fib6_node_level(n->head);
	d->skip = fib6_node_skip(n->head);
	if (d->skip)
		memcpy(d->skipped, fib6_node_skipped(n), d->skip);
	if ((slot & FIB6_KIND) == FIB6_WIDE) {
		for (unsigned i = 0; i < FIB6_SLOTS; i++)
			d->slot[i] = fib6_get(&wide->slot[i]);
		return;
	}
	memset(d->slot, 0, sizeof(d->slot)); /* what most are */
	if ((slot & FIB6_KIND) == FIB6_ONE) {
		first = fib6_one_first(n->head);
		for (unsigned i = first; i <= first + fib6_one_span(n->head); i++)
			d->slot[i] = fib6_get(&one->slot);
		return;
	}
	load_runs(d, (const struct fib6_runs *)n);
}

static void
draft_join(const struct fib6_draft *d, struct joined *j)
{
	uint8_t begins[FIB6_SLOTS];

	/* In two steps, so that the compiler makes vectors of them. */
	begins[0] = 1;
	for (unsigned i = 1; i < FIB6_SLOTS; i++)
		begins[i] = d->slot[i] != d->slot[i - 1];
	j->runs = 0;
	j->head = d->level | d->skip << 4;
	for (unsigned w = 0; w < 4; w++) {
		uint64_t bits = 0, eight;

		for (unsigned i = 0; i < 8; i++) {
			memcpy(&eight, &begins[64 * w + 8 * i], 8);
			bits |= (eight * 0x0102040810204080 >> 56) << 8 * i;
		}
		if (w)
			j->head |= j->runs << 8 * w;
		j->bits[w] = bits;
		for (; bits; bits &= bits - 1)
			j->slot[j->runs++] = d->slot[64 * w + (unsigned)__builtin_ctzll(bits)];
	}
}

/* Which of the runs is the only one that is not 0; `runs` when there are more. */
static unsigned
only_run(const struct joined *j)
{
	unsigned only = j->runs;

	for (unsigned i = 0; i < MR_MIN(j->runs, 4u); i++) {
		if (!j->slot[i])
			continue;
		if (only != j->runs)
			return j->runs;
		only = i;
	}
	return j->runs > 3 ? j->runs : only;
}

static uint32_t
kind_of(const struct fib6_draft *d, const struct joined *j)
{
	if (d->skip)
		return FIB6_LONG;
	if (j->runs > (d->level <= 3 ? RUNS_HIGH : RUNS_LOW))
		return FIB6_WIDE;
	return only_run(j) < j->runs ? FIB6_ONE : FIB6_RUNS;
}

/* Where a run begins. */
static unsigned
run_begin(const struct joined *j, unsigned run)
{
	uint64_t bits;
	unsigned w = 0;

	while (run >= (unsigned)__builtin_popcountll(j->bits[w]))
		run -= (unsigned)__builtin_popcountll(j->bits[w++]);
	for (bits = j->bits[w]; run; run--)
		bits &= bits - 1;
	return 64 * w + (unsigned)__builtin_ctzll(bits);
}

static uint32_t
one_head(const struct fib6_draft *d, const struct joined *j)
{
	unsigned run = only_run(j), first = run_begin(j, run);
	unsigned end = run + 1 < j->runs ? run_begin(j, run + 1) : FIB6_SLOTS;

	return d->level | first << 8 | (end - 1 - first) << 16;
}

static uint32_t
node_make(struct mr_fib6 *t, const struct fib6_draft *d, const struct joined *j)
{
	uint32_t kind = kind_of(d, j), unit;
	struct fib6_wide *wide;
	struct fib6_runs *runs;
	struct fib6_one *one;
	struct fib6_node *n;

	t->nodes++;
	switch (kind) {
	case FIB6_ONE:
		unit = fib6_lines_take(&t->lines, 1);
		one = fib6_node_at(t, unit);
		n = &one->node;
		n->head = one_head(d, j);
		atomic_store_explicit(&one->slot, j->slot[only_run(j)], memory_order_relaxed);
		break;
	case FIB6_WIDE:
		unit = fib6_lines_take(&t->lines, sizeof(*wide) / FIB6_UNIT);
		wide = fib6_node_at(t, unit);
		n = &wide->node;
		n->head = d->level;
		for (unsigned i = 0; i < FIB6_SLOTS; i++)
			atomic_store_explicit(&wide->slot[i], d->slot[i], memory_order_relaxed);
		break;
	default:
		unit = fib6_lines_take(&t->lines, fib6_runs_units(j->runs, d->skip));
		runs = fib6_node_at(t, unit);
		n = &runs->node;
		n->head = j->head;
		memcpy(runs->bits, j->bits, sizeof(runs->bits));
		for (unsigned i = 0; i < j->runs; i++)
			atomic_store_explicit(&runs->slot[i], j->slot[i], memory_order_relaxed);
		memcpy(&runs->slot[j->runs], d->skipped, d->skip);
	}
	atomic_store_explicit(&n->best, d->best, memory_order_relaxed);
	return unit | kind | FIB6_CHILD;
}

uint32_t
fib6_draft_make(struct mr_fib6 *t, const struct fib6_draft *d)
{
	struct joined j;

	draft_join(d, &j);
	return node_make(t, d, &j);
}

uint32_t
fib6_node_copy(struct mr_fib6 *t, uint32_t slot, const uint8_t *skipped, unsigned skip)
{
	struct fib6_draft d;

	fib6_draft_load(t, &d, slot);
	d.skip = skip;
	memcpy(d.skipped, skipped, skip);
	return fib6_draft_make(t, &d);
}

/* The slots of a node that has the draft's shape: of the same kind, 0 in the same places. `shown`
 * becomes what they shall be. Null: it has another shape. */
static _Atomic uint32_t *
slots_in_place(const struct mr_fib6 *t, uint32_t slot, const struct fib6_draft *d,
    const struct joined *j, const uint32_t **shown, unsigned *count)
{
	struct fib6_node *n = fib6_node_at(t, slot);
	struct fib6_runs *r = (struct fib6_runs *)n;

	if ((slot & FIB6_KIND) != kind_of(d, j))
		return NULL;
	switch (slot & FIB6_KIND) {
	case FIB6_ONE:
		*shown = &j->slot[only_run(j)];
		*count = 1;
		return n->head == one_head(d, j) ? &((struct fib6_one *)n)->slot : NULL;
	case FIB6_WIDE:
		*shown = d->slot;
		*count = FIB6_SLOTS;
		return ((struct fib6_wide *)n)->slot;
	default:
		*shown = j->slot;
		*count = j->runs;
		return memcmp(r->bits, j->bits, sizeof(j->bits)) == 0 ? r->slot : NULL;
	}
}

/* Makes the node that hangs at `link` look like the draft. */
void
fib6_draft_apply(struct mr_fib6 *t, _Atomic uint32_t *link, const struct fib6_draft *d)
{
	uint32_t old = fib6_get(link);
	const uint32_t *shown = NULL;
	_Atomic uint32_t *slots;
	unsigned count = 0;
	struct joined j;
	bool same;

	draft_join(d, &j);
	slots = slots_in_place(t, old, d, &j, &shown, &count);
	same = slots != NULL;
	for (unsigned i = 0; same && i < count; i++)
		same = !fib6_get(&slots[i]) == !shown[i];
	if (!same) {
		fib6_publish(link, node_make(t, d, &j));
		fib6_retire(t, old);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (fib6_get(&slots[i]) != shown[i])
			fib6_publish(&slots[i], shown[i]);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: drawn, replaced, and their memory, which waits for readers. */
#include <errno.h>
#include <stdlib.h>

#include "kit/table/fib6_int.h"

/* Flush when this many lines wait, or an eighth of what is in use. */
#define WAITING_MIN 2048u
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
		fib6_lines_give(&t->lines, l->item[i].line, l->item[i].count);
	}
	free(l);
}

/* Everything that a change may need; after this it cannot fail. */
int
fib6_prepare(struct mr_fib6 *t)
{
	if (fib6_lines_reserve(&t->lines, FIB6_CHANGE_LINES) < 0)
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
	const struct fib6_node *n = fib6_node_at(t, slot);
	unsigned count = fib6_node_lines(fib6_node_runs(n), fib6_node_skip(n->head));
	struct fib6_limbo *l = t->limbo;

	l->item[l->count].line = slot & ~FIB6_CHILD;
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

void
fib6_draft_load(struct fib6_draft *d, const struct fib6_node *n)
{
	unsigned run = 0, begin = 0;

	d->best = fib6_get(&n->best);
	d->level = fib6_node_level(n->head);
	d->skip = fib6_node_skip(n->head);
	memcpy(d->skipped, fib6_node_skipped(n), d->skip);
	memset(d->slot, 0, sizeof(d->slot)); /* what most are */
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

static uint32_t
node_make(struct mr_fib6 *t, const struct fib6_draft *d, const struct joined *j)
{
	uint32_t line = fib6_lines_take(&t->lines, fib6_node_lines(j->runs, d->skip));
	struct fib6_node *n = fib6_node_at(t, line);

	t->nodes++;
	atomic_store_explicit(&n->best, d->best, memory_order_relaxed);
	n->head = j->head;
	memcpy(n->bits, j->bits, sizeof(n->bits));
	for (unsigned i = 0; i < j->runs; i++)
		atomic_store_explicit(&n->slot[i], j->slot[i], memory_order_relaxed);
	memcpy(&n->slot[j->runs], d->skipped, d->skip);
	return line | FIB6_CHILD;
}

uint32_t
fib6_draft_make(struct mr_fib6 *t, const struct fib6_draft *d)
{
	struct joined j;

	draft_join(d, &j);
	return node_make(t, d, &j);
}

/* A copy that skips `skip` bytes, these. */
uint32_t
fib6_node_copy(struct mr_fib6 *t, const struct fib6_node *from, const uint8_t *skipped,
    unsigned skip)
{
	unsigned runs = fib6_node_runs(from);
	uint32_t line = fib6_lines_take(&t->lines, fib6_node_lines(runs, skip));
	struct fib6_node *n = fib6_node_at(t, line);

	t->nodes++;
	atomic_store_explicit(&n->best, fib6_get(&from->best), memory_order_relaxed);
	n->head = (from->head & ~0xf0u) | skip << 4;
	memcpy(n->bits, from->bits, sizeof(n->bits));
	for (unsigned i = 0; i < runs; i++)
		atomic_store_explicit(&n->slot[i], fib6_get(&from->slot[i]), memory_order_relaxed);
	memcpy(&n->slot[runs], skipped, skip);
	return line | FIB6_CHILD;
}

/* Makes the node that hangs at `link` look like the draft. */
void
fib6_draft_apply(struct mr_fib6 *t, _Atomic uint32_t *link, const struct fib6_draft *d)
{
	uint32_t old = fib6_get(link);
	struct fib6_node *n = fib6_node_at(t, old);
	struct joined j;
	bool same;

	draft_join(d, &j);
	same = memcmp(n->bits, j.bits, sizeof(j.bits)) == 0;
	for (unsigned i = 0; same && i < j.runs; i++)
		same = !fib6_get(&n->slot[i]) == !j.slot[i];
	if (!same) {
		fib6_publish(link, node_make(t, d, &j));
		fib6_retire(t, old);
		return;
	}
	for (unsigned i = 0; i < j.runs; i++) {
		if (fib6_get(&n->slot[i]) != j.slot[i])
			fib6_publish(&n->slot[i], j.slot[i]);
	}
}

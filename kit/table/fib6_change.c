/* SPDX-License-Identifier: Apache-2.0 */
/* Changes: the writer's side. fib6_int.h says what may change in place. */
#include <errno.h>
#include <stdlib.h>

#include "kit/table/fib6_int.h"

/* Flush when this many lines wait, or an eighth of what is in use. */
#define WAITING_MIN 2048u
/* Nodes that one change can replace. */
#define REPLACED_MAX 4u

/* A node being drawn, each byte with a slot of its own. */
struct draft {
	uint32_t best;
	unsigned level, skip;
	uint8_t skipped[16];
	_Atomic uint32_t
	    slot[FIB6_SLOTS]; /* atomic because struct paint may also mean the root's */
};

/* A draft with equal neighbours joined. */
struct joined {
	uint64_t bits[4];
	uint32_t head;
	unsigned runs;
	uint32_t slot[FIB6_SLOTS];
};

static uint32_t
get(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* we alone write */
}

/* Release: pairs with the acquire of the look-ups, who then see the node that this names. */
static void
publish(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

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
static int
prepare(struct mr_fib6 *t)
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
static void
tidy(struct mr_fib6 *t)
{
	uint32_t most = MR_MAX(WAITING_MIN, t->lines.used / 8);

	if (mr_likely(t->waiting <= most && (t->store.count || !t->waiting)))
		return;
	if (t->limbo)
		mr_rcu_defer(&t->queue, &t->limbo->head, free_limbo);
	t->limbo = NULL;
	mr_rcu_flush(&t->queue);
}

static void
retire(struct mr_fib6 *t, uint32_t slot)
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

static void
draft_begin(struct draft *d, uint32_t best, unsigned level, struct fib6_key key, unsigned from)
{
	d->best = best;
	d->level = level;
	d->skip = level - from;
	for (unsigned i = 0; i < d->skip; i++)
		d->skipped[i] = (uint8_t)fib6_key_byte(key, from + i);
	memset(d->slot, 0, sizeof(d->slot));
}

static void
draft_load(struct draft *d, const struct fib6_node *n)
{
	unsigned run = 0, begin = 0;

	d->best = get(&n->best);
	d->level = fib6_node_level(n->head);
	d->skip = fib6_node_skip(n->head);
	memcpy(d->skipped, fib6_node_skipped(n), d->skip);
	while (begin < FIB6_SLOTS) {
		uint32_t slot = get(&n->slot[run++]);
		unsigned end = begin + 1;
		uint64_t word;

		/* Where the next run begins. */
		for (; end < FIB6_SLOTS; end = (end | 63) + 1) {
			word = n->bits[end >> 6] >> (end & 63);
			if (word) {
				end += (unsigned)__builtin_ctzll(word);
				break;
			}
		}
		for (; begin < end; begin++)
			atomic_store_explicit(&d->slot[begin], slot, memory_order_relaxed);
	}
}

static void
draft_join(const struct draft *d, struct joined *j)
{
	uint32_t before = ~get(&d->slot[0]);

	j->runs = 0;
	j->head = d->level | d->skip << 4;
	for (unsigned w = 0; w < 4; w++) {
		uint64_t bits = 0;

		if (w)
			j->head |= j->runs << 8 * w;
		for (unsigned i = 0; i < 64; i++) {
			uint32_t slot = get(&d->slot[64 * w + i]);
			uint64_t begins = slot != before;

			j->slot[j->runs] = slot;
			j->runs += (unsigned)begins;
			bits |= begins << i;
			before = slot;
		}
		j->bits[w] = bits;
	}
}

static uint32_t
node_make(struct mr_fib6 *t, const struct draft *d, const struct joined *j)
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

static uint32_t
node_draw(struct mr_fib6 *t, const struct draft *d)
{
	struct joined j;

	draft_join(d, &j);
	return node_make(t, d, &j);
}

/* A copy that skips `skip` bytes, these. */
static uint32_t
node_copy(struct mr_fib6 *t, const struct fib6_node *from, const uint8_t *skipped, unsigned skip)
{
	unsigned runs = fib6_node_runs(from);
	uint32_t line = fib6_lines_take(&t->lines, fib6_node_lines(runs, skip));
	struct fib6_node *n = fib6_node_at(t, line);

	t->nodes++;
	atomic_store_explicit(&n->best, get(&from->best), memory_order_relaxed);
	n->head = (from->head & ~0xf0u) | skip << 4;
	memcpy(n->bits, from->bits, sizeof(n->bits));
	for (unsigned i = 0; i < runs; i++)
		atomic_store_explicit(&n->slot[i], get(&from->slot[i]), memory_order_relaxed);
	memcpy(&n->slot[runs], skipped, skip);
	return line | FIB6_CHILD;
}

/* Makes the node that hangs at `link` look like the draft. */
static void
node_change(struct mr_fib6 *t, _Atomic uint32_t *link, const struct draft *d)
{
	uint32_t old = get(link);
	struct fib6_node *n = fib6_node_at(t, old);
	struct joined j;
	bool same;

	draft_join(d, &j);
	same = memcmp(n->bits, j.bits, sizeof(j.bits)) == 0;
	for (unsigned i = 0; same && i < j.runs; i++)
		same = !get(&n->slot[i]) == !j.slot[i];
	if (!same) {
		publish(link, node_make(t, d, &j));
		retire(t, old);
		return;
	}
	for (unsigned i = 0; i < j.runs; i++) {
		if (get(&n->slot[i]) != j.slot[i])
			publish(&n->slot[i], j.slot[i]);
	}
}

/* -- colours ------------------------------------------------------------------------ */

/* The value of the longest prefix of lengths from..to that covers `key`, or 0. */
static uint32_t
cover(const struct mr_fib6 *t, struct fib6_key key, unsigned from, unsigned to)
{
	for (unsigned len = to; len >= from; len--) {
		const struct fib6_entry *e =
		    fib6_store_find(&t->store, fib6_key_cut(key, len), len);

		if (e)
			return e->value;
	}
	return 0;
}

/* The same key with other bits from..from+width-1. */
static struct fib6_key
key_with(struct fib6_key key, unsigned from, unsigned width, unsigned field)
{
	key = fib6_key_cut(key, from);
	if (from < 64)
		key.hi |= (uint64_t)field << (64 - from - width);
	else
		key.lo |= (uint64_t)field << (128 - from - width);
	return key;
}

/* The longest prefix that covers the whole of a node, whose first byte not yet known from `key`
 * is `from`, now has another value. */
static void
push(struct mr_fib6 *t, uint32_t slot, struct fib6_key key, unsigned from, uint32_t value)
{
	struct fib6_node *n = fib6_node_at(t, slot);
	uint32_t old = get(&n->best);
	unsigned level = fib6_node_level(n->head), run = 0;

	if (old == value)
		return;
	for (unsigned i = from; i < level; i++)
		key = key_with(key, 8 * i, 8, fib6_node_skipped(n)[i - from]);
	publish(&n->best, value);
	for (unsigned w = 0; w < 4; w++) {
		for (uint64_t bits = n->bits[w]; bits; bits &= bits - 1) {
			uint32_t s = get(&n->slot[run++]);
			struct fib6_key k;

			if (!(s & FIB6_CHILD) || get(&fib6_node_at(t, s)->best) != old)
				continue;
			k = key_with(key, 8 * level, 8, 64 * w + (unsigned)__builtin_ctzll(bits));
			if (!cover(t, k, 8 * level + 1, 8 * level + 8))
				push(t, s, k, level + 1, value);
		}
	}
}

/* A prefix of the root or of one node changes the colour of the slots that it covers. */
struct paint {
	struct mr_fib6 *t;
	_Atomic uint32_t *slot;
	struct fib6_key key;
	unsigned from, width;     /* bits of the key that choose the slot */
	uint32_t value, inherits; /* for slots, and for children */
};

static bool
longer_exist(const struct paint *p, unsigned len)
{
	while (++len <= p->from + p->width) {
		if (p->t->store.lengths[len])
			return true;
	}
	return false;
}

static bool
all_clear(const struct paint *p, unsigned first, unsigned count)
{
	uint32_t any = 0;

	for (unsigned i = first; i < first + count; i++)
		any |= get(&p->slot[i]);
	return !any;
}

/* The slots that begin with `bits` bits of `first`, except those of longer prefixes. */
static void
paint(const struct paint *p, unsigned first, unsigned bits)
{
	unsigned count = 1u << (p->width - bits), half = count / 2;
	unsigned len = p->from + bits + 1;

	if (count > 1 && longer_exist(p, p->from + bits) && !all_clear(p, first, count)) {
		for (unsigned i = 0; i < 2; i++) {
			unsigned f = first + i * half;

			if (!fib6_store_find(&p->t->store, key_with(p->key, p->from, p->width, f),
				len))
				paint(p, f, bits + 1);
		}
		return;
	}
	for (unsigned i = first; i < first + count; i++) {
		uint32_t s = get(&p->slot[i]);

		if (s & FIB6_CHILD)
			push(p->t, s, key_with(p->key, p->from, p->width, i),
			    (p->from + p->width) / 8, p->inherits);
		else if (s != p->value)
			publish(&p->slot[i], p->value);
	}
}

/* `value` 0: the prefix is gone (also from the store), the next shorter one shows. */
static void
paint_root(struct mr_fib6 *t, struct fib6_key key, unsigned len, uint32_t value)
{
	struct paint p = { t, t->root, key, 0, 16, value, value };
	const struct fib6_entry *e;

	if (!value && len) {
		e = fib6_store_find(&t->store, (struct fib6_key){ 0, 0 }, 0);
		p.value = cover(t, key, 1, len - 1);
		if (!p.value && e)
			p.value = e->value;
		p.inherits = p.value;
	}
	paint(&p, (unsigned)(key.hi >> 48), len);
}

static void
paint_draft(struct mr_fib6 *t, struct draft *d, struct fib6_key key, unsigned len, uint32_t value)
{
	struct paint p = { t, d->slot, key, 8 * d->level, 8, value, value };

	if (!value) {
		p.value = cover(t, key, p.from + 1, len - 1);
		p.inherits = p.value ? p.value : d->best;
	}
	paint(&p, fib6_key_byte(key, d->level), len - p.from);
}

/* -- places in the trie ------------------------------------------------------------- */

struct place {
	_Atomic uint32_t *link;   /* names the node, or stands where one would hang */
	unsigned from;            /* first byte that the path to it has not tested */
	_Atomic uint32_t *parent; /* names the parent; null: it is the root */
	unsigned byte;            /* of the parent's */
	uint32_t best;            /* of the parent; 0: the root */
};

static void
place_begin(const struct mr_fib6 *t, struct place *p, struct fib6_key key)
{
	*p = (struct place){ .link = &t->root[key.hi >> 48], .from = 2 };
}

static void
place_descend(const struct mr_fib6 *t, struct place *p, struct fib6_key key)
{
	struct fib6_node *n = fib6_node_at(t, get(p->link));

	p->parent = p->link;
	p->best = get(&n->best);
	p->byte = fib6_key_byte(key, fib6_node_level(n->head));
	p->from = fib6_node_level(n->head) + 1;
	p->link = &n->slot[fib6_node_run(n, n->head, p->byte)];
}

static void
count_top(struct mr_fib6 *t, int by)
{
	atomic_fetch_add_explicit(&t->tops, (uint32_t)by, memory_order_relaxed);
}

/* A node with one prefix. */
static uint32_t
leaf_make(struct mr_fib6 *t, uint32_t best, struct fib6_key key, unsigned len, unsigned from,
    uint32_t value)
{
	struct draft d;

	draft_begin(&d, best, (len - 1) / 8, key, from);
	paint_draft(t, &d, key, len, value);
	return node_draw(t, &d);
}

static void
hang_leaf(struct mr_fib6 *t, const struct place *p, struct fib6_key key, unsigned len,
    uint32_t value)
{
	uint32_t slot = get(p->link);
	uint32_t leaf = leaf_make(t, slot ? slot : p->best, key, len, p->from, value);
	struct draft d;

	if (!p->parent) {
		publish(p->link, leaf);
		count_top(t, 1);
		return;
	}
	draft_load(&d, fib6_node_at(t, get(p->parent)));
	atomic_store_explicit(&d.slot[p->byte], leaf, memory_order_relaxed);
	node_change(t, p->parent, &d);
}

/* The node at `p` skips more than it has in common with the prefix, or the prefix ends there: a
 * node that tests byte `level` comes between. */
static void
split(struct mr_fib6 *t, const struct place *p, unsigned level, struct fib6_key key, unsigned len,
    uint32_t value)
{
	uint32_t old = get(p->link), copy;
	struct fib6_node *n = fib6_node_at(t, old);
	const uint8_t *skipped = fib6_node_skipped(n);
	unsigned used = level - p->from; /* skipped by the new node */
	unsigned ours = fib6_key_byte(key, level);
	struct draft d;

	copy = node_copy(t, n, skipped + used + 1, fib6_node_skip(n->head) - used - 1);
	draft_begin(&d, get(&n->best), level, key, p->from);
	atomic_store_explicit(&d.slot[skipped[used]], copy, memory_order_relaxed);
	if ((len - 1) / 8 == level)
		paint_draft(t, &d, key, len, value);
	else
		atomic_store_explicit(&d.slot[ours],
		    leaf_make(t, d.best, key, len, level + 1, value), memory_order_relaxed);
	publish(p->link, node_draw(t, &d));
	retire(t, old);
}

static void
trie_set(struct mr_fib6 *t, struct fib6_key key, unsigned len, uint32_t value)
{
	unsigned last = (len - 1) / 8; /* the byte where the prefix ends */
	struct place p;
	struct draft d;

	for (place_begin(t, &p, key);; place_descend(t, &p, key)) {
		uint32_t slot = get(p.link);
		const struct fib6_node *n = fib6_node_at(t, slot);
		unsigned level, i;

		if (!(slot & FIB6_CHILD)) {
			hang_leaf(t, &p, key, len, value);
			return;
		}
		level = fib6_node_level(n->head);
		for (i = p.from; i < MR_MIN(level, last); i++) {
			if (fib6_node_skipped(n)[i - p.from] != fib6_key_byte(key, i))
				break;
		}
		if (i < level) {
			split(t, &p, i, key, len, value);
			return;
		}
		if (level == last) {
			draft_load(&d, n);
			paint_draft(t, &d, key, len, value);
			node_change(t, p.link, &d);
			return;
		}
	}
}

/* The node at `link` has one child and nothing else: the child takes its place. */
static void
merge(struct mr_fib6 *t, _Atomic uint32_t *link, const struct draft *d, unsigned byte)
{
	uint32_t old = get(link), child = get(&d->slot[byte]);
	const struct fib6_node *c = fib6_node_at(t, child);
	unsigned skip = fib6_node_skip(c->head);
	uint8_t skipped[16];

	memcpy(skipped, d->skipped, d->skip);
	skipped[d->skip] = (uint8_t)byte;
	memcpy(skipped + d->skip + 1, fib6_node_skipped(c), skip);
	publish(link, node_copy(t, c, skipped, d->skip + 1 + skip));
	retire(t, old);
	retire(t, child);
}

/* What a node that lost something is now: true: nothing; else it is changed or left out. */
static bool
settle(struct mr_fib6 *t, _Atomic uint32_t *link, const struct draft *d, struct fib6_key key)
{
	unsigned values = 0, children = 0, byte = 0;

	for (unsigned i = 0; i < FIB6_SLOTS; i++) {
		uint32_t s = get(&d->slot[i]);

		if (s & FIB6_CHILD) {
			children++;
			byte = i;
		} else if (s) {
			values++;
		}
	}
	if (!values && !children)
		return true;
	/* A prefix that shows in no slot can only be the one that ends where the child begins. */
	if (!values && children == 1 &&
	    !fib6_store_find(&t->store, key_with(key, 8 * d->level, 8, byte), 8 * d->level + 8))
		merge(t, link, d, byte);
	else
		node_change(t, link, d);
	return false;
}

/* The store no longer has it. */
static void
trie_unset(struct mr_fib6 *t, struct fib6_key key, unsigned len)
{
	unsigned last = (len - 1) / 8;
	struct place p;
	struct draft d;
	uint32_t gone;

	place_begin(t, &p, key);
	while (fib6_node_level(fib6_node_at(t, get(p.link))->head) != last)
		place_descend(t, &p, key);
	gone = get(p.link);
	draft_load(&d, fib6_node_at(t, gone));
	paint_draft(t, &d, key, len, 0);
	if (!settle(t, p.link, &d, key))
		return;
	/* Nothing is left of the node. */
	if (!p.parent) {
		publish(p.link, d.best);
		count_top(t, -1);
	} else {
		draft_load(&d, fib6_node_at(t, get(p.parent)));
		atomic_store_explicit(&d.slot[p.byte],
		    cover(t, key, 8 * d.level + 1, 8 * d.level + 8), memory_order_relaxed);
		/* It had more than one thing, so something is left. */
		(void)settle(t, p.parent, &d, key);
	}
	retire(t, gone);
}

/* -- the interface ------------------------------------------------------------------ */

int
mr_fib6_set(struct mr_fib6 *t, const uint8_t prefix[16], unsigned len, uint32_t value)
{
	struct fib6_key key = fib6_key_load(prefix), cut;
	struct fib6_entry *e;

	if (len > 128 || !value || value > MR_FIB6_VALUE_MAX)
		return -EINVAL;
	cut = fib6_key_cut(key, len);
	if (cut.hi != key.hi || cut.lo != key.lo)
		return -EINVAL;
	e = fib6_store_find(&t->store, key, len);
	if (e && e->value == value)
		return 0;
	if (prepare(t) < 0 || (!e && fib6_store_reserve(&t->store) < 0))
		return -ENOMEM;
	if (e)
		e->value = value;
	else
		fib6_store_add(&t->store, key, len, value);
	if (len <= 16)
		paint_root(t, key, len, value);
	else
		trie_set(t, key, len, value);
	tidy(t);
	return 0;
}

int
mr_fib6_unset(struct mr_fib6 *t, const uint8_t prefix[16], unsigned len)
{
	struct fib6_key key = fib6_key_load(prefix);
	struct fib6_entry *e;

	if (len > 128)
		return -ENOENT;
	e = fib6_store_find(&t->store, key, len);
	if (!e)
		return -ENOENT;
	if (prepare(t) < 0)
		return -ENOMEM;
	fib6_store_remove(&t->store, e);
	if (len <= 16)
		paint_root(t, key, len, 0);
	else
		trie_unset(t, key, len);
	tidy(t);
	return 0;
}

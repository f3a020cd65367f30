/* SPDX-License-Identifier: Apache-2.0 */
/* Changes: the writer's side. fib6_int.h says what may change in place. */
#include <errno.h>

#include "kit/table/fib6_int.h"

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

static void push_child(struct mr_fib6 *, uint32_t slot, struct fib6_key, unsigned level,
    unsigned byte, uint32_t old, uint32_t value);

/* The longest prefix that covers the whole of a node, whose first byte not yet known from `key`
 * is `from`, now has another value. */
static void
push(struct mr_fib6 *t, uint32_t slot, struct fib6_key key, unsigned from, uint32_t value)
{
	struct fib6_node *n = fib6_node_at(t, slot);
	uint32_t old = fib6_get(&n->best);
	unsigned level = fib6_node_level(n->head), run = 0;
	const struct fib6_runs *r = (const struct fib6_runs *)n;

	if (old == value)
		return;
	for (unsigned i = from; i < level; i++)
		key = key_with(key, 8 * i, 8, fib6_node_skipped(n)[i - from]);
	fib6_publish(&n->best, value);
	switch (slot & FIB6_KIND) {
	case FIB6_ONE:
		push_child(t, ((struct fib6_one *)n)->slot, key, level, fib6_one_first(n->head),
		    old, value);
		break;
	case FIB6_WIDE:
		for (unsigned i = 0; i < FIB6_SLOTS; i++)
			push_child(t, fib6_get(&((struct fib6_wide *)n)->slot[i]), key, level, i,
			    old, value);
		break;
	default:
		for (unsigned w = 0; w < 4; w++) {
			for (uint64_t bits = r->bits[w]; bits; bits &= bits - 1)
				push_child(t, fib6_get(&r->slot[run++]), key, level,
				    64 * w + (unsigned)__builtin_ctzll(bits), old, value);
		}
	}
}

/* What hangs at `byte` of a node, if it had the same default. */
static void
push_child(struct mr_fib6 *t, uint32_t slot, struct fib6_key key, unsigned level, unsigned byte,
    uint32_t old, uint32_t value)
{
	const struct fib6_node *n = fib6_node_at(t, slot);

	if (!(slot & FIB6_CHILD) || fib6_get(&n->best) != old)
		return;
	key = key_with(key, 8 * level, 8, byte);
	if (!cover(t, key, 8 * level + 1, 8 * level + 8))
		push(t, slot, key, level + 1, value);
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
		any |= fib6_get(&p->slot[i]);
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
		uint32_t s = fib6_get(&p->slot[i]);

		if (s & FIB6_CHILD)
			push(p->t, s, key_with(p->key, p->from, p->width, i),
			    (p->from + p->width) / 8, p->inherits);
		else if (s != p->value)
			fib6_publish(&p->slot[i], p->value);
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
paint_draft(struct mr_fib6 *t, struct fib6_draft *d, struct fib6_key key, unsigned len,
    uint32_t value)
{
	unsigned first = fib6_key_byte(key, d->level), from = 8 * d->level;
	/* Nobody else sees the draft; atomic only because the root's slots are. */
	struct paint p = { t, (_Atomic uint32_t *)d->slot, key, from, 8, value, value };

	if (!value) {
		/* A shorter prefix would also cover the block beside this one. */
		if (d->slot[first ^ 1u << (from + 8 - len)])
			p.value = cover(t, key, from + 1, len - 1);
		p.inherits = p.value ? p.value : d->best;
	}
	paint(&p, first, len - from);
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
place_descend(struct mr_fib6 *t, struct place *p, struct fib6_key key)
{
	uint32_t slot = fib6_get(p->link);
	struct fib6_node *n = fib6_node_at(t, slot);

	p->parent = p->link;
	p->best = fib6_get(&n->best);
	p->byte = fib6_key_byte(key, fib6_node_level(n->head));
	p->from = fib6_node_level(n->head) + 1;
	p->link = fib6_node_slot(n, slot, p->byte);
	if (!p->link)
		p->link = &t->nothing;
}

/* A node with one prefix. */
static uint32_t
leaf_make(struct mr_fib6 *t, uint32_t best, struct fib6_key key, unsigned len, unsigned from,
    uint32_t value)
{
	struct fib6_draft d;

	fib6_draft_begin(&d, best, (len - 1) / 8, key, from);
	paint_draft(t, &d, key, len, value);
	return fib6_draft_make(t, &d);
}

static void
hang_leaf(struct mr_fib6 *t, const struct place *p, struct fib6_key key, unsigned len,
    uint32_t value)
{
	uint32_t slot = fib6_get(p->link);
	uint32_t leaf = leaf_make(t, slot ? slot : p->best, key, len, p->from, value);
	struct fib6_draft d;

	if (!p->parent) {
		fib6_publish(p->link, leaf);
		return;
	}
	fib6_draft_load(t, &d, fib6_get(p->parent));
	d.slot[p->byte] = leaf;
	fib6_draft_apply(t, p->parent, &d);
}

/* The node at `p` skips more than it has in common with the prefix, or the prefix ends there: a
 * node that tests byte `level` comes between. */
static void
split(struct mr_fib6 *t, const struct place *p, unsigned level, struct fib6_key key, unsigned len,
    uint32_t value)
{
	uint32_t old = fib6_get(p->link), copy;
	struct fib6_node *n = fib6_node_at(t, old);
	const uint8_t *skipped = fib6_node_skipped(n);
	unsigned used = level - p->from; /* skipped by the new node */
	unsigned ours = fib6_key_byte(key, level);
	struct fib6_draft d;

	copy = fib6_node_copy(t, old, skipped + used + 1, fib6_node_skip(n->head) - used - 1);
	fib6_draft_begin(&d, fib6_get(&n->best), level, key, p->from);
	d.slot[skipped[used]] = copy;
	if ((len - 1) / 8 == level)
		paint_draft(t, &d, key, len, value);
	else
		d.slot[ours] = leaf_make(t, d.best, key, len, level + 1, value);
	fib6_publish(p->link, fib6_draft_make(t, &d));
	fib6_retire(t, old);
}

/* Whether a byte that has a slot has it for itself. */
static bool
stands_alone(const void *node, uint32_t kind, unsigned byte)
{
	const struct fib6_runs *r = node;
	unsigned after = byte + 1;

	if ((kind & FIB6_KIND) == FIB6_WIDE)
		return true;
	if ((kind & FIB6_KIND) == FIB6_ONE)
		return fib6_one_span(r->node.head) == 0;
	return (r->bits[byte >> 6] >> (byte & 63) & 1) &&
	    (after == FIB6_SLOTS || (r->bits[after >> 6] >> (after & 63) & 1));
}

/* The quick way, where it goes: a prefix that covers one byte's value, which stands alone. (It may
 * become equal to a neighbour and still stand alone, until the node is drawn anew.) */
static bool
set_byte(struct mr_fib6 *t, const struct place *p, struct fib6_key key, uint32_t value)
{
	uint32_t node = fib6_get(p->link), slot;
	struct fib6_node *n = fib6_node_at(t, node);
	unsigned level = fib6_node_level(n->head);
	unsigned byte = fib6_key_byte(key, level);
	_Atomic uint32_t *word = fib6_node_slot(n, node, byte);

	slot = word ? fib6_get(word) : 0;
	if (slot & FIB6_CHILD) {
		push(t, slot, key, level + 1, value);
		return true;
	}
	if (!slot || !stands_alone(n, node, byte))
		return false;
	fib6_publish(word, value);
	return true;
}

static void
trie_set(struct mr_fib6 *t, struct fib6_key key, unsigned len, uint32_t value)
{
	unsigned last = (len - 1) / 8; /* the byte where the prefix ends */
	struct place p;
	struct fib6_draft d;

	for (place_begin(t, &p, key);; place_descend(t, &p, key)) {
		uint32_t slot = fib6_get(p.link);
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
			if (len % 8 == 0 && set_byte(t, &p, key, value))
				return;
			fib6_draft_load(t, &d, slot);
			paint_draft(t, &d, key, len, value);
			fib6_draft_apply(t, p.link, &d);
			return;
		}
	}
}

/* The node at `link` has one child and nothing else: the child takes its place. */
static void
merge(struct mr_fib6 *t, _Atomic uint32_t *link, const struct fib6_draft *d, unsigned byte)
{
	uint32_t old = fib6_get(link), child = d->slot[byte];
	const struct fib6_node *c = fib6_node_at(t, child);
	unsigned skip = fib6_node_skip(c->head);
	uint8_t skipped[16];

	memcpy(skipped, d->skipped, d->skip);
	skipped[d->skip] = (uint8_t)byte;
	if (skip)
		memcpy(skipped + d->skip + 1, fib6_node_skipped(c), skip);
	fib6_publish(link, fib6_node_copy(t, child, skipped, d->skip + 1 + skip));
	fib6_retire(t, old);
	fib6_retire(t, child);
}

/* What a node that lost something is now: true: nothing; else it is changed or left out. */
static bool
settle(struct mr_fib6 *t, _Atomic uint32_t *link, const struct fib6_draft *d, struct fib6_key key)
{
	unsigned something = 0, children = 0, byte = 0;

	for (unsigned i = 0; i < FIB6_SLOTS; i++) {
		something += d->slot[i] != 0;
		children += d->slot[i] >> 31;
	}
	if (!something)
		return true;
	while (something == 1 && children == 1 && !d->slot[byte])
		byte++;
	/* A prefix that shows in no slot can only be the one that ends where the child begins. */
	if (something == 1 && children == 1 &&
	    !fib6_store_find(&t->store, key_with(key, 8 * d->level, 8, byte), 8 * d->level + 8))
		merge(t, link, d, byte);
	else
		fib6_draft_apply(t, link, d);
	return false;
}

static unsigned
level_at(const struct mr_fib6 *t, const _Atomic uint32_t *link)
{
	const struct fib6_node *n = fib6_node_at(t, fib6_get(link));

	return fib6_node_level(n->head);
}

/* The store no longer has it. */
static void
trie_unset(struct mr_fib6 *t, struct fib6_key key, unsigned len)
{
	unsigned last = (len - 1) / 8;
	struct place p;
	struct fib6_draft d;
	uint32_t gone;

	place_begin(t, &p, key);
	while (level_at(t, p.link) != last)
		place_descend(t, &p, key);
	gone = fib6_get(p.link);
	fib6_draft_load(t, &d, gone);
	paint_draft(t, &d, key, len, 0);
	if (!settle(t, p.link, &d, key))
		return;
	/* Nothing is left of the node. */
	if (!p.parent) {
		fib6_publish(p.link, d.best);
	} else {
		fib6_draft_load(t, &d, fib6_get(p.parent));
		d.slot[p.byte] = cover(t, key, 8 * d.level + 1, 8 * d.level + 8);
		/* It had more than one thing, so something is left. */
		(void)settle(t, p.parent, &d, key);
	}
	fib6_retire(t, gone);
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
	if (fib6_prepare(t) < 0 || (!e && fib6_store_reserve(&t->store) < 0))
		return -ENOMEM;
	if (e)
		e->value = value;
	else
		fib6_store_add(&t->store, key, len, value);
	if (len <= 16)
		paint_root(t, key, len, value);
	else
		trie_set(t, key, len, value);
	fib6_tidy(t);
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
	if (fib6_prepare(t) < 0)
		return -ENOMEM;
	fib6_store_remove(&t->store, e);
	if (len <= 16)
		paint_root(t, key, len, 0);
	else
		trie_unset(t, key, len);
	fib6_tidy(t);
	return 0;
}

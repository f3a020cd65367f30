/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classifier's filters: for each part of a packet, which tables may have a rule for it. Bits
 * are set before the rule's bucket is published and never taken back, so readers share the words
 * with the writer. What removals leave behind goes when a fresh filter, filled in small steps,
 * takes over.
 */
#include "kit/table/classifier_int.h"

#include <errno.h>
#include <stdlib.h>

static unsigned
log2_up(uint32_t x)
{
	return x > 1 ? 32 - (unsigned)__builtin_clz(x - 1) : 0;
}

int
class_filter_create(struct class_filter **out, uint32_t rules, const struct mr_hash_key *key)
{
	unsigned bits = log2_up(MR_MAX(rules, 256u));
	size_t coarse = 1ul << MR_MIN(bits + 1, 16u), fine = (size_t)CLASS_GROUP << (bits - 3);
	size_t at = MR_ALIGN_UP(sizeof(struct class_filter), 4096ul);
	size_t bytes = class_map_size(at + 2 * 8 * (coarse + fine));
	struct class_filter *f = class_map(bytes);
	_Atomic uint64_t *words;

	if (!f)
		return -ENOMEM;
	words = (_Atomic uint64_t *)((uint8_t *)f + at);
	for (unsigned k = 0; k < 2; k++) {
		f->fine[k] = words + k * fine;
		f->coarse[k] = words + 2 * fine + k * coarse;
	}
	f->coarse_mask = (uint32_t)coarse - 1;
	f->fine_mask = (uint32_t)(fine - CLASS_GROUP);
	f->capacity = 1u << bits;
	f->bytes = bytes;
	for (unsigned i = 0; i < 3; i++)
		f->key[i] = key->k[i] | 1;
	*out = f;
	return 0;
}

void
class_filter_destroy(struct class_filter *f)
{
	if (f)
		class_unmap(f, f->bytes);
}

/* Relaxed: a reader that sees the rule's bucket acquired the view that was published after this. */
static void
set(_Atomic uint64_t *word, uint64_t bit)
{
	if ((atomic_load_explicit(word, memory_order_relaxed) & bit) != bit)
		atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
}

void
class_filter_add(struct class_filter *f, const struct class_tuple *t, unsigned number,
    const struct mr_class_rule *rule)
{
	const uint8_t *address[2] = { rule->src, rule->dst };
	uint8_t len[2] = { t->src, t->dst };
	uint64_t bit = 1ull << number;
	bool six = rule->family == 6;
	struct class_spot spot;

	for (unsigned k = 0; k < 2; k++) {
		class_spot_of(&spot, f, address[k], six);
		if (len[k] >= CLASS_LEN_COARSE(six))
			set(&f->coarse[k][spot.coarse], bit);
		if (len[k] >= CLASS_LEN_MIDDLE(six))
			set(&f->fine[k][spot.middle], bit);
		if (len[k] >= CLASS_LEN_FINE(six))
			set(&f->fine[k][spot.fine], bit);
	}
	if (t->sport == 16)
		set(&f->sport[class_port_spot(rule->sport_lo)], bit);
	if (t->dport == 16)
		set(&f->dport[class_port_spot(rule->dport_lo)], bit);
	if (t->proto)
		set(&f->proto[rule->proto], bit);
}

void
class_filter_any(struct class_any *any, const struct class_family *family)
{
	bool six = family->number;

	*any = (struct class_any){ 0 };
	for (unsigned i = 0; i < CLASS_TABLES; i++) {
		const struct class_tuple *t = &family->table[i].tuple;
		uint8_t len[2] = { t->src, t->dst };
		uint64_t bit = 1ull << i;

		if (!family->table[i].used)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			any->coarse[k] |= len[k] < CLASS_LEN_COARSE(six) ? bit : 0;
			any->middle[k] |= len[k] < CLASS_LEN_MIDDLE(six) ? bit : 0;
			any->fine[k] |= len[k] < CLASS_LEN_FINE(six) ? bit : 0;
		}
		any->sport |= t->sport < 16 ? bit : 0;
		any->dport |= t->dport < 16 ? bit : 0;
		any->proto |= t->proto ? 0 : bit;
	}
}

/* A fresh one is due when a good part of what was entered is gone, or twice as much as it was made
 * for is there. Without memory for it the old one stays: slower, not wrong. */
bool
class_filter_step(struct mr_class *c, struct class_family *family, uint32_t steps,
    struct class_filter **old)
{
	struct class_core *core = c->core;
	unsigned wanted = family->number ? 6 : 4;

	if (!family->next) {
		if (!family->filter ||
		    (family->removed <= family->rules / 2 + family->filter->capacity / 4 &&
			family->rules <= 2 * family->filter->capacity))
			return false;
		if (class_filter_create(&family->next, family->rules + family->rules / 2, &c->key))
			return false;
		family->next_at = 0;
		family->removed = 0;
	}
	for (; steps && family->next_at < core->slot_count; steps--) {
		const struct class_slot *slot = &core->slots[family->next_at++];

		if (slot->rule.family == wanted)
			class_filter_add(family->next, &family->table[slot->table].tuple,
			    slot->table, &slot->rule);
	}
	if (family->next_at < core->slot_count)
		return false;
	*old = family->filter;
	family->filter = family->next;
	family->next = NULL;
	return true;
}

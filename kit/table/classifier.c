/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier's writer: the store of rules and how they change. */
#include "kit/table/classifier.h"

#include <errno.h>
#include <stdlib.h>

#include "kit/base/error.h"
#include "kit/table/classifier_int.h"

#define RULES_DEFAULT 1024u
#define LIST_DEFAULT 1024u
#define NO_SLOT UINT32_MAX
/* Items that one change may retire: a page, its blocks twice over. */
#define RETIRED_BY_CHANGE (4 * CLASS_PAGE_LINES)

int
class_no_memory(struct mr_error *error)
{
	return mr_error_set(error, -ENOMEM, "no memory for the classifier");
}

static struct class_core *
core_create(void)
{
	struct class_core *core = calloc(1, sizeof(*core));

	if (!core)
		return NULL;
	core->free_slot = NO_SLOT;
	core->family[0] = (struct class_family){ 0, CLASS_WORDS4, CLASS_STRIDE4, .filter = NULL };
	core->family[1] = (struct class_family){ 1, CLASS_WORDS6, CLASS_STRIDE6, .filter = NULL };
	return core;
}

/* What views may still use goes to the retired, for which room must have been reserved. */
static void
core_destroy(struct mr_class *c, struct class_core *core, bool published)
{
	if (!core)
		return;
	for (unsigned f = 0; f < 2; f++) {
		struct class_family *family = &core->family[f];

		for (unsigned i = 0; i < CLASS_TABLES; i++)
			if (family->table[i].used)
				class_table_close(c, family, &family->table[i]);
		class_filter_destroy(family->next);
		if (published)
			class_retire(c, family->filter, CLASS_FILTER);
		else
			class_filter_destroy(family->filter);
	}
	free(core->slots);
	free(core);
}

/* Pages, blocks, filters and arrays that a core may hold at most. */
static uint32_t
core_items(const struct class_core *core)
{
	uint32_t items = core->rules + 2;

	for (unsigned f = 0; f < 2; f++)
		for (unsigned i = 0; i < CLASS_TABLES; i++)
			items += core->family[f].table[i].pages + 1;
	return items;
}

int
mr_class_create(struct mr_class **out, const struct mr_class_config *config, struct mr_error *error)
{
	struct mr_class *c = calloc(1, sizeof(*c));
	struct mr_class_view *view = aligned_alloc(MR_CACHE_LINE, sizeof(*view));
	int rc = 0;

	if (!c || !view)
		goto no_memory;
	memset(view, 0, sizeof(*view));
	atomic_init(&c->view, view);
	c->core = core_create();
	if (!c->core)
		goto no_memory;
	c->rules_hint = config->rules ? config->rules : RULES_DEFAULT;
	c->pages.chunk = c->rules_hint >= 4096 ? 2u << 20 : 0;
	c->list_max = config->list_max ? config->list_max : LIST_DEFAULT;
	c->list_max = MR_MIN(c->list_max, MR_CLASS_LIST_MAX);
	if (config->seed)
		mr_hash_key_seed(&c->key, config->seed);
	else
		rc = mr_hash_key_random(&c->key, error);
	if (rc) {
		mr_class_destroy(c);
		return rc;
	}
	view->key = c->key;
	*out = c;
	return 0;

no_memory:
	if (c)
		free(c->core);
	free(c);
	free(view);
	return class_no_memory(error);
}

void
mr_class_destroy(struct mr_class *c)
{
	if (!c)
		return;
	for (unsigned f = 0; f < 2; f++)
		for (unsigned i = 0; i < CLASS_TABLES; i++)
			class_table_free(c, &c->core->family[f], &c->core->family[f].table[i]);
	core_destroy(c, c->core, false);
	mr_class_release(c->retired);
	class_pages_close(&c->pages);
	free(atomic_load_explicit(&c->view, memory_order_relaxed));
	free(c);
}

/* -- rules ------------------------------------------------------------------------------ */

static bool
prefix_clean(const uint8_t address[16], unsigned len)
{
	for (unsigned i = len / 8; i < 16; i++)
		if (address[i] & (i == len / 8 ? 0xffu >> len % 8 : 0xffu))
			return false;
	return true;
}

static const char *
rule_fault(const struct mr_class_rule *rule)
{
	unsigned most = rule->family == 6 ? 128 : 32;

	if (rule->family != 4 && rule->family != 6)
		return "its family is neither 4 nor 6";
	if (rule->src_len > most || rule->dst_len > most)
		return "a prefix is longer than an address";
	if (!prefix_clean(rule->src, rule->src_len) || !prefix_clean(rule->dst, rule->dst_len))
		return "an address has bits beyond its prefix";
	if (rule->sport_lo > rule->sport_hi || rule->dport_lo > rule->dport_hi)
		return "a port range ends before it begins";
	if ((rule->proto_mask != 0 && rule->proto_mask != 0xff) ||
	    (rule->proto & ~rule->proto_mask))
		return "its protocol is neither exact nor any";
	if (rule->extra & ~rule->extra_mask)
		return "the extra word has bits beyond its mask";
	if (rule->value == MR_CLASS_NONE)
		return "its value means no match";
	return NULL;
}

static int
slots_room(struct class_core *core, uint32_t count)
{
	uint32_t room = MR_MAX(count, core->slot_room + core->slot_room / 2);
	struct class_slot *slots;

	if (count <= core->slot_room)
		return 0;
	room = MR_MIN(MR_MAX(room, 64u), MR_CLASS_RULES_MAX);
	slots = realloc(core->slots, room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	core->slots = slots;
	core->slot_room = room;
	return 0;
}

/* The rule of slot `id` goes into a table of its family. */
static int
place(struct mr_class *c, struct class_core *core, uint32_t id, unsigned number)
{
	struct class_slot *slot = &core->slots[id];
	struct class_family *family = &core->family[slot->rule.family == 6];
	struct class_table *t = &family->table[number];
	int rc;

	if (class_table_crowd(c, family, t, &slot->rule) >= c->list_max)
		return -ENOSPC;
	rc = class_table_add(c, core, family, t, id);
	if (rc)
		return rc;
	slot->table = (uint8_t)number;
	family->rules++;
	core->rules++;
	class_filter_add(family->filter, &t->tuple, number, &slot->rule);
	if (family->next)
		class_filter_add(family->next, &t->tuple, number, &slot->rule);
	return 0;
}

static int
crowded(const struct mr_class *c, struct mr_error *error)
{
	return mr_error_set(error, -ENOSPC,
	    "%u other rules with the same leading bits overlap this one already", c->list_max);
}

int
mr_class_add(struct mr_class *c, const struct mr_class_rule *rule, uint32_t *id,
    struct mr_error *error)
{
	const char *fault = rule_fault(rule);
	struct class_core *core = c->core;
	struct class_family *family = &core->family[rule->family == 6];
	uint32_t slot = core->free_slot, after = NO_SLOT;
	int rc, number;

	if (fault)
		return mr_error_set(error, -EINVAL, "%s", fault);
	if (core->rules == MR_CLASS_RULES_MAX)
		return mr_error_set(error, -ENOSPC, "%u rules are the most", MR_CLASS_RULES_MAX);
	if (class_retire_reserve(c, RETIRED_BY_CHANGE) || slots_room(core, core->slot_count + 1))
		return class_no_memory(error);
	if (!family->filter && class_filter_create(&family->filter, c->rules_hint, &c->key))
		return class_no_memory(error);
	number = class_choose(c, family, rule);
	if (number < 0)
		return class_no_memory(error);
	if (slot == NO_SLOT)
		slot = core->slot_count;
	else
		after = core->slots[slot].next_free;
	core->slots[slot].rule = *rule;
	rc = place(c, core, slot, (unsigned)number);
	if (rc) {
		core->slots[slot].rule.family = 0;
		return rc == -ENOSPC ? crowded(c, error) : class_no_memory(error);
	}
	if (slot == core->slot_count)
		core->slot_count++;
	else
		core->free_slot = after;
	c->changed = true;
	*id = slot;
	return 0;
}

const struct mr_class_rule *
mr_class_get(const struct mr_class *c, uint32_t id)
{
	return id < c->core->slot_count && c->core->slots[id].rule.family ? &c->core->slots[id].rule
									  : NULL;
}

int
mr_class_remove(struct mr_class *c, uint32_t id, struct mr_error *error)
{
	const struct mr_class_rule *rule = mr_class_get(c, id);
	struct class_core *core = c->core;
	struct class_family *family;
	struct class_table *t;

	if (!rule)
		return mr_error_set(error, -ENOENT, "there is no rule %u", id);
	family = &core->family[rule->family == 6];
	t = &family->table[core->slots[id].table];
	if (class_retire_reserve(c, RETIRED_BY_CHANGE + t->pages) ||
	    class_table_remove(c, family, t, rule, id))
		return class_no_memory(error);
	if (!t->rules)
		class_table_close(c, family, t);
	core->slots[id].rule.family = 0;
	core->slots[id].next_free = core->free_slot;
	core->free_slot = id;
	core->rules--;
	family->rules--;
	family->removed++;
	c->changed = true;
	return 0;
}

/* -- all at once -------------------------------------------------------------------------- */

struct sort_item {
	uint64_t rank;
	uint32_t id;
};

static int
by_rank(const void *a, const void *b)
{
	const struct sort_item *x = a, *y = b;

	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* The ids of one family's rules, best first. */
static uint32_t
sorted(uint32_t *order, struct sort_item *items, const struct mr_class_rule *rules, uint32_t count,
    unsigned family)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (rules[i].family == family)
			items[n++] = (struct sort_item){ (uint64_t)rules[i].priority << 32 | i, i };
	qsort(items, n, sizeof(*items), by_rank);
	for (uint32_t i = 0; i < n; i++)
		order[i] = items[i].id;
	return n;
}

static int
build_family(struct mr_class *c, struct class_core *core, unsigned f,
    const struct mr_class_rule *rules, const uint32_t *order, uint8_t *home, uint32_t count)
{
	struct class_family *family = &core->family[f];
	struct class_tuple tuples[CLASS_TABLES];
	uint32_t in[CLASS_TABLES] = { 0 };
	int n, rc;

	if (!count)
		return 0;
	rc = class_filter_create(&family->filter, MR_MAX(count, c->rules_hint), &c->key);
	if (rc)
		return rc;
	n = class_plan(tuples, home, rules, order, count, &c->key);
	if (n < 0)
		return n;
	for (uint32_t i = 0; i < count; i++)
		in[home[i]]++;
	for (int i = 0; i < n && !rc; i++)
		rc = class_table_open(c, family, &family->table[i], &tuples[i],
		    (in[i] + CLASS_PAGE_RULES - 1) / CLASS_PAGE_RULES);
	for (uint32_t i = 0; i < count && !rc; i++)
		rc = place(c, core, order[i], home[i]);
	return rc;
}

static int
build(struct mr_class *c, struct class_core *core, const struct mr_class_rule *rules,
    uint32_t count)
{
	struct sort_item *items = malloc((count + 1ul) * sizeof(*items));
	uint32_t *order = malloc((count + 1ul) * sizeof(*order)), n;
	uint8_t *home = malloc(count + 1ul);
	int rc = -ENOMEM;

	if (!items || !order || !home || slots_room(core, count))
		goto out;
	for (uint32_t i = 0; i < count; i++)
		core->slots[i] = (struct class_slot){ .rule = rules[i] };
	core->slot_count = count;
	rc = 0;
	for (unsigned f = 0; f < 2 && !rc; f++) {
		n = sorted(order, items, rules, count, f ? 6 : 4);
		rc = build_family(c, core, f, rules, order, home, n);
	}
out:
	free(items);
	free(order);
	free(home);
	return rc;
}

int
mr_class_replace_all(struct mr_class *c, const struct mr_class_rule *rules, uint32_t count,
    struct mr_error *error)
{
	struct class_core *core;
	int rc;

	if (count > MR_CLASS_RULES_MAX)
		return mr_error_set(error, -ENOSPC, "%u rules are the most", MR_CLASS_RULES_MAX);
	for (uint32_t i = 0; i < count; i++)
		if (rule_fault(&rules[i]))
			return mr_error_set(error, -EINVAL, "rule %u: %s", i,
			    rule_fault(&rules[i]));
	core = core_create();
	if (!core || class_retire_reserve(c, core_items(c->core)))
		rc = -ENOMEM;
	else
		rc = build(c, core, rules, count);
	if (rc) {
		core_destroy(c, core, false);
		return rc == -ENOSPC ? crowded(c, error) : class_no_memory(error);
	}
	core_destroy(c, c->core, true);
	c->core = core;
	c->changed = true;
	return 0;
}

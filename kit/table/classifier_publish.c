/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier's views: what look-ups see of the writer's tables. */
#include "kit/table/classifier_int.h"

#include <errno.h>
#include <stdlib.h>

/* Rules that a publish moves to a fresh filter. */
#define FILTER_STEPS 1024u

/* Copies of the arrays of pages that changed; without memory, those made so far wait for the next
 * try. */
static int
publish_pages(struct mr_class *c, struct class_family *family)
{
	for (unsigned i = 0; i < CLASS_TABLES; i++) {
		struct class_table *t = &family->table[i];
		uint8_t **copy;

		if (!t->used || !t->changed)
			continue;
		copy = malloc(t->pages * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, t->page, t->pages * sizeof(*copy));
		class_retire(c, t->published, CLASS_HEAP);
		t->published = copy;
		t->changed = false;
	}
	return 0;
}

static void
view_family(struct class_family_view *view, const struct class_family *family)
{
	uint64_t bound = UINT64_MAX;

	view->filter = family->filter;
	class_filter_any(&view->any, family);
	for (unsigned i = CLASS_TABLES; i-- > 0;) {
		const struct class_table *t = &family->table[i];
		struct class_probe *p = &view->table[i];

		if (t->used) {
			class_probe_fill(p, &t->tuple, family->number);
			p->pages = (const uint8_t *const *)t->published;
			p->page_count = t->pages;
			p->page_mask = t->pages > 1 ? UINT32_MAX >> __builtin_clz(t->pages - 1) : 0;
			view->live |= t->rules ? 1ull << i : 0;
			bound = MR_MIN(bound, t->rank);
		}
		view->bound[i] = bound;
	}
}

/* Anew where the number of rules has doubled or halved. */
static void
decide_fine(struct class_family_view *view, struct class_core *core, unsigned f)
{
	struct class_family *family = &core->family[f];

	if (family->rules > 2 * family->sampled || family->rules < family->sampled / 2) {
		family->fine = class_filter_fine(view, core, f);
		family->sampled = family->rules;
	}
	view->fine = family->fine;
}

int
mr_class_publish(struct mr_class *c, struct mr_class_retired **old, struct mr_error *error)
{
	struct mr_class_view *view, *before;

	*old = NULL;
	if (!c->changed)
		return 0;
	view = aligned_alloc(MR_CACHE_LINE, sizeof(*view));
	if (!view || class_retire_reserve(c, 2 * CLASS_TABLES + 3))
		goto no_memory;
	for (unsigned f = 0; f < 2; f++)
		if (publish_pages(c, &c->core->family[f]))
			goto no_memory;
	memset(view, 0, sizeof(*view));
	before = atomic_load_explicit(&c->view, memory_order_relaxed);
	view->key = c->key;
	view->generation = before->generation + 1;
	for (unsigned f = 0; f < 2; f++) {
		struct class_filter *filter = NULL;

		if (class_filter_step(c, &c->core->family[f], FILTER_STEPS, &filter))
			class_retire(c, filter, CLASS_FILTER);
		view_family(&view->family[f], &c->core->family[f]);
		decide_fine(&view->family[f], c->core, f);
	}
	/* Release: pairs with mr_class_view. */
	atomic_store_explicit(&c->view, view, memory_order_release);
	class_retire(c, before, CLASS_HEAP);
	c->epoch++;
	c->changed = false;
	*old = c->retired;
	c->retired = NULL;
	return 0;

no_memory:
	free(view);
	return class_no_memory(error);
}

const struct mr_class_view *
mr_class_view(const struct mr_class *c)
{
	/* Acquire: pairs with mr_class_publish. */
	return atomic_load_explicit(&c->view, memory_order_acquire);
}

uint64_t
mr_class_generation(const struct mr_class_view *view)
{
	return view->generation;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/classifier_int.h"

static uint32_t
table_stats(const struct class_family *family, const struct class_table *t, uint64_t *bytes)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < t->pages; i++)
		for (uint32_t k = 0; k < CLASS_PAGE_LINES; k++) {
			const struct class_line *line =
			    (const struct class_line *)(t->page[i] + (size_t)k * family->stride);

			if (line->rank == UINT64_MAX)
				continue;
			longest = MR_MAX(longest, 1u + line->more_count);
		}
	*bytes += t->room * (sizeof(t->page[0]) + sizeof(t->born[0]));
	*bytes += t->published ? t->pages * sizeof(t->page[0]) : 0;
	return longest;
}

void
mr_class_stats(const struct mr_class *c, struct mr_class_stats *stats)
{
	const struct class_core *core = c->core;

	*stats = (struct mr_class_stats){ .rules = core->rules, .bytes_tables = c->pages.bytes };
	for (unsigned f = 0; f < 2; f++) {
		const struct class_family *family = &core->family[f];
		uint32_t worst = 0;

		for (unsigned i = 0; i < CLASS_TABLES; i++) {
			uint32_t longest;

			if (!family->table[i].used)
				continue;
			stats->tables[f]++;
			longest = table_stats(family, &family->table[i], &stats->bytes_tables);
			stats->longest = MR_MAX(stats->longest, longest);
			worst += longest;
		}
		stats->worst = MR_MAX(stats->worst, worst);
		stats->bytes_filters += family->filter ? family->filter->bytes : 0;
		stats->bytes_filters += family->next ? family->next->bytes : 0;
	}
	stats->bytes_store = (uint64_t)core->slot_room * sizeof(core->slots[0]);
	stats->bytes = sizeof(*c) + sizeof(*core) + sizeof(struct mr_class_view) +
	    stats->bytes_tables + stats->bytes_filters + stats->bytes_store;
}

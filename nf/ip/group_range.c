/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/ip/group_int.h"

#define UNIT (1u << RANGE_ORDER_MIN)

int
ranges_create(struct ranges *r, uint32_t buckets, struct mr_error *error)
{
	memset(r, 0, sizeof(*r));
	r->limit = buckets / UNIT;
	r->state = calloc(r->limit, sizeof(*r->state));
	r->next = calloc(r->limit, sizeof(*r->next));
	r->previous = calloc(r->limit, sizeof(*r->previous));
	if (r->state && r->next && r->previous)
		return 0;
	ranges_destroy(r);
	return mr_error_set(error, -ENOMEM, "no memory for groups of next hops");
}

void
ranges_destroy(struct ranges *r)
{
	free(r->state);
	free(r->next);
	free(r->previous);
	memset(r, 0, sizeof(*r));
}

static void
list_add(struct ranges *r, unsigned order, uint32_t at)
{
	uint32_t *first = &r->first[order - RANGE_ORDER_MIN];

	r->state[at] = (uint8_t)(order + 1);
	r->previous[at] = 0;
	r->next[at] = *first;
	if (*first)
		r->previous[*first - 1] = at + 1;
	*first = at + 1;
}

static void
list_remove(struct ranges *r, unsigned order, uint32_t at)
{
	if (r->previous[at])
		r->next[r->previous[at] - 1] = r->next[at];
	else
		r->first[order - RANGE_ORDER_MIN] = r->next[at];
	if (r->next[at])
		r->previous[r->next[at] - 1] = r->previous[at];
	r->state[at] = 0;
}

int
ranges_get(struct ranges *r, unsigned order, uint32_t *base)
{
	unsigned from = order;
	uint32_t at;

	while (from <= RANGE_ORDER_MAX && !r->first[from - RANGE_ORDER_MIN])
		from++;
	if (from <= RANGE_ORDER_MAX) {
		at = r->first[from - RANGE_ORDER_MIN] - 1;
		list_remove(r, from, at);
	} else {
		from = RANGE_ORDER_MAX;
		at = r->end;
		if (at + (1u << from) / UNIT > r->limit)
			return -ENOSPC;
		r->end += (1u << from) / UNIT;
	}
	while (from > order) {
		from--;
		list_add(r, from, at + (1u << from) / UNIT);
	}
	*base = at * UNIT;
	return 0;
}

void
ranges_put(struct ranges *r, unsigned order, uint32_t base)
{
	uint32_t at = base / UNIT;

	for (; order < RANGE_ORDER_MAX; order++) {
		uint32_t size = (1u << order) / UNIT, buddy = at ^ size;

		if (r->state[buddy] != order + 1)
			break;
		list_remove(r, order, buddy);
		at &= ~size;
	}
	list_add(r, order, at);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priorities of a list's lines. They are drawn with room between them, so that a new line fits
 * between two old ones without moving any; where the room is used up, neighbours move, as many as it
 * takes to have some again, which is seldom (a line's change costs a number of moves that grows with
 * the logarithm of the lines).
 */
#include <errno.h>
#include <stdlib.h>

#include "nf/acl/list.h"

#define FIRST (1u << 30)
#define STEP 2048u
/* Room to leave at least where lines are moved. */
#define ROOM 16u

/* The longest run of lines that are in their old order: of all that end with a place, the one with
 * the smallest old place last is remembered for each length. */
static int
keep_longest(struct acl_place *p, uint32_t count)
{
	uint32_t *tail = malloc((count + 1) * sizeof(*tail)), *before, length = 0, at;

	before = malloc((count + 1) * sizeof(*before));
	if (!tail || !before) {
		free(tail);
		free(before);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t low = 0, high = length;

		p[i].keep = false;
		if (p[i].old == ACL_NEW)
			continue;
		while (low < high) {
			uint32_t middle = (low + high) / 2;

			if (p[tail[middle]].old < p[i].old)
				low = middle + 1;
			else
				high = middle;
		}
		before[i] = low ? tail[low - 1] : ACL_NEW;
		tail[low] = i;
		length = MR_MAX(length, low + 1);
	}
	for (at = length ? tail[length - 1] : ACL_NEW; at != ACL_NEW; at = before[at])
		p[at].keep = true;
	free(tail);
	free(before);
	return 0;
}

/* Gives the lines [from, to) priorities between `low` and `high`, which are taken. */
static bool
spread(struct acl_place *p, uint32_t from, uint32_t to, uint32_t count, uint32_t least)
{
	uint64_t lines = to - from;
	uint64_t low = from ? p[from - 1].priority : 0;
	uint64_t high = to < count ? p[to].priority : UINT32_MAX;
	uint64_t step = (high - low) / (lines + 1), at;

	if (step < least)
		return false;
	if (from && to < count) {
		at = low + step;
	} else {
		/* At an end there is much room: the next ones there shall have some too. */
		step = MR_MIN(step, (uint64_t)STEP);
		at = from ? low + step : to < count ? high - lines * step : FIRST;
		if (!from && to == count && at + lines * step >= UINT32_MAX)
			at = step;
	}
	for (uint32_t i = from; i < to; i++, at += step)
		p[i].priority = (uint32_t)at;
	return true;
}

int
acl_plan(struct acl_place *p, uint32_t count)
{
	int ret = keep_longest(p, count);

	for (uint32_t from = 0; from < count && !ret;) {
		uint32_t to = from, left, right, more = 1, least = 1;

		if (p[from].keep) {
			from++;
			continue;
		}
		while (to < count && !p[to].keep)
			to++;
		left = from;
		right = to;
		while (!spread(p, left, right, count, least)) {
			if (!left && right == count)
				return -EOVERFLOW;
			/* What is left of here is settled, what is right of it may have to move too. */
			for (uint32_t i = 0; i < more && left > 0; i++)
				p[--left].keep = false;
			for (uint32_t i = 0; i < more && right < count; i++)
				p[right++].keep = false;
			while (right < count && !p[right].keep)
				right++;
			more *= 2;
			least = left || right < count ? ROOM : 1;
		}
		from = right;
	}
	return ret;
}

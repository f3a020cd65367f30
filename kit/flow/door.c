/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: lines of 16 places. A place holds 24 bits of a hash and the second in which its owner
 * came. A newcomer takes the place of who came in the earliest second; among several it is drawn by lot,
 * since in a fixed order more than 16 that take turns would all lose their places just before they
 * come again. Who was let in is made as old as one may be: he needs his place no more, but for
 * other packets that are on their way with the one.
 */
#include <errno.h>
#include <stdlib.h>

#include "kit/base/memory.h"
#include "kit/flow/table.h"

#define WAYS 16u
#define LINES_MIN 512u

/* Ages are compared in seconds that have 8 bits; that of a free place is the last one. */
#define AGE_FREE 255u

struct line {
	MR_CACHE_ALIGNED uint32_t place[WAYS];
};

/* Of a hash, the lower half names the line and bits 40 to 63 are kept. */
struct mr_flow_door {
	struct line *lines;
	uint32_t count;
	uint32_t lot;
};

int
mr_flow_door_create(struct mr_flow_door **out, uint32_t flows, struct mr_error *error)
{
	struct mr_flow_door *door = calloc(1, sizeof(*door));
	void *memory = NULL;
	int rc = door ? 0 : mr_error_set(error, -ENOMEM, "flow lane's door: no memory");

	/* Two and a half places for each: of as many as it is made for, one in 10,000 finds none. */
	if (door) {
		door->count = MR_MAX((uint32_t)((uint64_t)flows * 5 / 2 / WAYS), LINES_MIN);
		rc = mr_memory_reserve(&memory, door->count * sizeof(*door->lines), -1,
		    "flow lane's door", error);
		door->lines = memory;
	}
	if (rc) {
		mr_flow_door_destroy(door);
		return rc;
	}
	*out = door;
	return 0;
}

void
mr_flow_door_destroy(struct mr_flow_door *door)
{
	if (!door)
		return;
	if (door->lines)
		mr_memory_release(door->lines, door->count * sizeof(*door->lines));
	free(door);
}

mr_inline struct line *
line_of(const struct mr_flow_door *door, uint64_t hash)
{
	return &door->lines[(uint64_t)(uint32_t)hash * door->count >> 32];
}

mr_inline uint32_t
place_of(uint64_t hash, uint32_t seconds)
{
	return (uint32_t)(hash >> 40) << 8 | (seconds & 0xff);
}

/* Whose place it is: a bit for each that is. All 16 are looked at, without a branch. */
mr_inline uint32_t
owned(const struct line *line, uint32_t now)
{
	uint32_t m = 0;

	for (unsigned i = 0; i < WAYS; i++)
		m |= (uint32_t)(line->place[i] && (line->place[i] ^ now) < 1u << 8) << i;
	return m;
}

static void
take(struct mr_flow_door *door, struct line *line, uint32_t now)
{
	uint32_t most = 0, lot;

	/* The upper bits of Knuth's generator are spread. */
	door->lot = door->lot * 1664525u + 1013904223u;
	lot = door->lot >> 28;

	for (unsigned i = 0; i < WAYS; i++) {
		uint32_t age = line->place[i] ? (now - line->place[i]) & 0xff : AGE_FREE;
		uint32_t rank = age << 4 | ((i + lot) & (WAYS - 1));

		most = MR_MAX(most, rank);
	}
	line->place[(most - lot) & (WAYS - 1)] = now;
}

void
mr_flow_door_prefetch(const struct mr_flow_door *door, uint64_t hash)
{
	mr_prefetch_write(line_of(door, hash));
}

bool
mr_flow_door_knock(struct mr_flow_door *door, uint64_t hash, uint32_t seconds)
{
	struct line *line = line_of(door, hash);
	uint32_t now = place_of(hash, seconds), mine = owned(line, now), *place;
	bool lately;

	if (!mine) {
		take(door, line, now);
		return false;
	}
	place = &line->place[(unsigned)__builtin_ctz(mine)];
	lately = (uint8_t)(now - *place) <= MR_FLOW_DOOR_SECONDS;
	*place = lately ? place_of(hash, seconds - MR_FLOW_DOOR_SECONDS) : now;
	return lately;
}

void
mr_flow_door_expect(struct mr_flow_door *door, uint64_t hash, uint32_t seconds)
{
	struct line *line = line_of(door, hash);
	uint32_t now = place_of(hash, seconds), mine = owned(line, now);

	if (mine)
		line->place[(unsigned)__builtin_ctz(mine)] = now;
	else
		take(door, line, now);
}

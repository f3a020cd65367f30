/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: lines of 16 places. A place holds 23 bits of a hash and the second in which its owner
 * came. A newcomer takes the place of who came in the earliest second; among several it is drawn by lot,
 * since in a fixed order more than 16 that take turns would all lose their places just before they
 * come again. Who was let in is made as old as one may be: he needs his place no more, but for
 * other packets that are on their way with the one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/memory.h"
#include "kit/flow/table.h"

#define WAYS 16u
#define LINES_MIN 512u

/* Ages are compared in seconds that have 8 bits; that of a free place is the last one. */
#define AGE_FREE 255

/* Four places at a time: compilers make no vectors of these loops by themselves. */
typedef int32_t quad __attribute__((vector_size(16), may_alias));
#define QUADS (WAYS / 4)

struct line {
	MR_CACHE_ALIGNED quad quad[QUADS];
};
static_assert(sizeof(struct line) == MR_CACHE_LINE, "a line of places is one of the cache");

/* Of a hash, the lower half names the line and bits 41 to 63 are kept. */
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

/* Never 0, which is a free place. */
mr_inline uint32_t
place_of(uint64_t hash, uint32_t seconds)
{
	return (uint32_t)(hash >> 40 | 1) << 8 | (seconds & 0xff);
}

mr_inline uint32_t *
place_at(struct line *line, uint32_t number)
{
	return (uint32_t *)(void *)line + number % WAYS;
}

mr_inline quad
all(uint32_t value)
{
	return (quad){ (int32_t)value, (int32_t)value, (int32_t)value, (int32_t)value };
}

/* The difference wraps. */
mr_inline quad
less(quad a, quad b)
{
	typedef uint32_t lanes __attribute__((vector_size(16)));

	return (quad)((lanes)a - (lanes)b);
}

mr_inline quad
numbers(unsigned q)
{
	return (quad){ 0, 1, 2, 3 } + (int32_t)(4 * q);
}

/* The place that is this one's; null: none. No two are. */
mr_inline uint32_t *
owned(struct line *line, uint32_t now)
{
	quad found = { 0 };
	uint64_t half[2];

	for (unsigned q = 0; q < QUADS; q++)
		found |= (((line->quad[q] ^ all(now)) & ~0xff) == 0) & (numbers(q) + 1);
	memcpy(half, &found, sizeof(half));
	half[0] |= half[1];
	half[0] |= half[0] >> 32;
	return (uint32_t)half[0] ? place_at(line, (uint32_t)half[0] - 1) : NULL;
}

static void
take(struct mr_flow_door *door, struct line *line, uint32_t now)
{
	quad most = { 0 };
	uint32_t lot;
	int32_t of[4];

	/* The upper bits of Knuth's generator are spread. */
	door->lot = door->lot * 1664525u + 1013904223u;
	lot = door->lot >> 28;
	/* By age, then by the place's number, counted from where the lot fell. */
	for (unsigned q = 0; q < QUADS; q++) {
		quad age = less(all(now), line->quad[q]) & 0xff, rank, more;

		age |= (line->quad[q] == 0) & AGE_FREE;
		rank = age << 4 | ((numbers(q) + (int32_t)lot) & (int32_t)(WAYS - 1));
		more = rank > most;
		most = (rank & more) | (most & ~more);
	}
	memcpy(of, &most, sizeof(of));
	of[0] = MR_MAX(MR_MAX(of[0], of[1]), MR_MAX(of[2], of[3]));
	*place_at(line, (uint32_t)of[0] - lot) = now;
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
	uint32_t now = place_of(hash, seconds), *place = owned(line, now);
	bool lately;

	if (!place) {
		take(door, line, now);
		return false;
	}
	lately = (uint8_t)(now - *place) <= MR_FLOW_DOOR_SECONDS;
	*place = lately ? place_of(hash, seconds - MR_FLOW_DOOR_SECONDS) : now;
	return lately;
}

void
mr_flow_door_expect(struct mr_flow_door *door, uint64_t hash, uint32_t seconds)
{
	struct line *line = line_of(door, hash);
	uint32_t now = place_of(hash, seconds), *place = owned(line, now);

	if (place)
		*place = now;
	else
		take(door, line, now);
}

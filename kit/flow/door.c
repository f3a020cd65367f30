/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "kit/base/memory.h"
#include "kit/flow/table.h"

#define SETS_MIN (1u << 13)
#define SETS_MAX (1u << 22)
#define WAYS 4u

/* Of a hash: 22 bits in the middle name the set, the 24 from bit 40 on are kept with the second's
 * last 8. */
struct mr_flow_door {
	uint32_t (*set)[WAYS];
	uint32_t mask;
};

int
mr_flow_door_create(struct mr_flow_door **out, uint32_t flows, struct mr_error *error)
{
	struct mr_flow_door *door = calloc(1, sizeof(*door));
	uint32_t sets = SETS_MIN;
	void *memory = NULL;
	int rc = door ? 0 : mr_error_set(error, -ENOMEM, "flow lane's door: no memory");

	/* Twice as many places as flows: those that take turns seldom push each other out. */
	while (sets < SETS_MAX && sets * WAYS / 2 < flows)
		sets *= 2;
	if (door) {
		door->mask = sets - 1;
		rc = mr_memory_reserve(&memory, sets * sizeof(*door->set), -1, "flow lane's door",
		    error);
		door->set = memory;
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
	mr_memory_release(door->set, (door->mask + 1u) * sizeof(*door->set));
	free(door);
}

void
mr_flow_door_prefetch(const struct mr_flow_door *door, uint64_t hash)
{
	mr_prefetch_write(door->set[(hash >> 18) & door->mask]);
}

bool
mr_flow_door_knock(struct mr_flow_door *door, uint64_t hash, uint32_t seconds)
{
	uint32_t *set = door->set[(hash >> 18) & door->mask];
	uint32_t now = (uint32_t)(hash >> 40) << 8 | (seconds & 0xff), oldest = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i] && (set[i] ^ now) >> 8 == 0) {
			bool lately = (uint8_t)(now - set[i]) <= MR_FLOW_DOOR_SECONDS;

			set[i] = now;
			return lately;
		}
		if (!set[i]) {
			set[i] = now;
			return false;
		}
		if ((uint8_t)(now - set[i]) > (uint8_t)(now - set[oldest]))
			oldest = i;
	}
	set[oldest] = now;
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "kit/flow/table.h"

#define PLACES 32768u

/* Of a hash: the middle names the place, 24 bits above are kept with the second's last 8. */
struct mr_flow_door {
	MR_CACHE_ALIGNED uint32_t place[PLACES];
};
static_assert(sizeof(struct mr_flow_door) == 128u << 10, "128 KiB");

int
mr_flow_door_create(struct mr_flow_door **out, struct mr_error *error)
{
	*out = aligned_alloc(MR_CACHE_LINE, sizeof(**out));
	if (!*out)
		return mr_error_set(error, -ENOMEM, "flow lane's door: no memory");
	memset(*out, 0, sizeof(**out));
	return 0;
}

void
mr_flow_door_destroy(struct mr_flow_door *door)
{
	free(door);
}

bool
mr_flow_door_knock(struct mr_flow_door *door, uint64_t hash, uint32_t seconds)
{
	uint32_t *place = &door->place[(hash >> 20) % PLACES], old = *place;
	uint32_t now = (uint32_t)(hash >> 40) << 8 | (seconds & 0xff);

	*place = now;
	return (old >> 8) == (now >> 8) && (uint8_t)(now - old) <= MR_FLOW_DOOR_SECONDS;
}

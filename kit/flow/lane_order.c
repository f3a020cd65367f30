/* SPDX-License-Identifier: Apache-2.0 */

/* Flows stay in order: who must not overtake a packet that walks the graph. */

#include "kit/flow/lane_work_int.h"
#include "kit/packet/buffers.h"
#include "kit/packet/wire.h"

#define ETH ((unsigned)sizeof(struct mr_eth))
#define VLAN ((unsigned)sizeof(struct mr_vlan))

/* Of a packet that has no key; false: it is of no flow. */
static bool
walker_of(const struct work *w, unsigned at, uint64_t *out)
{
	uint8_t bytes[ETH + VLAN + sizeof(struct mr_ip6)], src[16] = { 0 }, dst[16] = { 0 };
	/* Also across segments. */
	unsigned len = mr_packet_read(w->run->buffers, w->packets[at], 0, bytes, sizeof(bytes));
	unsigned l3 = ETH, type;
	const uint8_t *ip;

	if (len < ETH + VLAN)
		return false;
	type = mr_load_be16(bytes + 12);
	if (type == MR_ETH_TYPE_VLAN) {
		l3 += VLAN;
		type = mr_load_be16(bytes + l3 - 2);
	}
	ip = bytes + l3;
	if (type == MR_ETH_TYPE_IP4 && len >= l3 + sizeof(struct mr_ip4)) {
		memcpy(src, ip + 12, 4);
		memcpy(dst, ip + 16, 4);
	} else if (type == MR_ETH_TYPE_IP6 && len >= l3 + sizeof(struct mr_ip6)) {
		memcpy(src, ip + 8, 16);
		memcpy(dst, ip + 24, 16);
	} else {
		return false;
	}
	*out = walker(src, dst);
	return true;
}

void
lane_keep_order(struct work *w, const uint16_t *rest, unsigned rest_count)
{
	const struct mr_flow_batch *b = &w->l->batch;
	unsigned kept = 0;
	uint64_t hash;

	memset(&w->walkers, 0, sizeof(w->walkers));
	for (unsigned i = 0; i < rest_count; i++)
		if (walker_of(w, rest[i], &hash))
			walkers_add(&w->walkers, hash);
	for (unsigned i = 0; i < w->unfit_count; i++) {
		const struct mr_flow_key *key = &b->key[w->unfit[i]];

		walkers_add(&w->walkers, walker(key->src, key->dst));
	}
	for (unsigned h = 0; h < w->hit_count; h++) {
		if (must_walk(w, &b->key[w->hits[h].key]))
			w->count[MR_LANE_COUNT_ORDER]++;
		else
			w->hits[kept++] = w->hits[h];
	}
	w->hit_count = kept;
}

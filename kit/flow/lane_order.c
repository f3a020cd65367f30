/* SPDX-License-Identifier: Apache-2.0 */

/* Flows stay in order: who must not overtake a packet that walks the graph. */

#include "kit/base/rcu.h"
#include "kit/flow/inside.h"
#include "kit/flow/lane_work_int.h"
#include "kit/packet/buffers.h"
#include "kit/packet/wire.h"
#include "kit/packet/wire_tunnel.h"

#define ETH ((unsigned)sizeof(struct mr_eth))
#define VLAN ((unsigned)sizeof(struct mr_vlan))
#define UDP ((unsigned)sizeof(struct mr_udp))
#define SHIM ((unsigned)sizeof(struct mr_vxlan))

/* Those that the IP header in the frame at `at` names, and where behind it layer 4 is; 0: there is none. */
static unsigned
add_ends(struct walkers *set, const uint8_t *bytes, unsigned len, unsigned at)
{
	uint8_t src[16] = { 0 }, dst[16] = { 0 };
	unsigned l3 = at + ETH, type;
	const uint8_t *ip;

	if (len < l3 + VLAN)
		return 0;
	type = mr_load_be16(bytes + l3 - 2);
	if (type == MR_ETH_TYPE_VLAN) {
		l3 += VLAN;
		type = mr_load_be16(bytes + l3 - 2);
	}
	ip = bytes + l3;
	if (type == MR_ETH_TYPE_IP4 && len >= l3 + sizeof(struct mr_ip4)) {
		memcpy(src, ip + 12, 4);
		memcpy(dst, ip + 16, 4);
		l3 += (ip[0] & 15u) * 4;
	} else if (type == MR_ETH_TYPE_IP6 && len >= l3 + sizeof(struct mr_ip6)) {
		memcpy(src, ip + 8, 16);
		memcpy(dst, ip + 24, 16);
		l3 += (unsigned)sizeof(struct mr_ip6);
	} else {
		return 0;
	}
	walkers_add(set, walker(src, dst));
	return l3;
}

/* Of a packet that has no key: its ends, and those of a packet that a tunnel's remote end may have put into
 * it, as the keys of these name them. */
static void
add_walker(struct work *w, unsigned at, uint64_t ports)
{
	uint8_t bytes[2 * (ETH + VLAN + sizeof(struct mr_ip6)) + UDP + SHIM];
	/* Also across segments. */
	unsigned len = mr_packet_read(w->run->buffers, w->packets[at], 0, bytes, sizeof(bytes));
	unsigned l4 = add_ends(&w->walkers, bytes, len, 0);

	if (mr_unlikely(ports) && l4 && len >= l4 + UDP + SHIM &&
	    (ports >> (mr_load_be16(bytes + l4 + 2) % 64) & 1))
		(void)add_ends(&w->walkers, bytes, len, l4 + UDP + SHIM);
}

void
lane_keep_order(struct work *w, const uint16_t *rest, unsigned rest_count)
{
	const struct mr_lane_port *port = w->run->self;
	const struct mr_flow_inside *inside =
	    port->view.inside && !port->view.bridged ? mr_rcu_read(port->view.inside) : NULL;
	const struct mr_flow_batch *b = &w->l->batch;
	uint64_t ports = inside ? mr_flow_inside_ports(inside) : 0;
	unsigned kept = 0;

	memset(&w->walkers, 0, sizeof(w->walkers));
	for (unsigned i = 0; i < rest_count; i++)
		add_walker(w, rest[i], ports);
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

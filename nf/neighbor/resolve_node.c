/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbor-resolve: packets whose next hop has no Ethernet address yet go to the control
 * thread, which lets them wait; so many of them as the limits let through.
 *
 * A packet to a next hop of a route is limited by that next hop alone, one to a connected subnet by
 * its destination and then by the interface: a scan of the subnet costs the others of that
 * subnet their share, and nobody else.
 *
 * neighbor-output: what the control thread sends.
 */
#include "nf/ip/adjacency.h"
#include "nf/neighbor/nodes_int.h"

static unsigned
destination(const struct mr_packet *p, unsigned l3, bool ip6, uint64_t words[2])
{
	unsigned at = l3 + (ip6 ? 24u : 16u), size = ip6 ? 16 : 4;

	words[0] = words[1] = 0;
	if (p->len < at + size)
		return 0;
	memcpy(words, mr_packet_bytes_const(p) + at, size);
	return size;
}

/* The drop reason of the limit that it is above, or -1. */
static int
over_limit(struct mr_node_run *run, struct mr_recorder *rec, struct mr_packet *p, uint32_t index,
    uint64_t control)
{
	struct neighbor_nodes *n = run->self;
	unsigned interface = MR_ADJACENCY_INTERFACE(control) % MR_IP_INTERFACES_MAX;
	unsigned flags = MR_ADJACENCY_FLAGS(control);
	bool glean = flags & MR_ADJACENCY_GLEAN, dry = mr_record_is_dry(rec);
	enum neighbor_class class = glean ? NEIGHBOR_CLASS_GLEAN : NEIGHBOR_CLASS_HOP;
	struct mr_meter_table *hops = n->destinations;
	uint64_t key[2] = { index, 0 };
	_Atomic uint64_t *word;

	if (glean) {
		destination(p, mr_ip_meta(p)->l3, flags & MR_ADJACENCY_IP6, key);
		key[1] ^= (uint64_t)interface << 32;
	}
	word = mr_meter_table_word(hops, key[0], key[1]);
	if (dry ? !mr_meter_word_ready(word, &hops->rate, run->now)
		: !mr_meter_word_take(word, &hops->rate, run->now, 1))
		return NEIGHBOR_RESOLVE_DROP_HOP_LIMIT;
	if (glean && !neighbor_token(rec, &n->limits[interface].class[class], run -> now))
		return NEIGHBOR_RESOLVE_DROP_INTERFACE_LIMIT;
	if (!neighbor_token(rec, &n->overall.class[class], run -> now))
		return NEIGHBOR_RESOLVE_DROP_OVERALL_LIMIT;
	return -1;
}

static mr_verdict_t
resolve_one(struct mr_node_run *run, struct mr_recorder *rec, struct mr_packet *p)
{
	struct neighbor_nodes *n = run->self;
	uint32_t index = mr_ip_meta(p)->adjacency;
	unsigned interface;
	uint64_t control;
	int drop;

	if (index >= MR_IP_ADJACENCIES_MAX)
		return mr_verdict_drop(NEIGHBOR_RESOLVE_DROP_ADJACENCY);
	/* Acquire pairs with the release of whoever published the adjacency. */
	control = atomic_load_explicit(&n->ip->adjacencies[index].control, memory_order_acquire);
	interface = MR_ADJACENCY_INTERFACE(control) % MR_IP_INTERFACES_MAX;
	if (!interface)
		return mr_verdict_drop(NEIGHBOR_RESOLVE_DROP_ADJACENCY);
	mr_record_note(rec, p, "waits for the Ethernet address of adjacency", index);
	mr_record_uncacheable(rec, p, "its next hop is not resolved");
	drop = over_limit(run, rec, p, index, control);
	if (drop >= 0)
		return mr_verdict_drop((unsigned)drop);
	p->out = NEIGHBOR_PARCEL_RESOLVE;
	return mr_verdict_output(n->channel);
}

mr_inline void
resolve_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = resolve_one(run, rec, mr_packet_at(run->base, packets[i]));
}
MR_NODE_FUNCTIONS(resolve)

/* It came in where it came in, not from the channel: translation and rules of the way out look at
 * that. */
static void
restore_port(const struct neighbor_nodes *n, struct mr_packet *p)
{
	uint16_t port = mr_ip_port(&n->ip->interfaces[p->context % MR_IP_INTERFACES_MAX]);

	if (p->context && port != MR_IP_NO_PORT)
		p->port = port;
}

mr_inline void
output_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		uint16_t port;

		mr_record_note(rec, p, "from the control thread", p->out);
		switch (p->out) {
		case NEIGHBOR_PARCEL_FRAME:
			memcpy(&port, p->node, sizeof(port));
			verdicts[i] = mr_verdict_output(port % MR_PORT_MAX);
			break;
		case NEIGHBOR_PARCEL_GO:
			restore_port(run->self, p);
			verdicts[i] = mr_verdict_edge(MR_IP_EDGE_OUTPUT);
			break;
		case NEIGHBOR_PARCEL_FAIL:
			restore_port(run->self, p);
			verdicts[i] = mr_verdict_edge(MR_IP_EDGE_ICMP);
			break;
		default:
			verdicts[i] = mr_verdict_drop(NEIGHBOR_OUTPUT_DROP_PARCEL);
		}
	}
}
MR_NODE_FUNCTIONS(output)

#define X(id, name, doc) { name, doc },
static const struct mr_named resolve_drops[] = { NEIGHBOR_RESOLVE_DROPS(X) };
static const struct mr_named output_drops[] = { NEIGHBOR_OUTPUT_DROPS(X) };
#undef X

const struct mr_node_class neighbor_resolve_class = {
	.name = "neighbor-resolve",
	.doc = "lets packets wait for the Ethernet address of their next hop",
	.drops = resolve_drops,
	.drop_count = NEIGHBOR_RESOLVE_DROP_COUNT,
	MR_NODE_RUN(resolve),
};

const struct mr_node_class neighbor_output_class = {
	.name = "neighbor-output",
	.doc = "sends ARP and ND of the control thread, and packets that have waited",
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	.drops = output_drops,
	.drop_count = NEIGHBOR_OUTPUT_DROP_COUNT,
	MR_NODE_RUN(output),
};

/* SPDX-License-Identifier: Apache-2.0 */
/* ip4-fragment: cuts packets to meta.mtu (RFC 791, 3.2; RFC 1812, 4.2.2.7 and 5.2.6). Their TTL is
 * decremented and their next hop decided already. */
#include "nf/icmp/pieces_int.h"

/* X(constant, name, doc) */
#define FRAGMENT_DROPS(X) \
	X(MALFORMED, "fragment-header", "no IPv4 packet that can be cut") \
	X(FORBIDDEN, "fragment-forbidden", "its header says that it must not be cut") \
	X(SUPER_FRAME, "fragment-super-frame", "several datagrams in one frame of the host") \
	X(NO_BUFFER, "fragment-no-buffer", \
	    "no packet buffers for its fragments, or an MTU below 28")

/* clang-format off */
enum fragment_drop {
#define X(id, name, doc) FRAGMENT_DROP_##id,
	FRAGMENT_DROPS(X)
#undef X
	FRAGMENT_DROP_COUNT,
};
enum { FRAGMENT_COUNT_CUT, FRAGMENT_COUNT_MADE, FRAGMENT_COUNT_COUNT };
/* clang-format on */

/* Layer 4 as it will be put together again. */
static bool
settle(const struct icmp_work *w, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);

	/* A frame of many UDP datagrams is not one; of TCP it may travel as a whole. */
	if (p->flags & MR_PACKET_GSO_UDP)
		return false;
	p->flags = (uint16_t)(p->flags & ~MR_PACKET_GSO);
	p->gso_size = 0;
	return icmp_settle(w, packet);
}

static mr_verdict_t
cut(const struct icmp_work *w, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	const struct mr_ip_meta *meta = mr_ip_meta(p);
	struct ip_pieces c = { .w = *w,
		.packet = packet,
		.l3 = meta->l3,
		.mtu = meta->mtu,
		.family = MR_IP4,
		.verdict = mr_verdict_edge(IP4_FRAGMENT_OUTPUT) };
	const uint8_t *ip;
	unsigned header, total;

	mr_record_uncacheable(w->rec, p, "fragmented");
	if (!icmp_pull(w, packet, meta->l3 + 20))
		return mr_verdict_drop(FRAGMENT_DROP_MALFORMED);
	ip = mr_packet_bytes(p) + meta->l3;
	header = (ip[0] & 15u) * 4;
	total = mr_load_be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < 20 || total < header || p->total < meta->l3 + total ||
	    !icmp_pull(w, packet, meta->l3 + header))
		return mr_verdict_drop(FRAGMENT_DROP_MALFORMED);
	ip = mr_packet_bytes(p) + meta->l3;
	/* A fragment that ends past the largest datagram: its pieces' offsets could not be written. */
	if ((mr_load_be16(ip + 6) & MR_IP4_FRAG_OFFSET) * 8 + total > UINT16_MAX)
		return mr_verdict_drop(FRAGMENT_DROP_MALFORMED);
	if (mr_load_be16(ip + 6) & MR_IP4_DONT_FRAGMENT)
		return mr_verdict_drop(FRAGMENT_DROP_FORBIDDEN);
	if (total <= c.mtu)
		return c.verdict;
	if (!settle(w, packet))
		return mr_verdict_drop(FRAGMENT_DROP_SUPER_FRAME);
	if (!ip_pieces_cut(&c))
		return mr_verdict_drop(FRAGMENT_DROP_NO_BUFFER);
	mr_node_count(w->run, FRAGMENT_COUNT_CUT, 1);
	mr_node_count(w->run, FRAGMENT_COUNT_MADE, c.made + 1);
	return c.verdict;
}

mr_inline void
ip4_fragment_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct icmp_work w = icmp_work(run, rec);

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = cut(&w, packets[i]);
}
MR_NODE_FUNCTIONS(ip4_fragment)

static const char *const edges[] = { [IP4_FRAGMENT_OUTPUT] = "output" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	FRAGMENT_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
	[FRAGMENT_COUNT_CUT] = { "fragmented", "packets cut into fragments" },
	[FRAGMENT_COUNT_MADE] = { "fragments", "fragments made of them" },
};

const struct mr_node_class ip4_fragment_class = {
	.name = "ip4-fragment",
	.doc = "cuts IPv4 packets that are larger than the MTU of their way out",
	.edges = edges,
	.edge_count = IP4_FRAGMENT_EDGES,
	.drops = drops,
	.drop_count = FRAGMENT_DROP_COUNT,
	.counters = counters,
	.counter_count = FRAGMENT_COUNT_COUNT,
	MR_NODE_RUN(ip4_fragment),
};

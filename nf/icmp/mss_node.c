/* SPDX-License-Identifier: Apache-2.0 */
/* tcp-mss: lowers the maximum segment size that a TCP SYN announces to what passes here, both ways
 * (RFC 9293, 3.7.1; RFC 6691), and sends the packet on. */
#include "nf/icmp/icmp_int.h"
#include "nf/icmp/route_int.h"

#define OPTION_END 0u
#define OPTION_NOP 1u
#define OPTION_MSS 2u
#define MSS_MIN 64u /* a smaller one is no MTU's doing */

enum { MSS_DROP_MALFORMED, MSS_DROP_COUNT };
enum { MSS_COUNT_CLAMPED, MSS_COUNT_COUNT };

/* The least of what the two interfaces permit; `headers`: of IP and TCP without options. */
static unsigned
bound(const struct icmp_work *w, struct mr_packet *p, enum mr_ip_family family)
{
	const struct mr_ip_meta *meta = mr_ip_meta(p);
	const struct mr_ip_interface *ways[2] = {
		icmp_interface(w, p),
		&w->icmp->ip->interfaces[icmp_leaves_by(w, meta->adjacency % MR_IP_ADJACENCIES_MAX)]
	};
	unsigned headers = family == MR_IP4 ? 40 : 60, mtu = meta->mtu ? meta->mtu : UINT16_MAX,
		 mss;

	if (ways[0]) {
		unsigned in = mr_ip_mtu(ways[0]);

		mtu = in ? MR_MIN(mtu, in) : mtu;
	}
	mss = mtu > headers + MSS_MIN ? mtu - headers : MSS_MIN;
	for (unsigned i = 0; i < 2; i++) {
		unsigned clamp;

		if (!ways[i] || !(mr_ip_flags(ways[i]) & MR_IP_CLAMP))
			continue;
		clamp = family == MR_IP4 ? mr_ip_clamp4(ways[i]) : mr_ip_clamp6(ways[i]);
		if (clamp)
			mss = MR_MIN(mss, clamp);
	}
	return mss;
}

/* Where the option's value stands, counted from the TCP header; 0: there is none. */
static unsigned
find_mss(const uint8_t *tcp, unsigned len)
{
	unsigned at = sizeof(struct mr_tcp), size;

	while (at < len && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= len)
			return 0;
		size = tcp[at + 1];
		if (size < 2 || at + size > len)
			return 0;
		if (tcp[at] == OPTION_MSS)
			return size == 4 ? at + 2 : 0;
		at += size;
	}
	return 0;
}

static void
lower(const struct icmp_work *w, struct mr_packet *p, unsigned l4, unsigned at, unsigned mss)
{
	const uint8_t *bytes = mr_packet_bytes_const(p) + l4;
	be16_t was, now = mr_be16(mss), check;

	memcpy(&was, bytes + at, 2);
	memcpy(&check, bytes + 16, 2);
	mr_edit_set16(w->rec, p, l4 + at, now);
	/* An unfinished checksum does not cover the option yet. */
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && p->csum_start == l4)
		return;
	/* At an odd offset its bytes belong to two words of the sum, each the other way round
	 * (RFC 1071, 2 (B)). */
	if (at % 2)
		check = mr_checksum_update16(check, (be16_t)__builtin_bswap16(was),
		    (be16_t)__builtin_bswap16(now));
	else
		check = mr_checksum_update16(check, was, now);
	mr_edit_set16(w->rec, p, l4 + 16, check);
}

static mr_verdict_t
clamp(const struct icmp_work *w, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	unsigned l3 = mr_ip_meta(p)->l3, header, at, mss;
	const uint8_t *bytes;
	struct mr_parsed r;

	mr_record_uncacheable(w->rec, p, "TCP SYN");
	if (p->total <= l3 || !icmp_pull(w, packet, MR_MIN(p->total, l3 + 256)))
		return mr_verdict_drop(MSS_DROP_MALFORMED);
	bytes = mr_packet_bytes_const(p);
	if (mr_parse_ip(&r, bytes, p->len, p->total, l3) || !(r.flags & MR_PARSED_L4) ||
	    r.proto != MR_IP_PROTO_TCP || !(bytes[r.l4 + 13] & MR_TCP_SYN))
		return mr_verdict_edge(TCP_MSS_OUTPUT);
	header = (unsigned)(bytes[r.l4 + 12] >> 4) * 4;
	at = find_mss(bytes + r.l4, header);
	mss = bound(w, p, r.version == 4 ? MR_IP4 : MR_IP6);
	if (at && mr_load_be16(bytes + r.l4 + at) > mss) {
		lower(w, p, r.l4, at, mss);
		mr_node_count(w->run, MSS_COUNT_CLAMPED, 1);
	}
	return mr_verdict_edge(TCP_MSS_OUTPUT);
}

mr_inline void
tcp_mss_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct icmp_work w = icmp_work(run, rec);

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = clamp(&w, packets[i]);
}
MR_NODE_FUNCTIONS(tcp_mss)

static const char *const edges[] = { [TCP_MSS_OUTPUT] = "output" };
static const struct mr_named drops[] = {
	[MSS_DROP_MALFORMED] = { "mss-header", "no IP packet" },
};
static const struct mr_named counters[] = {
	[MSS_COUNT_CLAMPED] = { "clamped", "SYNs whose MSS was lowered" },
};

const struct mr_node_class tcp_mss_class = {
	.name = "tcp-mss",
	.doc = "lowers the MSS that TCP SYNs announce to what the way's MTUs permit",
	.edges = edges,
	.edge_count = TCP_MSS_EDGES,
	.drops = drops,
	.drop_count = MSS_DROP_COUNT,
	.counters = counters,
	.counter_count = MSS_COUNT_COUNT,
	MR_NODE_RUN(tcp_mss),
};

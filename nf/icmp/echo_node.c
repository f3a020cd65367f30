/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp-echo: answers echo requests to the router's addresses (RFC 792, 1122 3.2.2.6, 1812 4.3.3.6;
 * RFC 4443 4.1), in place: addresses change places, the type changes, and the checksum follows
 * (RFC 1624), so that data are never touched, however long. What came in pieces and was put
 * together is a chain; IPv4 cuts it again on its way, for IPv6 the source must: here.
 */
#include "nf/icmp/icmp_int.h"
#include "nf/icmp/options_int.h"
#include "nf/icmp/pieces_int.h"

/* X(constant, name, doc) */
#define ECHO_DROPS(X) \
	X(NOT_ECHO, "not-echo", "not a whole ICMP echo request") \
	X(CHECKSUM, "icmp-checksum", "wrong ICMP checksum (RFC 792; RFC 4443, 2.3)") \
	X(OFF, "echo-off", "echo requests are not answered here") \
	X(GROUP, "echo-group", \
	    "to a broadcast or multicast address, which is not answered (RFC 1812, 4.3.3.6)") \
	X(SOURCE, "echo-source", "from an address that is not one host's") \
	X(OPTIONS, "echo-options", "IP options that cannot be returned") \
	X(LIMITED, "echo-limited", "above the rate limit") \
	X(NO_ADDRESS, "echo-no-address", "no address to answer from") \
	X(NO_BUFFER, "echo-no-buffer", "no packet buffers for the reply's pieces")

/* clang-format off */
enum echo_drop {
#define X(id, name, doc) ECHO_DROP_##id,
	ECHO_DROPS(X)
#undef X
	ECHO_DROP_COUNT,
};
/* clang-format on */

struct echo {
	struct icmp_work w;
	uint32_t packet;
	struct mr_packet *p;
	const struct mr_ip_interface *in;
	struct icmp_vrf *vrf;
	unsigned l3, l4, len; /* len: of ICMP */
	bool group;
};

/* The ICMP header is in the first segment, the message is whole and its checksum right. */
static bool
sum_good(const struct echo *e, uint64_t sum)
{
	return mr_checksum_add_chain(&sum, e->w.run->buffers, e->packet, e->l4, e->len) == 0 &&
	    mr_checksum_fold(sum) == UINT16_MAX;
}

/* A limit is taken last, by what would be answered. -1: answer. */
static int
admit(const struct echo *e, uint32_t flags)
{
	if (!(flags & ICMP_ECHO))
		return ECHO_DROP_OFF;
	if (!icmp_take(&e->w, &e->vrf->echo.due, &e->vrf->echo.rate)) {
		icmp_count(&e->w, mr_ip_vrf(e->in), ICMP_LIMITED_ECHO);
		return ECHO_DROP_LIMITED;
	}
	return -1;
}

/* Type to reply; `delta` is what else changed under the checksum. */
static void
turn(const struct echo *e, uint8_t reply, uint64_t delta)
{
	const uint8_t *icmp = mr_packet_bytes_const(e->p) + e->l4;
	be16_t was, now;
	be16_t check;

	memcpy(&was, icmp, 2);
	now = (be16_t)((was & 0xff00) | reply);
	memcpy(&check, icmp + 2, 2);
	if (!(e->p->flags & MR_PACKET_CSUM_PARTIAL))
		check = mr_checksum_apply(check, delta + mr_checksum_delta16(was, now));
	/* A reply may be nothing but zeroes, of which only this is the checksum (RFC 1624, 3); of
	 * all others it is as good as 0. */
	if (!check)
		check = UINT16_MAX;
	mr_edit_set16(e->w.rec, e->p, e->l4, now);
	mr_edit_set16(e->w.rec, e->p, e->l4 + 2, check);
}

static int
echo4(struct echo *e)
{
	uint32_t flags = atomic_load_explicit(&e->vrf->flags, memory_order_relaxed);
	const uint8_t *bytes = mr_packet_bytes_const(e->p);
	struct mr_ip4 ip;
	be32_t from, to;
	int drop;

	memcpy(&ip, bytes + e->l3, sizeof(ip));
	if (ip.frag & mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET))
		return ECHO_DROP_NOT_ECHO;
	e->group |= mr_be32(ip.dst) >> 28 == 14 || ip.dst == UINT32_MAX;
	if (!icmp_is_host4(ip.src))
		return ECHO_DROP_SOURCE;
	if (!(e->p->flags & MR_PACKET_CSUM_PARTIAL) && !sum_good(e, 0))
		return ECHO_DROP_CHECKSUM;
	if (e->group && !(flags & ICMP_ECHO_GROUPS))
		return ECHO_DROP_GROUP;
	from = e->group ? mr_ip_address4(e->in) : ip.dst;
	if (!from)
		return ECHO_DROP_NO_ADDRESS;
	drop = admit(e, flags);
	if (drop >= 0)
		return drop;
	/* RFC 1122, 3.2.2.6: what the request recorded, the reply carries on. */
	to = ip.src;
	if (mr_ip4_header_len(&ip) > sizeof(ip) &&
	    !ip4_options_return(&e->w, e->p, e->l3, from, &to))
		return ECHO_DROP_OPTIONS;
	ip.src = from;
	ip.dst = to;
	ip.ttl = ICMP_TTL;
	ip.id = mr_be16(icmp_next_id(&e->w));
	ip.frag = 0; /* what was cut on its way here may be cut on its way back */
	icmp_write(e->w.rec, e->p, e->l3, &ip, sizeof(ip));
	ip4_header_checksum(&e->w, e->p, e->l3);
	turn(e, MR_ICMP4_ECHO_REPLY, 0);
	return -1;
}

static int
echo6(struct echo *e)
{
	uint32_t flags = atomic_load_explicit(&e->vrf->flags, memory_order_relaxed);
	const uint8_t *bytes = mr_packet_bytes_const(e->p);
	struct mr_ip6 ip;
	uint8_t from[16];
	uint64_t sum, delta = 0;
	int drop;

	memcpy(&ip, bytes + e->l3, sizeof(ip));
	if (!icmp_is_host6(ip.src))
		return ECHO_DROP_SOURCE;
	sum = mr_checksum_pseudo6(ip.src, ip.dst, MR_IP_PROTO_ICMP6, e->len);
	if (!(e->p->flags & MR_PACKET_CSUM_PARTIAL) && !sum_good(e, sum))
		return ECHO_DROP_CHECKSUM;
	memcpy(from, ip.dst, 16);
	if (mr_ip6_is_multicast(ip.dst)) {
		/* RFC 4443, 4.2: an address of the interface where it came in, of the source's scope. */
		icmp_own_address6(&e->w, e->p->context, icmp_is_link_local6(ip.src), from);
		if (!icmp_is_host6(from))
			return ECHO_DROP_NO_ADDRESS;
		delta = mr_checksum_delta128(ip.dst, from);
	}
	drop = admit(e, flags);
	if (drop >= 0)
		return drop;
	memcpy(ip.dst, ip.src, 16);
	memcpy(ip.src, from, 16);
	ip.hop_limit = ICMP_TTL;
	ip.version_class_flow &= mr_be32(0xfff00000);
	icmp_write(e->w.rec, e->p, e->l3, &ip, sizeof(ip));
	turn(e, MR_ICMP6_ECHO_REPLY, delta);
	return -1;
}

/* Finds the message. */
static bool
find(struct echo *e, struct mr_parsed *r)
{
	unsigned end;

	if (e->p->total <= e->l3)
		return false;
	/* Headers and options, as far as there are any. */
	if (!icmp_pull(&e->w, e->packet, MR_MIN(e->p->total, e->l3 + 256)))
		return false;
	if (mr_parse_ip(r, mr_packet_bytes_const(e->p), e->p->len, e->p->total, e->l3) ||
	    !(r->flags & MR_PARSED_L4) || (r->flags & MR_PARSED_FRAGMENT))
		return false;
	end = r->end;
	e->l4 = r->l4;
	e->len = end - e->l4;
	if (e->len < sizeof(struct mr_icmp))
		return false;
	e->group =
	    e->l3 >= sizeof(struct mr_eth) && mr_eth_is_multicast(mr_packet_bytes_const(e->p));
	/* Padding of the frame is no part of the reply. */
	icmp_trim(&e->w, e->packet, end);
	return r->version == 4 ? r->proto == MR_IP_PROTO_ICMP && r->icmp_type == MR_ICMP4_ECHO
			       : r->proto == MR_IP_PROTO_ICMP6 && r->icmp_type == MR_ICMP6_ECHO;
}

/* An IPv6 reply beyond the MTU of the link leaves in pieces that pass everywhere (RFC 8200, 5). */
static mr_verdict_t
leave6(struct echo *e)
{
	struct ip_pieces cut = { .w = e->w,
		.packet = e->packet,
		.l3 = e->l3,
		.mtu = ICMP_QUOTE6,
		.family = MR_IP6 };
	const struct mr_ip6 *ip = (const struct mr_ip6 *)(mr_packet_bytes(e->p) + e->l3);

	cut.verdict = mr_verdict_edge(ICMP_ECHO_FORWARD6);
	if (icmp_is_link_local6(ip->dst)) {
		if (!icmp_reflect(&e->w, e->p, e->in))
			return mr_verdict_drop(ECHO_DROP_NO_ADDRESS);
		cut.verdict = mr_verdict_output(mr_ip_port(e->in));
	}
	if (e->p->total - e->l3 > MR_MAX((unsigned)mr_ip_mtu(e->in), ICMP_QUOTE6) &&
	    !ip_pieces_cut(&cut))
		return mr_verdict_drop(ECHO_DROP_NO_BUFFER);
	return cut.verdict;
}

static mr_verdict_t
echo_one(const struct icmp_work *w, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	struct mr_ip_meta *meta = mr_ip_meta(p);
	struct echo e = { .w = *w, .packet = packet, .p = p, .l3 = meta->l3 };
	struct mr_parsed r;
	int drop;

	mr_record_uncacheable(w->rec, p, "answered by the router");
	e.in = icmp_interface(w, p);
	if (!e.in || !find(&e, &r))
		return mr_verdict_drop(ECHO_DROP_NOT_ECHO);
	e.vrf = &w->icmp->vrfs[mr_ip_vrf(e.in)];
	drop = r.version == 4 ? echo4(&e) : echo6(&e);
	if (drop >= 0)
		return mr_verdict_drop((unsigned)drop);
	icmp_made(p);
	meta->flags = MR_IP_META_ORIGIN;
	icmp_count(w, mr_ip_vrf(e.in), r.version == 4 ? ICMP_ECHO4 : ICMP_ECHO6);
	return r.version == 4 ? mr_verdict_edge(ICMP_ECHO_FORWARD4) : leave6(&e);
}

mr_inline void
icmp_echo_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct icmp_work w = icmp_work(run, rec);

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = echo_one(&w, packets[i]);
}
MR_NODE_FUNCTIONS(icmp_echo)

static const char *const edges[] = {
	[ICMP_ECHO_FORWARD4] = "forward4",
	[ICMP_ECHO_FORWARD6] = "forward6",
};
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	ECHO_DROPS(X)
#undef X
};

const struct mr_node_class icmp_echo_class = {
	.name = "icmp-echo",
	.doc = "answers echo requests to the router's addresses",
	.edges = edges,
	.edge_count = ICMP_ECHO_EDGES,
	.drops = drops,
	.drop_count = ECHO_DROP_COUNT,
	MR_NODE_RUN(icmp_echo),
};

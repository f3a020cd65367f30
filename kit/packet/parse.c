/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/parse_int.h"

static const struct {
	const char *name;
	const char *doc;
} errors[] = {
#define X(id, name, doc) [MR_PARSE_##id] = { name, doc },
	MR_PARSE_ERRORS(X)
#undef X
};

const char *
mr_parse_error_name(enum mr_parse_error error)
{
	return (unsigned)error < MR_ARRAY_COUNT(errors) ? errors[error].name : "?";
}

const char *
mr_parse_error_doc(enum mr_parse_error error)
{
	return (unsigned)error < MR_ARRAY_COUNT(errors) ? errors[error].doc : "?";
}

static enum mr_parse_error
parse_tcp(struct mr_parsed *r, const struct mr_span *s)
{
	unsigned header;

	MR_NEED(r, s, r->l4, sizeof(struct mr_tcp), MR_PARSE_TCP_SHORT);
	header = (unsigned)(s->bytes[r->l4 + 12] >> 4) * 4;
	if (header < sizeof(struct mr_tcp) || r->l4 + header > r->end)
		return MR_PARSE_TCP_HEADER_LENGTH;
	MR_NEED(r, s, r->l4, header, MR_PARSE_TCP_HEADER_LENGTH);
	r->tcp_flags = s->bytes[r->l4 + 13];
	r->payload = (uint16_t)(r->l4 + header);
	return MR_PARSE_OK;
}

static enum mr_parse_error
parse_udp(struct mr_parsed *r, const struct mr_span *s)
{
	unsigned len;

	MR_NEED(r, s, r->l4, sizeof(struct mr_udp), MR_PARSE_UDP_SHORT);
	len = mr_load_be16(s->bytes + r->l4 + offsetof(struct mr_udp, len));
	/* A first fragment carries the length of the whole. */
	if (len < sizeof(struct mr_udp) ||
	    (len > r->end - r->l4 && !(r->flags & MR_PARSED_FRAGMENT)))
		return MR_PARSE_UDP_LENGTH;
	r->payload = (uint16_t)(r->l4 + sizeof(struct mr_udp));
	switch (mr_load_be16(s->bytes + r->l4 + 2)) {
	case MR_TUNNEL_PORT_VXLAN:
	case MR_TUNNEL_PORT_VXLAN_LINUX:
		r->tunnel = MR_TUNNEL_VXLAN;
		break;
	case MR_TUNNEL_PORT_GENEVE:
		r->tunnel = MR_TUNNEL_GENEVE;
		break;
	case MR_TUNNEL_PORT_GTPU:
		r->tunnel = MR_TUNNEL_GTPU;
		break;
	}
	return MR_PARSE_OK;
}

static enum mr_parse_error
parse_icmp(struct mr_parsed *r, const struct mr_span *s, bool v6)
{
	const struct mr_icmp *icmp = (const struct mr_icmp *)(s->bytes + r->l4);
	bool echo;

	/* RFC 4443 promises four bytes only, RFC 792 eight. */
	if (v6)
		MR_NEED(r, s, r->l4, 4, MR_PARSE_ICMP6_SHORT);
	else
		MR_NEED(r, s, r->l4, sizeof(*icmp), MR_PARSE_ICMP_SHORT);
	r->icmp_type = icmp->type;
	r->icmp_code = icmp->code;
	r->payload = (uint16_t)(r->l4 + 4);
	if (v6)
		echo = icmp->type == MR_ICMP6_ECHO || icmp->type == MR_ICMP6_ECHO_REPLY;
	else
		echo = icmp->type == MR_ICMP4_ECHO || icmp->type == MR_ICMP4_ECHO_REPLY;
	if (echo) {
		MR_NEED(r, s, r->l4, sizeof(*icmp), MR_PARSE_ICMP6_SHORT);
		r->icmp_id = mr_be16(icmp->id);
	}
	if (r->l4 + sizeof(*icmp) <= r->end)
		r->payload = (uint16_t)(r->l4 + sizeof(*icmp));
	return MR_PARSE_OK;
}

/* Layer 4 at r->l4, which is inside the packet; r->end is set. */
static enum mr_parse_error
parse_l4(struct mr_parsed *r, const struct mr_span *s)
{
	enum mr_parse_error error;
	bool ports = true;

	r->payload = r->l4;
	if ((r->flags & (MR_PARSED_FRAGMENT | MR_PARSED_FIRST)) == MR_PARSED_FRAGMENT)
		return MR_PARSE_OK;
	switch (r->proto) {
	case MR_IP_PROTO_TCP:
		error = parse_tcp(r, s);
		break;
	case MR_IP_PROTO_UDP:
		error = parse_udp(r, s);
		break;
	case MR_IP_PROTO_UDPLITE:
		MR_NEED(r, s, r->l4, sizeof(struct mr_udp), MR_PARSE_UDP_SHORT);
		r->payload = (uint16_t)(r->l4 + sizeof(struct mr_udp));
		error = MR_PARSE_OK;
		break;
	case MR_IP_PROTO_SCTP:
		MR_NEED(r, s, r->l4, sizeof(struct mr_sctp), MR_PARSE_SCTP_SHORT);
		r->payload = (uint16_t)(r->l4 + sizeof(struct mr_sctp));
		error = MR_PARSE_OK;
		break;
	case MR_IP_PROTO_DCCP:
		MR_NEED(r, s, r->l4, 12, MR_PARSE_DCCP_SHORT);
		error = MR_PARSE_OK;
		break;
	case MR_IP_PROTO_ICMP:
		/* In the other version's packet the number means nothing. */
		if (r->version != 4)
			return MR_PARSE_OK;
		error = parse_icmp(r, s, false);
		ports = false;
		break;
	case MR_IP_PROTO_ICMP6:
		if (r->version != 6)
			return MR_PARSE_OK;
		error = parse_icmp(r, s, true);
		ports = false;
		break;
	case MR_IP_PROTO_IP4:
		r->tunnel = MR_TUNNEL_IP4;
		return MR_PARSE_OK;
	case MR_IP_PROTO_IP6:
		r->tunnel = MR_TUNNEL_IP6;
		return MR_PARSE_OK;
	case MR_IP_PROTO_GRE:
		r->tunnel = MR_TUNNEL_GRE;
		return MR_PARSE_OK;
	case MR_IP_PROTO_MPLS:
		r->tunnel = MR_TUNNEL_MPLS;
		return MR_PARSE_OK;
	default:
		return MR_PARSE_OK;
	}
	if (error)
		return error;
	if (ports) {
		r->src_port = mr_load_be16(s->bytes + r->l4);
		r->dst_port = mr_load_be16(s->bytes + r->l4 + 2);
	}
	r->flags |= MR_PARSED_L4;
	return MR_PARSE_OK;
}

enum mr_parse_error
mr_parse_ip4_at(struct mr_parsed *r, const struct mr_span *s)
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(s->bytes + r->l3);
	unsigned header, len;
	uint16_t frag;

	r->end = s->total;
	MR_NEED(r, s, r->l3, sizeof(*ip), MR_PARSE_IP4_SHORT);
	if (ip->version_ihl >> 4 != 4)
		return MR_PARSE_IP4_VERSION;
	header = mr_ip4_header_len(ip);
	len = mr_be16(ip->total_len);
	if (header < sizeof(*ip))
		return MR_PARSE_IP4_HEADER_LENGTH;
	if (len < header)
		return MR_PARSE_IP4_TOTAL_LENGTH;
	if (len > s->total - r->l3)
		return MR_PARSE_IP4_TRUNCATED;
	MR_NEED(r, s, r->l3, header, MR_PARSE_IP4_SHORT);
	r->version = 4;
	r->proto = ip->proto;
	r->ttl = ip->ttl;
	r->end = r->l3 + len;
	if (r->end < s->total)
		r->flags |= MR_PARSED_TRAILER;
	if (header > sizeof(*ip))
		r->flags |= MR_PARSED_OPTIONS;
	frag = mr_be16(ip->frag);
	if (mr_unlikely(frag & (MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET))) {
		r->frag_offset = (uint16_t)((frag & MR_IP4_FRAG_OFFSET) * 8);
		r->frag_id = mr_be16(ip->id);
		r->flags |= MR_PARSED_FRAGMENT | (r->frag_offset ? 0 : MR_PARSED_FIRST);
		if ((frag & MR_IP4_MORE_FRAGMENTS) && (len - header) % 8)
			return MR_PARSE_IP4_FRAGMENT_LENGTH;
		if (r->frag_offset + len > UINT16_MAX)
			return MR_PARSE_IP4_FRAGMENT_END;
	}
	r->l4 = (uint16_t)(r->l3 + header);
	return parse_l4(r, s);
}

/* A payload length of 0 and hop-by-hop options at `at`: a jumbogram has its length there. */
static enum mr_parse_error
parse_jumbo(const struct mr_span *s, unsigned at)
{
	unsigned end = at + 8;

	if (s->len >= end)
		end = at + (s->bytes[at + 1] + 1u) * 8;
	if (end > s->len)
		return s->total >= end ? MR_PARSE_SPLIT : MR_PARSE_IP6_EXT_SHORT;
	for (at += 2; at + 1 < end;) {
		if (s->bytes[at] == MR_IP6_OPTION_JUMBO)
			return MR_PARSE_IP6_JUMBOGRAM;
		at += s->bytes[at] == MR_IP6_OPTION_PAD1 ? 1 : 2u + s->bytes[at + 1];
	}
	return MR_PARSE_IP6_EXT_SHORT;
}

static enum mr_parse_error
parse_ip6_fragment(struct mr_parsed *r, const struct mr_span *s, unsigned at)
{
	const struct mr_ip6_frag *f = (const struct mr_ip6_frag *)(s->bytes + at);
	unsigned frag = mr_be16(f->frag), rest = r->end - at - (unsigned)sizeof(*f);

	r->fragment = (uint16_t)at;
	r->frag_id = mr_be32(f->id);
	r->frag_offset = frag & MR_IP6_FRAG_OFFSET;
	if (!(frag & (MR_IP6_FRAG_OFFSET | MR_IP6_MORE_FRAGMENTS))) {
		r->flags |= MR_PARSED_ATOMIC;
		return MR_PARSE_OK;
	}
	r->flags |= MR_PARSED_FRAGMENT | (r->frag_offset ? 0 : MR_PARSED_FIRST);
	if ((frag & MR_IP6_MORE_FRAGMENTS) && rest % 8)
		return MR_PARSE_IP6_FRAGMENT_LENGTH;
	if (r->frag_offset + rest > UINT16_MAX)
		return MR_PARSE_IP6_FRAGMENT_END;
	return MR_PARSE_OK;
}

/* One extension header of type r->proto at `*at`; steps over it. */
static enum mr_parse_error
parse_ip6_ext(struct mr_parsed *r, const struct mr_span *s, unsigned *at, unsigned n)
{
	enum mr_parse_error error = MR_PARSE_OK;
	unsigned size;

	MR_NEED(r, s, *at, 8, MR_PARSE_IP6_EXT_SHORT);
	size = (s->bytes[*at + 1] + 1u) * 8;
	if (r->proto == MR_IP_PROTO_AH)
		size = (s->bytes[*at + 1] + 2u) * 4;
	else if (r->proto == MR_IP_PROTO_FRAGMENT)
		size = sizeof(struct mr_ip6_frag);
	MR_NEED(r, s, *at, size, MR_PARSE_IP6_EXT_SHORT);
	r->flags |= MR_PARSED_EXTENSIONS;
	if (r->proto == MR_IP_PROTO_HOP_BY_HOP) {
		/* The only rule of order that receivers enforce (RFC 8200, section 4.1). */
		if (n > 0)
			return MR_PARSE_IP6_HOP_BY_HOP;
		r->flags |= MR_PARSED_OPTIONS;
	} else if (r->proto == MR_IP_PROTO_ROUTING) {
		if (s->bytes[*at + offsetof(struct mr_ip6_routing, segments_left)])
			r->flags |= MR_PARSED_ROUTING;
	} else if (r->proto == MR_IP_PROTO_FRAGMENT) {
		error = parse_ip6_fragment(r, s, *at);
	}
	r->proto = s->bytes[*at];
	*at += size;
	return error;
}

static bool
is_extension(uint8_t proto)
{
	return proto == MR_IP_PROTO_HOP_BY_HOP || proto == MR_IP_PROTO_ROUTING ||
	    proto == MR_IP_PROTO_FRAGMENT || proto == MR_IP_PROTO_DEST_OPTIONS ||
	    proto == MR_IP_PROTO_AH;
}

enum mr_parse_error
mr_parse_ip6_at(struct mr_parsed *r, const struct mr_span *s)
{
	const struct mr_ip6 *ip = (const struct mr_ip6 *)(s->bytes + r->l3);
	enum mr_parse_error error;
	unsigned at, len, n = 0;

	r->end = s->total;
	MR_NEED(r, s, r->l3, sizeof(*ip), MR_PARSE_IP6_SHORT);
	if (s->bytes[r->l3] >> 4 != 6)
		return MR_PARSE_IP6_VERSION;
	at = r->l3 + (unsigned)sizeof(*ip);
	len = mr_be16(ip->payload_len);
	if (len == 0 && ip->next == MR_IP_PROTO_HOP_BY_HOP)
		return parse_jumbo(s, at);
	if (len > s->total - at)
		return MR_PARSE_IP6_TRUNCATED;
	r->version = 6;
	r->proto = ip->next;
	r->ttl = ip->hop_limit;
	r->end = at + len;
	if (r->end < s->total)
		r->flags |= MR_PARSED_TRAILER;
	while (mr_unlikely(is_extension(r->proto))) {
		if (n == MR_PARSE_EXT_MAX)
			return MR_PARSE_IP6_EXT_MANY;
		error = parse_ip6_ext(r, s, &at, n++);
		if (error)
			return error;
		/* Behind the fragment header of a later fragment come bytes, not headers. */
		if ((r->flags & (MR_PARSED_FRAGMENT | MR_PARSED_FIRST)) == MR_PARSED_FRAGMENT)
			break;
	}
	r->l4 = (uint16_t)at;
	return parse_l4(r, s);
}

static enum mr_parse_error
parse_arp(struct mr_parsed *r, const struct mr_span *s)
{
	const struct mr_arp *arp = (const struct mr_arp *)(s->bytes + r->l3);

	MR_NEED(r, s, r->l3, MR_ARP_FIXED_SIZE, MR_PARSE_ARP_SHORT);
	if (arp->hardware != mr_be16(MR_ARP_ETHERNET) ||
	    arp->protocol != mr_be16(MR_ETH_TYPE_IP4) || arp->hardware_size != MR_ETH_ADDR_SIZE ||
	    arp->protocol_size != 4)
		return MR_PARSE_ARP_FORMAT;
	MR_NEED(r, s, r->l3, sizeof(*arp), MR_PARSE_ARP_SHORT);
	return MR_PARSE_OK;
}

/* What r->ethertype says, at r->l3. */
enum mr_parse_error
mr_parse_l3_at(struct mr_parsed *r, const struct mr_span *s)
{
	switch (r->ethertype) {
	case MR_ETH_TYPE_IP4:
		return mr_parse_ip4_at(r, s);
	case MR_ETH_TYPE_IP6:
		return mr_parse_ip6_at(r, s);
	case MR_ETH_TYPE_ARP:
		return parse_arp(r, s);
	case MR_ETH_TYPE_MPLS:
	case MR_ETH_TYPE_MPLS_MC:
		r->tunnel = MR_TUNNEL_MPLS;
		return MR_PARSE_OK;
	case MR_ETH_TYPE_PPPOE:
		r->tunnel = MR_TUNNEL_PPPOE;
		return MR_PARSE_OK;
	default:
		return MR_PARSE_OK;
	}
}

enum mr_parse_error
mr_parse_ethernet_at(struct mr_parsed *r, const struct mr_span *s, unsigned at)
{
	enum mr_parse_error error;

	error = mr_parse_l2(r, s->bytes, s->len, s->total, at);
	return error ? error : mr_parse_l3_at(r, s);
}

/* Offsets are 16 bits wide: headers past that are as good as in a later segment. */
static struct mr_span
span(const uint8_t *bytes, unsigned len, unsigned total)
{
	return (struct mr_span){ .bytes = bytes,
		.len = MR_MIN(len, UINT16_MAX - 64u),
		.total = MR_MAX(len, total) };
}

enum mr_parse_error
mr_parse_ethernet(struct mr_parsed *r, const uint8_t *bytes, unsigned len, unsigned total)
{
	struct mr_span s = span(bytes, len, total);

	return r->error = (uint8_t)mr_parse_ethernet_at(r, &s, 0);
}

enum mr_parse_error
mr_parse_ip(struct mr_parsed *r, const uint8_t *bytes, unsigned len, unsigned total, unsigned at)
{
	struct mr_span s = span(bytes, len, total);

	*r = (struct mr_parsed){ .l2 = (uint16_t)at,
		.l3 = (uint16_t)at,
		.end = s.total,
		.flags = MR_PARSED_NO_L2 };
	return r->error = (uint8_t)mr_parse_ip_at(r, &s, at);
}

enum mr_parse_error
mr_parse_ip_at(struct mr_parsed *r, const struct mr_span *s, unsigned at)
{
	MR_NEED(r, s, at, 1, MR_PARSE_IP4_SHORT);
	if (s->bytes[at] >> 4 == 6) {
		r->ethertype = MR_ETH_TYPE_IP6;
		return mr_parse_ip6_at(r, s);
	}
	r->ethertype = MR_ETH_TYPE_IP4;
	return mr_parse_ip4_at(r, s);
}

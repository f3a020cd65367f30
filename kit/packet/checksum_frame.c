/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Checksums of whole frames: finds in the headers what a layer-4 checksum covers, to verify it
 * or to tell that it was never finished. Not kit/packet/parse.h: this has to look where a
 * pseudo-header's addresses are, into routing headers and home address options too.
 */
#include "kit/packet/buffers.h"
#include "kit/packet/checksum_int.h"
#include "kit/packet/crc32c.h"
#include "kit/packet/parse.h"

/* What a checksum of layer 4 covers, found in the headers. */
struct place {
	const uint8_t *src, *dst; /* addresses for the pseudo-header */
	unsigned l4;              /* offset */
	unsigned l4_len;          /* as the IP header says */
	uint8_t version;
	uint8_t proto;
	bool fragment;
};

/* The final destination that the sender's pseudo-header has (RFC 8200, section 8.1). */
static const uint8_t *
routing_final(const uint8_t *header, unsigned size)
{
	const struct mr_ip6_routing *rh = (const struct mr_ip6_routing *)header;

	if (rh->segments_left == 0 || size < 24)
		return NULL;
	if (rh->type == 4) /* SRv6 lists its segments last one first (RFC 8754, section 2) */
		return header + 8;
	if (rh->type == 0 || rh->type == 2)
		return header + 8 + ((size - 8) / 16 - 1) * 16;
	return NULL;
}

/* The home address that stands for the source (RFC 6275, section 6.3), or null. */
static const uint8_t *
home_address(const uint8_t *header, unsigned size)
{
	unsigned at = 2;

	while (at + 2 <= size) {
		if (header[at] == MR_IP6_OPTION_PAD1) {
			at++;
			continue;
		}
		if (header[at] == MR_IP6_OPTION_HOME_ADDRESS && header[at + 1] == 16 &&
		    at + 18 <= size)
			return header + at + 2;
		at += 2u + header[at + 1];
	}
	return NULL;
}

static bool
find_l4_ip6(const uint8_t *bytes, unsigned len, unsigned at, struct place *place)
{
	const struct mr_ip6 *ip = (const struct mr_ip6 *)(bytes + at);
	const struct mr_ip6_frag *frag;
	const uint8_t *other;
	unsigned end, size, n;

	if (len < at + sizeof(*ip) || bytes[at] >> 4 != 6)
		return false;
	*place = (struct place){ .src = ip->src, .dst = ip->dst, .version = 6, .proto = ip->next };
	end = at + (unsigned)sizeof(*ip) + mr_be16(ip->payload_len);
	at += sizeof(*ip);
	/* A sender that repeats headers without end gets no more than this. */
	for (n = 0; n < 8; n++) {
		switch (place->proto) {
		case MR_IP_PROTO_HOP_BY_HOP:
		case MR_IP_PROTO_ROUTING:
		case MR_IP_PROTO_DEST_OPTIONS:
		case MR_IP_PROTO_FRAGMENT:
		case MR_IP_PROTO_AH:
			break;
		default:
			place->l4 = at;
			place->l4_len = end - at;
			return at <= end && at <= len;
		}
		if (len < at + 8)
			return false;
		if (place->proto == MR_IP_PROTO_FRAGMENT) {
			frag = (const struct mr_ip6_frag *)(bytes + at);
			if (frag->frag & mr_be16(MR_IP6_FRAG_OFFSET | MR_IP6_MORE_FRAGMENTS))
				place->fragment = true;
			size = 8;
		} else if (place->proto == MR_IP_PROTO_AH) {
			size = (bytes[at + 1] + 2u) * 4;
		} else {
			size = (bytes[at + 1] + 1u) * 8;
		}
		if (len < at + size || end < at + size)
			return false;
		if (place->proto == MR_IP_PROTO_ROUTING) {
			other = routing_final(bytes + at, size);
			if (other)
				place->dst = other;
		} else if (place->proto == MR_IP_PROTO_DEST_OPTIONS) {
			other = home_address(bytes + at, size);
			if (other)
				place->src = other;
		}
		place->proto = bytes[at];
		at += size;
	}
	return false;
}

static bool
find_l4(const uint8_t *bytes, unsigned len, unsigned at, uint16_t type, struct place *place)
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(bytes + at);
	unsigned header, end;

	if (type == MR_ETH_TYPE_IP6)
		return find_l4_ip6(bytes, len, at, place);
	if (type != MR_ETH_TYPE_IP4 || len < at + sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return false;
	header = mr_ip4_header_len(ip);
	end = mr_be16(ip->total_len);
	if (header < sizeof(*ip) || end < header || len < at + header)
		return false;
	*place = (struct place){
		.src = bytes + at + offsetof(struct mr_ip4, src),
		.dst = bytes + at + offsetof(struct mr_ip4, dst),
		.version = 4,
		.proto = ip->proto,
		.l4 = at + header,
		.l4_len = end - header,
		.fragment = ip->frag & mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET),
	};
	return true;
}

static uint64_t
pseudo(const struct place *place, unsigned l4_len)
{
	be32_t src, dst;

	if (place->version == 6)
		return mr_checksum_pseudo6(place->src, place->dst, place->proto, l4_len);
	memcpy(&src, place->src, sizeof(src));
	memcpy(&dst, place->dst, sizeof(dst));
	return mr_checksum_pseudo4(src, dst, place->proto, (uint16_t)l4_len);
}

/* Steps into what layer 4 carries; returns the inner layer 3's offset, 0 when there is none. */
static unsigned
find_inner(const uint8_t *bytes, unsigned len, const struct place *place, uint16_t *type)
{
	unsigned at = place->l4;
	uint16_t port, flags;

	switch (place->proto) {
	case MR_IP_PROTO_IP4:
		*type = MR_ETH_TYPE_IP4;
		return at;
	case MR_IP_PROTO_IP6:
		*type = MR_ETH_TYPE_IP6;
		return at;
	case MR_IP_PROTO_GRE:
		if (len < at + sizeof(struct mr_gre))
			return 0;
		flags = mr_load_be16(bytes + at);
		*type = mr_load_be16(bytes + at + 2);
		if (flags & (MR_GRE_ROUTING | MR_GRE_VERSION))
			return 0;
		at += sizeof(struct mr_gre);
		at += flags & MR_GRE_CHECKSUM ? 4 : 0;
		at += flags & MR_GRE_KEY ? 4 : 0;
		at += flags & MR_GRE_SEQUENCE ? 4 : 0;
		return *type == MR_ETH_TYPE_TEB ? mr_find_l3(bytes, len, at, type) : at;
	case MR_IP_PROTO_UDP:
		if (len < at + sizeof(struct mr_udp) + sizeof(struct mr_vxlan))
			return 0;
		port = mr_load_be16(bytes + at + offsetof(struct mr_udp, dst));
		at += sizeof(struct mr_udp);
		if (port == MR_TUNNEL_PORT_VXLAN || port == MR_TUNNEL_PORT_VXLAN_LINUX)
			return mr_find_l3(bytes, len, at + (unsigned)sizeof(struct mr_vxlan), type);
		if (port != MR_TUNNEL_PORT_GENEVE)
			return 0;
		*type = mr_load_be16(bytes + at + offsetof(struct mr_geneve, type));
		at += (unsigned)sizeof(struct mr_geneve) + (bytes[at] & 0x3fu) * 4;
		return *type == MR_ETH_TYPE_TEB ? mr_find_l3(bytes, len, at, type) : at;
	default:
		return 0;
	}
}

static bool
unfinished_here(const uint8_t *bytes, unsigned len, const struct place *place, unsigned *offset)
{
	uint32_t crc;
	be16_t field;

	if (place->proto == MR_IP_PROTO_TCP) {
		*offset = offsetof(struct mr_tcp, check);
	} else if (place->proto == MR_IP_PROTO_UDP) {
		*offset = offsetof(struct mr_udp, check);
	} else if (place->proto == MR_IP_PROTO_SCTP) {
		*offset = offsetof(struct mr_sctp, check);
		if (len < place->l4 + sizeof(struct mr_sctp))
			return false;
		memcpy(&crc, bytes + place->l4 + *offset, sizeof(crc));
		return crc == 0;
	} else {
		return false;
	}
	if (len < place->l4 + *offset + 2)
		return false;
	memcpy(&field, bytes + place->l4 + *offset, sizeof(field));
	return field == mr_checksum_fold(pseudo(place, place->l4_len));
}

bool
mr_checksum_find_unfinished(const uint8_t *bytes, unsigned len, uint16_t *csum_start,
    uint16_t *csum_offset)
{
	struct place place;
	unsigned at, offset, depth;
	uint16_t type;

	at = mr_find_l3(bytes, len, 0, &type);
	for (depth = 0; depth < 3 && at; depth++) {
		if (!find_l4(bytes, len, at, type, &place) || place.fragment)
			return false;
		if (unfinished_here(bytes, len, &place, &offset)) {
			if (place.l4 > UINT16_MAX)
				return false;
			*csum_start = (uint16_t)place.l4;
			*csum_offset = (uint16_t)offset;
			return true;
		}
		at = find_inner(bytes, len, &place, &type);
	}
	return false;
}

/* `bytes` and `len` are the first segment; `b` is null when there is nothing else. */
static int
sum_bytes(uint64_t *sum, const struct mr_buffers *b, uint32_t handle, const uint8_t *bytes,
    unsigned offset, unsigned len)
{
	if (b)
		return mr_checksum_add_chain(sum, b, handle, offset, len);
	*sum = mr_checksum_add(*sum, bytes + offset, len);
	return 0;
}

static enum mr_checksum_verdict
verify_sctp(const struct mr_buffers *b, uint32_t handle, const uint8_t *bytes, unsigned at,
    unsigned l4_len)
{
	uint8_t header[sizeof(struct mr_sctp)] = { 0 };
	uint32_t crc, found;
	unsigned rest = l4_len - (unsigned)sizeof(header);

	memcpy(header, bytes + at, offsetof(struct mr_sctp, check));
	memcpy(&found, bytes + at + offsetof(struct mr_sctp, check), sizeof(found));
	crc = mr_crc32c_add(MR_CRC32C_SEED, header, sizeof(header));
	at += sizeof(header);
	if (!b)
		crc = mr_crc32c_add(crc, bytes + at, rest);
	else if (mr_checksum_crc32c_chain(&crc, b, handle, at, rest) < 0)
		return MR_CHECKSUM_UNKNOWN;
	return mr_crc32c_finish(crc) == found ? MR_CHECKSUM_GOOD : MR_CHECKSUM_BAD;
}

static enum mr_checksum_verdict
verify(const struct mr_buffers *b, uint32_t handle, const uint8_t *bytes, unsigned len,
    unsigned total)
{
	struct place place;
	unsigned at, header, l4_len;
	uint16_t type;
	uint64_t sum = 0;

	at = mr_find_l3(bytes, len, 0, &type);
	if (!at || !find_l4(bytes, len, at, type, &place) || place.fragment)
		return MR_CHECKSUM_UNKNOWN;
	l4_len = place.l4_len;
	switch (place.proto) {
	case MR_IP_PROTO_TCP:
		header = sizeof(struct mr_tcp);
		break;
	case MR_IP_PROTO_SCTP:
		header = sizeof(struct mr_sctp);
		break;
	case MR_IP_PROTO_UDP:
	case MR_IP_PROTO_IGMP:
		header = sizeof(struct mr_udp);
		break;
	case MR_IP_PROTO_ICMP:
	case MR_IP_PROTO_ICMP6:
		header = 4;
		break;
	default:
		return MR_CHECKSUM_UNKNOWN;
	}
	if (l4_len < header || len < place.l4 + header || total < place.l4 + l4_len)
		return MR_CHECKSUM_UNKNOWN;
	if (place.proto == MR_IP_PROTO_SCTP)
		return verify_sctp(b, handle, bytes, place.l4, l4_len);
	if (place.proto == MR_IP_PROTO_UDP) {
		/* Its own length counts; what lies behind is not covered. */
		l4_len = mr_load_be16(bytes + place.l4 + offsetof(struct mr_udp, len));
		if (l4_len < header || l4_len > place.l4_len)
			return MR_CHECKSUM_UNKNOWN;
		if (mr_load_be16(bytes + place.l4 + offsetof(struct mr_udp, check)) == 0)
			return place.version == 4 ? MR_CHECKSUM_ABSENT : MR_CHECKSUM_BAD;
	}
	/* ICMP for IPv4 and IGMP have no pseudo-header. */
	if (place.proto != MR_IP_PROTO_ICMP && place.proto != MR_IP_PROTO_IGMP)
		sum = pseudo(&place, l4_len);
	if (sum_bytes(&sum, b, handle, bytes, place.l4, l4_len) < 0)
		return MR_CHECKSUM_UNKNOWN;
	return mr_checksum_fold(sum) == UINT16_MAX ? MR_CHECKSUM_GOOD : MR_CHECKSUM_BAD;
}

enum mr_checksum_verdict
mr_checksum_l4_verify(const uint8_t *bytes, unsigned len)
{
	return verify(NULL, MR_PACKET_NONE, bytes, len, len);
}

enum mr_checksum_verdict
mr_checksum_packet_verify(const struct mr_buffers *b, uint32_t handle)
{
	const struct mr_packet *p = mr_packet_at(b->base, handle);

	return verify(b, handle, mr_packet_bytes_const(p), p->len, p->total);
}

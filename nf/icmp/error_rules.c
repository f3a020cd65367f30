/* SPDX-License-Identifier: Apache-2.0 */
/* About which packets no ICMP error may be sent: RFC 1122 3.2.2, RFC 1812 4.3.2.7,
 * RFC 4443 2.4 (e). Pure functions of the packet. */
#include "nf/icmp/icmp_int.h"

/* ICMP messages that ask or tell something, and are no errors. What is not known here may be an
 * error of tomorrow: nothing is said about it. */
static bool
is_query4(uint8_t type)
{
	switch (type) {
	case MR_ICMP4_ECHO_REPLY:
	case MR_ICMP4_ECHO:
	case MR_ICMP4_ROUTER_ADVERT:
	case MR_ICMP4_ROUTER_SOLICIT:
	case MR_ICMP4_TIMESTAMP:
	case MR_ICMP4_TIMESTAMP_REPLY:
	case 15: /* information, RFC 792 */
	case 16:
	case 17: /* address mask, RFC 950 */
	case 18:
	case 42: /* extended echo, RFC 8335 */
	case 43:
		return true;
	default:
		return false;
	}
}

static bool
frame_is_group(const uint8_t *bytes, unsigned l3)
{
	return l3 >= sizeof(struct mr_eth) && mr_eth_is_multicast(bytes);
}

static enum icmp_count
refused4(const uint8_t *bytes, unsigned len, unsigned l3)
{
	struct mr_ip4 ip;
	unsigned header;

	if (len < l3 + sizeof(ip))
		return ICMP_NOT_ABOUT_MALFORMED;
	memcpy(&ip, bytes + l3, sizeof(ip));
	header = mr_ip4_header_len(&ip);
	if (ip.version_ihl >> 4 != 4 || header < sizeof(ip) || mr_be16(ip.total_len) < header)
		return ICMP_NOT_ABOUT_MALFORMED;
	if (frame_is_group(bytes, l3) || mr_be32(ip.dst) >> 28 == 14 || ip.dst == UINT32_MAX)
		return ICMP_NOT_ABOUT_GROUP;
	if (!icmp_is_host4(ip.src))
		return ICMP_NOT_ABOUT_SOURCE;
	if (ip.frag & mr_be16(MR_IP4_FRAG_OFFSET))
		return ICMP_NOT_ABOUT_FRAGMENT;
	if (ip.proto == MR_IP_PROTO_ICMP &&
	    (len <= l3 + header || mr_be16(ip.total_len) <= header ||
		!is_query4(bytes[l3 + header])))
		return ICMP_NOT_ABOUT_ICMP;
	return ICMP_COUNT_COUNT;
}

static enum icmp_count
refused6(const uint8_t *bytes, unsigned len, unsigned total, unsigned l3, uint8_t type,
    uint8_t code)
{
	struct mr_parsed r;
	struct mr_ip6 ip;

	if (len < l3 + sizeof(ip) || bytes[l3] >> 4 != 6)
		return ICMP_NOT_ABOUT_MALFORMED;
	memcpy(&ip, bytes + l3, sizeof(ip));
	/* (e.3), (e.4), (e.5): but path MTU discovery and unknown options work for multicast, too. */
	if ((frame_is_group(bytes, l3) || mr_ip6_is_multicast(ip.dst)) &&
	    type != MR_ICMP6_TOO_BIG && !(type == MR_ICMP6_PARAM_PROBLEM && code == 2))
		return ICMP_NOT_ABOUT_GROUP;
	if (!icmp_is_host6(ip.src)) /* (e.6) */
		return ICMP_NOT_ABOUT_SOURCE;
	/* A chain of headers that is cut short or goes astray is said so; ICMPv6 without a type
	 * is not. */
	(void)mr_parse_ip(&r, bytes, len, total, l3);
	/* IPv6 has no rule about later fragments, and their senders want to know the MTU. Of ICMPv6
	 * ones nobody can tell whether they are errors'; those that are too big are not. */
	if ((r.flags & (MR_PARSED_FRAGMENT | MR_PARSED_FIRST)) == MR_PARSED_FRAGMENT)
		return r.proto == MR_IP_PROTO_ICMP6 && type != MR_ICMP6_TOO_BIG
		    ? ICMP_NOT_ABOUT_FRAGMENT
		    : ICMP_COUNT_COUNT;
	if (r.proto != MR_IP_PROTO_ICMP6)
		return ICMP_COUNT_COUNT;
	if (!r.l4 && r.fragment) /* one of a wrong length */
		r.l4 = (uint16_t)(r.fragment + sizeof(struct mr_ip6_frag));
	if (!r.l4 || r.l4 >= MR_MIN(len, r.end))
		return ICMP_NOT_ABOUT_ICMP;
	r.icmp_type = bytes[r.l4];
	/* (e.1), (e.2): errors have their top bit clear. */
	if (r.icmp_type < 128 || r.icmp_type == MR_ICMP6_REDIRECT)
		return ICMP_NOT_ABOUT_ICMP;
	return ICMP_COUNT_COUNT;
}

enum icmp_count
icmp_error_refused(const uint8_t *bytes, unsigned len, unsigned total, unsigned l3,
    enum mr_ip_family family, uint8_t type, uint8_t code)
{
	return family == MR_IP4 ? refused4(bytes, len, l3)
				: refused6(bytes, len, total, l3, type, code);
}

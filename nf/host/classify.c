/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kit/packet/parse.h"
#include "nf/host/class.h"

/* clang-format off */
const struct mr_host_class_info mr_host_class_info[MR_HOST_CLASS_COUNT] = {
#define X(id, name_, doc_, rate_, burst_) \
	[MR_HOST_##id] = { .name = name_, .doc = doc_, .rate = rate_, .burst = burst_ },
	MR_HOST_CLASSES(X)
#undef X
};
/* clang-format on */

enum mr_host_class
mr_host_class_find(const char *name)
{
	unsigned i;

	for (i = 0; i < MR_HOST_CLASS_COUNT; i++)
		if (strcmp(mr_host_class_info[i].name, name) == 0)
			break;
	return (enum mr_host_class)i;
}

/* -- layer 4 ----------------------------------------------------------------------------- */

static enum mr_host_class
classify_udp(unsigned src, unsigned dst)
{
	switch (dst) {
	case 3784: /* RFC 5881, single hop and echo */
	case 3785:
	case 4784: /* RFC 5883, multihop */
	case 6784: /* RFC 7130, members of a bundle */
		return MR_HOST_BFD;
	case 646:
		return MR_HOST_LDP;
	case 520:
	case 521:
		return MR_HOST_RIP;
	case 67:
	case 68:
	case 546:
	case 547:
		return MR_HOST_DHCP;
	case 161:
		return MR_HOST_SNMP;
	case 123:
		return MR_HOST_NTP;
	default:
		break;
	}
	if (src == 123)
		return MR_HOST_NTP;
	if (src == 53)
		return MR_HOST_DNS;
	if (dst >= 33434 && dst <= 33534)
		return MR_HOST_TRACEROUTE;
	return MR_HOST_UDP;
}

static void
classify_tcp(struct mr_host_packet *out, const struct mr_parsed *r)
{
	unsigned flags = r->tcp_flags & (MR_TCP_SYN | MR_TCP_ACK);

	out->tcp = true;
	out->syn = flags == MR_TCP_SYN;
	if (r->src_port == 179 || r->dst_port == 179) {
		out->class = MR_HOST_BGP;
		out->fresh = MR_HOST_BGP_NEW;
	} else if (r->src_port == 646 || r->dst_port == 646) {
		out->class = out->fresh = MR_HOST_LDP;
	} else if (r->src_port == 22 || r->dst_port == 22) {
		out->class = MR_HOST_SSH;
		out->fresh = MR_HOST_SSH_NEW;
	} else {
		out->class = MR_HOST_TCP;
		out->fresh = MR_HOST_TCP_NEW;
	}
}

static enum mr_host_class
classify_icmp4(unsigned type)
{
	switch (type) {
	case MR_ICMP4_ECHO:
		return MR_HOST_ECHO;
	case MR_ICMP4_UNREACHABLE:
	case 4: /* source quench */
	case MR_ICMP4_REDIRECT:
	case MR_ICMP4_TIME_EXCEEDED:
	case MR_ICMP4_PARAM_PROBLEM:
		return MR_HOST_ICMP_ERROR;
	default:
		return MR_HOST_ICMP_OTHER;
	}
}

static enum mr_host_class
classify_icmp6(unsigned type)
{
	if (type < 128)
		return MR_HOST_ICMP_ERROR;
	switch (type) {
	case MR_ICMP6_ECHO:
		return MR_HOST_ECHO;
	case MR_ICMP6_MLD_QUERY:
	case MR_ICMP6_MLD_REPORT:
	case MR_ICMP6_MLD_DONE:
	case MR_ICMP6_MLD2_REPORT:
		return MR_HOST_IGMP;
	case MR_ICMP6_ROUTER_SOLICIT:
	case MR_ICMP6_ROUTER_ADVERT:
	case MR_ICMP6_NEIGHBOR_SOLICIT:
	case MR_ICMP6_NEIGHBOR_ADVERT:
	case MR_ICMP6_REDIRECT:
		return MR_HOST_ND;
	default:
		return MR_HOST_ICMP_OTHER;
	}
}

static void
classify_proto(struct mr_host_packet *out, const struct mr_parsed *r)
{
	switch (r->proto) {
	case MR_IP_PROTO_TCP:
		classify_tcp(out, r);
		break;
	case MR_IP_PROTO_UDP:
		out->class = (uint8_t)classify_udp(r->src_port, r->dst_port);
		break;
	case MR_IP_PROTO_ICMP:
		out->class =
		    (uint8_t)(r->version == 4 ? classify_icmp4(r->icmp_type) : MR_HOST_OTHER);
		break;
	case MR_IP_PROTO_ICMP6:
		out->class =
		    (uint8_t)(r->version == 6 ? classify_icmp6(r->icmp_type) : MR_HOST_OTHER);
		break;
	case MR_IP_PROTO_IGMP:
		out->class = (uint8_t)(r->version == 4 ? MR_HOST_IGMP : MR_HOST_OTHER);
		break;
	case MR_IP_PROTO_OSPF:
		out->class = MR_HOST_OSPF;
		break;
	case MR_IP_PROTO_PIM:
		out->class = MR_HOST_PIM;
		break;
	case MR_IP_PROTO_VRRP:
		out->class = MR_HOST_VRRP;
		break;
	default:
		out->class = MR_HOST_OTHER;
	}
}

/* -- IP ---------------------------------------------------------------------------------- */

static enum mr_host_scope
scope4(const uint8_t *dst)
{
	if (dst[0] >> 4 != 14)
		return MR_HOST_UNICAST;
	return dst[0] == 224 && !dst[1] && !dst[2] ? MR_HOST_LINK_GROUP : MR_HOST_GROUP;
}

static enum mr_host_scope
scope6(const uint8_t *dst)
{
	if (dst[0] == 0xff)
		return (dst[1] & 15) == 2 ? MR_HOST_LINK_GROUP : MR_HOST_GROUP;
	return dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80 ? MR_HOST_LINK_LOCAL : MR_HOST_UNICAST;
}

/* Classes that packets with options keep: those protocols want them, or ours answer. */
static bool
keeps_options(unsigned class)
{
	return class == MR_HOST_IGMP || class == MR_HOST_ND || class == MR_HOST_ECHO ||
	    class == MR_HOST_FRAGMENTS || class == MR_HOST_OSPF || class == MR_HOST_PIM;
}

/* What is not whole in one segment, or wrong in a way of which the sender is to be told by those who
 * get it (RFC 8200, 4 and 4.5). */
static bool
goes_on(enum mr_parse_error rc)
{
	switch (rc) {
	case MR_PARSE_SPLIT:
	case MR_PARSE_IP6_EXT_MANY:
	case MR_PARSE_IP6_HOP_BY_HOP:
	case MR_PARSE_IP6_FRAGMENT_LENGTH:
	case MR_PARSE_IP6_FRAGMENT_END:
		return true;
	default:
		return false;
	}
}

static bool
classify_ip(struct mr_host_packet *out, const uint8_t *bytes, unsigned len, unsigned total,
    unsigned l3)
{
	enum mr_parse_error rc;
	struct mr_parsed r;

	rc = mr_parse_ip(&r, bytes, len, total, l3);
	if (rc != MR_PARSE_OK && !(r.version && goes_on(rc)))
		return false;
	if (r.version != out->family || len < l3 + (out->family == 4 ? 20u : 40u))
		return false;
	if (out->family == 4) {
		out->src = bytes + l3 + offsetof(struct mr_ip4, src);
		out->dst = bytes + l3 + offsetof(struct mr_ip4, dst);
		out->scope = (uint8_t)scope4(out->dst);
	} else {
		out->src = bytes + l3 + offsetof(struct mr_ip6, src);
		out->dst = bytes + l3 + offsetof(struct mr_ip6, dst);
		out->scope = (uint8_t)scope6(out->dst);
	}
	out->src_port = r.src_port;
	out->dst_port = r.dst_port;
	if (r.flags & (MR_PARSED_FRAGMENT | MR_PARSED_ATOMIC))
		out->class = MR_HOST_FRAGMENTS;
	else if (rc != MR_PARSE_OK)
		out->class = MR_HOST_OTHER; /* more headers than any of the others has */
	else
		classify_proto(out, &r);
	/* What extension headers ask for (RFC 8200, 4.2 and 4.4), the host does. */
	if (out->class == MR_HOST_ECHO && (r.flags & MR_PARSED_EXTENSIONS))
		out->class = MR_HOST_OPTIONS;
	if ((r.flags & MR_PARSED_OPTIONS) && !keeps_options(out->class)) {
		out->class = MR_HOST_OPTIONS;
		out->tcp = false;
	}
	return true;
}

/* -- Ethernet ---------------------------------------------------------------------------- */

/* IS-IS stands behind LLC with both SAPs 0xfe (ISO 10589, 8.4.8). */
static enum mr_host_class
classify_llc(const uint8_t *bytes, unsigned len, unsigned at)
{
	return len >= at + 3 && bytes[at] == 0xfe && bytes[at + 1] == 0xfe ? MR_HOST_ISIS
									   : MR_HOST_L2;
}

bool
mr_host_classify(struct mr_host_packet *out, const uint8_t *bytes, unsigned len, unsigned total)
{
	struct mr_parsed r;

	*out = (struct mr_host_packet){ .class = MR_HOST_L2 };
	if (mr_parse_l2(&r, bytes, len, total, 0) != MR_PARSE_OK)
		return false;
	out->tagged = r.vlan_count == 1;
	if (r.flags & MR_PARSED_LLC) {
		out->class = (uint8_t)classify_llc(bytes, len, r.l3);
		return true;
	}
	switch (r.ethertype) {
	case MR_ETH_TYPE_IP4:
		out->family = 4;
		return classify_ip(out, bytes, len, total, r.l3);
	case MR_ETH_TYPE_IP6:
		out->family = 6;
		return classify_ip(out, bytes, len, total, r.l3);
	case MR_ETH_TYPE_ARP:
		out->class = MR_HOST_ARP;
		return true;
	case MR_ETH_TYPE_LLDP:
		out->class = MR_HOST_LLDP;
		return true;
	case 0x8870: /* LLC in frames longer than its length field can say */
		out->class = (uint8_t)classify_llc(bytes, len, r.l3);
		return true;
	default:
		return true;
	}
}

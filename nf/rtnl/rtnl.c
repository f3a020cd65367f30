/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/rtnl/rtnl.h"

#include <linux/lwtunnel.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* Attributes between `at` and `end`, and what the last call of next() found. */
struct walk {
	const uint8_t *at, *end;
	const uint8_t *value;
	unsigned type, len;
};

static uint16_t
get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* True with the next attribute; false at the end, or with a fault. The last one may lack its
 * padding, and fewer than four bytes may follow it, which netlink permits. */
static bool
next(struct walk *w, enum mr_rtnl_fault *fault)
{
	size_t left = (size_t)(w->end - w->at), size;

	if (left < sizeof(struct rtattr))
		return false;
	size = get16(w->at);
	if (size < sizeof(struct rtattr) || size > left) {
		*fault = MR_RTNL_ATTRIBUTE;
		return false;
	}
	w->type = get16(w->at + 2) & NLA_TYPE_MASK;
	w->value = w->at + sizeof(struct rtattr);
	w->len = (unsigned)(size - sizeof(struct rtattr));
	size = MR_ALIGN_UP(size, (size_t)4);
	w->at = size < left ? w->at + size : w->end;
	return true;
}

static enum mr_rtnl_fault
read32(const struct walk *w, uint32_t *out)
{
	if (w->len != 4)
		return MR_RTNL_VALUE;
	*out = get32(w->value);
	return MR_RTNL_NONE;
}

static bool
family_of(unsigned af, uint8_t *family)
{
	if (af != AF_INET && af != AF_INET6)
		return false;
	*family = af == AF_INET ? MR_IP4 : MR_IP6;
	return true;
}

static unsigned
size_of(uint8_t family)
{
	return family == MR_IP4 ? 4 : 16;
}

static enum mr_rtnl_fault
read_address(const struct walk *w, uint8_t family, uint8_t out[16])
{
	if (w->len != size_of(family))
		return MR_RTNL_ADDRESS;
	memset(out, 0, 16);
	memcpy(out, w->value, w->len);
	return MR_RTNL_NONE;
}

static enum mr_rtnl_fault
read_gateway(const struct walk *w, uint8_t family, struct mr_rtnl_hop *hop)
{
	hop->gateway = true;
	hop->family = family;
	return read_address(w, family, hop->address);
}

/* RFC 8950: a gateway of another family than the route's. */
static enum mr_rtnl_fault
read_via(const struct walk *w, struct mr_rtnl_hop *hop)
{
	struct walk rest = *w;
	uint8_t family;

	if (w->len < 2)
		return MR_RTNL_VALUE;
	if (!family_of(get16(w->value), &family)) {
		hop->encapsulated = true; /* a gateway that IP cannot reach */
		return MR_RTNL_NONE;
	}
	rest.value += 2;
	rest.len -= 2;
	return read_gateway(&rest, family, hop);
}

static void
clear_hop(struct mr_rtnl_hop *hop)
{
	memset(hop, 0, sizeof(*hop));
	hop->weight = 1;
}

/* What a route and each of its next hops may say. */
static enum mr_rtnl_fault
read_hop_attribute(const struct walk *w, uint8_t family, struct mr_rtnl_hop *hop)
{
	switch (w->type) {
	case RTA_GATEWAY:
		return read_gateway(w, family, hop);
	case RTA_VIA:
		return read_via(w, hop);
	case RTA_ENCAP_TYPE:
		if (w->len != 2)
			return MR_RTNL_VALUE;
		if (get16(w->value) != LWTUNNEL_ENCAP_NONE)
			hop->encapsulated = true;
		return MR_RTNL_NONE;
	default:
		return MR_RTNL_NONE;
	}
}

/* struct rtnexthop, one after the other, each with attributes of its own. */
static enum mr_rtnl_fault
read_multipath(const struct walk *w, struct mr_rtnl *out)
{
	const uint8_t *at = w->value, *end = at + w->len;
	enum mr_rtnl_fault fault = MR_RTNL_NONE;

	out->route.hop_count = 0;
	while (!fault && end - at >= (ptrdiff_t)sizeof(struct rtnexthop)) {
		size_t size = get16(at), left = (size_t)(end - at);
		struct mr_rtnl_hop *hop;
		struct walk inner;

		if (size < sizeof(struct rtnexthop) || size > left)
			return MR_RTNL_ATTRIBUTE;
		if (out->route.hop_count == MR_RTNL_HOPS_MAX)
			return MR_RTNL_HOPS;
		hop = &out->hops[out->route.hop_count++];
		clear_hop(hop);
		hop->flags = at[offsetof(struct rtnexthop, rtnh_flags)];
		hop->weight = (uint16_t)(at[offsetof(struct rtnexthop, rtnh_hops)] + 1);
		hop->ifindex = get32(at + offsetof(struct rtnexthop, rtnh_ifindex));
		inner = (struct walk){ .at = at + sizeof(struct rtnexthop), .end = at + size };
		while (!fault && next(&inner, &fault))
			fault = read_hop_attribute(&inner, out->route.family, hop);
		size = MR_ALIGN_UP(size, (size_t)4);
		at = size < left ? at + size : end;
	}
	return fault;
}

/* Bits that a prefix of `len` bits does not have. */
static void
clear_host_bits(uint8_t prefix[16], unsigned len)
{
	for (unsigned i = len / 8; i < 16; i++)
		prefix[i] &= i == len / 8 ? (uint8_t)(0xff00 >> len % 8) : 0;
}

static enum mr_rtnl_fault
read_route(const uint8_t *body, const uint8_t *end, struct mr_rtnl *out)
{
	struct mr_rtnl_route *r = &out->route;
	enum mr_rtnl_fault fault = MR_RTNL_NONE;
	bool multipath = false;
	struct mr_rtnl_hop hop;
	struct rtmsg rtm;
	struct walk w;

	if (end - body < (ptrdiff_t)sizeof(rtm))
		return MR_RTNL_BODY;
	memcpy(&rtm, body, sizeof(rtm));
	memset(r, 0, sizeof(*r));
	if (!family_of(rtm.rtm_family, &r->family))
		return MR_RTNL_NONE;
	out->kind = MR_RTNL_ROUTE;
	if (rtm.rtm_dst_len > size_of(r->family) * 8)
		return MR_RTNL_PREFIX;
	r->len = rtm.rtm_dst_len;
	r->tos = rtm.rtm_tos;
	r->protocol = rtm.rtm_protocol;
	r->type = rtm.rtm_type;
	r->table = rtm.rtm_table;
	r->flags = rtm.rtm_flags;
	r->sourced = rtm.rtm_src_len != 0;
	clear_hop(&hop);
	hop.flags = (uint8_t)rtm.rtm_flags;
	w = (struct walk){ .at = body + sizeof(rtm), .end = end };
	while (!fault && next(&w, &fault)) {
		switch (w.type) {
		case RTA_DST:
			fault = read_address(&w, r->family, r->prefix);
			break;
		case RTA_OIF:
			fault = read32(&w, &hop.ifindex);
			break;
		case RTA_PRIORITY:
			fault = read32(&w, &r->metric);
			break;
		case RTA_TABLE:
			fault = read32(&w, &r->table);
			break;
		case RTA_NH_ID:
			fault = read32(&w, &r->nexthop);
			break;
		case RTA_MULTIPATH:
			multipath = true;
			fault = read_multipath(&w, out);
			break;
		default:
			fault = read_hop_attribute(&w, r->family, &hop);
		}
	}
	if (fault)
		return fault;
	clear_host_bits(r->prefix, r->len);
	if (!multipath && (hop.ifindex || hop.gateway)) {
		out->hops[0] = hop;
		r->hop_count = 1;
	}
	return MR_RTNL_NONE;
}

static enum mr_rtnl_fault
read_group(const struct walk *w, struct mr_rtnl *out)
{
	unsigned count = w->len / sizeof(struct nexthop_grp);

	if (w->len % sizeof(struct nexthop_grp))
		return MR_RTNL_VALUE;
	if (count > MR_RTNL_HOPS_MAX)
		return MR_RTNL_HOPS;
	for (unsigned i = 0; i < count; i++) {
		struct nexthop_grp grp;

		memcpy(&grp, w->value + i * sizeof(grp), sizeof(grp));
		out->members[i].id = grp.id;
		out->members[i].weight = (uint16_t)(grp.weight + 1);
	}
	out->nexthop.member_count = (uint16_t)count;
	return MR_RTNL_NONE;
}

static enum mr_rtnl_fault
read_nexthop(const uint8_t *body, const uint8_t *end, struct mr_rtnl *out)
{
	struct mr_rtnl_hop *hop = &out->hops[0];
	enum mr_rtnl_fault fault = MR_RTNL_NONE;
	uint8_t family = MR_IP4;
	struct nhmsg nhm;
	struct walk w;

	if (end - body < (ptrdiff_t)sizeof(nhm))
		return MR_RTNL_BODY;
	memcpy(&nhm, body, sizeof(nhm));
	/* Of groups it says nothing; of bridges' next hops it says AF_BRIDGE in an attribute. */
	(void)family_of(nhm.nh_family, &family);
	memset(&out->nexthop, 0, sizeof(out->nexthop));
	clear_hop(hop);
	hop->flags = (uint8_t)nhm.nh_flags;
	out->kind = MR_RTNL_NEXTHOP;
	w = (struct walk){ .at = body + sizeof(nhm), .end = end };
	while (!fault && next(&w, &fault)) {
		switch (w.type) {
		case NHA_ID:
			fault = read32(&w, &out->nexthop.id);
			break;
		case NHA_GROUP:
			fault = read_group(&w, out);
			break;
		case NHA_BLACKHOLE:
			hop->blackhole = true;
			break;
		case NHA_OIF:
			fault = read32(&w, &hop->ifindex);
			break;
		case NHA_GATEWAY:
			fault = read_gateway(&w, family, hop);
			break;
		case NHA_ENCAP_TYPE:
			if (w.len != 2)
				fault = MR_RTNL_VALUE;
			else if (get16(w.value) != LWTUNNEL_ENCAP_NONE)
				hop->encapsulated = true;
			break;
		case NHA_FDB:
			out->kind = MR_RTNL_OTHER;
			break;
		default:
			break;
		}
	}
	return fault;
}

static enum mr_rtnl_fault
read_link(const uint8_t *body, const uint8_t *end, struct mr_rtnl *out)
{
	enum mr_rtnl_fault fault = MR_RTNL_NONE;
	struct ifinfomsg info;
	struct walk w;

	if (end - body < (ptrdiff_t)sizeof(info))
		return MR_RTNL_BODY;
	memcpy(&info, body, sizeof(info));
	if (info.ifi_family != AF_UNSPEC)
		return MR_RTNL_NONE; /* what bridges say of their ports */
	memset(&out->link, 0, sizeof(out->link));
	out->kind = MR_RTNL_LINK;
	out->link.ifindex = (uint32_t)info.ifi_index;
	out->link.flags = info.ifi_flags;
	w = (struct walk){ .at = body + sizeof(info), .end = end };
	while (!fault && next(&w, &fault)) {
		if (w.type != IFLA_IFNAME)
			continue;
		if (w.len == 0 || w.len > sizeof(out->link.name) || w.value[w.len - 1])
			fault = MR_RTNL_VALUE;
		else
			memcpy(out->link.name, w.value, w.len);
	}
	return fault;
}

static enum mr_rtnl_fault
read_ifaddr(const uint8_t *body, const uint8_t *end, struct mr_rtnl *out)
{
	struct mr_rtnl_address *a = &out->address;
	enum mr_rtnl_fault fault = MR_RTNL_NONE;
	bool local = false;
	struct ifaddrmsg ifa;
	struct walk w;

	if (end - body < (ptrdiff_t)sizeof(ifa))
		return MR_RTNL_BODY;
	memcpy(&ifa, body, sizeof(ifa));
	memset(a, 0, sizeof(*a));
	if (!family_of(ifa.ifa_family, &a->family))
		return MR_RTNL_NONE;
	if (ifa.ifa_prefixlen > size_of(a->family) * 8)
		return MR_RTNL_PREFIX;
	out->kind = MR_RTNL_ADDRESS_OF;
	a->ifindex = ifa.ifa_index;
	a->len = ifa.ifa_prefixlen;
	w = (struct walk){ .at = body + sizeof(ifa), .end = end };
	while (!fault && next(&w, &fault)) {
		/* IFA_ADDRESS is the peer's where IFA_LOCAL is there too. */
		if (w.type == IFA_LOCAL || (w.type == IFA_ADDRESS && !local))
			fault = read_address(&w, a->family, a->bytes);
		local |= w.type == IFA_LOCAL;
	}
	return fault;
}

static enum mr_rtnl_fault
read_body(const uint8_t *body, const uint8_t *end, struct mr_rtnl *out)
{
	switch (out->type) {
	case NLMSG_DONE:
		out->kind = MR_RTNL_DONE;
		out->error = end - body >= 4 ? (int)get32(body) : 0;
		return MR_RTNL_NONE;
	case NLMSG_ERROR:
		out->kind = MR_RTNL_ERROR;
		if (end - body < 4)
			return MR_RTNL_BODY;
		out->error = (int)get32(body);
		return MR_RTNL_NONE;
	case NLMSG_OVERRUN:
		out->kind = MR_RTNL_OVERRUN;
		return MR_RTNL_NONE;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		out->deleted = out->type == RTM_DELROUTE;
		return read_route(body, end, out);
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		out->deleted = out->type == RTM_DELNEXTHOP;
		return read_nexthop(body, end, out);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		out->deleted = out->type == RTM_DELLINK;
		return read_link(body, end, out);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		out->deleted = out->type == RTM_DELADDR;
		return read_ifaddr(body, end, out);
	default:
		return MR_RTNL_NONE;
	}
}

enum mr_rtnl_fault
mr_rtnl_next(const uint8_t **at, size_t *left, struct mr_rtnl *out)
{
	struct nlmsghdr header;
	const uint8_t *message = *at;
	size_t size;

	if (*left < sizeof(header))
		return MR_RTNL_SHORT;
	memcpy(&header, message, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > *left)
		return MR_RTNL_LENGTH;
	out->kind = MR_RTNL_OTHER;
	out->deleted = false;
	out->error = 0;
	out->type = header.nlmsg_type;
	out->flags = header.nlmsg_flags;
	out->sequence = header.nlmsg_seq;
	out->sender = header.nlmsg_pid;
	size = MR_ALIGN_UP((size_t)header.nlmsg_len, (size_t)NLMSG_ALIGNTO);
	size = MR_MIN(size, *left);
	*at += size;
	*left -= size;
	return read_body(message + sizeof(header), message + header.nlmsg_len, out);
}

const char *
mr_rtnl_fault_name(enum mr_rtnl_fault fault)
{
	static const char *const names[] = {
#define X(name, text) text,
		MR_RTNL_FAULTS(X)
#undef X
	};

	return fault < MR_RTNL_FAULT_COUNT ? names[fault] : "unknown";
}

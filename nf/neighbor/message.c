/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/neighbor/message.h"

#include <string.h>

#include "kit/packet/checksum.h"

const uint8_t neighbor_all_nodes[16] = { 0xff, 2, [15] = 1 };
const uint8_t neighbor_unspecified[16];

enum nd_option {
	ND_SOURCE_MAC = 1,
	ND_TARGET_MAC = 2,
	ND_NONCE = 14,
};

static bool
unicast_mac(const uint8_t *mac)
{
	return !mr_eth_is_multicast(mac) && !mr_eth_is_zero(mac);
}

/* An address that may speak: not a group's, broadcast, 0.0.0.0/8 (but 0.0.0.0) or loopback. */
static bool
sender4(const uint8_t *a)
{
	return mr_load_be32(a) == 0 || (a[0] != 0 && a[0] != 127 && a[0] < 224);
}

/* -- reading ---------------------------------------------------------------------------- */

enum neighbor_flaw
neighbor_read_arp(const uint8_t *bytes, unsigned len, unsigned l3, struct neighbor_message *m)
{
	static const uint8_t fixed[6] = { 0, MR_ARP_ETHERNET, 8, 0, 6, 4 };
	const struct mr_arp *arp = (const struct mr_arp *)(bytes + l3);
	unsigned op;

	memset(m, 0, sizeof(*m));
	if (len < l3 + sizeof(*arp))
		return NEIGHBOR_FLAW_SHORT;
	op = mr_be16(arp->op);
	if (memcmp(arp, fixed, sizeof(fixed)) || (op != MR_ARP_REQUEST && op != MR_ARP_REPLY))
		return NEIGHBOR_FLAW_FORMAT;
	m->family = MR_IP4;
	m->kind = op == MR_ARP_REQUEST ? NEIGHBOR_ASK : NEIGHBOR_ANSWER;
	memcpy(m->source, &arp->sender_ip, 4);
	memcpy(m->target, &arp->target_ip, 4);
	memcpy(m->to, &arp->target_ip, 4);
	memcpy(m->mac, arp->sender_mac, 6);
	m->has_mac = true;
	m->unspecified = arp->sender_ip == 0;
	if (!unicast_mac(m->mac) || !sender4(m->source) || !sender4(m->target))
		return NEIGHBOR_FLAW_SENDER;
	/* "This is me": in a request as well as in a reply (RFC 5227, 3). */
	if (arp->sender_ip == arp->target_ip && !m->unspecified)
		m->kind = NEIGHBOR_ANSWER;
	if (m->kind == NEIGHBOR_ANSWER) {
		if (m->unspecified)
			return NEIGHBOR_FLAW_SENDER;
		memcpy(m->target, m->source, 4);
		m->solicited = arp->sender_ip != arp->target_ip;
		m->override = true;
	}
	return NEIGHBOR_FLAW_VALID;
}

static enum neighbor_flaw
read_options(const uint8_t *at, unsigned len, unsigned mac_type, struct neighbor_message *m)
{
	while (len) {
		unsigned size;

		if (len < 8)
			return NEIGHBOR_FLAW_OPTION;
		size = at[1] * 8u;
		if (!size || size > len)
			return NEIGHBOR_FLAW_OPTION;
		if (at[0] == mac_type && size == 8 && !m->has_mac) {
			memcpy(m->mac, at + 2, 6);
			m->has_mac = true;
		} else if (at[0] == ND_NONCE && size == 8) {
			memcpy(m->nonce, at + 2, 6);
			m->has_nonce = true;
		}
		at += size;
		len -= size;
	}
	return NEIGHBOR_FLAW_VALID;
}

static bool
checksum_good(const struct mr_ip6 *ip, const uint8_t *icmp, unsigned len)
{
	uint64_t sum = mr_checksum_pseudo6(ip->src, ip->dst, MR_IP_PROTO_ICMP6, len);

	return mr_checksum_fold(mr_checksum_add(sum, icmp, len)) == UINT16_MAX;
}

struct nd_type {
	uint8_t kind;
	uint8_t fixed; /* bytes before the options */
	uint8_t mac;   /* the option that tells an address */
	bool target, link_local;
};

static const struct nd_type nd_types[] = {
	[MR_ICMP6_ROUTER_SOLICIT - 133] = { NEIGHBOR_ROUTER_ASK, 8, ND_SOURCE_MAC, false, false },
	[MR_ICMP6_ROUTER_ADVERT - 133] = { NEIGHBOR_ROUTER_ANSWER, 16, ND_SOURCE_MAC, false, true },
	[MR_ICMP6_NEIGHBOR_SOLICIT - 133] = { NEIGHBOR_ASK, 24, ND_SOURCE_MAC, true, false },
	[MR_ICMP6_NEIGHBOR_ADVERT - 133] = { NEIGHBOR_ANSWER, 24, ND_TARGET_MAC, true, false },
	[MR_ICMP6_REDIRECT - 133] = { NEIGHBOR_REDIRECT, 40, ND_TARGET_MAC, true, true },
};

/* What holds for a message as a whole, its options known. */
static enum neighbor_flaw
check_nd(const struct neighbor_message *m)
{
	static const uint8_t group[13] = { 0xff, 2, [11] = 1, 0xff };

	if (m->kind == NEIGHBOR_ASK && m->unspecified &&
	    (m->has_mac || memcmp(m->to, group, sizeof(group)) != 0))
		return NEIGHBOR_FLAW_UNSPECIFIED;
	if (m->kind == NEIGHBOR_ROUTER_ASK && m->unspecified && m->has_mac)
		return NEIGHBOR_FLAW_UNSPECIFIED;
	if (m->kind == NEIGHBOR_ANSWER && m->group && m->solicited)
		return NEIGHBOR_FLAW_SOLICITED;
	if (m->has_mac && !unicast_mac(m->mac))
		return NEIGHBOR_FLAW_SENDER;
	/* All but a question whose source is not yet anybody's. */
	if (mr_ip6_is_multicast(m->source) ||
	    (m->unspecified && m->kind != NEIGHBOR_ASK && m->kind != NEIGHBOR_ROUTER_ASK))
		return NEIGHBOR_FLAW_SENDER;
	return NEIGHBOR_FLAW_VALID;
}

enum neighbor_flaw
neighbor_read_nd(const uint8_t *bytes, unsigned len, unsigned l3, bool checked,
    struct neighbor_message *m)
{
	const struct mr_ip6 *ip = (const struct mr_ip6 *)(bytes + l3);
	const uint8_t *icmp = bytes + l3 + sizeof(*ip);
	const struct nd_type *type;
	enum neighbor_flaw flaw;
	unsigned size, flags;

	memset(m, 0, sizeof(*m));
	if (len < l3 + sizeof(*ip) + 8)
		return NEIGHBOR_FLAW_SHORT;
	size = mr_be16(ip->payload_len);
	if (size < 8 || size > len - l3 - sizeof(*ip))
		return NEIGHBOR_FLAW_SHORT;
	if (ip->next != MR_IP_PROTO_ICMP6 || icmp[0] < MR_ICMP6_ROUTER_SOLICIT ||
	    icmp[0] > MR_ICMP6_REDIRECT)
		return NEIGHBOR_FLAW_FORMAT;
	if (ip->hop_limit != 255)
		return NEIGHBOR_FLAW_HOP_LIMIT;
	if (!checked && !checksum_good(ip, icmp, size))
		return NEIGHBOR_FLAW_CHECKSUM;
	if (icmp[1] != 0)
		return NEIGHBOR_FLAW_CODE;
	type = &nd_types[icmp[0] - MR_ICMP6_ROUTER_SOLICIT];
	if (size < type->fixed)
		return NEIGHBOR_FLAW_LENGTH;
	m->family = MR_IP6;
	m->kind = type->kind;
	memcpy(m->source, ip->src, 16);
	memcpy(m->to, ip->dst, 16);
	m->unspecified = memcmp(ip->src, neighbor_unspecified, 16) == 0;
	m->group = mr_ip6_is_multicast(ip->dst);
	flags = mr_load_be32(icmp + 4);
	if (type->target) {
		memcpy(m->target, icmp + 8, 16);
		if (mr_ip6_is_multicast(m->target))
			return NEIGHBOR_FLAW_TARGET;
	}
	if (m->kind == NEIGHBOR_ANSWER) {
		m->router = flags & NEIGHBOR_FLAG_ROUTER;
		m->solicited = flags & NEIGHBOR_FLAG_SOLICITED;
		m->override = flags & NEIGHBOR_FLAG_OVERRIDE;
	}
	if (type->link_local && !neighbor_is_link_local(m->source))
		return NEIGHBOR_FLAW_NOT_LOCAL;
	flaw = read_options(icmp + type->fixed, size - type->fixed, type->mac, m);
	return flaw ? flaw : check_nd(m);
}

/* -- writing ---------------------------------------------------------------------------- */

void
neighbor_solicited_node(uint8_t group[16], const uint8_t address[16])
{
	static const uint8_t prefix[13] = { 0xff, 2, [11] = 1, 0xff };

	memcpy(group, prefix, 13);
	memcpy(group + 13, address + 13, 3);
}

void
neighbor_group_mac(uint8_t mac[6], const uint8_t group[16])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}

unsigned
neighbor_write_ethernet(uint8_t *frame, const struct mr_ip_interface *i, const uint8_t dst[6],
    unsigned type)
{
	unsigned at = 12;

	memcpy(frame, dst, 6);
	mr_ip_mac_copy(i, frame + 6);
	if (mr_ip_vlan(i)) {
		mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(frame + 14, mr_ip_vlan(i));
		at += 4;
	}
	mr_store_be16(frame + at, (uint16_t)type);
	return at + 2;
}

unsigned
neighbor_write_arp(uint8_t *frame, const struct mr_ip_interface *i, enum mr_arp_op op,
    const uint8_t dst[6], const uint8_t source[4], const uint8_t target_mac[6],
    const uint8_t target[4])
{
	unsigned l3 = neighbor_write_ethernet(frame, i, dst, MR_ETH_TYPE_ARP);
	struct mr_arp *arp = (struct mr_arp *)(frame + l3);
	unsigned len = l3 + (unsigned)sizeof(*arp);

	arp->hardware = mr_be16(MR_ARP_ETHERNET);
	arp->protocol = mr_be16(MR_ETH_TYPE_IP4);
	arp->hardware_size = 6;
	arp->protocol_size = 4;
	arp->op = mr_be16(op);
	mr_ip_mac_copy(i, arp->sender_mac);
	memcpy(&arp->sender_ip, source, 4);
	memcpy(arp->target_mac, target_mac, 6);
	memcpy(&arp->target_ip, target, 4);
	if (len < MR_ETH_MIN)
		memset(frame + len, 0, MR_ETH_MIN - len);
	return MR_MAX(len, MR_ETH_MIN);
}

void
neighbor_write_ip6(uint8_t *frame, unsigned l3, const uint8_t source[16], const uint8_t to[16],
    unsigned icmp_len)
{
	struct mr_ip6 *ip = (struct mr_ip6 *)(frame + l3);
	uint8_t *icmp = frame + l3 + sizeof(*ip);
	be16_t check = 0;
	uint64_t sum;

	ip->version_class_flow = mr_be32(6u << 28);
	ip->payload_len = mr_be16(icmp_len);
	ip->next = MR_IP_PROTO_ICMP6;
	ip->hop_limit = 255;
	memcpy(ip->src, source, 16);
	memcpy(ip->dst, to, 16);
	memcpy(icmp + 2, &check, 2);
	sum = mr_checksum_pseudo6(source, to, MR_IP_PROTO_ICMP6, icmp_len);
	check = mr_checksum_finish(mr_checksum_add(sum, icmp, icmp_len));
	memcpy(icmp + 2, &check, 2);
}

static uint8_t *
write_option(uint8_t *at, enum nd_option type, const void *six)
{
	at[0] = type;
	at[1] = 1;
	memcpy(at + 2, six, 6);
	return at + 8;
}

static uint8_t *
write_nd(uint8_t *frame, unsigned l3, unsigned type, uint32_t flags, const uint8_t target[16])
{
	uint8_t *icmp = frame + l3 + sizeof(struct mr_ip6);

	memset(icmp, 0, 4);
	icmp[0] = (uint8_t)type;
	mr_store_be32(icmp + 4, flags);
	memcpy(icmp + 8, target, 16);
	return icmp + 24;
}

unsigned
neighbor_write_solicit(uint8_t *frame, const struct mr_ip_interface *i, const uint8_t dst[6],
    const uint8_t source[16], const uint8_t target[16], bool with_mac, const uint8_t nonce[6])
{
	uint8_t group[16], mac[6];
	unsigned l3, len;
	uint8_t *end;

	neighbor_solicited_node(group, target);
	neighbor_group_mac(mac, group);
	l3 = neighbor_write_ethernet(frame, i, dst ? dst : mac, MR_ETH_TYPE_IP6);
	end = write_nd(frame, l3, MR_ICMP6_NEIGHBOR_SOLICIT, 0, target);
	if (with_mac) {
		mr_ip_mac_copy(i, mac);
		end = write_option(end, ND_SOURCE_MAC, mac);
	}
	if (nonce)
		end = write_option(end, ND_NONCE, nonce);
	len = (unsigned)(end - frame);
	neighbor_write_ip6(frame, l3, source, dst ? target : group,
	    len - l3 - (unsigned)sizeof(struct mr_ip6));
	return len;
}

unsigned
neighbor_write_advert(uint8_t *frame, const struct mr_ip_interface *i, const uint8_t dst[6],
    const uint8_t source[16], const uint8_t to[16], const uint8_t target[16], uint32_t flags)
{
	unsigned l3 = neighbor_write_ethernet(frame, i, dst, MR_ETH_TYPE_IP6), len;
	uint8_t *end = write_nd(frame, l3, MR_ICMP6_NEIGHBOR_ADVERT, flags, target), mac[6];

	mr_ip_mac_copy(i, mac);
	end = write_option(end, ND_TARGET_MAC, mac);
	len = (unsigned)(end - frame);
	neighbor_write_ip6(frame, l3, source, to, len - l3 - (unsigned)sizeof(struct mr_ip6));
	return len;
}

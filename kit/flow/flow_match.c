/* SPDX-License-Identifier: Apache-2.0 */

/* Which rule a packet matches. */

#include <string.h>

#include "kit/flow/flow_int.h"

static bool
has_ports(const struct mr_parsed *r)
{
	if (!(r->flags & MR_PARSED_L4))
		return false;
	return r->proto == MR_IP_PROTO_TCP || r->proto == MR_IP_PROTO_UDP ||
	    r->proto == MR_IP_PROTO_SCTP || r->proto == MR_IP_PROTO_ICMP ||
	    r->proto == MR_IP_PROTO_ICMP6;
}

void
flow_read(struct flow_packet *f, const struct mr_packet *p, enum mr_parse_error broken)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct mr_parsed *r = &f->parsed;

	f->port = p->port;
	f->mac[0] = f->mac[1] = 0;
	if (p->len >= sizeof(struct mr_eth)) {
		memcpy(&f->mac[0], bytes, 6);
		memcpy(&f->mac[1], bytes + 6, 6);
	}
	f->tci = r->vlan_count ? mr_be16(r->vlan[0]) : 0;
	if (broken)
		r->version = 0;
	f->tos = 0;
	if (r->version == 4)
		f->tos = bytes[r->l3 + 1];
	else if (r->version == 6)
		f->tos = (uint8_t)(mr_load_be16(bytes + r->l3) >> 4);
	f->has_ports = r->version && has_ports(r);
	f->sport = f->dport = 0;
	if (!f->has_ports)
		return;
	if (r->proto == MR_IP_PROTO_ICMP || r->proto == MR_IP_PROTO_ICMP6) {
		f->sport = r->icmp_type;
		f->dport = r->icmp_code;
	} else {
		f->sport = r->src_port;
		f->dport = r->dst_port;
	}
}

static bool
same(const uint8_t *bytes, const uint8_t *value, const uint8_t *mask, unsigned size)
{
	unsigned differs = 0;

	for (unsigned i = 0; i < size; i++)
		differs |= (unsigned)((bytes[i] & mask[i]) ^ value[i]);
	return !differs;
}

static bool
network_matches(const struct flow_pattern *w, const struct flow_packet *f, const uint8_t *bytes)
{
	const struct mr_parsed *r = &f->parsed;
	unsigned size = r->version == 4 ? 4 : 16, src = r->version == 4 ? 12 : 8;

	if (!w->family && !w->any_network)
		return true;
	if (!r->version || (w->family && w->family != r->version))
		return false;
	if ((r->proto & w->proto_mask) != w->proto || (f->tos & w->tos_mask) != w->tos)
		return false;
	if (w->family &&
	    (!same(bytes + r->l3 + src, w->src, w->src_mask, size) ||
		!same(bytes + r->l3 + src + size, w->dst, w->dst_mask, size)))
		return false;
	if (w->tcp_flags_mask &&
	    (!f->has_ports || (r->tcp_flags & w->tcp_flags_mask) != w->tcp_flags))
		return false;
	if (!w->ports)
		return true;
	return f->has_ports && (f->sport & w->sport_mask) >= w->sport_lo &&
	    (f->sport & w->sport_mask) <= w->sport_hi &&
	    (f->dport & w->dport_mask) >= w->dport_lo && (f->dport & w->dport_mask) <= w->dport_hi;
}

bool
flow_matches(const struct flow_rule *rule, const struct flow_packet *f, const uint8_t *bytes)
{
	const struct flow_pattern *w = &rule->pattern;

	if (w->port != FLOW_PORT_ANY && w->port != f->port)
		return false;
	if ((f->mac[0] & w->mac_mask[0]) != w->mac[0] || (f->mac[1] & w->mac_mask[1]) != w->mac[1])
		return false;
	if ((mr_be16(f->parsed.ethertype) & w->type_mask) != w->type)
		return false;
	if (w->tagged && (!f->parsed.vlan_count || (f->tci & w->tci_mask) != w->tci))
		return false;
	return network_matches(w, f, bytes);
}

void
flow_key(struct mr_class_key *k, const struct flow_packet *f, const uint8_t *bytes, unsigned group)
{
	const struct mr_parsed *r = &f->parsed;
	uint32_t extra = FLOW_EXTRA_GROUP(group) | FLOW_EXTRA_PORT(f->port & (MR_PORT_MAX - 1));

	memset(k, 0, sizeof(*k));
	if (!r->version)
		return;
	if (r->version == 4) {
		memcpy(k->src, bytes + r->l3 + 12, 4);
		memcpy(k->dst, bytes + r->l3 + 16, 4);
	} else {
		memcpy(k->src, bytes + r->l3 + 8, 16);
		memcpy(k->dst, bytes + r->l3 + 24, 16);
	}
	if (r->vlan_count)
		extra |= FLOW_EXTRA_TAGGED | FLOW_EXTRA_VLAN(mr_be16(f->tci) & 0xfff);
	if (f->has_ports)
		extra |= FLOW_EXTRA_L4;
	k->sport = f->sport;
	k->dport = f->dport;
	k->proto = r->proto;
	k->family = r->version;
	k->extra = extra;
}

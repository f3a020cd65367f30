/* SPDX-License-Identifier: Apache-2.0 */

/* Rules as the configuration says them. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/packet/wire.h"
#include "nf/flows/flows_int.h"

/* -- patterns ------------------------------------------------------------------------------------ */

/* An address, or a prefix with its mask. 4 or 6. */
static unsigned
read_address(const char *given, uint8_t bytes[16], uint8_t mask[16])
{
	char text[64], *slash;
	unsigned family, bits;

	snprintf(text, sizeof(text), "%s", given);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	family = inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 4;
	if (family == 4 && inet_pton(AF_INET, text, bytes) != 1)
		return 0;
	bits = slash ? (unsigned)atoi(slash + 1) : family == 4 ? 32u : 128u;
	for (unsigned i = 0; mask && i < 16; i++) {
		unsigned here = MR_MIN(bits > 8 * i ? bits - 8 * i : 0, 8u);

		mask[i] = (uint8_t)(0xff00u >> here);
		bytes[i] &= mask[i];
	}
	return family;
}

static unsigned
protocol_of(const struct mr_conf *match)
{
	static const struct {
		const char *name;
		unsigned number;
	} known[] = {
		{ "tcp", MR_IP_PROTO_TCP },
		{ "udp", MR_IP_PROTO_UDP },
		{ "sctp", MR_IP_PROTO_SCTP },
		{ "icmp", MR_IP_PROTO_ICMP },
		{ "icmpv6", MR_IP_PROTO_ICMP6 },
	};
	const char *text = mr_conf_text(match, "protocol", NULL);

	for (unsigned i = 0; text && i < MR_ARRAY_COUNT(known); i++)
		if (strcmp(text, known[i].name) == 0)
			return known[i].number;
	return text ? (unsigned)atoi(text) : 256;
}

static enum mr_flow_item_type
item_of(unsigned protocol)
{
	switch (protocol) {
	case MR_IP_PROTO_TCP:
		return MR_FLOW_ITEM_TCP;
	case MR_IP_PROTO_UDP:
		return MR_FLOW_ITEM_UDP;
	case MR_IP_PROTO_SCTP:
		return MR_FLOW_ITEM_SCTP;
	case MR_IP_PROTO_ICMP:
		return MR_FLOW_ITEM_ICMP;
	case MR_IP_PROTO_ICMP6:
		return MR_FLOW_ITEM_ICMP6;
	default:
		return MR_FLOW_ITEM_END;
	}
}

static bool
read_ports(const struct mr_conf *match, const char *leaf, be16_t *lo, be16_t *hi, be16_t *mask)
{
	const char *text = mr_conf_text(match, leaf, NULL);
	unsigned first, last;

	if (!text || !mr_ranges_next(&text, &first, &last))
		return true;
	if (first > UINT16_MAX || last > UINT16_MAX || first > last)
		return false;
	*lo = mr_be16((uint16_t)first);
	*hi = mr_be16((uint16_t)last);
	*mask = 0xffff;
	return true;
}

/* 4 or 6; 0: any; -1: two that exclude each other. */
static int
family_of(const struct mr_conf *match)
{
	static const char *const leaves[] = { "source", "destination" };
	const char *said = mr_conf_text(match, "family", NULL);
	unsigned protocol = protocol_of(match);
	uint8_t bytes[16];
	int family = said ? (strcmp(said, "ipv4") == 0 ? 4 : 6) : 0;
	int more[3] = { 0 };

	for (unsigned i = 0; i < 2; i++)
		if (mr_conf_text(match, leaves[i], NULL))
			more[i] =
			    (int)read_address(mr_conf_text(match, leaves[i], ""), bytes, NULL);
	if (protocol == MR_IP_PROTO_ICMP || protocol == MR_IP_PROTO_ICMP6)
		more[2] = protocol == MR_IP_PROTO_ICMP ? 4 : 6;
	for (unsigned i = 0; i < 3; i++) {
		if (more[i] && family && more[i] != family)
			return -1;
		family = more[i] ? more[i] : family;
	}
	return family;
}

static void
read_network(struct flows_pattern *p, const struct mr_conf *match)
{
	const char *source = mr_conf_text(match, "source", NULL);
	const char *destination = mr_conf_text(match, "destination", NULL);
	int family = family_of(match);
	unsigned protocol = protocol_of(match);
	uint8_t src[16] = { 0 }, dst[16] = { 0 }, src_mask[16] = { 0 }, dst_mask[16] = { 0 };
	uint8_t tos = (uint8_t)mr_conf_uint(match, "tos", 0);
	uint8_t tos_mask = mr_conf_present(match, "tos") ? 255 : 0;
	/* One that has an item of its own is that one's. */
	uint8_t proto_mask = protocol < 256 && !p->l4 ? 255 : 0;

	if (source)
		read_address(source, src, src_mask);
	if (destination)
		read_address(destination, dst, dst_mask);
	p->ip4 = family == 4;
	p->ip6 = family == 6;
	if (p->ip4) {
		memcpy(&p->four.src, src, 4);
		memcpy(&p->four.dst, dst, 4);
		memcpy(&p->four_mask.src, src_mask, 4);
		memcpy(&p->four_mask.dst, dst_mask, 4);
		p->four.proto = proto_mask & (uint8_t)protocol;
		p->four_mask.proto = proto_mask;
		p->four.tos = tos;
		p->four_mask.tos = tos_mask;
	} else if (p->ip6) {
		memcpy(p->six.src, src, 16);
		memcpy(p->six.dst, dst, 16);
		memcpy(p->six_mask.src, src_mask, 16);
		memcpy(p->six_mask.dst, dst_mask, 16);
		p->six.proto = proto_mask & (uint8_t)protocol;
		p->six_mask.proto = proto_mask;
		p->six.tos = tos;
		p->six_mask.tos = tos_mask;
	}
}

static void
read_pattern(struct flows_pattern *p, const struct mr_conf *match,
    const struct mr_interfaces *interfaces)
{
	const char *name = mr_conf_text(match, "interface", NULL);
	const struct mr_interface *i = name ? mr_interface_find(interfaces, name) : NULL;

	p->port = name != NULL;
	p->at.port = i ? i->index : MR_PORT_MAX;
	if (mr_conf_mac(match, "source-mac", p->mac.src)) {
		memset(p->mac_mask.src, 255, 6);
		p->eth = true;
	}
	if (mr_conf_mac(match, "destination-mac", p->mac.dst)) {
		memset(p->mac_mask.dst, 255, 6);
		p->eth = true;
	}
	if (mr_conf_present(match, "ethertype")) {
		p->mac.type = mr_be16((uint16_t)mr_conf_uint(match, "ethertype", 0));
		p->mac_mask.type = 0xffff;
		p->eth = true;
	}
	p->vlan = mr_conf_present(match, "vlan");
	p->tag.tci = mr_be16((uint16_t)mr_conf_uint(match, "vlan", 0));
	p->l4 = item_of(protocol_of(match));
	read_network(p, match);
	read_ports(match, "source-port", &p->ports.src, &p->ports_last.src, &p->ports_mask.src);
	read_ports(match, "destination-port", &p->ports.dst, &p->ports_last.dst,
	    &p->ports_mask.dst);
	p->icmp.type = (uint8_t)mr_conf_uint(match, "icmp-type", 0);
	p->icmp_mask.type = mr_conf_present(match, "icmp-type") ? 255 : 0;
}

void
flows_conf_items(const struct flows_pattern *p, struct mr_flow_item items[8])
{
	bool icmp = p->l4 == MR_FLOW_ITEM_ICMP || p->l4 == MR_FLOW_ITEM_ICMP6;
	unsigned n = 0;

	memset(items, 0, 8 * sizeof(*items));
	if (p->port)
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_PORT, &p->at, NULL, NULL };
	if (p->eth)
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_ETH, &p->mac, NULL, &p->mac_mask };
	if (p->vlan)
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_VLAN, &p->tag, NULL, NULL };
	if (p->ip4)
		items[n++] =
		    (struct mr_flow_item){ MR_FLOW_ITEM_IP4, &p->four, NULL, &p->four_mask };
	if (p->ip6)
		items[n++] = (struct mr_flow_item){ MR_FLOW_ITEM_IP6, &p->six, NULL, &p->six_mask };
	if (icmp)
		items[n++] = (struct mr_flow_item){ p->l4, &p->icmp, NULL, &p->icmp_mask };
	else if (p->l4)
		items[n++] =
		    (struct mr_flow_item){ p->l4, &p->ports, &p->ports_last, &p->ports_mask };
}

/* -- actions ------------------------------------------------------------------------------------ */

static struct mr_flow_action *
append(struct flows_rule *r, unsigned *n, enum mr_flow_action_type type, uint32_t number)
{
	struct mr_flow_action *a = &r->actions[(*n)++];

	a->type = type;
	a->number = number;
	return a;
}

static void
set_address(struct flows_rule *r, unsigned *n, const struct mr_conf *set, const char *leaf,
    enum mr_flow_action_type four, enum mr_flow_action_type six)
{
	const char *text = mr_conf_text(set, leaf, NULL);
	uint8_t bytes[16] = { 0 };

	if (text)
		memcpy(append(r, n, read_address(text, bytes, NULL) == 4 ? four : six, 0)->bytes,
		    bytes, 16);
}

static void
read_sets(struct flows_rule *r, unsigned *n, const struct mr_conf *set)
{
	uint8_t mac[6];

	if (mr_conf_mac(set, "source-mac", mac))
		memcpy(append(r, n, MR_FLOW_ACTION_SET_SRC_MAC, 0)->bytes, mac, 6);
	if (mr_conf_mac(set, "destination-mac", mac))
		memcpy(append(r, n, MR_FLOW_ACTION_SET_DST_MAC, 0)->bytes, mac, 6);
	set_address(r, n, set, "source", MR_FLOW_ACTION_SET_SRC_IP4, MR_FLOW_ACTION_SET_SRC_IP6);
	set_address(r, n, set, "destination", MR_FLOW_ACTION_SET_DST_IP4,
	    MR_FLOW_ACTION_SET_DST_IP6);
	if (mr_conf_present(set, "source-port"))
		append(r, n, MR_FLOW_ACTION_SET_SRC_PORT,
		    (uint32_t)mr_conf_uint(set, "source-port", 0));
	if (mr_conf_present(set, "destination-port"))
		append(r, n, MR_FLOW_ACTION_SET_DST_PORT,
		    (uint32_t)mr_conf_uint(set, "destination-port", 0));
}

static void
read_fate(struct flows_rule *r, unsigned *n, const struct mr_conf *rule,
    const struct mr_interfaces *interfaces)
{
	const char *action = mr_conf_text(rule, "action", "pass");
	const struct mr_interface *to;

	if (strcmp(action, "drop") == 0) {
		append(r, n, MR_FLOW_ACTION_DROP, 0);
	} else if (strcmp(action, "output") == 0) {
		to = mr_interface_find(interfaces, mr_conf_text(rule, "to", ""));
		append(r, n, MR_FLOW_ACTION_OUTPUT, to ? to->index : MR_PORT_MAX);
	} else if (strcmp(action, "jump") == 0) {
		append(r, n, MR_FLOW_ACTION_JUMP, (uint32_t)mr_conf_uint(rule, "to-group", 0));
	} else {
		append(r, n, MR_FLOW_ACTION_PASS, 0);
	}
}

void
flows_conf_read(struct flows_rule *r, const struct mr_conf *rule,
    const struct mr_interfaces *interfaces)
{
	unsigned n = 0;

	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", mr_conf_key(rule));
	snprintf(r->meter, sizeof(r->meter), "%s", mr_conf_text(rule, "meter", ""));
	r->attr.group = (uint32_t)mr_conf_uint(rule, "group", 0);
	r->attr.priority = (uint32_t)mr_conf_uint(rule, "priority", 0);
	read_pattern(&r->pattern, mr_conf_child(rule, "match"), interfaces);
	append(r, &n, MR_FLOW_ACTION_COUNT, 0);
	if (r->meter[0])
		append(r, &n, MR_FLOW_ACTION_METER, 0);
	if (mr_conf_present(rule, "mark"))
		append(r, &n, MR_FLOW_ACTION_MARK, (uint32_t)mr_conf_uint(rule, "mark", 0));
	if (mr_conf_bool(rule, "decrement-ttl", false))
		append(r, &n, MR_FLOW_ACTION_DEC_TTL, 0);
	read_sets(r, &n, mr_conf_child(rule, "set"));
	if (mr_conf_bool(rule, "pop-vlan", false))
		append(r, &n, MR_FLOW_ACTION_POP_VLAN, 0);
	if (mr_conf_present(rule, "push-vlan"))
		append(r, &n, MR_FLOW_ACTION_PUSH_VLAN,
		    (uint32_t)mr_conf_uint(rule, "push-vlan", 0));
	read_fate(r, &n, rule, interfaces);
}

/* -- what is wrong -------------------------------------------------------------------------------- */

static bool
has_ports(unsigned protocol)
{
	return protocol == MR_IP_PROTO_TCP || protocol == MR_IP_PROTO_UDP ||
	    protocol == MR_IP_PROTO_SCTP;
}

static void
check_match(struct mr_report *report, const struct mr_config *config, const struct mr_conf *match)
{
	static const char *const leaves[] = { "source-port", "destination-port" };
	unsigned protocol = protocol_of(match);
	be16_t lo, hi, mask;
	int family = family_of(match);

	if (family < 0)
		mr_report_at(report, config, match,
		    "family, source, destination and protocol are not of one IP version");
	for (unsigned i = 0; i < 2; i++) {
		const struct mr_conf *at = mr_conf_child(match, leaves[i]);

		if (!at)
			continue;
		if (!has_ports(protocol))
			mr_report_at(report, config, at,
			    "only with protocol tcp, udp or sctp are there ports");
		if (!read_ports(match, leaves[i], &lo, &hi, &mask))
			mr_report_at(report, config, at, "\"%s\" is no range of ports",
			    mr_conf_value(at));
	}
	if (mr_conf_present(match, "icmp-type") && protocol != MR_IP_PROTO_ICMP &&
	    protocol != MR_IP_PROTO_ICMP6)
		mr_report_at(report, config, mr_conf_child(match, "icmp-type"),
		    "only with protocol icmp or icmpv6 is there a type");
	if ((protocol < 256 && !item_of(protocol)) && family == 0)
		mr_report_at(report, config, mr_conf_child(match, "protocol"),
		    "protocol %u needs a family", protocol);
	if (mr_conf_present(match, "tos") && family == 0)
		mr_report_at(report, config, mr_conf_child(match, "tos"), "tos needs a family");
	if (mr_conf_present(match, "ethertype") && family > 0)
		mr_report_at(report, config, mr_conf_child(match, "ethertype"),
		    "says what the IP version says already");
}

void
flows_conf_check(struct mr_report *report, const struct mr_config *config,
    const struct mr_conf *rule)
{
	const char *action = mr_conf_text(rule, "action", "pass");
	bool output = strcmp(action, "output") == 0, jump = strcmp(action, "jump") == 0;
	const struct mr_conf *match = mr_conf_child(rule, "match");

	if (match)
		check_match(report, config, match);
	if (output != mr_conf_present(rule, "to"))
		mr_report_at(report, config, rule,
		    output ? "action output wants an interface `to`"
			   : "`to` goes with action output only");
	if (jump != mr_conf_present(rule, "to-group"))
		mr_report_at(report, config, rule,
		    jump ? "action jump wants a `to-group`"
			 : "`to-group` goes with action jump only");
	else if (jump && mr_conf_uint(rule, "to-group", 0) <= mr_conf_uint(rule, "group", 0))
		mr_report_at(report, config, mr_conf_child(rule, "to-group"),
		    "jumps lead to higher groups only");
}

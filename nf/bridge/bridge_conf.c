/* SPDX-License-Identifier: Apache-2.0 */
/* A bridge's configuration: what YANG cannot check, and its translation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/bridge/control_int.h"

#define GROUPS_MAX MR_BRIDGE_GROUP_ISOLATED

static uint16_t
reserved_of(const struct mr_conf *bridge)
{
	static const struct {
		const char *name;
		uint16_t bits;
	} words[] = { { "stp", 1u << 0 }, { "slow", 1u << 2 }, { "eapol", 1u << 3 },
		{ "lldp", 1u << 14 }, { "all", 0xfffd } };
	const struct mr_conf *leaf;
	uint16_t bits = 0;

	mr_conf_each(leaf, bridge, "forward-reserved") {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++) {
			if (!strcmp(mr_conf_value(leaf), words[i].name))
				bits |= words[i].bits;
		}
	}
	return bits;
}

/* The number of a split-horizon group: that of the first member that names it. */
static unsigned
group_of(const struct mr_conf *bridge, const char *name)
{
	const struct mr_conf *member, *before;
	unsigned groups = 0;

	mr_conf_each(member, bridge, "interface") {
		const char *group = mr_conf_text(member, "split-horizon", NULL);

		if (!group)
			continue;
		for (before = mr_conf_child(bridge, "interface"); before != member;
		     before = mr_conf_next(before)) {
			if (!strcmp(mr_conf_text(before, "split-horizon", ""), group))
				break;
		}
		if (before != member)
			continue; /* not the first of its group */
		if (!strcmp(group, name))
			break;
		groups++;
	}
	return groups;
}

static void
set_vlans(struct mr_bridge_port *p, const char *ranges)
{
	unsigned first, last;

	while (mr_ranges_next(&ranges, &first, &last)) {
		for (unsigned vlan = first; vlan <= last && vlan < MR_BRIDGE_VLANS; vlan++)
			p->vlans[vlan / 64] |= 1ull << (vlan % 64);
	}
}

static void
read_port(struct mr_bridge_port *p, const struct mr_conf *bridge, const struct mr_conf *member)
{
	static const char *const storms[] = {
		[MR_BRIDGE_BROADCAST] = "broadcast",
		[MR_BRIDGE_UNKNOWN] = "unknown",
		[MR_BRIDGE_MULTICAST] = "multicast",
	};
	const struct mr_conf *storm = mr_conf_child(member, "storm");
	const char *group = mr_conf_text(member, "split-horizon", NULL);

	if (mr_conf_present(member, "access")) {
		p->mode = MR_BRIDGE_ACCESS;
		p->vlan = (uint16_t)mr_conf_uint(member, "access", 0);
	} else if (mr_conf_present(member, "dot1q-tunnel")) {
		p->mode = MR_BRIDGE_TUNNEL;
		p->vlan = (uint16_t)mr_conf_uint(member, "dot1q-tunnel", 0);
	} else if (mr_conf_present(member, "trunk")) {
		p->mode = MR_BRIDGE_TRUNK;
		p->vlan = (uint16_t)mr_conf_uint(member, "native", 0);
		set_vlans(p, mr_conf_text(member, "trunk", NULL));
	}
	p->tpid = (uint16_t)strtoul(mr_conf_text(member, "tpid", "0x8100"), NULL, 16);
	p->no_learning = !mr_conf_bool(member, "learning", true);
	p->mac_limit = (uint32_t)mr_conf_uint(member, "mac-limit", 0);
	p->drop_over_limit = !strcmp(mr_conf_text(member, "mac-limit-action", "flood"), "drop");
	if (group)
		p->groups |= 1ull << group_of(bridge, group);
	if (mr_conf_bool(member, "isolated", false))
		p->groups |= 1ull << MR_BRIDGE_GROUP_ISOLATED;
	for (unsigned i = 0; i < MR_BRIDGE_STORMS; i++)
		p->storm[i] = mr_conf_uint(storm, storms[i], 0);
}

static int
find_port(const struct mr_interfaces *interfaces, const char *name, uint16_t *port,
    struct mr_error *error)
{
	const struct mr_interface *i = mr_interface_find(interfaces, name);

	if (!i)
		return mr_error_set(error, -ENOENT, "there is no interface %s", name);
	*port = i->index;
	return 0;
}

int
bridge_conf_read(struct wanted *out, const struct mr_conf *bridge,
    const struct mr_interfaces *interfaces, struct mr_error *error)
{
	size_t ports = mr_conf_count(bridge, "interface"),
	       statics = mr_conf_count(bridge, "static");
	const struct mr_conf *at;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	out->ports = calloc(ports + 1, sizeof(*out->ports));
	out->members = calloc(ports + 1, sizeof(*out->members));
	out->statics = calloc(statics + 1, sizeof(*out->statics));
	if (!out->ports || !out->members || !out->statics) {
		bridge_conf_free(out);
		return mr_error_set(error, -ENOMEM, "no memory");
	}
	mr_conf_each(at, bridge, "interface") {
		unsigned n = out->config.port_count++;

		if (!ret)
			ret = find_port(interfaces, mr_conf_key(at), &out->ports[n].port, error);
		read_port(&out->ports[n], bridge, at);
		out->members[n].port = out->ports[n].port;
		snprintf(out->members[n].name, sizeof(out->members[n].name), "%s", mr_conf_key(at));
	}
	mr_conf_each(at, bridge, "static") {
		struct mr_bridge_static *s = &out->statics[out->config.static_count++];
		const char *name = mr_conf_text(at, "interface", NULL);

		(void)mr_conf_mac(at, "mac", s->mac);
		s->vlan = (uint16_t)mr_conf_uint(at, "vlan", 0);
		s->port = MR_BRIDGE_NO_PORT;
		if (name && !ret)
			ret = find_port(interfaces, name, &s->port, error);
	}
	out->config.ports = out->ports;
	out->config.statics = out->statics;
	out->config.mac_limit = (uint32_t)mr_conf_uint(bridge, "mac-limit", 65536);
	out->config.ageing = (uint32_t)mr_conf_uint(bridge, "ageing-time", 300);
	out->config.move_limit = (uint32_t)mr_conf_uint(bridge, "move-limit", 0);
	out->config.reserved = reserved_of(bridge);
	if (ret)
		bridge_conf_free(out);
	return ret;
}

void
bridge_conf_free(struct wanted *w)
{
	free(w->ports);
	free(w->statics);
	free(w->members);
	memset(w, 0, sizeof(*w));
}

/* -- check ------------------------------------------------------------------------------- */

static bool
says_vlans(const struct mr_conf *member)
{
	return mr_conf_present(member, "access") || mr_conf_present(member, "trunk") ||
	    mr_conf_present(member, "dot1q-tunnel");
}

static void
check_member(const struct mr_config *config, const struct mr_conf *bridge,
    const struct mr_conf *member, struct mr_report *report)
{
	static const char *const modes[] = { "access", "trunk", "dot1q-tunnel" };
	const char *group = mr_conf_text(member, "split-horizon", NULL);
	const struct mr_conf *other;
	const char *first = NULL;
	char user[64];

	snprintf(user, sizeof(user), "bridge %s", mr_conf_key(bridge));
	mr_interface_claim(report, config, member, mr_conf_key(member), user);
	mr_conf_each(other, mr_conf_root(config), "bridge") {
		if (other == bridge)
			break;
		if (mr_conf_find(other, "interface", mr_conf_key(member)))
			mr_report_at(report, config, member, "interface %s is in bridge %s already",
			    mr_conf_key(member), mr_conf_key(other));
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(modes); i++) {
		if (!mr_conf_present(member, modes[i]))
			continue;
		if (first)
			mr_report_at(report, config, mr_conf_child(member, modes[i]),
			    "the interface is %s already; it can be only one of access, trunk and "
			    "dot1q-tunnel",
			    first);
		else
			first = modes[i];
	}
	if (mr_conf_present(member, "native") && !mr_conf_present(member, "trunk"))
		mr_report_at(report, config, mr_conf_child(member, "native"),
		    "a native VLAN is a trunk's; this interface has no trunk");
	if (group && group_of(bridge, group) >= GROUPS_MAX)
		mr_report_at(report, config, mr_conf_child(member, "split-horizon"),
		    "a bridge can have %u split-horizon groups; \"%s\" is one more", GROUPS_MAX,
		    group);
}

static bool
member_carries(const struct mr_conf *bridge, const struct mr_conf *member, unsigned vlan)
{
	struct mr_bridge_port p = { 0 };

	read_port(&p, bridge, member);
	return p.mode == MR_BRIDGE_PLAIN || p.vlan == vlan ||
	    (p.mode == MR_BRIDGE_TRUNK && (p.vlans[vlan / 64] >> (vlan % 64) & 1));
}

static void
check_static(const struct mr_config *config, const struct mr_conf *bridge,
    const struct mr_conf *entry, bool vlans, struct mr_report *report)
{
	unsigned vlan = (unsigned)mr_conf_uint(entry, "vlan", 0);
	const char *name = mr_conf_text(entry, "interface", NULL);
	const struct mr_conf *member = name ? mr_conf_find(bridge, "interface", name) : NULL;
	static const uint8_t zero[6];
	uint8_t mac[6] = { 0 };

	(void)mr_conf_mac(entry, "mac", mac);
	if ((mac[0] & 1) || !memcmp(mac, zero, 6))
		mr_report_at(report, config, entry, "%s is not the address of one station",
		    mr_conf_key(entry));
	if (vlans && !vlan)
		mr_report_at(report, config, entry, "the bridge has VLANs; say which one");
	else if (!vlans && vlan)
		mr_report_at(report, config, entry,
		    "no interface of the bridge has VLANs; say vlan: 0");
	else if (name && !member)
		mr_report_at(report, config, mr_conf_child(entry, "interface"),
		    "interface %s is not in bridge %s", name, mr_conf_key(bridge));
	else if (name && vlans && !member_carries(bridge, member, vlan))
		mr_report_at(report, config, entry, "interface %s is not in VLAN %u", name, vlan);
}

void
bridge_conf_check(const struct mr_config *config, const struct mr_conf *bridge,
    struct mr_report *report)
{
	const struct mr_conf *at;
	bool vlans = false;

	mr_conf_each(at, bridge, "interface") {
		vlans |= says_vlans(at);
		check_member(config, bridge, at, report);
	}
	mr_conf_each(at, bridge, "static")
		check_static(config, bridge, at, vlans, report);
}

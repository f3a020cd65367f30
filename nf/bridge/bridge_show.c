/* SPDX-License-Identifier: Apache-2.0 */
/* A bridge's state. */
#include <stdio.h>
#include <string.h>

#include "nf/bridge/control_int.h"

/* "10,20-30" of the VLANs that pass with a tag; cut where it gets too long. */
static void
vlan_text(const struct mr_bridge_port *p, char *text, size_t size)
{
	uint16_t untagged = p->mode == MR_BRIDGE_PLAIN && !p->vlan ? 1 : p->vlan;
	size_t used = 0;

	text[0] = '\0';
	for (unsigned first = 1, last; first < MR_BRIDGE_VLANS - 1; first = last + 1) {
		last = first;
#define TAGGED(v) \
	((v) != untagged && (p->mode == MR_BRIDGE_PLAIN || (p->vlans[(v) / 64] >> ((v) % 64) & 1)))
		if (!TAGGED(first))
			continue;
		while (last + 1 < MR_BRIDGE_VLANS - 1 && TAGGED(last + 1))
			last++;
#undef TAGGED
		if (used + 12 > size)
			break;
		used += (size_t)snprintf(text + used, size - used, used ? ",%u" : "%u", first);
		if (last > first)
			used += (size_t)snprintf(text + used, size - used, "-%u", last);
	}
}

static void
show_member(const struct bridges *all, const struct entry *e, unsigned n, struct mr_state *st)
{
	const struct mr_interface *i =
	    mr_interface_at(mr_interfaces_of(all->dp), e->members[n].port);
	const struct mr_bridge_port *p = &e->ports[n];
	char text[20000];

	mr_state_list(st, "interface", e->members[n].name);
	mr_state_text(st, "state", i && i->up ? "up" : "down");
	if (mr_bridge_has_vlans(e->bridge)) {
		if (p->mode == MR_BRIDGE_PLAIN || p->vlan)
			mr_state_uint(st, "untagged-vlan", p->vlan ? p->vlan : 1);
		vlan_text(p, text, sizeof(text));
		if (text[0])
			mr_state_text(st, "tagged-vlans", text);
	}
	mr_state_uint(st, "macs", mr_mac_count_port(mr_bridge_table(e->bridge), p->port));
	mr_state_close(st);
}

static void
show_counters(const struct bridges *all, const struct entry *e, struct mr_state *st)
{
	struct mr_node_stats stats;
	uint64_t aged = 0;

	if (mr_graph_node_stats(mr_dataplane_graph(all->dp), e->node, &stats))
		return;
	for (unsigned vlan = 0; vlan < MR_BRIDGE_VLANS; vlan++)
		aged += mr_mac_aged_fid(mr_bridge_table(e->bridge), (uint16_t)vlan);
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < MR_BRIDGE_COUNT_COUNT; i++)
		mr_state_uint(st, mr_bridge_node_class.counters[i].name, stats.counters[i]);
	mr_state_uint(st, "aged", aged);
	mr_state_close(st);
}

static const char *
member_name(const struct entry *e, uint16_t port)
{
	for (unsigned i = 0; i < e->member_count; i++) {
		if (e->members[i].port == port)
			return e->members[i].name;
	}
	return NULL;
}

static void
show_station(const struct entry *e, const struct mr_mac_entry *m, struct mr_state *st)
{
	const char *name = m->flags & MR_MAC_DROP ? NULL : member_name(e, m->port);
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m->mac[0], m->mac[1], m->mac[2],
	    m->mac[3], m->mac[4], m->mac[5]);
	mr_state_list(st, "fdb", mac);
	mr_state_uint(st, "vlan", m->fid);
	if (name)
		mr_state_text(st, "interface", name);
	mr_state_bool(st, "static", m->flags & MR_MAC_STATIC);
	if (!(m->flags & MR_MAC_STATIC)) {
		uint32_t age = (bridge_seconds() - m->seen) & MR_MAC_SECONDS_MASK;

		/* A worker's clock may be a moment ahead. */
		mr_state_uint(st, "age", age > MR_MAC_SECONDS_MASK / 2 ? 0 : age);
	}
	mr_state_close(st);
}

void
bridge_show(void *state, struct mr_state *st)
{
	const struct bridges *all = state;

	for (const struct entry *e = all->list; e; e = e->next) {
		const struct mr_mac *table = mr_bridge_table(e->bridge);
		struct mr_mac_entry m;
		uint32_t cursor = 0;

		mr_state_list(st, "bridge", e->name);
		for (unsigned n = 0; n < e->member_count; n++)
			show_member(all, e, n, st);
		mr_state_uint(st, "macs", mr_mac_count(table));
		show_counters(all, e, st);
		while (!mr_state_is_brief(st) && mr_mac_next(table, &cursor, &m))
			show_station(e, &m, st);
		mr_state_close(st);
	}
}

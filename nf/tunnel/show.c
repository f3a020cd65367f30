/* SPDX-License-Identifier: Apache-2.0 */
/* State, and words for what the nodes record. */
#include <stdio.h>
#include <string.h>

#include "nf/tunnel/control_int.h"

static void
show_trouble(const struct tunnels *all, const struct tunnel_record *r, struct mr_state *st)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(all->dp), r->now.name);
	unsigned around = TUNNEL_ETH + (r->now.local.six ? 56u : 36u);
	char ip[TUNNEL_TEXT_MAX];

	if (!tunnel_local_is_own(all, r)) {
		mr_state_format(st, "trouble", "%s is no address of router %s",
		    tunnel_ip_print(&r->now.local, ip), r->now.router);
		return;
	}
	for (unsigned n = 0; n < r->now.remote_count; n++) {
		const struct tunnel_live *live = &r->t->live[r->number_of[n]];
		unsigned mtu = atomic_load_explicit(&live->mtu, memory_order_relaxed);

		tunnel_ip_print(&r->now.remotes[n], ip);
		if (!mtu) {
			mr_state_format(st, "trouble", "no route to %s", ip);
			return;
		}
		if (i && i->port && i->port->mtu + around > mtu) {
			mr_state_format(st, "trouble",
			    "the interface's MTU is %u: with the headers around them, its largest "
			    "frames are %u bytes too big for the way to %s",
			    i->port->mtu, i->port->mtu + around - mtu, ip);
			return;
		}
	}
}

static void
show_remote(const struct tunnel_record *r, unsigned n, struct mr_state *st)
{
	static const char *const names[] = {
		[TUNNEL_TX_PACKETS] = "tx-packets",
		[TUNNEL_TX_BYTES] = "tx-bytes",
		[TUNNEL_RX_PACKETS] = "rx-packets",
		[TUNNEL_RX_BYTES] = "rx-bytes",
	};
	unsigned number = r->number_of[n];
	unsigned mtu = atomic_load_explicit(&r->t->live[number].mtu, memory_order_relaxed);
	char ip[TUNNEL_TEXT_MAX];

	mr_state_list(st, "remote-state", tunnel_ip_print(&r->now.remotes[n], ip));
	mr_state_bool(st, "reachable", mtu != 0);
	if (mtu)
		mr_state_uint(st, "path-mtu", mtu);
	for (unsigned c = 0; c < TUNNEL_TRAFFIC_COUNT; c++)
		mr_state_uint(st, names[c],
		    mr_counters_sum(r->t->traffic, number * TUNNEL_TRAFFIC_COUNT + c));
	mr_state_close(st);
}

static void
show_station(const struct tunnel_record *r, const struct mr_mac_entry *m, struct mr_state *st)
{
	char mac[18], ip[TUNNEL_TEXT_MAX];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m->mac[0], m->mac[1], m->mac[2],
	    m->mac[3], m->mac[4], m->mac[5]);
	mr_state_list(st, "fdb", mac);
	if (m->port < TUNNEL_REMOTES_MAX && r->taken[m->port])
		mr_state_text(st, "remote", tunnel_ip_print(&r->numbers[m->port], ip));
	mr_state_bool(st, "static", m->flags & MR_MAC_STATIC);
	if (!(m->flags & MR_MAC_STATIC)) {
		uint32_t age = (tunnel_seconds() - m->seen) & MR_MAC_SECONDS_MASK;

		/* A worker's clock may be a moment ahead. */
		mr_state_uint(st, "age", age > MR_MAC_SECONDS_MASK / 2 ? 0 : age);
	}
	mr_state_close(st);
}

static void
show_counters(const struct tunnels *all, const struct tunnel_record *r, struct mr_state *st)
{
	struct mr_node_stats stats;

	if (r->node == UINT16_MAX ||
	    mr_graph_node_stats(mr_dataplane_graph(all->dp), r->node, &stats))
		return;
	mr_state_open(st, "counters");
	for (unsigned i = 0; i < TUNNEL_OUT_COUNT_COUNT; i++)
		mr_state_uint(st, tunnel_out_class.counters[i].name, stats.counters[i]);
	mr_state_close(st);
}

void
tunnel_show(void *state, struct mr_state *st)
{
	const struct tunnels *all = state;
	const struct tunnel_record *r;
	unsigned slot;

	tunnels_each(all, slot, r) {
		struct mr_mac_entry m;
		uint32_t cursor = 0;

		mr_state_list(st, "tunnel", r->now.name);
		show_trouble(all, r, st);
		if (r->stations)
			mr_state_uint(st, "stations", mr_mac_count(r->stations));
		for (unsigned n = 0; n < r->now.remote_count; n++)
			show_remote(r, n, st);
		while (
		    r->stations && !mr_state_is_brief(st) && mr_mac_next(r->stations, &cursor, &m))
			show_station(r, &m, st);
		show_counters(all, r, st);
		mr_state_close(st);
	}
}

/* "wrapped for 192.0.2.2, tunnel vni10" */
bool
tunnel_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	static const struct {
		const char *note, *words;
	} notes[] = { { TUNNEL_NOTE_TO, "wrapped for" }, { TUNNEL_NOTE_FROM, "unwrapped, from" },
		{ TUNNEL_NOTE_ALL, NULL } };
	const struct tunnels *all = state;
	const struct tunnel_record *r;
	char ip[TUNNEL_TEXT_MAX];
	unsigned slot = (unsigned)(op->a >> 16), number = op->a & 0xffff;

	if (op->kind != MR_OP_NOTE || !op->text)
		return false;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(notes); i++) {
		if (strcmp(op->text, notes[i].note) != 0)
			continue;
		slot = notes[i].words ? slot : (unsigned)op->a;
		r = slot < TUNNELS_MAX ? all->records[slot] : NULL;
		if (!r)
			return false;
		if (!notes[i].words)
			snprintf(text, size, "sent to all %u remote ends of tunnel %s",
			    r->now.remote_count, r->now.name);
		else
			snprintf(text, size, "%s %s, tunnel %s", notes[i].words,
			    tunnel_ip_print(&r->numbers[number % TUNNEL_REMOTES_MAX], ip),
			    r->now.name);
		return true;
	}
	return false;
}

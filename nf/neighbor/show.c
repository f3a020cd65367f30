/* SPDX-License-Identifier: Apache-2.0 */
/* The neighbours' state. */
#include "nf/neighbor/part_int.h"

static void
show_entry(const struct neighbors *n, const struct neighbor *e, struct mr_state *st)
{
	const struct neighbor_machine *m = &e->machine;
	char text[64];

	mr_state_list(st, "entry", neighbor_text(text, sizeof(text), e->family, e->address));
	mr_state_text(st, "interface", n->ip->info[e->interface].name);
	if (m->state != NEIGHBOR_INCOMPLETE && m->state != NEIGHBOR_FAILED)
		mr_state_mac(st, "mac", m->mac);
	mr_state_text(st, "state", neighbor_state_name(m->state));
	mr_state_uint(st, "age", (n->now - m->since) / 1000);
	if (m->confirmed)
		mr_state_uint(st, "confirmed", (n->now - m->confirmed) / 1000);
	mr_state_uint(st, "uses", e->uses);
	mr_state_uint(st, "probes", e->probes);
	mr_state_uint(st, "waiting", e->queued);
	mr_state_bool(st, "router", e->router);
	mr_state_bool(st, "gateway", e->wanted);
	mr_state_close(st);
}

static void
show_interface(const struct neighbors *n, uint16_t interface, struct mr_state *st)
{
	const struct neighbor_interface *i = &n->interfaces[interface];

	mr_state_list(st, "interfaces", n->ip->info[interface].name);
	mr_state_uint(st, "neighbors", i->count);
	for (unsigned c = 0; c < NEIGHBOR_COUNT_N; c++)
		mr_state_uint(st, neighbor_counts[c].name, i->counts[c]);
	mr_state_close(st);
}

void
neighbor_show(void *state, uint16_t vrf, struct mr_state *st)
{
	const struct neighbor_part *p = state;
	const struct neighbors *n = p->neighbors;
	uint32_t count = 0;

	if (!n)
		return;
	mr_state_open(st, "neighbor");
	for (uint32_t i = 1; i < n->ip->interface_end; i++)
		if (n->interfaces[i].known && mr_ip_vrf(&n->ip->interfaces[i]) == vrf)
			count += n->interfaces[i].count;
	mr_state_uint(st, "count", count);
	for (uint32_t i = 1; i < n->entry_end && !mr_state_is_brief(st); i++) {
		const struct neighbor *e = &n->entries[i];

		if (e->live && mr_ip_vrf(&n->ip->interfaces[e->interface]) == vrf)
			show_entry(n, e, st);
	}
	for (uint32_t i = 1; i < n->ip->interface_end; i++)
		if (n->interfaces[i].known && mr_ip_vrf(&n->ip->interfaces[i]) == vrf)
			show_interface(n, (uint16_t)i, st);
	mr_state_close(st);
}

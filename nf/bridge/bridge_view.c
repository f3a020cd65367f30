/* SPDX-License-Identifier: Apache-2.0 */
/* From a bridge's configuration to the view that its node reads, and from one view to the next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/cpu.h"
#include "nf/bridge/bridge_int.h"

/* How far a port may be ahead of its rate: this part of a second, and some packets. */
#define BURST_PER_SECOND 8
#define BURST_MIN 8
/* Room beyond a small mac-limit costs little and spares evictions. */
#define TABLE_MIN 1024u

static void
bucket_set(struct bridge_bucket *b, uint64_t rate, uint64_t hz)
{
	uint64_t packets = MR_MAX(rate / BURST_PER_SECOND, (uint64_t)BURST_MIN);

	if (!rate)
		return;
	b->interval = MR_MAX(hz / rate, (uint64_t)1);
	b->burst = b->interval * packets;
}

static int
set_storm(struct bridge_slot *slot, const struct mr_bridge_port *port, uint64_t hz)
{
	if (!port->storm[0] && !port->storm[1] && !port->storm[2])
		return 0;
	slot->storm = calloc(MR_BRIDGE_STORMS, sizeof(*slot->storm));
	if (!slot->storm)
		return -ENOMEM;
	for (unsigned i = 0; i < MR_BRIDGE_STORMS; i++)
		bucket_set(&slot->storm[i], port->storm[i], hz);
	return 0;
}

static bool
carries(const struct mr_bridge_port *p, unsigned vlan)
{
	if (!vlan || vlan >= MR_BRIDGE_VLANS - 1)
		return false;
	switch (p->mode) {
	case MR_BRIDGE_PLAIN:
		return true;
	case MR_BRIDGE_TRUNK:
		return vlan == p->vlan || (p->vlans[vlan / 64] >> (vlan % 64) & 1);
	default:
		return vlan == p->vlan;
	}
}

static void
set_slot(struct bridge_view *v, unsigned s, const struct mr_bridge_port *p)
{
	struct bridge_slot *slot = &v->slots[s];
	uint16_t tpid = p->tpid ? p->tpid : 0x8100;

	slot->port = p->port;
	slot->learn = p->no_learning ? 0 : ~0ull;
	slot->tpid = mr_be16(tpid);
	slot->tag = p->mode == MR_BRIDGE_TUNNEL ? UINT32_MAX : slot->tpid;
	slot->untagged = p->mode == MR_BRIDGE_PLAIN && !p->vlan ? 1 : p->vlan;
	slot->drop_over_limit = p->drop_over_limit;
	v->slot_of[p->port] = (uint16_t)s;
}

static void
set_rows(struct bridge_view *v)
{
	for (unsigned s = 0; s < v->count; s++) {
		const struct mr_bridge_port *p = &v->ports[s];
		uint64_t bit = 1ull << (s % 64);

		for (unsigned in = 0; in < v->count; in++) {
			if (in != s && !(p->groups & v->ports[in].groups))
				v->reach[(size_t)in * v->words + s / 64] |= bit;
		}
		if (!v->vlans) {
			v->members[s / 64] |= bit;
			continue;
		}
		for (unsigned vlan = 1; vlan < MR_BRIDGE_VLANS; vlan++) {
			if (carries(p, vlan))
				v->members[(size_t)vlan * v->words + s / 64] |= bit;
		}
	}
}

static int
set_table(struct bridge_view *v, const struct mr_bridge_config *config, struct bridge_view *old,
    struct mr_error *error)
{
	struct mr_mac_config table = { .limit = v->mac_limit,
		.capacity = MR_MAX(v->mac_limit, TABLE_MIN),
		.ports = MR_PORT_MAX,
		.fids = MR_BRIDGE_VLANS,
		.ageing = config->ageing };

	if (old && old->mac_limit == v->mac_limit) {
		v->table = old->table;
		return 0;
	}
	v->own_table = true;
	return mr_mac_create(&v->table, &table, error);
}

static int
check_config(const struct mr_bridge_config *config, struct mr_error *error)
{
	bool seen[MR_PORT_MAX] = { false };

	if (config->port_count > MR_PORT_MAX)
		return mr_error_set(error, -EINVAL, "more than %u interfaces", MR_PORT_MAX);
	for (unsigned i = 0; i < config->port_count; i++) {
		const struct mr_bridge_port *p = &config->ports[i];

		if (p->port >= MR_PORT_MAX || seen[p->port])
			return mr_error_set(error, -EINVAL,
			    "port %u is out of range or twice there", p->port);
		if (p->vlan >= MR_BRIDGE_VLANS - 1 ||
		    (!p->vlan && (p->mode == MR_BRIDGE_ACCESS || p->mode == MR_BRIDGE_TUNNEL)))
			return mr_error_set(error, -EINVAL, "port %u: VLAN %u", p->port, p->vlan);
		seen[p->port] = true;
	}
	for (unsigned i = 0; i < config->static_count; i++) {
		if (config->statics[i].vlan >= MR_BRIDGE_VLANS)
			return mr_error_set(error, -EINVAL, "static entry %u: VLAN %u", i,
			    config->statics[i].vlan);
	}
	return 0;
}

int
bridge_compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int
bridge_view_create(struct bridge_view **out, const struct mr_bridge_config *config,
    struct bridge_view *old, struct mr_error *error)
{
	uint64_t hz = mr_cpu_tsc_hz();
	struct bridge_view *v;
	int ret = check_config(config, error);

	*out = NULL;
	if (ret)
		return ret;
	v = calloc(1, sizeof(*v));
	if (!v)
		goto no_memory;
	v->count = (uint16_t)config->port_count;
	v->words = (uint16_t)(config->port_count / 64 + 1);
	v->reserved = config->reserved;
	v->mac_limit = config->mac_limit ? config->mac_limit : 65536;
	v->ageing = config->ageing;
	v->generation.value = old ? mr_generation_read(&old->generation) + 1 : 1;
	v->static_count = config->static_count;
	for (unsigned i = 0; i < config->port_count; i++)
		v->vlans |= config->ports[i].mode != MR_BRIDGE_PLAIN;
	bucket_set(&v->moves, config->move_limit, hz);

	v->slots = calloc(v->count + 1u, sizeof(*v->slots));
	v->ports = calloc(v->count + 1u, sizeof(*v->ports));
	v->statics = calloc(v->static_count + 1u, sizeof(*v->statics));
	v->reach = calloc((v->count + 1u) * v->words, sizeof(*v->reach));
	v->members = calloc((v->vlans ? MR_BRIDGE_VLANS : 1u) * v->words, sizeof(*v->members));
	v->static_keys = calloc(v->static_count + 1u, sizeof(*v->static_keys));
	if (!v->slots || !v->ports || !v->statics || !v->static_keys || !v->reach || !v->members)
		goto no_memory;
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		v->slot_of[i] = v->count;
	v->slots[v->count].tag = UINT32_MAX;
	v->slots[v->count].port = MR_BRIDGE_NO_PORT;
	for (unsigned i = 0; i < v->count; i++) {
		v->ports[i] = config->ports[i];
		set_slot(v, i, &v->ports[i]);
		if (set_storm(&v->slots[i], &v->ports[i], hz))
			goto no_memory;
	}
	for (unsigned i = 0; i < v->static_count; i++) {
		v->statics[i] = config->statics[i];
		v->static_keys[i] = mr_mac_key(v->statics[i].mac, v->statics[i].vlan);
	}
	qsort(v->static_keys, v->static_count, sizeof(*v->static_keys), bridge_compare_keys);
	set_rows(v);
	ret = set_table(v, config, old, error);
	if (ret) {
		bridge_view_free(v);
		return ret;
	}
	*out = v;
	return 0;

no_memory:
	bridge_view_free(v);
	return mr_error_set(error, -ENOMEM, "no memory");
}

void
bridge_view_free(struct bridge_view *v)
{
	if (!v)
		return;
	for (unsigned i = 0; v->slots && i < v->count; i++)
		free(v->slots[i].storm);
	free(v->slots);
	free(v->ports);
	free(v->statics);
	free(v->static_keys);
	free(v->reach);
	free(v->members);
	free(v);
}

/* SPDX-License-Identifier: Apache-2.0 */

/* The ledger as the worker writes it: see ledger_int.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/memory.h"
#include "kit/flow/lane_int.h"
#include "kit/packet/parse.h"

#define RELEASES 65536u
/* Of a lane's flow that has no entry: its base is in the lower bits. */
#define NO_ENTRY (1u << 31)

/* -- its memory ------------------------------------------------------------------------------- */

int
lane_ledger_create(struct lane_ledger **out, uint32_t flows, uint32_t lane_flows,
    struct mr_error *error)
{
	const struct mr_flow_table_config table = { .max = flows, .numa = -1 };
	const struct mr_ring_config ring = { .capacity = RELEASES, .element_size = 8 };
	struct lane_ledger *g =
	    aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*g), (size_t)MR_CACHE_LINE));
	void *memory;
	int rc;

	if (!g)
		return mr_error_set(error, -ENOMEM, "ledger of flows: no memory");
	memset(g, 0, sizeof(*g));
	*out = g;
	g->max = flows;
	g->lane_max = lane_flows;
	rc = mr_flow_table_create(&g->table, &table, error);
	if (rc)
		return rc;
	g->lines = mr_flow_table_lines(g->table);
	rc = mr_memory_reserve(&memory, (flows + 1ul) * sizeof(*g->sides), -1, "ledger of flows",
	    error);
	g->sides = memory;
	if (!rc)
		rc = mr_memory_reserve(&memory, (flows + 1ul) * sizeof(*g->addresses), -1,
		    "ledger of translated flows", error);
	if (rc)
		return rc;
	g->addresses = memory;
	rc = mr_memory_reserve(&memory, (lane_flows + 1ul) * sizeof(*g->entries), -1,
	    "ledger of the lane's flows", error);
	if (rc)
		return rc;
	g->entries = memory;
	return mr_spsc_create(&g->releases, &ring, error);
}

void
lane_ledger_destroy(struct lane_ledger *g)
{
	if (!g)
		return;
	if (g->sides)
		mr_memory_release(g->sides, (g->max + 1ul) * sizeof(*g->sides));
	if (g->addresses)
		mr_memory_release(g->addresses, (g->max + 1ul) * sizeof(*g->addresses));
	if (g->entries)
		mr_memory_release(g->entries, (g->lane_max + 1ul) * sizeof(*g->entries));
	mr_spsc_destroy(g->releases);
	mr_flow_table_destroy(g->table);
	free(g);
}

/* -- a change that readers see whole or not at all --------------------------------------------- */

static void
change_begin(struct ledger_side *s)
{
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	atomic_store_explicit(&s->seq, seq | 1, memory_order_relaxed);
	/* Pairs with the fence in mr_lane_ledger_peek: who reads anything that is written from here
	 * on sees this `seq`, too. */
	atomic_thread_fence(memory_order_release);
}

static void
change_end(struct ledger_side *s)
{
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	/* Release pairs with the acquire in mr_lane_ledger_peek. */
	atomic_store_explicit(&s->seq, (seq | 1) + 1, memory_order_release);
}

#define put(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)
#define get(field) atomic_load_explicit(&(field), memory_order_relaxed)

static void
seen_at(struct ledger_side *s, uint64_t cycles)
{
	uint64_t first = get(s->first);
	uint64_t behind = cycles > first ? (cycles - first) >> LEDGER_LAST_SHIFT : 0;

	behind = MR_MIN(behind, (uint64_t)UINT32_MAX);
	if (behind > get(s->last))
		put(s->last, (uint32_t)behind);
}

/* -- packets that walk -------------------------------------------------------------------------- */

static unsigned
octets_of(const uint8_t *ip, unsigned six)
{
	return six ? mr_load_be16(ip + offsetof(struct mr_ip6, payload_len)) +
		(unsigned)sizeof(struct mr_ip6)
		   : mr_load_be16(ip + offsetof(struct mr_ip4, total_len));
}

static void
note(struct lane_ledger *g, const struct mr_flow_key *key, unsigned octets, const uint8_t *ip,
    uint8_t tcp)
{
	unsigned i = g->count++;

	g->batch.key[i] = *key;
	g->batch.tcp[i] = tcp;
	g->octets[i] = octets;
	g->tos[i] = MR_FLOW_WHERE_SIX(key->where) ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
}

void
lane_ledger_note(struct lane_ledger *g, const struct mr_flow_key *key, const uint8_t *ip,
    uint8_t tcp)
{
	note(g, key, octets_of(ip, MR_FLOW_WHERE_SIX(key->where)), ip, tcp);
}

/* Which IP packet it is, if it is one. */
static bool
parse(const struct mr_packet *p, struct mr_parsed *r)
{
	enum mr_parse_error rc = mr_parse(r, mr_packet_bytes_const(p), p->len, p->total);

	if (!r->version || r->end <= r->l3 || r->l3 + sizeof(struct mr_ip4) > p->len ||
	    (r->version == 6 && r->l3 + sizeof(struct mr_ip6) > p->len))
		return false;
	return rc == MR_PARSE_OK || rc > MR_PARSE_IP6_FRAGMENT_END || rc == MR_PARSE_SPLIT;
}

static void
key_of(const struct mr_parsed *r, const uint8_t *bytes, uint16_t port, struct mr_flow_key *key)
{
	const uint8_t *ip = bytes + r->l3;
	unsigned six = r->version == 6, vlan = r->vlan_count ? r->vlan[0] & MR_VLAN_ID_MASK : 0;

	memset(key, 0, sizeof(*key));
	if (six) {
		memcpy(key->src, ip + offsetof(struct mr_ip6, src), 32);
	} else {
		memcpy(key->src, ip + offsetof(struct mr_ip4, src), 4);
		memcpy(key->dst, ip + offsetof(struct mr_ip4, dst), 4);
	}
	key->where = MR_FLOW_WHERE(port, vlan, r->proto, six);
	if (!(r->flags & MR_PARSED_L4))
		return;
	if (r->proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP)) {
		/* As kit/flow/key.h has echo: the type, and here the code above it. */
		key->sport = mr_be16(r->icmp_id);
		key->dport = mr_be16((uint16_t)(r->icmp_code << 8 | r->icmp_type));
	} else {
		key->sport = mr_be16(r->src_port);
		key->dport = mr_be16(r->dst_port);
	}
}

void
lane_ledger_note_rest(struct lane_worker *l, const struct mr_lane_port *port,
    const struct mr_packet *p)
{
	struct ledger_count *count = &l->ledger->ports[port->view.port];
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct mr_parsed r;
	struct mr_flow_key key;

	if (!parse(p, &r)) {
		mr_counter_add(&count->other_packets, 1);
		mr_counter_add(&count->other_bytes, p->total);
		return;
	}
	key_of(&r, bytes, port->view.port, &key);
	if (port->view.bridged && p->len >= 12)
		mr_flow_pairs_find(l->pairs, &bytes, &key.pair, 1);
	note(l->ledger, &key, r.end - r.l3, bytes + r.l3, r.tcp_flags);
}

static uint32_t
add(struct lane_worker *l, struct mr_node_run *run, unsigned i)
{
	struct lane_ledger *g = l->ledger;
	const struct mr_flow_key *key = &g->batch.key[i];
	uint32_t entry = mr_flow_table_add(g->table, key, g->batch.hash[i], run->seconds);
	struct ledger_side *s = &g->sides[entry];
	struct ledger_count *count = &g->ports[MR_FLOW_WHERE_PORT(key->where)];

	if (mr_unlikely(entry == MR_FLOW_NONE)) {
		mr_counter_add(&count->ignored_packets, 1);
		mr_counter_add(&count->ignored_octets, g->octets[i]);
		return entry;
	}
	mr_flow_pairs_hold(l->pairs, MR_FLOW_PAIR(key->pair));
	change_begin(s);
	put(s->first, run->now);
	put(s->last, 0);
	put(s->flow, MR_FLOW_NONE);
	put(s->base, 0);
	put(s->out, MR_LEDGER_NOWHERE);
	put(s->tos, g->tos[i]);
	put(s->tcp, 0);
	put(s->fate, MR_LEDGER_UNKNOWN);
	put(s->translated, 0);
	g->births = g->births == UINT32_MAX ? 1 : g->births + 1;
	put(s->birth, g->births);
	change_end(s);
	return entry;
}

void
lane_ledger_write(struct lane_worker *l, struct mr_node_run *run)
{
	struct lane_ledger *g = l->ledger;
	struct mr_flow_batch *b = &g->batch;
	unsigned count = g->count;

	if (!count)
		return;
	g->count = 0;
	mr_flow_table_find(g->table, b, count);
	for (unsigned i = 0; i < count; i++)
		if (b->found[i])
			mr_prefetch_write(&g->sides[b->found[i]]);
	for (unsigned i = 0; i < count; i++) {
		uint32_t entry = b->found[i];
		struct ledger_side *s;

		/* An earlier packet of this vector may have brought it. */
		if (!entry)
			entry = mr_flow_table_get_hashed(g->table, &b->key[i], b->hash[i]);
		if (!entry)
			entry = add(l, run, i);
		if (!entry)
			continue;
		s = &g->sides[entry];
		seen_at(s, run->now);
		if (b->tcp[i] & ~get(s->tcp))
			put(s->tcp, get(s->tcp) | b->tcp[i]);
		mr_flow_touch(g->table, g->lines, entry, g->octets[i], run->seconds);
	}
}

/* -- flows of the lane --------------------------------------------------------------------------- */

/* What the walk made of the packet's first bytes. False: it cannot be told from these. */
static bool
walk(const struct mr_recording *r, uint8_t *bytes, unsigned size)
{
	memset(bytes, 0, size);
	memcpy(bytes, r->snap, r->snapped);
	for (unsigned i = 0; i < r->count; i++) {
		const struct mr_op *op = &r->ops[i];
		unsigned at = op->offset, len = op->len;

		if (op->branch)
			continue;
		if (op->kind == MR_OP_FAMILY)
			return false;
		if (op->kind != MR_OP_SET && op->kind != MR_OP_PUSH && op->kind != MR_OP_POP)
			continue;
		if (at + len > size || (op->kind == MR_OP_SET && len > sizeof(op->bytes)))
			return false;
		if (op->kind == MR_OP_SET)
			memcpy(bytes + at, op->bytes, len);
		else if (op->kind == MR_OP_PUSH)
			memmove(bytes + at + len, bytes + at, size - at - len);
		else
			memmove(bytes + at, bytes + at + len, size - at - len);
	}
	return true;
}

/* The addresses and ports that the flow leaves with, when they are others than it came with. */
static bool
translation(const struct mr_recording *r, const struct mr_flow_key *key, struct ledger_address *a)
{
	uint8_t bytes[2 * MR_RECORD_SNAP];
	struct mr_flow_key after;
	struct mr_parsed p;

	if (!walk(r, bytes, sizeof(bytes)))
		return false;
	if (mr_parse_l2(&p, bytes, sizeof(bytes), sizeof(bytes), 0) != MR_PARSE_OK ||
	    p.l3 + sizeof(struct mr_ip6) + 4 > sizeof(bytes))
		return false;
	mr_parse_ip(&p, bytes, sizeof(bytes), UINT16_MAX, p.l3);
	if (p.version != (MR_FLOW_WHERE_SIX(key->where) ? 6 : 4))
		return false;
	p.vlan_count = 0;
	key_of(&p, bytes, 0, &after);
	if (!memcmp(after.src, key->src, 32) && after.sport == key->sport &&
	    after.dport == key->dport)
		return false;
	memcpy(a->src, after.src, 16);
	memcpy(a->dst, after.dst, 16);
	a->sport = after.sport;
	a->dport = after.dport;
	return true;
}

void
lane_ledger_link(struct lane_worker *l, uint32_t flow, const struct mr_program *program,
    const struct mr_recording *r, uint32_t base)
{
	struct lane_ledger *g = l->ledger;
	const struct mr_flow_key *key = &l->lines[flow].key;
	uint32_t entry = mr_flow_table_get(g->table, key);
	unsigned class = program->verdict & MR_VERDICT_CLASS;
	struct ledger_side *s = &g->sides[entry];
	bool translated;

	g->entries[flow] = entry ? entry : NO_ENTRY | base;
	if (!entry)
		return;
	change_begin(s);
	put(s->flow, flow);
	put(s->base, (uint16_t)base);
	put(s->fate, class == MR_VERDICT_DROP ? MR_LEDGER_DROPPED : MR_LEDGER_FORWARDED);
	if (class == MR_VERDICT_OUTPUT)
		put(s->out, program->verdict & MR_VERDICT_INDEX & ~MR_VERDICT_FINAL);
	if (r) {
		translated = translation(r, key, &g->addresses[entry]);
		put(s->translated, translated);
	}
	change_end(s);
}

void
lane_ledger_unlink(struct lane_worker *l, uint32_t flow)
{
	struct lane_ledger *g = l->ledger;
	const struct mr_flow *line = &l->lines[flow];
	const struct mr_flow_key *key = &line->key;
	uint32_t entry = g->entries[flow] & NO_ENTRY ? MR_FLOW_NONE : g->entries[flow];
	struct ledger_side *s = &g->sides[entry];
	uint32_t base = entry ? get(s->base) : g->entries[flow] & ~NO_ENTRY;
	uint64_t packets, bytes;

	g->entries[flow] = MR_FLOW_NONE;
	mr_flow_table_totals(l->table, flow, &packets, &bytes);
	if (base) {
		packets--;
		bytes -= base;
	}
	bytes -= packets * (MR_FLOW_WHERE_VLAN(key->where) ? 18 : 14);
	if (!entry) {
		/* A barred one counts nothing. */
		mr_counter_add(&g->ports[MR_FLOW_WHERE_PORT(key->where)].ignored_packets, packets);
		mr_counter_add(&g->ports[MR_FLOW_WHERE_PORT(key->where)].ignored_octets, bytes);
		return;
	}
	change_begin(s);
	put(s->flow, MR_FLOW_NONE);
	put(s->base, 0);
	if (packets) {
		uint64_t ago = (uint16_t)(l->run->seconds - line->seen);

		mr_flow_table_account(g->table, entry, packets, bytes, l->run->seconds);
		seen_at(s, l->run->now - ago * l->run->hz);
		if (MR_FLOW_WHERE_PROTO(key->where) == MR_IP_PROTO_TCP)
			put(s->tcp, get(s->tcp) | MR_TCP_ACK);
	}
	change_end(s);
}

void
lane_ledger_tick(struct lane_worker *l, unsigned budget)
{
	struct lane_ledger *g = l->ledger;
	uint64_t some[64];
	unsigned n;

	while (budget > 0) {
		n = mr_spsc_get_burst_u64(g->releases, some,
		    MR_MIN(budget, (unsigned)MR_ARRAY_COUNT(some)));
		if (!n)
			return;
		budget -= n;
		for (unsigned i = 0; i < n; i++) {
			mr_prefetch_write(&g->lines[LEDGER_RELEASE_INDEX(some[i])]);
			mr_prefetch_write(&g->sides[LEDGER_RELEASE_INDEX(some[i])]);
		}
		for (unsigned i = 0; i < n; i++) {
			uint32_t entry = LEDGER_RELEASE_INDEX(some[i]);
			struct ledger_side *s = &g->sides[entry];
			uint64_t packets, octets;

			if (!mr_flow_table_has(g->table, entry) || get(s->flow))
				continue;
			mr_flow_table_totals(g->table, entry, &packets, &octets);
			if (ledger_release(entry, get(s->birth), packets) != some[i])
				continue;
			change_begin(s); /* it is dead until it is another flow's */
			mr_flow_pairs_release(l->pairs, MR_FLOW_PAIR(g->lines[entry].key.pair));
			mr_flow_table_remove(g->table, entry);
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_BRIDGE_VERDICT_INL_H
#define MR_NF_BRIDGE_VERDICT_INL_H

/* The third phase of the bridge's loop: looks destinations up and writes the verdicts. */

#include "nf/bridge/batch_int.h"

/* From so many packets on it pays to work out first what they have in common, if the
 * bridge has fewer ports than that. */
#define ALIKE_MIN 32u
#define LIMITS 64u

/* Makes the frame's tag what the way out wants: there or not, with its TPID and a VID. False
 * when there is no room for it. */
mr_inline bool
retag(struct mr_recorder *rec, struct mr_packet *p, const struct bridge_slot *out, unsigned vlan,
    bool tagged)
{
	bool wanted = vlan != out->untagged;
	const uint8_t *bytes = mr_packet_bytes(p);
	be16_t tag[2] = { out->tpid, mr_be16(vlan) };
	be16_t type, tci;

	if (!tagged && !wanted)
		return true;
	if (!tagged) {
		if (!mr_edit_push(rec, p, 12, 4))
			return false;
		mr_edit_set(rec, p, 12, tag, 4);
		return true;
	}
	if (!wanted) {
		mr_edit_pop(rec, p, 12, 4);
		return true;
	}
	memcpy(&type, bytes + 12, 2);
	memcpy(&tci, bytes + 14, 2);
	if (type != out->tpid)
		mr_edit_set16(rec, p, 12, out->tpid);
	/* A priority tag gets the VLAN that the frame was taken for, and keeps the rest. */
	if (!(tci & mr_be16(0xfff)))
		mr_edit_set16(rec, p, 14, tci | mr_be16(vlan));
	return true;
}

static const struct mr_port_view no_port;

mr_inline const struct mr_port_view *
way_out(const struct mr_node_run *run, unsigned port)
{
	return mr_likely(port < run->port_count) ? &run->ports[port] : &no_port;
}

/* Whether a frame that is larger than the MTU and a header is one because of its tags (two
 * at most, ours on the way out included), or will be cut. */
static mr_noinline bool
fits_after_all(const struct mr_packet *p, const struct mr_port_view *out, bool tagged, bool tag_out)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned at = tagged ? 16 : 12, size = p->total - (tagged ? 4 : 0);

	if ((p->flags & MR_PACKET_GSO) || !out->mtu)
		return true;
	for (unsigned tags = tag_out; tags < 2 && p->len >= at + 2u; tags++, at += 4, size -= 4) {
		unsigned type = mr_load_be16(bytes + at);

		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
	}
	return size <= out->mtu + HEADER;
}

mr_inline bool
fits(const struct mr_packet *p, const struct mr_port_view *out, bool tagged, bool tag_out)
{
	return mr_likely(p->total - (tagged ? 4u : 0u) <= out->mtu + HEADER) ||
	    fits_after_all(p, out, tagged, tag_out);
}

static mr_verdict_t
send(const struct work *w, struct mr_packet *p, unsigned i, unsigned slot)
{
	const struct bridge_slot *out = &w->view->slots[slot];

	if (w->view->vlans && !retag(w->rec, p, out, w->b->vlan[i], w->b->tagged[i]))
		return mr_verdict_drop(MR_BRIDGE_DROP_NO_HEADROOM);
	return mr_verdict_output(out->port);
}

static bool
fits_slot(const struct work *w, const struct mr_packet *p, unsigned i, unsigned slot)
{
	const struct bridge_slot *out = &w->view->slots[slot];
	bool vlans = w->view->vlans;

	return fits(p, way_out(w->run, out->port), vlans && w->b->tagged[i],
	    vlans && w->b->vlan[i] != out->untagged);
}

static void
send_copy(const struct work *w, uint32_t packet, unsigned i, unsigned slot)
{
	uint32_t copy;

	if (!fits_slot(w, mr_packet_at(w->run->base, packet), i, slot)) {
		mr_node_count(w->run, MR_BRIDGE_COUNT_FLOOD_BIG, 1);
		return;
	}
	copy = mr_node_copy(w->run, w->rec, packet);
	if (copy == MR_PACKET_NONE) {
		mr_node_count(w->run, MR_BRIDGE_COUNT_NO_COPY, 1);
		return;
	}
	mr_node_count(w->run, MR_BRIDGE_COUNT_COPIES, 1);
	mr_node_emit(w->run, copy, send(w, mr_packet_at(w->run->base, copy), i, slot));
}

/* To every port of the VLAN that may be reached and is up, in the order of slots; the
 * packet itself goes to the last. Copies leave before the packets of the vector, so which
 * port is the last must not depend on the packet, or packets of one flow
 * would overtake each other: one that is too big for it is dropped. */
static mr_verdict_t
flood(const struct work *w, uint32_t packet, unsigned i)
{
	const struct bridge_view *view = w->view;
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	unsigned words = view->words, vlan = view->vlans ? w->b->vlan[i] : 0;
	const uint64_t *reach = view->reach + (size_t)w->b->slot[i] * words;
	const uint64_t *members = view->members + (size_t)vlan * words;
	unsigned last = view->count;

	for (unsigned word = 0; word < words; word++) {
		for (uint64_t to = reach[word] & members[word]; to; to &= to - 1) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(to);

			if (!way_out(w->run, view->slots[slot].port)->up)
				continue;
			if (last != view->count)
				send_copy(w, packet, i, last);
			last = slot;
		}
	}
	if (last == view->count)
		return mr_verdict_drop(MR_BRIDGE_DROP_NO_TARGET);
	mr_node_count(w->run, MR_BRIDGE_COUNT_FLOODED, 1);
	if (!fits_slot(w, p, i, last))
		return mr_verdict_drop(MR_BRIDGE_DROP_TOO_BIG);
	return send(w, p, i, last);
}

static mr_verdict_t
flood_limited(const struct work *w, uint32_t packet, unsigned i, enum mr_bridge_storm storm)
{
	static const uint8_t drop[] = {
		[MR_BRIDGE_BROADCAST] = MR_BRIDGE_DROP_BROADCAST,
		[MR_BRIDGE_UNKNOWN] = MR_BRIDGE_DROP_UNKNOWN,
		[MR_BRIDGE_MULTICAST] = MR_BRIDGE_DROP_MULTICAST,
	};
	const struct mr_packet *p = mr_packet_at(w->run->base, packet);
	struct bridge_bucket *buckets = w->view->slots[w->b->slot[i]].storm;

	mr_record_uncacheable(w->rec, p,
	    storm == MR_BRIDGE_UNKNOWN ? "flooded until the station is known" : "flooded");
	if (buckets && buckets[storm].interval && !bucket_take(w, &buckets[storm]))
		return mr_verdict_drop(drop[storm]);
	return flood(w, packet, i);
}

static mr_verdict_t
decide_group(const struct work *w, uint32_t packet, unsigned i)
{
	static const uint8_t reserved[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const uint8_t *bytes = mr_packet_bytes(mr_packet_at(w->run->base, packet));

	if (!memcmp(bytes, reserved, 5) && bytes[5] < 16 && !(w->view->reserved >> bytes[5] & 1))
		return mr_verdict_drop(MR_BRIDGE_DROP_RESERVED);
	return flood_limited(w, packet, i,
	    memcmp(bytes, broadcast, 6) ? MR_BRIDGE_MULTICAST : MR_BRIDGE_BROADCAST);
}

/* What a replay of this frame's way to a station has to mind. */
static mr_noinline void
record_sent(const struct work *w, const struct mr_packet *p, unsigned i, unsigned port)
{
	unsigned tag = w->view->vlans && w->b->tagged[i] ? 4 : 0;

	mr_guard_length(w->rec, p, way_out(w->run, port)->mtu + HEADER + tag);
}

static mr_verdict_t
decide_known(const struct work *w, uint32_t packet, unsigned i, unsigned to)
{
	const struct bridge_view *view = w->view;
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	const struct mr_port_view *out = way_out(w->run, view->slots[to].port);
	unsigned vlan = view->vlans ? w->b->vlan[i] : 0, from = w->b->slot[i];

	if (to == from)
		return mr_verdict_drop(MR_BRIDGE_DROP_SAME_PORT);
	if (!bridge_bit(view->members, view->words, vlan, to))
		return mr_verdict_drop(MR_BRIDGE_DROP_VLAN_OUT);
	if (!bridge_bit(view->reach, view->words, from, to))
		return mr_verdict_drop(MR_BRIDGE_DROP_SPLIT_HORIZON);
	if (!out->up)
		return mr_verdict_drop(MR_BRIDGE_DROP_PORT_DOWN);
	if (!fits_slot(w, p, i, to)) {
		mr_record_uncacheable(w->rec, p, "too big: shorter ones pass");
		return mr_verdict_drop(MR_BRIDGE_DROP_TOO_BIG);
	}
	record_sent(w, p, i, view->slots[to].port);
	return send(w, p, i, to);
}

static mr_verdict_t
decide_bad(const struct work *w, uint32_t packet, unsigned i)
{
	const struct bridge_view *view = w->view;
	const struct mr_packet *p = mr_packet_at(w->run->base, packet);
	const uint8_t *bytes = mr_packet_bytes_const(p);
	uint64_t s;

	if (w->b->slot[i] == view->count)
		return mr_verdict_drop(MR_BRIDGE_DROP_NOT_MEMBER);
	if (p->len < (view->vlans ? TAGGED : HEADER))
		return mr_verdict_drop(MR_BRIDGE_DROP_TOO_SHORT);
	memcpy(&s, bytes + 6, 8);
	if ((s & 1) || !(s << 16))
		return mr_verdict_drop(MR_BRIDGE_DROP_SOURCE);
	return mr_verdict_drop(w->b->vlan[i] ? MR_BRIDGE_DROP_VLAN_IN : MR_BRIDGE_DROP_UNTAGGED);
}

/* Everything but a frame to a known station that may go there. */
static mr_noinline mr_verdict_t
decide(const struct work *w, uint32_t packet, unsigned i)
{
	uint32_t found = w->b->found[i];
	unsigned kind = w->b->kind[i], to;

	if ((kind & KIND_BAD) || w->b->slot[i] == w->view->count)
		return decide_bad(w, packet, i);
	if (kind & KIND_LIMIT)
		return mr_verdict_drop(MR_BRIDGE_DROP_MAC_LIMIT);
	if (kind & KIND_GROUP)
		return decide_group(w, packet, i);
	if (MR_MAC_FOUND_FLAGS(found) & MR_MAC_DROP)
		return mr_verdict_drop(MR_BRIDGE_DROP_STATIC_DROP);
	to = w->view->slot_of[MR_MAC_FOUND_PORT(found) % MR_PORT_MAX];
	/* Learned on a port that has just left the bridge: as good as unknown. */
	if (!found || to == w->view->count)
		return flood_limited(w, packet, i, MR_BRIDGE_UNKNOWN);
	return decide_known(w, packet, i, to);
}

/* The largest frame that may go from one slot to each of the others; 0 where none may. The
 * last stands for ports outside of the bridge. */
static void
limits(const struct work *w, unsigned from, uint32_t limit[LIMITS])
{
	const struct bridge_view *view = w->view;

	for (unsigned to = 0; to < view->count; to++) {
		const struct mr_port_view *out = way_out(w->run, view->slots[to].port);
		bool may = bridge_bit(view->reach, view->words, from, to) & out->up;

		limit[to] = may ? out->mtu + HEADER : 0;
	}
	limit[view->count] = 0;
}

/* With `limit`, that of the slot where all packets came in. */
mr_inline void
forward(const struct work *w, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count,
    const bool vlans, const uint32_t *limit)
{
	const struct bridge_view *view = w->view;
	const struct batch *b = w->b;

	for (unsigned i = 0; i < count; i++) {
		unsigned port = MR_MAC_FOUND_PORT(b->found[i]);
		unsigned slot = view->slot_of[port % MR_PORT_MAX];
		bool go = !b->kind[i] &
		    ((b->found[i] & (MR_MAC_LIVE | MR_MAC_DROP) << 16) == MR_MAC_LIVE << 16);

		if (limit) {
			go &= b->size[i] <= limit[slot];
		} else {
			const struct mr_port_view *out = way_out(w->run, port);

			go &= bridge_bit(view->reach, view->words, b->slot[i], slot) & out->up &
			    (b->size[i] <= out->mtu + HEADER);
		}
		if (vlans)
			go &= bridge_bit(view->members, view->words, b->vlan[i], slot);
		verdicts[i] = mr_verdict_output(port);
		if (mr_unlikely(w->rec != NULL) && go)
			record_sent(w, mr_packet_at(w->run->base, packets[i]), i, port);
		if (mr_unlikely(!go))
			verdicts[i] = decide(w, packets[i], i);
		else if (vlans &&
		    !retag(w->rec, mr_packet_at(w->run->base, packets[i]), &view->slots[slot],
			b->vlan[i], b->tagged[i]))
			verdicts[i] = mr_verdict_drop(MR_BRIDGE_DROP_NO_HEADROOM);
	}
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge's loop. A vector goes through in three phases, so that the MAC table's
 * lines are under way while the next packets are read:
 *
 *   1  classify: VLAN, keys of source and destination, what needs a closer look;
 *      then start loading both buckets of every packet
 *   2  learn: sources that are new, moved or not heard in this second
 *   3  look up the destinations and write the verdicts
 *
 * All sources of MR_BRIDGE_DEPTH packets are learned before the first of their destinations
 * is looked up. A
 * frame whose station is known, on a port that may be reached, that is up
 * and takes its size, is done in the loop; everything else goes through `decide`.
 */
#include "kit/flow/key.h"
#include "kit/packet/wire_eth.h"
#include "nf/bridge/bridge_int.h"

#define DEPTH MR_BRIDGE_DEPTH

/* How many packets ahead the bytes are fetched. */
#define AHEAD 12u

/* From so many packets on it pays to work out first what they have in common, if the
 * bridge has fewer ports than that. */
#define ALIKE_MIN 32u
#define LIMITS 64u

#define HEADER 14u
#define TAGGED 18u

enum kind {
	KIND_UNICAST = 0,
	KIND_GROUP = 1, /* to a group address */
	KIND_BAD = 2,   /* with any of the others: not to be forwarded, nor learned from */
	KIND_LIMIT = 4, /* its station may not be learned, and it is to be dropped for it */
};

struct batch {
	uint64_t src[DEPTH];
	uint64_t dst[DEPTH];
	uint32_t src_bucket[DEPTH];
	uint32_t dst_bucket[DEPTH];
	uint32_t found[DEPTH];
	uint16_t port[DEPTH];
	uint16_t slot[DEPTH];
	uint16_t vlan[DEPTH];
	uint16_t todo[DEPTH];
	uint32_t size[DEPTH]; /* without our tag: what the MTU and a header must hold */
	uint8_t kind[DEPTH];
	uint8_t tagged[DEPTH]; /* with a tag of ours, which stands at byte 12 */
	uint64_t learned;      /* of an explanation: the key that was not learned */
};

/* What every call needs. */
struct work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct bridge_view *view;
	struct batch *b;
};

static const uint8_t nothing[TAGGED + 2];

/* -- 1: classify -------------------------------------------------------------------- */

mr_inline void
record_decision(struct mr_recorder *rec, const struct mr_packet *p, const struct bridge_view *view,
    unsigned vlan, bool tagged)
{
	if (mr_likely(!mr_recorded(rec, p)))
		return;
	/* TPID and VID; priority and drop eligibility are not looked at. */
	if (tagged)
		mr_guard(rec, p, 12, 4, 0xff0fffff);
	if (view->vlans)
		mr_record_note(rec, p, "VLAN", vlan);
	mr_record_use(rec, p, MR_FLOW_L2);
	mr_record_read(rec, p, "bridge", &view->generation);
	mr_record_read(rec, p, "bridge stations", mr_mac_cell(view->table, (uint16_t)vlan));
}

/* With `alike` all packets are taken to have come in where the first one did. Returns
 * whether one did not: what was written is worth nothing then. */
mr_inline bool
classify(const struct work *w, const uint32_t *packets, unsigned count, const bool vlans,
    const bool alike)
{
	const struct bridge_view *view = w->view;
	struct batch *b = w->b;
	/* Local, because the compiler must take every store for one to them. */
	uint8_t *base = w->run->base;
	unsigned port = mr_packet_at(base, packets[0])->port, other = 0;
	unsigned slot = view->slot_of[port % MR_PORT_MAX];
	struct bridge_slot in = view->slots[slot];

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(base, packets[i]);
		const struct mr_packet *later =
		    mr_packet_at(base, packets[MR_MIN(i + AHEAD, count - 1)]);
		bool fits = p->len >= (vlans ? TAGGED : HEADER);
		const uint8_t *bytes = fits ? mr_packet_bytes(p) : nothing;
		unsigned vlan = 0, bad;
		bool tagged = false;
		uint64_t d, s, group;

		mr_prefetch(mr_packet_bytes_const(later));
		if (alike) {
			other |= p->port ^ port;
		} else {
			slot = view->slot_of[p->port % MR_PORT_MAX];
			b->port[i] = p->port;
			b->slot[i] = (uint16_t)slot;
			in = view->slots[slot];
		}
		memcpy(&d, bytes, 8);
		memcpy(&s, bytes + 6, 8);
		group = d & 1;
		/* Short frames were given a source of zero. */
		bad = (unsigned)(s & 1) | !(s << 16);
		if (vlans) {
			uint32_t type_tci;

			memcpy(&type_tci, bytes + 12, 4);
			tagged = (type_tci & 0xffff) == in.tag;
			vlan = __builtin_bswap16((uint16_t)(type_tci >> 16)) & 0xfff;
			vlan = tagged && vlan ? vlan : in.untagged;
			bad |= !bridge_bit(view->members, view->words, vlan, slot);
			b->vlan[i] = (uint16_t)vlan;
			b->tagged[i] = tagged;
		}
		b->size[i] = p->total - (tagged ? 4u : 0u);
		b->kind[i] = (uint8_t)(group | bad * KIND_BAD);
		b->src[i] = bad ? 0 : (s << 16 | vlan) & in.learn;
		b->dst[i] = group | bad ? 0 : d << 16 | vlan;
	}
	for (unsigned i = 0; alike && i < count; i++) {
		b->port[i] = (uint16_t)port;
		b->slot[i] = (uint16_t)slot;
	}
	return other != 0;
}

mr_inline void
record_decisions(const struct work *w, const uint32_t *packets, unsigned count, const bool vlans)
{
	for (unsigned i = 0; w->rec && i < count; i++)
		record_decision(w->rec, mr_packet_at(w->run->base, packets[i]), w->view,
		    vlans ? w->b->vlan[i] : 0, vlans && w->b->tagged[i]);
}

/* -- 2: learn ----------------------------------------------------------------------- */

/* Takes one token; in an explanation only asks. */
static bool
bucket_take(const struct work *w, struct bridge_bucket *bucket)
{
	uint64_t now = w->run->now;
	/* Relaxed: nothing else hangs on it. */
	uint64_t due = atomic_load_explicit(&bucket->due, memory_order_relaxed);
	uint64_t start;

	if (!bucket->interval)
		return true;
	do {
		start = MR_MAX(due, now);
		if (start - now >= bucket->burst)
			return false;
		if (mr_record_is_dry(w->rec))
			return true;
	} while (!atomic_compare_exchange_weak_explicit(&bucket->due, &due,
	    start + bucket->interval, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static enum mr_mac_learned
tell_table(const struct work *w, unsigned i, bool stay)
{
	struct mr_mac *table = w->view->table;
	uint64_t key = w->b->src[i];
	uint16_t port = w->b->port[i];
	uint32_t now = w->run->seconds;
	enum mr_mac_learned said;

	if (!mr_record_is_dry(w->rec))
		return mr_mac_learn(table, key, port, now, stay);
	said = mr_mac_would_learn(table, key, port, now, stay);
	/* What this very frame would find then. */
	if (said == MR_MAC_LEARNED || said == MR_MAC_EVICTED || said == MR_MAC_MOVED)
		w->b->learned = key;
	return said;
}

static enum mr_mac_learned
learn_one(const struct work *w, unsigned i)
{
	struct bridge_view *view = w->view;
	bool limited = view->moves.interval != 0;
	enum mr_mac_learned said = tell_table(w, i, limited);

	if (!limited || said != MR_MAC_ELSEWHERE ||
	    (MR_MAC_FOUND_FLAGS(mr_mac_get(view->table, w->b->src[i])) & MR_MAC_STATIC) ||
	    !bucket_take(w, &view->moves))
		return said;
	return tell_table(w, i, false);
}

static void
record_learned(const struct work *w, uint32_t packet, unsigned i, enum mr_mac_learned said)
{
	static const char *const texts[] = {
		[MR_MAC_LEARNED] = "source station learned on interface",
		[MR_MAC_EVICTED] = "source station learned on interface",
		[MR_MAC_MOVED] = "source station moved to interface",
		[MR_MAC_ELSEWHERE] = "source station stays elsewhere, heard on interface",
		[MR_MAC_PORT_LIMIT] = "source station not learned: limit of interface",
		[MR_MAC_FID_LIMIT] = "source station not learned: limit of the VLAN, on interface",
		[MR_MAC_FULL] = "source station not learned: no room, on interface",
	};

	mr_record_note(w->rec, mr_packet_at(w->run->base, packet), texts[said], w->b->port[i]);
}

static mr_noinline void
learn(const struct work *w, const uint32_t *packets, unsigned count)
{
	static const uint8_t counter[] = {
		[MR_MAC_LEARNED] = MR_BRIDGE_COUNT_LEARNED,
		[MR_MAC_EVICTED] = MR_BRIDGE_COUNT_LEARNED,
		[MR_MAC_MOVED] = MR_BRIDGE_COUNT_MOVED,
		[MR_MAC_ELSEWHERE] = MR_BRIDGE_COUNT_STAYED,
		[MR_MAC_PORT_LIMIT] = MR_BRIDGE_COUNT_LIMITED,
		[MR_MAC_FID_LIMIT] = MR_BRIDGE_COUNT_FULL,
		[MR_MAC_FULL] = MR_BRIDGE_COUNT_FULL,
	};

	for (unsigned j = 0; j < count; j++) {
		unsigned i = w->b->todo[j];
		enum mr_mac_learned said = learn_one(w, i);

		if (said == MR_MAC_SAME || said == MR_MAC_REFRESHED)
			continue;
		record_learned(w, packets[i], i, said);
		mr_node_count(w->run, counter[said], 1);
		if (said == MR_MAC_EVICTED)
			mr_node_count(w->run, MR_BRIDGE_COUNT_EVICTED, 1);
		if (said == MR_MAC_PORT_LIMIT && w->view->slots[w->b->slot[i]].drop_over_limit)
			w->b->kind[i] |= KIND_LIMIT;
	}
}

/* The table's word on each destination; in an explanation, which is of one frame, after the
 * frame's source would have been learned. */
static mr_noinline void
record_found(const struct work *w, const uint32_t *packets, unsigned count)
{
	struct batch *b = w->b;

	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(w->run->base, packets[i]);

		if (mr_record_is_dry(w->rec) && b->dst[i] && b->dst[i] == b->learned)
			b->found[i] = (uint32_t)MR_MAC_LIVE << 16 | b->port[i];
		if (b->found[i])
			mr_record_match(w->rec, p, "bridge stations", mr_packet_bytes_const(p), 6,
			    48, MR_MAC_FOUND_PORT(b->found[i]));
	}
}

/* -- 3: verdicts -------------------------------------------------------------------- */

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

	if (storm == MR_BRIDGE_UNKNOWN)
		mr_record_uncacheable(w->rec, p, "flooded until the station is known");
	if (buckets && buckets[storm].interval) {
		mr_record_uncacheable(w->rec, p, "storm limit");
		if (!bucket_take(w, &buckets[storm]))
			return mr_verdict_drop(drop[storm]);
	}
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
	if (!fits_slot(w, p, i, to))
		return mr_verdict_drop(MR_BRIDGE_DROP_TOO_BIG);
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

/* What a replay of this frame's way to a station has to mind: its size, and that its source stays
 * heard. */
static mr_noinline void
record_sent(const struct work *w, const struct mr_packet *p, unsigned i, unsigned port)
{
	bool vlans = w->view->vlans;
	unsigned tag = vlans && w->b->tagged[i] ? 4 : 0;

	mr_guard_length(w->rec, p, way_out(w->run, port)->mtu + HEADER + tag);
	if (w->b->src[i])
		mr_record_call(w->rec, p, vlans ? w->b->vlan[i] : 0, true);
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

/* -- the node ----------------------------------------------------------------------- */

mr_inline void
batch(const struct work *w, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count,
    const bool vlans)
{
	struct mr_mac *table = w->view->table;
	struct batch *b = w->b;
	uint32_t limit[LIMITS];
	bool alike = count >= ALIKE_MIN && w->view->count < LIMITS;
	unsigned stale;

	/* A vector mostly is what one port received. */
	alike = alike && !classify(w, packets, count, vlans, true);
	if (!alike)
		classify(w, packets, count, vlans, false);
	record_decisions(w, packets, count, vlans);
	mr_mac_prefetch(table, b->src, b->src_bucket, count);
	mr_mac_prefetch(table, b->dst, b->dst_bucket, count);
	stale =
	    mr_mac_stale(table, b->src, b->src_bucket, b->port, w->run->seconds, b->todo, count);
	b->learned = 0;
	if (stale)
		learn(w, packets, stale);
	mr_mac_find(table, b->dst, b->dst_bucket, b->found, count);
	if (w->rec)
		record_found(w, packets, count);
	if (alike) {
		limits(w, b->slot[0], limit);
		forward(w, packets, verdicts, count, vlans, limit);
	} else {
		forward(w, packets, verdicts, count, vlans, NULL);
	}
}

mr_inline void
bridge_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct mr_bridge *bridge = run->self;
	struct batch b;
	/* Acquire pairs with the release in mr_bridge_commit. */
	struct work w = { run, rec, atomic_load_explicit(&bridge->view, memory_order_acquire), &b };

	for (unsigned i = 0, n; i < count; i += n) {
		n = MR_MIN(count - i, DEPTH);
		if (w.view->vlans)
			batch(&w, packets + i, verdicts + i, n, true);
		else
			batch(&w, packets + i, verdicts + i, n, false);
	}
}
MR_NODE_FUNCTIONS(bridge)

/* Frames that the flow lane replays: their sources are heard where they were. */
static void
bridge_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *vlans,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	struct mr_bridge *bridge = run->self;
	/* Acquire pairs with the release in mr_bridge_commit. */
	struct mr_mac *table = atomic_load_explicit(&bridge->view, memory_order_acquire)->table;

	(void)replayed;
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		uint64_t source;
		uint32_t found;

		memcpy(&source, mr_packet_bytes_const(p) + 6, 8);
		source = source << 16 | vlans[i];
		found = mr_mac_get(table, source);
		if (found && MR_MAC_FOUND_PORT(found) == p->port)
			mr_mac_learn(table, source, p->port, run->seconds, true);
		else
			skip[i] = 1;
	}
}

#define MR_BRIDGE_X(id, name, doc) { name, doc },
static const struct mr_named drops[] = { MR_BRIDGE_DROPS(MR_BRIDGE_X) };
static const struct mr_named counters[] = { MR_BRIDGE_COUNTERS(MR_BRIDGE_X) };
#undef MR_BRIDGE_X

const struct mr_node_class mr_bridge_node_class = {
	.name = "bridge",
	.doc = "learning switch with VLANs",
	.drops = drops,
	.drop_count = MR_BRIDGE_DROP_COUNT,
	.counters = counters,
	.counter_count = MR_BRIDGE_COUNT_COUNT,
	.by_address = true,
	.replays = true,
	.replay = bridge_replay,
	MR_NODE_RUN(bridge),
};

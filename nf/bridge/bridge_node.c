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
#include "nf/bridge/verdict_inl.h"

/* How many packets ahead the bytes are fetched. */
#define AHEAD 12u
/* What is said of the source by replays: its VLAN, or, with this bit, its place in the table. */
#define CALL_PLACE (1u << 31)

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

/* Through a pair or out of a tunnel: replayed are packets as they were before. */
mr_inline bool
came_from_within(const struct mr_packet *p)
{
	return p->flags >> MR_PACKET_JOINS_SHIFT;
}

mr_inline void
record_decisions(const struct work *w, const uint32_t *packets, unsigned count, const bool vlans)
{
	for (unsigned i = 0; w->rec && i < count; i++) {
		const struct mr_packet *p = mr_packet_at(w->run->base, packets[i]);
		unsigned vlan = vlans ? w->b->vlan[i] : 0;

		record_decision(w->rec, p, w->view, vlan, vlans && w->b->tagged[i]);
		/* Also the source of what is dropped stays heard. */
		if (w->b->src[i] && !came_from_within(p))
			mr_record_call_shared(w->rec, p, vlan);
	}
}

/* Sources that no packet from outside shows, once they are learned. */
static mr_noinline void
record_within(const struct work *w, const uint32_t *packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(w->run->base, packets[i]);
		uint32_t place;

		if (!mr_recorded(w->rec, p) || !w->b->src[i] || !came_from_within(p))
			continue;
		place = mr_mac_place(w->view->table, w->b->src[i]);
		if (place)
			mr_record_call(w->rec, p, place | CALL_PLACE, true);
	}
}

/* -- 2: learn ----------------------------------------------------------------------- */

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
		if (said != MR_MAC_LEARNED && said != MR_MAC_EVICTED && said != MR_MAC_MOVED)
			mr_record_uncacheable(w->rec, mr_packet_at(w->run->base, packets[i]),
			    "source station not learned here");
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
	if (w->rec) {
		record_found(w, packets, count);
		record_within(w, packets, count);
	}
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

		if (vlans[i] & CALL_PLACE) {
			if (!mr_mac_heard(table, vlans[i] & ~CALL_PLACE, run->seconds))
				skip[i] = MR_REPLAY_SKIP;
			continue;
		}
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel-in: of what is sent to the router itself, packets of a tunnel lose their outer headers and come
 * in on the tunnel's interface; everything else goes on to the host. Only the configured remote ends are
 * listened to. Where there are several, it is learned which stations are behind which of them.
 *
 * tunnel-enter: leads to where the interfaces' packets enter.
 */
#include <string.h>

#include "kit/flow/key.h"
#include "kit/packet/checksum.h"
#include "nf/tunnel/tunnel_int.h"

enum { ECN_NONE, ECN_ECT1, ECN_ECT0, ECN_CE, ECN_MASK = 3 };

struct pass {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct tunnel_core *core;
	const struct mr_flow_inside *inside;
};

/* A packet on its way in. */
struct outer {
	struct mr_flow_outer key;
	const struct tunnel_end *end;
	unsigned l3, l4, udp_len;
	bool six;
	uint8_t class;
};

/* -- whose it is ---------------------------------------------------------------------------- */

/* UDP that may be a tunnel's; false: it is the host's. */
static bool
read_ip(const struct pass *s, const struct mr_packet *p, struct outer *o)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + o->l3;
	unsigned head, total;

	memset(&o->key, 0, sizeof(o->key));
	if (p->len < o->l3 + 20u)
		return false;
	o->six = ip[0] >> 4 == 6;
	if (o->six) {
		head = sizeof(struct mr_ip6);
		if (p->len < o->l3 + head || ip[6] != MR_IP_PROTO_UDP)
			return false;
		total = head + mr_load_be16(ip + 4);
		memcpy(o->key.local, ip + 24, 16);
		memcpy(o->key.remote, ip + 8, 16);
		o->class = (uint8_t)(mr_load_be16(ip) >> 4);
	} else {
		head = (ip[0] & 15u) * 4;
		total = mr_load_be16(ip + 2);
		if (ip[9] != MR_IP_PROTO_UDP ||
		    (mr_load_be16(ip + 6) & (MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET)))
			return false;
		memcpy(o->key.local, ip + 16, 4);
		memcpy(o->key.remote, ip + 12, 4);
		o->class = ip[1];
	}
	o->l4 = o->l3 + head;
	if (total < head + sizeof(struct mr_udp) || p->len < o->l4 + sizeof(struct mr_udp))
		return false;
	o->udp_len = mr_load_be16(ip + head + 4);
	if (o->udp_len > total - head)
		o->udp_len = 0;
	o->key.port = mr_load_be16(ip + head + 2);
	o->key.vrf =
	    (uint16_t)(mr_ip_vrf(&s->core->ip->interfaces[p->context % MR_IP_INTERFACES_MAX]) |
		(o->six ? MR_FLOW_OUTER_SIX : 0));
	return true;
}

/* 0: the tunnel and its end are known. Else a verdict. */
static mr_verdict_t
find_end(const struct pass *s, const struct mr_packet *p, struct outer *o)
{
	const uint8_t *shim = mr_packet_bytes_const(p) + o->l4 + sizeof(struct mr_udp);
	struct mr_flow_outer part = o->key;
	uint32_t found;

	memset(part.remote, 0, sizeof(part.remote));
	part.network = 0;
	if (!mr_flow_inside_find(s->inside, &part))
		return mr_verdict_edge(TUNNEL_IN_NEXT);
	if (o->udp_len < TUNNEL_SHIM + TUNNEL_ETH || p->len < o->l4 + TUNNEL_SHIM + TUNNEL_ETH)
		return mr_verdict_drop(TUNNEL_IN_DROP_MALFORMED);
	mr_guard(s->rec, p, o->l4 + sizeof(struct mr_udp), 8,
	    0x00ffffff00000000ull | MR_VXLAN_VNI_VALID);
	if (!(shim[0] & MR_VXLAN_VNI_VALID))
		return mr_verdict_drop(TUNNEL_IN_DROP_FLAGS);
	part.network = o->key.network = mr_load_be32(shim + 4) >> 8;
	found = mr_flow_inside_find(s->inside, &o->key);
	if (mr_likely(found && found != TUNNEL_END_PART)) {
		o->end = &s->core->ends[found];
		return 0;
	}
	return mr_verdict_drop(part.network && mr_flow_inside_find(s->inside, &part)
		? TUNNEL_IN_DROP_REMOTE
		: TUNNEL_IN_DROP_VNI);
}

/* -- congestion (RFC 6040, 4.2) ------------------------------------------------------------- */

static void
set_inner(const struct pass *s, struct mr_packet *p, unsigned l3, bool six, unsigned ecn)
{
	uint8_t *ip = mr_packet_bytes(p) + l3;
	be16_t was, now;

	memcpy(&was, ip, 2);
	now = six ? (be16_t)((was & ~mr_be16(0x30)) | mr_be16((uint16_t)(ecn << 4)))
		  : (be16_t)((was & ~mr_be16(3)) | mr_be16((uint16_t)ecn));
	mr_edit_set16(s->rec, p, l3, now);
	if (!six)
		mr_edit_sum(s->rec, p, l3 + offsetof(struct mr_ip4, check),
		    mr_checksum_delta16(was, now), MR_SUM_PLAIN);
}

/* What the way has marked becomes the frame's. False: the frame is lost, as it would have been on a
 * router that is congested. */
static bool
take_mark(const struct pass *s, struct mr_packet *p, const struct outer *o)
{
	unsigned outer = o->class & ECN_MASK, inner, l3;
	bool six;

	if (o->six)
		mr_guard(s->rec, p, o->l3, 2, 0x3000);
	else
		mr_guard(s->rec, p, o->l3 + 1, 1, ECN_MASK);
	if (mr_likely(outer == ECN_NONE || outer == ECN_ECT0))
		return true;
	mr_record_uncacheable(s->rec, p, "marked on its way");
	l3 = tunnel_find_ip(p, o->l4 + TUNNEL_SHIM, &six);
	if (!l3)
		return true;
	inner = six ? mr_packet_bytes(p)[l3 + 1] >> 4 & ECN_MASK
		    : mr_packet_bytes(p)[l3 + 1] & ECN_MASK;
	if (inner == ECN_NONE)
		return outer != ECN_CE;
	if (inner == ECN_CE || (outer == ECN_ECT1 && inner == ECN_ECT1))
		return true;
	set_inner(s, p, l3, six, outer);
	if (!mr_record_is_dry(s->rec))
		mr_node_count(s->run, TUNNEL_IN_COUNT_MARKED, 1);
	return true;
}

/* -- out of its headers --------------------------------------------------------------------- */

static bool
sum_is_right(const struct pass *s, uint32_t handle, const struct mr_packet *p,
    const struct outer *o)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + o->l3;
	be32_t src, dst;
	uint64_t sum;

	/* Of each packet, also behind one that has none, or that a device vouches for. */
	mr_record_uncacheable(s->rec, p, "UDP checksums rest on all of the frame");
	if (!mr_load_be16(mr_packet_bytes_const(p) + o->l4 + offsetof(struct mr_udp, check)) ||
	    (p->flags & (MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD)))
		return true;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	sum = o->six ? mr_checksum_pseudo6(ip + 8, ip + 24, MR_IP_PROTO_UDP, o->udp_len)
		     : mr_checksum_pseudo4(src, dst, MR_IP_PROTO_UDP, (uint16_t)o->udp_len);
	return mr_checksum_add_chain(&sum, s->run->buffers, handle, o->l4, o->udp_len) == 0 &&
	    mr_checksum_finish(sum) == 0;
}

/* Nothing behind UDP's end. */
static void
cut(const struct pass *s, uint32_t handle, struct mr_packet *p, const struct outer *o)
{
	if (mr_likely(p->total == o->l4 + o->udp_len))
		return;
	mr_packet_trim(s->run->buffers, s->run->worker, handle, o->l4 + o->udp_len);
	if (mr_unlikely(mr_recorded(s->rec, p)))
		mr_record_op(s->rec, p, MR_OP_TRIM)->arg = p->total;
}

/* The flow lane has to know the packet inside, and what nodes do with packets that it replays, they do
 * with that one. */
static void
rest_on_inside(const struct pass *s, struct mr_packet *p)
{
	const struct mr_recording *r = mr_recorder_of(s->rec, p->record);

	if (!(p->flags & MR_PACKET_INSIDE))
		mr_record_uncacheable(s->rec, p, "its flow is not known by what is in the tunnel");
	for (unsigned i = 0; i < r->count; i++)
		if (r->ops[i].kind == MR_OP_CALL) {
			mr_record_uncacheable(s->rec, p,
			    "a node wants to see packets before they are unwrapped");
			return;
		}
}

/* A kernel that would have a device cut hands over one frame behind one outer header: it is the frame's
 * segmentation, and stays to be done. Where the checksum is to be says what is to be cut. */
static bool
is_super_inside(const struct mr_packet *p, unsigned around)
{
	return (p->flags & MR_PACKET_CSUM_PARTIAL) && p->csum_start >= around + TUNNEL_ETH;
}

static mr_verdict_t
unwrap(const struct pass *s, uint32_t handle, struct mr_packet *p, struct outer *o)
{
	struct tunnel *t = o->end->tunnel;
	struct mr_port *port = atomic_load_explicit(&t->port, memory_order_acquire);
	const struct tunnel_view *view = mr_rcu_read(&t->view);
	unsigned around = o->l4 + TUNNEL_SHIM;

	mr_record_read(s->rec, p, "tunnel", &t->changed);
	if (mr_unlikely(!port))
		return mr_verdict_drop(TUNNEL_IN_DROP_CLOSED);
	if (mr_unlikely((p->flags & MR_PACKET_GSO) && !is_super_inside(p, around)))
		return mr_verdict_drop(TUNNEL_IN_DROP_SUPER);
	if (mr_unlikely(view->checksum && !sum_is_right(s, handle, p, o)))
		return mr_verdict_drop(TUNNEL_IN_DROP_CHECKSUM);
	if (mr_unlikely(mr_recorded(s->rec, p)))
		rest_on_inside(s, p);
	if (mr_unlikely(!take_mark(s, p, o)))
		return mr_verdict_drop(TUNNEL_IN_DROP_CONGESTION);
	if (mr_unlikely(!mr_packet_join(p, t->index)))
		return mr_verdict_drop(TUNNEL_IN_DROP_LOOP);
	cut(s, handle, p, o);
	/* What was still to be summed of the outer packet went with it. */
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && p->csum_start < around)
		p->flags &= (uint16_t)~MR_PACKET_CSUM_PARTIAL;
	p->flags &= (uint16_t) ~(
	    MR_PACKET_CSUM_GOOD | MR_PACKET_HASHED | MR_PACKET_MARKED | MR_PACKET_INSIDE);
	mr_edit_pop(s->rec, p, 0, around);
	mr_record_note(s->rec, p, TUNNEL_NOTE_FROM, TUNNEL_NOTE(t->slot, o->end->number));
	mr_record_tally(s->rec, p, (uint32_t)(o->end - s->core->ends));
	if (!mr_record_is_dry(s->rec)) {
		tunnel_count(t, s->run->worker, o->end->number, TUNNEL_RX_PACKETS, 1, p->total);
		mr_port_count_rx(port, s->run->worker, 1, p->total);
	}
	return mr_verdict_edge(TUNNEL_IN_ENTER + t->slot / TUNNEL_ENTER_EDGES);
}

/* -- learning ------------------------------------------------------------------------------- */

/* Replays keep it heard where it is, as long as it is there. */
static void
record_station(const struct pass *s, const struct mr_packet *p, const struct mr_mac *table,
    uint64_t key, unsigned slot)
{
	uint32_t place = mr_mac_place(table, key);

	if (place && place >> TUNNEL_CALL_SHIFT == 0)
		mr_record_call(s->rec, p, place | (uint32_t)slot << TUNNEL_CALL_SHIFT, true);
	else
		mr_record_uncacheable(s->rec, p, "its source is not learned");
}

static void
learn(const struct pass *s, const struct mr_packet *p, const struct tunnel_view *view,
    unsigned number, unsigned slot)
{
	struct mr_mac *table = view->stations;
	const uint8_t *source = mr_packet_bytes_const(p) + 6;
	uint64_t key = mr_mac_key(source, 0);
	enum mr_mac_learned said;

	if ((source[0] & 1) || !key || mr_record_is_dry(s->rec))
		return;
	mr_record_read(s->rec, p, "tunnel stations", mr_mac_cell(table, 0));
	said = mr_mac_learn(table, key, (uint16_t)number, s->run->seconds, false);
	if (mr_likely(said == MR_MAC_SAME || said == MR_MAC_REFRESHED)) {
		if (mr_unlikely(mr_recorded(s->rec, p)))
			record_station(s, p, table, key, slot);
		return;
	}
	/* With its next packet it is known, or will be asked for again. */
	mr_record_uncacheable(s->rec, p, "its source was not known");
	if (said == MR_MAC_LEARNED || said == MR_MAC_EVICTED)
		mr_node_count(s->run, TUNNEL_IN_COUNT_LEARNED, 1);
	else if (said == MR_MAC_MOVED)
		mr_node_count(s->run, TUNNEL_IN_COUNT_MOVED, 1);
	else
		mr_node_count(s->run, TUNNEL_IN_COUNT_REFUSED, 1);
}

/* -- the nodes ------------------------------------------------------------------------------ */

static mr_verdict_t
take(const struct pass *s, uint32_t handle, struct mr_packet *p)
{
	struct outer o = { .l3 = mr_ip_meta(p)->l3 };
	unsigned want = o.l3 + 60u + TUNNEL_SHIM + TUNNEL_ETH + 48u;
	const struct tunnel_view *view;
	mr_verdict_t verdict;

	/* All that is read, but for what is far behind. */
	if (mr_unlikely(p->len < p->total && p->len < want))
		(void)mr_packet_pull(s->run->buffers, s->run->worker, handle,
		    MR_MIN(p->total, want));
	if (!read_ip(s, p, &o))
		return mr_verdict_edge(TUNNEL_IN_NEXT);
	verdict = find_end(s, p, &o);
	if (mr_unlikely(!o.end)) {
		if ((verdict & MR_VERDICT_CLASS) == MR_VERDICT_DROP)
			mr_record_uncacheable(s->rec, p, "refused by a tunnel");
		return verdict;
	}
	verdict = unwrap(s, handle, p, &o);
	view = mr_rcu_read(&o.end->tunnel->view);
	if ((verdict & MR_VERDICT_CLASS) == MR_VERDICT_EDGE && view->learn)
		learn(s, p, view, o.end->number, o.end->tunnel->slot);
	return verdict;
}

mr_inline void
tunnel_in_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct tunnel_core *core = run->self;
	struct pass s = { .run = run, .rec = rec, .core = core };

	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "tunnels", &core->changed);
	s.inside = mr_rcu_read(&core->inside);
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		verdicts[i] = take(&s, packets[i], p);
	}
}
MR_NODE_FUNCTIONS(tunnel_in)

/* Frames that were replayed. */
static void
tunnel_in_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	const struct tunnel_core *core = run->self;

	(void)packets;
	(void)replayed;
	for (unsigned i = 0; i < count; i++) {
		const struct tunnel *t = mr_rcu_read(&core->tunnels[args[i] >> TUNNEL_CALL_SHIFT]);
		const struct tunnel_view *v = t ? mr_rcu_read(&t->view) : NULL;

		if (!v || !v->learn ||
		    !mr_mac_heard(v->stations, args[i] & ((1u << TUNNEL_CALL_SHIFT) - 1),
			run->seconds))
			skip[i] = MR_REPLAY_SKIP;
	}
}

static void
tunnel_in_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	const struct tunnel_core *core = run->self;
	const struct tunnel_end *end = &core->ends[number % TUNNEL_ENDS_MAX];

	if (!end->tunnel)
		return;
	tunnel_count(end->tunnel, run->worker, end->number, TUNNEL_RX_PACKETS, packets, bytes);
	mr_port_count_rx(atomic_load_explicit(&end->tunnel->port, memory_order_acquire),
	    run->worker, packets, bytes);
}

mr_inline void
tunnel_enter_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	/* The edge of each port's packets. */
	const uint8_t *edge_of = run->self;

	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		mr_record_use(rec, p, 0);
		verdicts[i] = mr_verdict_edge(edge_of[p->port % MR_PORT_MAX]);
	}
}
MR_NODE_FUNCTIONS(tunnel_enter)

#define ENTER(n) "enter-" #n
static const char *const edges[TUNNEL_IN_EDGES] = { [TUNNEL_IN_NEXT] = "host",
	ENTER(0),
	ENTER(1),
	ENTER(2),
	ENTER(3),
	ENTER(4),
	ENTER(5),
	ENTER(6),
	ENTER(7),
	ENTER(8),
	ENTER(9),
	ENTER(10),
	ENTER(11),
	ENTER(12),
	ENTER(13),
	ENTER(14) };
static_assert(TUNNEL_IN_EDGES == 16, "all edges have names");
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	TUNNEL_IN_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	TUNNEL_IN_COUNTERS(X)
#undef X
};

const struct mr_node_class tunnel_in_class = {
	.name = "tunnel-in",
	.doc = "takes frames out of the headers around them, from a tunnel's remote ends",
	.edges = edges,
	.edge_count = TUNNEL_IN_EDGES,
	.drops = drops,
	.drop_count = TUNNEL_IN_DROP_COUNT,
	.counters = counters,
	.counter_count = TUNNEL_IN_COUNT_COUNT,
	.replays = true,
	.unwraps = true,
	.replay = tunnel_in_replay,
	.tally = tunnel_in_tally,
	MR_NODE_RUN(tunnel_in),
};

#define TO(n) "interface-" #n
/* clang-format off */
static const char *const enter_edges[TUNNEL_ENTER_EDGES] = {
	TO(0), TO(1), TO(2), TO(3), TO(4), TO(5), TO(6), TO(7), TO(8), TO(9), TO(10), TO(11), TO(12),
	TO(13), TO(14), TO(15), TO(16), TO(17), TO(18), TO(19), TO(20), TO(21), TO(22), TO(23), TO(24),
	TO(25), TO(26), TO(27), TO(28), TO(29), TO(30), TO(31), TO(32), TO(33), TO(34), TO(35), TO(36),
	TO(37), TO(38), TO(39), TO(40), TO(41), TO(42), TO(43), TO(44), TO(45), TO(46), TO(47), TO(48),
	TO(49), TO(50), TO(51), TO(52), TO(53), TO(54), TO(55), TO(56), TO(57), TO(58), TO(59), TO(60),
	TO(61), TO(62), TO(63),
};
/* clang-format on */

const struct mr_node_class tunnel_enter_class = {
	.name = "tunnel-enter",
	.doc = "leads what came out of tunnels to where their interfaces' packets enter",
	.edges = enter_edges,
	.edge_count = TUNNEL_ENTER_EDGES,
	.replays = true,
	MR_NODE_RUN(tunnel_enter),
};

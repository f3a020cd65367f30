/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel-out: frames that leave by a tunnel's interface are put behind the headers that lead to a remote
 * end, and handed to the router, which knows the way. Where there are several remote ends, the frame's
 * destination says which; what is unknown or for everybody goes to all of them (RFC 7348, 4.2).
 *
 * The outer packet says about itself what the frame's own IP header says: class and congestion (RFC
 * 2983, RFC 6040), and by UDP's source port which flow it is (RFC 7348, 5).
 */
#include <errno.h>
#include <string.h>

#include "kit/flow/key.h"
#include "kit/packet/checksum.h"
#include "kit/packet/flow_hash.h"
#include "kit/packet/gso.h"
#include "nf/tunnel/tunnel_int.h"

#define CUTS_MAX 256u
#define EPHEMERAL 0xc000u /* RFC 7348, 5: 49152 to 65535 */

struct pass {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct tunnel *t;
	const struct tunnel_view *view;
	uint64_t packets, bytes; /* passed, for the port */
};

/* -- what the frame says -------------------------------------------------------------------- */

/* The outer packet's class: DSCP as configured, ECN as it is (RFC 6040, 4.1, normal mode). */
static uint8_t
class_of(const struct pass *s, const struct mr_packet *p)
{
	bool copy = s->view->dscp == TUNNEL_DSCP_COPY, six;
	uint8_t given = copy ? 0 : (uint8_t)(s->view->dscp << 2), class;
	unsigned at = tunnel_find_ip(p, 0, &six);
	const uint8_t *ip = mr_packet_bytes_const(p) + at;

	if (!at)
		return given;
	class = six ? (uint8_t)(mr_load_be16(ip) >> 4) : ip[1];
	if (six)
		mr_guard(s->rec, p, at, 2, copy ? 0xf00f : 0x3000);
	else
		mr_guard(s->rec, p, at + 1, 1, copy ? 0xff : 0x03);
	return copy ? class : given | (class & 3);
}

/* -- the headers ---------------------------------------------------------------------------- */

/* UDP's checksum of what stands behind the outer IP header, which is written. */
static be16_t
udp_sum(const struct pass *s, const struct mr_packet *p, uint32_t handle,
    const struct tunnel_remote *r, unsigned len)
{
	unsigned l4 = TUNNEL_ETH + r->size - TUNNEL_SHIM;
	const uint8_t *ip = r->head;
	be32_t src, dst;
	uint64_t sum;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	sum = r->six ? mr_checksum_pseudo6(ip + 8, ip + 24, MR_IP_PROTO_UDP, len)
		     : mr_checksum_pseudo4(src, dst, MR_IP_PROTO_UDP, (uint16_t)len);
	mr_record_uncacheable(s->rec, p, "its UDP checksum rests on all of the frame");
	if (mr_checksum_add_chain(&sum, s->run->buffers, handle, l4, len))
		return 0;
	return mr_checksum_finish_udp(sum);
}

/* What the packet's length is written into, once it is pushed. */
static void
write_lengths(const struct pass *s, struct mr_packet *p, const struct tunnel_remote *r)
{
	unsigned head = r->size - TUNNEL_SHIM, l4 = TUNNEL_ETH + head;
	const struct mr_length ip = { .offset = (uint16_t)(TUNNEL_ETH + (r->six ? 4 : 2)),
		.more = (int16_t) - (int)(TUNNEL_ETH + (r->six ? head : 0)),
		.sum = r->six ? 0 : (uint16_t)(TUNNEL_ETH + offsetof(struct mr_ip4, check)) };
	const struct mr_length udp = { .offset = (uint16_t)(l4 + offsetof(struct mr_udp, len)),
		.more = (int16_t) - (int)l4 };

	mr_edit_length(s->rec, p, &ip);
	mr_edit_length(s->rec, p, &udp);
}

/* Which pieces are one packet's: another number for each that is sent to a remote end, as long as 16
 * bits last. Tunnels to the same one start apart. */
static uint16_t
next_id(const struct pass *s, const struct tunnel_remote *r)
{
	unsigned worker = MR_MIN(s->run->worker, s->t->workers);
	const _Atomic uint64_t *sent = mr_counters_row(s->t->traffic, worker) +
	    r->number * TUNNEL_TRAFFIC_COUNT + TUNNEL_TX_PACKETS;
	uint64_t id = mr_counter_get(sent) * (s->t->workers + 1) + worker;

	return (uint16_t)(id + s->t->slot * 40503u);
}

static void
write_head(const struct pass *s, struct mr_packet *p, uint32_t handle,
    const struct tunnel_remote *r, uint8_t class, uint32_t hash, bool cut)
{
	be16_t sport = mr_be16((uint16_t)(EPHEMERAL | (hash ^ hash >> 16))), check;
	unsigned l4 = TUNNEL_ETH + r->size - TUNNEL_SHIM;
	/* The router writes the Ethernet header. */
	uint8_t bytes[TUNNEL_ETH + sizeof(r->head)] = { 0 };

	memcpy(bytes + TUNNEL_ETH, r->head, sizeof(r->head));
	memcpy(bytes + l4, &sport, sizeof(sport));
	if (r->six) {
		be32_t first = mr_be32(6u << 28 | (uint32_t) class << 20 | (hash & 0xfffff));

		memcpy(bytes + TUNNEL_ETH, &first, sizeof(first));
	} else {
		struct mr_ip4 *ip = (struct mr_ip4 *)(bytes + TUNNEL_ETH);

		ip->tos = class;
		/* What routers may not cut needs no number (RFC 6864, 4). */
		if (cut) {
			ip->frag = 0;
			ip->id = mr_be16(next_id(s, r));
		}
		ip->check = mr_checksum_ipv4_header(ip);
	}
	for (unsigned at = 0; at < TUNNEL_ETH + r->size; at += 16)
		mr_edit_set(s->rec, p, at, bytes + at, MR_MIN(16u, TUNNEL_ETH + r->size - at));
	write_lengths(s, p, r);
	if (mr_unlikely(s->view->checksum)) {
		check = udp_sum(s, p, handle, r, p->total - l4);
		mr_edit_set16(s->rec, p, l4 + offsetof(struct mr_udp, check), check);
	}
}

/* -- one packet to one remote end ----------------------------------------------------------- */

/* Counted as if it came in anew. */
static bool
may_be_wrapped(struct mr_packet *p)
{
	if (p->flags >> MR_PACKET_JOINS_SHIFT == MR_PACKET_JOINS_MAX)
		return false;
	p->flags = (uint16_t)(p->flags + (1u << MR_PACKET_JOINS_SHIFT));
	return true;
}

static mr_verdict_t
wrap(struct pass *s, uint32_t handle, struct mr_packet *p, const struct tunnel_remote *r)
{
	const struct tunnel_live *live = &s->t->live[r->number];
	unsigned via = atomic_load_explicit(&live->via, memory_order_relaxed);
	unsigned mtu = atomic_load_explicit(&live->mtu, memory_order_relaxed);
	unsigned frame = p->total;
	uint32_t hash;
	uint8_t class;
	bool big;

	if (mr_unlikely(!via))
		return mr_verdict_drop(TUNNEL_OUT_DROP_NO_WAY);
	/* Put into a tunnel already, on this way: where ways lead in a ring, each writes a TTL of its own, and
	 * a piece has room for more headers than what it was cut from. */
	if (mr_unlikely((p->flags & MR_PACKET_TRANSLATED) && !may_be_wrapped(p)))
		return mr_verdict_drop(TUNNEL_OUT_DROP_LOOP);
	big = r->size + frame > mtu;
	mr_guard_length(s->rec, p, mtu - MR_MIN(mtu, (unsigned)r->size));
	if (mr_unlikely(big)) {
		mr_record_uncacheable(s->rec, p, "too big for the way to the remote end");
		if (!s->view->fragment || r->six || r->size + frame > UINT16_MAX)
			return mr_verdict_drop(TUNNEL_OUT_DROP_TOO_BIG);
	}
	if (mr_unlikely(mr_packet_headroom(p) < TUNNEL_ETH + r->size)) {
		mr_record_uncacheable(s->rec, p, "no room for another header");
		return mr_verdict_drop(TUNNEL_OUT_DROP_ROOM);
	}
	/* The outer checksum takes in the inner one. */
	if (mr_unlikely(s->view->checksum && (p->flags & MR_PACKET_CSUM_PARTIAL)))
		(void)mr_checksum_complete(s->run->buffers, handle);
	/* All that it may rest on is the flow's key, or guarded. */
	mr_record_use(s->rec, p, MR_FLOW_ALL & ~(unsigned)MR_FLOW_L2);
	hash = mr_packet_flow_hash(p);
	class = class_of(s, p);
	/* Of the frame as it is: its length is what is counted. */
	mr_record_tally(s->rec, p, r->number);
	(void)mr_edit_push(s->rec, p, 0, TUNNEL_ETH + r->size);
	write_head(s, p, handle, r, class, hash, big);
	mr_record_note(s->rec, p, TUNNEL_NOTE_TO, TUNNEL_NOTE(s->t->slot, r->number));
	/* NAT leaves it alone: its source is this router's own. Whose recording or mark it was
	 * matters to the inside alone. */
	p->flags = (uint16_t)((p->flags | MR_PACKET_TRANSLATED) &
	    ~(unsigned)(MR_PACKET_CSUM_GOOD | MR_PACKET_MARKED | MR_PACKET_ANSWER));
	p->hash = hash;
	p->flags |= MR_PACKET_HASHED;
	p->track = 0;
	p->context = via;
	*mr_ip_meta(p) = (struct mr_ip_meta){ .l3 = TUNNEL_ETH, .flags = MR_IP_META_ORIGIN };
	if (!mr_record_is_dry(s->rec)) {
		tunnel_count(s->t, s->run->worker, r->number, TUNNEL_TX_PACKETS, 1, frame);
		s->packets++;
		s->bytes += frame;
		if (mr_unlikely(big))
			mr_node_count(s->run, TUNNEL_OUT_COUNT_FRAGMENTED, 1);
	}
	return mr_verdict_edge(r->six ? TUNNEL_OUT_FORWARD6 : TUNNEL_OUT_FORWARD4);
}

/* -- several remote ends -------------------------------------------------------------------- */

static mr_verdict_t
flood(struct pass *s, uint32_t handle, struct mr_packet *p)
{
	const struct tunnel_view *v = s->view;
	unsigned lost = 0;

	mr_record_note(s->rec, p, TUNNEL_NOTE_ALL, s->t->slot);
	mr_record_uncacheable(s->rec, p, "sent to all remote ends of a tunnel");
	for (unsigned i = 1; i < v->count; i++) {
		uint32_t copy = mr_node_copy(s->run, s->rec, handle);
		struct mr_packet *c;

		if (copy == MR_PACKET_NONE) {
			lost++;
			continue;
		}
		c = mr_packet_at(s->run->base, copy);
		mr_node_emit(s->run, copy, wrap(s, copy, c, &v->remotes[i]));
	}
	if (!mr_record_is_dry(s->rec)) {
		mr_node_count(s->run, TUNNEL_OUT_COUNT_FLOODED, 1);
		mr_node_count(s->run, TUNNEL_OUT_COUNT_COPIES, v->count - 1u - lost);
		mr_node_count(s->run, TUNNEL_OUT_COUNT_LOST, lost);
	}
	return wrap(s, handle, p, &v->remotes[0]);
}

/* The remote end behind which the frame's destination was heard; null: all of them. */
static const struct tunnel_remote *
choose(struct pass *s, const struct mr_packet *p, uint32_t found)
{
	const struct tunnel_view *v = s->view;
	unsigned place;

	if (v->count == 1)
		return &v->remotes[0];
	mr_record_read(s->rec, p, "tunnel stations", mr_mac_cell(s->view->stations, 0));
	/* Where nobody wrote it on the way here, it is no part of a routed packet's key. */
	mr_guard(s->rec, p, 0, 6, UINT64_MAX);
	if (!found)
		return NULL;
	place = v->place[MR_MAC_FOUND_PORT(found) % TUNNEL_REMOTES_MAX];
	if (place == TUNNEL_NONE)
		return NULL;
	mr_record_match(s->rec, p, "tunnel stations", mr_packet_bytes_const(p), 6, 48, place);
	return &v->remotes[place];
}

static mr_verdict_t
send(struct pass *s, uint32_t handle, struct mr_packet *p, uint32_t found)
{
	const struct tunnel_remote *r = choose(s, p, found);

	return mr_likely(r != NULL) ? wrap(s, handle, p, r) : flood(s, handle, p);
}

/* -- super-frames --------------------------------------------------------------------------- */

/* `p`, cut down, becomes what `piece` is, which is freed. */
static void
become(const struct pass *s, uint32_t handle, struct mr_packet *p, uint32_t piece)
{
	struct mr_packet *from = mr_packet_at(s->run->base, piece);

	mr_packet_trim(s->run->buffers, s->run->worker, handle, TUNNEL_ETH);
	p->data = MR_PACKET_DATA;
	p->len = from->len;
	p->total = from->total;
	p->next = from->next;
	p->segments = from->segments;
	p->flags = from->flags;
	p->csum_start = from->csum_start;
	p->csum_offset = from->csum_offset;
	p->gso_size = 0;
	memcpy(mr_packet_bytes(p), mr_packet_bytes_const(from), from->len);
	from->next = MR_PACKET_NONE;
	from->segments = 1;
	from->total = from->len;
	mr_packets_free(s->run->buffers, s->run->worker, &piece, 1);
}

/* The bytes of layer 3 that a piece may have. */
static unsigned
room_for(const struct pass *s, const struct tunnel_remote *r)
{
	unsigned mtu = UINT16_MAX, around = TUNNEL_ETH + 56;

	for (unsigned i = 0; i < s->view->count; i++) {
		const struct tunnel_remote *at = &s->view->remotes[i];
		unsigned way;

		if (r && r != at)
			continue;
		way = atomic_load_explicit(&s->t->live[at->number].mtu, memory_order_relaxed);
		mtu = way ? MR_MIN(mtu, way) : mtu;
	}
	return mtu > around ? mtu - around : 0;
}

static mr_verdict_t
send_super(struct pass *s, uint32_t handle, struct mr_packet *p, uint32_t found)
{
	const struct tunnel_remote *r = choose(s, p, found);
	uint32_t pieces[CUTS_MAX], copy;
	int n;

	mr_record_uncacheable(s->rec, p, "a super-frame");
	copy = mr_packet_copy(s->run->buffers, s->run->worker, handle);
	if (copy == MR_PACKET_NONE)
		return mr_verdict_drop(TUNNEL_OUT_DROP_BUFFERS);
	mr_packet_at(s->run->base, copy)->record = 0;
	n = mr_gso_segment_with(s->run->buffers, s->run->worker, copy, room_for(s, r),
	    s->view->checksum ? 0 : MR_GSO_PARTIAL, pieces, CUTS_MAX);
	if (n <= 0) {
		mr_packets_free(s->run->buffers, s->run->worker, &copy, 1);
		return mr_verdict_drop(
		    n == -ENOBUFS ? TUNNEL_OUT_DROP_BUFFERS : TUNNEL_OUT_DROP_SUPER);
	}
	if (!mr_record_is_dry(s->rec))
		mr_node_count(s->run, TUNNEL_OUT_COUNT_CUT, 1);
	for (int i = 0; i < n - 1; i++) {
		struct mr_packet *piece = mr_packet_at(s->run->base, pieces[i]);

		if (mr_unlikely(mr_recorded(s->rec, p)))
			mr_record_copy(s->rec, p, piece);
		mr_node_emit(s->run, pieces[i], send(s, pieces[i], piece, found));
	}
	become(s, handle, p, pieces[n - 1]);
	return send(s, handle, p, found);
}

/* -- the node ------------------------------------------------------------------------------- */

/* Where the frames' destinations were heard; 0: unknown, or for everybody. */
static void
look_up(const struct pass *s, const uint32_t *packets, uint32_t *found, unsigned count)
{
	uint32_t buckets[MR_VECTOR_MAX];
	uint64_t keys[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(s->run->base, packets[i]);
		const uint8_t *bytes = mr_packet_bytes_const(p);

		keys[i] = p->len < TUNNEL_ETH || (bytes[0] & 1) ? 0 : mr_mac_key_of_frame(bytes, 0);
	}
	mr_mac_prefetch(s->view->stations, keys, buckets, count);
	mr_mac_find(s->view->stations, keys, buckets, found, count);
}

mr_inline void
tunnel_out_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct tunnel *t = run->self;
	struct mr_port *port = atomic_load_explicit(&t->port, memory_order_acquire);
	struct pass s = { .run = run, .rec = rec, .t = t };
	uint32_t found[MR_VECTOR_MAX];

	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "tunnel", &t->changed);
	s.view = mr_rcu_read(&t->view);
	if (s.view->count > 1)
		look_up(&s, packets, found, count);
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		uint32_t at = s.view->count > 1 ? found[i] : 0;

		if (mr_unlikely(!port))
			verdicts[i] = mr_verdict_drop(TUNNEL_OUT_DROP_CLOSED);
		else if (mr_unlikely(p->len < TUNNEL_ETH))
			verdicts[i] = mr_verdict_drop(TUNNEL_OUT_DROP_SHORT);
		else if (mr_unlikely(p->flags & MR_PACKET_GSO))
			verdicts[i] = send_super(&s, packets[i], p, at);
		else
			verdicts[i] = send(&s, packets[i], p, at);
	}
	if (s.packets)
		mr_port_count_tx(port, run->worker, s.packets, s.bytes);
}
MR_NODE_FUNCTIONS(tunnel_out)

/* Frames that were replayed. */
static void
tunnel_out_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	struct tunnel *t = run->self;

	tunnel_count(t, run->worker, number % TUNNEL_REMOTES_MAX, TUNNEL_TX_PACKETS, packets,
	    bytes);
	mr_port_count_tx(atomic_load_explicit(&t->port, memory_order_acquire), run->worker, packets,
	    bytes);
}

static const char
    *const edges[] = { [TUNNEL_OUT_FORWARD4] = "forward4", [TUNNEL_OUT_FORWARD6] = "forward6" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	TUNNEL_OUT_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	TUNNEL_OUT_COUNTERS(X)
#undef X
};

const struct mr_node_class tunnel_out_class = {
	.name = "tunnel-out",
	.doc = "puts frames behind the headers that lead to a tunnel's remote end",
	.edges = edges,
	.edge_count = TUNNEL_OUT_EDGES,
	.drops = drops,
	.drop_count = TUNNEL_OUT_DROP_COUNT,
	.counters = counters,
	.counter_count = TUNNEL_OUT_COUNT_COUNT,
	.replays = true,
	.tally = tunnel_out_tally,
	MR_NODE_RUN(tunnel_out),
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What `track` does with packets of the flow lane: they are of an open connection, in its window,
 * or take the graph. The flags of a line's word never change here.
 */

#include <string.h>

#include "nf/conntrack/conntrack_int.h"
#include "nf/conntrack/tcp_inl.h"

struct ends {
	uint32_t src, dst;
	uint16_t sport, dport;
};

/* The last four bytes of the addresses, and what stands for ports. */
mr_inline bool
ends_of(struct ends *e, const uint8_t *bytes, const struct mr_replayed *r, uint8_t proto)
{
	const uint8_t *ip = bytes + r->l3, *l4 = bytes + r->l4;
	bool asks;

	memcpy(&e->src, ip + (r->six ? 20 : 12), 4);
	memcpy(&e->dst, ip + (r->six ? 36 : 16), 4);
	if (mr_unlikely(proto == MR_IP_PROTO_ICMP || proto == MR_IP_PROTO_ICMP6))
		return ct_icmp_ports(r->six, l4[0], l4[1], mr_load_be16(l4 + 4), &e->sport,
		    &e->dport, &asks);
	e->sport = mr_load_be16(l4);
	e->dport = mr_load_be16(l4 + 2);
	return true;
}

/* As it goes in the first packet's direction; never 0. */
mr_inline uint16_t
digest_of(const struct ends *e, unsigned dir)
{
	uint16_t digest = dir ? ct_check_of(e->dst, e->src, e->dport, e->sport)
			      : ct_check_of(e->src, e->dst, e->sport, e->dport);

	return digest ? digest : 1;
}

uint16_t
ct_ends_digest(const uint8_t *bytes, unsigned len, unsigned dir)
{
	struct mr_replayed r = { 0 };
	struct mr_parsed parsed;
	struct ends e;

	if (mr_parse(&parsed, bytes, len, UINT16_MAX) || !(parsed.flags & MR_PARSED_L4) ||
	    parsed.l4 + 8u > len)
		return 0;
	r.l3 = (uint8_t)parsed.l3;
	r.l4 = (uint8_t)parsed.l4;
	r.six = parsed.version == 6;
	return ends_of(&e, bytes, &r, parsed.proto) ? digest_of(&e, dir) : 0;
}

/* One that began nothing: has somebody begun its connection meanwhile? Returns what to skip. */
static mr_noinline uint8_t
still_none(const struct ct_side *side, struct mr_node_run *run, uint32_t packet,
    const struct mr_replayed *r)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	struct ct_table *t = side->core->table;
	struct ct_packet k;
	uint64_t hash;
	uint32_t word;

	ct_classify(&k, p, atomic_load_explicit(&side->port->zone, memory_order_relaxed),
	    side->core->apart);
	if (k.what != CT_FLOW || (k.proto == MR_IP_PROTO_TCP && !(r->tcp & MR_TCP_ACK)))
		return MR_REPLAY_SKIP;
	if ((atomic_load_explicit(&side->core->options, memory_order_relaxed) & CT_CHECKSUM) &&
	    ct_sum_is_bad(&k, run->buffers, packet, p))
		return MR_REPLAY_SKIP;
	hash = ct_hash(t, &k.key);
	if (mr_slots_guess(&t->slots, hash) &&
	    ct_find(t, run->worker, &k.key, hash, run->seconds, &word))
		return MR_REPLAY_STALE;
	if (!r->ask)
		mr_node_count(run, CT_TRACK_NEW, 1);
	return 0;
}

mr_inline bool
tcp(struct ct_line *c, const uint8_t *bytes, const struct mr_replayed *r, unsigned dir,
    uint8_t *timeout)
{
	const uint8_t *ip = bytes + r->l3, *l4 = bytes + r->l4;
	uint32_t end =
	    r->six ? r->l3 + 40u + mr_load_be16(ip + 4) : r->l3 + (uint32_t)mr_load_be16(ip + 2);
	struct ct_half *from = &c->half[dir];
	uint32_t len = end - r->l4 - (l4[12] >> 4) * 4u, win;
	struct ct_segment s = {
		.seq = mr_load_be32(l4 + 4),
		.ack = mr_load_be32(l4 + 8),
		.win = mr_load_be16(l4 + 14),
		.flags = r->tcp,
	};
	enum ct_window place;

	if (mr_unlikely(
		(r->tcp & (MR_TCP_ACK | MR_TCP_SYN | MR_TCP_FIN | MR_TCP_RST)) != MR_TCP_ACK ||
		atomic_load_explicit(&c->state, memory_order_relaxed) != CT_TCP_ESTABLISHED ||
		!from->maxwin))
		return false;
	s.end = s.seq + len;
	place = ct_window_check(from, &c->half[!dir], s.seq, s.ack, s.end);
	if (mr_unlikely(r->ask))
		return place == CT_WINDOW_IN ||
		    (place != CT_WINDOW_MORE && (c->flags[dir] & CT_HALF_LIBERAL));
	if (mr_likely(place == CT_WINDOW_IN)) {
		win = (uint32_t)s.win << (c->scale >> 4 * dir & 15u);
		ct_window_move(c, dir, &s, s.ack, s.end, win);
		ct_window_note(c, dir, &s);
	} else if (place == CT_WINDOW_MORE || !(c->flags[dir] & CT_HALF_LIBERAL)) {
		return false;
	}
	c->last_kind = (uint8_t)(CT_ACK | (dir ? CT_LAST_REPLY : 0));
	*timeout = ct_open_timeout(c);
	return true;
}

/* All but TCP: what becomes of its time; false: the graph has to look. */
mr_inline bool
other(const struct ct_table *t, struct ct_line *c, uint32_t index, uint32_t word, uint32_t now,
    uint8_t *timeout)
{
	*timeout = atomic_load_explicit(&c->timeout, memory_order_relaxed);
	return *timeout != CT_UDP || !(word & CT_REPLIED) ||
	    (int32_t)(now - atomic_load_explicit(&t->cold[index].created, memory_order_relaxed)) <=
	    CT_TALK_SECONDS;
}

mr_inline uint8_t
one(const struct ct_side *side, struct mr_node_run *run, const uint8_t *bytes, uint32_t arg,
    const struct mr_replayed *r)
{
	struct ct_table *t = side->core->table;
	uint32_t index = arg & MR_TRACK_CONNECTION, now = run->seconds;
	struct ct_line *c = &t->lines[index];
	uint32_t word = atomic_load_explicit(&c->word, memory_order_acquire);
	uint8_t proto = bytes[r->l3 + (r->six ? 6 : 9)], timeout;
	unsigned dir = !!(arg & CT_ARG_REPLY);
	struct ends e;
	uint16_t digest;
	bool good;

	/* The same connection, answered as it was then. */
	if (mr_unlikely(((word >> CT_AGE_SHIFT ^ arg >> CT_ARG_AGE_SHIFT) & CT_ARG_AGE) ||
		!(word & CT_LIVE) || !(word & CT_REPLIED) != !!(arg & CT_ARG_NEW)))
		return MR_REPLAY_STALE;
	if (mr_unlikely(!ends_of(&e, bytes, r, proto)) || ct_is_over(t, c, now))
		return MR_REPLAY_STALE;
	/* Its ends, or what they were before they were translated. */
	digest = digest_of(&e, dir);
	if (mr_unlikely(c->check != digest) &&
	    atomic_load_explicit(&t->cold[index].came[dir], memory_order_relaxed) != digest)
		return MR_REPLAY_STALE;
	if (!side->core->alone && !ct_lock(c, &word))
		return MR_REPLAY_STALE;
	if (mr_likely(proto == MR_IP_PROTO_TCP))
		good = (word & CT_ASSURED) && tcp(c, bytes, r, dir, &timeout);
	else
		good = other(t, c, index, word, now, &timeout);
	if (mr_likely(good && !r->ask)) {
		atomic_store_explicit(&c->packets[dir],
		    atomic_load_explicit(&c->packets[dir], memory_order_relaxed) + 1,
		    memory_order_relaxed);
		atomic_store_explicit(&c->timeout, timeout, memory_order_relaxed);
		atomic_store_explicit(&c->seen, now, memory_order_relaxed);
	}
	if (!side->core->alone)
		ct_unlock(c, word);
	return good ? 0 : MR_REPLAY_SKIP;
}

/* Connections of which a packet of this vector takes the graph, as a set that may say yes too
 * often: what comes behind it does so, too, or it would overtake. */
#define WALKERS 256u
struct walkers {
	uint64_t bits[WALKERS / 64];
	bool any;
};

mr_inline bool
walks(const struct walkers *w, uint32_t connection)
{
	return w->any && (w->bits[connection % WALKERS / 64] >> connection % 64 & 1);
}

static mr_noinline void
walk(struct walkers *w, uint32_t connection)
{
	if (!w->any)
		memset(w->bits, 0, sizeof(w->bits));
	w->any = true;
	w->bits[connection % WALKERS / 64] |= 1ull << connection % 64;
}

uint8_t
ct_replay_one(struct mr_node_run *run, uint32_t packet, uint32_t arg, struct mr_replayed r,
    uint32_t counts[MR_REPLAY_COUNTERS])
{
	const struct ct_side *side = run->self;
	uint8_t skip;

	if (mr_unlikely(!(arg & MR_TRACK_CONNECTION)))
		return still_none(side, run, packet, &r);
	skip = one(side, run, mr_packet_bytes_const(mr_packet_at(run->base, packet)), arg, &r);
	counts[arg & CT_ARG_NEW ? CT_TRACK_NEW : CT_TRACK_ESTABLISHED] += !skip;
	return skip;
}

/* Of those that have no window: packets behind the first in a second. */
void
ct_settle(struct mr_node_run *run, uint32_t arg, uint32_t packets)
{
	const struct ct_side *side = run->self;
	struct ct_line *c = &side->core->table->lines[arg & MR_TRACK_CONNECTION];
	uint32_t word = atomic_load_explicit(&c->word, memory_order_acquire);
	unsigned dir = !!(arg & CT_ARG_REPLY);

	mr_node_count(run, CT_TRACK_ESTABLISHED, packets);
	/* It may have ended since. */
	if (((word >> CT_AGE_SHIFT ^ arg >> CT_ARG_AGE_SHIFT) & CT_ARG_AGE) || !(word & CT_LIVE) ||
	    (!side->core->alone && !ct_lock(c, &word)))
		return;
	atomic_store_explicit(&c->packets[dir],
	    atomic_load_explicit(&c->packets[dir], memory_order_relaxed) + packets,
	    memory_order_relaxed);
	if (!side->core->alone)
		ct_unlock(c, word);
}

void
ct_replay_lines(const struct mr_node_run *run, struct mr_replay_lines *out)
{
	const struct ct_side *side = run->self;

	*out = (struct mr_replay_lines){
		.lines = (const uint8_t *)side->core->table->lines,
		.mask = MR_TRACK_CONNECTION,
		.stride = sizeof(struct ct_line),
	};
}

void
ct_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	const struct ct_side *side = run->self;
	struct ct_table *t = side->core->table;
	unsigned fresh = 0, known = 0;
	struct walkers walkers;

	walkers.any = false;
	for (unsigned i = 0; i < count; i++)
		mr_prefetch_write(&t->lines[args[i] & MR_TRACK_CONNECTION]);
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		uint32_t connection = args[i] & MR_TRACK_CONNECTION;

		if (mr_unlikely(!connection)) {
			skip[i] = still_none(side, run, packets[i], &replayed[i]);
			continue;
		}
		skip[i] = walks(&walkers, connection)
		    ? MR_REPLAY_SKIP
		    : one(side, run, mr_packet_bytes_const(p), args[i], &replayed[i]);
		if (mr_unlikely(skip[i]))
			walk(&walkers, connection);
		fresh += !skip[i] & !replayed[i].ask & !!(args[i] & CT_ARG_NEW);
		known += !skip[i] & !replayed[i].ask & !(args[i] & CT_ARG_NEW);
	}
	if (fresh)
		mr_node_count(run, CT_TRACK_NEW, fresh);
	if (known)
		mr_node_count(run, CT_TRACK_ESTABLISHED, known);
}

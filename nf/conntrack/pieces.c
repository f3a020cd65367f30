/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments in `track`: each is what its packet's first one was found to be. */
#include <string.h>

#include "nf/conntrack/track_int.h"

static uint64_t
fragment_hash(const struct ct_pass *s, const struct ct_packet *k, const struct mr_packet *p,
    uint16_t zone)
{
	struct ct_key key;

	ct_fragment_key(k, p, &key);
	key.w[4] |= (uint64_t)zone << 32;
	return ct_hash(s->core->table, &key);
}

/* One that waited goes on. Of a node that is gone, nobody counts any more what it held. */
static void
release(const struct ct_pass *s, uint16_t node, uint32_t packet, mr_verdict_t verdict)
{
	if (mr_likely(node == s->run->node))
		mr_node_release(s->run, packet, verdict);
	else
		mr_node_emit(s->run, packet, verdict);
}

static void
drop_all(const struct ct_pass *s, uint16_t node, uint32_t packet, enum ct_track_drop why)
{
	while (packet != MR_PACKET_NONE) {
		uint32_t next = mr_packet_at(s->run->base, packet)->hash;

		release(s, node, packet, mr_verdict_drop(why));
		packet = next;
	}
}

/* What the first fragment was found to be holds for this one. */
static mr_verdict_t
follow(const struct ct_pass *s, struct mr_packet *p, const struct ct_fragment *e, uint16_t l3,
    uint16_t l4, uint32_t end, bool six)
{
	struct ct_fragments *f = s->core->fragments[s->run->worker];
	uint32_t index = e->track & MR_TRACK_CONNECTION;
	unsigned state = e->track >> MR_TRACK_STATE_SHIFT & MR_TRACK_STATES;
	mr_verdict_t verdict;

	if (e->tcp && index && !s->dry) {
		struct ct_line *c = &s->core->table->lines[index];
		const uint8_t *ip = mr_packet_bytes_const(p) + l3;
		uint32_t offset = six ? mr_load_be16(mr_packet_bytes_const(p) + l4 - 6) & 0xfff8u
				      : (mr_load_be16(ip + 6) & MR_IP4_FRAG_OFFSET) * 8u;
		uint32_t word = atomic_load_explicit(&c->word, memory_order_acquire);

		/* It may be another one's by now: then its window is wider by a packet. */
		if ((word & CT_LIVE) && ct_lock(c, &word)) {
			ct_tcp_extend(c, !!(e->track & MR_TRACK_REPLY),
			    e->base + offset + (end - l4));
			ct_unlock(c, word);
		}
	}
	verdict = ct_say(s, p, 0, state, e->track & MR_TRACK_REPLY);
	p->track |= MR_TRACK_PIECE | (uint32_t)s->run->worker << 16 | ct_fragment_number(f, e);
	return verdict;
}

mr_verdict_t
ct_piece(const struct ct_pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k,
    uint16_t zone)
{
	struct ct_fragments *f;
	struct ct_fragment *e;
	uint32_t evicted;
	uint64_t hash = fragment_hash(s, k, p, zone);

	mr_record_uncacheable(s->rec, p, "a fragment");
	mr_node_count(s->run, CT_TRACK_PIECES, 1);
	/* An explanation has no worker, and no table. */
	if (s->dry)
		return mr_verdict_drop(CT_TRACK_DROP_EXPLAINED);
	f = s->core->fragments[s->run->worker];
	e = ct_fragment_make(f, hash, s->run->node, s->run->seconds, &evicted);
	drop_all(s, s->run->node, evicted, CT_TRACK_DROP_EVICTED);
	if (!e)
		return mr_verdict_drop(CT_TRACK_DROP_EARLY_FRAGMENT);
	if (e->track)
		return follow(s, p, e, k->l3, k->l4, k->end, k->six);
	mr_node_count(s->run, CT_TRACK_WAITED, 1);
	if (!ct_fragment_wait(f, e, s->run->node, s->run->base, packet))
		return mr_verdict_drop(CT_TRACK_DROP_EARLY_FRAGMENT);
	return MR_VERDICT_HELD;
}

/* Those that waited for the first. */
static void
let_go(const struct ct_pass *s, uint32_t packet, const struct ct_fragment *e, uint16_t zone)
{
	while (packet != MR_PACKET_NONE) {
		struct mr_packet *p = mr_packet_at(s->run->base, packet);
		uint32_t next = p->hash;
		struct ct_packet k;

		ct_classify(&k, p, zone, s->core->apart);
		release(s, e->node, packet, follow(s, p, e, k.l3, k.l4, k.end, k.six));
		packet = next;
	}
}

/* Remembers the first fragment, and lets go of those that waited for it. */
void
ct_lead(const struct ct_pass *s, struct mr_packet *p, const struct ct_packet *k, uint16_t zone)
{
	struct ct_fragments *f;
	struct ct_fragment *e;
	uint32_t evicted;

	mr_record_uncacheable(s->rec, p, "a fragment");
	if (s->dry)
		return;
	f = s->core->fragments[s->run->worker];
	e = ct_fragment_make(f, fragment_hash(s, k, p, zone), s->run->node, s->run->seconds,
	    &evicted);
	drop_all(s, s->run->node, evicted, CT_TRACK_DROP_EVICTED);
	if (!e)
		return; /* those that follow will not be known */
	e->track = p->track;
	e->tcp = k->proto == MR_IP_PROTO_TCP;
	memcpy(&e->ports, mr_packet_bytes_const(p) + k->l4, sizeof(e->ports));
	/* Where the data would begin, if the header were data too. */
	if (e->tcp)
		e->base = mr_load_be32(mr_packet_bytes_const(p) + k->l4 + 4) - (k->payload - k->l4);
	if (e->waiting && e->node == s->run->node)
		let_go(s, ct_fragment_take(f, e), e, zone);
}

void
ct_track_tick(struct mr_node_run *run)
{
	const struct ct_side *side = run->self;
	const struct ct_pass s = { .side = side, .core = side->core, .run = run };
	uint16_t zone = atomic_load_explicit(&side->port->zone, memory_order_relaxed);
	struct ct_fragments *f = side->core->fragments[run->worker];
	uint32_t cursor = 0;
	struct ct_fragment *e;

	while ((e = ct_fragments_due(f, run->node, run->seconds, &cursor)) != NULL) {
		uint32_t first = ct_fragment_take(f, e);

		if (e->track)
			let_go(&s, first, e, zone);
		else
			drop_all(&s, e->node, first, CT_TRACK_DROP_LATE_FRAGMENT);
	}
}

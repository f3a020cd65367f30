/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fragments (RFC 4787, REQ-14): each becomes what its packet's first one became, and waits for that
 * where it comes earlier. What is remembered is nf/conntrack's: bounded for a packet, for a worker,
 * and in time, so that fragments of nothing cost no more than that.
 *
 *	track   enum nat_lead, and above it the reason of a drop
 *	ports   the new destination, base the new source; 0: as it is
 */

#include "nf/nat/held_int.h"
#include "nf/nat/nat_int.h"

#define LEAD_DROP_SHIFT 8

/* The same packet passes two nodes: each has its own. */
static uint64_t
fragment_hash(const struct nat_pass *s, const struct nat_packet *k, const struct mr_packet *p)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3;

	return mr_hash_u128(&s->table->key, NAT_END(k->src, 0) | (uint64_t)k->dst << 32,
	    (uint64_t)mr_load_be16(ip + 4) | (uint64_t)k->proto << 16 |
		(uint64_t)s->run->node << 24);
}

static void
drop_all(const struct nat_pass *s, uint32_t packet, enum nat_drop why)
{
	while (packet != MR_PACKET_NONE) {
		uint32_t next = mr_packet_at(s->run->base, packet)->hash;

		mr_node_release(s->run, packet, mr_verdict_drop(why));
		packet = next;
	}
}

static mr_verdict_t
follow(const struct nat_pass *s, struct mr_packet *p, const struct nat_packet *k,
    const struct ct_fragment *e)
{
	const struct nat_rewrite r = { .what = (e->base ? NAT_SRC : 0) | (e->ports ? NAT_DST : 0),
		.src = e->base,
		.dst = e->ports };

	switch (e->track & 255u) {
	case NAT_LEAD_DROP:
		return mr_verdict_drop(e->track >> LEAD_DROP_SHIFT);
	case NAT_LEAD_DO:
		nat_rewrite_piece(s->rec, p, k, &r);
		return mr_verdict_edge(0);
	default:
		return mr_verdict_edge(0);
	}
}

mr_verdict_t
nat_piece(const struct nat_pass *s, uint32_t packet, struct mr_packet *p,
    const struct nat_packet *k)
{
	struct ct_fragments *f;
	struct ct_fragment *e;
	uint32_t evicted;

	mr_record_uncacheable(s->rec, p, "a fragment");
	mr_node_count(s->run, NAT_PIECES_COUNTER, 1);
	/* An explanation has no worker, and no table. */
	if (s->dry)
		return mr_verdict_drop(NAT_DROP_EXPLAINED);
	f = s->core->fragments[s->run->worker];
	e = ct_fragment_make(f, fragment_hash(s, k, p), s->run->node, s->run->seconds, &evicted);
	drop_all(s, evicted, NAT_DROP_EVICTED);
	if (!e)
		return mr_verdict_drop(NAT_DROP_EARLY_FRAGMENT);
	if (e->track)
		return follow(s, p, k, e);
	mr_node_count(s->run, NAT_WAITED_COUNTER, 1);
	if (!ct_fragment_wait(f, e, s->run->node, s->run->base, packet))
		return mr_verdict_drop(NAT_DROP_EARLY_FRAGMENT);
	return MR_VERDICT_HELD;
}

static void
let_go(const struct nat_pass *s, uint32_t packet, const struct ct_fragment *e)
{
	while (packet != MR_PACKET_NONE) {
		struct mr_packet *p = mr_packet_at(s->run->base, packet);
		uint32_t next = p->hash;
		struct nat_packet k;

		nat_classify(&k, p);
		mr_node_release(s->run, packet, follow(s, p, &k, e));
		packet = next;
	}
}

void
nat_lead(const struct nat_pass *s, const struct mr_packet *p, const struct nat_packet *k,
    enum nat_lead what, const struct nat_rewrite *r, uint32_t drop)
{
	struct ct_fragments *f;
	struct ct_fragment *e;
	uint32_t evicted;

	mr_record_uncacheable(s->rec, p, "a fragment");
	if (s->dry)
		return;
	f = s->core->fragments[s->run->worker];
	e = ct_fragment_make(f, fragment_hash(s, k, p), s->run->node, s->run->seconds, &evicted);
	drop_all(s, evicted, NAT_DROP_EVICTED);
	if (!e)
		return; /* those that follow will not be known */
	e->track = what | drop << LEAD_DROP_SHIFT;
	e->base = what == NAT_LEAD_DO && (r->what & NAT_SRC) ? r->src : 0;
	e->ports = what == NAT_LEAD_DO && (r->what & NAT_DST) ? r->dst : 0;
	if (e->waiting && e->node == s->run->node)
		let_go(s, ct_fragment_take(f, e), e);
}

void
nat_pieces_tick(const struct nat_pass *s)
{
	struct ct_fragments *f = s->core->fragments[s->run->worker];
	uint32_t cursor = 0;
	struct ct_fragment *e;

	while ((e = ct_fragments_due(f, s->run->node, s->run->seconds, &cursor)) != NULL) {
		uint32_t first = ct_fragment_take(f, e);

		if (e->track)
			let_go(s, first, e);
		else
			drop_all(s, first, NAT_DROP_LATE_FRAGMENT);
	}
}

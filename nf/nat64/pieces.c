/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fragments (RFC 6146, 3.4): the first one has the ports, and says to which session the others belong.
 * Those that come before it wait.
 */
#include "kit/base/hash.h"
#include "nf/nat64/nat64_int.h"

/* What an entry's `track` says: a session with bits of its age, or that the packet passes by. */
#define PASS (1u << 31)

uint64_t
n64_piece_hash(const struct n64_pass *s, const struct mr_packet *p, const struct xlat *x)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + x->outer.at;
	uint64_t words[5] = { 0 }, hash;

	memcpy(words, ip + (x->six ? 8 : 12), x->six ? 32 : 8);
	/* IPv6's fragments are of one packet whatever follows (RFC 8200, 4.5). */
	words[4] = x->outer.id | (uint64_t)(x->six ? 0x100 : x->outer.proto) << 32 |
	    (uint64_t)s->self->port << 48;
	hash = mr_hash_words(&s->table->key, words, 5);
	return hash ? hash : 1;
}

static void
drop_all(const struct n64_pass *s, uint32_t packet, enum n64_drop why)
{
	while (packet != MR_PACKET_NONE) {
		uint32_t next = mr_packet_at(s->run->base, packet)->hash;

		mr_node_release(s->run, packet, mr_verdict_drop(why));
		packet = next;
	}
}

/* As the first one of its packet. */
static mr_verdict_t
follow(const struct n64_pass *s, uint32_t packet, struct xlat *x, const struct ct_fragment *e,
    const struct n64_instance *n)
{
	uint32_t number = e->track & MR_SLOTS_NUMBER;
	struct n64_line *l = &s->table->sessions.lines[number];
	struct n64_way way = { .session = number };
	struct n64_key key;
	uint64_t end;

	if (e->track & PASS)
		return mr_verdict_edge(0);
	way.word = atomic_load_explicit(&l->word, memory_order_acquire);
	n64_key_load(l, &key);
	end = atomic_load_explicit(&l->outside, memory_order_acquire);
	if (!(way.word & N64_LIVE) || !n64_is_same(l, way.word) ||
	    (n64_arg(number, way.word, false) ^ e->track) || N64_INSTANCE(key.ports) != n->number)
		return mr_verdict_drop(N64_DROP_NO_MAPPING);
	memcpy(way.inside, key.inside, sizeof(way.inside));
	way.inside_port = N64_SPORT(key.ports);
	way.outside = N64_ADDRESS(end);
	way.outside_port = N64_PORT(end);
	return n64_translate(s, packet, x, n, &way, (be32_t)key.remote);
}

mr_verdict_t
n64_piece(const struct n64_pass *s, uint32_t packet, const struct xlat *x,
    const struct n64_instance *n)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	struct xlat copy = *x;
	struct ct_fragments *f;
	struct ct_fragment *e;
	uint32_t evicted;

	mr_record_uncacheable(s->rec, p, "a fragment");
	mr_node_count(s->run, N64_COUNTER_PIECES, 1);
	/* An explanation has no worker, and no table. */
	if (s->dry)
		return mr_verdict_drop(N64_DROP_EXPLAINED);
	f = s->core->fragments[s->run->worker];
	e = ct_fragment_make(f, n64_piece_hash(s, p, x), s->run->node, s->run->seconds, &evicted);
	drop_all(s, evicted, N64_DROP_EVICTED);
	if (!e)
		return mr_verdict_drop(N64_DROP_EARLY_FRAGMENT);
	if (e->track)
		return follow(s, packet, &copy, e, n);
	mr_node_count(s->run, N64_COUNTER_WAITED, 1);
	if (!ct_fragment_wait(f, e, s->run->node, s->run->base, packet))
		return mr_verdict_drop(N64_DROP_EARLY_FRAGMENT);
	return MR_VERDICT_HELD;
}

/* Those that waited for the first. */
static void
let_go(const struct n64_pass *s, uint32_t packet, const struct ct_fragment *e,
    const struct n64_instance *n)
{
	while (packet != MR_PACKET_NONE) {
		struct mr_packet *p = mr_packet_at(s->run->base, packet);
		mr_verdict_t verdict = mr_verdict_drop(N64_DROP_NO_MAPPING);
		uint32_t next = p->hash;
		unsigned l3 = sizeof(struct mr_eth);
		struct xlat x;

		while (l3 + 4 < p->len &&
		    mr_eth_type_is_vlan(mr_load_be16(mr_packet_bytes(p) + l3 - 2)))
			l3 += sizeof(struct mr_vlan);
		if (xlat_read(&x, p, l3) == XLAT_OK)
			verdict = follow(s, packet, &x, e, n);
		mr_node_release(s->run, packet, verdict);
		packet = next;
	}
}

void
n64_lead(const struct n64_pass *s, uint64_t hash, uint32_t session, uint64_t word,
    const struct n64_instance *n)
{
	struct ct_fragments *f;
	struct ct_fragment *e;
	uint32_t evicted;

	if (s->dry)
		return;
	f = s->core->fragments[s->run->worker];
	e = ct_fragment_make(f, hash, s->run->node, s->run->seconds, &evicted);
	drop_all(s, evicted, N64_DROP_EVICTED);
	if (!e)
		return; /* those that follow will not be known */
	e->track = session ? n64_arg(session, word, false) : PASS;
	if (e->waiting && e->node == s->run->node)
		let_go(s, ct_fragment_take(f, e), e, n);
}

void
n64_tick(struct mr_node_run *run)
{
	struct n64_self *self = run->self;
	const struct n64_pass s = { .self = self,
		.core = self->core,
		.table = self->core->table,
		.run = run };
	struct ct_fragments *f = self->core->fragments[run->worker];
	uint32_t cursor = 0;
	struct ct_fragment *e;

	while ((e = ct_fragments_due(f, run->node, run->seconds, &cursor)) != NULL)
		drop_all(&s, ct_fragment_take(f, e), N64_DROP_LATE_FRAGMENT);
}

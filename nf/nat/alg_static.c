/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ALGs for what a static address or a forward leads to: such packets need no session to be translated, but
 * an ALG needs one of TCP, for the shifts of its numbers. It is a child of the configuration's line, and
 * begins with the inside's SYN, so that nobody outside can fill the table. Datagrams need none.
 */

#include "nf/nat/alg_int.h"
#include "nf/nat/translate_int.h"

static uint32_t
begin(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    const struct nat_name *name, uint64_t hash, const struct nat_found *f, uint32_t *word)
{
	struct nat_table *t = s->table;
	uint32_t number, got = 0;
	/* Acquire pairs with nat_add. */
	uint32_t parent = atomic_load_explicit(&t->entries[f->mapping].word, memory_order_acquire);
	struct nat_entry *e;

	number = nat_take(t, s->run->worker);
	if (!number)
		return 0;
	e = &t->entries[number];
	nat_begin_session(e, k, name->scope & NAT_ENDS, s->run->seconds);
	atomic_store_explicit(&e->outside, NAT_END(f->address, f->ports ? f->port : k->sport),
	    memory_order_relaxed);
	atomic_store_explicit(&e->subscriber, 0, memory_order_relaxed);
	atomic_store_explicit(&e->pool, n->epoch, memory_order_relaxed);
	atomic_store_explicit(&e->children, f->mapping, memory_order_relaxed);
	atomic_store_explicit(&e->created, s->run->seconds, memory_order_relaxed);
	if ((parent & NAT_LIVE) && nat_adopt(t, f->mapping, parent)) {
		got = nat_add(t, s->run->worker, number, name, hash, NAT_CHILD | NAT_ALG,
		    s->run->seconds, word);
		if (got != number)
			nat_orphan(t, f->mapping);
	}
	if (got != number)
		nat_put(t, s->run->worker, number);
	return got;
}

/* The session between these ends. False: there is none. */
static bool
follow(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    bool outward, be32_t inside, be16_t port, struct nat_found *f)
{
	uint64_t remote = outward ? NAT_END(k->dst, k->dport) : NAT_END(k->src, k->sport);
	const struct nat_name name = { .inside = NAT_INSIDE(inside, port, k->proto, n->number),
		.scope = NAT_SCOPE(remote, NAT_SCOPE_CHILD) };
	uint64_t hash = nat_hash(s->table, &name);
	uint32_t word, number;

	number = nat_find(s->table, s->run->worker, &name, hash, s->run->seconds, &word);
	if (!number && outward && !s->dry && (k->tcp & MR_TCP_SYN))
		number = begin(s, n, k, &name, hash, f, &word);
	return number && nat_advance(s, k, number, word, outward, true, f);
}

void
nat_alg_static(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    bool outward, struct nat_found *f)
{
	be16_t inside = outward ? k->sport : f->ports ? f->port : k->dport;
	bool server;

	if (mr_likely(!n->algs) || k->what != NAT_FLOW ||
	    !nat_alg_between(n, k->proto, outward ? k->dport : k->sport, inside, &server))
		return;
	if (k->proto == MR_IP_PROTO_TCP &&
	    !follow(s, n, k, outward, outward ? k->src : f->address, inside, f))
		return;
	f->word |= NAT_ALG;
	f->open = false;
}

/* SPDX-License-Identifier: Apache-2.0 */

/* A mapping that is not there yet: its port, its line and its first session. */

#include <string.h>

#include "nf/nat/alg_int.h"
#include "nf/nat/fresh_int.h"
#include "nf/nat/journal_int.h"
#include "nf/nat/translate_int.h"

uint32_t
nat_taken(enum nat_take rc)
{
	switch (rc) {
	case NAT_TAKEN:
		return NAT_DONE;
	case NAT_NO_BLOCK:
		return NAT_DROP_NO_BLOCK;
	case NAT_LIMIT:
		return NAT_DROP_LIMIT;
	case NAT_RATE:
		return NAT_DROP_RATE;
	case NAT_NO_SUBSCRIBER:
		return NAT_DROP_NO_SUBSCRIBER;
	default:
		return NAT_DROP_NO_PORT;
	}
}

/* A port for it. The host's own packets keep theirs where nobody has it. */
static uint32_t
take_port(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    uint32_t number, struct nat_outside *o, uint32_t *flags)
{
	enum nat_proto proto = nat_pool_proto(k->proto);
	bool self = nat_is_own(n, k->src);
	uint8_t inside[16] = { 0 };
	enum nat_take rc;

	if (!n->pool)
		return NAT_DROP_NO_PORT;
	*flags = NAT_PORT | (self ? NAT_SELF : 0);
	*o = k->want.port ? k->want : (struct nat_outside){ k->src, k->sport, 0 };
	if ((self || k->want.port) &&
	    nat_pool_try_reserve(n->pool, o->address, proto, o->port, number) == 0) {
		*flags |= NAT_RESERVED;
		return NAT_DONE;
	}
	if (k->want.port)
		return NAT_DROP_NO_PORT;
	memcpy(inside, &k->src, 4);
	rc = nat_pool_take(n->pool, s->run->worker, inside, false, proto, k->sport, number,
	    s->run->seconds, o);
	return nat_taken(rc);
}

static void
give_port(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    uint32_t number, const struct nat_outside *o, uint32_t flags)
{
	enum nat_proto proto = nat_pool_proto(k->proto);

	if (flags & NAT_RESERVED)
		nat_pool_unreserve(n->pool, o->address, proto, o->port);
	else
		nat_pool_give(n->pool, s->run->worker, o, proto, number, s->run->seconds);
}

/* No port is free: it has that of another mapping, for its own remote end. */
static uint32_t
overload(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    const struct nat_name *name, uint64_t hash, uint32_t number, struct nat_found *f)
{
	struct nat_entry *e = &s->table->entries[number];
	uint32_t word, got;

	nat_begin_session(e, k, nat_session_of(n, k->dst, k->dport, k->proto), s->run->seconds);
	got = nat_share(s, n, k, name, hash, number, &word);
	if (got != number)
		nat_put(s->table, s->run->worker, number);
	return got ? nat_follow(s, n, k, got, word, f) : NAT_DROP_NO_PORT;
}

/* An explanation: what would be made. */
static uint32_t
look(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    bool tracked, struct nat_found *f)
{
	enum nat_proto proto = nat_pool_proto(k->proto);
	struct nat_outside o = { k->src, k->sport, 0 };
	uint8_t inside[16] = { 0 };
	enum nat_take rc = NAT_TAKEN;

	if (!n->pool)
		return NAT_DROP_NO_PORT;
	memcpy(inside, &k->src, 4);
	if (!nat_is_own(n, k->src))
		rc = nat_pool_look(n->pool, s->run->stands_for, inside, false, proto, k->sport,
		    s->run->seconds, &o);
	/* Whose port it would share is decided by lot. */
	if (rc == NAT_NO_PORT && n->overload && !nat_alg_of(n, k->proto, k->dport)) {
		*f = (struct nat_found){ .address = k->src };
		return NAT_DONE;
	}
	if (rc != NAT_TAKEN)
		return nat_taken(rc);
	if (tracked && !nat_pool_session_fits(n->pool, o.subscriber))
		return NAT_DROP_LIMIT;
	*f = (struct nat_found){ .address = o.address, .port = o.port, .ports = o.port != 0 };
	return NAT_DONE;
}

uint32_t
nat_make(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    const struct nat_name *name, uint64_t hash, struct nat_found *f)
{
	struct nat_table *t = s->table;
	bool tracked = nat_is_tracked(n, k->proto, k->dport);
	struct nat_outside o;
	struct nat_entry *e;
	uint32_t number, got, flags, word, rc;

	/* A reset begins nothing (RFC 7857, 7). */
	if (k->tcp & MR_TCP_RST)
		return NAT_DROP_NO_MAPPING;
	*f = (struct nat_found){ .address = k->src };
	if (s->dry)
		return look(s, n, k, tracked, f);
	if (nat_fresh_has(s->fresh, k)) {
		rc = nat_fresh_use(s->fresh, k, &number, &o);
		flags = NAT_PORT;
		if (rc == NAT_DONE)
			nat_pool_own(n->pool, &o, nat_pool_proto(k->proto), number);
	} else {
		number = nat_take(t, s->run->worker);
		if (!number)
			return NAT_DROP_FULL;
		rc = take_port(s, n, k, number, &o, &flags);
	}
	if (rc == NAT_DONE && tracked &&
	    !nat_pool_session_begin(n->pool, s->run->worker, o.subscriber)) {
		give_port(s, n, k, number, &o, flags);
		rc = NAT_DROP_LIMIT;
	}
	if (mr_unlikely(rc == NAT_DROP_NO_PORT && n->overload && n->pool && !k->want.port &&
		!nat_alg_of(n, k->proto, k->dport)))
		return overload(s, n, k, name, hash, number, f);
	if (rc != NAT_DONE) {
		nat_put(t, s->run->worker, number);
		return rc;
	}
	e = &t->entries[number];
	nat_begin_session(e, k, nat_session_of(n, k->dst, k->dport, k->proto), s->run->seconds);
	atomic_store_explicit(&e->outside, NAT_END(o.address, o.port), memory_order_relaxed);
	atomic_store_explicit(&e->subscriber, o.subscriber, memory_order_relaxed);
	atomic_store_explicit(&e->pool, n->epoch, memory_order_relaxed);
	atomic_store_explicit(&e->children, 0, memory_order_relaxed);
	atomic_store_explicit(&e->created, s->run->seconds, memory_order_relaxed);
	flags |= (tracked ? NAT_SESSION : 0) | (n->logged ? NAT_LOGGED : 0);
	flags |= nat_alg_of(n, k->proto, k->dport) ? NAT_ALG : 0;
	got = nat_add(t, s->run->worker, number, name, hash, flags, s->run->seconds, &word);
	if (mr_likely(got == number)) {
		mr_node_count(s->run, NAT_MADE_COUNTER, 1);
		if (mr_unlikely(flags & NAT_LOGGED))
			nat_journal_mapping(t->journal, NAT_LOG_MAPPING_BEGUN, e, NULL,
			    s->run->seconds);
		*f = (struct nat_found){ .address = o.address,
			.port = o.port,
			.ports = true,
			.mapping = number,
			.number = number,
			.word = word,
			.refresh = true,
			.open = k->proto != MR_IP_PROTO_TCP && !(flags & NAT_ALG) };
		return NAT_DONE;
	}
	if (tracked)
		nat_pool_session_end(n->pool, o.subscriber);
	give_port(s, n, k, number, &o, flags);
	nat_put(t, s->run->worker, number);
	/* Another worker was faster. */
	return got ? nat_follow(s, n, k, got, word, f) : NAT_DROP_FULL;
}

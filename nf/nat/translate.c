/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which mapping a packet belongs to, and which session of it, which is made where it is missing. Mappings
 * are made in make.c.
 *
 * Sessions are kept where something depends on who the remote end is: TCP's state, filtering. What
 * comes from a remote end that the inside never talked to, and may come in all the same, makes no
 * session: the inside's answer does, so that nobody outside can fill the table.
 */

#include "nf/nat/alg_int.h"
#include "nf/nat/fresh_int.h"
#include "nf/nat/translate_int.h"

/* -- names -------------------------------------------------------------------------------- */

uint64_t
nat_scope_of(const struct nat_instance *n, be32_t remote, be16_t port, uint8_t proto)
{
	if (mr_likely(n->mapping == NAT_ENDPOINT_INDEPENDENT))
		return NAT_SCOPE(0, NAT_SCOPE_MAPPING);
	if (n->mapping == NAT_ADDRESS_DEPENDENT || proto == MR_IP_PROTO_ICMP)
		return NAT_SCOPE(NAT_END(remote, 0), NAT_SCOPE_MAPPING);
	return NAT_SCOPE(NAT_END(remote, port), NAT_SCOPE_MAPPING);
}

void
nat_name_of(const struct nat_instance *n, const struct nat_packet *k, struct nat_name *name)
{
	name->inside = NAT_INSIDE(k->src, k->sport, k->proto, n->number);
	name->scope = nat_scope_of(n, k->dst, k->dport, k->proto);
	name->is_six = false;
}

/* An ALG knows its sessions by their remote ends. */
bool
nat_is_tracked(const struct nat_instance *n, uint8_t proto, be16_t remote_port)
{
	return proto == MR_IP_PROTO_TCP || n->filtering != NAT_ENDPOINT_INDEPENDENT ||
	    nat_alg_of(n, proto, remote_port);
}

/* The remote end as sessions have it: as much of it as filtering looks at; of TCP, all. */
uint64_t
nat_session_of(const struct nat_instance *n, be32_t remote, be16_t port, uint8_t proto)
{
	if (n->filtering == NAT_ADDRESS_DEPENDENT || proto == MR_IP_PROTO_ICMP)
		return NAT_END(remote, 0);
	return NAT_END(remote, port);
}

bool
nat_fixed(const struct nat_pass *s, const struct nat_instance *n, be32_t address,
    enum nat_scope scope, struct nat_found *f)
{
	const struct nat_name name = { .inside = NAT_INSIDE(address, 0, 0, n->number),
		.scope = NAT_SCOPE(0, scope) };
	uint32_t word, number;

	number = nat_find(s->table, s->run->worker, &name, nat_hash(s->table, &name),
	    s->run->seconds, &word);
	if (!number)
		return false;
	*f = (struct nat_found){ .open = true, .mapping = number };
	f->address = NAT_ADDRESS(
	    atomic_load_explicit(&s->table->entries[number].outside, memory_order_relaxed));
	return true;
}

static uint32_t
find_scope(const struct nat_pass *s, struct nat_name name, uint64_t scope, uint32_t *word)
{
	name.scope = scope;
	return nat_find(s->table, s->run->worker, &name, nat_hash(s->table, &name), s->run->seconds,
	    word);
}

/* A mapping by name. The configuration's hold for all remote ends, an ALG's for all ports of one. */
uint32_t
nat_find_mapping(const struct nat_pass *s, const struct nat_instance *n,
    const struct nat_name *name, uint64_t hash, uint32_t *word)
{
	uint32_t number = nat_find(s->table, s->run->worker, name, hash, s->run->seconds, word);

	if (mr_likely(number || n->mapping == NAT_ENDPOINT_INDEPENDENT))
		return number;
	if (n->mapping == NAT_PORT_DEPENDENT)
		number = find_scope(s, *name,
		    NAT_SCOPE(NAT_END(NAT_ADDRESS(name->scope), 0), NAT_SCOPE_MAPPING), word);
	if (number)
		return number;
	return find_scope(s, *name, NAT_SCOPE(0, NAT_SCOPE_MAPPING), word);
}

/* -- sessions ----------------------------------------------------------------------------- */

bool
nat_advance(const struct nat_pass *s, const struct nat_packet *k, uint32_t number, uint32_t word,
    bool out, bool refresh, struct nat_found *f)
{
	struct nat_entry *e = &s->table->entries[number];
	enum nat_tcp state, next;

	f->number = number;
	f->word = word;
	f->refresh = refresh;
	f->open = true;
	if (k->proto == MR_IP_PROTO_TCP) {
		state = atomic_load_explicit(&e->state, memory_order_relaxed);
		next = nat_tcp_next(state, k->tcp, out);
		f->open = next == NAT_TCP_OPEN && state == NAT_TCP_OPEN;
		if (mr_unlikely(next != state) && !s->dry) {
			if (!nat_lock(e, &word))
				return false;
			state = atomic_load_explicit(&e->state, memory_order_relaxed);
			next = nat_tcp_next(state, k->tcp, out);
			atomic_store_explicit(&e->state, (uint8_t)next, memory_order_relaxed);
			atomic_store_explicit(&e->timeout, (uint8_t)nat_tcp_timeout(next),
			    memory_order_relaxed);
			nat_unlock(e, word);
		}
	}
	if (refresh && !s->dry)
		nat_touch(e, s->run->seconds);
	if (mr_unlikely(word & NAT_ALG))
		f->open = false;
	return true;
}

static uint32_t
find_child(const struct nat_pass *s, uint64_t inside, uint64_t remote, uint32_t *word)
{
	const struct nat_name name = { .inside = inside,
		.scope = NAT_SCOPE(remote, NAT_SCOPE_CHILD) };

	return nat_find(s->table, s->run->worker, &name, nat_hash(s->table, &name), s->run->seconds,
	    word);
}

/* The line of the mapping's session with this remote end; 0: there is none. */
uint32_t
nat_find_session(const struct nat_pass *s, uint32_t mapping, uint64_t remote, uint32_t *word)
{
	const struct nat_entry *e = &s->table->entries[mapping];
	uint32_t child;

	if ((*word & NAT_SESSION) &&
	    atomic_load_explicit(&e->remote, memory_order_relaxed) == remote &&
	    !nat_is_late(s->table, e, s->run->seconds))
		return mapping;
	if (!atomic_load_explicit(&e->children, memory_order_relaxed))
		return 0;
	child = find_child(s, atomic_load_explicit(&e->inside, memory_order_relaxed), remote, word);
	/* Its inside end may have other mappings, for other remote ends. */
	if (child &&
	    atomic_load_explicit(&s->table->entries[child].children, memory_order_relaxed) !=
		mapping)
		return 0;
	return child;
}

static uint8_t
first_timeout(const struct nat_packet *k)
{
	return k->proto == MR_IP_PROTO_TCP ? NAT_TIME_TCP_SHORT
	    : k->proto == MR_IP_PROTO_UDP  ? NAT_TIME_UDP
					   : NAT_TIME_ICMP;
}

void
nat_begin_session(struct nat_entry *e, const struct nat_packet *k, uint64_t remote, uint32_t now)
{
	enum nat_tcp state =
	    k->proto == MR_IP_PROTO_TCP ? nat_tcp_next(NAT_TCP_NONE, k->tcp, true) : NAT_TCP_NONE;

	/* The inside answers a SYN that was let in without a session. */
	if ((k->tcp & (MR_TCP_SYN | MR_TCP_ACK)) == (MR_TCP_SYN | MR_TCP_ACK))
		state = NAT_TCP_OPEN;
	atomic_store_explicit(&e->remote, remote, memory_order_relaxed);
	atomic_store_explicit(&e->state, (uint8_t)state, memory_order_relaxed);
	atomic_store_explicit(&e->timeout,
	    k->proto == MR_IP_PROTO_TCP ? (uint8_t)nat_tcp_timeout(state) : first_timeout(k),
	    memory_order_relaxed);
	atomic_store_explicit(&e->seen, now, memory_order_relaxed);
	atomic_store_explicit(&e->alg, 0, memory_order_relaxed);
}

/* The session of a mapping's own line is over or was none: this one takes its place. Its age goes
 * up: whatever rested on the old one looks again. */
static bool
replace_session(const struct nat_pass *s, const struct nat_packet *k, uint32_t mapping,
    uint32_t *word, uint64_t remote, uint32_t flags)
{
	struct nat_entry *e = &s->table->entries[mapping];
	uint8_t instance;

	if (!nat_lock(e, word))
		return false;
	if ((*word & NAT_SESSION) && !nat_is_late(s->table, e, s->run->seconds)) {
		nat_unlock(e, *word);
		return false;
	}
	instance = NAT_INSTANCE_OF(atomic_load_explicit(&e->inside, memory_order_relaxed));
	if (*word & NAT_SESSION)
		nat_count(s->table, s->run->worker, instance, NAT_COUNT_SESSIONS_ENDED);
	nat_count(s->table, s->run->worker, instance, NAT_COUNT_SESSIONS);
	nat_release_seq(s->table, s->run->worker, e);
	nat_begin_session(e, k, remote, s->run->seconds);
	*word = ((*word & ~NAT_ALG) | NAT_SESSION | flags) + (1u << NAT_AGE_SHIFT);
	nat_unlock(e, *word);
	return true;
}

static uint32_t
add_child(const struct nat_pass *s, const struct nat_packet *k, uint32_t mapping, uint32_t word,
    uint64_t remote, uint32_t flags, uint32_t subscriber, uint16_t epoch, uint32_t *got,
    uint32_t *got_word, bool *made)
{
	struct nat_table *t = s->table;
	const struct nat_entry *e = &t->entries[mapping];
	struct nat_name name = { .inside = atomic_load_explicit(&e->inside, memory_order_relaxed),
		.scope = NAT_SCOPE(remote, NAT_SCOPE_CHILD) };
	uint32_t number = nat_take(t, s->run->worker);
	struct nat_entry *c = &t->entries[number];

	*made = false;
	if (!number)
		return NAT_DROP_FULL;
	if (!nat_adopt(t, mapping, word)) {
		nat_put(t, s->run->worker, number);
		return NAT_DROP_NO_MAPPING;
	}
	nat_begin_session(c, k, remote, s->run->seconds);
	atomic_store_explicit(&c->outside, atomic_load_explicit(&e->outside, memory_order_relaxed),
	    memory_order_relaxed);
	atomic_store_explicit(&c->subscriber, subscriber, memory_order_relaxed);
	atomic_store_explicit(&c->pool, epoch, memory_order_relaxed);
	atomic_store_explicit(&c->children, mapping, memory_order_relaxed);
	atomic_store_explicit(&c->created, s->run->seconds, memory_order_relaxed);
	*got = nat_add(t, s->run->worker, number, &name, nat_hash(t, &name), NAT_CHILD | flags,
	    s->run->seconds, got_word);
	*made = *got == number;
	if (*made)
		return NAT_DONE;
	nat_orphan(t, mapping);
	nat_put(t, s->run->worker, number);
	return *got ? NAT_DONE : NAT_DROP_FULL;
}

/* Of a mapping that had its port of another pool: none. */
static uint32_t
subscriber_of(const struct nat_instance *n, const struct nat_entry *e)
{
	if (atomic_load_explicit(&e->pool, memory_order_relaxed) != n->epoch)
		return 0;
	return atomic_load_explicit(&e->subscriber, memory_order_relaxed);
}

/* The session of a packet from inside, made where it is not there yet. */
static uint32_t
outward_session(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    uint32_t mapping, uint32_t word, struct nat_found *f)
{
	uint64_t remote = nat_session_of(n, k->dst, k->dport, k->proto);
	uint32_t subscriber, session, session_word = word, rc, flags;
	bool made;

	session = nat_find_session(s, mapping, remote, &session_word);
	if (mr_likely(session) && nat_advance(s, k, session, session_word, true, true, f))
		return NAT_DONE;
	*f = (struct nat_found){ .address = f->address, .port = f->port, .ports = true };
	f->mapping = mapping;
	/* A reset begins nothing (RFC 7857, 7). */
	if (k->tcp & MR_TCP_RST)
		return NAT_DROP_NO_MAPPING;
	if (s->dry)
		return nat_pool_session_fits(n->pool, subscriber_of(n, &s->table->entries[mapping]))
		    ? NAT_DONE
		    : NAT_DROP_LIMIT;
	flags = nat_alg_of(n, k->proto, k->dport) ? NAT_ALG : 0;
	session_word = word;
	subscriber = subscriber_of(n, &s->table->entries[mapping]);
	/* One for one. */
	if ((word & NAT_SESSION) &&
	    nat_is_late(s->table, &s->table->entries[mapping], s->run->seconds) &&
	    replace_session(s, k, mapping, &session_word, remote, flags))
		return nat_advance(s, k, mapping, session_word, true, true, f)
		    ? NAT_DONE
		    : NAT_DROP_NO_MAPPING;
	if (!nat_pool_session_begin(n->pool, s->run->worker, subscriber))
		return NAT_DROP_LIMIT;
	session_word = word;
	session = mapping;
	rc = NAT_DONE;
	if ((word & NAT_SESSION) || !replace_session(s, k, mapping, &session_word, remote, flags)) {
		rc = add_child(s, k, mapping, word, remote, flags, subscriber, n->epoch, &session,
		    &session_word, &made);
		/* Perhaps another worker was faster. */
		if (!made)
			nat_pool_session_end(n->pool, subscriber);
	}
	if (rc != NAT_DONE)
		return rc;
	return nat_advance(s, k, session, session_word, true, true, f) ? NAT_DONE
								       : NAT_DROP_NO_MAPPING;
}

/* -- outward ------------------------------------------------------------------------------ */

uint32_t
nat_follow(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    uint32_t number, uint32_t word, struct nat_found *f)
{
	struct nat_entry *e = &s->table->entries[number];
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);

	*f = (struct nat_found){ .address = NAT_ADDRESS(outside),
		.port = NAT_PORT_OF(outside),
		.ports = true,
		.mapping = number,
		.open = true };
	if (mr_unlikely(word & NAT_STATIC)) {
		nat_alg_static(s, n, k, true, f);
		return NAT_DONE;
	}
	/* Its line is its session. */
	if (mr_unlikely(word & NAT_SHARED))
		return nat_advance(s, k, number, word, true, true, f) ? NAT_DONE
								      : NAT_DROP_NO_MAPPING;
	if (nat_is_tracked(n, k->proto, k->dport))
		return outward_session(s, n, k, number, word, f);
	f->number = number;
	f->word = word;
	f->refresh = true;
	if (!s->dry)
		nat_touch(e, s->run->seconds);
	return NAT_DONE;
}

uint32_t
nat_outward(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    struct nat_found *f)
{
	struct nat_name name;
	uint32_t number, word;
	uint64_t hash;

	if (mr_unlikely(n->fixed) && nat_fixed(s, n, k->src, NAT_SCOPE_FIXED_OUT, f)) {
		nat_alg_static(s, n, k, true, f);
		return NAT_DONE;
	}
	if (mr_unlikely(k->what != NAT_FLOW))
		return NAT_DROP_PROTOCOL;
	if (mr_unlikely(k->proto == MR_IP_PROTO_ICMP && !k->query))
		return NAT_DROP_NO_MAPPING;
	nat_name_of(n, k, &name);
	hash = k->hash ? k->hash : nat_hash(s->table, &name);
	/* It was not there a moment ago; who adds looks again. */
	if (nat_fresh_has(s->fresh, k))
		return nat_make(s, n, k, &name, hash, f);
	number = nat_find_mapping(s, n, &name, hash, &word);
	if (mr_likely(number))
		return nat_follow(s, n, k, number, word, f);
	return nat_make(s, n, k, &name, hash, f);
}

/* -- inward ------------------------------------------------------------------------------ */

/* The live mapping that has this outside end. */
uint32_t
nat_find_outside(const struct nat_pass *s, const struct nat_instance *n, be32_t address,
    be16_t port, uint8_t proto, be32_t remote, be16_t remote_port, uint32_t *word)
{
	uint32_t number =
	    n->pool ? nat_pool_find(n->pool, address, nat_pool_proto(proto), port) : 0;
	struct nat_entry *e = &s->table->entries[number];
	uint64_t inside;

	if (!number)
		return 0;
	/* Acquire pairs with nat_add. */
	*word = atomic_load_explicit(&e->word, memory_order_acquire);
	inside = atomic_load_explicit(&e->inside, memory_order_acquire);
	if (!(*word & NAT_LIVE) || NAT_PROTO_OF(inside) != proto ||
	    NAT_INSTANCE_OF(inside) != n->number ||
	    atomic_load_explicit(&e->outside, memory_order_acquire) != NAT_END(address, port) ||
	    !nat_is_same(e, *word))
		return 0;
	if (mr_unlikely(nat_is_over(s->table, e, *word, s->run->seconds))) {
		(void)nat_end(s->table, s->run->worker, number, *word, s->run->seconds);
		return 0;
	}
	if (mr_unlikely(n->mapping == NAT_PORT_DEPENDENT) &&
	    atomic_load_explicit(&e->children, memory_order_relaxed) &&
	    !(*word & (NAT_STATIC | NAT_LEASED)))
		return nat_sharer(s, n, nat_scope_of(n, remote, remote_port, proto), number, word);
	return number;
}

void
nat_inside_of(const struct nat_pass *s, uint32_t number, struct nat_found *f)
{
	uint64_t inside =
	    atomic_load_explicit(&s->table->entries[number].inside, memory_order_relaxed);

	*f = (struct nat_found){ .address = NAT_ADDRESS(inside),
		.port = NAT_PORT_OF(inside),
		.ports = true,
		.mapping = number,
		.open = true };
}

/* The session that lets this packet in: with its sender, or one that an ALG made, with any port of
 * its sender or with anybody. */
static uint32_t
find_permit(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    uint32_t mapping, uint32_t *word)
{
	uint32_t was = *word, session;

	session = nat_find_session(s, mapping, nat_session_of(n, k->src, k->sport, k->proto), word);
	if (mr_likely(session) || n->filtering == NAT_ENDPOINT_INDEPENDENT)
		return session;
	for (unsigned any = 0; !session && any < 2; any++) {
		*word = was;
		session = nat_find_session(s, mapping, any ? 0 : NAT_END(k->src, 0), word);
	}
	return session;
}

uint32_t
nat_inward(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    struct nat_found *f)
{
	bool refresh = n->inbound_refresh || k->proto == MR_IP_PROTO_TCP;
	uint32_t number, word, session, session_word;

	if (mr_unlikely(n->fixed) && nat_fixed(s, n, k->dst, NAT_SCOPE_FIXED_IN, f)) {
		nat_alg_static(s, n, k, false, f);
		return NAT_DONE;
	}
	if (mr_unlikely(k->what != NAT_FLOW))
		return NAT_DROP_PROTOCOL;
	/* Nobody outside asks through a mapping of an identifier. */
	if (mr_unlikely(k->proto == MR_IP_PROTO_ICMP && k->query))
		return NAT_DROP_NO_MAPPING;
	number = nat_find_outside(s, n, k->dst, k->dport, k->proto, k->src, k->sport, &word);
	if (!number)
		return NAT_DROP_NO_MAPPING;
	nat_inside_of(s, number, f);
	if (mr_unlikely(word & NAT_STATIC)) {
		nat_alg_static(s, n, k, false, f);
		return NAT_DONE;
	}
	if (!nat_is_tracked(n, k->proto, k->sport)) {
		f->number = number;
		f->word = word;
		f->refresh = refresh;
		if (refresh && !s->dry)
			nat_touch(&s->table->entries[number], s->run->seconds);
		return NAT_DONE;
	}
	session_word = word;
	session = find_permit(s, n, k, number, &session_word);
	if (mr_likely(session) && nat_advance(s, k, session, session_word, false, refresh, f))
		return NAT_DONE;
	if (!(word & NAT_SELF) && n->filtering != NAT_ENDPOINT_INDEPENDENT &&
	    !nat_is_leased(s->table, &s->table->entries[number], word, s->run->seconds))
		return NAT_DROP_FILTERED;
	nat_inside_of(s, number, f);
	f->number = number;
	f->word = word;
	f->open = k->proto != MR_IP_PROTO_TCP;
	return NAT_DONE;
}

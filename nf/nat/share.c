/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Port overloading: mappings that hold for one remote end each may share an outside port, as long as
 * their remote ends differ. It is done where no port is free, and is asked for.
 *
 *   owner   the mapping that took the port of the pool. It stays for as long as somebody shares it
 *   sharer  a mapping by its inside and remote ends, as all are; a child of the owner, without a port
 *   share   a second line for the sharer, by the outside and remote ends: how it is found from outside.
 *           A child of the owner, too; it has the sharer's number as its remote end
 *
 * Who wants to share adds the share first: its name is there once, so that no two have the same remote
 * end on a port; then the sharer. When the sharer ends it ends the share.
 */

#include <string.h>

#include "nf/nat/translate_int.h"

#define TRIES 64u /* ports that are looked at */

static void
name_share(struct nat_name *name, uint64_t outside, uint8_t proto, uint8_t instance, uint64_t scope)
{
	*name = (struct nat_name){
		.inside = outside | (uint64_t)proto << 48 | (uint64_t)instance << 56,
		.scope = NAT_SCOPE(scope & NAT_ENDS, NAT_SCOPE_SHARE),
	};
}

/* Whether a mapping with this scope may share what `owner` has at this end. */
static bool
may_share(const struct nat_table *t, uint32_t owner, const struct nat_name *name, uint64_t outside,
    uint32_t *word)
{
	const struct nat_entry *e = &t->entries[owner];
	uint64_t inside, scope;

	/* Acquire pairs with nat_add. */
	*word = atomic_load_explicit(&e->word, memory_order_acquire);
	inside = atomic_load_explicit(&e->inside, memory_order_acquire);
	scope = atomic_load_explicit(&e->scope, memory_order_acquire);
	if (!(*word & NAT_LIVE) ||
	    (*word & (NAT_CHILD | NAT_FIXED | NAT_STATIC | NAT_SELF | NAT_RESERVED | NAT_ALG)))
		return false;
	return NAT_PROTO_OF(inside) == NAT_PROTO_OF(name->inside) &&
	    NAT_INSTANCE_OF(inside) == NAT_INSTANCE_OF(name->inside) && (scope & NAT_ENDS) &&
	    scope != name->scope &&
	    atomic_load_explicit(&e->outside, memory_order_acquire) == outside &&
	    nat_is_same(e, *word);
}

/* A child of the owner with this name. Returns its number; another: one of that name is there; 0: the
 * owner is gone, or there is no room. */
static uint32_t
add(const struct nat_pass *s, uint32_t owner, uint32_t owner_word, uint32_t number,
    const struct nat_name *name, uint64_t hash, uint32_t flags, uint32_t *word)
{
	struct nat_table *t = s->table;
	uint32_t got;

	if (!nat_adopt(t, owner, owner_word))
		return 0;
	atomic_store_explicit(&t->entries[number].children, owner, memory_order_relaxed);
	got = nat_add(t, s->run->worker, number, name, hash, flags, s->run->seconds, word);
	if (got != number)
		nat_orphan(t, owner);
	return got;
}

static uint32_t
add_share(const struct nat_pass *s, uint32_t owner, uint32_t owner_word,
    const struct nat_name *name, uint32_t sharer, uint64_t outside, uint32_t *word)
{
	uint32_t number = nat_take(s->table, s->run->worker), got;
	struct nat_entry *e = &s->table->entries[number];

	if (!number)
		return 0;
	atomic_store_explicit(&e->remote, sharer, memory_order_relaxed);
	atomic_store_explicit(&e->outside, outside, memory_order_relaxed);
	atomic_store_explicit(&e->subscriber, 0, memory_order_relaxed);
	atomic_store_explicit(&e->alg, 0, memory_order_relaxed);
	atomic_store_explicit(&e->created, s->run->seconds, memory_order_relaxed);
	atomic_store_explicit(&e->seen, s->run->seconds, memory_order_relaxed);
	atomic_store_explicit(&e->pool,
	    atomic_load_explicit(&s->table->entries[owner].pool, memory_order_relaxed),
	    memory_order_relaxed);
	got = add(s, owner, owner_word, number, name, nat_hash(s->table, name),
	    NAT_CHILD | NAT_SHARE, word);
	if (got == number)
		return number;
	nat_put(s->table, s->run->worker, number);
	return 0;
}

uint32_t
nat_share(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    const struct nat_name *name, uint64_t hash, uint32_t number, uint32_t *word)
{
	struct nat_table *t = s->table;
	struct nat_entry *e = &t->entries[number];
	uint8_t inside[16] = { 0 };

	atomic_store_explicit(&e->subscriber, 0, memory_order_relaxed);
	atomic_store_explicit(&e->pool, n->epoch, memory_order_relaxed);
	atomic_store_explicit(&e->created, s->run->seconds, memory_order_relaxed);
	memcpy(inside, &k->src, 4);
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t owner, owner_word, share, share_word, got;
		struct nat_name by;
		be32_t address;
		be16_t port;

		owner = nat_pool_guess(n->pool, s->run->worker, inside, nat_pool_proto(k->proto),
		    &address, &port);
		if (!owner || !may_share(t, owner, name, NAT_END(address, port), &owner_word))
			continue;
		name_share(&by, NAT_END(address, port), k->proto, n->number, name->scope);
		share = add_share(s, owner, owner_word, &by, number, NAT_END(address, port),
		    &share_word);
		if (!share)
			continue;
		atomic_store_explicit(&e->outside, NAT_END(address, port), memory_order_relaxed);
		got = add(s, owner, owner_word, number, name, hash,
		    NAT_CHILD | NAT_SHARED | NAT_SESSION, word);
		if (got != number) {
			(void)nat_end(t, s->run->worker, share, share_word, s->run->seconds);
			return got;
		}
		mr_node_count(s->run, NAT_MADE_COUNTER, 1);
		nat_count(t, s->run->worker, n->number, NAT_COUNT_SHARED);
		return number;
	}
	return 0;
}

/* Who shares this outside end; 0: nobody. */
static uint32_t
find_shared(const struct nat_pass *s, const struct nat_instance *n, uint64_t outside, uint8_t proto,
    uint64_t scope, uint32_t *word)
{
	struct nat_table *t = s->table;
	uint32_t share, share_word, number;
	const struct nat_entry *e;
	struct nat_name by;

	name_share(&by, outside, proto, n->number, scope);
	share = nat_find(t, s->run->worker, &by, nat_hash(t, &by), s->run->seconds, &share_word);
	if (!share)
		return 0;
	number = (uint32_t)atomic_load_explicit(&t->entries[share].remote, memory_order_relaxed);
	e = &t->entries[number];
	/* Acquire pairs with nat_add. It may be another's by now. */
	*word = atomic_load_explicit(&e->word, memory_order_acquire);
	if (!(*word & NAT_LIVE) || !(*word & NAT_SHARED) ||
	    atomic_load_explicit(&e->outside, memory_order_acquire) != outside ||
	    atomic_load_explicit(&e->scope, memory_order_acquire) != scope ||
	    NAT_PROTO_OF(atomic_load_explicit(&e->inside, memory_order_acquire)) != proto ||
	    !nat_is_same(e, *word))
		return 0;
	if (nat_is_over(t, e, *word, s->run->seconds)) {
		(void)nat_end(t, s->run->worker, number, *word, s->run->seconds);
		return 0;
	}
	return number;
}

uint32_t
nat_sharer(const struct nat_pass *s, const struct nat_instance *n, uint64_t scope, uint32_t number,
    uint32_t *word)
{
	const struct nat_entry *e = &s->table->entries[number];
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint32_t other, other_word;

	if (atomic_load_explicit(&e->scope, memory_order_relaxed) != scope) {
		other = find_shared(s, n, atomic_load_explicit(&e->outside, memory_order_relaxed),
		    NAT_PROTO_OF(inside), scope, &other_word);
		if (other) {
			*word = other_word;
			return other;
		}
	}
	/* It may be there for the others alone. A session's time is looked at where that is found. */
	return !(*word & NAT_SESSION) && nat_is_late(s->table, e, s->run->seconds) ? 0 : number;
}

void
nat_end_share(struct nat_table *t, uint32_t worker, uint32_t number, uint32_t now)
{
	const struct nat_entry *e = &t->entries[number];
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	struct nat_name by;
	uint32_t share, word;

	name_share(&by, atomic_load_explicit(&e->outside, memory_order_relaxed),
	    NAT_PROTO_OF(inside), NAT_INSTANCE_OF(inside),
	    atomic_load_explicit(&e->scope, memory_order_relaxed));
	share = nat_find(t, worker, &by, nat_hash(t, &by), now, &word);
	if (share &&
	    atomic_load_explicit(&t->entries[share].remote, memory_order_relaxed) == number)
		(void)nat_end(t, worker, share, word, now);
}

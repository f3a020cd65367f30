/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mappings that are asked for. One is a mapping as all are, for all remote ends, whatever the
 * instance's behaviour; its port is its subscriber's and counts with the others. A lease that ends
 * takes nothing from the sessions that there are: the mapping goes when these do.
 */

#include <string.h>

#include "nf/nat/journal_int.h"
#include "nf/nat/pcp/pcp_int.h"
#include "nf/nat/translate_int.h"

static uint8_t
result_of(uint32_t drop)
{
	switch (drop) {
	case NAT_DONE:
		return NAT_PCP_SUCCESS;
	case NAT_DROP_LIMIT:
	case NAT_DROP_RATE:
		return NAT_PCP_USER_EX_QUOTA;
	default:
		return NAT_PCP_NO_RESOURCES;
	}
}

static uint32_t
lifetime_of(const struct nat_instance *n, uint32_t asked)
{
	return MR_MIN(MR_MAX(asked, n->lease_min), n->lease_max);
}

static void
tell(struct nat_pcp_answer *a, uint64_t outside, uint32_t lifetime)
{
	a->result = NAT_PCP_SUCCESS;
	a->address = NAT_ADDRESS(outside);
	a->port = NAT_PORT_OF(outside);
	a->lifetime = lifetime;
}

/* Whether it is the outside end that was asked for, of what was. */
static bool
is_wanted(const struct nat_pcp_request *r, uint64_t outside)
{
	return !r->only_this ||
	    ((!r->outside || r->outside == NAT_PORT_OF(outside)) &&
		(!r->address || r->address == NAT_ADDRESS(outside)));
}

/* -- a new one ---------------------------------------------------------------------------- */

/* The second before which its packets' time is over: it lasts for its lease, until there are some. */
static uint32_t
long_ago(const struct nat_table *t, const struct nat_instance *n, enum nat_timeout timeout,
    uint32_t now)
{
	return now - 1 -
	    atomic_load_explicit(&t->timeouts[n->number][timeout], memory_order_relaxed);
}

static void
fill(const struct nat_pass *s, const struct nat_instance *n, const struct nat_pcp_request *r,
    uint32_t number, const struct nat_outside *o, uint32_t until)
{
	enum nat_timeout timeout = r->proto == MR_IP_PROTO_TCP ? NAT_TIME_TCP_SHORT : NAT_TIME_UDP;
	struct nat_table *t = s->table;
	struct nat_entry *e = &t->entries[number];

	atomic_store_explicit(&e->outside, NAT_END(o->address, o->port), memory_order_relaxed);
	atomic_store_explicit(&e->remote, 0, memory_order_relaxed);
	atomic_store_explicit(&e->children, 0, memory_order_relaxed);
	atomic_store_explicit(&e->subscriber, o->subscriber, memory_order_relaxed);
	atomic_store_explicit(&e->created, s->run->seconds, memory_order_relaxed);
	atomic_store_explicit(&e->state, NAT_TCP_NONE, memory_order_relaxed);
	atomic_store_explicit(&e->timeout, (uint8_t)timeout, memory_order_relaxed);
	atomic_store_explicit(&e->seen, long_ago(t, n, timeout, s->run->seconds),
	    memory_order_relaxed);
	atomic_store_explicit(&e->pool, n->epoch, memory_order_relaxed);
	atomic_store_explicit(&e->alg, 0, memory_order_relaxed);
	memcpy(t->leases[number].nonce, r->nonce, NAT_PCP_NONCE);
	atomic_store_explicit(&t->leases[number].until, until, memory_order_relaxed);
}

/* An enum nat_pcp_result; *number: of the mapping, or of another one of its name that is there by
 * now. */
static uint8_t
make(const struct nat_pass *s, const struct nat_instance *n, const struct nat_pcp_request *r,
    const struct nat_name *name, uint32_t until, uint32_t *number, uint32_t *word)
{
	enum nat_proto proto = nat_pool_proto(r->proto);
	be16_t prefer = r->outside ? r->outside : r->inside;
	be32_t host = NAT_ADDRESS(name->inside);
	uint32_t worker = s->run->worker, now = s->run->seconds, mine = nat_take(s->table, worker);
	uint8_t inside[16] = { 0 };
	struct nat_outside o;
	enum nat_take rc;
	bool wanted;

	*number = 0;
	if (!mine)
		return NAT_PCP_NO_RESOURCES;
	memcpy(inside, &host, 4);
	rc = nat_pool_take(n->pool, worker, inside, false, proto, prefer, mine, now, &o);
	if (rc != NAT_TAKEN) {
		nat_put(s->table, worker, mine);
		return result_of(nat_taken(rc));
	}
	wanted = is_wanted(r, NAT_END(o.address, o.port));
	if (wanted) {
		fill(s, n, r, mine, &o, until);
		*number = nat_add(s->table, worker, mine, name, nat_hash(s->table, name),
		    NAT_PORT | NAT_LEASED | (n->logged ? NAT_LOGGED : 0), now, word);
	}
	if (*number != mine) {
		nat_pool_give(n->pool, worker, &o, proto, mine, now);
		nat_put(s->table, worker, mine);
		return !wanted ? NAT_PCP_CANNOT_PROVIDE_EXTERNAL
		    : *number  ? NAT_PCP_SUCCESS
			       : NAT_PCP_NO_RESOURCES;
	}
	mr_node_count(s->run, NAT_MADE_COUNTER, 1);
	if (n->logged)
		nat_journal_mapping(s->table->journal, NAT_LOG_MAPPING_BEGUN,
		    &s->table->entries[mine], NULL, now);
	return NAT_PCP_SUCCESS;
}

/* -- one that is there ---------------------------------------------------------------------- */

/* Its lease lasts until then; 0: it is given up. */
static void
renew(const struct nat_pass *s, uint32_t number, uint32_t word, const struct nat_pcp_request *r,
    uint32_t lifetime, struct nat_pcp_answer *a)
{
	struct nat_table *t = s->table;
	struct nat_entry *e = &t->entries[number];
	struct nat_lease *lease = &t->leases[number];
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	uint32_t now = s->run->seconds;

	/* The configuration's stay as they are. */
	if (word & NAT_STATIC) {
		if (!lifetime || !is_wanted(r, outside))
			a->result =
			    lifetime ? NAT_PCP_CANNOT_PROVIDE_EXTERNAL : NAT_PCP_NOT_AUTHORIZED;
		else
			tell(a, outside, lifetime);
		return;
	}
	a->result = NAT_PCP_NO_RESOURCES;
	if (!nat_lock(e, &word))
		return;
	if (nat_is_leased(t, e, word, now) && memcmp(lease->nonce, r->nonce, NAT_PCP_NONCE) != 0) {
		nat_unlock(e, word);
		a->result = NAT_PCP_NOT_AUTHORIZED;
		return;
	}
	if (lifetime && !is_wanted(r, outside)) {
		nat_unlock(e, word);
		a->result = NAT_PCP_CANNOT_PROVIDE_EXTERNAL;
		return;
	}
	if (lifetime || nat_is_leased(t, e, word, now)) {
		memcpy(lease->nonce, r->nonce, NAT_PCP_NONCE);
		atomic_store_explicit(&lease->until, lifetime ? now + lifetime : now,
		    memory_order_relaxed);
		word |= NAT_LEASED;
	}
	nat_unlock(e, word);
	tell(a, outside, lifetime);
	if (!lifetime && nat_is_over(t, e, word, now))
		(void)nat_end(t, s->run->worker, number, word, now);
}

/* -- NAT-PMP: all of a host's ---------------------------------------------------------------- */

static void
give_up_all(const struct nat_pass *s, const struct nat_instance *n, be32_t host,
    const struct nat_pcp_request *r, struct nat_pcp_answer *a)
{
	uint64_t whose = NAT_INSIDE(host, 0, r->proto, n->number);

	a->result = NAT_PCP_NO_RESOURCES;
	for (unsigned i = 0; i < NAT_FORGET_MAX; i++) {
		uint64_t is = 0;

		if (atomic_compare_exchange_strong_explicit(&s->core->forget[i], &is, whose,
			memory_order_relaxed, memory_order_relaxed) ||
		    is == whose) {
			a->result = NAT_PCP_SUCCESS;
			return;
		}
	}
}

static bool
is_named(const uint64_t *whose, unsigned count, uint64_t inside)
{
	bool found = false;

	for (unsigned i = 0; i < count; i++)
		found |= (inside & ~((uint64_t)UINT16_MAX << 32)) == whose[i];
	return found;
}

static void
forget(struct nat_table *t, uint32_t number, const uint64_t *whose, unsigned count, uint32_t now)
{
	static const uint32_t none[3] = { 0 };
	struct nat_entry *e = &t->entries[number];
	uint32_t word = atomic_load_explicit(&e->word, memory_order_acquire);

	if (!(word & NAT_LIVE) || !nat_is_leased(t, e, word, now) ||
	    !is_named(whose, count, atomic_load_explicit(&e->inside, memory_order_acquire)) ||
	    !nat_lock(e, &word))
		return;
	/* Who asked by PCP says which. */
	if (memcmp(t->leases[number].nonce, none, sizeof(none)) == 0)
		atomic_store_explicit(&t->leases[number].until, now, memory_order_relaxed);
	nat_unlock(e, word);
	if (nat_is_over(t, e, word, now))
		(void)nat_end(t, MR_POOL_SHARED, number, word, now);
}

/* However many gave up, the table is gone through once. */
void
nat_lease_forget(struct nat_core *core, uint32_t now)
{
	struct nat_table *t = core->table;
	uint64_t whose[NAT_FORGET_MAX];
	unsigned count = 0;
	uint32_t top;

	for (unsigned i = 0; i < NAT_FORGET_MAX; i++) {
		whose[count] = atomic_exchange_explicit(&core->forget[i], 0, memory_order_relaxed);
		count += whose[count] != 0;
	}
	top = count ? atomic_load_explicit(&t->top, memory_order_relaxed) : 0;
	for (uint32_t number = 1; number <= top; number++)
		forget(t, number, whose, count, now);
}

/* -- what is asked -------------------------------------------------------------------------- */

void
nat_lease_map(const struct nat_pass *s, const struct nat_instance *n, be32_t host,
    const struct nat_pcp_request *r, struct nat_pcp_answer *a)
{
	const struct nat_name name = {
		.inside = NAT_INSIDE(host, r->inside, r->proto, n->number),
		.scope = NAT_SCOPE(0, NAT_SCOPE_MAPPING),
	};
	uint32_t lifetime = r->lifetime ? lifetime_of(n, r->lifetime) : 0, number, word = 0;
	uint32_t until = s->run->seconds + lifetime;
	struct nat_found f;

	/* What a deletion says (RFC 6887, 15). */
	tell(a, r->nat_pmp ? 0 : NAT_END(r->address, r->outside), 0);
	if (r->nat_pmp && !r->inside) {
		if (lifetime)
			a->result = NAT_PCP_NOT_AUTHORIZED;
		else
			give_up_all(s, n, host, r, a);
		return;
	}
	if (n->fixed && nat_fixed(s, n, host, NAT_SCOPE_FIXED_OUT, &f)) {
		tell(a, NAT_END(f.address, r->inside), lifetime);
		if (!is_wanted(r, NAT_END(f.address, r->inside)))
			a->result = NAT_PCP_CANNOT_PROVIDE_EXTERNAL;
		return;
	}
	number = nat_find(s->table, s->run->worker, &name, nat_hash(s->table, &name),
	    s->run->seconds, &word);
	if (!number && !lifetime)
		return;
	if (!number) {
		if (!n->pool) {
			a->result = NAT_PCP_NETWORK_FAILURE;
			return;
		}
		a->result = make(s, n, r, &name, until, &number, &word);
		if (a->result)
			return;
	}
	renew(s, number, word, r, lifetime, a);
	/* Of what was deleted nothing is told but that. */
	if (!lifetime && !a->result)
		tell(a, r->nat_pmp ? 0 : NAT_END(r->address, r->outside), 0);
	else if (!a->result)
		nat_count(s->table, s->run->worker, n->number, NAT_COUNT_LEASES);
}

/* As if the host had sent to its peer (RFC 6887, 12): what is then there lasts as long as it does. */
void
nat_lease_peer(const struct nat_pass *s, const struct nat_instance *n, be32_t host,
    const struct nat_pcp_request *r, struct nat_pcp_answer *a)
{
	const struct nat_packet k = {
		.src = host,
		.sport = r->inside,
		.dst = r->remote_address,
		.dport = r->remote,
		.proto = r->proto,
		.what = NAT_FLOW,
		.tcp = r->proto == MR_IP_PROTO_TCP ? MR_TCP_SYN : 0,
	};
	struct nat_table *t = s->table;
	uint32_t rc, line, lease;
	struct nat_found f;
	uint8_t timeout;

	tell(a, NAT_END(r->address, r->outside), 0);
	/* It does not shorten what packets have made. */
	if (!r->lifetime && !nat_is_mapped(s, n, &k))
		return;
	if (!n->pool) {
		a->result = NAT_PCP_NETWORK_FAILURE;
		return;
	}
	rc = nat_outward(s, n, &k, &f);
	a->result = result_of(rc);
	if (a->result)
		return;
	line = f.number ? f.number : f.mapping;
	timeout = atomic_load_explicit(&t->entries[line].timeout, memory_order_relaxed);
	lease = atomic_load_explicit(&t->timeouts[n->number][timeout % NAT_TIME_COUNT],
	    memory_order_relaxed);
	tell(a, NAT_END(f.address, f.ports ? f.port : r->inside), f.number ? lease : n->lease_max);
}

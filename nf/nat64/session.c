/* SPDX-License-Identifier: Apache-2.0 */

/* Which session a packet belongs to (RFC 6146, 3.5), and what it makes of it. */
#include "kit/packet/wire.h"
#include "nf/nat64/nat64_int.h"

#define CONTROL (MR_TCP_SYN | MR_TCP_FIN | MR_TCP_RST)

/* What its making was refused for; counted, unless it only is an explanation's. */
static uint32_t
drop_of(const struct n64_pass *s, uint8_t instance, enum n64_result result)
{
	static const uint8_t counts[] = {
		[N64_NO_PORT] = N64_COUNT_NO_PORT,
		[N64_NO_BLOCK] = N64_COUNT_NO_BLOCK,
		[N64_LIMIT] = N64_COUNT_LIMIT,
		[N64_RATE] = N64_COUNT_RATE,
		[N64_NO_SUBSCRIBER] = N64_COUNT_NO_SUBSCRIBER,
		[N64_FULL] = N64_COUNT_FULL,
	};
	static const uint8_t drops[] = {
		[N64_NO_PORT] = N64_DROP_NO_PORT,
		[N64_NO_BLOCK] = N64_DROP_NO_BLOCK,
		[N64_LIMIT] = N64_DROP_LIMIT,
		[N64_RATE] = N64_DROP_RATE,
		[N64_NO_SUBSCRIBER] = N64_DROP_NO_SUBSCRIBER,
		[N64_FULL] = N64_DROP_FULL,
	};

	if (!s->dry)
		n64_count(s->table, s->run->worker, instance, (enum n64_count)counts[result]);
	return drops[result] + 1u;
}

/* Figures 1 to 5 of RFC 6146, 3.5.2.2: the state after a packet, which may be the same. *counts: it
 * begins the state's time anew. */
static enum n64_state
next_state(enum n64_state state, uint8_t tcp, bool inside, bool *counts)
{
	*counts = true;
	switch (state) {
	case N64_STATE_V4_INIT:
		if (inside && (tcp & MR_TCP_SYN))
			return N64_STATE_OPEN;
		*counts = false;
		return state;
	case N64_STATE_V6_INIT:
		if (!inside && (tcp & MR_TCP_SYN))
			return N64_STATE_OPEN;
		*counts = inside && (tcp & MR_TCP_SYN);
		return state;
	case N64_STATE_OPEN:
		if (tcp & MR_TCP_RST)
			return N64_STATE_TRANS;
		if (tcp & MR_TCP_FIN)
			return inside ? N64_STATE_V6_FIN : N64_STATE_V4_FIN;
		return state;
	case N64_STATE_V4_FIN:
		return inside && (tcp & MR_TCP_FIN) ? N64_STATE_BOTH_FIN : state;
	case N64_STATE_V6_FIN:
		return !inside && (tcp & MR_TCP_FIN) ? N64_STATE_BOTH_FIN : state;
	case N64_STATE_BOTH_FIN:
		*counts = false;
		return state;
	case N64_STATE_TRANS:
		if (!(tcp & MR_TCP_RST))
			return N64_STATE_OPEN;
		*counts = false;
		return state;
	default:
		return state;
	}
}

static void
advance(const struct n64_pass *s, struct n64_found *f, uint8_t tcp, bool inside,
    struct n64_way *way)
{
	struct n64_line *l = &s->table->sessions.lines[f->number];
	enum n64_state state, next;
	bool counts;

	for (;;) {
		state = (enum n64_state)N64_STATE(f->word);
		next = next_state(state, tcp, inside, &counts);
		if (s->dry)
			break;
		if (next != state && !n64_turn(l, f->word, next)) {
			uint64_t is = atomic_load_explicit(&l->word, memory_order_acquire);

			/* Another packet was faster; or it has just ended. */
			if ((is ^ f->word) & (N64_AGE | N64_LIVE))
				break;
			f->word = is;
			continue;
		}
		f->word = (f->word & ~N64_STATE_BITS) | (uint64_t)next << 1;
		if (counts)
			n64_touch(l, s->run->seconds);
		break;
	}
	way->open = state == next && !(tcp & CONTROL) &&
	    (next == N64_STATE_OPEN || next == N64_STATE_UDP || next == N64_STATE_ICMP);
}

static void
fill(struct n64_way *way, const struct n64_found *f, const struct n64_key *key, bool session)
{
	memcpy(way->inside, key->inside, sizeof(way->inside));
	way->inside_port = N64_SPORT(key->ports);
	way->outside = N64_ADDRESS(f->outside);
	way->outside_port = N64_PORT(f->outside);
	way->session = session ? f->number : 0;
	way->word = session ? f->word : 0;
}

static enum n64_state
first_state(enum nat_proto proto, bool inside)
{
	if (proto == NAT_TCP)
		return inside ? N64_STATE_V6_INIT : N64_STATE_V4_INIT;
	return proto == NAT_UDP ? N64_STATE_UDP : N64_STATE_ICMP;
}

/* A session that is not there yet. */
static uint32_t
begin(const struct n64_pass *s, const struct n64_key *key, uint64_t hash, enum nat_proto proto,
    uint8_t tcp, bool inside, const struct n64_found *binding, struct n64_way *way)
{
	struct n64_found f;
	enum n64_result result;

	way->open = false;
	/* Only a SYN begins a connection; the rest passes by the binding, if there is one. */
	if (proto == NAT_TCP && (tcp & (MR_TCP_SYN | MR_TCP_RST)) != MR_TCP_SYN) {
		if (!binding->number)
			return N64_DROP_NO_MAPPING + 1;
		fill(way, binding, key, false);
		return 0;
	}
	if (s->dry) {
		result = N64_FOUND;
		if (binding->number)
			f = *binding;
		else
			result = n64_look(s->table, s->run->stands_for, key, s->run->seconds, &f);
		if (result)
			return result == N64_UNTOLD ? N64_DROP_EXPLAINED + 1
						    : drop_of(s, N64_INSTANCE(key->ports), result);
		fill(way, &f, key, false);
		return 0;
	}
	result = n64_make(s->table, s->run->worker, key, hash, first_state(proto, inside),
	    s->run->seconds, &f);
	if (result)
		return drop_of(s, N64_INSTANCE(key->ports), result);
	mr_node_count(s->run, N64_COUNTER_MADE, 1);
	fill(way, &f, key, true);
	/* Of what has no states the next packet is like this one. */
	way->open = proto != NAT_TCP;
	return 0;
}

uint32_t
n64_outward(const struct n64_pass *s, const struct n64_instance *n, const uint8_t *src,
    be32_t remote, const struct xlat_part *part, uint8_t tcp, struct n64_way *way)
{
	enum nat_proto proto = n64_proto(part);
	be16_t dport = proto == NAT_ICMP ? 0 : part->dport;
	struct n64_key key = { .ports = N64_PORTS(part->sport, dport, proto, n->number),
		.remote = remote };
	struct n64_found f, binding;
	struct n64_key bind;
	uint64_t hash;

	memcpy(key.inside, src, sizeof(key.inside));
	hash = n64_hash(s->table, &key);
	if (mr_likely(
		n64_find_session(s->table, s->run->worker, &key, hash, s->run->seconds, &f))) {
		advance(s, &f, tcp, true, way);
		fill(way, &f, &key, true);
		return 0;
	}
	n64_key_of_binding(&key, &bind);
	(void)n64_find_binding(s->table, &bind, &binding);
	return begin(s, &key, hash, proto, tcp, true, &binding, way);
}

uint32_t
n64_inward(const struct n64_pass *s, const struct n64_instance *n, be32_t remote,
    be16_t remote_port, enum nat_proto proto, uint8_t tcp, const struct n64_found *binding,
    const struct n64_key *bind, struct n64_way *way)
{
	struct n64_key key = *bind;
	struct n64_found f;
	uint64_t hash;

	key.ports |= (uint64_t)(proto == NAT_ICMP ? 0 : remote_port) << 16;
	key.remote = remote;
	hash = n64_hash(s->table, &key);
	if (mr_likely(
		n64_find_session(s->table, s->run->worker, &key, hash, s->run->seconds, &f))) {
		advance(s, &f, tcp, false, way);
		fill(way, &f, &key, true);
		return 0;
	}
	if (n->by_address && !n64_knows(s->table, bind, remote, s->run->seconds))
		return N64_DROP_FILTERED + 1;
	return begin(s, &key, hash, proto, tcp, false, binding, way);
}

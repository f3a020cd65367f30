/* SPDX-License-Identifier: Apache-2.0 */

/* The way of a packet that begins something: a subscriber, an address, a port. */

#include "nf/nat/pool/pool_int.h"

#define ADDRESSES_TRIED 64u /* of a pool that is nearly full */
#define DRAINED 64u         /* quarantines looked at by who finds nothing */

/* Any address, beginning somewhere: for who is paired with none. */
static uint32_t
take_anywhere(struct nat_pool *p, unsigned worker, enum nat_proto proto, uint16_t prefer,
    uint32_t *address)
{
	uint32_t at = nat_draw_below(p, worker, p->address_count);
	uint32_t tries = MR_MIN(p->address_count, ADDRESSES_TRIED);

	for (; tries--; at = at + 1 < p->address_count ? at + 1 : 0) {
		uint32_t port;

		if (!nat_address_use(p, at))
			continue;
		port = nat_ports_take(p, worker, at, proto, p->port_first, p->port_last, prefer);
		if (!port)
			continue;
		*address = at;
		return port;
	}
	return 0;
}

static uint32_t
take_plain(struct nat_pool *p, unsigned worker, uint32_t number, enum nat_proto proto,
    uint16_t prefer, bool first, uint32_t *address)
{
	uint32_t port = 0;

	if (!p->config.paired)
		return take_anywhere(p, worker, proto, prefer, address);
	*address = atomic_load_explicit(&p->subscribers[number].address, memory_order_relaxed);
	if (nat_address_use(p, *address))
		port =
		    nat_ports_take(p, worker, *address, proto, p->port_first, p->port_last, prefer);
	/* Who has nothing of that address may have another. */
	if (!port && first) {
		port = take_anywhere(p, worker, proto, prefer, address);
		if (port)
			nat_subscriber_move(p, number, *address);
	}
	return port;
}

static enum nat_take
take_port(struct nat_pool *p, unsigned worker, uint32_t number, const struct nat_key *key,
    enum nat_proto proto, uint16_t prefer, bool first, uint32_t now, uint32_t *address,
    uint32_t *port)
{
	uint32_t from, to;

	if (p->config.block_size)
		return nat_blocks_take(p, worker, number, proto, prefer, now, address, port);
	if (!p->config.deterministic)
		*port = take_plain(p, worker, number, proto, prefer, first, address);
	else if (nat_share_of(p, mr_be32((be32_t)key->w[0]), address, &from, &to) &&
	    nat_address_use(p, *address))
		*port = nat_ports_take(p, worker, *address, proto, from, to, prefer);
	return *port ? NAT_TAKEN : NAT_NO_PORT;
}

static enum nat_take
take(struct nat_pool *p, unsigned worker, const struct nat_key *key, enum nat_proto proto,
    uint16_t prefer, uint32_t now, uint32_t *number, uint32_t *address, uint32_t *port)
{
	enum nat_take result;
	bool first;

	if (p->config.deterministic &&
	    (key->w[2] || !nat_share_of(p, mr_be32((be32_t)key->w[0]), address, port, port)))
		return NAT_NO_SUBSCRIBER;
	result = nat_subscriber_raise(p, worker, key, proto, now, number, &first);
	if (mr_unlikely(result != NAT_TAKEN))
		return result;
	*port = 0;
	result = take_port(p, worker, *number, key, proto, prefer, first, now, address, port);
	if (mr_unlikely(result == NAT_NO_PORT || result == NAT_NO_BLOCK)) {
		bool more = nat_quarantine_drain(p, now, DRAINED) != 0;

		/* Of those that linger, some blocks. */
		if (result == NAT_NO_BLOCK)
			more |= nat_subscribers_sweep(p, worker, now, 0, DRAINED) != 0;
		if (more)
			result = take_port(p, worker, *number, key, proto, prefer, first, now,
			    address, port);
	}
	if (mr_unlikely(result != NAT_TAKEN))
		nat_subscriber_lower(p, *number, proto, now);
	return result;
}

enum nat_take
nat_pool_pick(struct nat_pool *p, unsigned worker, const uint8_t inside[16], bool six,
    enum nat_proto proto, be16_t prefer, uint32_t now, struct nat_outside *out)
{
	uint32_t number = 0, address = 0, port = 0;
	uint16_t wanted = mr_be16(prefer);
	enum nat_take result;
	struct nat_key key;

	nat_key_set(&key, inside, six);
	result = take(p, worker, &key, proto, wanted, now, &number, &address, &port);
	nat_pool_add(p, worker, (enum nat_pool_count)result);
	if (mr_unlikely(result != NAT_TAKEN))
		return result;
	if (port == wanted)
		nat_pool_add(p, worker, NAT_POOL_PRESERVED);
	else if ((port ^ wanted) & 1)
		nat_pool_add(p, worker, NAT_POOL_ODD);
	mr_prefetch_write(&p->sides[address][proto].owner[port]);
	*out = (struct nat_outside){ .address = p->addresses[address].address,
		.port = mr_be16((uint16_t)port),
		.subscriber = number };
	return NAT_TAKEN;
}

uint32_t
nat_pool_guess(struct nat_pool *p, unsigned worker, const uint8_t inside[16], enum nat_proto proto,
    be32_t *address, be16_t *port)
{
	uint32_t index = UINT32_MAX;
	struct nat_key key;

	nat_key_set(&key, inside, false);
	if (p->config.paired)
		index = nat_subscriber_address(p, &key);
	if (index >= p->address_count)
		index = nat_draw_below(p, worker, p->address_count);
	*address = p->addresses[index].address;
	*port = mr_be16((uint16_t)(p->port_first +
	    nat_draw_below(p, worker, (uint32_t)p->port_last - p->port_first + 1)));
	return nat_pool_find(p, *address, proto, *port);
}

void
nat_pool_own(struct nat_pool *p, const struct nat_outside *o, enum nat_proto proto,
    uint32_t mapping)
{
	/* Release pairs with find's acquire. */
	atomic_store_explicit(
	    &p->sides[nat_pool_index(p, o->address)][proto].owner[mr_be16(o->port)], mapping,
	    memory_order_release);
}

enum nat_take
nat_pool_take(struct nat_pool *p, unsigned worker, const uint8_t inside[16], bool six,
    enum nat_proto proto, be16_t prefer, uint32_t mapping, uint32_t now, struct nat_outside *out)
{
	enum nat_take result = nat_pool_pick(p, worker, inside, six, proto, prefer, now, out);

	if (mr_likely(result == NAT_TAKEN))
		nat_pool_own(p, out, proto, mapping);
	return result;
}

void
nat_pool_give(struct nat_pool *p, unsigned worker, const struct nat_outside *out,
    enum nat_proto proto, uint32_t mapping, uint32_t now)
{
	uint32_t address = nat_pool_index(p, out->address), port = mr_be16(out->port);
	struct nat_side *s;
	struct nat_bits bits;

	if (address == UINT32_MAX || !out->subscriber)
		return;
	s = &p->sides[address][proto];
	if (atomic_load_explicit(&s->owner[port], memory_order_relaxed) != mapping)
		return;
	nat_pool_add(p, worker, NAT_POOL_GIVEN);
	if (p->config.block_size || !p->quarantine) {
		/* A block's ports are its subscriber's: only the block waits. */
		bits = nat_side_bits(s);
		atomic_store_explicit(&s->owner[port], 0, memory_order_release);
		nat_bits_put(&bits, port);
	} else {
		nat_quarantine_put(p, worker, address, proto, port, now);
	}
	nat_subscriber_lower(p, out->subscriber, proto, now);
}

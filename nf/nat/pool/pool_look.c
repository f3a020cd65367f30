/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a worker would take, if it took it now: for explanations. The steps are those of pool_take.c,
 * with the draws that the worker would make, and without taking anything.
 */

#include "nf/nat/pool/pool_int.h"

#define ADDRESSES_TRIED 64u /* as who takes */

struct look {
	const struct nat_pool *p;
	struct nat_draw draw; /* a copy */
	unsigned row;
	enum nat_proto proto;
	uint16_t prefer;
	bool unused; /* the address that is looked at has not been opened yet */
};

/* Free ports of 64: of an address that nobody has used yet, all but reserved ones. */
static uint64_t
free_of(const struct look *l, const struct nat_side *s, uint32_t word)
{
	if (!l->unused)
		return atomic_load_explicit(&s->free[word], memory_order_relaxed);
	return nat_bits_mask(word, l->p->port_first, l->p->port_last) &
	    ~atomic_load_explicit(&s->reserved[word], memory_order_relaxed);
}

static uint32_t
below(struct look *l, uint32_t count)
{
	return nat_draw_from(l->p, &l->draw, l->row, count);
}

/* A free bit of the range, from `start` on and around. */
static uint32_t
find_bit(const struct look *l, const struct nat_side *s, uint32_t first, uint32_t last,
    uint32_t start, uint64_t mask)
{
	uint32_t begin = start / 64;
	uint64_t seen = free_of(l, s, begin) & mask & nat_bits_mask(begin, first, last) &
	    ~UINT64_C(0) << start % 64;

	for (unsigned turn = 0; turn < 2 && !seen; turn++) {
		uint32_t to = turn ? start / 64 : last / 64;

		for (uint32_t w = turn ? first / 64 : start / 64 + 1; w <= to && !seen; w++) {
			begin = w;
			seen = free_of(l, s, w) & mask & nat_bits_mask(w, first, last);
		}
	}
	return seen ? begin * 64 + (uint32_t)__builtin_ctzll(seen) : 0;
}

static uint32_t
port_from(struct look *l, const struct nat_side *s, uint32_t first, uint32_t last)
{
	uint32_t start = first + below(l, last - first + 1), port = 0;

	if (l->p->config.preserve_parity)
		port = find_bit(l, s, first, last, start,
		    UINT64_C(0x5555555555555555) << (l->prefer & 1u));
	return port ? port : find_bit(l, s, first, last, start, ~UINT64_C(0));
}

static uint32_t
port_of(struct look *l, uint32_t address, uint32_t first, uint32_t last)
{
	const struct nat_side *s = &l->p->sides[address][l->proto];
	uint32_t port;

	if (l->p->config.preserve_port && l->prefer >= first && l->prefer <= last &&
	    (free_of(l, s, l->prefer / 64u) >> l->prefer % 64u & 1))
		return l->prefer;
	if (first < 1024 && last >= 1024) {
		port =
		    l->prefer < 1024 ? port_from(l, s, first, 1023) : port_from(l, s, 1024, last);
		if (port)
			return port;
	}
	return port_from(l, s, first, last);
}

static bool
is_usable(struct look *l, uint32_t address)
{
	uint32_t state =
	    atomic_load_explicit(&l->p->addresses[address].state, memory_order_acquire);

	l->unused = !state;
	return !(state & NAT_WITHHELD);
}

static uint32_t
anywhere(struct look *l, uint32_t *address)
{
	uint32_t at = below(l, l->p->address_count), port;
	uint32_t tries = MR_MIN(l->p->address_count, ADDRESSES_TRIED);

	for (; tries--; at = at + 1 < l->p->address_count ? at + 1 : 0) {
		if (!is_usable(l, at))
			continue;
		port = port_of(l, at, l->p->port_first, l->p->port_last);
		if (!port)
			continue;
		*address = at;
		return port;
	}
	return 0;
}

/* The subscriber of this key; 0: none yet. */
static uint32_t
subscriber(const struct nat_pool *p, const struct nat_key *key, uint64_t *word)
{
	mr_slots_each(n, &p->slots, nat_key_hash(p, key))
	{
		const struct nat_subscriber *s = &p->subscribers[n];

		*word = atomic_load_explicit(&s->word, memory_order_acquire);
		if ((*word & NAT_SUB_LIVE) && nat_subscriber_has(s, key))
			return n;
	}
	return 0;
}

static enum nat_take
limits(const struct nat_pool *p, const struct nat_subscriber *s, uint64_t word,
    enum nat_proto proto, uint32_t now)
{
	uint32_t limit = nat_subscriber_limit(p, proto);
	uint64_t rate = atomic_load_explicit(&s->rate, memory_order_relaxed);

	if (NAT_SUB_COUNT(word, proto) >= limit)
		return NAT_LIMIT;
	if (p->config.subscriber_rate && (uint32_t)(rate >> 32) == now &&
	    (uint32_t)rate >= p->config.subscriber_rate)
		return NAT_RATE;
	return NAT_TAKEN;
}

/* The emptier of two. */
static uint32_t
draw_address(struct look *l)
{
	uint32_t a = below(l, l->p->address_count), b = below(l, l->p->address_count);

	return atomic_load_explicit(&l->p->addresses[b].subscribers, memory_order_relaxed) <
		atomic_load_explicit(&l->p->addresses[a].subscribers, memory_order_relaxed)
	    ? b
	    : a;
}

enum nat_take
nat_pool_look(const struct nat_pool *p, unsigned worker, const uint8_t inside[16], bool six,
    enum nat_proto proto, be16_t prefer, uint32_t now, struct nat_outside *out)
{
	struct look l = { .p = p,
		.row = nat_pool_row(p, worker),
		.proto = proto,
		.prefer = mr_be16(prefer) };
	uint32_t number, address = 0, port = 0, from, to;
	enum nat_take result;
	struct nat_key key;
	uint64_t word = 0;

	nat_draw_copy(&l.draw, &p->draws[l.row]);
	nat_key_set(&key, inside, six);
	if (p->config.deterministic &&
	    (six || !nat_share_of(p, mr_be32((be32_t)key.w[0]), &address, &from, &to)))
		return NAT_NO_SUBSCRIBER;
	number = subscriber(p, &key, &word);
	if (number) {
		address =
		    atomic_load_explicit(&p->subscribers[number].address, memory_order_relaxed);
		*out = (struct nat_outside){ .address = p->addresses[address].address };
		result = limits(p, &p->subscribers[number], word, proto, now);
		if (result != NAT_TAKEN)
			return result;
	} else if (atomic_load_explicit(&p->subscriber_count, memory_order_relaxed) >=
	    p->config.subscribers_max) {
		/* Unless one that lingers makes room for it then. */
		return NAT_NO_SUBSCRIBER;
	} else if (!p->config.deterministic) {
		address = draw_address(&l);
	}
	/* Of a block, that it will be drawn then is all that can be said. */
	*out = (struct nat_outside){ .address = p->addresses[address].address };
	if (p->config.block_size)
		return NAT_TAKEN;
	if (p->config.deterministic)
		port = is_usable(&l, address) ? port_of(&l, address, from, to) : 0;
	else if (p->config.paired && is_usable(&l, address))
		port = port_of(&l, address, p->port_first, p->port_last);
	if (!p->config.deterministic && (!p->config.paired || (!port && !(word & NAT_SUB_COUNTS))))
		port = anywhere(&l, &address);
	if (!port)
		return NAT_NO_PORT;
	*out = (struct nat_outside){ .address = p->addresses[address].address,
		.port = mr_be16((uint16_t)port),
		.subscriber = number };
	return NAT_TAKEN;
}

bool
nat_pool_session_fits(const struct nat_pool *p, uint32_t subscriber)
{
	return !subscriber || !p->config.subscriber_sessions ||
	    atomic_load_explicit(&p->subscribers[subscriber].sessions, memory_order_relaxed) <
	    p->config.subscriber_sessions;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/pool/pool_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/memory.h"

/* -- life --------------------------------------------------------------------------------- */

static int
compare_ranges(const void *a, const void *b)
{
	const struct nat_ranged *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* In order of addresses, so that they can be searched. */
static int
set_ranges(struct nat_pool *p, const struct nat_pool_config *c, struct mr_error *error)
{
	uint64_t count = 0;

	p->ranges = calloc(c->range_count, sizeof(*p->ranges));
	if (!p->ranges)
		return mr_error_set(error, -ENOMEM, "no memory for the pool's addresses");
	for (unsigned i = 0; i < c->range_count; i++) {
		const struct nat_range *r = &c->ranges[i];

		count += (uint64_t)r->last - r->first + 1;
		if (r->last < r->first || count > NAT_POOL_ADDRESSES_MAX)
			return mr_error_set(error, -EINVAL,
			    "a pool has at most %u addresses, in ranges that go up",
			    NAT_POOL_ADDRESSES_MAX);
		p->ranges[i] =
		    (struct nat_ranged){ .first = r->first, .count = r->last - r->first + 1 };
	}
	qsort(p->ranges, c->range_count, sizeof(*p->ranges), compare_ranges);
	for (unsigned i = 1; i < c->range_count; i++) {
		if (p->ranges[i].first - p->ranges[i - 1].first < p->ranges[i - 1].count)
			return mr_error_set(error, -EINVAL, "ranges of the pool overlap");
		p->ranges[i].index = p->ranges[i - 1].index + p->ranges[i - 1].count;
	}
	p->range_count = c->range_count;
	p->address_count = (uint32_t)count;
	return 0;
}

static int
create_addresses(struct nat_pool *p, struct mr_error *error)
{
	void *sides, *addresses;
	int rc = mr_memory_reserve(&sides, p->address_count * sizeof(*p->sides), -1,
	    "outside ports", error);

	if (rc)
		return rc;
	p->sides = sides;
	rc = mr_memory_reserve(&addresses, p->address_count * sizeof(*p->addresses), -1,
	    "outside addresses", error);
	if (rc)
		return rc;
	p->addresses = addresses;
	for (uint32_t r = 0; r < p->range_count; r++)
		for (uint32_t i = 0; i < p->ranges[r].count; i++)
			p->addresses[p->ranges[r].index + i].address =
			    mr_be32(p->ranges[r].first + i);
	return 0;
}

static int
check(const struct nat_pool_config *c, struct mr_error *error)
{
	if (!c->range_count)
		return mr_error_set(error, -EINVAL, "a pool without addresses");
	if (!c->port_first || c->port_first > c->port_last)
		return mr_error_set(error, -EINVAL, "no ports from %u to %u", c->port_first,
		    c->port_last);
	if (!c->subscribers_max || c->subscribers_max > NAT_POOL_SUBSCRIBERS_MAX)
		return mr_error_set(error, -EINVAL, "a pool has from 1 to %u subscribers",
		    NAT_POOL_SUBSCRIBERS_MAX);
	if (c->blocks_max > NAT_POOL_BLOCKS_MAX)
		return mr_error_set(error, -EINVAL, "a subscriber has at most %u blocks",
		    NAT_POOL_BLOCKS_MAX);
	if (c->block_size && c->deterministic)
		return mr_error_set(error, -EINVAL,
		    "what is deterministic has no blocks: its ports follow from the address");
	return 0;
}

int
nat_pool_create(struct nat_pool **out, const struct nat_pool_config *c, struct mr_error *error)
{
	struct nat_pool *p;
	int rc = check(c, error);

	if (rc)
		return rc;
	p = aligned_alloc(MR_CACHE_LINE, MR_ALIGN_UP(sizeof(*p), (size_t)MR_CACHE_LINE));
	if (!p)
		return mr_error_set(error, -ENOMEM, "no memory for a pool");
	memset(p, 0, sizeof(*p));
	p->config = *c;
	p->config.ranges = NULL; /* the caller's */
	p->config.blocks_max = c->blocks_max ? c->blocks_max : 1;
	p->port_first = c->port_first;
	p->port_last = c->port_last;
	p->draws = aligned_alloc(MR_CACHE_LINE, (c->workers + 1) * sizeof(*p->draws));
	rc = p->draws ? mr_hash_key_random(&p->key, error)
		      : mr_error_set(error, -ENOMEM, "no memory for a pool");
	if (p->draws)
		memset(p->draws, 0, (c->workers + 1) * sizeof(*p->draws));
	if (!rc)
		rc = set_ranges(p, c, error);
	if (!rc)
		rc = create_addresses(p, error);
	if (!rc)
		rc = mr_counters_create(&p->counters, c->workers + 1, NAT_POOL_COUNT_COUNT, error);
	if (!rc)
		rc = nat_blocks_create(p, error);
	if (!rc)
		rc = nat_subscribers_create(p, error);
	if (!rc)
		rc = nat_quarantine_create(p, error);
	if (rc) {
		nat_pool_destroy(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
nat_pool_destroy(struct nat_pool *p)
{
	if (!p)
		return;
	mr_mpmc_destroy(p->quarantine);
	nat_subscribers_destroy(p);
	nat_blocks_destroy(p);
	mr_counters_destroy(p->counters);
	mr_memory_release(p->addresses, p->address_count * sizeof(*p->addresses));
	mr_memory_release(p->sides, p->address_count * sizeof(*p->sides));
	free(p->ranges);
	free(p->draws);
	free(p);
}

/* -- looking up --------------------------------------------------------------------------- */

bool
nat_pool_has(const struct nat_pool *p, be32_t address)
{
	return nat_pool_index(p, address) != UINT32_MAX;
}

uint32_t
nat_pool_find(const struct nat_pool *p, be32_t address, enum nat_proto proto, be16_t port)
{
	uint32_t index = nat_pool_index(p, address), owner;

	if (index == UINT32_MAX)
		return 0;
	/* Acquire pairs with the release of take and reserve. */
	owner = atomic_load_explicit(&p->sides[index][proto].owner[mr_be16(port)],
	    memory_order_acquire);
	return owner == NAT_WAITING ? 0 : owner;
}

void
nat_pool_prefetch(const struct nat_pool *p, be32_t address, enum nat_proto proto, be16_t port)
{
	uint32_t index = nat_pool_index(p, address);

	if (index != UINT32_MAX)
		mr_prefetch(&p->sides[index][proto].owner[mr_be16(port)]);
}

void
nat_pool_prefetch_give(const struct nat_pool *p, be32_t address, enum nat_proto proto, be16_t port)
{
	uint32_t index = nat_pool_index(p, address), n = mr_be16(port);

	if (index == UINT32_MAX)
		return;
	mr_prefetch_write(&p->sides[index][proto].owner[n]);
	mr_prefetch_write(&p->sides[index][proto].free[n / 64]);
}

void
nat_pool_prefetch_inside(const struct nat_pool *p, const uint8_t inside[16], bool six)
{
	struct nat_key key;

	nat_key_set(&key, inside, six);
	mr_slots_prefetch(&p->slots, nat_key_hash(p, &key));
}

/* -- drawing ------------------------------------------------------------------------------ */

/* Relaxed, all of it: a row is one thread's to write, and what others read is a guess. */
static uint32_t
draw(const struct nat_pool *p, struct nat_draw *d, unsigned row)
{
	uint32_t left = atomic_load_explicit(&d->left, memory_order_relaxed);
	uint64_t bits = atomic_load_explicit(&d->bits, memory_order_relaxed);

	/* Ports are seen outside, so a hash that can be solved for its key would not do. */
	if (!left) {
		const uint64_t words[2] = { row,
			atomic_load_explicit(&d->count, memory_order_relaxed) + 1 };

		atomic_store_explicit(&d->count, words[1], memory_order_relaxed);
		bits = mr_siphash(p->key.sip, words, sizeof(words));
		left = 4;
	}
	atomic_store_explicit(&d->bits, bits >> 16, memory_order_relaxed);
	atomic_store_explicit(&d->left, left - 1, memory_order_relaxed);
	return (uint32_t)bits & 0xffffu;
}

uint32_t
nat_draw_from(const struct nat_pool *p, struct nat_draw *d, unsigned row, uint32_t count)
{
	uint64_t drawn = draw(p, d, row);

	if (count <= 65536)
		return (uint32_t)(drawn * count >> 16);
	drawn = drawn << 16 | draw(p, d, row);
	return (uint32_t)(drawn * count >> 32);
}

void
nat_draw_copy(struct nat_draw *to, const struct nat_draw *from)
{
	atomic_store_explicit(&to->bits, atomic_load_explicit(&from->bits, memory_order_relaxed),
	    memory_order_relaxed);
	atomic_store_explicit(&to->count, atomic_load_explicit(&from->count, memory_order_relaxed),
	    memory_order_relaxed);
	atomic_store_explicit(&to->left, atomic_load_explicit(&from->left, memory_order_relaxed),
	    memory_order_relaxed);
}

uint32_t
nat_draw(struct nat_pool *p, unsigned worker)
{
	unsigned row = nat_pool_row(p, worker);

	return draw(p, &p->draws[row], row);
}

uint32_t
nat_draw_below(struct nat_pool *p, unsigned worker, uint32_t count)
{
	unsigned row = nat_pool_row(p, worker);

	return nat_draw_from(p, &p->draws[row], row, count);
}

/* -- control ------------------------------------------------------------------------------ */

#define SWEEP_SECONDS 8u /* all subscribers are looked at in this time */

void
nat_pool_tick(struct nat_pool *p, uint32_t now)
{
	uint32_t top = atomic_load_explicit(&p->top, memory_order_relaxed);

	(void)nat_quarantine_drain(p, now, UINT32_MAX);
	(void)nat_subscribers_sweep(p, UINT32_MAX, now, p->config.linger,
	    top / SWEEP_SECONDS + 1024);
}

static void
count_ports(const struct nat_pool *p, struct nat_pool_state *s)
{
	uint32_t per = (uint32_t)p->port_last - p->port_first + 1;

	for (uint32_t i = 0; i < p->address_count; i++) {
		uint32_t state = atomic_load_explicit(&p->addresses[i].state, memory_order_relaxed);

		if (state & NAT_WITHHELD)
			continue;
		for (unsigned proto = 0; proto < NAT_PROTOS; proto++)
			s->ports[proto] += per;
	}
	for (uint32_t i = 1; i <= atomic_load_explicit(&p->top, memory_order_relaxed); i++) {
		uint64_t word = atomic_load_explicit(&p->subscribers[i].word, memory_order_relaxed);

		for (unsigned proto = 0; (word & NAT_SUB_LIVE) && proto < NAT_PROTOS; proto++)
			s->used[proto] += NAT_SUB_COUNT(word, proto);
	}
}

void
nat_pool_state(const struct nat_pool *p, struct nat_pool_state *s)
{
	memset(s, 0, sizeof(*s));
	s->addresses = p->address_count;
	count_ports(p, s);
	s->quarantined = atomic_load_explicit(&p->quarantined, memory_order_relaxed);
	s->blocks = p->block_count;
	s->blocks_used = atomic_load_explicit(&p->blocks_used, memory_order_relaxed);
	s->subscribers = atomic_load_explicit(&p->subscriber_count, memory_order_relaxed);
	for (unsigned i = 0; i < NAT_POOL_COUNT_COUNT; i++)
		s->counts[i] = mr_counters_sum(p->counters, i);
}

/* SPDX-License-Identifier: Apache-2.0 */

/* What configuration takes out of the pool: single ports, and whole addresses. */

#include <errno.h>

#include "kit/base/rcu.h"
#include "nf/nat/pool/pool_int.h"

#define TRIES 8u

/* Whether subscribers may have it now; the lock is held. */
static bool
is_open(const struct nat_pool *p, uint32_t address, uint32_t port)
{
	uint32_t state = atomic_load_explicit(&p->addresses[address].state, memory_order_relaxed);
	uint32_t block, holder;

	if (!(state & NAT_OPEN) || port < p->port_first || port > p->port_last)
		return false;
	if (!p->config.block_size)
		return true;
	block = (port - p->port_first) / p->config.block_size;
	if (block >= p->blocks_of)
		return false;
	holder =
	    atomic_load_explicit(&p->holders[address * p->blocks_of + block], memory_order_relaxed);
	return holder && holder != NAT_WAITING;
}

/* -EAGAIN: a worker has taken it and not yet said for whom. The lock is held. */
static int
try_reserve(struct nat_pool *p, uint32_t address, enum nat_proto proto, uint32_t port,
    uint32_t mapping)
{
	struct nat_side *s = &p->sides[address][proto];
	struct nat_bits bits = nat_side_bits(s);
	uint64_t bit = UINT64_C(1) << port % 64;
	uint32_t owner;

	if (atomic_load_explicit(&s->reserved[port / 64], memory_order_relaxed) & bit)
		return -EEXIST;
	if (!nat_bits_take_all(&bits, port / 64, bit)) {
		owner = atomic_load_explicit(&s->owner[port], memory_order_relaxed);
		if (owner && owner != NAT_WAITING)
			return -EEXIST;
		if (!owner && is_open(p, address, port))
			return -EAGAIN;
	}
	atomic_fetch_or_explicit(&s->reserved[port / 64], bit, memory_order_relaxed);
	/* Release pairs with find's acquire. */
	atomic_store_explicit(&s->owner[port], mapping, memory_order_release);
	return 0;
}

int
nat_pool_try_reserve(struct nat_pool *p, be32_t address, enum nat_proto proto, be16_t port,
    uint32_t mapping)
{
	uint32_t index = nat_pool_index(p, address);
	int rc;

	if (index == UINT32_MAX)
		return -ENOENT;
	nat_lock(&p->addresses[index].lock);
	rc = try_reserve(p, index, proto, mr_be16(port), mapping);
	nat_unlock(&p->addresses[index].lock);
	return rc;
}

int
nat_pool_reserve(struct nat_pool *p, be32_t address, enum nat_proto proto, be16_t port,
    uint32_t mapping)
{
	int rc = -EAGAIN;

	for (unsigned i = 0; i < TRIES && rc == -EAGAIN; i++) {
		if (i)
			mr_rcu_synchronize(); /* till the end of that worker's vector */
		rc = nat_pool_try_reserve(p, address, proto, port, mapping);
	}
	return rc == -EAGAIN ? -EEXIST : rc;
}

void
nat_pool_unreserve(struct nat_pool *p, be32_t address, enum nat_proto proto, be16_t port)
{
	uint32_t index = nat_pool_index(p, address), number = mr_be16(port);
	uint64_t bit = UINT64_C(1) << number % 64;
	struct nat_bits bits;
	struct nat_side *s;

	if (index == UINT32_MAX)
		return;
	s = &p->sides[index][proto];
	bits = nat_side_bits(s);
	nat_lock(&p->addresses[index].lock);
	if (atomic_fetch_and_explicit(&s->reserved[number / 64], ~bit, memory_order_relaxed) &
	    bit) {
		atomic_store_explicit(&s->owner[number], 0, memory_order_release);
		if (is_open(p, index, number))
			nat_bits_put(&bits, number);
	}
	nat_unlock(&p->addresses[index].lock);
}

/* Blocks of an address that nobody has: not to be given, or to be given again. */
static void
withhold_blocks(struct nat_pool *p, uint32_t address, bool withheld)
{
	for (uint32_t i = 0; i < p->blocks_of; i++) {
		uint32_t block = address * p->blocks_of + i;

		if (withheld)
			(void)nat_bits_take_all(&p->blocks, block / 64, UINT64_C(1) << block % 64);
		else if (!atomic_load_explicit(&p->holders[block], memory_order_relaxed))
			nat_bits_put_word(&p->blocks, block / 64, UINT64_C(1) << block % 64);
	}
}

int
nat_pool_withhold(struct nat_pool *p, be32_t address, bool withheld)
{
	uint32_t index = nat_pool_index(p, address);
	struct nat_address *a;

	if (index == UINT32_MAX)
		return -ENOENT;
	a = &p->addresses[index];
	nat_lock(&a->lock);
	if (withheld)
		atomic_fetch_or_explicit(&a->state, NAT_WITHHELD, memory_order_release);
	else
		atomic_fetch_and_explicit(&a->state, ~(uint32_t)NAT_WITHHELD, memory_order_release);
	withhold_blocks(p, index, withheld);
	nat_unlock(&a->lock);
	return 0;
}

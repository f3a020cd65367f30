/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ports and blocks that were given back and wait before somebody else gets them (RFC 6888 REQ-8): a
 * ring in the order in which they came. One that finds no room in it is free at once, and counted:
 * so there is a number that can wait at most.
 */

#include <errno.h>

#include "nf/nat/pool/pool_int.h"

/* second << 34 | address << 18 | protocol << 16 | port; protocol NAT_PROTOS: a block. Not 0, for
 * ports are not, and a block's protocol is not. */
#define ELEMENT(second, address, proto, port) \
	((uint64_t)(second) << 34 | (uint64_t)(address) << 18 | (uint64_t)(proto) << 16 | (port))
#define SECONDS ((1u << 30) - 1)

int
nat_quarantine_create(struct nat_pool *p, struct mr_error *error)
{
	uint64_t all = p->config.block_size
	    ? p->block_count
	    : (uint64_t)p->address_count * NAT_PROTOS * (p->port_last - p->port_first + 1u);
	struct mr_ring_config config = { .element_size = sizeof(uint64_t) };

	/* What is deterministic is always the same subscriber's. */
	if (!p->config.quarantine_seconds || p->config.deterministic)
		return 0;
	if (p->config.quarantine_seconds > SECONDS / 4)
		return mr_error_set(error, -EINVAL, "a quarantine of %u seconds",
		    p->config.quarantine_seconds);
	if (!p->config.quarantine_max)
		p->config.quarantine_max = (uint32_t)MR_MIN(all / 4 + 1, (uint64_t)(1u << 22));
	config.capacity = p->config.quarantine_max;
	return mr_mpmc_create(&p->quarantine, &config, error);
}

static void
set_free(struct nat_pool *p, uint32_t address, unsigned proto, uint32_t port)
{
	struct nat_address *a = &p->addresses[address];

	nat_lock(&a->lock);
	if (proto == NAT_PROTOS) {
		uint32_t block = address * p->blocks_of + port, waiting = NAT_WAITING;
		bool withheld =
		    atomic_load_explicit(&a->state, memory_order_relaxed) & NAT_WITHHELD;

		if (atomic_compare_exchange_strong(&p->holders[block], &waiting, 0) && !withheld)
			nat_bits_put_word(&p->blocks, block / 64, UINT64_C(1) << block % 64);
	} else {
		struct nat_side *s = &p->sides[address][proto];
		struct nat_bits bits = nat_side_bits(s);
		uint32_t waiting = NAT_WAITING;

		/* It may have been reserved meanwhile. */
		if (atomic_compare_exchange_strong(&s->owner[port], &waiting, 0))
			nat_bits_put(&bits, port);
	}
	nat_unlock(&a->lock);
}

void
nat_quarantine_put(struct nat_pool *p, unsigned worker, uint32_t address, unsigned proto,
    uint32_t port, uint32_t now)
{
	uint64_t element = ELEMENT(now & SECONDS, address, proto, port);
	_Atomic uint32_t *holder = proto == NAT_PROTOS ? &p->holders[address * p->blocks_of + port]
						       : &p->sides[address][proto].owner[port];

	if (p->quarantine) {
		atomic_store_explicit(holder, NAT_WAITING, memory_order_release);
		if (atomic_fetch_add_explicit(&p->quarantined, 1, memory_order_relaxed) <
			p->config.quarantine_max &&
		    mr_mpmc_put_burst_u64(p->quarantine, &element, 1))
			return;
		atomic_fetch_sub_explicit(&p->quarantined, 1, memory_order_relaxed);
		nat_pool_add(p, worker, NAT_POOL_QUARANTINE_SHORT);
	} else {
		atomic_store_explicit(holder, NAT_WAITING, memory_order_release);
	}
	set_free(p, address, proto, port);
}

static bool
is_due(const struct nat_pool *p, uint64_t element, uint32_t now)
{
	return (((now & SECONDS) - (uint32_t)(element >> 34)) & SECONDS) -
	    p->config.quarantine_seconds <=
	    SECONDS / 2;
}

uint32_t
nat_quarantine_drain(struct nat_pool *p, uint32_t now, uint32_t most)
{
	uint32_t n = 0;

	if (!p->quarantine || atomic_exchange_explicit(&p->draining, 1, memory_order_acquire))
		return 0;
	while (n < most) {
		if (!p->held && !mr_mpmc_get_burst_u64(p->quarantine, &p->held, 1))
			break;
		if (!is_due(p, p->held, now))
			break;
		atomic_fetch_sub_explicit(&p->quarantined, 1, memory_order_relaxed);
		set_free(p, (uint32_t)(p->held >> 18) & 0xffffu, (unsigned)(p->held >> 16) & 3,
		    (uint32_t)p->held & 0xffffu);
		p->held = 0;
		n++;
	}
	atomic_store_explicit(&p->draining, 0, memory_order_release);
	return n;
}

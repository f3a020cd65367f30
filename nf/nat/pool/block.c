/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kit/base/memory.h"
#include "nf/nat/pool/pool_int.h"

/* -- deterministic (RFC 7422) ------------------------------------------------------------- */

/* Inside addresses share the outside's one after the other: the first `share` of them the first
 * outside address, each as many ports as all, next to each other. */
static int
create_shares(struct nat_pool *p, struct mr_error *error)
{
	const struct nat_range *in = &p->config.inside;
	uint64_t count = (uint64_t)in->last - in->first + 1;
	uint32_t ports = p->port_last - p->port_first + 1u;

	if (in->last < in->first)
		return mr_error_set(error, -EINVAL, "a deterministic pool needs inside addresses");
	count = (count + p->address_count - 1) / p->address_count;
	if (count > ports)
		return mr_error_set(error, -EINVAL,
		    "%llu inside addresses to each outside address, and %u ports for them",
		    (unsigned long long)count, ports);
	p->share = (uint32_t)count;
	p->share_ports = ports / p->share;
	return 0;
}

bool
nat_share_of(const struct nat_pool *p, uint32_t inside, uint32_t *address, uint32_t *first,
    uint32_t *last)
{
	uint32_t n = inside - p->config.inside.first;

	if (n > p->config.inside.last - p->config.inside.first)
		return false;
	*address = n / p->share;
	*first = p->port_first + n % p->share * p->share_ports;
	*last = *first + p->share_ports - 1;
	return true;
}

/* -- life --------------------------------------------------------------------------------- */

static size_t
lists_size(const struct nat_pool *p)
{
	return (p->config.subscribers_max + (p->config.workers + 1ul) * 128 + 1) *
	    p->config.blocks_max * sizeof(*p->lists);
}

static size_t
bits_size(const struct nat_pool *p)
{
	size_t words = NAT_BITS_WORDS((size_t)p->block_count);

	return (words + NAT_BITS_WORDS(words)) * sizeof(uint64_t);
}

int
nat_blocks_create(struct nat_pool *p, struct mr_error *error)
{
	void *bits, *holders, *given, *lists;
	int rc;

	if (p->config.deterministic)
		return create_shares(p, error);
	if (!p->config.block_size)
		return 0;
	p->blocks_of = (p->port_last - p->port_first + 1u) / p->config.block_size;
	p->block_count = p->blocks_of * p->address_count;
	if (!p->blocks_of)
		return mr_error_set(error, -EINVAL, "blocks of %u ports, of %u that there are",
		    p->config.block_size, p->port_last - p->port_first + 1u);
	rc = mr_memory_reserve(&bits, bits_size(p), -1, "blocks", error);
	if (rc)
		return rc;
	p->blocks =
	    (struct nat_bits){ bits, (_Atomic uint64_t *)bits + NAT_BITS_WORDS(p->block_count) };
	for (uint32_t w = 0; w < NAT_BITS_WORDS(p->block_count); w++)
		nat_bits_put_word(&p->blocks, w, nat_bits_mask(w, 0, p->block_count - 1));
	rc = mr_memory_reserve(&holders, p->block_count * sizeof(*p->holders), -1, "blocks", error);
	if (rc)
		return rc;
	p->holders = holders;
	rc = mr_memory_reserve(&given, p->block_count * sizeof(*p->given), -1, "blocks", error);
	if (rc)
		return rc;
	p->given = given;
	rc = mr_memory_reserve(&lists, lists_size(p), -1, "subscribers' blocks", error);
	p->lists = lists;
	return rc;
}

void
nat_blocks_destroy(struct nat_pool *p)
{
	mr_memory_release(p->lists, lists_size(p));
	mr_memory_release(p->given, p->block_count * sizeof(*p->given));
	mr_memory_release(p->holders, p->block_count * sizeof(*p->holders));
	mr_memory_release(p->blocks.words, bits_size(p));
}

/* -- giving and returning ----------------------------------------------------------------- */

#define ENTRY(address, first) ((address) << 16 | (first))

/* Its first port. */
static uint32_t
first_of(const struct nat_pool *p, uint32_t block)
{
	return p->port_first + block % p->blocks_of * p->config.block_size;
}

void
nat_block_event(const struct nat_pool *p, uint32_t number, uint32_t block, struct nat_event *event)
{
	const struct nat_subscriber *s = &p->subscribers[number];
	uint32_t first = first_of(p, block);
	uint64_t inside[2];

	for (unsigned i = 0; i < 2; i++)
		inside[i] = atomic_load_explicit(&s->key[i], memory_order_relaxed);
	memcpy(event->inside, inside, sizeof(event->inside));
	event->six = atomic_load_explicit(&s->six, memory_order_relaxed);
	event->address = p->addresses[block / p->blocks_of].address;
	event->first = (uint16_t)first;
	event->last = (uint16_t)(first + p->config.block_size - 1);
	event->since = atomic_load_explicit(&p->given[block], memory_order_relaxed);
}

static void
tell(struct nat_pool *p, unsigned worker, enum nat_event_kind kind, uint32_t number, uint32_t block,
    uint32_t now)
{
	struct nat_event event = { .kind = kind, .now = now };

	nat_pool_add(p, worker,
	    kind == NAT_BLOCK_GIVEN ? NAT_POOL_BLOCKS_GIVEN : NAT_POOL_BLOCKS_RETURNED);
	if (!p->config.event)
		return;
	nat_block_event(p, number, block, &event);
	p->config.event(p->config.event_arg, worker, &event);
}

/* One of the blocks `from` to `to` that becomes this subscriber's; NAT_BITS_NONE: none is free. */
static uint32_t
acquire(struct nat_pool *p, unsigned worker, uint32_t number, uint32_t from, uint32_t to)
{
	for (;;) {
		uint32_t start = from + nat_draw_below(p, worker, to - from + 1);
		uint32_t block = nat_bits_take(&p->blocks, from, to, start, ~UINT64_C(0));
		uint32_t address, first;
		struct nat_address *a;
		bool had = true;

		if (block == NAT_BITS_NONE)
			return block;
		address = block / p->blocks_of;
		first = first_of(p, block);
		(void)nat_address_use(p, address);
		a = &p->addresses[address];
		nat_lock(&a->lock);
		/* A bit may stand for more than it says after the address was withheld for a while. */
		if (!(atomic_load_explicit(&a->state, memory_order_relaxed) & NAT_WITHHELD) &&
		    !atomic_load_explicit(&p->holders[block], memory_order_relaxed)) {
			atomic_store_explicit(&p->holders[block], number, memory_order_relaxed);
			nat_ports_open(p, address, first, first + p->config.block_size - 1);
			had = false;
		}
		nat_unlock(&a->lock);
		if (!had)
			return block;
	}
}

/* One block more, the subscriber's lock is held. */
static bool
get_block(struct nat_pool *p, unsigned worker, uint32_t number, uint32_t now)
{
	struct nat_subscriber *s = &p->subscribers[number];
	uint32_t count = atomic_load_explicit(&s->blocks, memory_order_relaxed);
	uint32_t address = atomic_load_explicit(&s->address, memory_order_relaxed);
	uint32_t block = NAT_BITS_NONE, first;

	if (p->config.paired)
		block = acquire(p, worker, number, address * p->blocks_of,
		    (address + 1) * p->blocks_of - 1);
	if (block == NAT_BITS_NONE && (!p->config.paired || !count))
		block = acquire(p, worker, number, 0, p->block_count - 1);
	if (block == NAT_BITS_NONE)
		return false;
	if (block / p->blocks_of != address && !count) {
		address = block / p->blocks_of;
		nat_subscriber_move(p, number, address);
	}
	address = block / p->blocks_of;
	first = first_of(p, block);
	atomic_store(&p->lists[(size_t)number * p->config.blocks_max + count],
	    ENTRY(address, first));
	/* Release pairs with the acquire of who looks through the list. */
	atomic_store_explicit(&s->blocks, count + 1, memory_order_release);
	atomic_fetch_add_explicit(&p->blocks_used, 1, memory_order_relaxed);
	atomic_store_explicit(&p->given[block], now, memory_order_relaxed);
	tell(p, worker, NAT_BLOCK_GIVEN, number, block, now);
	return true;
}

uint32_t
nat_blocks_return(struct nat_pool *p, unsigned worker, uint32_t number, uint32_t keep, uint32_t now)
{
	struct nat_subscriber *s = &p->subscribers[number];
	uint32_t count = atomic_load_explicit(&s->blocks, memory_order_relaxed);
	_Atomic uint32_t *list;

	if (!count)
		return 0;
	list = &p->lists[(size_t)number * p->config.blocks_max];
	for (uint32_t i = count; i-- > keep;) {
		uint32_t entry = atomic_load_explicit(&list[i], memory_order_relaxed);
		uint32_t address = entry >> 16, first = entry & 0xffffu, block;
		struct nat_address *a = &p->addresses[address];
		bool closed;

		nat_lock(&a->lock);
		closed = nat_ports_close(p, address, first, first + p->config.block_size - 1);
		block = (first - p->port_first) / p->config.block_size;
		if (closed)
			atomic_store_explicit(&p->holders[address * p->blocks_of + block],
			    NAT_WAITING, memory_order_relaxed);
		nat_unlock(&a->lock);
		if (!closed)
			continue;
		count--;
		atomic_store(&list[i], atomic_load_explicit(&list[count], memory_order_relaxed));
		atomic_store(&list[count], 0);
		atomic_store_explicit(&s->blocks, count, memory_order_release);
		atomic_fetch_sub_explicit(&p->blocks_used, 1, memory_order_relaxed);
		tell(p, worker, NAT_BLOCK_RETURNED, number, address * p->blocks_of + block, now);
		nat_quarantine_put(p, worker, address, NAT_PROTOS, block, now);
	}
	return count;
}

/* -- taking ------------------------------------------------------------------------------- */

static bool
is_listed(const _Atomic uint32_t *list, uint32_t count, uint32_t entry)
{
	for (uint32_t i = 0; i < count; i++)
		if (atomic_load(&list[i]) == entry)
			return true;
	return false;
}

static uint32_t
take_of_list(struct nat_pool *p, unsigned worker, uint32_t number, enum nat_proto proto,
    uint16_t prefer, uint32_t *address)
{
	const _Atomic uint32_t *list = &p->lists[(size_t)number * p->config.blocks_max];
	/* Acquire pairs with get_block's release. */
	uint32_t count = atomic_load_explicit(&p->subscribers[number].blocks, memory_order_acquire);
	uint32_t start = count > 1 ? nat_draw_below(p, worker, count) : 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = start + i < count ? start + i : start + i - count;
		uint32_t entry = atomic_load(&list[at]), first = entry & 0xffffu, port;
		struct nat_bits bits;

		if (!entry)
			continue;
		port = nat_ports_take(p, worker, entry >> 16, proto, first,
		    first + p->config.block_size - 1, prefer);
		if (!port)
			continue;
		*address = entry >> 16;
		/* Its block may have been returned, and be somebody else's by now. As we have a port of
		 * it, it stays whose it is: if it is ours still, it is ours. */
		if (mr_likely(is_listed(list, p->config.blocks_max, entry)))
			return port;
		bits = nat_side_bits(&p->sides[*address][proto]);
		nat_bits_put(&bits, port);
	}
	return 0;
}

enum nat_take
nat_blocks_take(struct nat_pool *p, unsigned worker, uint32_t number, enum nat_proto proto,
    uint16_t prefer, uint32_t now, uint32_t *address, uint32_t *port)
{
	struct nat_subscriber *s = &p->subscribers[number];
	enum nat_take result = NAT_TAKEN;

	*port = take_of_list(p, worker, number, proto, prefer, address);
	if (mr_likely(*port))
		return NAT_TAKEN;
	nat_lock(&s->lock);
	*port = take_of_list(p, worker, number, proto, prefer, address);
	if (!*port) {
		if (atomic_load_explicit(&s->blocks, memory_order_relaxed) >= p->config.blocks_max)
			result = NAT_NO_PORT;
		else if (!get_block(p, worker, number, now))
			result = NAT_NO_BLOCK;
		else
			*port = take_of_list(p, worker, number, proto, prefer, address);
		if (result == NAT_TAKEN && !*port)
			result = NAT_NO_PORT;
	}
	nat_unlock(&s->lock);
	return result;
}

/* -- to look at --------------------------------------------------------------------------- */

static bool
look(const struct nat_pool *p, uint32_t block, struct nat_event *event)
{
	struct nat_address *a = &p->addresses[block / p->blocks_of];
	uint32_t holder;

	/* Who has it under the lock stays who has it. */
	nat_lock(&a->lock);
	holder = atomic_load_explicit(&p->holders[block], memory_order_relaxed);
	if (holder && holder != NAT_WAITING)
		nat_block_event(p, holder, block, event);
	nat_unlock(&a->lock);
	return holder && holder != NAT_WAITING;
}

static bool
share_at(const struct nat_pool *p, uint32_t address, uint32_t port, struct nat_event *event)
{
	uint32_t slot = (port - p->port_first) / p->share_ports;
	uint64_t n = (uint64_t)address * p->share + slot;
	uint32_t first = p->port_first + slot * p->share_ports;
	be32_t inside;

	if (slot >= p->share || n > p->config.inside.last - p->config.inside.first)
		return false;
	inside = mr_be32(p->config.inside.first + (uint32_t)n);
	memcpy(event->inside, &inside, sizeof(inside));
	event->address = p->addresses[address].address;
	event->first = (uint16_t)first;
	event->last = (uint16_t)(first + p->share_ports - 1);
	return true;
}

bool
nat_pool_block_of(const struct nat_pool *p, be32_t address, be16_t port, struct nat_event *event)
{
	uint32_t index = nat_pool_index(p, address), number = mr_be16(port), block;

	memset(event, 0, sizeof(*event));
	if (index == UINT32_MAX || number < p->port_first || number > p->port_last)
		return false;
	if (p->config.deterministic)
		return share_at(p, index, number, event);
	if (!p->config.block_size)
		return false;
	block = (number - p->port_first) / p->config.block_size;
	return block < p->blocks_of && look(p, index * p->blocks_of + block, event);
}

bool
nat_pool_next_block(const struct nat_pool *p, uint32_t *cursor, struct nat_event *event)
{
	memset(event, 0, sizeof(*event));
	while (*cursor < p->block_count)
		if (look(p, (*cursor)++, event))
			return true;
	return false;
}

bool
nat_pool_tells_blocks(const struct nat_pool *p)
{
	return p->config.block_size || p->config.deterministic;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/pool/pool_int.h"

#define EVEN UINT64_C(0x5555555555555555)

void
nat_ports_open(struct nat_pool *p, uint32_t address, uint32_t first, uint32_t last)
{
	for (unsigned proto = 0; proto < NAT_PROTOS; proto++) {
		struct nat_side *s = &p->sides[address][proto];
		struct nat_bits bits = nat_side_bits(s);

		for (uint32_t w = first / 64; w <= last / 64; w++)
			nat_bits_put_word(&bits, w,
			    nat_bits_mask(w, first, last) &
				~atomic_load_explicit(&s->reserved[w], memory_order_relaxed));
	}
}

bool
nat_ports_close(struct nat_pool *p, uint32_t address, uint32_t first, uint32_t last)
{
	uint32_t words = last / 64 - first / 64 + 1, done = 0;

	for (; done < NAT_PROTOS * words; done++) {
		uint32_t w = first / 64 + done % words;
		struct nat_side *s = &p->sides[address][done / words];
		struct nat_bits bits = nat_side_bits(s);

		if (!nat_bits_take_all(&bits, w,
			nat_bits_mask(w, first, last) &
			    ~atomic_load_explicit(&s->reserved[w], memory_order_relaxed)))
			break;
	}
	if (done == NAT_PROTOS * words)
		return true;
	while (done--) {
		uint32_t w = first / 64 + done % words;
		struct nat_side *s = &p->sides[address][done / words];
		struct nat_bits bits = nat_side_bits(s);

		nat_bits_put_word(&bits, w,
		    nat_bits_mask(w, first, last) &
			~atomic_load_explicit(&s->reserved[w], memory_order_relaxed));
	}
	return false;
}

bool
nat_address_use(struct nat_pool *p, uint32_t address)
{
	struct nat_address *a = &p->addresses[address];
	/* Acquire pairs with the release below: who sees it open sees its ports. */
	uint32_t state = atomic_load_explicit(&a->state, memory_order_acquire);

	if (mr_likely(state == NAT_OPEN))
		return true;
	nat_lock(&a->lock);
	state = atomic_load_explicit(&a->state, memory_order_relaxed);
	if (!state) {
		if (!p->config.block_size)
			nat_ports_open(p, address, p->port_first, p->port_last);
		atomic_store_explicit(&a->state, NAT_OPEN, memory_order_release);
	}
	nat_unlock(&a->lock);
	return !(state & NAT_WITHHELD);
}

/* -- taking ------------------------------------------------------------------------------- */

static uint32_t
take_from(struct nat_pool *p, unsigned worker, struct nat_side *s, uint32_t first, uint32_t last,
    uint16_t prefer)
{
	struct nat_bits bits = nat_side_bits(s);
	uint32_t start = first + nat_draw_below(p, worker, last - first + 1), port;

	if (p->config.preserve_parity) {
		port = nat_bits_take(&bits, first, last, start, EVEN << (prefer & 1u));
		if (mr_likely(port != NAT_BITS_NONE))
			return port;
	}
	port = nat_bits_take(&bits, first, last, start, ~UINT64_C(0));
	return port == NAT_BITS_NONE ? 0 : port;
}

uint32_t
nat_ports_take(struct nat_pool *p, unsigned worker, uint32_t address, enum nat_proto proto,
    uint32_t first, uint32_t last, uint16_t prefer)
{
	struct nat_side *s = &p->sides[address][proto];
	uint32_t port;

	if (p->config.preserve_port && prefer >= first && prefer <= last) {
		struct nat_bits bits = nat_side_bits(s);

		if (nat_bits_take_in(&bits, prefer / 64u, UINT64_C(1) << prefer % 64u) !=
		    NAT_BITS_NONE)
			return prefer;
	}
	/* Well-known for well-known where there are both (RFC 4787 REQ-3a). */
	if (first < 1024 && last >= 1024) {
		port = prefer < 1024 ? take_from(p, worker, s, first, 1023, prefer)
				     : take_from(p, worker, s, 1024, last, prefer);
		if (port)
			return port;
	}
	return take_from(p, worker, s, first, last, prefer);
}

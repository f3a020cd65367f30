/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/icmp/reassembly_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
mr_reassembly_create(struct mr_reassembly **out, const struct mr_ip *ip, struct mr_buffers *buffers,
    struct mr_error *error)
{
	struct mr_reassembly *r = calloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	if (!r)
		return mr_error_set(error, -ENOMEM, "no memory for reassembly");
	r->ip = ip;
	r->packets = buffers;
	r->max_buffers = buffers->count / 4;
	r->vrfs = calloc(MR_IP_VRFS_MAX, sizeof(*r->vrfs));
	r->datagrams = calloc(MR_REASSEMBLY_DATAGRAMS + 1, sizeof(*r->datagrams));
	if (!r->vrfs || !r->datagrams) {
		mr_reassembly_destroy(r);
		return mr_error_set(error, -ENOMEM, "no memory for reassembly");
	}
	rc = mr_hash_key_random(&r->key, error);
	if (rc) {
		mr_reassembly_destroy(r);
		return rc;
	}
	for (uint32_t i = MR_REASSEMBLY_DATAGRAMS; i > 0; i--) {
		r->datagrams[i].next = r->free;
		r->free = i;
	}
	*out = r;
	return 0;
}

void
mr_reassembly_destroy(struct mr_reassembly *r)
{
	if (!r)
		return;
	for (uint32_t i = 1; r->datagrams && i <= MR_REASSEMBLY_DATAGRAMS; i++) {
		uint32_t packet = r->datagrams[i].first, next;

		for (; packet != MR_PACKET_NONE; packet = next) {
			next = *fragment_next(mr_packet_at(r->packets->base, packet));
			mr_packets_free(r->packets, MR_POOL_SHARED, &packet, 1);
		}
	}
	free(r->datagrams);
	free(r->vrfs);
	free(r);
}

void
mr_reassembly_limit(struct mr_reassembly *r, uint16_t vrf, const struct mr_reassembly_limits *l)
{
	struct reassembly_vrf *v = &r->vrfs[vrf];

	atomic_store_explicit(&v->max_datagrams, l->datagrams, memory_order_relaxed);
	atomic_store_explicit(&v->max_buffers, l->buffers, memory_order_relaxed);
	atomic_store_explicit(&v->max_fragments, l->fragments, memory_order_relaxed);
	atomic_store_explicit(&v->max_share, l->per_source, memory_order_relaxed);
}

void
mr_reassembly_usage(const struct mr_reassembly *r, uint16_t vrf, struct mr_reassembly_usage *u)
{
	u->datagrams = atomic_load_explicit(&r->vrfs[vrf].datagrams, memory_order_relaxed);
	u->buffers = atomic_load_explicit(&r->vrfs[vrf].buffers, memory_order_relaxed);
}

/* -- the table ------------------------------------------------------------------------ */

static uint64_t
hash(const struct mr_reassembly *r, const struct reassembly_key *key)
{
	uint64_t words[5];

	memcpy(words, key, sizeof(words));
	return mr_hash_words(&r->key, words, 5);
}

uint32_t
reassembly_find(const struct mr_reassembly *r, const struct reassembly_key *key)
{
	uint32_t i = r->buckets[hash(r, key) % REASSEMBLY_BUCKETS];

	while (i && memcmp(&r->datagrams[i].key, key, sizeof(*key)) != 0)
		i = r->datagrams[i].next;
	return i;
}

/* One writer: plain additions, atomic for the control thread's eyes. */
static void
add(_Atomic uint32_t *n, uint32_t by)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by,
	    memory_order_relaxed);
}

uint32_t
reassembly_begin(struct mr_reassembly *r, const struct reassembly_key *key, uint32_t deadline)
{
	struct reassembly_vrf *v = &r->vrfs[key->vrf];
	struct datagrams *age = &v->age[key->family];
	uint64_t h = hash(r, key), source[3] = { 0, 0, key->vrf };
	uint32_t i = r->free;
	struct datagram *d = &r->datagrams[i];

	if (!i)
		return 0;
	r->free = d->next;
	memcpy(source, key->src, 16);
	*d = (struct datagram){
		.key = *key,
		.next = r->buckets[h % REASSEMBLY_BUCKETS],
		.older = age->newest,
		.deadline = deadline,
		.share = (uint16_t)(mr_hash_words(&r->key, source, 3) % REASSEMBLY_SHARES),
	};
	r->buckets[h % REASSEMBLY_BUCKETS] = i;
	if (age->newest)
		r->datagrams[age->newest].newer = i;
	else
		age->oldest = i;
	age->newest = i;
	add(&v->datagrams, 1);
	r->count++;
	return i;
}

void
reassembly_end(struct mr_reassembly *r, uint32_t index)
{
	struct datagram *d = &r->datagrams[index];
	struct reassembly_vrf *v = &r->vrfs[d->key.vrf];
	struct datagrams *age = &v->age[d->key.family];
	uint32_t *at = &r->buckets[hash(r, &d->key) % REASSEMBLY_BUCKETS];

	while (*at != index)
		at = &r->datagrams[*at].next;
	*at = d->next;
	*(d->older ? &r->datagrams[d->older].newer : &age->oldest) = d->newer;
	*(d->newer ? &r->datagrams[d->newer].older : &age->newest) = d->older;
	add(&v->datagrams, (uint32_t)-1);
	r->count--;
	memset(d, 0, sizeof(*d));
	d->next = r->free;
	r->free = index;
}

uint32_t
reassembly_oldest(const struct mr_reassembly *r, uint16_t vrf)
{
	const struct reassembly_vrf *v = &r->vrfs[vrf];
	uint32_t most = 0, four, six;

	if (!atomic_load_explicit(&v->datagrams, memory_order_relaxed)) {
		for (unsigned i = 0; i < MR_IP_VRFS_MAX; i++) {
			uint32_t n =
			    atomic_load_explicit(&r->vrfs[i].datagrams, memory_order_relaxed);

			if (n > most) {
				most = n;
				v = &r->vrfs[i];
			}
		}
		if (!most)
			return 0;
	}
	four = v->age[MR_IP4].oldest;
	six = v->age[MR_IP6].oldest;
	if (!four || !six)
		return four | six;
	/* When each came: IPv6's are kept longer. */
	return (int32_t)(r->datagrams[four].deadline - MR_REASSEMBLY_TIMEOUT4 -
		   (r->datagrams[six].deadline - MR_REASSEMBLY_TIMEOUT6)) <= 0
	    ? four
	    : six;
}

/* -- fragments ------------------------------------------------------------------------ */

unsigned
reassembly_place(struct mr_reassembly *r, struct datagram *d, const struct fragment *f,
    uint32_t *after)
{
	unsigned end = f->offset + f->len, last = 0;
	uint32_t at = d->first;

	*after = MR_PACKET_NONE;
	while (at != MR_PACKET_NONE) {
		struct mr_packet *p = mr_packet_at(r->packets->base, at);
		unsigned offset = fragment_offset(p), stop = offset + fragment_len(p);

		last = MR_MAX(last, stop);
		if (offset == f->offset && stop == end &&
		    (f->more ? d->total != end : d->total == end))
			return MR_REASSEMBLY_DROP_DUPLICATE + 1;
		if (f->offset < stop && offset < end)
			return MR_REASSEMBLY_DROP_OVERLAP + 1;
		if (stop <= f->offset)
			*after = at;
		at = *fragment_next(p);
	}
	/* What says where the end is must agree. */
	if (!f->more && ((d->total && d->total != end) || last > end))
		return MR_REASSEMBLY_DROP_OVERLAP + 1;
	if (f->more && d->total && end >= d->total)
		return MR_REASSEMBLY_DROP_OVERLAP + 1;
	return 0;
}

static void
charge(struct mr_reassembly *r, const struct datagram *d, int buffers)
{
	add(&r->vrfs[d->key.vrf].buffers, (uint32_t)buffers);
	r->buffers += (uint32_t)buffers;
	r->shares[d->share] = (uint16_t)(r->shares[d->share] + buffers);
}

void
reassembly_add(struct mr_reassembly *r, struct datagram *d, const struct fragment *f,
    uint32_t after)
{
	struct mr_packet *p = mr_packet_at(r->packets->base, f->packet);
	uint32_t *at = &d->first;

	if (after != MR_PACKET_NONE)
		at = fragment_next(mr_packet_at(r->packets->base, after));
	*fragment_next(p) = *at;
	p->mark = f->offset << 16 | f->len;
	*at = f->packet;
	if (!f->more)
		d->total = f->offset + f->len;
	d->have += f->len;
	d->count++;
	d->marks |= f->marks;
	d->buffers = (uint16_t)(d->buffers + p->segments);
	charge(r, d, p->segments);
}

uint32_t
reassembly_take(struct mr_reassembly *r, struct datagram *d)
{
	uint32_t first = d->first;

	charge(r, d, -(int)d->buffers);
	d->first = MR_PACKET_NONE;
	d->buffers = 0;
	d->count = 0;
	return first;
}

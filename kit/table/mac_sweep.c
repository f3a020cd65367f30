/* SPDX-License-Identifier: Apache-2.0 */
/* The MAC table's control side: ageing, flushing, walking, counting. */
#include "kit/table/mac.h"
#include "kit/table/mac_int.h"

static uint32_t
sweep_end(const struct mr_mac *t, uint32_t from, uint32_t count)
{
	uint32_t all = t->mask + 1;

	return from >= all ? from : from + MR_MIN(count, all - from);
}

uint32_t
mr_mac_buckets(const struct mr_mac *t)
{
	return t->mask + 1;
}

uint32_t
mr_mac_age(struct mr_mac *t, uint32_t now, uint32_t from, uint32_t count)
{
	uint32_t end = sweep_end(t, from, count);
	uint32_t gone = 0;

	for (uint32_t i = from * MAC_WAYS; i < end * MAC_WAYS; i++) {
		struct mac_entry *e = mac_entry_at(&t->buckets[i / MAC_WAYS], i % MAC_WAYS);
		struct mac_fid *fid;
		uint64_t key, value;
		uint32_t age, most;

		if (!mac_snapshot(e, &key, &value) || (value & MAC_STATIC))
			continue;
		fid = &t->fid[(uint16_t)key];
		most = atomic_load_explicit(&fid->ageing, memory_order_relaxed);
		age = (now - (uint32_t)(value >> MAC_SECONDS_SHIFT)) & MR_MAC_SECONDS_MASK;
		/* A worker's clock may be a moment ahead of ours. */
		if (!most || age < most || age > MR_MAC_SECONDS_MASK / 2)
			continue;
		/* Refreshed meanwhile: it stays. */
		if (!mac_remove(t, e, key, value))
			continue;
		atomic_fetch_add_explicit(&fid->aged, 1, memory_order_relaxed);
		gone++;
	}
	return gone;
}

uint32_t
mr_mac_flush(struct mr_mac *t, const struct mr_mac_filter *filter, uint32_t from, uint32_t count)
{
	uint32_t end = sweep_end(t, from, count);
	uint32_t gone = 0;

	for (uint32_t i = from * MAC_WAYS; i < end * MAC_WAYS; i++) {
		struct mac_entry *e = mac_entry_at(&t->buckets[i / MAC_WAYS], i % MAC_WAYS);
		uint64_t key, value;

		while (mac_snapshot(e, &key, &value)) {
			if ((value & MAC_STATIC) && !filter->statics)
				break;
			if (filter->port != MR_MAC_ANY && filter->port != (value & MAC_PORT_MASK))
				break;
			if (filter->fid != MR_MAC_ANY && filter->fid != (uint16_t)key)
				break;
			/* Refreshed meanwhile: it goes all the same. */
			if (mac_remove(t, e, key, value)) {
				gone++;
				break;
			}
		}
	}
	return gone;
}

bool
mr_mac_next(const struct mr_mac *t, uint32_t *cursor, struct mr_mac_entry *out)
{
	uint32_t all = (t->mask + 1) * MAC_WAYS;

	while (*cursor < all) {
		uint32_t i = (*cursor)++;
		uint64_t key, value, mac;

		if (!mac_snapshot(mac_entry_at(&t->buckets[i / MAC_WAYS], i % MAC_WAYS), &key,
			&value))
			continue;
		mac = key >> 16;
		memcpy(out->mac, &mac, sizeof(out->mac));
		out->fid = (uint16_t)key;
		out->port = (uint16_t)value;
		out->flags = (uint8_t)(value >> MAC_FLAG_SHIFT);
		out->seen = (uint32_t)(value >> MAC_SECONDS_SHIFT) & MR_MAC_SECONDS_MASK;
		return true;
	}
	return false;
}

uint32_t
mr_mac_count(const struct mr_mac *t)
{
	return atomic_load_explicit(&t->count, memory_order_relaxed);
}

uint32_t
mr_mac_count_port(const struct mr_mac *t, uint16_t port)
{
	return port < t->ports ? atomic_load_explicit(&t->port[port].count, memory_order_relaxed)
			       : 0;
}

uint32_t
mr_mac_count_fid(const struct mr_mac *t, uint16_t fid)
{
	return fid < t->fids ? atomic_load_explicit(&t->fid[fid].count, memory_order_relaxed) : 0;
}

uint64_t
mr_mac_aged_fid(const struct mr_mac *t, uint16_t fid)
{
	return fid < t->fids ? atomic_load_explicit(&t->fid[fid].aged, memory_order_relaxed) : 0;
}

uint32_t
mr_mac_generation(const struct mr_mac *t, uint16_t fid)
{
	return mr_generation_read(mr_mac_cell(t, fid));
}

const struct mr_generation *
mr_mac_cell(const struct mr_mac *t, uint16_t fid)
{
	static const struct mr_generation none;

	return fid < t->fids ? &t->fid[fid].generation : &none;
}

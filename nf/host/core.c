/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/host/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROW(class, what) ((unsigned)(class) * MR_HOST_COUNTS + (unsigned)(what))

int
mr_host_create(struct mr_host **out, const struct mr_ip *ip, struct mr_error *error)
{
	struct mr_host *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return mr_error_set(error, -ENOMEM, "no memory");
	h->ip = ip;
	rc = mr_hash_key_random(&h->key, error);
	if (rc) {
		free(h);
		return rc;
	}
	*out = h;
	return 0;
}

void
mr_host_destroy(struct mr_host *h)
{
	free(h);
}

int
mr_host_policy_create(struct mr_host_policy **out, uint32_t workers, uint64_t hz,
    struct mr_error *error)
{
	struct mr_host_policy *p = aligned_alloc(MR_CACHE_LINE, sizeof(*p));
	int rc;

	if (!p)
		return mr_error_set(error, -ENOMEM, "no memory");
	memset(p, 0, sizeof(*p));
	rc = mr_counters_create(&p->counters, workers, ROW(MR_HOST_CLASS_COUNT, 0), error);
	if (rc) {
		free(p);
		return rc;
	}
	for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++)
		mr_host_policy_set(p, c, hz, mr_host_class_info[c].rate,
		    mr_host_class_info[c].burst, NULL);
	*out = p;
	return 0;
}

void
mr_host_policy_destroy(struct mr_host_policy *p)
{
	if (!p)
		return;
	mr_counters_destroy(p->counters);
	free(p);
}

const struct mr_host_sources *
mr_host_policy_set(struct mr_host_policy *p, enum mr_host_class class, uint64_t hz, uint64_t rate,
    uint64_t burst, const struct mr_host_sources *sources)
{
	mr_meter_set(&p->slots[class].meter, hz, rate, burst);
	/* Release pairs with the acquire in ip-local: the list is filled. */
	return atomic_exchange_explicit(&p->slots[class].sources, sources, memory_order_acq_rel);
}

void
mr_host_policy_counts(const struct mr_host_policy *p, enum mr_host_class class,
    struct mr_host_counts *out)
{
	out->packets = mr_counters_sum(p->counters, ROW(class, MR_HOST_COUNT_PACKETS));
	out->bytes = mr_counters_sum(p->counters, ROW(class, MR_HOST_COUNT_BYTES));
	out->limited = mr_counters_sum(p->counters, ROW(class, MR_HOST_COUNT_LIMITED));
	out->refused = mr_counters_sum(p->counters, ROW(class, MR_HOST_COUNT_REFUSED));
}

void
mr_host_set_policy(struct mr_host *h, uint16_t vrf, struct mr_host_policy *p)
{
	/* Release pairs with the acquire in ip-local. */
	atomic_store_explicit(&h->policies[vrf], p, memory_order_release);
}

void
mr_host_set_twin(struct mr_host *h, uint16_t port, uint16_t interface)
{
	/* Relaxed: a number that stands for itself. */
	atomic_store_explicit(&h->interface_of[port], interface, memory_order_relaxed);
}

void
mr_host_listen_begin(struct mr_host *h)
{
	memset(&h->next, 0, sizeof(h->next));
}

void
mr_host_listen_add(struct mr_host *h, uint16_t interface, unsigned family, const uint8_t *address)
{
	mr_host_set_add(&h->next, mr_host_listen_key(h, interface, family, address));
}

/* Word by word: what is in both sets is never out of the one that workers see. */
void
mr_host_listen_publish(struct mr_host *h)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(h->next.words); i++) {
		uint64_t word = atomic_load_explicit(&h->next.words[i], memory_order_relaxed);

		if (atomic_load_explicit(&h->listens.words[i], memory_order_relaxed) != word)
			atomic_store_explicit(&h->listens.words[i], word, memory_order_relaxed);
	}
}

void
mr_host_age_sessions(struct mr_host *h)
{
	uint32_t young = !atomic_load_explicit(&h->young, memory_order_relaxed);

	/* A worker that still writes to the other one is a moment late: its session is heard
	 * of again with the next packet. */
	for (unsigned i = 0; i < MR_ARRAY_COUNT(h->sessions[young].words); i++)
		atomic_store_explicit(&h->sessions[young].words[i], 0, memory_order_relaxed);
	atomic_store_explicit(&h->young, young, memory_order_relaxed);
}

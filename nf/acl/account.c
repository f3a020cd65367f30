/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/acl/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct acl_gone {
	struct acl_gone *next;
	uint32_t number;
	uint32_t seconds;
};

int
acl_accounts_create(struct acl_accounts **out, uint16_t workers, uint64_t hz)
{
	struct acl_accounts *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->workers = workers;
	all->hz = hz;
	all->last = &all->first;
	*out = all;
	return 0;
}

void
acl_accounts_destroy(struct acl_accounts *all)
{
	struct acl_gone *g;

	if (!all)
		return;
	while ((g = all->first)) {
		all->first = g->next;
		free(g);
	}
	for (unsigned i = 0; i < ACL_CHUNKS; i++)
		free(atomic_load_explicit(&all->chunks[i], memory_order_relaxed));
	free(all);
}

/* Nobody counts under this number now, and the zeros are seen with the record that names it. */
static void
clear(struct acl_accounts *all, uint32_t number)
{
	struct acl_count *c =
	    atomic_load_explicit(&all->chunks[number / ACL_CHUNK], memory_order_relaxed);

	for (unsigned w = 0; w < all->workers; w++) {
		struct acl_count *one = &c[(size_t)w * ACL_CHUNK + number % ACL_CHUNK];

		atomic_store_explicit(&one->packets, 0, memory_order_relaxed);
		atomic_store_explicit(&one->bytes, 0, memory_order_relaxed);
	}
}

static int
take_number(struct acl_accounts *all, uint32_t seconds, uint32_t *number)
{
	struct acl_gone *g = all->first;
	struct acl_count *chunk;

	if (g && seconds - g->seconds >= ACL_QUARANTINE_SECONDS) {
		*number = g->number;
		all->first = g->next;
		if (!all->first)
			all->last = &all->first;
		free(g);
		clear(all, *number);
		return 0;
	}
	if (all->top == ACL_CHUNK * ACL_CHUNKS)
		return -ENOSPC;
	if (all->top % ACL_CHUNK == 0) {
		size_t size = (size_t)all->workers * ACL_CHUNK * sizeof(*chunk);

		chunk = aligned_alloc(MR_CACHE_LINE, size);
		if (!chunk)
			return -ENOMEM;
		memset(chunk, 0, size);
		atomic_store_explicit(&all->chunks[all->top / ACL_CHUNK], chunk,
		    memory_order_release);
	}
	*number = all->top++;
	return 0;
}

int
acl_account_create(struct acl_account **out, struct acl_accounts *all, uint32_t seconds)
{
	struct acl_account *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return -ENOMEM;
	ret = take_number(all, seconds, &a->number);
	if (ret) {
		free(a);
		return ret;
	}
	a->refs = 1;
	a->sample = 1;
	a->owner = all;
	*out = a;
	return 0;
}

void
acl_account_hold(struct acl_account *a)
{
	a->refs++;
}

void
acl_account_release(struct acl_account *a, uint32_t seconds)
{
	struct acl_gone *g;

	if (!a || --a->refs)
		return;
	/* Without memory to remember it by, the number is never given again. */
	g = malloc(sizeof(*g));
	if (g) {
		*g = (struct acl_gone){ .number = a->number, .seconds = seconds };
		*a->owner->last = g;
		a->owner->last = &g->next;
	}
	free(a);
}

void
acl_account_read(const struct acl_account *a, uint64_t *packets, uint64_t *bytes)
{
	const struct acl_count *c =
	    atomic_load_explicit(&a->owner->chunks[a->number / ACL_CHUNK], memory_order_relaxed);

	*packets = *bytes = 0;
	for (unsigned w = 0; w < a->owner->workers; w++) {
		const struct acl_count *one = &c[(size_t)w * ACL_CHUNK + a->number % ACL_CHUNK];

		*packets += mr_counter_get(&one->packets);
		*bytes += mr_counter_get(&one->bytes);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/fib6.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kit/table/fib6_int.h"

#define ROOT_BYTES (FIB6_ROOT * sizeof(uint32_t))

int
mr_fib6_create(struct mr_fib6 **out, const struct mr_fib6_config *config, struct mr_error *error)
{
	uint32_t expected = config->prefixes ? config->prefixes : 1024;
	struct mr_fib6 *t;
	void *root;
	int rc;

	*out = NULL;
	if (expected > FIB6_PREFIXES_MAX)
		return mr_error_set(error, -EINVAL, "IPv6 table: %u prefixes are above %u",
		    expected, FIB6_PREFIXES_MAX);
	t = calloc(1, sizeof(*t));
	if (!t)
		return mr_error_set(error, -ENOMEM, "IPv6 table: no memory");
	rc = fib6_store_open(&t->store, expected, config->seed, error);
	if (rc < 0)
		goto fail;
	/* Pages that nobody writes to take no memory. */
	root = mmap(NULL, ROOT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->root = root == MAP_FAILED ? NULL : root;
	if (!t->root || fib6_lines_open(&t->lines, expected) < 0) {
		rc =
		    mr_error_set(error, -ENOMEM, "IPv6 table: no memory for %u prefixes", expected);
		goto fail;
	}
	t->gather = !config->portable && fib6_gathers();
	*out = t;
	return 0;

fail:
	mr_fib6_destroy(t);
	return rc;
}

void
mr_fib6_destroy(struct mr_fib6 *t)
{
	if (!t)
		return;
	mr_rcu_drain(&t->queue);
	free(t->limbo);
	fib6_lines_close(&t->lines);
	if (t->root)
		munmap(t->root, ROOT_BYTES);
	fib6_store_close(&t->store);
	free(t);
}

uint32_t
mr_fib6_get(const struct mr_fib6 *t, const uint8_t prefix[16], unsigned len)
{
	const struct fib6_entry *e;

	if (len > 128)
		return 0;
	e = fib6_store_find(&t->store, fib6_key_load(prefix), len);
	return e ? e->value : 0;
}

static void
key_write(struct fib6_key key, uint8_t prefix[16])
{
	be64_t hi = mr_be64(key.hi), lo = mr_be64(key.lo);

	memcpy(prefix, &hi, 8);
	memcpy(prefix + 8, &lo, 8);
}

uint32_t
mr_fib6_match(const struct mr_fib6 *t, const uint8_t address[16], uint8_t prefix[16], unsigned *len)
{
	struct fib6_key key = fib6_key_load(address);

	for (unsigned n = 129; n-- > 0;) {
		const struct fib6_entry *e = fib6_store_find(&t->store, fib6_key_cut(key, n), n);

		if (e) {
			key_write(e->key, prefix);
			*len = n;
			return e->value;
		}
	}
	return 0;
}

bool
mr_fib6_next(const struct mr_fib6 *t, uint64_t *cursor, uint8_t prefix[16], unsigned *len,
    uint32_t *value)
{
	while (*cursor < t->store.room) {
		const struct fib6_entry *e = &t->store.entries[(*cursor)++];

		if (e->value) {
			key_write(e->key, prefix);
			*len = e->len;
			*value = e->value;
			return true;
		}
	}
	return false;
}

void
mr_fib6_stats(const struct mr_fib6 *t, struct mr_fib6_stats *s)
{
	*s = (struct mr_fib6_stats){
		.total = t->store.count,
		.nodes = t->nodes,
		.bytes_nodes = (uint64_t)(t->lines.used - t->waiting) * FIB6_UNIT,
		.bytes_store = (uint64_t)t->store.room * sizeof(*t->store.entries),
		.bytes_waiting = (uint64_t)t->waiting * FIB6_UNIT,
	};
	for (unsigned i = 0; i < MR_ARRAY_COUNT(s->prefixes); i++)
		s->prefixes[i] = t->store.lengths[i];
	/* What lies in free lists is in use all the same. */
	s->bytes = sizeof(*t) + ROOT_BYTES + (uint64_t)t->lines.next * FIB6_UNIT + s->bytes_store;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IPv6 table against the slowest way to do it: the longest match over an array. Prefixes
 * come in clusters, so that they nest, neighbour and share nodes; what is asked is the first and
 * the last address of each prefix, the ones before and after, and random ones.
 */
#include <sys/mman.h>

#include "kit/table/fib6_test_int.h"

struct route {
	struct fib6_key key;
	unsigned len;
	uint32_t value;
};

struct oracle {
	struct route *routes;
	unsigned count, room;
};

static struct route *
oracle_find(struct oracle *o, struct fib6_key key, unsigned len)
{
	for (unsigned i = 0; i < o->count; i++) {
		struct route *r = &o->routes[i];

		if (r->len == len && r->key.hi == key.hi && r->key.lo == key.lo)
			return r;
	}
	return NULL;
}

static const struct route *
oracle_match(const struct oracle *o, struct fib6_key key)
{
	const struct route *best = NULL;

	for (unsigned i = 0; i < o->count; i++) {
		const struct route *r = &o->routes[i];
		struct fib6_key cut = fib6_key_cut(key, r->len);

		if (cut.hi == r->key.hi && cut.lo == r->key.lo && (!best || r->len > best->len))
			best = r;
	}
	return best;
}

static void
set(struct mr_fib6 *t, struct oracle *o, struct fib6_key key, unsigned len, uint32_t value)
{
	struct route *r = oracle_find(o, key, len);
	uint8_t prefix[16];

	bytes_of(key, prefix);
	assert_int_equal(mr_fib6_set(t, prefix, len, value), 0);
	if (!r) {
		if (o->count == o->room) {
			o->room = o->room * 2 + 64;
			o->routes = realloc(o->routes, o->room * sizeof(*o->routes));
			assert_non_null(o->routes);
		}
		r = &o->routes[o->count++];
	}
	*r = (struct route){ key, len, value };
}

static void
unset(struct mr_fib6 *t, struct oracle *o, unsigned i)
{
	uint8_t prefix[16];

	bytes_of(o->routes[i].key, prefix);
	assert_int_equal(mr_fib6_unset(t, prefix, o->routes[i].len), 0);
	assert_int_equal(mr_fib6_unset(t, prefix, o->routes[i].len), -ENOENT);
	o->routes[i] = o->routes[--o->count];
}

/* Asks for a vector of addresses in every way there is. */
static void
ask(const struct mr_fib6 *t, const struct oracle *o, const struct fib6_key *keys, unsigned count)
{
	static uint8_t bytes[MR_VECTOR_MAX * 17];
	const uint8_t *addresses[MR_VECTOR_MAX] = { NULL };
	uint32_t values[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		bytes_of(keys[i], bytes + 17 * i);
		addresses[i] = bytes + 17 * i; /* unaligned */
	}
	mr_fib6_lookup(t, addresses, values, count);
	for (unsigned i = 0; i < count; i++) {
		const struct route *r = oracle_match(o, keys[i]);
		uint32_t want = r ? r->value : 0;
		unsigned len = 999;
		uint8_t prefix[16];

		if (values[i] != want)
			printf("%016llx%016llx: %u, not %u\n", (unsigned long long)keys[i].hi,
			    (unsigned long long)keys[i].lo, values[i], want);
		assert_int_equal(values[i], want);
		assert_int_equal(mr_fib6_find(t, addresses[i]), want);
		assert_int_equal(mr_fib6_match(t, addresses[i], prefix, &len), want);
		if (r) {
			struct fib6_key k = fib6_key_load(prefix);

			assert_int_equal(len, r->len);
			assert_true(k.hi == r->key.hi && k.lo == r->key.lo);
		}
	}
}

/* `share`: of the prefixes, one in so many is asked about. */
static void
check(const struct mr_fib6 *t, const struct oracle *o, uint64_t *seed, unsigned share)
{
	struct fib6_key keys[MR_VECTOR_MAX];
	unsigned n = 0, first = (unsigned)(next_random(seed) % share);
	struct mr_fib6_stats stats;

	for (unsigned i = first; i < o->count; i += share) {
		const struct route *r = &o->routes[i];
		struct fib6_key last = key_last(r->key, r->len), any = last;

		any.lo ^= next_random(seed) & (r->key.lo ^ last.lo);
		any.hi ^= next_random(seed) & (r->key.hi ^ last.hi);
		keys[n++] = r->key;
		keys[n++] = last;
		keys[n++] = key_add(r->key, -1);
		keys[n++] = key_add(last, 1);
		keys[n++] = any;
		if (n + 5 > MR_ARRAY_COUNT(keys)) {
			ask(t, o, keys, n);
			n = 0;
		}
	}
	keys[n++] = (struct fib6_key){ next_random(seed), next_random(seed) };
	ask(t, o, keys, n);
	mr_fib6_stats(t, &stats);
	assert_int_equal(stats.total, o->count);
}

/* Few bytes to choose from at each place: prefixes nest and meet. */
static struct fib6_key
clustered_key(uint64_t *seed, unsigned variety)
{
	static const uint8_t some[8] = { 0x20, 0x00, 0xff, 0x80, 0x7f, 0x01, 0xfe, 0x40 };
	struct fib6_key k = { 0, 0 };

	for (unsigned i = 0; i < 16; i++) {
		uint64_t byte = some[next_random(seed) % variety];

		if (i < 8)
			k.hi = k.hi << 8 | byte;
		else
			k.lo = k.lo << 8 | byte;
	}
	return k;
}

static void
verify_all(const struct mr_fib6 *t, struct oracle *o)
{
	unsigned lengths[129] = { 0 }, seen = 0, len;
	struct mr_fib6_stats stats;
	uint64_t cursor = 0;
	uint8_t prefix[16];
	uint32_t value;

	while (mr_fib6_next(t, &cursor, prefix, &len, &value)) {
		struct route *r = oracle_find(o, fib6_key_load(prefix), len);

		assert_non_null(r);
		assert_int_equal(r->value, value);
		assert_int_equal(mr_fib6_get(t, prefix, len), value);
		seen++;
	}
	assert_int_equal(seen, o->count);
	for (unsigned i = 0; i < o->count; i++)
		lengths[o->routes[i].len]++;
	mr_fib6_stats(t, &stats);
	for (unsigned i = 0; i <= 128; i++)
		assert_int_equal(stats.prefixes[i], lengths[i]);
}

/* Adds, replaces and removes at random, then removes all. */
static void
churn(uint64_t seed, unsigned variety, unsigned values, unsigned most, unsigned rounds,
    const unsigned *lens, unsigned len_count)
{
	struct mr_fib6 *t = table(16, seed & 1);
	struct oracle o = { 0 };
	struct mr_fib6_stats before, after;

	mr_fib6_stats(t, &before);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned changes = 1 + next_random(&seed) % 20;

		for (unsigned i = 0; i < changes; i++) {
			unsigned what = next_random(&seed) % 4;
			unsigned len =
			    lens ? lens[next_random(&seed) % len_count] : next_random(&seed) % 129;
			uint32_t value = 1 + next_random(&seed) % values;
			unsigned some = o.count ? (unsigned)(next_random(&seed) % o.count) : 0;

			if (o.count && (what == 0 || o.count >= most))
				unset(t, &o, some);
			else if (o.count && what == 1)
				set(t, &o, o.routes[some].key, o.routes[some].len, value);
			else
				set(t, &o, fib6_key_cut(clustered_key(&seed, variety), len), len,
				    value);
		}
		check(t, &o, &seed, 1 + o.count / 40);
	}
	check(t, &o, &seed, 1);
	verify_all(t, &o);
	while (o.count) {
		unset(t, &o, (unsigned)(next_random(&seed) % o.count));
		if (o.count % 16 == 0)
			check(t, &o, &seed, 1 + o.count / 10);
	}
	mr_fib6_stats(t, &after);
	assert_int_equal(after.nodes, 0);
	assert_int_equal(after.bytes_nodes, 0);
	assert_int_equal(after.bytes_waiting, 0);
	assert_int_equal(after.bytes, before.bytes);
	free(o.routes);
	mr_fib6_destroy(t);
}

static void
all_lengths_clustered(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		churn(seed, 2 + (unsigned)seed % 7, seed % 3 ? 1000 : 2, 300, 120, NULL, 0);
}

static void
lengths_of_a_few_bytes(void **state)
{
	static const unsigned root[] = { 0, 1, 2, 3, 8, 12, 15, 16, 17, 20 };
	static const unsigned middle[] = { 28, 29, 30, 31, 32, 33, 34, 36, 40, 44, 48, 64 };
	static const unsigned end[] = { 64, 113, 118, 120, 121, 122, 123, 124, 125, 126, 127, 128 };

	for (uint64_t seed = 20; seed < 24; seed++) {
		churn(seed, 8, 3, 300, 100, root, MR_ARRAY_COUNT(root));
		churn(seed, 3, 3, 300, 100, middle, MR_ARRAY_COUNT(middle));
		churn(seed, 2, 3, 300, 100, end, MR_ARRAY_COUNT(end));
	}
}

/* One prefix of each length on one path, in any order; each shows when the longer are gone. */
static void
chain_of_all_lengths(void **state)
{
	uint64_t seed = 5;
	struct fib6_key key = { 0x20010db8ffff0001ull, 0x8000000000000001ull };

	for (unsigned round = 0; round < 6; round++) {
		struct mr_fib6 *t = table(0, false);
		struct oracle o = { 0 };
		unsigned order[129];

		for (unsigned i = 0; i <= 128; i++) {
			unsigned j = round ? (unsigned)(next_random(&seed) % (i + 1)) : i;

			order[i] = order[j];
			order[j] = i;
		}
		for (unsigned i = 0; i <= 128; i++) {
			set(t, &o, fib6_key_cut(key, order[i]), order[i], 1 + order[i]);
			check(t, &o, &seed, 1);
		}
		verify_all(t, &o);
		while (o.count) {
			unset(t, &o, (unsigned)(next_random(&seed) % o.count));
			check(t, &o, &seed, 1);
		}
		free(o.routes);
		mr_fib6_destroy(t);
	}
}

/* A small table stays small: half a megabyte with everything, even with a default route. */
static void
small_table(void **state)
{
	struct mr_fib6 *t = table(0, false);
	struct mr_fib6_stats stats;
	struct oracle o = { 0 };
	uint64_t seed = 1;

	set(t, &o, (struct fib6_key){ 0, 0 }, 0, 1);
	while (o.count < 1000) {
		unsigned len = 128 - (unsigned)(next_random(&seed) % 4) * 32;

		set(t, &o, fib6_key_cut(clustered_key(&seed, 8), len), len, 1 + o.count);
	}
	mr_fib6_stats(t, &stats);
	assert_true(stats.bytes < 512 << 10);
	check(t, &o, &seed, 9);
	free(o.routes);
	mr_fib6_destroy(t);
}

/* Without memory a change fails whole, and goes on later. */
static void
no_memory(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(MR_RCU_TSAN)
	print_message("sanitizers do not survive that\n");
	skip();
#else
	struct mr_fib6 *t;
	struct oracle o = { 0 };
	struct rlimit old, none;
	struct mr_fib6_stats stats;
	uint64_t seed = 31;
	uint8_t prefix[16];
	uint32_t before;
	void *some;
	int rc = 0;

	t = table(0, false);
	o.room = 1000000;
	o.routes = calloc(o.room, sizeof(*o.routes));
	assert_non_null(o.routes);
	assert_int_equal(getrlimit(RLIMIT_DATA, &old), 0);
	none = (struct rlimit){ 4096, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_DATA, &none), 0);
	some = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (some != MAP_FAILED) {
		munmap(some, 1 << 20);
		setrlimit(RLIMIT_DATA, &old);
		free(o.routes);
		mr_fib6_destroy(t);
		print_message("skipped: nothing limits memory here (qemu-user)\n");
		skip();
	}
	while (rc == 0 && o.count < o.room) {
		struct fib6_key key = { next_random(&seed), next_random(&seed) };

		bytes_of(key, prefix);
		rc = mr_fib6_set(t, prefix, 128, 1 + o.count % 77);
		if (rc == 0)
			o.routes[o.count] = (struct route){ key, 128, 1 + o.count % 77 };
		o.count += rc == 0;
	}
	before = mr_fib6_find(t, prefix);
	assert_int_equal(setrlimit(RLIMIT_DATA, &old), 0);
	assert_int_equal(rc, -ENOMEM);
	assert_int_equal(before, 0);
	mr_fib6_stats(t, &stats);
	assert_int_equal(stats.total, o.count);
	check(t, &o, &seed, 1 + o.count / 100);
	assert_int_equal(mr_fib6_set(t, prefix, 128, 5), 0);
	assert_int_equal(mr_fib6_find(t, prefix), 5);
	assert_int_equal(mr_fib6_unset(t, prefix, 128), 0);
	while (o.count) {
		bytes_of(o.routes[--o.count].key, prefix);
		assert_int_equal(mr_fib6_unset(t, prefix, 128), 0);
	}
	free(o.routes);
	mr_fib6_destroy(t);
#endif
}

static void
bad_arguments(void **state)
{
	struct mr_fib6_config huge = { .prefixes = UINT32_MAX };
	static const uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8 }, zero[16];
	struct mr_error error = { 0 };
	struct mr_fib6 *t = table(0, false), *none;
	struct mr_fib6_stats stats;
	uint64_t cursor = 0;
	uint8_t prefix[16];
	uint32_t value;
	unsigned len;

	assert_int_equal(mr_fib6_create(&none, &huge, &error), -EINVAL);
	assert_null(none);
	assert_true(error.text[0] != 0);
	assert_int_equal(mr_fib6_set(t, a, 28, 1), -EINVAL);
	assert_int_equal(mr_fib6_set(t, a, 0, 1), -EINVAL);
	assert_int_equal(mr_fib6_set(t, a, 129, 1), -EINVAL);
	assert_int_equal(mr_fib6_set(t, a, 32, 0), -EINVAL);
	assert_int_equal(mr_fib6_set(t, a, 32, MR_FIB6_VALUE_MAX + 1), -EINVAL);
	assert_int_equal(mr_fib6_unset(t, a, 32), -ENOENT);
	assert_int_equal(mr_fib6_unset(t, a, 200), -ENOENT);
	assert_int_equal(mr_fib6_get(t, a, 200), 0);
	assert_int_equal(mr_fib6_match(t, a, prefix, &len), 0);
	assert_int_equal(mr_fib6_find(t, a), 0);
	assert_false(mr_fib6_next(t, &cursor, prefix, &len, &value));
	mr_fib6_stats(t, &stats);
	assert_int_equal(stats.total, 0);
	assert_int_equal(mr_fib6_set(t, a, 29, MR_FIB6_VALUE_MAX), 0);
	assert_int_equal(mr_fib6_find(t, a), MR_FIB6_VALUE_MAX);
	assert_int_equal(mr_fib6_find(t, zero), 0);
	assert_int_equal(mr_fib6_set(t, zero, 0, 7), 0);
	assert_int_equal(mr_fib6_find(t, zero), 7);
	mr_fib6_lookup(t, NULL, NULL, 0);
	mr_fib6_destroy(t);
	mr_fib6_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(chain_of_all_lengths),
		cmocka_unit_test(all_lengths_clustered),
		cmocka_unit_test(lengths_of_a_few_bytes),
		cmocka_unit_test(small_table),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

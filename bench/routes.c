/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/frames.h"

#define TABLE "routes/prefixes-full-table-2023.txt.gz"

/* How often a length occurs, of 10,000; what occurs less often is left out. */
struct share {
	uint8_t len;
	uint16_t share;
};

static const struct share shares4[] = { { 12, 3 }, { 13, 6 }, { 14, 13 }, { 15, 23 }, { 16, 150 },
	{ 17, 91 }, { 18, 153 }, { 19, 276 }, { 20, 472 }, { 21, 563 }, { 22, 1204 }, { 23, 1070 },
	{ 24, 5966 }, { 32, 10 } };
static const struct share shares6[] = { { 28, 12 }, { 29, 273 }, { 30, 41 }, { 31, 18 },
	{ 32, 1408 }, { 33, 183 }, { 34, 163 }, { 35, 65 }, { 36, 374 }, { 37, 55 }, { 38, 101 },
	{ 39, 86 }, { 40, 838 }, { 41, 56 }, { 42, 144 }, { 43, 63 }, { 44, 897 }, { 45, 97 },
	{ 46, 190 }, { 47, 197 }, { 48, 4714 }, { 56, 5 }, { 64, 20 } };

static int
compare(const void *a, const void *b)
{
	const struct mr_bench_route *x = a, *y = b;

	return x->len != y->len ? x->len - y->len : memcmp(x->address, y->address, 16);
}

/* No bits below the prefix's length. */
static void
trim(struct mr_bench_route *r)
{
	unsigned whole = r->len / 8;

	if (whole < 16) {
		r->address[whole] &= (uint8_t)(0xff00 >> r->len % 8);
		memset(r->address + whole + 1, 0, 15 - whole);
	}
}

/* Sorts; of several of the same prefix keeps one. */
static void
settle(struct mr_bench_routes *t)
{
	size_t i, kept = 0;

	qsort(t->routes, t->count, sizeof(*t->routes), compare);
	for (i = 0; i < t->count; i++)
		if (!kept || compare(&t->routes[kept - 1], &t->routes[i]))
			t->routes[kept++] = t->routes[i];
	t->count = kept;
}

static gzFile
open_table(void)
{
	const char *folders[] = { getenv("MR_DATA"), "../shared/data", "../../shared/data" };
	gzFile file = NULL;
	char path[512];
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(folders) && !file; i++) {
		if (folders[i]) {
			snprintf(path, sizeof(path), "%s/" TABLE, folders[i]);
			file = gzopen(path, "r");
		}
	}
	return file;
}

/* One prefix a line; those of the other family and what is none are passed over. */
static void
read_table(struct mr_bench_routes *t, size_t count, gzFile file)
{
	int family = t->bits == 32 ? AF_INET : AF_INET6;
	struct mr_bench_route r;
	unsigned long len;
	char line[80], *slash;

	while (t->count < count && gzgets(file, line, sizeof(line))) {
		memset(&r, 0, sizeof(r));
		slash = strchr(line, '/');
		if (!slash)
			continue;
		*slash = 0;
		len = strtoul(slash + 1, NULL, 10);
		if (inet_pton(family, line, r.address) != 1 || len < 8 || len > t->bits)
			continue;
		r.len = (uint8_t)len;
		trim(&r);
		t->routes[t->count++] = r;
	}
	t->real = t->count > 0;
	settle(t);
}

static uint8_t
draw_length(unsigned bits, uint64_t *rng)
{
	const struct share *s = bits == 32 ? shares4 : shares6;
	size_t count = bits == 32 ? MR_ARRAY_COUNT(shares4) : MR_ARRAY_COUNT(shares6), i;
	uint32_t at = mr_bench_draw(rng, 10000);

	for (i = 0; i + 1 < count && at >= s[i].share; i++)
		at -= s[i].share;
	return s[i].len;
}

/* Anywhere among global addresses. */
static void
invent_first(struct mr_bench_routes *t, uint64_t *rng)
{
	static const uint8_t first4[] = { 5, 23, 31, 45, 62, 77, 80, 91, 103, 109, 138, 154, 177,
		185, 193, 203, 212 };
	static const uint8_t first6[] = { 0x24, 0x26, 0x28, 0x2a, 0x2c };
	struct mr_bench_route *r = &t->routes[t->count++];
	unsigned i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < t->bits / 8; i++)
		r->address[i] = (uint8_t)mr_bench_draw(rng, 256);
	r->len = draw_length(t->bits, rng);
	if (t->bits == 32) {
		r->address[0] = first4[mr_bench_draw(rng, MR_ARRAY_COUNT(first4))];
	} else {
		r->address[0] = first6[mr_bench_draw(rng, MR_ARRAY_COUNT(first6))];
		r->address[1] &= 15;
	}
	trim(r);
}

/* A neighbour of one of the first `above` prefixes, as long as that: real ones come in
 * clusters. */
static void
invent(struct mr_bench_routes *t, size_t above, uint64_t *rng)
{
	const struct mr_bench_route *near = &t->routes[mr_bench_draw(rng, (uint32_t)above)];
	struct mr_bench_route *r = &t->routes[t->count++];
	unsigned last = (near->len - 1u) / 8;

	*r = *near;
	r->address[last] ^= (uint8_t)mr_bench_draw(rng, 256);
	trim(r);
}

int
mr_bench_routes_load(struct mr_bench_routes *t, unsigned bits, size_t count, struct mr_error *error)
{
	gzFile file = open_table();
	uint64_t rng = 1;
	size_t i, above, round;

	*t = (struct mr_bench_routes){ .bits = bits };
	t->routes = calloc(count, sizeof(*t->routes));
	if (!t->routes) {
		if (file)
			gzclose(file);
		return mr_error_set(error, -ENOMEM, "no memory for routes");
	}
	if (file) {
		read_table(t, count, file);
		gzclose(file);
	}
	while (!t->real && t->count < count / 8)
		invent_first(t, &rng);
	settle(t);
	/* Repetitions are thrown out each round, hence several. */
	for (round = 0; t->count < count && round < 50; round++) {
		above = t->count;
		while (t->count < count)
			invent(t, above, &rng);
		settle(t);
	}
	for (i = 0; i < t->count; i++)
		t->routes[i].hop = (uint8_t)mr_bench_draw(&rng, MR_BENCH_HOPS);
	return 0;
}

void
mr_bench_routes_free(struct mr_bench_routes *t)
{
	free(t->routes);
	*t = (struct mr_bench_routes){ 0 };
}

void
mr_bench_routes_draw(const struct mr_bench_routes *t, uint64_t *rng, uint8_t address[16])
{
	const struct mr_bench_route *r = &t->routes[mr_bench_draw(rng, (uint32_t)t->count)];
	uint8_t keep;
	unsigned i;

	memset(address, 0, 16);
	for (i = 0; i < t->bits / 8; i++) {
		keep = i < r->len / 8u ? 0xff
		    : i == r->len / 8u ? (uint8_t)(0xff00 >> r->len % 8)
				       : 0;
		address[i] = (uint8_t)(r->address[i] | (mr_bench_draw(rng, 256) & ~keep & 0xff));
	}
}

int
mr_bench_routes_write(const struct mr_bench_routes *t, unsigned ports, char *path, size_t size)
{
	int family = t->bits == 32 ? AF_INET : AF_INET6, fd;
	char text[INET6_ADDRSTRLEN];
	size_t i;
	FILE *f;

	f = mr_bench_file(path, size, &fd);
	if (!f)
		return -ENOMEM;
	for (i = 0; i < t->count; i++) {
		inet_ntop(family, t->routes[i].address, text, sizeof(text));
		fprintf(f, "R%s/%u %u\n", text, t->routes[i].len, t->routes[i].hop % ports);
	}
	return mr_bench_file_done(f, fd);
}

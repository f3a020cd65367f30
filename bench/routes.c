/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/frames.h"
#include "kit/table/prefixes.h"
#include "kit/table/prefixes6.h"

#define SEED 1

/* The prefixes with their next hops, sorted by length: each kind of table wants them so. */
static int
take4(struct mr_bench_routes *t, const char *path)
{
	struct mr_prefix4 *p = mr_prefixes_load4(path, (uint32_t)t->count, SEED, &t->real);
	size_t at = 0, i;
	unsigned len;
	be32_t wire;

	for (len = 0; p && len <= 32; len++) {
		for (i = 0; i < t->count; i++) {
			if (p[i].len != len)
				continue;
			wire = mr_be32(p[i].prefix);
			memcpy(t->routes[at].address, &wire, sizeof(wire));
			t->routes[at++].len = p[i].len;
		}
	}
	free(p);
	return at == t->count ? 0 : -ENOMEM;
}

static int
take6(struct mr_bench_routes *t, const char *path)
{
	struct mr_prefix6 *p = mr_prefixes_load6(path, (uint32_t)t->count, SEED, &t->real);
	size_t at = 0, i;
	unsigned len;

	for (len = 0; p && len <= 128; len++) {
		for (i = 0; i < t->count; i++) {
			if (p[i].len != len)
				continue;
			memcpy(t->routes[at].address, p[i].prefix, sizeof(p[i].prefix));
			t->routes[at++].len = p[i].len;
		}
	}
	free(p);
	return at == t->count ? 0 : -ENOMEM;
}

int
mr_bench_routes_load(struct mr_bench_routes *t, unsigned bits, size_t count, struct mr_error *error)
{
	char buffer[512];
	const char *path = mr_prefixes_path(buffer, sizeof(buffer));
	uint64_t rng = SEED;
	size_t i;
	int rc;

	*t = (struct mr_bench_routes){ .bits = bits, .count = count };
	t->routes = calloc(count, sizeof(*t->routes));
	rc = !t->routes ? -ENOMEM : bits == 32 ? take4(t, path) : take6(t, path);
	if (rc < 0) {
		mr_bench_routes_free(t);
		return mr_error_set(error, rc, "no memory for routes");
	}
	for (i = 0; i < count; i++)
		t->routes[i].hop = (uint8_t)mr_bench_draw(&rng, MR_BENCH_HOPS);
	return 0;
}

int
mr_bench_routes_everywhere(struct mr_bench_routes *t, struct mr_error *error)
{
	*t = (struct mr_bench_routes){ .bits = 32, .count = MR_BENCH_HOPS };
	t->routes = calloc(t->count, sizeof(*t->routes));
	if (!t->routes)
		return mr_error_set(error, -ENOMEM, "no memory for routes");
	for (uint8_t i = 0; i < MR_BENCH_HOPS; i++)
		t->routes[i] =
		    (struct mr_bench_route){ .address = { (uint8_t)(i << 4) }, .len = 4, .hop = i };
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

static bool
covers(const struct mr_bench_route *r, const uint8_t *address)
{
	unsigned whole = r->len / 8u, rest = r->len % 8u;

	return memcmp(r->address, address, whole) == 0 &&
	    (!rest || (r->address[whole] ^ address[whole]) >> (8 - rest) == 0);
}

const struct mr_bench_route *
mr_bench_routes_find(const struct mr_bench_routes *t, const uint8_t *address)
{
	/* The longest stand last. */
	for (size_t i = t->count; i-- > 0;)
		if (covers(&t->routes[i], address))
			return &t->routes[i];
	return NULL;
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

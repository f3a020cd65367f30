/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/prefixes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef MR_HAVE_ZLIB
#include <zlib.h>
#endif

#define FILE_NAME "routes/prefixes-full-table-2023.txt.gz"
/* /16s with longer prefixes among a million. */
#define CLUSTERS 28000u

/* Prefixes of each length among 901,899. */
static const uint32_t shares[33] = { [8] = 16,
	13,
	38,
	103,
	299,
	581,
	1203,
	2100,
	13490,
	8235,
	13798,
	24870,
	42611,
	50750,
	108623,
	96510,
	537698,
	20,
	3,
	11,
	18,
	17,
	3,
	3,
	886 };
#define SHARES 901899u

/* The array and a hash table over it, to keep its members different. */
struct set {
	struct mr_prefix4 *items;
	uint32_t count, most;
	uint32_t *index; /* 1 + position; 0: free */
	uint32_t mask;
	uint64_t random;
};

static uint64_t
next_random(struct set *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random * 0x2545f4914f6cdd1dull;
}

static bool
set_open(struct set *s, uint32_t most, uint64_t seed)
{
	uint32_t size = 16;

	while (size < 2 * most)
		size *= 2;
	s->count = 0;
	s->most = most;
	s->mask = size - 1;
	s->random = seed * 2 + 0x9e3779b97f4a7c15ull;
	s->items = malloc((most + 1ul) * sizeof(s->items[0]));
	s->index = calloc(size, sizeof(s->index[0]));
	return s->items && s->index;
}

static void
set_add(struct set *s, uint32_t prefix, unsigned len)
{
	uint64_t key = (uint64_t)prefix << 8 | len;
	uint32_t at = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 40) & s->mask;

	if (s->count == s->most)
		return;
	for (; s->index[at]; at = (at + 1) & s->mask) {
		const struct mr_prefix4 *p = &s->items[s->index[at] - 1];

		if (p->prefix == prefix && p->len == len)
			return;
	}
	s->items[s->count] = (struct mr_prefix4){ prefix, (uint8_t)len };
	s->index[at] = ++s->count;
}

static uint32_t
cut(uint32_t address, unsigned len)
{
	return len ? address & ~0u << (32 - len) : 0;
}

static bool
parse(const char *line, uint32_t *prefix, unsigned *len)
{
	unsigned a, b, c, d;

	if (sscanf(line, "%3u.%3u.%3u.%3u/%2u", &a, &b, &c, &d, len) != 5)
		return false;
	if (a > 255 || b > 255 || c > 255 || d > 255 || *len > 32)
		return false;
	*prefix = a << 24 | b << 16 | c << 8 | d;
	return *prefix == cut(*prefix, *len);
}

#ifdef MR_HAVE_ZLIB
static void
read_file(struct set *s, const char *path)
{
	gzFile file = gzopen(path, "r");
	char line[128];
	uint32_t prefix;
	unsigned len;

	if (!file)
		return;
	gzbuffer(file, 1 << 17);
	while (gzgets(file, line, sizeof(line)))
		if (parse(line, &prefix, &len))
			set_add(s, prefix, len);
	gzclose(file);
}
#else
static void
read_file(struct set *s, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[128];
	uint32_t prefix;
	unsigned len;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (parse(line, &prefix, &len))
			set_add(s, prefix, len);
	fclose(file);
}
#endif

static void
shuffle(struct set *s)
{
	for (uint32_t i = s->count; i > 1; i--) {
		uint32_t j = (uint32_t)(next_random(s) % i);
		struct mr_prefix4 p = s->items[j];

		s->items[j] = s->items[i - 1];
		s->items[i - 1] = p;
	}
}

/* Addresses from 1.0.0.0 to 223.255.255.255. */
static uint32_t
unicast(struct set *s)
{
	return (uint32_t)(1 + next_random(s) % 223) << 24 | (uint32_t)(next_random(s) >> 40);
}

static void
generate(struct set *s)
{
	static uint32_t cluster[CLUSTERS];
	uint32_t clusters = 1 + (uint32_t)((uint64_t)CLUSTERS * s->most / 1000000);

	clusters = MR_MIN(clusters, CLUSTERS);
	for (uint32_t i = 0; i < clusters; i++)
		cluster[i] = cut(unicast(s), 16);
	while (s->count < s->most) {
		uint32_t share = (uint32_t)(next_random(s) % SHARES), address = unicast(s);
		unsigned len = 0;

		while (share >= shares[len])
			share -= shares[len++];
		if (len > 16)
			address = cluster[next_random(s) % clusters] | (address & 0xffff);
		set_add(s, cut(address, len), len);
	}
}

static void
fill_up(struct set *s, uint32_t real)
{
	while (s->count < s->most) {
		const struct mr_prefix4 *p = &s->items[next_random(s) % real];
		uint32_t below = (uint32_t)next_random(s);

		if (p->len < 24 && p->len >= 8)
			set_add(s, p->prefix | cut(below & ~0u >> p->len, 24), 24);
	}
}

struct mr_prefix4 *
mr_prefixes_load4(const char *path, uint32_t count, uint64_t seed, uint32_t *real)
{
	uint32_t have = 0;
	struct set s;

	if (real)
		*real = 0;
	if (!set_open(&s, MR_MAX(count, path ? 1u << 21 : 0), seed))
		goto no_memory;
	if (path)
		read_file(&s, path);
	have = s.count;
	s.most = count;
	if (have > count) {
		shuffle(&s);
		have = count;
	} else if (have > count / 2) {
		fill_up(&s, have);
	} else {
		generate(&s);
	}
	if (real)
		*real = have;
	free(s.index);
	return s.items;

no_memory:
	free(s.items);
	free(s.index);
	return NULL;
}

const char *
mr_prefixes_path(char *buffer, size_t size)
{
	const char *data[] = { getenv("MR_DATA"), "../shared/data", "../../shared/data" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(data); i++) {
		if (!data[i])
			continue;
		snprintf(buffer, size, "%s/%s", data[i], FILE_NAME);
		if (!access(buffer, R_OK))
			return buffer;
	}
	return NULL;
}

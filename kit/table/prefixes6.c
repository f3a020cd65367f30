/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/prefixes6.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef MR_HAVE_ZLIB
#include <zlib.h>
#endif

#define FILE_MOST (1u << 20)

/* Prefixes of each length among 160,147. */
static const uint32_t shares[129] = { [16] = 1,
	[19] = 1,
	16,
	3,
	7,
	8,
	30,
	8,
	15,
	20,
	193,
	4371,
	650,
	284,
	22548,
	2926,
	2603,
	1043,
	5996,
	880,
	1617,
	1377,
	13418,
	903,
	2301,
	1001,
	14365,
	1553,
	3039,
	3153,
	75488,
	11,
	3,
	[52] = 1,
	[55] = 1,
	24,
	[58] = 20,
	[60] = 2,
	[64] = 184,
	[112] = 2,
	[122] = 1,
	[124] = 4,
	9,
	19,
	42,
	6 };
#define SHARES 160147u

/* The array and a hash table over it, to keep its members different. */
struct set {
	struct mr_prefix6 *items;
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
	*s = (struct set){ .most = most,
		.mask = size - 1,
		.random = seed * 2 + 0x9e3779b97f4a7c15ull };
	s->items = calloc(most + 1ul, sizeof(s->items[0]));
	s->index = calloc(size, sizeof(s->index[0]));
	return s->items && s->index;
}

static void
set_add(struct set *s, const struct mr_prefix6 *p)
{
	uint64_t hash = p->len, word;
	uint32_t at;

	for (unsigned i = 0; i < 16; i += 8) {
		memcpy(&word, p->prefix + i, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	if (s->count == s->most)
		return;
	for (at = (uint32_t)hash & s->mask; s->index[at]; at = (at + 1) & s->mask) {
		if (!memcmp(&s->items[s->index[at] - 1], p, sizeof(*p)))
			return;
	}
	s->items[s->count] = *p;
	s->index[at] = ++s->count;
}

/* Clears the bits beyond the length; false when there were any. */
static bool
cut(struct mr_prefix6 *p)
{
	uint8_t any = 0;

	for (unsigned i = p->len / 8; i < 16; i++) {
		uint8_t beyond = i == p->len / 8 ? (uint8_t)(0xff >> p->len % 8) : 0xff;

		any |= p->prefix[i] & beyond;
		p->prefix[i] &= (uint8_t)~beyond;
	}
	return !any;
}

static bool
parse(char *line, struct mr_prefix6 *p)
{
	char *slash = strchr(line, '/');
	unsigned long len;

	if (!slash)
		return false;
	*slash = 0;
	len = strtoul(slash + 1, NULL, 10);
	if (len > 128 || inet_pton(AF_INET6, line, p->prefix) != 1)
		return false;
	p->len = (uint8_t)len;
	return cut(p);
}

#ifdef MR_HAVE_ZLIB
static void
read_file(struct set *s, const char *path)
{
	gzFile file = gzopen(path, "r");
	struct mr_prefix6 p;
	char line[128];

	if (!file)
		return;
	gzbuffer(file, 1 << 17);
	while (gzgets(file, line, sizeof(line)))
		if (parse(line, &p))
			set_add(s, &p);
	gzclose(file);
}
#else
static void
read_file(struct set *s, const char *path)
{
	FILE *file = fopen(path, "r");
	struct mr_prefix6 p;
	char line[128];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (parse(line, &p))
			set_add(s, &p);
	fclose(file);
}
#endif

static void
shuffle(struct set *s)
{
	for (uint32_t i = s->count; i > 1; i--) {
		uint32_t j = (uint32_t)(next_random(s) % i);
		struct mr_prefix6 p = s->items[j];

		s->items[j] = s->items[i - 1];
		s->items[i - 1] = p;
	}
}

static unsigned
draw_length(struct set *s)
{
	uint32_t share = (uint32_t)(next_random(s) % SHARES);
	unsigned len = 0;

	while (share >= shares[len])
		share -= shares[len++];
	return len;
}

/* Puts random bits behind the first `keep`, in 2000::/3 whatever stood there. */
static void
scatter(struct set *s, struct mr_prefix6 *p, unsigned keep)
{
	struct mr_prefix6 old = *p;

	for (unsigned i = keep / 8; i < 16; i++)
		p->prefix[i] = (uint8_t)(next_random(s) >> 56);
	if (keep % 8)
		p->prefix[keep / 8] = (uint8_t)((old.prefix[keep / 8] & 0xff << (8 - keep % 8)) |
		    (p->prefix[keep / 8] & 0xff >> keep % 8));
	p->prefix[0] = (uint8_t)(0x20 | (p->prefix[0] & 0x1f));
}

/* Longer ones below what networks have, shorter ones below what registries have. */
static void
fill_up(struct set *s)
{
	while (s->count < s->most) {
		struct mr_prefix6 p = { { 0 }, 0 };

		if (s->count)
			p = s->items[next_random(s) % s->count];
		p.len = (uint8_t)draw_length(s);
		scatter(s, &p, s->count < 32 ? 3 : p.len > 36 ? 32 : p.len > 20 ? 18 : 12);
		(void)cut(&p);
		set_add(s, &p);
	}
}

struct mr_prefix6 *
mr_prefixes_load6(const char *path, uint32_t count, uint64_t seed, uint32_t *real)
{
	uint32_t have = 0;
	struct set s;

	if (real)
		*real = 0;
	if (!set_open(&s, MR_MAX(count, path ? FILE_MOST : 0), seed))
		goto no_memory;
	if (path)
		read_file(&s, path);
	have = s.count;
	s.most = count;
	if (have > count) {
		shuffle(&s);
		have = count;
	}
	fill_up(&s);
	if (real)
		*real = have;
	free(s.index);
	return s.items;

no_memory:
	free(s.items);
	free(s.index);
	return NULL;
}

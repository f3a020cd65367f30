/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/classbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef MR_HAVE_ZLIB
#include <zlib.h>
#else
#define gzFile FILE *
#define gzopen fopen
#define gzclose fclose
#define gzgets(file, line, size) fgets(line, size, file)
#endif

uint64_t
mr_classbench_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dull;
}

static void
cut(uint8_t address[16], unsigned len, unsigned bytes)
{
	for (unsigned i = len / 8; i < bytes; i++)
		address[i] &= i == len / 8 ? (uint8_t)(0xff00 >> len % 8) : 0;
}

static bool
parse(const char *line, bool flags, struct mr_class_rule *r)
{
	unsigned s[5], d[5], sl, sh, dl, dh, proto, mask, flag, flag_mask;

	if (sscanf(line,
		"@%3u.%3u.%3u.%3u/%2u %3u.%3u.%3u.%3u/%2u %5u : %5u %5u : %5u %4x/%4x %6x/%6x",
		&s[0], &s[1], &s[2], &s[3], &s[4], &d[0], &d[1], &d[2], &d[3], &d[4], &sl, &sh, &dl,
		&dh, &proto, &mask, &flag, &flag_mask) != 18)
		return false;
	if (s[4] > 32 || d[4] > 32 || sl > sh || dl > dh || sh > 65535 || dh > 65535 ||
	    (mask != 0 && mask != 0xff))
		return false;
	*r = (struct mr_class_rule){
		.family = 4,
		.src_len = (uint8_t)s[4],
		.dst_len = (uint8_t)d[4],
		.sport_lo = (uint16_t)sl,
		.sport_hi = (uint16_t)sh,
		.dport_lo = (uint16_t)dl,
		.dport_hi = (uint16_t)dh,
		.proto = (uint8_t)(proto & mask),
		.proto_mask = (uint8_t)mask,
		.extra = flags ? flag & flag_mask : 0,
		.extra_mask = flags ? flag_mask : 0,
	};
	for (unsigned i = 0; i < 4; i++) {
		r->src[i] = (uint8_t)s[i];
		r->dst[i] = (uint8_t)d[i];
	}
	cut(r->src, r->src_len, 4);
	cut(r->dst, r->dst_len, 4);
	return true;
}

struct mr_class_rule *
mr_classbench_load(const char *path, bool flags, uint32_t *count)
{
	struct mr_class_rule *rules = NULL, *more;
	uint32_t n = 0, room = 0;
	gzFile file = gzopen(path, "r");
	char line[256];

	if (!file)
		return NULL;
	while (gzgets(file, line, sizeof(line))) {
		if (n == room) {
			room = room ? 2 * room : 1024;
			more = realloc(rules, room * sizeof(*rules));
			if (!more)
				goto no_memory;
			rules = more;
		}
		if (!parse(line, flags, &rules[n]))
			continue;
		rules[n].priority = rules[n].value = n;
		n++;
	}
	if (!n)
		goto no_memory;
	gzclose(file);
	*count = n;
	return rules;

no_memory:
	gzclose(file);
	free(rules);
	return NULL;
}

const char *
mr_classbench_path(const char *set, char *buffer, size_t size)
{
	const char *data[] = { getenv("MR_DATA"), "../shared/data", "../../shared/data" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(data); i++) {
		if (!data[i])
			continue;
		snprintf(buffer, size, "%s/acl/%s.gz", data[i], set);
		if (!access(buffer, R_OK))
			return buffer;
	}
	return NULL;
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	return (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
}

/* Whether a bit turns depends on those before it, and on the copy. */
static void
move(uint8_t address[16], unsigned len, uint64_t copy)
{
	uint32_t a = (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 |
	    (uint32_t)address[2] << 8 | address[3],
		 b = a;

	for (unsigned i = 8; i < len; i++)
		b ^= (uint32_t)(mix(a >> (32 - i) | (uint64_t)i << 32 | copy << 40) >> 63)
		    << (31 - i);
	for (unsigned i = 0; i < 4; i++)
		address[i] = (uint8_t)(b >> (24 - 8 * i));
}

/* All fields but priority and value, without a gap. */
#define FIELDS offsetof(struct mr_class_rule, extra)
#define FIELDS_SIZE (offsetof(struct mr_class_rule, proto_mask) + 1 - FIELDS)

/* FNV. */
static uint64_t
rule_hash(const struct mr_class_rule *rule)
{
	const uint8_t *p = (const uint8_t *)rule;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = FIELDS; i < FIELDS + FIELDS_SIZE; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

static int
by_priority(const void *a, const void *b)
{
	const struct mr_class_rule *x = a, *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

struct mr_class_rule *
mr_classbench_grow(const struct mr_class_rule *rules, uint32_t count, uint32_t want, uint64_t seed)
{
	struct mr_class_rule *out = malloc(want * sizeof(*out));
	uint32_t size = 64, n = 0, *index;
	uint64_t copies = 4ull * want / count + 64;

	while (size < 2 * want)
		size *= 2;
	index = calloc(size, sizeof(*index));
	if (!out || !index)
		goto fail;
	for (uint64_t copy = 0; n < want && copy < copies; copy++)
		for (uint32_t i = 0; n < want && i < count; i++) {
			struct mr_class_rule r = rules[i];
			uint32_t at;

			if (copy) {
				move(r.src, r.src_len, seed + copy);
				move(r.dst, r.dst_len, seed + copy);
			}
			at = (uint32_t)(rule_hash(&r) >> 24) & (size - 1);
			while (
			    index[at] && memcmp(&out[index[at] - 1].extra, &r.extra, FIELDS_SIZE))
				at = (at + 1) & (size - 1);
			if (index[at])
				continue;
			r.priority = (uint32_t)(i * copies + copy);
			out[n] = r;
			index[at] = ++n;
		}
	if (n < want)
		goto fail;
	free(index);
	qsort(out, n, sizeof(*out), by_priority);
	for (uint32_t i = 0; i < n; i++)
		out[i].priority = out[i].value = i;
	return out;

fail:
	free(index);
	free(out);
	return NULL;
}

static void
spread(uint8_t address[16], uint8_t *len)
{
	uint8_t from[4];

	memcpy(from, address, 4);
	memset(address, 0, 16);
	for (unsigned i = 0; i < 4; i++) {
		address[2 * i] = 0x20;
		address[2 * i + 1] = from[i];
	}
	/* A host's prefix is a host's again; its last eight bytes are 0. */
	*len = *len == 32 ? 128 : (uint8_t)(*len / 8 * 16 + (*len % 8 ? 8 + *len % 8 : 0));
	cut(address, *len, 16);
}

void
mr_classbench_to_six(struct mr_class_rule *rules, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		rules[i].family = 6;
		spread(rules[i].src, &rules[i].src_len);
		spread(rules[i].dst, &rules[i].dst_len);
	}
}

static void
some_address(uint8_t out[16], const uint8_t prefix[16], unsigned len, unsigned bytes, bool corner,
    uint64_t *seed)
{
	uint64_t all = mr_classbench_random(seed) & 1 ? ~0ull : 0;
	uint8_t prefix_bits;

	memset(out, 0, 16);
	for (unsigned i = 0; i < bytes; i++) {
		out[i] = (uint8_t)(corner ? all : mr_classbench_random(seed) >> 40);
		if (i < len / 8)
			out[i] = prefix[i];
		if (i == len / 8 && len % 8) {
			prefix_bits = (uint8_t)(0xff00 >> len % 8);
			out[i] = (uint8_t)((out[i] & ~prefix_bits) | prefix[i]);
		}
	}
}

static uint16_t
some_port(uint16_t lo, uint16_t hi, bool corner, uint64_t *seed)
{
	uint64_t r = mr_classbench_random(seed) >> 20;

	if (corner)
		return r & 1 ? lo : hi;
	return (uint16_t)(lo + r % (hi - lo + 1u));
}

void
mr_classbench_key(struct mr_class_key *key, const struct mr_class_rule *rule, bool corner,
    uint64_t *seed)
{
	static const uint8_t protos[] = { 6, 17, 1, 47 };
	unsigned bytes = rule->family == 6 ? 16 : 4;

	*key = (struct mr_class_key){ .family = rule->family };
	some_address(key->src, rule->src, rule->src_len, bytes, corner, seed);
	some_address(key->dst, rule->dst, rule->dst_len, bytes, corner, seed);
	key->sport = some_port(rule->sport_lo, rule->sport_hi, corner, seed);
	key->dport = some_port(rule->dport_lo, rule->dport_hi, corner, seed);
	key->proto = rule->proto_mask ? rule->proto : protos[mr_classbench_random(seed) >> 62];
	key->extra = rule->extra |
	    ((uint32_t)(mr_classbench_random(seed) >> 32) & 0x1fff & ~rule->extra_mask);
}

static bool
in_prefix(const uint8_t *address, const uint8_t *prefix, unsigned len)
{
	return !memcmp(address, prefix, len / 8) &&
	    (len % 8 == 0 || !((address[len / 8] ^ prefix[len / 8]) >> (8 - len % 8)));
}

bool
mr_classbench_matches(const struct mr_class_rule *r, const struct mr_class_key *key)
{
	return r->family == key->family && r->sport_lo <= key->sport && key->sport <= r->sport_hi &&
	    r->dport_lo <= key->dport && key->dport <= r->dport_hi &&
	    (key->proto & r->proto_mask) == r->proto && (key->extra & r->extra_mask) == r->extra &&
	    in_prefix(key->src, r->src, r->src_len) && in_prefix(key->dst, r->dst, r->dst_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of rules. What is taken is a range that goes upwards within its field, and what is not says
 * why; sets made of ranges are right: prefixes cover a set and nothing else, and taking away what was
 * added leaves nothing. Input: a byte that says what the words are, then words, a line each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/acl/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t bits_of[] = { 128, 16, 8, 16, 16, 48, 6, 16 };

static void
must(bool good)
{
	if (!good)
		abort();
}

static bool
parse(unsigned kind, const char *word, struct acl_range *r, unsigned *bits, char *why)
{
	unsigned family = 6;
	uint32_t value, mask;
	uint8_t m, v;
	bool good;

	*bits = bits_of[kind];
	switch (kind) {
	case 0:
		good = acl_text_address(word, &family, r, why);
		*bits = family == 4 ? 32 : 128;
		return good;
	case 1:
		return acl_text_port(word, r, why);
	case 2:
		return acl_text_protocol(word, r, why);
	case 3:
		return acl_text_icmp(word, 4, r, why);
	case 4:
		return acl_text_icmp(word, 6, r, why);
	case 5:
		return acl_text_mac(word, r, why);
	case 6:
		return acl_text_dscp(word, r, why);
	default:
		/* Both forms that are no ranges, too. */
		if (acl_text_mark(word, &value, &mask, why))
			must(!(value & ~mask));
		if (acl_text_tcp_flags(word, &m, &v, why))
			must(m && !(v & ~m));
		return acl_text_number(word, 65535, r, why);
	}
}

struct prefixes {
	struct acl_ranges all;
	unsigned bits;
};

static int
one_prefix(void *user, acl_number value, unsigned len)
{
	struct prefixes *p = user;
	acl_number host = acl_all_ones(p->bits - len);

	must(!(value & host));
	return acl_ranges_add(&p->all, value, value | host);
}

static void
check_set(struct acl_ranges *set, unsigned bits)
{
	struct prefixes p = { .bits = bits };

	acl_ranges_seal(set);
	for (uint32_t i = 0; i < set->count; i++) {
		must(acl_ranges_has(set, set->at[i].first) && acl_ranges_has(set, set->at[i].last));
		if (i)
			must(set->at[i].first > set->at[i - 1].last + 1);
	}
	must(acl_ranges_prefixes(set, bits, one_prefix, &p) == 0);
	acl_ranges_seal(&p.all);
	must(p.all.count == set->count &&
	    (!set->count || !memcmp(p.all.at, set->at, set->count * sizeof(*set->at))));
	must(acl_ranges_subtract(&p.all, set) == 0 && p.all.count == 0);
	acl_ranges_free(&p.all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acl_ranges sets[129] = { 0 };
	unsigned kind, words = 0;
	char word[256];

	if (!size)
		return 0;
	kind = data[0] % 8;
	for (size_t at = 1; at < size && words < 64; words++) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t len = end ? (size_t)(end - data) - at : size - at;
		char why[ACL_WHY] = "";
		struct acl_range r;
		unsigned bits;

		snprintf(word, sizeof(word), "%.*s", (int)MR_MIN(len, sizeof(word) - 1),
		    (const char *)data + at);
		at += len + 1;
		if (!parse(kind, word, &r, &bits, why)) {
			must(why[0]);
			continue;
		}
		must(r.first <= r.last && r.last <= acl_all_ones(bits));
		must(acl_ranges_add(&sets[bits], r.first, r.last) == 0);
	}
	for (unsigned bits = 0; bits < MR_ARRAY_COUNT(sets); bits++) {
		if (sets[bits].count)
			check_set(&sets[bits], bits);
		acl_ranges_free(&sets[bits]);
	}
	return 0;
}

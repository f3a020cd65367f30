/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_RANGES_H
#define MR_NF_ACL_RANGES_H

/*
 * Sets of numbers as ranges: addresses of either family (the first byte on the wire is the most
 * significant one), ports, protocols, whatever a rule compares. A set is built by adding ranges in
 * any order and then sealed: sorted, with what touches merged. All other functions take sealed
 * sets.
 *
 * Ownership: a set owns its ranges; one that is all zeros is empty and sealed.
 * Threads: sealed sets may be read by any number.
 * Errors: -ENOMEM, the set then being as it was.
 */

#include "kit/base/def.h"

typedef unsigned __int128 acl_number;

struct acl_range {
	acl_number first, last; /* inclusive */
};

struct acl_ranges {
	struct acl_range *at;
	uint32_t count, room;
};

int acl_ranges_add(struct acl_ranges *, acl_number first, acl_number last);
int acl_ranges_add_all(struct acl_ranges *, const struct acl_ranges *);
void acl_ranges_seal(struct acl_ranges *);
/* Takes `away` out of it. */
int acl_ranges_subtract(struct acl_ranges *, const struct acl_ranges *away);
bool acl_ranges_has(const struct acl_ranges *, acl_number);
void acl_ranges_free(struct acl_ranges *);

/* Whether it is all numbers of so many bits. */
bool acl_ranges_is_all(const struct acl_ranges *, unsigned bits);
/* How many numbers are in it, at most `limit`. */
uint64_t acl_ranges_size(const struct acl_ranges *, uint64_t limit);

/* The fewest prefixes of numbers of `bits` bits that make up the set, in order: the value, aligned
 * to its length, and the length. */
typedef int acl_prefix_fn(void *user, acl_number value, unsigned len);
int acl_ranges_prefixes(const struct acl_ranges *, unsigned bits, acl_prefix_fn *, void *user);
/* How many that are. */
uint64_t acl_ranges_count_prefixes(const struct acl_ranges *, unsigned bits);

/* The largest number of so many bits. */
mr_inline acl_number
acl_all_ones(unsigned bits)
{
	return bits >= 128 ? ~(acl_number)0 : ((acl_number)1 << bits) - 1;
}

/* Addresses as they stand on the wire. */
mr_inline acl_number
acl_number_load(const uint8_t *bytes, unsigned size)
{
	acl_number n = 0;

	for (unsigned i = 0; i < size; i++)
		n = n << 8 | bytes[i];
	return n;
}

mr_inline void
acl_number_store(acl_number n, uint8_t *bytes, unsigned size)
{
	for (unsigned i = size; i-- > 0; n >>= 8)
		bytes[i] = (uint8_t)n;
}

#endif

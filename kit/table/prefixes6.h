/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_PREFIXES6_H
#define MR_KIT_TABLE_PREFIXES6_H

/*
 * Tables of IPv6 prefixes for tests and benchmarks; not part of the library. From a file
 * with one prefix ("2001:db8::/32") a line (gzip'ed or not; other lines, IPv4 too, are
 * passed over; kit/table/prefixes.h knows where it is), or made up with the lengths that the
 * Internet's table had in 2023. What a file lacks is made up below its own prefixes; of a
 * larger one a random part is taken.
 *
 * Ownership: what load returns is the caller's to free().
 * Threads: none.
 * Errors: null without memory; a file that cannot be read is not an error.
 */

#include "kit/base/def.h"

struct mr_prefix6 {
	uint8_t prefix[16]; /* wire order */
	uint8_t len;
};

/* Exactly `count` (at most 2^22) different ones. `path` may be null; `real`, which may be
 * null, says how many are from the file. */
struct mr_prefix6 *mr_prefixes_load6(const char *path, uint32_t count, uint64_t seed,
    uint32_t *real);

#endif

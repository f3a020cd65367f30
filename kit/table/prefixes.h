/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_PREFIXES_H
#define MR_KIT_TABLE_PREFIXES_H

/*
 * Tables of prefixes for tests and benchmarks; not part of the library. From a file
 * with one "a.b.c.d/len" a line (gzip'ed or not; other lines, IPv6 too, are passed
 * over), or made up with the lengths that the Internet's table had in 2023 and about
 * as clustered. What a file lacks is filled up with /24s under its shorter prefixes; of a
 * larger one a random part is taken.
 *
 * Ownership: what load returns is the caller's to free().
 * Threads: none.
 * Errors: null without memory; a file that cannot be read is not an error.
 */

#include "kit/base/def.h"

struct mr_prefix4 {
	uint32_t prefix; /* host order */
	uint8_t len;
};

/* Exactly `count` (at most 2^22) different ones. `path` may be null; `real`, which may be
 * null, says how many are from the file. */
struct mr_prefix4 *mr_prefixes_load4(const char *path, uint32_t count, uint64_t seed,
    uint32_t *real);

/* The full table's path in the shared data folder (environment variable MR_DATA, else where
 * it stands beside the sources), or null when there is none. */
const char *mr_prefixes_path(char *buffer, size_t size);

#endif

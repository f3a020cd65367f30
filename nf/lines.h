/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LINES_H
#define MR_NF_LINES_H

/*
 * Text on its way out of a stream (nf/nf.h): made a few lines at a time, read in pieces of any
 * size.
 *
 * Ownership: zero is an empty one; mr_lines_free gives its memory back. Threads: its owner's.
 * Errors: without memory it stays as it is, and says that it failed; it is at its end then.
 */

#include <stdbool.h>
#include <stddef.h>

#include "kit/base/def.h"

struct mr_lines {
	char *text;
	size_t used, read, room; /* bytes made, read, allocated */
	bool failed;
};

void mr_lines_put(struct mr_lines *, const char *fmt, ...) mr_printf(2, 3);
void mr_lines_free(struct mr_lines *);

/* Reads up to `size` bytes; when all that there is was read, `make` makes more: false says that
 * that was all. It may make nothing for once, having looked at much. */
typedef bool mr_lines_make_fn(void *user);
size_t mr_lines_read(struct mr_lines *, mr_lines_make_fn *make, void *user, char *text,
    size_t size);

#endif

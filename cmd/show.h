/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_SHOW_H
#define MR_CMD_SHOW_H

/*
 * What `millrace show` can show, for its own errors and for completion.
 *
 * Ownership: the caller's. Threads: one. Errors: none.
 */

#include "kit/base/def.h"

/* The n-th WHAT, as people say it ("interfaces"); false past the last. */
bool mr_cmd_show_what(unsigned n, char *text, size_t size);

#endif

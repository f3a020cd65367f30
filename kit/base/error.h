/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_ERROR_H
#define MR_KIT_BASE_ERROR_H

/*
 * What went wrong, for a person. Functions that can fail for a reason worth
 * telling take a `struct mr_error *` last, return 0 or a negative errno, and on
 * failure write one sentence that names what, where and why ("port lan1: no
 * interface veth7 in this network namespace"). No final full stop, no newline.
 *
 * Ownership: the caller's, on its stack; a null pointer is fine.
 * Threads: none; one error belongs to one call.
 */

#include <stdarg.h>

#include "kit/base/def.h"

struct mr_error {
	int code; /* the negative errno that the call returned, 0 when clear */
	char text[508];
};

/* Fills `error` and returns `code`, so that `return mr_error_set(...)` works. */
MR_API int mr_error_set(struct mr_error *error, int code, const char *fmt, ...) mr_printf(3, 4);

/* Puts `fmt: ` in front of a text that a lower floor wrote. Returns the code. */
MR_API int mr_error_prefix(struct mr_error *error, const char *fmt, ...) mr_printf(2, 3);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_HEX_H
#define MR_KIT_BASE_HEX_H

/*
 * Bytes written as hexadecimal digits, as people paste them: white space and colons between bytes
 * are skipped.
 *
 * Ownership: the caller's. Threads: no state. Errors: -EINVAL for anything that is no whole byte,
 * -E2BIG for more than `max` bytes.
 */

#include "kit/base/def.h"

/* Returns how many bytes there were. */
MR_API long mr_hex_read(const char *text, size_t len, uint8_t *out, size_t max);
/* Writes 2 * count digits and a zero byte. */
MR_API void mr_hex_write(char *out, const uint8_t *bytes, size_t count);

#endif

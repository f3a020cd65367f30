/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_JSON_INT_H
#define MR_MODEL_JSON_INT_H

/*
 * A text as a JSON string (RFC 8259, section 7), for those who write JSON.
 * Ownership, threads: the caller's. Errors: none; bytes that are not UTF-8 come
 * out as U+FFFD, so that what is written can always be read.
 */

#include <stdio.h>

#include "kit/base/def.h"

/* The longest that one byte of text can become. */
#define MR_JSON_BYTE_MAX 6

/* Writes `text` between quotes, with no null behind it, and returns the bytes
 * written: at most MR_JSON_BYTE_MAX * strlen(text) + 2. */
size_t mr_json_quote(char *out, const char *text);

void mr_json_print(FILE *, const char *text);

/* Length in bytes of the well-formed UTF-8 sequence that begins here, 0 when there
 * is none (RFC 3629: nothing overlong, no surrogates). */
unsigned mr_utf8_length(const char *text, size_t size);
/* Whether all of a text is. */
bool mr_utf8_valid(const char *text);

#endif

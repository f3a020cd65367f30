/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_EDIT_WORDS_H
#define MR_CMD_EDIT_WORDS_H

/*
 * Edits of a packet in words. A recording says which bytes were written; to say that this was "IPv4
 * TTL 64 -> 63" one has to know the packet, so a shadow of its first bytes follows the edits,
 * one for each branch of the recording.
 *
 * Ownership: the caller's values. Threads: no state. Errors: what cannot be read as headers is said as
 * bytes and numbers.
 */

#include "kit/base/def.h"

#define MR_SHADOW_MAX 256u
#define MR_EDIT_LINES_MAX 20u /* a SET of 16 bytes is at most so many fields */
#define MR_EDIT_LINE_MAX 160u

struct mr_shadow {
	uint8_t bytes[MR_SHADOW_MAX];
	bool known[MR_SHADOW_MAX]; /* a byte of the packet; not one of a gap just opened */
};

typedef char mr_edit_line[MR_EDIT_LINE_MAX];

void mr_shadow_begin(struct mr_shadow *, const uint8_t *bytes, unsigned len);

/* Each follows one edit; those that return a number write as many lines. */
unsigned mr_shadow_set(struct mr_shadow *, unsigned offset, const uint8_t *bytes, unsigned len,
    mr_edit_line lines[MR_EDIT_LINES_MAX]);
/* The TTL or hop limit of the header at `offset`, made one less; `version` 4 or 6. */
/* Bytes that changed to something that is not followed. */
void mr_shadow_forget(struct mr_shadow *, unsigned offset, unsigned len);
void mr_shadow_ttl(struct mr_shadow *, unsigned offset, unsigned version, mr_edit_line line);
void mr_shadow_push(struct mr_shadow *, unsigned offset, unsigned len);
void mr_shadow_pop(struct mr_shadow *, unsigned offset, unsigned len);

#endif

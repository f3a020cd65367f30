/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_ALG_ALG_TEXT_H
#define MR_NF_NAT_ALG_ALG_TEXT_H

/*
 * What the readers of text protocols (FTP, SIP) share: numbers and addresses in bytes that
 * end where they end, and a list of replacements that turns one payload into another.
 *
 * Ownership: payloads are the caller's; nothing points into them but offsets.
 * Threads: none. Errors: false; then nothing was read.
 */

#include "kit/base/def.h"

#define ALG_EDITS_MAX 48u
#define ALG_EDIT_MAX 64u /* bytes of one replacement */

/* Bytes that are being read: from `at` up to `end`. */
struct alg_text {
	const char *at, *end;
};

/* An IPv4 address in its first four bytes. */
struct alg_address {
	uint8_t family; /* 4 or 6 */
	uint8_t bytes[16];
};

struct alg_edit {
	uint32_t at, size; /* of what is replaced */
	uint8_t text_size;
	char text[ALG_EDIT_MAX];
};

/* In the order of their places, none over another. */
struct alg_edits {
	unsigned count;
	struct alg_edit items[ALG_EDITS_MAX];
};

/* Each steps behind what it read. */
bool alg_read_char(struct alg_text *, char);
bool alg_read_number(struct alg_text *, unsigned max, unsigned *value); /* decimal, no sign */
/* Of this family, written as inet_pton takes it, and nothing that goes on as an address would. */
bool alg_read_address(struct alg_text *, unsigned family, struct alg_address *);
/* Whether it begins with the word, letters of any case. */
bool alg_begins(const struct alg_text *, const char *word);
/* Up to the line feed, without it and a carriage return before it, and steps behind. False: no
 * line feed comes. */
bool alg_read_line(struct alg_text *, struct alg_text *line);

/* Without a final zero; the number of bytes. `out` has room for 46. */
unsigned alg_write_address(char *out, const struct alg_address *);

bool alg_address_equal(const struct alg_address *, unsigned family, const void *bytes);

/* False when there are too many, or it does not come behind the one before. */
bool alg_edit(struct alg_edits *, uint32_t at, uint32_t size, const char *text, unsigned text_size);
/* By how much the payload grows. */
int alg_edits_growth(const struct alg_edits *, uint32_t from);
/* The payload as it becomes; 0 when it does not fit into `room`. */
size_t alg_edits_apply(const struct alg_edits *, const void *payload, size_t size, void *out,
    size_t room);

#endif

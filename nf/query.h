/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_QUERY_H
#define MR_NF_QUERY_H

/*
 * What clients ask of streams (struct mr_nf_query, nf/nf.h), read as what it means.
 *
 * Each reads the value of one name. What was not given leaves the answer as it is and is no
 * error; what makes no sense is -EINVAL and a sentence that quotes it.
 * Threads: no state.
 */

#include "nf/nf.h"

enum mr_query_form { MR_QUERY_TEXT, MR_QUERY_JSON, MR_QUERY_COUNT, MR_QUERY_FORMS };

struct mr_query_prefix {
	bool given, six;
	bool whole; /* an address, without a length */
	uint8_t bits;
	uint8_t bytes[16];
};

/* "form": text, json or count. */
int mr_query_form(const struct mr_nf_query *, enum mr_query_form *, struct mr_error *);
/* The place of the value among `count` names; `what` is what it should have been: "state". */
int mr_query_word(const struct mr_nf_query *, const char *name, const char *const *names,
    unsigned count, const char *what, int *out, struct mr_error *);
/* From least to most. */
int mr_query_number(const struct mr_nf_query *, const char *name, uint32_t least, uint32_t most,
    const char *what, int *out, struct mr_error *);
/* "tcp", "icmpv6" or a number. */
int mr_query_protocol(const struct mr_nf_query *, const char *name, int *out, struct mr_error *);
/* An address or a prefix. */
int mr_query_prefix(const struct mr_nf_query *, const char *name, struct mr_query_prefix *,
    struct mr_error *);

/* Whether the address (4 or 16 bytes) is in the prefix. */
bool mr_query_covers(const struct mr_query_prefix *, bool six, const uint8_t *address);

#endif

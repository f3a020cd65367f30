/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_SUGGEST_H
#define MR_KIT_BASE_SUGGEST_H

/*
 * "Did you mean ...?": of the words that would have been right, the one nearest
 * to the word that a person wrote, when one is near enough to be worth naming.
 *
 *	struct mr_suggest s = {.word = given};
 *
 *	for (i = 0; names[i]; i++)
 *		mr_suggest_try(&s, names[i]);
 *	if (mr_suggest_best(&s)) ...
 *
 * Ownership: everything is the caller's; the winner points into its candidates.
 * Threads: none. Errors: none.
 */

#include "kit/base/def.h"

struct mr_suggest {
	const char *word;  /* what was written */
	const char *best;  /* nearest so far */
	unsigned distance; /* of best */
};

/* How many insertions, deletions, replacements and swaps of neighbours make `b`
 * of `a` (optimal string alignment). Words are compared up to 63 characters. */
MR_API unsigned mr_suggest_distance(const char *a, const char *b);

MR_API void mr_suggest_try(struct mr_suggest *, const char *candidate);

/* The nearest candidate, or null when none is within a third of the word's length
 * (one edit at least). */
MR_API const char *mr_suggest_best(const struct mr_suggest *);

#endif

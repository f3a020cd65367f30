/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_STATE_INT_H
#define MR_MODEL_STATE_INT_H

/*
 * A state whose leaves go to a receiver one by one, as numbers and texts, where others become a
 * line of JSON: for those who want values, not text (sample.h).
 * Ownership, threads and errors as in state.h; nothing is called after the first error.
 */

#include <libyang/libyang.h>

#include "model/state.h"

/* One leaf's value, as its writer gave it. */
struct mr_state_value {
	enum {
		MR_STATE_IS_TEXT,
		MR_STATE_IS_NUMBER,
		MR_STATE_IS_REAL,
		MR_STATE_IS_BOOL,
	} is;
	const char *text; /* valid during the call; of an enumeration: lives with the model */
	uint64_t size;    /* of a number; 0 or 1 */
	bool negative;
	double real;
};

struct mr_state_sink {
	/* A container, or a list's entry, of which the first leaves are the keys. */
	void (*open)(void *arg, const struct lysc_node *);
	void (*close)(void *arg);
	void (*leaf)(void *arg, const struct lysc_node *, const struct mr_state_value *);
};

int mr_state_create_into(struct mr_state **out, const struct mr_model *,
    const struct mr_state_sink *, void *arg);

#endif

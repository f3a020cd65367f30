/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_COMPLETE_H
#define MR_MODEL_COMPLETE_H

/*
 * What may stand next in a path that is being typed, and the values of a leaf: from the model, and
 * from a configuration's keys.
 *
 * Ownership: candidates are valid during the call. Threads: the model's thread. Errors: none; what
 * makes no sense has no candidates.
 */

#include "model/config.h"

typedef void (*mr_complete_offer)(void *arg, const char *candidate);

/* Whole paths that begin with what was typed; one that ends in a slash goes on. `there`: only
 * what the configuration has. The configuration may be null. */
void mr_complete_path(const struct mr_model *, const struct mr_config *, const char *typed,
    bool there, mr_complete_offer, void *arg);
/* Words that the leaf at a path may have: of an enumeration, names of what it may refer to. */
void mr_complete_value(const struct mr_model *, const struct mr_config *, const char *path,
    mr_complete_offer, void *arg);

#endif

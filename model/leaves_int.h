/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_LEAVES_INT_H
#define MR_MODEL_LEAVES_INT_H

/* From libyang's nodes to ours. Ownership, threads: as in sample.h. Errors: null when there is none. */

#include <libyang/libyang.h>

#include "model/sample.h"

const struct mr_leaf *leaves_find(const struct mr_leaves *, const struct lysc_node *);
const struct mr_leaf_list *leaves_list(const struct mr_leaves *, const struct lysc_node *);

#endif

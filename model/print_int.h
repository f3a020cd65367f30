/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_PRINT_INT_H
#define MR_MODEL_PRINT_INT_H

/* What the files of printing share. */

#include "model/model_int.h"
#include "model/print.h"

const struct lyd_node *mr_print_children(const struct lyd_node *);
/* Whether a node, no key, is to be printed. */
bool mr_print_wants(const struct lyd_node *, const struct mr_print *);
void mr_print_yaml(const struct lyd_node *, const struct mr_print *, FILE *);

#endif

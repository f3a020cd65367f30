/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_OPENAPI_INT_H
#define MR_MODEL_OPENAPI_INT_H

/* What the files that write the OpenAPI description share. Ownership, threads, errors: as in
 * model/library.h. */

#include <stdio.h>

#include "model/model_int.h"

/* "description":"...", with a comma behind it; nothing for null. */
void openapi_put_doc(FILE *, const char *text);
/* A leaf or leaf-list as a schema. */
void openapi_put_leaf(FILE *, const struct lysc_node *leaf);

#endif

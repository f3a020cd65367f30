/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_REST_OPENAPI_H
#define MR_CONTROL_REST_OPENAPI_H

/*
 * The OpenAPI description of everything that is answered over HTTP.
 *
 * Ownership: the caller's. Threads: the thread that owns the model.
 * Errors: what the stream keeps (ferror).
 */

#include <stdio.h>

struct mr_model;

void mr_rest_openapi(const struct mr_model *, FILE *);

#endif

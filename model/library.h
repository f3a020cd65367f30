/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_LIBRARY_H
#define MR_MODEL_LIBRARY_H

/*
 * The model told to other machines: as the modules that it is made of, and as an OpenAPI
 * description of the resources that RFC 8040 makes of it.
 *
 * Ownership: the caller's. Threads: the thread that owns the model.
 * Errors: what the stream keeps (ferror).
 */

#include <stdio.h>

#include "model/model.h"

/* ietf-yang-library's data (RFC 8525, and RFC 7895's form), as RFC 7951 JSON: an object with the members
 * "ietf-yang-library:yang-library" and "ietf-yang-library:modules-state". */
void mr_model_library(const struct mr_model *, FILE *);

/* OpenAPI 3.1: every container, list, entry, leaf and operation of the model as a path under
 * /restconf. `paths` (may be null) are further members of "paths", as JSON text with a comma
 * behind each. */
void mr_model_openapi(const struct mr_model *, const char *version, const char *paths, FILE *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_LOAD_H
#define MR_CMD_LOAD_H

/*
 * What the verbs that read a configuration share: the model of everything that
 * this build has, and a file checked against it. What is wrong is printed.
 */

#include "model/config.h"
#include "model/model.h"

/* The model of all functions in this build. 0, or -errno with the reason on stderr. */
int mr_load_model(struct mr_model **out);

/* A configuration that is right in form and in meaning; else null, the errors on
 * stderr, or as JSON on stdout. */
struct mr_config *mr_load_config(struct mr_model *, const char *path, bool json);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_WEB_WEB_INT_H
#define MR_CONTROL_WEB_WEB_INT_H

/*
 * The dashboard's files, as the build put them into the program, and the model as the page reads
 * it.
 */

#include "control/http/http.h"

struct mr_model;

struct web_file {
	const char *name;
	const char *type;
	const char *tag; /* changes with the content */
	const unsigned char *bytes;
	size_t size;
};

/* Ends with a null name. */
extern const struct web_file web_files[];

/* The whole model as JSON, to be freed; null: no memory. */
char *web_model_json(const struct mr_model *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_REST_REST_INT_H
#define MR_CONTROL_REST_REST_INT_H

/* What the files of RFC 8040's resources share. A route's state is the struct rest. */

#include "control/service.h"

#define REST_JSON "application/yang-data+json"

struct mr_http_settings;

struct rest {
	struct mr_control *control;
};

/* settings.c */
void rest_read_settings(struct mr_http_settings *, const struct mr_config *);
void rest_check(void *state, const struct mr_config *next, struct mr_report *);

/* Answers with RFC 8040's errors (section 7.1): what the report has, or else this one. */
void rest_fail(const struct mr_http_call *, int code, const char *tag, const struct mr_report *,
    const char *fmt, ...) mr_printf(5, 6);
/* The status and the tag of what went wrong, from -errno. */
int rest_code(int rc, const char **tag);

void rest_operations(const struct mr_http_call *);

#endif

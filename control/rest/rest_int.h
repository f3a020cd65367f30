/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_REST_REST_INT_H
#define MR_CONTROL_REST_REST_INT_H

/* What the files of RFC 8040's resources share. A route's state is the struct rest. */

#include "control/http/settings.h"
#include "control/service.h"

#define REST_JSON "application/yang-data+json"
#define REST_PATH_MAX 4096

struct audit;
struct mr_commits;

struct rest {
	struct mr_control *control;
	struct audit *audit;
	unsigned state_streams; /* that are open */
	char *openapi;          /* made when first asked for */
	size_t openapi_size;
	bool subscribed;
};

/* settings.c */
void rest_read_settings(struct mr_http_settings *, const struct mr_config *);
void rest_check(void *state, const struct mr_config *next, struct mr_report *);

/* errors.c: answers with RFC 8040's errors (section 7.1): what the report has, or else this one. */
void rest_fail(const struct mr_http_call *, int code, const char *tag, const struct mr_report *,
    const char *fmt, ...) mr_printf(5, 6);
/* The status and the tag of what went wrong, from -errno. */
int rest_code(int rc, const char **tag);
/* Whether what the client sends, or wants, is JSON; if not, it was told so. */
bool rest_takes_json(const struct mr_http_call *);
bool rest_sends_json(const struct mr_http_call *, const char *or_type);
/* Sends a value, which it uses up. */
void rest_send(const struct mr_http_call *, int code, json_t *);

/* root.c: what does not come from the model. */
void rest_host_meta(const struct mr_http_call *);
void rest_root(const struct mr_http_call *);
void rest_openapi(const struct mr_http_call *);
/* ietf-yang-library and ietf-restconf-monitoring, as members of the top; null without memory. */
json_t *rest_own_state(const struct rest *);

/* data.c, write.c, yang_patch.c */
void rest_data(const struct mr_http_call *);
void rest_write(const struct mr_http_call *);
void rest_yang_patch(const struct mr_http_call *);
/* The entity tag and the time of the configuration in force. */
void rest_tag(const struct mr_commits *, char tag[64], char modified[40]);
/* Whether the query has only these parameters ("a|b"); if not, the client was told. */
bool rest_knows_query(const struct mr_http_call *, const char *names);
/* Whether If-Match and If-Unmodified-Since hold; if not, 412 was sent. */
bool rest_may_write(const struct mr_http_call *);

/* fields.c: keeps what RFC 8040's `fields` names ("a;b(c;d/e)"); false: it makes no sense. */
bool rest_keep_fields(json_t *value, const char *fields);
/* And what is not deeper than that, the value itself being at 1. */
void rest_keep_depth(json_t *value, unsigned depth);

void rest_operations(const struct mr_http_call *);
void rest_streams(const struct mr_http_call *);

/* audit.c */
int audit_create(struct audit **out, struct rest *, struct mr_error *);
void audit_destroy(struct audit *);
int audit_prepare(struct audit *, const struct mr_config *next, struct mr_error *);
void audit_commit(struct audit *);
void audit_abort(struct audit *);
void audit_count(const struct audit *, uint64_t *sent, uint64_t *lost);

#endif

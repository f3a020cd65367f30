/* SPDX-License-Identifier: Apache-2.0 */

/* The service: its life, and the commit that waits to be confirmed. */

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/commit/commit_int.h"

#define RETRY_MS 5000

extern const char mr_yang_millrace_commit[];

/* -- confirming ------------------------------------------------------------------------------ */

static int
pending(struct mr_commits *c, uint64_t id, struct mr_report *report)
{
	if (c->now->pub.state != MR_COMMIT_PENDING)
		return commit_refuse(report, -ENOENT, "no commit waits to be confirmed");
	if (id && id != c->now->pub.id)
		return commit_refuse(report, -ENOENT,
		    "commit %" PRIu64 " does not wait; %" PRIu64 " does", id, c->now->pub.id);
	return 0;
}

int
mr_commits_confirm(struct mr_commits *c, uint64_t id, const char *who, struct mr_report *report)
{
	struct mr_error error = { 0 };
	int rc = pending(c, id, report);

	if (rc)
		return rc;
	if (c->now->pub.kept) {
		rc = commit_store_confirm(c->store, c->now->pub.id, &error);
		if (rc)
			return commit_refuse(report, rc, "it still waits: %s", error.text);
	}
	event_del(c->timer);
	c->now->pub.state = MR_COMMIT_CONFIRMED;
	mr_config_destroy(c->fallback);
	c->fallback = NULL;
	mr_log(c->log, MR_LOG_NOTICE, "commit %" PRIu64 " is confirmed by %s", c->now->pub.id,
	    who ? who : "nobody said");
	commit_tell(c, MR_COMMIT_CONFIRM, who);
	return 0;
}

/* Brings back what was there before the commit that waits. */
static int
take_back(struct mr_commits *c, const char *who, const char *why, struct mr_report *report)
{
	struct record *r = c->now;
	char comment[120];
	const struct mr_commit_request request = { .who = who, .comment = comment };
	const struct commit_make m = {
		.request = &request,
		.origin = MR_COMMIT_EXPIRED,
		.of = c->before->pub.id,
		.must = true,
		.base = c->before->base,
	};
	uint64_t id;
	int rc;

	snprintf(comment, sizeof(comment), "commit %" PRIu64 " %s", r->pub.id, why);
	r->pub.state = MR_COMMIT_UNCONFIRMED;
	event_del(c->timer);
	rc = commit_make(c, c->fallback, &m, &id, report);
	if (rc)
		r->pub.state = MR_COMMIT_PENDING;
	else
		c->fallback = NULL;
	return rc;
}

int
mr_commits_cancel(struct mr_commits *c, uint64_t id, const char *who, struct mr_report *report)
{
	int rc = pending(c, id, report);

	if (rc)
		return rc;
	rc = take_back(c, who, "was cancelled", report);
	if (rc)
		commit_arm(c, RETRY_MS);
	return rc;
}

static void
on_expiry(evutil_socket_t fd, short what, void *arg)
{
	struct mr_commits *c = arg;
	struct mr_report *report = NULL;
	char line[1024] = "no memory";

	(void)fd;
	(void)what;
	if (mr_report_create(&report) == 0 &&
	    take_back(c, "millrace", "was not confirmed in time", report) == 0) {
		mr_report_destroy(report);
		return;
	}
	mr_report_format(report, 0, line, sizeof(line));
	mr_report_destroy(report);
	mr_log(c->log, MR_LOG_ERROR, "what was not confirmed cannot be taken back yet: %s", line);
	commit_arm(c, RETRY_MS);
}

/* -- its life -------------------------------------------------------------------------------- */

static void
commits_destroy(void *state)
{
	struct mr_commits *c = state;

	if (!c)
		return;
	if (c->timer)
		event_free(c->timer);
	for (size_t i = 0; i < c->count; i++)
		commit_record_destroy(c->records[i]);
	free(c->records);
	free(c->subscribers);
	commit_store_destroy(c->store);
	mr_config_destroy(c->running);
	mr_config_destroy(c->fallback);
	free(c->file);
	free(c);
}

/* What is in force when everything starts: a commit that was kept, or a new one. */
static int
first_commit(struct mr_commits *c, struct mr_commit_start *s)
{
	struct record *r;
	int rc;

	if (s->current) {
		c->now = commit_find(c, s->current);
		return 0;
	}
	r = commit_record_create("millrace", "");
	if (!r || commit_make_room(c)) {
		commit_record_destroy(r);
		return -ENOMEM;
	}
	rc = s->before_config ? mr_diff_create(&r->changes, s->before_config, c->running)
			      : mr_diff_create_empty(&r->changes);
	r->pub.id = c->next_id++;
	r->pub.when = commit_clock_ms(CLOCK_REALTIME);
	r->pub.origin = s->origin;
	r->pub.changes = r->changes;
	memcpy(r->base, c->base, sizeof(r->base));
	c->records[c->count++] = r;
	c->now = r;
	/* Beside commits that are kept, the file is one of them. */
	c->first_waits = c->count > 1;
	return rc;
}

static int
commits_create(void **state, struct mr_control *control, struct mr_error *error)
{
	struct mr_commit_start *s = mr_control_start(control);
	struct mr_commits *c = calloc(1, sizeof(*c));

	*state = c;
	if (!c)
		return mr_error_set(error, -ENOMEM, "no memory for commits");
	c->control = control;
	c->model = mr_control_model_of(control);
	c->log = mr_control_log(control);
	c->timer = evtimer_new(mr_control_base(control), on_expiry, c);
	c->running = s->config;
	c->file = s->file;
	c->store = s->store;
	c->records = s->records;
	c->count = c->room = s->count;
	memcpy(c->base, s->base, sizeof(c->base));
	s->config = NULL;
	s->file = NULL;
	s->store = NULL;
	s->records = NULL;
	s->count = 0;
	c->next_id = 1;
	for (size_t i = 0; i < c->count; i++)
		c->next_id = MR_MAX(c->next_id, c->records[i]->pub.id + 1);
	if (!c->timer || first_commit(c, s))
		return mr_error_set(error, -ENOMEM, "no memory for commits");
	mr_config_destroy(s->before_config);
	s->before_config = NULL;
	s->before = NULL;
	commit_read_settings(c);
	return 0;
}

/* Once the start has come through. */
static void
commits_finish(void *state)
{
	struct mr_commits *c = state;
	struct mr_error error = { 0 };

	if (!c->first_waits)
		return;
	c->first_waits = false;
	if (commit_write_earlier(c, &error))
		mr_log(c->log, MR_LOG_WARNING, "commit %" PRIu64 " is not kept: %s", c->now->pub.id,
		    error.text);
	commit_prune(c);
}

const struct mr_service mr_service_commits = {
	.name = "commits",
	.doc = "the running configuration: planned, changed, taken back and remembered",
	.yang = mr_yang_millrace_commit,
	.create = commits_create,
	.destroy = commits_destroy,
	.finish = commits_finish,
	.show = commit_show,
	.rpcs = commit_rpcs,
};

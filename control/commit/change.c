/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How the running configuration changes. It goes in this order, so that a crash at any
 * instant leaves the old or the new configuration to be started:
 *
 *	it is checked					most mistakes are found here
 *	the commit's file is written beside and synced	a disk that is full refuses the commit here
 *	data plane and services change			a failure takes the file away again
 *	the file is renamed, the folder synced		now a restart begins with it
 *
 * One that waits to be confirmed is renamed to a name that no restart begins with; confirming it is
 * another rename.
 */

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/commit/commit_int.h"

/* -- on disk --------------------------------------------------------------------------------- */

/* Writes a commit beside. */
static int
write_beside(struct mr_commits *c, struct record *r, const struct mr_config *config,
    struct mr_error *error)
{
	size_t size;
	char *text = commit_file_write(r, config, &size);
	int rc;

	if (!text)
		return mr_error_set(error, -ENOMEM, "no memory for the commit's file");
	rc = commit_store_write(c->store, r->pub.id, text, size, error);
	free(text);
	return rc;
}

/* The first commit of a client is also that of what was there before it. */
int
commit_write_earlier(struct mr_commits *c, struct mr_error *error)
{
	for (size_t i = 0; i < c->count; i++) {
		struct record *r = c->records[i];
		struct mr_config *config = NULL;
		int rc;

		if (r->pub.kept || r->forget || r->pub.state != MR_COMMIT_CONFIRMED)
			continue;
		if (mr_commits_config(c, r->pub.id, &config, NULL))
			continue;
		rc = write_beside(c, r, config, error);
		mr_config_destroy(config);
		if (!rc)
			rc = commit_store_publish(c->store, r->pub.id, false, error);
		if (rc)
			return rc;
		r->pub.kept = true;
	}
	return 0;
}

static bool
any_kept(const struct mr_commits *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->records[i]->pub.kept)
			return true;
	return false;
}

/* Whether the commit is to be on disk; 1: it has been written beside. */
static int
keep(struct mr_commits *c, struct record *r, const struct mr_config *config, bool light,
    struct mr_error *error)
{
	int rc;

	if (!c->store || r->forget || (light && !any_kept(c)))
		return 0;
	rc = commit_write_earlier(c, error);
	if (!rc)
		rc = write_beside(c, r, config, error);
	return rc ? rc : 1;
}

/* -- a change -------------------------------------------------------------------------------- */

static struct record *
new_record(struct mr_commits *c, const struct mr_config *next, const struct commit_make *m)
{
	struct record *r = commit_record_create(m->request->who, m->request->comment);

	if (!r)
		return NULL;
	if (mr_diff_create(&r->changes, c->running, next)) {
		commit_record_destroy(r);
		return NULL;
	}
	r->pub.id = c->next_id;
	r->pub.when = commit_clock_ms(CLOCK_REALTIME);
	r->pub.origin = m->origin;
	r->pub.of = m->of;
	r->pub.state = m->request->confirm ? MR_COMMIT_PENDING : MR_COMMIT_CONFIRMED;
	r->pub.changes = r->changes;
	r->forget = m->request->forget;
	memcpy(r->base, m->base ? m->base : c->base, sizeof(r->base));
	return r;
}

/* What a process is made of cannot change while it runs. */
bool
commit_waits(const struct mr_config *now, const struct mr_config *next, unsigned n,
    const char **leaf)
{
	static const char *const fixed[] = { "workers", "mode", "buffers", "pages", "numa-node",
		"control-socket", "state-directory", "plugins" };
	const struct mr_conf *a = mr_conf_child(mr_conf_root(now), "system");
	const struct mr_conf *b = mr_conf_child(mr_conf_root(next), "system");
	size_t count_a, count_b;
	const struct mr_conf *x, *y;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(fixed); i++) {
		bool same = true;

		count_a = mr_conf_count(a, fixed[i]);
		count_b = mr_conf_count(b, fixed[i]);
		x = mr_conf_child(a, fixed[i]);
		y = mr_conf_child(b, fixed[i]);
		for (; x && y && same; x = mr_conf_next(x), y = mr_conf_next(y))
			same = mr_conf_equal(x, y);
		if (count_a == count_b && same)
			continue;
		if (n-- == 0) {
			*leaf = fixed[i];
			return true;
		}
	}
	return false;
}

static void
say_what_waits(struct mr_commits *c, const struct mr_config *next)
{
	const char *leaf;

	for (unsigned n = 0; commit_waits(c->running, next, n, &leaf); n++)
		mr_log(c->log, MR_LOG_WARNING,
		    "system/%s has changed; that takes effect at the next start", leaf);
}

static void
say_made(const struct mr_commits *c, const struct record *r)
{
	const char *dash = *r->comment ? ": " : "";
	char wait[64] = "";

	if (r->pub.state == MR_COMMIT_PENDING)
		snprintf(wait, sizeof(wait), ", to be confirmed in %" PRId64 " s",
		    (c->expires - commit_clock_ms(CLOCK_MONOTONIC) + 999) / 1000);
	mr_log(c->log, MR_LOG_NOTICE,
	    "commit %" PRIu64 " by %s is in force (%s, %zu change%s%s)%s%s", r->pub.id, r->who,
	    mr_commit_origin_name(r->pub.origin), mr_diff_count(r->changes),
	    mr_diff_count(r->changes) == 1 ? "" : "s", wait, dash, r->comment);
}

void
commit_arm(struct mr_commits *c, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	c->expires = commit_clock_ms(CLOCK_MONOTONIC) + ms;
	event_add(c->timer, &tv);
}

/* Renames what was written. When that fails, the old configuration comes back, unless the change
 * must be. */
static int
publish(struct mr_commits *c, struct record *r, bool must, struct mr_report *report)
{
	struct mr_report *again = NULL;
	struct mr_error error = { 0 };
	int rc =
	    commit_store_publish(c->store, r->pub.id, r->pub.state == MR_COMMIT_PENDING, &error);

	if (!rc) {
		r->pub.kept = true;
		return 0;
	}
	if (!must && mr_report_create(&again) == 0 &&
	    mr_control_apply(c->control, c->running, again) == 0) {
		commit_store_remove(c->store, r->pub.id, r->pub.state == MR_COMMIT_PENDING);
		mr_report_destroy(again);
		return commit_refuse(report, rc,
		    "the commit cannot be kept, and nothing was changed: %s", error.text);
	}
	mr_report_destroy(again);
	mr_log(c->log, MR_LOG_ERROR, "commit %" PRIu64 " is in force but not kept: %s", r->pub.id,
	    error.text);
	return 0;
}

/* Everything that can fail comes before anything is changed, or is taken back. */
static int
change(struct mr_commits *c, struct record *r, struct mr_config *next, const struct commit_make *m,
    struct mr_report *report)
{
	struct mr_error error = { 0 };
	int rc, beside;

	if (commit_make_room(c))
		return commit_refuse(report, -ENOMEM, "no memory for the commit");
	/* What is refused anyway leaves no trace on the disk. */
	rc = mr_control_try(c->control, next, report);
	if (rc)
		return rc;
	beside = keep(c, r, next, m->light, &error);
	if (beside < 0 && !m->must)
		return commit_refuse(report, beside,
		    "the commit cannot be kept, and nothing was changed: %s", error.text);
	if (beside < 0)
		mr_log(c->log, MR_LOG_WARNING, "commit %" PRIu64 " will not be kept: %s", r->pub.id,
		    error.text);
	rc = mr_control_apply(c->control, next, report);
	if (rc) {
		if (beside > 0)
			commit_store_discard(c->store, r->pub.id);
		return rc;
	}
	return beside > 0 ? publish(c, r, m->must, report) : 0;
}

int
commit_make(struct mr_commits *c, struct mr_config *next, const struct commit_make *m, uint64_t *id,
    struct mr_report *report)
{
	struct record *r = new_record(c, next, m);
	int rc;

	if (!r)
		return commit_refuse(report, -ENOMEM, "no memory for the commit");
	*id = c->now->pub.id;
	if (!mr_diff_count(r->changes) && m->origin != MR_COMMIT_EXPIRED) {
		memcpy(c->base, r->base, sizeof(c->base));
		commit_record_destroy(r);
		mr_config_destroy(next);
		return 0;
	}
	rc = change(c, r, next, m, report);
	if (rc) {
		commit_record_destroy(r);
		return rc;
	}
	say_what_waits(c, next);
	commit_retire(c->now, c->running);
	if (r->pub.state == MR_COMMIT_PENDING)
		c->fallback = c->running;
	else
		mr_config_destroy(c->running);
	c->running = next;
	c->before = c->now;
	c->now = r;
	c->records[c->count++] = r;
	c->next_id++;
	memcpy(c->base, r->base, sizeof(c->base));
	*id = r->pub.id;
	if (r->pub.state == MR_COMMIT_PENDING)
		commit_arm(c, (int64_t)m->request->confirm * 1000);
	commit_read_settings(c);
	commit_prune(c);
	say_made(c, r);
	commit_tell(c, MR_COMMIT_MADE, r->who);
	return 0;
}

static int
waits(struct mr_commits *c, struct mr_report *report)
{
	if (c->now->pub.state != MR_COMMIT_PENDING)
		return 0;
	return commit_refuse(report, -EBUSY,
	    "commit %" PRIu64 " by %s waits to be confirmed: confirm or cancel it first",
	    c->now->pub.id, c->now->who);
}

/* The fingerprint of the file as it is now, if it says the same as the text. */
static const char *
same_as_file(struct mr_commits *c, const struct mr_commit_request *request,
    char hash[COMMIT_HASH_TEXT])
{
	char *text = NULL, now[COMMIT_HASH_TEXT];
	size_t size;

	if (!c->file || !request->text || mr_config_read_text(c->file, &text, &size, NULL))
		return NULL;
	commit_hash(text, size, now);
	free(text);
	commit_hash(request->text, request->text_size, hash);
	return strcmp(now, hash) ? NULL : hash;
}

int
mr_commits_apply(struct mr_commits *c, struct mr_config *next,
    const struct mr_commit_request *request, uint64_t *id, struct mr_report *report)
{
	char hash[COMMIT_HASH_TEXT];
	const struct commit_make m = {
		.request = request,
		.origin = MR_COMMIT_APPLY,
		.base = same_as_file(c, request, hash),
	};
	int rc = waits(c, report);

	return rc ? rc : commit_make(c, next, &m, id, report);
}

int
mr_commits_edit(struct mr_commits *c, const struct mr_edit *edits, size_t count,
    const struct mr_commit_request *request, uint64_t *id, struct mr_report *report)
{
	struct mr_config *next;
	int rc = mr_config_edit(&next, c->model, c->running, edits, count, report);

	if (rc)
		return rc;
	rc = mr_commits_apply(c, next, request, id, report);
	if (rc)
		mr_config_destroy(next);
	return rc;
}

/* The last one before that whose configuration is in force: so that going back twice goes back
 * two commits. 0: there is none. */
uint64_t
mr_commits_earlier(const struct mr_commits *c)
{
	const struct record *at = c->now, *of;

	while (at->pub.of && at->pub.of < at->pub.id && (of = commit_find(c, at->pub.of)))
		at = of;
	for (size_t i = c->count; i-- > 0;)
		if (c->records[i]->pub.id < at->pub.id &&
		    c->records[i]->pub.state == MR_COMMIT_CONFIRMED)
			return c->records[i]->pub.id;
	return 0;
}

int
mr_commits_rollback(struct mr_commits *c, uint64_t to, const struct mr_commit_request *request,
    uint64_t *id, struct mr_report *report)
{
	struct commit_make m = { .request = request, .origin = MR_COMMIT_ROLLBACK };
	struct mr_config *next;
	int rc = waits(c, report);

	if (rc)
		return rc;
	m.of = to ? to : mr_commits_earlier(c);
	if (!m.of)
		return commit_refuse(report, -ENOENT, "there is no commit before this one");
	rc = mr_commits_config(c, m.of, &next, report);
	if (rc)
		return rc;
	rc = commit_make(c, next, &m, id, report);
	if (rc)
		mr_config_destroy(next);
	return rc;
}

int
mr_commits_reload(struct mr_commits *c, struct mr_report *report)
{
	const struct mr_commit_request request = { .who = "SIGHUP" };
	char hash[COMMIT_HASH_TEXT];
	const struct commit_make m = {
		.request = &request,
		.origin = MR_COMMIT_FILE,
		.base = hash,
		.must = true,
		.light = true,
	};
	struct mr_config *next = NULL;
	char *text = NULL;
	uint64_t id;
	size_t size;
	int rc = waits(c, report);

	if (rc)
		return rc;
	if (!c->file)
		return commit_refuse(report, -ENOENT, "there is no file to read again");
	rc = mr_config_read_text(c->file, &text, &size, report);
	if (rc)
		return rc;
	commit_hash(text, size, hash);
	rc = mr_config_parse(&next, c->model, c->file, text, size, report);
	free(text);
	if (!rc)
		rc = commit_make(c, next, &m, &id, report);
	if (rc)
		mr_config_destroy(next);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What to start: the file, or the last commit that was made on top of it. Commits are on top of a
 * file as long as its bytes are those that it had when they were made.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/commit/commit_int.h"

struct found {
	uint64_t id;
	bool pending;
};

struct listing {
	struct found *list;
	size_t count, room;
};

static int
note(void *arg, uint64_t id, bool pending)
{
	struct listing *l = arg;
	struct found *grown;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		grown = realloc(l->list, l->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->list = grown;
	}
	l->list[l->count++] = (struct found){ id, pending };
	return 0;
}

static int
by_id(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

/* One commit's record; null, with a line in the log, when it is damaged. */
static struct record *
read_record(struct commit_store *store, const struct found *f, struct mr_log *log)
{
	struct mr_error error = { 0 };
	struct record *r = NULL;
	const char *yaml;
	char *text = NULL;
	size_t size, yaml_size;
	int rc = commit_store_read(store, f->id, f->pending, &text, &size, &error);

	if (!rc)
		rc = commit_file_read(&r, text, size, &yaml, &yaml_size, &error);
	if (!rc && r->pub.id != f->id) {
		rc = mr_error_set(&error, -EINVAL, "it says that it is commit %" PRIu64, r->pub.id);
		commit_record_destroy(r);
		r = NULL;
	}
	free(text);
	if (rc) {
		mr_log(log, MR_LOG_WARNING, "%s/%010" PRIu64 ".%s is left out: %s",
		    commit_store_path(store), f->id, f->pending ? "pending" : "yaml", error.text);
		return NULL;
	}
	r->pub.kept = true;
	r->pub.state = f->pending ? MR_COMMIT_UNCONFIRMED : MR_COMMIT_CONFIRMED;
	return r;
}

static int
read_history(struct mr_commit_start *s, struct mr_log *log, struct mr_error *error)
{
	struct listing l = { 0 };
	int rc = commit_store_each(s->store, note, &l, error);

	if (!rc && l.count)
		s->records = calloc(l.count, sizeof(struct record *));
	if (!rc && l.count && !s->records)
		rc = mr_error_set(error, -ENOMEM, "no memory for commits");
	if (l.count)
		qsort(l.list, l.count, sizeof(*l.list), by_id);
	for (size_t i = 0; !rc && i < l.count; i++) {
		struct record *r = read_record(s->store, &l.list[i], log);

		if (r)
			s->records[s->count++] = r;
	}
	free(l.list);
	return rc;
}

int
commit_read_kept(struct commit_store *store, const struct record *r, struct mr_model *model,
    struct mr_config **out, struct mr_report *report)
{
	bool pending = r->pub.state != MR_COMMIT_CONFIRMED;
	struct mr_error error = { 0 };
	struct record *again = NULL;
	const char *yaml;
	char *text = NULL, name[PATH_MAX];
	size_t size, yaml_size;
	int rc = commit_store_read(store, r->pub.id, pending, &text, &size, &error);

	*out = NULL;
	snprintf(name, sizeof(name), "%s/%010" PRIu64 ".%s", commit_store_path(store), r->pub.id,
	    pending ? "pending" : "yaml");
	if (!rc)
		rc = commit_file_read(&again, text, size, &yaml, &yaml_size, &error);
	if (rc)
		mr_report_add(report, name, 0, 0, "", "%s", error.text);
	else /* with the comments, so that lines are the file's */
		rc = mr_config_parse(out, model, name, text, size, report);
	commit_record_destroy(again);
	free(text);
	return rc;
}

/* -- choosing -------------------------------------------------------------------------------- */

/* Reads the file's bytes, for its fingerprint and for the configuration. */
static int
read_file(struct mr_commit_start *s, const struct mr_commit_start_config *config,
    struct mr_report *report)
{
	char *text = NULL;
	size_t size = 0;
	int rc = mr_config_read_text(config->file, &text, &size, report);

	if (rc)
		return rc;
	commit_hash(text, size, s->base);
	rc = mr_config_parse(&s->config, config->model,
	    strcmp(config->file, "-") ? config->file : "standard input", text, size, report);
	free(text);
	if (!rc) {
		mr_control_check(s->config, report);
		rc = mr_report_count(report) ? -EINVAL : 0;
	}
	return rc;
}

/* The path from the top, through the folders that are really there; the file itself may be a link
 * that will point elsewhere. To be freed; null: there is no such folder. */
static char *
absolute(const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	char *part = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
	char *folder = part ? realpath(part, NULL) : NULL, *path = NULL;

	if (folder && asprintf(&path, "%s/%s", strcmp(folder, "/") ? folder : "", name) < 0)
		path = NULL;
	free(part);
	free(folder);
	return path;
}

static int
open_store(struct mr_commit_start *s, const char *file, struct mr_log *log)
{
	const struct mr_conf *system = mr_conf_child(mr_conf_root(s->config), "system");
	const char *folder = mr_conf_text(system, "state-directory", NULL);
	struct mr_error error = { 0 };
	int rc;

	s->file = absolute(file);
	if (!s->file || (folder && !strcmp(folder, "none")))
		return 0;
	rc = commit_store_create(&s->store, folder, s->file, &error);
	if (!rc)
		rc = read_history(s, log, &error);
	/* The file can be run without; what clients commit will say it again. */
	if (rc)
		mr_log(log, MR_LOG_WARNING, "commits: %s", error.text);
	return rc == -ENOMEM ? rc : 0;
}

static void
say_what_starts(const struct mr_commit_start *s, const struct record *r, struct mr_log *log)
{
	time_t when = (time_t)(r->pub.when / 1000);
	struct tm tm;
	char date[32] = "";

	if (gmtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	mr_log(log, MR_LOG_NOTICE,
	    "starting commit %" PRIu64
	    " (%s, by %s), made on top of %s, instead of the file itself; "
	    "millrace history shows what was changed, millrace run --fresh starts the file",
	    r->pub.id, date, r->pub.who, s->file);
}

/* The last commit that can be started, if it was made on top of the file as it is. */
static void
choose(struct mr_commit_start *s, const struct mr_commit_start_config *config)
{
	struct mr_config *kept;
	struct mr_report *report;

	for (size_t i = s->count; i-- > 0;) {
		struct record *r = s->records[i];
		int rc;

		if (r->pub.state != MR_COMMIT_CONFIRMED)
			continue;
		if (mr_report_create(&report))
			return;
		rc = commit_read_kept(s->store, r, config->model, &kept, report);
		if (!rc)
			mr_control_check(kept, report);
		for (size_t k = 0; k < mr_report_count(report) && mr_report_entry(report, k); k++) {
			char line[1024];

			mr_report_format(report, k, line, sizeof(line));
			mr_log(config->log, MR_LOG_WARNING, "commit %" PRIu64 ": %s", r->pub.id,
			    line);
		}
		rc = rc ? rc : mr_report_count(report) ? -EINVAL : 0;
		mr_report_destroy(report);
		if (rc) {
			mr_config_destroy(kept);
			continue;
		}
		if (config->fresh || strcmp(r->base, s->base) != 0) {
			s->before = r;
			s->before_config = kept;
			return;
		}
		if (!mr_conf_equal(mr_conf_root(kept), mr_conf_root(s->config)))
			say_what_starts(s, r, config->log);
		mr_config_destroy(s->config);
		s->config = kept;
		s->current = r->pub.id;
		return;
	}
}

int
mr_commit_start_create(struct mr_commit_start **out, const struct mr_commit_start_config *config,
    struct mr_report *report)
{
	struct mr_commit_start *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	s->origin = MR_COMMIT_START;
	rc = read_file(s, config, report);
	if (!rc && strcmp(config->file, "-") != 0)
		rc = open_store(s, config->file, config->log);
	if (rc) {
		mr_commit_start_destroy(s);
		return rc;
	}
	choose(s, config);
	if (!s->current && s->count) {
		s->origin = MR_COMMIT_FILE;
		mr_log(config->log, MR_LOG_NOTICE,
		    config->fresh ? "starting %s, and not the commits that were made on top of it; "
				    "millrace history has them"
				  : "%s has changed since the last commit: it is started; millrace "
				    "history has the commits",
		    config->file);
	}
	*out = s;
	return 0;
}

int
mr_commit_start_from(struct mr_commit_start **out, struct mr_config *config)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->config = config;
	(*out)->origin = MR_COMMIT_START;
	commit_hash("", 0, (*out)->base);
	return 0;
}

void
mr_commit_start_destroy(struct mr_commit_start *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		commit_record_destroy(s->records[i]);
	free(s->records);
	commit_store_destroy(s->store);
	mr_config_destroy(s->config);
	mr_config_destroy(s->before_config);
	free(s->file);
	free(s);
}

const struct mr_config *
mr_commit_start_choice(const struct mr_commit_start *s)
{
	return s->config;
}

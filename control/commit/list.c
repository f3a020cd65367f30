/* SPDX-License-Identifier: Apache-2.0 */

/* What is in force, the commits that led to it, and who wants to know of new ones. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/commit/commit_int.h"
#include "model/print.h"

#define TEXTS_MAX (64u << 20) /* of configurations that only memory has */
#define KEPT_DEFAULT 100

extern const struct mr_service mr_service_commits;

int64_t
commit_clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
commit_refuse(struct mr_report *report, int rc, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	mr_report_add(report, "commits", 0, 0, "", "%s", text);
	return rc;
}
/* -- the list -------------------------------------------------------------------------------- */

struct mr_commits *
mr_commits_of(const struct mr_control *c)
{
	return mr_control_state(c, &mr_service_commits);
}

const struct mr_config *
mr_commits_running(const struct mr_commits *c)
{
	return c->running;
}

const struct mr_commit *
mr_commits_current(const struct mr_commits *c)
{
	return &c->now->pub;
}

const struct mr_commit *
mr_commits_at(const struct mr_commits *c, size_t i)
{
	return i < c->count ? &c->records[c->count - 1 - i]->pub : NULL;
}

struct record *
commit_find(const struct mr_commits *c, uint64_t id)
{
	for (size_t i = c->count; i-- > 0;)
		if (c->records[i]->pub.id == id)
			return c->records[i];
	return NULL;
}

const struct mr_commit *
mr_commits_find(const struct mr_commits *c, uint64_t id)
{
	struct record *r = commit_find(c, id);

	return r ? &r->pub : NULL;
}

int
mr_commits_config(struct mr_commits *c, uint64_t id, struct mr_config **out,
    struct mr_report *report)
{
	struct record *r = commit_find(c, id);
	char name[48];

	*out = NULL;
	if (!r)
		return commit_refuse(report, -ENOENT, "there is no commit %" PRIu64 " any more",
		    id);
	if (r == c->now)
		return mr_config_copy(out, c->running);
	snprintf(name, sizeof(name), "commit %" PRIu64, id);
	if (r->text)
		return mr_config_parse(out, c->model, name, r->text, r->text_size, report);
	if (r->pub.kept)
		return commit_read_kept(c->store, r, c->model, out, report);
	return commit_refuse(report, -ENOENT, "the configuration of commit %" PRIu64 " is not kept",
	    id);
}

int64_t
mr_commits_time_left(const struct mr_commits *c)
{
	if (c->now->pub.state != MR_COMMIT_PENDING)
		return -1;
	return MR_MAX(c->expires - commit_clock_ms(CLOCK_MONOTONIC), (int64_t)0);
}

static char *
print_text(const struct mr_config *config, size_t *size)
{
	static const struct mr_print how = { .form = MR_PRINT_YAML };
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return NULL;
	mr_conf_print(mr_conf_root(config), &how, out);
	return fclose(out) ? NULL : text;
}

/* Before another takes its place: what only this process has of it is written down. */
void
commit_retire(struct record *r, const struct mr_config *config)
{
	if (!r->pub.kept && !r->text)
		r->text = print_text(config, &r->text_size);
}

/* Lets go of the oldest, and of texts that take too much room. */
void
commit_prune(struct mr_commits *c)
{
	size_t texts = 0, gone = 0;

	while (c->count - gone > MR_MAX(c->kept_max, (size_t)1) && c->records[gone] != c->now &&
	    !(c->fallback && c->records[gone] == c->before)) {
		struct record *r = c->records[gone++];

		if (r->pub.kept && c->store)
			commit_store_remove(c->store, r->pub.id,
			    r->pub.state != MR_COMMIT_CONFIRMED);
		commit_record_destroy(r);
	}
	c->count -= gone;
	memmove(c->records, c->records + gone, c->count * sizeof(struct record *));
	for (size_t i = c->count; i-- > 0;) {
		struct record *r = c->records[i];

		texts += r->text_size;
		if (texts <= TEXTS_MAX || r == c->now)
			continue;
		texts -= r->text_size;
		free(r->text);
		r->text = NULL;
		r->text_size = 0;
	}
}

int
commit_make_room(struct mr_commits *c)
{
	struct record **grown;

	if (c->count < c->room)
		return 0;
	grown = realloc(c->records, (c->count + 32) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->records = grown;
	c->room = c->count + 32;
	return 0;
}

void
commit_read_settings(struct mr_commits *c)
{
	const struct mr_conf *system = mr_conf_child(mr_conf_root(c->running), "system");

	c->kept_max = mr_conf_uint(system, "commits-kept", KEPT_DEFAULT);
}

void
commit_tell(struct mr_commits *c, enum mr_commit_event event, const char *who)
{
	/* Who is told may end its subscription, not those of others. */
	for (size_t i = c->subscriber_count; i-- > 0;)
		c->subscribers[i].told(c->subscribers[i].arg, event, &c->now->pub,
		    who ? who : c->now->who);
}

int
mr_commits_subscribe(struct mr_commits *c,
    void (*told)(void *, enum mr_commit_event, const struct mr_commit *, const char *), void *arg)
{
	struct subscriber *grown =
	    realloc(c->subscribers, (c->subscriber_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	c->subscribers = grown;
	grown[c->subscriber_count++] = (struct subscriber){ told, arg };
	return 0;
}

void
mr_commits_unsubscribe(struct mr_commits *c,
    void (*told)(void *, enum mr_commit_event, const struct mr_commit *, const char *), void *arg)
{
	for (size_t i = 0; i < c->subscriber_count; i++) {
		if (c->subscribers[i].told != told || c->subscribers[i].arg != arg)
			continue;
		c->subscribers[i] = c->subscribers[--c->subscriber_count];
		return;
	}
}

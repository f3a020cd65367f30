/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The running configuration and its history. A change goes in this order, so that a crash at any
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
#include "model/print.h"

#define RETRY_MS 5000
#define TEXTS_MAX (64u << 20) /* of configurations that only memory has */
#define KEPT_DEFAULT 100

extern const char mr_yang_millrace_commit[];
extern const struct mr_service mr_service_commits;

static int64_t
clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

mr_printf(3, 4) static int refuse(struct mr_report *report, int rc, const char *fmt, ...)
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

static struct record *
current(const struct mr_commits *c)
{
	return c->now;
}

const struct mr_commit *
mr_commits_current(const struct mr_commits *c)
{
	return &current(c)->pub;
}

const struct mr_commit *
mr_commits_at(const struct mr_commits *c, size_t i)
{
	return i < c->count ? &c->records[c->count - 1 - i]->pub : NULL;
}

static struct record *
find(const struct mr_commits *c, uint64_t id)
{
	for (size_t i = c->count; i-- > 0;)
		if (c->records[i]->pub.id == id)
			return c->records[i];
	return NULL;
}

const struct mr_commit *
mr_commits_find(const struct mr_commits *c, uint64_t id)
{
	struct record *r = find(c, id);

	return r ? &r->pub : NULL;
}

int
mr_commits_config(struct mr_commits *c, uint64_t id, struct mr_config **out,
    struct mr_report *report)
{
	struct record *r = find(c, id);
	char name[48];

	*out = NULL;
	if (!r)
		return refuse(report, -ENOENT, "there is no commit %" PRIu64 " any more", id);
	if (r == current(c))
		return mr_config_copy(out, c->running);
	snprintf(name, sizeof(name), "commit %" PRIu64, id);
	if (r->text)
		return mr_config_parse(out, c->model, name, r->text, r->text_size, report);
	if (r->pub.kept)
		return commit_read_kept(c->store, r, c->model, out, report);
	return refuse(report, -ENOENT, "the configuration of commit %" PRIu64 " is not kept", id);
}

int64_t
mr_commits_time_left(const struct mr_commits *c)
{
	if (current(c)->pub.state != MR_COMMIT_PENDING)
		return -1;
	return MR_MAX(c->expires - clock_ms(CLOCK_MONOTONIC), (int64_t)0);
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
static void
retire(struct record *r, const struct mr_config *config)
{
	if (!r->pub.kept && !r->text)
		r->text = print_text(config, &r->text_size);
}

/* Lets go of the oldest, and of texts that take too much room. */
static void
prune(struct mr_commits *c)
{
	size_t texts = 0, gone = 0;

	while (c->count - gone > MR_MAX(c->kept_max, (size_t)1) && c->records[gone] != c->now) {
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

static int
make_room(struct mr_commits *c)
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

static void
read_settings(struct mr_commits *c)
{
	const struct mr_conf *system = mr_conf_child(mr_conf_root(c->running), "system");

	c->kept_max = mr_conf_uint(system, "commits-kept", KEPT_DEFAULT);
}

static void
tell(struct mr_commits *c, enum mr_commit_event event, const char *who)
{
	/* Who is told may end its subscription, not those of others. */
	for (size_t i = c->subscriber_count; i-- > 0;)
		c->subscribers[i].told(c->subscribers[i].arg, event, &current(c)->pub,
		    who ? who : current(c)->who);
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
static int
write_earlier(struct mr_commits *c, struct mr_error *error)
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
	rc = write_earlier(c, error);
	if (!rc)
		rc = write_beside(c, r, config, error);
	return rc ? rc : 1;
}

/* -- a change -------------------------------------------------------------------------------- */

/* How a change is made. */
struct make {
	const struct mr_commit_request *request;
	enum mr_commit_origin origin;
	uint64_t of;
	bool must;        /* it happens even if it cannot be kept */
	bool light;       /* no reason to begin keeping commits */
	const char *base; /* null: as it is */
};

static struct record *
new_record(struct mr_commits *c, const struct mr_config *next, const struct make *m)
{
	struct record *r = commit_record_create(m->request->who, m->request->comment);

	if (!r)
		return NULL;
	if (mr_diff_create(&r->changes, c->running, next)) {
		commit_record_destroy(r);
		return NULL;
	}
	r->pub.id = c->next_id;
	r->pub.when = clock_ms(CLOCK_REALTIME);
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
		    (c->expires - clock_ms(CLOCK_MONOTONIC) + 999) / 1000);
	mr_log(c->log, MR_LOG_NOTICE,
	    "commit %" PRIu64 " by %s is in force (%s, %zu change%s%s)%s%s", r->pub.id, r->who,
	    mr_commit_origin_name(r->pub.origin), mr_diff_count(r->changes),
	    mr_diff_count(r->changes) == 1 ? "" : "s", wait, dash, r->comment);
}

static void
arm(struct mr_commits *c, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	c->expires = clock_ms(CLOCK_MONOTONIC) + ms;
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
		return refuse(report, rc, "the commit cannot be kept, and nothing was changed: %s",
		    error.text);
	}
	mr_report_destroy(again);
	mr_log(c->log, MR_LOG_ERROR, "commit %" PRIu64 " is in force but not kept: %s", r->pub.id,
	    error.text);
	return 0;
}

/* Everything that can fail comes before anything is changed, or is taken back. */
static int
change(struct mr_commits *c, struct record *r, struct mr_config *next, const struct make *m,
    struct mr_report *report)
{
	struct mr_error error = { 0 };
	int rc, beside;

	if (make_room(c))
		return refuse(report, -ENOMEM, "no memory for the commit");
	/* What is refused anyway leaves no trace on the disk. */
	rc = mr_control_try(c->control, next, report);
	if (rc)
		return rc;
	beside = keep(c, r, next, m->light, &error);
	if (beside < 0 && !m->must)
		return refuse(report, beside,
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

static int
make(struct mr_commits *c, struct mr_config *next, const struct make *m, uint64_t *id,
    struct mr_report *report)
{
	struct record *r = new_record(c, next, m);
	int rc;

	if (!r)
		return refuse(report, -ENOMEM, "no memory for the commit");
	*id = current(c)->pub.id;
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
	retire(current(c), c->running);
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
		arm(c, (int64_t)m->request->confirm * 1000);
	read_settings(c);
	prune(c);
	say_made(c, r);
	tell(c, MR_COMMIT_MADE, r->who);
	return 0;
}

static int
waits(struct mr_commits *c, struct mr_report *report)
{
	if (current(c)->pub.state != MR_COMMIT_PENDING)
		return 0;
	return refuse(report, -EBUSY,
	    "commit %" PRIu64 " by %s waits to be confirmed: confirm or cancel it first",
	    current(c)->pub.id, current(c)->who);
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
	const struct make m = {
		.request = request,
		.origin = MR_COMMIT_APPLY,
		.base = same_as_file(c, request, hash),
	};
	int rc = waits(c, report);

	return rc ? rc : make(c, next, &m, id, report);
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

	while (at->pub.of && at->pub.of < at->pub.id && (of = find(c, at->pub.of)))
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
	struct make m = { .request = request, .origin = MR_COMMIT_ROLLBACK };
	struct mr_config *next;
	int rc = waits(c, report);

	if (rc)
		return rc;
	m.of = to ? to : mr_commits_earlier(c);
	if (!m.of)
		return refuse(report, -ENOENT, "there is no commit before this one");
	rc = mr_commits_config(c, m.of, &next, report);
	if (rc)
		return rc;
	rc = make(c, next, &m, id, report);
	if (rc)
		mr_config_destroy(next);
	return rc;
}

int
mr_commits_reload(struct mr_commits *c, struct mr_report *report)
{
	const struct mr_commit_request request = { .who = "SIGHUP" };
	char hash[COMMIT_HASH_TEXT];
	const struct make m = {
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
		return refuse(report, -ENOENT, "there is no file to read again");
	rc = mr_config_read_text(c->file, &text, &size, report);
	if (rc)
		return rc;
	commit_hash(text, size, hash);
	rc = mr_config_parse(&next, c->model, c->file, text, size, report);
	free(text);
	if (!rc)
		rc = make(c, next, &m, &id, report);
	if (rc)
		mr_config_destroy(next);
	return rc;
}

/* -- confirming ------------------------------------------------------------------------------ */

static int
pending(struct mr_commits *c, uint64_t id, struct mr_report *report)
{
	if (current(c)->pub.state != MR_COMMIT_PENDING)
		return refuse(report, -ENOENT, "no commit waits to be confirmed");
	if (id && id != current(c)->pub.id)
		return refuse(report, -ENOENT, "commit %" PRIu64 " does not wait; %" PRIu64 " does",
		    id, current(c)->pub.id);
	return 0;
}

int
mr_commits_confirm(struct mr_commits *c, uint64_t id, const char *who, struct mr_report *report)
{
	struct mr_error error = { 0 };
	int rc = pending(c, id, report);

	if (rc)
		return rc;
	if (current(c)->pub.kept) {
		rc = commit_store_confirm(c->store, current(c)->pub.id, &error);
		if (rc)
			return refuse(report, rc, "it still waits: %s", error.text);
	}
	event_del(c->timer);
	current(c)->pub.state = MR_COMMIT_CONFIRMED;
	mr_config_destroy(c->fallback);
	c->fallback = NULL;
	mr_log(c->log, MR_LOG_NOTICE, "commit %" PRIu64 " is confirmed by %s", current(c)->pub.id,
	    who ? who : "nobody said");
	tell(c, MR_COMMIT_CONFIRM, who);
	return 0;
}

/* Brings back what was there before the commit that waits. */
static int
take_back(struct mr_commits *c, const char *who, const char *why, struct mr_report *report)
{
	struct record *r = current(c);
	char comment[120];
	const struct mr_commit_request request = { .who = who, .comment = comment };
	const struct make m = {
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
	rc = make(c, c->fallback, &m, &id, report);
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
		arm(c, RETRY_MS);
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
	arm(c, RETRY_MS);
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
		c->now = find(c, s->current);
		return 0;
	}
	r = commit_record_create("millrace", "");
	if (!r || make_room(c)) {
		commit_record_destroy(r);
		return -ENOMEM;
	}
	rc = s->before_config ? mr_diff_create(&r->changes, s->before_config, c->running)
			      : mr_diff_create_empty(&r->changes);
	r->pub.id = c->next_id++;
	r->pub.when = clock_ms(CLOCK_REALTIME);
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
	read_settings(c);
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
	if (write_earlier(c, &error))
		mr_log(c->log, MR_LOG_WARNING, "commit %" PRIu64 " is not kept: %s",
		    current(c)->pub.id, error.text);
	prune(c);
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

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_COMMIT_COMMIT_H
#define MR_CONTROL_COMMIT_COMMIT_H

/*
 * Commits: the one way in which the running configuration changes. A service (control/service.h)
 * that owns the configuration in force, plans changes to it, brings them in as wholes, takes
 * them back, and remembers them: in memory, and in a folder (store.h) from the first commit on
 * that a client makes.
 *
 * Ownership: owns the running configuration; what mr_commits_running gives is good until the next
 * commit.
 * Threads: the control thread.
 * Errors: 0 or -errno; what is wrong with a configuration goes into the report. Whatever fails
 * changes nothing.
 */

#include "control/control.h"
#include "model/diff.h"
#include "model/edit.h"

struct mr_commits;
struct mr_commit_plan;

/* The service's state in a control. */
struct mr_commits *mr_commits_of(const struct mr_control *);

/* How a configuration came to be in force. */
enum mr_commit_origin {
	MR_COMMIT_START,    /* the file that the process was started with */
	MR_COMMIT_FILE,     /* the file again (SIGHUP), or changed since the last start */
	MR_COMMIT_APPLY,    /* a client's */
	MR_COMMIT_ROLLBACK, /* an earlier one again */
	MR_COMMIT_EXPIRED,  /* an earlier one again, as nobody confirmed the last in time */
};
const char *mr_commit_origin_name(enum mr_commit_origin);

enum mr_commit_state {
	MR_COMMIT_CONFIRMED,
	MR_COMMIT_PENDING,     /* in force, and taken back unless it is confirmed in time */
	MR_COMMIT_UNCONFIRMED, /* was taken back for want of that */
};
const char *mr_commit_state_name(enum mr_commit_state);

struct mr_commit {
	uint64_t id;               /* counts up, over restarts too where commits are kept */
	int64_t when;              /* milliseconds since 1970 */
	const char *who, *comment; /* never null */
	enum mr_commit_origin origin;
	enum mr_commit_state state;
	bool kept;                     /* in the folder */
	uint64_t of;                   /* of a rollback: whose configuration it is; else 0 */
	const struct mr_diff *changes; /* against what was in force before */
};

/* -- what is in force ---------------------------------------------------------------------- */

const struct mr_config *mr_commits_running(const struct mr_commits *);
/* The commit in force. */
const struct mr_commit *mr_commits_current(const struct mr_commits *);
/* The i-th, newest first; null past the last. */
const struct mr_commit *mr_commits_at(const struct mr_commits *, size_t i);
const struct mr_commit *mr_commits_find(const struct mr_commits *, uint64_t id);
/* The configuration of a commit. -ENOENT: there is none of that number any more. */
int mr_commits_config(struct mr_commits *, uint64_t id, struct mr_config **out, struct mr_report *);
/* Milliseconds until the commit in force is taken back; -1: it will not be. */
int64_t mr_commits_time_left(const struct mr_commits *);

/* -- changes ------------------------------------------------------------------------------- */

struct mr_commit_request {
	const char *who;     /* null: "nobody said" */
	const char *comment; /* null: "" */
	uint32_t confirm;    /* seconds in which it must be confirmed; 0: at once */
	bool forget;         /* do not keep it: for when the folder cannot be written */
	/* The configuration was in this text: when the file that the process was started with says
	 * the same, it is what the commit is made on top of. May be null. */
	const char *text;
	size_t text_size;
};

/* What `next` would change and touch (control/commit/plan.h); -EINVAL: it is not right. */
int mr_commits_plan(struct mr_commits *, const struct mr_config *next, struct mr_commit_plan **out,
    struct mr_report *);
/* Brings `next` in. On success it is the service's; *id is the commit's number, or that of the one
 * in force when there is no difference to it. -EBUSY: the one in force waits to be confirmed. */
int mr_commits_apply(struct mr_commits *, struct mr_config *next, const struct mr_commit_request *,
    uint64_t *id, struct mr_report *);
/* The same with edits to what is in force; json and texts as in model/edit.h. */
int mr_commits_edit(struct mr_commits *, const struct mr_edit *, size_t count,
    const struct mr_commit_request *, uint64_t *id, struct mr_report *);
/* The commit that waits stays (id 0: whichever it is). -ENOENT: none waits, or another. */
int mr_commits_confirm(struct mr_commits *, uint64_t id, const char *who, struct mr_report *);
/* Takes the commit that waits back at once. */
int mr_commits_cancel(struct mr_commits *, uint64_t id, const char *who, struct mr_report *);
/* The commit that a rollback without a number goes back to: the last one before that whose
 * configuration is in force, so that going back twice goes back two. 0: there is none. */
uint64_t mr_commits_earlier(const struct mr_commits *);
/* The configuration that commit `to` brought in; 0: of mr_commits_earlier. */
int mr_commits_rollback(struct mr_commits *, uint64_t to, const struct mr_commit_request *,
    uint64_t *id, struct mr_report *);
/* The file of the start again, as SIGHUP asks. */
int mr_commits_reload(struct mr_commits *, struct mr_report *);

/* -- who wants to know --------------------------------------------------------------------- */

enum mr_commit_event {
	MR_COMMIT_MADE,    /* it is in force */
	MR_COMMIT_CONFIRM, /* the one that waited stays */
};
/* Called after each; the commit and mr_commits_running are good during the call. `who`: of the
 * event. -ENOMEM. */
int mr_commits_subscribe(struct mr_commits *,
    void (*told)(void *arg, enum mr_commit_event, const struct mr_commit *, const char *who),
    void *arg);
void mr_commits_unsubscribe(struct mr_commits *,
    void (*told)(void *arg, enum mr_commit_event, const struct mr_commit *, const char *who),
    void *arg);

/* -- at the start -------------------------------------------------------------------------- */

struct mr_commit_start;

struct mr_commit_start_config {
	struct mr_model *model;
	struct mr_log *log;
	const char *file; /* "-": standard input, which is never remembered */
	bool fresh;       /* the file, whatever commits were made on top of it */
};

/* Reads the file and what was kept of the commits on top of it, and chooses what to start. What
 * comes out is handed to mr_control_create (mr_control_config.start), which takes it over, even
 * when it fails. */
int mr_commit_start_create(struct mr_commit_start **out, const struct mr_commit_start_config *,
    struct mr_report *);
/* Without a file and without a folder: this configuration, which is taken over on success. */
int mr_commit_start_from(struct mr_commit_start **out, struct mr_config *);
void mr_commit_start_destroy(struct mr_commit_start *);
const struct mr_config *mr_commit_start_choice(const struct mr_commit_start *);

#endif

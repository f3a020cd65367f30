/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_COMMIT_COMMIT_INT_H
#define MR_CONTROL_COMMIT_COMMIT_INT_H

/* What the files of this service share. */

#include <time.h>

#include "control/commit/commit.h"
#include "control/commit/store.h"
#include "control/service.h"

struct event;

/* A commit that is remembered. */
struct record {
	struct mr_commit pub;
	char *who, *comment;
	struct mr_diff *changes;
	char base[COMMIT_HASH_TEXT]; /* of the file that it was made on top of */
	char *text;                  /* its configuration, when that is in no file; may be null */
	size_t text_size;
	bool forget;
};

struct subscriber {
	void (*told)(void *arg, enum mr_commit_event, const struct mr_commit *, const char *who);
	void *arg;
};

struct mr_commits {
	struct mr_control *control;
	struct mr_model *model;
	struct mr_log *log;
	struct mr_config *running;
	char *file; /* null: none that could be read again */
	char base[COMMIT_HASH_TEXT];
	struct commit_store *store; /* null: nothing is kept */
	struct record **records;    /* oldest first */
	size_t count, room;
	struct record *now, *before; /* in force; and before that, while that one waits */
	struct mr_config *fallback;  /* of `before`, while it waits */
	size_t kept_max;
	uint64_t next_id;
	struct event *timer; /* of the commit that waits */
	int64_t expires;     /* milliseconds of CLOCK_MONOTONIC */
	bool first_waits;    /* the start's own commit is yet to be written */
	struct subscriber *subscribers;
	size_t subscriber_count;
};

/* What was chosen at the start, until the service has it. */
struct mr_commit_start {
	struct mr_config *config;
	char *file;
	char base[COMMIT_HASH_TEXT];
	struct commit_store *store;
	struct record **records; /* oldest first */
	size_t count;
	uint64_t current; /* which of them it is; 0: none, and a new one of this origin */
	enum mr_commit_origin origin;
	const struct record *before; /* what a new one follows; or null */
	struct mr_config *before_config;
};

struct record *commit_record_create(const char *who, const char *comment);
void commit_record_destroy(struct record *);
/* The text of a commit's file, to be freed; null without memory. */
char *commit_file_write(const struct record *, const struct mr_config *, size_t *size);
/* Reads it: *yaml and *yaml_size are in `text`. -EINVAL with a reason: it is damaged. */
int commit_file_read(struct record **out, const char *text, size_t size, const char **yaml,
    size_t *yaml_size, struct mr_error *);

/* list.c */
int64_t commit_clock_ms(clockid_t);
/* Puts a reason into the report, and returns the code. */
int commit_refuse(struct mr_report *, int rc, const char *fmt, ...) mr_printf(3, 4);
struct record *commit_find(const struct mr_commits *, uint64_t id);
/* Before another takes its place: what only this process has of it is written down. */
void commit_retire(struct record *, const struct mr_config *);
/* Lets go of the oldest, and of texts that take too much room. */
void commit_prune(struct mr_commits *);
int commit_make_room(struct mr_commits *);
void commit_read_settings(struct mr_commits *);
void commit_tell(struct mr_commits *, enum mr_commit_event, const char *who);

/* change.c */
/* How a change is made. */
struct commit_make {
	const struct mr_commit_request *request;
	enum mr_commit_origin origin;
	uint64_t of;
	bool must;        /* it happens even if it cannot be kept */
	bool light;       /* no reason to begin keeping commits */
	const char *base; /* null: as it is */
};

/* On success `next` is the service's. */
int commit_make(struct mr_commits *, struct mr_config *next, const struct commit_make *,
    uint64_t *id, struct mr_report *);
/* Writes the confirmed commits that are not kept yet. */
int commit_write_earlier(struct mr_commits *, struct mr_error *);
/* Takes the commit in force back in so many milliseconds. */
void commit_arm(struct mr_commits *, int64_t ms);

/* start.c */
int commit_read_kept(struct commit_store *, const struct record *, struct mr_model *,
    struct mr_config **out, struct mr_report *);

/* rpc.c, show.c */
extern const struct mr_rpc commit_rpcs[];
void commit_show(void *state, struct mr_state *);
/* Says which of the changes wait for the next start. */
bool commit_waits(const struct mr_config *now, const struct mr_config *next, unsigned n,
    const char **leaf);

#endif

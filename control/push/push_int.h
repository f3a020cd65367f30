/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_PUSH_PUSH_INT_H
#define MR_CONTROL_PUSH_PUSH_INT_H

/*
 * What the files of the telemetry share.
 *
 *	settings  a subscription as it was configured, its paths resolved
 *	select    which values of a sample it wants
 *	told      what its collector knows: the values at the last look
 *	batch     messages being made of values
 *	encode    messages as JSON or protobuf
 *	collector the connection, with its queue
 *	watch     thresholds
 *	subscription  all of these, at each look
 *
 * Ownership: a subscription owns all of its parts. Samples and leaves are the service's.
 * Threads: the control thread's. Errors: 0 or -errno.
 */

#include "control/service.h"
#include "model/sample.h"

#define PUSH_PATHS_MAX 32
#define PUSH_KEYS_MAX 16     /* of one path */
#define PUSH_UPDATES_MAX 500 /* of one message */

/* -- paths ------------------------------------------------------------------------------- */

struct push_key {
	const struct mr_leaf_list *list;
	unsigned key;
	char *pattern; /* as fnmatch wants it */
};
struct push_path {
	char *schema; /* "interface/counters" */
	struct push_key keys[PUSH_KEYS_MAX];
	unsigned key_count;
};

int push_path_parse(struct push_path *, const struct mr_leaves *, const char *text,
    struct mr_error *);
void push_path_clear(struct push_path *);
/* Whether a leaf of the model is what the path names, or below it. */
bool push_path_covers(const struct push_path *, const struct mr_leaf *);
/* Whether an entry's own keys fit; those around it are not asked. */
bool push_path_fits(const struct push_path *, const struct mr_sample *,
    const struct mr_sample_entry *);

/* -- settings ---------------------------------------------------------------------------- */

enum push_mode { PUSH_CADENCE, PUSH_CHANGE, PUSH_THRESHOLD };

struct push_threshold {
	char *name;
	struct push_path path;
	const struct mr_leaf *leaf;
	double above, below, hysteresis;
	bool has_above, has_below, per_second;
	uint32_t hold_ms;
};

struct push_settings {
	char *name, *text; /* all of it, to see whether it has changed */
	char *host;
	uint16_t port;
	bool protobuf, changed_only, tls;
	enum push_mode mode;
	uint32_t cadence_ms, heartbeat_s;
	size_t queue;
	char *ca, *certificate, *key, *server_name;
	struct push_path paths[PUSH_PATHS_MAX];
	unsigned path_count;
	char *entries[PUSH_PATHS_MAX];
	unsigned entry_count;
	struct push_threshold *thresholds;
	unsigned threshold_count;
	uint32_t *wanted; /* by the leaf's index: a bit for each path that covers it */
};

/* Errors in what was written go into the report, where there is one. */
int push_settings_create(struct push_settings **out, const struct mr_leaves *,
    const struct mr_config *, const struct mr_conf *, struct mr_report *, struct mr_error *);
void push_settings_destroy(struct push_settings *);

/* -- values ------------------------------------------------------------------------------ */

struct push_value {
	enum mr_leaf_kind kind; /* never ENUM: words are texts */
	uint8_t digits;
	union {
		uint64_t u;
		int64_t i;
	};
	const char *text;
};
struct push_value push_value_of(const struct mr_sample *, const struct mr_sample_value *);
double push_number_of(const struct mr_sample_value *);

/* What a collector was told: a row for each value, in the order of the sample. */
struct push_row {
	const struct mr_leaf *leaf;
	uint32_t path; /* a text: the entry's */
	uint32_t text; /* of a text's value */
	uint64_t u;
	/* Of a threshold. */
	uint64_t since; /* milliseconds; 0: on the side where it is meant to be */
	uint64_t then;  /* when u was read */
	bool raised;
	bool met; /* found again in the next sample */
};
struct push_told {
	struct push_row *rows;
	size_t count, room;
	char *text;
	size_t text_used, text_room;
	size_t cursor;   /* where the next row is looked for first */
	uint32_t *index; /* by hash; 0: none, else a row's number from 1 */
	size_t index_size;
	bool indexed;
};
void push_told_clear(struct push_told *);
void push_told_free(struct push_told *);
/* The row of that value in what was told before; null when there is none. */
struct push_row *push_told_find(struct push_told *, const struct mr_sample *,
    const struct mr_sample_value *);
/* Null without memory. */
struct push_row *push_told_add(struct push_told *, const struct mr_sample *,
    const struct mr_sample_value *);
bool push_told_same(const struct push_told *, const struct push_row *, const struct mr_sample *,
    const struct mr_sample_value *);

/* -- messages ---------------------------------------------------------------------------- */

enum push_kind { PUSH_HEARTBEAT, PUSH_BEGIN, PUSH_UPDATE, PUSH_SYNC, PUSH_EVENT };

struct push_update {
	const char *path;
	struct push_value value;
};
struct push_event {
	const char *threshold, *path;
	bool raised, gone;
	struct push_value value;
};
struct push_message {
	enum push_kind kind;
	const char *subscription, *system;
	uint64_t sequence, lost;
	int64_t time; /* nanoseconds since 1970 */
	const struct push_update *updates;
	const char *const *deletes;
	size_t update_count, delete_count;
	const struct push_event *event; /* of an event */
};
struct push_bytes {
	char *text;
	size_t used, room;
};
/* Room for `size` more bytes; null without memory. */
char *push_bytes_room(struct push_bytes *, size_t size);
/* Each writes one whole message into empty bytes. */
int push_encode_json(struct push_bytes *, const struct push_message *);
int push_encode_protobuf(struct push_bytes *, const struct push_message *);

/* -- the connection ---------------------------------------------------------------------- */

struct push_collector;
struct push_collector_config {
	struct event_base *base;
	struct mr_log *log;
	const struct push_settings *settings;
	void (*connected)(void *arg);
	void *arg;
};
struct push_collector_stats {
	bool connected;
	uint64_t connections, sent, sent_bytes, lost;
	size_t queued;
	char error[200];
};
int push_collector_create(struct push_collector **out, const struct push_collector_config *);
/* Begins to connect soon, and does so again when it breaks. */
void push_collector_start(struct push_collector *);
void push_collector_destroy(struct push_collector *);
/* Queues one message; -ENOBUFS: it is lost and counted. */
int push_collector_send(struct push_collector *, const char *bytes, size_t size);
void push_collector_stats(const struct push_collector *, struct push_collector_stats *);
bool push_collector_is_up(const struct push_collector *);
size_t push_collector_queued(const struct push_collector *);
void push_collector_blame(struct push_collector *, const char *fmt, ...) mr_printf(2, 3);
/* Whether the files that TLS needs can be used. */
int push_tls_check(const struct push_settings *, struct mr_error *);
struct ssl_ctx_st;
struct ssl_st;
/* A connection's TLS, made anew each time, so that new files count. */
int push_tls_create(struct ssl_st **out, const struct push_settings *, struct mr_error *);

/* -- a subscription ---------------------------------------------------------------------- */

struct push_subscription;
struct push_subscription_config {
	struct push_settings *settings; /* its own, once it is created */
	const char *system;             /* this host's name */
	struct event_base *base;
	struct mr_log *log;
	void (*wake)(void *arg); /* its next look has changed */
	void *arg;
};
int push_subscription_create(struct push_subscription **out,
    const struct push_subscription_config *);
void push_subscription_connect(struct push_subscription *);
void push_subscription_destroy(struct push_subscription *);
const struct push_settings *push_subscription_settings(const struct push_subscription *);
/* When it is to be looked at next (milliseconds of CLOCK_MONOTONIC); UINT64_MAX: not at all. */
uint64_t push_subscription_due(const struct push_subscription *);
/* Whether it wants to look at the state now. */
bool push_subscription_wants(const struct push_subscription *, uint64_t now);
/* A heartbeat, when it is time for one. `time`: nanoseconds since 1970. */
void push_subscription_beat(struct push_subscription *, uint64_t now, int64_t time);
void push_subscription_look(struct push_subscription *, const struct mr_sample *, uint64_t now,
    int64_t time);
/* Nothing could be read: the collector is not told, but the state is. */
void push_subscription_fail(struct push_subscription *, uint64_t now, const char *why);
void push_subscription_show(const struct push_subscription *, struct mr_state *);

uint64_t push_now_ms(void);

#endif

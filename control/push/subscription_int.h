/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_PUSH_SUBSCRIPTION_INT_H
#define MR_CONTROL_PUSH_SUBSCRIPTION_INT_H

/*
 * A subscription from within: messages are made in batch.c, thresholds watched in watch.c.
 * Ownership, threads: as in push_int.h. Errors: `broken`; nothing is sent in this look any more.
 */

#include "control/push/push_int.h"

struct watch {
	struct push_told known, next;
	uint32_t raised;
};

/* A message that is being made. */
struct batch {
	struct push_update updates[PUSH_UPDATES_MAX];
	const char *deletes[PUSH_UPDATES_MAX];
	size_t update_at[PUSH_UPDATES_MAX], delete_at[PUSH_UPDATES_MAX]; /* in texts */
	size_t update_count, delete_count;
	struct push_bytes texts, out;
};

struct push_subscription {
	struct push_settings *settings;
	const char *system;
	struct push_collector *collector;
	void (*wake)(void *arg);
	void *wake_arg;
	struct push_told known, next;
	struct watch *watches; /* of each threshold */
	struct batch batch;
	uint64_t sequence, due, said; /* said: when something was sent last */
	uint32_t *marks;              /* of each entry: the paths that it fits */
	size_t mark_room;
	uint64_t *hashes; /* of the sample's entries, sorted */
	size_t hash_room;
	uint32_t values;
	bool begin;  /* the collector has to begin again */
	bool broken; /* a message of this look was lost */
	int64_t time;
	uint64_t now;
};

bool push_send(struct push_subscription *, enum push_kind);
/* Sends what the batch holds, be it nothing. */
void push_batch_send(struct push_subscription *);
void push_batch_update(struct push_subscription *, const struct mr_sample *,
    const struct mr_sample_value *);
/* A leaf that is there no more; of a leaf-list, one member. */
void push_batch_delete_leaf(struct push_subscription *, const struct push_row *);
/* An entry that is there no more. */
void push_batch_delete(struct push_subscription *, const char *path);
void push_send_event(struct push_subscription *, const struct push_threshold *, const char *entry,
    bool raised, const struct push_value *);
/* Holds the values against the thresholds; whether there was an event. */
bool push_watch(struct push_subscription *, const struct mr_sample *);
void push_told_swap(struct push_told *, struct push_told *);

#endif

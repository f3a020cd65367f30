/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_COMMIT_STORE_H
#define MR_CONTROL_COMMIT_STORE_H

/*
 * Where commits are kept: a folder for each configuration file, in it a file for each commit,
 * 0000000007.yaml, or 0000000007.pending while it waits to be confirmed. Files are written beside
 * (.new), synced and renamed, so each is whole or not there; confirming is a rename, which takes
 * no room on the disk.
 *
 * Ownership: a store owns its descriptor. The folder is made with the first write.
 * Threads: one at a time. A lock on the folder keeps other processes from writing.
 * Errors: 0 or -errno with a text that names the folder.
 */

#include <stddef.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

struct commit_store;

#define COMMIT_HASH_TEXT 33 /* 32 digits and a null */

/* A fingerprint of bytes, to see that a file is the same and whole; not against forgery. */
void commit_hash(const void *bytes, size_t size, char text[COMMIT_HASH_TEXT]);

/* The store of a configuration file (its absolute path) in a folder for all; null: the default
 * one. Reads and makes nothing yet. */
int commit_store_create(struct commit_store **out, const char *folder, const char *file,
    struct mr_error *);
void commit_store_destroy(struct commit_store *);
const char *commit_store_path(const struct commit_store *);

/* Calls for each commit that is there, in no order, until one returns other than 0. Of a folder that
 * is not there: for none. */
int commit_store_each(struct commit_store *, int (*each)(void *arg, uint64_t id, bool pending),
    void *arg, struct mr_error *);
/* The text of one, to be freed. */
int commit_store_read(struct commit_store *, uint64_t id, bool pending, char **text, size_t *size,
    struct mr_error *);

/* Writes one beside, synced: nothing is there yet for others to see. */
int commit_store_write(struct commit_store *, uint64_t id, const char *text, size_t size,
    struct mr_error *);
/* Makes what was written be there, or takes it away again. */
int commit_store_publish(struct commit_store *, uint64_t id, bool pending, struct mr_error *);
void commit_store_discard(struct commit_store *, uint64_t id);

int commit_store_confirm(struct commit_store *, uint64_t id, struct mr_error *);
int commit_store_remove(struct commit_store *, uint64_t id, bool pending);

#endif

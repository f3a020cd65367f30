/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_SUPPORT_BUNDLE_H
#define MR_CMD_SUPPORT_BUNDLE_H

/*
 * A tar.gz being written: files with a line each in its manifest, bounded each and together, without
 * secrets.
 *
 * Ownership: `secrets` is the caller's. Threads: one.
 * Errors: the first one is kept and comes out of bundle_end; adding after it does nothing.
 */

#include <archive.h>
#include <stdio.h>

#include "cmd/support/secrets.h"
#include "kit/base/error.h"

#define BUNDLE_FILE_MAX (4u << 20)
#define BUNDLE_MAX (48u << 20) /* before it is packed */
#define BUNDLE_FILES_MAX 4096

struct bundle {
	struct archive *archive;
	const struct secrets *secrets;
	char folder[64]; /* that all files lie in */
	char *names[BUNDLE_FILES_MAX];
	unsigned count, left_out;
	size_t total;
	char *manifest;
	size_t manifest_size;
	FILE *list;
	struct mr_error error;
};

int bundle_begin(struct bundle *, const char *path, const struct secrets *, struct mr_error *);
/* `what`: one line for the manifest. A name that is there already is not added again. Bytes that
 * are no text (packets) are taken as they are. */
void bundle_add(struct bundle *, const char *name, const char *text, size_t size, const char *what);
void bundle_add_bytes(struct bundle *, const char *name, const void *bytes, size_t size,
    const char *what);
void bundle_add_folder(struct bundle *, const char *name);
/* Something that is not there, and why. */
void bundle_miss(struct bundle *, const char *name, const char *why);
/* Writes the manifest and closes the file. */
int bundle_end(struct bundle *, struct mr_error *);

#endif

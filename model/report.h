/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_REPORT_H
#define MR_MODEL_REPORT_H

/*
 * What is wrong with a configuration: a list of errors, each with its place in
 * the file, its path in the model and one sentence. Reading a file goes on after
 * a mistake, so that one run shows them all; after MR_REPORT_MAX they are only
 * counted.
 *
 *	lab.yaml:7:18: bridge/br0/ageing-time: "fast" is not a number between 10 and 1000000
 *
 * Ownership: the report owns its texts; entries are valid until it is destroyed.
 * Threads: one at a time. Errors: adding never fails; without memory the error is
 * only counted.
 */

#include <stdio.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_REPORT_MAX 20

struct mr_report;
struct mr_config;
struct mr_conf;

struct mr_report_entry {
	const char *file;
	unsigned line;    /* from 1; 0: not about one place in the file */
	unsigned column;  /* from 1, in characters */
	const char *path; /* "bridge/br0/ageing-time"; empty: about the file */
	const char *text; /* one sentence, no full stop */
};

int mr_report_create(struct mr_report **out);
void mr_report_destroy(struct mr_report *);

/* How many errors there were, those that were only counted included. */
size_t mr_report_count(const struct mr_report *);

/* The i-th error that was kept, or null past the last. */
const struct mr_report_entry *mr_report_entry(const struct mr_report *, size_t i);

/* Adds an error. A null report is fine. */
void mr_report_add(struct mr_report *, const char *file, unsigned line, unsigned column,
    const char *path, const char *fmt, ...) mr_printf(6, 7);

/* Adds an error about a node of a configuration: a network function found it.
 * A node that came from a default is shown at the nearest node above it that was
 * written. */
void mr_report_at(struct mr_report *, const struct mr_config *, const struct mr_conf *,
    const char *fmt, ...) mr_printf(4, 5);

/* Puts errors about one file into the order of their places. */
void mr_report_sort(struct mr_report *);

/* One error per line, for people. */
void mr_report_print(const struct mr_report *, FILE *);
/* {"errors":[{"file":...,"line":...,"column":...,"path":...,"text":...}],"count":N} */
void mr_report_print_json(const struct mr_report *, FILE *);
/* The i-th error as it is printed, without the newline. Returns what snprintf would. */
int mr_report_format(const struct mr_report *, size_t i, char *text, size_t size);

#endif

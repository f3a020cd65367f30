/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_CMD_H
#define MR_CMD_CMD_H

/*
 * The verbs of the `millrace` command. Each is one file with one descriptor,
 * `mr_cmd_NAME`, that the build lists; help, usage and completion are made from the
 * descriptors.
 */

#include <stdio.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

/* An option of a verb; the array ends with a null name. */
struct mr_cmd_option {
	const char *name;  /* "interface", given as --interface */
	char letter;       /* -i, or 0 */
	const char *value; /* what its value is called ("NAME"); null: a switch */
	const char *doc;
	/* What its value may be: "a|b|c", or "@file", "@interface" (of the running millrace),
	 * "@router", "@node", "@reason" (of drops that it has seen), "@drop" (their IDs), "@device" (of the kernel), "@model", "@commit",
	 * "@path-there" (in the running configuration), "@set" (paths and values); null: anything. */
	const char *complete;
};

struct mr_cmd {
	const char *name;
	const char *summary; /* one line; null: not for people, and not listed */
	const char *usage;   /* what follows the name: "FILE" */
	const char *help;    /* paragraphs and examples */
	const struct mr_cmd_option *options;
	/* What its words may be, as of an option; "@what": of show; "@act": what of
	 * the functions' acts the verb does; with a blank in it: the first
	 * word, and then the others. */
	const char *complete;
	int (*run)(const struct mr_cmd *, int argc, char **argv); /* argv[0] is the verb */
};

/* Ends with a null pointer. */
extern const struct mr_cmd *const mr_cmd_list[];

/* Exit statuses of all verbs. */
enum {
	MR_EXIT_OK = 0,
	MR_EXIT_FAILED = 1, /* it was tried and did not work */
	MR_EXIT_USAGE = 2,  /* the words make no sense */
};

/* Parsed words: options may stand anywhere; "--" ends them. */
#define MR_CMD_OPTIONS_MAX 40
#define MR_CMD_WORDS_MAX 64
struct mr_cmd_args {
	const struct mr_cmd *cmd;
	const char *values[MR_CMD_OPTIONS_MAX]; /* by the option's place; "" for a switch */
	const char *words[MR_CMD_WORDS_MAX];
	unsigned word_count;
};

/* Fills `args`. Returns 0, or -1 when the verb is over: *status is its exit status
 * (help was printed, or an error). */
int mr_cmd_parse(const struct mr_cmd *, int argc, char **argv, unsigned words_min,
    unsigned words_max, struct mr_cmd_args *, int *status);
/* An option's value, null when it was not given. */
const char *mr_cmd_value(const struct mr_cmd_args *, const char *name);
bool mr_cmd_given(const struct mr_cmd_args *, const char *name);
/* A number with k, M or G behind it; false, with a message printed, when it is none. */
bool mr_cmd_uint(const struct mr_cmd_args *, const char *name, uint64_t min, uint64_t max,
    uint64_t *value);
/* Seconds, with a fraction ("0.5"), as milliseconds; likewise. */
bool mr_cmd_milliseconds(const struct mr_cmd_args *, const char *name, int64_t min, int64_t max,
    int64_t *value);
void mr_cmd_help(const struct mr_cmd *, FILE *);

#endif

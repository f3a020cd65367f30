/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_SUPPORT_SECRETS_H
#define MR_CMD_SUPPORT_SECRETS_H

/*
 * What must not be in a bundle. The model says which leaves are secret (mr_conf_is_secret): they are
 * left out of the configuration, and their values are remembered, so that they are blotted out
 * wherever else they turn up: in a log, a command line, a message.
 *
 * Ownership: a set owns copies of the values. Threads: one.
 * Errors: -ENOMEM; a set that could not remember everything says so by `full`, and nothing may be
 * written then.
 */

#include <jansson.h>

#include "model/config.h"

#define SECRETS_MAX 1024
#define SECRET_SHORTEST 4 /* shorter ones are left out of the configuration, not looked for */

struct secrets {
	char *values[SECRETS_MAX];
	unsigned count;
	char *removed; /* the paths that were left out, one a line */
	size_t removed_size;
	bool full;
};

void secrets_clear(struct secrets *);
/* Remembers a value, and what stands behind its last mark ("sha256:HASH"). */
void secrets_add(struct secrets *, const char *value, size_t size);
/* Takes what looks like a secret out of the text of a configuration that may not even load:
 * "token: VALUE". */
void secrets_scan(struct secrets *, const char *text);
/* Leaves secrets out of `o`, the JSON of `node`, and remembers them. */
void secrets_strip(struct secrets *, json_t *o, const struct mr_conf *node);
/* Blots the values out. */
void secrets_blot(const struct secrets *, char *text, size_t size);
/* Blots out what stands between quotes: a message about a value. */
void secrets_blot_quoted(char *text, size_t size);

#endif

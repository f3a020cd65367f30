/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_SHOW_H
#define MR_CMD_SHOW_H

/*
 * What `millrace show` can show, for its own errors and for completion.
 *
 * Ownership: the caller's. Threads: one. Errors: none.
 */

#include "cmd/cmd.h"
#include "nf/nf.h"

/* The n-th WHAT, as people say it ("interfaces"); false past the last. */
bool mr_cmd_show_what(unsigned n, char *text, size_t size);

/* Which state a WHAT means: /state/FUNCTION, and of its value the member PART when that
 * is not null. */
bool mr_cmd_show_find(const char *word, const char **function, const char **part);

/* `show routes`, whose answer comes in pieces. Returns an exit status. */
int mr_show_routes(const struct mr_cmd_args *);
extern const struct mr_cmd mr_cmd_show;

/* `show path`: the way of flows. Likewise. */
int mr_show_path(const struct mr_cmd_args *);

/* A listing of a function's, with the filters that were given. */
int mr_show_listing(const struct mr_cmd_args *, const char *function, const struct mr_nf_listing *);

/* Prints what `target` answers; `array`: its lines as entries of a JSON array. *bytes: how much of
 * it there was. `what` is the word behind show, for errors. */
int mr_show_pass_on(const struct mr_cmd_args *, const char *what, const char *target, bool array,
    uint64_t *bytes);

#endif

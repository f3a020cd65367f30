/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_RPC_H
#define MR_CMD_RPC_H

/*
 * A verb's operation in the running millrace (control/rest/operations.c): input and output as
 * JSON objects, what is wrong printed as `millrace check` prints it.
 *
 * Ownership: the caller's. Threads: one.
 * Errors: printed; what comes back is an exit status of cmd.h.
 */

#include <jansson.h>

#include "cmd/cmd.h"

/* Asks for "millrace-commit:apply" with this input, which is given away. `output` may be null, else
 * it is the output to be freed, empty when there was none. The options socket and json (errors
 * go to standard output, as JSON) are the verb's, if it has them. */
int mr_rpc(const struct mr_cmd_args *, const char *name, json_t *input, json_t **output);

/* -- for the verbs that change ------------------------------------------------------------- */

#define MR_RPC_SOCKET \
	{ \
		.name = "socket", .value = "PATH", .doc = "control socket", .complete = "@file" \
	}
/* How a change is made: --confirm, --comment, --forget. */
#define MR_RPC_MADE \
	{ .name = "confirm", \
		.value = "TIME", \
		.doc = "take it back unless it is confirmed in this time (60s, 5m)" }, \
	    { .name = "comment", .value = "TEXT", .doc = "why, for the history" }, \
	{ \
		.name = "forget", \
		.doc = "do not keep it over a restart: for when the disk cannot be written" \
	}

/* Puts them into the input. False: one is wrong, and that was printed. */
bool mr_rpc_made(const struct mr_cmd_args *, json_t *input);
/* Prints the list "changes" of an output, a line each. */
void mr_rpc_print_changes(const json_t *output, FILE *);
/* Prints what became of a change: its output as JSON, or in words. */
void mr_rpc_print_done(const struct mr_cmd_args *, const json_t *output);

#endif

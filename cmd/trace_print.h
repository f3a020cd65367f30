/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_TRACE_PRINT_H
#define MR_CMD_TRACE_PRINT_H

/*
 * One recording, as the control server writes it (control/see/recording.c), for people: a
 * head line, then the nodes in their order with what happened in each below; a
 * copy's own walk stands indented where it was made. An explanation has no times, and ends in
 * a line for each end of the packet and its copies.
 *
 * Ownership: nothing is kept. Threads: one.
 * Errors: what has not the expected form is shown as far as it can be.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void mr_trace_print(FILE *, const json_t *recording, bool explained);

/* Which lane it would take, and what its flow's program does there (the answer's "lane"). */
void mr_trace_print_lane(FILE *, const json_t *lane);

#endif

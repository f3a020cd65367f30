/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_TRACE_PRINT_H
#define MR_CMD_TRACE_PRINT_H

/*
 * One recording, as the control server writes it (control/see/recording.c), for people: a
 * head line, then the nodes in their order with what happened in each below; a
 * copy's own walk stands indented where it was made. An explanation has no times, and ends in
 * a line for each end of the packet and its copies.
 *
 * Shown are the nodes, what functions have to say, entries of tables that matched, edits of the packet,
 * and what becomes of it. What only serves the replay by the flow lane is not (tables that were
 * asked, bytes that a decision rests on, counters, checksums that follow from an edit, the flow's
 * program): that is for who asks for all.
 *
 * Ownership: nothing is kept. Threads: one.
 * Errors: what has not the expected form is shown as far as it can be.
 */

#include <jansson.h>
#include <stdio.h>

enum mr_trace_option {
	MR_TRACE_EXPLAINED = 1u << 0, /* nothing happened: an explanation */
	MR_TRACE_ALL = 1u << 1,
};

void mr_trace_print(FILE *, const json_t *recording, unsigned options);

/* Which lane it would take, and with MR_TRACE_ALL what its flow's program does there (the answer's
 * "lane"). */
void mr_trace_print_lane(FILE *, const json_t *lane, unsigned options);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEERS_L3FWD_ADAPT_H
#define MR_BENCH_PEERS_L3FWD_ADAPT_H

/*
 * What DPDK's l3fwd calls once adapt.sed has been over it (the build includes this in front of
 * each of its files): it forwards in windows that the bench asks for, and frames that the
 * bench gives it, if it does.
 *
 * Threads: adapt_serve on the main lcore, the rest on the one that forwards; at start
 * both are one. Errors: ends the process with a sentence.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_lpm.h>

/* Room for the rules that were read, and not for a full table where there are sixteen. */
#define ADAPT_RULES_4 (route_num_v4 + 1024)
#define ADAPT_LPM4_RULES (1 << 16) /* of those longer than 24 bits: see adapt_lpm_add */
#define ADAPT_TBL8_4 (route_num_v4 > 1024 ? 1 << 15 : 1 << 8)
#define ADAPT_RULES_6 (route_num_v6 + 1024)
#define ADAPT_TBL8_6 (route_num_v6 > 1024 ? 1 << 19 : 1 << 8)

/* How many buffers it needs at least: what the environment's MR_L3FWD_BUFFERS says, or 8,192. */
unsigned adapt_buffers(void);

extern uint64_t adapt_end;

/* The window is over, or none was asked for yet: waits for the next one. */
bool adapt_wait(void);

/* To go on? `now` is the time that the loop has read anyway. */
static inline bool
adapt_turn(uint64_t now)
{
	return now < adapt_end || adapt_wait();
}

/* Remembers l3fwd's own callback; the one to install instead. */
rte_rx_callback_fn adapt_receive(rte_rx_callback_fn parse);

/* Never returns before the bench has closed its end. */
void adapt_serve(void);

/*
 * As rte_lpm_add, for routes in ascending order of length. That one looks through all routes
 * of the same length each time, which takes minutes for a full table; up to 24 bits
 * the entries can be written as they are, and the look-up sees no difference.
 */
int adapt_lpm_add(struct rte_lpm *, uint32_t address, uint8_t length, uint32_t next_hop);

#endif

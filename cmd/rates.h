/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_RATES_H
#define MR_CMD_RATES_H

/*
 * What happened between two looks at a data plane's state, per second:
 *
 *	{"version", "pid", "uptime-ms", "interval-ms",
 *	 "worker":    [{"id", "cpu", "state", "busy-percent", "packets-per-second"}],
 *	 "interface": [{"name", "state", "rx-packets-per-second", "rx-bits-per-second", "tx-...",
 *	                "drops-per-second"}],
 *	 "node":      [{"name", "packets-per-second", "packets-per-call", "cycles-per-packet",
 *	                "busy-percent"}],
 *	 "drop":      [{"node", "reason", "packets-per-second", "packets"}]}
 *
 * Nodes and drops are those that count anything, the busiest first. Interfaces are in
 * the configuration's order.
 *
 * Ownership: the caller's. Threads: one. Errors: a counter that is missing counts as 0.
 */

#include <jansson.h>

/* Each is what /state/system and /state/interface answered. A reference to be given up. */
struct mr_look {
	json_t *system;
	json_t *interfaces;
};

json_t *mr_rates(const struct mr_look *before, const struct mr_look *now);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_FLOWEXPORT_FLOWEXPORT_INT_H
#define MR_CONTROL_FLOWEXPORT_FLOWEXPORT_INT_H

/* What the files of this service share. */

#include "control/flowexport/collector.h"
#include "control/flowexport/walk.h"
#include "control/service.h"
#include "nf/lanes/lanes.h"

#define COLLECTORS_MAX 16u

struct export_settings {
	struct collector_conf collectors[COLLECTORS_MAX];
	unsigned collector_count;
	struct walk_conf walk;
	struct mr_lanes_ledger ledger;
};

/* What records have told of an interface. */
struct export_port {
	uint64_t records, packets, octets;
};

struct flow_export {
	struct mr_control *control;
	struct mr_dataplane *dp;
	struct event *step; /* the walk's next piece */
	struct walk *walk;  /* null: no flows are kept */
	struct collector *collectors[COLLECTORS_MAX];
	unsigned collector_count;
	uint64_t boot;            /* milliseconds since 1970 */
	struct walk_stats before; /* of walks that are over */
	struct export_settings now;
	/* While a configuration is brought in. */
	struct export_settings next;
	const struct mr_config *config;
	struct collector *coming[COLLECTORS_MAX];
	struct export_port ports[MR_PORT_MAX];
};

/* conf.c */
void flow_export_read(struct export_settings *, const struct mr_config *);
void flow_export_check(void *state, const struct mr_config *, struct mr_report *);

/* show.c */
void flow_export_show(void *state, struct mr_state *);
bool flow_export_interface(void *arg, unsigned n, struct interface_record *);

#endif

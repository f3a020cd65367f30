/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_CONTROL_INT_H
#define MR_NF_CONNTRACK_CONTROL_INT_H

/* What the descriptor's files share: the function's state in one data plane. */

#include "nf/conntrack/conntrack_int.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"

struct ct_limits {
	uint32_t source_max, source_rate, source_burst; /* 0: none */
	uint32_t syn_rate;
	uint8_t proxy; /* enum ct_proxy */
};

/* What a configuration says, with zones by number. */
struct ct_conf {
	uint32_t max;
	uint32_t options;
	uint32_t timeouts[CT_TIMEOUT_COUNT];
	struct ct_conf_zone {
		char name[MR_PORT_NAME_MAX]; /* "": the number is free */
		uint32_t limit;
	} zones[CT_ZONES_MAX];
	struct ct_conf_interface {
		char name[MR_PORT_NAME_MAX];
		uint16_t zone;
		struct ct_limits limits;
	} * interfaces;
	unsigned interface_count;
};

/* Zones keep the numbers that they have in `before`. */
int ct_conf_read(struct ct_conf *, const struct mr_config *, const struct ct_conf *before,
    struct mr_error *);
void ct_conf_free(struct ct_conf *);

/* Nodes of one interface. */
struct ct_instance {
	char name[MR_PORT_NAME_MAX];
	bool made, wanted;
	uint16_t track[2], confirm[2]; /* in, out */
	struct ct_side side[2];
};

struct mr_conntrack {
	struct mr_dataplane *dp;
	struct ct_core *core; /* null: nothing was tracked yet */
	struct ct_conf conf, next;
	uint64_t apart[CT_APART_WORDS]; /* mr_conntrack_set_apart */
	struct ct_instance *instances[MR_PORT_MAX];
};

/* show.c */
void ct_show(void *state, struct mr_state *);
/* The workers' clock. */
uint32_t ct_seconds(void);
/* stream.c */
extern const struct mr_nf_act ct_acts[];
int ct_stream(void *state, const char *name, const struct mr_nf_query *, struct mr_nf_stream *,
    struct mr_error *);

#endif

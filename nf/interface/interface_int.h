/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_INTERFACE_INTERFACE_INT_H
#define MR_NF_INTERFACE_INTERFACE_INT_H

/* What the files of this function share: one record per interface. */

#include "kit/graph/plugin.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"

#define INPUTS_MAX 8
#define OPTIONS_MAX 32
#define NO_NODE UINT16_MAX

/* A plugin's node in front of the interface's user. */
struct input {
	const struct mr_plugin *plugin;
	const struct mr_node_class *class;
	void *self;
	uint16_t node;
};

/* What the configuration says, copied. */
struct settings {
	char driver[32];
	char *device;
	bool enabled, promiscuous;
	uint16_t mtu, rx_queues, tx_queues;
	uint16_t workers[MR_GRAPH_WORKERS_MAX];
	unsigned worker_count;
	struct mr_option options[OPTIONS_MAX];
	unsigned option_count;
	char *inputs[INPUTS_MAX];
	unsigned input_count;
	char cross_connect[MR_PORT_NAME_MAX];
};

/* Of one end of a pair: what its node reads. Ports are null while they are closed. */
struct join {
	_Atomic(struct mr_port *) from, to;
	uint16_t index; /* of the other end */
};

struct record {
	struct mr_interface pub; /* what others see; first */
	struct settings want;
	struct record *next;
	struct input inputs[INPUTS_MAX];
	unsigned input_count;
	bool added;   /* its port is in the graph's draft */
	bool borrows; /* its index is still the old record's, until commit */
	bool gone;    /* the device vanished or was never there: tried again each second */
	uint16_t use; /* the node where what arrives goes */
	uint16_t in[MR_STAGES], out[MR_STAGES]; /* other functions' nodes; NO_NODE: none */
	/* Of a tunnel: the node that takes what is sent, and the edge by which things arrive. */
	uint16_t carry, enter, enter_edge;
	uint16_t
	    leave; /* its last node: interface-out, join or carry; NO_NODE: nothing is behind its outputs */
	struct join join;
	uint16_t cross;    /* its cross-connect node, NO_NODE without one */
	uint16_t cross_to; /* the port index that this node sends to */
	char trouble[256]; /* why it is not open, for show */
};

struct mr_interfaces {
	struct mr_dataplane *dp;
	struct record *now;  /* of the configuration in force */
	struct record *next; /* while a new one is brought in */
	bool changing;
	int watch;                  /* readable when a link has changed; -1: none */
	uint16_t unused;            /* the node for what arrives where no function listens */
	uint8_t taken[MR_PORT_MAX]; /* indices */
};

/* settings.c */
const char *interface_device_of(const struct mr_conf *);
int interface_settings_read(struct settings *, const struct mr_conf *, struct mr_error *);
void interface_settings_free(struct settings *);
bool interface_settings_equal(const struct settings *, const struct settings *);

/* plan.c */
void interface_plan(void *state, struct mr_nf_plan *);

/* interface.c */
struct record *interface_records(const struct mr_interfaces *); /* of the configuration at hand */
struct record *interface_record_at(const struct mr_interfaces *, uint16_t index);
int interface_index_take(struct mr_interfaces *, uint16_t *index, struct mr_error *);

/* record.c: one interface's port, from opening to closing */
int interface_record_create(struct mr_interfaces *, const struct mr_conf *, struct record **,
    struct mr_error *);
void interface_record_destroy(struct mr_interfaces *, struct record *);
/* Opens and starts the port. A device that is not there is not an error: the
 * record is `gone` then. */
int interface_record_open(struct mr_interfaces *, struct record *, struct mr_error *);
void interface_record_close(struct record *);
/* Puts port, input nodes and the input into the graph's draft, or takes them out. */
int interface_record_add(struct mr_interfaces *, struct record *, struct mr_error *);
void interface_record_remove(struct mr_interfaces *, struct record *);
/* Takes its nodes out of the draft; its port must be out already. */
void interface_record_remove_nodes(struct mr_interfaces *, struct record *);
/* Once a second: link state, a device that went or came back. True: commit the graph. */
bool interface_record_watch(struct mr_interfaces *, struct record *, bool *close_after);

/* join.c: ends of pairs */
void interface_check_join(const struct mr_config *, const struct mr_conf *, struct mr_report *);
/* The record at the other end; null: it is no end, or the other one is not there. */
struct record *interface_join_other(const struct mr_interfaces *, const struct record *);
/* Its join node leads to where the other end's packets enter, and counts for both. */
void interface_join_aim(struct mr_interfaces *, struct record *);

/* stage.c */
void interface_stages_clear(struct record *);
/* Links port, stages, input nodes and the user. */
void interface_record_aim(struct mr_interfaces *, struct record *);

/* watch.c; -1 where netlink is not to be had */
int interface_watch_open(void);
void interface_watch_drain(int fd);

/* node.c */
extern const struct mr_node_class interface_unused_class, interface_cross_class,
    interface_out_class, interface_join_class;

/* show.c */
void interface_show(void *state, struct mr_state *);

#endif

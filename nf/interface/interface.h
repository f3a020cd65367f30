/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_INTERFACE_INTERFACE_H
#define MR_NF_INTERFACE_INTERFACE_H

/*
 * Interfaces: the named ports of a data plane. This function opens ports as the
 * configuration says, watches them, opens a port again when its device comes
 * back, and says to the other functions which interface is which port index.
 *
 * The index of an interface is stable from the moment it is configured until it is
 * taken out, also while its device is gone.
 *
 * Threads: the control thread.
 */

#include "nf/nf.h"

struct mr_interfaces; /* this function's state in one data plane */

struct mr_interface {
	char name[MR_PORT_NAME_MAX];
	uint16_t index; /* port index in the graph */
	bool up;
	bool within;          /* as its driver says, open or not */
	struct mr_port *port; /* null while the device is gone */
};

/* The interfaces of this data plane. */
struct mr_interfaces *mr_interfaces_of(struct mr_dataplane *);

/* By name; in prepare and commit this sees the configuration being brought in. */
const struct mr_interface *mr_interface_find(const struct mr_interfaces *, const char *name);
const struct mr_interface *mr_interface_at(const struct mr_interfaces *, uint16_t index);

/* In commit: what arrives on this interface enters at `node` (after the interface's own
 * input nodes). The last configuration's uses are forgotten when a commit starts. */
void mr_interface_use(struct mr_interfaces *, uint16_t index, uint16_t node);

/*
 * Stages: nodes of other functions in front of an interface's user, and behind what is sent on
 * it, each an instance for this interface. Edge 0 leads on to the next stage.
 *
 *   in    port -> LANE -> plug-ins' nodes -> RULES -> FAMILY_IN -> NAT_IN -> PREFIX_IN -> LB_BACK
 *         -> TRACK -> FILTER -> CONFIRM -> LB -> the user
 *   out   any output on the port -> TRACK -> FILTER -> CONFIRM -> PREFIX_OUT -> NAT_OUT -> the port
 *
 * Addresses are translated next to the wire, so that rules and connections see on both sides the same
 * packet: the inside's addresses where there is NAT, the service's address where load is
 * balanced.
 */
enum mr_interface_stage {
	MR_STAGE_LANE,       /* the flow lane, in front of everything; in only */
	MR_STAGE_RULES,      /* flow rules; in only */
	MR_STAGE_FAMILY_IN,  /* from outside: a packet of the other family, NAT64; in only */
	MR_STAGE_NAT_IN,     /* from outside: another destination; in only */
	MR_STAGE_PREFIX_IN,  /* the same of IPv6 prefixes; in only */
	MR_STAGE_LB_BACK,    /* from a server: the service's address as its source; in only */
	MR_STAGE_TRACK,      /* finds the packet's connection */
	MR_STAGE_FILTER,     /* rules */
	MR_STAGE_CONFIRM,    /* what passed the rules makes a connection */
	MR_STAGE_FAMILY_OUT, /* from inside, the same; in only */
	MR_STAGE_LB,         /* to a service: a server is chosen; in only */
	MR_STAGE_PREFIX_OUT, /* IPv6 prefixes, to the outside: another source; out only */
	MR_STAGE_NAT_OUT,    /* to the outside: another source; out only */
	MR_STAGES,
};

/* In commit: the interface has this stage with this configuration. All stages are forgotten when a
 * commit starts. */
void mr_interface_stage_in(struct mr_interfaces *, uint16_t index, enum mr_interface_stage,
    uint16_t node);
void mr_interface_stage_out(struct mr_interfaces *, uint16_t index, enum mr_interface_stage,
    uint16_t node);

/* Whether anything stands in front of its user, or behind an output of any interface, but the
 * lane; a tunnel, too. */
bool mr_interface_is_staged(const struct mr_interfaces *, uint16_t index);
/* The node that comes after the lane: where the interface's packets would enter without it. */
uint16_t mr_interface_first(const struct mr_interfaces *, uint16_t index);

/* The node behind all stages: where the interface's packets end up. */
uint16_t mr_interface_user(const struct mr_interfaces *, uint16_t index);

/* In commit: an interface of the driver `tunnel` has a tunnel. What is sent on it ends up at `carry`,
 * behind all its stages; what arrives leaves `enter`, a node of the tunnel's, by this edge, which is
 * kept on where the interface's packets enter. Both nodes are the caller's. Forgotten when a commit
 * starts. */
void mr_interface_carry(struct mr_interfaces *, uint16_t index, uint16_t carry, uint16_t enter,
    uint16_t edge);

/* For a port that is no interface of the configuration (a twin): an index that no
 * interface will get until it is released. -ENOSPC. The port, and its place in the graph, are the
 * caller's. */
int mr_interface_reserve(struct mr_interfaces *, uint16_t *index, struct mr_error *);
/* When no worker can name it any more: after the commit that took the port out. */
void mr_interface_release(struct mr_interfaces *, uint16_t index);

/* In check: says that `user` ("bridge br0") takes this interface's packets; `at` is the member in
 * the user's list `interface`, as every function that takes packets has one. A user of another
 * function, or a cross-connect, is reported, naming both; a function looks after its own. */
void mr_interface_claim(struct mr_report *, const struct mr_config *, const struct mr_conf *at,
    const char *interface, const char *user);

/* In check, of the configuration being checked: a router's interface of this name, sub-interfaces
 * included; null: there is none. */
const struct mr_conf *mr_interface_routed(const struct mr_config *, const char *name);
#define MR_INTERFACE_ALL_VLANS UINT16_MAX
/* What frames a name stands for: an interface's, whatever their tag; a router's sub-interface's, of
 * one VLAN (0: untagged). False: there is neither. */
bool mr_interface_place(const struct mr_config *, const char *name, const char **port,
    uint16_t *vlan);
/* In check: that `name`, written at `at`, is a router's, for a function that changes where packets are
 * sent; `user` ("nat instance home") begins the sentence that says what is wrong. Where `router` is
 * not null, it has to be that one's. Returns the router. */
const struct mr_conf *mr_interface_need_router(struct mr_report *, const struct mr_config *,
    const struct mr_conf *at, const char *name, const char *user, const struct mr_conf *router);

extern const struct mr_nf mr_nf_interface;

#endif

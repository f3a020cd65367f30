/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_PART_H
#define MR_NF_IP_PART_H

/*
 * A part of the router: what a folder such as nf/neighbor tells the router about itself. The
 * steps are those of nf/nf.h with the same promises, and called in the parts' order inside the
 * router's own; when they are, VRFs and interfaces of the new configuration are in the IP tables
 * (prepare: the old ones; commit and later: the new ones).
 *
 * Threads: the control thread.
 */

#include "model/config.h"
#include "model/state.h"
#include "nf/dataplane.h"
#include "nf/ip/ip.h"

struct mr_rib;

/* What a part may hold on to. */
struct mr_router_base {
	struct mr_dataplane *dp;
	struct mr_ip *ip;
	struct mr_rib *rib;
};

struct mr_ip_part {
	const char *name;
	const char *yang; /* the text of its YANG module, which augments millrace-router */
	int (*create)(void **state, const struct mr_router_base *, struct mr_error *);
	void (*destroy)(void *state);
	/* `state` may be null: without a data plane. */
	void (*check)(void *state, const struct mr_config *, struct mr_report *);
	int (*prepare)(void *state, const struct mr_config *, struct mr_error *);
	/* The router's nodes are in the draft: add yours, mr_ip_attach. `active` is false when
	 * no router is configured any more: take them out. */
	void (*commit)(void *state, bool active);
	void (*finish)(void *state);
	void (*abort)(void *state);
	/* Called with each tick, and when a descriptor of the part is readable. `now` is in
	 * milliseconds of CLOCK_MONOTONIC. Returns in how many milliseconds it wants to be called
	 * again at the latest (UINT32_MAX: whenever). */
	uint32_t (*tick)(void *state, uint64_t now);
	/* Adds its descriptors to this epoll set, with data.ptr = the part; called once. May be null. */
	int (*watch)(void *state, int epoll);
	/* An interface went up or down, or got or lost an address. May be null. */
	void (*changed)(void *state, uint16_t interface);
	/* Writes its state into the open entry of the VRF (`router` list). May be null. */
	void (*show)(void *state, uint16_t vrf, struct mr_state *);
	/* Words for what its nodes record, as in nf/nf.h; asked before the router itself. May be
	 * null. */
	bool (*describe)(void *state, const struct mr_op *, char *text, size_t size);
};

/* Ends with a null pointer; the build makes it from the folders' part_names. */
extern const struct mr_ip_part *const mr_ip_part_list[];

/* For parts that want their neighbours told: calls `changed` of every part. */
void mr_router_changed(const struct mr_router_base *, uint16_t interface);
/* An address that somebody added at an interface's twin, or took away there; calls `changed`. -ENOENT,
 * -EEXIST (also when the configuration has it), -ENOSPC. */
int mr_router_kernel_address(const struct mr_router_base *, uint16_t interface,
    const struct mr_ip_address *, bool add);
/* Another part's state, by its descriptor; null when the build does not have it. */
void *mr_router_part(const struct mr_router_base *, const struct mr_ip_part *);

#endif

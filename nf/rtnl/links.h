/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RTNL_LINKS_H
#define MR_NF_RTNL_LINKS_H

/*
 * The devices of a network namespace, and which of a VRF's interfaces each stands for: the one
 * of the same name. And the netlink socket that tells of them, opened inside the namespace.
 *
 * Threads: the control thread.
 */

#include "kit/base/error.h"
#include "nf/rtnl/rtnl.h"

#define MR_LINKS_MAX 65536u

struct mr_link {
	uint32_t ifindex;
	uint32_t flags; /* IFF_* */
	char name[IFNAMSIZ];
	uint16_t interface; /* as of `looked` */
	bool fresh;         /* heard of since mr_links_mark */
	uint32_t looked;
};

struct mr_links {
	const struct mr_ip *ip;
	uint16_t vrf;
	uint32_t count, room;
	struct mr_link *links; /* by ifindex */
	uint32_t generation;   /* grows when names or interfaces may have changed */
};

/* What a link message changed. */
enum mr_links_change {
	MR_LINKS_NAMES = 1u << 0, /* a device came, went or has another name */
	MR_LINKS_UP = 1u << 1,    /* one that was there went up or down, or away */
};

void mr_links_init(struct mr_links *, const struct mr_ip *, uint16_t vrf);
void mr_links_clear(struct mr_links *);
/* Takes a message of kind MR_RTNL_LINK in; returns enum mr_links_change. */
unsigned mr_links_message(struct mr_links *, const struct mr_rtnl *);
/* Interfaces came, went or have other names: looks again when asked. */
void mr_links_forget(struct mr_links *);
void mr_links_mark(struct mr_links *);
/* What was not heard of since the mark goes; returns whether there was any. */
bool mr_links_sweep(struct mr_links *);
/* The interface that a device stands for; 0: none of this VRF. */
uint16_t mr_links_interface(struct mr_links *, uint32_t ifindex);
/* The device of an interface; 0: none. */
uint32_t mr_links_device(struct mr_links *, uint16_t interface);
const struct mr_link *mr_links_find(const struct mr_links *, uint32_t ifindex);

/* A socket in a namespace (null: ours) that hears these groups (RTNLGRP_*), with room for
 * `buffer` bytes if that may be had. It does not block. */
int mr_links_open(int *fd, const char *name_space, const unsigned *groups, unsigned count,
    uint32_t buffer, struct mr_error *);
/* Asks for all of a kind: `type` is RTM_GETLINK ..., `family` AF_*, `table` of routes or 0. */
int mr_links_dump(int fd, unsigned type, unsigned family, uint32_t table, uint32_t sequence);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_KERNEL_MIRROR_INT_H
#define MR_NF_KERNEL_MIRROR_INT_H

/*
 * One VRF's mirror of a kernel's routing table, and what it puts there itself.
 *
 *   mirror.c   the socket: asks for everything, follows, starts over when messages were lost
 *   export.c   static routes into the kernel's table
 *   kernel.c   the part: settings, one mirror each
 */

#include "kit/base/log.h"
#include "nf/ip/part.h"
#include "nf/rib/rib.h"
#include "nf/rtnl/import.h"
#include "nf/rtnl/links.h"

#define MR_KERNEL_PROTOCOL 77u /* of the routes that we put into kernels */

struct kernel_settings {
	char name[64];       /* the VRF's */
	char name_space[64]; /* of its host side */
	bool import, export;
	uint32_t table;
};

/* A static route of the configuration, and what the kernel has of it. */
struct kernel_export {
	uint8_t family; /* enum mr_ip_family */
	uint8_t len;
	uint8_t prefix[16];
	bool wanted;       /* is in the configuration */
	bool known;        /* is in the kernel, as far as we know */
	bool seen;         /* it said so since it was asked */
	uint32_t sequence; /* of the request that put it there */
	uint64_t digest;   /* of what it says */
};

enum mirror_state {
	MIRROR_WAITING, /* for its namespace */
	MIRROR_LOADING,
	MIRROR_FOLLOWING,
};

/* What is asked for, one after the other. */
enum mirror_step {
	MIRROR_LINKS,
	MIRROR_NEXTHOPS,
	MIRROR_ROUTES4,
	MIRROR_ROUTES6,
	MIRROR_STEPS,
};

struct mirror_counts {
	uint64_t messages, loads, overruns, faults;
	uint64_t other_table, own, local, unsupported; /* routes left alone */
	uint64_t exported, export_errors;
};

struct kernel_mirror {
	struct kernel_mirror *next;
	struct kernel_settings settings;
	struct mr_router_base base;
	const struct mr_log *log;
	uint16_t vrf;
	bool keep;

	int epoll, fd, out;             /* out: requests about our own routes */
	uint64_t retry_at, load_at;     /* ms */
	uint64_t lost_at;               /* ms of the last load after a loss */
	uint64_t load_began, load_took; /* ms */
	uint32_t backoff;               /* ms */
	uint64_t device, inode;         /* of the namespace's file when it was entered */
	uint64_t looked_at;             /* ms: at that file */
	enum mirror_state state;
	enum mirror_step step;
	bool again, remap, changed;
	uint32_t sequence;
	struct mr_links links;
	struct mr_import *import;
	struct mirror_counts counts;
	char trouble[160], export_trouble[160];

	struct kernel_export *exports;
	uint32_t export_count, export_next; /* the next to be looked at */
	uint32_t export_left;               /* to be looked at in this round */
	uint32_t export_sequence;
	uint32_t out_port;  /* who `out` is to the kernel */
	uint64_t export_at; /* ms: when to look at some, though nothing has changed */
};

int kernel_mirror_create(struct kernel_mirror **out, const struct kernel_settings *,
    const struct mr_router_base *, uint16_t vrf, int epoll, struct mr_error *);
/* Its routes go out of the RIB, and ours out of the kernel. */
void kernel_mirror_destroy(struct kernel_mirror *);
bool kernel_mirror_is(const struct kernel_mirror *, const struct kernel_settings *);
/* Works until `deadline` (ns of CLOCK_MONOTONIC); returns in how many ms it wants to be called again. */
uint32_t kernel_mirror_work(struct kernel_mirror *, uint64_t now, uint64_t deadline);
void kernel_mirror_show(const struct kernel_mirror *, struct mr_state *);
uint64_t kernel_now_ns(void);

/* The configuration's static prefixes; takes the array. */
void kernel_export_set(struct kernel_mirror *, struct kernel_export *, uint32_t count);
/* Everything is to be looked at again: interfaces or devices changed. */
void kernel_export_look(struct kernel_mirror *);
/* Looks at up to `budget` of them; true: there are more. */
bool kernel_export_work(struct kernel_mirror *, unsigned budget);
/* The kernel said that it has, or no longer has, this route of ours. */
void kernel_export_heard(struct kernel_mirror *, const struct mr_rtnl *);
/* Before the kernel is asked what it has, and after. */
void kernel_export_mark(struct kernel_mirror *);
void kernel_export_sweep(struct kernel_mirror *);
void kernel_export_read_errors(struct kernel_mirror *);
void kernel_export_remove_all(struct kernel_mirror *);

#endif

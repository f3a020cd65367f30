/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_FPM_SERVER_INT_H
#define MR_NF_FPM_SERVER_INT_H

/* One VRF's FPM server: a socket that listens, the connection, the routes that came. */

#include <netinet/in.h>

#include "kit/base/log.h"
#include "nf/fpm/stream.h"
#include "nf/ip/part.h"
#include "nf/rtnl/links.h"

#define FPM_MESSAGE_SIZE 65536u

struct fpm_settings {
	char name[64];       /* the VRF's */
	char name_space[64]; /* empty: ours */
	char address[64];
	uint16_t port;
	uint32_t table;
	uint32_t stale_time; /* seconds after a new connection until what was not sent again goes */
	uint32_t hold_time;  /* seconds without connection until all goes; 0: never */
};

enum fpm_close {
	FPM_CLOSE_PEER,     /* it closed the connection */
	FPM_CLOSE_HUNG_UP,  /* the same, in the middle of a frame */
	FPM_CLOSE_ERROR,    /* the network failed */
	FPM_CLOSE_FAULT,    /* what it sent is no FPM */
	FPM_CLOSE_REPLACED, /* a newer one came */
	FPM_CLOSES,
};

struct fpm_server {
	struct fpm_server *next;
	struct fpm_settings settings;
	struct mr_router_base base;
	const struct mr_log *log;
	uint16_t vrf;
	bool keep; /* while configurations change: the next one has it too */

	int epoll;
	int listener, connection, netlink; /* -1: none */
	uint64_t retry_at;                 /* ms: when to try again to open them */
	bool links_dumping, remap;
	uint32_t sequence;
	struct mr_links links;

	struct mr_import *import;
	struct mr_fpm_stream stream;
	struct mr_fpm_counts counts;
	char peer[80];
	uint64_t connected_at, closed_at; /* ms; 0: never */
	uint64_t sweep_at;                /* ms; 0: nothing to sweep */
	uint64_t sweep_last;              /* ms: however busy it is */
	uint32_t stale_seen;              /* stale routes when last looked at, and since when */
	uint64_t stale_since;
	uint64_t connections, closes[FPM_CLOSES];
	char trouble[160]; /* why it does not listen, or the last error of a connection */
	bool changed;      /* the RIB was, in this turn */
};

int fpm_server_create(struct fpm_server **out, const struct fpm_settings *,
    const struct mr_router_base *, uint16_t vrf, int epoll, struct mr_error *);
/* Its routes go with it. */
void fpm_server_destroy(struct fpm_server *);
bool fpm_server_is(const struct fpm_server *, const struct fpm_settings *);

/* Does what there is to do until `deadline` (ns of CLOCK_MONOTONIC), at `now` (ms). Returns in
 * how many ms it wants to be called again. */
uint32_t fpm_server_work(struct fpm_server *, uint64_t now, uint64_t deadline);
void fpm_server_show(const struct fpm_server *, struct mr_state *);

uint64_t fpm_now_ns(void);

#endif

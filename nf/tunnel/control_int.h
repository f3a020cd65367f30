/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_TUNNEL_CONTROL_INT_H
#define MR_NF_TUNNEL_CONTROL_INT_H

/* What the descriptor's files share: the configuration read, and the function's state in one data
 * plane. The control thread's. */

#include "nf/interface/interface.h"
#include "nf/router/router.h"
#include "nf/tunnel/tunnel.h"
#include "nf/tunnel/tunnel_int.h"

#define TUNNEL_NAME_MAX 64
#define TUNNEL_TEXT_MAX 64 /* an address as text */

struct tunnel_ip {
	uint8_t bytes[16];
	bool six;
};

struct tunnel_static {
	uint8_t mac[6];
	struct tunnel_ip remote;
};

/* One tunnel as the configuration has it. */
struct tunnel_conf {
	char name[MR_PORT_NAME_MAX];
	char router[TUNNEL_NAME_MAX];
	struct tunnel_ip local;
	struct tunnel_ip *remotes;
	struct tunnel_static *statics;
	unsigned remote_count, static_count;
	uint32_t vni, ageing, stations;
	uint16_t port;
	uint8_t ttl, dscp;
	bool fragment, checksum, learning;
};

/* conf.c */
int tunnel_conf_read(struct tunnel_conf *, const struct mr_config *, const struct mr_conf *,
    struct mr_error *);
void tunnel_conf_free(struct tunnel_conf *);
bool tunnel_ip_equal(const struct tunnel_ip *, const struct tunnel_ip *);
const char *tunnel_ip_print(const struct tunnel_ip *, char text[TUNNEL_TEXT_MAX]);
void tunnel_check(void *state, const struct mr_config *, struct mr_report *);

/* Keys that a remote end takes at most. */
#define TUNNEL_KEYS_EACH 3u

/* view.c: `number_of` are the remote ends' numbers in the order of the configuration. */
int tunnel_view_make(struct tunnel_view **out, const struct tunnel_conf *,
    const uint16_t *number_of, struct mr_mac *stations, struct mr_error *);

/* A tunnel and what control knows of it. */
struct tunnel_record {
	struct tunnel *t;
	struct tunnel_conf now, next;
	/* By number: whose it is; whether it is given away now, and in the configuration to come. */
	struct tunnel_ip numbers[TUNNEL_REMOTES_MAX];
	bool taken[TUNNEL_REMOTES_MAX], next_taken[TUNNEL_REMOTES_MAX];
	uint16_t *number_of, *next_number_of; /* in the order of the configuration */
	uint16_t end_of[TUNNEL_REMOTES_MAX];  /* by number: among those of all; 0: none yet */
	struct mr_mac *stations, *next_stations, *old_stations;
	struct tunnel_view *next_view, *old_view;
	uint16_t vrf, node; /* UINT16_MAX: not in the graph */
	uint32_t swept;     /* buckets of the stations that were looked at for age */
	bool wanted, fresh;
};

struct tunnel_enter {
	uint16_t node;
	uint8_t edge_of[MR_PORT_MAX];
};

struct tunnels {
	struct mr_dataplane *dp;
	const struct mr_router_base *base;
	struct tunnel_core core;
	struct tunnel_record *records[TUNNELS_MAX]; /* by slot */
	struct tunnel_enter *enters[TUNNEL_ENTERS_MAX];
	struct mr_flow_inside *next_inside, *old_inside;
	uint32_t next_end; /* where a free one is looked for first */
	uint16_t in;       /* node */
	unsigned count;
};

#define tunnels_each(all, slot, record) \
	for ((slot) = 0; (slot) < TUNNELS_MAX; (slot)++) \
		if (((record) = (all)->records[slot]) != NULL)

/* record.c. Prepares the tunnel's record, made if there was none, for this configuration. */
int tunnel_record_prepare(struct tunnels *, const struct mr_config *, const struct mr_conf *,
    struct mr_error *);
void tunnel_record_free(struct tunnel_record *);
/* Ends of numbers that are not in use (null: none is). */
void tunnel_release_ends(struct tunnels *, struct tunnel_record *, const bool *used);

/* place.c: in commit, nodes in the graph's draft. */
void tunnel_place(struct tunnels *, struct tunnel_record *);
void tunnel_leave(struct tunnels *, struct tunnel_record *);
void tunnel_stand_before_host(struct tunnels *);
void tunnel_node_remove(struct tunnels *, uint16_t *node);
void tunnel_nodes_remove(struct tunnels *);
/* In finish: packets pass. */
void tunnel_open(struct tunnels *, struct tunnel_record *);

/* route.c: the ways to remote ends, as they are now. */
void tunnel_routes_refresh(struct tunnels *);
/* Whether its local address is the router's own. */
bool tunnel_local_is_own(const struct tunnels *, const struct tunnel_record *);

/* show.c */
uint32_t tunnel_seconds(void);
void tunnel_show(void *state, struct mr_state *);
bool tunnel_describe(void *state, const struct mr_op *, char *text, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_HOST_HOST_INT_H
#define MR_NF_HOST_HOST_INT_H

/*
 * What the control side's files share.
 *
 *   part.c      the descriptor: a configuration's way from check to finish
 *   conf.c      what is wrong with a configuration, and its policies
 *   space.c     a namespace and its twins: opening, closing
 *   sync.c      what the kernel is told of interfaces, and what it tells of addresses
 *   netlink.c   the messages for that
 *   proc.c      sysctls, and which groups the kernel has joined
 *   show.c      state
 *
 * Threads: the control thread.
 */

#include "nf/host/host.h"
#include "nf/interface/interface.h"

#define HOST_NAME_MAX 64

/* Addresses of one side or the other; grows. */
struct host_address {
	int ifindex; /* of a dump */
	struct mr_ip_address a;
};
struct host_addresses {
	struct host_address *items;
	uint32_t count, room;
};
bool host_addresses_add(struct host_addresses *, int ifindex, const struct mr_ip_address *);
const struct host_address *host_addresses_find(const struct host_addresses *, int ifindex,
    const struct mr_ip_address *);
void host_addresses_remove(struct host_addresses *, uint32_t at);
void host_addresses_free(struct host_addresses *);

/* One routed interface's other end; or `lo`, which stands for all loopbacks of the VRF. */
struct host_twin {
	struct host_twin *next;
	char name[MR_PORT_NAME_MAX];
	struct mr_port *port; /* null: lo, or one that was deleted under us */
	uint16_t index;       /* the port's, reserved */
	uint16_t interface;   /* of the IP tables; 0: not yet, or the VRF has no loopback */
	int ifindex;
	bool lo;
	bool wanted; /* by the configuration that is being brought in */
	bool fresh;  /* made for it */
	bool added;  /* its port is in the graph */
	/* What the kernel was last told. */
	bool set_up;
	int carrier; /* -1: nothing */
	uint16_t mtu;
	uint8_t mac[6];
	struct host_addresses ours;   /* given to the kernel by us */
	struct host_addresses theirs; /* found there, told to the router */
};

struct mnl_socket;

struct host_names {
	char (*items)[MR_PORT_NAME_MAX];
	uint32_t count;
};

struct host_space {
	struct host_space *next;
	char name[HOST_NAME_MAX];
	char vrf[HOST_NAME_MAX];
	char next_vrf[HOST_NAME_MAX];
	bool made;   /* by us: deleted when nobody lives in it */
	bool wanted; /* as above */
	bool fresh;
	bool dirty; /* addresses are to be compared */
	struct mnl_socket *ask, *hear;
	unsigned sequence;
	int igmp, igmp6; /* /proc/net/igmp and igmp6 of the namespace; -1: not there */
	struct host_twin *twins;
	struct host_names loopbacks, next_loopbacks; /* of the VRF: what lo stands for */
};

struct host_limit {
	uint64_t rate, burst;
	const struct mr_host_sources *sources; /* null: all */
};

/* A VRF's policy as the configuration has it. */
struct host_vrf {
	struct host_vrf *next;
	char name[HOST_NAME_MAX];
	char space[HOST_NAME_MAX]; /* empty: none */
	uint16_t index;
	bool fresh; /* the policy was made for this configuration */
	struct mr_host_policy *policy;
	struct host_limit limits[MR_HOST_CLASS_COUNT];
};

struct host_part {
	const struct mr_router_base *base;
	struct mr_host *core;
	struct host_vrf *now, *next;
	struct host_space *spaces;
	uint16_t local, input; /* nodes; UINT16_MAX: not in the graph */
	int epoll;             /* of the spaces' sockets */
	int event;             /* asks for a tick */
	bool syncing;
	uint64_t second;              /* when the next look at what changes by itself is due */
	uint64_t aged;                /* when sessions were aged */
	struct host_addresses groups; /* joined, by interface in `ifindex` */
};

/* conf.c */
void host_conf_check(const struct mr_config *, struct mr_report *);
int host_vrf_read(struct host_vrf **out, const struct mr_conf *router, struct mr_error *);
void host_vrf_free(struct host_vrf *); /* its policy stays */

/* space.c */
int host_space_get(struct host_part *, const char *name, struct host_space **out,
    struct mr_error *);
int host_twin_get(struct host_part *, struct host_space *, const char *name, bool lo,
    struct host_twin **out, struct mr_error *);
int host_twin_open(struct host_part *, struct host_space *, struct host_twin *, struct mr_error *);
void host_twin_close(struct host_part *, struct host_space *, struct host_twin *);
/* In or out of the graph's draft. */
void host_twin_add(struct host_part *, struct host_twin *);
void host_twin_remove(struct host_part *, struct host_twin *);
void host_space_close(struct host_part *, struct host_space *);

/* sync.c */
void host_space_sync(struct host_part *, struct host_space *);
void host_twin_sync_link(struct host_part *, struct host_space *, struct host_twin *);
void host_listen(struct host_part *);

/* netlink.c: 0 or -errno */
struct host_link {
	const uint8_t *mac; /* null: as it is */
	uint16_t mtu;       /* 0: as it is */
	int carrier;        /* -1: as it is */
	bool up;            /* false: as it is */
	bool no_autoconf;   /* no link-local address of the kernel's own making */
};
int host_netlink_open(struct mnl_socket **out, unsigned groups, struct mr_error *);
void host_netlink_close(struct mnl_socket *);
int host_netlink_fd(const struct mnl_socket *);
int host_netlink_link(struct host_space *, int ifindex, const struct host_link *);
int host_netlink_address(struct host_space *, int ifindex, const struct mr_ip_address *, bool add);
int host_netlink_addresses(struct host_space *, struct host_addresses *);
/* Whether anything came. */
bool host_netlink_drain(struct mnl_socket *);

/* proc.c */
void host_sysctl_space(void); /* inside the namespace */
void host_sysctl_twin(const char *name);
void host_groups_read(const struct host_space *, struct host_addresses *);
unsigned host_groups_parse4(const char *text, const struct host_space *, struct host_addresses *);
unsigned host_groups_parse6(const char *text, const struct host_space *, struct host_addresses *);

/* show.c */
void host_show(void *state, uint16_t vrf, struct mr_state *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_CONTROL_INT_H
#define MR_NF_NAT_CONTROL_INT_H

/* What the descriptor's files share: the configuration read, and the function's state. */

#include "nf/dataplane.h"
#include "nf/interface/interface.h"
#include "nf/nat/journal_int.h"
#include "nf/nat/nat_int.h"

struct nat_ranges {
	struct nat_range *at;
	unsigned count;
};

/* Where packets come in or leave: a port, or one VLAN of it. */
struct nat_place {
	char port[MR_PORT_NAME_MAX];
	uint16_t vlan; /* MR_INTERFACE_ALL_VLANS; 0: untagged */
};

struct nat_names {
	struct nat_place *at;
	unsigned count;
};

struct nat_conf_static {
	be32_t outside, inside;
};

struct nat_conf_forward {
	uint8_t protocol;
	be32_t outside; /* 0: the pool's first */
	be32_t to;
	uint16_t first, last, to_port;
};

struct nat_conf_instance {
	char name[MR_PORT_NAME_MAX];
	uint8_t number;
	struct nat_names outside, inside;
	struct nat_ranges pool, sources, excludes, services;
	uint8_t mapping, filtering;
	uint32_t timeouts[NAT_TIME_COUNT];
	bool inbound_refresh;
	uint32_t hold_syn;
	struct nat_pool_config ports;  /* all but ranges and workers */
	const struct nat_alg **algs;   /* ends with null */
	bool logged, overload;         /* each mapping; ports are shared */
	bool pcp, nat_pmp;             /* inside hosts may ask for mappings */
	uint32_t lease_min, lease_max; /* seconds */
	struct nat_conf_static *statics;
	struct nat_conf_forward *forwards;
	unsigned static_count, forward_count;
};

/* What a configuration says. */
struct nat_conf {
	uint32_t max;
	struct nat_conf_instance *instances;
	unsigned count;
	struct nat_conf_log log;
};

/* Instances keep the numbers that they have in `before`. */
int nat_conf_read(struct nat_conf *, const struct mr_config *, const struct nat_conf *before,
    struct mr_error *);
void nat_conf_free(struct nat_conf *);
be32_t nat_conf_address(const char *text);
/* "a" or "a-b". */
void nat_conf_ports(const char *text, uint16_t *first, uint16_t *last);
int nat_conf_ranges(struct nat_ranges *, const struct mr_conf *, const char *list);
void nat_conf_pool(struct nat_pool_config *, const struct mr_conf *instance);
/* check.c: the router of its outside interfaces; null: they have none, or several. */
const struct mr_conf *nat_conf_router(const struct mr_config *, const struct mr_conf *instance);
const struct nat_alg *nat_conf_alg(const char *name); /* null: there is none */
/* "a", "a/len" or "a-b". */
struct nat_range nat_conf_range(const char *text);
void nat_conf_check(const struct mr_config *, struct mr_report *);

/* The nodes of one interface. */
struct nat_nodes {
	char name[MR_PORT_NAME_MAX];
	uint16_t in, out; /* UINT16_MAX: there is none */
	struct nat_self self;
};

/* A pool in use, and what it was made of. */
struct nat_pool_use {
	struct nat_pool *pool;
	struct nat_pool_config config; /* ranges: a copy */
	uint16_t epoch;
};

/* watch.c: what has run out, for the operator. */
#define NAT_WATCHED 6
struct nat_watch {
	uint64_t told[NAT_INSTANCES_MAX + 1][NAT_WATCHED]; /* drops that were */
	uint32_t next[NAT_INSTANCES_MAX + 1][NAT_WATCHED]; /* the second from which to tell more */
};
void nat_watch_tick(const struct mr_nat *, struct nat_watch *, uint32_t now);

struct mr_nat {
	struct mr_dataplane *dp;
	struct nat_core *core; /* null: there was no instance yet */
	struct nat_conf conf, next;
	struct nat_journal *journal;
	struct nat_watch watch;
	struct nat_nodes *nodes[MR_PORT_MAX];
	struct nat_pool_use pools[NAT_INSTANCES_MAX + 1];
	struct nat_pool *old[NAT_INSTANCES_MAX + 1]; /* to be taken down */
	be32_t own[NAT_INSTANCES_MAX + 1][NAT_OWN_MAX];
	unsigned own_count[NAT_INSTANCES_MAX + 1];
	be32_t home[NAT_INSTANCES_MAX + 1][NAT_OWN_MAX]; /* inside, of those with PCP */
	unsigned home_count[NAT_INSTANCES_MAX + 1];
	struct nat_view *retired;
	bool settle; /* what the configuration maps is to be put in place again */
};

/* view.c: what workers see, made of the configuration and of the addresses that there are. */
/* Whether the interfaces' addresses are others than the view's; takes them over. */
bool nat_view_addresses(struct mr_nat *);
/* Publishes a view of the configuration, and pools where they have to be others; what was before
 * goes to `retired` and `old`. */
int nat_view_publish(struct mr_nat *, struct mr_error *);
/* When no worker sees the old one any more: moves mappings to new pools, ends those that have no
 * place, puts static ones in place, frees the old. */
void nat_view_settle(struct mr_nat *);
void nat_view_free(struct nat_view *);

/* static.c */
/* Puts mappings of the configuration in place, and takes out what it does not say any more. False: a
 * port was not free yet. */
bool nat_static_settle(struct mr_nat *);

void nat_show(void *state, struct mr_state *);
uint32_t nat_seconds(void);
int nat_stream(void *state, const char *name, const struct mr_nf_query *, struct mr_nf_stream *,
    struct mr_error *);

#endif

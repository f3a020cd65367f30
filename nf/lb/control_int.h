/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_CONTROL_INT_H
#define MR_NF_LB_CONTROL_INT_H

/* What the descriptor's files share: the configuration read, and the function's state in one data
 * plane. The control thread's. */

#include "nf/interface/interface.h"
#include "nf/lb/backend.h"
#include "nf/lb/lb_int.h"
#include "nf/router/router.h"

struct lb_ip {
	uint8_t bytes[16];
	bool six;
};

struct lb_conf_backend {
	char name[MR_PORT_NAME_MAX];
	struct lb_ip ip;
	uint16_t port, weight;
	uint32_t max;
	enum mr_lb_admin admin;
	uint16_t number;
	bool leaving;         /* not in the configuration any more, but drained */
	bool gone;            /* and nothing is left of it */
	uint32_t drain_until; /* second; 0: not set */
};

struct lb_conf_service {
	char name[MR_PORT_NAME_MAX];
	char router[64];
	uint16_t vrf;
	uint16_t number;
	struct lb_ip *addresses, *sources;
	struct lb_ports {
		uint16_t first, last;
	} * ports;
	struct lb_conf_backend *backends;
	unsigned address_count, source_count, port_count, backend_count;
	struct lb_service settings; /* but for numbers */
	struct mr_lb_check check;
	uint32_t drain_timeout;
	bool ping, drain_removed;
};

struct lb_conf {
	uint32_t max;
	bool seeded;
	uint64_t seed;
	char (*interfaces)[MR_PORT_NAME_MAX];
	struct lb_conf_service *services;
	unsigned interface_count, service_count;
};

/* conf.c. VRFs get the numbers of the routers' order; backends and services none. */
int lb_conf_read(struct lb_conf *, const struct mr_config *, struct mr_error *);
void lb_conf_free(struct lb_conf *);
struct lb_conf_service *lb_conf_service(const struct lb_conf *, const char *name);
struct lb_conf_backend *lb_conf_backend(const struct lb_conf_service *, const char *name);
bool lb_ports_read(const char *text, struct lb_ports *);
bool lb_ip_read(const char *text, struct lb_ip *);
bool lb_ip_equal(const struct lb_ip *, const struct lb_ip *);
const char *lb_ip_print(const uint8_t *bytes, bool six, char text[64]);
extern const char *const lb_mode_names[], *const lb_scheduler_names[];

/* number.c: numbers as in the configuration before, where there is one; what leaves is taken
 * along. */
int lb_conf_number(struct lb_conf *, const struct lb_conf *before, struct mr_error *);

/* check.c */
void lb_check(void *state, const struct mr_config *, struct mr_report *);

/* view.c. Addresses keep the numbers that they have in `before`, which may be null. */
int lb_view_make(struct lb_view **out, const struct lb_conf *, const struct lb_view *before,
    const struct mr_hash_key *, struct mr_error *);
void lb_view_free(struct lb_view *);

/* What control knows of a backend beside its configuration. */
struct lb_record {
	bool unhealthy;
	char why[64];
	uint32_t adjacency;   /* held */
	uint32_t drain_until; /* second; 0: not drained, or for ever */
	bool draining;
};

struct lb_instance {
	char name[MR_PORT_NAME_MAX];
	bool made;
	uint16_t front, back; /* nodes */
};

struct mr_lb {
	struct mr_dataplane *dp;
	const struct mr_router_base *base;
	struct lb_core *core; /* null: there was no service yet */
	struct lb_conf now, next;
	struct lb_view *view, *next_view, *old_view;
	struct lb_choice **choices, **old_choices; /* [service * 2 + six], made in prepare */
	struct lb_record *records;                 /* [LB_BACKENDS_MAX] */
	uint32_t sizes[LB_SERVICES_MAX];           /* of Maglev tables */
	struct mr_hash_key key;
	struct lb_instance *instances[MR_PORT_MAX];
	uint16_t send; /* node */
	uint32_t version;
};

/* backend.c */
struct lb_conf_backend *lb_backend_of(const struct lb_conf *, unsigned backend,
    struct lb_conf_service **service);
/* What a backend is fit for, as things are. */
uint32_t lb_fit_of(const struct mr_lb *, const struct lb_conf_backend *);
/* Makes it so, and the service's choice anew where that changes something. */
void lb_refit(struct mr_lb *, const struct lb_conf_service *, const struct lb_conf_backend *);
void lb_drain_tick(struct mr_lb *, uint32_t seconds);
/* Ends connections whose service, address or server is not there any more. */
void lb_break_stale(struct mr_lb *);

/* route.c: the ways to backends, as they are now. */
void lb_route_refresh(struct mr_lb *);
void lb_route_forget(struct mr_lb *, uint16_t backend);

/* show.c, stream.c, describe.c */
void lb_show(void *state, struct mr_state *);
int lb_stream(void *state, const char *name, const struct mr_nf_query *, struct mr_nf_stream *,
    struct mr_error *);
bool lb_describe(void *state, const struct mr_op *, char *text, size_t size);
uint32_t lb_seconds(void);

/* check_translators.c */
void lb_check_translators(const struct mr_config *, struct mr_report *,
    const struct lb_conf_service *, const struct mr_conf *at);

#endif

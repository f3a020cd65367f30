/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the router: its nodes, its channel, its place in the steps of a configuration. */
#include "nf/neighbor/neighbor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "nf/interface/interface.h"
#include "nf/neighbor/part_int.h"

extern const char mr_yang_neighbor[];

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* -- life ------------------------------------------------------------------------------- */

static int
create(void **state, const struct mr_router_base *base, struct mr_error *error)
{
	struct neighbor_part *p = calloc(1, sizeof(*p));

	if (!p)
		return mr_error_set(error, -ENOMEM, "no memory");
	p->base = *base;
	p->router = base;
	p->epoll = -1;
	p->arp = p->nd = p->resolve = p->output = UINT16_MAX;
	*state = p;
	return 0;
}

static void
tell_addresses(void *user, uint16_t interface)
{
	const struct neighbor_part *p = user;

	mr_router_changed(p->router, interface);
}

static int
watch_channel(const struct neighbor_part *p, struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = (void *)&mr_ip_part_neighbor };

	if (p->epoll >= 0 && p->neighbors &&
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, mr_channel_fd(p->neighbors->channel), &event))
		return mr_error_set(error, -errno, "epoll: %s", strerror(errno));
	return 0;
}

/* With the first router: a data plane without one has no channel and no table. */
static int
open_table(struct neighbor_part *p, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(p->base.dp);
	struct neighbors_config config = {
		.ip = p->base.ip,
		.rib = p->base.rib,
		.buffers = mr_dataplane_buffers(p->base.dp),
		.log = mr_dataplane_log(p->base.dp),
		.workers = (uint16_t)mr_graph_worker_count(graph),
		.hz = mr_graph_hz(graph),
		.now = clock_ms(),
	};
	int rc = mr_interface_reserve(mr_interfaces_of(p->base.dp), &config.port, error);

	if (rc)
		return rc;
	p->port = config.port;
	/* Its first use is after the router's create, when the base is complete. */
	config.rib = p->router->rib;
	rc = neighbors_create(&p->neighbors, &config, error);
	if (!rc)
		rc = watch_channel(p, error);
	if (rc) {
		neighbors_destroy(p->neighbors);
		p->neighbors = NULL;
		mr_interface_release(mr_interfaces_of(p->base.dp), config.port);
		return rc;
	}
	p->neighbors->changed = tell_addresses;
	p->neighbors->user = p;
	return 0;
}

static int
watch(void *state, int epoll)
{
	struct neighbor_part *p = state;

	p->epoll = epoll;
	return 0;
}

static void
remove_node(struct mr_graph *graph, uint16_t *node)
{
	if (*node != UINT16_MAX)
		mr_graph_remove_node(graph, *node);
	*node = UINT16_MAX;
}

static void
remove_nodes(struct neighbor_part *p)
{
	struct mr_graph *graph = mr_dataplane_graph(p->base.dp);

	if (p->output == UINT16_MAX)
		return;
	remove_node(graph, &p->arp);
	remove_node(graph, &p->nd);
	remove_node(graph, &p->resolve);
	remove_node(graph, &p->output);
	mr_graph_remove_port(graph, p->port);
}

/* RFC 4861, 6.2.5, when the program ends: no worker runs any more, so this thread may send. */
static void
say_goodbye(struct neighbors *n, struct mr_graph *graph)
{
	for (uint32_t i = 1; i < n->ip->interface_end; i++) {
		uint8_t frame[NEIGHBOR_RA_MAX];
		struct mr_port *port = mr_graph_port(graph, mr_ip_port(&n->ip->interfaces[i]));
		unsigned len =
		    n->interfaces[i].ra.sent ? neighbor_ra_write(n, (uint16_t)i, true, frame) : 0;
		uint32_t packet;

		if (!len || !port || !port->tx_queues)
			continue;
		packet = mr_packet_from(n->buffers, MR_POOL_SHARED, frame, len);
		if (packet == MR_PACKET_NONE)
			continue;
		if (!port->driver->tx(port, 0, 0, &packet, 1))
			mr_packets_free(n->buffers, MR_POOL_SHARED, &packet, 1);
		else if (port->driver->tx_idle)
			port->driver->tx_idle(port, 0, 0);
	}
}

static void
destroy(void *state)
{
	struct neighbor_part *p = state;

	if (!p)
		return;
	neighbor_plan_free(&p->next);
	if (p->neighbors) {
		say_goodbye(p->neighbors, mr_dataplane_graph(p->base.dp));
		remove_nodes(p);
		neighbors_destroy(p->neighbors);
		mr_interface_release(mr_interfaces_of(p->base.dp), p->port);
	}
	free(p);
}

/* -- the steps -------------------------------------------------------------------------- */

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct neighbor_part *p = state;
	int rc = 0;

	if (!p->neighbors && mr_conf_child(mr_conf_root(config), "router"))
		rc = open_table(p, error);
	return rc ? rc : neighbor_plan_read(&p->next, config, error);
}

static void
add_nodes(struct neighbor_part *p)
{
	struct mr_graph *graph = mr_dataplane_graph(p->base.dp);
	struct mr_error error;
	int rc = 0;

	if (p->output == UINT16_MAX) {
		struct neighbor_nodes *self = &p->neighbors->nodes;

		rc = mr_graph_add_node(graph, &neighbor_arp_class, NULL, self, &p->arp, &error);
		if (!rc)
			rc = mr_graph_add_node(graph, &neighbor_nd_class, NULL, self, &p->nd,
			    &error);
		if (!rc)
			rc = mr_graph_add_node(graph, &neighbor_resolve_class, NULL, self,
			    &p->resolve, &error);
		if (!rc)
			rc = mr_graph_add_node(graph, &neighbor_output_class, NULL, self,
			    &p->output, &error);
		if (!rc)
			rc = mr_graph_add_port(graph, p->neighbors->port, NULL, 0, &error);
	}
	if (rc) {
		mr_log(mr_dataplane_log(p->base.dp), MR_LOG_ERROR, "neighbor: %s", error.text);
		remove_nodes(p);
		return;
	}
	mr_ip_attach(p->base.ip, MR_IP_EDGE_ARP, p->arp);
	mr_ip_attach(p->base.ip, MR_IP_EDGE_RESOLVE, p->resolve);
	mr_ip_link(p->base.ip, p->output);
	mr_graph_set_input(graph, p->port, p->output, 0);
}

static const struct neighbor_plan_interface *
plan_of(const struct neighbor_part *p, const char *name)
{
	for (uint32_t k = 0; k < p->next.interface_count; k++)
		if (!strcmp(p->next.interfaces[k].name, name))
			return &p->next.interfaces[k];
	return NULL;
}

static void
apply_interfaces(struct neighbor_part *p)
{
	struct mr_ip *ip = p->base.ip;

	for (uint32_t k = 1; k < ip->interface_end; k++) {
		const struct neighbor_plan_interface *from =
		    ip->info[k].name[0] ? plan_of(p, ip->info[k].name) : NULL;
		struct neighbor_interface_settings own;

		if (!from) {
			neighbors_interface_set(p->neighbors, (uint16_t)k, NULL, NULL);
			continue;
		}
		own = from->own;
		own.ra.mtu = from->tell_mtu ? mr_ip_mtu(&ip->interfaces[k]) : 0;
		mr_ip_interface_flag(ip, (uint16_t)k, MR_IP_PROXY, own.proxy);
		mr_ip_interface_flag(ip, (uint16_t)k, MR_IP_DAD, own.dad);
		neighbors_interface_set(p->neighbors, (uint16_t)k, &from->settings, &own);
	}
}

static const struct neighbor_plan_static *
planned(const struct neighbor_part *p, const struct neighbor *e)
{
	for (uint32_t k = 0; k < p->next.static_count; k++) {
		const struct neighbor_plan_static *s = &p->next.statics[k];

		if (s->family == e->family && !memcmp(s->address, e->address, 16) &&
		    !strcmp(s->interface, p->base.ip->info[e->interface].name))
			return s;
	}
	return NULL;
}

static void
apply_statics(struct neighbor_part *p)
{
	struct neighbors *n = p->neighbors;

	for (uint32_t k = 1; k < n->entry_end; k++)
		if (n->entries[k].live && n->entries[k].configured && !planned(p, &n->entries[k]))
			neighbor_drop(n, &n->entries[k]);
	for (uint32_t k = 0; k < p->next.static_count; k++) {
		const struct neighbor_plan_static *s = &p->next.statics[k];
		uint16_t at = mr_ip_interface_find(p->base.ip, s->interface);
		struct neighbor *e = at ? neighbor_make(n, at, s->family, s->address) : NULL;

		if (e)
			neighbor_configure(n, e, s->mac);
		else
			mr_log(n->log, MR_LOG_WARNING,
			    "neighbor: no room for a static neighbour of interface %s",
			    s->interface);
	}
}

static void
commit(void *state, bool active)
{
	struct neighbor_part *p = state;

	if (p->neighbors) {
		p->neighbors->now = MR_MAX(clock_ms(), p->neighbors->now);
		apply_interfaces(p);
		apply_statics(p);
		neighbors_flush(p->neighbors);
		if (active)
			add_nodes(p);
		else
			remove_nodes(p);
	}
	neighbor_plan_free(&p->next);
}

static void
abort_plan(void *state)
{
	struct neighbor_part *p = state;

	neighbor_plan_free(&p->next);
}

static uint32_t
tick(void *state, uint64_t now)
{
	struct neighbor_part *p = state;

	return p->neighbors ? neighbors_tick(p->neighbors, now) : UINT32_MAX;
}

static void
changed(void *state, uint16_t interface)
{
	struct neighbor_part *p = state;
	struct neighbors *n = p->neighbors;

	if (!n)
		return;
	if (n->interfaces[interface].own.ra.mtu)
		n->interfaces[interface].own.ra.mtu = mr_ip_mtu(&p->base.ip->interfaces[interface]);
	neighbors_interface_changed(n, interface);
}

uint16_t
mr_neighbor_nd_input(const struct mr_router_base *base)
{
	const struct neighbor_part *p = mr_router_part(base, &mr_ip_part_neighbor);

	return p ? p->nd : UINT16_MAX;
}

const struct mr_ip_part mr_ip_part_neighbor = {
	.name = "neighbor",
	.yang = mr_yang_neighbor,
	.create = create,
	.destroy = destroy,
	.check = neighbor_conf_check,
	.prepare = prepare,
	.commit = commit,
	.abort = abort_plan,
	.tick = tick,
	.watch = watch,
	.changed = changed,
	.show = neighbor_show,
	.describe = neighbor_describe,
};

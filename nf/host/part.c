/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part's life. A new configuration's namespaces and twins are opened beside those in
 * force, so that a missing privilege is an error of the configuration and changes nothing;
 * what both have stays open, with all that daemons hold of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nf/host/host_int.h"
#include "nf/icmp/icmp.h"
#include "nf/icmp/reassembly.h"
#include "nf/neighbor/neighbor.h"

#define SECOND 1000u
#define SESSION_AGE (300u * 1000u)

extern const char mr_yang_host[];

static struct mr_graph *
graph_of(const struct host_part *h)
{
	return mr_dataplane_graph(h->base->dp);
}

/* Has the router call our tick soon. */
static void
ask_for_tick(const struct host_part *h)
{
	const uint64_t one = 1;

	(void)!write(h->event, &one, sizeof(one));
}

/* -- life -------------------------------------------------------------------------------- */

static void
vrfs_free(struct host_vrf **list, bool policies)
{
	struct host_vrf *v;

	while ((v = *list) != NULL) {
		*list = v->next;
		if (policies)
			mr_host_policy_destroy(v->policy);
		host_vrf_free(v);
	}
}

static void
host_destroy(void *state)
{
	struct host_part *h = state;
	struct mr_error error;

	if (!h)
		return;
	for (struct host_space *s = h->spaces; s; s = s->next)
		for (struct host_twin *t = s->twins; t; t = t->next)
			host_twin_remove(h, t);
	if (h->local != UINT16_MAX) {
		mr_graph_remove_node(graph_of(h), h->local);
		mr_graph_remove_node(graph_of(h), h->input);
		(void)mr_graph_commit(graph_of(h), &error);
	}
	while (h->spaces)
		host_space_close(h, h->spaces);
	vrfs_free(&h->now, true);
	mr_host_destroy(h->core);
	host_addresses_free(&h->groups);
	if (h->epoll >= 0)
		close(h->epoll);
	if (h->event >= 0)
		close(h->event);
	free(h);
}

static int
host_create(void **state, const struct mr_router_base *base, struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct host_part *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return mr_error_set(error, -ENOMEM, "no memory");
	h->base = base;
	h->local = h->input = UINT16_MAX;
	h->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (h->event < 0 || h->epoll < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->event, &event))
		rc = mr_error_set(error, -errno, "epoll: %s", strerror(errno));
	else
		rc = mr_host_create(&h->core, base->ip, error);
	if (rc) {
		host_destroy(h);
		return rc;
	}
	*state = h;
	return 0;
}

static void
host_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	host_conf_check(config, report);
}

/* -- prepare ----------------------------------------------------------------------------- */

static void
host_abort(void *state)
{
	struct host_part *h = state;
	struct host_space *s, *next_space;

	for (struct host_vrf *v = h->next; v; v = v->next) {
		if (v->fresh)
			mr_host_policy_destroy(v->policy);
	}
	vrfs_free(&h->next, false);
	for (s = h->spaces; s; s = next_space) {
		struct host_twin *t, *next_twin;

		next_space = s->next;
		for (t = s->twins; t && !s->fresh; t = next_twin) {
			next_twin = t->next;
			if (t->fresh)
				host_twin_close(h, s, t);
		}
		if (s->fresh)
			host_space_close(h, s);
	}
}

static struct host_vrf *
find_vrf(struct host_vrf *list, const char *name)
{
	for (; list; list = list->next)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

static int
prepare_space(struct host_part *h, const struct mr_conf *router, const struct host_vrf *v,
    struct mr_error *error)
{
	const struct mr_conf *entry;
	struct host_space *s;
	struct host_twin *t;
	int rc = host_space_get(h, v->space, &s, error);

	if (rc)
		return rc;
	s->wanted = true;
	snprintf(s->next_vrf, sizeof(s->next_vrf), "%s", v->name);
	free(s->next_loopbacks.items);
	s->next_loopbacks.count = 0;
	s->next_loopbacks.items =
	    calloc(mr_conf_count(router, "interface") + 1, sizeof(*s->next_loopbacks.items));
	if (!s->next_loopbacks.items)
		return mr_error_set(error, -ENOMEM, "no memory");
	mr_conf_each(entry, router, "interface") {
		if (!mr_conf_bool(entry, "host", true))
			continue;
		if (mr_conf_bool(entry, "loopback", false)) {
			snprintf(s->next_loopbacks.items[s->next_loopbacks.count++],
			    MR_PORT_NAME_MAX, "%s", mr_conf_key(entry));
			continue;
		}
		rc = host_twin_get(h, s, mr_conf_key(entry), false, &t, error);
		if (rc)
			return rc;
		t->wanted = true;
	}
	return 0;
}

static int
prepare_vrf(struct host_part *h, const struct mr_conf *router, struct mr_error *error)
{
	struct host_vrf *v, *old;
	int rc = host_vrf_read(&v, router, error);

	if (rc)
		return rc;
	v->next = h->next;
	h->next = v;
	old = find_vrf(h->now, v->name);
	if (old) {
		v->policy = old->policy;
	} else {
		rc = mr_host_policy_create(&v->policy, mr_graph_worker_count(graph_of(h)),
		    mr_graph_hz(graph_of(h)), error);
		v->fresh = true;
	}
	return rc || !v->space[0] ? rc : prepare_space(h, router, v, error);
}

static int
host_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *router;
	struct host_part *h = state;

	for (struct host_space *s = h->spaces; s; s = s->next) {
		s->wanted = false;
		for (struct host_twin *t = s->twins; t; t = t->next)
			t->wanted = t->lo;
	}
	mr_conf_each(router, mr_conf_root(config), "router") {
		int rc = prepare_vrf(h, router, error);

		if (rc) {
			host_abort(h);
			mr_error_prefix(error, "router %s: host", mr_conf_key(router));
			return rc;
		}
	}
	return 0;
}

/* -- commit ------------------------------------------------------------------------------ */

static bool
link_edge(struct host_part *h, enum mr_host_edge edge, uint16_t node)
{
	/* One that leads nowhere leads back here; nothing takes it. */
	bool there = node != UINT16_MAX && mr_graph_link(graph_of(h), h->local, edge, node) == 0;

	if (!there)
		mr_graph_link(graph_of(h), h->local, edge, h->local);
	return there;
}

static void
link_nodes(struct host_part *h)
{
	uint16_t nd = mr_neighbor_nd_input(h->base);
	uint16_t echo = mr_icmp_echo_node(h->base);
	uint16_t whole = mr_icmp_reassembly_node(h->base);

	/* Relaxed: workers that see it early have the node in their plan or none of its packets. */
	atomic_store_explicit(&h->core->has_nd, link_edge(h, MR_HOST_EDGE_ND, nd),
	    memory_order_relaxed);
	atomic_store_explicit(&h->core->has_echo, link_edge(h, MR_HOST_EDGE_ECHO, echo),
	    memory_order_relaxed);
	atomic_store_explicit(&h->core->has_reassembly,
	    link_edge(h, MR_HOST_EDGE_REASSEMBLY, whole), memory_order_relaxed);
	if (whole != UINT16_MAX)
		mr_graph_link(graph_of(h), whole, MR_REASSEMBLY_EDGE_WHOLE, h->local);
	mr_ip_attach(h->base->ip, MR_IP_EDGE_LOCAL, h->local);
	mr_ip_attach(h->base->ip, MR_IP_EDGE_PUNT, h->local);
	mr_ip_attach(h->base->ip, MR_IP_EDGE_MULTICAST, h->local);
}

static bool
add_nodes(struct host_part *h)
{
	struct mr_error error;
	int rc;

	if (h->local != UINT16_MAX)
		return true;
	rc = mr_graph_add_node(graph_of(h), &mr_host_local_class, NULL, h->core, &h->local, &error);
	if (!rc) {
		rc = mr_graph_add_node(graph_of(h), &mr_host_input_class, NULL, h->core, &h->input,
		    &error);
		if (rc)
			mr_graph_remove_node(graph_of(h), h->local);
	}
	if (!rc)
		return true;
	h->local = h->input = UINT16_MAX;
	mr_log(mr_dataplane_log(h->base->dp), MR_LOG_ERROR, "router: %s", error.text);
	return false;
}

static void
remove_nodes(struct host_part *h)
{
	if (h->local == UINT16_MAX)
		return;
	mr_graph_remove_node(graph_of(h), h->local);
	mr_graph_remove_node(graph_of(h), h->input);
	h->local = h->input = UINT16_MAX;
}

/* The lists of sources that were in force move to the old configuration, which is freed
 * when no worker reads them any more. */
static void
commit_policies(struct host_part *h)
{
	uint64_t hz = mr_graph_hz(graph_of(h));

	for (struct host_vrf *v = h->now; v; v = v->next)
		if (!find_vrf(h->next, v->name))
			mr_host_set_policy(h->core, v->index, NULL);
	for (struct host_vrf *v = h->next; v; v = v->next) {
		v->index = mr_ip_vrf_find(h->base->ip, v->name);
		for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++)
			(void)mr_host_policy_set(v->policy, c, hz, v->limits[c].rate,
			    v->limits[c].burst, v->limits[c].sources);
		if (v->index != UINT16_MAX)
			mr_host_set_policy(h->core, v->index, v->policy);
	}
}

/* Its interface's way to the kernel and back. */
static void
hook(struct host_part *h, struct host_twin *t)
{
	struct mr_ip *ip = h->base->ip;

	if (t->lo)
		return;
	host_twin_add(h, t);
	t->interface = mr_ip_interface_find(ip, t->name);
	if (!t->added || !t->interface)
		return;
	mr_graph_set_input(graph_of(h), t->index, h->input, 0);
	mr_host_set_twin(h->core, t->index, t->interface);
	mr_ip_interface_twin(ip, t->interface, t->index);
}

static void
host_commit(void *state, bool active)
{
	struct host_part *h = state;
	bool there = active && add_nodes(h);

	commit_policies(h);
	for (struct host_space *s = h->spaces; s; s = s->next) {
		snprintf(s->vrf, sizeof(s->vrf), "%s", s->wanted ? s->next_vrf : "");
		free(s->loopbacks.items);
		s->loopbacks = s->next_loopbacks;
		s->next_loopbacks = (struct host_names){ 0 };
		for (struct host_twin *t = s->twins; t; t = t->next) {
			if (s->wanted && t->wanted && there)
				hook(h, t);
			else
				host_twin_remove(h, t);
		}
	}
	if (there)
		link_nodes(h);
	if (!active)
		remove_nodes(h);
}

static void
host_finish(void *state)
{
	struct host_part *h = state;
	struct host_space *s, *next_space;

	for (struct host_vrf *v = h->now; v; v = v->next)
		if (!find_vrf(h->next, v->name))
			mr_host_policy_destroy(v->policy);
	vrfs_free(&h->now, false);
	h->now = h->next;
	h->next = NULL;
	for (struct host_vrf *v = h->now; v; v = v->next)
		v->fresh = false;
	for (s = h->spaces; s; s = next_space) {
		struct host_twin *t, *next_twin;

		next_space = s->next;
		s->fresh = false;
		for (t = s->twins; t; t = next_twin) {
			next_twin = t->next;
			t->fresh = false;
			if (!t->wanted)
				host_twin_close(h, s, t);
		}
		if (!s->wanted)
			host_space_close(h, s);
		else
			host_space_sync(h, s);
	}
	host_listen(h);
	ask_for_tick(h);
}

/* -- as time goes by --------------------------------------------------------------------- */

/* A twin that was deleted in its namespace is made again. */
static void
revive(struct host_part *h, struct host_space *s, struct host_twin *t)
{
	struct mr_log *log = mr_dataplane_log(h->base->dp);
	struct mr_error error;

	if (t->lo)
		return;
	if (t->port) {
		if (t->port->driver->poll_link(t->port) != -ENODEV)
			return;
		mr_log(log, MR_LOG_WARNING, "twin of interface %s has vanished from %s", t->name,
		    s->name);
		host_twin_remove(h, t);
		if (mr_graph_commit(graph_of(h), &error))
			return;
		t->port->driver->stop(t->port);
		mr_port_close(t->port);
		t->port = NULL;
	}
	if (host_twin_open(h, s, t, &error))
		return; /* tried again in a second */
	hook(h, t);
	if (mr_graph_commit(graph_of(h), &error))
		mr_log(log, MR_LOG_ERROR, "%s", error.text);
	s->dirty = true;
}

static void
each_second(struct host_part *h)
{
	h->groups.count = 0;
	for (struct host_space *s = h->spaces; s; s = s->next) {
		for (struct host_twin *t = s->twins; t; t = t->next)
			revive(h, s, t);
		host_groups_read(s, &h->groups);
	}
	host_listen(h);
}

static uint32_t
host_tick(void *state, uint64_t now)
{
	struct host_part *h = state;
	uint64_t count;

	(void)!read(h->event, &count, sizeof(count));
	if (now >= h->second) {
		h->second = now + SECOND;
		each_second(h);
	}
	if (now >= h->aged + SESSION_AGE) {
		h->aged = now;
		mr_host_age_sessions(h->core);
	}
	for (struct host_space *s = h->spaces; s; s = s->next) {
		if (host_netlink_drain(s->hear))
			s->dirty = true;
		if (s->dirty)
			host_space_sync(h, s);
	}
	return (uint32_t)(h->second - now);
}

static int
host_watch(void *state, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	const struct host_part *h = state;

	event.data.ptr = (void *)(uintptr_t)&mr_ip_part_host;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, h->epoll, &event) ? -errno : 0;
}

/* A link's state reaches the kernel at once, addresses with the next tick. */
static void
host_changed(void *state, uint16_t interface)
{
	struct host_part *h = state;

	for (struct host_space *s = h->spaces; s; s = s->next) {
		if (!s->wanted)
			continue;
		s->dirty = true;
		for (struct host_twin *t = s->twins; t; t = t->next)
			if (t->interface == interface)
				host_twin_sync_link(h, s, t);
	}
	ask_for_tick(h);
}

static bool
host_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	(void)state;
	if (op->kind != MR_OP_NOTE || op->a >= MR_HOST_CLASS_COUNT ||
	    op->text != mr_host_class_info[op->a].name)
		return false;
	snprintf(text, size, "for the router itself, class %s", op->text);
	return true;
}

const struct mr_ip_part mr_ip_part_host = {
	.name = "host",
	.yang = mr_yang_host,
	.create = host_create,
	.destroy = host_destroy,
	.check = host_check,
	.prepare = host_prepare,
	.commit = host_commit,
	.finish = host_finish,
	.abort = host_abort,
	.tick = host_tick,
	.watch = host_watch,
	.changed = host_changed,
	.show = host_show,
	.describe = host_describe,
};

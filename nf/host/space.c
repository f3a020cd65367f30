/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces and twins. A namespace that is not there is made. It is deleted when the
 * configuration names it no longer, or at the end, if we made it and nobody lives in it: a
 * routing daemon in there keeps it, and finds the twins again when we come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kit/port/namespace.h"
#include "nf/host/host_int.h"

#define GROUPS (1u << 4 | 1u << 8) /* RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR */

static struct mr_log *
log_of(const struct host_part *h)
{
	return mr_dataplane_log(h->base->dp);
}

/* -- twins ------------------------------------------------------------------------------- */

/* In the namespace. */
static int
twin_settle(void *arg, struct mr_error *error)
{
	struct host_twin *t = arg;

	(void)error;
	t->ifindex = (int)if_nametoindex(t->name);
	if (!t->lo)
		host_sysctl_twin(t->name);
	return 0;
}

int
host_twin_open(struct host_part *h, struct host_space *s, struct host_twin *t,
    struct mr_error *error)
{
	const struct mr_option options[] = { { "namespace", s->name }, { "up", "false" } };
	const struct mr_port_config config = {
		.name = t->name,
		.device = t->name,
		.options = options,
		.option_count = MR_ARRAY_COUNT(options),
		.index = t->index,
		.rx_queues = 1,
		.tx_queues = 1,
		.numa_node = -1,
		.buffers = mr_dataplane_buffers(h->base->dp),
		.workers = (uint16_t)mr_graph_worker_count(mr_dataplane_graph(h->base->dp)),
	};
	const struct host_link link = { .carrier = -1, .no_autoconf = true };
	int rc = t->lo ? 0 : mr_port_open(&t->port, "tap", &config, error);

	if (rc)
		return rc;
	t->carrier = -1;
	t->set_up = false;
	t->mtu = 0;
	memset(t->mac, 0, sizeof(t->mac));
	t->ours.count = 0;
	rc = mr_namespace_run(s->name, twin_settle, t, error);
	if (!rc && !t->lo)
		rc = t->port->driver->start(t->port, error);
	if (rc) {
		mr_port_close(t->port);
		t->port = NULL;
		return rc;
	}
	/* Refused where the kernel has no IPv6: then there is none to keep quiet. */
	if (!t->lo)
		(void)host_netlink_link(s, t->ifindex, &link);
	return 0;
}

int
host_twin_get(struct host_part *h, struct host_space *s, const char *name, bool lo,
    struct host_twin **out, struct mr_error *error)
{
	struct host_twin *t;
	int rc;

	for (t = s->twins; t; t = t->next) {
		if (strcmp(t->name, name) == 0) {
			*out = t;
			return 0;
		}
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory");
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->lo = t->wanted = lo;
	t->fresh = true;
	rc = lo ? 0 : mr_interface_reserve(mr_interfaces_of(h->base->dp), &t->index, error);
	if (rc) {
		free(t);
		return rc;
	}
	rc = host_twin_open(h, s, t, error);
	if (rc) {
		if (!lo)
			mr_interface_release(mr_interfaces_of(h->base->dp), t->index);
		free(t);
		return mr_error_prefix(error, "twin of interface %s", name);
	}
	t->next = s->twins;
	s->twins = t;
	*out = t;
	return 0;
}

/* Its port is out of the graph; takes it out of the list. */
void
host_twin_close(struct host_part *h, struct host_space *s, struct host_twin *t)
{
	struct host_twin **at = &s->twins;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	/* The addresses of a TAP go with it; those on lo we take back. */
	for (uint32_t i = 0; t->lo && i < t->ours.count; i++)
		(void)host_netlink_address(s, t->ifindex, &t->ours.items[i].a, false);
	if (t->port)
		t->port->driver->stop(t->port);
	mr_port_close(t->port);
	if (!t->lo)
		mr_interface_release(mr_interfaces_of(h->base->dp), t->index);
	host_addresses_free(&t->ours);
	host_addresses_free(&t->theirs);
	free(t);
}

void
host_twin_add(struct host_part *h, struct host_twin *t)
{
	struct mr_graph *graph = mr_dataplane_graph(h->base->dp);
	struct mr_error error;

	if (t->lo || !t->port || t->added)
		return;
	if (mr_graph_add_port(graph, t->port, NULL, 0, &error)) {
		mr_log(log_of(h), MR_LOG_ERROR, "twin of interface %s: %s", t->name, error.text);
		return;
	}
	mr_graph_set_port_up(graph, t->index, true);
	t->added = true;
}

void
host_twin_remove(struct host_part *h, struct host_twin *t)
{
	struct mr_ip *ip = h->base->ip;

	if (t->lo)
		return;
	mr_host_set_twin(h->core, t->index, 0);
	if (t->interface && mr_ip_twin(&ip->interfaces[t->interface]) == t->index)
		mr_ip_interface_twin(ip, t->interface, MR_IP_NO_PORT);
	if (t->added)
		mr_graph_remove_port(mr_dataplane_graph(h->base->dp), t->index);
	t->added = false;
}

/* -- namespaces -------------------------------------------------------------------------- */

/* In the namespace: sockets and files that stay in it. */
static int
space_enter(void *arg, struct mr_error *error)
{
	struct host_space *s = arg;
	int rc = host_netlink_open(&s->ask, 0, error);

	if (!rc)
		rc = host_netlink_open(&s->hear, GROUPS, error);
	if (rc)
		return rc;
	s->igmp = open("/proc/thread-self/net/igmp", O_RDONLY | O_CLOEXEC);
	s->igmp6 = open("/proc/thread-self/net/igmp6", O_RDONLY | O_CLOEXEC);
	host_sysctl_space();
	return 0;
}

static void
space_free(struct host_space *s)
{
	host_netlink_close(s->ask);
	host_netlink_close(s->hear);
	if (s->igmp >= 0)
		close(s->igmp);
	if (s->igmp6 >= 0)
		close(s->igmp6);
	free(s->loopbacks.items);
	free(s->next_loopbacks.items);
	free(s);
}

/* What we made goes, unless somebody lives there. */
static void
space_leave(struct host_part *h, const struct host_space *s)
{
	struct mr_error error;
	pid_t user;

	if (!s->made)
		return;
	user = mr_namespace_user(s->name);
	if (user)
		mr_log(log_of(h), MR_LOG_NOTICE,
		    "network namespace %s stays: process %d lives in it", s->name, (int)user);
	else if (mr_namespace_delete(s->name, &error))
		mr_log(log_of(h), MR_LOG_WARNING, "%s", error.text);
}

static int
space_open(struct host_part *h, struct host_space *s, struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN };
	const struct host_link up = { .carrier = -1, .up = true };
	int rc = 0;

	if (!mr_namespace_exists(s->name)) {
		rc = mr_namespace_create(s->name, error);
		s->made = !rc;
	}
	if (!rc)
		rc = mr_namespace_run(s->name, space_enter, s, error);
	if (rc)
		return rc;
	/* Interface 1 is lo, in every namespace. */
	rc = host_netlink_link(s, 1, &up);
	if (rc)
		return mr_error_set(error, rc, "cannot set lo up in network namespace %s: %s",
		    s->name, strerror(-rc));
	if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, host_netlink_fd(s->hear), &event))
		return mr_error_set(error, -errno, "epoll: %s", strerror(errno));
	return 0;
}

int
host_space_get(struct host_part *h, const char *name, struct host_space **out,
    struct mr_error *error)
{
	struct host_twin *lo;
	struct host_space *s;
	int rc;

	for (s = h->spaces; s; s = s->next) {
		if (strcmp(s->name, name) == 0) {
			*out = s;
			return 0;
		}
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory");
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->igmp = s->igmp6 = -1;
	s->fresh = true;
	rc = space_open(h, s, error);
	if (!rc)
		rc = host_twin_get(h, s, "lo", true, &lo, error);
	if (rc) {
		space_leave(h, s);
		space_free(s);
		return rc;
	}
	s->next = h->spaces;
	h->spaces = s;
	*out = s;
	return 0;
}

void
host_space_close(struct host_part *h, struct host_space *s)
{
	struct host_space **at = &h->spaces;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	while (s->twins)
		host_twin_close(h, s, s->twins);
	space_leave(h, s);
	space_free(s);
}

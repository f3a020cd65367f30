/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service that samples packets: a sampler in the graph (kit/graph/probe.h), emptied ten times
 * a second; each sample becomes a flow sample, with what the tag and the router's tables say of it.
 * Counters of the sampled interfaces are told now and then. All collectors get the same
 * datagrams; one that cannot be reached costs an error's count.
 */

#include "control/sflow/sflow_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kit/base/log.h"
#include "kit/packet/parse.h"
#include "nf/interface/interface.h"
#include "nf/ip/group.h"
#include "nf/router/router.h"

/* Samples are taken out so often; sooner when there were many. */
#define READ_US 100000
#define READ_SOON_US 5000
#define READ_MAX 256u

extern const char mr_yang_sflow[];

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* -- datagrams --------------------------------------------------------------------------------------- */

static void
send_one(struct sflow_collector *c, const struct datagram *d)
{
	/* An answer to the datagram before must not cost this one. */
	for (unsigned try = 0; try < 2 && c->fd >= 0; try++) {
		if (send(c->fd, d->bytes, d->size, MSG_NOSIGNAL) == (ssize_t)d->size) {
			c->sent++;
			if (!try)
				c->error[0] = 0;
			return;
		}
		snprintf(c->error, sizeof(c->error), "send: %s", strerror(errno));
		if (errno != ECONNREFUSED)
			break;
	}
	c->lost++;
}

static void
leave(struct sflow *s)
{
	if (!s->datagram.samples)
		return;
	datagram_finish(&s->datagram, ++s->sequence, (uint32_t)(now_ms() - s->boot));
	for (unsigned i = 0; i < s->collector_count; i++)
		send_one(&s->collectors[i], &s->datagram);
	datagram_begin(&s->datagram);
}

/* -- flow samples -------------------------------------------------------------------------------------- */

/* The only way that a route has: which interface, and which next hop. */
static void
set_hop(struct datagram_flow *f, const struct mr_ip *ip, uint32_t group)
{
	struct mr_group_member members[2];
	const struct mr_adjacency_info *info;

	if (mr_group_members(ip, group, members, 2) != 1 || members[0].adjacency < MR_IP_SPECIALS)
		return;
	info = mr_adjacency_info(ip, members[0].adjacency);
	f->out =
	    atomic_load_explicit(&ip->interfaces[info->interface].port, memory_order_relaxed) + 1u;
	if (info->glean)
		return;
	memcpy(f->hop, info->address, f->hop_size);
}

static void
set_route(struct datagram_flow *f, const struct sflow *s, const struct mr_parsed *p, uint16_t port)
{
	const struct mr_router_base *router = mr_router_base_of(s->dp);
	enum mr_ip_family family = p->version == 6 ? MR_IP6 : MR_IP4;
	unsigned src =
	    family == MR_IP6 ? offsetof(struct mr_ip6, src) : offsetof(struct mr_ip4, src);
	unsigned size = family == MR_IP6 ? 16 : 4, interface, vrf;
	uint8_t prefix[16];
	uint32_t group;

	if (!router || !router->ip || !p->version || p->l3 + src + 2 * size > f->snapped)
		return;
	interface = mr_ip_interface_at(&router->ip->ports[port], p->vlan_count ? f->vlan : 0);
	if (!interface)
		return;
	vrf = mr_ip_vrf(&router->ip->interfaces[interface]);
	f->routed = true;
	f->hop_size = size;
	mr_ip_lookup(router->ip, (uint16_t)vrf, family, f->bytes + p->l3 + src, prefix,
	    &f->src_mask);
	group = mr_ip_lookup(router->ip, (uint16_t)vrf, family, f->bytes + p->l3 + src + size,
	    prefix, &f->dst_mask);
	set_hop(f, router->ip, group);
}

static void
tell_sample(struct sflow *s, const struct mr_sample *sample)
{
	struct sflow_port *port = &s->ports[sample->port];
	struct datagram_flow f = {
		.sequence = ++port->samples,
		.index = sample->port + 1u,
		.rate = sample->rate,
		.length = sample->length,
		.bytes = sample->bytes,
		.snapped = sample->snapped,
	};
	uint64_t pool, drops;
	struct mr_parsed p;

	mr_probe_sampled(s->probe, sample->port, &pool, &drops);
	f.pool = (uint32_t)pool;
	f.drops = (uint32_t)drops;
	mr_parse(&p, sample->bytes, sample->snapped, sample->length);
	if (p.vlan_count) {
		f.tagged = true;
		f.vlan = p.vlan[0] & MR_VLAN_ID_MASK;
		f.priority = p.vlan[0] >> 13;
	}
	set_route(&f, s, &p, sample->port);
	if (datagram_put_flow(&s->datagram, &f))
		return;
	leave(s);
	datagram_put_flow(&s->datagram, &f);
}

static void
arm(struct sflow *s, long us)
{
	const struct timeval after = { .tv_usec = us };

	event_add(s->read, &after);
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	static_assert(READ_MAX * sizeof(struct mr_sample) < 100000, "fits a stack");
	struct mr_sample samples[READ_MAX];
	struct sflow *s = arg;
	unsigned n;

	(void)fd;
	(void)what;
	if (!s->probe)
		return;
	n = mr_probe_samples(s->probe, samples, READ_MAX);
	for (unsigned i = 0; i < n; i++)
		tell_sample(s, &samples[i]);
	leave(s);
	arm(s, n == READ_MAX ? READ_SOON_US : READ_US);
}

/* -- counter samples ------------------------------------------------------------------------------------ */

static uint64_t
get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static void
tell_counters(struct sflow *s, const struct mr_interface *i)
{
	struct datagram_counters c = { .index = i->index + 1u, .enabled = true, .up = i->up };
	struct mr_port *port = i->port;
	struct mr_port_stats device = { 0 };

	c.sequence = (uint32_t)++s->ports[i->index].told;
	c.speed = (uint64_t)port->speed_mbps * 1000000;
	c.promiscuous = true;
	for (unsigned q = 0; q < port->rx_queues; q++) {
		c.rx_octets += get(&port->rx_stats[q].bytes);
		c.rx_packets += (uint32_t)get(&port->rx_stats[q].packets);
		c.rx_errors += (uint32_t)get(&port->rx_stats[q].errors);
		c.rx_discards += (uint32_t)get(&port->rx_stats[q].no_buffer);
	}
	for (unsigned q = 0; q < port->tx_queues; q++) {
		c.tx_octets += get(&port->tx_stats[q].bytes);
		c.tx_packets += (uint32_t)get(&port->tx_stats[q].packets);
		c.tx_errors += (uint32_t)get(&port->tx_stats[q].errors);
		c.tx_discards += (uint32_t)get(&port->tx_stats[q].gone);
	}
	if (port->driver->stats)
		port->driver->stats(port, &device);
	c.rx_discards += (uint32_t)device.device_rx_dropped;
	c.tx_discards += (uint32_t)device.device_tx_dropped;
	if (datagram_put_counters(&s->datagram, &c))
		return;
	leave(s);
	datagram_put_counters(&s->datagram, &c);
}

static void
sflow_tick(void *state, uint32_t seconds)
{
	struct sflow *s = state;

	if (!s->probe || !s->now.polling || seconds - s->polled < s->now.polling)
		return;
	s->polled = seconds;
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		const struct mr_interface *i =
		    s->rates[p] ? mr_interface_at(mr_interfaces_of(s->dp), (uint16_t)p) : NULL;

		if (i && i->port)
			tell_counters(s, i);
	}
	leave(s);
}

/* -- a change ---------------------------------------------------------------------------------------------- */

static int
sflow_create(void **state, struct mr_control *control, struct mr_error *error)
{
	struct sflow *s = calloc(1, sizeof(*s));

	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory");
	*state = s;
	s->control = control;
	s->dp = mr_control_dataplane(control);
	s->boot = now_ms();
	s->read = evtimer_new(mr_control_base(control), on_read, s);
	return s->read ? 0 : mr_error_set(error, -ENOMEM, "no memory");
}

static int
sflow_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct sflow *s = state;

	(void)error;
	sflow_read(&s->next, config);
	return 0;
}

static void
stop(struct sflow *s)
{
	if (s->probe) {
		on_read(-1, 0, s);
		mr_graph_detach(mr_dataplane_graph(s->dp), s->probe);
		mr_probe_destroy(s->probe);
		s->probe = NULL;
		event_del(s->read);
	}
}

static void
close_collectors(struct sflow *s)
{
	for (unsigned i = 0; i < s->collector_count; i++)
		if (s->collectors[i].fd >= 0)
			close(s->collectors[i].fd);
	s->collector_count = 0;
}

static void
open_collector(struct sflow_collector *c, const struct sflow_conf *conf)
{
	int size = 1 << 20;

	snprintf(c->name, sizeof(c->name), "%s", conf->name);
	c->fd = socket(conf->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const void *)&conf->to, conf->to_size)) {
		snprintf(c->error, sizeof(c->error), "address: %s", strerror(errno));
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		return;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Counts go on under the same name. */
static void
open_collectors(struct sflow *s)
{
	struct sflow_collector before[SFLOW_COLLECTORS_MAX];
	unsigned count = s->collector_count;

	memcpy(before, s->collectors, sizeof(before));
	close_collectors(s);
	memset(s->collectors, 0, sizeof(s->collectors));
	for (unsigned i = 0; i < s->now.collector_count; i++) {
		struct sflow_collector *c = &s->collectors[s->collector_count++];

		open_collector(c, &s->now.collectors[i]);
		for (unsigned k = 0; k < count; k++)
			if (strcmp(before[k].name, c->name) == 0) {
				c->sent = before[k].sent;
				c->lost = before[k].lost;
			}
	}
}

/* What the first collector sees as our address. */
static void
set_agent(struct sflow *s)
{
	struct sockaddr_storage own = s->now.agent;
	socklen_t size = sizeof(own);

	if (!own.ss_family && s->collectors[0].fd >= 0)
		getsockname(s->collectors[0].fd, (struct sockaddr *)&own, &size);
	s->datagram.agent_size = own.ss_family == AF_INET6 ? 16 : 4;
	memset(s->datagram.agent, 0, sizeof(s->datagram.agent));
	if (own.ss_family == AF_INET6)
		memcpy(s->datagram.agent, &((struct sockaddr_in6 *)&own)->sin6_addr, 16);
	else if (own.ss_family == AF_INET)
		memcpy(s->datagram.agent, &((struct sockaddr_in *)&own)->sin_addr, 4);
	s->datagram.sub_agent = s->now.sub_agent;
	s->datagram.limit = s->now.limit;
	datagram_begin(&s->datagram);
}

static void
set_rates(struct sflow *s)
{
	memset(s->rates, 0, sizeof(s->rates));
	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		const struct mr_interface *i =
		    mr_interface_at(mr_interfaces_of(s->dp), (uint16_t)p);

		if (i)
			s->rates[p] = sflow_rate(&s->now, i->name);
	}
}

static int
start(struct sflow *s, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(s->dp);
	const struct mr_probe_config config = {
		.sample = true,
		.rates = s->rates,
		.snap = s->now.header,
		.buffers = mr_dataplane_buffers(s->dp),
		.workers = (uint16_t)mr_graph_worker_count(graph),
	};
	int rc = mr_probe_create(&s->probe, &config, error);

	if (!rc)
		rc = mr_graph_attach(graph, s->probe, error);
	if (rc) {
		mr_probe_destroy(s->probe);
		s->probe = NULL;
		return rc;
	}
	arm(s, READ_US);
	return 0;
}

static void
sflow_commit(void *state)
{
	struct sflow *s = state;
	uint32_t before[MR_PORT_MAX];
	struct mr_error error;

	memcpy(before, s->rates, sizeof(before));
	if (s->probe)
		on_read(-1, 0, s); /* for those who are told so far */
	s->now = s->next;
	open_collectors(s);
	set_agent(s);
	set_rates(s);
	if (!s->collector_count) {
		memset(s->rates, 0, sizeof(s->rates));
		stop(s);
		return;
	}
	/* Where nothing about sampling changes, the pool is not counted anew. */
	if (s->probe && memcmp(before, s->rates, sizeof(before)) == 0 && s->header == s->now.header)
		return;
	stop(s);
	s->header = s->now.header;
	memset(s->ports, 0, sizeof(s->ports));
	if (start(s, &error))
		mr_log(mr_control_log(s->control), MR_LOG_ERROR, "sflow: %s", error.text);
}

static void
sflow_destroy(void *state)
{
	struct sflow *s = state;

	stop(s);
	close_collectors(s);
	if (s->read)
		event_free(s->read);
	free(s);
}

const struct mr_service mr_service_sflow = {
	.name = "sflow",
	.doc = "packets at random, and counters, told to collectors: sFlow version 5",
	.yang = mr_yang_sflow,
	.create = sflow_create,
	.destroy = sflow_destroy,
	.check = sflow_check,
	.prepare = sflow_prepare,
	.commit = sflow_commit,
	.tick = sflow_tick,
	.show = sflow_show,
};

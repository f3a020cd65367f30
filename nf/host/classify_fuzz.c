/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames through ip-local and host-input: what is classified lies in the frame, every
 * packet ends somewhere. Input: frames, each a byte for interface and direction, a byte for its
 * length, and its bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "kit/port/port.h"
#include "nf/host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WIRE, TWIN, PORTS };

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip ip;
	struct mr_host *host;
	struct mr_host_policy *policy;
	struct mr_host_sources sources;
	uint16_t local, input;
};

static void
must(int ret)
{
	if (ret)
		abort();
}

static void
open_ip(struct bed *b)
{
	b->ip.interfaces = calloc(MR_IP_INTERFACES_MAX, sizeof(*b->ip.interfaces));
	if (!b->ip.interfaces)
		abort();
	for (unsigned i = 1; i < 4; i++)
		b->ip.interfaces[i] = (struct mr_ip_interface){ .flags = MR_IP_UP,
			.port = WIRE,
			.twin = i == 2 ? MR_IP_NO_PORT : TWIN,
			.vlan = i == 3 ? 7 : 0 };
}

static struct bed *
open_bed(void)
{
	struct mr_buffers_config buffers = { .count = 4096,
		.workers = 1,
		.numa_node = -1,
		.pages = MR_ARENA_4K };
	struct bed *b = calloc(1, sizeof(*b));
	struct mr_error error;

	if (!b)
		abort();
	must(mr_buffers_create(&b->buffers, &buffers, &error));
	must(mr_graph_create(&b->graph,
	    &(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &error));
	open_ip(b);
	must(mr_host_create(&b->host, &b->ip, &error));
	must(mr_host_policy_create(&b->policy, 1, mr_graph_hz(b->graph), &error));
	/* One class with a list of sources: ten and two thousand. */
	b->sources.count = 2;
	b->sources.prefixes[0] = (struct mr_host_prefix){ 4, 8, { 10 } };
	b->sources.prefixes[1] = (struct mr_host_prefix){ 6, 3, { 0x20 } };
	mr_host_policy_set(b->policy, MR_HOST_UDP, mr_graph_hz(b->graph), 1000, 1000, &b->sources);
	mr_host_set_policy(b->host, 0, b->policy);
	must(mr_graph_add_node(b->graph, &mr_host_local_class, NULL, b->host, &b->local, &error));
	must(mr_graph_add_node(b->graph, &mr_host_input_class, NULL, b->host, &b->input, &error));
	for (unsigned e = 0; e < MR_HOST_EDGES; e++)
		must(mr_graph_link(b->graph, b->local, e, b->input));
	for (uint16_t i = 0; i < PORTS; i++) {
		struct mr_port_config config = { .name = "null",
			.index = i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };
		struct mr_port *port;

		must(mr_port_open(&port, "null", &config, &error));
		must(port->driver->start(port, &error));
		must(mr_graph_add_port(b->graph, port, NULL, 0, &error));
		mr_graph_set_port_up(b->graph, i, true);
	}
	mr_host_set_twin(b->host, TWIN, 1);
	must(mr_graph_commit(b->graph, &error));
	return b;
}

static void
check(const uint8_t *bytes, unsigned len)
{
	struct mr_host_packet what;

	if (!mr_host_classify(&what, bytes, len, len))
		return;
	if (what.class >= MR_HOST_CLASS_COUNT || what.fresh >= MR_HOST_CLASS_COUNT)
		abort();
	if (what.family &&
	    (what.src < bytes || what.dst + (what.family == 4 ? 4 : 16) > bytes + len))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed *b;
	struct mr_graph_totals t;
	size_t at = 0;

	if (!b)
		b = open_bed();
	while (at + 2 <= size) {
		size_t len = MR_MIN((size_t)data[at + 1], size - at - 2);
		uint32_t packet = mr_packet_from(b->buffers, 0, data + at + 2, len);
		struct mr_packet *p;

		if (packet == MR_PACKET_NONE)
			abort();
		check(data + at + 2, (unsigned)len);
		p = mr_packet_at(b->buffers->base, packet);
		p->port = data[at] & 16 ? TWIN : WIRE;
		p->context = data[at] % 5;
		mr_graph_inject(b->graph, 0, p->port == TWIN ? b->input : b->local, &packet, 1);
		mr_graph_pass(b->graph, 0);
		at += 2 + len;
	}
	mr_graph_totals(b->graph, &t);
	if (t.received + t.created != t.sent + t.dropped || mr_pool_used(b->buffers->pool))
		abort();
	return 0;
}

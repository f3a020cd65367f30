/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/bridge/bridge_test_int.h"

/* -- ports that remember what they were given ---------------------------------------- */

static unsigned
sink_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	return 0;
}

static unsigned
sink_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct sink *s = mr_container_of(port, struct sink, port);

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		assert_true(s->count < OUT_MAX);
		assert_int_equal(p->total, p->len);
		assert_true(p->len <= FRAME_MAX);
		s->frames[s->count].len = p->len;
		memcpy(s->frames[s->count++].bytes, mr_packet_bytes(p), p->len);
	}
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static int
sink_fd(struct mr_port *port, unsigned queue)
{
	return -1;
}

static const struct mr_port_driver sink_driver = {
	.name = "sink",
	.rx = sink_rx,
	.tx = sink_tx,
	.rx_fd = sink_fd,
};

/* -- the bed ------------------------------------------------------------------------- */

void
set_up(struct bed *b, unsigned port, bool up)
{
	b->up[port] = up;
	mr_graph_set_port_up(b->graph, (uint16_t)port, up);
}

void
bed_open(struct bed *b, unsigned ports)
{
	bed_open_with(b, ports, 1, &sink_driver);
}

void
bed_open_with(struct bed *b, unsigned ports, uint16_t workers, const struct mr_port_driver *driver)
{
	memset(b, 0, sizeof(*b));
	b->ports = ports;
	if (mr_buffers_create(&b->buffers,
		&(struct mr_buffers_config){ .count = BUFFERS,
		    .workers = workers,
		    .numa_node = -1,
		    .pages = MR_ARENA_4K },
		&b->error) ||
	    mr_graph_create(&b->graph,
		&(struct mr_graph_config){ .buffers = b->buffers, .workers = workers },
		&b->error) ||
	    mr_bridge_create(&b->bridge, &b->error))
		fail_msg("%s", b->error.text);
	assert_int_equal(mr_graph_add_node(b->graph, &mr_bridge_node_class, "bridge-br0", b->bridge,
			     &b->node, &b->error),
	    0);
	for (unsigned i = 0; i < ports; i++) {
		struct mr_port_config config = { .name = "sink",
			.index = (uint16_t)i,
			.buffers = b->buffers,
			.workers = workers,
			.numa_node = -1 };
		struct mr_port *port;

		assert_int_equal(
		    mr_port_alloc(&port, sizeof(struct sink), driver, &config, 1, 1, &b->error), 0);
		b->sinks[i] = mr_container_of(port, struct sink, port);
		b->sinks[i]->frames = calloc(OUT_MAX, sizeof(struct frame));
		assert_non_null(b->sinks[i]->frames);
		port->mtu = 1500;
		port->caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
		assert_int_equal(mr_graph_add_port(b->graph, port, NULL, 0, &b->error), 0);
		assert_int_equal(mr_graph_set_input(b->graph, (uint16_t)i, b->node, 0), 0);
		set_up(b, i, true);
	}
}

void
bed_close(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	assert_int_equal(t.held, 0);
	mr_graph_destroy(b->graph);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	for (unsigned i = 0; i < b->ports; i++) {
		free(b->sinks[i]->frames);
		mr_port_free(&b->sinks[i]->port);
	}
	mr_bridge_destroy(b->bridge);
	mr_buffers_destroy(b->buffers);
}

uint32_t
clock_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

void
configure(struct bed *b, const struct mr_bridge_config *config)
{
	unsigned left_out;

	if (mr_bridge_prepare(b->bridge, config, &b->error))
		fail_msg("%s", b->error.text);
	mr_bridge_commit(b->bridge, clock_seconds(), &left_out);
	assert_int_equal(left_out, 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
	mr_bridge_finish(b->bridge);
}

void
inject(struct bed *b, const struct frame *frames, const uint16_t *ports, const uint16_t *flags,
    unsigned count)
{
	uint32_t packets[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p;

		packets[i] = mr_packet_from(b->buffers, 0, frames[i].bytes, frames[i].len);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		p = mr_packet_at(b->buffers->base, packets[i]);
		p->port = ports[i];
		p->flags = flags[i];
	}
	mr_graph_inject(b->graph, 0, b->node, packets, count);
	mr_graph_pass(b->graph, 0);
}

uint64_t
node_drops(struct bed *b, unsigned reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, b->node, &s), 0);
	return s.drops[reason];
}

uint64_t
node_counter(struct bed *b, unsigned counter)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, b->node, &s), 0);
	return s.counters[counter];
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bridge that is configured anew, aged and flushed while two workers forward through it.
 * What came in must have been sent or dropped by name, and nothing may leak; run it
 * under ThreadSanitizer and AddressSanitizer too.
 */
#include <unistd.h>

#include "nf/bridge/bridge_test_int.h"

#define PORTS 4u
#define CHANGES 200u

static unsigned
draw(uint64_t *seed, unsigned below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)((*seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Frames between 40 stations, half of them with a tag, some to groups. */
static unsigned
source_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct sink *s = mr_container_of(port, struct sink, port);
	unsigned n = atomic_load(&s->quiet) ? 0 : MR_MIN(max, 32u);

	n = mr_buffers_get(port->buffers, worker, packets, n);
	for (unsigned i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);
		uint8_t *bytes = (uint8_t *)p + MR_PACKET_DATA;

		mr_packet_init(p, MR_PACKET_DATA, 64, port->index, (uint16_t)queue);
		memset(bytes, 0, 64);
		bytes[0] = draw(&s->seed, 8) ? 2 : 0x33;
		bytes[5] = (uint8_t)draw(&s->seed, 40);
		bytes[6] = 2;
		bytes[11] = (uint8_t)(draw(&s->seed, 8) ? port->index : draw(&s->seed, 40));
		bytes[12] = draw(&s->seed, 2) ? 0x81 : 8;
		bytes[15] = (uint8_t)draw(&s->seed, 4);
	}
	return n;
}

static unsigned
source_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static int
source_fd(struct mr_port *port, unsigned queue)
{
	return -1;
}

static const struct mr_port_driver source_driver = {
	.name = "source",
	.rx = source_rx,
	.tx = source_tx,
	.rx_fd = source_fd,
};

static void
reconfigure(struct bed *b, uint64_t *seed)
{
	struct mr_bridge_port ports[PORTS] = { 0 };
	struct mr_bridge_static s = { .mac = { 2, 0, 0, 0, 0, 7 }, .vlan = 2, .port = 1 };
	struct mr_bridge_config config = { .ports = ports, .statics = &s, .ageing = 1 };

	config.port_count = 1 + draw(seed, PORTS);
	config.mac_limit = draw(seed, 4) ? 1000 : 1 + draw(seed, 20);
	config.static_count = draw(seed, 2);
	for (unsigned i = 0; i < config.port_count; i++) {
		ports[i].port = (uint16_t)i;
		ports[i].mode = (uint8_t)draw(seed, 4);
		ports[i].vlan = 2;
		ports[i].vlans[0] = 0xe;
		ports[i].mac_limit = draw(seed, 3);
		ports[i].storm[MR_BRIDGE_MULTICAST] = draw(seed, 2) * 1000;
		ports[i].groups = draw(seed, 4) == 0;
	}
	configure(b, &config);
}

static void
configured_under_traffic(void **state)
{
	struct mr_graph_totals t = { 0 };
	uint64_t seed = 99;
	struct bed b;

	bed_open_with(&b, PORTS, 2, &source_driver);
	for (unsigned i = 0; i < PORTS; i++)
		b.sinks[i]->seed = i + 1;
	reconfigure(&b, &seed);
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	for (unsigned i = 0; i < CHANGES; i++) {
		reconfigure(&b, &seed);
		mr_bridge_age(b.bridge, clock_seconds() + draw(&seed, 3));
		mr_bridge_flush_port(b.bridge, (uint16_t)draw(&seed, PORTS));
		usleep(200);
	}
	for (unsigned i = 0; i < PORTS; i++)
		atomic_store(&b.sinks[i]->quiet, true);
	/* What one worker handed to the other is taken a vector per pass. */
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t last = t.received;

		usleep(1000);
		mr_graph_totals(b.graph, &t);
		if (last == t.received && t.received + t.created == t.sent + t.dropped)
			break;
	}
	mr_graph_stop(b.graph);
	mr_graph_totals(b.graph, &t);
	assert_true(t.received > 10000 && t.sent > 1000 && t.created > 1000 && t.dropped > 1000);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configured_under_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge rule by rule: what depends on time, on buffers, on room. */
#include <errno.h>

#include "nf/bridge/bridge_test_int.h"

/* -- rule by rule --------------------------------------------------------------------- */

/* Ports 0 to count - 1, plain, to be changed before configure(). */
static void
plain_config(struct mr_bridge_config *config, struct mr_bridge_port *ports, unsigned count)
{
	memset(ports, 0, count * sizeof(*ports));
	for (unsigned i = 0; i < count; i++)
		ports[i].port = (uint16_t)i;
	*config = (struct mr_bridge_config){ .ports = ports, .port_count = count, .ageing = 300 };
}

/* `count` frames of 64 bytes from one station to another, the first byte of whose
 * address is `first`. */
static void
burst(struct bed *b, unsigned in, uint8_t from, uint8_t first, uint8_t to, unsigned count)
{
	static struct frame frames[MR_VECTOR_MAX];
	uint16_t ports[MR_VECTOR_MAX], flags[MR_VECTOR_MAX] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		uint8_t *bytes = frames[i].bytes;

		frames[i].len = 64;
		memset(bytes, 0, 64);
		bytes[0] = first;
		bytes[5] = to;
		if (first == 255)
			memset(bytes, 255, 6);
		bytes[6] = 2;
		bytes[11] = from;
		bytes[12] = 8;
		ports[i] = (uint16_t)in;
	}
	inject(b, frames, ports, flags, count);
}

static void
storm_of(uint8_t first, enum mr_bridge_storm storm, enum mr_bridge_drop drop)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	struct timespec start, end;
	unsigned sent;
	double took;
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	/* 800 a second: 100 at once, and as many more as time allows. */
	ports[0].storm[storm] = 800;
	configure(&b, &config);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < 20; i++)
		burst(&b, 0, 1, first, 99, 50);
	clock_gettime(CLOCK_MONOTONIC, &end);
	took = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	sent = b.sinks[1]->count;
	assert_in_range(sent, 100, 101 + (unsigned)(took * 810));
	assert_int_equal(b.sinks[2]->count, sent);
	assert_int_equal(node_drops(&b, drop), 1000 - sent);

	/* Other kinds, other ports and known stations are not limited. */
	burst(&b, 0, 1, first == 2 ? 255 : 2, 98, 200);
	burst(&b, 2, 3, first, 99, 200);
	assert_int_equal(b.sinks[1]->count, sent + 400);
	burst(&b, 1, 97, 2, 3, 1);
	burst(&b, 0, 1, 2, 97, 200);
	assert_int_equal(b.sinks[1]->count, sent + 600);
	assert_int_equal(node_drops(&b, drop), 1000 - sent);
	bed_close(&b);
}

static void
storms_are_limited(void **state)
{
	storm_of(255, MR_BRIDGE_BROADCAST, MR_BRIDGE_DROP_BROADCAST);
	storm_of(2, MR_BRIDGE_UNKNOWN, MR_BRIDGE_DROP_UNKNOWN);
	storm_of(0x33, MR_BRIDGE_MULTICAST, MR_BRIDGE_DROP_MULTICAST);
}

static void
moves_are_limited(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	uint64_t moved;
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	config.move_limit = 8; /* 8 at once, and 8 a second */
	configure(&b, &config);
	burst(&b, 0, 1, 255, 255, 1);
	for (unsigned i = 0; i < 100; i++) {
		burst(&b, 1, 1, 255, 255, 1);
		burst(&b, 0, 1, 255, 255, 1);
	}
	moved = node_counter(&b, MR_BRIDGE_COUNT_MOVED);
	assert_in_range(moved, 8, 50);
	/* All frames went on their way all the same. */
	assert_int_equal(b.sinks[2]->count, 201);
	assert_true(node_counter(&b, MR_BRIDGE_COUNT_STAYED) >= 50);
	bed_close(&b);
}

/* Flooding with no buffers left: the packet itself still leaves, and nothing leaks. */
static void
floods_without_buffers(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[4];
	static uint32_t taken[BUFFERS];
	unsigned count = 0;
	struct bed b;

	bed_open(&b, 4);
	plain_config(&config, ports, 4);
	configure(&b, &config);
	while (mr_pool_used(b.buffers->pool) < BUFFERS - 10 &&
	    mr_buffers_get(b.buffers, 0, &taken[count], 1))
		count++;
	burst(&b, 0, 1, 255, 255, 10);
	mr_buffers_put(b.buffers, 0, taken, count);
	assert_int_equal(b.sinks[3]->count, 10);
	assert_int_equal(
	    b.sinks[1]->count + b.sinks[2]->count + node_counter(&b, MR_BRIDGE_COUNT_NO_COPY), 20);
	assert_true(node_counter(&b, MR_BRIDGE_COUNT_NO_COPY) >= 10);
	bed_close(&b);
}

/* A tag needs four bytes in front of the frame. */
static void
no_headroom_is_a_drop(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	uint8_t bytes[64] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8 };
	uint32_t packet;
	struct mr_packet *p;
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	ports[0].mode = MR_BRIDGE_ACCESS;
	ports[0].vlan = 10;
	ports[1].mode = MR_BRIDGE_TRUNK;
	ports[1].vlans[0] = 1u << 10;
	ports[2] = ports[0];
	ports[2].port = 2;
	configure(&b, &config);
	packet = mr_packet_from(b.buffers, 0, bytes, sizeof(bytes));
	p = mr_packet_at(b.buffers->base, packet);
	memmove((uint8_t *)p + MR_PACKET_META_SIZE + 3, mr_packet_bytes(p), sizeof(bytes));
	p->data = MR_PACKET_META_SIZE + 3;
	mr_graph_inject(b.graph, 0, b.node, &packet, 1);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(b.sinks[2]->count, 1);
	assert_int_equal(b.sinks[1]->count, 0);
	assert_int_equal(node_drops(&b, MR_BRIDGE_DROP_NO_HEADROOM), 1);
	bed_close(&b);
}

/* A change that another function refuses leaves everything as it was. */
static void
a_change_is_called_off(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	struct mr_bridge_static s = { .mac = { 2, 0, 0, 0, 0, 9 }, .port = 2 };
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	config.statics = &s;
	config.static_count = 1;
	configure(&b, &config);
	burst(&b, 1, 1, 255, 255, 1);
	for (unsigned i = 0; i < 2; i++) {
		/* With a table of its own, and with the one in use. */
		config.mac_limit = i ? 10 : 0;
		config.port_count = 1;
		config.static_count = 0;
		assert_int_equal(mr_bridge_prepare(b.bridge, &config, &b.error), 0);
		mr_bridge_abort(b.bridge);
	}
	config.port_count = 2;
	ports[1].port = 0;
	assert_int_equal(mr_bridge_prepare(b.bridge, &config, &b.error), -EINVAL);
	burst(&b, 0, 2, 2, 1, 10);
	burst(&b, 0, 2, 2, 9, 10);
	assert_int_equal(b.sinks[1]->count, 10);
	assert_int_equal(b.sinks[2]->count, 11);
	assert_int_equal(node_counter(&b, MR_BRIDGE_COUNT_FLOODED), 1);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(storms_are_limited),
		cmocka_unit_test(moves_are_limited),
		cmocka_unit_test(floods_without_buffers),
		cmocka_unit_test(no_headroom_is_a_drop),
		cmocka_unit_test(a_change_is_called_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

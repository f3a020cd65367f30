/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers with traffic, ARP and resolution in full swing, while the control thread learns,
 * evicts, and changes settings and addresses. For ThreadSanitizer; and nothing may be lost.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/neighbor/neighbor_test_int.h"

#define ROUNDS 400u

struct lan {
	struct mr_port *port;
	struct mr_channel *channel;
};

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
give(struct bed *b, struct lan *lan, const uint8_t *frame, unsigned len)
{
	uint32_t packet = mr_packet_from(b->buffers, MR_POOL_SHARED, frame, len);

	if (packet != MR_PACKET_NONE && !mr_channel_send(lan->channel, &packet, 1))
		mr_packets_free(b->buffers, MR_POOL_SHARED, &packet, 1);
}

/* Whoever asks for an address below .128 is answered; returns what came back beside ARP. */
static unsigned
play_hosts(struct bed *b, struct lan *lan)
{
	uint32_t packets[64];
	unsigned n, others = 0;

	while ((n = mr_channel_receive(lan->channel, packets, 64)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			const uint8_t *f =
			    mr_packet_bytes(mr_packet_at(b->buffers->base, packets[i]));
			uint8_t frame[128];
			char host[24];

			others += mr_load_be16(f + 12) != MR_ETH_TYPE_ARP;
			if (mr_load_be16(f + 12) != MR_ETH_TYPE_ARP || f[21] != 1 || f[41] >= 128 ||
			    !memcmp(f + 28, f + 38, 4))
				continue;
			snprintf(host, sizeof(host), "%u.%u.%u.%u", f[38], f[39], f[40], f[41]);
			give(b, lan, frame,
			    make_arp(frame, 0, MR_ARP_REPLY, f[41], host, f + 6, "192.0.2.1",
				false));
		}
		mr_packets_free(b->buffers, MR_POOL_SHARED, packets, n);
	}
	return others;
}

static void
open_lan(struct bed *b, struct lan *lan, const char *name, uint16_t index)
{
	struct mr_port_config config = { .name = name,
		.index = index,
		.buffers = b->buffers,
		.workers = 2,
		.numa_node = -1 };

	assert_int_equal(mr_channel_open(&lan->port, &lan->channel, &config, 1024, &b->error), 0);
	assert_int_equal(lan->port->driver->start(lan->port, &b->error), 0);
	assert_int_equal(mr_graph_add_port(b->graph, lan->port, NULL, 0, &b->error), 0);
}

static void
test_race(void **state)
{
	static const uint8_t wan_mac[6] = { 2, 0, 0, 0, 0, 0xf1 };
	struct lan lan, wan;
	unsigned forwarded = 0, seed = 1;
	uint64_t start = clock_ms();
	uint8_t frame[128];
	char host[24];
	struct bed b;

	(void)state;
	bed_open_workers(&b, 2);
	open_lan(&b, &lan, "lan-c", LAN_PORT);
	open_lan(&b, &wan, "wan-c", WAN_PORT);
	bed_nodes(&b);
	b.settings.limit = 64;
	b.settings.queue = 4;
	for (uint16_t i = LAN; i <= WAN; i++)
		bed_set(&b, i);
	assert_int_equal(mr_graph_start(b.graph, &b.error), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < 8; i++) {
			snprintf(host, sizeof(host), "192.0.2.%u", 2 + rand_r(&seed) % 200);
			give(&b, &wan, frame, make_ip(frame, wan_mac, "198.51.100.7", host, round));
			give(&b, &lan, frame,
			    make_arp(frame, 0, MR_ARP_REQUEST, rand_r(&seed) % 200, host, NULL,
				"192.0.2.1", true));
		}
		if (round % 16 == 0) {
			b.own.proxy = !b.own.proxy;
			bed_set(&b, LAN);
		}
		mr_rib_settle(b.rib);
		neighbors_tick(b.n, b.now + clock_ms() - start);
		forwarded += play_hosts(&b, &lan);
		play_hosts(&b, &wan);
		poll(NULL, 0, 1);
	}
	mr_graph_stop(b.graph);
	assert_true(forwarded > 0);
	assert_true(b.n->interfaces[LAN].count <= 64);
	b.extra[0] = lan.port;
	b.extra[1] = wan.port;
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

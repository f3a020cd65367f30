/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's contract alone, and between threads through a graph that sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "kit/port/channel.h"

#define BUFFERS 4096u

static struct mr_buffers *
make_buffers(uint16_t workers)
{
	struct mr_buffers *b;
	struct mr_error error;

	if (mr_buffers_create(&b,
		&(struct mr_buffers_config){ .count = BUFFERS,
		    .workers = workers,
		    .numa_node = -1,
		    .pages = MR_ARENA_4K },
		&error))
		fail_msg("%s", error.text);
	return b;
}

static struct mr_port *
make(struct mr_buffers *b, const char *name, uint16_t index, uint32_t slots, struct mr_channel **c)
{
	struct mr_port_config config = { .name = name,
		.index = index,
		.buffers = b,
		.numa_node = -1,
		.workers = 2 };
	struct mr_port *port;
	struct mr_error error;

	if (mr_channel_open(&port, c, &config, slots, &error))
		fail_msg("%s", error.text);
	return port;
}

static uint32_t
make_packet(struct mr_buffers *b, uint32_t mark)
{
	uint32_t packet = mr_packet_from(b, MR_POOL_SHARED, &mark, sizeof(mark));
	struct mr_packet *p;

	assert_int_not_equal(packet, MR_PACKET_NONE);
	p = mr_packet_at(b->base, packet);
	p->context = mark;
	p->vlan = (uint16_t)~mark;
	memset(p->node, (int)mark, sizeof(p->node));
	return packet;
}

static void
check_packet(struct mr_buffers *b, uint32_t packet, uint32_t mark)
{
	struct mr_packet *p = mr_packet_at(b->base, packet);

	assert_memory_equal(mr_packet_bytes(p), &mark, sizeof(mark));
	assert_int_equal(p->context, mark);
	assert_int_equal(p->vlan, (uint16_t)~mark);
	for (unsigned i = 0; i < sizeof(p->node); i++)
		assert_int_equal(p->node[i], (uint8_t)mark);
}

static bool
readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

static void
test_both_ways(void **state)
{
	struct mr_buffers *b = make_buffers(2);
	struct mr_channel *c;
	struct mr_port *port = make(b, "c", 7, 16, &c);
	uint32_t packets[20], out[20];
	struct mr_channel_stats stats;
	struct mr_error error;

	(void)state;
	assert_int_equal(port->tx_queues, 2);
	assert_int_equal(port->rx_queues, 1);
	for (unsigned i = 0; i < 20; i++)
		packets[i] = make_packet(b, i);
	/* Not started: nothing goes in. */
	assert_int_equal(mr_channel_send(c, packets, 20), 0);
	assert_int_equal(port->driver->start(port, &error), 0);
	/* Full is a return value. */
	assert_int_equal(mr_channel_send(c, packets, 20), 16);
	assert_int_equal(port->driver->rx(port, 0, 0, out, 20), 16);
	for (unsigned i = 0; i < 16; i++) {
		check_packet(b, out[i], i);
		assert_int_equal(mr_packet_at(b->base, out[i])->port, 7);
	}
	/* Two queues, a ring each. */
	assert_int_equal(port->driver->tx(port, 0, 0, out, 10), 10);
	assert_int_equal(port->driver->tx(port, 1, 1, out + 10, 6), 6);
	assert_int_equal(port->driver->tx(port, 1, 1, packets + 16, 4), 4);
	assert_int_equal(mr_channel_receive(c, packets, 20), 20);
	for (unsigned i = 0; i < 20; i++)
		check_packet(b, packets[i], i);
	assert_int_equal(mr_channel_receive(c, packets, 20), 0);
	mr_channel_stats(c, &stats);
	assert_int_equal(stats.sent, 16);
	assert_int_equal(stats.refused, 24);
	assert_int_equal(stats.received, 20);
	assert_int_equal(mr_counter_get(&port->tx_stats[1].packets), 10);
	assert_int_equal(mr_counter_get(&port->tx_stats[1].bytes), 40);
	/* What is still in the rings is freed with it. */
	assert_int_equal(mr_channel_send(c, packets, 5), 5);
	assert_int_equal(port->driver->tx(port, 1, 1, packets + 5, 15), 15);
	mr_port_close(port);
	assert_int_equal(mr_pool_used(b->pool), 0);
	mr_buffers_destroy(b);
}

static void
test_wakes(void **state)
{
	struct mr_buffers *b = make_buffers(2);
	struct mr_channel *c;
	struct mr_port *port = make(b, "c", 0, 16, &c);
	uint32_t packet = make_packet(b, 1), out;
	struct mr_channel_stats stats;
	struct mr_error error;
	int fd = port->driver->rx_fd(port, 0);

	(void)state;
	assert_int_equal(port->driver->start(port, &error), 0);
	/* Awake: no descriptor moves. */
	assert_int_equal(port->driver->tx(port, 0, 0, &packet, 1), 1);
	assert_false(readable(mr_channel_fd(c)));
	assert_false(mr_channel_arm(c)); /* there is something */
	assert_int_equal(mr_channel_receive(c, &out, 1), 1);
	assert_true(mr_channel_arm(c));
	assert_false(readable(mr_channel_fd(c)));
	assert_int_equal(port->driver->tx(port, 1, 0, &packet, 1), 1);
	assert_true(readable(mr_channel_fd(c)));
	assert_int_equal(mr_channel_receive(c, &out, 1), 1);
	assert_true(mr_channel_arm(c));
	assert_false(readable(mr_channel_fd(c)));
	mr_channel_stats(c, &stats);
	assert_int_equal(stats.wakes, 1);

	assert_int_equal(mr_channel_send(c, &packet, 1), 1);
	assert_false(readable(fd));
	assert_false(port->driver->rx_arm(port, 0));
	assert_int_equal(port->driver->rx(port, 0, 0, &out, 1), 1);
	assert_true(port->driver->rx_arm(port, 0));
	assert_false(readable(fd));
	assert_int_equal(mr_channel_send(c, &packet, 1), 1);
	assert_true(readable(fd));
	mr_port_close(port);
	mr_buffers_destroy(b);
}

/* -- between threads -------------------------------------------------------------------- */

#define PACKETS 40000u
#define WINDOW 512u

struct far_end {
	struct mr_buffers *buffers;
	struct mr_channel *channel;
	_Atomic uint32_t taken; /* by the receiver: how far the sender may go */
	uint32_t wrong;
};

static void *
receiver(void *arg)
{
	struct far_end *f = arg;
	uint32_t packets[64], next = 0;

	while (next < PACKETS) {
		unsigned n = mr_channel_receive(f->channel, packets, 64);

		for (unsigned i = 0; i < n; i++)
			f->wrong += mr_packet_at(f->buffers->base, packets[i])->context != next++;
		mr_packets_free(f->buffers, MR_POOL_SHARED, packets, n);
		/* Release pairs with the sender's acquire; only the count matters. */
		atomic_store_explicit(&f->taken, next, memory_order_release);
		if (!n && mr_channel_arm(f->channel))
			poll(&(struct pollfd){ .fd = mr_channel_fd(f->channel), .events = POLLIN },
			    1, 2000);
	}
	return NULL;
}

static void
send_all(struct mr_buffers *b, struct mr_channel *c, struct far_end *f)
{
	for (uint32_t i = 0; i < PACKETS;) {
		uint32_t packet;

		if (i - atomic_load_explicit(&f->taken, memory_order_acquire) >= WINDOW) {
			poll(NULL, 0, 1); /* long enough for everybody to fall asleep */
			continue;
		}
		packet = make_packet(b, i);
		while (!mr_channel_send(c, &packet, 1))
			mr_relax();
		i++;
	}
}

static void
test_threads(void **state)
{
	struct mr_buffers *b = make_buffers(2);
	struct far_end f = { .buffers = b };
	struct mr_channel *in;
	struct mr_port *from = make(b, "in", 0, 256, &in);
	struct mr_port *to = make(b, "out", 1, 1024, &f.channel);
	struct mr_graph_totals totals;
	struct mr_graph *g;
	struct mr_error error;
	pthread_t thread;

	(void)state;
	assert_int_equal(mr_graph_create(&g,
			     &(struct mr_graph_config){ .buffers = b, .workers = 2, .spin_us = 5 },
			     &error),
	    0);
	assert_int_equal(from->driver->start(from, &error), 0);
	assert_int_equal(to->driver->start(to, &error), 0);
	assert_int_equal(mr_graph_add_port(g, from, NULL, 0, &error), 0);
	assert_int_equal(mr_graph_add_port(g, to, NULL, 0, &error), 0);
	assert_int_equal(mr_graph_set_input(g, 0, MR_GRAPH_NODE_TX, 1), 0);
	assert_int_equal(mr_graph_start(g, &error), 0);
	assert_int_equal(pthread_create(&thread, NULL, receiver, &f), 0);
	send_all(b, in, &f);
	pthread_join(thread, NULL);
	mr_graph_stop(g);
	assert_int_equal(f.wrong, 0);
	mr_graph_totals(g, &totals);
	assert_int_equal(totals.received, PACKETS);
	assert_int_equal(totals.sent, PACKETS);
	mr_graph_destroy(g);
	mr_port_close(from);
	mr_port_close(to);
	assert_int_equal(mr_pool_used(b->pool), 0);
	mr_buffers_destroy(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_wakes),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in and out, whole, cut and chained, and the buffers behind them. */
#include "kit/port/xdp/xdp_test_int.h"

static void
test_receive_and_send(void **state)
{
	static const unsigned lengths[] = { 14, 15, 60, 64, 590, 1513, 1514 };
	uint8_t frame[1514];
	uint32_t got[8];
	unsigned m, i;

	NEED();
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		struct mr_port *port = open_mode("a0", modes[m]);
		struct mr_port_stats stats;
		int peer = wire("a1");

		assert_int_equal(port->mtu, 1500);
		assert_int_equal(port->driver->poll_link(port), 1);
		port->driver->stats(port, &stats);
		assert_non_null(strstr(stats.detail, modes[m]));
		for (i = 0; i < MR_ARRAY_COUNT(lengths); i++) {
			const struct mr_packet *p;

			make_frame(frame, lengths[i], i);
			send_frame(peer, frame, lengths[i]);
			assert_int_equal(receive(port, got, 1), 1);
			expect_packet(got[0], frame, lengths[i]);
			p = mr_packet_at(buffers->base, got[0]);
			assert_int_equal(p->data, MR_PACKET_DATA);
			assert_int_equal(p->port, 1);
			assert_int_equal(p->queue, 0);
			assert_int_equal(p->flags, 0);
			assert_int_equal(p->segments, 1);
			assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
			expect_frame(peer, frame, lengths[i]);
		}
		settle_tx(port);
		assert_int_equal(port->rx_stats[0].packets, i);
		assert_int_equal(port->tx_stats[0].packets, i);
		assert_int_equal(port->rx_stats[0].bytes, port->tx_stats[0].bytes);
		close(peer);
		close_port(port);
		assert_int_equal(mr_pool_used(buffers->pool), 0);
	}
}

/* More than the rings hold, in bursts, with what nodes do to packets in between: headers
 * grown and cut. */
static void
test_many(void **state)
{
	struct mr_port *port;
	uint8_t frame[200];
	uint32_t got[64];
	unsigned round, i;
	int peer;

	NEED();
	port = open_mode("a0", "auto");
	peer = wire("a1");
	for (round = 0; round < 100; round++) {
		for (i = 0; i < 40; i++) {
			make_frame(frame, 100 + i, round + i);
			send_frame(peer, frame, 100 + i);
		}
		assert_int_equal(receive(port, got, 40), 40);
		for (i = 0; i < 40; i++) {
			struct mr_packet *p = mr_packet_at(buffers->base, got[i]);

			make_frame(frame, 100 + i, round + i);
			expect_packet(got[i], frame, 100 + i);
			/* A tunnel's header of up to 252 bytes in front, or 4 bytes less. */
			p->data = (uint16_t)(p->data + (i & 1 ? 4 : -2 * (int)round - 4));
			p->len = (uint16_t)(p->len + (i & 1 ? -4 : 2 * (int)round + 4));
			p->total = p->len;
			memset(mr_packet_bytes(p), (int)i, 14);
		}
		assert_int_equal(port->driver->tx(port, 0, 0, got, 40), 40);
		for (i = 0; i < 40; i++) {
			static uint8_t back[2048];
			ssize_t len = recv(peer, back, sizeof(back), 0);

			assert_int_equal(len, i & 1 ? 96 + i : 104 + i + round * 2);
			assert_int_equal(back[0], i);
			make_frame(frame, 100 + i, round + i);
			assert_memory_equal(back + len - 60, frame + 100 + i - 60, 60);
		}
	}
	settle_tx(port);
	assert_int_equal(port->rx_stats[0].packets, 4000);
	close(peer);
	close_port(port);
}

static void
test_forward_without_copy(void **state)
{
	struct mr_port *a, *b;
	uint8_t frame[1514];
	uint32_t got[1];
	uint8_t *bytes;
	int near, far;

	NEED();
	a = open_mode("a0", "native");
	b = open_mode("b0", "native");
	near = wire("a1");
	far = wire("b1");
	make_frame(frame, sizeof(frame), 3);
	send_frame(near, frame, sizeof(frame));
	assert_int_equal(receive(a, got, 1), 1);
	/* The buffer that port a received into is the one that port b names to the kernel. */
	bytes = mr_packet_bytes(mr_packet_at(buffers->base, got[0]));
	bytes[20] ^= 0xff;
	frame[20] ^= 0xff;
	assert_int_equal(b->driver->tx(b, 0, 0, got, 1), 1);
	expect_frame(far, frame, sizeof(frame));
	assert_int_equal(((struct xdp_port *)b)->queues[0].tx.ring.cached_prod, 1);
	assert_int_equal(
	    xdp_handle(xsk_ring_prod__tx_desc(&((struct xdp_port *)b)->queues[0].tx.ring, 0)->addr),
	    got[0]);
	settle_tx(b);
	close(near);
	close(far);
	close_port(a);
	close_port(b);
}

static void
test_jumbo(void **state)
{
	static uint8_t frame[9014];
	static const unsigned lengths[] = { 1792, 1793, 3584, 3585, 9000, 9014 };
	uint32_t got[1];
	unsigned m, i;

	NEED();
	assert_int_equal(sh("ip link set a0 mtu 9000 && ip link set a1 mtu 9000"), 0);
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		struct mr_port *port = open_mode("a0", modes[m]);
		int peer = wire("a1");

		if (!(port->caps & MR_PORT_TX_CHAIN)) {
			close_port(port);
			print_message("skipped: no chains (Linux before 6.6)\n");
			skip();
		}
		assert_int_equal(port->mtu, 9000);
		for (i = 0; i < MR_ARRAY_COUNT(lengths); i++) {
			make_frame(frame, lengths[i], i);
			send_frame(peer, frame, lengths[i]);
			assert_int_equal(receive(port, got, 1), 1);
			expect_packet(got[0], frame, lengths[i]);
			assert_int_equal(mr_packet_at(buffers->base, got[0])->segments,
			    (lengths[i] + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM);
			assert_int_equal(mr_packet_at(buffers->base, got[0])->flags, 0);
			assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
			expect_frame(peer, frame, lengths[i]);
		}
		settle_tx(port);
		close(peer);
		close_port(port);
		assert_int_equal(mr_pool_used(buffers->pool), 0);
	}
}

/* A chain of many small segments, one of them empty, leaves as one frame. */
static uint32_t
shred(const uint8_t *frame, unsigned len, unsigned piece)
{
	uint32_t first = 0, last = 0, handle;
	unsigned at, n, segments = 0;

	for (at = 0; at < len || segments < 2; at += n) {
		n = segments == 1 ? 0 : MR_MIN(piece, len - at);
		handle = mr_packet_from(buffers, 0, frame + at, n ? n : 1);
		assert_int_not_equal(handle, 0);
		mr_packet_at(buffers->base, handle)->len = (uint16_t)n;
		if (first)
			mr_packet_at(buffers->base, last)->next = handle;
		else
			first = handle;
		last = handle;
		segments++;
	}
	mr_packet_at(buffers->base, first)->segments = (uint16_t)segments;
	mr_packet_at(buffers->base, first)->total = len;
	return first;
}

static void
test_shredded(void **state)
{
	uint8_t frame[1514];
	struct mr_port *port;
	uint32_t packet;
	unsigned piece;
	int peer;

	NEED();
	port = open_mode("a0", "auto");
	peer = wire("a1");
	for (piece = 30; piece < 1514; piece += 97) {
		make_frame(frame, sizeof(frame), piece);
		packet = shred(frame, sizeof(frame), piece);
		assert_int_equal(port->driver->tx(port, 0, 0, &packet, 1), 1);
		expect_frame(peer, frame, sizeof(frame));
	}
	settle_tx(port);
	assert_int_equal(port->tx_stats[0].errors, 0);
	/* Neither too short nor too long a frame may reach the kernel's ring. */
	packet = mr_packet_from(buffers, 0, frame, 13);
	assert_int_equal(port->driver->tx(port, 0, 0, &packet, 1), 1);
	packet = mr_packet_from(buffers, 0, frame, 1514);
	mr_packet_at(buffers->base, packet)->len += 9;
	mr_packet_at(buffers->base, packet)->total += 9;
	assert_int_equal(port->driver->tx(port, 0, 0, &packet, 1), 1);
	assert_int_equal(port->tx_stats[0].errors, 2);
	expect_silence(peer);
	close(peer);
	close_port(port);
}

static void
test_sleep(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct mr_port *port;
	uint8_t frame[60];
	uint32_t got[1];
	int peer;

	NEED();
	port = open_mode("a0", "auto");
	peer = wire("a1");
	p.fd = port->driver->rx_fd(port, 0);
	assert_true(port->driver->rx_arm(port, 0));
	assert_int_equal(poll(&p, 1, 20), 0);
	make_frame(frame, sizeof(frame), 1);
	send_frame(peer, frame, sizeof(frame));
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_false(port->driver->rx_arm(port, 0));
	assert_int_equal(receive(port, got, 1), 1);
	assert_int_equal(poll(&p, 1, 20), 0);
	mr_packets_free(buffers, 0, got, 1);
	close(peer);
	close_port(port);
}

static void
test_busy_poll(void **state)
{
	struct mr_port *port;
	uint8_t frame[60];
	uint32_t got[1];
	int peer;

	NEED();
	port = open_port("a0", "busy-poll=20;busy-poll-budget=32");
	peer = wire("a1");
	make_frame(frame, sizeof(frame), 1);
	send_frame(peer, frame, sizeof(frame));
	assert_int_equal(receive(port, got, 1), 1);
	mr_packets_free(buffers, 0, got, 1);
	assert_int_equal(port->driver->rx(port, 0, 0, got, 1), 0);
	assert_true(port->rx_stats[0].calls > 0);
	close(peer);
	close_port(port);
}

/* All buffers are in use, some frames are lost and counted, then it goes on. */
static void
test_pool_runs_dry(void **state)
{
	static uint32_t got[8192];
	struct mr_port *port;
	unsigned n = 0, i;
	uint8_t frame[60];
	int peer;

	NEED();
	port = open_port("a0", "ring-size=64");
	peer = wire("a1");
	make_frame(frame, sizeof(frame), 1);
	/* Never free: in the end the kernel has none of the 8,192. */
	for (i = 0; i < 9000; i++) {
		send_frame(peer, frame, sizeof(frame));
		if (n < 8192)
			n += port->driver->rx(port, 0, 0, got + n, MR_MIN(8192 - n, 64u));
	}
	n += receive(port, got + n, 8192 - n);
	assert_int_equal(n, 8192);
	assert_false(port->driver->rx_arm(port, 0));
	for (i = 0; i < n; i += 256)
		mr_packets_free(buffers, 0, got + i, 256);
	port->driver->rx(port, 0, 0, got, 1);
	assert_true(port->rx_stats[0].no_buffer >= 800);
	assert_true(port->rx_stats[0].no_buffer <= 808);
	for (i = 0; i < 200; i++) {
		send_frame(peer, frame, sizeof(frame));
		assert_int_equal(receive(port, got, 1), 1);
		mr_packets_free(buffers, 0, got, 1);
	}
	close(peer);
	close_port(port);
}

/* The same on hugepages: other chunks cross other pages. */
static void
test_hugepages(void **state)
{
	struct mr_buffers_config config = { .count = 1024,
		.workers = 1,
		.pages = MR_ARENA_2M,
		.numa_node = -1 };
	struct mr_buffers *small = buffers;
	struct mr_error error;
	struct mr_port *port;
	uint8_t frame[1514];
	uint32_t got[1];
	unsigned i;
	int peer;

	NEED();
	if (mr_buffers_create(&buffers, &config, &error)) {
		print_message("skipped: %s\n", error.text);
		buffers = small;
		skip();
	}
	port = open_mode("a0", "auto");
	peer = wire("a1");
	for (i = 0; i < 2000; i++) {
		make_frame(frame, sizeof(frame), i);
		send_frame(peer, frame, sizeof(frame));
		assert_int_equal(receive(port, got, 1), 1);
		expect_packet(got[0], frame, sizeof(frame));
		assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
		expect_frame(peer, frame, sizeof(frame));
	}
	close(peer);
	close_port(port);
	assert_int_equal(mr_pool_used(buffers->pool), 0);
	mr_buffers_destroy(buffers);
	buffers = small;
}

struct crossing {
	struct mr_port *from, *to;
	unsigned worker;
	_Atomic bool stop;
};

static void *
cross(void *arg)
{
	struct crossing *c = arg;
	uint32_t packets[64];
	unsigned n, sent;

	while (!atomic_load(&c->stop)) {
		n = c->from->driver->rx(c->from, 0, c->worker, packets, 64);
		sent = c->to->driver->tx(c->to, 0, c->worker, packets, n);
		mr_packets_free(buffers, c->worker, packets + sent, n - sent);
		c->to->driver->tx_idle(c->to, 0, c->worker);
		sched_yield();
	}
	return NULL;
}

/* Each port's two halves belong to two workers, and control looks on. */
static void
test_two_workers(void **state)
{
	struct mr_port *a, *b;
	struct crossing ab = { 0 }, ba = { .worker = 1 };
	struct mr_port_stats stats;
	unsigned i, there = 0, back = 0;
	pthread_t threads[2];
	uint8_t frame[100], got[2048];
	int near, far;

	NEED();
	a = ab.from = ba.to = open_mode("a0", "native");
	b = ab.to = ba.from = open_mode("b0", "native");
	near = wire("a1");
	far = wire("b1");
	assert_int_equal(pthread_create(&threads[0], NULL, cross, &ab), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, cross, &ba), 0);
	make_frame(frame, sizeof(frame), 1);
	for (i = 0; i < 2000; i++) {
		send_frame(near, frame, sizeof(frame));
		send_frame(far, frame, sizeof(frame));
		if (i % 16)
			continue;
		a->driver->stats(a, &stats);
		assert_int_equal(a->driver->poll_link(a), 1);
		b->driver->stats(b, &stats);
		while (there < i && recv(far, got, sizeof(got), 0) > 0)
			there++;
		while (back < i && recv(near, got, sizeof(got), 0) > 0)
			back++;
	}
	while (there < i && recv(far, got, sizeof(got), 0) > 0)
		there++;
	while (back < i && recv(near, got, sizeof(got), 0) > 0)
		back++;
	assert_int_equal(there, i);
	assert_int_equal(back, i);
	atomic_store(&ab.stop, true);
	atomic_store(&ba.stop, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(a->rx_stats[0].packets, i);
	assert_int_equal(a->tx_stats[0].packets, i);
	close(near);
	close(far);
	close_port(a);
	close_port(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_receive_and_send),
		TEST(test_many),
		TEST(test_forward_without_copy),
		TEST(test_jumbo),
		TEST(test_shredded),
		TEST(test_sleep),
		TEST(test_busy_poll),
		TEST(test_pool_runs_dry),
		TEST(test_hugepages),
		TEST(test_two_workers),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}

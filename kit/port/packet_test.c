/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/net_test_int.h"

#include <poll.h>

/* Two veths: their far ends in namespaces 1 and 2, their near ends here. */
struct sides {
	int here, far[2];
	bool vlan; /* this kernel has VLAN interfaces */
};

static struct sides
sides_make(void)
{
	struct sides s;
	unsigned i;

	s.here = net_enter();
	for (i = 0; i < 2; i++) {
		s.far[i] = net_enter();
		net_run("ip link add far type veth peer name near%u", i);
		net_run("ip link set near%u netns /proc/%d/fd/%d", i, getpid(), s.here);
		net_run("ip addr add 10.9.0.%u/24 dev far && ip link set far up", i + 1);
		net_run("ip addr add fd09::%u/64 dev far nodad", i + 1);
		s.vlan = !system("ip link add link far name tagged type vlan id 77 2>/dev/null");
		if (s.vlan)
			net_run("ip addr add 10.77.0.%u/24 dev tagged && ip link set tagged up",
			    i + 1);
	}
	net_leave_to(s.here);
	net_run("ip link set near0 up && ip link set near1 up");
	return s;
}

static void
sides_free(struct sides *s)
{
	close(s->far[0]);
	close(s->far[1]);
	close(s->here);
}

static struct net_wire
wire_open(unsigned queues)
{
	struct net_wire w = { .buffers = test_buffers(16384) };

	w.ports[0] = net_port(w.buffers, "packet", "near0", NULL, queues);
	w.ports[1] = net_port(w.buffers, "packet", "near1", NULL, queues);
	return w;
}

static int
socket_in(int namespace, int here, int family, int type)
{
	int fd;

	net_leave_to(namespace);
	fd = net_socket(family, type);
	net_leave_to(here);
	return fd;
}

static int
bound_in(int namespace, int here, const char *address, int type)
{
	int fd;

	net_leave_to(namespace);
	fd = net_bound(address, type);
	net_leave_to(here);
	return fd;
}

static void
transfer(struct net_wire *w, struct sides *s, const char *address)
{
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	int client = socket_in(s->far[0], s->here, family, SOCK_STREAM);
	int listener = bound_in(s->far[1], s->here, address, SOCK_STREAM);

	net_tcp(w, client, listener, address, 4 << 20);
	close(client);
	close(listener);
}

static void
cross(unsigned queues, bool settle)
{
	struct sides s = sides_make();
	struct net_wire w = wire_open(queues);
	struct mr_port_stats stats;
	int client, receiver;

	w.settle = settle;
	transfer(&w, &s, "10.9.0.2");
	transfer(&w, &s, "fd09::2");
	if (s.vlan)
		transfer(&w, &s, "10.77.0.2");
	else
		print_message("no VLAN interfaces in this kernel: that part is left out\n");
	assert_true(w.largest[0] > 10000);
	assert_true(w.unfinished > 10);
	if (net_kernel_at_least(6, 2)) {
		client = socket_in(s.far[0], s.here, AF_INET, SOCK_DGRAM);
		receiver = bound_in(s.far[1], s.here, "10.9.0.2", SOCK_DGRAM);
		net_udp(&w, client, receiver, "10.9.0.2");
		close(client);
		close(receiver);
	} else {
		print_message("a packet socket of this kernel loses UDP super-frames: left out\n");
	}
	assert_int_equal(w.failed, 0);
	assert_int_equal(w.ports[0]->rx_stats[0].errors, 0);
	assert_int_equal(w.ports[1]->tx_stats[0].errors, 0);
	w.ports[0]->driver->stats(w.ports[0], &stats);
	assert_int_equal(stats.device_rx_dropped, 0);
	net_wire_close(&w);
	sides_free(&s);
}

static void
test_super_frames(void **state)
{
	cross(1, false);
}

static void
test_settled(void **state)
{
	cross(1, true);
}

static void
test_fanout(void **state)
{
	cross(3, false);
}

/* One frame in, with its tag where it belongs, byte by byte; nothing of what goes out comes back. */
static void
test_tag(void **state)
{
	struct sides s = sides_make();
	struct mr_buffers *b = test_buffers(4096);
	struct mr_port *port;
	struct pollfd fd = { .events = POLLIN };
	uint8_t frame[200], back[300];
	uint32_t h[8];
	unsigned n, i, found = 0;
	struct mr_port *sender;
	uint64_t end = net_now_ms() + 5000;

	port = net_port(b, "packet", "near0", NULL, 1);
	net_leave_to(s.far[0]);
	sender = net_port(b, "packet", "far", NULL, 1);
	net_leave_to(s.here);
	for (i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x81\0\xe0\x4d\x88\xb5", 18);
	h[0] = mr_packet_from(b, 0, frame, sizeof(frame));
	assert_int_equal(sender->driver->tx(sender, 0, 0, h, 1), 1);
	fd.fd = port->driver->rx_fd(port, 0);
	while (!found && net_now_ms() < end) {
		if (port->driver->rx_arm(port, 0))
			poll(&fd, 1, 100);
		n = port->driver->rx(port, 0, 0, h, 8);
		for (i = 0; i < n; i++) {
			uint32_t len = mr_packet_at(b->base, h[i])->total;

			assert_int_equal(mr_packet_read(b, h[i], 0, back, sizeof(back)), len);
			if (len != sizeof(frame) || memcmp(back, frame, 12) != 0)
				continue;
			/* The kernel took it out, the ring's header told, and it was put back. */
			assert_int_equal(mr_packet_at(b->base, h[i])->data, MR_PACKET_DATA - 4);
			assert_memory_equal(back, frame, sizeof(frame));
			found++;
		}
		mr_packets_free(b, 0, h, n);
	}
	assert_int_equal(found, 1);
	/* Its own transmissions are not received. */
	h[0] = mr_packet_from(b, 0, frame, sizeof(frame));
	port->driver->tx(port, 0, 0, h, 1);
	usleep(20000);
	while ((n = port->driver->rx(port, 0, 0, h, 8))) {
		for (i = 0; i < n; i++) {
			mr_packet_read(b, h[i], 0, back, sizeof(back));
			assert_memory_not_equal(back, frame, 14);
		}
		mr_packets_free(b, 0, h, n);
	}
	/* Stopped, nothing comes in. */
	port->driver->stop(port);
	h[0] = mr_packet_from(b, 0, frame, sizeof(frame));
	sender->driver->tx(sender, 0, 0, h, 1);
	usleep(20000);
	assert_int_equal(port->driver->rx(port, 0, 0, h, 8), 0);
	mr_port_close(sender);
	mr_port_close(port);
	assert_int_equal(mr_pool_used(b->pool), 0);
	mr_buffers_destroy(b);
	sides_free(&s);
}

/* Nor when it has several queues, which the kernel listens for as one. */
static void
test_own_frames(void **state)
{
	struct sides s = sides_make();
	struct mr_buffers *b = test_buffers(4096);
	struct mr_port *port = net_port(b, "packet", "near0", NULL, 3);
	uint8_t frame[64] = "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5", back[64];
	uint32_t h[8];
	unsigned n, q, i;

	for (i = 0; i < 16; i++) {
		frame[11] = (uint8_t)i; /* so that every queue gets some, were they received */
		h[0] = mr_packet_from(b, 0, frame, sizeof(frame));
		assert_int_equal(port->driver->tx(port, i % port->tx_queues, 0, h, 1), 1);
	}
	usleep(20000);
	for (q = 0; q < port->rx_queues; q++)
		while ((n = port->driver->rx(port, q, 0, h, 8))) {
			for (i = 0; i < n; i++) {
				mr_packet_read(b, h[i], 0, back, sizeof(back));
				assert_memory_not_equal(back, frame, 11);
			}
			mr_packets_free(b, 0, h, n);
		}
	mr_port_close(port);
	assert_int_equal(mr_pool_used(b->pool), 0);
	mr_buffers_destroy(b);
	sides_free(&s);
}

/* More frames than one system call takes, refused ones among them: the good ones arrive. */
static void
test_bursts(void **state)
{
	struct sides s = sides_make();
	struct net_wire w = wire_open(1);
	struct mr_port *a = w.ports[0], *b;
	static uint8_t frame[1600];
	uint32_t h[256];
	unsigned seen = 0, n, i;
	uint64_t end = net_now_ms() + 5000;

	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5", 14);
	net_leave_to(s.far[0]);
	b = net_port(w.buffers, "packet", "far", NULL, 1);
	net_leave_to(s.here);
	for (i = 0; i < 256; i++) {
		h[i] = mr_packet_from(w.buffers, 0, frame, i % 4 == 1 ? 1501 + 14 : 64 + i);
		if (i % 4 == 2) {
			mr_packet_at(w.buffers->base, h[i])->flags = MR_PACKET_CSUM_PARTIAL;
			mr_packet_at(w.buffers->base, h[i])->csum_start = 5000;
		}
	}
	assert_int_equal(a->driver->tx(a, 0, 0, h, 256), 256);
	assert_int_equal(a->tx_stats[0].packets, 128);
	assert_int_equal(a->tx_stats[0].errors, 128);
	while (seen < 128 && net_now_ms() < end) {
		n = b->driver->rx(b, 0, 0, h, 100);
		for (i = 0; i < n; i++) {
			struct mr_packet *p = mr_packet_at(w.buffers->base, h[i]);

			seen += !memcmp(mr_packet_bytes(p), frame, 14);
		}
		mr_packets_free(w.buffers, 0, h, n);
	}
	assert_int_equal(seen, 128);
	mr_port_close(b);
	net_wire_close(&w);
	sides_free(&s);
}

/* More comes than the ring holds: the kernel's losses are told, the rest is whole. */
static void
test_overrun(void **state)
{
	struct sides s = sides_make();
	struct mr_buffers *buffers = test_buffers(4096);
	struct mr_port *port, *sender;
	struct mr_port_stats stats;
	static uint8_t frame[1000];
	uint32_t h[64];
	unsigned i, j, n, received = 0;

	port = net_port(buffers, "packet", "near0", TEST_OPTION_LIST("ring=2"), 1);
	net_leave_to(s.far[0]);
	sender = net_port(buffers, "packet", "far", NULL, 1);
	net_leave_to(s.here);
	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5", 14);
	for (i = 0; i < 32; i++) {
		for (j = 0; j < 64; j++)
			h[j] = mr_packet_from(buffers, 0, frame, sizeof(frame));
		assert_int_equal(sender->driver->tx(sender, 0, 0, h, 64), 64);
	}
	usleep(20000);
	while ((n = port->driver->rx(port, 0, 0, h, 64))) {
		received += n;
		mr_packets_free(buffers, 0, h, n);
	}
	port->driver->stats(port, &stats);
	assert_true(received > 100 && received < 1000);
	assert_true(stats.device_rx_dropped >= 1000);
	mr_port_close(sender);
	mr_port_close(port);
	mr_buffers_destroy(buffers);
	sides_free(&s);
}

static void
test_link(void **state)
{
	struct sides s = sides_make();
	struct mr_buffers *b = test_buffers(4096);
	struct mr_port *port = net_port(b, "packet", "near0", NULL, 2);
	struct pollfd fd = { .events = POLLIN, .fd = port->driver->rx_fd(port, 0) };
	static const uint8_t frame[60];
	uint32_t h[3];
	unsigned i, n;

	net_link_is(port, 1);
	net_run("ip link set near0 down");
	net_link_is(port, 0);
	h[0] = mr_packet_from(b, 0, frame, sizeof(frame));
	assert_int_equal(port->driver->tx(port, 0, 0, h, 1), 1);
	assert_int_equal(port->tx_stats[0].errors, 1);
	net_run("ip link set near0 up");
	net_link_is(port, 1);
	net_run("ip link set near0 down && ip link set near0 name other0 && ip link set other0 up");
	net_link_is(port, 1);
	net_run("ip link del other0");
	assert_int_equal(port->driver->poll_link(port), -ENODEV);
	while ((n = port->driver->rx(port, 0, 0, h, 3)))
		mr_packets_free(b, 0, h, n);
	assert_true(port->driver->rx_arm(port, 0));
	assert_int_equal(poll(&fd, 1, 0), 0);
	for (i = 0; i < 3; i++)
		h[i] = mr_packet_from(b, 0, frame, sizeof(frame));
	assert_int_equal(port->driver->tx(port, 0, 0, h, 3), 3);
	assert_int_equal(port->tx_stats[0].gone, 3);
	mr_port_close(port);
	assert_int_equal(mr_pool_used(b->pool), 0);
	mr_buffers_destroy(b);
	sides_free(&s);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *device, *option, *text;
		int rc;
	} cases[] = {
		{ NULL, NULL, "needs an interface", -EINVAL },
		{ "veth7", NULL, "port p0: no interface veth7 in this network namespace", -ENODEV },
		{ "a-name-that-is-too-long", NULL, "longer than 15 characters", -ENAMETOOLONG },
		{ "ipip0", NULL, "does not carry Ethernet", -EPROTONOSUPPORT },
		{ "lo", "ring=1", "not between 2 and 4096", -ERANGE },
	};
	struct mr_port *port;
	struct mr_error error;
	struct mr_buffers *b;
	size_t i;
	int rc;

	close(net_enter());
	if (system("ip link add ipip0 type ipip local 127.0.0.1 remote 127.0.0.2 2>/dev/null"))
		net_run("ip tuntap add ipip0 mode tun");
	b = test_buffers(4096);
	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		rc = test_try(&port, b, "packet", cases[i].device,
		    TEST_OPTION_LIST(cases[i].option), 1, &error);
		assert_null(port);
		if (rc != cases[i].rc || !strstr(error.text, cases[i].text))
			fail_msg("case %zu: %d %s", i, rc, error.text);
	}
	if (!seteuid(65534)) {
		rc = test_try(&port, b, "packet", "lo", NULL, 1, &error);
		assert_int_equal(rc, -EPERM);
		assert_non_null(strstr(error.text, "CAP_NET_RAW"));
		assert_int_equal(seteuid(0), 0);
	}
	mr_buffers_destroy(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_super_frames),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_fanout),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_own_frames),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

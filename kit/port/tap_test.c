/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/net_test_int.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kit/port/namespace.h"

/* Two TAPs, an address on each kernel end, and a socket in each namespace. */
static struct net_wire
wire_open(const char *const *options, unsigned queues, int *client4, int *client6, int *udp)
{
	struct net_wire w = { .buffers = test_buffers(8192) };

	close(net_enter());
	w.ports[0] = net_port(w.buffers, "tap", "ta0", options, queues);
	net_run("ip addr add 10.9.0.1/24 dev ta0 && ip addr add fd09::1/64 dev ta0 nodad");
	*client4 = net_socket(AF_INET, SOCK_STREAM);
	*client6 = net_socket(AF_INET6, SOCK_STREAM);
	*udp = net_socket(AF_INET, SOCK_DGRAM);
	close(net_enter());
	w.ports[1] = net_port(w.buffers, "tap", "tb0", options, queues);
	net_run("ip addr add 10.9.0.2/24 dev tb0 && ip addr add fd09::2/64 dev tb0 nodad");
	return w;
}

static void
cross(const char *const *options, unsigned queues, bool settle, bool super)
{
	int client4, client6, udp, listener4, listener6, receiver;
	struct net_wire w = wire_open(options, queues, &client4, &client6, &udp);

	w.settle = settle;
	listener4 = net_bound("10.9.0.2", SOCK_STREAM);
	listener6 = net_bound("fd09::2", SOCK_STREAM);
	receiver = net_bound("10.9.0.2", SOCK_DGRAM);
	net_tcp(&w, client4, listener4, "10.9.0.2", 4 << 20);
	net_tcp(&w, client6, listener6, "fd09::2", 4 << 20);
	if (super) {
		assert_true(w.largest[0] > 20000);
		assert_true(w.unfinished > 10);
	} else {
		assert_true(w.largest[0] <= 1518);
		assert_int_equal(w.unfinished, 0);
	}
	w.largest[0] = 0;
	net_udp(&w, udp, receiver, "10.9.0.2");
	if (settle && super)
		assert_true(w.pieces > 1000);
	assert_int_equal(w.failed, 0);
	assert_int_equal(w.ports[1]->tx_stats[0].errors, 0);
	close(client4);
	close(client6);
	close(udp);
	close(listener4);
	close(listener6);
	close(receiver);
	net_wire_close(&w);
}

static void
test_super_frames(void **state)
{
	cross(NULL, 1, false, true);
}

/* The same, cut and finished by us; the kernel checks every checksum. */
static void
test_settled(void **state)
{
	cross(NULL, 1, true, true);
}

static void
test_whole_frames(void **state)
{
	cross(TEST_OPTION_LIST("offload=none"), 1, false, false);
}

/* A UDP super-frame for a TAP that takes none is cut on its way. */
static void
test_udp_cut(void **state)
{
	int client4, client6, udp, receiver;
	struct net_wire w = wire_open(NULL, 1, &client4, &client6, &udp);

	close(client4);
	close(client6);
	/* Side 2 again, without UDP's. */
	mr_port_close(w.ports[1]);
	w.ports[1] = net_port(w.buffers, "tap", "tc0", TEST_OPTION_LIST("offload=tcp"), 1);
	net_run("ip addr add 10.9.0.2/24 dev tc0");
	receiver = net_bound("10.9.0.2", SOCK_DGRAM);
	net_udp(&w, udp, receiver, "10.9.0.2");
	if (w.largest[0] < 8000)
		print_message("this kernel gives no UDP super-frames to a TAP: nothing was cut\n");
	close(udp);
	close(receiver);
	net_wire_close(&w);
}

static void
test_queues(void **state)
{
	cross(NULL, 4, false, true);
}

static void
test_options(void **state)
{
	struct mr_port_stats stats;
	struct mr_port *port;
	struct mr_buffers *b;
	struct mr_error error;

	close(net_enter());
	b = test_buffers(4096);
	port = net_port(b, "tap", NULL,
	    TEST_OPTION_LIST("mac=02:11:22:33:44:55", "persistent=true"), 1);
	assert_string_equal(port->device, "tap0");
	assert_int_equal(port->mtu, 1500);
	net_link_is(port, 1);
	net_run("ip -o link show dev tap0 up | grep -q 02:11:22:33:44:55");
	net_run("ip link set tap0 down");
	net_link_is(port, 0);
	port->driver->stats(port, &stats);
	assert_int_not_equal(stats.detail[0], 0);
	mr_port_close(port);
	net_run("ip link show dev tap0 >/dev/null");
	/* One that is there already is used; and goes, once not persistent. */
	port = net_port(b, "tap", "tap0", NULL, 1);
	net_run("ip link set tap0 mtu 9000");
	mr_port_close(port);
	assert_int_equal(test_try(&port, b, "tap", "tap0", TEST_OPTION_LIST("up=false"), 1, &error),
	    0);
	assert_int_equal(port->mtu, 9000);
	mr_port_close(port);
	net_run("ip link del tap0");
	/* A TAP that was made for several queues opens with one. */
	net_run("ip tuntap add tap1 mode tap multi_queue");
	port = net_port(b, "tap", "tap1", NULL, 1);
	mr_port_close(port);
	port = net_port(b, "tap", "tap1", NULL, 3);
	assert_int_equal(port->rx_queues, 3);
	mr_port_close(port);
	mr_buffers_destroy(b);
}

/* Deleted while running: rx is silent, tx accepts and counts, poll_link tells, a sleeper sleeps. */
static void
test_gone(void **state)
{
	static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	struct pollfd fd = { .events = POLLIN };
	struct mr_buffers *b;
	struct mr_port *port;
	uint32_t h[3], i;

	close(net_enter());
	b = test_buffers(4096);
	port = net_port(b, "tap", "tg0", NULL, 1);
	fd.fd = port->driver->rx_fd(port, 0);
	h[0] = mr_packet_from(b, 0, frame, sizeof(frame));
	assert_int_equal(port->driver->tx(port, 0, 0, h, 1), 1);
	assert_int_equal(port->tx_stats[0].packets, 1);
	net_run("ip link del tg0");
	assert_int_equal(port->driver->poll_link(port), -ENODEV);
	assert_int_equal(port->driver->rx(port, 0, 0, h, 3), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	for (i = 0; i < 3; i++)
		h[i] = mr_packet_from(b, 0, frame, sizeof(frame));
	assert_int_equal(port->driver->tx(port, 0, 0, h, 3), 3);
	assert_int_equal(port->tx_stats[0].gone, 3);
	assert_int_equal(port->tx_stats[0].packets, 1);
	assert_int_equal(port->driver->poll_link(port), -ENODEV);
	mr_port_close(port);
	assert_int_equal(mr_pool_used(b->pool), 0);
	/* It comes back under its name. */
	port = net_port(b, "tap", "tg0", NULL, 1);
	net_link_is(port, 1);
	mr_port_close(port);
	mr_buffers_destroy(b);
}

/* The kernel refuses what is malformed; it is counted, the rest goes. */
static void
test_refused_frames(void **state)
{
	static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	struct mr_buffers *b;
	struct mr_port *port;
	struct mr_packet *p;
	uint32_t h[4], i;

	close(net_enter());
	b = test_buffers(4096);
	port = net_port(b, "tap", "tr0", NULL, 1);
	for (i = 0; i < 4; i++)
		h[i] = mr_packet_from(b, 0, frame, sizeof(frame));
	p = mr_packet_at(b->base, h[1]);
	p->flags = MR_PACKET_CSUM_PARTIAL;
	p->csum_start = 59;
	p = mr_packet_at(b->base, h[2]);
	p->len = p->total = 10; /* no Ethernet header */
	assert_int_equal(port->driver->tx(port, 0, 0, h, 4), 4);
	assert_int_equal(port->tx_stats[0].packets, 2);
	assert_int_equal(port->tx_stats[0].bytes, 120);
	assert_int_equal(port->tx_stats[0].errors, 2);
	test_close(&(struct test_port){ .buffers = b, .port = port });
}

static long
own_namespace(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return (long)st.st_ino;
}

/* A namespace that we make; a TAP in it, asked about and set up from outside. */
static void
test_namespace(void **state)
{
	char name[32], option[64];
	struct mr_buffers *b;
	struct mr_error error;
	struct mr_port *port;
	pid_t child;
	long before;

	close(net_enter());
	b = test_buffers(4096);
	before = own_namespace();
	snprintf(name, sizeof(name), "mrtap%d", (int)getpid());
	if (mr_namespace_create(name, &error)) {
		print_message("%s\n", error.text);
		mr_buffers_destroy(b);
		skip();
	}
	assert_int_equal(mr_namespace_create(name, &error), -EEXIST);
	snprintf(option, sizeof(option), "namespace=%s", name);
	port = net_port(b, "tap", "tn0", TEST_OPTION_LIST(option), 1);
	assert_int_equal(own_namespace(), before);
	net_run("! ip link show dev tn0 2>/dev/null");
	net_run("ip netns exec %s ip -o link show dev tn0 up | grep -q tn0", name);
	net_link_is(port, 1);
	net_run("ip -n %s link set tn0 down", name);
	net_link_is(port, 0);
	mr_port_close(port);
	/* Who lives in it. */
	assert_int_equal(mr_namespace_user(name), 0);
	child = fork();
	if (child == 0) {
		execlp("ip", "ip", "netns", "exec", name, "sleep", "30", NULL);
		_exit(1);
	}
	for (unsigned i = 0; i < 2000 && !mr_namespace_user(name); i++)
		usleep(1000);
	assert_int_equal(mr_namespace_user(name), child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(mr_namespace_user(name), 0);
	assert_true(mr_namespace_exists(name));
	assert_int_equal(mr_namespace_delete(name, &error), 0);
	assert_false(mr_namespace_exists(name));
	assert_int_equal(test_try(&port, b, "tap", "tn0", TEST_OPTION_LIST(option), 1, &error),
	    -ENOENT);
	assert_non_null(strstr(error.text, "no network namespace /run/netns/"));
	assert_int_equal(mr_namespace_create("a/b", &error), -EINVAL);
	assert_int_equal(mr_namespace_create("..", &error), -EINVAL);
	mr_buffers_destroy(b);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *device, *option, *text;
		int rc;
	} cases[] = {
		{ "a-name-that-is-too-long", NULL, "longer than 15 characters", -ENAMETOOLONG },
		{ "a/b", NULL, "not allowed", -EINVAL },
		{ "lo", NULL, "is no TAP", -EEXIST },
		{ "taken", NULL, "taken by another process", -EBUSY },
		{ "td0", "mac=nonsense", "not a MAC address", -EINVAL },
		{ "td0", "mac=01:00:00:00:00:00", "cannot set the MAC address", -EADDRNOTAVAIL },
	};
	struct mr_port *taken, *port;
	struct mr_error error;
	struct mr_buffers *b;
	size_t i;
	int rc;

	close(net_enter());
	b = test_buffers(4096);
	taken = net_port(b, "tap", "taken", NULL, 1);
	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		rc = test_try(&port, b, "tap", cases[i].device, TEST_OPTION_LIST(cases[i].option),
		    1, &error);
		assert_null(port);
		if (rc != cases[i].rc || !strstr(error.text, cases[i].text))
			fail_msg("%s: %d %s", cases[i].device, rc, error.text);
	}
	mr_port_close(taken);
	assert_int_equal(mr_pool_used(b->pool), 0);
	/* Last, since there is no way back: without privilege. */
	if (!seteuid(65534)) {
		rc = test_try(&port, b, "tap", "tu0", NULL, 1, &error);
		assert_true(rc == -EPERM || rc == -EACCES);
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
		cmocka_unit_test(test_whole_frames),
		cmocka_unit_test(test_udp_cut),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_refused_frames),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

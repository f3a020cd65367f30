/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, and what goes wrong in between. */
#include "kit/port/xdp/xdp_test_int.h"

/* Before start and after stop everything is the kernel's. */
static void
test_start_and_stop(void **state)
{
	uint8_t frame[60];
	struct mr_error error;
	struct mr_port *port;
	uint32_t got[1];
	int peer, kernel;

	NEED();
	peer = wire("a1");
	kernel = wire("a0");
	make_frame(frame, sizeof(frame), 1);
	assert_int_equal(try_open(&port, "a0", &error, "mode=native"), 0);
	send_frame(peer, frame, sizeof(frame));
	expect_frame(kernel, frame, sizeof(frame));
	assert_int_equal(port->driver->start(port, &error), 0);
	assert_int_equal(port->state, MR_PORT_UP);
	send_frame(peer, frame, sizeof(frame));
	assert_int_equal(receive(port, got, 1), 1);
	mr_packets_free(buffers, 0, got, 1);
	port->driver->stop(port);
	assert_int_equal(port->state, MR_PORT_DOWN);
	send_frame(peer, frame, sizeof(frame));
	expect_frame(kernel, frame, sizeof(frame));
	port->driver->close(port);
	close(peer);
	close(kernel);
}

static void
test_device_vanishes(void **state)
{
	uint8_t frame[60];
	uint32_t packets[64], got[1];
	unsigned m, i;

	NEED();
	make_frame(frame, sizeof(frame), 1);
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		struct mr_port *port = open_mode("a0", modes[m]);
		int peer = wire("a1");

		send_frame(peer, frame, sizeof(frame)); /* left in the ring */
		pause_ms(10);
		close(peer);
		assert_int_equal(sh("ip link del a0"), 0);
		assert_int_equal(port->driver->poll_link(port), -ENODEV);
		assert_int_equal(port->state, MR_PORT_GONE);
		for (i = 0; i < 64; i++)
			packets[i] = mr_packet_from(buffers, 0, frame, sizeof(frame));
		assert_int_equal(port->driver->tx(port, 0, 0, packets, 32), 32);
		assert_int_equal(port->driver->tx(port, 0, 0, packets + 32, 32), 32);
		assert_int_equal(port->tx_stats[0].gone, 32);
		assert_false(port->driver->tx_idle(port, 0, 0));
		if (port->driver->rx(port, 0, 0, got, 1))
			mr_packets_free(buffers, 0, got, 1);
		assert_int_equal(port->driver->rx(port, 0, 0, got, 1), 0);
		/* Another one of that name is another one. */
		assert_int_equal(sh("ip link add a0 type veth peer name a1 && ip link set a0 up && "
				    "ip link set a1 up"),
		    0);
		assert_int_equal(port->driver->poll_link(port), -ENODEV);
		close_port(port);
		assert_int_equal(mr_pool_used(buffers->pool), 0);
	}
}

static void
test_link_down_and_up(void **state)
{
	struct mr_port *port;
	uint8_t frame[60];
	uint32_t got[1];
	unsigned tries;
	int peer;

	NEED();
	port = open_mode("a0", "native");
	assert_int_equal(sh("ip link set a0 down"), 0);
	assert_int_equal(port->driver->poll_link(port), 0);
	assert_int_equal(port->state, MR_PORT_DOWN);
	make_frame(frame, sizeof(frame), 1);
	got[0] = mr_packet_from(buffers, 0, frame, sizeof(frame));
	assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
	assert_false(port->driver->tx_idle(port, 0, 0)); /* nothing to wait for */
	assert_int_equal(sh("ip link set a0 up"), 0);
	for (tries = 0; tries < 100 && port->driver->poll_link(port) != 1; tries++)
		pause_ms(10);
	assert_int_equal(port->state, MR_PORT_UP);
	peer = wire("a1");
	settle_tx(port);
	send_frame(peer, frame, sizeof(frame));
	assert_int_equal(receive(port, got, 1), 1);
	mr_packets_free(buffers, 0, got, 1);
	close(peer);
	close_port(port);
}

/* The kernel frees a queue a while after its socket; open waits for it. */
static void
test_reopen(void **state)
{
	uint8_t frame[60];
	uint32_t got[1];
	unsigned i;

	NEED();
	make_frame(frame, sizeof(frame), 1);
	for (i = 0; i < 6; i++) {
		struct mr_port *port = open_mode("a0", modes[i & 1]);
		int peer = wire("a1");

		send_frame(peer, frame, sizeof(frame));
		assert_int_equal(receive(port, got, 1), 1);
		assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
		close(peer);
		close_port(port); /* with a buffer that may be in flight */
		assert_int_equal(mr_pool_used(buffers->pool), 0);
	}
}

static bool
program_attached(const char *device)
{
	struct mr_error error;

	return xdp_steer_check_free((int)if_nametoindex(device), device, &error) != 0;
}

static void
test_killed(void **state)
{
	int ready[2], peer, kernel, status;
	uint8_t frame[60];
	unsigned m, tries;
	char byte;
	pid_t child;

	NEED();
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		assert_int_equal(pipe(ready), 0);
		child = fork();
		if (!child) {
			struct mr_error error;
			struct mr_port *port;
			char mode[32];

			snprintf(mode, sizeof(mode), "mode=%s", modes[m]);
			if (try_open(&port, "a0", &error, mode) ||
			    port->driver->start(port, &error))
				_exit(1);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		assert_true(program_attached("a0"));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		for (tries = 0; tries < 100 && program_attached("a0"); tries++)
			pause_ms(10);
		assert_false(program_attached("a0"));
		peer = wire("a1");
		kernel = wire("a0");
		make_frame(frame, sizeof(frame), 1);
		send_frame(peer, frame, sizeof(frame));
		expect_frame(kernel, frame, sizeof(frame));
		close(peer);
		close(kernel);
	}
}

/* Queue 1 of two, which we do not open: its frames reach the kernel. */
static void
test_queue_not_opened(void **state)
{
	struct mr_port_config config = { .name = "a0",
		.device = "q0",
		.index = 1,
		.rx_queues = 1,
		.numa_node = -1,
		.buffers = buffers,
		.workers = 1 };
	struct mr_port_stats stats;
	struct mr_error error;
	struct mr_port *port;
	uint32_t got[64];
	uint8_t frame[60];
	unsigned i, n, left = 0;
	int peer, kernel;

	NEED();
	config.buffers = buffers;
	assert_int_equal(
	    sh("ip link add q0 numrxqueues 2 numtxqueues 2 type veth peer name q1 "
	       "numrxqueues 2 numtxqueues 2 && ip link set q0 up && ip link set q1 up"),
	    0);
	assert_int_equal(mr_port_driver_xdp.open(&port, &config, &error), 0);
	assert_int_equal(port->rx_queues, 1);
	assert_int_equal(port->tx_queues, 2);
	assert_int_equal(port->driver->start(port, &error), 0);
	port->driver->stats(port, &stats);
	assert_non_null(strstr(stats.detail, "1 of 2"));
	peer = wire("q1");
	kernel = wire("q0");
	for (i = 0; i < 64; i++) {
		make_frame(frame, sizeof(frame), i); /* sockets spread by CPU, flows by hash */
		frame[11] = (uint8_t)i;
		send_frame(peer, frame, sizeof(frame));
	}
	pause_ms(20);
	n = port->driver->rx(port, 0, 0, got, 64);
	while (recv(kernel, frame, sizeof(frame), MSG_DONTWAIT) > 0)
		left++;
	assert_int_equal(n + left, 64);
	mr_packets_free(buffers, 0, got, n);
	/* The second transmit queue has a socket that only sends. */
	got[0] = mr_packet_from(buffers, 0, frame, sizeof(frame));
	assert_int_equal(port->driver->tx(port, 1, 0, got, 1), 1);
	expect_frame(peer, frame, sizeof(frame));
	close(peer);
	close(kernel);
	close_port(port);
}

/* Both queues of two: every frame comes out of one of them, and says of which. */
static void
test_two_queues(void **state)
{
	struct mr_port_config config = { .name = "q0",
		.device = "q0",
		.index = 1,
		.numa_node = -1,
		.workers = 1 };
	struct mr_error error;
	struct mr_port *port;
	uint32_t got[64];
	uint8_t frame[60];
	unsigned i, k, n, all = 0, tries;
	int peer;

	NEED();
	config.buffers = buffers;
	assert_int_equal(
	    sh("ip link add q0 numrxqueues 2 numtxqueues 2 type veth peer name q1 "
	       "numrxqueues 2 numtxqueues 2 && ip link set q0 up && ip link set q1 up"),
	    0);
	assert_int_equal(mr_port_driver_xdp.open(&port, &config, &error), 0);
	assert_int_equal(port->rx_queues, 2);
	assert_int_equal(port->driver->start(port, &error), 0);
	peer = wire("q1");
	make_frame(frame, sizeof(frame), 1);
	for (i = 0; i < 64; i++)
		send_frame(peer, frame, sizeof(frame));
	for (tries = 0; tries < 1000 && all < 64; tries++) {
		for (k = 0; k < 2; k++) {
			n = port->driver->rx(port, k, 0, got, 64);
			all += n;
			for (i = 0; i < n; i++) {
				expect_packet(got[i], frame, sizeof(frame));
				assert_int_equal(mr_packet_at(buffers->base, got[i])->queue, k);
			}
			assert_int_equal(port->driver->tx(port, k, 0, got, n), n);
		}
		pause_ms(1);
	}
	assert_int_equal(all, 64);
	for (i = 0; i < 64; i++)
		expect_frame(peer, frame, sizeof(frame));
	close(peer);
	close_port(port);
}

static void
expect_error(const char *device, const char *options, int code, const char *text)
{
	struct mr_error error = { 0 };
	struct mr_port *port = NULL;
	int rc = try_open(&port, device, &error, options);

	if (rc != code || !strstr(error.text, text))
		print_error("%s: %d: %s\n", options, rc, error.text);
	assert_int_equal(rc, code);
	assert_int_equal(error.code, code);
	assert_non_null(strstr(error.text, text));
	assert_null(port);
}

static void
test_errors(void **state)
{
	struct mr_port *port;

	NEED();
	expect_error("nosuch0", "mode=auto", -ENODEV, "no interface nosuch0");
	expect_error("interface-with-a-long-name", "mode=auto", -ENAMETOOLONG, "at most 15");
	expect_error("", "mode=auto", -EINVAL, "needs the name");
	expect_error("a0", "filter=tcp prot 5", -EINVAL, "tcp prot 5");
	expect_error("a0", "leave=ip6 protochain 6", -ELOOP, "protochain");
	expect_error("lo", "mode=auto", -ENOTSUP, "not an Ethernet");
	expect_error("a0", "mode=zerocopy", -ENOTSUP, "zero-copy");
	port = open_mode("a0", "native");
	expect_error("a0", "mode=auto", -EBUSY, "an XDP program is attached to a0 already (id ");
	close_port(port);
	assert_int_equal(sh("ip link set a0 mtu 40000 && ip link set a1 mtu 40000"), 0);
	expect_error("a0", "mode=generic", -EMSGSIZE, "MTU of 40000");
	assert_int_equal(mr_pool_used(buffers->pool), 0);
}

static void
drop_capabilities(uint32_t drop)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	assert_int_equal(syscall(SYS_capget, &head, caps), 0);
	caps[0].effective &= ~drop;
	caps[0].permitted &= ~drop;
	assert_int_equal(syscall(SYS_capset, &head, caps), 0);
}

/* In a child of its own, which cannot get back what it gave away. */
static void
test_without_permission(void **state)
{
	static const struct {
		uint32_t drop;
		int code;
		const char *text;
	} cases[] = {
		{ 1u << CAP_NET_RAW, -EPERM, "CAP_NET_RAW" },
		{ 1u << CAP_IPC_LOCK | 1u << CAP_SYS_RESOURCE, -ENOBUFS, "ulimit -l" },
		{ 1u << CAP_NET_ADMIN | 1u << CAP_SYS_ADMIN, -EPERM, "CAP_NET_ADMIN" },
	};
	const struct rlimit little = { 65536, 65536 };
	struct mr_error error;
	struct mr_port *port;
	unsigned i;
	pid_t child;
	int status;

	NEED();
	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		child = fork();
		if (!child) {
			setrlimit(RLIMIT_MEMLOCK, &little);
			drop_capabilities(cases[i].drop);
			if (try_open(&port, "a0", &error, "mode=auto") != cases[i].code ||
			    !strstr(error.text, cases[i].text)) {
				print_error("%u: %s\n", i, error.text);
				_exit(1);
			}
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

/* A socket of somebody else's, without a program, holds the queue. */
static void
test_queue_busy(void **state)
{
	struct mr_port *port;
	struct xdp_port *x;

	NEED();
	port = open_mode("a0", "native");
	x = (struct xdp_port *)port;
	close(x->steer.link_fd);
	x->steer.link_fd = -1;
	expect_error("a0", "mode=auto", -EBUSY, "queue 0 of a0");
	close_port(port);
}

/* The kernel lets go of a queue a while after its socket: open waits for that. */
static void
test_queue_freed_later(void **state)
{
	int ready[2], status;
	struct mr_port *port;
	struct xdp_port *x;
	char byte;
	pid_t child;

	NEED();
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		struct mr_error error;

		if (try_open(&port, "a0", &error, "mode=native"))
			_exit(1);
		x = (struct xdp_port *)port;
		close(x->steer.link_fd);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause_ms(300);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	port = open_mode("a0", "native");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
	close_port(port);
}

static void
test_no_buffers(void **state)
{
	static uint32_t all[8192];

	NEED();
	assert_int_equal(mr_buffers_get(buffers, MR_POOL_SHARED, all, 8192), 8192);
	expect_error("a0", "mode=native", -ENOBUFS, "no packet buffer is left");
	mr_buffers_put(buffers, MR_POOL_SHARED, all, 8192);
}

static void
test_mtu_and_up(void **state)
{
	struct mr_port_config config = { .name = "a0",
		.device = "a0",
		.mtu = 1400,
		.numa_node = -1,
		.workers = 1 };
	struct mr_error error;
	struct mr_port *port;
	uint8_t frame[60];
	uint32_t got[1];
	int peer;

	NEED();
	config.buffers = buffers;
	assert_int_equal(sh("ip link set a0 down"), 0);
	assert_int_equal(mr_port_driver_xdp.open(&port, &config, &error), 0);
	assert_int_equal(port->mtu, 1400);
	assert_int_equal(sh("ip link show a0 | grep -q 'mtu 1400'"), 0);
	assert_int_equal(sh("ip link show a0 | grep -q 'UP'"), 0);
	port->driver->close(port);

	/* Opened while it is down, brought up later. */
	assert_int_equal(sh("ip link set a0 down"), 0);
	port = open_port("a0", "up=false");
	assert_int_equal(port->driver->poll_link(port), 0);
	assert_int_equal(sh("ip link set a0 up"), 0);
	assert_int_equal(port->driver->poll_link(port), 1);
	peer = wire("a1");
	make_frame(frame, sizeof(frame), 1);
	send_frame(peer, frame, sizeof(frame));
	assert_int_equal(receive(port, got, 1), 1);
	mr_packets_free(buffers, 0, got, 1);
	close(peer);
	close_port(port);
}

static void
test_promiscuous(void **state)
{
	struct mr_port *port;

	NEED();
	assert_int_not_equal(sh("ip -d link show a0 | grep -q 'promiscuity [1-9]'"), 0);
	port = open_mode("a0", "auto");
	assert_int_equal(sh("ip -d link show a0 | grep -q 'promiscuity [1-9]'"), 0);
	close_port(port);
	assert_int_not_equal(sh("ip -d link show a0 | grep -q 'promiscuity [1-9]'"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_and_stop),
		TEST(test_device_vanishes),
		TEST(test_link_down_and_up),
		TEST(test_reopen),
		TEST(test_killed),
		TEST(test_queue_not_opened),
		TEST(test_two_queues),
		TEST(test_errors),
		TEST(test_without_permission),
		TEST(test_queue_busy),
		TEST(test_queue_freed_later),
		TEST(test_no_buffers),
		TEST(test_mtu_and_up),
		TEST(test_promiscuous),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}

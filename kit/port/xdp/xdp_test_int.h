/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_XDP_TEST_INT_H
#define MR_KIT_PORT_XDP_XDP_TEST_INT_H

/*
 * A network namespace of this process's own, with two veth pairs:
 *
 *	port "a" (AF_XDP) - a0 ===== a1 - packet socket, or the kernel's stack 10.9.0.2
 *	port "b" (AF_XDP) - b0 ===== b1 - packet socket
 *
 * Needs root (or CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF) and ip(8); the
 * tests are skipped without. Every test gets new pairs and a new pool, and fails when
 * a buffer is missing at its end.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kit/packet/checksum.h"
#include "kit/port/xdp/xdp_int.h"

extern const struct mr_port_driver mr_port_driver_xdp;

#define NS 1000000ull

static const char *unavailable; /* why everything is skipped */
static struct mr_buffers *buffers;
static const char *const modes[] = { "native", "generic" };

static inline int __attribute__((format(printf, 1, 2))) sh(const char *fmt, ...)
{
	char command[512];
	va_list args;
	size_t used;

	va_start(args, fmt);
	used = (size_t)snprintf(command, sizeof(command), "{ ");
	used += (size_t)vsnprintf(command + used, sizeof(command) - used, fmt, args);
	va_end(args);
	snprintf(command + used, sizeof(command) - used, "; } >/dev/null 2>&1");
	return system(command);
}

static inline void
pause_ms(unsigned ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * NS) };

	nanosleep(&t, NULL);
}

static inline void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		unavailable = "no permission to change the namespace";
	close(fd);
}

static inline int
enter(void **state)
{
	if (unshare(CLONE_NEWNET)) {
		unavailable = "no network namespace of our own (CAP_SYS_ADMIN)";
		return 0;
	}
	/* Nothing but our frames on the wires. */
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	if (sh("ip link add probe0 type veth peer name probe1"))
		unavailable = "no veth pairs (ip(8), CAP_NET_ADMIN)";
	sh("ip link del probe0");
	return 0;
}

static inline int
setup(void **state)
{
	const struct mr_buffers_config config = { .count = 8192, .workers = 2, .numa_node = -1 };
	struct mr_error error;

	if (unavailable)
		return 0;
	assert_int_equal(mr_buffers_create(&buffers, &config, &error), 0);
	assert_int_equal(
	    sh("ip link add a0 type veth peer name a1 && ip link set a0 up && ip link set a1 up"),
	    0);
	assert_int_equal(
	    sh("ip link add b0 type veth peer name b1 && ip link set b0 up && ip link set b1 up"),
	    0);
	return 0;
}

/* Nothing may be missing after any test. */
static inline int
teardown(void **state)
{
	struct mr_error error;
	int leaked;

	if (unavailable)
		return 0;
	leaked = (int)mr_pool_used(buffers->pool);
	if (leaked)
		print_error("%d buffers are missing\n", leaked);
	if (mr_pool_check(buffers->pool, &error)) {
		print_error("%s\n", error.text);
		leaked = -1;
	}
	mr_buffers_destroy(buffers);
	sh("ip link del a0; ip link del b0; ip link del c0; ip link del br0; ip link del q0");
	return leaked;
}

#define NEED() \
	do { \
		if (unavailable) { \
			print_message("skipped: %s\n", unavailable); \
			skip(); \
		} \
	} while (0)

static inline int
try_open(struct mr_port **port, const char *device, struct mr_error *error, const char *options)
{
	struct mr_option list[8];
	char text[256], *at = text, *word;
	struct mr_port_config config = { .name = device,
		.device = device,
		.options = list,
		.index = (uint16_t)(device[0] - 'a' + 1),
		.promiscuous = true,
		.numa_node = -1,
		.buffers = buffers,
		.workers = 1 };

	snprintf(text, sizeof(text), "%s", options);
	while ((word = strsep(&at, ";"))) {
		char *value = strchr(word, '=');

		*value++ = 0;
		list[config.option_count++] = (struct mr_option){ .key = word, .value = value };
	}
	return mr_port_driver_xdp.open(port, &config, error);
}

static inline struct mr_port *
open_port(const char *device, const char *options)
{
	struct mr_error error = { 0 };
	struct mr_port *port = NULL;
	int rc = try_open(&port, device, &error, options);

	if (rc)
		print_error("%s: %s\n", device, error.text);
	assert_int_equal(rc, 0);
	assert_int_equal(port->driver->start(port, &error), 0);
	return port;
}

static inline struct mr_port *
open_mode(const char *device, const char *mode)
{
	char options[64];

	snprintf(options, sizeof(options), "mode=%s;ring-size=512", mode);
	return open_port(device, options);
}

static inline void
close_port(struct mr_port *port)
{
	port->driver->stop(port);
	port->driver->close(port);
}

/* A packet socket on an interface: the other side. */
static inline int
wire(const char *device)
{
	const struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htons(3 /* ETH_P_ALL */) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3)), one = 1;

	assert_true(fd >= 0);
	at.sll_ifindex = (int)if_nametoindex(device);
	assert_int_not_equal(at.sll_ifindex, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	return fd;
}

static inline void
make_frame(uint8_t *frame, unsigned len, unsigned salt)
{
	unsigned i;

	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5", 14);
	for (i = 14; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + salt + (i >> 8));
}

static inline void
send_frame(int fd, const void *frame, unsigned len)
{
	assert_int_equal(send(fd, frame, len, 0), len);
}

static inline void
expect_frame(int fd, const void *frame, unsigned len)
{
	static uint8_t got[70000];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	assert_int_equal(n, len);
	assert_memory_equal(got, frame, len);
}

static inline void
expect_silence(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 50), 0);
}

/* Receives until `want` packets are there or 1 s has gone by. */
static inline unsigned
receive(struct mr_port *port, uint32_t *packets, unsigned want)
{
	unsigned n = 0, tries;

	for (tries = 0; n < want && tries < 1000; tries++) {
		n += port->driver->rx(port, 0, 0, packets + n, want - n);
		if (n < want)
			pause_ms(1);
	}
	return n;
}

static inline void
expect_packet(uint32_t handle, const void *frame, unsigned len)
{
	static uint8_t got[70000];

	assert_int_equal(mr_packet_at(buffers->base, handle)->total, len);
	assert_int_equal(mr_packet_read(buffers, handle, 0, got, len), len);
	assert_memory_equal(got, frame, len);
}

static inline void
settle_tx(struct mr_port *port)
{
	unsigned tries;

	for (tries = 0; tries < 1000 && port->driver->tx_idle(port, 0, 0); tries++)
		pause_ms(1);
	assert_true(tries < 1000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

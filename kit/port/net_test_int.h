/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_NET_TEST_INT_H
#define MR_KIT_PORT_NET_TEST_INT_H

/*
 * For the tests of drivers over kernel interfaces: namespaces of their own, and
 * the kernel's own TCP and UDP as the judge. Two ports are joined by a wire that
 * is a loop in the test:
 *
 *   namespace 1                 the test                namespace 2
 *   socket -- interface -- [ port A ] == [ port B ] -- interface -- socket
 *
 * What arrives at a socket passed every check that Linux makes.
 */

#include "kit/port/port_test_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* Runs a command; its success is a condition of the test. */
static inline void __attribute__((format(printf, 1, 2))) net_run(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

/* A new, empty network namespace for this thread; its descriptor, to come back to. */
static inline int
net_enter(void)
{
	int fd;

	if (unshare(CLONE_NEWNET)) {
		print_message("no network namespace of our own: %s (run as root)\n",
		    strerror(errno));
		skip();
	}
	if (system("ip link set lo up")) {
		print_message("no ip command (Debian package iproute2)\n");
		skip();
	}
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void
net_leave_to(int fd)
{
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

static inline uint64_t
net_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline bool
net_kernel_at_least(unsigned major, unsigned minor)
{
	unsigned a = 0, b = 0;
	struct utsname u;

	return !uname(&u) && sscanf(u.release, "%u.%u", &a, &b) == 2 &&
	    (a > major || (a == major && b >= minor));
}

/* The kernel looks at carriers in its own time. */
static inline void
net_link_is(struct mr_port *port, int want)
{
	uint64_t end = net_now_ms() + 5000;
	int link;

	while ((link = port->driver->poll_link(port)) != want && net_now_ms() < end)
		usleep(1000);
	assert_int_equal(link, want);
}

struct net_wire {
	struct mr_buffers *buffers;
	struct mr_port *ports[2];
	bool settle;         /* as if the way out could nothing */
	uint32_t largest[2]; /* frame that came from each side */
	unsigned unfinished; /* frames with a partial checksum */
	unsigned pieces;     /* frames made by settling */
	unsigned failed;
};

/* One round of the wire, in one direction. */
static inline void
net_wire_half(struct net_wire *w, unsigned from)
{
	struct mr_port *in = w->ports[from], *out = w->ports[!from];
	uint32_t h[32], ready[256];
	unsigned n, q, i, sent, done, consumed, made;

	for (q = 0; q < in->rx_queues; q++) {
		n = in->driver->rx(in, q, 0, h, 32);
		for (i = 0; i < n; i++) {
			struct mr_packet *p = mr_packet_at(w->buffers->base, h[i]);

			assert_int_equal(p->port, in->index);
			assert_int_equal(p->queue, q);
			w->largest[from] = MR_MAX(w->largest[from], p->total);
			w->unfinished += !!(p->flags & MR_PACKET_CSUM_PARTIAL);
		}
		for (done = 0; done < n; done += consumed) {
			if (w->settle) {
				uint32_t caps = out->caps;

				out->caps = 0;
				made = mr_port_settle(out, 0, h + done, n - done, &consumed, ready,
				    256, NULL, &w->failed);
				out->caps = caps;
				w->pieces += made - (consumed - w->failed);
				for (i = 0; i < made; i++) {
					struct mr_packet *p =
					    mr_packet_at(w->buffers->base, ready[i]);

					assert_int_equal(p->flags & MR_PACKET_TX_WORK, 0);
					assert_int_equal(p->segments, 1);
					assert_true(p->total <= out->mtu + 18u);
				}
			} else {
				memcpy(ready, h, n * sizeof(*h));
				made = consumed = n;
			}
			sent = out->driver->tx(out, q % out->tx_queues, 0, ready, made);
			mr_packets_free(w->buffers, 0, ready + sent, made - sent);
		}
	}
}

static inline int
net_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static inline socklen_t
net_address(struct sockaddr_storage *out, const char *text, uint16_t port)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (strchr(text, ':')) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &a6->sin6_addr), 1);
		return sizeof(*a6);
	}
	a4->sin_family = AF_INET;
	a4->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, text, &a4->sin_addr), 1);
	return sizeof(*a4);
}

static inline int
net_bound(const char *address, int type)
{
	struct sockaddr_storage a;
	socklen_t len = net_address(&a, address, 7000);
	int fd = net_socket(a.ss_family, type);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* `total` bytes through a TCP connection from `client` to whom `listener` waits for. */
static inline void
net_tcp(struct net_wire *w, int client, int listener, const char *address, size_t total)
{
	static uint8_t out[65536], in[65536];
	uint64_t end = net_now_ms() + 20000;
	size_t sent = 0, received = 0, i;
	struct sockaddr_storage a;
	socklen_t len = net_address(&a, address, 7000);
	int server = -1;
	ssize_t got;

	if (connect(client, (struct sockaddr *)&a, len) && errno != EINPROGRESS)
		fail_msg("connect: %s", strerror(errno));
	while (received < total) {
		if (net_now_ms() > end)
			fail_msg("%zu of %zu bytes sent, %zu received in 20 s", sent, total,
			    received);
		net_wire_half(w, 0);
		net_wire_half(w, 1);
		if (server < 0)
			server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		for (i = 0; i < sizeof(out); i++)
			out[i] = (uint8_t)((sent + i) * 2654435761u >> 13);
		got = send(client, out, MR_MIN(sizeof(out), total - sent), MSG_NOSIGNAL);
		sent += got > 0 ? (size_t)got : 0;
		while (server >= 0 && (got = recv(server, in, sizeof(in), 0)) > 0) {
			for (i = 0; i < (size_t)got; i++)
				if (in[i] != (uint8_t)((received + i) * 2654435761u >> 13))
					fail_msg("byte %zu is wrong", received + i);
			received += (size_t)got;
		}
	}
	close(server);
}

/* Eight datagrams of 1000 bytes, given to the kernel as one super-frame. */
static inline void
net_udp(struct net_wire *w, int client, int receiver, const char *address)
{
	uint64_t end = net_now_ms() + 10000;
	struct sockaddr_storage a;
	socklen_t len = net_address(&a, address, 7000);
	uint8_t out[8000], in[9000];
	unsigned seen = 0, i;
	int size = 1000;
	ssize_t got;

	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i / 1000 + i * 3);
	if (setsockopt(client, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		skip();
	assert_int_equal(sendto(client, out, sizeof(out), 0, (struct sockaddr *)&a, len),
	    sizeof(out));
	while (seen < 8) {
		if (net_now_ms() > end)
			fail_msg("%u of 8 datagrams received in 10 s", seen);
		net_wire_half(w, 0);
		net_wire_half(w, 1);
		while ((got = recv(receiver, in, sizeof(in), 0)) >= 0) {
			assert_int_equal(got, 1000);
			assert_memory_equal(in, out + seen * 1000, 1000);
			seen++;
		}
	}
}

static inline void
net_wire_close(struct net_wire *w)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		w->ports[i]->driver->stop(w->ports[i]);
		mr_port_close(w->ports[i]);
	}
	assert_int_equal(mr_pool_used(w->buffers->pool), 0);
	mr_buffers_destroy(w->buffers);
}

static inline struct mr_port *
net_port(struct mr_buffers *b, const char *driver, const char *device, const char *const *options,
    unsigned queues)
{
	struct mr_error error;
	struct mr_port *port;

	if (test_try(&port, b, driver, device, options, queues, &error))
		fail_msg("%s", error.text);
	if (port->driver->start(port, &error))
		fail_msg("%s", error.text);
	return port;
}

#endif

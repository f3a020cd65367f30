/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The xdp port on veth pairs, in a network namespace of this process's own:
 *
 *	port "a" (AF_XDP) - a0 ===== a1 - packet socket, or the kernel's stack 10.9.0.2
 *	port "b" (AF_XDP) - b0 ===== b1 - packet socket
 *
 * Needs root (or CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF) and ip(8);
 * skipped without.
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

#define TYPE_TEST 0x88b5
#define NS 1000000ull

static const char *unavailable; /* why everything is skipped */
static struct mr_buffers *buffers;
static const char *const modes[] = { "native", "generic" };

static int __attribute__((format(printf, 1, 2))) sh(const char *fmt, ...)
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

static void
pause_ms(unsigned ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * NS) };

	nanosleep(&t, NULL);
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		unavailable = "no permission to change the namespace";
	close(fd);
}

static int
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

static int
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
static int
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

static int
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

static struct mr_port *
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

static struct mr_port *
open_mode(const char *device, const char *mode)
{
	char options[64];

	snprintf(options, sizeof(options), "mode=%s;ring-size=512", mode);
	return open_port(device, options);
}

static void
close_port(struct mr_port *port)
{
	port->driver->stop(port);
	port->driver->close(port);
}

/* A packet socket on an interface: the other side. */
static int
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

static void
make_frame(uint8_t *frame, unsigned len, unsigned salt)
{
	unsigned i;

	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5", 14);
	for (i = 14; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + salt + (i >> 8));
}

static void
send_frame(int fd, const void *frame, unsigned len)
{
	assert_int_equal(send(fd, frame, len, 0), len);
}

static void
expect_frame(int fd, const void *frame, unsigned len)
{
	static uint8_t got[70000];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	assert_int_equal(n, len);
	assert_memory_equal(got, frame, len);
}

static void
expect_silence(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 50), 0);
}

/* Receives until `want` packets are there or 1 s has gone by. */
static unsigned
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

static void
expect_packet(uint32_t handle, const void *frame, unsigned len)
{
	static uint8_t got[70000];

	assert_int_equal(mr_packet_at(buffers->base, handle)->total, len);
	assert_int_equal(mr_packet_read(buffers, handle, 0, got, len), len);
	assert_memory_equal(got, frame, len);
}

static void
settle_tx(struct mr_port *port)
{
	unsigned tries;

	for (tries = 0; tries < 1000 && port->driver->tx_idle(port, 0, 0); tries++)
		pause_ms(1);
	assert_true(tries < 1000);
}

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

/* 10.9.0.2 on a1 talks to 10.9.0.1, which we are. */
static void
kernel_peer(void)
{
	assert_int_equal(sh("ip addr add 10.9.0.2/24 dev a1 && "
			    "ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev a1"),
	    0);
}

static void
connect_to_us(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "10.9.0.1", &to.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	close(fd);
}

/* The first packet of that IP protocol, others freed. */
static uint32_t
receive_proto(struct mr_port *port, unsigned proto)
{
	uint32_t got;
	unsigned tries;

	for (tries = 0; tries < 20; tries++) {
		const uint8_t *bytes;

		if (!receive(port, &got, 1))
			break;
		bytes = mr_packet_bytes(mr_packet_at(buffers->base, got));
		if (bytes[12] == 8 && !bytes[13] && bytes[23] == proto)
			return got;
		mr_packets_free(buffers, 0, &got, 1);
	}
	fail_msg("no packet of protocol %u", proto);
	return 0;
}

static void
test_unfinished_checksum(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };
	const struct mr_packet *p;
	struct mr_port *port;
	uint32_t got;
	unsigned m;
	int fd;

	NEED();
	kernel_peer();
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		port = open_mode("a0", modes[m]);
		connect_to_us();
		got = receive_proto(port, 6);
		p = mr_packet_at(buffers->base, got);
		assert_int_equal(p->flags, MR_PACKET_CSUM_PARTIAL);
		assert_int_equal(p->csum_start, 34);
		assert_int_equal(p->csum_offset, 16);
		assert_int_equal(mr_checksum_packet_verify(buffers, got), MR_CHECKSUM_BAD);
		assert_int_equal(mr_checksum_complete(buffers, got), 0);
		assert_int_equal(mr_checksum_packet_verify(buffers, got), MR_CHECKSUM_GOOD);
		mr_packets_free(buffers, 0, &got, 1);

		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		inet_pton(AF_INET, "10.9.0.1", &to.sin_addr);
		assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
		close(fd);
		got = receive_proto(port, 17);
		p = mr_packet_at(buffers->base, got);
		assert_int_equal(p->flags, MR_PACKET_CSUM_PARTIAL);
		assert_int_equal(p->csum_offset, 6);
		mr_packets_free(buffers, 0, &got, 1);
		close_port(port);
	}
	port = open_port("a0", "checksum=trust");
	connect_to_us();
	got = receive_proto(port, 6);
	assert_int_equal(mr_packet_at(buffers->base, got)->flags, 0);
	mr_packets_free(buffers, 0, &got, 1);
	close_port(port);
}

/*
 * A bridge takes the tag out of a frame and keeps it beside the bytes, which is how most tagged
 * frames come to a veth:
 *
 *	a0 ===== a1 - br0 - c1 ===== c0
 */
static void
bridged_peer(void)
{
	struct pollfd p = { .events = POLLIN };
	uint8_t frame[60];
	unsigned tries;
	int from;

	assert_int_equal(sh("ip link add br0 type bridge && ip link set br0 up && "
			    "ip link add c0 type veth peer name c1 && ip link set c0 up && "
			    "ip link set c1 up master br0 && ip link set a1 master br0"),
	    0);
	/* A bridge's ports begin to forward when they like. */
	p.fd = wire("a0");
	from = wire("c0");
	make_frame(frame, sizeof(frame), 1);
	for (tries = 0; tries < 500 && !poll(&p, 1, 10); tries++)
		send_frame(from, frame, sizeof(frame));
	assert_true(tries < 500);
	pause_ms(10);
	close(p.fd);
	close(from);
}

/* In generic mode a tag beside the bytes is lost; so a1 must put it among them. */
static void
peer_writes_tags(void)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq ifr = { .ifr_name = "a1", .ifr_data = (char *)&v };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	v.cmd = ETHTOOL_SFLAGS;
	v.data &= ~(uint32_t)ETH_FLAG_TXVLAN;
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	close(fd);
}

static void
make_tagged(uint8_t *frame, unsigned len, unsigned vlan)
{
	make_frame(frame, len, 1);
	memmove(frame + 16, frame + 12, len - 16);
	memcpy(frame + 12, "\x81\0\x60", 3);
	frame[15] = (uint8_t)vlan;
}

/* The frame's bytes, and the tag beside them (0: none). */
static unsigned
receive_beside(int fd, uint8_t *frame, unsigned *tag)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { .iov_base = frame, .iov_len = 2048 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct tpacket_auxdata aux;
	struct cmsghdr *c;
	int one = 1;
	ssize_t n;

	setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	n = recvmsg(fd, &msg, 0);
	assert_true(n > 0);
	c = CMSG_FIRSTHDR(&msg);
	assert_non_null(c);
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	*tag = aux.tp_status & TP_STATUS_VLAN_VALID ? aux.tp_vlan_tci : 0;
	return (unsigned)n;
}

static void
test_vlan(void **state)
{
	uint8_t tagged[204], bytes[2048];
	uint32_t got[1];
	unsigned m, n, tag;

	NEED();
	bridged_peer();
	make_tagged(tagged, sizeof(tagged), 5);
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		struct mr_port *port = open_mode("a0", modes[m]);
		int near = wire("a1"), far = wire("c0");
		struct mr_port_stats stats;

		port->driver->stats(port, &stats);
		assert_non_null(strstr(stats.detail, m ? "tags may be lost" : "tags kept"));
		if (m)
			peer_writes_tags();
		send_frame(near, tagged, sizeof(tagged)); /* the tag among the bytes */
		assert_int_equal(receive(port, got, 1), 1);
		expect_packet(got[0], tagged, sizeof(tagged));
		mr_packets_free(buffers, 0, got, 1);

		send_frame(far, tagged, sizeof(tagged)); /* the bridge takes it out */
		assert_int_equal(receive(port, got, 1), 1);
		expect_packet(got[0], tagged, sizeof(tagged));

		tagged[0] = 6; /* to nobody that the bridge knows */
		memcpy(mr_packet_bytes(mr_packet_at(buffers->base, got[0])), tagged, 12);
		assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
		n = receive_beside(far, bytes, &tag);
		assert_int_equal(n, sizeof(tagged) - 4);
		assert_int_equal(tag, 0x6005);
		assert_memory_equal(bytes, tagged, 12);
		assert_memory_equal(bytes + 12, tagged + 16, sizeof(tagged) - 16);
		tagged[0] = 2;
		settle_tx(port);
		close(near);
		close(far);
		close_port(port);
	}
}

/* What the filter does not take reaches the kernel as if we were not there, its tag once. */
static void
test_vlan_left_to_kernel(void **state)
{
	uint8_t five[100], six[100], got_bytes[2048];
	uint32_t got[1];
	unsigned m, n, tag;

	NEED();
	bridged_peer();
	make_tagged(five, sizeof(five), 5);
	make_tagged(six, sizeof(six), 6);
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		int far = wire("c0"), kernel = wire("a0");
		struct mr_port *port;
		char options[64];

		if (m)
			peer_writes_tags();
		snprintf(options, sizeof(options), "mode=%s;filter=vlan 6", modes[m]);
		port = open_port("a0", options);
		send_frame(far, five, sizeof(five));
		n = receive_beside(kernel, got_bytes, &tag);
		assert_int_equal(n, sizeof(five) - 4);
		assert_int_equal(tag, 0x6005);
		assert_memory_equal(got_bytes, five, 12);
		assert_memory_equal(got_bytes + 12, five + 16, sizeof(five) - 16);
		send_frame(far, six, sizeof(six));
		assert_int_equal(receive(port, got, 1), 1);
		expect_packet(got[0], six, sizeof(six));
		mr_packets_free(buffers, 0, got, 1);
		assert_int_equal(receive(port, got, 1), 0);
		close(far);
		close(kernel);
		close_port(port);
	}
}

static void
test_filter_and_leave(void **state)
{
	static const char *const options[] = { "filter=ether proto 0x88b5",
		"leave=ether proto 0x88b6",
		"filter=ether[14] = 1 or ether[12:2] = 0x88b5;leave=ether proto 0x88b6" };
	uint8_t taken[60], left[60];
	uint32_t got[2];
	unsigned i, m;

	NEED();
	make_frame(taken, sizeof(taken), 1);
	make_frame(left, sizeof(left), 2);
	left[13] = 0xb6;
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		for (i = 0; i < MR_ARRAY_COUNT(options); i++) {
			int peer = wire("a1"), kernel = wire("a0");
			struct mr_port *port;
			char text[160];

			snprintf(text, sizeof(text), "mode=%s;%s", modes[m], options[i]);
			port = open_port("a0", text);
			send_frame(peer, left, sizeof(left));
			send_frame(peer, taken, sizeof(taken));
			expect_frame(kernel, left, sizeof(left));
			expect_silence(kernel);
			assert_int_equal(receive(port, got, 2), 1);
			expect_packet(got[0], taken, sizeof(taken));
			mr_packets_free(buffers, 0, got, 1);
			close(peer);
			close(kernel);
			close_port(port);
		}
	}
}

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

/* A socket that talks to us, to port 80; we answer its SYN by hand. */
static void
accept_tcp(struct mr_port *port, int fd)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	uint8_t *b, mac[6], ip[4], ports[2];
	uint32_t got, seq;

	inet_pton(AF_INET, "10.9.0.1", &to.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	got = receive_proto(port, 6);
	b = mr_packet_bytes(mr_packet_at(buffers->base, got));
	memcpy(mac, b, 6);
	memcpy(b, b + 6, 6);
	memcpy(b + 6, mac, 6);
	memcpy(ip, b + 26, 4);
	memcpy(b + 26, b + 30, 4);
	memcpy(b + 30, ip, 4);
	memcpy(ports, b + 34, 2);
	memcpy(b + 34, b + 36, 2);
	memcpy(b + 36, ports, 2);
	memcpy(&seq, b + 38, 4);
	seq = htonl(ntohl(seq) + 1);
	memcpy(b + 42, &seq, 4);
	memset(b + 38, 0, 4);
	b[47] = 0x12; /* SYN, ACK; its options (MSS, window scale) come back to it */
	/* The pseudo-header's sum in the field is still right: only places were exchanged. */
	assert_int_equal(mr_checksum_complete(buffers, got), 0);
	assert_int_equal(port->driver->tx(port, 0, 0, &got, 1), 1);
}

/* The largest packet of a long write, its checksum unfinished in any case. */
static uint32_t
receive_largest(struct mr_port *port, int fd)
{
	static uint8_t data[10000];
	uint32_t got, largest = 0;
	unsigned tries;

	accept_tcp(port, fd);
	memset(data, 'x', sizeof(data));
	for (tries = 0; tries < 1000 && send(fd, data, sizeof(data), MSG_DONTWAIT) < 0; tries++)
		pause_ms(1);
	assert_true(tries < 1000);
	for (tries = 0; tries < 8 && receive(port, &got, 1); tries++) {
		if (largest &&
		    mr_packet_at(buffers->base, largest)->total >=
			mr_packet_at(buffers->base, got)->total) {
			mr_packets_free(buffers, 0, &got, 1);
			continue;
		}
		if (largest)
			mr_packets_free(buffers, 0, &largest, 1);
		largest = got;
	}
	assert_int_not_equal(largest, 0);
	return largest;
}

/* What a local TCP gives to its device in one piece, generic mode hands on in one piece; in
 * native mode veth has the sender cut it. */
static void
test_super_frame(void **state)
{
	const struct mr_packet *p;
	struct mr_port *port;
	uint8_t back[4];
	uint32_t got;
	int fd;

	NEED();
	kernel_peer();
	port = open_mode("a0", "native");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	got = receive_largest(port, fd);
	p = mr_packet_at(buffers->base, got);
	assert_int_equal(p->total, 1514);
	assert_int_equal(p->flags, MR_PACKET_CSUM_PARTIAL);
	mr_packets_free(buffers, 0, &got, 1);
	settle_tx(port);
	close(fd);
	close_port(port);

	port = open_mode("a0", "generic");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	got = receive_largest(port, fd);
	p = mr_packet_at(buffers->base, got);
	assert_true(p->total > 1514);
	assert_true(p->segments > 1 || p->total <= MR_PACKET_ROOM);
	assert_int_equal(p->flags, MR_PACKET_GSO_TCP4 | MR_PACKET_CSUM_PARTIAL);
	assert_int_equal(p->gso_size, 0);
	assert_int_equal(p->csum_start, 34);
	/* All of it is there. */
	assert_int_equal(mr_packet_read(buffers, got, p->total - 4, back, 4), 4);
	assert_memory_equal(back, "xxxx", 4);
	mr_packets_free(buffers, 0, &got, 1);
	settle_tx(port);
	close(fd);
	close_port(port);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_receive_and_send),
		TEST(test_many),
		TEST(test_forward_without_copy),
		TEST(test_jumbo),
		TEST(test_shredded),
		TEST(test_unfinished_checksum),
		TEST(test_super_frame),
		TEST(test_vlan),
		TEST(test_vlan_left_to_kernel),
		TEST(test_filter_and_leave),
		TEST(test_start_and_stop),
		TEST(test_sleep),
		TEST(test_busy_poll),
		TEST(test_pool_runs_dry),
		TEST(test_device_vanishes),
		TEST(test_link_down_and_up),
		TEST(test_reopen),
		TEST(test_killed),
		TEST(test_queue_not_opened),
		TEST(test_errors),
		TEST(test_without_permission),
		TEST(test_hugepages),
		TEST(test_queue_busy),
		TEST(test_two_workers),
		TEST(test_mtu_and_up),
		TEST(test_promiscuous),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}

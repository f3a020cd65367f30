/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel does to frames: sums left to the device, tags beside the bytes, super-frames;
 * and what of them the filters take. */
#include "kit/port/xdp/xdp_test_int.h"

#include <linux/if_tun.h>

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

	/* With snooping a bridge announces itself to 224.0.0.106, amid our frames. */
	assert_int_equal(sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
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

/* A TAP (a virtual machine's side): its frames come from a process, tags among the bytes. */
static void
test_tap(void **state)
{
	struct ifreq ifr = { .ifr_name = "a9", .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct pollfd p = { .events = POLLIN };
	uint8_t frame[1500], tagged[200], back[2048];
	struct mr_port *port;
	uint32_t got[1];
	unsigned m;
	int fd;

	NEED();
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr)) {
		print_message("skipped: no TAP devices\n");
		skip();
	}
	assert_int_equal(sh("ip link set a9 up"), 0);
	make_frame(frame, sizeof(frame), 1);
	make_tagged(tagged, sizeof(tagged), 5);
	for (m = 0; m < MR_ARRAY_COUNT(modes); m++) {
		port = open_mode("a9", modes[m]);
		assert_int_equal(write(fd, frame, sizeof(frame)), sizeof(frame));
		assert_int_equal(receive(port, got, 1), 1);
		expect_packet(got[0], frame, sizeof(frame));
		mr_packets_free(buffers, 0, got, 1);
		assert_int_equal(write(fd, tagged, sizeof(tagged)), sizeof(tagged));
		assert_int_equal(receive(port, got, 1), 1);
		expect_packet(got[0], tagged, sizeof(tagged));
		assert_int_equal(port->driver->tx(port, 0, 0, got, 1), 1);
		p.fd = fd;
		assert_int_equal(poll(&p, 1, 1000), 1);
		assert_int_equal(read(fd, back, sizeof(back)), sizeof(tagged));
		assert_memory_equal(back, tagged, sizeof(tagged));
		settle_tx(port);
		close_port(port);
	}
	close(fd);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unfinished_checksum),
		TEST(test_vlan),
		TEST(test_vlan_left_to_kernel),
		TEST(test_filter_and_leave),
		TEST(test_tap),
		TEST(test_super_frame),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program's part that forwards, run by the kernel on frames that we give it: which frames it
 * takes must be those that have the rule's key (kit/flow/key.h), and what it makes of them what the rule
 * says. And once from wire to wire.
 */
#include "kit/port/xdp/xdp_test_int.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>

#include "kit/flow/key.h"
#include "kit/flow/program_oracle.h"

#define SLOTS 64u
#define FRAME_MAX 300u

static struct oracle_rng rng = { 11 };

/* The flow's interface, and the address that it answers to. */
#define PORT 3u

struct lab {
	struct mr_port *a, *b;
	int prog; /* the same program without sockets: XDP_TX for what is not forwarded */
	struct mr_flow_view view;
	uint32_t packet;
};

static void
open_lab(struct lab *l, const uint8_t mac[6])
{
	struct mr_offload_config config = { .slots = SLOTS };
	static char log[1 << 16];
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = 1u << 5 /* frags */, .log_buf = log,
	    .log_size = sizeof(log), .log_level = 1);
	struct xdp_offload_code code;
	struct xdp_port *x;
	struct mr_error error = { 0 };
	struct ebpf e = { 0 };

	l->a = open_port("a0", "mode=native;ring-size=64;checksum=trust");
	l->b = open_port("b0", "mode=native;ring-size=64");
	l->a->index = PORT;
	x = (struct xdp_port *)l->a;
	memcpy(config.mac, mac, 6);
	if (l->a->driver->offload->open(l->a, &config, &error))
		fail_msg("%s", error.text);
	code = (struct xdp_offload_code){
		.hash_fd = x->offload.hash_fd,
		.lines_fd = x->offload.lines_fd,
		.port = PORT,
	};
	memcpy(code.mac, mac, 6);
	assert_int_equal(xdp_steer_assemble(&e, "ether[0] = 2", NULL, -1, 0, &code, &error), 0);
	l->prog =
	    bpf_prog_load(BPF_PROG_TYPE_XDP, "offload_test", "Apache-2.0", e.insns, e.count, &opts);
	ebpf_release(&e);
	if (l->prog < 0)
		fail_msg("%s: %s", strerror(-l->prog), log);
	l->view = (struct mr_flow_view){ .port = PORT };
	memcpy(&l->view.mac, mac, 6);
	assert_true(mr_buffers_get(buffers, 0, &l->packet, 1));
}

static void
close_lab(struct lab *l)
{
	mr_buffers_put(buffers, 0, &l->packet, 1);
	close(l->prog);
	close_port(l->a);
	close_port(l->b);
}

/* What the program says of a frame, and what it makes of it. */
static unsigned
run(const struct lab *l, const uint8_t *frame, unsigned len, uint8_t *out, unsigned *out_len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
	    .data_size_out = FRAME_MAX, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(l->prog, &opts), 0);
	*out_len = opts.data_size_out;
	return opts.retval;
}

/* The frame's key, as the lane makes it. */
static bool
key_of(struct lab *l, const uint8_t *frame, unsigned len, struct mr_flow_key *key)
{
	static struct mr_flow_batch batch;
	struct mr_packet *p = mr_packet_at(buffers->base, l->packet);
	unsigned rest_count;
	uint16_t rest[1];

	mr_packet_init(p, MR_PACKET_DATA, (uint16_t)len, PORT, 0);
	memcpy(mr_packet_bytes(p), frame, len);
	if (!mr_flow_keys(&l->view, NULL, buffers->base, &l->packet, 1, &batch, rest, &rest_count))
		return false;
	*key = batch.key[0];
	return true;
}

/* A whole frame of a flow, right lengths and header checksum. */
static unsigned
draw_frame(struct oracle_flow *f, const uint8_t mac[6], uint8_t *b)
{
	unsigned l3, l4, len, end;

	oracle_flow_draw(f, &rng);
	f->bridged = false;
	memcpy(f->macs, mac, 6);
	if (oracle_is_icmp(f)) {
		bool reply = oracle_draw(&rng) & 1;

		f->ports[0] = f->six ? 128 + reply : reply ? 0 : 8;
	}
	l3 = oracle_l3(f);
	l4 = oracle_l4(f);
	end = 24 + oracle_draw(&rng) % 60;
	len = l4 + end;
	for (unsigned i = 0; i < len; i++)
		b[i] = (uint8_t)oracle_draw(&rng);
	oracle_shape(f, b);
	if (f->six) {
		mr_store_be16(b + l3 + 4, (uint16_t)end);
		b[l3 + 7] = (uint8_t)(2 + oracle_draw(&rng) % 250);
	} else {
		be16_t sum;

		mr_store_be16(b + l3 + 2, (uint16_t)(20 + end));
		b[l3 + 6] &= 0x40;
		b[l3 + 8] = (uint8_t)(2 + oracle_draw(&rng) % 250);
		b[l3 + 10] = b[l3 + 11] = 0;
		sum = mr_checksum_finish(mr_checksum_add(0, b + l3, 20));
		memcpy(b + l3 + 10, &sum, 2);
	}
	if (f->proto == MR_IP_PROTO_TCP)
		b[l4 + 12] = 0x50;
	else if (f->proto == MR_IP_PROTO_UDP)
		mr_store_be16(b + l4 + 4, (uint16_t)end);
	else
		b[l4 + 1] = 0;
	return len;
}

static void
draw_rule(const struct lab *l, const struct oracle_flow *f, unsigned len,
    struct mr_offload_rule *rule)
{
	static const uint8_t lens[] = { 0, 12, 14, 16, 18 };

	*rule = (struct mr_offload_rule){
		.to = l->b,
		.max_length = (uint16_t)len,
		.grow = (int8_t)(oracle_draw(&rng) % 3 == 0 ? (f->tagged ? -4 : 4) : 0),
		.six = f->six,
		.write_len = lens[oracle_draw(&rng) % 5],
	};
	if (oracle_draw(&rng) & 3)
		rule->ip_at = (uint8_t)((int)oracle_l3(f) + rule->grow);
	/* What is written does not reach the IP header, whose TTL goes down. */
	rule->write_len = MR_MIN(rule->write_len, (uint8_t)(oracle_l3(f) + (unsigned)rule->grow));
	for (unsigned i = 0; i < sizeof(rule->write); i++)
		rule->write[i] = (uint8_t)oracle_draw(&rng);
}

/* The rule done to a frame, the slow way. */
static unsigned
expect(const struct mr_offload_rule *rule, const uint8_t *frame, unsigned len, uint8_t *out)
{
	unsigned now = (unsigned)((int)len + rule->grow);

	memset(out, 0, FRAME_MAX);
	if (rule->grow >= 0)
		memcpy(out + rule->grow, frame, len);
	else
		memcpy(out, frame - rule->grow, now);
	if (rule->ip_at && rule->six) {
		out[rule->ip_at + 7]--;
	} else if (rule->ip_at) {
		be16_t sum;

		out[rule->ip_at + 8]--;
		out[rule->ip_at + 10] = out[rule->ip_at + 11] = 0;
		sum = mr_checksum_finish(mr_checksum_add(0, out + rule->ip_at, 20));
		memcpy(out + rule->ip_at + 10, &sum, 2);
	}
	memcpy(out, rule->write, rule->write_len);
	return now;
}

static const uint8_t mac[6] = { 2, 0, 0xfe, 9, 0x81, 7 };

static void
test_rules_are_done(void **state)
{
	uint8_t frame[FRAME_MAX], out[FRAME_MAX], want[FRAME_MAX];
	const struct mr_port_offload *port;
	struct lab l;

	NEED();
	open_lab(&l, mac);
	port = l.a->driver->offload;
	for (unsigned i = 0; i < 3000; i++) {
		unsigned len, out_len, want_len, from;
		struct mr_offload_rule rule;
		struct oracle_flow f;
		struct mr_flow_key key;
		uint64_t packets, bytes;

		len = draw_frame(&f, mac, frame);
		assert_true(key_of(&l, frame, len, &key));
		draw_rule(&l, &f, len, &rule);
		assert_int_equal(run(&l, frame, len, out, &out_len), XDP_TX);
		assert_int_equal(port->add(l.a, i % SLOTS, (void *)&key, &rule), 0);
		assert_int_equal(port->add(l.a, (i + 1) % SLOTS, (void *)&key, &rule), -EEXIST);
		if (run(&l, frame, len, out, &out_len) != XDP_REDIRECT)
			fail_msg("frame %u: not forwarded", i);
		want_len = expect(&rule, frame, len, want);
		assert_int_equal(out_len, want_len);
		/* New bytes in front that nobody writes to are nobody's. */
		from =
		    rule.grow > 0 && rule.write_len < (unsigned)rule.grow ? (unsigned)rule.grow : 0;
		assert_memory_equal(out + from, want + from, want_len - from);
		port->read(l.a, i % SLOTS, &packets, &bytes);
		assert_int_equal(packets, 1);
		assert_int_equal(bytes, len);
		/* One byte more than it may have, as padding behind the packet. */
		frame[len] = 0;
		assert_int_equal(run(&l, frame, len + 1, out, &out_len), XDP_TX);
		port->disable(l.a, i % SLOTS);
		assert_int_equal(run(&l, frame, len, out, &out_len), XDP_TX);
		assert_memory_equal(out, frame, len);
		port->remove(l.a, i % SLOTS, (void *)&key);
	}
	close_lab(&l);
}

/* Frames of a flow that has a rule, with a byte or two changed. */
static void
test_plain_is_the_same(void **state)
{
	uint8_t frame[FRAME_MAX], bad[FRAME_MAX], out[FRAME_MAX];
	const struct mr_port_offload *port;
	unsigned taken = 0, left = 0;
	struct lab l;

	NEED();
	open_lab(&l, mac);
	port = l.a->driver->offload;
	for (unsigned i = 0; i < 400; i++) {
		struct mr_offload_rule rule = { .to = l.b, .max_length = FRAME_MAX };
		struct oracle_flow f;
		struct mr_flow_key key;
		unsigned len, out_len;

		len = draw_frame(&f, mac, frame);
		assert_true(key_of(&l, frame, len, &key));
		assert_int_equal(port->add(l.a, 0, (void *)&key, &rule), 0);
		for (unsigned k = 0; k < 200; k++) {
			unsigned cut = len, l3 = oracle_l3(&f);
			struct mr_flow_key other;
			bool same;

			memcpy(bad, frame, len);
			bad[oracle_draw(&rng) % MR_MIN(len, 70u)] ^=
			    (uint8_t)(1u << oracle_draw(&rng) % 8);
			if (k & 1)
				bad[oracle_draw(&rng) % MR_MIN(len, 70u)] =
				    (uint8_t)oracle_draw(&rng);
			if (k % 5 == 0)
				cut = 14 + oracle_draw(&rng) % (len - 13);
			/* Else most IPv4 frames only show that the checksum is looked at. */
			if (!f.six && k % 3) {
				be16_t sum;

				bad[l3 + 10] = bad[l3 + 11] = 0;
				sum = mr_checksum_finish(mr_checksum_add(0, bad + l3, 20));
				memcpy(bad + l3 + 10, &sum, 2);
			}
			same = key_of(&l, bad, cut, &other) &&
			    memcmp(&key, &other, sizeof(struct mr_offload_key)) == 0;
			if ((run(&l, bad, cut, out, &out_len) == XDP_REDIRECT) != same)
				fail_msg("flow %u, change %u: %s", i, k,
				    same ? "not forwarded" : "forwarded");
			taken += same;
			left += !same;
		}
		port->remove(l.a, 0, (void *)&key);
	}
	assert_true(taken > 4000 && left > 4000);
	close_lab(&l);
}

static void
set_gro(const char *device, uint32_t on)
{
	struct ethtool_value v = { .cmd = ETHTOOL_SGRO, .data = on };
	struct ifreq ifr = { .ifr_data = (char *)&v };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	close(fd);
}

/* a1 -> a0, the program, b0 -> b1: what is forwarded is seen at b1, the rest by the port. */
static void
test_wire_to_wire(void **state)
{
	uint8_t frame[FRAME_MAX], want[FRAME_MAX];
	struct mr_offload_rule rule;
	struct oracle_flow f;
	struct mr_flow_key key;
	uint64_t packets, bytes;
	struct lab l;
	int from, to;
	unsigned len;
	uint32_t got;

	NEED();
	open_lab(&l, mac);
	/* What b0 sends by redirect b1 only takes with a program of its own, or GRO. */
	if (l.a->driver->offload->reaches(l.a, l.b)) {
		print_message("skipped: this kernel's veths need no NAPI at the other end\n");
		close_lab(&l);
		skip();
	}
	set_gro("b1", 1);
	assert_true(l.a->driver->offload->reaches(l.a, l.b));
	from = wire("a1");
	to = wire("b1");
	do
		len = draw_frame(&f, mac, frame);
	while (f.tagged || f.six);
	assert_true(key_of(&l, frame, len, &key));
	rule =
	    (struct mr_offload_rule){ .to = l.b, .max_length = 200, .ip_at = 14, .write_len = 12 };
	memcpy(rule.write, "\4\1\2\3\4\5\4\6\7\10\11\12", 12);
	send_frame(from, frame, len);
	assert_int_equal(receive(l.a, &got, 1), 1);
	expect_packet(got, frame, len);
	mr_packets_free(buffers, 0, &got, 1);
	assert_int_equal(l.a->driver->offload->add(l.a, 5, (void *)&key, &rule), 0);
	expect(&rule, frame, len, want);
	for (unsigned i = 0; i < 20; i++) {
		send_frame(from, frame, len);
		expect_frame(to, want, len);
	}
	l.a->driver->offload->read(l.a, 5, &packets, &bytes);
	assert_int_equal(packets, 20);
	assert_int_equal(bytes, 20 * len);
	l.a->driver->offload->disable(l.a, 5);
	send_frame(from, frame, len);
	assert_int_equal(receive(l.a, &got, 1), 1);
	expect_packet(got, frame, len);
	mr_packets_free(buffers, 0, &got, 1);
	/* The program without it does the rest as before. */
	l.a->driver->offload->close(l.a);
	send_frame(from, frame, len);
	assert_int_equal(receive(l.a, &got, 1), 1);
	mr_packets_free(buffers, 0, &got, 1);
	expect_silence(to);
	close(from);
	close(to);
	close_lab(&l);
}

static void
test_who_cannot(void **state)
{
	struct mr_offload_config config = { .slots = 16 };
	struct mr_error error;
	struct mr_port *a;

	NEED();
	a = open_port("a0", "mode=native;ring-size=64;checksum=check");
	assert_int_equal(a->driver->offload->open(a, &config, &error), -ENOTSUP);
	assert_non_null(strstr(error.text, "checksum"));
	assert_int_equal(a->driver->offload->add(a, 0, NULL, NULL), -ENODEV);
	close_port(a);
	a = open_port("a0", "mode=generic;ring-size=64;checksum=trust");
	assert_int_equal(a->driver->offload->open(a, &config, &error), 0);
	a->driver->offload->close(a);
	assert_int_equal(a->driver->offload->open(a, &config, &error), 0);
	close_port(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rules_are_done),
		TEST(test_plain_is_the_same),
		TEST(test_wire_to_wire),
		TEST(test_who_cannot),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}

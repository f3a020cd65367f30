/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters as the kernel runs them against libpcap's own interpreter: a few dozen
 * expressions on packets of every kind, then random programs on random bytes. The
 * program is loaded (so the verifier has its say) and run by BPF_PROG_TEST_RUN; that
 * needs CAP_BPF and CAP_NET_ADMIN, without which the tests are skipped.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "kit/port/xdp/cbpf.h"
#include "kit/port/xdp/expression.h"
#include "kit/port/xdp/steer.h"

/* libpcap's, whose header has another struct bpf_insn. */
unsigned bpf_filter(const struct sock_filter *program, const uint8_t *bytes, unsigned whole,
    unsigned captured);

#define HAS_FRAGS (1u << 5)
#define PACKET_MAX 9018
#define PACKETS 1000

static const char *const expressions[] = {
	"ip",
	"ip6",
	"arp",
	"tcp",
	"udp",
	"icmp",
	"icmp6",
	"not ip",
	"ether host 02:00:00:00:00:01",
	"ether src 02:00:00:00:00:02 and not ether dst 02:00:00:00:00:01",
	"ether broadcast",
	"ether multicast",
	"ether proto 0x88b5",
	"host 10.0.0.1",
	"src net 10.0.0.0/8 and dst net 192.168.0.0/16",
	"net 10.1.0.0/16 or net 172.16.0.0/12",
	"port 22",
	"tcp port 22",
	"tcp dst port 80 or tcp dst port 443",
	"udp portrange 1000-2000",
	"not tcp port 22",
	"ip proto 47",
	"ip proto 50 or ip proto 51",
	"ip6 host 2001:db8::1",
	"ip6 net 2001:db8::/32 and tcp",
	"ip6 and udp port 53",
	"vlan",
	"vlan 5",
	"vlan 5 and ip",
	"vlan and tcp port 22",
	"vlan 5 and vlan 6 and icmp",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
	"ip[6:2] & 0x1fff != 0",
	"ip[0] & 0xf != 5",
	"greater 100",
	"less 64",
	"len > 1000",
	"len = 60",
	"ip[2:2] > 576",
	"ip[8] < 5",
	"ether[12:2] * 2 = 0x1000",
	"ip[2:2] - ((ip[0] & 0xf) << 2) > 500",
	"ip[2:2] % 7 = 3",
	"ip[2:2] / ip[8] = 2",
	"ether[5] << ether[11] = 4",
	"ether[100:2] = 0",
	"ether[2000] != 0",
	"ether[8999] = 1",
	"ether[70000] = 1",
	"ether[ether[5] + 11] = 8",
	"mpls",
	"pppoes",
	"host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3 or host 10.0.0.4 or host 10.0.0.5 or "
	"host 10.0.0.6 or host 10.0.0.7 or host 10.0.0.8 or port 1 or port 2 or port 3 or port 4 "
	"or "
	"port 5 or port 6 or port 7 or port 8",
};

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint32_t
pick(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

static void
put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static unsigned
fill_l4(uint8_t *at, unsigned proto)
{
	static const uint16_t ports[] = { 22, 53, 80, 443, 1, 5, 1000, 1500, 2000, 2001, 40000 };

	put16(at, ports[pick(MR_ARRAY_COUNT(ports))]);
	put16(at + 2, ports[pick(MR_ARRAY_COUNT(ports))]);
	if (proto == 6) {
		at[12] = (uint8_t)(pick(2) ? 0x50 : 0x80);
		at[13] = (uint8_t)pick(64);
		if (pick(2))
			memcpy(at + ((at[12] >> 4) * 4), "GET ", 4);
	}
	return 40;
}

static unsigned
fill_ip4(uint8_t *at, unsigned len)
{
	static const uint8_t nets[][3] = { { 10, 0, 0 }, { 10, 1, 0 }, { 192, 168, 1 },
		{ 172, 16, 9 }, { 8, 8, 8 } };
	static const uint8_t protos[] = { 1, 6, 17, 47, 50, 6, 17 };
	unsigned proto = protos[pick(sizeof(protos))], ihl = pick(4) ? 5 : 5 + pick(11);

	at[0] = (uint8_t)(0x40 | ihl);
	put16(at + 2, len);
	put16(at + 6, pick(4) ? 0x4000 : pick(0x4000));
	at[8] = (uint8_t)pick(65);
	at[9] = (uint8_t)proto;
	memcpy(at + 12, nets[pick(5)], 3);
	at[15] = (uint8_t)pick(9);
	memcpy(at + 16, nets[pick(5)], 3);
	at[19] = (uint8_t)pick(9);
	return ihl * 4 + fill_l4(at + ihl * 4, proto);
}

static unsigned
fill_ip6(uint8_t *at)
{
	static const uint8_t protos[] = { 6, 17, 58, 44, 0 };
	unsigned proto = protos[pick(sizeof(protos))];

	memset(at + 8, 0, 32);
	at[0] = 0x60;
	at[6] = (uint8_t)proto;
	put16(at + 8, 0x2001);
	put16(at + 10, pick(2) ? 0xdb8 : 0xdb9);
	at[23] = (uint8_t)pick(3);
	put16(at + 24, 0x2001);
	put16(at + 26, 0xdb8);
	at[39] = (uint8_t)pick(3);
	return 40 + fill_l4(at + 40, proto);
}

/* A packet that looks like one, cut or filled to any length from 14. */
static unsigned
make_packet(uint8_t *bytes)
{
	static const uint16_t types[] = { 0x800, 0x800, 0x800, 0x800, 0x800, 0x86dd, 0x86dd, 0x806,
		0x88b5, 0x8847, 0x8864 };
	unsigned at = 12, type, tags, i, len;

	for (i = 0; i < PACKET_MAX; i += i < 200 ? 1 : 1 + pick(50))
		bytes[i] = (uint8_t)(pick(3) ? 0 : pick(256));
	bytes[8999] = (uint8_t)pick(2);
	memcpy(bytes, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	if (!pick(4))
		memset(bytes, 0xff, 6);
	if (!pick(4))
		bytes[5] = (uint8_t)pick(40);
	for (tags = pick(2) ? 0 : pick(3); tags--; at += 4) {
		put16(bytes + at, pick(3) ? 0x8100 : 0x88a8);
		put16(bytes + at + 2, pick(4) ? at == 12 ? 5 : 6 : pick(0x10000));
	}
	type = types[pick(MR_ARRAY_COUNT(types))];
	put16(bytes + at, type);
	at += 2;
	len = type == 0x800  ? fill_ip4(bytes + at, 20 + pick(1480))
	    : type == 0x86dd ? fill_ip6(bytes + at)
			     : 28;
	len += at;
	switch (pick(8)) {
	case 0:
		return 14 + pick(len - 14);
	case 1:
		return PACKET_MAX;
	case 2:
		return 60;
	case 3:
		return len + pick(PACKET_MAX - len);
	default:
		return len;
	}
}

/* XDP_TX: it would be taken; XDP_PASS: it would not. */
static unsigned
run(int fd, const uint8_t *bytes, unsigned len)
{
	static uint8_t out[PACKET_MAX + 64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = len, .data_out = out,
	    .data_size_out = sizeof(out), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	assert_int_equal(opts.data_size_out, len);
	assert_memory_equal(out, bytes, len);
	return opts.retval;
}

static int
load(struct ebpf *e)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = HAS_FRAGS);
	static char log[1 << 16];
	int fd =
	    bpf_prog_load(BPF_PROG_TYPE_XDP, "cbpf_test", "Apache-2.0", e->insns, e->count, &opts);

	if (fd == -EPERM || fd == -ENOSYS) {
		print_message("skipped: loading XDP programs needs CAP_BPF and CAP_NET_ADMIN\n");
		skip();
	}
	if (fd < 0) {
		opts.log_buf = log;
		opts.log_size = sizeof(log);
		opts.log_level = 1;
		bpf_prog_load(BPF_PROG_TYPE_XDP, "cbpf_test", "Apache-2.0", e->insns, e->count,
		    &opts);
		print_error("the verifier: %s\n", log);
	}
	assert_true(fd >= 0);
	return fd;
}

static void
compare(int fd, const struct sock_filter *program, const uint8_t *bytes, unsigned len,
    const char *what)
{
	unsigned want = bpf_filter(program, bytes, len, len) ? XDP_TX : XDP_PASS;
	unsigned got = run(fd, bytes, len);

	if (want != got)
		print_error("'%s' on %u bytes: %u, but libpcap says %u\n", what, len, got, want);
	assert_int_equal(got, want);
}

static void
test_expressions(void **state)
{
	static uint8_t bytes[PACKET_MAX];
	struct mr_error error;
	unsigned i, k;

	for (i = 0; i < MR_ARRAY_COUNT(expressions); i++) {
		struct sock_filter *program;
		struct ebpf e = { 0 };
		unsigned count, matched = 0;
		int fd;

		assert_int_equal(
		    xdp_expression_compile("filter", expressions[i], &program, &count, &error), 0);
		assert_int_equal(xdp_steer_assemble(&e, expressions[i], NULL, -1, 0, NULL, &error), 0);
		fd = load(&e);
		for (k = 0; k < PACKETS; k++) {
			unsigned len = make_packet(bytes);

			compare(fd, program, bytes, len, expressions[i]);
			matched += bpf_filter(program, bytes, len, len) != 0;
		}
		/* The packets must be such that both answers occur. */
		if (!strstr(expressions[i], "70000") && (!matched || matched == PACKETS))
			fail_msg("'%s' matched %u of %d packets", expressions[i], matched, PACKETS);
		close(fd);
		free(program);
		ebpf_release(&e);
	}
}

static void
test_filter_and_leave(void **state)
{
	static uint8_t bytes[PACKET_MAX];
	struct sock_filter *filter, *leave;
	struct mr_error error;
	struct ebpf e = { 0 };
	unsigned count, k;
	int fd;

	assert_int_equal(xdp_expression_compile("filter", "ip or ip6", &filter, &count, &error), 0);
	assert_int_equal(xdp_expression_compile("leave", "tcp port 22", &leave, &count, &error), 0);
	assert_int_equal(xdp_steer_assemble(&e, "ip or ip6", "tcp port 22", -1, 0, NULL, &error), 0);
	fd = load(&e);
	for (k = 0; k < 1000; k++) {
		unsigned len = make_packet(bytes);
		bool take =
		    bpf_filter(filter, bytes, len, len) && !bpf_filter(leave, bytes, len, len);

		assert_int_equal(run(fd, bytes, len), take ? XDP_TX : XDP_PASS);
	}
	close(fd);
	free(filter);
	free(leave);
	ebpf_release(&e);
}

static uint32_t
pick_number(void)
{
	static const uint32_t special[] = { 0, 1, 2, 7, 31, 32, 33, 255, 256, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff, 14, 40, 2048, 9000 };

	return pick(3) ? special[pick(MR_ARRAY_COUNT(special))] : pick(100);
}

/* Any instruction but a jump or a return. */
static struct sock_filter
pick_plain(void)
{
	static const uint16_t sizes[] = { BPF_W, BPF_H, BPF_B };
	static const uint16_t ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND,
		BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH };
	uint32_t n = pick_number();
	uint16_t op;

	switch (pick(12)) {
	case 0:
	case 1:
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_ABS | sizes[pick(3)],
		    pick(4) ? pick(80) : n);
	case 2:
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_IND | sizes[pick(3)],
		    pick(2) ? pick(80) : n);
	case 3:
		return (struct sock_filter)BPF_STMT(BPF_LDX | BPF_MSH | BPF_B, pick(80));
	case 4:
		return (
		    struct sock_filter)BPF_STMT(pick(2) ? BPF_LD | BPF_IMM : BPF_LDX | BPF_IMM, n);
	case 5:
		return (struct sock_filter)BPF_STMT(pick(2) ? BPF_LD | BPF_MEM : BPF_LDX | BPF_MEM,
		    pick(16));
	case 6:
		return (struct sock_filter)BPF_STMT(pick(2) ? BPF_ST : BPF_STX, pick(16));
	case 7:
		return (struct sock_filter)BPF_STMT(BPF_MISC | (pick(2) ? BPF_TAX : BPF_TXA), 0);
	case 8:
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0);
	case 9:
		return (struct sock_filter)BPF_STMT(BPF_ALU | BPF_NEG, 0);
	default:
		op = ops[pick(MR_ARRAY_COUNT(ops))];
		if (pick(2))
			return (struct sock_filter)BPF_STMT(BPF_ALU | op | BPF_X, 0);
		if (op == BPF_LSH || op == BPF_RSH)
			n &= 31;
		else if (op == BPF_DIV || op == BPF_MOD)
			n |= 1;
		return (struct sock_filter)BPF_STMT(BPF_ALU | op | BPF_K, n);
	}
}

/* Every jump forward; scratch memory set before it is read. */
static unsigned
make_program(struct sock_filter *program)
{
	static const uint16_t jumps[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	unsigned n = 0, i, len = 20 + pick(60);

	for (i = 0; i < BPF_MEMWORDS; i++)
		program[n++] = (struct sock_filter)BPF_STMT(BPF_ST, i);
	while (n < len) {
		unsigned left = len - n, jt = pick(MR_MIN(left, 8u)), jf = pick(MR_MIN(left, 8u));

		if (pick(4))
			program[n++] = pick_plain();
		else
			program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | jumps[pick(4)] |
				(pick(2) ? BPF_K : BPF_X),
			    pick_number(), jt, pick(2) ? 0 : jf);
	}
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | (pick(4) ? BPF_A : BPF_K), pick(2));
	return n;
}

static void
test_random_programs(void **state)
{
	static uint8_t bytes[PACKET_MAX];
	struct sock_filter program[128];
	struct mr_error error;
	unsigned i, k;

	for (i = 0; i < 300; i++) {
		unsigned count = make_program(program);
		struct ebpf e = { 0 };
		int match = ebpf_label(&e), no_match = ebpf_label(&e), fd;

		ebpf_store(&e, BPF_DW, 10, 1, EBPF_STACK_CTX);
		assert_int_equal(cbpf_translate(&e, program, count, match, no_match, &error), 0);
		ebpf_bind(&e, match);
		ebpf_mov_imm(&e, 0, XDP_TX);
		ebpf_exit(&e);
		ebpf_bind(&e, no_match);
		ebpf_mov_imm(&e, 0, XDP_PASS);
		ebpf_exit(&e);
		assert_int_equal(ebpf_finish(&e), 0);
		fd = load(&e);
		for (k = 0; k < 40; k++)
			compare(fd, program, bytes, make_packet(bytes), "random");
		close(fd);
		ebpf_release(&e);
	}
}

static void
refuse(const struct sock_filter *program, unsigned count, int code)
{
	struct mr_error error;
	struct ebpf e = { 0 };
	int a = ebpf_label(&e), b = ebpf_label(&e);

	assert_int_equal(cbpf_translate(&e, program, count, a, b, &error), code);
	assert_true(*error.text);
	ebpf_release(&e);
}

static void
test_refused(void **state)
{
	const struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, 1);
	struct sock_filter two[2] = { BPF_STMT(BPF_LD | BPF_MEM, 16), ret };
	struct sock_filter *program;
	struct mr_error error;
	struct ebpf e = { 0 };
	unsigned count;

	refuse(two, 0, -EINVAL);
	refuse(two, 2, -EINVAL);
	two[0] = (struct sock_filter)BPF_STMT(BPF_ST, 99);
	refuse(two, 2, -EINVAL);
	two[0] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0);
	refuse(two, 2, -EINVAL);
	two[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
	refuse(two, 2, -EINVAL);
	two[0] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0xfffffffe);
	refuse(two, 2, -ELOOP);
	two[0] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_ABS | BPF_W, 0);
	refuse(two, 2, -EINVAL);
	refuse(two, 1, -EINVAL);

	assert_int_equal(xdp_expression_compile("filter", "tcp prot 22", &program, &count, &error),
	    -EINVAL);
	assert_non_null(strstr(error.text, "tcp prot 22"));
	assert_int_equal(xdp_steer_assemble(&e, "ip6 protochain 6", NULL, -1, 0, NULL, &error), -ELOOP);
	assert_non_null(strstr(error.text, "protochain"));
	ebpf_release(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_filter_and_leave),
		cmocka_unit_test(test_random_programs),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

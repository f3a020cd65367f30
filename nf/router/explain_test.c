/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explanations in a whole data plane, a bridge and a router over null ports. Chosen packets must
 * come to the end that an operator expects, in words; and of random frames the recording that
 * an explanation makes must be the one that a trace makes when the frame then really comes in,
 * operation by operation, but for the names of table entries, which only explanations know.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kit/graph/explain.h"
#include "kit/graph/probe.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"

#define FRAME_MAX 2048u

static const char config_text[] =
    "interface:\n"
    "  wan: {driver: \"null\"}\n"
    "  lan: {driver: \"null\"}\n"
    "  small: {driver: \"null\", mtu: 1000}\n"
    "  b1: {driver: \"null\"}\n"
    "  b2: {driver: \"null\"}\n"
    "  b3: {driver: \"null\"}\n"
    "bridge:\n"
    "  br0: {interface: {b1: {access: 10}, b2: {access: 10}, b3: {trunk: \"10\"}}}\n"
    "router:\n"
    "  default:\n"
    "    interface:\n"
    "      wan: {address: [192.0.2.2/24, \"2001:db8:1::2/64\"], reverse-path4: loose}\n"
    "      lan: {address: [10.0.0.1/24, \"2001:db8:2::1/64\"], clamp-mss: true}\n"
    "      lan.7: {parent: lan, vlan: 7, address: [10.0.7.1/24]}\n"
    "      small: {address: [10.3.0.1/24, \"2001:db8:3::1/64\"]}\n"
    "    route:\n"
    "      0.0.0.0/0: {via: 192.0.2.1}\n"
    "      10.9.0.0/16: {action: blackhole}\n"
    "      10.8.0.0/16: {action: unreachable}\n"
    "      10.6.0.0/16: {via: [10.0.0.9, 10.0.7.9]}\n"
    "      10.5.0.0/16: {via: 10.0.0.66}\n"
    "      \"2001:db8:7::/48\": {via: \"2001:db8:1::9\"}\n"
    "    neighbor:\n"
    "      static:\n"
    "        192.0.2.1: {interface: wan, mac: \"02:00:00:00:00:99\"}\n"
    "        10.0.0.9: {interface: lan, mac: \"02:00:00:00:00:09\"}\n"
    "        10.0.7.9: {interface: lan.7, mac: \"02:00:00:00:07:09\"}\n"
    "        10.3.0.9: {interface: small, mac: \"02:00:00:00:03:09\"}\n"
    "        \"2001:db8:1::9\": {interface: wan, mac: \"02:00:00:00:00:99\"}\n"
    "        \"2001:db8:3::9\": {interface: small, mac: \"02:00:00:00:03:09\"}\n";

struct bed {
	struct mr_model *model;
	struct mr_log log;
	struct mr_config *config;
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_recording said;
	struct mr_error error;
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	unsigned len;
};

static uint64_t seed = 0x5eed;

static unsigned
draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* -- the bed ----------------------------------------------------------------------------- */

static int
open_bed(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct mr_report *report;
	const char *texts[64];
	size_t n = 0;

	for (unsigned i = 0; mr_nf_list[i]; i++) {
		texts[n++] = mr_nf_list[i]->yang;
		for (unsigned k = 0; mr_nf_list[i]->more_yang && mr_nf_list[i]->more_yang(k); k++)
			texts[n++] = mr_nf_list[i]->more_yang(k);
	}
	mr_log_init_fd(&b->log, 2, MR_LOG_ERROR);
	assert_int_equal(mr_model_create(&b->model, texts, n, &b->error), 0);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&b->config, b->model, "t", config_text, strlen(config_text), report) ||
	    mr_dataplane_create(&b->dp, b->config, &b->log, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	b->graph = mr_dataplane_graph(b->dp);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
	for (unsigned i = 0; i < 3; i++)
		mr_dataplane_tick(b->dp, i);
	mr_graph_pass(b->graph, 0);
	*state = b;
	return 0;
}

static int
close_bed(void **state)
{
	struct bed *b = *state;

	mr_dataplane_destroy(b->dp);
	mr_config_destroy(b->config);
	mr_model_destroy(b->model);
	free(b);
	return 0;
}

static uint16_t
port_of(const struct bed *b, const char *name)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(b->dp), name);

	assert_non_null(i);
	return i->index;
}

static void
keep(void *user, const struct mr_recording *r)
{
	memcpy(user, r, sizeof(*r));
}

static void
explain(struct bed *b, const char *interface, const struct frame *f)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	uint32_t used = mr_pool_used(buffers->pool);
	uint32_t packet = mr_packet_from(buffers, MR_POOL_SHARED, f->bytes, f->len);
	struct mr_graph_totals before, after;

	mr_graph_totals(b->graph, &before);
	assert_int_not_equal(packet, MR_PACKET_NONE);
	if (mr_graph_explain(b->graph, port_of(b, interface), packet, keep, &b->said, &b->error))
		fail_msg("%s", b->error.text);
	mr_graph_totals(b->graph, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(mr_pool_used(buffers->pool), used);
}

/* -- frames ------------------------------------------------------------------------------ */

static void
address_of(struct bed *b, const char *interface, unsigned vlan, uint8_t mac[6])
{
	assert_true(mr_dataplane_address(b->dp, port_of(b, interface), (uint16_t)vlan, mac));
}

/* UDP to `dst` through the router. */
static void
make4(struct bed *b, struct frame *f, const char *interface, unsigned vlan, uint32_t src,
    uint32_t dst, unsigned len)
{
	unsigned at = vlan ? 18 : 14;
	struct mr_ip4 *ip = (struct mr_ip4 *)(f->bytes + at);

	memset(f, 0, sizeof(*f));
	f->len = len;
	address_of(b, interface, vlan, f->bytes);
	f->bytes[6] = 2;
	f->bytes[11] = 0x77;
	mr_store_be16(f->bytes + 12, MR_ETH_TYPE_VLAN);
	mr_store_be16(f->bytes + 14, (uint16_t)vlan);
	mr_store_be16(f->bytes + at - 2, MR_ETH_TYPE_IP4);
	*ip = (struct mr_ip4){ .version_ihl = 0x45, .ttl = 64, .proto = MR_IP_PROTO_UDP };
	ip->total_len = mr_be16(len - at);
	ip->src = mr_be32(src);
	ip->dst = mr_be32(dst);
	ip->check = mr_checksum_ipv4_header(ip);
	mr_store_be16(f->bytes + at + 20, 1234);
	mr_store_be16(f->bytes + at + 22, 53);
	mr_store_be16(f->bytes + at + 24, (uint16_t)(len - at - 20));
}

static void
set_ip4(struct frame *f, unsigned at, uint8_t value)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(f->bytes + 14);

	f->bytes[14 + at] = value;
	ip->check = 0;
	ip->check = mr_checksum_ipv4_header(ip);
}

/* -- what an operator expects --------------------------------------------------------------- */

/* Whether some operation says this, in words. */
static bool
says(struct bed *b, const char *what)
{
	char text[512];

	for (unsigned i = 0; i < b->said.count; i++) {
		const struct mr_op *op = &b->said.ops[i];

		if (mr_dataplane_describe(b->dp, op, text, sizeof(text)) && strstr(text, what))
			return true;
		if (!mr_dataplane_describe(b->dp, op, text, sizeof(text)) && op->text &&
		    strstr(op->text, what))
			return true;
	}
	return false;
}

static const struct mr_op *
last_op(const struct bed *b, enum mr_op_kind kind)
{
	for (unsigned i = b->said.count; i-- > 0;)
		if (b->said.ops[i].kind == kind)
			return &b->said.ops[i];
	return NULL;
}

static void
expect_out(struct bed *b, const char *interface, unsigned len)
{
	const struct mr_op *op = last_op(b, MR_OP_OUTPUT);

	assert_non_null(op);
	assert_int_equal(op->arg, port_of(b, interface));
	assert_int_equal(op->a, len);
}

static void
expect_drop(struct bed *b, const char *node, const char *reason)
{
	const struct mr_op *op = last_op(b, MR_OP_DROP);

	assert_non_null(op);
	assert_string_equal(mr_graph_node_name(b->graph, op->node), node);
	assert_string_equal(mr_graph_node_class(b->graph, op->node)->drops[op->arg].name, reason);
}

static bool
passes(const struct bed *b, const char *node)
{
	for (unsigned i = 0; i < b->said.count; i++)
		if (b->said.ops[i].kind == MR_OP_NODE &&
		    !strcmp(mr_graph_node_name(b->graph, b->said.ops[i].node), node))
			return true;
	return false;
}

#define LAN_HOST 0x0a000009u /* 10.0.0.9 */

static void
test_router(void **state)
{
	struct bed *b = *state;
	struct frame f;

	make4(b, &f, "lan", 0, LAN_HOST, 0x08080808, 100);
	explain(b, "lan", &f);
	expect_out(b, "wan", 100);
	assert_true(says(b, "IPv4 route 0.0.0.0/0: via 192.0.2.1 on wan, 02:00:00:00:00:99"));
	assert_true(says(b, "(permanent)"));
	assert_true(says(b, "on interface lan of router default"));
	assert_non_null(last_op(b, MR_OP_TTL));
	/* TTL expired: an error goes back. */
	set_ip4(&f, 8, 1);
	explain(b, "lan", &f);
	expect_out(b, "lan", 128);
	assert_true(passes(b, "icmp-error") && says(b, "TTL or hop limit ran out"));
	/* No route, in a router without one for IPv6. */
	make4(b, &f, "lan", 0, LAN_HOST, 0x0a090001, 100);
	explain(b, "lan", &f);
	expect_drop(b, "ip-input", "blackhole");
	assert_true(says(b, "IPv4 route 10.9.0.0/16: blackhole"));
	make4(b, &f, "lan", 0, LAN_HOST, 0x0a080001, 100);
	explain(b, "lan", &f);
	expect_out(b, "lan", 128);
	assert_true(says(b, "IPv4 route 10.8.0.0/16: unreachable"));
	/* Several next hops. */
	make4(b, &f, "wan", 0, 0x08080808, 0x0a060001, 100);
	explain(b, "wan", &f);
	assert_true(says(b, "2 next hops"));
	assert_non_null(last_op(b, MR_OP_OUTPUT));
	/* To another station; too short; a bad checksum. */
	make4(b, &f, "lan", 0, LAN_HOST, 0x08080808, 100);
	f.bytes[5] ^= 1;
	explain(b, "lan", &f);
	expect_drop(b, "ip-input", "not-ours");
	f.bytes[5] ^= 1;
	f.bytes[24] ^= 1;
	explain(b, "lan", &f);
	expect_drop(b, "ip-input", "ip4-checksum");
}

static void
test_router_more(void **state)
{
	struct bed *b = *state;
	struct frame f;

	/* A VLAN's interface: in by its tag, out by its tag. */
	make4(b, &f, "lan", 7, 0x0a000709, LAN_HOST, 104);
	explain(b, "lan", &f);
	expect_out(b, "lan", 100);
	assert_true(says(b, "on interface lan.7 of router default"));
	make4(b, &f, "lan", 7, 0x0a000709, 0x0a000709, 104);
	explain(b, "lan", &f);
	expect_out(b, "lan", 104);
	make4(b, &f, "lan", 7, 0x0a000709, LAN_HOST, 104);
	f.bytes[15] = 9;
	explain(b, "lan", &f);
	expect_drop(b, "ip-input", "no-interface");
	/* Larger than the way out: cut, or an error when it may not be. */
	make4(b, &f, "lan", 0, LAN_HOST, 0x0a030009, 1400);
	explain(b, "lan", &f);
	assert_true(passes(b, "ip4-fragment"));
	assert_int_equal(b->said.branches, 2);
	expect_out(b, "small", 1400 - 976 + 0);
	set_ip4(&f, 6, 0x40);
	explain(b, "lan", &f);
	expect_out(b, "lan", 590);
	assert_true(says(b, "larger than the MTU") && says(b, "(1000 bytes)"));
	/* To a neighbour that nobody has asked for yet. */
	make4(b, &f, "wan", 0, 0x08080808, 0x0a050001, 100);
	explain(b, "wan", &f);
	assert_true(passes(b, "neighbor-resolve"));
	assert_true(says(b, "via 10.0.0.66 on lan, not resolved"));
	/* To the router itself: nobody listens without a host; an echo request would be answered. */
	make4(b, &f, "lan", 0, LAN_HOST, 0x0a000001, 100);
	explain(b, "lan", &f);
	assert_true(passes(b, "ip-local"));
	assert_true(says(b, "an address of this router"));
	set_ip4(&f, 9, MR_IP_PROTO_ICMP);
	memset(f.bytes + 34, 0, 8);
	f.bytes[34] = 8;
	mr_store_be16(f.bytes + 36, 0xf7ff);
	explain(b, "lan", &f);
	assert_true(passes(b, "icmp-echo"));
	expect_out(b, "lan", 100);
}

static void
test_bridge(void **state)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	struct bed *b = *state;
	struct frame f;

	make4(b, &f, "lan", 0, LAN_HOST, 0x08080808, 100);
	memcpy(f.bytes, broadcast, 6);
	explain(b, "b1", &f);
	assert_int_equal(b->said.branches, 2);
	expect_out(b, "b3", 104);
	assert_true(says(b, "source station learned on interface b1"));
	/* Nothing was learned. */
	memcpy(f.bytes, f.bytes + 6, 6);
	f.bytes[11] = 0x78;
	explain(b, "b2", &f);
	assert_int_equal(b->said.branches, 2);
	assert_false(says(b, "is known on"));
}

/* -- what is said is what happens ---------------------------------------------------------- */

/* What only one of both knows: names of entries, times, generations. */
static bool
is_comparable(const struct mr_op *op)
{
	return op->kind != MR_OP_MATCH &&
	    !(op->kind == MR_OP_NOTE && op->text && !strcmp(op->text, "group"));
}

/* The next operation of this branch that can be compared; null past the last. */
static const struct mr_op *
next_op(const struct mr_recording *r, unsigned branch, unsigned *at)
{
	while (*at < r->count) {
		const struct mr_op *op = &r->ops[(*at)++];

		if (op->branch == branch && is_comparable(op))
			return op;
	}
	return NULL;
}

/* Dropped by a rate limit: whether one has a token left changes with the time, and with the other
 * pieces of the packet, each of which an explanation asks for by itself. */
static bool
is_limit(const struct bed *b, const struct mr_op *op)
{
	const struct mr_node_class *class = op ? mr_graph_node_class(b->graph, op->node) : NULL;

	return class && op->kind == MR_OP_DROP && strstr(class->drops[op->arg].name, "limited");
}

/* Branch by branch, since the pieces of a packet go on together on a worker, and one by one in an
 * explanation. False: they part at a limit. */
static bool
assert_same(const struct bed *b, const struct mr_recording *done, unsigned number)
{
	/* Answers, redirects and copies for the control thread are limited without a drop. */
	if (b->said.branches != done->branches)
		return false;
	for (unsigned branch = 0; branch < done->branches; branch++) {
		const struct mr_op *said, *real;
		unsigned i = 0, k = 0;

		do {
			struct mr_op a;

			said = next_op(&b->said, branch, &i);
			real = next_op(done, branch, &k);
			if (!said && !real)
				break;
			a = said ? *said : (struct mr_op){ .kind = MR_OP_END };
			if (real && a.kind == MR_OP_NODE)
				a.a = real->a;
			if (real && memcmp(&a, real, sizeof(a)) == 0)
				continue;
			if (is_limit(b, said) || is_limit(b, real))
				return false;
			fail_msg("frame %u, branch %u: %s at %s was said, %s at %s happened",
			    number, branch, mr_op_kind_name(a.kind),
			    mr_graph_node_name(b->graph, a.node),
			    real ? mr_op_kind_name(real->kind) : "nothing",
			    real ? mr_graph_node_name(b->graph, real->node) : "?");
		} while (said);
	}
	return true;
}

static uint32_t
draw_address(void)
{
	static const uint32_t pool[] = { 0x08080808, LAN_HOST, 0x0a000001, 0x0a000042, 0x0a000709,
		0x0a000701, 0x0a030009, 0x0a030001, 0x0a090909, 0x0a080808, 0x0a060000, 0x0a050505,
		0xc0000201, 0xc0000202, 0xc00002ff, 0xe0000001, 0x7f000001, 0xffffffff, 0 };

	return pool[draw(MR_ARRAY_COUNT(pool))] + (draw(4) ? 0 : draw(3));
}

static void
make6(struct frame *f, unsigned at)
{
	static const char pool[][16] = { "\x20\x01\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\x09",
		"\x20\x01\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\2",
		"\x20\x01\x0d\xb8\0\2\0\0\0\0\0\0\0\0\0\1",
		"\x20\x01\x0d\xb8\0\2\0\0\0\0\0\0\0\0\0\x42",
		"\x20\x01\x0d\xb8\0\3\0\0\0\0\0\0\0\0\0\x09",
		"\x20\x01\x0d\xb8\0\7\0\0\0\0\0\0\0\0\0\1",
		"\x20\x01\x0d\xb8\0\x08\0\0\0\0\0\0\0\0\0\1", "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
		"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" };
	uint8_t *ip = f->bytes + at;

	mr_store_be16(f->bytes + at - 2, MR_ETH_TYPE_IP6);
	memset(ip, 0, 40);
	ip[0] = 0x60;
	mr_store_be16(ip + 4, (uint16_t)(f->len - at - 40));
	ip[6] = draw(2) ? MR_IP_PROTO_UDP : MR_IP_PROTO_ICMP6;
	ip[7] = draw(6) ? 64 : (uint8_t)draw(3);
	memcpy(ip + 8, pool[draw(MR_ARRAY_COUNT(pool))], 16);
	memcpy(ip + 24, pool[draw(MR_ARRAY_COUNT(pool))], 16);
	memset(ip + 40, 0, 8);
	if (ip[6] == MR_IP_PROTO_ICMP6)
		ip[40] = (uint8_t)(draw(2) ? 128 : 130 + draw(10));
	if (!draw(8))
		ip[draw(44)] ^= (uint8_t)(1 + draw(255));
}

static const char *
draw_frame(struct bed *b, struct frame *f)
{
	static const char *const names[] = { "lan", "wan", "small", "b1", "b2", "b3" };
	static const uint16_t lengths[] = { 64, 100, 100, 900, 1100, 1500, 1900 };
	unsigned where = draw(MR_ARRAY_COUNT(names));
	unsigned vlan = where ? 0 : draw(3) ? 0 : 7, at = vlan ? 18 : 14;

	make4(b, f, where < 3 ? names[where] : "lan", vlan, draw_address(), draw_address(),
	    lengths[draw(MR_ARRAY_COUNT(lengths))]);
	if (!draw(3)) {
		make6(f, at);
	} else if (!vlan) {
		set_ip4(f, 8, draw(5) ? 64 : (uint8_t)draw(3));
		set_ip4(f, 6, draw(3) ? 0 : draw(2) ? 0x40 : 0x20);
		set_ip4(f, 9,
		    draw(3)       ? MR_IP_PROTO_UDP
			: draw(2) ? MR_IP_PROTO_ICMP
				  : MR_IP_PROTO_TCP);
		f->bytes[34] = draw(2) ? 8 : (uint8_t)draw(256);
		f->bytes[47] = draw(2) ? MR_TCP_SYN : (uint8_t)draw(256);
	}
	if (where >= 3) {
		f->bytes[5] = (uint8_t)draw(4);
		f->bytes[11] = (uint8_t)draw(4);
		if (!draw(4))
			memset(f->bytes, 0xff, 6);
	}
	if (!draw(12))
		memset(f->bytes, 0xff, 6);
	if (!draw(10)) {
		mr_store_be16(f->bytes + at - 2, MR_ETH_TYPE_ARP);
		memcpy(f->bytes + at,
		    "\0\1\x08\0\6\4\0\1\2\0\0\0\0\x77\x0a\0\0\x09\0\0\0\0\0\0\x0a\0\0", 27);
		f->bytes[at + 27] = (uint8_t)draw(3);
		f->bytes[at + 7] = (uint8_t)(1 + draw(2));
	}
	if (!draw(6))
		f->bytes[12 + draw(60)] ^= (uint8_t)(1 + draw(255));
	if (!draw(20))
		f->len = 14 + draw(60);
	return names[where];
}

/* Reassembly keeps fragments, which an explanation does not: it says so and stops. */
static bool
is_fragment_for_us(const struct bed *b)
{
	const struct mr_op *op = last_op(b, MR_OP_DROP);

	return op && !strcmp(mr_graph_node_name(b->graph, op->node), "ip-reassembly");
}

static void
test_said_and_done(void **state)
{
	struct bed *b = *state;
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	unsigned ended[MR_OP_END + 1] = { 0 }, skipped = 0, branched = 0, limited = 0;
	const unsigned frames = 6000;

	for (unsigned n = 0; n < frames; n++) {
		const struct mr_probe_config trace = {
			.trace = true,
			.port = MR_PROBE_ANY,
			.node = MR_PROBE_ANY,
			.count = 1,
			.buffers = buffers,
			.workers = (uint16_t)mr_graph_worker_count(b->graph),
		};
		const struct mr_recording *done;
		struct mr_probe *probe;
		struct frame f;
		const char *in = draw_frame(b, &f);
		uint32_t packet;
		uint16_t port = port_of(b, in);

		explain(b, in, &f);
		assert_int_equal(mr_probe_create(&probe, &trace, &b->error), 0);
		assert_int_equal(mr_graph_attach(b->graph, probe, &b->error), 0);
		packet = mr_packet_from(buffers, 0, f.bytes, f.len);
		assert_int_not_equal(packet, MR_PACKET_NONE);
		mr_packet_at(buffers->base, packet)->port = port;
		mr_graph_inject(b->graph, 0, mr_graph_input(b->graph, port), &packet, 1);
		done = mr_probe_recording(probe, 0);
		assert_non_null(done);
		if (is_fragment_for_us(b))
			skipped++;
		else
			limited += !assert_same(b, done, n);
		for (unsigned i = 0; i < done->count; i++)
			ended[done->ops[i].kind]++;
		branched += done->branches > 1;
		mr_graph_detach(b->graph, probe);
		mr_probe_destroy(probe);
		if (n % 64 == 0)
			mr_dataplane_tick(b->dp, 3 + n / 64);
	}
	assert_true(ended[MR_OP_OUTPUT] > frames / 4 && ended[MR_OP_DROP] > frames / 10);
	assert_true(branched > frames / 20 && skipped < frames / 10);
	assert_true(limited < frames / 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_router_more),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_said_and_done),
	};

	return cmocka_run_group_tests(tests, open_bed, close_bed);
}

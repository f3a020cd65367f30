/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/lb_test_int.h"

#include <arpa/inet.h>

#include "kit/packet/checksum.h"

static const char network[] =
    "interface:\n"
    "  a: {driver: \"null\"}\n  b: {driver: \"null\"}\n  c: {driver: \"null\"}\n"
    "  d: {driver: \"null\"}\n  e: {driver: \"null\"}\n  f: {driver: \"null\"}\n"
    "router:\n"
    "  r:\n"
    "    icmp:\n"
    "      errors: {rate: 100000000, burst: 1000000, destination-rate: 100000000, "
    "destination-burst: 1000000}\n"
    "      echo-rate: 100000000\n"
    "    interface:\n"
    "      a: {address: [10.0.0.1/24, \"2001:db8:0::1/64\"], redirects: false%s}\n"
    "      b: {address: [10.1.0.1/24, \"2001:db8:1::1/64\"], redirects: false, mtu: 1500%s}\n"
    "      c: {address: [10.2.0.1/24, \"2001:db8:2::1/64\"], mtu: 1300}\n"
    "    neighbor:\n"
    "      static:\n"
    "        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        \"2001:db8:0::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        10.1.0.11: {interface: b, mac: \"02:00:00:00:01:11\"}\n"
    "        10.1.0.12: {interface: b, mac: \"02:00:00:00:01:12\"}\n"
    "        10.1.0.13: {interface: b, mac: \"02:00:00:00:01:13\"}\n"
    "        \"2001:db8:1::11\": {interface: b, mac: \"02:00:00:00:01:11\"}\n"
    "        \"2001:db8:1::12\": {interface: b, mac: \"02:00:00:00:01:12\"}\n"
    "        10.2.0.11: {interface: c, mac: \"02:00:00:00:02:11\"}\n"
    "    route:\n"
    "      0.0.0.0/0: {via: 10.0.0.9}\n"
    "      \"::/0\": {via: \"2001:db8:0::9\"}\n"
    "lb:\n"
    "  max: 1024\n"
    "  interface: [a, b, c]\n";

const char lb_nat4[] = "  service:\n"
		       "    web:\n"
		       "      address: [203.0.113.80, 203.0.113.81]\n"
		       "      port: [80, 443]\n"
		       "      backend:\n"
		       "        b1: {address: 10.1.0.11, port: 8080}\n"
		       "    dns:\n"
		       "      address: 203.0.113.80\n"
		       "      protocol: udp\n"
		       "      port: 53\n"
		       "      backend:\n"
		       "        b1: {address: 10.1.0.12}\n";

const char *
lb_tunnels(const char *mode)
{
	static char text[1024];

	snprintf(text, sizeof(text),
	    "  service:\n"
	    "    four: {address: [203.0.113.80, \"2001:db8:80::80\"], port: 80, mode: %s, backend: "
	    "{b1: {address: 10.1.0.11}}}\n"
	    "    six: {address: [203.0.113.81, \"2001:db8:80::81\"], port: 80, mode: %s, backend: "
	    "{b1: {address: \"2001:db8:1::11\"}}}\n",
	    mode, mode);
	return text;
}

static char text_of[BED_TEXT_MAX];
bool lb_strict;

static const char *
config(const char *services)
{
	const char *filter = lb_strict ? ", reverse-path4: strict" : "";
	int n = snprintf(text_of, sizeof(text_of), network, filter, filter);

	snprintf(text_of + n, sizeof(text_of) - (size_t)n, "%s", services);
	return text_of;
}

void
lb_open(struct lb_bed *lb, const char *services)
{
	memset(lb, 0, sizeof(*lb));
	lb->out = calloc(LB_OUT, sizeof(*lb->out));
	assert_non_null(lb->out);
	lb->b = bed_open(config(services), "lanes: {mode: flow}\n", BED_PLANES);
	/* Duplicate detection comes to its end. */
	for (unsigned i = 0; i < 4; i++)
		bed_tick(lb->b, 1000);
}

void
lb_change(struct lb_bed *lb, const char *services)
{
	bed_apply(lb->b, config(services), "lanes: {mode: flow}\n");
}

void
lb_close(struct lb_bed *lb)
{
	bed_compare(lb->b, false);
	bed_close(lb->b);
	free(lb->out);
}

struct mr_lb *
lb_of(const struct lb_bed *lb, unsigned plane)
{
	return mr_lb_of(lb->b->planes[plane].dp);
}

/* -- frames --------------------------------------------------------------------------------- */

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint8_t *
ip_of(const struct lb_bed *lb, struct lb_frame *f, unsigned port, const char *src, const char *dst,
    uint8_t proto, unsigned len)
{
	bool six = strchr(src, ':');
	uint8_t *ip = f->bytes + 14;

	memset(f->bytes, 0, sizeof(f->bytes));
	assert_true(mr_dataplane_address(lb->b->planes[0].dp, (uint16_t)port, 0, f->bytes));
	f->bytes[6] = 2;
	f->bytes[11] = 9;
	put16(f->bytes + 12, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	f->len = 14 + (six ? 40 : 20) + len;
	f->port = port;
	if (six) {
		ip[0] = 0x60;
		put16(ip + 4, len);
		ip[6] = proto;
		ip[7] = 64;
		assert_int_equal(inet_pton(AF_INET6, src, ip + 8), 1);
		assert_int_equal(inet_pton(AF_INET6, dst, ip + 24), 1);
		return ip + 40;
	}
	ip[0] = 0x45;
	put16(ip + 2, len + 20);
	put16(ip + 6, MR_IP4_DONT_FRAGMENT);
	ip[8] = 64;
	ip[9] = proto;
	assert_int_equal(inet_pton(AF_INET, src, ip + 12), 1);
	assert_int_equal(inet_pton(AF_INET, dst, ip + 16), 1);
	return ip + 20;
}

static void
sum(struct lb_frame *f, unsigned check_at)
{
	bool six = f->bytes[12] == 0x86;
	uint8_t *ip = f->bytes + 14, *l4 = ip + (six ? 40 : 20);
	unsigned len = f->len - (unsigned)(l4 - f->bytes);
	uint8_t proto = six ? ip[6] : ip[9];
	uint64_t s = 0;
	be32_t src, dst;
	be16_t check;

	if (!six) {
		check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
		memcpy(ip + 10, &check, 2);
	}
	if (!check_at)
		return;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (six)
		s = mr_checksum_pseudo6(ip + 8, ip + 24, proto, len);
	else if (proto != MR_IP_PROTO_ICMP)
		s = mr_checksum_pseudo4(src, dst, proto, (uint16_t)len);
	memset(l4 + check_at, 0, 2);
	check = mr_checksum_finish_udp(mr_checksum_add(s, l4, len));
	memcpy(l4 + check_at, &check, 2);
}

struct lb_frame *
lb_packet(const struct lb_bed *lb, struct lb_frame *f, unsigned port, const struct lb_talk *t,
    unsigned flags, unsigned payload)
{
	bool udp = flags & LB_UDP;
	uint8_t *l4 = ip_of(lb, f, port, t->src, t->dst, udp ? MR_IP_PROTO_UDP : MR_IP_PROTO_TCP,
	    (udp ? 8 : 20) + payload);

	put16(l4, t->sport);
	put16(l4 + 2, t->dport);
	if (udp) {
		put16(l4 + 4, 8 + payload);
	} else {
		l4[7] = 1;
		l4[12] = 5 << 4;
		l4[13] = (uint8_t)flags;
		put16(l4 + 14, 10000);
	}
	for (unsigned i = 0; i < payload; i++)
		l4[(udp ? 8 : 20) + i] = (uint8_t)(i * 7 + t->sport);
	sum(f, udp ? 6 : 16);
	return f;
}

struct lb_frame *
lb_echo(const struct lb_bed *lb, struct lb_frame *f, unsigned port, const struct lb_talk *t)
{
	bool six = strchr(t->src, ':');
	uint8_t *l4 =
	    ip_of(lb, f, port, t->src, t->dst, six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, 32);

	l4[0] = six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO;
	put16(l4 + 4, t->sport);
	sum(f, 2);
	return f;
}

struct lb_frame *
lb_error(const struct lb_bed *lb, struct lb_frame *f, unsigned port, const char *by,
    const struct lb_frame *quoted, uint8_t type, uint8_t code)
{
	bool six = quoted->bytes[12] == 0x86;
	const uint8_t *ip = quoted->bytes + 14;
	unsigned size = MR_MIN(quoted->len - 14, six ? 100u : 68u);
	char to[64];
	uint8_t *l4;

	lb_ip_print(ip + (six ? 8 : 12), six, to);
	l4 = ip_of(lb, f, port, by, to, six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, 8 + size);
	l4[0] = type;
	l4[1] = code;
	memcpy(l4 + 8, ip, size);
	sum(f, 2);
	return f;
}

struct lb_frame *
lb_cut(struct lb_frame *f, const struct lb_frame *whole, unsigned offset, unsigned len, uint32_t id)
{
	bool six = whole->bytes[12] == 0x86, more;
	unsigned head = 14 + (six ? 40 : 20), all = whole->len - head;
	uint8_t *ip = f->bytes + 14;

	len = MR_MIN(len, all - offset);
	more = offset + len < all;
	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes, whole->bytes, head);
	f->port = whole->port;
	if (six) {
		uint8_t *frag = f->bytes + head;

		put16(ip + 4, 8 + len);
		frag[0] = ip[6];
		ip[6] = MR_IP_PROTO_FRAGMENT;
		put16(frag + 2, offset | more);
		put16(frag + 6, id);
		head += 8;
	} else {
		put16(ip + 2, 20 + len);
		put16(ip + 4, id);
		put16(ip + 6, offset / 8 | (more ? MR_IP4_MORE_FRAGMENTS : 0));
	}
	memcpy(f->bytes + head, whole->bytes + 14 + (six ? 40 : 20) + offset, len);
	f->len = head + len;
	if (!six) {
		memset(ip + 10, 0, 2);
		sum(f, 0);
	}
	return f;
}

/* -- what leaves ---------------------------------------------------------------------------- */

static void
check_sums(const uint8_t *ip, unsigned len)
{
	uint8_t frame[BED_FRAME_MAX + 14] = { 0 };
	bool six = ip[0] >> 4 == 6;
	const struct mr_ip4 *four = (const struct mr_ip4 *)ip;

	put16(frame + 12, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	memcpy(frame + 14, ip, len);
	if (!six)
		assert_true(mr_checksum_ipv4_header_good(four));
	assert_int_not_equal(mr_checksum_l4_verify(frame, len + 14), MR_CHECKSUM_BAD);
}

static const uint8_t *
inner_of(const uint8_t *ip, unsigned *len)
{
	bool six = ip[0] >> 4 == 6;
	unsigned head = six ? 40 : 20, proto = six ? ip[6] : ip[9];

	if (proto == MR_IP_PROTO_UDP && mr_load_be16(ip + head + 2) == 6080) {
		proto = ip[head + 9];
		head += 12;
	}
	if (proto != MR_IP_PROTO_IP4 && proto != MR_IP_PROTO_IP6)
		return NULL;
	*len -= head;
	return ip + head;
}

static void
check_frame(const struct lb_frame *f)
{
	const uint8_t *ip = f->bytes + 14;
	unsigned type = mr_load_be16(f->bytes + 12), len = f->len - 14;

	while (ip && (type == MR_ETH_TYPE_IP4 || type == MR_ETH_TYPE_IP6)) {
		bool six = ip[0] >> 4 == 6;
		unsigned says = six ? 40u + mr_load_be16(ip + 4) : mr_load_be16(ip + 2);

		assert_true(says <= len);
		len = says;
		check_sums(ip, len);
		ip = inner_of(ip, &len);
	}
}

void
lb_give(struct lb_bed *lb, unsigned port, const struct lb_frame *f)
{
	assert_true(bed_give(lb->b, port, f->bytes, f->len, 0, 0));
}

void
lb_run(struct lb_bed *lb)
{
	const struct bed_plane *plane = &lb->b->planes[BED_GRAPH];

	for (unsigned k = 0; k < BED_PLANES; k++)
		for (unsigned idle = 0; idle < 2;)
			idle = mr_graph_pass(lb->b->planes[k].graph, 0) ? 0 : idle + 1;
	bed_compare_sent(lb->b);
	lb->out_count = 0;
	for (size_t i = 0; i < plane->sent_count && lb->out_count < LB_OUT; i++) {
		struct lb_frame *f = &lb->out[lb->out_count++];

		f->port = plane->sent[i].port;
		f->len = plane->sent[i].len;
		assert_true(f->len <= sizeof(f->bytes));
		memcpy(f->bytes, plane->bytes + plane->sent[i].at, f->len);
		check_frame(f);
	}
	for (unsigned k = 0; k < BED_PLANES; k++)
		lb->b->planes[k].sent_count = lb->b->planes[k].byte_count = 0;
}

const struct lb_frame *
lb_one(struct lb_bed *lb, unsigned port, const struct lb_frame *f)
{
	lb_give(lb, port, f);
	lb_run(lb);
	return lb->out_count ? &lb->out[0] : NULL;
}

const struct lb_frame *
lb_send(struct lb_bed *lb, unsigned port, const struct lb_talk *t, unsigned flags)
{
	struct lb_frame f;

	return lb_one(lb, port, lb_packet(lb, &f, port, t, flags, 10));
}

static size_t
print_end(const uint8_t *address, bool six, bool ports, const uint8_t *port, char *text,
    size_t size)
{
	char ip[64];

	lb_ip_print(address, six, ip);
	if (!ports)
		return (size_t)snprintf(text, size, "%s", ip);
	return (size_t)snprintf(text, size, six ? "[%s]:%u" : "%s:%u", ip, mr_load_be16(port));
}

const char *
lb_print(const struct lb_frame *f, char text[256])
{
	const uint8_t *ip = f ? f->bytes + 14 : NULL;
	unsigned len = f ? f->len - 14 : 0;
	size_t n;

	snprintf(text, 256, "-");
	if (!f)
		return text;
	n = (size_t)snprintf(text, 256, "%c ", 'a' + f->port);
	while (ip) {
		bool six = ip[0] >> 4 == 6;
		const uint8_t *l4 = ip + (six ? 40 : 20), *inner = inner_of(ip, &len);
		uint8_t proto = six ? ip[6] : ip[9];
		bool ports = !inner && (proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP);

		if (!inner && (proto == MR_IP_PROTO_ICMP || proto == MR_IP_PROTO_ICMP6))
			n += (size_t)snprintf(text + n, 256 - n, "icmp %u/%u ", l4[0], l4[1]);
		n += print_end(ip + (six ? 8 : 12), six, ports, l4, text + n, 256 - n);
		n += (size_t)snprintf(text + n, 256 - n, " > ");
		n += print_end(ip + (six ? 24 : 16), six, ports, l4 + 2, text + n, 256 - n);
		if (inner)
			n += (size_t)snprintf(text + n, 256 - n, " | ");
		ip = inner;
	}
	return text;
}

/* -- counters ------------------------------------------------------------------------------- */

static struct mr_node_stats
stats_of(const struct lb_bed *lb, const char *node)
{
	const struct mr_graph *g = lb->b->planes[BED_GRAPH].graph;
	struct mr_node_stats s;

	for (unsigned n = 0; n < mr_graph_node_count(g); n++)
		if (!mr_graph_node_stats(g, (uint16_t)n, &s) && strcmp(s.name, node) == 0)
			return s;
	fail_msg("there is no node %s", node);
	return s;
}

uint64_t
lb_drops_of(const struct lb_bed *lb, const char *node, const char *reason)
{
	struct mr_node_stats s = stats_of(lb, node);

	for (unsigned i = 0; i < s.class->drop_count; i++)
		if (strcmp(s.class->drops[i].name, reason) == 0)
			return s.drops[i];
	fail_msg("node %s has no reason %s", node, reason);
	return 0;
}

uint64_t
lb_count_of(const struct lb_bed *lb, const char *node, const char *counter)
{
	struct mr_node_stats s = stats_of(lb, node);

	for (unsigned i = 0; i < s.class->counter_count; i++)
		if (strcmp(s.class->counters[i].name, counter) == 0)
			return s.counters[i];
	fail_msg("node %s has no counter %s", node, counter);
	return 0;
}

void
lb_wrong(const char *services, char *text, size_t size)
{
	struct mr_config *parsed = NULL;
	const char *yaml = config(services);
	struct mr_report *report;
	struct mr_model *model;
	struct mr_error error;

	text[0] = '\0';
	assert_int_equal(mr_nf_model(&model, &error), 0);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&parsed, model, "t", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(parsed, report);
	if (mr_report_count(report))
		mr_report_format(report, 0, text, size);
	mr_config_destroy(parsed);
	mr_report_destroy(report);
	mr_model_destroy(model);
}

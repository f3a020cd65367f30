/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/acl/acl_test_int.h"

#include "kit/packet/checksum.h"
#include "nf/acl/acl.h"

static const char plain[] =
    "interface: {a: {driver: \"null\"}, b: {driver: \"null\"}, c: {driver: \"null\"}}\n";
static const char *interfaces = plain;

void
bed_interfaces(const char *text)
{
	interfaces = text ? text : plain;
}

static struct mr_model *model;

int
make_model(void **state)
{
	struct mr_error error;

	return mr_nf_model(&model, &error);
}

int
free_model(void **state)
{
	mr_model_destroy(model);
	return 0;
}

void
load(const char *text, struct mr_config **config, char *said, size_t size)
{
	size_t len = strlen(interfaces) + strlen(text) + 1;
	char *yaml = malloc(len);
	struct mr_report *report;

	snprintf(yaml, len, "%s%s", interfaces, text);
	assert_int_equal(mr_report_create(&report), 0);
	said[0] = '\0';
	if (mr_config_parse(config, model, "t", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(*config, report);
	if (mr_report_count(report))
		mr_report_format(report, 0, said, size);
	mr_report_destroy(report);
	free(yaml);
}

static struct mr_config *
good(const char *text)
{
	struct mr_config *config = NULL;
	char said[1000];

	load(text, &config, said, sizeof(said));
	if (said[0])
		fail_msg("%s", said);
	return config;
}

/* -- nodes that remember ---------------------------------------------------------------------- */

static struct acl_bed *bed;

static void
sink_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		bed->outcome[p->queue] = PASSED;
		bed->mark[p->queue] = mr_packet_mark(p);
		verdicts[i] = mr_verdict_drop(0);
	}
}

static void
back_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		bed->outcome[p->queue] = ANSWERED;
		bed->answers++;
		assert_int_equal(p->len, p->total);
		bed->answer.len = p->len;
		memcpy(bed->answer.bytes, mr_packet_bytes(p), p->len);
		verdicts[i] = mr_verdict_drop(0);
	}
}

static const struct mr_named gone[] = { { "gone", "where tests end" } };
static const struct mr_node_class sink_class = { .name = "sink",
	.doc = "remembers",
	.drops = gone,
	.drop_count = 1,
	.run = sink_run };
static const struct mr_node_class back_class = { .name = "back",
	.doc = "remembers",
	.drops = gone,
	.drop_count = 1,
	.run = back_run };

/* A commit of the data plane aims everything anew. */
static void
aim(struct acl_bed *b)
{
	struct mr_error error;

	if (interfaces != plain)
		return;
	for (uint16_t n = 0; n < mr_graph_node_count(b->graph); n++) {
		const struct mr_node_class *class = mr_graph_node_class(b->graph, n);

		if (class == &acl_in_class || class == &acl_out_class)
			mr_graph_link(b->graph, n, ACL_EDGE_NEXT, b->sink);
		if (class == &acl_out_class)
			mr_graph_link(b->graph, n, ACL_EDGE_BACK, b->back);
	}
	for (unsigned i = 0; i < 3; i++)
		mr_graph_set_output(b->graph,
		    mr_interface_find(mr_interfaces_of(b->dp), (const char *[]){ "a", "b", "c" }[i])
			->index,
		    b->back);
	if (mr_graph_commit(b->graph, &error))
		fail_msg("%s", error.text);
}

static void
log_sink(void *user, enum mr_log_level level, const char *line, size_t len)
{
	struct acl_bed *b = user;
	size_t used = strlen(b->said);

	snprintf(b->said + used, sizeof(b->said) - used, "%s\n", line);
}

void
bed_open(struct acl_bed *b, const char *text)
{
	struct mr_report *report;
	struct mr_error error;

	memset(b, 0, sizeof(*b));
	bed = b;
	b->log = (struct mr_log){ .sink = log_sink, .user = b, .level = MR_LOG_NOTICE };
	b->config = good(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_create(&b->dp, b->config, &b->log, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	b->graph = mr_dataplane_graph(b->dp);
	b->acl = mr_dataplane_state(b->dp, &mr_nf_acl);
	assert_int_equal(mr_graph_add_node(b->graph, &sink_class, NULL, NULL, &b->sink, &error), 0);
	assert_int_equal(mr_graph_add_node(b->graph, &back_class, NULL, NULL, &b->back, &error), 0);
	aim(b);
}

bool
bed_try(struct acl_bed *b, const char *text)
{
	struct mr_config *config = good(text);
	struct mr_report *report;
	int ret;

	assert_int_equal(mr_report_create(&report), 0);
	ret = mr_dataplane_apply(b->dp, config, report);
	if (ret)
		mr_report_format(report, 0, b->said, sizeof(b->said));
	mr_report_destroy(report);
	if (ret) {
		mr_config_destroy(config);
		return false;
	}
	mr_config_destroy(b->config);
	b->config = config;
	aim(b);
	return true;
}

void
bed_apply(struct acl_bed *b, const char *text)
{
	if (!bed_try(b, text))
		fail_msg("%s", b->said);
}

void
bed_close(struct acl_bed *b)
{
	mr_dataplane_destroy(b->dp);
	mr_config_destroy(b->config);
}

uint16_t
node_of(const struct acl_bed *b, const char *name)
{
	for (uint16_t i = 0; i < mr_graph_node_count(b->graph); i++) {
		if (!strcmp(mr_graph_node_name(b->graph, i), name))
			return i;
	}
	return UINT16_MAX;
}

void
bed_run(struct acl_bed *b, const char *node, const struct frame *frames, const uint32_t *tracks,
    unsigned count)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	const char *at = strchr(node, '@') + 1;
	uint16_t port = mr_interface_find(mr_interfaces_of(b->dp), at)->index;
	uint32_t packets[MR_VECTOR_MAX];

	bed = b;
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p;

		b->outcome[i] = DROPPED;
		packets[i] = mr_packet_from(buffers, 0, frames[i].bytes, frames[i].len);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		p = mr_packet_at(buffers->base, packets[i]);
		p->port = port;
		p->queue = (uint16_t)i;
		p->mark = 0xdeadbeef; /* what was left there: nobody marked it */
		p->track = tracks ? tracks[i] : 0;
	}
	assert_int_not_equal(node_of(b, node), UINT16_MAX);
	mr_graph_inject(b->graph, 0, node_of(b, node), packets, count);
	mr_graph_pass(b->graph, 0);
}

enum outcome
bed_one(struct acl_bed *b, const char *node, const struct packet *packet)
{
	struct frame frame;

	make_frame(&frame, packet);
	bed_run(b, node, &frame, NULL, 1);
	return b->outcome[0];
}

uint64_t
bed_drops(const struct acl_bed *b, const char *node, enum acl_drop reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node_of(b, node), &s), 0);
	return s.drops[reason];
}

char *
bed_show(const struct acl_bed *b)
{
	struct mr_state *st;
	struct mr_error error = { 0 };
	const char *text;
	size_t size;
	char *copy;

	assert_int_equal(mr_state_create(&st, model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(b->dp, "acl", st), 0);
	if (mr_state_finish(st, &text, &size, &error))
		fail_msg("%s", error.text);
	copy = strdup(text);
	mr_state_destroy(st);
	return copy;
}

uint64_t
rule_packets(const struct acl_bed *b, const char *list, const char *rule)
{
	uint64_t packets, bytes;

	for (struct acl_list *l = b->acl->own.lists; l; l = l->next) {
		if (strcmp(l->name, list))
			continue;
		for (uint32_t i = 0; i < l->now->count; i++) {
			if (strcmp(l->now->lines[i]->rule->name, rule))
				continue;
			acl_account_read(l->now->lines[i]->rule->account, &packets, &bytes);
			return packets;
		}
		for (unsigned i = 0; i < 3; i++) {
			if (strcmp(l->builtin[i]->name, rule))
				continue;
			acl_account_read(l->builtin[i]->account, &packets, &bytes);
			return packets;
		}
	}
	fail_msg("there is no rule %s of list %s", rule, list);
	return 0;
}

/* -- frames ------------------------------------------------------------------------------------- */

static void
put(struct frame *f, const void *bytes, size_t len)
{
	memcpy(f->bytes + f->len, bytes, len);
	f->len += (unsigned)len;
}

static unsigned
put_l4(struct frame *f, const struct packet *p)
{
	struct mr_tcp tcp = { .src = mr_be16((uint16_t)p->sport),
		.dst = mr_be16((uint16_t)p->dport),
		.seq = mr_be32(p->seq),
		.ack = mr_be32(p->ack),
		.offset = 0x50,
		.flags = (uint8_t)p->tcp_flags };
	struct mr_udp udp = { .src = tcp.src,
		.dst = tcp.dst,
		.len = mr_be16((uint16_t)(8 + p->payload)) };
	struct mr_icmp icmp = { .type = (uint8_t)p->type, .code = (uint8_t)p->code };
	static const uint8_t zeros[1500];
	unsigned start = f->len;

	if (p->fragment != 3 && p->proto == MR_IP_PROTO_TCP)
		put(f, &tcp, sizeof(tcp));
	else if (p->fragment != 3 && p->proto == MR_IP_PROTO_UDP)
		put(f, &udp, sizeof(udp));
	else if (p->fragment != 3 &&
	    (p->proto == MR_IP_PROTO_ICMP || p->proto == MR_IP_PROTO_ICMP6))
		put(f, &icmp, sizeof(icmp));
	put(f, zeros, p->payload);
	return f->len - start;
}

static void
finish_sum(struct frame *f, const struct packet *p, unsigned l3, unsigned l4, unsigned len)
{
	bool six = p->family == 6;
	const uint8_t *ip = f->bytes + l3;
	uint64_t sum = 0;
	be32_t src, dst;
	unsigned at;
	be16_t check;

	if (p->fragment)
		return;
	at = p->proto == MR_IP_PROTO_TCP                               ? 16
	    : p->proto == MR_IP_PROTO_UDP                              ? 6
	    : p->proto == (six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP) ? 2
								       : 0;
	if (!at)
		return;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (six)
		sum = mr_checksum_pseudo6(ip + 8, ip + 24, (uint8_t)p->proto, len);
	else if (p->proto != MR_IP_PROTO_ICMP)
		sum = mr_checksum_pseudo4(src, dst, (uint8_t)p->proto, (uint16_t)len);
	check = mr_checksum_finish_udp(mr_checksum_add(sum, f->bytes + l4, len));
	memcpy(f->bytes + l4 + at, &check, 2);
}

static void
make4(struct frame *f, const struct packet *p)
{
	struct mr_ip4 ip = { .version_ihl = 0x45,
		.tos = (uint8_t)(p->dscp << 2),
		.ttl = (uint8_t)(p->ttl ? p->ttl : 64),
		.proto = (uint8_t)p->proto,
		.frag = p->fragment == 2 ? mr_be16(MR_IP4_MORE_FRAGMENTS)
		    : p->fragment == 3   ? mr_be16(10)
					 : 0,
		.src = mr_be32(p->src),
		.dst = mr_be32(p->dst) };
	unsigned l3 = f->len, len;

	f->len += sizeof(ip);
	len = put_l4(f, p);
	ip.total_len = mr_be16((uint16_t)(sizeof(ip) + len));
	ip.check = mr_checksum_ipv4_header(&ip);
	memcpy(f->bytes + l3, &ip, sizeof(ip));
	finish_sum(f, p, l3, l3 + sizeof(ip), len);
}

static void
make6(struct frame *f, const struct packet *p)
{
	struct mr_ip6 ip = { .version_class_flow = mr_be32(6u << 28 | p->dscp << 22),
		.next = (uint8_t)p->proto,
		.hop_limit = (uint8_t)(p->ttl ? p->ttl : 64),
		.src = { 0x20, 1, 0x0d, 0xb8 },
		.dst = { 0x20, 1, 0x0d, 0xb8 } };
	struct mr_ip6_frag frag = { .next = (uint8_t)p->proto };
	be32_t src = mr_be32(p->src), dst = mr_be32(p->dst);
	unsigned l3 = f->len, l4, len;

	memcpy(ip.src + 12, &src, 4);
	memcpy(ip.dst + 12, &dst, 4);
	f->len += sizeof(ip);
	if (p->fragment) {
		frag.frag = mr_be16(p->fragment == 2 ? 1 : 80);
		put(f, &frag, sizeof(frag));
		ip.next = 44;
	}
	l4 = f->len;
	len = put_l4(f, p);
	ip.payload_len = mr_be16((uint16_t)(f->len - l3 - sizeof(ip)));
	memcpy(f->bytes + l3, &ip, sizeof(ip));
	finish_sum(f, p, l3, l4, len);
}

void
make_frame(struct frame *f, const struct packet *p)
{
	unsigned type = p->family == 4 ? MR_ETH_TYPE_IP4
	    : p->family == 6           ? MR_ETH_TYPE_IP6
				       : p->family;
	uint8_t eth[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, p->mac };

	f->len = 0;
	put(f, eth, sizeof(eth));
	if (p->vlan)
		put(f, (uint8_t[]){ 0x81, 0, (uint8_t)(p->vlan >> 8), (uint8_t)p->vlan }, 4);
	put(f, (uint8_t[]){ (uint8_t)(type >> 8), (uint8_t)type }, 2);
	if (p->family == 4)
		make4(f, p);
	else if (p->family == 6)
		make6(f, p);
	else
		put(f, (uint8_t[46]){ 0 }, 46);
}

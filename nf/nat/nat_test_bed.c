/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/nat_test_int.h"

#include "kit/packet/checksum.h"

static const char interfaces[] =
    "interface: {lan: {driver: \"null\"}, wan: {driver: \"null\"}, other: {driver: \"null\"}}\n"
    "router: {default: {interface: {lan: {address: [10.0.0.1/24]}, "
    "wan: {address: [203.0.113.1/24]}}}}\n";

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

uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull >> 16;
}

/* -- frames ------------------------------------------------------------------------------- */

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static void
sum_ip(uint8_t *ip)
{
	be16_t check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);

	memcpy(ip + 10, &check, 2);
}

static unsigned
check_at(uint8_t proto)
{
	return proto == TCP ? 16 : proto == ICMP ? 2 : 6;
}

static be16_t
sum_l4(const uint8_t *ip, unsigned len)
{
	const uint8_t *l4 = ip + 20;
	uint64_t sum = 0;
	be32_t src, dst;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (ip[9] != ICMP)
		sum = mr_checksum_pseudo4(src, dst, ip[9], (uint16_t)len);
	return mr_checksum_finish_udp(mr_checksum_add(sum, l4, len));
}

static bool
has_l4(uint8_t proto)
{
	return proto == TCP || proto == UDP || proto == ICMP;
}

struct frame *
frame_make(struct frame *f, const struct pkt *p)
{
	uint8_t *ip = f->bytes + 14, *l4 = ip + 20, proto = p->proto ? p->proto : UDP;
	unsigned len = p->len + (proto == TCP ? 20 : 8);
	be16_t check;

	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, (const uint8_t[]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 }, 14);
	f->len = 14 + 20 + len;
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	put16(ip + 4, p->id);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, p->src);
	put32(ip + 16, p->dst);
	sum_ip(ip);
	for (unsigned i = 0; i < p->len; i++)
		l4[len - p->len + i] = (uint8_t)(i * 7 + 1);
	if (proto == ICMP) {
		l4[0] = p->flags;
		l4[1] = p->code;
		put16(l4 + 4, p->sport);
	} else {
		put16(l4, p->sport);
		put16(l4 + 2, p->dport);
	}
	if (proto == UDP)
		put16(l4 + 4, len);
	if (proto == TCP) {
		put32(l4 + 4, p->seq);
		put32(l4 + 8, p->ack);
		l4[12] = 5 << 4;
		l4[13] = p->flags;
	}
	if (!has_l4(proto) || (proto == UDP && p->no_sum))
		return f;
	check = sum_l4(ip, len);
	if (p->bad_sum)
		check ^= 0x1234;
	memcpy(l4 + check_at(proto), &check, 2);
	return f;
}

struct frame *
frame_about(struct frame *f, const struct frame *quoted, uint32_t by, uint8_t type, uint8_t code)
{
	unsigned size = MR_MIN(quoted->len - 14, 20 + 28u);
	struct pkt p = { .src = by,
		.dst = mr_load_be32(quoted->bytes + 26),
		.proto = ICMP,
		.flags = type,
		.code = code,
		.len = size };
	uint8_t *l4 = f->bytes + 34;
	be16_t check;

	frame_make(f, &p);
	put16(l4 + 4, 0);
	put16(l4 + 2, 0);
	memcpy(l4 + 8, quoted->bytes + 14, size);
	check = sum_l4(f->bytes + 14, 8 + size);
	memcpy(l4 + 2, &check, 2);
	return f;
}

struct frame *
frame_piece(struct frame *f, const struct frame *whole, unsigned offset, unsigned len)
{
	unsigned all = whole->len - 34, more;
	uint8_t *ip = f->bytes + 14;

	len = MR_MIN(len, all - offset);
	more = offset + len < all;
	memcpy(f->bytes, whole->bytes, 34);
	put16(ip + 2, 20 + len);
	put16(ip + 6, offset / 8 | (more ? MR_IP4_MORE_FRAGMENTS : 0));
	memcpy(f->bytes + 34, whole->bytes + 34 + offset, len);
	f->len = 34 + len;
	put16(ip + 10, 0);
	sum_ip(ip);
	return f;
}

bool
frame_read(const struct frame *f, struct pkt *p)
{
	const uint8_t *ip = f->bytes + 14, *l4 = ip + 20;
	unsigned len = mr_load_be16(ip + 2) - 20u;
	uint64_t sum = 0;
	be32_t src, dst;
	be16_t had;

	memset(p, 0, sizeof(*p));
	p->src = mr_load_be32(ip + 12);
	p->dst = mr_load_be32(ip + 16);
	p->proto = ip[9];
	p->id = mr_load_be16(ip + 4);
	if (mr_checksum_fold(mr_checksum_add(0, ip, 20)) != 0xffff)
		return false;
	if (mr_load_be16(ip + 6) & MR_IP4_FRAG_OFFSET)
		return true;
	p->sport = mr_load_be16(l4 + (p->proto == ICMP ? 4 : 0));
	p->dport = p->proto == ICMP ? 0 : mr_load_be16(l4 + 2);
	if (p->proto == ICMP || p->proto == TCP)
		p->flags = l4[p->proto == ICMP ? 0 : 13];
	if (p->proto == TCP) {
		p->seq = mr_load_be32(l4 + 4);
		p->ack = mr_load_be32(l4 + 8);
	}
	if (!has_l4(p->proto) || (mr_load_be16(ip + 6) & MR_IP4_MORE_FRAGMENTS))
		return true;
	memcpy(&had, l4 + check_at(p->proto), 2);
	if (p->proto == UDP && had == 0)
		return true;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (p->proto != ICMP)
		sum = mr_checksum_pseudo4(src, dst, p->proto, (uint16_t)len);
	return mr_checksum_fold(mr_checksum_add(sum, l4, len)) == 0xffff;
}

/* -- nodes that remember ------------------------------------------------------------------ */

static struct bed *bed;
static enum outcome outcomes[MR_VECTOR_MAX];

static void
remember(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count,
    enum outcome what)
{
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		struct seen *s = &bed->seen[bed->count % SEEN_MAX];

		/* The router announces itself. */
		verdicts[i] = mr_verdict_drop(0);
		if (mr_load_be16(mr_packet_bytes(p) + 12) != MR_ETH_TYPE_IP4) {
			bed->arp.len = p->len;
			memcpy(bed->arp.bytes, mr_packet_bytes(p), p->len);
			bed->arp_sent = what == SENT;
			continue;
		}
		bed->count++;
		assert_int_equal(p->segments, 1);
		s->f.len = p->len;
		memcpy(s->f.bytes, mr_packet_bytes(p), p->len);
		s->good = frame_read(&s->f, &s->p);
		s->fragment = mr_load_be16(s->f.bytes + 20);
		bed->last = *s;
		outcomes[p->queue] = what;
	}
}

static void
keep_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	remember(run, packets, verdicts, count, PASSED);
}

static void
sent_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	remember(run, packets, verdicts, count, SENT);
}

static const struct mr_named gone[] = { { "gone", "where tests end" } };
static const struct mr_node_class keep_class = { .name = "keep",
	.doc = "remembers",
	.drops = gone,
	.drop_count = 1,
	.run = keep_run };
static const struct mr_node_class sent_class = { .name = "sent",
	.doc = "remembers",
	.drops = gone,
	.drop_count = 1,
	.run = sent_run };

uint16_t
node_of(const struct bed *b, const char *name)
{
	for (uint16_t i = 0; i < mr_graph_node_count(b->graph); i++)
		if (!strcmp(mr_graph_node_name(b->graph, i), name))
			return i;
	fail_msg("no node %s", name);
	return 0;
}

/* -- the bed ------------------------------------------------------------------------------ */

static void
parse(const char *nat, struct mr_config **config, char *said, size_t size)
{
	char text[8192];
	struct mr_report *report;

	snprintf(text, sizeof(text), "%s%s", interfaces, nat);
	assert_int_equal(mr_report_create(&report), 0);
	said[0] = '\0';
	*config = NULL;
	if (mr_config_parse(config, model, "t", text, strlen(text), report) == 0)
		mr_dataplane_check(*config, report);
	if (mr_report_count(report))
		mr_report_format(report, 0, said, size);
	mr_report_destroy(report);
}

static struct mr_config *
good(const char *nat)
{
	struct mr_config *config;
	char said[1000];

	parse(nat, &config, said, sizeof(said));
	if (said[0])
		fail_msg("%s", said);
	return config;
}

void
bed_check(const char *nat, char *said, size_t size)
{
	struct mr_config *config;

	parse(nat, &config, said, size);
	mr_config_destroy(config);
}

/* A commit of the data plane aims everything anew. */
static void
aim(struct bed *b)
{
	struct mr_error error;

	for (uint16_t n = 0; n < mr_graph_node_count(b->graph); n++) {
		const struct mr_node_class *class = mr_graph_node_class(b->graph, n);

		if (class == &nat_in_class || class == &nat_out_class)
			mr_graph_link(b->graph, n, 0, b->keep);
	}
	mr_graph_set_output(b->graph, b->wan, b->sent);
	mr_graph_set_output(b->graph, b->lan, b->sent);
	if (mr_graph_commit(b->graph, &error))
		fail_msg("%s", error.text);
}

static void
log_sink(void *user, enum mr_log_level level, const char *line, size_t len)
{
	fprintf(stderr, "%s\n", line);
}

void
bed_open(struct bed *b, const char *body)
{
	struct mr_report *report;
	struct mr_error error;
	char text[4096];

	memset(b, 0, sizeof(*b));
	bed = b;
	b->log = (struct mr_log){ .sink = log_sink, .user = b, .level = MR_LOG_WARNING };
	/* A comment in `body` hides the rest of its line. */
	snprintf(text, sizeof(text), "nat: {instance: {x: {outside: [wan], inside: [lan]%s%s%s",
	    body[0] ? ", " : "", body, strchr(body, '#') ? "\n}\n" : "}}}\n");
	b->config = good(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_create(&b->dp, b->config, &b->log, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	b->graph = mr_dataplane_graph(b->dp);
	b->nat = mr_nat_of(b->dp);
	b->lan = mr_interface_find(mr_interfaces_of(b->dp), "lan")->index;
	b->wan = mr_interface_find(mr_interfaces_of(b->dp), "wan")->index;
	b->other = mr_interface_find(mr_interfaces_of(b->dp), "other")->index;
	b->from = b->lan;
	assert_int_equal(mr_graph_add_node(b->graph, &keep_class, NULL, NULL, &b->keep, &error), 0);
	assert_int_equal(mr_graph_add_node(b->graph, &sent_class, NULL, NULL, &b->sent, &error), 0);
	aim(b);
}

void
bed_apply(struct bed *b, const char *nat)
{
	struct mr_config *config = good(nat);
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_apply(b->dp, config, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	mr_config_destroy(b->config);
	b->config = config;
	aim(b);
}

void
bed_close(struct bed *b)
{
	mr_dataplane_destroy(b->dp);
	mr_config_destroy(b->config);
}

void
bed_run(struct bed *b, const char *node, uint16_t port, const struct frame *frames, unsigned count)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	uint32_t packets[MR_VECTOR_MAX];

	bed = b;
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p;

		outcomes[i] = DROPPED;
		packets[i] = mr_packet_from(buffers, 0, frames[i].bytes, frames[i].len);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		p = mr_packet_at(buffers->base, packets[i]);
		p->port = port;
		p->queue = (uint16_t)i;
		p->flags = b->flags;
		p->csum_start = 34;
		p->csum_offset = 6;
	}
	mr_graph_inject(b->graph, 0, node_of(b, node), packets, count);
	mr_graph_pass(b->graph, 0);
}

static enum outcome
one(struct bed *b, const char *node, uint16_t port, const struct frame *f)
{
	struct mr_graph_totals before, after;

	mr_graph_totals(b->graph, &before);
	memset(&b->last, 0, sizeof(b->last));
	bed_run(b, node, port, f, 1);
	mr_graph_totals(b->graph, &after);
	/* The node that remembers drops, too. */
	if (outcomes[0] == DROPPED && before.dropped == after.dropped)
		return WAITS;
	return outcomes[0];
}

enum outcome
bed_out(struct bed *b, const struct frame *f)
{
	return one(b, "nat-out@wan", b->from, f);
}

enum outcome
bed_in(struct bed *b, const struct frame *f)
{
	return one(b, "nat-in@wan", b->wan, f);
}

enum outcome
bed_hair(struct bed *b, const struct frame *f)
{
	return one(b, "nat-in@lan", b->lan, f);
}

enum outcome
out(struct bed *b, const struct pkt *p)
{
	struct frame f;

	return bed_out(b, frame_make(&f, p));
}

enum outcome
in(struct bed *b, const struct pkt *p)
{
	struct frame f;

	return bed_in(b, frame_make(&f, p));
}

enum outcome
hair(struct bed *b, const struct pkt *p)
{
	struct frame f;

	return bed_hair(b, frame_make(&f, p));
}

struct pkt
answer(const struct bed *b)
{
	struct pkt p = b->last.p;

	p.src = b->last.p.dst;
	p.dst = b->last.p.src;
	if (p.proto == ICMP) {
		p.flags = p.flags == 8 ? 0 : p.flags == 13 ? 14 : p.flags;
		return p;
	}
	p.sport = b->last.p.dport;
	p.dport = b->last.p.sport;
	if (p.proto == TCP)
		p.flags = p.flags == MR_TCP_SYN ? MR_TCP_SYN | MR_TCP_ACK : MR_TCP_ACK;
	return p;
}

void
bed_later(struct bed *b, uint32_t seconds)
{
	struct nat_table *t = b->nat->core->table;

	for (uint32_t i = 1; i <= t->top; i++) {
		t->entries[i].seen -= seconds;
		t->leases[i].until -= seconds;
	}
}

void
bed_sweep(struct bed *b)
{
	for (unsigned i = 0; i < 16; i++)
		mr_dataplane_tick(b->dp, nat_seconds());
}

uint64_t
bed_drops(const struct bed *b, const char *node, enum nat_drop reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node_of(b, node), &s), 0);
	return s.drops[reason];
}

uint64_t
bed_counter(const struct bed *b, enum nat_count what)
{
	return mr_counters_sum(b->nat->core->table->counters,
	    b->nat->conf.instances[0].number * NAT_COUNT_COUNT + what);
}

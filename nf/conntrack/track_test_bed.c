/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/track_test_int.h"

#include "kit/packet/checksum.h"

uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull >> 16;
}

/* -- frames ------------------------------------------------------------------------------- */

static uint8_t *
ip_of(struct frame *f, const struct ends *e, uint8_t proto, unsigned len)
{
	uint8_t *ip = f->bytes + 14;

	memset(f->bytes, 0, sizeof(f->bytes));
	f->bytes[0] = f->bytes[6] = 2;
	f->bytes[12] = e->six ? 0x86 : 8;
	f->bytes[13] = e->six ? 0xdd : 0;
	f->len = 14 + (e->six ? 40 : 20) + len;
	if (e->six) {
		ip[0] = 0x60;
		ip[4] = (uint8_t)(len >> 8);
		ip[5] = (uint8_t)len;
		ip[6] = proto;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		for (unsigned i = 0; i < 4; i++) {
			ip[20 + i] = (uint8_t)(e->src >> (24 - 8 * i));
			ip[36 + i] = (uint8_t)(e->dst >> (24 - 8 * i));
		}
		return ip + 40;
	}
	ip[0] = 0x45;
	ip[2] = (uint8_t)((len + 20) >> 8);
	ip[3] = (uint8_t)(len + 20);
	ip[8] = 64;
	ip[9] = proto;
	ip[12] = ip[16] = 10;
	for (unsigned i = 1; i < 4; i++) {
		ip[12 + i] = (uint8_t)(e->src >> (24 - 8 * i));
		ip[16 + i] = (uint8_t)(e->dst >> (24 - 8 * i));
	}
	return ip + 20;
}

static void
finish(struct frame *f, unsigned check_at)
{
	bool six = f->bytes[12] == 0x86;
	uint8_t *ip = f->bytes + 14, *l4 = ip + (six ? 40 : 20);
	unsigned len = f->len - (unsigned)(l4 - f->bytes);
	uint8_t proto = six ? ip[6] : ip[9];
	uint64_t sum = 0;
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
		sum = mr_checksum_pseudo6(ip + 8, ip + 24, proto, len);
	else if (proto != MR_IP_PROTO_ICMP)
		sum = mr_checksum_pseudo4(src, dst, proto, (uint16_t)len);
	memset(l4 + check_at, 0, 2);
	check = mr_checksum_finish_udp(mr_checksum_add(sum, l4, len));
	memcpy(l4 + check_at, &check, 2);
}

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

struct frame *
frame_udp(struct frame *f, const struct ends *e, unsigned len)
{
	uint8_t *udp = ip_of(f, e, MR_IP_PROTO_UDP, 8 + len);

	put16(udp, e->sport);
	put16(udp + 2, e->dport);
	put16(udp + 4, 8 + len);
	finish(f, 6);
	return f;
}

struct frame *
frame_tcp(struct frame *f, const struct ends *e, uint8_t flags, uint32_t seq, uint32_t ack,
    unsigned len)
{
	uint8_t *tcp = ip_of(f, e, MR_IP_PROTO_TCP, 20 + len);

	put16(tcp, e->sport);
	put16(tcp + 2, e->dport);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 10000);
	finish(f, 16);
	return f;
}

struct frame *
frame_icmp(struct frame *f, const struct ends *e, uint8_t type, uint8_t code, uint16_t id)
{
	uint8_t *icmp = ip_of(f, e, e->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, 16);

	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 4, id);
	finish(f, 2);
	return f;
}

struct frame *
frame_proto(struct frame *f, const struct ends *e, uint8_t proto)
{
	(void)ip_of(f, e, proto, 32);
	finish(f, 0);
	return f;
}

struct frame *
frame_about(struct frame *f, const struct frame *quoted, uint32_t by, uint8_t type, uint8_t code)
{
	bool six = quoted->bytes[12] == 0x86;
	const uint8_t *ip = quoted->bytes + 14;
	const struct ends e = { .six = six, .src = by };
	unsigned head = six ? 40 : 20, size = MR_MIN(quoted->len - 14, head + 8);
	uint8_t *icmp = ip_of(f, &e, six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, 8 + size);

	memcpy(f->bytes + 14 + (six ? 24 : 16), ip + (six ? 8 : 12), six ? 16 : 4);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 8, ip, size);
	finish(f, 2);
	return f;
}

struct frame *
frame_piece(struct frame *f, const struct frame *whole, unsigned offset, unsigned len, uint32_t id)
{
	bool six = whole->bytes[12] == 0x86;
	unsigned head = 14 + (six ? 40 : 20), all = whole->len - head, more;
	uint8_t *ip = f->bytes + 14;

	len = MR_MIN(len, all - offset);
	more = offset + len < all;
	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes, whole->bytes, head);
	if (six) {
		uint8_t *frag = f->bytes + head;

		put16(ip + 4, 8 + len);
		frag[0] = ip[6];
		ip[6] = MR_IP_PROTO_FRAGMENT;
		put16(frag + 2, offset | more);
		put32(frag + 4, id);
		head += 8;
	} else {
		put16(ip + 2, 20 + len);
		put16(ip + 4, id & 0xffff);
		put16(ip + 6, offset / 8 | (more ? MR_IP4_MORE_FRAGMENTS : 0));
	}
	memcpy(f->bytes + head, whole->bytes + 14 + (six ? 40 : 20) + offset, len);
	f->len = head + len;
	if (!six) {
		memset(ip + 10, 0, 2);
		finish(f, 0);
	}
	return f;
}

struct ends
ends_back(const struct ends *e)
{
	return (struct ends){ e->six, e->dst, e->src, e->dport, e->sport };
}

/* -- the bed ------------------------------------------------------------------------------ */

static void
keep_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	struct bed *b = run->self;

	for (unsigned i = 0; i < count; i++) {
		if (b->count < BED_SEEN)
			b->seen[b->count++] = mr_packet_at(run->base, packets[i])->track;
		verdicts[i] = mr_verdict_drop(0);
	}
}

static void
filter_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	const struct bed *b = run->self;

	for (unsigned i = 0; i < count; i++) {
		bool fresh = mr_track_state(mr_packet_at(run->base, packets[i])) == NEW;

		verdicts[i] = b->deny && fresh ? mr_verdict_drop(0) : mr_verdict_edge(0);
	}
}

static const char *const edges[] = { "next" };
static const struct mr_named drops[] = { { "end", "the end" } };
static const struct mr_node_class keep_class = { .name = "keep",
	.doc = "the end",
	.drops = drops,
	.drop_count = 1,
	.run = keep_run };
static const struct mr_node_class filter_class = { .name = "filter",
	.doc = "rules",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = 1,
	.run = filter_run };

static uint16_t
add(struct bed *b, const struct mr_node_class *class, const char *name, unsigned n, void *self)
{
	char text[32];
	uint16_t node;

	snprintf(text, sizeof(text), "%s%u", name, n);
	if (mr_graph_add_node(b->graph, class, text, self, &node, &b->error))
		fail_msg("%s", b->error.text);
	return node;
}

void
bed_open(struct bed *b, uint32_t max, uint16_t workers)
{
	memset(b, 0, sizeof(*b));
	if (mr_buffers_create(&b->buffers,
		&(struct mr_buffers_config){ .count = 8192,
		    .workers = workers,
		    .numa_node = -1,
		    .pages = MR_ARENA_4K },
		&b->error) ||
	    mr_graph_create(&b->graph,
		&(struct mr_graph_config){ .buffers = b->buffers, .workers = workers },
		&b->error) ||
	    ct_core_create(&b->core, max, workers, &b->error))
		fail_msg("%s", b->error.text);
	b->keep = add(b, &keep_class, "keep", 0, b);
	for (unsigned i = 0; i < 2; i++) {
		b->side[i] = (struct ct_side){ b->core, &b->core->ports[i], false };
		b->core->ports[i].tracked = true;
		b->track[i] = add(b, &ct_track_class, "track", i, &b->side[i]);
		b->confirm[i] = add(b, &ct_confirm_class, "confirm", i, &b->side[i]);
		b->filter[i] = add(b, &filter_class, "filter", i, b);
		mr_graph_link(b->graph, b->track[i], 0, b->filter[i]);
		mr_graph_link(b->graph, b->filter[i], 0, b->confirm[i]);
		mr_graph_link(b->graph, b->confirm[i], 0, b->keep);
	}
	if (mr_graph_commit(b->graph, &b->error))
		fail_msg("%s", b->error.text);
	/* The workers' clock. */
	mr_graph_pass(b->graph, 0);
}

void
bed_close(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	mr_graph_destroy(b->graph);
	ct_core_destroy(b->core, b->buffers);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	mr_buffers_destroy(b->buffers);
}

void
bed_send(struct bed *b, unsigned port, const struct frame *const *frames, unsigned count)
{
	uint32_t packets[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		packets[i] = mr_packet_from(b->buffers, 0, frames[i]->bytes, frames[i]->len);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		mr_packet_at(b->buffers->base, packets[i])->port = (uint16_t)port;
	}
	b->count = 0;
	mr_graph_inject(b->graph, 0, b->track[port], packets, count);
	mr_graph_pass(b->graph, 0);
}

uint32_t
bed_one(struct bed *b, unsigned port, const struct frame *f)
{
	bed_send(b, port, &f, 1);
	if (!b->count)
		return 0;
	return (b->seen[0] >> MR_TRACK_STATE_SHIFT & MR_TRACK_STATES) |
	    (b->seen[0] & MR_TRACK_REPLY ? BACK : 0);
}

uint64_t
bed_drops(const struct bed *b, uint16_t node, unsigned reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node, &s), 0);
	return s.drops[reason];
}

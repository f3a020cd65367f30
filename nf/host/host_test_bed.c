/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/host/host_test_int.h"

/* -- the bed ----------------------------------------------------------------------------- */

static unsigned
sink_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct sink *s = mr_container_of(port, struct sink, port);

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		assert_true(s->count < OUT_MAX && p->len <= FRAME_MAX);
		s->frames[s->count].len = p->len;
		memcpy(s->frames[s->count++].bytes, mr_packet_bytes(p), p->len);
	}
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static unsigned
sink_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	return 0;
}

static int
sink_fd(struct mr_port *port, unsigned queue)
{
	return -1;
}

static const struct mr_port_driver sink_driver = {
	.name = "sink",
	.rx = sink_rx,
	.tx = sink_tx,
	.rx_fd = sink_fd,
};

mr_inline void
catch_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_output(*(uint16_t *)run->self);
}
MR_NODE_FUNCTIONS(catch)

static const struct mr_node_class catch_class = { .name = "catch", MR_NODE_RUN(catch) };

static void
open_nodes(struct bed *b)
{
	static const uint16_t ports[] = { ND, ECHO, REASSEMBLY };

	assert_int_equal(
	    mr_graph_add_node(b->graph, &mr_host_local_class, NULL, b->host, &b->local, &b->error),
	    0);
	assert_int_equal(
	    mr_graph_add_node(b->graph, &mr_host_input_class, NULL, b->host, &b->input, &b->error),
	    0);
	for (unsigned e = 0; e < MR_HOST_EDGES; e++) {
		char name[16];
		uint16_t node;

		snprintf(name, sizeof(name), "catch%u", e);
		b->to[e] = ports[e];
		assert_int_equal(
		    mr_graph_add_node(b->graph, &catch_class, name, &b->to[e], &node, &b->error),
		    0);
		assert_int_equal(mr_graph_link(b->graph, b->local, e, node), 0);
	}
}

static void
open_ports(struct bed *b)
{
	for (uint16_t i = 0; i < PORTS; i++) {
		struct mr_port_config config = { .name = "sink",
			.index = i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };
		struct mr_port *port;

		assert_int_equal(mr_port_alloc(&port, sizeof(struct sink), &sink_driver, &config, 1,
				     1, &b->error),
		    0);
		b->sinks[i] = mr_container_of(port, struct sink, port);
		b->sinks[i]->frames = calloc(OUT_MAX, sizeof(struct frame));
		port->mtu = 1500;
		assert_int_equal(mr_graph_add_port(b->graph, port, NULL, 0, &b->error), 0);
	}
}

struct bed *
bed_open(void)
{
	struct bed *b = calloc(1, sizeof(*b));
	static const struct mr_ip_interface interfaces[] = {
		[PLAIN] = { .flags = MR_IP_UP, .port = WIRE, .twin = TWIN },
		[TWINLESS] = { .flags = MR_IP_UP, .port = WIRE, .twin = MR_IP_NO_PORT },
		[VLAN] = { .flags = MR_IP_UP, .port = WIRE, .twin = TWIN_VLAN, .vlan = 7 },
		[OTHER_VRF] = { .flags = MR_IP_UP, .port = WIRE, .twin = TWIN, .vrf = 9 },
	};

	assert_non_null(b);
	b->ip.interfaces = calloc(MR_IP_INTERFACES_MAX, sizeof(*b->ip.interfaces));
	memcpy(b->ip.interfaces, interfaces, sizeof(interfaces));
	if (mr_buffers_create(&b->buffers,
		&(struct mr_buffers_config){ .count = 8192,
		    .workers = 1,
		    .numa_node = -1,
		    .pages = MR_ARENA_4K },
		&b->error) ||
	    mr_graph_create(&b->graph,
		&(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &b->error) ||
	    mr_host_create(&b->host, &b->ip, &b->error))
		fail_msg("%s", b->error.text);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    mr_host_policy_create(&b->policies[i], 1, mr_graph_hz(b->graph), &b->error), 0);
	mr_host_set_policy(b->host, 0, b->policies[0]);
	mr_host_set_policy(b->host, 9, b->policies[1]);
	mr_host_set_twin(b->host, TWIN, PLAIN);
	mr_host_set_twin(b->host, TWIN_VLAN, VLAN);
	b->host->has_nd = b->host->has_echo = b->host->has_reassembly = true;
	open_nodes(b);
	open_ports(b);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
	return b;
}

void
bed_close(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped);
	mr_graph_destroy(b->graph);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	for (unsigned i = 0; i < PORTS; i++) {
		free(b->sinks[i]->frames);
		mr_port_free(&b->sinks[i]->port);
	}
	mr_host_policy_destroy(b->policies[0]);
	mr_host_policy_destroy(b->policies[1]);
	mr_host_destroy(b->host);
	mr_buffers_destroy(b->buffers);
	free(b->ip.interfaces);
	free(b);
}

void
inject(struct bed *b, uint16_t node, unsigned port, unsigned interface, const struct frame *frames,
    unsigned count)
{
	uint32_t packets[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p;

		packets[i] = mr_packet_from(b->buffers, 0, frames[i].bytes, frames[i].len);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		p = mr_packet_at(b->buffers->base, packets[i]);
		p->port = (uint16_t)port;
		p->context = interface;
	}
	mr_graph_inject(b->graph, 0, node, packets, count);
	mr_graph_pass(b->graph, 0);
}

uint64_t
drops(struct bed *b, uint16_t node, unsigned reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node, &s), 0);
	return s.drops[reason];
}

struct mr_host_counts
counts(struct bed *b, unsigned class)
{
	struct mr_host_counts c;

	mr_host_policy_counts(b->policies[0], class, &c);
	return c;
}

/* -- frames ------------------------------------------------------------------------------ */

static void
put16(struct frame *f, unsigned value)
{
	f->bytes[f->len++] = (uint8_t)(value >> 8);
	f->bytes[f->len++] = (uint8_t)value;
}

static void
put(struct frame *f, const void *bytes, unsigned len)
{
	memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
}

/* "10.0.0.1", or IPv6 with at most one "::". */
static void
put_address(struct frame *f, const char *text)
{
	uint8_t bytes[16] = { 0 };
	unsigned n = 0, tail = 16;
	char *end;

	if (!strchr(text, ':')) {
		for (; n < 4; n++, text = *end ? end + 1 : end)
			bytes[n] = (uint8_t)strtoul(text, &end, 10);
		put(f, bytes, 4);
		return;
	}
	for (; *text; text = end) {
		unsigned long value;

		if (text[0] == ':' && text[1] == ':') {
			tail = n;
			end = (char *)text + 2;
			continue;
		}
		value = strtoul(text + (*text == ':'), &end, 16);
		bytes[n++] = (uint8_t)(value >> 8);
		bytes[n++] = (uint8_t)value;
	}
	if (tail < 16) {
		memmove(bytes + 16 - (n - tail), bytes + tail, n - tail);
		memset(bytes + tail, 0, 16 - n);
	}
	put(f, bytes, 16);
}

static void
put_l4(struct frame *f, const struct packet *p)
{
	static const uint8_t zero[32];

	if (p->fragment & 0x1fff) {
		put(f, zero, 32);
		return;
	}
	switch (p->proto) {
	case MR_IP_PROTO_TCP:
		put16(f, p->src_port);
		put16(f, p->dst_port);
		put(f, zero, 8);
		put16(f, 0x5000 | p->flags);
		put(f, zero, 6);
		break;
	case MR_IP_PROTO_UDP:
		put16(f, p->src_port);
		put16(f, p->dst_port);
		put16(f, 16);
		put(f, zero, 10);
		break;
	default:
		put16(f, p->src_port << 8);
		put(f, zero, 14);
	}
}

static void
put_ip(struct frame *f, const struct packet *p)
{
	bool six = strchr(p->dst, ':'), fragment6 = six && p->fragment;
	unsigned l4 = p->proto == MR_IP_PROTO_TCP ? 20 : 16;
	static const uint8_t alert4[] = { 0x94, 4, 0, 0 }, alert6[] = { 0, 5, 2, 0, 0, 1, 0 };

	if (p->fragment & 0x1fff)
		l4 = 32;
	if (!six) {
		f->bytes[f->len++] = p->options ? 0x46 : 0x45;
		f->bytes[f->len++] = 0;
		put16(f, 20 + 4 * p->options + l4);
		put16(f, 1);
		put16(f, p->fragment);
		put16(f, 0x4000 | p->proto);
		put16(f, 0);
		put_address(f, p->src);
		put_address(f, p->dst);
		if (p->options)
			put(f, alert4, 4);
	} else {
		put16(f, 0x6000);
		put16(f, 0);
		put16(f, l4 + 8 * p->options + 8 * fragment6);
		f->bytes[f->len++] = p->options ? 0 : fragment6 ? 44 : p->proto;
		f->bytes[f->len++] = 64;
		put_address(f, p->src);
		put_address(f, p->dst);
		if (p->options) {
			f->bytes[f->len++] = p->proto;
			put(f, alert6, 7);
		} else if (fragment6) {
			put16(f, (unsigned)p->proto << 8);
			put16(f, (p->fragment & 0x1fffu) << 3 | p->fragment >> 13);
			put16(f, 0);
			put16(f, 1);
		}
	}
	put_l4(f, p);
}

struct frame
make_frame(const struct packet *p, unsigned vlan)
{
	static const uint8_t macs[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	struct frame f = { 0 };

	put(&f, macs, 12);
	if (vlan) {
		put16(&f, MR_ETH_TYPE_VLAN);
		put16(&f, vlan);
	}
	put16(&f, strchr(p->dst, ':') ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	put_ip(&f, p);
	return f;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the real node in a real graph, against a slow, obvious switch. The
 * model below knows frames as lists of fields, stations as an array, and ports in loops;
 * what leaves each port must be what it says, byte by byte, and every drop must
 * have the reason that it says. Configurations are random and change under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "kit/graph/probe.h"
#include "kit/port/port.h"
#include "nf/bridge/bridge.h"

#define PORTS_MAX 70u
#define FRAME_MAX 400u
#define OUT_MAX 40000u
#define STATIONS 24u
#define BUFFERS 65536u

static uint64_t seed;

static unsigned
draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* -- ports that remember what they were given ---------------------------------------- */

struct frame {
	unsigned len;
	uint8_t bytes[FRAME_MAX];
};

struct sink {
	struct mr_port port;
	struct frame *frames; /* the bed's */
	unsigned count;
};

static unsigned
sink_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	return 0;
}

static unsigned
sink_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct sink *s = mr_container_of(port, struct sink, port);

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		assert_true(s->count < OUT_MAX);
		assert_int_equal(p->total, p->len);
		assert_true(p->len <= FRAME_MAX);
		s->frames[s->count].len = p->len;
		memcpy(s->frames[s->count++].bytes, mr_packet_bytes(p), p->len);
	}
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
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

/* -- the bed ------------------------------------------------------------------------- */

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_bridge *bridge;
	struct sink *sinks[PORTS_MAX];
	bool up[PORTS_MAX];
	unsigned ports;
	uint16_t node;
	struct mr_error error;
};

static void
set_up(struct bed *b, unsigned port, bool up)
{
	b->up[port] = up;
	mr_graph_set_port_up(b->graph, (uint16_t)port, up);
}

static void
bed_open(struct bed *b, unsigned ports)
{
	memset(b, 0, sizeof(*b));
	b->ports = ports;
	if (mr_buffers_create(&b->buffers,
		&(struct mr_buffers_config){ .count = BUFFERS,
		    .workers = 1,
		    .numa_node = -1,
		    .pages = MR_ARENA_4K },
		&b->error) ||
	    mr_graph_create(&b->graph,
		&(struct mr_graph_config){ .buffers = b->buffers, .workers = 1 }, &b->error) ||
	    mr_bridge_create(&b->bridge, &b->error))
		fail_msg("%s", b->error.text);
	assert_int_equal(mr_graph_add_node(b->graph, &mr_bridge_node_class, "bridge-br0", b->bridge,
			     &b->node, &b->error),
	    0);
	for (unsigned i = 0; i < ports; i++) {
		struct mr_port_config config = { .name = "sink",
			.index = (uint16_t)i,
			.buffers = b->buffers,
			.workers = 1,
			.numa_node = -1 };
		struct mr_port *port;

		assert_int_equal(mr_port_alloc(&port, sizeof(struct sink), &sink_driver, &config, 1,
				     1, &b->error),
		    0);
		b->sinks[i] = mr_container_of(port, struct sink, port);
		b->sinks[i]->frames = calloc(OUT_MAX, sizeof(struct frame));
		assert_non_null(b->sinks[i]->frames);
		port->mtu = 1500;
		port->caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
		assert_int_equal(mr_graph_add_port(b->graph, port, NULL, 0, &b->error), 0);
		assert_int_equal(mr_graph_set_input(b->graph, (uint16_t)i, b->node, 0), 0);
		set_up(b, i, true);
	}
}

static void
bed_close(struct bed *b)
{
	struct mr_graph_totals t;

	mr_graph_totals(b->graph, &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held);
	assert_int_equal(t.held, 0);
	mr_graph_destroy(b->graph);
	assert_int_equal(mr_pool_used(b->buffers->pool), 0);
	for (unsigned i = 0; i < b->ports; i++) {
		free(b->sinks[i]->frames);
		mr_port_free(&b->sinks[i]->port);
	}
	mr_bridge_destroy(b->bridge);
	mr_buffers_destroy(b->buffers);
}

static uint32_t
clock_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static void
configure(struct bed *b, const struct mr_bridge_config *config)
{
	unsigned left_out;

	if (mr_bridge_prepare(b->bridge, config, &b->error))
		fail_msg("%s", b->error.text);
	mr_bridge_commit(b->bridge, clock_seconds(), &left_out);
	assert_int_equal(left_out, 0);
	assert_int_equal(mr_graph_commit(b->graph, &b->error), 0);
	mr_bridge_finish(b->bridge);
}

static void
inject(struct bed *b, const struct frame *frames, const uint16_t *ports, const uint16_t *flags,
    unsigned count)
{
	uint32_t packets[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p;

		packets[i] = mr_packet_from(b->buffers, 0, frames[i].bytes, frames[i].len);
		assert_int_not_equal(packets[i], MR_PACKET_NONE);
		p = mr_packet_at(b->buffers->base, packets[i]);
		p->port = ports[i];
		p->flags = flags[i];
	}
	mr_graph_inject(b->graph, 0, b->node, packets, count);
	mr_graph_pass(b->graph, 0);
}

static uint64_t
node_drops(struct bed *b, unsigned reason)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, b->node, &s), 0);
	return s.drops[reason];
}

static uint64_t
node_counter(struct bed *b, unsigned counter)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, b->node, &s), 0);
	return s.counters[counter];
}

/* -- the model: an obvious switch ------------------------------------------------------ */

struct station {
	uint8_t mac[6];
	unsigned vlan;
	unsigned port;
	bool fixed, drop;
};

struct switch_model {
	struct mr_bridge_config config;
	struct mr_bridge_port ports[PORTS_MAX];
	struct mr_bridge_static statics[8];
	struct station stations[4096];
	unsigned station_count;
	bool vlans;
	uint64_t drops[MR_BRIDGE_DROP_COUNT];
	uint64_t counters[MR_BRIDGE_COUNT_COUNT];
	struct frame *out[PORTS_MAX];
	unsigned out_count[PORTS_MAX];
};

static const struct mr_bridge_port *
model_port(const struct switch_model *m, unsigned port)
{
	for (unsigned i = 0; i < m->config.port_count; i++) {
		if (m->ports[i].port == port)
			return &m->ports[i];
	}
	return NULL;
}

static unsigned
native_of(const struct mr_bridge_port *p)
{
	return p->mode == MR_BRIDGE_PLAIN && !p->vlan ? 1 : p->vlan;
}

static unsigned
tpid_of(const struct mr_bridge_port *p)
{
	return p->tpid ? p->tpid : 0x8100;
}

static bool
allowed(const struct switch_model *m, const struct mr_bridge_port *p, unsigned vlan)
{
	if (!m->vlans)
		return true;
	if (vlan < 1 || vlan > 4094)
		return false;
	if (p->mode == MR_BRIDGE_PLAIN)
		return true;
	if (p->mode == MR_BRIDGE_TRUNK && (p->vlans[vlan / 64] >> (vlan % 64) & 1))
		return true;
	return vlan == native_of(p);
}

static struct station *
look_up(struct switch_model *m, const uint8_t *mac, unsigned vlan)
{
	for (unsigned i = 0; i < m->station_count; i++) {
		if (!memcmp(m->stations[i].mac, mac, 6) && m->stations[i].vlan == vlan)
			return &m->stations[i];
	}
	return NULL;
}

static unsigned
learned_on(const struct switch_model *m, unsigned port)
{
	unsigned n = 0;

	/* An entry that drops counts on port 0, where the table keeps it. */
	for (unsigned i = 0; i < m->station_count; i++)
		n += (m->stations[i].drop ? 0 : m->stations[i].port) == port;
	return n;
}

/* What the switch makes of a frame that comes in. */
struct seen {
	const struct mr_bridge_port *in;
	unsigned vlan;
	bool tagged;
	int drop; /* -1: none */
};

static struct seen
model_classify(const struct switch_model *m, const struct frame *f, unsigned port)
{
	static const uint8_t zero[6];
	struct seen s = { .in = model_port(m, port), .drop = -1 };
	const uint8_t *b = f->bytes;

	if (!s.in) {
		s.drop = MR_BRIDGE_DROP_NOT_MEMBER;
		return s;
	}
	if (f->len < (m->vlans ? 18 : 14)) {
		s.drop = MR_BRIDGE_DROP_TOO_SHORT;
		return s;
	}
	if ((b[6] & 1) || !memcmp(b + 6, zero, 6)) {
		s.drop = MR_BRIDGE_DROP_SOURCE;
		return s;
	}
	if (!m->vlans)
		return s;
	s.vlan = native_of(s.in);
	if (s.in->mode != MR_BRIDGE_TUNNEL && (unsigned)(b[12] << 8 | b[13]) == tpid_of(s.in)) {
		unsigned vid = (b[14] & 15) << 8 | b[15];

		s.tagged = true;
		if (vid)
			s.vlan = vid;
	}
	if (!s.vlan)
		s.drop = MR_BRIDGE_DROP_UNTAGGED;
	else if (!allowed(m, s.in, s.vlan))
		s.drop = MR_BRIDGE_DROP_VLAN_IN;
	return s;
}

/* Returns true when the frame is to be dropped for it. */
static bool
model_learn(struct switch_model *m, const struct frame *f, const struct seen *s)
{
	struct station *known = look_up(m, f->bytes + 6, s->vlan);
	bool full = s->in->mac_limit && learned_on(m, s->in->port) >= s->in->mac_limit;
	uint32_t most = m->config.mac_limit ? m->config.mac_limit : 65536;

	if (s->in->no_learning)
		return false;
	if (known) {
		if (!known->drop && known->port == s->in->port)
			return false;
		/* The table keeps entries that drop on port 0. */
		if (known->drop && s->in->port == 0)
			return false;
		if (known->fixed) {
			m->counters[MR_BRIDGE_COUNT_STAYED]++;
		} else if (full) {
			m->counters[MR_BRIDGE_COUNT_LIMITED]++;
			return s->in->drop_over_limit;
		} else {
			known->port = s->in->port;
			m->counters[MR_BRIDGE_COUNT_MOVED]++;
		}
		return false;
	}
	if (full) {
		m->counters[MR_BRIDGE_COUNT_LIMITED]++;
		return s->in->drop_over_limit;
	}
	if (m->station_count >= most) {
		m->counters[MR_BRIDGE_COUNT_FULL]++;
		return false;
	}
	m->stations[m->station_count] = (struct station){ .vlan = s->vlan, .port = s->in->port };
	memcpy(m->stations[m->station_count++].mac, f->bytes + 6, 6);
	m->counters[MR_BRIDGE_COUNT_LEARNED]++;
	return false;
}

/* The frame as it leaves on that port; false when it is larger than the port takes. */
static bool
model_rewrite(const struct switch_model *m, const struct frame *f, const struct seen *s,
    const struct mr_bridge_port *to, unsigned mtu, bool gso, struct frame *out)
{
	unsigned rest = s->tagged ? 16 : 12, at = 12, tags = 0, scan;

	memcpy(out->bytes, f->bytes, 12);
	if (m->vlans && s->vlan != native_of(to)) {
		unsigned priority = s->tagged ? f->bytes[14] >> 4 : 0;

		out->bytes[at++] = (uint8_t)(tpid_of(to) >> 8);
		out->bytes[at++] = (uint8_t)tpid_of(to);
		out->bytes[at++] = (uint8_t)(priority << 4 | s->vlan >> 8);
		out->bytes[at++] = (uint8_t)s->vlan;
	}
	memcpy(out->bytes + at, f->bytes + rest, f->len - rest);
	out->len = at + f->len - rest;
	for (scan = 12; tags < 2 && scan + 2 <= out->len; scan += 4, tags++) {
		unsigned type = out->bytes[scan] << 8 | out->bytes[scan + 1];

		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
	}
	return gso || out->len - 4 * tags <= mtu + 14;
}

static void
model_send(struct switch_model *m, const struct frame *f, unsigned port)
{
	m->out[port][m->out_count[port]++] = *f;
}

static void
model_flood(struct switch_model *m, struct bed *b, const struct frame *f, const struct seen *s,
    bool gso)
{
	bool to_any = false, last_fits = false;

	for (unsigned i = 0; i < m->config.port_count; i++) {
		const struct mr_bridge_port *to = &m->ports[i];
		struct frame out;

		if (to == s->in || (to->groups & s->in->groups) || !b->up[to->port] ||
		    !allowed(m, to, s->vlan))
			continue;
		/* All but the last are copies. */
		if (to_any)
			m->counters[last_fits ? MR_BRIDGE_COUNT_COPIES
					      : MR_BRIDGE_COUNT_FLOOD_BIG]++;
		to_any = true;
		last_fits = model_rewrite(m, f, s, to, b->sinks[to->port]->port.mtu, gso, &out);
		if (last_fits)
			model_send(m, &out, to->port);
	}
	m->drops[MR_BRIDGE_DROP_NO_TARGET] += !to_any;
	m->drops[MR_BRIDGE_DROP_TOO_BIG] += to_any && !last_fits;
	m->counters[MR_BRIDGE_COUNT_FLOODED] += to_any;
}

static void
model_forward(struct switch_model *m, struct bed *b, const struct frame *f, const struct seen *s,
    bool gso)
{
	static const uint8_t reserved[5] = { 0x01, 0x80, 0xc2, 0, 0 };
	const struct mr_bridge_port *to;
	struct station *known;
	struct frame out;

	if (f->bytes[0] & 1) {
		if (!memcmp(f->bytes, reserved, 5) && f->bytes[5] < 16 &&
		    !(m->config.reserved >> f->bytes[5] & 1))
			m->drops[MR_BRIDGE_DROP_RESERVED]++;
		else
			model_flood(m, b, f, s, gso);
		return;
	}
	known = look_up(m, f->bytes, s->vlan);
	if (known && known->drop) {
		m->drops[MR_BRIDGE_DROP_STATIC_DROP]++;
		return;
	}
	to = known ? model_port(m, known->port) : NULL;
	if (!to)
		model_flood(m, b, f, s, gso);
	else if (to == s->in)
		m->drops[MR_BRIDGE_DROP_SAME_PORT]++;
	else if (!allowed(m, to, s->vlan))
		m->drops[MR_BRIDGE_DROP_VLAN_OUT]++;
	else if (to->groups & s->in->groups)
		m->drops[MR_BRIDGE_DROP_SPLIT_HORIZON]++;
	else if (!b->up[to->port])
		m->drops[MR_BRIDGE_DROP_PORT_DOWN]++;
	else if (!model_rewrite(m, f, s, to, b->sinks[to->port]->port.mtu, gso, &out))
		m->drops[MR_BRIDGE_DROP_TOO_BIG]++;
	else
		model_send(m, &out, to->port);
}

static void
model_vector(struct switch_model *m, struct bed *b, const struct frame *frames,
    const uint16_t *ports, const uint16_t *flags, unsigned count)
{
	static struct seen seen[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		seen[i] = model_classify(m, &frames[i], ports[i]);
		if (seen[i].drop < 0 && model_learn(m, &frames[i], &seen[i]))
			seen[i].drop = MR_BRIDGE_DROP_MAC_LIMIT;
	}
	for (unsigned i = 0; i < count; i++) {
		if (seen[i].drop >= 0)
			m->drops[seen[i].drop]++;
		else
			model_forward(m, b, &frames[i], &seen[i], flags[i] & MR_PACKET_GSO);
	}
}

/* What stays known when one configuration follows another. */
static void
model_configure(struct switch_model *m, const struct switch_model *old)
{
	bool vlans = false;

	for (unsigned i = 0; i < m->config.port_count; i++)
		vlans |= m->ports[i].mode != MR_BRIDGE_PLAIN;
	m->vlans = vlans;
	m->station_count = 0;
	for (unsigned i = 0; i < m->config.static_count; i++) {
		const struct mr_bridge_static *s = &m->statics[i];
		struct station *e = look_up(m, s->mac, s->vlan);

		if (!e)
			e = &m->stations[m->station_count++];
		*e = (struct station){ .vlan = s->vlan,
			.port = s->port,
			.fixed = true,
			.drop = s->port == MR_BRIDGE_NO_PORT };
		memcpy(e->mac, s->mac, 6);
	}
	if (!old || old->config.mac_limit != m->config.mac_limit || old->vlans != m->vlans)
		return;
	for (unsigned i = 0; i < old->station_count; i++) {
		const struct station *e = &old->stations[i];
		const struct mr_bridge_port *was = model_port(old, e->port);
		const struct mr_bridge_port *is = model_port(m, e->port);

		if (e->fixed || look_up(m, e->mac, e->vlan) || !was || !is ||
		    was->mode != is->mode || was->vlan != is->vlan ||
		    was->no_learning != is->no_learning ||
		    (is->mode == MR_BRIDGE_TRUNK &&
			memcmp(was->vlans, is->vlans, sizeof(is->vlans))))
			continue;
		m->stations[m->station_count++] = *e;
	}
}

/* -- random configurations and frames --------------------------------------------------- */

static const unsigned vlan_pool[] = { 1, 2, 3, 10, 20, 100, 4094 };

static unsigned
draw_vlan(void)
{
	return vlan_pool[draw(MR_ARRAY_COUNT(vlan_pool))];
}

static void
draw_port(struct mr_bridge_port *p, unsigned port, bool vlans)
{
	static const uint16_t tpids[] = { 0, 0, 0x8100, 0x88a8, 0x9100 };

	memset(p, 0, sizeof(*p));
	p->port = (uint16_t)port;
	p->tpid = tpids[draw(MR_ARRAY_COUNT(tpids))];
	p->mode = vlans ? draw(4) : MR_BRIDGE_PLAIN;
	if (p->mode == MR_BRIDGE_ACCESS || p->mode == MR_BRIDGE_TUNNEL || draw(2))
		p->vlan = (uint16_t)draw_vlan();
	for (unsigned i = 0; i < 4; i++) {
		unsigned vlan = draw_vlan();

		if (p->mode == MR_BRIDGE_TRUNK)
			p->vlans[vlan / 64] |= 1ull << (vlan % 64);
	}
	p->no_learning = draw(12) == 0;
	p->drop_over_limit = draw(2);
	p->mac_limit = draw(4) ? 0 : 1 + draw(5);
	if (draw(3) == 0)
		p->groups = 1ull << draw(3);
	if (draw(8) == 0)
		p->groups |= 1ull << MR_BRIDGE_GROUP_ISOLATED;
}

static void
draw_mac(uint8_t *mac)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

	memset(mac, 0, 6);
	mac[0] = 2;
	mac[5] = (uint8_t)draw(STATIONS);
	switch (draw(24)) {
	case 0:
	case 1:
		memcpy(mac, broadcast, 6);
		break;
	case 2:
		mac[0] = 0x33;
		break;
	case 3:
		memcpy(mac, (uint8_t[]){ 0x01, 0x80, 0xc2, 0, 0, (uint8_t)draw(20) }, 6);
	}
}

static void
draw_config(struct switch_model *m, unsigned ports)
{
	bool vlans = draw(4);

	memset(&m->config, 0, sizeof(m->config));
	m->config.ports = m->ports;
	m->config.statics = m->statics;
	m->config.reserved = draw(2) ? 0 : (uint16_t)draw(65536);
	m->config.mac_limit = draw(3) ? 0 : 5 + draw(30);
	m->config.ageing = 300;
	for (unsigned port = 0; port < ports; port++) {
		if (draw(8))
			draw_port(&m->ports[m->config.port_count++], port, vlans);
	}
	if (vlans && m->config.port_count)
		draw_port(&m->ports[0], m->ports[0].port, true);
	for (unsigned i = draw(6); i > 0 && m->config.port_count; i--) {
		struct mr_bridge_static *s = &m->statics[m->config.static_count++];

		memset(s, 0, sizeof(*s));
		s->mac[0] = 2;
		s->mac[5] = (uint8_t)draw(STATIONS);
		s->port = draw(4) ? m->ports[draw(m->config.port_count)].port : MR_BRIDGE_NO_PORT;
		s->vlan = (uint16_t)(vlans ? draw_vlan() : 0);
	}
}

/* What draw_frame puts into a frame to be told by; tags in front of it come and go. */
struct mark {
	uint32_t magic;
	uint32_t flow; /* the frame's first tag */
	uint32_t sequence;
};
#define MARK_AT 56u
#define MARK_MAGIC 0xa55aa55au

static void
draw_frame(struct frame *f, uint16_t *port, uint16_t *flags, const uint8_t *home)
{
	static const uint16_t types[] = { 0x8100, 0x8100, 0x8100, 0x88a8, 0x9100 };
	static struct mark mark = { .magic = MARK_MAGIC };
	unsigned station = draw(STATIONS), at = 12;

	f->len = 72 + draw(80);
	if (draw(64) == 0)
		f->len = draw(24);
	memset(f->bytes, 0, sizeof(f->bytes));
	draw_mac(f->bytes);
	f->bytes[6] = 2;
	f->bytes[11] = (uint8_t)station;
	if (draw(64) == 0)
		f->bytes[6] = (uint8_t)draw(2), f->bytes[11] = 0;
	for (unsigned tags = draw(4); tags > 1; tags--) {
		unsigned type = types[draw(MR_ARRAY_COUNT(types))], vid = draw(8) ? draw_vlan() : 0;

		if (draw(64) == 0)
			vid = 4095;
		f->bytes[at++] = (uint8_t)(type >> 8);
		f->bytes[at++] = (uint8_t)type;
		f->bytes[at++] = (uint8_t)(draw(16) << 4 | vid >> 8);
		f->bytes[at++] = (uint8_t)vid;
	}
	f->bytes[at++] = 8;
	f->bytes[at++] = 0;
	mark.sequence++;
	memcpy(&mark.flow, f->bytes + 12, 4);
	memcpy(f->bytes + MARK_AT, &mark, sizeof(mark));
	/* A station is on one port during a vector. */
	*port = home[station];
	*flags = draw(32) ? 0 : MR_PACKET_GSO_TCP4;
}

/* -- the comparison ------------------------------------------------------------------- */

static int
by_bytes(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	int d = (int)x->len - (int)y->len;

	return d ? d : memcmp(x->bytes, y->bytes, x->len);
}

static void
compare(struct bed *b, struct switch_model *m, const uint64_t *drops, const uint64_t *counters)
{
	for (unsigned i = 0; i < b->ports; i++) {
		struct sink *s = b->sinks[i];

		if (s->count != m->out_count[i])
			fail_msg("port %u sent %u frames, not %u", i, s->count, m->out_count[i]);
		qsort(s->frames, s->count, sizeof(*s->frames), by_bytes);
		qsort(m->out[i], s->count, sizeof(*s->frames), by_bytes);
		for (unsigned k = 0; k < s->count; k++) {
			if (by_bytes(&s->frames[k], &m->out[i][k]))
				fail_msg("port %u sent another frame than expected", i);
		}
		s->count = 0;
		m->out_count[i] = 0;
	}
	for (unsigned r = 0; r < MR_BRIDGE_DROP_COUNT; r++) {
		if (node_drops(b, r) - drops[r] != m->drops[r])
			fail_msg("drop reason %s: %lu, not %lu", mr_bridge_node_class.drops[r].name,
			    (unsigned long)(node_drops(b, r) - drops[r]),
			    (unsigned long)m->drops[r]);
	}
	for (unsigned c = 0; c < MR_BRIDGE_COUNT_COUNT; c++) {
		if (node_counter(b, c) - counters[c] != m->counters[c])
			fail_msg("counter %s: %lu, not %lu", mr_bridge_node_class.counters[c].name,
			    (unsigned long)(node_counter(b, c) - counters[c]),
			    (unsigned long)m->counters[c]);
	}
}

static void
compare_stations(struct bed *b, struct switch_model *m)
{
	const struct mr_mac *table = mr_bridge_table(b->bridge);
	struct mr_mac_entry e;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (mr_mac_next(table, &cursor, &e)) {
		const struct station *s = look_up(m, e.mac, e.fid);

		assert_non_null(s);
		assert_int_equal(!!(e.flags & MR_MAC_STATIC), s->fixed);
		assert_int_equal(!!(e.flags & MR_MAC_DROP), s->drop);
		if (!s->drop)
			assert_int_equal(e.port, s->port);
		n++;
	}
	assert_int_equal(n, m->station_count);
}

/* Frames of one station to one address on one VLAN leave in the order they came in. */
static void
check_order(const struct bed *b)
{
	static struct {
		uint8_t macs[12];
		struct mark mark;
	} flows[4096];

	for (unsigned i = 0; i < b->ports; i++) {
		const struct sink *s = b->sinks[i];
		unsigned count = 0;

		for (unsigned k = 0; k < s->count; k++) {
			const struct frame *f = &s->frames[k];
			struct mark mark = { 0 };
			unsigned n;

			for (unsigned at = MARK_AT - 4; at <= MARK_AT + 4; at += 4) {
				if (mark.magic != MARK_MAGIC && f->len >= at + sizeof(mark))
					memcpy(&mark, f->bytes + at, sizeof(mark));
			}
			if (mark.magic != MARK_MAGIC)
				continue;
			for (n = 0; n < count; n++) {
				if (!memcmp(flows[n].macs, f->bytes, 12) &&
				    flows[n].mark.flow == mark.flow)
					break;
			}
			if (n < count)
				assert_true(mark.sequence > flows[n].mark.sequence);
			else
				assert_true(++count <= MR_ARRAY_COUNT(flows));
			memcpy(flows[n].macs, f->bytes, 12);
			flows[n].mark = mark;
		}
	}
}

static void
random_switch(unsigned ports, unsigned configs, unsigned vectors, bool traced)
{
	static struct switch_model model, before;
	static struct frame frames[MR_VECTOR_MAX];
	uint16_t in[MR_VECTOR_MAX], flags[MR_VECTOR_MAX];
	uint8_t home[STATIONS];
	bool thorough = configs >= 100;
	struct bed b;

	bed_open(&b, ports);
	memset(&model, 0, sizeof(model));
	for (unsigned i = 0; i < ports; i++) {
		model.out[i] = calloc(OUT_MAX, sizeof(struct frame));
		assert_non_null(model.out[i]);
	}
	for (unsigned c = 0; c < configs; c++) {
		uint64_t drops[MR_BRIDGE_DROP_COUNT], counters[MR_BRIDGE_COUNT_COUNT];

		before = model;
		before.config.ports = before.ports;
		if (c == 0 || draw(3) == 0) {
			draw_config(&model, ports);
		} else if (model.config.port_count) {
			/* A small change, so that most of what was learned stays. */
			unsigned k = draw(model.config.port_count);

			draw_port(&model.ports[k], model.ports[k].port, before.vlans);
		}
		model_configure(&model, c ? &before : NULL);
		for (unsigned i = 0; i < ports; i++) {
			set_up(&b, i, draw(10) != 0);
			b.sinks[i]->port.mtu = draw(6) ? 1500 : 100;
		}
		configure(&b, &model.config);
		compare_stations(&b, &model);
		memset(model.drops, 0, sizeof(model.drops));
		memset(model.counters, 0, sizeof(model.counters));
		for (unsigned r = 0; r < MR_BRIDGE_DROP_COUNT; r++)
			drops[r] = node_drops(&b, r);
		for (unsigned k = 0; k < MR_BRIDGE_COUNT_COUNT; k++)
			counters[k] = node_counter(&b, k);
		for (unsigned s = 0; s < STATIONS; s++)
			home[s] = (uint8_t)draw(ports);
		for (unsigned v = 0; v < vectors; v++) {
			unsigned count = 1 + draw(draw(4) ? 40 : MR_VECTOR_MAX);
			struct mr_probe *probe = NULL;

			home[draw(STATIONS)] = (uint8_t)draw(ports);
			for (unsigned i = 0; i < count; i++)
				draw_frame(&frames[i], &in[i], &flags[i], home);
			if (traced) {
				struct mr_probe_config pc = { .trace = true,
					.port = MR_PROBE_ANY,
					.node = MR_PROBE_ANY,
					.count = 300,
					.buffers = b.buffers,
					.workers = 1 };

				assert_int_equal(mr_probe_create(&probe, &pc, &b.error), 0);
				assert_int_equal(mr_graph_attach(b.graph, probe, &b.error), 0);
			}
			inject(&b, frames, in, flags, count);
			if (traced) {
				assert_non_null(mr_probe_recording(probe, 0));
				mr_graph_detach(b.graph, probe);
				mr_probe_destroy(probe);
			}
			model_vector(&model, &b, frames, in, flags, count);
			check_order(&b);
			compare(&b, &model, drops, counters);
		}
		compare_stations(&b, &model);
	}
	for (unsigned i = 0; i < ports; i++)
		free(model.out[i]);
	/* Nothing was compared in vain. */
	for (unsigned r = 0; r < MR_BRIDGE_DROP_COUNT && thorough; r++) {
		if (r != MR_BRIDGE_DROP_BROADCAST && r != MR_BRIDGE_DROP_UNKNOWN &&
		    r != MR_BRIDGE_DROP_MULTICAST && r != MR_BRIDGE_DROP_NO_HEADROOM)
			assert_true(node_drops(&b, r) > 100);
	}
	for (unsigned c = 0; c < MR_BRIDGE_COUNT_COUNT && thorough; c++) {
		if (c != MR_BRIDGE_COUNT_EVICTED && c != MR_BRIDGE_COUNT_NO_COPY)
			assert_true(node_counter(&b, c) > 100);
	}
	bed_close(&b);
}

static void
against_the_obvious_switch(void **state)
{
	seed = 0x1234;
	random_switch(7, 250, 40, false);
}

static void
against_the_obvious_switch_recording(void **state)
{
	seed = 0x77;
	random_switch(6, 40, 10, true);
}

/* More ports than one word of bits. */
static void
with_many_ports(void **state)
{
	seed = 0x4321;
	random_switch(PORTS_MAX, 12, 15, false);
}

/* -- rule by rule --------------------------------------------------------------------- */

/* Ports 0 to count - 1, plain, to be changed before configure(). */
static void
plain_config(struct mr_bridge_config *config, struct mr_bridge_port *ports, unsigned count)
{
	memset(ports, 0, count * sizeof(*ports));
	for (unsigned i = 0; i < count; i++)
		ports[i].port = (uint16_t)i;
	*config = (struct mr_bridge_config){ .ports = ports, .port_count = count, .ageing = 300 };
}

/* `count` frames of 64 bytes from one station to another, the first byte of whose
 * address is `first`. */
static void
burst(struct bed *b, unsigned in, uint8_t from, uint8_t first, uint8_t to, unsigned count)
{
	static struct frame frames[MR_VECTOR_MAX];
	uint16_t ports[MR_VECTOR_MAX], flags[MR_VECTOR_MAX] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		uint8_t *bytes = frames[i].bytes;

		frames[i].len = 64;
		memset(bytes, 0, 64);
		bytes[0] = first;
		bytes[5] = to;
		if (first == 255)
			memset(bytes, 255, 6);
		bytes[6] = 2;
		bytes[11] = from;
		bytes[12] = 8;
		ports[i] = (uint16_t)in;
	}
	inject(b, frames, ports, flags, count);
}

static void
storm_of(uint8_t first, enum mr_bridge_storm storm, enum mr_bridge_drop drop)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	struct timespec start, end;
	unsigned sent;
	double took;
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	/* 800 a second: 100 at once, and as many more as time allows. */
	ports[0].storm[storm] = 800;
	configure(&b, &config);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < 20; i++)
		burst(&b, 0, 1, first, 99, 50);
	clock_gettime(CLOCK_MONOTONIC, &end);
	took = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	sent = b.sinks[1]->count;
	assert_in_range(sent, 100, 101 + (unsigned)(took * 810));
	assert_int_equal(b.sinks[2]->count, sent);
	assert_int_equal(node_drops(&b, drop), 1000 - sent);

	/* Other kinds, other ports and known stations are not limited. */
	burst(&b, 0, 1, first == 2 ? 255 : 2, 98, 200);
	burst(&b, 2, 3, first, 99, 200);
	assert_int_equal(b.sinks[1]->count, sent + 400);
	burst(&b, 1, 97, 2, 3, 1);
	burst(&b, 0, 1, 2, 97, 200);
	assert_int_equal(b.sinks[1]->count, sent + 600);
	assert_int_equal(node_drops(&b, drop), 1000 - sent);
	bed_close(&b);
}

static void
storms_are_limited(void **state)
{
	storm_of(255, MR_BRIDGE_BROADCAST, MR_BRIDGE_DROP_BROADCAST);
	storm_of(2, MR_BRIDGE_UNKNOWN, MR_BRIDGE_DROP_UNKNOWN);
	storm_of(0x33, MR_BRIDGE_MULTICAST, MR_BRIDGE_DROP_MULTICAST);
}

static void
moves_are_limited(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	uint64_t moved;
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	config.move_limit = 8; /* 8 at once, and 8 a second */
	configure(&b, &config);
	burst(&b, 0, 1, 255, 255, 1);
	for (unsigned i = 0; i < 100; i++) {
		burst(&b, 1, 1, 255, 255, 1);
		burst(&b, 0, 1, 255, 255, 1);
	}
	moved = node_counter(&b, MR_BRIDGE_COUNT_MOVED);
	assert_in_range(moved, 8, 50);
	/* All frames went on their way all the same. */
	assert_int_equal(b.sinks[2]->count, 201);
	assert_true(node_counter(&b, MR_BRIDGE_COUNT_STAYED) >= 50);
	bed_close(&b);
}

/* Flooding with no buffers left: the packet itself still leaves, and nothing leaks. */
static void
floods_without_buffers(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[4];
	static uint32_t taken[BUFFERS];
	unsigned count = 0;
	struct bed b;

	bed_open(&b, 4);
	plain_config(&config, ports, 4);
	configure(&b, &config);
	while (mr_pool_used(b.buffers->pool) < BUFFERS - 10 &&
	    mr_buffers_get(b.buffers, 0, &taken[count], 1))
		count++;
	burst(&b, 0, 1, 255, 255, 10);
	mr_buffers_put(b.buffers, 0, taken, count);
	assert_int_equal(b.sinks[3]->count, 10);
	assert_int_equal(
	    b.sinks[1]->count + b.sinks[2]->count + node_counter(&b, MR_BRIDGE_COUNT_NO_COPY), 20);
	assert_true(node_counter(&b, MR_BRIDGE_COUNT_NO_COPY) >= 10);
	bed_close(&b);
}

/* A tag needs four bytes in front of the frame. */
static void
no_headroom_is_a_drop(void **state)
{
	struct mr_bridge_config config;
	struct mr_bridge_port ports[3];
	uint8_t bytes[64] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8 };
	uint32_t packet;
	struct mr_packet *p;
	struct bed b;

	bed_open(&b, 3);
	plain_config(&config, ports, 3);
	ports[0].mode = MR_BRIDGE_ACCESS;
	ports[0].vlan = 10;
	ports[1].mode = MR_BRIDGE_TRUNK;
	ports[1].vlans[0] = 1u << 10;
	ports[2] = ports[0];
	ports[2].port = 2;
	configure(&b, &config);
	packet = mr_packet_from(b.buffers, 0, bytes, sizeof(bytes));
	p = mr_packet_at(b.buffers->base, packet);
	memmove((uint8_t *)p + MR_PACKET_META_SIZE + 3, mr_packet_bytes(p), sizeof(bytes));
	p->data = MR_PACKET_META_SIZE + 3;
	mr_graph_inject(b.graph, 0, b.node, &packet, 1);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(b.sinks[2]->count, 1);
	assert_int_equal(b.sinks[1]->count, 0);
	assert_int_equal(node_drops(&b, MR_BRIDGE_DROP_NO_HEADROOM), 1);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_the_obvious_switch),
		cmocka_unit_test(against_the_obvious_switch_recording),
		cmocka_unit_test(with_many_ports),
		cmocka_unit_test(storms_are_limited),
		cmocka_unit_test(moves_are_limited),
		cmocka_unit_test(floods_without_buffers),
		cmocka_unit_test(no_headroom_is_a_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

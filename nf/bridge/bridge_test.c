/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the real node in a real graph, against a slow, obvious switch. The
 * model below knows frames as lists of fields, stations as an array, and ports in loops;
 * what leaves each port must be what it says, byte by byte, and every drop must
 * have the reason that it says. Configurations are random and change under way.
 */
#include "kit/graph/explain.h"
#include "nf/bridge/bridge_test_int.h"

#define STATIONS 24u

static uint64_t seed;

static unsigned
draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
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

/* Does by hand what a recording says; every copy that it sends must have been sent. */
static void
replay(const struct bed *b, const struct mr_recording *r)
{
	static struct frame branch[MR_RECORD_BRANCHES_MAX];
	unsigned sent = 0, dropped = 0;

	branch[0].len = r->length;
	memcpy(branch[0].bytes, r->snap, r->snapped);
	for (unsigned i = 0; i < r->count; i++) {
		const struct mr_op *op = &r->ops[i];
		struct frame *f = &branch[op->branch];
		unsigned known, k;

		switch (op->kind) {
		case MR_OP_SET:
			memcpy(f->bytes + op->offset, op->bytes, op->len);
			break;
		case MR_OP_PUSH:
			memmove(f->bytes + op->offset + op->len, f->bytes + op->offset,
			    FRAME_MAX - op->offset - op->len);
			f->len += op->len;
			break;
		case MR_OP_POP:
			memmove(f->bytes + op->offset, f->bytes + op->offset + op->len,
			    FRAME_MAX - op->offset - op->len);
			f->len -= op->len;
			break;
		case MR_OP_COPY:
			branch[op->arg] = *f;
			break;
		case MR_OP_GUARD: {
			uint64_t value = 0;

			memcpy(&value, f->bytes + op->offset, op->len);
			assert_true((value & op->b) == op->a);
			break;
		}
		case MR_OP_DROP:
			dropped++;
			break;
		case MR_OP_OUTPUT:
			/* A few bytes at the end of the snap may have come or gone. */
			known = MR_MIN(f->len, r->snapped - 8u);
			for (k = 0; k < b->sinks[op->arg]->count; k++) {
				const struct frame *out = &b->sinks[op->arg]->frames[k];

				if (out->len == f->len && out->len == op->a &&
				    !memcmp(out->bytes, f->bytes, known))
					break;
			}
			assert_true(k < b->sinks[op->arg]->count);
			sent++;
		}
	}
	assert_true(sent + dropped == r->branches);
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
				for (unsigned n = 0; mr_probe_recording(probe, n); n++)
					replay(&b, mr_probe_recording(probe, n));
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

/* -- explanations --------------------------------------------------------------------- */

static void
keep(void *user, const struct mr_recording *r)
{
	memcpy(user, r, sizeof(*r));
}

/* What leaves no trace: nothing that the node counted, no station. */
static void
explain(struct bed *b, const struct frame *f, uint16_t port, uint16_t flags,
    struct mr_recording *out)
{
	uint64_t drops[MR_BRIDGE_DROP_COUNT], counters[MR_BRIDGE_COUNT_COUNT];
	uint32_t packet = mr_packet_from(b->buffers, MR_POOL_SHARED, f->bytes, f->len);
	uint32_t stations = mr_mac_count(mr_bridge_table(b->bridge));

	for (unsigned r = 0; r < MR_BRIDGE_DROP_COUNT; r++)
		drops[r] = node_drops(b, r);
	for (unsigned c = 0; c < MR_BRIDGE_COUNT_COUNT; c++)
		counters[c] = node_counter(b, c);
	mr_packet_at(b->buffers->base, packet)->flags = flags;
	if (mr_graph_explain(b->graph, port, packet, keep, out, &b->error))
		fail_msg("%s", b->error.text);
	for (unsigned r = 0; r < MR_BRIDGE_DROP_COUNT; r++)
		assert_int_equal(node_drops(b, r), drops[r]);
	for (unsigned c = 0; c < MR_BRIDGE_COUNT_COUNT; c++)
		assert_int_equal(node_counter(b, c), counters[c]);
	assert_int_equal(mr_mac_count(mr_bridge_table(b->bridge)), stations);
	for (unsigned i = 0; i < b->ports; i++)
		assert_int_equal(b->sinks[i]->count, 0);
}

/* One recording is the other, but for the time. */
static void
assert_same(const struct mr_recording *one, const struct mr_recording *two)
{
	assert_int_equal(one->count, two->count);
	assert_int_equal(one->flags, two->flags);
	assert_int_equal(one->branches, two->branches);
	assert_int_equal(one->port, two->port);
	for (unsigned i = 0; i < one->count; i++) {
		struct mr_op a = one->ops[i], b = two->ops[i];

		if (a.kind == MR_OP_NODE)
			a.a = b.a;
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

/* What is said beforehand is what happens then. */
static void
explained_as_done(void **state)
{
	static struct switch_model model;
	static struct mr_recording said;
	unsigned ports = 6, learned = 0, branches = 0;
	uint8_t home[STATIONS];
	struct bed b;

	seed = 0x2024;
	bed_open(&b, ports);
	for (unsigned n = 0; n < 3000; n++) {
		struct mr_probe_config trace = {
			.trace = true,
			.port = MR_PROBE_ANY,
			.node = MR_PROBE_ANY,
			.count = 1,
			.buffers = b.buffers,
			.workers = 1,
		};
		struct mr_probe *probe;
		uint16_t in, flags;
		struct frame f;

		if (n % 60 == 0) {
			draw_config(&model, ports);
			if (draw(2))
				model.config.move_limit = 1 + draw(3);
			configure(&b, &model.config);
		}
		for (unsigned s = 0; s < STATIONS; s++)
			home[s] = (uint8_t)draw(ports);
		draw_frame(&f, &in, &flags, home);
		explain(&b, &f, in, flags, &said);
		assert_int_equal(mr_probe_create(&probe, &trace, &b.error), 0);
		assert_int_equal(mr_graph_attach(b.graph, probe, &b.error), 0);
		inject(&b, &f, &in, &flags, 1);
		assert_non_null(mr_probe_recording(probe, 0));
		assert_same(&said, mr_probe_recording(probe, 0));
		replay(&b, &said);
		for (unsigned i = 0; i < said.count; i++)
			learned += said.ops[i].kind == MR_OP_NOTE && said.ops[i].text &&
			    strstr(said.ops[i].text, "learned on");
		branches += said.branches > 1;
		for (unsigned i = 0; i < ports; i++)
			b.sinks[i]->count = 0;
		mr_graph_detach(b.graph, probe);
		mr_probe_destroy(probe);
	}
	assert_true(learned > 200 && branches > 200);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_the_obvious_switch),
		cmocka_unit_test(against_the_obvious_switch_recording),
		cmocka_unit_test(with_many_ports),
		cmocka_unit_test(explained_as_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same packets through two data planes, one with the flow lane and one without: each must leave
 * both with the same bytes, or neither. Inside ports are unique and preserved, so that both choose
 * the same outside ones.
 */
#include <unistd.h>

#include "nf/nat/nat_test_int.h"

#define FLOWS 40u
#define PACKETS 30000u

static const char config_text[] = "interface:\n"
				  "  lan: {driver: \"null\", cross-connect: wan}\n"
				  "  wan: {driver: \"null\", cross-connect: lan}\n"
				  "nat:\n"
				  "  instance:\n"
				  "    x: {outside: [wan], inside: [lan], pool: [203.0.113.8], "
				  "hold-syn: 0, %s}\n"
				  "lanes: {mode: %s}\n";

struct plane {
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_nat *nat;
	uint16_t port[2], node[2];
	struct mr_port_driver driver[2];
	struct frame sent;
	unsigned count;
};

static struct mr_model *model;
static struct mr_log quiet;
static struct plane *now_on;

static int
make(void **state)
{
	struct mr_error error;

	mr_log_init_fd(&quiet, 2, MR_LOG_ERROR);
	return mr_nf_model(&model, &error);
}

static int
unmake(void **state)
{
	mr_model_destroy(model);
	return 0;
}

static unsigned
keep_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		now_on->sent.len = p->len;
		memcpy(now_on->sent.bytes, mr_packet_bytes_const(p), p->len);
		now_on->count++;
	}
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static void
open_plane(struct plane *s, const char *body, const char *mode)
{
	static const char *const names[2] = { "lan", "wan" };
	struct mr_config *config = NULL;
	struct mr_report *report;
	char text[1024];

	snprintf(text, sizeof(text), config_text, body, mode);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "t", text, strlen(text), report) ||
	    mr_dataplane_create(&s->dp, config, &quiet, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	mr_config_destroy(config);
	s->graph = mr_dataplane_graph(s->dp);
	s->nat = mr_nat_of(s->dp);
	for (unsigned i = 0; i < 2; i++) {
		const struct mr_interface *in =
		    mr_interface_find(mr_interfaces_of(s->dp), names[i]);

		s->port[i] = in->index;
		s->node[i] = mr_graph_input(s->graph, in->index);
		s->driver[i] = *in->port->driver;
		s->driver[i].tx = keep_tx;
		in->port->driver = &s->driver[i];
		in->port->caps &= ~(uint32_t)MR_PORT_SINK;
		mr_graph_set_port_up(s->graph, in->index, true);
	}
	assert_int_equal(mr_graph_commit(s->graph, &(struct mr_error){ 0 }), false);
}

static bool
pass(struct plane *s, unsigned side, const struct frame *f)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(s->dp);
	uint32_t packet = mr_packet_from(buffers, 0, f->bytes, f->len);
	struct mr_packet *p = mr_packet_at(buffers->base, packet);

	now_on = s;
	s->count = 0;
	p->port = s->port[side];
	assert_true(mr_dataplane_address(s->dp, s->port[side], 0, mr_packet_bytes(p)));
	mr_graph_inject(s->graph, 0, s->node[side], &packet, 1);
	mr_graph_pass(s->graph, 0);
	assert_true(s->count <= 1);
	return s->count == 1;
}

/* One flow of the inside, or somebody who comes from outside to its port. */
struct talk {
	struct pkt out;
	bool open;
};

static void
begin(struct talk *t, unsigned i, uint64_t *seed)
{
	*t = (struct talk){ .out = { .src = HOST + i % 5,
				.sport = (uint16_t)(2000 + i / 2),
				.dst = REMOTE + draw(seed) % 3,
				.dport = (uint16_t)(80 + draw(seed) % 2) } };
	/* Each port is one host's, and twice there. */
	t->out.src = HOST + i / 2 % 5;
	t->out.proto = i / 2 % 4 == 0 ? ICMP : i / 2 % 4 == 1 ? UDP : TCP;
}

/* Without resets: what comes in the same second behind one that closed nothing is replayed as before,
 * see a_reset_is_noticed. */
static unsigned
next_frame(struct talk *t, struct frame *f, uint64_t *seed)
{
	unsigned side = draw(seed) & 1, what = (unsigned)draw(seed) % 40;
	struct pkt p = t->out;

	p.len = (unsigned)draw(seed) % 100;
	p.bad_sum = draw(seed) % 60 == 0;
	p.no_sum = draw(seed) % 8 == 0;
	if (side) {
		p.src = t->out.dst;
		p.dst = POOL;
		p.sport = t->out.dport;
		p.dport = t->out.sport;
		if (draw(seed) % 10 == 0)
			p.src = REMOTE + draw(seed) % 4;
		if (draw(seed) % 20 == 0)
			p.sport = (uint16_t)(80 + draw(seed) % 3);
		if (draw(seed) % 30 == 0)
			p.dport = (uint16_t)(2000 + draw(seed) % 30);
	}
	if (p.proto == ICMP) {
		p.flags = side ? 0 : 8;
		p.sport = t->out.sport;
		if (draw(seed) % 20 == 0)
			p.flags = 8;
	} else if (p.proto == TCP) {
		p.flags = MR_TCP_ACK;
		if (!t->open || what == 0)
			p.flags = side ? MR_TCP_SYN | MR_TCP_ACK : MR_TCP_SYN;
		else if (what == 1)
			p.flags = MR_TCP_FIN | MR_TCP_ACK;
		t->open |= side && (p.flags & MR_TCP_SYN);
	}
	frame_make(f, &p);
	return side;
}

static uint64_t
replayed(const struct plane *s)
{
	struct mr_node_stats stats;
	uint64_t n = 0;

	for (uint16_t i = 0; i < mr_graph_node_count(s->graph); i++)
		if (!strncmp(mr_graph_node_name(s->graph, i), "flow-lane@", 10) &&
		    !mr_graph_node_stats(s->graph, i, &stats))
			n += stats.counters[0];
	return n;
}

/* Workers look at the clock eight times in a second. */
static void
next_second(uint32_t before)
{
	while (nat_seconds() == before)
		usleep(20000);
	usleep(130000);
}

/* Both wait for a second to begin: what is found once in a second is found now. */
static void
age(struct plane *s, uint64_t *seed)
{
	uint32_t before = nat_seconds();
	uint32_t by = (uint32_t)(100 + draw(seed) % 300);

	for (unsigned k = 0; k < 2; k++)
		for (uint32_t i = 1; i <= s[k].nat->core->table->top; i++)
			s[k].nat->core->table->entries[i].seen -= by;
	next_second(before);
}

static void
agree(const char *body, bool ageing)
{
	static struct plane s[2];
	struct talk talks[FLOWS];
	uint64_t seed = 4711, through = 0;
	struct frame f;

	memset(s, 0, sizeof(s));
	open_plane(&s[0], body, "graph");
	open_plane(&s[1], body, "flow");
	for (unsigned i = 0; i < FLOWS; i++)
		begin(&talks[i], i, &seed);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct talk *t = &talks[draw(&seed) % FLOWS];
		unsigned side = next_frame(t, &f, &seed);
		bool one = pass(&s[0], side, &f), two = pass(&s[1], side, &f);

		if (one != two)
			fail_msg("%s: packet %u: %s without the lane, %s with it", body, i,
			    one ? "passes" : "dropped", two ? "passes" : "dropped");
		if (one &&
		    (s[0].sent.len != s[1].sent.len ||
			memcmp(s[0].sent.bytes + 12, s[1].sent.bytes + 12, s[0].sent.len - 12) !=
			    0))
			fail_msg("%s: packet %u: other bytes with the lane", body, i);
		through += one;
		if (ageing && i == PACKETS / 2)
			age(s, &seed);
	}
	assert_true(through > PACKETS / 10 && through < PACKETS);
	assert_true(replayed(&s[1]) > PACKETS / 10);
	for (unsigned k = 0; k < 2; k++)
		mr_dataplane_destroy(s[k].dp);
}

static void
open_filter(void **state)
{
	agree("mapping: endpoint-independent", false);
}

static void
by_address(void **state)
{
	agree("filtering: address-dependent, inbound-refresh: true", false);
}

static void
by_port(void **state)
{
	agree("filtering: address-and-port-dependent", true);
}

/* A mapping that is over is not replayed past its second; a change of the configuration at once. */
static void
what_is_gone_is_not_replayed(void **state)
{
	static struct plane s;
	struct pkt o = { .src = HOST, .sport = 5000, .dst = REMOTE, .dport = 53, .proto = UDP };
	struct pkt back = { .src = REMOTE, .sport = 53, .dst = POOL, .dport = 5000, .proto = UDP };
	struct nat_table *t;
	struct frame f;

	memset(&s, 0, sizeof(s));
	open_plane(&s, "mapping: endpoint-independent", "flow");
	t = s.nat->core->table;
	for (unsigned i = 0; i < 6; i++) {
		assert_true(pass(&s, 0, frame_make(&f, &o)));
		assert_true(pass(&s, 1, frame_make(&f, &back)));
	}
	assert_true(replayed(&s) > 4);
	assert_true(nat_end(t, MR_POOL_SHARED, 1, t->entries[1].word, nat_seconds()));
	mr_generation_bump(&s.nat->core->settings);
	assert_false(pass(&s, 1, frame_make(&f, &back)));
	assert_true(pass(&s, 0, frame_make(&f, &o)));
	assert_true(pass(&s, 1, frame_make(&f, &back)));
	/* The lane keeps a mapping alive that only it sees. */
	for (unsigned i = 0; i < 6; i++)
		assert_true(pass(&s, 0, frame_make(&f, &o)));
	t->entries[t->top].seen -= 299;
	next_second(nat_seconds());
	assert_true(pass(&s, 0, frame_make(&f, &o)));
	assert_true(nat_seconds() - t->entries[t->top].seen <= 1);
	mr_dataplane_destroy(s.dp);
}

/* A reset shortens a session's time; the first packet in the next second opens it again, and all are
 * let through. */
static void
a_reset_is_noticed(void **state)
{
	static struct plane s;
	struct pkt o = { .src = HOST,
		.sport = 5000,
		.dst = REMOTE,
		.dport = 80,
		.proto = TCP,
		.flags = MR_TCP_SYN };
	struct pkt back = { .src = REMOTE,
		.sport = 80,
		.dst = POOL,
		.dport = 5000,
		.proto = TCP,
		.flags = MR_TCP_SYN | MR_TCP_ACK };
	const struct nat_entry *e;
	struct frame f;

	memset(&s, 0, sizeof(s));
	open_plane(&s, "mapping: endpoint-independent", "flow");
	e = &s.nat->core->table->entries[1];
	assert_true(pass(&s, 0, frame_make(&f, &o)));
	assert_true(pass(&s, 1, frame_make(&f, &back)));
	o.flags = back.flags = MR_TCP_ACK;
	for (unsigned i = 0; i < 5; i++) {
		assert_true(pass(&s, 0, frame_make(&f, &o)));
		assert_true(pass(&s, 1, frame_make(&f, &back)));
	}
	assert_true(replayed(&s) > 4);
	back.flags = MR_TCP_RST;
	assert_true(pass(&s, 1, frame_make(&f, &back)));
	assert_int_equal(e->state, NAT_TCP_SHORT);
	next_second(nat_seconds());
	assert_true(pass(&s, 0, frame_make(&f, &o)));
	assert_int_equal(e->state, NAT_TCP_OPEN);
	assert_true(pass(&s, 0, frame_make(&f, &o)));
	mr_dataplane_destroy(s.dp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_filter),
		cmocka_unit_test(by_address),
		cmocka_unit_test(by_port),
		cmocka_unit_test(what_is_gone_is_not_replayed),
		cmocka_unit_test(a_reset_is_noticed),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random lists and random packets, judged by the nodes and by a slow, obvious reading of the rules
 * that knows neither prefixes nor classifiers. Lists change a little from configuration to
 * configuration, so that most of what judges is what changes left behind.
 */
#include "nf/acl/acl.h"
#include "nf/acl/acl_test_int.h"
#include "nf/conntrack/track.h"

#define RULES_MAX 60u
#define LISTS 3u

static uint64_t seed = 7;

static unsigned
draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* A condition on a number: first to last of `with`, and not of `without`; absent: with_count 0. */
struct spans {
	unsigned with_count, without_count;
	struct {
		uint32_t first, last;
	} with[3], without[2];
};

struct rule {
	unsigned name;
	unsigned family; /* 0, 4, 6 */
	struct spans src, dst, proto, sport, dport;
	unsigned flags_mask, flags_value;
	int icmp; /* type, -1: not asked */
	struct spans dscp, vlan;
	unsigned fragment; /* 0: not asked; 1 no, 2 first, 3 later, 4 any */
	unsigned states;
	unsigned mark, set_mark; /* 0: none */
	enum acl_action action;
	unsigned to;
};

struct list {
	struct rule rules[RULES_MAX];
	unsigned count;
	enum acl_action decide;
	bool stateful;
};

static struct list lists[LISTS];
static bool stateless; /* rules do not look at states */

/* -- random rules ------------------------------------------------------------------------------- */

static uint32_t
draw_address(void)
{
	static const uint32_t pool[] = { 0x0a000000, 0x0a000100, 0xc0000200, 0xc0000280 };

	return pool[draw(4)] + draw(24);
}

static void
draw_spans(struct spans *s, uint32_t (*value)(void), unsigned width)
{
	memset(s, 0, sizeof(*s));
	for (unsigned n = 1 + draw(3); n > 0; n--) {
		uint32_t first = value();
		bool there = false;

		/* A configuration has no value twice. */
		for (unsigned i = 0; i < s->with_count; i++)
			there |= s->with[i].first == first;
		if (there)
			continue;
		s->with[s->with_count].first = first;
		s->with[s->with_count++].last = first + (draw(2) ? 0 : draw(width));
	}
	if (draw(4) == 0) {
		s->without[0].first = s->with[0].first;
		s->without[0].last = s->without[0].first + draw(width / 2 + 1);
		/* Something has to be left. */
		if (s->without[0].last >= s->with[0].last)
			s->without_count = 0;
		else
			s->without_count = 1;
	}
}

static uint32_t
draw_port(void)
{
	return 78 + draw(12);
}

static uint32_t
draw_proto(void)
{
	static const uint8_t pool[] = { 6, 17, 6, 17, 1, 58, 47 };

	return pool[draw(sizeof(pool))];
}

static uint32_t
draw_small(void)
{
	return draw(6);
}

static void
draw_rule(struct rule *r, unsigned name, unsigned list)
{
	static const unsigned flags[] = { MR_TCP_SYN, MR_TCP_ACK, MR_TCP_FIN };

	memset(r, 0, sizeof(*r));
	r->name = name;
	r->icmp = -1;
	if (draw(6) == 0)
		r->family = draw(2) ? 4 : 6;
	if (draw(2))
		draw_spans(&r->src, draw_address, 30);
	if (draw(2))
		draw_spans(&r->dst, draw_address, 30);
	switch (draw(5)) {
	case 0:
		draw_spans(&r->proto, draw_proto, 1);
		break;
	case 1:
		r->proto.with_count = 1;
		r->proto.with[0].first = r->proto.with[0].last = 6;
		if (draw(2)) {
			r->flags_mask = flags[draw(3)] | flags[draw(3)];
			r->flags_value = draw(2) ? r->flags_mask : flags[draw(3)] & r->flags_mask;
		}
		/* fall through */
	case 2:
		if (draw(2))
			draw_spans(&r->sport, draw_port, 4);
		if (draw(3))
			draw_spans(&r->dport, draw_port, 4);
		break;
	case 3:
		r->icmp = (int)draw(4);
		r->family = r->family ? r->family : draw(2) ? 4 : 6;
		break;
	default:
		break;
	}
	if (draw(10) == 0)
		draw_spans(&r->dscp, draw_small, 4);
	if (draw(10) == 0)
		draw_spans(&r->vlan, draw_small, 4);
	if (draw(12) == 0)
		r->fragment = 1 + draw(4);
	if (draw(5) == 0 && !stateless)
		r->states = 1 + draw(31);
	if (draw(10) == 0)
		r->mark = 1 + draw(3);
	if (draw(10) == 0)
		r->set_mark = 1 + draw(3);
	r->action = (enum acl_action)draw(ACL_ACTIONS);
	if (r->action == ACL_REJECT)
		r->action = ACL_DROP;
	r->to = list + 1;
	if ((r->action == ACL_JUMP || r->action == ACL_GOTO) && r->to >= LISTS)
		r->action = ACL_CONTINUE;
}

static void
change_list(unsigned n)
{
	static unsigned names;
	struct list *l = &lists[n];

	if (draw(4) == 0)
		l->decide = draw(2) ? ACL_ACCEPT : ACL_DROP;
	if (draw(8) == 0)
		l->stateful = draw(2) && !stateless;
	for (unsigned k = draw(4); k > 0; k--) {
		unsigned at = draw(l->count + 1);

		switch (draw(4)) {
		case 0:
			if (at == l->count)
				break;
			memmove(&l->rules[at], &l->rules[at + 1],
			    (l->count - at - 1) * sizeof(l->rules[0]));
			l->count--;
			break;
		case 1:
			if (at < l->count)
				draw_rule(&l->rules[at], l->rules[at].name, n);
			break;
		case 2:
			/* Two change places. */
			if (at + 1 < l->count) {
				struct rule r = l->rules[at];

				l->rules[at] = l->rules[at + 1];
				l->rules[at + 1] = r;
			}
			break;
		default:
			if (l->count == RULES_MAX)
				break;
			memmove(&l->rules[at + 1], &l->rules[at],
			    (l->count - at) * sizeof(l->rules[0]));
			draw_rule(&l->rules[at], ++names, n);
			l->count++;
		}
	}
}

/* -- as text ------------------------------------------------------------------------------------- */

static void
print_address(FILE *f, uint32_t a, bool six)
{
	if (six)
		fprintf(f, "2001:db8::%x:%x", a >> 16, a & 0xffff);
	else
		fprintf(f, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void
print_list(FILE *f, const char *leaf, const struct spans *s, bool without, unsigned family)
{
	unsigned count = without ? s->without_count : s->with_count;
	const char *comma = "";

	if (!count)
		return;
	fprintf(f, ", %s%s: [", leaf, without ? "-not" : "");
	for (unsigned i = 0; i < count; i++) {
		uint32_t first = without ? s->without[i].first : s->with[i].first;
		uint32_t last = without ? s->without[i].last : s->with[i].last;

		for (unsigned six = 0; six < 2; six++) {
			if (family && family != (six ? 6u : 4u))
				continue;
			fprintf(f, "%s\"", comma);
			print_address(f, first, six);
			fprintf(f, "-");
			print_address(f, last, six);
			fprintf(f, "\"");
			comma = ", ";
		}
	}
	fprintf(f, "]");
}

static void
print_numbers(FILE *f, const char *leaf, const struct spans *s, bool without)
{
	unsigned count = without ? s->without_count : s->with_count;

	if (!count)
		return;
	fprintf(f, ", %s%s: [", leaf, without ? "-not" : "");
	for (unsigned i = 0; i < count; i++) {
		uint32_t first = without ? s->without[i].first : s->with[i].first;
		uint32_t last = without ? s->without[i].last : s->with[i].last;

		if (first == last)
			fprintf(f, "%s\"%u\"", i ? ", " : "", first);
		else
			fprintf(f, "%s\"%u-%u\"", i ? ", " : "", first, last);
	}
	fprintf(f, "]");
}

static void
print_rule(FILE *f, const struct rule *r)
{
	static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack" };
	static const char *const fragments[] = { "", "\"no\"", "first", "later", "any" };
	static const char *const states[] = { "new", "established", "related", "invalid",
		"untracked" };
	const char *comma = "";

	fprintf(f, "        - {name: %u", r->name);
	if (r->family)
		fprintf(f, ", family: ip%u", r->family);
	for (unsigned without = 0; without < 2; without++) {
		print_list(f, "source", &r->src, without, r->family);
		print_list(f, "destination", &r->dst, without, r->family);
		print_numbers(f, "protocol", &r->proto, without);
		print_numbers(f, "source-port", &r->sport, without);
		print_numbers(f, "destination-port", &r->dport, without);
		if (without)
			continue;
		print_numbers(f, "dscp", &r->dscp, false);
		print_numbers(f, "vlan", &r->vlan, false);
	}
	if (r->icmp >= 0)
		fprintf(f, ", %s: %d", r->family == 4 ? "icmp-type" : "icmp6-type", r->icmp);
	if (r->flags_mask) {
		fprintf(f, ", tcp-flags: \"");
		for (unsigned i = 0; i < 5; i++) {
			if (!(r->flags_mask >> i & 1))
				continue;
			fprintf(f, "%s%s%s", comma, r->flags_value >> i & 1 ? "" : "!", flags[i]);
			comma = ",";
		}
		fprintf(f, "\"");
	}
	if (r->fragment)
		fprintf(f, ", fragment: %s", fragments[r->fragment]);
	if (r->states) {
		fprintf(f, ", state: [");
		for (unsigned i = 0; i < 5; i++)
			if (r->states >> i & 1)
				fprintf(f, "%s, ", states[i]);
		fprintf(f, "]");
	}
	if (r->mark)
		fprintf(f, ", mark: \"%u\"", r->mark);
	if (r->set_mark)
		fprintf(f, ", set-mark: \"%u\"", r->set_mark);
	fprintf(f, ", action: %s", acl_action_names[r->action]);
	if (r->action == ACL_JUMP || r->action == ACL_GOTO)
		fprintf(f, ", to: l%u", r->to);
	fprintf(f, "}\n");
}

static char *
print_all(void)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "acl:\n  interface: {a: {in: l0}, %s: {out: l1}}\n  list:\n",
	    stateless ? "c" : "b");
	for (unsigned n = 0; n < LISTS; n++) {
		fprintf(f, "    l%u:\n      default: %s\n      stateful: %s\n", n,
		    acl_action_names[lists[n].decide], lists[n].stateful ? "true" : "false");
		fprintf(f, "      neighbor-discovery: rules\n      rule:\n");
		for (unsigned i = 0; i < lists[n].count; i++)
			print_rule(f, &lists[n].rules[i]);
		if (!lists[n].count)
			fprintf(f, "        []\n");
	}
	fclose(f);
	return text;
}

/* -- the obvious reading --------------------------------------------------------------------------- */

static bool
in(const struct spans *s, uint32_t value)
{
	bool yes = !s->with_count;

	for (unsigned i = 0; i < s->with_count; i++)
		yes |= value >= s->with[i].first && value <= s->with[i].last;
	for (unsigned i = 0; i < s->without_count; i++)
		yes &= value < s->without[i].first || value > s->without[i].last;
	return yes;
}

static bool
matches(const struct rule *r, const struct packet *p, unsigned state, uint32_t mark)
{
	bool whole = p->fragment != 3;
	bool ports = whole && (p->proto == 6 || p->proto == 17);
	bool icmp = whole && p->proto == (p->family == 4 ? 1 : 58);
	bool fragments[] = { true, !p->fragment, p->fragment == 2, p->fragment == 3,
		p->fragment != 0 };

	if (r->family && r->family != p->family)
		return false;
	if ((r->sport.with_count || r->dport.with_count || r->flags_mask) && !ports)
		return false;
	if (r->icmp >= 0 && (!icmp || (int)p->type != r->icmp))
		return false;
	if (r->flags_mask && (p->proto != 6 || (p->tcp_flags & r->flags_mask) != r->flags_value))
		return false;
	return in(&r->src, p->src) && in(&r->dst, p->dst) && in(&r->proto, p->proto) &&
	    in(&r->sport, p->sport) && in(&r->dport, p->dport) && in(&r->dscp, p->dscp) &&
	    in(&r->vlan, p->vlan) && fragments[r->fragment] &&
	    (!r->states || (r->states & state)) && (!r->mark || r->mark == mark);
}

enum said { FALLS_OUT, ACCEPTS, DROPS };

/* -1: no verdict. */
static enum said
read_list(const struct list *l, const struct packet *p, unsigned state, uint32_t *mark)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct rule *r = &l->rules[i];
		enum said said;

		if (!matches(r, p, state, *mark))
			continue;
		if (r->set_mark)
			*mark = r->set_mark;
		switch (r->action) {
		case ACL_ACCEPT:
			return ACCEPTS;
		case ACL_DROP:
			return DROPS;
		case ACL_JUMP:
		case ACL_GOTO:
			said = read_list(&lists[r->to], p, state, mark);
			if (said != FALLS_OUT || r->action == ACL_GOTO)
				return said;
			break;
		case ACL_RETURN:
			return FALLS_OUT;
		default:
			break;
		}
	}
	return FALLS_OUT;
}

static bool
passes(const struct list *l, const struct packet *p, unsigned state, uint32_t *mark)
{
	enum said said;

	if (l->stateful && (state & (MR_TRACK_ESTABLISHED | MR_TRACK_RELATED)))
		return true;
	if (l->stateful && state == MR_TRACK_INVALID)
		return false;
	said = read_list(l, p, state, mark);
	return said == FALLS_OUT ? l->decide == ACL_ACCEPT : said == ACCEPTS;
}

/* -- packets -------------------------------------------------------------------------------------- */

static void
draw_packet(struct packet *p)
{
	static const unsigned flags[] = { MR_TCP_SYN, MR_TCP_ACK, MR_TCP_FIN, 0x12, 0x11, 0 };

	memset(p, 0, sizeof(*p));
	p->family = draw(2) ? 4 : 6;
	p->src = draw_address();
	p->dst = draw_address();
	p->proto = draw_proto();
	p->dscp = draw(8) ? 0 : draw(7);
	p->vlan = draw(8) ? 0 : draw(7);
	p->fragment = draw(12) ? 0 : 2 + draw(2);
	p->payload = 64;
	if (p->proto == 6 || p->proto == 17) {
		p->sport = draw_port();
		p->dport = draw_port();
	}
	if (p->proto == 6)
		p->tcp_flags = flags[draw(6)];
	if (p->proto == 1 || p->proto == 58)
		p->type = draw(4);
	if (p->fragment == 3)
		p->sport = p->dport = p->tcp_flags = p->type = 0;
}

static void
compare(struct acl_bed *b, unsigned list, const char *node)
{
	static struct frame frames[MR_VECTOR_MAX];
	struct packet packets[MR_VECTOR_MAX];
	uint32_t tracks[MR_VECTOR_MAX];
	unsigned count = 1 + draw(MR_VECTOR_MAX), states[MR_VECTOR_MAX];

	for (unsigned i = 0; i < count; i++) {
		draw_packet(&packets[i]);
		make_frame(&frames[i], &packets[i]);
		states[i] = 1u << draw(5);
		tracks[i] = mr_track_word(0, states[i], false);
	}
	bed_run(b, node, frames, tracks, count);
	for (unsigned i = 0; i < count; i++) {
		/* Without a rule about states nobody tracks. */
		bool tracked = atomic_load(&b->acl->world)->tracked;
		uint32_t mark = 0;
		bool pass = passes(&lists[list], &packets[i],
		    tracked ? states[i] : MR_TRACK_UNTRACKED, &mark);

		if ((b->outcome[i] == PASSED) != pass || (pass && b->mark[i] != mark)) {
			char *text = print_all();

			fail_msg(
			    "%s\npacket %u: family %u %x > %x proto %u ports %u %u flags %x type "
			    "%u dscp %u vlan %u fragment %u state %u: %s, mark %u, not %u",
			    text, i, packets[i].family, packets[i].src, packets[i].dst,
			    packets[i].proto, packets[i].sport, packets[i].dport,
			    packets[i].tcp_flags, packets[i].type, packets[i].dscp, packets[i].vlan,
			    packets[i].fragment, states[i], pass ? "passes" : "does not pass",
			    b->mark[i], mark);
		}
	}
}

/* The next configuration is prepared, and then another function cannot: nothing has changed. */
static void
prepare_and_abort(struct acl_bed *b, const char *text)
{
	struct mr_config *config = NULL;
	struct mr_error error;
	char said[500];

	load(text, &config, said, sizeof(said));
	assert_string_equal(said, "");
	/* Interfaces' names are looked up among those in force: they are the same. */
	assert_int_equal(mr_nf_acl.prepare(b->acl, config, &error), 0);
	mr_nf_acl.abort(b->acl);
	mr_config_destroy(config);
}

static void
lists_say_what_they_mean(void **state)
{
	struct acl_bed b;
	char *text;

	for (unsigned n = 0; n < LISTS; n++)
		for (unsigned i = 0; i < 20; i++)
			change_list(n);
	text = print_all();
	bed_open(&b, text);
	free(text);
	for (unsigned round = 0; round < 120; round++) {
		for (unsigned i = 0; i < 3; i++) {
			compare(&b, 0, "acl-in@a");
			compare(&b, 1, "acl-out@b");
		}
		for (unsigned n = 0; n < LISTS; n++)
			if (draw(2))
				change_list(n);
		text = print_all();
		if (draw(5) == 0)
			prepare_and_abort(&b, text);
		bed_apply(&b, text);
		free(text);
	}
	bed_close(&b);
}

/* -- through the flow lane ------------------------------------------------------------------------- */

static uint64_t
sent(const struct acl_bed *b)
{
	const struct mr_interface *c = mr_interface_find(mr_interfaces_of(b->dp), "c");

	return atomic_load(&c->port->tx_stats[0].packets);
}

/* One packet in at a, out by c if both lists let it. */
static void
send_through(struct acl_bed *b, const struct packet *packet)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	uint16_t a = mr_interface_find(mr_interfaces_of(b->dp), "a")->index;
	uint64_t before = sent(b);
	uint32_t handle, mark = 0;
	uint8_t mac[6] = { 0 };
	struct frame frame;
	bool pass;

	make_frame(&frame, packet);
	(void)mr_dataplane_address(b->dp, a, 0, mac);
	memcpy(frame.bytes, mac, 6);
	handle = mr_packet_from(buffers, 0, frame.bytes, frame.len);
	assert_int_not_equal(handle, MR_PACKET_NONE);
	mr_packet_at(buffers->base, handle)->port = a;
	mr_graph_inject(b->graph, 0, mr_graph_input(b->graph, a), &handle, 1);
	mr_graph_pass(b->graph, 0);
	pass = passes(&lists[0], packet, MR_TRACK_UNTRACKED, &mark) &&
	    passes(&lists[1], packet, MR_TRACK_UNTRACKED, &mark);
	if (sent(b) - before != pass) {
		char *text = print_all();

		fail_msg(
		    "%s\nfamily %u %x > %x proto %u ports %u %u flags %x type %u dscp %u vlan %u "
		    "fragment %u: %s",
		    text, packet->family, packet->src, packet->dst, packet->proto, packet->sport,
		    packet->dport, packet->tcp_flags, packet->type, packet->dscp, packet->vlan,
		    packet->fragment, pass ? "does not pass" : "passes");
	}
}

static uint64_t
replayed(const struct acl_bed *b)
{
	struct mr_node_stats s;

	assert_int_equal(mr_graph_node_stats(b->graph, node_of(b, "flow-lane@a"), &s), 0);
	return s.counters[0];
}

static void
the_flow_lane_says_the_same(void **state)
{
	struct packet packets[64];
	uint64_t sum = 0;
	struct acl_bed b;
	char *text;

	bed_interfaces(
	    "lanes: {mode: flow}\ninterface: {a: {driver: \"null\", cross-connect: c}, b: "
	    "{driver: \"null\"}, c: {driver: \"null\"}}\n");
	stateless = true;
	memset(lists, 0, sizeof(lists));
	for (unsigned n = 0; n < LISTS; n++)
		for (unsigned i = 0; i < 12; i++)
			change_list(n);
	text = print_all();
	bed_open(&b, text);
	free(text);
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < 64; i++)
			draw_packet(&packets[i]);
		for (unsigned i = 0; i < 600; i++) {
			struct packet *p = &packets[draw(64)];

			/* What is no part of a flow's key. */
			p->dscp = draw(8) ? 0 : draw(7);
			if (p->proto == 6 && !p->fragment)
				p->tcp_flags = draw(8) ? MR_TCP_ACK : MR_TCP_SYN;
			send_through(&b, p);
		}
		sum += replayed(&b);
		change_list(draw(LISTS));
		text = print_all();
		bed_apply(&b, text);
		free(text);
	}
	print_message("%llu packets were replayed\n", (unsigned long long)sum);
	assert_true(sum > 5000);
	bed_close(&b);
	bed_interfaces(NULL);
}

static void
limits_and_counts_in_the_flow_lane(void **state)
{
	static const char one[] = "acl: {interface: {a: {in: l}}, list: {l: {default: drop, rule: "
				  "[{name: all, action: continue}, "
				  "{name: r, protocol: udp, limit: {rate: 1, per: hour, burst: "
				  "50}, action: accept}]}}}\n";
	struct packet p = { .family = 4,
		.src = 1,
		.dst = 2,
		.proto = 17,
		.dport = 5,
		.payload = 20 };
	uint64_t before;
	struct acl_bed b;

	bed_interfaces(
	    "lanes: {mode: flow}\ninterface: {a: {driver: \"null\", cross-connect: c}, b: "
	    "{driver: \"null\"}, c: {driver: \"null\"}}\n");
	bed_open(&b, one);
	before = sent(&b);
	lists[0].count = lists[1].count = 0;
	for (unsigned i = 0; i < 80; i++) {
		lists[0].decide = i < 50 ? ACL_ACCEPT : ACL_DROP;
		lists[1].decide = ACL_ACCEPT;
		send_through(&b, &p);
	}
	assert_int_equal(sent(&b) - before, 50);
	print_message("%u replayed\n", (unsigned)replayed(&b));
	assert_true(replayed(&b) >= 70);
	/* A worker settles its accounts before it takes up another plan. */
	bed_apply(&b, one);
	mr_graph_pass(b.graph, 0);
	assert_int_equal(rule_packets(&b, "l", "all"), 80);
	assert_int_equal(rule_packets(&b, "l", "r"), 50);
	assert_int_equal(rule_packets(&b, "l", "default"), 30);
	bed_close(&b);
	bed_interfaces(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_say_what_they_mean),
		cmocka_unit_test(the_flow_lane_says_the_same),
		cmocka_unit_test(limits_and_counts_in_the_flow_lane),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}

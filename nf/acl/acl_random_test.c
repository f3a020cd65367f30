/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random lists and random packets, judged by the nodes and by a slow, obvious reading of the rules
 * that knows neither prefixes nor classifiers. Lists change a little from configuration to
 * configuration, so that most of what judges is what changes left behind.
 */
#include "nf/acl/acl.h"
#include "nf/acl/acl_random_int.h"

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

/* SPDX-License-Identifier: Apache-2.0 */

/* Flow rules from the configuration: what is wrong with them, what they do, what a change keeps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/packet/wire.h"
#include "nf/dataplane.h"
#include "nf/flows/flows.h"
#include "nf/interface/interface.h"
#include "nf/lanes/lanes.h"

static struct mr_model *model;
static struct mr_log quiet;

static const char ports[] = "interface:\n"
			    "  a: {driver: \"null\", cross-connect: b}\n"
			    "  b: {driver: \"null\", cross-connect: a}\n"
			    "  c: {driver: \"null\"}\n";

static int
make_model(void **state)
{
	struct mr_error error;

	mr_log_init_fd(&quiet, 2, MR_LOG_ERROR);
	return mr_nf_model(&model, &error);
}

static int
free_model(void **state)
{
	mr_model_destroy(model);
	return 0;
}

static struct mr_config *
load(const char *text, char *said, size_t size)
{
	char yaml[4096];
	struct mr_config *config = NULL;
	struct mr_report *report;

	snprintf(yaml, sizeof(yaml), "%s%s", ports, text);
	assert_int_equal(mr_report_create(&report), 0);
	said[0] = '\0';
	if (mr_config_parse(&config, model, "t", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(config, report);
	if (mr_report_count(report))
		mr_report_format(report, 0, said, size);
	mr_report_destroy(report);
	return config;
}

static void
wrong_configurations_are_named(void **state)
{
	static const struct {
		const char *rule, *said;
	} cases[] = {
		{ "match: {destination-port: \"80\"}, action: drop", "tcp, udp or sctp" },
		{ "match: {protocol: tcp, destination-port: \"90-80\"}, action: drop", "range" },
		{ "match: {protocol: tcp, source-port: \"70000\"}, action: drop", "range" },
		{ "match: {source: 10.0.0.0/8, destination: \"2001:db8::/32\"}, action: drop",
		    "one IP version" },
		{ "match: {protocol: icmp, family: ipv6}, action: drop", "one IP version" },
		{ "match: {icmp-type: 8}, action: drop", "icmp or icmpv6" },
		{ "match: {protocol: 47}, action: drop", "needs a family" },
		{ "match: {tos: 4}, action: drop", "needs a family" },
		{ "action: output", "wants an interface" },
		{ "action: drop, to: a", "action output only" },
		{ "action: jump", "wants a `to-group`" },
		{ "action: jump, group: 4, to-group: 4", "higher groups" },
		{ "action: pass, meter: m", "m" },
		{ "match: {interface: nobody}, action: pass", "nobody" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		char text[512], said[1000];

		snprintf(text, sizeof(text), "flow-rules:\n  rule:\n    r: {priority: 1, %s}\n",
		    cases[i].rule);
		mr_config_destroy(load(text, said, sizeof(said)));
		if (!said[0] || !strstr(said, cases[i].said))
			fail_msg("%s: said \"%s\", not \"%s\"", cases[i].rule, said, cases[i].said);
	}
}

struct bed {
	struct mr_dataplane *dp;
	struct mr_config *config;
};

static struct mr_config *
good(const char *text)
{
	char said[1000];
	struct mr_config *config = load(text, said, sizeof(said));

	if (said[0])
		fail_msg("%s", said);
	return config;
}

static void
open_bed(struct bed *b, const char *text)
{
	struct mr_report *report;

	b->config = good(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_create(&b->dp, b->config, &quiet, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
}

static void
apply(struct bed *b, const char *text)
{
	struct mr_config *config = good(text);
	struct mr_report *report;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_apply(b->dp, config, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	mr_config_destroy(b->config);
	b->config = config;
}

static void
close_bed(struct bed *b)
{
	mr_dataplane_destroy(b->dp);
	mr_config_destroy(b->config);
}

/* A UDP datagram to this port comes in on a. */
static void
push(struct bed *b, uint16_t port)
{
	const struct mr_interface *a = mr_interface_find(mr_interfaces_of(b->dp), "a");
	struct mr_graph *graph = mr_dataplane_graph(b->dp);
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	uint8_t frame[64] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0,
		64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39 };
	uint32_t packet;

	mr_store_be16(frame + 36, port);
	mr_store_be16(frame + 38, 30);
	mr_store_be16(frame + 24, 0x66b7); /* the header's checksum */
	packet = mr_packet_from(buffers, 0, frame, sizeof(frame));
	mr_packet_at(buffers->base, packet)->port = a->index;
	mr_graph_inject(graph, 0, mr_graph_input(graph, a->index), &packet, 1);
}

static uint64_t
sent(struct bed *b, const char *name)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(b->dp), name);

	return atomic_load_explicit(&i->port->tx_stats[0].packets, memory_order_relaxed);
}

/* What the state says of a rule; -1: there is none. */
static long
packets_of(struct bed *b, const char *rule)
{
	const char *text = NULL, *at;
	struct mr_error error;
	struct mr_state *st;
	long packets = -1;
	char want[64];
	size_t size;

	mr_lane_settle(mr_lanes_lane(b->dp));
	assert_int_equal(mr_state_create(&st, model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(b->dp, "flow-rules", st), 0);
	assert_int_equal(mr_state_finish(st, &text, &size, &error), 0);
	snprintf(want, sizeof(want), "\"name\":\"%s\"", rule);
	at = strstr(text, want);
	at = at ? strstr(at, "\"packets\":") : NULL;
	if (at)
		packets = strtol(at + strlen("\"packets\":") + (at[10] == '"'), NULL, 10);
	mr_state_destroy(st);
	return packets;
}

static const char first[] =
    "flow-rules:\n"
    "  meter: {few: {rate: 1, burst: 2}}\n"
    "  rule:\n"
    "    no-dns: {priority: 1, match: {protocol: udp, destination-port: \"53\"}, "
    "action: drop}\n"
    "    divert: {priority: 2, match: {interface: a, protocol: udp, "
    "destination-port: \"1000-1999\"}, set: {destination: 10.9.9.9}, action: "
    "output, to: c}\n"
    "    some: {priority: 3, match: {destination: 10.0.0.0/24, protocol: udp, "
    "destination-port: \"7\"}, meter: few, action: jump, to-group: 5}\n"
    "    rest: {group: 5, priority: 1, action: pass}\n";
static const char second[] = "flow-rules:\n"
			     "  rule:\n"
			     "    no-dns: {priority: 1, match: {protocol: udp, destination-port: "
			     "\"53\"}, action: drop}\n"
			     "    divert: {priority: 2, match: {interface: a, protocol: udp, "
			     "destination-port: \"1000-1999\"}, action: output, to: b}\n";

static void
rules_come_and_go(void **state)
{
	struct bed b;

	open_bed(&b, first);
	push(&b, 53);
	push(&b, 9);
	push(&b, 1500);
	for (unsigned i = 0; i < 4; i++)
		push(&b, 7);
	/* The port that is connected crosswise: one that no rule matches, two that the meter let pass. */
	assert_int_equal(sent(&b, "b"), 3);
	assert_int_equal(sent(&b, "c"), 1);
	assert_int_equal(packets_of(&b, "no-dns"), 1);
	assert_int_equal(packets_of(&b, "divert"), 1);
	assert_int_equal(packets_of(&b, "some"), 4);
	assert_int_equal(packets_of(&b, "rest"), 2);
	/* One stays and keeps what it counted, one is another, the others go. */
	apply(&b, second);
	push(&b, 53);
	push(&b, 1500);
	push(&b, 7);
	assert_int_equal(packets_of(&b, "no-dns"), 2);
	assert_int_equal(packets_of(&b, "divert"), 1);
	assert_int_equal(packets_of(&b, "some"), -1);
	assert_int_equal(sent(&b, "b"), 5);
	assert_int_equal(sent(&b, "c"), 1);
	/* None: no node is left. */
	apply(&b, "");
	push(&b, 53);
	assert_int_equal(sent(&b, "b"), 6);
	assert_int_equal(mr_flow_rules_count(mr_flows_rules(b.dp)), 0);
	apply(&b, first);
	push(&b, 53);
	assert_int_equal(sent(&b, "b"), 6);
	assert_int_equal(packets_of(&b, "no-dns"), 1);
	close_bed(&b);
}

/* Access lists see the marks that flow rules give, on the way in and on the way out. */
static void
marks_reach_access_lists(void **state)
{
	struct bed b;

	open_bed(&b,
	    "flow-rules:\n"
	    "  rule:\n"
	    "    one: {priority: 1, match: {protocol: udp, destination-port: \"7\"}, mark: 1, "
	    "action: pass}\n"
	    "    two: {priority: 2, match: {protocol: udp, destination-port: \"8\"}, mark: 2, "
	    "action: pass}\n"
	    "acl:\n"
	    "  list:\n"
	    "    in: {default: accept, rule: [{name: one, mark: 1, action: drop}]}\n"
	    "    out: {default: accept, rule: [{name: two, mark: 2, action: drop}]}\n"
	    "  interface: {a: {in: in}, b: {out: out}}\n");
	for (unsigned i = 0; i < 8; i++) {
		push(&b, 7);
		push(&b, 8);
		push(&b, 9);
	}
	assert_int_equal(sent(&b, "b"), 8);
	/* Without the one on the way in. */
	apply(&b,
	    "flow-rules:\n"
	    "  rule:\n"
	    "    two: {priority: 2, match: {protocol: udp, destination-port: \"8\"}, mark: 2, "
	    "action: pass}\n"
	    "acl:\n"
	    "  list:\n"
	    "    out: {default: accept, rule: [{name: two, mark: 2, action: drop}]}\n"
	    "  interface: {b: {out: out}}\n");
	for (unsigned i = 0; i < 8; i++) {
		push(&b, 7);
		push(&b, 8);
	}
	assert_int_equal(sent(&b, "b"), 16);
	close_bed(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_configurations_are_named),
		cmocka_unit_test(rules_come_and_go),
		cmocka_unit_test(marks_reach_access_lists),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}

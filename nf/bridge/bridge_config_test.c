/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge as a function of a data plane: the page's example, what is refused and how, changes
 * under way, state. Interfaces are null ports, which count what they are sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "nf/bridge/bridge.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"

extern const char mr_page_bridge[];

static struct mr_model *model;
static struct mr_log quiet;

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

/* Interfaces are written "{}" in these texts: null ports take their place. */
static char *
with_null_ports(const char *text)
{
	static const char null_port[] = "{driver: \"null\"}";
	char *out = calloc(1, strlen(text) * sizeof(null_port));
	size_t used = 0;

	assert_non_null(out);
	for (; *text; text++) {
		if (strncmp(text, "{}", 2)) {
			out[used++] = *text;
			continue;
		}
		memcpy(out + used, null_port, sizeof(null_port) - 1);
		used += sizeof(null_port) - 1;
		text++;
	}
	return out;
}

/* What is wrong with it, "" when nothing is. */
static void
load(const char *text, struct mr_config **config, char *said, size_t size)
{
	char *yaml = with_null_ports(text);
	struct mr_report *report;

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

struct bed {
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_config *config;
};

static void
bed_open(struct bed *b, const char *text)
{
	struct mr_report *report;

	b->config = good(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_create(&b->dp, b->config, &quiet, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	b->graph = mr_dataplane_graph(b->dp);
}

static void
bed_apply(struct bed *b, const char *text)
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
bed_close(struct bed *b)
{
	mr_dataplane_destroy(b->dp);
	mr_config_destroy(b->config);
}

static uint16_t
node_of(const struct bed *b, const char *name)
{
	for (uint16_t i = 0; i < mr_graph_node_count(b->graph); i++) {
		if (!strcmp(mr_graph_node_name(b->graph, i), name))
			return i;
	}
	return UINT16_MAX;
}

static const struct mr_interface *
interface(const struct bed *b, const char *name)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(b->dp), name);

	assert_non_null(i);
	return i;
}

static uint64_t
sent(const struct bed *b, const char *name)
{
	return atomic_load(&interface(b, name)->port->tx_stats[0].packets);
}

/* A frame between stations with these last bytes, 255 as destination being broadcast; with a tag
 * when vlan is not 0. */
static void
send_frame(const struct bed *b, const char *node, const char *in, uint8_t from, uint8_t to,
    unsigned vlan)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	uint8_t bytes[64] = { 2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0 };
	uint32_t packet;

	if (to == 255)
		memset(bytes, 255, 6);
	if (vlan)
		memcpy(bytes + 12,
		    (uint8_t[]){ 0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan, 8, 0 }, 6);
	packet = mr_packet_from(buffers, 0, bytes, sizeof(bytes));
	assert_int_not_equal(packet, MR_PACKET_NONE);
	mr_packet_at(buffers->base, packet)->port = interface(b, in)->index;
	mr_graph_inject(b->graph, 0, node_of(b, node), &packet, 1);
	mr_graph_pass(b->graph, 0);
}

static char *
shown(const struct bed *b)
{
	struct mr_state *st;
	struct mr_error error = { 0 };
	const char *text;
	size_t size;
	char *copy;

	assert_int_equal(mr_state_create(&st, model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(b->dp, "bridge", st), 0);
	if (mr_state_finish(st, &text, &size, &error))
		fail_msg("%s", error.text);
	copy = strdup(text);
	mr_state_destroy(st);
	return copy;
}

static void
assert_shows(const struct bed *b, const char *what, bool there)
{
	char *text = shown(b);

	if ((strstr(text, what) != NULL) != there)
		fail_msg("%s %s in %s", what, there ? "is not" : "is", text);
	free(text);
}

/* -- tests --------------------------------------------------------------------------------- */

static char *
page_example(void)
{
	const char *start = strstr(mr_page_bridge, "```yaml\n") + 8;

	return strndup(start, (size_t)(strstr(start, "```") - start));
}

static void
the_pages_example_works(void **state)
{
	char *text = page_example();
	struct bed b;

	bed_open(&b, text);
	/* In VLAN 10 are lan1 and lan2. */
	send_frame(&b, "bridge-br0", "lan2", 7, 255, 0);
	assert_int_equal(sent(&b, "lan1"), 1);
	assert_int_equal(sent(&b, "lan3") + sent(&b, "lan4") + sent(&b, "prov"), 0);
	send_frame(&b, "bridge-br0", "lan2", 7, 1, 0);
	assert_int_equal(sent(&b, "lan1"), 2);
	send_frame(&b, "bridge-br0", "lan1", 1, 7, 0);
	assert_int_equal(sent(&b, "lan2"), 1);
	/* The customer's tag is not looked at; prov is the only other port in VLAN 100. */
	send_frame(&b, "bridge-br0", "lan4", 9, 255, 10);
	assert_int_equal(sent(&b, "prov"), 1);
	/* VLAN 20: lan3 and prov are in one group. */
	send_frame(&b, "bridge-br0", "lan3", 11, 255, 0);
	assert_int_equal(sent(&b, "prov"), 1);
	assert_int_equal(sent(&b, "lan2"), 2);
	send_frame(&b, "bridge-br0", "lan3", 11, 0xbd, 0);
	assert_int_equal(sent(&b, "lan2"), 2);

	assert_shows(&b, "{\"mac\":\"02:00:00:00:00:07\",\"vlan\":10,\"interface\":\"lan2\"", true);
	assert_shows(&b,
	    "{\"mac\":\"02:00:00:00:00:01\",\"vlan\":10,\"interface\":\"lan1\",\"static\":true}",
	    true);
	assert_shows(&b, "{\"mac\":\"02:00:00:00:00:bd\",\"vlan\":20,\"static\":true}", true);
	assert_shows(&b, "\"untagged-vlan\":10,\"tagged-vlans\":\"20-30\"", true);
	assert_shows(&b, "\"tagged-vlans\":\"20,100\"", true);
	assert_shows(&b, "\"macs\":5", true);
	assert_shows(&b, "\"learned\":3", true);
	bed_close(&b);
	free(text);
}

static const struct {
	const char *yaml, *said;
} bad[] = {
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface:\n      a: {access: 1, trunk: "
	  "\"2\"}\n",
	    "the interface is access already" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface:\n      a: {native: 1}\n",
	    "this interface has no trunk" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface:\n      b: {}\n", "b" },
	{ "interface: {a: {}}\nbridge:\n  br0: {interface: [a]}\n  br1: {interface: [a]}\n",
	    "br0" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface: [a]\n    static:\n"
	  "      - {mac: \"02:00:00:00:00:01\", vlan: 3, interface: a}\n",
	    "say vlan: 0" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface: {a: {access: 2}}\n    static:\n"
	  "      - {mac: \"02:00:00:00:00:01\", vlan: 0, interface: a}\n",
	    "say which one" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface: {a: {access: 2}}\n    static:\n"
	  "      - {mac: \"02:00:00:00:00:01\", vlan: 3, interface: a}\n",
	    "interface a is not in VLAN 3" },
	{ "interface: {a: {}, b: {}}\nbridge:\n  br0:\n    interface: {a: {access: 2}}\n    "
	  "static:\n"
	  "      - {mac: \"02:00:00:00:00:01\", vlan: 2, interface: b}\n",
	    "interface b is not in bridge br0" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface: [a]\n    static:\n"
	  "      - {mac: \"03:00:00:00:00:01\", vlan: 0, interface: a}\n",
	    "not the address of one station" },
	{ "interface: {a: {}}\nbridge:\n  br0: {ageing-time: 5, interface: [a]}\n", "ageing-time" },
	{ "interface: {a: {}}\nbridge:\n  br0:\n    interface: {a: {acces: 2}}\n", "access" },
};

static void
mistakes_are_explained(void **state)
{
	for (size_t i = 0; i < MR_ARRAY_COUNT(bad); i++) {
		struct mr_config *config = NULL;
		char said[1000];

		load(bad[i].yaml, &config, said, sizeof(said));
		if (!strstr(said, bad[i].said))
			fail_msg("\"%s\" does not say \"%s\"", said, bad[i].said);
		mr_config_destroy(config);
	}
}

static void
changes_keep_what_they_can(void **state)
{
	static const char first[] = "interface: {a: {}, b: {}, c: {}}\n"
				    "bridge:\n"
				    "  br0: {interface: [a, b]}\n"
				    "  br1: {interface: [c]}\n";
	static const char second[] = "interface: {a: {}, b: {}, c: {}}\n"
				     "bridge:\n"
				     "  br0: {ageing-time: 1000, interface: [a, b, c]}\n";
	static const char third[] = "interface: {a: {}, b: {}, c: {}}\n"
				    "bridge:\n"
				    "  br0: {ageing-time: 1000, interface: [b, c]}\n";
	static const char fourth[] = "interface: {a: {}, b: {}, c: {}}\n";
	struct bed b;

	bed_open(&b, first);
	send_frame(&b, "bridge-br0", "a", 1, 255, 0);
	send_frame(&b, "bridge-br0", "b", 2, 255, 0);
	send_frame(&b, "bridge-br1", "c", 3, 255, 0);
	assert_shows(&b, "\"name\":\"br1\"", true);
	assert_int_equal(sent(&b, "c"), 0);

	bed_apply(&b, second);
	assert_int_equal(node_of(&b, "bridge-br1"), UINT16_MAX);
	assert_shows(&b, "\"name\":\"br1\"", false);
	assert_shows(&b, "02:00:00:00:00:01", true);
	send_frame(&b, "bridge-br0", "c", 3, 1, 0);
	assert_int_equal(sent(&b, "a"), 2); /* the flood of b's frame, and this one */

	/* Stations on an interface that left are forgotten. */
	bed_apply(&b, third);
	assert_shows(&b, "02:00:00:00:00:01", false);
	assert_shows(&b, "02:00:00:00:00:02", true);
	send_frame(&b, "bridge-br0", "a", 1, 255, 0);
	assert_int_equal(sent(&b, "c"), 0);

	bed_apply(&b, fourth);
	assert_shows(&b, "br0", false);
	bed_close(&b);
}

static void
stations_age(void **state)
{
	struct timespec now;
	struct bed b;

	bed_open(&b,
	    "interface: {a: {}, b: {}}\nbridge:\n  br0: {ageing-time: 100, interface: [a, b]}\n");
	clock_gettime(CLOCK_MONOTONIC, &now);
	send_frame(&b, "bridge-br0", "a", 1, 255, 0);
	for (unsigned i = 0; i < 10; i++)
		mr_dataplane_tick(b.dp, (uint32_t)now.tv_sec + 90);
	assert_shows(&b, "02:00:00:00:00:01", true);
	for (unsigned i = 0; i < 10; i++)
		mr_dataplane_tick(b.dp, (uint32_t)now.tv_sec + 110);
	assert_shows(&b, "02:00:00:00:00:01", false);
	assert_shows(&b, "\"aged\":1", true);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pages_example_works),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(changes_keep_what_they_can),
		cmocka_unit_test(stations_age),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}

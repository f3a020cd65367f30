/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every drop has a name: each step of tests/drops/scenes.c sends a packet that is to be dropped,
 * and finds that node's counter of that reason one more, and that packet in the flight recorder under
 * that reason. In the end it is told which reasons, of those that nodes of all scenes have, no step
 * provokes, and why where scenes.c says so.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/packet_build.h"
#include "kit/base/hex.h"
#include "kit/packet/wire.h"
#include "nf/interface/interface.h"
#include "nf/lanes/lanes_bed_int.h"
#include "tests/drops/drops_int.h"

#define WANTED 90u
#define REASONS_MAX 512u

struct reason {
	char name[96]; /* "class: reason" */
	unsigned provoked;
};

struct test {
	struct bed *bed;
	struct bed_plane *plane;
	struct reason reasons[REASONS_MAX];
	unsigned reason_count, wrong;
	uint64_t before[MR_GRAPH_NODES_MAX][MR_NODE_DROPS_MAX];
	uint8_t frame[MR_PACKET_BUILD_MAX];
	unsigned len;
};

static struct reason *
reason(struct test *t, const char *class, const char *name)
{
	char text[sizeof(t->reasons[0].name)];

	snprintf(text, sizeof(text), "%s: %s", class, name);
	for (unsigned i = 0; i < t->reason_count; i++)
		if (strcmp(t->reasons[i].name, text) == 0)
			return &t->reasons[i];
	assert_true(t->reason_count < REASONS_MAX);
	memcpy(t->reasons[t->reason_count].name, text, sizeof(text));
	return &t->reasons[t->reason_count++];
}

/* -- frames ------------------------------------------------------------------------------- */

/* Where its IP header begins. */
static unsigned
l3_of(const struct test *t)
{
	return t->len > 18 && mr_load_be16(t->frame + 12) == MR_ETH_TYPE_VLAN ? 18 : 14;
}

static void
sum_l4(struct test *t)
{
	uint8_t *ip = t->frame + l3_of(t);
	struct bed_flow f = { .six = ip[0] >> 4 == 6, .proto = ip[0] >> 4 == 6 ? ip[6] : ip[9] };
	unsigned header = f.six ? 40u : (ip[0] & 15u) * 4;

	bed_sum_l4(&f, ip, ip + header, (unsigned)(t->frame + t->len - ip) - header);
}

static void
patch(struct test *t, const char *text)
{
	char word[256];
	int used;

	for (; sscanf(text, "%255s%n", word, &used) == 1; text += used) {
		char *value = strchr(word, '=');

		if (strcmp(word, "sum") == 0) {
			sum_l4(t);
		} else if (strcmp(word, "sum4") == 0) {
			bed_sum4(t->frame + l3_of(t));
		} else if (strncmp(word, "cut=", 4) == 0) {
			t->len = (unsigned)atoi(value + 1);
		} else {
			assert_non_null(value);
			assert_true(mr_hex_read(value + 1, strlen(value + 1), t->frame + atoi(word),
					128) > 0);
		}
	}
}

static void
build(struct test *t, const struct drop_step *s)
{
	static struct mr_packet_build b;
	const char *words[32];
	char text[512], *save = NULL, *word;
	struct mr_error error;
	unsigned count = 0, vlan = 0;

	if (strncmp(s->packet, "hex ", 4) == 0) {
		t->len = (unsigned)mr_hex_read(s->packet + 4, strlen(s->packet + 4), t->frame,
		    sizeof(t->frame));
	} else {
		snprintf(text, sizeof(text), "%s", s->packet);
		for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
			words[count++] = word;
		if (mr_packet_build(&b, words, count, &error))
			fail_msg("%s: %s", s->packet, error.text);
		memcpy(t->frame, b.frame, b.len);
		t->len = b.len;
		if (mr_load_be16(t->frame + 12) == MR_ETH_TYPE_VLAN)
			vlan = mr_load_be16(t->frame + 14) & 4095u;
		if (!b.has_dmac)
			mr_dataplane_address(t->plane->dp,
			    t->plane->ports[s->port - 'a'].port->index, (uint16_t)vlan, t->frame);
	}
	if (s->patch)
		patch(t, s->patch);
}

/* -- what became of them ------------------------------------------------------------------ */

static void
note(struct test *t)
{
	struct mr_node_stats s;

	for (uint16_t n = 0; n < mr_graph_node_count(t->plane->graph); n++) {
		if (mr_graph_node_stats(t->plane->graph, n, &s))
			continue;
		for (unsigned i = 0; i < s.class->drop_count; i++) {
			(void)reason(t, s.class->name, s.class->drops[i].name);
			t->before[n][i] = s.drops[i];
		}
	}
}

/* How many more were dropped for it; what else was is said. */
static uint64_t
dropped(struct test *t, const char *wanted, char *others, size_t size)
{
	struct mr_node_stats s;
	uint64_t sum = 0;

	*others = 0;
	for (uint16_t n = 0; n < mr_graph_node_count(t->plane->graph); n++) {
		if (mr_graph_node_stats(t->plane->graph, n, &s))
			continue;
		for (unsigned i = 0; i < s.class->drop_count; i++) {
			const struct reason *r = reason(t, s.class->name, s.class->drops[i].name);
			uint64_t more = s.drops[i] - t->before[n][i];

			if (strcmp(r->name, wanted) == 0)
				sum += more;
			else if (more)
				snprintf(others + strlen(others), size - strlen(others), " %lu %s",
				    more, r->name);
		}
	}
	return sum;
}

/* The packet is there under this reason: its end is not changed by what nodes do to heads. */
static bool
is_recorded(struct test *t, struct mr_flight_cursor *cursor, const char *wanted)
{
	struct mr_flight_list *list;
	struct mr_error error;
	bool found = false;

	assert_int_equal(mr_flight_read(t->plane->graph, cursor, &list, &error), 0);
	for (size_t i = 0; i < list->count && !found; i++) {
		const struct mr_flight_drop *d = &list->drops[i];
		char name[96];
		unsigned end = MR_MIN(MR_MIN(d->kept, t->len), 24u);

		snprintf(name, sizeof(name), "%s: %s", d->class->name,
		    d->class->drops[d->reason].name);
		found = strcmp(name, wanted) == 0 && d->kept == d->length &&
		    memcmp(d->bytes + d->kept - end, t->frame + t->len - end, end) == 0;
	}
	mr_flight_list_free(list);
	return found;
}

static void
act(struct test *t, const struct drop_step *s)
{
	unsigned port = (unsigned)(s->packet[strlen(s->packet) - 1] - 'a') % BED_PORTS;

	if (strncmp(s->packet, "up ", 3) == 0)
		bed_link(t->bed, port, true);
	else if (strncmp(s->packet, "down ", 5) == 0)
		bed_link(t->bed, port, false);
	else if (strncmp(s->packet, "full ", 5) == 0)
		t->plane->ports[port].full = true;
	else if (strncmp(s->packet, "empty ", 6) == 0)
		t->plane->ports[port].full = false;
	bed_tick(t->bed, s->ms);
}

static void
step(struct test *t, const struct drop_scene *scene, const struct drop_step *s)
{
	struct mr_flight_cursor cursor = { { 0 } };
	struct mr_flight_list *list;
	unsigned times = s->times ? s->times : 1;
	struct mr_error error;
	char others[512];
	uint64_t count;

	assert_int_equal(mr_flight_read(t->plane->graph, &cursor, &list, &error), 0);
	mr_flight_list_free(list);
	note(t);
	if (!s->port) {
		act(t, s);
	} else {
		if (s->ms)
			bed_tick(t->bed, s->ms);
		note(t);
		build(t, s);
		for (unsigned i = 0; i < times; i++)
			assert_true(bed_give(t->bed, (unsigned)(s->port - 'a'), t->frame, t->len, 0,
			    s->flags));
		bed_run(t->bed);
	}
	if (!s->drop)
		return;
	count = dropped(t, s->drop, others, sizeof(others));
	if (count != (s->count ? s->count : 1)) {
		print_message("%s: \"%s\" %s: %lu of it dropped by %s, and%s\n", scene->name,
		    s->packet, s->patch ? s->patch : "", count, s->drop,
		    *others ? others : " nothing else");
		t->wrong++;
	} else if (!is_recorded(t, &cursor, s->drop)) {
		print_message("%s: \"%s\": dropped by %s, but not in the flight recorder\n",
		    scene->name, s->packet, s->drop);
		t->wrong++;
	} else {
		char class[64];

		snprintf(class, sizeof(class), "%.*s", (int)strcspn(s->drop, ":"), s->drop);
		reason(t, class, s->drop + strlen(class) + 2)->provoked++;
	}
}

static const char *
name_of(const struct reason *r)
{
	return strchr(r->name, ':') + 2;
}

/* By one node at least. */
static bool
is_provoked(const struct test *t, const char *name)
{
	for (unsigned i = 0; i < t->reason_count; i++)
		if (t->reasons[i].provoked && strcmp(name_of(&t->reasons[i]), name) == 0)
			return true;
	return false;
}

/* Nodes of several classes may have a reason of one name. */
static bool
is_first(const struct test *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(name_of(&t->reasons[i]), name_of(&t->reasons[n])) == 0)
			return false;
	return true;
}

static const char *
excuse(const char *drop)
{
	for (const struct drop_excuse *e = drop_excuses; e->drop; e++)
		if (strcmp(e->drop, drop) == 0)
			return e->why;
	return NULL;
}

static void
test_every_drop_has_a_name(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	unsigned provoked = 0, open = 0, names = 0;

	(void)state;
	assert_non_null(t);
	for (const struct drop_scene *s = drop_scenes; s->name; s++) {
		t->bed = bed_open(s->config, "", 1);
		t->bed->doing = s->name;
		t->plane = &t->bed->planes[0];
		note(t);
		for (const struct drop_step *p = s->steps; p->packet; p++)
			step(t, s, p);
		bed_close(t->bed);
	}
	for (unsigned i = 0; i < t->reason_count; i++) {
		const char *name = name_of(&t->reasons[i]);

		provoked += t->reasons[i].provoked != 0;
		if (is_first(t, i))
			names += is_provoked(t, name);
		if (!is_first(t, i) || is_provoked(t, name))
			continue;
		open++;
		print_message("not provoked: %s%s%s\n", name, excuse(name) ? ": " : "",
		    excuse(name) ? excuse(name) : "");
	}
	print_message("%u reasons of nodes: %u provoked; %u names: %u provoked\n", t->reason_count,
	    provoked, names + open, names);
	assert_int_equal(t->wrong, 0);
	assert_true(names >= WANTED);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_drop_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

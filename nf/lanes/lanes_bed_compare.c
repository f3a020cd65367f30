/* SPDX-License-Identifier: Apache-2.0 */

/* What is compared between the two planes: frames, counters, buffers, everything that is shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/state.h"
#include "nf/lanes/lanes_bed_int.h"

/* -- nodes and frames -------------------------------------------------------------------- */

static bool
find_node(const struct bed_plane *plane, const char *name, struct mr_node_stats *s)
{
	for (unsigned n = 0; n < mr_graph_node_count(plane->graph); n++)
		if (!mr_graph_node_stats(plane->graph, (uint16_t)n, s) && !strcmp(s->name, name))
			return true;
	return false;
}

static bool
unequal(const char *node, const char *what, uint64_t x, uint64_t y)
{
	if (x == y)
		return false;
	fprintf(stderr, "node %s, %s: %lu, with the lane %lu\n", node, what, x, y);
	return true;
}

/* Counters of how it was done, not of what. */
static bool
is_about_work(const char *counter)
{
	return strcmp(counter, "looked-on") == 0;
}

/* Whether something differs. */
static bool
compare_node(struct bed *b, const struct mr_node_stats *x)
{
	struct mr_node_stats y;
	bool bad;

	if (!find_node(&b->planes[BED_FLOW], x->name, &y))
		bed_fail(b, "node %s is in one plane only", x->name);
	bad = unequal(x->name, "packets", x->packets, y.packets);
	bad |= unequal(x->name, "held", x->held, y.held);
	for (unsigned i = 0; i < x->class->drop_count; i++)
		bad |= unequal(x->name, x->class->drops[i].name, x->drops[i], y.drops[i]);
	for (unsigned i = 0; i < x->class->counter_count; i++)
		bad |= !is_about_work(x->class->counters[i].name) &&
		    unequal(x->name, x->class->counters[i].name, x->counters[i], y.counters[i]);
	return bad;
}

/* Whether some node's counters differ; where they do is said. */
static bool
compare_nodes(struct bed *b)
{
	struct mr_node_stats s;
	bool bad = false;

	for (unsigned k = 0; k < b->plane_count; k++)
		mr_lane_settle(mr_lanes_lane(b->planes[k].dp));
	for (unsigned n = 0; n < mr_graph_node_count(b->planes[BED_GRAPH].graph); n++)
		if (!mr_graph_node_stats(b->planes[BED_GRAPH].graph, (uint16_t)n, &s))
			bad |= compare_node(b, &s);
	return bad;
}

static int
by_flow(const void *left, const void *right, void *user)
{
	const struct bed_sent *a = left, *b = right;
	const struct bed_plane *plane = user;
	int order;

	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->flow != b->flow)
		return a->flow < b->flow ? -1 : 1;
	/* Within a flow they stay as they left. */
	if (a->flow)
		return a->at < b->at ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	order = memcmp(plane->bytes + a->at, plane->bytes + b->at, a->len);
	return order ? order : a->at < b->at ? -1 : 1;
}

static void
dump(const char *whose, const struct bed_plane *plane, size_t i)
{
	const struct bed_sent *s = &plane->sent[i];

	if (i >= plane->sent_count) {
		fprintf(stderr, "%s: nothing more\n", whose);
		return;
	}
	fprintf(stderr, "%s: port %c, %u bytes, flow %x, serial %u", whose, 'a' + (int)s->port,
	    s->len, s->flow, s->serial);
	for (unsigned k = 0; k < s->len && k < 160; k++)
		fprintf(stderr, "%s%02x", k % 32 ? " " : "\n    ", plane->bytes[s->at + k]);
	fputc('\n', stderr);
}

void
bed_compare_sent(struct bed *b)
{
	struct bed_plane *one = &b->planes[BED_GRAPH], *two = &b->planes[BED_FLOW];
	size_t i;

	if (one->sent_count)
		qsort_r(one->sent, one->sent_count, sizeof(*one->sent), by_flow, one);
	if (two->sent_count)
		qsort_r(two->sent, two->sent_count, sizeof(*two->sent), by_flow, two);
	for (i = 0; i < MR_MIN(one->sent_count, two->sent_count); i++) {
		const struct bed_sent *x = &one->sent[i], *y = &two->sent[i];

		if (x->port != y->port || x->len != y->len || x->flow != y->flow ||
		    memcmp(one->bytes + x->at, two->bytes + y->at, x->len))
			break;
		b->sent[x->port]++;
		b->left[x->flow % MR_ARRAY_COUNT(b->left)] = true;
	}
	if (i == one->sent_count && i == two->sent_count)
		return;
	compare_nodes(b);
	dump("graph", one, i);
	dump("flow ", two, i);
	bed_fail(b, "frames that left differ: %zu through the graph, %zu through the lane",
	    one->sent_count, two->sent_count);
}

/* -- all that is compared ----------------------------------------------------------------- */

/* Packets of which nobody says what became of them. A router that is configured away takes those
 * with it that wait for its neighbours. */
static uint64_t
unaccounted(struct bed *b, const struct bed_plane *plane)
{
	struct mr_node_stats rx;
	struct mr_graph_totals t;

	mr_graph_totals(plane->graph, &t);
	bed_must(b, mr_graph_node_stats(plane->graph, MR_GRAPH_NODE_RX, &rx) == 0);
	bed_must(b, !rx.drops[MR_RX_DROP_NO_VERDICT]);
	return t.received + t.created - t.sent - t.dropped - t.held - t.merged;
}

/* What FIBs take is freed after a grace period, which comes when it comes. */
static void
hide_sizes(char *text)
{
	static const char *const names[] = { "\"ipv4-bytes\":", "\"ipv6-bytes\":" };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++)
		for (char *at = text; (at = strstr(at, names[i])) != NULL;) {
			size_t digits;

			at += strlen(names[i]);
			digits = strspn(at, "0123456789");
			memmove(at, at + digits, strlen(at + digits) + 1);
		}
}

/* Everything that is shown but how it was done: the lanes' own part, and calls of ports. */
static char *
shown(struct bed *b, struct bed_plane *plane)
{
	static const char *const not_these[] = { "lanes", "system" };
	struct mr_state *state;
	struct mr_error error;
	struct bed_text t = { .size = 4 << 20 };
	const char *text;
	size_t size;

	t.at = malloc(t.size);
	bed_must(b, t.at);
	for (size_t i = 0; mr_nf_list[i]; i++) {
		bool skip = false;

		for (unsigned k = 0; k < MR_ARRAY_COUNT(not_these); k++)
			skip |= !strcmp(mr_nf_list[i]->name, not_these[k]);
		if (skip)
			continue;
		bed_must(b, mr_state_create(&state, b->model, MR_STATE_PLAIN) == 0);
		if (mr_dataplane_show(plane->dp, mr_nf_list[i]->name, state) ||
		    mr_state_finish(state, &text, &size, &error))
			bed_fail(b, "%s cannot be shown: %s", mr_nf_list[i]->name, error.text);
		bed_say(&t, "%s: %s\n", mr_nf_list[i]->name, text);
		mr_state_destroy(state);
	}
	hide_sizes(t.at);
	return t.at;
}

static const char *
nothing_said(const void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static int
by_line(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Lines in order. */
static char *
sorted(struct bed *b, char *text, size_t size)
{
	struct bed_text t = { .size = size + 1, .at = malloc(size + 1) };
	char **lines = calloc(size + 1, sizeof(*lines)), *save, *line;
	size_t count = 0;

	bed_must(b, t.at && lines);
	t.at[0] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		lines[count++] = line;
	qsort(lines, count, sizeof(*lines), by_line);
	for (size_t i = 0; i < count; i++)
		bed_say(&t, "%s\n", lines[i]);
	free(lines);
	free(text);
	return t.at;
}

/* Every connection, with its state, packets and time; which number it has is no matter. */
static char *
connections(struct bed *b, struct bed_plane *plane)
{
	const struct mr_nf_query query = { .value = nothing_said };
	struct bed_text t = { .size = 4 << 20 };
	struct mr_nf_stream stream;
	struct mr_error error;
	size_t n;

	t.at = calloc(1, t.size);
	bed_must(b, t.at);
	if (mr_dataplane_stream(plane->dp, "conntrack", "connections", &query, &stream, &error))
		bed_fail(b, "%s", error.text);
	while ((n = stream.read(stream.state, t.at + t.used, t.size - t.used - 1)) > 0)
		t.used += n;
	stream.close(stream.state);
	return sorted(b, t.at, t.used + 1);
}

static void
compare_texts(struct bed *b, char *one, char *two)
{
	size_t i = 0, from;

	while (one[i] && one[i] == two[i])
		i++;
	if (one[i] != two[i]) {
		from = i > 200 ? i - 200 : 0;
		bed_fail(b, "what is shown differs:\n%.300s\nwith the lane:\n%.300s", one + from,
		    two + from);
	}
	free(one);
	free(two);
}

static void
compare_shown(struct bed *b)
{
	struct bed_plane *one = &b->planes[BED_GRAPH], *two = &b->planes[BED_FLOW];

	compare_texts(b, connections(b, one), connections(b, two));
	compare_texts(b, shown(b, one), shown(b, two));
}

void
bed_compare(struct bed *b, bool all)
{
	uint64_t lost = unaccounted(b, &b->planes[0]), lost_too;

	if (b->plane_count == 1) {
		bed_must(b, !lost);
		return;
	}
	lost_too = unaccounted(b, &b->planes[BED_FLOW]);
	if (lost != lost_too)
		bed_fail(b, "%lu packets are unaccounted for, with the lane %lu", lost, lost_too);
	if (compare_nodes(b))
		bed_fail(b, "counters differ");
	if (mr_pool_used(b->planes[0].buffers->pool) != mr_pool_used(b->planes[1].buffers->pool))
		bed_fail(b, "%u buffers in use, with the lane %u",
		    mr_pool_used(b->planes[0].buffers->pool),
		    mr_pool_used(b->planes[1].buffers->pool));
	if (all)
		compare_shown(b);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a running data plane does now: looks at its state again and again and shows
 * what changed, on a terminal as a live picture, else as plain snapshots.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/rates.h"
#include "cmd/screen.h"
#include "cmd/wait.h"

static const struct mr_cmd_option options[] = {
	{ .name = "interval",
	    .letter = 'n',
	    .value = "S",
	    .doc = "seconds from one look to the next (1)" },
	{ .name = "once", .doc = "one snapshot, then end" },
	{ .name = "count", .letter = 'c', .value = "N", .doc = "so many snapshots, then end" },
	{ .name = "json", .doc = "each snapshot as one line of JSON" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

struct top {
	const char *socket;
	int64_t interval_ms;
	uint64_t left; /* snapshots to show */
	bool json;
	struct mr_screen screen;
	struct mr_wait wait;
	struct mr_look last;
	json_t *rates;
	unsigned shown;
};

static void
forget(struct mr_look *look)
{
	json_decref(look->system);
	json_decref(look->interfaces);
	*look = (struct mr_look){ 0 };
}

/* The value of `name` in /state/NAME; null, with a message, when there is none. */
static json_t *
fetch(const char *socket, const char *name, struct mr_error *error)
{
	char target[64], *text = NULL;
	json_t *root, *value;
	size_t size;

	snprintf(target, sizeof(target), "/state/%s", name);
	if (mr_client_fetch(socket, target, &text, &size, error))
		return NULL;
	root = json_loadb(text, size, 0, NULL);
	free(text);
	value = json_object_get(root, name);
	if (root && !value)
		value = json_array();
	else
		json_incref(value);
	json_decref(root);
	if (!value)
		mr_error_set(error, -EPROTO, "the answer is not JSON");
	return value;
}

static int
look(const char *socket, struct mr_look *out, struct mr_error *error)
{
	out->system = fetch(socket, "system", error);
	out->interfaces = out->system ? fetch(socket, "interface", error) : NULL;
	if (out->interfaces)
		return 0;
	forget(out);
	return -EIO;
}

/* 3 -> "3", 12345 -> "12.3k" */
static const char *
si(double v, char *text, size_t size)
{
	static const char units[] = " kMGTP";
	unsigned unit = 0;

	while (v >= 999.95 && unit + 2 < sizeof(units)) {
		v /= 1000;
		unit++;
	}
	if (unit)
		snprintf(text, size, "%.*f%c", v < 100 ? 1 : 0, v, units[unit]);
	else
		snprintf(text, size, "%.0f", v);
	return text;
}

static double
number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int
widest(const json_t *rows, const char *key, int least)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) least = MR_MAX(least, (int)strlen(text_of(row, key)));
	return MR_MIN(least, 40);
}

static void
print_rest(FILE *out, size_t count, size_t limit)
{
	if (count > limit)
		fprintf(out, "... and %zu more\n", count - limit);
}

static void
print_head(FILE *out, const json_t *rates)
{
	unsigned long long up = (unsigned long long)number(rates, "uptime-ms") / 1000;
	const json_t *row;
	size_t i;

	fprintf(out, "millrace %s  pid %.0f  up %llu:%02llu:%02llu  over %.1f s\n",
	    text_of(rates, "version"), number(rates, "pid"), up / 3600, up / 60 % 60, up % 60,
	    number(rates, "interval-ms") / 1000);
	json_array_foreach(json_object_get(rates, "worker"), i, row)
	{
		char pps[16];

		fprintf(out, "worker %.0f", number(row, "id"));
		if (json_object_get(row, "cpu"))
			fprintf(out, " on CPU %.0f", number(row, "cpu"));
		fprintf(out, "  %5.1f %% busy  %s packets/s%s\n", number(row, "busy-percent"),
		    si(number(row, "packets-per-second"), pps, sizeof(pps)),
		    strcmp(text_of(row, "state"), "asleep") == 0 ? "  asleep" : "");
	}
}

static void
print_interfaces(FILE *out, const json_t *rows, size_t limit)
{
	int width = widest(rows, "name", 9);
	const json_t *row;
	size_t i;

	fprintf(out, "\n%-*s  %-8s %9s %9s %9s %9s %8s\n", width, "interface", "state", "in pkt/s",
	    "in bit/s", "out pkt/s", "out bit/s", "drops/s");
	json_array_foreach(rows, i, row)
	{
		char t[5][16];

		if (i == limit)
			break;
		fprintf(out, "%-*s  %-8s %9s %9s %9s %9s %8s\n", width, text_of(row, "name"),
		    text_of(row, "state"), si(number(row, "rx-packets-per-second"), t[0], 16),
		    si(number(row, "rx-bits-per-second"), t[1], 16),
		    si(number(row, "tx-packets-per-second"), t[2], 16),
		    si(number(row, "tx-bits-per-second"), t[3], 16),
		    si(number(row, "drops-per-second"), t[4], 16));
	}
	print_rest(out, json_array_size(rows), limit);
}

static void
print_nodes(FILE *out, const json_t *rows, size_t limit)
{
	int width = widest(rows, "name", 9);
	const json_t *row;
	size_t i;

	if (json_array_size(rows) == 0)
		return;
	fprintf(out, "\n%-*s %10s %12s %14s %10s\n", width, "node", "packets/s", "packets/call",
	    "cycles/packet", "busy %");
	json_array_foreach(rows, i, row)
	{
		char t[16];

		if (i == limit)
			break;
		fprintf(out, "%-*s %10s %12.1f %14.1f %10.1f\n", width, text_of(row, "name"),
		    si(number(row, "packets-per-second"), t, sizeof(t)),
		    number(row, "packets-per-call"), number(row, "cycles-per-packet"),
		    number(row, "busy-percent"));
	}
	print_rest(out, json_array_size(rows), limit);
}

static void
print_drops(FILE *out, const json_t *rows, size_t limit)
{
	int width = widest(rows, "node", 9), width2 = widest(rows, "reason", 9);
	const json_t *row;
	size_t i;

	if (json_array_size(rows) == 0)
		return;
	fprintf(out, "\n%-*s %-*s %10s %12s\n", width, "dropped by", width2, "because of",
	    "packets/s", "in all");
	json_array_foreach(rows, i, row)
	{
		char t[2][16];

		if (i == limit)
			break;
		fprintf(out, "%-*s %-*s %10s %12s\n", MR_MAX(width, 10), text_of(row, "node"),
		    MR_MAX(width2, 10), text_of(row, "reason"),
		    si(number(row, "packets-per-second"), t[0], 16),
		    si(number(row, "packets"), t[1], 16));
	}
	print_rest(out, json_array_size(rows), limit);
}

/* `rows` lines are there for it; 0: as many as it takes. */
static void
print_all(FILE *out, const json_t *rates, unsigned rows)
{
	const json_t *ports = json_object_get(rates, "interface");
	unsigned used = 12 + (unsigned)json_array_size(json_object_get(rates, "worker"));
	size_t limit = SIZE_MAX;

	print_head(out, rates);
	if (rows) /* drops and nodes are to be seen as well */
		limit = rows > used + 8 ? (rows - used) / 2 : 4;
	print_interfaces(out, ports, limit);
	if (rows)
		limit = MR_MAX((size_t)3,
		    rows - MR_MIN((size_t)rows, used + MR_MIN(limit, json_array_size(ports))));
	print_drops(out, json_object_get(rates, "drop"),
	    rows ? MR_MIN(limit / 2 + 1, (size_t)8) : limit);
	print_nodes(out, json_object_get(rates, "node"), limit);
}

static void
show(struct top *t)
{
	unsigned rows, columns;
	char *text = NULL;
	size_t size;
	FILE *memory;

	if (!t->rates)
		return;
	if (!t->screen.taken && t->json) {
		json_dumpf(t->rates, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
	} else if (!t->screen.taken) {
		if (t->shown)
			putchar('\n');
		print_all(stdout, t->rates, 0);
	} else {
		mr_screen_size(&rows, &columns);
		memory = open_memstream(&text, &size);
		if (!memory)
			return;
		print_all(memory, t->rates, rows);
		fclose(memory);
		mr_screen_draw(text);
		free(text);
	}
	fflush(stdout);
	t->shown++;
}

static int
next_look(struct top *t, struct mr_error *error)
{
	struct mr_look now;

	if (look(t->socket, &now, error))
		return -EIO;
	json_decref(t->rates);
	t->rates = t->last.system ? mr_rates(&t->last, &now) : NULL;
	forget(&t->last);
	t->last = now;
	return 0;
}

/* True when the key ends it. */
static bool
end_key(void)
{
	char key;

	return read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q' || key == 27);
}

/* Returns an exit status, the error's text set when it is not good. */
static int
watch(struct top *t, struct mr_error *error)
{
	int64_t next = mr_wait_now() + t->interval_ms;

	if (next_look(t, error))
		return MR_EXIT_FAILED;
	while (t->left > 0) {
		int keys = t->screen.taken && t->screen.keys ? STDIN_FILENO : -1;

		switch (mr_wait(&t->wait, keys, STDOUT_FILENO,
		    MR_MAX(next - mr_wait_now(), (int64_t)0))) {
		case MR_WAITED_READY:
			if (end_key())
				return MR_EXIT_OK;
			break;
		case MR_WAITED_RESIZED:
			if (t->screen.taken)
				show(t);
			break;
		case MR_WAITED_SIGNAL:
		case MR_WAITED_CLOSED:
			return MR_EXIT_OK;
		case MR_WAITED_TIME:
			if (next_look(t, error))
				return MR_EXIT_FAILED;
			show(t);
			t->left--;
			next = MR_MAX(next + t->interval_ms, mr_wait_now());
			break;
		}
	}
	return MR_EXIT_OK;
}

static int
top_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct top t = { .interval_ms = 1000, .left = UINT64_MAX };
	struct mr_error error = { 0 };
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 0, &args, &status))
		return status;
	if (!mr_cmd_milliseconds(&args, "interval", 50, 86400000, &t.interval_ms) ||
	    !mr_cmd_uint(&args, "count", 1, UINT64_MAX, &t.left))
		return MR_EXIT_USAGE;
	if (mr_cmd_given(&args, "once"))
		t.left = 1;
	t.json = mr_cmd_given(&args, "json");
	t.socket = mr_cmd_value(&args, "socket");
	if (mr_wait_begin(&t.wait, 0))
		return MR_EXIT_FAILED;
	if (!t.json && !mr_cmd_given(&args, "once"))
		mr_screen_begin(&t.screen);
	status = watch(&t, &error);
	mr_screen_end(&t.screen);
	if (status)
		fprintf(stderr, "millrace top: %s\n", error.text);
	mr_wait_end(&t.wait);
	forget(&t.last);
	json_decref(t.rates);
	return status;
}

const struct mr_cmd mr_cmd_top = {
	.name = "top",
	.summary = "watch rates, nodes, drops and workers live",
	.usage = "",
	.help = "Shows what the running millrace does now: how busy its workers are, what passes\n"
		"each interface, what is dropped and why, and what each node of the graph\n"
		"costs. q or ^C ends it. Where the output is no terminal, plain snapshots.\n"
		"\n"
		"  millrace top\n"
		"  millrace top --once --interval 5\n"
		"  millrace top --json --count 60 > rates.ndjson",
	.options = options,
	.run = top_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "kit/base/cpu.h"

static const char usage[] =
    "usage: millrace bench --list\n"
    "       millrace bench ROW... [--peer NAME|none] [--seconds S] [--window MS]\n"
    "                [--cpu N] [--json]\n"
    "\n"
    "Runs rows (names, patterns like 'ring-*', or 'all') on one pinned core: ours, the\n"
    "bare loop for the job and the peer take turns in short windows.\n"
    "\n"
    "  --list        the rows\n"
    "  --peer NAME   compare with this peer instead of the row's first; none: with nobody\n"
    "  --seconds S   per row (2)\n"
    "  --window MS   how long a side's turn lasts (the row's own); short ones for a quick look\n"
    "  --cpu N       the core to measure on (the last one that may be used)\n"
    "  --json        for programs\n";

/* Calls `visit` for each row whose name matches; returns how many there were. */
static unsigned
for_rows(const char *pattern, int (*visit)(const struct mr_bench_row *, void *), void *user)
{
	const struct mr_bench_family *const *family;
	unsigned count = 0;
	size_t i;

	for (family = mr_bench_family_list; *family; family++)
		for (i = 0; i < (*family)->count; i++)
			if (!strcmp(pattern, "all") ||
			    fnmatch(pattern, (*family)->rows[i].name, 0) == 0) {
				visit(&(*family)->rows[i], user);
				count++;
			}
	return count;
}

static int
list_row(const struct mr_bench_row *row, void *user)
{
	const struct mr_bench_peer *const *peer;

	printf("%-18s %-14s %s", row->name, row->unit, row->doc);
	if (row->peers)
		for (peer = row->peers; *peer; peer++)
			printf("%s%s", peer == row->peers ? " (peer: " : ", ", (*peer)->name);
	printf("%s\n", row->peers ? ")" : "");
	return 0;
}

struct session {
	struct mr_bench_options options;
	bool json;
	unsigned done;
};

static int
run_row(const struct mr_bench_row *row, void *user)
{
	struct session *s = user;
	struct mr_bench_result result;

	mr_bench_measure(row, &s->options, &result);
	if (s->json) {
		fputs(s->done ? ",\n" : "[\n", stdout);
		mr_bench_print_json(stdout, &result);
	} else {
		if (!s->done)
			mr_bench_print_text_head(stdout);
		mr_bench_print_text(stdout, &result);
	}
	fflush(stdout);
	mr_bench_result_clear(&result);
	s->done++;
	return 0;
}

static int
ignore_row(const struct mr_bench_row *row, void *user)
{
	return 0;
}

static bool
parse_number(const char *text, double max, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return *text && !*end && *out >= 0 && *out <= max;
}

int
mr_bench_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "peer", required_argument, NULL, 'p' },
		{ "seconds", required_argument, NULL, 's' },
		{ "window", required_argument, NULL, 'w' },
		{ "cpu", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct session session = { .options = { .seconds = 2, .cpu = -1 } };
	double number;
	int opt, i;

	optind = 0; /* start over, also when the command's own options were parsed before */
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		switch (opt) {
		case 'l':
			for_rows("all", list_row, NULL);
			return 0;
		case 'p':
			session.options.peer = optarg;
			break;
		case 's':
			if (!parse_number(optarg, 3600, &session.options.seconds)) {
				fprintf(stderr,
				    "millrace: --seconds %s: wanted a number up to 3600\n", optarg);
				return 2;
			}
			break;
		case 'w':
			if (!parse_number(optarg, 60000, &number) || number < 1) {
				fprintf(stderr,
				    "millrace: --window %s: wanted milliseconds, 1 to 60000\n",
				    optarg);
				return 2;
			}
			session.options.window_ms = (unsigned)number;
			break;
		case 'c':
			if (!parse_number(optarg, MR_CPU_MAX - 1, &number)) {
				fprintf(stderr, "millrace: --cpu %s: wanted a CPU's number\n",
				    optarg);
				return 2;
			}
			session.options.cpu = (int)number;
			break;
		case 'j':
			session.json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	for (i = optind; i < argc; i++)
		if (!for_rows(argv[i], ignore_row, NULL)) {
			fprintf(stderr,
			    "millrace: no row is called %s (see millrace bench --list)\n", argv[i]);
			return 2;
		}
	session.options.tsc_hz = mr_cpu_tsc_hz();
	for (i = optind; i < argc; i++)
		for_rows(argv[i], run_row, &session);
	if (session.json)
		fputs("\n]\n", stdout);
	return 0;
}

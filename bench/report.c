/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <string.h>

void
mr_bench_print_string(FILE *f, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (*s < 0x20)
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

/* As many digits as say something: windows differ by more than a thousandth. */
static const char *
number(char text[32], double value)
{
	if (value >= 100000)
		snprintf(text, 32, "%.0f", value);
	else if (value >= 100)
		snprintf(text, 32, "%.1f", value);
	else
		snprintf(text, 32, "%.3f", value);
	return text;
}

static void
print_side(FILE *f, const char *key, const char *name, const struct mr_bench_side *side)
{
	char text[3][32];

	fprintf(f, ",\n   \"%s\": ", key);
	if (!side->count) {
		fputs("null", f);
		return;
	}
	fputc('{', f);
	if (name) {
		fputs("\"name\": ", f);
		mr_bench_print_string(f, name);
		fputs(", ", f);
	}
	fprintf(f, "\"min\": %s, \"median\": %s, \"max\": %s, \"windows\": %zu}",
	    number(text[0], side->min), number(text[1], side->median), number(text[2], side->max),
	    side->count);
}

static void
print_ratio(FILE *f, const char *key, double ratio)
{
	if (ratio >= 0)
		fprintf(f, ",\n   \"%s\": %.3f", key, ratio);
	else
		fprintf(f, ",\n   \"%s\": null", key);
}

void
mr_bench_print_json(FILE *f, const struct mr_bench_result *r)
{
	fputs("  {\"row\": ", f);
	mr_bench_print_string(f, r->row->name);
	fputs(", \"unit\": ", f);
	mr_bench_print_string(f, r->row->unit);
	fprintf(f, ", \"better\": \"%s\"", r->row->more_is_better ? "more" : "less");
	fprintf(f, ", \"tsc_hz\": %llu", (unsigned long long)r->tsc_hz);
	if (r->skipped.code) {
		fputs(",\n   \"skipped\": ", f);
		mr_bench_print_string(f, r->skipped.text);
	} else {
		print_side(f, "ours", NULL, &r->ours);
		print_side(f, "floor", NULL, &r->floor);
		print_side(f, "peer", r->peer_label, &r->peer);
		print_ratio(f, "ratio_peer", mr_bench_ratio(&r->ours, &r->peer));
		print_ratio(f, "ratio_floor", mr_bench_ratio(&r->ours, &r->floor));
		if (r->peer_skipped.code) {
			fputs(",\n   \"peer_skipped\": ", f);
			mr_bench_print_string(f, r->peer_skipped.text);
		}
	}
	fputs(",\n   \"config\": ", f);
	mr_bench_print_string(f, r->config);
	fputc('}', f);
}

void
mr_bench_print_text_head(FILE *f)
{
	fprintf(f, "%-18s %10s %10s %10s  %-7s %-7s  %s\n", "row", "ours", "floor", "peer", "/peer",
	    "/floor", "unit");
}

static void
print_cell(FILE *f, const struct mr_bench_side *side)
{
	char text[32];

	fprintf(f, " %10s", side->count ? number(text, side->median) : "-");
}

static void
print_cell_ratio(FILE *f, double ratio)
{
	if (ratio >= 0)
		fprintf(f, " %-7.2f", ratio);
	else
		fprintf(f, " %-7s", "-");
}

void
mr_bench_print_text(FILE *f, const struct mr_bench_result *r)
{
	fprintf(f, "%-18s", r->row->name);
	if (r->skipped.code) {
		fprintf(f, " skipped: %s\n", r->skipped.text);
		return;
	}
	print_cell(f, &r->ours);
	print_cell(f, &r->floor);
	print_cell(f, &r->peer);
	fputc(' ', f);
	print_cell_ratio(f, mr_bench_ratio(&r->ours, &r->peer));
	print_cell_ratio(f, mr_bench_ratio(&r->ours, &r->floor));
	fprintf(f, "  %s%s", r->row->unit, r->row->more_is_better ? " (more is better)" : "");
	if (r->peer.count)
		fprintf(f, ", peer %s", r->peer_label);
	else if (r->peer_skipped.code)
		fprintf(f, ", peer skipped: %s", r->peer_skipped.text);
	fputc('\n', f);
}

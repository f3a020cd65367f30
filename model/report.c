/* SPDX-License-Identifier: Apache-2.0 */
#include "model/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/json_int.h"

struct mr_report {
	size_t count; /* all */
	size_t kept;
	struct mr_report_entry entries[MR_REPORT_MAX];
};

int
mr_report_create(struct mr_report **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void
mr_report_destroy(struct mr_report *report)
{
	size_t i;

	if (!report)
		return;
	for (i = 0; i < report->kept; i++) {
		free((char *)report->entries[i].file);
		free((char *)report->entries[i].path);
		free((char *)report->entries[i].text);
	}
	free(report);
}

size_t
mr_report_count(const struct mr_report *report)
{
	return report ? report->count : 0;
}

const struct mr_report_entry *
mr_report_entry(const struct mr_report *report, size_t i)
{
	return report && i < report->kept ? &report->entries[i] : NULL;
}

static mr_printf(6, 0) void report_add(struct mr_report *report, const char *file, unsigned line,
    unsigned column, const char *path, const char *fmt, va_list args)
{
	struct mr_report_entry *entry;
	char *text = NULL;

	if (!report)
		return;
	report->count++;
	if (report->kept == MR_REPORT_MAX)
		return;
	entry = &report->entries[report->kept];
	if (vasprintf(&text, fmt, args) < 0)
		return;
	*entry = (struct mr_report_entry){
		.file = strdup(file ? file : ""),
		.line = line,
		.column = column,
		.path = strdup(path ? path : ""),
		.text = text,
	};
	if (!entry->file || !entry->path) {
		free((char *)entry->file);
		free((char *)entry->path);
		free(text);
		return;
	}
	report->kept++;
}

void
mr_report_add(struct mr_report *report, const char *file, unsigned line, unsigned column,
    const char *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_add(report, file, line, column, path, fmt, args);
	va_end(args);
}

void
mr_report_at(struct mr_report *report, const struct mr_config *config, const struct mr_conf *node,
    const char *fmt, ...)
{
	char path[MR_CONF_PATH_MAX] = "";
	unsigned line = 0, column = 0;
	va_list args;

	if (node) {
		mr_conf_path(node, path, sizeof(path));
		mr_conf_where(node, &line, &column);
	}
	va_start(args, fmt);
	report_add(report, mr_config_name(config), line, column, path, fmt, args);
	va_end(args);
}

static int
entry_compare(const void *left, const void *right)
{
	const struct mr_report_entry *a = left, *b = right;
	int by_file = strcmp(a->file, b->file);

	if (by_file)
		return by_file;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return strcmp(a->text, b->text);
}

void
mr_report_sort(struct mr_report *report)
{
	if (report)
		qsort(report->entries, report->kept, sizeof(*report->entries), entry_compare);
}

int
mr_report_format(const struct mr_report *report, size_t i, char *text, size_t size)
{
	const struct mr_report_entry *entry = mr_report_entry(report, i);
	const char *colon;
	char where[32] = "";

	if (!entry) {
		if (size)
			*text = '\0';
		return 0;
	}
	colon = *entry->path ? ": " : "";
	if (entry->line)
		snprintf(where, sizeof(where), ":%u:%u", entry->line, entry->column);
	return snprintf(text, size, "%s%s: %s%s%s", entry->file, where, entry->path, colon,
	    entry->text);
}

void
mr_report_print(const struct mr_report *report, FILE *file)
{
	size_t i;

	if (!report)
		return;
	for (i = 0; i < report->kept; i++) {
		int need = mr_report_format(report, i, NULL, 0);
		char *line = need < 0 ? NULL : malloc((size_t)need + 1);

		if (!line)
			continue;
		mr_report_format(report, i, line, (size_t)need + 1);
		fprintf(file, "%s\n", line);
		free(line);
	}
	if (report->count > report->kept)
		fprintf(file, "and %zu more\n", report->count - report->kept);
}

void
mr_report_print_json(const struct mr_report *report, FILE *file)
{
	const struct mr_report_entry *entry;
	size_t i;

	fputs("{\"errors\":[", file);
	for (i = 0; (entry = mr_report_entry(report, i)); i++) {
		fprintf(file, "%s{\"file\":", i ? "," : "");
		mr_json_print(file, entry->file);
		fprintf(file, ",\"line\":%u,\"column\":%u,\"path\":", entry->line, entry->column);
		mr_json_print(file, entry->path);
		fputs(",\"text\":", file);
		mr_json_print(file, entry->text);
		fputc('}', file);
	}
	fprintf(file, "],\"count\":%zu}\n", mr_report_count(report));
}

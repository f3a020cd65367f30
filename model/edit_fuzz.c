/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/diff.h"
#include "model/edit.h"
#include "model/print.h"

/*
 * An edit of any bytes: the first says what is done, a path follows to the end of the line, and the
 * rest is the value (YAML, a word, or JSON). It fails with a reason, or gives a configuration
 * whose text loads again; what it was made from stays; every node of it has a path that leads
 * back to it.
 */

extern const char mr_yang_example[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] = "interface: {lan1: {mtu: 1500, options: {a/b: x}}, lan2: {}}\n"
			   "table:\n"
			   "  a: {order: [3, 1, 2], tags: [x], member: [lan1], by-port: 7}\n"
			   "  b: {fixed: [], extra: {low: 1}}\n";

static void
check_paths(const struct mr_config *config, const struct mr_conf *node)
{
	char path[8192];
	const struct mr_conf *found;

	for (; node; node = mr_conf_sibling(node)) {
		if (mr_path_print(node, path, sizeof(path)) < 4000 &&
		    (mr_config_at(config, path, &found, NULL) || found != node))
			abort();
		if (mr_path_print_rfc8040(node, path, sizeof(path)) < 4000 &&
		    (mr_config_at(config, path, &found, NULL) || found != node))
			abort();
		check_paths(config, mr_conf_first(node));
	}
}

static void
check_edited(struct mr_model *model, const struct mr_config *from, const struct mr_config *to)
{
	const struct mr_print how = { .form = MR_PRINT_YAML };
	struct mr_config *again;
	struct mr_diff *diff;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	mr_conf_print(mr_conf_root(to), &how, out);
	fclose(out);
	if (mr_config_parse(&again, model, "again", text, size, NULL) ||
	    !mr_conf_equal(mr_conf_root(to), mr_conf_root(again)))
		abort();
	if (mr_diff_create(&diff, from, to))
		abort();
	if (!mr_diff_count(diff) != mr_conf_equal(mr_conf_root(from), mr_conf_root(to)))
		abort();
	mr_diff_destroy(diff);
	check_paths(to, mr_conf_first(mr_conf_root(to)));
	mr_config_destroy(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_model *model;
	static struct mr_config *from;
	const char *texts[] = { mr_yang_example };
	struct mr_edit edit = { .path = NULL };
	struct mr_config *to;
	struct mr_report *report;
	char *path, *value;

	if (!model &&
	    (mr_model_create(&model, texts, MR_ARRAY_COUNT(texts), NULL) ||
		mr_config_parse(&from, model, "base", base, strlen(base), NULL)))
		abort();
	if (!size || mr_report_create(&report))
		return 0;
	path = strndup((const char *)data + 1, size - 1);
	if (!path)
		abort();
	value = strchr(path, '\n');
	if (value)
		*value++ = '\0';
	edit.op = (enum mr_edit_op)(data[0] % 5);
	edit.path = path;
	edit.child = data[0] & 0x20;
	edit.where = data[0] & 0x80 ? (enum mr_edit_where)(data[0] / 8 % 4) : MR_EDIT_KEEP;
	edit.point = "table/a/order/1";
	if (data[0] & 0x40) {
		edit.json = value;
		edit.json_size = value ? strlen(value) : 0;
	} else {
		edit.value = value;
	}
	if (mr_config_edit(&to, model, from, &edit, 1, report)) {
		if (to || !mr_report_count(report))
			abort();
	} else {
		check_edited(model, from, to);
		mr_config_destroy(to);
	}
	free(path);
	mr_report_destroy(report);
	return 0;
}

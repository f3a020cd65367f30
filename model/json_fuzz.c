/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/diff.h"
#include "model/edit.h"
#include "model/print.h"

/*
 * RFC 7951 JSON of any bytes: it is read as a configuration or refused with a reason; what was
 * read is the same after it was printed, as JSON and as YAML, and read again.
 */

extern const char mr_yang_example[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(struct mr_model *model, const struct mr_config *config, enum mr_print_form form)
{
	const struct mr_print how = { .form = form };
	struct mr_config *again;
	struct mr_diff *diff;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int rc;

	if (!out)
		abort();
	mr_conf_print(mr_conf_root(config), &how, out);
	fclose(out);
	rc = form == MR_PRINT_JSON ? mr_config_parse_json(&again, model, "j", text, size, NULL)
				   : mr_config_parse(&again, model, "y", text, size, NULL);
	if (rc || !mr_conf_equal(mr_conf_root(config), mr_conf_root(again)) ||
	    mr_diff_create(&diff, config, again) || mr_diff_count(diff)) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	mr_diff_destroy(diff);
	mr_config_destroy(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_model *model;
	const char *texts[] = { mr_yang_example };
	struct mr_config *config;
	struct mr_report *report;

	if (!model && mr_model_create(&model, texts, MR_ARRAY_COUNT(texts), NULL))
		abort();
	if (mr_report_create(&report))
		abort();
	if (mr_config_parse_json(&config, model, "fuzz", (const char *)data, size, report)) {
		if (config || !mr_report_count(report))
			abort();
	} else {
		check_again(model, config, MR_PRINT_JSON);
		check_again(model, config, MR_PRINT_YAML);
		mr_config_destroy(config);
	}
	mr_report_destroy(report);
	return 0;
}

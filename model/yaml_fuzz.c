/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/state.h"

/*
 * A configuration file of any bytes: loading either works, and what was loaded can be
 * printed, compared and read again, or it says why.
 */

extern const char mr_yang_example[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_model *model;
	const char *texts[] = { mr_yang_example };
	struct mr_config *config, *again;
	struct mr_report *report;
	char *printed = NULL;
	size_t printed_size = 0;
	FILE *out;

	if (!model && mr_model_create(&model, texts, MR_ARRAY_COUNT(texts), NULL))
		abort();
	if (mr_report_create(&report))
		abort();
	out = open_memstream(&printed, &printed_size);
	if (!out)
		abort();
	if (mr_config_parse(&config, model, "fuzz", (const char *)data, size, report)) {
		/* Refused: for a reason. */
		if (config || !mr_report_count(report))
			abort();
		mr_report_print(report, out);
		mr_report_print_json(report, out);
		fclose(out);
	} else {
		if (mr_report_count(report))
			abort();
		/* Taken: what is printed is JSON, which is YAML, and means the same. */
		mr_conf_print_json(mr_conf_root(config), out);
		fclose(out);
		if (mr_config_parse(&again, model, "again", printed, printed_size, report) ||
		    !mr_conf_equal(mr_conf_root(config), mr_conf_root(again))) {
			mr_report_print(report, stderr);
			fprintf(stderr, "%s\n", printed);
			abort();
		}
		mr_config_destroy(again);
		mr_config_destroy(config);
	}
	free(printed);
	mr_report_destroy(report);
	return 0;
}

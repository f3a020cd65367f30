/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/load.h"

#include <stdio.h>

#include "control/control.h"

int
mr_load_model(struct mr_model **out)
{
	struct mr_error error = { 0 };
	int rc = mr_control_model(out, &error);

	if (rc)
		fprintf(stderr, "millrace: %s\n", error.text);
	return rc;
}

struct mr_config *
mr_load_config(struct mr_model *model, const char *path, bool json)
{
	struct mr_config *config = NULL;
	struct mr_report *report = NULL;

	if (mr_report_create(&report)) {
		fprintf(stderr, "millrace: no memory\n");
		return NULL;
	}
	if (mr_config_load(&config, model, path, report) == 0)
		mr_control_check(config, report);
	if (mr_report_count(report) > 0) {
		if (json)
			mr_report_print_json(report, stdout);
		else
			mr_report_print(report, stderr);
		mr_config_destroy(config);
		config = NULL;
	}
	mr_report_destroy(report);
	return config;
}

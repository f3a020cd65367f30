/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/doctor/doctor.h"
#include "cmd/load.h"

#define PATIENCE_MS 3000

static const struct mr_cmd_option options[] = {
	{ .name = "json", .doc = "as JSON" },
	{ .name = "all", .letter = 'a', .doc = "what is well, too" },
	{ .name = "fix", .doc = "print the commands alone, as a shell script to read and run" },
	{ .name = "interval",
	    .value = "SECONDS",
	    .doc = "between the two looks at the running millrace (default: 1)" },
	{ .name = "root",
	    .value = "FOLDER",
	    .doc = "look at what a support bundle kept of another machine (its folder machine)",
	    .complete = "@file" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

static int
doctor_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct doctor d = { .root = "", .patience_ms = PATIENCE_MS };
	struct mr_config *config = NULL;
	struct mr_report *report = NULL;
	struct mr_model *model = NULL;
	struct mr_cmd_args args;
	int64_t interval = 1000;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 1, &args, &status))
		return status;
	if (!mr_cmd_milliseconds(&args, "interval", 1, 60000, &interval))
		return MR_EXIT_USAGE;
	d.interval_ms = (int)interval;
	d.socket = mr_cmd_value(&args, "socket");
	if (mr_cmd_given(&args, "root"))
		d.root = mr_cmd_value(&args, "root");
	if (mr_load_model(&model) || doctor_init(&d)) {
		mr_model_destroy(model);
		return MR_EXIT_FAILED;
	}
	doctor_ask(&d);
	if (doctor_load(&d, model, args.word_count ? args.words[0] : NULL, &config, &report)) {
		fprintf(stderr, "millrace doctor: no memory\n");
		status = MR_EXIT_FAILED;
	} else {
		doctor_examine(&d);
		if (mr_cmd_given(&args, "json"))
			doctor_print_json(&d, stdout);
		else if (mr_cmd_given(&args, "fix"))
			doctor_print_fixes(&d, stdout);
		else
			doctor_print(&d, mr_cmd_given(&args, "all"), stdout);
		status = doctor_count(&d, DOCTOR_ERROR) ? MR_EXIT_FAILED : MR_EXIT_OK;
	}
	doctor_end(&d);
	mr_config_destroy(config);
	mr_report_destroy(report);
	mr_model_destroy(model);
	return status;
}

const struct mr_cmd mr_cmd_doctor = {
	.name = "doctor",
	.summary = "find what stands in the way of this machine and configuration",
	.usage = "[FILE]",
	.help =
	    "Looks at the kernel, privileges, memory, CPUs, NICs, MTUs, other programs, the\n"
	    "configuration FILE (default: that of the running millrace) and the running millrace\n"
	    "itself, and says for each finding why it matters and which command changes it.\n"
	    "Nothing is changed. The status is 1 when there is an error, else 0.\n"
	    "\n"
	    "  millrace doctor lab.yaml\n"
	    "  millrace doctor --all --json\n"
	    "  millrace doctor --fix > fix.sh       (read it first)\n"
	    "  millrace doctor --root bundle/machine bundle/config.json",
	.options = options,
	.complete = "@file",
	.run = doctor_run,
};

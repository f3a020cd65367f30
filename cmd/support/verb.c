/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/load.h"
#include "cmd/support/gather.h"

#define PATIENCE_MS 3000
#define ALL_MS 20000 /* for everything that is asked of a running millrace */

static const struct mr_cmd_option options[] = {
	{ .name = "output",
	    .letter = 'o',
	    .value = "FILE",
	    .doc = "where to write it (default: millrace-support-TIME.tar.gz)",
	    .complete = "@file" },
	{ .name = "config",
	    .value = "FILE",
	    .doc = "the configuration (default: that of the running millrace, or the service's)",
	    .complete = "@file" },
	{ .name = "no-packets", .doc = "leave dropped packets out" },
	{ .name = "with-payload", .doc = "dropped packets whole, not their headers alone" },
	{ .name = "interval",
	    .value = "SECONDS",
	    .doc = "between the two looks at counters (default: 1)" },
	{ .name = "unit",
	    .value = "NAME",
	    .doc = "of systemd, for the journal (default: millrace)" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

static int
complain(const char *text)
{
	fprintf(stderr, "millrace support: %s\n", text);
	return MR_EXIT_FAILED;
}

static void
gather_all(struct gather *g, const char *config)
{
	g->end = gather_now() + ALL_MS;
	gather_version(g);
	gather_config(g, config);
	gather_machine(g);
	gather_process(g);
	gather_state(g);
	gather_drops(g);
	gather_log(g);
}

/* What is inside; of the machine's files only how many. */
static void
print_manifest(const char *line)
{
	unsigned machine = 0;

	while (*line) {
		int length = (int)strcspn(line, "\n");

		if (strncmp(line, "machine/", 8) == 0)
			machine++;
		else
			printf("%.*s\n", length, line);
		line += length + (line[length] == '\n');
	}
	printf(
	    "machine/                                                 %u files of /proc and /sys\n",
	    machine);
}

static int
write_bundle(struct gather *g, const char *path, const char *config)
{
	struct bundle bundle;
	struct mr_error error = { 0 };
	mode_t mask = umask(077); /* it is for who asked, until he hands it on */
	int rc = bundle_begin(&bundle, path, g->secrets, &error);

	umask(mask);
	if (rc)
		bundle.error = error;
	g->bundle = &bundle;
	if (!rc)
		gather_all(g, config);
	rc = bundle_end(&bundle, &error);
	if (!rc) {
		print_manifest(bundle.manifest);
		printf("%s: %u files, %zu KiB unpacked, in %s/\n", path, bundle.count,
		    bundle.total >> 10, bundle.folder);
	}
	free(bundle.manifest);
	if (!rc)
		return MR_EXIT_OK;
	unlink(path);
	return complain(error.text);
}

static int
support_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct doctor d = { .root = "", .patience_ms = PATIENCE_MS };
	struct secrets secrets = { 0 };
	struct gather g = { .secrets = &secrets, .doctor = &d };
	struct mr_config *config = NULL;
	struct mr_report *report = NULL;
	struct mr_model *model = NULL;
	struct mr_cmd_args args;
	int64_t interval = 1000;
	char path[128], *text = NULL;
	time_t now = time(NULL);
	struct tm tm;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 0, &args, &status))
		return status;
	if (!mr_cmd_milliseconds(&args, "interval", 1, 60000, &interval))
		return MR_EXIT_USAGE;
	g.unit = mr_cmd_given(&args, "unit") ? mr_cmd_value(&args, "unit") : "millrace";
	if (strchr(g.unit, '\'')) {
		fprintf(stderr, "millrace support: \"%s\" is no unit of systemd\n", g.unit);
		return MR_EXIT_USAGE;
	}
	g.packets = !mr_cmd_given(&args, "no-packets");
	g.payload = mr_cmd_given(&args, "with-payload");
	d.socket = mr_cmd_value(&args, "socket");
	d.interval_ms = (int)interval;
	gmtime_r(&now, &tm);
	strftime(path, sizeof(path), "millrace-support-%Y%m%dT%H%M%SZ.tar.gz", &tm);
	if (mr_load_model(&model))
		return MR_EXIT_FAILED;
	status = doctor_init(&d) ? -1 : 0;
	if (!status) {
		doctor_ask(&d);
		status = doctor_load(&d, model, mr_cmd_value(&args, "config"), &config, &report);
	}
	/* Nothing is written before all secrets are known. */
	if (status || gather_secrets(&g, model, config, &text))
		status = complain("no memory");
	else
		status = write_bundle(&g,
		    mr_cmd_given(&args, "output") ? mr_cmd_value(&args, "output") : path, text);
	free(text);
	secrets_clear(&secrets);
	doctor_end(&d);
	mr_config_destroy(config);
	mr_report_destroy(report);
	mr_model_destroy(model);
	return status;
}

const struct mr_cmd mr_cmd_support = {
	.name = "support",
	.summary = "pack what somebody needs to help, without secrets",
	.usage = "",
	.help =
	    "Writes a tar.gz with the version, the configuration without its secrets (and a list\n"
	    "of what was left out), what doctor says and all that it read, the state, counters\n"
	    "twice, the headers of the last packets dropped, commits, and the journal. Prints "
	    "what\n"
	    "is in it. It works when millrace does not answer or does not run.\n"
	    "\n"
	    "  millrace support\n"
	    "  millrace support -o /tmp/bundle.tar.gz --no-packets\n"
	    "  tar xf bundle.tar.gz && millrace doctor --root millrace-support-*/machine",
	.options = options,
	.run = support_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "kit/base/suggest.h"

static const struct mr_cmd *
find(const char *name)
{
	for (unsigned i = 0; mr_cmd_list[i]; i++)
		if (strcmp(mr_cmd_list[i]->name, name) == 0)
			return mr_cmd_list[i];
	return NULL;
}

static void
overview(FILE *out)
{
	fprintf(out,
	    "millrace " MR_VERSION ": a userspace network data plane\n\n"
	    "usage: millrace VERB [WORD...] [--option...]\n\n");
	for (unsigned i = 0; mr_cmd_list[i]; i++)
		if (mr_cmd_list[i]->summary)
			fprintf(out, "  %-10s %s\n", mr_cmd_list[i]->name, mr_cmd_list[i]->summary);
	fprintf(out, "\nmillrace VERB --help says more; millrace --version names this build\n");
}

static int
unknown(const char *name)
{
	struct mr_suggest near = { .word = name };

	for (unsigned i = 0; mr_cmd_list[i]; i++)
		if (mr_cmd_list[i]->summary)
			mr_suggest_try(&near, mr_cmd_list[i]->name);
	fprintf(stderr, "millrace: there is no verb \"%s\"", name);
	if (mr_suggest_best(&near))
		fprintf(stderr, "; did you mean \"%s\"?", mr_suggest_best(&near));
	fprintf(stderr, " (millrace --help lists them)\n");
	return MR_EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	const struct mr_cmd *cmd;
	const char *word = argc > 1 ? argv[1] : "--help";

	if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
		printf("millrace " MR_VERSION "\n");
		return MR_EXIT_OK;
	}
	if (strcmp(word, "help") == 0 && argc > 2 && find(argv[2])) {
		mr_cmd_help(find(argv[2]), stdout);
		return MR_EXIT_OK;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		overview(stdout);
		return MR_EXIT_OK;
	}
	cmd = find(word);
	return cmd ? cmd->run(cmd, argc - 1, argv + 1) : unknown(word);
}

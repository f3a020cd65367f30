/* SPDX-License-Identifier: Apache-2.0 */

/* The OpenAPI description of the REST interface, without a data plane. */

#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/load.h"
#include "control/rest/openapi.h"
#include "model/model.h"

static const struct mr_cmd_option options[] = { { 0 } };

static int
run_openapi(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_model *model = NULL;
	struct mr_cmd_args args;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 0, &args, &status))
		return status;
	if (mr_load_model(&model))
		return MR_EXIT_FAILED;
	mr_rest_openapi(model, stdout);
	mr_model_destroy(model);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return MR_EXIT_OK;
	perror("millrace openapi");
	return MR_EXIT_FAILED;
}

const struct mr_cmd mr_cmd_openapi = {
	.name = "openapi",
	.summary = "print the REST interface's OpenAPI description",
	.usage = "",
	.help = "Prints, as OpenAPI 3.1 in JSON, every path that a running millrace answers, with "
		"what is\n"
		"sent and what comes back. It is made from the model; GET /openapi.json gives the "
		"same.\n"
		"\n"
		"  millrace openapi > millrace.json",
	.options = options,
	.run = run_openapi,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of the flow lane, passed on from the control socket as they come. */
#include <stdio.h>

#include "cmd/client.h"
#include "cmd/show.h"

int
mr_show_flows(const struct mr_cmd_args *args)
{
	static const char *const filters[] = { "interface", "protocol", "address", "port", "top",
		"by" };
	bool count = mr_cmd_given(args, "count"), json = mr_cmd_given(args, "json") && !count;
	char target[1024] = "/state/lanes/flows";
	uint64_t bytes;
	int status;

	mr_client_param(target, sizeof(target), "form", count ? "count" : json ? "json" : "text");
	for (unsigned i = 0; i < MR_ARRAY_COUNT(filters); i++)
		if (mr_cmd_given(args, filters[i]))
			mr_client_param(target, sizeof(target), filters[i],
			    mr_cmd_value(args, filters[i]));
	if (mr_cmd_given(args, "program"))
		mr_client_param(target, sizeof(target), "program", "true");
	if (args->word_count > 1)
		mr_client_param(target, sizeof(target), "address", args->words[1]);
	status = mr_show_pass_on(args, "flows", target, json, &bytes);
	if (status == MR_EXIT_OK && bytes == 0 && !json)
		printf("no flows\n");
	return status;
}

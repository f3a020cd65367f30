/* SPDX-License-Identifier: Apache-2.0 */

/* Where the dashboard of the running millrace is (control/web), and how to have it. */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"

static const struct mr_cmd_option options[] = {
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

static void
print_one(const json_t *listen)
{
	const char *address = json_string_value(json_object_get(listen, "address"));
	json_int_t port = json_integer_value(json_object_get(listen, "port"));
	bool tls = json_object_get(listen, "certificate") != NULL;
	bool six = address && strchr(address, ':');

	if (address)
		printf("%s://%s%s%s:%lld/\n", tls ? "https" : "http", six ? "[" : "", address,
		    six ? "]" : "", (long long)port);
}

static int
web_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct mr_cmd_args args;
	struct mr_error error;
	const json_t *list;
	json_t *root, *entry;
	char *text = NULL;
	size_t size, i;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, 0, &args, &status))
		return status;
	if (mr_client_fetch(mr_cmd_value(&args, "socket"),
		"/restconf/data/millrace-rest:rest?content=config", &text, &size, &error)) {
		fprintf(stderr, "millrace web: %s\n", error.text);
		return MR_EXIT_FAILED;
	}
	root = json_loadb(text, size, 0, NULL);
	free(text);
	list = json_object_get(json_object_get(root, "millrace-rest:rest"), "listen");
	json_array_foreach(list, i, entry) print_one(entry);
	status = json_array_size(list) ? MR_EXIT_OK : MR_EXIT_FAILED;
	json_decref(root);
	if (status)
		fputs("millrace web: nothing is listened on but the control socket; for a browser "
		      "on this machine:\n"
		      "\n"
		      "  millrace token admin     (a token, and what stands for it in the "
		      "configuration)\n"
		      "\n"
		      "  rest:\n"
		      "    listen: [{address: 127.0.0.1, port: 8080}]\n"
		      "    user: {admin: {role: admin, token: \"sha256:...\"}}\n",
		    stderr);
	return status;
}

const struct mr_cmd mr_cmd_web = {
	.name = "web",
	.summary = "say where the dashboard is",
	.usage = "",
	.help =
	    "Prints the addresses at which a browser finds the dashboard of the running data\n"
	    "plane, one a line. It is there once the configuration has a rest/listen entry; the\n"
	    "page asks for the token of one of rest/user. From another machine, either listen\n"
	    "with a certificate or use ssh:\n"
	    "\n"
	    "  ssh -L 8080:127.0.0.1:8080 router\n",
	.options = options,
	.run = web_run,
};

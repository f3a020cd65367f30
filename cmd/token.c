/* SPDX-License-Identifier: Apache-2.0 */

/* A bearer token for the REST interface, and its hash for the configuration. */

#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "control/http/settings.h"

static const struct mr_cmd_option options[] = {
	{ .name = "hash", .doc = "the hash of a token that is read from standard input" },
	{ 0 },
};

static int
hash_input(void)
{
	uint8_t hash[MR_HTTP_HASH_SIZE];
	char token[1024];

	if (!fgets(token, sizeof(token), stdin) || !*token || *token == '\n') {
		fprintf(stderr, "millrace token: there is no token on standard input\n");
		return MR_EXIT_FAILED;
	}
	mr_http_hash_token(token, strcspn(token, "\r\n"), hash);
	printf("sha256:");
	for (unsigned i = 0; i < sizeof(hash); i++)
		printf("%02x", hash[i]);
	printf("\n");
	return MR_EXIT_OK;
}

static int
run_token(const struct mr_cmd *cmd, int argc, char **argv)
{
	char token[44], hash[2 * MR_HTTP_HASH_SIZE + 1];
	struct mr_cmd_args args;
	int status, rc;

	if (mr_cmd_parse(cmd, argc, argv, 0, 0, &args, &status))
		return status;
	if (mr_cmd_given(&args, "hash"))
		return hash_input();
	rc = mr_http_make_token(token, hash);
	if (rc) {
		fprintf(stderr, "millrace token: %s\n", strerror(-rc));
		return MR_EXIT_FAILED;
	}
	printf("token: %s\nhash: sha256:%s\n", token, hash);
	return MR_EXIT_OK;
}

const struct mr_cmd mr_cmd_token = {
	.name = "token",
	.summary = "make a token for the REST interface",
	.usage = "",
	.help =
	    "Prints a new bearer token, which the client keeps to itself, and its hash, which the\n"
	    "configuration has:\n"
	    "\n"
	    "  rest:\n"
	    "    listen: [{address: 127.0.0.1, port: 8080}]\n"
	    "    user: {alice: {role: admin, token: \"sha256:...\"}}\n"
	    "\n"
	    "  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/restconf/data\n"
	    "\n"
	    "Tokens are 256 random bits. Those that were chosen otherwise should be as hard to "
	    "guess.",
	.options = options,
	.run = run_token,
};

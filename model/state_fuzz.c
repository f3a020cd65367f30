/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "model/state.h"

/*
 * What a peer on the control socket sends as state: it is read, printed and freed,
 * or refused.
 */

extern const char mr_yang_example[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_model *model;
	const char *texts[] = { mr_yang_example };
	struct mr_config *tree;
	char *printed = NULL;
	size_t printed_size = 0;
	struct mr_error error;
	FILE *out;

	if (!model && mr_model_create(&model, texts, MR_ARRAY_COUNT(texts), NULL))
		abort();
	if (mr_state_read(&tree, model, (const char *)data, size, &error)) {
		if (tree || error.code >= 0 || !*error.text)
			abort();
		return 0;
	}
	out = open_memstream(&printed, &printed_size);
	if (!out)
		abort();
	mr_conf_print_json(mr_conf_root(tree), out);
	fclose(out);
	free(printed);
	mr_config_destroy(tree);
	return 0;
}

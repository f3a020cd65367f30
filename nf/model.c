/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "nf/nf.h"

/* How many modules there are; with `texts`, which they are. */
static size_t
collect(const char **texts)
{
	size_t count = 0;

	for (size_t i = 0; mr_nf_list[i]; i++) {
		const struct mr_nf *nf = mr_nf_list[i];
		const char *more = NULL;

		if (texts)
			texts[count] = nf->yang;
		count++;
		for (unsigned n = 0; nf->more_yang && (more = nf->more_yang(n)) != NULL; n++) {
			if (texts)
				texts[count] = more;
			count++;
		}
	}
	return count;
}

int
mr_nf_model(struct mr_model **out, struct mr_error *error)
{
	size_t count = collect(NULL);
	const char **texts = calloc(count, sizeof(*texts));
	int rc;

	if (!texts)
		return mr_error_set(error, -ENOMEM, "no memory for the model");
	collect(texts);
	rc = mr_model_create(out, texts, count, error);
	free(texts);
	return rc;
}

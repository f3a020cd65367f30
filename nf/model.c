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
mr_nf_model_with(struct mr_model **out, const char *const *others, size_t other_count,
    struct mr_error *error)
{
	size_t count = collect(NULL);
	const char **texts = calloc(count + other_count, sizeof(*texts));
	int rc;

	if (!texts)
		return mr_error_set(error, -ENOMEM, "no memory for the model");
	collect(texts);
	for (size_t i = 0; i < other_count; i++)
		texts[count + i] = others[i];
	rc = mr_model_create(out, texts, count + other_count, error);
	free(texts);
	return rc;
}

int
mr_nf_model(struct mr_model **out, struct mr_error *error)
{
	return mr_nf_model_with(out, NULL, 0, error);
}

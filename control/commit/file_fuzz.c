/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "control/commit/commit_int.h"

/*
 * A commit's file of any bytes, as it is and with a checksum that fits: it is read or refused, and
 * what is read lies within it.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_it(const char *text, size_t size)
{
	struct mr_error error = { 0 };
	struct record *r;
	const char *yaml;
	size_t yaml_size;

	if (commit_file_read(&r, text, size, &yaml, &yaml_size, &error)) {
		if (r || !*error.text)
			abort();
		return;
	}
	if (yaml < text || yaml + yaml_size > text + size || !r->pub.id)
		abort();
	commit_record_destroy(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "# checksum ";
	size_t tail = strlen(mark) + COMMIT_HASH_TEXT;
	char *text = malloc(size + tail + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	read_it(text, size);
	memcpy(text + size, mark, strlen(mark));
	commit_hash(text, size, text + size + strlen(mark));
	text[size + tail - 1] = '\n';
	read_it(text, size + tail);
	free(text);
	return 0;
}

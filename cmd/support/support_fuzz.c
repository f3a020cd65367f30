/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/support/gather.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A configuration's text: what is found in it is not there any more once it was blotted out. And as
 * lines of drops: what comes out is a capture. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *bytes;
	struct secrets s = { 0 };
	size_t packed = 0;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	bytes = drops_to_pcapng(text, size & 1, &packed);
	assert(bytes && packed >= 28 && packed % 4 == 0);
	free(bytes);
	secrets_scan(&s, text);
	secrets_blot(&s, text, size);
	for (unsigned i = 0; i < s.count; i++) {
		bool stars = strspn(s.values[i], "*") == strlen(s.values[i]);

		assert(stars || strchr(s.values[i], '*') ||
		    !memmem(text, size, s.values[i], strlen(s.values[i])));
	}
	secrets_blot_quoted(text, size);
	assert(text[size] == '\0');
	secrets_clear(&s);
	free(text);
	return 0;
}

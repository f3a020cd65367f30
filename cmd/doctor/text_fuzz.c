/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is the name that is looked for, the rest the file. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *file, value[24];
	const char *cursor;
	uint64_t a = 0, b = 0;
	unsigned n = 0;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	file = strchr(text, '\n');
	if (file)
		*file++ = '\0';
	else
		file = text + strlen(text);
	if (text_field(file, text, value, sizeof(value)))
		assert(strlen(value) < sizeof(value) && !strchr(value, '\n'));
	text_field_uint(file, text, &a);
	text_field_hex(file, text, &a);
	text_has_word(file, text);
	if (text_row(file, text))
		assert(strstr(file, text));
	text_limit(file, text, &a);
	if (text_chosen(file, value, sizeof(value)))
		assert(!strchr(value, ']'));
	text_version(file, &n);
	if (text_cpu_time(file, n % 64, &a, &b))
		assert(n % 64 < 64);
	if (text_mount(file, text, value, sizeof(value)))
		assert(strlen(value) < sizeof(value));
	for (cursor = file; text_interrupt(&cursor, text, &n);)
		assert(strstr(file, text));
	free(text);
	return 0;
}

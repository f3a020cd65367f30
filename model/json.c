/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json_int.h"

#include <stdlib.h>
#include <string.h>

unsigned
mr_utf8_length(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code;
	unsigned i, length;

	if (!size)
		return 0;
	if (s[0] < 0x80)
		return 1;
	length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || size < length)
		return 0;
	code = s[0] & (0x7f >> length);
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((length == 3 && code < 0x800) || (length == 4 && (code < 0x10000 || code > 0x10ffff)) ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

bool
mr_utf8_valid(const char *text)
{
	size_t left = strlen(text);
	unsigned length;

	for (; left; text += length, left -= length) {
		length = mr_utf8_length(text, left);
		if (!length)
			return false;
	}
	return true;
}

size_t
mr_json_quote(char *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t left = strlen(text);
	char *o = out;
	unsigned length;

	*o++ = '"';
	while (left) {
		unsigned char c = (unsigned char)*text;

		length = mr_utf8_length(text, left);
		if (!length) {
			memcpy(o, "\xef\xbf\xbd", 3);
			o += 3;
			length = 1;
		} else if (c == '"' || c == '\\') {
			*o++ = '\\';
			*o++ = (char)c;
		} else if (c == '\n') {
			*o++ = '\\';
			*o++ = 'n';
		} else if (c == '\t') {
			*o++ = '\\';
			*o++ = 't';
		} else if (c < 0x20 || c == 0x7f) {
			memcpy(o, "\\u00", 4);
			o[4] = hex[c >> 4];
			o[5] = hex[c & 15];
			o += 6;
		} else {
			memcpy(o, text, length);
			o += length;
		}
		text += length;
		left -= length;
	}
	*o++ = '"';
	return (size_t)(o - out);
}

void
mr_json_print(FILE *file, const char *text)
{
	char *out = malloc(strlen(text) * MR_JSON_BYTE_MAX + 2);

	if (!out)
		return;
	fwrite(out, 1, mr_json_quote(out, text), file);
	free(out);
}

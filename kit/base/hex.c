/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/hex.h"

#include <errno.h>

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long
mr_hex_read(const char *text, size_t len, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high = digit(text[i]), low;

		if (text[i] == ' ' || text[i] == ':' || (text[i] >= '\t' && text[i] <= '\r'))
			continue;
		low = i + 1 < len ? digit(text[i + 1]) : -1;
		if (high < 0 || low < 0)
			return -EINVAL;
		if (n == max)
			return -E2BIG;
		out[n++] = (uint8_t)(high << 4 | low);
		i++;
	}
	return (long)n;
}

void
mr_hex_write(char *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

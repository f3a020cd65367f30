/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as an HTTP answer. The first two say what is wanted and how the rest is
 * cut; whole and in pieces the verdict must be the same, and a good one for a text only
 * where the text is.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/lb/health/check_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static bool
holds_letters(const uint8_t *bytes, size_t size, const char *text)
{
	while (*text)
		if (!memchr(bytes, *text++, size))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const texts[] = { NULL, "o", "ok", "abab", "aabaaab", "\r\n0\r\n" };
	struct check_http whole, cut;
	struct check_http_want want;
	const char *text;
	size_t piece;

	if (size < 2)
		return 0;
	text = texts[data[0] % MR_ARRAY_COUNT(texts)];
	piece = 1 + data[1] % 32;
	must(check_http_want(&want, 200, data[0] & 0x80 ? 599 : 299, text) == 0);
	data += 2;
	size -= 2;
	check_http_begin(&whole, &want);
	check_http_begin(&cut, &want);
	check_http_feed(&whole, data, size);
	for (size_t at = 0; at < size; at += piece)
		check_http_feed(&cut, data + at, MR_MIN(piece, size - at));
	must(whole.verdict == cut.verdict && whole.bytes == cut.bytes);
	must(check_http_end(&whole) == check_http_end(&cut));
	must(whole.verdict > CHECK_HTTP_MORE && whole.verdict < CHECK_HTTP_VERDICTS);
	must(whole.verdict != CHECK_HTTP_GOOD || !text || holds_letters(data, size, text));
	must(whole.bytes <= size && whole.matched <= want.size);
	return 0;
}

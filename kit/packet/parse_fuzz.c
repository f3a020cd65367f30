/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Arbitrary bytes through everything that reads a frame. They stand at the end of an
 * allocation of their size, so that AddressSanitizer sees the first byte read past them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"
#include "kit/packet/print.h"
#include "kit/packet/rss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
frame(const struct mr_rss *rss, const uint8_t *bytes, unsigned len, unsigned total)
{
	struct mr_parsed p, q;
	unsigned depth;
	char text[200];

	mr_parse(&p, bytes, len, total);
	mr_parse_ethernet(&q, bytes, len, total);
	require(memcmp(&p, &q, sizeof(p)) == 0);
	for (depth = 0; depth < 5; depth++) {
		require(p.error < MR_PARSE_ERROR_COUNT);
		require(p.error != MR_PARSE_SPLIT || len < total);
		require(p.end <= total);
		if (p.l4)
			require(p.l4 <= len && p.l4 <= p.end && p.payload >= p.l4 &&
			    p.payload <= p.end);
		mr_rss_packet(rss, &p, bytes);
		if (p.error || !p.tunnel)
			break;
		mr_parse_inner(&p, &p, bytes, len, total);
	}
	mr_packet_print_first(text, sizeof(text), bytes, len, total);
	require(strlen(text) < sizeof(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_rss rss;
	uint16_t start = 0, offset = 0;
	unsigned len = (unsigned)MR_MIN(size, (size_t)4096);
	uint8_t *bytes;

	if (!rss.key[0])
		mr_rss_prepare(&rss, NULL, 0);
	bytes = malloc(len ? len : 1);
	if (!bytes)
		return 0;
	if (len)
		memcpy(bytes, data, len);
	frame(&rss, bytes, len, len);
	frame(&rss, bytes, len, len + 100);
	if (mr_checksum_is_unfinished(bytes, len, &start, &offset))
		require(start + offset + 2u <= len);
	mr_checksum_l4_verify(bytes, len);
	free(bytes);
	return 0;
}

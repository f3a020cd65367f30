/* SPDX-License-Identifier: Apache-2.0 */

/* The flight recorder's drops, from lines of JSON to a capture. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/support/gather.h"
#include "kit/base/hex.h"
#include "kit/packet/parse.h"
#include "kit/packet/pcapng.h"
#include "kit/packet/wire_eth.h"

#define FRAME_MAX 65535
#define INTERFACES_MAX 256

struct writer {
	FILE *out;
	bool payload;
	char names[INTERFACES_MAX][MR_PCAPNG_NAME_MAX];
	unsigned count;
	uint8_t frame[FRAME_MAX];
	uint8_t block[MR_PCAPNG_PACKET_MAX(FRAME_MAX)];
};

static const char *
text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static uint32_t
interface_of(struct writer *w, const char *name)
{
	unsigned i;

	for (i = 0; i < w->count; i++)
		if (strncmp(w->names[i], name, MR_PCAPNG_NAME_MAX - 1) == 0)
			return i;
	if (i == INTERFACES_MAX)
		return 0;
	snprintf(w->names[i], MR_PCAPNG_NAME_MAX, "%s", name);
	fwrite(w->block, 1, mr_pcapng_interface(w->block, sizeof(w->block), name, 0), w->out);
	return w->count++;
}

/* "2026-11-21T10:05:00.123456Z" */
static uint64_t
time_of(const char *at)
{
	struct tm tm = { 0 };
	const char *rest = strptime(at, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t seconds = rest ? timegm(&tm) : 0;
	double fraction = rest && *rest == '.' ? strtod(rest, NULL) : 0;

	return seconds > 0 ? (uint64_t)seconds * 1000000000 + (uint64_t)(fraction * 1e9) : 0;
}

/* How much of a frame is headers: what people say to each other lies behind. */
static uint32_t
headers(const uint8_t *frame, uint32_t size)
{
	struct mr_parsed p;

	mr_parse_ethernet(&p, frame, size, size);
	if (p.ethertype == MR_ETH_TYPE_ARP)
		return MR_MIN(size, (uint32_t)p.l3 + 28);
	if (p.flags & MR_PARSED_L4)
		return MR_MIN(size, (uint32_t)p.payload);
	if (p.version == 4)
		return MR_MIN(size, (uint32_t)p.l3 + 20);
	if (p.version == 6)
		return MR_MIN(size, (uint32_t)p.l3 + 40);
	return MR_MIN(size, (uint32_t)p.l3);
}

static void
write_drop(struct writer *w, const json_t *drop)
{
	const char *bytes = text(drop, "bytes");
	long n = mr_hex_read(bytes, strlen(bytes), w->frame, sizeof(w->frame));
	char comment[MR_PCAPNG_COMMENT_MAX];
	struct mr_pcapng_packet p = { .direction = MR_PCAPNG_UNKNOWN, .comment = comment };

	if (n <= 0)
		return;
	snprintf(comment, sizeof(comment), "dropped by %s: %s", text(drop, "node"),
	    text(drop, "reason"));
	p.interface = interface_of(w, text(drop, "interface"));
	p.time_ns = time_of(text(drop, "at"));
	p.kept = w->payload ? (uint32_t)n : headers(w->frame, (uint32_t)n);
	p.length =
	    (uint32_t)MR_MAX(json_integer_value(json_object_get(drop, "length")), (json_int_t)n);
	fwrite(w->block, 1, mr_pcapng_packet(w->block, sizeof(w->block), &p, w->frame), w->out);
}

char *
drops_to_pcapng(const char *lines, bool payload, size_t *size)
{
	struct writer *w = calloc(1, sizeof(*w));
	char *bytes = NULL;

	if (w)
		w->out = open_memstream(&bytes, size);
	if (!w || !w->out) {
		free(w);
		return NULL;
	}
	w->payload = payload;
	fwrite(w->block, 1, mr_pcapng_section(w->block, sizeof(w->block)), w->out);
	while (*lines) {
		size_t length = strcspn(lines, "\n");
		json_t *drop = json_loadb(lines, length, 0, NULL);

		if (drop)
			write_drop(w, drop);
		json_decref(drop);
		lines += length + (lines[length] == '\n');
	}
	fclose(w->out);
	free(w);
	return bytes;
}

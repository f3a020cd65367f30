/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_CAPTURE_INT_H
#define MR_KIT_PACKET_CAPTURE_INT_H

/*
 * A reader of classic capture files (libpcap's format of 1998, either byte order,
 * micro- or nanoseconds), so that the tests of the lowest floors depend on nothing. Each frame
 * is read into an allocation of its size: a read past its end is seen by AddressSanitizer.
 * The port driver for captures is kit/port/pcap.
 */

#include <stdio.h>
#include <stdlib.h>

#include "kit/base/def.h"

#define CAPTURE_ETHERNET 1u
#define CAPTURE_FRAME_MAX 262144u

struct capture {
	FILE *file;
	bool swapped;
	uint32_t link;
};

struct capture_frame {
	uint8_t *bytes; /* the caller's, to free */
	unsigned len;
	unsigned total; /* on the wire; more than len when the capture cut it */
};

static inline uint32_t
capture_u32(const struct capture *c, uint32_t v)
{
	return c->swapped ? __builtin_bswap32(v) : v;
}

/* False when it is not such a file. */
static inline bool
capture_open(struct capture *c, const char *path)
{
	uint32_t head[6];

	c->file = fopen(path, "rb");
	if (!c->file)
		return false;
	if (fread(head, sizeof(head), 1, c->file) == 1) {
		c->swapped = head[0] == 0xd4c3b2a1 || head[0] == 0x4d3cb2a1;
		c->link = capture_u32(c, head[5]) & 0xffff;
		if (c->swapped || head[0] == 0xa1b2c3d4 || head[0] == 0xa1b23c4d)
			return true;
	}
	fclose(c->file);
	return false;
}

static inline bool
capture_next(struct capture *c, struct capture_frame *frame)
{
	uint32_t head[4];

	if (fread(head, sizeof(head), 1, c->file) != 1)
		return false;
	frame->len = capture_u32(c, head[2]);
	frame->total = MR_MAX(capture_u32(c, head[3]), frame->len);
	if (frame->len > CAPTURE_FRAME_MAX)
		return false;
	frame->bytes = malloc(frame->len ? frame->len : 1);
	if (frame->bytes && (frame->len == 0 || fread(frame->bytes, frame->len, 1, c->file) == 1))
		return true;
	free(frame->bytes);
	return false;
}

static inline void
capture_close(struct capture *c)
{
	fclose(c->file);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/pcapng.h"

#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_NAME = 2,       /* of an interface block */
	OPTION_FLAGS = 2,      /* of a packet block */
	OPTION_DROPPED = 5,    /* of a statistics block */
	OPTION_RESOLUTION = 9, /* of an interface block */
	LINK_ETHERNET = 1,
};

/* Where the next bytes of a block go; a block that ran out of room has none. */
struct block {
	uint8_t *start, *at, *end;
};

static void
put(struct block *b, const void *bytes, size_t len)
{
	size_t padded = MR_ALIGN_UP(len, (size_t)4);

	if (!b->at || (size_t)(b->end - b->at) < padded) {
		b->at = NULL;
		return;
	}
	memcpy(b->at, bytes, len);
	memset(b->at + len, 0, padded - len);
	b->at += padded;
}

static void
put32(struct block *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

static void
put_option(struct block *b, uint16_t code, const void *bytes, size_t len)
{
	put32(b, code | (uint32_t)len << 16);
	if (len)
		put(b, bytes, len);
}

static struct block
begin(void *out, size_t size, uint32_t type)
{
	struct block b = { out, out, (uint8_t *)out + size };

	put32(&b, type);
	put32(&b, 0); /* the length, known at the end */
	return b;
}

static size_t
finish(struct block *b)
{
	uint32_t len;

	if (!b->at)
		return 0;
	len = (uint32_t)(b->at - b->start) + 4;
	put32(b, len);
	if (!b->at)
		return 0;
	memcpy(b->start + 4, &len, sizeof(len));
	return len;
}

size_t
mr_pcapng_section(void *out, size_t size)
{
	struct block b = begin(out, size, BLOCK_SECTION);

	put32(&b, 0x1a2b3c4d);
	put32(&b, 1);          /* version 1.0 */
	put32(&b, UINT32_MAX); /* the section's length is not known */
	put32(&b, UINT32_MAX);
	return finish(&b);
}

size_t
mr_pcapng_interface(void *out, size_t size, const char *name, uint32_t snap)
{
	struct block b = begin(out, size, BLOCK_INTERFACE);
	const uint8_t nanoseconds = 9;

	put32(&b, LINK_ETHERNET);
	put32(&b, snap);
	if (name)
		put_option(&b, OPTION_NAME, name, strnlen(name, MR_PCAPNG_NAME_MAX));
	put_option(&b, OPTION_RESOLUTION, &nanoseconds, 1);
	put_option(&b, OPTION_END, NULL, 0);
	return finish(&b);
}

size_t
mr_pcapng_packet(void *out, size_t size, const struct mr_pcapng_packet *p, const void *bytes)
{
	struct block b = begin(out, size, BLOCK_PACKET);
	uint32_t flags = p->direction;

	put32(&b, p->interface);
	put32(&b, (uint32_t)(p->time_ns >> 32));
	put32(&b, (uint32_t)p->time_ns);
	put32(&b, p->kept);
	put32(&b, p->length);
	put(&b, bytes, p->kept);
	if (p->direction)
		put_option(&b, OPTION_FLAGS, &flags, sizeof(flags));
	if (p->comment)
		put_option(&b, OPTION_COMMENT, p->comment,
		    strnlen(p->comment, MR_PCAPNG_COMMENT_MAX));
	if (p->direction || p->comment)
		put_option(&b, OPTION_END, NULL, 0);
	return finish(&b);
}

size_t
mr_pcapng_statistics(void *out, size_t size, uint32_t interface, uint64_t time_ns, uint64_t missed)
{
	struct block b = begin(out, size, BLOCK_STATISTICS);

	put32(&b, interface);
	put32(&b, (uint32_t)(time_ns >> 32));
	put32(&b, (uint32_t)time_ns);
	put_option(&b, OPTION_DROPPED, &missed, sizeof(missed));
	put_option(&b, OPTION_END, NULL, 0);
	return finish(&b);
}

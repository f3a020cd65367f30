/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of a few datagrams, as an attacker may send them, through ip-reassembly, beside a slow
 * reassembler that keeps a map of bytes for each datagram. Both must say the same of every
 * fragment: kept, dropped, or that a datagram is whole, with the same bytes.
 *
 * Input, six bytes per fragment: which datagram (and family), offset in units of 8, length low,
 * length high and more, marks and padding, seed of the bytes.
 */
#include <string.h>

#include "nf/icmp/icmp_test_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DATAGRAMS 4u
#define BYTES 8192u

struct slow {
	bool dead;
	unsigned end; /* 0: not known */
	unsigned count;
	unsigned marks;
	uint8_t have[BYTES];
	uint8_t bytes[BYTES];
	struct {
		unsigned offset, len;
		bool more;
	} pieces[MR_REASSEMBLY_FRAGMENTS_MAX];
};

static struct slow all[2][DATAGRAMS];
static struct bed *bed;
static struct made m;

enum fate { KEPT, DROPPED, WHOLE };

static enum fate
slow_take(struct slow *s, unsigned offset, unsigned len, bool more, unsigned mark,
    const uint8_t *bytes)
{
	bool overlap = false;

	if (s->dead)
		return DROPPED;
	for (unsigned i = 0; i < s->count; i++)
		if (s->pieces[i].offset == offset && s->pieces[i].len == len &&
		    s->pieces[i].more == more)
			return DROPPED; /* a duplicate, alone */
	for (unsigned i = 0; i < len; i++)
		overlap |= s->have[offset + i];
	if (!more) {
		overlap |= s->end && s->end != offset + len;
		for (unsigned i = offset + len; i < BYTES; i++)
			overlap |= s->have[i];
	} else {
		overlap |= s->end && offset + len >= s->end;
	}
	if (overlap || s->count == MR_REASSEMBLY_FRAGMENTS_MAX || ((s->marks | mark) & 9) == 9) {
		s->dead = true;
		return DROPPED;
	}
	memset(s->have + offset, 1, len);
	memcpy(s->bytes + offset, bytes, len);
	s->pieces[s->count].offset = offset;
	s->pieces[s->count].len = len;
	s->pieces[s->count++].more = more;
	s->marks |= mark;
	if (!more)
		s->end = offset + len;
	for (unsigned i = 0; i < s->end; i++)
		if (!s->have[i])
			return KEPT;
	return s->end ? WHOLE : KEPT;
}

static void
make_fragment(bool six, unsigned which, unsigned offset, unsigned len, bool more, unsigned ecn,
    const uint8_t *bytes)
{
	static const uint8_t src[16] = { 0x20, 1, 0xd, 0xb8, [15] = 5 },
			     dst[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	uint8_t payload[BYTES + 8] = { 253, 0 };

	if (!six) {
		make_ip4(&m, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 253, NULL, 0, bytes, len);
		m.bytes[15] = (uint8_t)ecn;
		mr_store_be16(m.bytes + 18, (uint16_t)which);
		mr_store_be16(m.bytes + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
		fix_ip4(&m);
		return;
	}
	mr_store_be16(payload + 2, (uint16_t)(offset | more));
	mr_store_be32(payload + 4, which);
	memcpy(payload + 8, bytes, len);
	make_ip6(&m, src, dst, 44, payload, 8 + len);
	m.bytes[15] = (uint8_t)(ecn << 4);
}

static void
check(const struct slow *s, bool six, enum fate fate)
{
	const struct bed_out *o = &bed->out[0];
	unsigned head = six ? 54 : 34;

	if ((fate == WHOLE) != (bed->count == 1))
		bed_fail(fate == WHOLE ? "whole, and kept" : "not whole, and sent");
	if (fate == WHOLE &&
	    (o->where != MR_REASSEMBLY_EDGE_WHOLE || o->len != head + s->end ||
		memcmp(o->bytes + head, s->bytes, s->end) != 0))
		bed_fail("not what was sent");
}

static void
one_fragment(const uint8_t *data)
{
	static const struct bed_in in = { .interface = 1 };
	unsigned which = data[0] % DATAGRAMS, offset = data[1] * 8u;
	unsigned len = data[2] | (data[3] & 3u) << 8, ecn = data[4] & 3;
	bool six = data[0] & 0x80, more = data[3] & 4;
	struct slow *s = &all[six][which];
	uint8_t bytes[1024];
	uint64_t before, after;
	enum fate fate;

	if (more)
		len &= ~7u;
	if (!len || (!offset && !more))
		return; /* refused, or no fragment: other tests */
	for (unsigned i = 0; i < len; i++)
		bytes[i] = (uint8_t)(data[5] + i * (data[5] | 1u));
	make_fragment(six, which + 1, offset, len, more, ecn, bytes);
	before = bed_held(bed, BED_REASSEMBLY);
	bed_run(bed, BED_REASSEMBLY, &in, m.bytes, m.len + (data[4] >> 4));
	after = bed_held(bed, BED_REASSEMBLY);
	fate = slow_take(s, offset, len, more, 1u << ecn, bytes);
	check(s, six, fate);
	if (fate == KEPT && after != before + 1)
		bed_fail("not kept");
	if (fate == DROPPED && after > before)
		bed_fail("kept what is to be dropped");
	if (fate == WHOLE)
		memset(s, 0, sizeof(*s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_reassembly_usage u;
	struct mr_graph_totals t;

	bed = bed_forever();
	for (size_t at = 0; at + 6 <= size && at < 6 * 300; at += 6)
		one_fragment(data + at);
	/* Time runs out for all that is left. */
	bed_clear(bed);
	bed_skip_seconds(bed, MR_REASSEMBLY_TIMEOUT6 + 2);
	memset(all, 0, sizeof(all));
	mr_reassembly_usage(bed->icmp->reassembly, bed->vrf, &u);
	mr_graph_totals(bed->graph, &t);
	if (u.datagrams || u.buffers || t.held || mr_pool_used(bed->buffers->pool) ||
	    t.received + t.created != t.sent + t.dropped + t.merged)
		bed_fail("something is left");
	return 0;
}

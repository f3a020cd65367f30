/* SPDX-License-Identifier: Apache-2.0 */

/* Super-frames in tunnels, each piece of which is held against what the frame as it was made says
 * that it must be, one byte after the other. */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/gso.h"
#include "kit/packet/wire.h"

#define LEVELS 4u

enum kind { VXLAN, GENEVE, GENEVE_IP, GUE, GUE_BARE, IP_IN_IP, KINDS };

struct level {
	unsigned version, l3, l4, proto;
	bool summed; /* UDP, with a checksum */
};

struct super {
	uint8_t bytes[70000];
	struct level levels[LEVELS];
	unsigned count, header, len;
};

static uint32_t seed = 7;
static struct super super;

static uint32_t
draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* RFC 1071 as it reads. */
static uint32_t
slow_add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* -- frames --------------------------------------------------------------------------------- */

static unsigned
put_ethernet(uint8_t *b, unsigned at, unsigned version)
{
	at += 12;
	for (unsigned tags = draw() % 3; tags > 0; tags--, at += 4)
		mr_store_be16(b + at, tags == 1 ? 0x8100 : 0x88a8);
	mr_store_be16(b + at, version == 4 ? 0x0800 : 0x86dd);
	return at + 2;
}

static unsigned
put_ip(struct super *s, unsigned at, unsigned version, unsigned proto)
{
	unsigned options = draw() % 3 ? 0 : version == 4 ? 4 * (draw() % 11) : 16;
	struct level *l = &s->levels[s->count++];
	uint8_t *ip = s->bytes + at;

	*l = (struct level){ .version = version, .l3 = at, .proto = proto };
	l->l4 = at + (version == 4 ? 20 : 40) + options;
	if (version == 4) {
		ip[0] = (uint8_t)(0x45 + options / 4);
		mr_store_be16(ip + 6, draw() & 1 ? MR_IP4_DONT_FRAGMENT : 0);
		ip[9] = (uint8_t)proto;
		memset(ip + 20, 1, options);
	} else {
		ip[0] = 0x60;
		ip[6] = (uint8_t)proto;
		if (options) {
			ip[6] = MR_IP_PROTO_DEST_OPTIONS;
			ip[40] = (uint8_t)proto;
			ip[41] = 1;
			ip[42] = MR_IP6_OPTION_PADN;
			ip[43] = 12;
		}
	}
	return l->l4;
}

/* A tunnel's header behind IP's, and what stands between it and the next IP header. */
static unsigned
put_tunnel(struct super *s, unsigned at, enum kind kind, unsigned next)
{
	unsigned proto = next == 4 ? MR_IP_PROTO_IP4 : MR_IP_PROTO_IP6, words;
	uint8_t *b = s->bytes;

	if (kind == IP_IN_IP)
		return at;
	s->levels[s->count - 1].summed = draw() & 1;
	if (s->levels[s->count - 1].summed)
		b[at + 6] |= 1;
	else
		memset(b + at + 6, 0, 2);
	/* Any port: a GTP-U header would be wrong, and known for it. */
	mr_store_be16(b + at + 2, kind == VXLAN ? 4789 : kind == GUE ? 6080 : 7000);
	at += 8;
	switch (kind) {
	case VXLAN:
		mr_store_be32(b + at, 0x08000000);
		return put_ethernet(b, at + 8, next);
	case GENEVE:
	case GENEVE_IP:
		words = draw() % 8;
		b[at] = (uint8_t)words;
		mr_store_be16(b + at + 2, kind == GENEVE ? 0x6558 : next == 4 ? 0x0800 : 0x86dd);
		at += 8 + words * 4;
		return kind == GENEVE ? put_ethernet(b, at, next) : at;
	case GUE:
		words = draw() % 3;
		b[at] = (uint8_t)words;
		b[at + 1] = (uint8_t)proto;
		memset(b + at + 2, 0, 2);
		return at + 4 + words * 4;
	default:
		return at;
	}
}

static void
set_lengths(struct super *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct level *l = &s->levels[i];
		uint8_t *ip = s->bytes + l->l3;

		if (l->version == 4) {
			mr_store_be16(ip + 2, (uint16_t)(s->len - l->l3));
			memset(ip + 10, 0, 2);
			mr_store_be16(ip + 10, (uint16_t)~slow_add(0, ip, (ip[0] & 15u) * 4));
		} else {
			mr_store_be16(ip + 4, (uint16_t)(s->len - l->l3 - 40));
		}
		if (l->proto == MR_IP_PROTO_UDP)
			mr_store_be16(s->bytes + l->l4 + 4, (uint16_t)(s->len - l->l4));
	}
}

static void
make(struct super *s, const enum kind *kinds, unsigned depth, bool tcp, unsigned payload)
{
	unsigned version = 4 + 2 * (draw() & 1), at;

	for (size_t i = 0; i < sizeof(s->bytes); i++)
		s->bytes[i] = (uint8_t)draw();
	s->count = 0;
	at = put_ethernet(s->bytes, 0, version);
	for (unsigned i = 0; i < depth; i++) {
		unsigned next = 4 + 2 * (draw() & 1);
		unsigned in_ip = next == 4 ? MR_IP_PROTO_IP4 : MR_IP_PROTO_IP6;

		at = put_ip(s, at, version, kinds[i] == IP_IN_IP ? in_ip : MR_IP_PROTO_UDP);
		at = put_tunnel(s, at, kinds[i], next);
		version = next;
	}
	at = put_ip(s, at, version, tcp ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP);
	s->header = at + (tcp ? 20 + 4 * (draw() % 11) : 8);
	s->len = s->header + payload;
	if (tcp) {
		s->bytes[at + 12] = (uint8_t)((s->header - at) / 4 << 4);
		s->bytes[at + 13] &= (uint8_t) ~(MR_TCP_SYN | MR_TCP_RST | MR_TCP_URG);
	} else {
		mr_store_be16(s->bytes + at + 2, 443);
	}
	set_lengths(s);
}

static const struct level *
inner(const struct super *s)
{
	return &s->levels[s->count - 1];
}

static uint32_t
load(struct mr_buffers *b, const struct super *s, unsigned gso_size)
{
	bool tcp = inner(s)->proto == MR_IP_PROTO_TCP;
	uint32_t handle, first = MR_PACKET_NONE;
	unsigned done = 0, segments = 0, least = s->len / 40 + 1;
	struct mr_packet *p, *last = NULL;

	while (done < s->len) {
		unsigned data = MR_PACKET_META_SIZE + draw() % 300;
		unsigned part = least + draw() % (MR_PACKET_STRIDE - data);

		assert_int_equal(mr_buffers_get(b, 0, &handle, 1), 1);
		p = mr_packet_at(b->base, handle);
		part = MR_MIN(MR_MIN(part, MR_PACKET_STRIDE - data), s->len - done);
		mr_packet_init(p, (uint16_t)data, (uint16_t)part, 3, 1);
		memcpy(mr_packet_bytes(p), s->bytes + done, part);
		done += part;
		segments++;
		if (last)
			last->next = handle;
		else
			first = handle;
		last = p;
	}
	p = mr_packet_at(b->base, first);
	p->total = s->len;
	p->segments = (uint16_t)segments;
	p->flags = MR_PACKET_CSUM_PARTIAL;
	p->flags |= !tcp             ? MR_PACKET_GSO_UDP
	    : inner(s)->version == 4 ? MR_PACKET_GSO_TCP4
				     : MR_PACKET_GSO_TCP6;
	p->csum_start = (uint16_t)inner(s)->l4;
	p->csum_offset = tcp ? 16 : 6;
	p->gso_size = (uint16_t)gso_size;
	return first;
}

/* -- the oracle ----------------------------------------------------------------------------- */

static uint32_t
slow_pseudo(const struct level *l, const uint8_t *frame, unsigned len)
{
	uint8_t ph[8] = { 0 };
	uint32_t sum =
	    slow_add(0, frame + l->l3 + (l->version == 4 ? 12 : 8), l->version == 4 ? 8 : 32);

	mr_store_be32(ph, len - l->l4);
	mr_store_be32(ph + 4, l->proto);
	return slow_add(sum, ph, 8);
}

static void
want_checksum(const struct level *l, uint8_t *frame, unsigned len)
{
	uint8_t *field = frame + l->l4 + (l->proto == MR_IP_PROTO_TCP ? 16 : 6);
	uint16_t sum;

	memset(field, 0, 2);
	sum = (uint16_t)~slow_add(slow_pseudo(l, frame, len), frame + l->l4, len - l->l4);
	mr_store_be16(field, sum ? sum : 0xffff);
}

/* What piece `index` is to be; returns its length. */
static unsigned
want(const struct super *s, unsigned index, unsigned count, unsigned size, bool partial,
    uint8_t *frame)
{
	const struct level *in = inner(s);
	unsigned before = index * size, payload = MR_MIN(size, s->len - s->header - before);
	unsigned len = s->header + payload;
	uint8_t *tcp = frame + in->l4;

	memcpy(frame, s->bytes, s->header);
	memcpy(frame + s->header, s->bytes + s->header + before, payload);
	for (unsigned i = 0; i < s->count; i++) {
		const struct level *l = &s->levels[i];
		uint8_t *ip = frame + l->l3;

		if (l->version == 4 && count > 1) {
			mr_store_be16(ip + 2, (uint16_t)(len - l->l3));
			mr_store_be16(ip + 4, (uint16_t)(mr_load_be16(ip + 4) + index));
			memset(ip + 10, 0, 2);
			mr_store_be16(ip + 10, (uint16_t)~slow_add(0, ip, (ip[0] & 15u) * 4));
		} else if (l->version == 6) {
			mr_store_be16(ip + 4, (uint16_t)(len - l->l3 - 40));
		}
		if (l->proto == MR_IP_PROTO_UDP)
			mr_store_be16(frame + l->l4 + 4, (uint16_t)(len - l->l4));
	}
	if (in->proto == MR_IP_PROTO_TCP) {
		mr_store_be32(tcp + 4, mr_load_be32(tcp + 4) + before);
		if (index > 0)
			tcp[13] &= (uint8_t)~MR_TCP_CWR;
		if (index + 1 < count)
			tcp[13] &= (uint8_t) ~(MR_TCP_PSH | MR_TCP_FIN);
	}
	want_checksum(in, frame, len);
	for (unsigned i = s->count - 1; i-- > 0;)
		if (s->levels[i].summed)
			want_checksum(&s->levels[i], frame, len);
	/* The checksums around it are those of the packet as it will be. */
	if (partial)
		mr_store_be16(tcp + (in->proto == MR_IP_PROTO_TCP ? 16 : 6),
		    (uint16_t)slow_pseudo(in, frame, len));
	return len;
}

static void
cut_and_check(struct mr_buffers *b, struct super *s, unsigned size, bool partial)
{
	static uint8_t got[70000], wanted[70000];
	unsigned payload = s->len - s->header, count = (payload + size - 1) / size;
	uint32_t out[512], h;

	/* As a kernel has it, what is unfinished holds its pseudo-header's sum. */
	mr_store_be16(s->bytes + inner(s)->l4 + (inner(s)->proto == MR_IP_PROTO_TCP ? 16 : 6),
	    (uint16_t)slow_pseudo(inner(s), s->bytes, s->len));
	h = load(b, s, size);
	assert_int_equal(mr_gso_segment_with(b, 0, h, 0, partial ? MR_GSO_PARTIAL : 0, out, 512),
	    count);
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(b->base, out[i]);
		unsigned len = want(s, i, count, size, partial, wanted);

		assert_int_equal(p->total, len);
		assert_int_equal(p->gso_size, 0);
		assert_int_equal(p->flags, partial ? MR_PACKET_CSUM_PARTIAL : 0);
		assert_int_equal(p->csum_start, inner(s)->l4);
		assert_int_equal(mr_packet_read(b, out[i], 0, got, sizeof(got)), len);
		assert_memory_equal(got, wanted, len);
	}
	mr_packets_free(b, 0, out, count);
}

/* -- tests ---------------------------------------------------------------------------------- */

static int
setup(void **state)
{
	struct mr_buffers_config config = { .count = 4096, .workers = 1, .numa_node = -1 };
	struct mr_error error;

	return mr_buffers_create((struct mr_buffers **)state, &config, &error);
}

static int
teardown(void **state)
{
	struct mr_buffers *b = *state;
	unsigned used = mr_pool_used(b->pool);

	mr_buffers_destroy(b);
	assert_int_equal(used, 0);
	return 0;
}

/* Every kind of tunnel, IPv4 and IPv6 as they come, with tags and options. */
static void
test_tunnels(void **state)
{
	for (unsigned n = 0; n < KINDS * 40; n++) {
		enum kind kind = (enum kind)(n % KINDS);
		unsigned payload = 1 + draw() % (n % 4 ? 6000 : 60000);

		make(&super, &kind, 1, n / KINDS % 4 != 3, payload);
		cut_and_check(*state, &super, 300 + draw() % 2500, n & 1);
	}
}

static void
test_tunnels_in_tunnels(void **state)
{
	for (unsigned n = 0; n < KINDS * KINDS * 4; n++) {
		const enum kind kinds[2] = { (enum kind)(n % KINDS),
			(enum kind)(n / KINDS % KINDS) };

		make(&super, kinds, 2, true, 1 + draw() % 9000);
		if (super.header > 450)
			continue;
		cut_and_check(*state, &super, 300 + draw() % 2500, n & 1);
	}
}

/* As it is given, and afterwards. */
static int
attempt(struct mr_buffers *b, unsigned csum_start)
{
	static uint8_t after[70000];
	uint32_t out[64], h = load(b, &super, 1000);
	struct mr_packet *p = mr_packet_at(b->base, h);
	unsigned used = mr_pool_used(b->pool);
	int n;

	if (csum_start)
		p->csum_start = (uint16_t)csum_start;
	n = mr_gso_segment(b, 0, h, 0, out, 64);
	if (n < 0) {
		assert_true(mr_pool_used(b->pool) <= used);
		assert_true(p->flags & MR_PACKET_GSO);
		assert_int_equal(mr_packet_read(b, h, 0, after, sizeof(after)), super.len);
		assert_memory_equal(after, super.bytes, super.len);
		mr_packets_free(b, 0, &h, 1);
	} else {
		mr_packets_free(b, 0, out, (unsigned)n);
	}
	return n;
}

#define refused(change) \
	do { \
		struct super *kept = malloc(sizeof(super)); \
		uint8_t *outer = super.bytes + super.levels[0].l4; \
\
		assert_non_null(kept); \
		*kept = super; \
		(void)outer; \
		assert_int_equal(attempt(*state, 0), 5); \
		change; \
		assert_int_equal(attempt(*state, 0), -ENOTSUP); \
		super = *kept; \
		free(kept); \
	} while (0)

static void
test_refused(void **state)
{
	static const enum kind three[3] = { VXLAN, VXLAN, VXLAN };
	const enum kind vxlan = VXLAN, geneve = GENEVE, gue = GUE;
	unsigned l4;

	make(&super, &vxlan, 1, true, 5000);
	refused(outer[8] = 0);                               /* no identifier */
	refused(outer[9] = 0x20);                            /* a sum of the payload */
	refused(super.bytes[inner(&super)->l3 - 2] ^= 0x10); /* not IP */
	refused(mr_store_be16(outer + 4, (uint16_t)(super.len - super.levels[0].l4 - 1)));
	l4 = inner(&super)->l4;
	assert_int_equal(attempt(*state, l4 - 4), -ENOTSUP);
	assert_int_equal(attempt(*state, l4 + 4), -ENOTSUP);
	assert_int_equal(attempt(*state, 600), -ENOTSUP);
	assert_int_equal(attempt(*state, l4), 5);
	/* The packet inside ends before the one around it does. */
	while (inner(&super)->version != 4)
		make(&super, &vxlan, 1, true, 5000);
	refused(mr_store_be16(super.bytes + inner(&super)->l3 + 2,
	    (uint16_t)(super.len - inner(&super)->l3 - 1)));
	refused(super.bytes[inner(&super)->l3 + 6] = MR_IP4_MORE_FRAGMENTS >> 8);
	while (super.levels[0].version != 4)
		make(&super, &vxlan, 1, true, 5000);
	refused(super.bytes[super.levels[0].l3 + 7] = 8); /* a later fragment */
	refused(super.bytes[inner(&super)->l4 + 13] |= MR_TCP_SYN);
	while (super.levels[0].version != 4 || (super.len - super.levels[0].l4) % 8)
		make(&super, &vxlan, 1, true, 4990 + draw() % 8);
	refused(super.bytes[super.levels[0].l3 + 6] = MR_IP4_MORE_FRAGMENTS >> 8);
	make(&super, &geneve, 1, true, 5000);
	refused(outer[8] |= 0x40); /* another version */
	refused(outer[10] ^= 1);
	make(&super, &gue, 1, true, 5000);
	refused(outer[8] |= 0x20); /* control */
	refused(outer[11] = 1);
	refused(outer[9] = MR_IP_PROTO_TCP);
	make(&super, three, 3, true, 5000);
	assert_int_equal(attempt(*state, 0), -ENOTSUP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_tunnels_in_tunnels),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forwarding nodes against a slow router that reads a frame byte by byte and its routes from end
 * to end: random frames, most of them bent somewhere, must leave by the same port with the
 * same bytes, by the same edge, or be dropped for the same reason.
 */
#include "nf/ip/forward_test_int.h"

/* -- comparing ------------------------------------------------------------------------- */

static unsigned
chance(unsigned one_in)
{
	return rand() % one_in == 0;
}

static void
pick_address(uint8_t *a, unsigned family)
{
	const struct route *r = &routes[rand() % route_count];
	unsigned size = family == MR_IP4 ? 4 : 16;

	for (unsigned i = 0; i < size; i++)
		a[i] = (uint8_t)rand();
	if (r->family == family && !chance(8))
		memcpy(a, r->prefix, (r->len + 7) / 8);
	if (chance(60))
		memset(a, 0, size);
	if (chance(60))
		memset(a, 255, size);
	if (family == MR_IP6 && chance(40)) {
		memset(a, 0, 16);
		a[15] = 1;
	}
}

static void
make4(struct frame *f, unsigned l3)
{
	uint8_t *h = f->bytes + l3;
	unsigned total = f->len > l3 ? f->len - l3 : 0, len = chance(12) ? 24 : 20;
	uint32_t sum = 0;

	memset(h, 0, 24);
	if (chance(4) && total > 30)
		total -= (unsigned)rand() % 8;
	h[0] = (uint8_t)(0x40 | len / 4);
	h[2] = (uint8_t)(total >> 8);
	h[3] = (uint8_t)total;
	h[6] = chance(2) ? 0x40 : 0;
	h[8] = (uint8_t)(chance(10) ? rand() % 3 : 64);
	h[9] = (uint8_t)(chance(3) ? 6 : 17);
	pick_address(h + 12, MR_IP4);
	if (!chance(4))
		h[12] = 30;
	pick_address(h + 16, MR_IP4);
	if (chance(20))
		h[rand() % 8] = (uint8_t)rand();
	for (unsigned i = 0; i < len; i += 2)
		sum += (uint32_t)h[i] << 8 | h[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	h[10] = (uint8_t)(~sum >> 8);
	h[11] = (uint8_t)~sum;
	if (chance(20))
		h[rand() % 20] ^= (uint8_t)(1 << rand() % 8);
}

static void
make6(struct frame *f, unsigned l3)
{
	uint8_t *h = f->bytes + l3;
	unsigned payload = f->len > l3 + 40 ? f->len - l3 - 40 : 0;

	memset(h, 0, 40);
	h[0] = 0x60;
	h[4] = (uint8_t)(payload >> 8);
	h[5] = (uint8_t)payload;
	h[6] = 17;
	h[7] = (uint8_t)(chance(10) ? rand() % 3 : 64);
	pick_address(h + 8, MR_IP6);
	if (!chance(4))
		h[8] = 0x20;
	pick_address(h + 24, MR_IP6);
	if (chance(20))
		h[rand() % 8] = (uint8_t)rand();
}

static void
make(struct frame *f)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x8100, 0x0026, 0x88cc };
	unsigned l3 = 14, pick = (unsigned)rand() % 16;
	unsigned type = types[pick < 8 ? 0 : pick < 13 ? 1 : (unsigned)rand() % 6];

	memset(f, 0, sizeof(*f));
	f->port = (unsigned)rand() % PORTS;
	f->len = 60 + (unsigned)rand() % 100;
	if (chance(8))
		f->len = 560 + (unsigned)rand() % 80;
	if (chance(10))
		f->len = 1 + (unsigned)rand() % 60;
	memcpy(f->bytes, our_mac[f->port], 6);
	if (chance(10))
		f->bytes[5] ^= 1;
	if (chance(10))
		memset(f->bytes, 255, 6);
	if (chance(8)) {
		f->port = chance(3) ? 1 : 0;
		memcpy(f->bytes, our_mac[f->port], 6);
		f->bytes[12] = 0x81;
		f->bytes[15] = chance(4) ? 8 : chance(4) ? 0 : 7;
		f->bytes[14] = (uint8_t)(rand() & 0xe0);
		l3 = 18;
	}
	f->bytes[l3 - 2] = (uint8_t)(type >> 8);
	f->bytes[l3 - 1] = (uint8_t)type;
	if (type == 0x0800)
		make4(f, l3);
	if (type == 0x86dd)
		make6(f, l3);
}

static uint64_t
drops_of(struct bed *b, unsigned reason)
{
	const uint16_t nodes[] = { b->ip->input, b->ip->forward4, b->ip->forward6, b->ip->output };
	struct mr_node_stats stats;
	uint64_t sum = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(nodes); i++) {
		assert_int_equal(mr_graph_node_stats(b->graph, nodes[i], &stats), 0);
		sum += stats.drops[reason];
	}
	return sum;
}

static uint32_t
packet_of(struct bed *b, const struct frame *f)
{
	uint32_t handle = mr_packet_from(b->buffers, 0, f->bytes, f->len);

	assert_int_not_equal(handle, MR_PACKET_NONE);
	mr_packet_at(b->buffers->base, handle)->port = (uint16_t)f->port;
	return handle;
}

static void
show_frame(const struct frame *f, const struct outcome *o)
{
	print_error("port %u, %u bytes:", f->port, f->len);
	for (unsigned i = 0; i < MR_MIN(f->len, 64u); i++)
		print_error(" %02x", f->bytes[i]);
	print_error("\nwanted %s %u (%u, %u)\n",
	    o->fate == SENT       ? "port"
		: o->fate == LEFT ? "edge"
				  : "drop",
	    o->number, o->type, o->code);
}

/* One frame, alone, so that what became of it can be told. */
static void
compare(struct bed *b, const struct frame *f)
{
	struct outcome o = slow_router(f);
	uint64_t before = o.fate == DROPPED ? drops_of(b, o.number) : 0;
	unsigned sent = o.fate == SENT ? b->sinks[o.number]->count : 0;
	unsigned left = o.fate == LEFT ? b->edges[o.number].count : 0;
	uint32_t handle = packet_of(b, f);
	bool fine = true;

	mr_graph_inject(b->graph, 0, b->ip->input, &handle, 1);
	if (o.fate == DROPPED)
		fine = drops_of(b, o.number) == before + 1;
	if (o.fate == LEFT) {
		const struct mr_ip_meta *m = &b->edges[o.number].meta;

		fine = b->edges[o.number].count == left + 1;
		if (o.number == MR_IP_EDGE_ICMP)
			fine &= m->icmp_type == o.type && m->icmp_code == o.code;
	}
	if (o.fate == SENT) {
		const struct sink *s = b->sinks[o.number];

		fine = s->count == sent + 1 && s->len == o.frame.len &&
		    !memcmp(s->last, o.frame.bytes, s->len);
	}
	if (!fine) {
		show_frame(f, &o);
		fail();
	}
}

static void
random_frames(void **state)
{
	struct frame f;
	struct bed b;

	srand(1);
	bed_open(&b);
	for (unsigned i = 0; i < 200000; i++) {
		make(&f);
		compare(&b, &f);
	}
	/* The frames were bent in so many ways that every end was reached. */
	for (unsigned i = 0; i < PORTS - 1; i++)
		assert_true(b.sinks[i]->count > 100);
	for (unsigned e = MR_IP_EDGE_ARP; e < MR_IP_EDGES; e++)
		if (e != MR_IP_EDGE_MSS)
			assert_true(b.edges[e].count > 10);
	bed_close(&b);
}

/* Whole vectors mixed of everything end as the same frames do alone. */
static void
vectors(void **state)
{
	struct frame *frames = calloc(MR_VECTOR_MAX, sizeof(*frames));
	unsigned want[3][64], count;
	uint32_t handles[MR_VECTOR_MAX];
	struct bed b;

	assert_non_null(frames);
	srand(2);
	bed_open(&b);
	for (unsigned round = 0; round < 500; round++) {
		uint64_t drops[MR_IP_DROP_COUNT];
		unsigned sent[PORTS], left[MR_IP_EDGES];

		memset(want, 0, sizeof(want));
		count = 1 + (unsigned)rand() % MR_VECTOR_MAX;
		for (unsigned i = 0; i < count; i++) {
			struct outcome o;

			make(&frames[i]);
			if (chance(2) && i)
				frames[i].port = frames[i - 1].port;
			o = slow_router(&frames[i]);
			want[o.fate][o.number]++;
			handles[i] = packet_of(&b, &frames[i]);
		}
		for (unsigned i = 0; i < MR_IP_DROP_COUNT; i++)
			drops[i] = drops_of(&b, i);
		for (unsigned i = 0; i < PORTS; i++)
			sent[i] = b.sinks[i]->count;
		for (unsigned i = 0; i < MR_IP_EDGES; i++)
			left[i] = b.edges[i].count;
		mr_graph_inject(b.graph, 0, b.ip->input, handles, count);
		for (unsigned i = 0; i < MR_IP_DROP_COUNT; i++)
			assert_int_equal(drops_of(&b, i) - drops[i], want[DROPPED][i]);
		for (unsigned i = 0; i < PORTS; i++)
			assert_int_equal(b.sinks[i]->count - sent[i], want[SENT][i]);
		for (unsigned i = 0; i < MR_IP_EDGES; i++)
			assert_int_equal(b.edges[i].count - left[i], want[LEFT][i]);
	}
	bed_close(&b);
	free(frames);
}

static void
plain_frame(struct frame *f, const uint8_t *src, const uint8_t *dst)
{
	srand(3);
	do {
		make(f);
	} while (slow_router(f).fate != SENT || f->bytes[12] != 8 || f->len > 200);
	memcpy(f->bytes + 26, src, 4);
	memcpy(f->bytes + 30, dst, 4);
	f->bytes[24] = f->bytes[25] = 0;
	{
		uint32_t sum = 0;

		for (unsigned i = 0; i < 20; i += 2)
			sum += (uint32_t)f->bytes[14 + i] << 8 | f->bytes[15 + i];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		f->bytes[24] = (uint8_t)(~sum >> 8);
		f->bytes[25] = (uint8_t)~sum;
	}
}

static void
expect(struct bed *b, const struct frame *f, unsigned sent_on, unsigned dropped_for)
{
	uint64_t before = dropped_for < MR_IP_DROP_COUNT ? drops_of(b, dropped_for) : 0;
	unsigned sent = sent_on < PORTS ? b->sinks[sent_on]->count : 0;
	uint32_t handle = packet_of(b, f);

	mr_graph_inject(b->graph, 0, b->ip->input, &handle, 1);
	if (dropped_for < MR_IP_DROP_COUNT)
		assert_int_equal(drops_of(b, dropped_for), before + 1);
	if (sent_on < PORTS)
		assert_int_equal(b->sinks[sent_on]->count, sent + 1);
}

#define NOT UINT32_MAX

/* RFC 3704: strict wants the way back to lead out where the packet came in, loose any way. */
static void
reverse_path(void **state)
{
	static const uint8_t dst[4] = { 20, 0, 0, 1 }, back[4] = { 20, 1, 2, 9 },
			     elsewhere[4] = { 20, 1, 9, 9 }, nowhere[4] = { 99, 9, 9, 9 },
			     nothing[4] = { 20, 3, 1, 1 };
	struct mr_ip_interface *in;
	struct frame f;
	struct bed b;

	bed_open(&b);
	in = &b.ip->interfaces[b.interface[0]];
	plain_frame(&f, back, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	in->flags |= MR_IP_URPF4_STRICT;
	expect(&b, &f, 1, NOT);
	plain_frame(&f, elsewhere, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, NOT, MR_IP_DROP_REVERSE4);
	in->flags ^= MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE;
	expect(&b, &f, 1, NOT);
	plain_frame(&f, nowhere, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, NOT, MR_IP_DROP_REVERSE4);
	plain_frame(&f, nothing, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, NOT, MR_IP_DROP_REVERSE4);
	in->flags &= ~(uint32_t)MR_IP_URPF4_LOOSE;
	expect(&b, &f, 1, NOT);
	bed_close(&b);
}

static void
interface_down(void **state)
{
	static const uint8_t src[4] = { 30, 1, 1, 1 }, dst[4] = { 20, 0, 0, 1 };
	struct frame f;
	struct bed b;

	bed_open(&b);
	plain_frame(&f, src, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	expect(&b, &f, 1, NOT);
	b.ip->interfaces[b.interface[1]].flags &= ~(uint32_t)MR_IP_UP;
	mr_adjacency_refresh(b.ip, b.interface[1]);
	expect(&b, &f, NOT, MR_IP_DROP_DOWN);
	b.ip->interfaces[b.interface[1]].flags |= MR_IP_UP;
	mr_adjacency_refresh(b.ip, b.interface[1]);
	expect(&b, &f, 1, NOT);
	b.ip->interfaces[b.interface[0]].flags &= ~(uint32_t)MR_IP_UP;
	expect(&b, &f, NOT, MR_IP_DROP_DOWN);
	bed_close(&b);
}

/* An adjacency's header changes again and again while its index is in use. */
static void
neighbour_moves(void **state)
{
	static const uint8_t src[4] = { 30, 1, 1, 1 }, dst[4] = { 20, 0, 0, 1 };
	uint8_t address[4] = { 10, 0, 1, 0 };
	struct frame f;
	struct bed b;
	uint32_t a;

	bed_open(&b);
	a = mr_adjacency_find(b.ip, b.interface[1], MR_IP4, address);
	assert_true(a != 0);
	plain_frame(&f, src, dst);
	memcpy(f.bytes, our_mac[0], 6);
	f.port = 0;
	for (unsigned i = 0; i < 20; i++) {
		uint8_t mac[6] = { 6, 0, 0, 0, 0, (uint8_t)i };

		if (i % 3 == 2) {
			unsigned before = b.edges[MR_IP_EDGE_RESOLVE].count;

			mr_adjacency_forget(b.ip, a);
			expect(&b, &f, NOT, NOT);
			assert_int_equal(b.edges[MR_IP_EDGE_RESOLVE].count, before + 1);
			assert_int_equal(b.edges[MR_IP_EDGE_RESOLVE].meta.adjacency, a);
		}
		mr_adjacency_resolve(b.ip, a, mac);
		expect(&b, &f, 1, NOT);
		assert_memory_equal(b.sinks[1]->last, mac, 6);
		assert_memory_equal(b.sinks[1]->last + 6, our_mac[1], 6);
	}
	bed_close(&b);
}

/* Next hops come and go; indices are used again and references keep them. */
static void
adjacency_life(void **state)
{
	uint32_t first, again, other;
	uint8_t address[4] = { 1, 2, 3, 4 };
	struct bed b;

	bed_open(&b);
	assert_int_equal(mr_adjacency_get(b.ip, b.interface[0], MR_IP4, address, &first, &b.error),
	    0);
	assert_int_equal(mr_adjacency_get(b.ip, b.interface[0], MR_IP4, address, &again, &b.error),
	    0);
	assert_int_equal(first, again);
	assert_int_equal(mr_adjacency_get(b.ip, b.interface[1], MR_IP4, address, &other, &b.error),
	    0);
	assert_int_not_equal(first, other);
	mr_adjacency_put(b.ip, first);
	assert_int_equal(mr_adjacency_find(b.ip, b.interface[0], MR_IP4, address), first);
	mr_adjacency_put(b.ip, first);
	assert_int_equal(mr_adjacency_find(b.ip, b.interface[0], MR_IP4, address), 0);
	assert_int_equal(mr_adjacency_find(b.ip, b.interface[1], MR_IP4, address), other);
	mr_adjacency_put(b.ip, other);
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(address, &i, 4);
		assert_int_equal(
		    mr_adjacency_get(b.ip, b.interface[0], MR_IP4, address, &first, &b.error), 0);
		if (i >= 5000) {
			unsigned old = i - 5000;

			memcpy(address, &old, 4);
			mr_adjacency_put(b.ip,
			    mr_adjacency_find(b.ip, b.interface[0], MR_IP4, address));
		}
	}
	/* Old indices were used again. */
	assert_true(first < IP_HOP_FIRST + 8000);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_frames),
		cmocka_unit_test(vectors),
		cmocka_unit_test(reverse_path),
		cmocka_unit_test(interface_down),
		cmocka_unit_test(neighbour_moves),
		cmocka_unit_test(adjacency_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

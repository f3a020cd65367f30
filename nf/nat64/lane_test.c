/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Conversations through two routers with NAT64, one with the flow lane and one without: what leaves is
 * the same, is what the translator's slow oracle says (nf/xlat/xlat_test_int.h), and the lane replays
 * it.
 *
 *     a  inside   2001:db8:1::9     b  outside  198.51.100.9     pool 203.0.113.1
 */
#include "kit/packet/checksum.h"
#include "nf/lanes/lanes_bed_int.h"
#include "nf/xlat/xlat_test_int.h"

#define LANES "lanes: {mode: flow}\n"

static const char text[] =
    "system: {buffers: 8192}\n"
    "interface: {a: {driver: \"null\"}, b: {driver: \"null\"}, c: {driver: \"null\"}, "
    "d: {driver: \"null\"}, e: {driver: \"null\"}, f: {driver: \"null\"}}\n"
    "nat64: {instance: {x: {inside: [a], outside: [b], pool: [203.0.113.1]}}}\n"
    "router:\n"
    "  r:\n"
    "    interface:\n"
    "      a: {mac: \"02:00:00:00:aa:01\", address: [\"2001:db8:1::1/64\"], redirects: false, "
    "neighbor: {duplicate-detection: false}}\n"
    "      b: {mac: \"02:00:00:00:aa:02\", address: [\"198.51.100.1/24\"], redirects: false, "
    "neighbor: {duplicate-detection: false}}\n"
    "    neighbor:\n"
    "      static:\n"
    "        \"2001:db8:1::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        \"2001:db8:1::8\": {interface: a, mac: \"02:00:00:00:00:08\"}\n"
    "        198.51.100.9: {interface: b, mac: \"02:00:00:00:01:09\"}\n";

unsigned
story_write(const struct story *s, bool six, bool quoted, uint8_t *out)
{
	return story_ip(s, six, quoted, out);
}

static unsigned
frame_of(const struct story *s, bool six, unsigned port, uint8_t *f)
{
	memset(f, 0, 14);
	memcpy(f, "\2\0\0\0\xaa", 5);
	f[5] = (uint8_t)(port + 1);
	f[6] = 2;
	put16(f + 12, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	return L3 + story_ip(s, six, false, f + L3);
}

/* A conversation between the two, seen from the client: what each packet is on either side. The
 * outside's port is the inside's own, which nobody else has. */
static struct story
talk(uint8_t proto, uint16_t port, bool back)
{
	static const uint8_t client6[16] = { 0x20, 1, 0xd, 0xb8, 0, 1, [15] = 9 };
	static const uint8_t server6[16] = { 0, 0x64, 0xff, 0x9b, [12] = 198, 51, 100, 9 };
	static const uint8_t client4[4] = { 203, 0, 113, 1 }, server4[4] = { 198, 51, 100, 9 };
	struct story s = { .proto = proto, .hops = 64, .reply = back };

	memcpy(back ? s.dst6 : s.src6, client6, 16);
	memcpy(back ? s.src6 : s.dst6, server6, 16);
	memcpy(back ? s.dst4 : s.src4, client4, 4);
	memcpy(back ? s.src4 : s.dst4, server4, 4);
	s.ports4[back] = s.ports6[back] = port;
	s.ports4[!back] = s.ports6[!back] = 80;
	if (proto == MR_IP_PROTO_ICMP)
		s.ports4[0] = s.ports6[0] = port;
	return s;
}

/* Gives the packet at one side; at the other its other face leaves, a hop later. */
static void
pass(struct bed *bed, struct story *s, bool from_inside)
{
	struct bed_plane *plane = &bed->planes[BED_FLOW];
	uint8_t f[2000], want[2000], *got;
	unsigned len, l4;

	/* What the translator makes of lengths. */
	l4 = story_l4_len(s);
	s->whole = from_inside ? l4 + 20 > 1260 : s->whole;
	len = frame_of(s, from_inside, from_inside ? 0 : 1, f);
	assert_true(bed_give(bed, from_inside ? 0 : 1, f, len, 0, 0));
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	assert_int_equal(plane->sent_count, 1);
	assert_int_equal(plane->sent[0].port, from_inside ? 1 : 0);
	s->hops--;
	len = frame_of(s, !from_inside, 0, want);
	s->hops++;
	got = plane->bytes + plane->sent[0].at;
	assert_int_equal(plane->sent[0].len, len);
	assert_memory_equal(got + 12, want + 12, len - 12);
	bed_run(bed);
}

static uint64_t
replayed(struct bed *bed)
{
	return bed_lane_count(bed, MR_LANE_COUNT_REPLAYED);
}

/* Returns how many were replayed, of 240. */
static uint64_t
converse(const char *more)
{
	static const uint8_t protos[] = { MR_IP_PROTO_UDP, MR_IP_PROTO_ICMP, MR_IP_PROTO_TCP };
	static char config[8192];
	struct bed *bed;
	uint64_t all;

	snprintf(config, sizeof(config), "%s%s", text, more);
	bed = bed_open(config, LANES, BED_PLANES);

	bed_run(bed);
	for (unsigned k = 0; k < 3; k++) {
		struct story out = talk(protos[k], 5000, false), back = talk(protos[k], 5000, true);

		if (protos[k] == MR_IP_PROTO_TCP) {
			out.data[8] = MR_TCP_SYN;
			pass(bed, &out, true);
			back.data[8] = MR_TCP_SYN | MR_TCP_ACK;
			back.data[7] = 1;
			pass(bed, &back, false);
			out.data[8] = back.data[8] = MR_TCP_ACK;
			out.data[3] = out.data[7] = back.data[3] = back.data[7] = 1;
		}
		for (unsigned i = 0; i < 40; i++) {
			out.len = (i * 97) % 1200 & ~3u;
			out.tos = back.tos = (uint8_t)i;
			out.hops = back.hops = (uint8_t)(3 + i);
			out.id = back.id = (uint16_t)(i * 5);
			pass(bed, &out, true);
			back.len = (i * 131) % 1200 & ~3u;
			back.whole = i & 1;
			pass(bed, &back, false);
		}
		if (protos[k] != MR_IP_PROTO_TCP)
			continue;
		out.data[8] = MR_TCP_FIN | MR_TCP_ACK;
		pass(bed, &out, true);
		back.data[8] = MR_TCP_FIN | MR_TCP_ACK;
		pass(bed, &back, false);
		out.data[8] = MR_TCP_ACK;
		pass(bed, &out, true);
	}
	bed_compare(bed, true);
	all = replayed(bed);
	bed_close(bed);
	return all;
}

static void
conversations(void **state)
{
	/* All but the first ones, each way. */
	assert_true(converse("") >= 3 * 70);
}

/* With connections behind the translator, which see packets of the other family. */
static void
tracked(void **state)
{
	assert_true(converse("conntrack: {interface: [a, b], drop-invalid: true}\n") >= 3 * 65);
}

/* Of one flow, packets that cannot be replayed: too long, to be cut, without a checksum. */
static void
exceptions(void **state)
{
	struct bed *bed = bed_open(text, LANES, BED_PLANES);
	struct story out = talk(MR_IP_PROTO_UDP, 6000, false),
		     back = talk(MR_IP_PROTO_UDP, 6000, true);
	struct bed_plane *plane = &bed->planes[BED_FLOW];
	uint8_t f[2000];
	unsigned len;

	bed_run(bed);
	out.len = back.len = 40;
	pass(bed, &out, true);
	back.whole = true;
	for (unsigned i = 0; i < 4; i++)
		pass(bed, &back, false);
	/* Without a checksum: gets one. */
	back.unsummed = true;
	len = frame_of(&back, false, 1, f);
	bed_give(bed, 1, f, len, 0, 0);
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	assert_int_equal(plane->sent_count, 1);
	assert_int_equal(
	    mr_checksum_l4_verify(plane->bytes + plane->sent[0].at, plane->sent[0].len),
	    MR_CHECKSUM_GOOD);
	bed_run(bed);
	back.unsummed = false;
	/* Not to be cut: the sender is told. */
	back.len = 1472;
	len = frame_of(&back, false, 1, f);
	bed_give(bed, 1, f, len, 0, 0);
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	assert_int_equal(plane->sent_count, 1);
	assert_int_equal(plane->sent[0].port, 1);
	assert_int_equal(plane->bytes[plane->sent[0].at + L3 + 20], MR_ICMP4_UNREACHABLE);
	assert_int_equal(mr_load_be16(plane->bytes + plane->sent[0].at + L3 + 26), 1480);
	assert_int_equal(
	    mr_checksum_l4_verify(plane->bytes + plane->sent[0].at, plane->sent[0].len),
	    MR_CHECKSUM_GOOD);
	bed_run(bed);
	/* May be cut, and is. */
	back.whole = false;
	back.len = 1400;
	len = frame_of(&back, false, 1, f);
	bed_give(bed, 1, f, len, 0, 0);
	for (unsigned i = 0; i < BED_PLANES; i++)
		mr_graph_pass(bed->planes[i].graph, 0);
	assert_int_equal(plane->sent_count, 2);
	assert_int_equal(plane->sent[0].len + plane->sent[1].len, 2 * (L3 + 48) + 1408);
	assert_true(plane->sent[0].len <= L3 + 1280);
	assert_int_equal(mr_load_be16(plane->bytes + plane->sent[0].at + L3 + 42), 1);
	assert_int_equal(mr_load_be16(plane->bytes + plane->sent[1].at + L3 + 42), 1232);
	bed_run(bed);
	/* And it goes on. */
	back.whole = true;
	back.len = 40;
	pass(bed, &back, false);
	bed_close(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(tracked),
		cmocka_unit_test(exceptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

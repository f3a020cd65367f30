/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "kit/flow/key_check_int.h"
#include "kit/flow/pairs.h"
#include "kit/packet/capture_int.h"
#include "kit/packet/parse_packets_int.h"

static struct mr_flow_pairs *pairs;
static struct mr_flow_batch batch;
static uint64_t state = 88172645463325252ull;

static uint32_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static unsigned
unhex(uint8_t *out, const char *hex)
{
	unsigned n = 0, byte;

	for (; hex[0]; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

struct tally {
	unsigned frames, keyed;
};

/* One frame, as a router that it is for, one that it is not for, and a bridge see it. */
static void
look(const char *name, const uint8_t *bytes, unsigned len, struct tally *tally)
{
	uint8_t *base = checked_packet(bytes, len);
	struct mr_flow_view view = { .port = 77 };
	bool has;

	assert_non_null(base);
	memcpy(&view.mac, bytes, MR_MIN(len, 6u));
	if (!check_packet_key(&view, NULL, base, &batch, &has))
		fail_msg("%s: another key for the router", name);
	tally->frames++;
	tally->keyed += has;
	view.bridged = true;
	if (!check_packet_key(&view, pairs, base, &batch, &has))
		fail_msg("%s: another key for the bridge", name);
	view.bridged = false;
	view.mac ^= 1ull << (draw() % 48);
	if (!check_packet_key(&view, NULL, base, &batch, &has) || has)
		fail_msg("%s: a key for somebody else's frame", name);
	free(base);
}

static void
mend(uint8_t *f, unsigned len, unsigned l3)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(f + l3);

	if (len >= l3 + sizeof(*ip) && ip->version_ihl == 0x45)
		ip->check = mr_checksum_ipv4_header(ip);
}

static void
test_cases(void **s)
{
	struct tally tally = { 0 };
	uint8_t f[2048];

	for (size_t i = 0; i < MR_ARRAY_COUNT(plain_cases); i++) {
		unsigned len = unhex(f, plain_cases[i].hex);

		for (unsigned n = 0; n <= len; n++)
			look(plain_cases[i].name, f, n, &tally);
	}
	for (size_t i = 0; i < MR_ARRAY_COUNT(tunnel_cases); i++)
		look(tunnel_cases[i].name, f, unhex(f, tunnel_cases[i].hex), &tally);
	assert_true(tally.keyed > 20);
}

/* A plain frame made by hand; len bytes of layer 4. */
static unsigned
make(uint8_t *f, unsigned l4_len, unsigned proto, unsigned vlan, bool six)
{
	unsigned at = 12;

	memset(f, 0, 200);
	memcpy(f, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	if (vlan) {
		mr_store_be16(f + at, MR_ETH_TYPE_VLAN);
		mr_store_be16(f + at + 2, (uint16_t)vlan);
		at += 4;
	}
	mr_store_be16(f + at, six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	at += 2;
	if (six) {
		struct mr_ip6 *ip = (struct mr_ip6 *)(f + at);

		ip->version_class_flow = mr_be32(0x60012345);
		ip->payload_len = mr_be16((uint16_t)l4_len);
		ip->next = (uint8_t)proto;
		ip->hop_limit = 9;
		for (unsigned i = 0; i < 16; i++) {
			ip->src[i] = (uint8_t)(i + 1);
			ip->dst[i] = (uint8_t)(i + 101);
		}
		at += 40;
	} else {
		struct mr_ip4 *ip = (struct mr_ip4 *)(f + at);

		*ip = (struct mr_ip4){ .version_ihl = 0x45,
			.tos = 0x2e,
			.total_len = mr_be16((uint16_t)(20 + l4_len)),
			.frag = mr_be16(MR_IP4_DONT_FRAGMENT),
			.ttl = 2,
			.proto = (uint8_t)proto,
			.src = mr_be32(0x0a000001),
			.dst = mr_be32(0xc0000201) };
		mend(f, 200, at);
		at += 20;
	}
	if (proto == MR_IP_PROTO_TCP) {
		f[at + 12] = 0x50;
		f[at + 13] = MR_TCP_ACK;
	} else if (proto == MR_IP_PROTO_UDP) {
		mr_store_be16(f + at + 4, (uint16_t)l4_len);
	} else {
		f[at] = six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO;
		mr_store_be16(f + at + 4, 4321);
		return at + l4_len;
	}
	mr_store_be16(f + at, 1024);
	mr_store_be16(f + at + 2, 80);
	return at + l4_len;
}

/* Few bits and bytes changed, with the header's sum made right mostly. */
static void
test_mutations(void **s)
{
	size_t cases = MR_ARRAY_COUNT(plain_cases);
	struct tally tally = { 0 };

	for (unsigned i = 0; i < 150000; i++) {
		const struct parse_case *c = &plain_cases[draw() % cases];
		uint8_t f[2048];
		unsigned len = unhex(f, c->hex), changes = draw() % 4;

		/* Most of those have no key. */
		if (draw() % 3)
			len = make(f, 10 + draw() % 30,
			    draw() & 1 ? MR_IP_PROTO_TCP : MR_IP_PROTO_UDP,
			    draw() & 1 ? draw() % 4096 : 0, draw() & 1);
		while (changes-- > 0) {
			unsigned at = draw() % MR_MIN(len, 60u);

			if (draw() & 1)
				f[at] ^= (uint8_t)(1u << draw() % 8);
			else
				f[at] = (uint8_t)draw();
		}
		if (draw() % 4 == 0)
			len = draw() % (len + 1);
		if (draw() % 8) {
			mend(f, len, 14);
			if (len > 18 && mr_load_be16(f + 12) == MR_ETH_TYPE_VLAN)
				mend(f, len, 18);
		}
		look(c->name, f, len, &tally);
	}
	print_message("%u frames, %u of them have keys\n", tally.frames, tally.keyed);
	/* Enough of both kinds. */
	assert_true(tally.keyed > tally.frames / 8 && tally.keyed < tally.frames * 7 / 8);
}

static bool
one(const uint8_t *f, unsigned len, uint16_t flags, unsigned segments)
{
	uint8_t *base = checked_packet(f, len);
	struct mr_packet *p = mr_packet_at(base, 1);
	struct mr_flow_view view = { .port = 3 };
	bool has;

	memcpy(&view.mac, "\x02\x00\x00\x00\x00\x01", 6);
	p->flags = flags;
	p->segments = (uint16_t)segments;
	assert_true(check_packet_key(&view, NULL, base, &batch, &has));
	free(base);
	return has;
}

/* Each of the reasons that key.h names, one at a time. */
static void
test_reasons(void **s)
{
	static const uint8_t protos[] = { MR_IP_PROTO_TCP, MR_IP_PROTO_UDP };
	uint8_t f[256];
	unsigned len;

	for (unsigned k = 0; k < 8; k++) {
		bool six = k & 1;
		unsigned vlan = k & 2 ? 0x6000 | 7 : 0, l4, proto = protos[k >> 2], l3;

		len = make(f, 20, proto, vlan, six);
		l3 = vlan ? 18 : 14;
		l4 = l3 + (six ? 40 : 20);
		assert_true(one(f, len, 0, 1));
		assert_int_equal(batch.key[0].where, MR_FLOW_WHERE(3, vlan & 4095, proto, six));
		assert_int_equal(batch.key[0].sport, mr_be16(1024));
		assert_int_equal(batch.key[0].dport, mr_be16(80));
		assert_int_equal(batch.key[0].pair, 0);
		assert_true(one(f, len, MR_PACKET_HASHED | MR_PACKET_CSUM_GOOD, 1));
		assert_true(one(f, len + 30, 0, 1)); /* padding */
		assert_false(one(f, len - 1, 0, 1));
		assert_false(one(f, len, 0, 2));
		assert_false(one(f, len, MR_PACKET_CSUM_PARTIAL, 1));
		assert_false(one(f, len, MR_PACKET_GSO_TCP4, 1));
		assert_false(one(f, len, MR_PACKET_GSO_TCP6, 1));
		assert_false(one(f, len, MR_PACKET_GSO_UDP, 1));
		if (vlan) {
			f[15] = 0; /* no VLAN of its own */
			assert_false(one(f, len, 0, 1));
			f[14] |= 0xf;
			f[15] = 0xff;
			assert_false(one(f, len, 0, 1));
			f[14] = 0x6f;
			f[15] = 0xfe;
			assert_true(one(f, len, 0, 1));
			mr_store_be16(f + 12, MR_ETH_TYPE_QINQ);
			assert_false(one(f, len, 0, 1));
			len = make(f, 20, proto, vlan, six);
		}
		f[l3 + (six ? 7 : 8)] = 1; /* the TTL */
		mend(f, len, l3);
		assert_false(one(f, len, 0, 1));
		f[l3 + (six ? 7 : 8)] = 2;
		mend(f, len, l3);
		assert_true(one(f, len, 0, 1));
		if (!six) {
			f[l3 + 1] ^= 1; /* the sum is wrong */
			assert_false(one(f, len, 0, 1));
			f[l3 + 1] ^= 1;
			f[l3 + 6] = 0x20; /* more fragments */
			mend(f, len, l3);
			assert_false(one(f, len, 0, 1));
			f[l3 + 6] = 0x40;
			f[l3 + 7] = 1;
			mend(f, len, l3);
			assert_false(one(f, len, 0, 1));
			f[l3 + 7] = 0;
			f[l3] = 0x46;
			mend(f, len, l3);
			assert_false(one(f, len, 0, 1));
		} else {
			f[l3 + 6] = MR_IP_PROTO_DEST_OPTIONS;
			assert_false(one(f, len, 0, 1));
		}
		len = make(f, 20, proto, vlan, six);
		if (proto == MR_IP_PROTO_UDP) {
			mr_store_be16(f + l4 + 4, 8);
			assert_true(one(f, len, 0, 1));
			mr_store_be16(f + l4 + 4, 7);
			assert_false(one(f, len, 0, 1));
			mr_store_be16(f + l4 + 4, 21);
			assert_false(one(f, len, 0, 1));
			len = make(f, 8, proto, vlan, six);
			assert_true(one(f, len, 0, 1));
			assert_int_equal(batch.tcp[0], 0);
			len = make(f, 7, proto, vlan, six);
			assert_false(one(f, len + 20, 0, 1));
			continue;
		}
		for (unsigned bit = 0; bit < 8; bit++) {
			f[l4 + 13] = (uint8_t)(1u << bit);
			assert_int_equal(one(f, len, 0, 1), !(0x27u >> bit & 1));
		}
		f[l4 + 13] = MR_TCP_ACK | MR_TCP_PSH;
		assert_true(one(f, len, 0, 1));
		assert_int_equal(batch.tcp[0], MR_TCP_ACK | MR_TCP_PSH);
		f[l4 + 12] = 0x40;
		assert_false(one(f, len, 0, 1));
		f[l4 + 12] = 0x60;
		assert_false(one(f, len, 0, 1));
		len = make(f, 19, proto, vlan, six);
		assert_false(one(f, len + 20, 0, 1));
	}
	len = make(f, 20, MR_IP_PROTO_SCTP, 0, false);
	assert_false(one(f, len, 0, 1));
}

static void
test_echo(void **s)
{
	struct mr_flow_key back, again;
	uint8_t f[256];
	unsigned len;

	for (unsigned six = 0; six < 2; six++) {
		unsigned proto = six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, l4 = six ? 54 : 34;

		len = make(f, 30, proto, 0, six);
		assert_true(one(f, len, 0, 1));
		assert_int_equal(batch.key[0].sport, mr_be16(4321));
		assert_int_equal(batch.key[0].dport, mr_be16(six ? 128 : 8));
		mr_flow_key_reverse(&batch.key[0], &back);
		assert_int_equal(back.sport, mr_be16(4321));
		assert_int_equal(back.dport, mr_be16(six ? 129 : 0));
		assert_memory_equal(back.src, batch.key[0].dst, 16);
		assert_int_equal(back.where, MR_FLOW_WHERE(0, 0, proto, six));
		f[l4] = six ? MR_ICMP6_ECHO_REPLY : MR_ICMP4_ECHO_REPLY;
		assert_true(one(f, len, 0, 1));
		f[l4 + 1] = 1;
		assert_false(one(f, len, 0, 1));
		f[l4 + 1] = 0;
		f[l4] = six ? MR_ICMP6_NEIGHBOR_SOLICIT : MR_ICMP4_REDIRECT;
		assert_false(one(f, len, 0, 1));
		len = make(f, 7, proto, 0, six);
		assert_false(one(f, len, 0, 1));
		/* The other family's protocol. */
		len = make(f, 30, six ? MR_IP_PROTO_ICMP : MR_IP_PROTO_ICMP6, 0, six);
		assert_false(one(f, len, 0, 1));
	}
	len = make(f, 20, MR_IP_PROTO_TCP, 5, false);
	assert_true(one(f, len, 0, 1));
	mr_flow_key_reverse(&batch.key[0], &back);
	assert_int_equal(back.sport, mr_be16(80));
	assert_int_equal(back.dport, mr_be16(1024));
	mr_flow_key_reverse(&back, &again);
	assert_memory_equal(&again, &batch.key[0], offsetof(struct mr_flow_key, where));
}

/* A vector of all kinds: who has a key and who has not, both in order. */
static void
test_vector(void **s)
{
	static MR_CACHE_ALIGNED uint8_t arena[64 + MR_VECTOR_MAX * 256];
	struct mr_flow_view view = { .port = 9, .bridged = true };
	uint32_t packets[MR_VECTOR_MAX];
	uint16_t rest[MR_VECTOR_MAX];
	struct mr_flow_pairs *small;
	unsigned others, n, want, k;

	assert_int_equal(mr_flow_pairs_create(&small, 3, -1, NULL), 0);
	for (unsigned turn = 0; turn < 200; turn++) {
		want = 0;
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			bool plain = draw() % 4;
			uint8_t f[256];
			unsigned len = make(f, 30, MR_IP_PROTO_UDP, 0, draw() & 1);
			struct mr_packet *p;

			f[11] = (uint8_t)draw();
			packets[i] = 1 + i * 4;
			p = mr_packet_at(arena, packets[i]);
			mr_packet_init(p, 64, (uint16_t)len, 0, 0);
			if (!plain)
				f[14] = 0;
			memcpy(mr_packet_bytes(p), f, len);
			want += plain;
		}
		n = mr_flow_keys(&view, small, arena, packets, MR_VECTOR_MAX, &batch, rest,
		    &others);
		assert_int_equal(n, want);
		assert_int_equal(n + others, MR_VECTOR_MAX);
		for (unsigned i = 0, r = k = 0; i < MR_VECTOR_MAX; i++) {
			const uint8_t *f = mr_packet_bytes(mr_packet_at(arena, packets[i]));
			uint8_t macs[12];

			if (k < n && batch.at[k] == i) {
				assert_true(mr_flow_pairs_get(small, batch.key[k].pair, macs));
				assert_memory_equal(macs, f, 12);
				k++;
			} else {
				assert_int_equal(rest[r++], i);
			}
		}
	}
	/* None without pairs. */
	n = mr_flow_keys(&view, NULL, arena, packets, MR_VECTOR_MAX, &batch, rest, &others);
	assert_int_equal(n, 0);
	assert_int_equal(others, MR_VECTOR_MAX);
	for (unsigned i = 0; i < MR_VECTOR_MAX; i++)
		assert_int_equal(rest[i], i);
	mr_flow_pairs_destroy(small);
}

static void
check_folder(const char *data, const char *folder, struct tally *tally)
{
	struct capture_frame f;
	struct dirent *entry;
	struct capture c;
	char path[1024];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", data, folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s/%s", data, folder, entry->d_name);
		if (entry->d_name[0] == '.' || !capture_open(&c, path))
			continue;
		while (c.link == CAPTURE_ETHERNET && capture_next(&c, &f)) {
			if (f.len == f.total && f.len < 60000)
				look(entry->d_name, f.bytes, f.len, tally);
			free(f.bytes);
		}
		capture_close(&c);
	}
	closedir(dir);
}

static void
test_captures(void **s)
{
	const char *data[] = { getenv("MR_DATA"), "../shared/data", "../../shared/data" },
		   *found = NULL;
	struct tally tally = { 0 };
	char path[512];
	DIR *dir;

	for (size_t i = 0; i < MR_ARRAY_COUNT(data) && !found; i++) {
		if (!data[i])
			continue;
		snprintf(path, sizeof(path), "%s/captures", data[i]);
		dir = opendir(path);
		if (dir) {
			closedir(dir);
			found = data[i];
		}
	}
	if (!found) {
		print_message("no captures: set MR_DATA to the shared data folder\n");
		skip();
	}
	check_folder(found, "captures", &tally);
	check_folder(found, "malformed", &tally);
	print_message("%u frames, %u of them have keys\n", tally.frames, tally.keyed);
	assert_true(tally.frames > 3000 && tally.keyed > tally.frames / 4);
}

static void
test_mask(void **s)
{
	uint8_t f[256];
	struct mr_flow_key all, key;

	assert_true(one(f, make(f, 20, MR_IP_PROTO_TCP, 5, true), 0, 1));
	all = batch.key[0];
	all.pair = 6;
	key = all;
	mr_flow_key_mask(&key, MR_FLOW_ALL);
	assert_memory_equal(&key, &all, sizeof(key));
	for (unsigned field = 1; field < MR_FLOW_ALL; field <<= 1) {
		static const uint8_t zero[16];
		struct mr_flow_key want = all;

		key = all;
		mr_flow_key_mask(&key, MR_FLOW_ALL & ~field);
		assert_memory_not_equal(&key, &all, sizeof(key));
		if (field == MR_FLOW_L2)
			want.pair = 0;
		if (field == MR_FLOW_SRC)
			memcpy(want.src, zero, 16);
		if (field == MR_FLOW_DST)
			memcpy(want.dst, zero, 16);
		if (field == MR_FLOW_PROTO)
			want.where = MR_FLOW_WHERE(3, 5, 0, 1);
		if (field == MR_FLOW_PORT)
			want.where = MR_FLOW_WHERE(0, 0, MR_IP_PROTO_TCP, 0);
		if (field == MR_FLOW_SPORT)
			want.sport = 0;
		if (field == MR_FLOW_DPORT)
			want.dport = 0;
		assert_memory_equal(&key, &want, sizeof(key));
	}
}

static void
print_is(const char *want)
{
	char text[128];

	assert_int_equal(mr_flow_key_print(&batch.key[0], "wan", text, sizeof(text)), strlen(want));
	assert_string_equal(text, want);
	assert_int_equal(mr_flow_key_print(&batch.key[0], "wan", text, 10), strlen(want));
	assert_int_equal(strlen(text), 9);
	assert_memory_equal(text, want, 9);
	assert_int_equal(mr_flow_key_print(&batch.key[0], "wan", NULL, 0), strlen(want));
}

static void
test_print(void **s)
{
	uint8_t f[256];

	assert_true(one(f, make(f, 20, MR_IP_PROTO_TCP, 0, false), 0, 1));
	print_is("wan tcp 10.0.0.1:1024 > 192.0.2.1:80");
	assert_true(one(f, make(f, 20, MR_IP_PROTO_UDP, 5, true), 0, 1));
	print_is("wan vlan 5 udp [102:304:506:708:90a:b0c:d0e:f10]:1024 > "
		 "[6566:6768:696a:6b6c:6d6e:6f70:7172:7374]:80");
	assert_true(one(f, make(f, 20, MR_IP_PROTO_ICMP, 0, false), 0, 1));
	print_is("wan icmp 10.0.0.1 > 192.0.2.1 echo request id 4321");
}

static int
setup(void **s)
{
	return mr_flow_pairs_create(&pairs, 1, -1, NULL);
}

static int
teardown(void **s)
{
	mr_flow_pairs_destroy(pairs);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames into tunnels and out of them, of one and of several remote ends, bridged and routed;
 * no packet is lost, and nothing goes round for ever. Input: frames, each a byte of port and how it comes,
 * two of length, the bytes:
 *
 *   bits 0-1  0: frame on the port of a bridge with a tunnel; 1: on the routed port; 2: on the underlay;
 *             3: bytes behind the headers of a remote end, on the underlay
 *   bit 2     of those headers: IPv6; else: the interface's own address is written in front
 *   bits 3-7  with the headers: which remote end; else: where it is split, in eights
 */
#include <stdlib.h>
#include <string.h>

#include "kit/packet/checksum.h"
#include "nf/lanes/lanes_bed_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "interface:\n"
    "  a: {driver: \"null\"}\n  b: {driver: \"null\"}\n  c: {driver: \"null\"}\n"
    "  d: {driver: \"null\"}\n  e: {driver: \"null\"}\n  f: {driver: \"null\"}\n"
    "  one: {driver: tunnel}\n  many: {driver: tunnel}\n  six: {driver: tunnel}\n"
    "  routed: {driver: tunnel}\n"
    "bridge: {lan: {interface: [c, one, many, six]}}\n"
    "router:\n"
    "  r:\n"
    "    interface:\n"
    "      a: {address: [10.0.0.1/24, \"2001:db8:0::1/64\"]}\n"
    "      b: {mac: \"02:00:00:00:aa:02\", address: [10.9.0.1/24, \"2001:db8:9::1/64\"]}\n"
    "      routed: {address: [10.4.0.1/24, \"2001:db8:4::1/64\"]}\n"
    "    neighbor:\n"
    "      static:\n"
    "        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        10.4.0.9: {interface: routed, mac: \"02:00:00:00:04:09\"}\n"
    "        10.9.0.2: {interface: b, mac: \"02:00:00:00:09:02\"}\n"
    "        \"2001:db8:9::2\": {interface: b, mac: \"02:00:00:00:09:02\"}\n"
    "    route:\n"
    "      0.0.0.0/0: {via: 10.9.0.2}\n"
    "      \"::/0\": {via: \"2001:db8:9::2\"}\n"
    "tunnel:\n"
    "  one: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n"
    "  many: {local: 10.9.0.1, remote: [192.0.2.2, 192.0.2.3, 10.4.0.9], vxlan: {vni: 2}, "
    "stations-max: 16}\n"
    "  six: {local: \"2001:db8:9::1\", remote: [\"2001:db8:ff::1\", \"2001:db8:ff::2\"], vxlan: "
    "{vni: 1}, udp-checksum: true}\n"
    "  routed: {local: 10.9.0.1, remote: [192.0.2.4], vxlan: {vni: 4}, dscp: 10}\n";

void
bed_time_pass(uint64_t ms)
{
	(void)ms;
}

static struct bed *bed;

/* The leak checker does not see what tables keep in memory that they map themselves. */
static void
close_bed(void)
{
	bed_close(bed);
	bed = NULL;
}

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Ethernet, IP and UDP of a remote end; `len` bytes come behind. */
static unsigned
headers(uint8_t *f, bool six, unsigned which, unsigned len)
{
	static const uint8_t ends[4][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 }, { 192, 0, 2, 4 },
		{ 10, 4, 0, 9 } };
	uint8_t *ip = f + 14, *udp = ip + (six ? 40 : 20);
	be16_t check;

	memset(f, 0, 62);
	memcpy(f, "\2\0\0\0\xaa\2\2\0\0\0\x9\2", 12);
	put16(f + 12, six ? 0x86dd : 0x0800);
	if (six) {
		ip[0] = 0x60;
		ip[1] = (uint8_t)(which >> 2 << 4);
		put16(ip + 4, 8 + len);
		ip[6] = 17;
		ip[7] = 64;
		memcpy(ip + 8, "\x20\1\xd\xb8\0\xff", 6);
		ip[23] = (uint8_t)(1 + which % 2);
		memcpy(ip + 24, "\x20\1\xd\xb8\0\x9", 6);
		ip[39] = 1;
	} else {
		ip[0] = 0x45;
		ip[1] = (uint8_t)(which >> 2 & 3);
		put16(ip + 2, 28 + len);
		ip[8] = 64;
		ip[9] = 17;
		memcpy(ip + 12, ends[which & 3], 4);
		memcpy(ip + 16, "\12\11\0\1", 4);
		check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
		memcpy(ip + 10, &check, 2);
	}
	put16(udp, 50000);
	put16(udp + 2, 4789);
	put16(udp + 4, 8 + len);
	return (unsigned)(udp - f) + 8;
}

static void
give(unsigned how, const uint8_t *bytes, unsigned len)
{
	static const unsigned ports[4] = { 2, 0, 1, 1 };
	unsigned kind = how & 3, split = 0, head = 0;
	uint8_t frame[BED_FRAME_MAX + 64];

	if (kind == 3)
		head = headers(frame, how & 4, how >> 3, len);
	else
		split = how >> 3 << 3;
	memcpy(frame + head, bytes, len);
	if (kind != 3 && len >= 6 && (how & 4))
		(void)mr_dataplane_address(bed->planes[0].dp, (uint16_t)ports[kind], 0, frame);
	bed_must(bed, bed_give(bed, ports[kind], frame, head + len, split, 0));
	bed_run(bed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	if (!bed) {
		bed = bed_open(text, "lanes: {mode: flow}\n", 1);
		for (unsigned i = 0; i < 4; i++)
			bed_tick(bed, 1000);
		atexit(close_bed);
	}
	while (at + 3 <= size) {
		size_t len = MR_MIN((size_t)(data[at + 1] << 8 | data[at + 2]), size - at - 3);

		len = MR_MIN(len, (size_t)BED_FRAME_MAX);
		give(data[at], data + at + 3, (unsigned)len);
		at += 3 + len;
	}
	/* Nobody forgets a packet. */
	bed_compare(bed, false);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole router against arbitrary frames, links that flap, routes that come and go, other
 * configurations and time. The data plane is made once; an input is a small program:
 *
 *   operation, operands...     see run(); numbers are bytes, missing ones are 0
 *
 * Frames are raw, or built: headers that fit each other, with fields chosen from the input, so that
 * they come past the first checks. After each input everything must add up, nothing may still be
 * held once enough time has passed, and the buffers must all be back; what leaves is looked at by
 * router_bed.c.
 *
 * Time is the program's own: the link has clock_gettime go through here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/graph/explain.h"
#include "kit/graph/graph_int.h"
#include "kit/packet/wire.h"
#include "nf/router/router_bed_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Asked by LeakSanitizer, which does not look into the tables' memory and takes what they point to
 * for lost; the tests that close their data planes see what is. */
int __lsan_is_turned_off(void);
int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);

#define STEPS_MAX 200u
#define GIVEN_MAX 48u

static const char *const configs[] = {
	"system: {buffers: 4096}\n"
	"router:\n"
	"  r:\n"
	"    icmp:\n"
	"      errors: {rate: 100000, burst: 10000, destination-rate: 10000, destination-burst: "
	"1000}\n"
	"      source-routes: true\n"
	"      reassembly: {datagrams: 16, buffers: 64, source-buffers: 48}\n"
	"    neighbor:\n"
	"      limit: 64\n"
	"      static:\n"
	"        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
	"        10.1.0.9: {interface: b, mac: \"02:00:00:00:01:09\"}\n"
	"        10.7.0.9: {interface: a.7, mac: \"02:00:00:00:07:09\"}\n"
	"        \"2001:db8:1::9\": {interface: b, mac: \"02:00:00:00:01:09\"}\n"
	"        \"2001:db8::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
	"    interface:\n"
	"      a:\n"
	"        address: [10.0.0.1/24, \"2001:db8::1/64\"]\n"
	"        clamp-mss: true\n"
	"        neighbor: {router-advertisement: {enabled: true}}\n"
	"      a.7: {parent: a, vlan: 7, address: [10.7.0.1/24, \"2001:db8:7::1/64\"], mtu: 1280}\n"
	"      b:\n"
	"        address: [10.1.0.1/24, \"2001:db8:1::1/64\"]\n"
	"        reverse-path4: strict\n"
	"        reverse-path6: strict\n"
	"        directed-broadcasts: true\n"
	"        mtu: 1300\n"
	"        neighbor: {proxy: true}\n"
	"      lo: {loopback: true, address: [10.255.0.1/32, \"2001:db8:ffff::1/128\"]}\n"
	"    route:\n"
	"      0.0.0.0/0: {via: 10.0.0.9}\n"
	"      10.2.0.0/16: {via: [10.0.0.9, 10.1.0.9, 10.7.0.9]}\n"
	"      10.3.0.0/16: {via: 10.0.0.66}\n"
	"      10.4.0.0/16: {action: blackhole}\n"
	"      10.5.0.0/16: {action: unreachable}\n"
	"      10.6.0.0/16: {action: prohibit}\n"
	"      10.8.0.0/16: {via: \"2001:db8:1::77\"}\n"
	"      \"::/0\": {via: \"2001:db8::9\"}\n"
	"      \"2001:db8:2::/48\": {via: [\"2001:db8::9\", \"2001:db8:1::9\"]}\n"
	"  s: {interface: {c: {address: [10.0.0.1/24, \"2001:db8::1/64\"]}}}\n",

	"system: {buffers: 4096}\n"
	"router:\n"
	"  r:\n"
	"    icmp: {echo-broadcast: true, router-alert: false}\n"
	"    interface:\n"
	"      a: {unnumbered: lo}\n"
	"      a.7: {parent: a, vlan: 7, address: 10.7.0.1/24, reverse-path4: loose, mtu: 576}\n"
	"      b: {address: [10.1.0.1/24, \"2001:db8:1::1/64\"], unreachables: false, clamp-mss: "
	"true}\n"
	"      b.7: {parent: b, vlan: 7, address: [10.0.0.1/24, \"2001:db8::1/64\"]}\n"
	"      lo: {loopback: true, address: [10.255.0.1/32, \"2001:db8:ffff::1/128\"]}\n"
	"    route:\n"
	"      0.0.0.0/0: {via: 10.1.0.9}\n"
	"      10.2.0.0/16: {interface: a}\n"
	"      \"2001:db8:2::/48\": {via: \"fe80::9\", interface: b.7}\n",

	"system: {buffers: 4096}\n"
	"router:\n"
	"  s: {interface: {a: {address: 10.0.0.1/31}, c: {ipv6: true}}}\n",
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct fuzz {
	struct bed bed;
	struct mr_config *configs[MR_ARRAY_COUNT(configs)];
	unsigned config; /* the one in use */
	unsigned given;
	bool routes;
};

int
__lsan_is_turned_off(void)
{
	return 1;
}

static int64_t time_added; /* nanoseconds */

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = __real_clock_gettime(clock, ts);
	int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + time_added;

	ts->tv_sec = (time_t)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return rc;
}

/* -- the input ---------------------------------------------------------------------------- */

static unsigned
byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static unsigned
word(struct input *in)
{
	unsigned high = byte(in);

	return high << 8 | byte(in);
}

static void
bytes(struct input *in, uint8_t *to, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		to[i] = (uint8_t)byte(in);
}

/* -- building frames ---------------------------------------------------------------------- */

static void
address4(struct input *in, uint8_t *to)
{
	static const uint8_t known[][4] = {
		{ 10, 0, 0, 1 },
		{ 10, 0, 0, 9 },
		{ 10, 0, 0, 255 },
		{ 10, 1, 0, 1 },
		{ 10, 1, 0, 9 },
		{ 10, 1, 0, 255 },
		{ 10, 7, 0, 1 },
		{ 10, 7, 0, 9 },
		{ 10, 255, 0, 1 },
		{ 10, 2, 3, 4 },
		{ 10, 3, 3, 4 },
		{ 10, 4, 0, 1 },
		{ 10, 5, 0, 1 },
		{ 10, 6, 0, 1 },
		{ 10, 8, 0, 1 },
		{ 224, 0, 0, 5 },
		{ 239, 1, 2, 3 },
		{ 255, 255, 255, 255 },
		{ 0, 0, 0, 0 },
		{ 127, 0, 0, 1 },
		{ 10, 0, 0, 77 },
		{ 10, 1, 0, 77 },
		{ 198, 51, 100, 1 },
	};
	unsigned which = byte(in);

	if (which < MR_ARRAY_COUNT(known))
		memcpy(to, known[which], 4);
	else
		bytes(in, to, 4);
}

static void
address6(struct input *in, uint8_t *to)
{
	/* The first 8 bytes and the last 2. */
	static const uint8_t known[][10] = {
		{ 0x20, 1, 0xd, 0xb8, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, [9] = 9 },
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [9] = 9 },
		{ 0x20, 1, 0xd, 0xb8, 0, 2, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 7, [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0xff, 0xff, [9] = 1 },
		{ 0xfe, 0x80, [9] = 1 },
		{ 0xfe, 0x80, [9] = 9 },
		{ 0xff, 2, [9] = 1 },
		{ 0xff, 2, [9] = 2 },
		{ 0xff, 5, [9] = 1 },
		{ 0 },
		{ [9] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [9] = 77 },
		{ 0x20, 1, 0xd, 0xb8 },
		{ 0x30 },
	};
	unsigned which = byte(in);

	memset(to, 0, 16);
	if (which < MR_ARRAY_COUNT(known)) {
		memcpy(to, known[which], 8);
		memcpy(to + 14, known[which] + 8, 2);
	} else if (which & 1) {
		/* The solicited-node group of somebody. */
		to[0] = 0xff;
		to[1] = 2;
		to[11] = 1;
		to[12] = 0xff;
		to[15] = (uint8_t)byte(in);
	} else {
		bytes(in, to, 16);
	}
}

/* Ethernet and tag; returns where layer 3 begins. */
static unsigned
ethernet(struct fuzz *f, struct input *in, unsigned port, uint8_t *frame, unsigned type)
{
	unsigned how = byte(in), at = 12;
	const struct mr_ip_port *p = &f->bed.ip->ports[f->bed.ports[port].port->index];
	unsigned index = mr_ip_interface_at(p, 0);

	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x02\0\0\0\0", 5);
	frame[11] = (uint8_t)(9 + (how >> 6));
	if (how & 8) {
		mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(frame + 14, (uint16_t)(how & 16 ? 7 : 0));
		at = 16;
		if (how & 16)
			index = mr_ip_interface_at(p, 7);
	}
	switch (how & 7) {
	case 6:
		break; /* broadcast */
	case 7:
		memcpy(frame, type == MR_ETH_TYPE_IP6 ? "\x33\x33\0\0\0\1" : "\1\0\x5e\0\0\5", 6);
		break;
	default:
		mr_ip_mac_copy(&f->bed.ip->interfaces[index], frame);
	}
	mr_store_be16(frame + at, (uint16_t)type);
	return at + 2;
}

/* What stands behind IP, `*proto` says what; returns its length. Its checksum is made last. */
static unsigned
layer4(struct input *in, uint8_t *at, unsigned *proto, bool six)
{
	static const uint8_t sizes[] = { 0, 1, 8, 40, 64, 100, 200, 255 };
	unsigned how = byte(in), head = 0, len, extra = sizes[byte(in) & 7] * (how & 32 ? 6u : 1u);

	switch (how & 7) {
	case 0:
	case 1:
		*proto = MR_IP_PROTO_TCP;
		mr_store_be16(at, 1000);
		mr_store_be16(at + 2, (uint16_t)(how & 8 ? 179 : 80));
		at[12] = (uint8_t)((5 + (how & 8 ? byte(in) % 11 : 1)) << 4);
		at[13] = (uint8_t)(how & 1 ? MR_TCP_SYN : byte(in));
		head = 20;
		len = (at[12] >> 4) * 4u - 20;
		if (how & 8) {
			bytes(in, at + 20, len);
		} else {
			memcpy(at + 20, "\2\4\x7f\xff", 4);
		}
		head += len;
		break;
	case 2:
		*proto = MR_IP_PROTO_UDP;
		mr_store_be16(at, 1000);
		mr_store_be16(at + 2, (uint16_t)(how & 8 ? 3784 : 53));
		mr_store_be16(at + 4, (uint16_t)(8 + extra));
		head = 8;
		break;
	case 3:
		*proto = six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP;
		at[0] = six ? 128 : 8;
		head = 8;
		break;
	case 4:
		*proto = six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP;
		at[0] = (uint8_t)byte(in);
		at[1] = (uint8_t)byte(in);
		bytes(in, at + 4, 4);
		head = 8;
		break;
	default:
		*proto = byte(in);
		bytes(in, at, 8);
		head = 8;
	}
	memset(at + head, (int)how, extra);
	return head + extra;
}

/* How a finished frame arrives. */
static void
give(struct fuzz *f, struct input *in, unsigned port, uint8_t *frame, unsigned len)
{
	unsigned how = byte(in), split = how & 1 ? 14 + how / 2 : 0;

	if (how & 2 && len > 14)
		len -= MR_MIN(how >> 4, len - 14); /* cut short */
	else if (how & 4 && len + (how & 0xf0) * 16 <= BED_FRAME_MAX)
		len += (how & 0xf0) * 16; /* something follows */
	bed_give(&f->bed, port, bed_packet(&f->bed, 0, frame, len, split));
	if (++f->given % GIVEN_MAX == 0)
		bed_run(&f->bed);
}

static void
give4(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, proto, l3, len, header, how = byte(in);
	uint8_t frame[BED_FRAME_MAX] = { 0 }, *ip;
	bool whole;

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_IP4);
	ip = frame + l3;
	header = 20 + (how & 1 ? 4 * (byte(in) % 11) : 0);
	ip[0] = (uint8_t)(0x40 | header / 4);
	mr_store_be16(ip + 4, (uint16_t)byte(in));
	ip[1] = (uint8_t)(how & 2 ? byte(in) : 0);
	if (how & 4)
		mr_store_be16(ip + 6, (uint16_t)word(in));
	else if (how & 8)
		mr_store_be16(ip + 6, MR_IP4_DONT_FRAGMENT);
	ip[8] = (uint8_t)(how & 16 ? byte(in) : 64);
	address4(in, ip + 12);
	address4(in, ip + 16);
	bytes(in, ip + 20, header - 20);
	len = layer4(in, ip + header, &proto, false);
	if (how & 4)
		len = len / 8 * 8; /* what may be a fragment */
	ip[9] = (uint8_t)proto;
	mr_store_be16(ip + 2, (uint16_t)(header + len));
	whole = !(mr_load_be16(ip + 6) & 0x3fff);
	bed_sum4(ip);
	if (len >= BED_STAMP + 40 && !(how & (32 | 64)))
		bed_stamp(&f->bed, ip, ip + header + len - BED_STAMP,
		    whole && proto != MR_IP_PROTO_UDP);
	if (proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP || proto == MR_IP_PROTO_ICMP)
		bed_sum(ip, ip + header, len, proto);
	if (how & 64) /* something is wrong */
		ip[byte(in) % header] ^= (uint8_t)byte(in);
	if (how & 128)
		bed_sum4(ip); /* but the checksum */
	give(f, in, port, frame, l3 + header + len);
}

static void
give6(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, proto, l3, len, head = 40, how = byte(in), next = 6;
	uint8_t frame[BED_FRAME_MAX] = { 0 }, *ip;

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_IP6);
	ip = frame + l3;
	ip[0] = 0x60;
	ip[7] = (uint8_t)(how & 16 ? byte(in) : 64);
	address6(in, ip + 8);
	address6(in, ip + 24);
	for (unsigned n = 0; how & 3 && n < (how & 3); n++) {
		static const uint8_t kinds[] = { 0, 60, 43, 44, 51, 44, 44, 60 };
		unsigned kind = kinds[byte(in) & 7],
			 size = 8 * (1 + (kind == 44 ? 0 : byte(in) % 4));

		ip[next] = (uint8_t)kind;
		next = head;
		ip[head + 1] = (uint8_t)(kind == 51 ? size / 4 - 2 : size / 8 - 1);
		bytes(in, ip + head + 2, kind == 44 ? 2 : size - 2);
		if (kind == 44) {
			ip[head + 1] = 0;
			ip[head + 7] = (uint8_t)byte(in);
		}
		head += size;
	}
	len = layer4(in, ip + head, &proto, true);
	if (how & 4)
		len = len / 8 * 8;
	ip[next] = (uint8_t)proto;
	mr_store_be16(ip + 4, (uint16_t)(head - 40 + len));
	if (len >= BED_STAMP + 40 && !(how & (32 | 64)))
		bed_stamp(&f->bed, ip, ip + head + len - BED_STAMP, !(how & 3));
	if (proto == MR_IP_PROTO_TCP || proto == MR_IP_PROTO_UDP || proto == MR_IP_PROTO_ICMP6)
		bed_sum(ip, ip + head, len, proto);
	if (how & 64)
		ip[byte(in) % head] ^= (uint8_t)byte(in);
	give(f, in, port, frame, l3 + head + len);
}

static void
give_arp(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, l3, how = byte(in);
	uint8_t frame[BED_FRAME_MAX] = { 0 };

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_ARP);
	memcpy(frame + l3, "\0\1\x8\0\6\4\0", 7);
	frame[l3 + 7] = (uint8_t)(1 + (how & 1));
	memcpy(frame + l3 + 8, frame + 6, 6);
	address4(in, frame + l3 + 14);
	memcpy(frame + l3 + 18, frame, 6);
	address4(in, frame + l3 + 24);
	if (how & 2)
		frame[l3 + byte(in) % 28] ^= (uint8_t)byte(in);
	give(f, in, port, frame, how & 4 ? 100 : l3 + 28);
}

static void
give_nd(struct fuzz *f, struct input *in)
{
	static const uint8_t fixed[] = { 8, 16, 24, 24, 40 };
	unsigned port = byte(in) % BED_PORTS, l3, how = byte(in), kind = how % 5, len = fixed[kind];
	uint8_t frame[BED_FRAME_MAX] = { 0 }, *ip, *icmp;

	l3 = ethernet(f, in, port, frame, MR_ETH_TYPE_IP6);
	ip = frame + l3;
	icmp = ip + 40;
	ip[0] = 0x60;
	ip[6] = MR_IP_PROTO_ICMP6;
	ip[7] = 255;
	address6(in, ip + 8);
	address6(in, ip + 24);
	icmp[0] = (uint8_t)(133 + kind);
	icmp[4] = (uint8_t)(how & 0xe0);
	address6(in, icmp + 8);
	for (unsigned n = byte(in) % 4; n > 0; n--) {
		unsigned size = 8 * (1 + byte(in) % 3);

		bytes(in, icmp + len, 2);
		icmp[len] %= 32;
		if (icmp[len + 1] & 0x80)
			icmp[len + 1] = (uint8_t)(size / 8);
		memcpy(icmp + len + 2, frame + 6, 6);
		len += size;
	}
	mr_store_be16(ip + 4, (uint16_t)len);
	bed_sum(ip, icmp, len, MR_IP_PROTO_ICMP6);
	give(f, in, port, frame, l3 + 40 + len);
}

static void
give_raw(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, len = byte(in);
	uint8_t frame[BED_FRAME_MAX] = { 0 };

	bytes(in, frame, len);
	give(f, in, port, frame, len);
}

/* -- what else happens -------------------------------------------------------------------- */

static void
pass_time(struct fuzz *f, unsigned ms)
{
	bed_run(&f->bed);
	time_added += (int64_t)ms * 1000000;
	f->bed.graph->workers[0]->next_second = 0;
	bed_tick(&f->bed);
	bed_run(&f->bed);
}

static void
route(struct fuzz *f, struct input *in)
{
	struct mr_route_hop hops[4];
	struct mr_route r = { .source = MR_ROUTE_FPM, .hops = hops };
	struct mr_error error;
	unsigned how = byte(in);
	uint16_t vrf = mr_ip_vrf_find(f->bed.ip, how & 1 ? "r" : "s");

	if (vrf == UINT16_MAX)
		return;
	memset(hops, 0, sizeof(hops));
	r.family = how & 2 ? MR_IP6 : MR_IP4;
	r.len = (uint8_t)(byte(in) % (r.family == MR_IP6 ? 129 : 33));
	if (r.family == MR_IP6)
		address6(in, r.prefix);
	else
		address4(in, r.prefix);
	for (unsigned bit = r.len; bit < 128; bit++)
		r.prefix[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	r.hop_count = (uint16_t)(1 + (how >> 6));
	for (unsigned k = 0; k < r.hop_count; k++) {
		unsigned kind = byte(in);

		hops[k].weight = (uint16_t)(1 + (kind >> 5));
		hops[k].kind = (uint8_t)(kind % 3);
		hops[k].family = kind & 4 ? MR_IP6 : r.family;
		hops[k].onlink = kind & 8;
		hops[k].interface = (uint16_t)(byte(in) % 8);
		hops[k].special = (uint8_t)(MR_IP_SPECIAL_BLACKHOLE + hops[k].interface % 3);
		if (hops[k].kind == MR_HOP_VIA && hops[k].family == MR_IP6)
			address6(in, hops[k].address);
		else if (hops[k].kind == MR_HOP_VIA)
			address4(in, hops[k].address);
	}
	f->routes = true;
	if (how & 32)
		(void)mr_rib_unset(f->bed.rib, vrf, r.family, r.prefix, r.len, MR_ROUTE_FPM);
	else
		(void)mr_rib_set(f->bed.rib, vrf, &r, &error);
}

static void
explained(void *user, const struct mr_recording *r)
{
	++*(unsigned *)user;
}

/* Whatever it says, it must leave no trace. */
static void
explain(struct fuzz *f, struct input *in)
{
	unsigned port = byte(in) % BED_PORTS, len = byte(in), calls = 0;
	struct mr_graph_totals before, after;
	struct mr_error error;
	uint8_t frame[256];
	uint32_t packet;
	int rc;

	bytes(in, frame, len);
	bed_run(&f->bed);
	packet = bed_packet(&f->bed, MR_POOL_SHARED, frame, len, 0);
	bed_must(packet != MR_PACKET_NONE);
	mr_graph_totals(f->bed.graph, &before);
	rc = mr_graph_explain(f->bed.graph, f->bed.ports[port].port->index, packet, explained,
	    &calls, &error);
	mr_graph_totals(f->bed.graph, &after);
	bed_must(rc ? calls == 0 : calls == 1);
	bed_must(memcmp(&before, &after, sizeof(before)) == 0);
}

static void
configure(struct fuzz *f, unsigned which)
{
	if (which == f->config)
		return;
	bed_run(&f->bed);
	bed_apply(&f->bed, f->configs[which]);
	f->config = which;
}

static void
run(struct fuzz *f, struct input *in)
{
	for (unsigned step = 0; in->left && step < STEPS_MAX; step++) {
		unsigned op = byte(in);

		switch (op % 16) {
		case 0:
			give_raw(f, in);
			break;
		case 1:
		case 2:
		case 3:
		case 4:
			give4(f, in);
			break;
		case 5:
		case 6:
		case 7:
			give6(f, in);
			break;
		case 8:
			give_arp(f, in);
			break;
		case 9:
			give_nd(f, in);
			break;
		case 10:
			bed_run(&f->bed);
			break;
		case 11:
			pass_time(f, 1u << op / 16);
			break;
		case 12:
			bed_run(&f->bed);
			bed_link(&f->bed, op / 32 % BED_PORTS, op & 16);
			break;
		case 13:
			route(f, in);
			break;
		case 14:
			explain(f, in);
			break;
		default:
			if (op >= 0x80)
				configure(f, op % MR_ARRAY_COUNT(configs));
		}
	}
}

/* Back to how it began, as far as only time and the configuration can. */
static void
settle(struct fuzz *f)
{
	uint16_t vrf;

	bed_run(&f->bed);
	for (unsigned port = 0; port < BED_PORTS; port++)
		bed_link(&f->bed, port, true);
	configure(f, 0);
	for (unsigned k = 0; f->routes && k < 2; k++)
		if ((vrf = mr_ip_vrf_find(f->bed.ip, k ? "r" : "s")) != UINT16_MAX)
			mr_rib_clear(f->bed.rib, vrf, MR_ROUTE_FPM);
	f->routes = false;
	/* A packet waits for its next hop, and so does the error about it. */
	for (unsigned k = 0; k < 9; k++)
		pass_time(f, 1001);
	pass_time(f, 61000);
	pass_time(f, 1);
}

static void
differs(void *user, const struct mr_rib_difference *d)
{
	fprintf(stderr, "a prefix of length %u: %u in the FIB, %u wanted\n", d->len, d->in_fib,
	    d->wanted);
}

static void
add_up(struct fuzz *f)
{
	struct mr_graph_totals t;
	uint16_t vrf;

	bed_balance(&f->bed);
	mr_graph_totals(f->bed.graph, &t);
	if (t.held || mr_pool_used(f->bed.buffers->pool))
		bed_fail("%lu packets held and %u buffers in use at the end", t.held,
		    mr_pool_used(f->bed.buffers->pool));
	for (unsigned k = 0; k < 2; k++)
		if ((vrf = mr_ip_vrf_find(f->bed.ip, k ? "r" : "s")) != UINT16_MAX)
			bed_must(mr_rib_diff(f->bed.rib, vrf, differs, NULL) == 0);
}

static struct fuzz *made; /* by the first input, for all that follow */

/* The leak checker does not see what tables keep in memory that they map themselves. */
static void
close_all(void)
{
	bed_close(&made->bed);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(configs); i++)
		mr_config_destroy(made->configs[i]);
	mr_model_destroy(made->bed.model);
	free(made);
	made = NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = made;
	struct input in = { data, size };

	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			abort();
		for (unsigned i = 0; i < MR_ARRAY_COUNT(configs); i++)
			f->configs[i] = bed_config(&f->bed, configs[i]);
		bed_open(&f->bed, f->configs[0]);
		settle(f);
		made = f;
		atexit(close_all);
	}
	f->bed.marks = f->given = 0;
	run(f, &in);
	settle(f);
	add_up(f);
	return 0;
}

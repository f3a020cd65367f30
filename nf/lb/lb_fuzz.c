/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames from clients and servers to a data plane with a service of each mode; no packet is
 * lost. Input: frames, each a byte of port and where it is split, two of length, the bytes, of which the
 * first six are replaced by the interface's own address unless the port's byte says otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/lanes/lanes_bed_int.h"
#include "nf/lb/control_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "interface:\n"
    "  a: {driver: \"null\"}\n  b: {driver: \"null\"}\n  c: {driver: \"null\"}\n"
    "  d: {driver: \"null\"}\n  e: {driver: \"null\"}\n  f: {driver: \"null\"}\n"
    "router:\n"
    "  r:\n"
    "    interface:\n"
    "      a: {address: [10.0.0.1/24, \"2001:db8:0::1/64\"]}\n"
    "      b: {address: [10.1.0.1/24, \"2001:db8:1::1/64\"]}\n"
    "    neighbor:\n"
    "      static:\n"
    "        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        \"2001:db8:0::9\": {interface: a, mac: \"02:00:00:00:00:09\"}\n"
    "        10.1.0.11: {interface: b, mac: \"02:00:00:00:01:11\"}\n"
    "        \"2001:db8:1::11\": {interface: b, mac: \"02:00:00:00:01:11\"}\n"
    "    route:\n"
    "      0.0.0.0/0: {via: 10.0.0.9}\n"
    "      \"::/0\": {via: \"2001:db8:0::9\"}\n"
    "lb:\n"
    "  max: 1024\n"
    "  seed: 1\n"
    "  interface: [a, b]\n"
    "  service:\n"
    "    nat: {address: [203.0.113.80, \"2001:db8:80::80\"], port: 80, backend: {b4: {address: "
    "10.1.0.11, port: 8080}, b6: {address: \"2001:db8:1::11\", port: 8080}}}\n"
    "    dns: {address: 203.0.113.80, protocol: udp, port: 53, affinity: source, backend: {b: "
    "{address: 10.1.0.11}}}\n"
    "    full: {address: [203.0.113.81, \"2001:db8:80::81\"], port: 80, mode: nat-full, "
    "source-address: [10.1.0.200, \"2001:db8:1::200\"], backend: {b4: {address: 10.1.0.11}, b6: "
    "{address: \"2001:db8:1::11\"}}}\n"
    "    l2: {address: [203.0.113.82, \"2001:db8:80::82\"], port: all, mode: l2, backend: {b4: "
    "{address: 10.1.0.11}, b6: {address: \"2001:db8:1::11\"}}}\n"
    "    ipip: {address: [203.0.113.83, \"2001:db8:80::83\"], port: 80, mode: ipip, backend: {b4: "
    "{address: 10.1.0.11}, b6: {address: \"2001:db8:1::11\"}}}\n"
    "    gue: {address: [10.0.0.80, \"2001:db8:0::80\"], port: 80, protocol: udp, mode: gue, "
    "scheduler: weighted-round-robin, backend: {b4: {address: 10.1.0.11}, b6: {address: "
    "\"2001:db8:1::11\"}}}\n";

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t frame[BED_FRAME_MAX];
	size_t at = 0;

	if (!bed) {
		bed = bed_open(text, "lanes: {mode: flow}\n", 1);
		for (unsigned i = 0; i < 4; i++)
			bed_tick(bed, 1000);
		atexit(close_bed);
	}
	while (at + 3 <= size) {
		size_t len = MR_MIN((size_t)(data[at + 1] << 8 | data[at + 2]), size - at - 3);
		unsigned port = data[at] & 1;

		len = MR_MIN(len, sizeof(frame));
		memcpy(frame, data + at + 3, len);
		if (len >= 6 && !(data[at] & 2))
			(void)mr_dataplane_address(bed->planes[0].dp, (uint16_t)port, 0, frame);
		bed_must(bed, bed_give(bed, port, frame, (unsigned)len, data[at] >> 2, 0));
		bed_run(bed);
		at += 3 + len;
	}
	/* Nobody forgets a packet. */
	bed_compare(bed, false);
	return 0;
}

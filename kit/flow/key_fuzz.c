/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as frames: the key, or that there is none, is what the slow way says, with a
 * router's view (the frame is for us) and a bridge's; and with a view of tunnels, where the input's own
 * ends are those of a remote end. Half of the inputs get right header checksums, which no fuzzer finds
 * by chance.
 */
#include <stdint.h>
#include <stdlib.h>

#include "kit/flow/key_check_int.h"
#include "kit/flow/pairs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
mend(uint8_t *bytes, unsigned len, unsigned l3)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(bytes + l3);

	if (len >= l3 + sizeof(*ip) && ip->version_ihl == 0x45)
		ip->check = mr_checksum_ipv4_header(ip);
}

/* A remote end that sends this. Returns where the frame inside is. */
static unsigned
take_end(struct mr_flow_inside *table, const uint8_t *bytes, unsigned len)
{
	const unsigned ip = sizeof(struct mr_eth), six = len > ip && bytes[ip] >> 4 == 6;
	const unsigned udp = ip + (six ? 40 : 20), size = six ? 16 : 4;
	struct mr_flow_outer o = { .vrf = six ? MR_FLOW_OUTER_SIX : 0 };

	if (len < udp + 16)
		return len;
	memcpy(o.local, bytes + udp - size, size);
	memcpy(o.remote, bytes + udp - 2 * size, size);
	o.network = mr_load_be32(bytes + udp + 12) >> 8;
	o.port = mr_load_be16(bytes + udp + 2);
	/* One in 256 is too large. */
	mr_flow_inside_add(table, &o, (o.network & 0xff) == 0xff ? 1u << 20 : 1u + bytes[udp + 1]);
	return udp + 16;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_flow_pairs *pairs;
	static struct mr_flow_batch batch;
	unsigned len = (unsigned)MR_MIN(size, (size_t)1500);
	struct mr_flow_view view = { .port = 5 };
	uint8_t *base = checked_packet(data, len), *bytes;
	_Atomic(const struct mr_flow_inside *) inside;
	struct mr_flow_inside *table;
	unsigned inner;
	bool has;

	if (!base || (!pairs && mr_flow_pairs_create(&pairs, 1, -1, NULL)) ||
	    mr_flow_inside_create(&table, 1, NULL))
		abort();
	bytes = mr_packet_bytes(mr_packet_at(base, 1));
	inner = take_end(table, bytes, len) + (unsigned)sizeof(struct mr_eth);
	atomic_init(&inside, table);
	for (unsigned turn = 0; turn < 8; turn++) {
		view.bridged = turn & 1;
		view.inside = turn >= 4 ? &inside : NULL;
		view.mac = 0;
		if (len >= 6)
			memcpy(&view.mac, bytes, 6);
		if (turn == 2)
			mend(bytes, len, sizeof(struct mr_eth));
		if (turn == 6)
			mend(bytes, len, inner);
		require(check_packet_key(&view, pairs, base, &batch, &has));
	}
	mr_flow_pairs_sweep(pairs, UINT32_MAX);
	mr_flow_inside_destroy(table);
	free(base);
	return 0;
}

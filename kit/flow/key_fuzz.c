/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as frames: the key, or that there is none, is what the slow way says, with a
 * router's view (the frame is for us) and a bridge's. Half of the inputs get a right header
 * checksum, which no fuzzer finds by chance.
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
mend(uint8_t *bytes, unsigned len)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(bytes + sizeof(struct mr_eth));

	if (len >= sizeof(struct mr_eth) + sizeof(*ip) && ip->version_ihl == 0x45)
		ip->check = mr_checksum_ipv4_header(ip);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_flow_pairs *pairs;
	static struct mr_flow_batch batch;
	unsigned len = (unsigned)MR_MIN(size, (size_t)1500);
	struct mr_flow_view view = { .port = 5 };
	uint8_t *base = checked_packet(data, len), *bytes;
	bool has;

	if (!base || (!pairs && mr_flow_pairs_create(&pairs, 1, -1, NULL)))
		abort();
	bytes = mr_packet_bytes(mr_packet_at(base, 1));
	for (unsigned turn = 0; turn < 4; turn++) {
		view.bridged = turn & 1;
		view.mac = 0;
		if (len >= 6)
			memcpy(&view.mac, bytes, 6);
		if (turn == 2)
			mend(bytes, len);
		require(check_packet_key(&view, pairs, base, &batch, &has));
	}
	mr_flow_pairs_sweep(pairs, UINT32_MAX);
	free(base);
	return 0;
}

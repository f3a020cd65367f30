/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any packet through icmp-error. Input: interface, type, code, flags, where the first segment ends;
 * then the packet from its Ethernet header on. What leaves must be an error that may
 * leave: no larger than permitted, with right checksums, to a host, about the packet that came.
 */
#include <string.h>

#include "nf/icmp/icmp_test_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 5u

static void
check(const struct bed_out *o, const uint8_t *in, size_t len)
{
	const uint8_t *ip = o->bytes + 14, *quote;
	unsigned size = o->len - 14, head;

	if (in[14] >> 4 == 6) {
		head = 48;
		if (size > ICMP_QUOTE6 || size < head || ip[0] >> 4 != 6 ||
		    mr_load_be16(ip + 4) + 40u != size || ip[6] != 58 ||
		    slow_sum6(ip, 58, ip + 40, size - 40) != 0xffff || !icmp_is_host6(ip + 24) ||
		    memcmp(ip + 24, in + 22, 16) != 0)
			bed_fail("not an ICMPv6 error");
	} else {
		be32_t to;

		head = 28;
		memcpy(&to, ip + 16, 4);
		if (size > ICMP_QUOTE4 || size < head || ip[0] != 0x45 ||
		    mr_load_be16(ip + 2) != size || ip[9] != 1 || slow_sum(ip, 20, 0) != 0xffff ||
		    slow_sum(ip + 20, size - 20, 0) != 0xffff || !icmp_is_host4(to) ||
		    memcmp(&to, in + 26, 4) != 0)
			bed_fail("not an ICMP error");
	}
	quote = ip + head;
	if (size - head > len - 14 || memcmp(quote, in + 14, size - head) != 0)
		bed_fail("about another packet");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bed *bed;
	struct bed_in in = { 0 };
	uint8_t copy[4096];

	bed = bed_forever();
	if (size < HEAD + 14 || size > sizeof(copy))
		return 0;
	in.interface = data[0] % 4;
	in.type = data[1];
	in.code = data[2];
	in.flags = data[3] & MR_IP_META_ORIGIN;
	in.split = data[4];
	in.data = data[3];
	bed_run(bed, BED_ERROR, &in, data + HEAD, (unsigned)(size - HEAD));
	if (bed->count > 1 || (bed->count && (in.flags & MR_IP_META_ORIGIN)))
		bed_fail("more than it may say");
	if (bed->count)
		check(&bed->out[0], data + HEAD, size - HEAD);
	if (mr_pool_used(bed->buffers->pool))
		bed_fail("a buffer is lost");
	return 0;
}

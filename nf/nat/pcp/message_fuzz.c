/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as a request; the first says whether NAT-PMP is on, and which result is answered. Every
 * answer has its length and says what was asked, and no answer is a request.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/nat/pcp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nat_pcp_answer a = { .lifetime = 120, .epoch = 7 };
	struct nat_pcp_request r, back;
	uint8_t out[NAT_PCP_MAX];
	unsigned len, n;

	if (!size)
		return 0;
	len = (unsigned)(size - 1 > NAT_PCP_MAX ? NAT_PCP_MAX : size - 1);
	nat_pcp_read(&r, data + 1, (unsigned)size - 1, mr_be32(0x0a000005), data[0] & 1);
	if (r.kind == NAT_PCP_IGNORE)
		return 0;
	a.result = r.kind == NAT_PCP_REFUSE ? r.result : data[0] / 2 % 13;
	n = nat_pcp_write(out, data + 1, len, &r, &a);
	must(n >= 8 && n <= NAT_PCP_MAX && n % 4 == 0);
	must(out[1] == (r.opcode | 0x80) && (r.nat_pmp || out[3] == a.result));
	nat_pcp_read(&back, out, n, mr_be32(0x0a000005), true);
	must(back.kind == NAT_PCP_IGNORE);
	return 0;
}

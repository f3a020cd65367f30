/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any IPv4 options through ip4-options and icmp-echo. Input: what is allowed, the destination,
 * then options. The header that leaves must have a right checksum and its length; beyond the
 * places that options are filled in at, nothing may change; and a slow walk must agree about
 * what is malformed.
 */
#include <string.h>

#include "nf/icmp/icmp_test_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The walk alone, as the RFC tells it: whether lengths are right. */
static bool
lengths_right(const uint8_t *o, unsigned len)
{
	for (unsigned at = 0; at < len && o[at] != 0;) {
		if (o[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= len || o[at + 1] < 2 || at + o[at + 1] > len)
			return false;
		at += o[at + 1];
	}
	return true;
}

static void
check(const struct bed *bed, const struct made *m, unsigned len, unsigned options)
{
	const struct bed_out *o = &bed->out[0];

	if (bed->count != 1 || o->len != m->len)
		bed_fail("lost, or of another length");
	if (slow_sum(o->bytes + 14, 20 + options, 0) != 0xffff)
		bed_fail("a wrong checksum");
	if (memcmp(o->bytes + 34 + options, m->bytes + 34 + options, len) != 0)
		bed_fail("the payload changed");
	if (!lengths_right(m->bytes + 34, options) &&
	    (o->where != MR_IP_EDGE_ICMP || o->meta.icmp_type != 12 ||
		o->meta.icmp_data >> 24 < 20 || o->meta.icmp_data >> 24 >= 20 + options))
		bed_fail("malformed, and passed on");
	if (o->where == MR_IP_EDGE_ICMP && o->meta.icmp_type == 12 &&
	    memcmp(o->bytes, m->bytes, m->len) != 0)
		bed_fail("changed, and told malformed");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t destinations[] = { IP4(192, 0, 2, 9), IP4(10, 0, 0, 1),
		IP4(224, 0, 0, 1), IP4(8, 8, 8, 8), IP4(10, 0, 1, 77), IP4(10, 0, 0, 6) };
	static const struct bed_in in = { .interface = 1 };
	struct icmp_settings s = bed_free();
	uint8_t options[40] = { 0 }, payload[64] = { 8 };
	struct bed *bed;
	static struct made m;
	unsigned len;

	bed = bed_forever();
	if (size < 3)
		return 0;
	len = (unsigned)MR_MIN(size - 2, sizeof(options));
	memcpy(options, data + 2, len);
	len = (len + 3) / 4 * 4;
	s.flags |= data[0] & (ICMP_SOURCE_ROUTES | ICMP_ALERT_FORWARD);
	icmp_set(bed->icmp, bed->vrf, &s);
	make_ip4(&m, IP4(10, 0, 0, 5), destinations[data[1] % MR_ARRAY_COUNT(destinations)], 17,
	    options, len, payload, sizeof(payload));
	bed_run(bed, BED_OPTIONS, &in, m.bytes, m.len);
	check(bed, &m, sizeof(payload), len);
	mr_store_be16(payload + 2, (uint16_t)~slow_sum(payload, sizeof(payload), 0));
	make_ip4(&m, IP4(10, 0, 0, 5), IP4(10, 0, 0, 1), 1, options, len, payload, sizeof(payload));
	bed_run(bed, BED_ECHO, &in, m.bytes, m.len);
	if (bed->count &&
	    (slow_sum(bed->out[0].bytes + 14, 20 + len, 0) != 0xffff ||
		slow_sum(bed->out[0].bytes + 34 + len, sizeof(payload), 0) != 0xffff))
		bed_fail("a reply with a wrong checksum");
	if (mr_pool_used(bed->buffers->pool))
		bed_fail("a buffer is lost");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/record/family.h"

#include "kit/packet/wire.h"

/* An echo's type, and the part of its checksum that is no address: ICMPv6 covers a pseudo-header with
 * protocol and length, ICMP none. */
static bool
echo(uint8_t *icmp, unsigned to, unsigned len)
{
	uint8_t type = icmp[0], as;
	be16_t check, was, now;
	uint64_t delta;

	if (to == 4)
		as = type == MR_ICMP6_ECHO ? MR_ICMP4_ECHO : MR_ICMP4_ECHO_REPLY;
	else
		as = type == MR_ICMP4_ECHO ? MR_ICMP6_ECHO : MR_ICMP6_ECHO_REPLY;
	if (icmp[1] ||
	    (to == 4 ? type != MR_ICMP6_ECHO && type != MR_ICMP6_ECHO_REPLY
		     : type != MR_ICMP4_ECHO && type != MR_ICMP4_ECHO_REPLY))
		return false;
	memcpy(&was, icmp, sizeof(was));
	icmp[0] = as;
	memcpy(&now, icmp, sizeof(now));
	delta = mr_checksum_delta16(was, now);
	if (to == 4)
		delta += mr_checksum_delta16(mr_be16(MR_IP_PROTO_ICMP6), 0) +
		    mr_checksum_delta16(mr_be16((uint16_t)len), 0);
	else
		delta += mr_checksum_delta16(0, mr_be16(MR_IP_PROTO_ICMP6)) +
		    mr_checksum_delta16(0, mr_be16((uint16_t)len));
	memcpy(&check, icmp + 2, sizeof(check));
	check = mr_checksum_apply(check, delta);
	memcpy(icmp + 2, &check, sizeof(check));
	return true;
}

static bool
to_four(struct mr_packet *p, unsigned at)
{
	uint8_t *bytes = mr_packet_bytes(p), *l4 = bytes + at + MR_FAMILY_HEAD6;
	struct mr_ip4 four = { .version_ihl = 0x45 };
	struct mr_ip6 six;
	unsigned len, total;

	if (p->len < at + MR_FAMILY_HEAD6 + 8)
		return false;
	memcpy(&six, bytes + at, sizeof(six));
	len = mr_be16(six.payload_len);
	total = len + MR_FAMILY_HEAD4;
	if (six.next != MR_IP_PROTO_TCP && six.next != MR_IP_PROTO_UDP &&
	    six.next != MR_IP_PROTO_ICMP6)
		return false;
	if (total > UINT16_MAX || (six.next == MR_IP_PROTO_ICMP6 && !echo(l4, 4, len)))
		return false;
	four.tos = (uint8_t)(mr_be32(six.version_class_flow) >> 20);
	four.total_len = mr_be16((uint16_t)total);
	if (total > MR_FAMILY_CUT_MAX)
		four.frag = mr_be16(MR_IP4_DONT_FRAGMENT);
	else
		four.id = mr_family_id(l4);
	four.ttl = six.hop_limit;
	four.proto = six.next == MR_IP_PROTO_ICMP6 ? MR_IP_PROTO_ICMP : six.next;
	four.check = mr_checksum_ipv4_header(&four);
	mr_edit_pop(NULL, p, at, MR_FAMILY_HEAD6 - MR_FAMILY_HEAD4);
	memcpy(mr_packet_bytes(p) + at, &four, sizeof(four));
	return true;
}

static bool
to_six(struct mr_packet *p, unsigned at)
{
	uint8_t *bytes = mr_packet_bytes(p), *l4 = bytes + at + MR_FAMILY_HEAD4;
	struct mr_ip6 six = { .src = { 0 } };
	struct mr_ip4 four;
	unsigned len;

	if (p->len < at + MR_FAMILY_HEAD4 + 8 ||
	    mr_packet_headroom(p) < MR_FAMILY_HEAD6 - MR_FAMILY_HEAD4)
		return false;
	memcpy(&four, bytes + at, sizeof(four));
	len = mr_be16(four.total_len);
	if (len < MR_FAMILY_HEAD4 ||
	    (four.proto != MR_IP_PROTO_TCP && four.proto != MR_IP_PROTO_UDP &&
		four.proto != MR_IP_PROTO_ICMP))
		return false;
	len -= MR_FAMILY_HEAD4;
	if (four.proto == MR_IP_PROTO_ICMP && !echo(l4, 6, len))
		return false;
	six.version_class_flow = mr_be32(6u << 28 | (uint32_t)four.tos << 20);
	six.payload_len = mr_be16((uint16_t)len);
	six.next = four.proto == MR_IP_PROTO_ICMP ? MR_IP_PROTO_ICMP6 : four.proto;
	six.hop_limit = four.ttl;
	(void)mr_edit_push(NULL, p, at, MR_FAMILY_HEAD6 - MR_FAMILY_HEAD4);
	memcpy(mr_packet_bytes(p) + at, &six, sizeof(six));
	return true;
}

bool
mr_edit_family(struct mr_recorder *rec, struct mr_packet *p, unsigned at, unsigned to)
{
	struct mr_op *op;

	if (!(to == 4 ? to_four(p, at) : to_six(p, at)))
		return false;
	if (mr_recorded(rec, p)) {
		op = mr_record_op(rec, p, MR_OP_FAMILY);
		op->offset = (uint16_t)at;
		op->arg = to;
	}
	return true;
}

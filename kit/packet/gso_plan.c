/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a super-frame is to be cut. In a tunnel it is the innermost packet that is: what the source left
 * unfinished, so that csum_start says where its layer 4 begins. What stands between one IP header and
 * the next is found by what each kind of tunnel would have there, and not by ports, which may be
 * any: it holds when the packet inside ends where the one around it does, and in the end when its layer
 * 4 is at csum_start.
 */

#include <errno.h>

#include "kit/packet/gso_int.h"

enum form { FORM_IP, FORM_VXLAN, FORM_GENEVE, FORM_GUE, FORM_COUNT };

#define VXLAN_REMOTE_CHECKSUM 0x20 /* in the second byte; draft-herbert-vxlan-rco */

static int
parse(struct mr_buffers *b, unsigned worker, uint32_t handle, struct mr_parsed *at)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	enum mr_parse_error error;

	error = mr_parse(at, mr_packet_bytes(p), p->len, p->total);
	if (error == MR_PARSE_SPLIT &&
	    mr_packet_pull(b, worker, handle, MR_MIN(p->total, GSO_HEADERS_PULL)) == 0)
		error = mr_parse(at, mr_packet_bytes(p), p->len, p->total);
	if (error == MR_PARSE_IP6_JUMBOGRAM)
		return -ENOTSUP;
	return error ? -EINVAL : 0;
}

/* -- tunnels -------------------------------------------------------------------------------- */

/* Where IP begins in the frame at `at`; 0: nowhere. */
static unsigned
behind_ethernet(const struct mr_packet *p, unsigned at)
{
	struct mr_parsed l2;

	if (mr_parse_l2(&l2, mr_packet_bytes_const(p), p->len, p->total, at) ||
	    (l2.ethertype != MR_ETH_TYPE_IP4 && l2.ethertype != MR_ETH_TYPE_IP6))
		return 0;
	return l2.l3;
}

/* Where IP begins behind a tunnel's header at `at`, if it is one that every piece may repeat; 0: it is
 * not. */
static unsigned
behind_tunnel(const struct mr_packet *p, unsigned at, enum form form)
{
	const uint8_t *header = mr_packet_bytes_const(p) + at;
	unsigned type;

	if (form == FORM_IP)
		return at;
	if (p->len < at + sizeof(struct mr_geneve))
		return 0;
	switch (form) {
	case FORM_VXLAN:
		if (!(header[0] & MR_VXLAN_VNI_VALID) || (header[1] & VXLAN_REMOTE_CHECKSUM))
			return 0;
		return behind_ethernet(p, at + (unsigned)sizeof(struct mr_vxlan));
	case FORM_GENEVE:
		type = mr_load_be16(header + offsetof(struct mr_geneve, type));
		at += (unsigned)sizeof(struct mr_geneve) + (header[0] & 0x3fu) * 4;
		if (header[0] >> 6)
			return 0;
		if (type == MR_ETH_TYPE_IP4 || type == MR_ETH_TYPE_IP6)
			return at;
		return type == MR_ETH_TYPE_TEB ? behind_ethernet(p, at) : 0;
	default:
		/* A bare IP header; or one without fields, which may be a sum of the payload. */
		if (header[0] >> 6 == 1)
			return at;
		if (header[0] >> 5 || mr_load_be16(header + offsetof(struct mr_gue, flags)) != 0 ||
		    (header[1] != MR_IP_PROTO_IP4 && header[1] != MR_IP_PROTO_IP6))
			return 0;
		return at + (unsigned)sizeof(struct mr_gue) + (header[0] & 0x1fu) * 4;
	}
}

/* One tunnel further in. */
static bool
step_inside(const struct mr_packet *p, const struct mr_parsed *at, struct mr_parsed *inside)
{
	bool udp = at->proto == MR_IP_PROTO_UDP && (at->flags & MR_PARSED_L4);
	unsigned form = udp ? FORM_IP + 1 : FORM_IP, end = udp ? FORM_COUNT : FORM_IP + 1;
	const uint8_t *bytes = mr_packet_bytes_const(p);

	if (!udp && at->tunnel != MR_TUNNEL_IP4 && at->tunnel != MR_TUNNEL_IP6)
		return false;
	/* Bytes behind UDP's end would be nobody's. */
	if (udp && mr_load_be16(bytes + at->l4 + offsetof(struct mr_udp, len)) != at->end - at->l4)
		return false;
	for (; form < end; form++) {
		unsigned l3 = behind_tunnel(p, at->payload, (enum form)form);

		if (l3 && l3 <= GSO_HEADERS_MAX &&
		    mr_parse_ip(inside, bytes, p->len, p->total, l3) == MR_PARSE_OK &&
		    inside->end == at->end && inside->l4 && inside->l4 <= p->csum_start)
			return true;
	}
	return false;
}

/* In to the packet that the source left unfinished. */
static int
find_inside(struct mr_buffers *b, unsigned worker, uint32_t handle, struct gso_plan *plan)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	unsigned want = MR_MIN(p->total, p->csum_start + 60u);

	if (want > GSO_HEADERS_MAX)
		return -ENOTSUP;
	if (p->len < want) {
		int rc = mr_packet_pull(b, worker, handle, want);

		if (rc)
			return rc;
	}
	while (plan->at.l4 != p->csum_start) {
		struct mr_parsed inside;

		if (plan->outer_count == GSO_OUTERS_MAX ||
		    (plan->at.flags & (MR_PARSED_FRAGMENT | MR_PARSED_ROUTING)) ||
		    !step_inside(p, &plan->at, &inside))
			return -ENOTSUP;
		plan->outers[plan->outer_count++] = plan->at;
		plan->at = inside;
	}
	return 0;
}

/* -- the plan ------------------------------------------------------------------------------- */

int
gso_make_plan(struct mr_buffers *b, unsigned worker, uint32_t handle, unsigned mtu,
    struct gso_plan *plan)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	const struct mr_parsed *at = &plan->at;
	unsigned want, l3;
	int r;

	plan->outer_count = 0;
	r = parse(b, worker, handle, &plan->at);
	if (r < 0)
		return r;
	l3 = at->l3;
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && p->csum_start > at->l4 && at->l4) {
		r = find_inside(b, worker, handle, plan);
		if (r < 0)
			return r;
	}
	plan->tcp = at->proto == MR_IP_PROTO_TCP;
	want = at->version == 4 ? MR_PACKET_GSO_TCP4 : MR_PACKET_GSO_TCP6;
	if (!plan->tcp)
		want = MR_PACKET_GSO_UDP;
	if (!(at->flags & MR_PARSED_L4) || (!plan->tcp && at->proto != MR_IP_PROTO_UDP) ||
	    (at->flags & (MR_PARSED_FRAGMENT | MR_PARSED_ROUTING)))
		return -ENOTSUP;
	/* The flag names another protocol: that of a packet inside this one. */
	if ((p->flags & MR_PACKET_GSO) && !(p->flags & want))
		return -ENOTSUP;
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && p->csum_start != at->l4)
		return -ENOTSUP;
	/* Longer than any honest sender's, and more than a piece's first buffer has room for. */
	if (at->payload > GSO_HEADERS_MAX)
		return -ENOTSUP;
	plan->header = at->payload;
	plan->payload = at->end - at->payload;
	plan->size = p->flags & MR_PACKET_GSO ? p->gso_size : 0;
	plan->unsummed = !plan->tcp && at->version == 4 && !(p->flags & MR_PACKET_CSUM_PARTIAL) &&
	    mr_load_be16(mr_packet_bytes(p) + at->l4 + offsetof(struct mr_udp, check)) == 0;
	if (plan->size == 0) {
		if (!plan->tcp)
			return -ENOTSUP;
		if (mtu <= plan->header - l3)
			return -EINVAL;
		plan->size = mtu - (plan->header - l3);
	}
	plan->pieces = plan->payload ? (plan->payload + plan->size - 1) / plan->size : 1;
	if (plan->tcp && plan->pieces > 1 && (at->tcp_flags & (MR_TCP_SYN | MR_TCP_RST)))
		return -ENOTSUP;
	return 0;
}

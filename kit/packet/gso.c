/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kit/packet/checksum.h"
#include "kit/packet/gso_int.h"

/* Where in the chain the next payload byte is. */
struct cursor {
	const struct mr_buffers *b;
	const struct mr_packet *p;
	unsigned offset;
};

/* The next `len` bytes; false when the chain ends before. */
static bool
take(struct cursor *c, uint8_t *out, unsigned len)
{
	unsigned part;

	while (len > 0) {
		while (c->offset >= c->p->len) {
			if (c->p->next == MR_PACKET_NONE)
				return false;
			c->offset -= c->p->len;
			c->p = mr_packet_at(c->b->base, c->p->next);
		}
		part = MR_MIN(len, c->p->len - c->offset);
		memcpy(out, mr_packet_bytes_const(c->p) + c->offset, part);
		c->offset += part;
		out += part;
		len -= part;
	}
	return true;
}

/* One buffer, or a chain when a piece is a jumbo frame: headers and `payload` bytes.
 * The metadata is that of the super-frame, but for what belongs to its shape. */
static uint32_t
build(struct mr_buffers *b, unsigned worker, const struct gso_plan *plan,
    const struct mr_packet *from, struct cursor *c, unsigned payload)
{
	unsigned total = plan->header + payload, n = (total + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM;
	unsigned i, start = plan->header, left = total, part;
	uint32_t handles[MR_PACKET_SEGMENTS_MAX];
	struct mr_packet *p;

	if (n > MR_PACKET_SEGMENTS_MAX || !mr_buffers_get(b, worker, handles, n))
		return MR_PACKET_NONE;
	for (i = 0; i < n; i++) {
		p = mr_packet_at(b->base, handles[i]);
		part = MR_MIN(left, MR_PACKET_ROOM);
		*p = *from;
		p->data = MR_PACKET_DATA;
		p->len = (uint16_t)part;
		p->next = i + 1 < n ? handles[i + 1] : MR_PACKET_NONE;
		p->total = total;
		p->segments = (uint16_t)n;
		p->flags &= (uint16_t)~MR_PACKET_TX_WORK;
		p->gso_size = 0;
		if (i == 0)
			memcpy(mr_packet_bytes(p), mr_packet_bytes_const(from), start);
		if (!take(c, mr_packet_bytes(p) + start, part - start)) {
			mr_buffers_put(b, worker, handles, n);
			return MR_PACKET_NONE;
		}
		start = 0;
		left -= part;
	}
	return handles[0];
}

static void
fix_ip(const struct mr_parsed *at, uint8_t *bytes, unsigned index, unsigned total)
{
	struct mr_ip4 *ip4 = (struct mr_ip4 *)(bytes + at->l3);
	struct mr_ip6 *ip6 = (struct mr_ip6 *)(bytes + at->l3);

	if (at->version == 6) {
		ip6->payload_len = mr_be16(total - at->l3 - sizeof(*ip6));
		return;
	}
	ip4->total_len = mr_be16(total - at->l3);
	ip4->id = mr_be16(mr_be16(ip4->id) + index);
	ip4->check = mr_checksum_ipv4_header(ip4);
}

static void
fix_udp(const struct mr_parsed *at, uint8_t *bytes, unsigned total)
{
	mr_store_be16(bytes + at->l4 + offsetof(struct mr_udp, len), (uint16_t)(total - at->l4));
}

/* RFC 9293; what a sender would have put into each segment had it sent them one by one. */
static void
fix_tcp(const struct gso_plan *plan, uint8_t *bytes, unsigned index)
{
	struct mr_tcp *tcp = (struct mr_tcp *)(bytes + plan->at.l4);
	unsigned before = index * plan->size, urgent = mr_be16(tcp->urgent);

	tcp->seq = mr_be32(mr_be32(tcp->seq) + before);
	if (index > 0) /* once per reduction of the window (RFC 3168, section 6.1.2) */
		tcp->flags &= (uint8_t)~MR_TCP_CWR;
	if (index + 1 < plan->pieces)
		tcp->flags &= (uint8_t) ~(MR_TCP_FIN | MR_TCP_PSH);
	if (tcp->flags & MR_TCP_URG) {
		/* The pointer counts from the sequence number. */
		tcp->urgent = urgent > before ? mr_be16(urgent - before) : 0;
		if (urgent <= before && index > 0)
			tcp->flags &= (uint8_t)~MR_TCP_URG;
	}
}

static uint64_t
pseudo(const struct mr_parsed *at, const uint8_t *bytes, unsigned len)
{
	const struct mr_ip4 *ip4 = (const struct mr_ip4 *)(bytes + at->l3);
	const struct mr_ip6 *ip6 = (const struct mr_ip6 *)(bytes + at->l3);

	if (at->version == 4)
		return mr_checksum_pseudo4(ip4->src, ip4->dst, at->proto, (uint16_t)len);
	return mr_checksum_pseudo6(ip6->src, ip6->dst, at->proto, len);
}

/* The field gets the pseudo-header's sum, and then, unless the device does it, the rest. */
static int
fix_checksum(struct mr_buffers *b, uint32_t handle, const struct gso_plan *plan, unsigned options)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	uint8_t *bytes = mr_packet_bytes(p);
	be16_t field;

	if (plan->unsummed)
		return 0;
	p->csum_start = plan->at.l4;
	p->csum_offset =
	    plan->tcp ? offsetof(struct mr_tcp, check) : offsetof(struct mr_udp, check);
	field = mr_checksum_fold(pseudo(&plan->at, bytes, p->total - plan->at.l4));
	memcpy(bytes + p->csum_start + p->csum_offset, &field, sizeof(field));
	p->flags |= MR_PACKET_CSUM_PARTIAL;
	return options & MR_GSO_PARTIAL ? 0 : mr_checksum_complete(b, handle);
}

/*
 * The checksums of UDP around it, where there are any: those of the packet when it is finished, whether
 * it is or the device will do it. For what a right checksum covers sums up to what its pseudo-header is
 * not, so that no byte of it need be read (Linux: local checksum offload). Every header between
 * has an even number of bytes. `end` is that of layer 3.
 */
static void
fix_outer_checksums(const struct gso_plan *plan, uint8_t *bytes, unsigned end)
{
	const struct mr_parsed *inside = &plan->at;
	uint64_t sum = (be16_t)~mr_checksum_fold(pseudo(inside, bytes, end - inside->l4));

	for (unsigned i = plan->outer_count; i-- > 0;) {
		const struct mr_parsed *at = &plan->outers[i];
		struct mr_udp *udp = (struct mr_udp *)(bytes + at->l4);
		uint64_t whole = pseudo(at, bytes, end - at->l4);
		bool summed = at->proto == MR_IP_PROTO_UDP && udp->check;

		if (summed)
			udp->check = 0;
		sum = mr_checksum_add(sum, bytes + at->l4, inside->l4 - at->l4);
		if (summed) {
			udp->check = mr_checksum_finish_udp(whole + sum);
			sum = (be16_t)~mr_checksum_fold(whole);
		}
		inside = at;
	}
}

/* All headers of one piece. */
static int
fix(struct mr_buffers *b, uint32_t handle, const struct gso_plan *plan, unsigned index,
    unsigned options)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	uint8_t *bytes = mr_packet_bytes(p);
	int r;

	for (unsigned i = 0; i < plan->outer_count; i++) {
		fix_ip(&plan->outers[i], bytes, index, p->total);
		if (plan->outers[i].proto == MR_IP_PROTO_UDP)
			fix_udp(&plan->outers[i], bytes, p->total);
	}
	fix_ip(&plan->at, bytes, index, p->total);
	if (plan->tcp)
		fix_tcp(plan, bytes, index);
	else
		fix_udp(&plan->at, bytes, p->total);
	r = fix_checksum(b, handle, plan, options);
	if (r == 0 && plan->outer_count)
		fix_outer_checksums(plan, bytes, p->total);
	return r;
}

/* A packet that fits as it is. */
static int
settle_single(struct mr_buffers *b, uint32_t handle, const struct gso_plan *plan, unsigned options,
    uint32_t *out)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	int r = 0;

	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && !(options & MR_GSO_PARTIAL))
		r = mr_checksum_complete(b, handle);
	if (r < 0)
		return r;
	/* A super-frame's tunnel left its checksum to who cuts it. */
	if (plan->outer_count)
		fix_outer_checksums(plan, mr_packet_bytes(p), plan->at.end);
	p->flags &= (uint16_t)~MR_PACKET_GSO;
	p->gso_size = 0;
	out[0] = handle;
	return 1;
}

int
mr_gso_segment_with(struct mr_buffers *b, unsigned worker, uint32_t handle, unsigned mtu,
    unsigned options, uint32_t *out, unsigned room)
{
	const struct mr_packet *from = mr_packet_at(b->base, handle);
	struct cursor c = { .b = b, .p = from };
	struct gso_plan plan;
	unsigned i, payload, left;
	int r;

	r = gso_make_plan(b, worker, handle, mtu, &plan);
	if (r < 0)
		return r;
	if (plan.pieces > room)
		return -ENOSPC;
	if (plan.pieces == 1)
		return settle_single(b, handle, &plan, options, out);
	c.offset = plan.header;
	left = plan.payload;
	for (i = 0; i < plan.pieces; i++) {
		payload = MR_MIN(left, plan.size);
		out[i] = build(b, worker, &plan, from, &c, payload);
		if (out[i] == MR_PACKET_NONE) {
			r = -ENOBUFS;
			goto fail;
		}
		/* A recording belongs to one packet. */
		if (i > 0)
			mr_packet_at(b->base, out[i])->record = 0;
		r = fix(b, out[i], &plan, i, options);
		if (r < 0) {
			i++;
			goto fail;
		}
		left -= payload;
	}
	mr_packets_free(b, worker, &handle, 1);
	return (int)plan.pieces;
fail:
	mr_packets_free(b, worker, out, i);
	return r;
}

int
mr_gso_segment(struct mr_buffers *b, unsigned worker, uint32_t handle, unsigned mtu, uint32_t *out,
    unsigned room)
{
	return mr_gso_segment_with(b, worker, handle, mtu, 0, out, room);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/gso.h"

#include <errno.h>

#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"

/* Enough for Ethernet, two tags, IPv6 with a few extension headers and a full TCP header. */
#define HEADERS_PULL 256u
#define HEADERS_MAX 512u
static_assert(HEADERS_MAX < MR_PACKET_ROOM, "headers fit a piece's first buffer");

struct plan {
	struct mr_parsed at;
	unsigned header;  /* bytes that every piece repeats */
	unsigned payload; /* bytes to share out */
	unsigned size;    /* of a piece's payload */
	unsigned pieces;
	bool tcp;
	bool unsummed; /* UDP over IPv4 that never had a checksum */
};

/* Where in the chain the next payload byte is. */
struct cursor {
	const struct mr_buffers *b;
	const struct mr_packet *p;
	unsigned offset;
};

static int
parse(struct mr_buffers *b, unsigned worker, uint32_t handle, struct mr_parsed *at)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	enum mr_parse_error error;

	error = mr_parse(at, mr_packet_bytes(p), p->len, p->total);
	if (error == MR_PARSE_SPLIT &&
	    mr_packet_pull(b, worker, handle, MR_MIN(p->total, HEADERS_PULL)) == 0)
		error = mr_parse(at, mr_packet_bytes(p), p->len, p->total);
	if (error == MR_PARSE_IP6_JUMBOGRAM)
		return -ENOTSUP;
	return error ? -EINVAL : 0;
}

static int
make_plan(struct mr_buffers *b, unsigned worker, uint32_t handle, unsigned mtu, struct plan *plan)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	const struct mr_parsed *at = &plan->at;
	const uint8_t *bytes;
	unsigned want;
	int r;

	r = parse(b, worker, handle, &plan->at);
	if (r < 0)
		return r;
	bytes = mr_packet_bytes(p);
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
	/* Longer than any honest sender's, and more than build() has room for. */
	if (at->payload > HEADERS_MAX)
		return -ENOTSUP;
	plan->header = at->payload;
	plan->payload = at->end - at->payload;
	plan->size = p->flags & MR_PACKET_GSO ? p->gso_size : 0;
	plan->unsummed = !plan->tcp && at->version == 4 && !(p->flags & MR_PACKET_CSUM_PARTIAL) &&
	    mr_load_be16(bytes + at->l4 + offsetof(struct mr_udp, check)) == 0;
	if (plan->size == 0) {
		if (!plan->tcp)
			return -ENOTSUP;
		if (mtu <= plan->header - at->l3)
			return -EINVAL;
		plan->size = mtu - (plan->header - at->l3);
	}
	plan->pieces = plan->payload ? (plan->payload + plan->size - 1) / plan->size : 1;
	if (plan->tcp && plan->pieces > 1 && (at->tcp_flags & (MR_TCP_SYN | MR_TCP_RST)))
		return -ENOTSUP;
	return 0;
}

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
build(struct mr_buffers *b, unsigned worker, const struct plan *plan, const struct mr_packet *from,
    struct cursor *c, unsigned payload)
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
fix_ip(const struct plan *plan, uint8_t *bytes, unsigned index, unsigned l3_len)
{
	struct mr_ip4 *ip4 = (struct mr_ip4 *)(bytes + plan->at.l3);
	struct mr_ip6 *ip6 = (struct mr_ip6 *)(bytes + plan->at.l3);

	if (plan->at.version == 6) {
		ip6->payload_len = mr_be16(l3_len - sizeof(*ip6));
		return;
	}
	ip4->total_len = mr_be16(l3_len);
	ip4->id = mr_be16(mr_be16(ip4->id) + index);
	ip4->check = mr_checksum_ipv4_header(ip4);
}

/* RFC 9293; what a sender would have put into each segment had it sent them one by one. */
static void
fix_tcp(const struct plan *plan, uint8_t *bytes, unsigned index)
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

/* The field gets the pseudo-header's sum, and then, unless the device does it, the rest. */
static int
fix_checksum(struct mr_buffers *b, uint32_t handle, const struct plan *plan, unsigned options)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	uint8_t *bytes = mr_packet_bytes(p), *l3 = bytes + plan->at.l3;
	unsigned len = p->total - plan->at.l4;
	be16_t field;
	uint64_t sum;

	if (plan->unsummed)
		return 0;
	if (plan->at.version == 4)
		sum = mr_checksum_pseudo4(((struct mr_ip4 *)l3)->src, ((struct mr_ip4 *)l3)->dst,
		    plan->at.proto, (uint16_t)len);
	else
		sum = mr_checksum_pseudo6(((struct mr_ip6 *)l3)->src, ((struct mr_ip6 *)l3)->dst,
		    plan->at.proto, len);
	p->csum_start = plan->at.l4;
	p->csum_offset =
	    plan->tcp ? offsetof(struct mr_tcp, check) : offsetof(struct mr_udp, check);
	field = mr_checksum_fold(sum);
	memcpy(bytes + p->csum_start + p->csum_offset, &field, sizeof(field));
	p->flags |= MR_PACKET_CSUM_PARTIAL;
	return options & MR_GSO_PARTIAL ? 0 : mr_checksum_complete(b, handle);
}

/* A packet that fits as it is. */
static int
settle_single(struct mr_buffers *b, uint32_t handle, unsigned options, uint32_t *out)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	int r = 0;

	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && !(options & MR_GSO_PARTIAL))
		r = mr_checksum_complete(b, handle);
	if (r < 0)
		return r;
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
	struct mr_packet *p;
	struct plan plan;
	unsigned i, payload, left;
	uint8_t *bytes;
	int r;

	r = make_plan(b, worker, handle, mtu, &plan);
	if (r < 0)
		return r;
	if (plan.pieces > room)
		return -ENOSPC;
	if (plan.pieces == 1)
		return settle_single(b, handle, options, out);
	c.offset = plan.header;
	left = plan.payload;
	for (i = 0; i < plan.pieces; i++) {
		payload = MR_MIN(left, plan.size);
		out[i] = build(b, worker, &plan, from, &c, payload);
		if (out[i] == MR_PACKET_NONE) {
			r = -ENOBUFS;
			goto fail;
		}
		p = mr_packet_at(b->base, out[i]);
		bytes = mr_packet_bytes(p);
		/* A recording belongs to one packet. */
		if (i > 0)
			p->record = 0;
		fix_ip(&plan, bytes, i, p->total - plan.at.l3);
		if (plan.tcp)
			fix_tcp(&plan, bytes, i);
		else
			mr_store_be16(bytes + plan.at.l4 + offsetof(struct mr_udp, len),
			    (uint16_t)(sizeof(struct mr_udp) + payload));
		r = fix_checksum(b, out[i], &plan, options);
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

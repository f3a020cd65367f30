/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/icmp/pieces_int.h"

#define PIECES_MAX 1024u /* 65,515 bytes at an MTU of 84, and whoever has less is no host */

/* The header of fragments, and where the payload stands. */
struct shape {
	uint8_t first[80], later[80]; /* IP header; of IPv6 with its fragment header */
	unsigned first_len, later_len;
	unsigned header;  /* of the packet now: payload begins behind it */
	unsigned payload; /* bytes */
	unsigned base;    /* offset of the payload in the whole datagram */
	bool more;        /* fragments of it follow those of this packet */
};

/* Later fragments repeat the options that say so in their top bit (RFC 791, 3.1). */
static unsigned
copied_options(uint8_t *out, const uint8_t *options, unsigned len)
{
	unsigned n = 0, at = 0, size;

	while (at < len && options[at] != 0) {
		size = options[at] == 1 ? 1 : at + 1 < len ? options[at + 1] : 0;
		if (size == 0 || at + size > len || (size < 2 && options[at] != 1))
			break; /* malformed: no option that one could copy */
		if (options[at] & 0x80) {
			memcpy(out + n, options + at, size);
			n += size;
		}
		at += size;
	}
	while (n % 4)
		out[n++] = 0;
	return n;
}

static void
shape4(struct shape *s, const uint8_t *ip)
{
	unsigned frag = mr_load_be16(ip + 6);

	s->header = (ip[0] & 15u) * 4;
	s->payload = mr_load_be16(ip + 2) - s->header;
	s->base = (frag & MR_IP4_FRAG_OFFSET) * 8;
	s->more = frag & MR_IP4_MORE_FRAGMENTS;
	memcpy(s->first, ip, s->header);
	s->first_len = s->header;
	memcpy(s->later, ip, 20);
	s->later_len = 20 + copied_options(s->later + 20, ip + 20, s->header - 20);
	s->later[0] = (uint8_t)(0x40 | s->later_len / 4);
	/* A packet that is a later fragment has had its options chosen already. */
	if (s->base) {
		memcpy(s->later, s->first, s->first_len);
		s->later_len = s->first_len;
	}
}

static void
shape6(struct shape *s, const uint8_t *ip, uint32_t id)
{
	s->header = 40;
	s->payload = mr_load_be16(ip + 4);
	s->base = 0;
	s->more = false;
	memcpy(s->first, ip, 40);
	s->first[40] = ip[6];
	s->first[41] = 0;
	mr_store_be32(s->first + 44, id);
	s->first[6] = MR_IP_PROTO_FRAGMENT;
	s->first_len = 48;
	memcpy(s->later, s->first, 48);
	s->later_len = 48;
}

/* Completes a header for `len` bytes of payload at `offset` of this packet's. */
static unsigned
fill_header(const struct ip_pieces *c, const struct shape *s, uint8_t *out, unsigned offset,
    unsigned len)
{
	bool first = offset == 0, more = s->more || offset + len < s->payload;
	unsigned header = first ? s->first_len : s->later_len;

	memcpy(out, first ? s->first : s->later, header);
	if (c->family == MR_IP4) {
		struct mr_ip4 *ip = (struct mr_ip4 *)out;

		ip->total_len = mr_be16(header + len);
		ip->frag = mr_be16((s->base + offset) / 8 | (more ? MR_IP4_MORE_FRAGMENTS : 0));
		ip->check = mr_checksum_ipv4_header(ip);
	} else {
		mr_store_be16(out + 4, (uint16_t)(8 + len));
		mr_store_be16(out + 42,
		    (uint16_t)((s->base + offset) | (more ? MR_IP6_MORE_FRAGMENTS : 0)));
	}
	return header;
}

/* One new fragment. */
static uint32_t
make_piece(const struct ip_pieces *c, const struct shape *s, unsigned offset, unsigned len)
{
	struct mr_node_run *run = c->w.run;
	const struct mr_packet *from = mr_packet_at(run->base, c->packet);
	uint32_t segments[MR_PACKET_SEGMENTS_MAX];
	uint8_t header[80];
	unsigned head = c->l3 + fill_header(c, s, header, offset, len);
	unsigned count = (head + len + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM;
	unsigned source = c->l3 + s->header + offset;

	if (count > MR_PACKET_SEGMENTS_MAX ||
	    !mr_buffers_get(run->buffers, run->worker, segments, count))
		return MR_PACKET_NONE;
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, segments[i]);
		unsigned at = i ? 0 : head, part = MR_MIN(len, MR_PACKET_ROOM - at);

		mr_packet_init(p, MR_PACKET_DATA, (uint16_t)(at + part), from->port, from->queue);
		if (i + 1 < count)
			p->next = segments[i + 1];
		if (i == 0) {
			memcpy(p->scratch, from->scratch, sizeof(p->scratch));
			/* What was decided of the packet holds for its pieces; they are as old. */
			p->flags = from->flags &
			    (MR_PACKET_ANSWER | MR_PACKET_MARKED | MR_PACKET_TRANSLATED |
				MR_PACKET_JOINS_MAX << MR_PACKET_JOINS_SHIFT);
			memcpy(mr_packet_bytes(p), mr_packet_bytes_const(from), c->l3);
			memcpy(mr_packet_bytes(p) + c->l3, header, head - c->l3);
			p->total = head + len;
			p->segments = (uint16_t)count;
		}
		mr_packet_read(run->buffers, c->packet, source, mr_packet_bytes(p) + at, part);
		source += part;
		len -= part;
	}
	return segments[0];
}

/* The packet itself becomes the last one. */
static void
keep_last(const struct ip_pieces *c, const struct shape *s, unsigned offset)
{
	struct mr_packet *p = mr_packet_at(c->w.run->base, c->packet);
	unsigned has = s->header, header;
	uint8_t bytes[80];

	header = fill_header(c, s, bytes, offset, s->payload - offset);
	icmp_trim(&c->w, c->packet, c->l3 + has + s->payload);
	icmp_pop(&c->w, c->packet, c->l3, has + offset);
	mr_edit_push(c->w.rec, p, c->l3, header);
	icmp_write(c->w.rec, p, c->l3, bytes, header);
	icmp_forget(p);
}

bool
ip_pieces_cut(struct ip_pieces *c)
{
	struct mr_node_run *run = c->w.run;
	struct mr_packet *p = mr_packet_at(run->base, c->packet);
	uint32_t made[PIECES_MAX];
	unsigned offset = 0, count = 0, len;
	struct shape s;

	if (c->family == MR_IP4)
		shape4(&s, mr_packet_bytes(p) + c->l3);
	else
		shape6(&s, mr_packet_bytes(p) + c->l3,
		    (uint32_t)icmp_next_id(&c->w) << 16 | (uint16_t)run->now);
	/* What is cut away makes room, unless it leaves with segments of its own. */
	if (s.first_len + 8 > c->mtu ||
	    (p->segments > 1 && mr_packet_headroom(p) < sizeof(s.first)))
		return false;
	for (;;) {
		unsigned header = offset ? s.later_len : s.first_len;

		if (s.payload - offset + header <= c->mtu)
			break;
		len = (c->mtu - header) & ~7u;
		made[count] = make_piece(c, &s, offset, len);
		if (made[count] == MR_PACKET_NONE || ++count == PIECES_MAX) {
			mr_packets_free(run->buffers, run->worker, made, count);
			return false;
		}
		offset += len;
	}
	c->made = count;
	if (!count)
		return true;
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *piece = mr_packet_at(run->base, made[i]);

		if (mr_unlikely(mr_recorded(c->w.rec, p)))
			mr_record_copy(c->w.rec, p, piece);
		mr_record_note(c->w.rec, piece, "fragment of bytes", piece->total - c->l3);
		mr_node_emit(run, made[i], c->verdict);
	}
	keep_last(c, &s, offset);
	return true;
}

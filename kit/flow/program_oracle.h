/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_ORACLE_H
#define MR_KIT_FLOW_PROGRAM_ORACLE_H

/*
 * For tests and fuzzing of action programs: packets of a flow, in blocks of memory of their very
 * size, and what a walk's operations do to one, one after the other by the edit helpers.
 */

#include <stdlib.h>
#include <string.h>

#include "kit/flow/program.h"
#include "kit/record/family.h"

#define ORACLE_HEADROOM 192u

struct oracle_rng {
	uint64_t state;
};

mr_inline uint32_t
oracle_draw(struct oracle_rng *r)
{
	r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(r->state >> 33);
}

/* A shape of flow, and the bytes that its key fixes. */
struct oracle_flow {
	bool bridged, tagged, six;
	uint8_t proto;
	uint8_t macs[12];
	uint8_t vlan; /* small, not 0 */
	uint8_t src[16], dst[16];
	uint8_t ports[4]; /* of ICMP: type, then the identifier in the last two */
};

mr_inline unsigned
oracle_l3(const struct oracle_flow *f)
{
	return f->tagged ? 18 : 14;
}

mr_inline unsigned
oracle_l4(const struct oracle_flow *f)
{
	return oracle_l3(f) + (f->six ? 40 : 20);
}

mr_inline bool
oracle_is_icmp(const struct oracle_flow *f)
{
	return f->proto == (f->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP);
}

mr_inline void
oracle_flow_draw(struct oracle_flow *f, struct oracle_rng *r)
{
	unsigned proto = oracle_draw(r) % 3;

	*f = (struct oracle_flow){ .vlan = (uint8_t)(1 + oracle_draw(r) % 200) };
	f->bridged = oracle_draw(r) & 1;
	f->tagged = oracle_draw(r) & 1;
	f->six = oracle_draw(r) & 1;
	f->proto = proto == 0 ? MR_IP_PROTO_TCP
	    : proto == 1      ? MR_IP_PROTO_UDP
	    : f->six          ? MR_IP_PROTO_ICMP6
			      : MR_IP_PROTO_ICMP;
	for (unsigned i = 0; i < 12; i++)
		f->macs[i] = (uint8_t)oracle_draw(r);
	for (unsigned i = 0; i < (f->six ? 16u : 4u); i++) {
		f->src[i] = (uint8_t)oracle_draw(r);
		f->dst[i] = (uint8_t)oracle_draw(r);
	}
	for (unsigned i = 0; i < 4; i++)
		f->ports[i] = (uint8_t)oracle_draw(r);
	if (oracle_is_icmp(f))
		f->ports[0] = f->six ? 128 | (f->ports[0] & 1) : f->ports[0] & 8;
}

mr_inline void
oracle_key(const struct oracle_flow *f, struct mr_flow_key *key)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->src, f->src, 16);
	memcpy(key->dst, f->dst, 16);
	memcpy(&key->sport, f->ports, 2);
	memcpy(&key->dport, f->ports + 2, 2);
	key->where = MR_FLOW_WHERE(3, f->tagged ? f->vlan : 0, f->proto, f->six);
	key->pair = f->bridged ? 7 : 0;
}

/* The bytes that all packets of the flow have in common, over random ones. */
mr_inline void
oracle_shape(const struct oracle_flow *f, uint8_t *b)
{
	unsigned l3 = oracle_l3(f), l4 = oracle_l4(f), size = f->six ? 16 : 4;

	memcpy(b, f->macs, f->bridged ? 12 : 6);
	if (f->tagged) {
		mr_store_be16(b + 12, MR_ETH_TYPE_VLAN);
		b[14] &= 0xf0;
		b[15] = f->vlan;
	}
	mr_store_be16(b + l3 - 2, f->six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	b[l3] = f->six ? 0x60 | (b[l3] & 15) : 0x45;
	b[l3 + (f->six ? 6 : 9)] = f->proto;
	/* Lengths that can be translated. */
	b[l3 + (f->six ? 4 : 2)] = 0x20;
	if (!f->six) {
		b[l3 + 6] &= 0xc0;
		b[l3 + 7] = 0;
	}
	memcpy(b + l4 - 2 * size, f->src, size);
	memcpy(b + l4 - size, f->dst, size);
	if (oracle_is_icmp(f)) {
		b[l4] = f->ports[0];
		b[l4 + 1] = 0;
		memcpy(b + l4 + 4, f->ports + 2, 2);
	} else {
		memcpy(b + l4, f->ports, 4);
	}
	if (f->proto == MR_IP_PROTO_TCP)
		b[l4 + 13] &= (uint8_t) ~(MR_TCP_FIN | MR_TCP_SYN | MR_TCP_RST | MR_TCP_URG);
}

mr_inline unsigned
oracle_min(const struct oracle_flow *f)
{
	return oracle_l4(f) + (f->proto == MR_IP_PROTO_TCP ? 20 : 8);
}

/* A packet of `len` bytes in a block that ends with it; whoever reads on is found out. */
mr_inline struct mr_packet *
oracle_packet(unsigned headroom, unsigned len)
{
	struct mr_packet *p = calloc(1, MR_PACKET_META_SIZE + headroom + len);

	if (!p)
		abort();
	mr_packet_init(p, (uint16_t)(MR_PACKET_META_SIZE + headroom), (uint16_t)len, 3, 0);
	return p;
}

mr_inline struct mr_packet *
oracle_packet_of(const struct oracle_flow *f, struct oracle_rng *r, unsigned headroom, unsigned len)
{
	struct mr_packet *p = oracle_packet(headroom, len);

	for (unsigned i = 0; i < len; i++)
		mr_packet_bytes(p)[i] = (uint8_t)oracle_draw(r);
	oracle_shape(f, mr_packet_bytes(p));
	return p;
}

mr_inline struct mr_packet *
oracle_clone(const struct mr_packet *p)
{
	struct mr_packet *copy = oracle_packet(mr_packet_headroom(p), p->len);

	memcpy(copy, p, p->data + (size_t)p->len);
	return copy;
}

enum oracle_end {
	ORACLE_DONE,
	ORACLE_GUARD,   /* a condition does not hold */
	ORACLE_OUTSIDE, /* an operation on bytes that are not there */
};

mr_inline bool
oracle_guard_holds(const struct mr_packet *p, const struct mr_op *op)
{
	uint64_t value = 0;

	memcpy(&value, mr_packet_bytes_const(p) + op->offset, op->len);
	return (value & op->b) == op->a;
}

/* One operation, by the helper that wrote it down. */
mr_inline enum oracle_end
oracle_op(struct mr_packet *p, const struct mr_op *op)
{
	unsigned at = op->offset, len = op->len;

	switch (op->kind) {
	case MR_OP_SET:
		if (len && at + len > p->len)
			return ORACLE_OUTSIDE;
		mr_edit_set(NULL, p, at, op->bytes, len);
		return ORACLE_DONE;
	case MR_OP_PUSH:
		return at > p->len || !mr_edit_push(NULL, p, at, len) ? ORACLE_OUTSIDE
								      : ORACLE_DONE;
	case MR_OP_POP:
		if (at + len > p->len)
			return ORACLE_OUTSIDE;
		mr_edit_pop(NULL, p, at, len);
		return ORACLE_DONE;
	case MR_OP_SUM:
		if (at + 2 > p->len)
			return ORACLE_OUTSIDE;
		mr_edit_sum(NULL, p, at, op->arg, (enum mr_sum_kind)len);
		return ORACLE_DONE;
	case MR_OP_TTL:
		if (at + (op->arg == 4 ? 12 : 8) > p->len)
			return ORACLE_OUTSIDE;
		if (op->arg == 4)
			mr_edit_ttl4(NULL, p, at);
		else
			mr_edit_ttl6(NULL, p, at);
		return ORACLE_DONE;
	case MR_OP_SET_LENGTH:
		if (at + 2 > p->len || op->a + 2 > p->len || op->b + 2 > p->len)
			return ORACLE_OUTSIDE;
		mr_edit_length(NULL, p,
		    &(struct mr_length){ .offset = op->offset,
			.of = (uint16_t)op->a,
			.more = (int16_t)op->arg,
			.sum = (uint16_t)op->b,
			.kind = op->len & 1,
			.twice = op->len >> 1 & 1 });
		return ORACLE_DONE;
	case MR_OP_FAMILY:
		if (op->arg != 4 && op->arg != 6)
			return ORACLE_OUTSIDE;
		return mr_edit_family(NULL, p, at, op->arg) ? ORACLE_DONE : ORACLE_OUTSIDE;
	case MR_OP_GUARD:
		if (len && at + len > p->len)
			return ORACLE_OUTSIDE;
		return oracle_guard_holds(p, op) ? ORACLE_DONE : ORACLE_GUARD;
	case MR_OP_LENGTH:
		return p->total <= op->arg ? ORACLE_DONE : ORACLE_GUARD;
	default:
		return ORACLE_DONE;
	}
}

mr_inline enum oracle_end
oracle_walk(struct mr_packet *p, const struct mr_recording *r)
{
	enum oracle_end end = ORACLE_DONE;

	for (unsigned i = 0; i < r->count && end == ORACLE_DONE; i++)
		end = oracle_op(p, &r->ops[i]);
	return end;
}

/* Replays the program on a copy and walks another; true: the same came out of both. *fits is what
 * the program said. Frees nothing of the caller's. */
mr_inline bool
oracle_same(const struct mr_program *g, const struct mr_flow_values *values,
    const struct mr_recording *r, const struct mr_packet *p, bool *fits)
{
	struct mr_packet *replayed = oracle_clone(p), *walked = oracle_clone(p);
	enum oracle_end end = oracle_walk(walked, r);
	bool same;

	*fits = mr_program_fits(g, replayed);
	same = *fits == (end == ORACLE_DONE);
	if (same && *fits)
		same = mr_program_edit(g, values, NULL, replayed) &&
		    replayed->data == walked->data && replayed->len == walked->len &&
		    replayed->total == walked->total &&
		    !memcmp(mr_packet_bytes(replayed), mr_packet_bytes(walked), walked->len);
	free(replayed);
	free(walked);
	return same;
}

#endif

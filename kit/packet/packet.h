/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_PACKET_H
#define MR_KIT_PACKET_PACKET_H

/*
 * A packet is a 32-bit handle: the number of the 64-byte line in the arena where
 * its metadata stands. Behind that one line come headroom, bytes and tailroom:
 *
 *   handle                                                    handle + stride
 *   | struct mr_packet | headroom 256 | bytes ...    | tailroom |
 *   0                  64             320            data+len   2112
 *
 * The stride is 33 lines, an odd number, so that the headers of a vector spread
 * over all sets of the L1 cache. Whatever does not fit one buffer (jumbo, GSO,
 * reassembly) is a chain: `next` of each segment, `total` and `segments` in the
 * first one. Handle 0 is never a packet (the arena starts with its own header),
 * so 0 means "none".
 *
 * Ownership: whoever holds the handle owns the whole chain; a node owns the
 * packets of its vector until it gives each a verdict (kit/graph/node.h).
 * Threads: a packet belongs to one thread at a time; rings hand it over.
 *
 * The line says what the bytes do not: where they are, where they came from,
 * what the source promised about them. It is never a second copy of what the
 * packet says. A driver writes the first 32 bytes once, at reception.
 */

#include "kit/base/def.h"

#define MR_PACKET_NONE 0u
#define MR_PACKET_LINE_SHIFT 6
#define MR_PACKET_META_SIZE 64u
#define MR_PACKET_HEADROOM 256u
#define MR_PACKET_DATA (MR_PACKET_META_SIZE + MR_PACKET_HEADROOM) /* where fresh data starts */
#define MR_PACKET_STRIDE 2112u                                    /* whole buffer, bytes */
#define MR_PACKET_STRIDE_LINES (MR_PACKET_STRIDE / MR_CACHE_LINE)
#define MR_PACKET_ROOM (MR_PACKET_STRIDE - MR_PACKET_DATA) /* bytes that fit one fresh buffer */
#define MR_PACKET_SEGMENTS_MAX 64u
#define MR_PACKET_TOTAL_MAX (MR_PACKET_ROOM * MR_PACKET_SEGMENTS_MAX)

/* The most packets that one vector, burst or node call carries. */
#define MR_VECTOR_MAX 256u

enum mr_packet_flag {
	/* The layer-4 checksum field holds the pseudo-header's sum only; whoever
	 * sends the packet where that is not understood completes it from
	 * `csum_start` and `csum_offset` (packet/checksum.h). */
	MR_PACKET_CSUM_PARTIAL = 1u << 0,
	/* The source vouches for the layer-4 checksum (hardware, or a local kernel). */
	MR_PACKET_CSUM_GOOD = 1u << 1,
	/* `hash` is the source's RSS hash. */
	MR_PACKET_HASHED = 1u << 2,
	/* A super-frame to be cut into pieces of `gso_size` payload bytes (packet/gso.h);
	 * gso_size 0 says that the source did not tell: cut to what the way out takes. */
	MR_PACKET_GSO_TCP4 = 1u << 3,
	MR_PACKET_GSO_TCP6 = 1u << 4,
	MR_PACKET_GSO_UDP = 1u << 5,
	/* A rule made it, as the answer to a packet that it rejects: other rules let it pass. */
	MR_PACKET_ANSWER = 1u << 6,
	/* Rules wrote `mark`. */
	MR_PACKET_MARKED = 1u << 7,
	/* Its source was made a service's by a load balancer: NAT leaves it alone. */
	MR_PACKET_TRANSLATED = 1u << 8,
	/* Made for an explanation from a flow's key: nothing else that it says (TCP's numbers, a
	 * checksum) may be held against it. */
	MR_PACKET_IMAGINED = 1u << 9,
	/* Its walk is recorded for a flow whose key is that of the packet in the tunnel (kit/flow/key.h). */
	MR_PACKET_INSIDE = 1u << 10,
};
/* From here on: how often it came in anew within the graph: through a pair of ports (nf/interface), out
 * of a tunnel. */
#define MR_PACKET_JOINS_SHIFT 13
#define MR_PACKET_JOINS_MAX 7u
#define MR_PACKET_GSO (MR_PACKET_GSO_TCP4 | MR_PACKET_GSO_TCP6 | MR_PACKET_GSO_UDP)
/* What the way out has to settle when its device cannot. */
#define MR_PACKET_TX_WORK (MR_PACKET_CSUM_PARTIAL | MR_PACKET_GSO)

struct mr_packet {
	/* 0: where the bytes are. */
	uint16_t data;     /* of the first byte, counted from this line's start */
	uint16_t len;      /* bytes in this segment */
	uint32_t next;     /* handle of the next segment, or MR_PACKET_NONE */
	uint32_t total;    /* bytes of the whole chain; in its first segment */
	uint16_t segments; /* 1 when not chained; in the first segment */
	uint16_t flags;    /* enum mr_packet_flag */

	/* 16: where it came from and what was promised. */
	uint16_t port;        /* index of the port that received it */
	uint16_t queue;       /* of that port */
	uint16_t csum_start;  /* with CSUM_PARTIAL: from the first byte to where the sum starts */
	uint16_t csum_offset; /* from csum_start to the field */
	uint16_t gso_size;
	uint16_t record; /* recording attached to this packet, 0 when none (kit/record) */
	uint32_t hash;   /* with HASHED */

	/* 32: scratch of the nodes; what one network function leaves, the next may overwrite, but
	 * for track and mark. None of it is initialised at reception:
	 *
	 *   track  is written by nf/conntrack's nodes, which stand in front of all that read it,
	 *	    where a packet comes in and where one leaves. Of a packet that a node makes
	 *	    it says nothing yet: whoever makes one writes 0 (mr_packet_from does).
	 *   mark   counts only with MR_PACKET_MARKED, which nobody has at reception; so nobody
	 *	    has to write it before (mr_packet_mark, mr_packet_set_mark).
	 */
	union {
		uint64_t scratch[4];
		struct {
			uint32_t context; /* bridge, VRF ...: set by the node that knows */
			uint16_t vlan;    /* the VLAN that the packet was classified into */
			uint16_t out;     /* port index that a node chose */
			uint8_t node[16];
			uint32_t
			    track; /* its connection (nf/conntrack), from there to the way out */
			uint32_t mark; /* a number that rules set and others test */
		};
	};
};

static_assert(sizeof(struct mr_packet) == MR_PACKET_META_SIZE, "packet metadata is one line");
static_assert(offsetof(struct mr_packet, port) == 16 && offsetof(struct mr_packet, scratch) == 32,
    "drivers write the first 32 bytes as two 16-byte stores");
static_assert(MR_PACKET_STRIDE % (2 * MR_CACHE_LINE) == MR_CACHE_LINE,
    "stride is an odd number of lines");

/* Handle to line and back. `base` is the arena's base address. */
mr_inline struct mr_packet *
mr_packet_at(void *base, uint32_t handle)
{
	return (struct mr_packet *)((uint8_t *)base + ((uint64_t)handle << MR_PACKET_LINE_SHIFT));
}

mr_inline uint32_t
mr_packet_handle(const void *base, const struct mr_packet *p)
{
	return (uint32_t)((uint64_t)((const uint8_t *)p - (const uint8_t *)base) >>
	    MR_PACKET_LINE_SHIFT);
}

mr_inline uint8_t *
mr_packet_bytes(struct mr_packet *p)
{
	return (uint8_t *)p + p->data;
}

mr_inline const uint8_t *
mr_packet_bytes_const(const struct mr_packet *p)
{
	return (const uint8_t *)p + p->data;
}

mr_inline unsigned
mr_packet_headroom(const struct mr_packet *p)
{
	return p->data - MR_PACKET_META_SIZE;
}

mr_inline unsigned
mr_packet_tailroom(const struct mr_packet *p)
{
	return MR_PACKET_STRIDE - p->data - p->len;
}

/* The number that rules gave it; 0: none did. */
mr_inline uint32_t
mr_packet_mark(const struct mr_packet *p)
{
	return p->flags & MR_PACKET_MARKED ? p->mark : 0;
}

mr_inline void
mr_packet_set_mark(struct mr_packet *p, uint32_t mark)
{
	p->mark = mark;
	p->flags |= MR_PACKET_MARKED;
}

/* Within the graph it comes in on another port. False, and unchanged: it did so too often, and may go in
 * a ring. */
mr_inline bool
mr_packet_join(struct mr_packet *p, uint16_t port)
{
	if (mr_unlikely(p->flags >> MR_PACKET_JOINS_SHIFT == MR_PACKET_JOINS_MAX))
		return false;
	p->flags = (uint16_t)((p->flags & ~MR_PACKET_TRANSLATED) + (1u << MR_PACKET_JOINS_SHIFT));
	p->port = port;
	p->track = 0;
	return true;
}

/* A fresh single-segment packet: the 32 bytes that every source writes. */
mr_inline void
mr_packet_init(struct mr_packet *p, uint16_t data, uint16_t len, uint16_t port, uint16_t queue)
{
	p->data = data;
	p->len = len;
	p->next = MR_PACKET_NONE;
	p->total = len;
	p->segments = 1;
	p->flags = 0;
	p->port = port;
	p->queue = queue;
	p->csum_start = 0;
	p->csum_offset = 0;
	p->gso_size = 0;
	p->record = 0;
	p->hash = 0;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_PACKET_INT_H
#define MR_NF_NAT_PACKET_INT_H

/*
 * A packet as translation sees it: what it is, its two ends, and where these stand. ICMP queries
 * have their identifier as the port of who asks. Of ICMP errors the ends are those of the
 * packet that they quote.
 *
 * Threads: no state. Errors: what cannot be read is NAT_MALFORMED.
 */

#include "kit/packet/buffers.h"
#include "kit/packet/parse.h"
#include "kit/record/edit.h"
#include "nf/nat/table_int.h"

enum nat_what {
	NAT_OTHER,     /* not IPv4 */
	NAT_MALFORMED, /* IPv4, but something in it is wrong */
	NAT_FLOW,      /* TCP, UDP, ICMP query or answer */
	NAT_ERROR,     /* an ICMP error */
	NAT_PIECE,     /* a fragment that is not its packet's first */
	NAT_PROTOCOL,  /* without ports that we would know */
};

struct nat_packet {
	uint64_t hash;   /* of its mapping's name, where that was asked for */
	uint32_t number; /* of a mapping to prefetch, or that was found */
	uint32_t fresh;  /* which of nat_fresh is its; 0: none */
	uint32_t end;    /* of layer 3, from the first byte */
	be32_t src, dst; /* the IP header's */
	be16_t sport, dport;
	uint16_t l3, l4, payload;
	uint16_t vlan; /* of its outer tag; 0: untagged */
	uint8_t what;  /* enum nat_what */
	uint8_t proto;
	uint8_t tcp;             /* TCP's flags */
	uint8_t query;           /* ICMP: who asks, 0 of answers */
	uint8_t first;           /* the first of several fragments */
	struct nat_outside want; /* port 0: any */

	/* Filled of NAT_ERROR alone: of the packet quoted, whose header is at `quoted` and layer 4 at `quoted4`. */
	be32_t quoted_src, quoted_dst;
	be16_t quoted_sport, quoted_dport;
	uint16_t quoted, quoted4, quoted_end;
	uint8_t quoted_proto;
	uint8_t quoted_query;
};

void nat_classify(struct nat_packet *, const struct mr_packet *);
/* Whether the checksum of an ICMP message is wrong, or of the IP header that it quotes. */
bool nat_sum_is_bad(const struct nat_packet *, const struct mr_buffers *, uint32_t packet,
    const struct mr_packet *);

/* What becomes of a packet's ends; what a bit does not name stays. */
enum nat_change {
	NAT_SRC = 1u << 0,
	NAT_DST = 1u << 1,
	NAT_SPORT = 1u << 2,
	NAT_DPORT = 1u << 3,
};
struct nat_rewrite {
	uint32_t what; /* enum nat_change */
	be32_t src, dst;
	be16_t sport, dport;
};

/* Of a packet that is no error. */
void nat_rewrite(struct mr_recorder *, struct mr_packet *, const struct nat_packet *,
    const struct nat_rewrite *);
/* Of an error: the rewrite names the ends of the packet quoted; `outer`, of which NAT_SRC and NAT_DST
 * count, those of the error. */
void nat_rewrite_error(struct mr_recorder *, struct mr_packet *, const struct nat_packet *,
    const struct nat_rewrite *outer, const struct nat_rewrite *quoted);
/* Of a fragment that is not the first: addresses alone. */
void nat_rewrite_piece(struct mr_recorder *, struct mr_packet *, const struct nat_packet *,
    const struct nat_rewrite *);

#endif

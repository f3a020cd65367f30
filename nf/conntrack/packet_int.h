/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_PACKET_INT_H
#define MR_NF_CONNTRACK_PACKET_INT_H

/*
 * A packet as connections see it: what it is, and the key of the connection that it would belong
 * to. ICMP errors have the key of the packet that they quote.
 *
 * Threads: no state. Errors: whatever cannot be read is CT_MALFORMED.
 */

#include "kit/packet/buffers.h"
#include "kit/packet/parse.h"
#include "nf/conntrack/tcp_int.h"

enum ct_what {
	CT_UNTRACKED, /* not IP, or what keeps a link going: neighbour discovery and the like */
	CT_MALFORMED,
	CT_FLOW,
	CT_ABOUT, /* an ICMP error: `key` and `swapped` are of the packet that it quotes */
	CT_PIECE, /* a fragment that is not its packet's first */
};

struct ct_packet {
	struct ct_key key;
	uint64_t hash;
	uint32_t guess; /* index of a line to prefetch */
	uint32_t end;   /* of layer 3, from the first byte */
	uint16_t l3, l4, payload;
	uint8_t what;  /* enum ct_what */
	uint8_t proto; /* of an ICMP error: of the packet that it quotes */
	uint8_t six;
	uint8_t swapped; /* its source is the key's second end */
	uint8_t first;   /* the first of several fragments */
	uint8_t check;   /* its checksum is worth a look: it may begin or end something */
};

/* Fills all but hash and guess. `apart`: a bit for each UDP port whose packets have no connection. */
void ct_classify(struct ct_packet *, const struct mr_packet *, uint16_t zone,
    const _Atomic uint64_t *apart);
/* What fragments of one packet share, in their direction. */
void ct_fragment_key(const struct ct_packet *, const struct mr_packet *, struct ct_key *);

/* The key's port words of an ICMP query or answer; false: neither. *asks: it is a query. */
bool ct_icmp_ports(bool six, uint8_t type, uint8_t code, uint16_t id, uint16_t *sport,
    uint16_t *dport, bool *asks);

/* Whether its checksum is wrong, of the protocols whose checksums are looked at. */
bool ct_sum_is_bad(const struct ct_packet *, const struct mr_buffers *, uint32_t packet,
    const struct mr_packet *);

/* A digest of a packet's ends as it goes in the first packet's direction. */
mr_inline uint16_t
ct_check_of(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	uint64_t x = ((uint64_t)src << 32 | dst) * 0x9e3779b97f4a7c15u;
	uint64_t y = ((uint64_t)sport << 16 | dport) * 0xc2b2ae3d27d4eb4fu;

	return (uint16_t)((x ^ y) * 0x9e3779b97f4a7c15u >> 48);
}

/* Question and answer is one thing; what is still answered after this long is talk. */
#define CT_TALK_SECONDS 2

/* Begins a connection in a line of the caller's: all but the word. */
void ct_begin(const struct ct_table *, struct ct_line *, struct ct_cold *, const struct ct_packet *,
    const struct mr_packet *, uint32_t now);
/* Whether it may begin one. */
bool ct_may_begin(const struct ct_packet *, const struct mr_packet *, bool loose);
/* A packet of an existing one; as ct_tcp_packet. */
enum ct_outcome ct_advance(struct ct_line *, struct ct_cold *, const struct ct_packet *,
    const struct mr_packet *, unsigned dir, uint32_t now, uint32_t *word, uint8_t *timeout);

#endif

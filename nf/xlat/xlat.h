/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_XLAT_XLAT_H
#define MR_NF_XLAT_XLAT_H

/*
 * IP/ICMP translation (RFC 7915): one packet of IPv6 becomes one of IPv4, or the other way round. Which
 * addresses and ports it gets is the caller's business: xlat_read says what the packet is,
 * xlat_write makes it what it shall be, in place.
 *
 *   packet   | Ethernet | IP header, options or extension headers | layer 4 ...
 *   error    | ...      | IP header | ICMP, 8 | IP header | layer 4: as much as was quoted
 *                         `outer`               `quoted`
 *
 * TTL and hop limit are left to the router that the packet comes to next; what has only one hop
 * left should not be translated (the error would go to a translated address).
 *
 * Plain packets (kit/record/family.h) may be replayed by the flow lane: edits are recorded. All others
 * say that they are not.
 *
 * Not translated, by section of RFC 7915: source routes under way (4.1, 5.1), extension headers
 * behind a fragment header (5.1.1), fragments of ICMP (1.2), ICMP without a counterpart (4.2, 5.2),
 * errors about errors (4.3, 5.3), fragments of UDP without a checksum (4.5).
 *
 * Threads: no state. Errors: enum xlat_result; the packet is as it was.
 */

#include "kit/packet/buffers.h"
#include "kit/record/record.h"

/* X(constant, name, doc): also a node's drop reasons. */
#define XLAT_RESULTS(X) \
	X(OK, "xlat-ok", "translated") \
	X(MALFORMED, "xlat-malformed", "headers that contradict each other, or end too early") \
	X(ROUTE, "xlat-source-route", "a source route or routing header that is under way") \
	X(EXTENSION, "xlat-extension", "an extension header behind a fragment header") \
	X(ICMP, "xlat-icmp", "an ICMP message that the other family has no counterpart for") \
	X(ICMP_FRAGMENT, "xlat-icmp-fragment", "a fragment of an ICMP message") \
	X(NESTED, "xlat-icmp-nested", "an ICMP error about another ICMP error") \
	X(NO_CHECKSUM, "xlat-no-checksum", "a fragment of a UDP datagram without a checksum") \
	X(BAD_CHECKSUM, "xlat-checksum", "an ICMP error with a wrong checksum") \
	X(NO_ROOM, "xlat-no-room", "too large for the other family's header, or no headroom for it")

/* clang-format off */
enum xlat_result {
#define X(id, name, doc) XLAT_##id,
	XLAT_RESULTS(X)
#undef X
	XLAT_RESULT_COUNT,
};
/* clang-format on */

enum xlat_kind {
	XLAT_PORTS, /* TCP, UDP, UDP-Lite, DCCP, SCTP */
	XLAT_ECHO,  /* of ICMP; the identifier is in sport and in dport */
	XLAT_ERROR, /* of ICMP */
	XLAT_PIECE, /* a fragment that is not the first */
	XLAT_OTHER, /* protocols that go through as they are */
};

/* A header and what it carries. */
struct xlat_part {
	uint16_t at, l4;  /* from the packet's first byte */
	uint32_t payload; /* bytes of layer 4, as the header says */
	uint32_t id;      /* with `fragment` */
	uint16_t offset;  /* bytes */
	bool fragment;    /* a piece; of IPv6: with a fragment header. May be set by the caller: a
			   * fragment header is wanted */
	bool more;
	bool whole;    /* IPv4: Don't Fragment */
	bool bare;     /* no options, no extension headers */
	bool reply;    /* ECHO */
	uint8_t kind;  /* enum xlat_kind */
	uint8_t proto; /* as on the wire */
	uint8_t tos, hops;
	uint8_t type, code; /* of ICMP */
	be16_t sport, dport;
};

struct xlat {
	bool six;       /* what it is now */
	bool plain;     /* one that the flow lane may replay */
	uint16_t wrong; /* of ROUTE: which byte of the IP packet */
	struct xlat_part outer;
	struct xlat_part quoted; /* of ERROR */
};

/* Addresses of IPv4 are in the first four bytes. Ports are the old ones where they stay. */
struct xlat_ends {
	uint8_t src[16], dst[16];
	be16_t sport, dport;
};

struct xlat_to {
	struct xlat_ends outer;
	struct xlat_ends quoted;
	/* Of the ways on: what errors say about the MTU is bounded by these. */
	uint16_t mtu4, mtu6;
};

/* One pass of a node. */
struct xlat_pass {
	struct mr_buffers *buffers;
	unsigned worker;
	struct mr_recorder *rec;
};

/* The IP header is at `l3` of the first segment. */
enum xlat_result xlat_read(struct xlat *, const struct mr_packet *, unsigned l3);
/* The Ethernet type in front of the header is written too. */
enum xlat_result xlat_write(const struct xlat_pass *, uint32_t packet, const struct xlat *,
    const struct xlat_to *);

/* -- addresses (RFC 6052) -------------------------------------------------------------------- */

struct xlat_prefix {
	uint8_t bytes[16];
	uint8_t len; /* 32, 40, 48, 56, 64 or 96 bits */
};

bool xlat_prefix_is_good(const struct xlat_prefix *);
/* 64:ff9b::/96, which stands for global addresses only (RFC 6052, 3.1). */
bool xlat_prefix_is_well_known(const struct xlat_prefix *);
void xlat_embed(const struct xlat_prefix *, be32_t address, uint8_t out[16]);
/* False: not of this prefix. */
bool xlat_extract(const struct xlat_prefix *, const uint8_t in[16], be32_t *address);
/* Not one of RFC 1918, nor the host's own, a link's, a carrier's, a group. */
bool xlat_is_global4(be32_t address);

#endif

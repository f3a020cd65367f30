/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_PCP_MESSAGE_H
#define MR_NF_NAT_PCP_MESSAGE_H

/*
 * Messages of the Port Control Protocol (RFC 6887) and of NAT-PMP (RFC 6886), which is its version 0:
 * what an inside host asks of the translator, and what it is told.
 *
 * Ownership: nothing is kept; a request is read into the caller's.
 * Threads: no state.
 * Errors: what may not be answered at all is NAT_PCP_IGNORE; everything else that is wrong has a result
 * to answer with.
 */

#include <stdbool.h>
#include <stdint.h>

#include "kit/packet/wire.h"

#define NAT_PCP_PORT 5351u
#define NAT_PCP_MAX 1100u           /* bytes of a message (RFC 6887, 7) */
#define NAT_PCP_ANYCAST 0xc0000009u /* 192.0.0.9, host order (RFC 7723) */
#define NAT_PCP_NONCE 12u

enum nat_pcp_kind {
	NAT_PCP_IGNORE,   /* no request: no answer */
	NAT_PCP_REFUSE,   /* `result` says why */
	NAT_PCP_ANNOUNCE, /* RFC 6887, 14.1 */
	NAT_PCP_MAP,      /* 11; NAT-PMP's as well */
	NAT_PCP_PEER,     /* 12 */
	NAT_PCP_ADDRESS,  /* NAT-PMP: the outside address */
};

/* RFC 6887, 7.4. */
enum nat_pcp_result {
	NAT_PCP_SUCCESS = 0,
	NAT_PCP_UNSUPP_VERSION = 1,
	NAT_PCP_NOT_AUTHORIZED = 2,
	NAT_PCP_MALFORMED_REQUEST = 3,
	NAT_PCP_UNSUPP_OPCODE = 4,
	NAT_PCP_UNSUPP_OPTION = 5,
	NAT_PCP_MALFORMED_OPTION = 6,
	NAT_PCP_NETWORK_FAILURE = 7,
	NAT_PCP_NO_RESOURCES = 8,
	NAT_PCP_UNSUPP_PROTOCOL = 9,
	NAT_PCP_USER_EX_QUOTA = 10,
	NAT_PCP_CANNOT_PROVIDE_EXTERNAL = 11,
	NAT_PCP_ADDRESS_MISMATCH = 12,
};

struct nat_pcp_request {
	uint8_t kind;   /* enum nat_pcp_kind */
	uint8_t result; /* of NAT_PCP_REFUSE; enum nat_pcp_result */
	uint8_t opcode; /* as it came */
	uint8_t proto;  /* MAP, PEER; 0: all */
	bool nat_pmp;
	bool only_this;               /* PREFER_FAILURE: this outside end or none */
	uint32_t lifetime;            /* seconds asked for; 0: to end it */
	uint8_t nonce[NAT_PCP_NONCE]; /* NAT-PMP: zeroes */
	be16_t inside, outside;       /* ports; 0: all; any */
	be32_t address;               /* outside, suggested; 0: any */
	be16_t remote;                /* PEER: port */
	be32_t remote_address;
};

/* What it is told. */
struct nat_pcp_answer {
	uint8_t result;
	uint32_t lifetime; /* seconds: of the mapping; of an error, before it may ask again */
	uint32_t epoch;    /* seconds that mappings are kept since */
	be32_t address;    /* outside */
	be16_t port;
};

/* Reads what `from` sent; without NAT-PMP, its version is one that is not supported. */
void nat_pcp_read(struct nat_pcp_request *, const uint8_t *bytes, unsigned len, be32_t from,
    bool nat_pmp);
/* The answer to the request in `bytes`, NAT_PCP_MAX bytes at most; returns its length. */
unsigned nat_pcp_write(uint8_t *out, const uint8_t *bytes, unsigned len,
    const struct nat_pcp_request *, const struct nat_pcp_answer *);

#endif

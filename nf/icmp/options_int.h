/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_OPTIONS_INT_H
#define MR_NF_ICMP_OPTIONS_INT_H

/*
 * IPv4 options (RFC 791, 3.1; RFC 1812, 4.2.2 and 5.3.13): found and checked in one walk, then
 * filled in where they ask for it. Offsets are from the IP header's first byte; 0: not there.
 * What is not known here passes as it is.
 */

#include "nf/icmp/icmp_int.h"

enum ip4_option {
	IP4_OPTION_END = 0,
	IP4_OPTION_NOP = 1,
	IP4_OPTION_RECORD_ROUTE = 7,
	IP4_OPTION_TIMESTAMP = 68,
	IP4_OPTION_LOOSE_ROUTE = 131,
	IP4_OPTION_STRICT_ROUTE = 137,
	IP4_OPTION_ROUTER_ALERT = 148, /* RFC 2113 */
};

struct ip4_options {
	uint8_t record; /* record route */
	uint8_t timestamp;
	uint8_t route; /* source route, */
	bool strict;   /* a strict one */
	bool alert;    /* router alert, value 0 */
};

/* `ip` is the whole header of `len` bytes. 0, or where the error is: what the pointer of an ICMP
 * parameter problem says. */
unsigned ip4_options_scan(const uint8_t *ip, unsigned len, struct ip4_options *);

/* Writes this address (and the time) where record route and timestamp want it. `ours` says which
 * addresses the pre-specified timestamps may mean. */
void ip4_options_fill(const struct icmp_work *, struct mr_packet *, unsigned l3,
    const struct ip4_options *, be32_t address);

/* Makes the options of a request to us those of our reply from `from`: recorded routes and times go
 * on, a source route is reversed (RFC 1122, 3.2.2.6). Writes to whom the reply goes; false: these
 * options cannot be returned. The header's checksum is not touched. */
bool ip4_options_return(const struct icmp_work *, struct mr_packet *, unsigned l3, be32_t from,
    be32_t *to);

/* After edits of the header. */
void ip4_header_checksum(const struct icmp_work *, struct mr_packet *, unsigned l3);

#endif

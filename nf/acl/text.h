/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_TEXT_H
#define MR_NF_ACL_TEXT_H

/*
 * What rules and sets are written with: addresses, ports, protocols, ICMP types, flags, as text,
 * to ranges of numbers. Names are those of nft and iptables.
 *
 * Ownership: nothing is kept. Threads: no state.
 * Errors: false, with a sentence that begins with the refused text, in `why` (ACL_WHY bytes).
 */

#include "nf/acl/ranges.h"

#define ACL_WHY 200

/* "192.0.2.1", "192.0.2.0/24", "192.0.2.1-192.0.2.9", the same of IPv6; *family is 4 or 6. Bits
 * behind a prefix are an error: they are most often a slip. */
bool acl_text_address(const char *text, unsigned *family, struct acl_range *, char *why);
/* "80", "1024-65535", "https", "ssh-https" is none. */
bool acl_text_port(const char *text, struct acl_range *, char *why);
/* "tcp", "58". */
bool acl_text_protocol(const char *text, struct acl_range *, char *why);
/* "echo-request", "3", "3/4", "destination-unreachable/4", "port-unreachable": type << 8 | code. */
bool acl_text_icmp(const char *text, unsigned family, struct acl_range *, char *why);
/* "02:00:00:00:00:01", "02:00:00:00:00:00/40". */
bool acl_text_mac(const char *text, struct acl_range *, char *why);
/* "46", "8-15", "ef", "af41". */
bool acl_text_dscp(const char *text, struct acl_range *, char *why);
/* "64", "64-1500", up to `max`. */
bool acl_text_number(const char *text, uint32_t max, struct acl_range *, char *why);
/* "syn,!ack": those that are named have to be set, or not. */
bool acl_text_tcp_flags(const char *text, uint8_t *mask, uint8_t *value, char *why);
/* "7", "0x10/0xf0": the bits under the mask. */
bool acl_text_mark(const char *text, uint32_t *value, uint32_t *mask, char *why);

/* Name of a protocol, or null. */
const char *acl_protocol_name(unsigned protocol);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_PRINT_H
#define MR_KIT_PACKET_PRINT_H

/*
 * One line about a packet, for traces and people:
 *
 *   10.0.0.1 > 10.0.0.2 ICMP echo request id 4 seq 1, 98 bytes
 *   vlan 100, 10.0.0.1:40312 > 10.0.0.2:80 TCP [S] seq 1 win 64240 len 0, 78 bytes
 *   10.0.0.1:50000 > 10.0.0.9:4789 VXLAN 77: ARP who-has 10.1.0.2 tell 10.1.0.1, 92 bytes
 *   10.0.0.1 > 10.0.0.2 UDP (udp-length), 60 bytes
 *
 * A malformed packet gets as far as it can be read, and the parser's name for what is wrong.
 * Ownership: `out` is the caller's. Threads: no state. Errors: none; a line that
 * does not fit is cut, and always ends with a zero byte when there is room for one.
 */

#include "kit/base/def.h"

/* Room for the longest line that is worth reading. */
#define MR_PACKET_PRINT_MAX 512

/* Returns the length of the text. `len` bytes are the whole frame. */
MR_API size_t mr_packet_print(char *out, size_t size, const uint8_t *bytes, unsigned len);

/* Of a packet of `total` bytes whose first segment has `len`. */
MR_API size_t mr_packet_print_first(char *out, size_t size, const uint8_t *bytes, unsigned len,
    unsigned total);

/* As /etc/protocols has it; null: a number that has no name here. */
MR_API const char *mr_ip_proto_name(uint8_t proto);

#endif

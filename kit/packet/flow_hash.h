/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_FLOW_HASH_H
#define MR_KIT_PACKET_FLOW_HASH_H

/*
 * Which flow a packet belongs to, as 32 well-mixed bits, for sharing flows out
 * over workers: addresses, protocol and ports of IPv4 and IPv6 behind up to two
 * VLAN tags; addresses and protocol only for fragments, so that all pieces of a
 * datagram agree; MAC addresses and type for the rest. A source's RSS hash is used
 * where there is one. Not keyed: it decides balance, never a table's bucket.
 *
 * Threads: any. Errors: none; every read is bounded by the first segment.
 */

#include "kit/packet/packet.h"

MR_API uint32_t mr_packet_flow_hash(const struct mr_packet *);

#endif

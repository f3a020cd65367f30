/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_WIRE_H
#define MR_KIT_PACKET_WIRE_H

/*
 * The formats on the wire, all of them: this header only collects the four that
 * define them by layer. Structures are packed and have alignment 1, so that a
 * pointer into a packet at any offset is fine; fields of two and four bytes are be16_t
 * and be32_t and are compared with mr_be16(CONSTANT). Constants are in host order.
 *
 * The structures say nothing about bounds: kit/packet/parse.h checks them.
 * Ownership, threads, errors: there is no state here.
 */

#include "kit/packet/wire_eth.h"
#include "kit/packet/wire_ip.h"
#include "kit/packet/wire_l4.h"
#include "kit/packet/wire_tunnel.h"

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SFLOW_DATAGRAM_H
#define MR_CONTROL_SFLOW_DATAGRAM_H

/*
 * Datagrams of sFlow version 5 (sflow.org, "sFlow Version 5", 2004): flow samples with the packet's
 * first bytes and what switch and router know of it, counter samples with the counters of an
 * interface. All is XDR (RFC 4506): numbers of 4 and 8 bytes, the rest padded to 4.
 *
 * Ownership: the caller's. Threads: none. Errors: what does not fit is not put.
 */

#include "kit/base/def.h"

#define DATAGRAM_MAX 65000u
#define DATAGRAM_MIN 512u
#define DATAGRAM_UNKNOWN UINT32_MAX /* a counter that nobody counts */

struct datagram_flow {
	uint32_t sequence; /* of this interface's flow samples */
	uint32_t index;    /* the interface's, from 1 */
	uint32_t rate, pool, drops;
	uint32_t length; /* of the frame as we have it: without its check sequence */
	const uint8_t *bytes;
	uint32_t snapped;
	uint32_t out; /* an interface, 0: not known */
	/* Switch: VLANs and priorities, where the frame has a tag. */
	bool tagged;
	uint32_t vlan, priority;
	/* Router: the prefixes' lengths; the next hop's address in `hop_size` bytes, 4 or 16. Zeros: the
	 * destination is on the link, or it is not known (sfcapd does not like the type that says so). */
	bool routed;
	uint32_t src_mask, dst_mask;
	uint8_t hop[16];
	unsigned hop_size;
};

struct datagram_counters {
	uint32_t sequence; /* of this interface's counter samples */
	uint32_t index;
	uint64_t speed; /* bits a second */
	bool enabled, up, promiscuous;
	uint64_t rx_octets, tx_octets;
	uint32_t rx_packets, rx_discards, rx_errors, tx_packets, tx_discards, tx_errors;
};

struct datagram {
	uint32_t limit; /* bytes, DATAGRAM_MIN to DATAGRAM_MAX */
	uint8_t agent[16];
	unsigned agent_size; /* 4 or 16 */
	uint32_t sub_agent;

	uint32_t size, samples;
	uint8_t bytes[DATAGRAM_MAX + 4];
};

void datagram_begin(struct datagram *);
bool datagram_put_flow(struct datagram *, const struct datagram_flow *);
bool datagram_put_counters(struct datagram *, const struct datagram_counters *);
/* `uptime` in milliseconds. */
void datagram_finish(struct datagram *, uint32_t sequence, uint32_t uptime);

#endif

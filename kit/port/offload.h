/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_OFFLOAD_H
#define MR_KIT_PORT_OFFLOAD_H

/*
 * A port that can treat packets of known flows without handing them to us: the kernel's XDP, a NIC.
 * Who decides which flows (kit/flow/offload.h) gives it simple rules under whole keys; what has no
 * rule, or is not plain, arrives as ever.
 *
 * Rules stand in slots, numbered from 0; a flow has its slot, so that its counters can be
 * read and it can be taken out of force without asking the device: both are memory that is
 * shared with it. A slot that was disabled must rest for as long as a packet may be under way
 * (a millisecond is long) before it is read for the last time, and removed before it is used again.
 *
 * Ownership: rules are copied. Threads: open, close and reaches are the control thread's; one slot
 * has one thread that adds, reads and removes it; anybody may disable it.
 * Errors: negative errno; -EEXIST: another slot has a rule for this key.
 */

#include "kit/port/port.h"

/* As the first 40 bytes of a flow's key (kit/flow/key.h). */
struct mr_offload_key {
	uint8_t src[16], dst[16];
	be16_t sport, dport;
	uint32_t where;
};

#define MR_OFFLOAD_WRITE_MAX 18u

/* What is done to a packet, in this order: the header grows by `grow` bytes in front, the TTL of the IP
 * header goes down, bytes are written from the first one on, it leaves. */
struct mr_offload_rule {
	const struct mr_port *to;
	uint16_t max_length; /* bytes of the packet as it arrives; longer ones are ours */
	int8_t grow;
	uint8_t ip_at; /* the IP header whose TTL goes down, in the packet that leaves; 0: none */
	bool six;      /* and it is a hop limit */
	uint8_t write_len; /* 0, 12, 14, 16 or 18 */
	uint8_t write[MR_OFFLOAD_WRITE_MAX];
};

struct mr_offload_config {
	uint32_t slots;
	uint8_t mac[6]; /* only frames to this address are looked at */
};

struct mr_port_offload {
	/* -ENOTSUP with the reason when this port cannot. Again with another configuration, after
	 * close. */
	int (*open)(struct mr_port *, const struct mr_offload_config *, struct mr_error *);
	void (*close)(struct mr_port *);
	/* Whether packets can leave by that port without us. */
	bool (*reaches)(const struct mr_port *, const struct mr_port *to);
	int (*add)(struct mr_port *, uint32_t slot, const struct mr_offload_key *,
	    const struct mr_offload_rule *);
	/* From the next packet on. */
	void (*disable)(struct mr_port *, uint32_t slot);
	void (*remove)(struct mr_port *, uint32_t slot, const struct mr_offload_key *);
	/* Since it was added; bytes as the packets arrived. */
	void (*read)(const struct mr_port *, uint32_t slot, uint64_t *packets, uint64_t *bytes);
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_OFFLOAD_H
#define MR_KIT_PORT_XDP_OFFLOAD_H

/*
 * Flows that the kernel forwards by itself (kit/port/offload.h): part of the steering program,
 * which looks a plain packet's key up in a hash and, when it is there, does what the slot's line says
 * and sends the packet out of another interface without us.
 *
 *   hash     key (40 bytes) -> slot and its incarnation
 *   lines    slot -> struct xdp_offload_line, memory that we see too (BPF_F_MMAPABLE)
 *
 * A line is in force while its incarnation is the one that the hash names; taking it out of
 * force is one store. What is plain is what kit/flow/key.h says; the program checks the same.
 *
 * Ownership: the port's; close undoes open. Threads: see kit/port/offload.h. Errors: as there.
 */

#include "kit/port/offload.h"
#include "kit/port/xdp/ebpf.h"

#define XDP_OFFLOAD_FRAME_MAX 16000

/* As the program reads it, and counts. */
struct xdp_offload_line {
	_Atomic uint32_t incarnation; /* 0: not in force */
	uint32_t ifindex;
	int32_t head; /* for bpf_xdp_adjust_head: grow, negated */
	uint16_t max_length;
	uint8_t ip_at;
	uint8_t version; /* 4 or 6, of the header at ip_at */
	uint8_t write_len;
	uint8_t write[31];
	_Atomic uint64_t packets, bytes; /* the kernel adds */
};
static_assert(sizeof(struct xdp_offload_line) == 64 &&
	offsetof(struct xdp_offload_line, packets) == 48,
    "a rule is one line");

struct xdp_offload_value {
	uint32_t slot, incarnation;
};

struct xdp_offload {
	bool open;
	uint32_t slots;
	uint8_t mac[6];
	int hash_fd, lines_fd;
	struct xdp_offload_line *lines; /* [slots] */
	uint32_t *incarnations;         /* [slots]: the last one given */
	size_t bytes;
};

/* What the program needs to know. */
struct xdp_offload_code {
	int hash_fd, lines_fd;
	uint16_t port;
	uint8_t mac[6];
};

/* Appends it: ends the program when the packet was sent, else goes on behind it with the frame as it
 * was and no register to be relied on. The context is on the stack. */
void xdp_offload_emit(struct ebpf *, const struct xdp_offload_code *);

/* features.c: whether other interfaces' XDP programs may send on this one: 1, 0, or -errno when the
 * kernel does not tell (before Linux 6.3). */
int xdp_device_takes_redirects(int ifindex);

extern const struct mr_port_offload xdp_offload_functions;

#endif

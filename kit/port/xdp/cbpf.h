/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_CBPF_H
#define MR_KIT_PORT_XDP_CBPF_H

/*
 * Classic BPF, which libpcap compiles filter expressions to, translated to eBPF that
 * the kernel's verifier accepts in an XDP program.
 *
 * The result means what the classic program means (libpcap's bpf_filter): every
 * load that leaves the frame ends it with "no match", as does a division by zero.
 * Bytes in the first buffer of a frame are read directly; those behind it (a jumbo
 * frame, a local TCP's payload) through bpf_xdp_load_bytes, Linux 5.18. The only
 * difference: a load at a computed place beyond 65,280 is "no match", because the verifier
 * wants a bound; only a super-frame is that long.
 *
 * Ownership, threads: none. Errors: -errno with a sentence.
 */

#include <linux/filter.h>

#include "kit/base/error.h"
#include "kit/port/xdp/ebpf.h"

/* The frame of the program around it: the context is kept at STACK_CTX from the
 * frame pointer; a translation uses r0 to r9 and the stack from STACK_CBPF down to
 * STACK_CBPF_END. */
#define EBPF_STACK_CTX (-8)
#define EBPF_STACK_CBPF (-16)
#define EBPF_STACK_CBPF_END (-16 - 64)

/* Appends `program`; it goes on at `match` when it returns other than 0, at
 * `no_match` otherwise. */
int cbpf_translate(struct ebpf *, const struct sock_filter *program, unsigned count, int match,
    int no_match, struct mr_error *);

#endif

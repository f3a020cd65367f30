/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_EXPRESSION_H
#define MR_KIT_PORT_XDP_EXPRESSION_H

/*
 * tcpdump's filter language (pcap-filter(7)) for Ethernet frames, compiled by libpcap
 * to classic BPF. A file of its own because libpcap and the kernel both call their
 * instructions struct bpf_insn.
 *
 * Ownership: *program is the caller's to free(). Threads: the control thread.
 */

#include <linux/filter.h>

#include "kit/base/error.h"

/* `what` names the option in the error ("filter"). */
int xdp_expression_compile(const char *what, const char *text, struct sock_filter **program,
    unsigned *count, struct mr_error *);

#endif

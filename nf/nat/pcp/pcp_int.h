/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_PCP_PCP_INT_H
#define MR_NF_NAT_PCP_PCP_INT_H

/*
 * Inside hosts ask for mappings: the Port Control Protocol (RFC 6887) and NAT-PMP (RFC 6886), answered
 * by the node where their packets come in (RFC 6888, REQ-9).
 *
 *   message.h  what is asked, and the answer's bytes
 *   lease.c    a mapping with a lease: made, renewed, given up
 *   serve.c    a packet and its answer
 *
 * A lease stands beside its mapping's line (struct nat_lease): until then the mapping is there without
 * packets, and open to all.
 *
 * Threads: workers; nat_lease_forget is the control thread's.
 */

#include "nf/nat/nat_int.h"
#include "nf/nat/pcp/message.h"

/* To the port where translators are asked. */
mr_inline bool
nat_pcp_is_for(const struct nat_packet *k)
{
	return k->what == NAT_FLOW && k->dport == mr_be16(NAT_PCP_PORT) &&
	    k->proto == MR_IP_PROTO_UDP && !k->first;
}

/* The translator that such a packet asks; null: it asks none. */
const struct nat_instance *nat_pcp_asked(const struct nat_pass *, const struct nat_packet *);
/* The packet becomes the answer, or is dropped. */
mr_verdict_t nat_pcp_serve(const struct nat_pass *, const struct nat_instance *, uint32_t packet,
    struct mr_packet *, const struct nat_packet *);

/* What the host asks for, done: the answer but for its epoch. */
void nat_lease_map(const struct nat_pass *, const struct nat_instance *, be32_t host,
    const struct nat_pcp_request *, struct nat_pcp_answer *);
void nat_lease_peer(const struct nat_pass *, const struct nat_instance *, be32_t host,
    const struct nat_pcp_request *, struct nat_pcp_answer *);
/* Ends the leases that hosts gave up all at once. */
void nat_lease_forget(struct nat_core *, uint32_t now);

#endif

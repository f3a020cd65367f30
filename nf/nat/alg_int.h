/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_ALG_INT_H
#define MR_NF_NAT_ALG_INT_H

/* The side of ALGs that calls them. */

#include "nf/nat/alg.h"
#include "nf/nat/nat_int.h"
#include "nf/nat/seq_int.h"

/* The ALG of a session between these, that is on; null: none. */
mr_inline const struct nat_alg *
nat_alg_of(const struct nat_instance *n, uint8_t proto, be16_t remote_port)
{
	for (const struct nat_alg *const *a = n->algs; mr_unlikely(a && *a); a++)
		if ((*a)->protocol == proto && mr_be16((*a)->port) == remote_port)
			return *a;
	return NULL;
}

/* The same, where the inside may also be the one that was asked; *server: it is. */
mr_inline const struct nat_alg *
nat_alg_between(const struct nat_instance *n, uint8_t proto, be16_t remote_port, be16_t inside_port,
    bool *server)
{
	const struct nat_alg *alg = nat_alg_of(n, proto, remote_port);

	*server = !alg;
	return alg ? alg : nat_alg_of(n, proto, inside_port);
}

/* alg_static.c: what leads to `found` is of the configuration and has no sessions. Where an ALG is to
 * see its packets they are marked, and of TCP there is a session from the inside's SYN on. */
void nat_alg_static(const struct nat_pass *, const struct nat_instance *, const struct nat_packet *,
    bool outward, struct nat_found *);

/* Shows the packet's payload to the ALG of its session, whose ends `found` has, and changes it.
 * Where the packet begins and ends may be another then, and *k with it. False: drop it. */
bool nat_alg_run(const struct nat_pass *, const struct nat_instance *, uint32_t packet,
    struct mr_packet *, struct nat_packet *, const struct nat_found *, bool outward);

#endif

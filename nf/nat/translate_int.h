/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_TRANSLATE_INT_H
#define MR_NF_NAT_TRANSLATE_INT_H

/* Finding mappings and sessions: what packets and the packets that errors quote have in common. */

#include "nf/nat/nat_int.h"

/* What becomes of a packet whose port was, or was not, taken: NAT_DONE, or an enum nat_drop. */
uint32_t nat_taken(enum nat_take);
/* What of a remote end the name of a mapping has. */
uint64_t nat_scope_of(const struct nat_instance *, be32_t remote, be16_t port, uint8_t proto);
/* The remote end as sessions have it: as much of it as filtering looks at; of TCP, all. */
uint64_t nat_session_of(const struct nat_instance *, be32_t remote, be16_t port, uint8_t proto);
/* A mapping by name. The configuration's hold for all remote ends, an ALG's for all ports of one. */
uint32_t nat_find_mapping(const struct nat_pass *, const struct nat_instance *,
    const struct nat_name *, uint64_t hash, uint32_t *word);
/* The live mapping that has this outside end. */
uint32_t nat_find_outside(const struct nat_pass *, const struct nat_instance *, be32_t address,
    be16_t port, uint8_t proto, uint32_t *word);
/* The line of the mapping's session with this remote end; *word: of the mapping, then of that
 * line. */
uint32_t nat_find_session(const struct nat_pass *, uint32_t mapping, uint64_t remote,
    uint32_t *word);
/* The inside end of a mapping. */
void nat_inside_of(const struct nat_pass *, uint32_t number, struct nat_found *);

#endif

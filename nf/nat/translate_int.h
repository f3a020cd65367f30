/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_TRANSLATE_INT_H
#define MR_NF_NAT_TRANSLATE_INT_H

/* Finding mappings and sessions: what packets and the packets that errors quote have in common. */

#include "nf/nat/nat_int.h"

/* What becomes of a packet whose port was, or was not, taken: NAT_DONE, or an enum nat_drop. */
uint32_t nat_taken(enum nat_take);
/* Makes the mapping of a packet from inside: NAT_DONE, or an enum nat_drop. */
uint32_t nat_make(const struct nat_pass *, const struct nat_instance *, const struct nat_packet *,
    const struct nat_name *, uint64_t hash, struct nat_found *);
/* A packet from inside of the mapping in this line; likewise. */
uint32_t nat_follow(const struct nat_pass *, const struct nat_instance *, const struct nat_packet *,
    uint32_t number, uint32_t word, struct nat_found *);
/* Whether sessions are kept: where something depends on who the remote end is. */
bool nat_is_tracked(const struct nat_instance *, uint8_t proto, be16_t remote_port);
/* What of a remote end the name of a mapping has. */
uint64_t nat_scope_of(const struct nat_instance *, be32_t remote, be16_t port, uint8_t proto);
/* A packet of the session in this line. False: it is gone. */
bool nat_advance(const struct nat_pass *, const struct nat_packet *, uint32_t number, uint32_t word,
    bool out, bool refresh, struct nat_found *);
/* What a line says of its session at the beginning. */
void nat_begin_session(struct nat_entry *, const struct nat_packet *, uint64_t remote,
    uint32_t now);
/* The remote end as sessions have it: as much of it as filtering looks at; of TCP, all. */
uint64_t nat_session_of(const struct nat_instance *, be32_t remote, be16_t port, uint8_t proto);
/* A mapping by name. The configuration's hold for all remote ends, an ALG's for all ports of one. */
uint32_t nat_find_mapping(const struct nat_pass *, const struct nat_instance *,
    const struct nat_name *, uint64_t hash, uint32_t *word);
/* The live mapping that has this outside end, for this remote one. */
uint32_t nat_find_outside(const struct nat_pass *, const struct nat_instance *, be32_t address,
    be16_t port, uint8_t proto, be32_t remote, be16_t remote_port, uint32_t *word);
/* The line of the mapping's session with this remote end; *word: of the mapping, then of that
 * line. */
uint32_t nat_find_session(const struct nat_pass *, uint32_t mapping, uint64_t remote,
    uint32_t *word);
/* share.c: makes `number`, which has the beginning of its session, a mapping of this name that shares
 * a port. Returns its number, or that of another one of its name; 0: there is no port to share. */
uint32_t nat_share(const struct nat_pass *, const struct nat_instance *, const struct nat_packet *,
    const struct nat_name *, uint64_t hash, uint32_t number, uint32_t *word);
/* The mapping of those that share the port of `number` that is for this remote end: itself, or
 * another; 0: neither. */
uint32_t nat_sharer(const struct nat_pass *, const struct nat_instance *, uint64_t scope,
    uint32_t number, uint32_t *word);
/* The inside end of a mapping. */
void nat_inside_of(const struct nat_pass *, uint32_t number, struct nat_found *);

#endif

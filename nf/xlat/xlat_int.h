/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_XLAT_XLAT_INT_H
#define MR_NF_XLAT_XLAT_INT_H

/*
 * What the translator's files share: xlat_read.c reads, xlat.c translates a packet, xlat_icmp.c an
 * ICMP error with what it quotes, xlat_prefix.c addresses.
 */

#include "kit/packet/checksum.h"
#include "kit/record/edit.h"
#include "nf/xlat/xlat.h"

#define XLAT_HEAD_MAX 48u /* IPv6 with a fragment header */

/* The header of the other family for this part; `l4` is its layer 4 as it will be (eight bytes of
 * it), `payload` its length. Returns the header's length. */
unsigned xlat_head(uint8_t out[XLAT_HEAD_MAX], const struct xlat_part *, bool six,
    const struct xlat_ends *, const uint8_t *l4, unsigned payload);

/* Where the checksum of this protocol is, from layer 4; offset 0: it has none that covers addresses. */
struct mr_l4_sum xlat_sum_at(uint8_t proto);

/* What the change of both addresses is to a checksum that covers the pseudo-header; of ICMP, which has
 * one in IPv6 only, with `icmp`. */
uint64_t xlat_delta(const uint8_t *ip, bool six, const struct xlat_ends *to, bool icmp);

enum xlat_result xlat_error(const struct xlat_pass *, uint32_t packet, const struct xlat *,
    const struct xlat_to *);

/* The counterpart of an ICMP error's type and code; false: there is none. `word` is the second word of
 * the message, in host order, and becomes that of the other; `quoted` the packet that it is about. */
bool xlat_error_kind(bool six, uint8_t *type, uint8_t *code, uint32_t *word, const struct xlat_to *,
    const struct xlat_part *quoted);

/* Writes any number of bytes, recorded. */
mr_inline void
xlat_put(struct mr_recorder *rec, struct mr_packet *p, unsigned at, const uint8_t *bytes,
    unsigned len)
{
	for (unsigned i = 0; i < len; i += 16)
		mr_edit_set(rec, p, at + i, bytes + i, MR_MIN(len - i, 16u));
}

#endif

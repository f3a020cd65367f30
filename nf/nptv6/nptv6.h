/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NPTV6_NPTV6_H
#define MR_NF_NPTV6_NPTV6_H

/*
 * Prefix translation (RFC 6296): what other functions may ask.
 *
 * Threads: the control thread.
 */

#include "nf/nf.h"

/* In check: the instance whose outside prefix holds this address; null: none. */
const char *mr_nptv6_uses(const struct mr_config *, const uint8_t address[16]);

extern const struct mr_nf mr_nf_nptv6;

#endif

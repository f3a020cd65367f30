/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_NAT_H
#define MR_NF_NAT_NAT_H

/*
 * Address and port translation, IPv4: what other functions may call.
 *
 * Threads: the control thread.
 */

#include "nf/nf.h"

struct mr_nat; /* this function's state in one data plane */

struct mr_nat *mr_nat_of(struct mr_dataplane *);

extern const struct mr_nf mr_nf_nat;

#endif

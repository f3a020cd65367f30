/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_NAT_H
#define MR_NF_NAT_NAT_H

/*
 * Address and port translation, IPv4: what other functions may call.
 *
 * Threads: the control thread.
 */

#include "model/config.h"
#include "nf/nf.h"

struct mr_nat; /* this function's state in one data plane */

struct mr_nat *mr_nat_of(struct mr_dataplane *);

/* In check of functions behind this one: addresses (in host order) and ports that they want for
 * themselves. */
struct mr_nat_span {
	uint32_t first, last;
	uint16_t port_first, port_last;
	bool behind; /* it comes behind the translator, which lets pass what is the router's own */
};
struct mr_nat_use {
	const char *instance;
	char what[80]; /* "its pool", "its ports 1024-65535" */
};
/* Whether an instance of this router's has some of them. */
bool mr_nat_uses(const struct mr_config *, const struct mr_conf *router, const struct mr_nat_span *,
    struct mr_nat_use *);

extern const struct mr_nf mr_nf_nat;

#endif

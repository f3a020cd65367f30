/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RTNL_FAKE_RIB_INT_H
#define MR_NF_RTNL_FAKE_RIB_INT_H

/*
 * A RIB for tests that does nothing but remember: the functions of nf/rib/rib.h that importers
 * call, so that a test sees what they ask for, and how often. One per process, VRF 0.
 */

#include "nf/rib/rib.h"

struct fake_rib {
	uint32_t routes;
	uint64_t sets, unsets, metrics, settles;
	bool refuse; /* mr_rib_set fails */
};

extern struct fake_rib fake_rib;

void fake_rib_reset(void);
/* The next hops of a route as text ("10.0.0.1@2*3 @4 blackhole"), in order; "" when it is not there. */
const char *fake_rib_hops(const char *prefix);
/* Its metric and protocol. */
bool fake_rib_find(const char *prefix, struct mr_route *);
/* All routes, sorted, one "PREFIX HOPS" per line; free it. */
char *fake_rib_print(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RIB_STREAM_H
#define MR_NF_RIB_STREAM_H

/*
 * Routes as text, read piece by piece (GET /state/router/routes?...): what of a million
 * routes is in memory at once are their prefixes.
 *
 *	router=NAME		of one router; when absent: of all
 *	prefix=P		an address: its longest match and all that is less specific; a
 *				prefix: it and all that is more specific
 *	source=S, family=4|6	only those
 *	form=text		for people (and when absent)
 *	form=json		one object a line
 *	form=ways		of active routes: prefix, source, next hops as resolved, for comparing
 *	form=count		how many there are
 *	form=diff		where the FIB is not what the RIB asks for; nothing when it is
 *
 * Ownership: a stream holds no route; RIB and IP tables must outlive it.
 * Threads: the control thread. Errors: -EINVAL with the parameter that makes no sense.
 */

#include "nf/nf.h"
#include "nf/rib/rib.h"

int mr_rib_stream(const struct mr_rib *, const struct mr_ip *, const struct mr_nf_query *,
    struct mr_nf_stream *, struct mr_error *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_DESCRIBE_H
#define MR_NF_IP_DESCRIBE_H

/*
 * Words for what the forwarding nodes record: interfaces, routes, groups and adjacencies are
 * numbers in a recording, and names and addresses for people.
 *
 * Ownership: `text` is the caller's. Threads: the control thread. Errors: a text that does not fit
 * is cut.
 */

#include "kit/record/record.h"
#include "nf/ip/ip.h"

/* False: not an operation of these nodes, or one that says enough by itself. */
bool mr_ip_describe(const struct mr_ip *, const struct mr_op *, char *text, size_t size);
/* "via 192.0.2.1 on wan, 02:00:00:00:00:07" */
void mr_adjacency_describe(const struct mr_ip *, uint32_t index, char *text, size_t size);

#endif

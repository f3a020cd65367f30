/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_ACL_H
#define MR_NF_ACL_ACL_H

/*
 * Access lists: rules in front of an interface's user and behind its outputs, stateless or by the
 * state of connections (nf/conntrack). acl.md says what they can do.
 *
 *   spec.c, set.c, text.c   what the configuration says
 *   rule.c                  a rule's entries for the classifier, and its record
 *   list.c, version.c       a list through its changes
 *   node.c, walk.c          packets
 *
 * Threads: control, but for the nodes.
 */

#include "nf/nf.h"

extern const struct mr_nf mr_nf_acl;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_NAMES_INT_H
#define MR_NF_ACL_NAMES_INT_H

/* Names that stand for numbers in rules; each table ends with a null. */

#include "kit/base/def.h"

struct acl_name {
	const char *name;
	uint32_t first, last;
};

extern const struct acl_name acl_protocols[], acl_services[], acl_icmp4[], acl_icmp6[], acl_dscps[];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_RULE_H
#define MR_NF_ACL_RULE_H

/*
 * A rule as workers see it: entries of a classifier (kit/table/classifier.h), which find it, and a
 * record, which says what is left to check and what happens then. Conditions that the classifier
 * does not know, and sets so large that their entries would be too many, are checks; a rule whose
 * checks fail is passed over, and the next one that the classifier finds is looked at.
 *
 * The classifier's 32 bits of the caller's are:
 *
 *   0-4    state: exactly one of enum mr_track_state is set in a key
 *   5      has ports                      6      is ICMP, type << 8 | code as destination port
 *   7-14   TCP's flags                    15-20  DSCP
 *   21-31  where it came in: port index, 1024: none
 *
 * Ownership: a record owns its checks and holds its account. Entries are the caller's.
 * Threads: immutable once published, but for accounts. Errors: -ENOMEM, -E2BIG.
 */

#include "kit/table/classifier.h"
#include "nf/acl/account.h"
#include "nf/acl/spec.h"

#define ACL_EXTRA_PORTS (1u << 5)
#define ACL_EXTRA_ICMP (1u << 6)
#define ACL_EXTRA_TCP_SHIFT 7
#define ACL_EXTRA_DSCP_SHIFT 15
#define ACL_EXTRA_INPUT_SHIFT 21
#define ACL_INPUT_NONE 1024u

/* Entries of one rule at most; sets that would make more are checked afterwards. */
#define ACL_ENTRIES_MAX 65536u

struct acl_check {
	enum acl_field field;
	struct acl_ranges ranges;
};

enum acl_rule_flag {
	ACL_RULE_CHECKS = 1u << 0, /* `checks`, or the mark */
	ACL_RULE_LIMIT = 1u << 1,
	ACL_RULE_LOG = 1u << 2,
	ACL_RULE_MARK = 1u << 3,
};

struct acl_rule {
	uint8_t action, reject, flags, check_count;
	uint16_t list;   /* where it stands */
	uint16_t target; /* of a jump */
	uint32_t priority;
	uint32_t mark_mask, mark_value;
	uint32_t set_mask, set_value;
	uint32_t slot;
	struct acl_account *account;
	struct acl_check *checks;
	uint32_t refs; /* control's */
	char name[ACL_NAME_MAX];
};

/* What a list's rules look at, for the flow lane. */
struct acl_looks {
	uint32_t uses[2]; /* enum mr_flow_field, of IPv4 and of IPv6 */
	uint8_t tcp;      /* flags */
	bool icmp, dscp, mac, length, states, output;
};

/* The record of a spec, which loses the ranges that become checks. `account` is referred to. */
int acl_rule_create(struct acl_rule **out, struct acl_spec *, struct acl_account *);
void acl_rule_release(struct acl_rule *);

/* Entries; priority and value are left 0. *entries is allocated. */
int acl_rule_expand(const struct acl_spec *, struct mr_class_rule **entries, uint32_t *count);
/* Which fields are checked afterwards: one bit each. */
uint32_t acl_rule_checked(const struct acl_spec *);

void acl_rule_looks(const struct acl_spec *, struct acl_looks *); /* adds to them */
void acl_spec_digest(const struct acl_spec *, const uint64_t key[2], struct acl_digest *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_SPEC_INT_H
#define MR_NF_ACL_SPEC_INT_H

/* What the files that read a rule share. */

#include "nf/acl/spec.h"

struct acl_reader {
	const struct acl_reading *r;
	const struct mr_conf *rule;
	const char *list;
	struct acl_spec *out;
	unsigned families;      /* what all conditions so far allow */
	const char *because[2]; /* the condition that ruled the version out */
	uint64_t names;         /* which leaves may be there: a bit for several names */
	int error;
};

/* Says what is wrong at a leaf; the rule is then not read. */
void acl_reader_wrong(struct acl_reader *, const struct mr_conf *at, const char *why);
/* Whether the rule may have this leaf: false is certain. */
bool acl_reader_may_have(const struct acl_reader *, const char *leaf);

/* spec_action.c: what the rule does */
void acl_read_limit(struct acl_reader *);
void acl_read_log(struct acl_reader *);
void acl_read_action(struct acl_reader *);
void acl_read_marks(struct acl_reader *);

#endif

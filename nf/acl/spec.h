/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_SPEC_H
#define MR_NF_ACL_SPEC_H

/*
 * A rule as it was meant: its conditions as sets of numbers, names and sets resolved, and what it
 * does. spec.c reads it from a configuration, expand.c makes of it what workers look at.
 *
 * Ownership: a spec owns its ranges and checks; sets belong to a struct acl_sets, which has to live
 * while rules are read.
 * Threads: control. Errors: in the report, at the leaf that is wrong; -EINVAL, -ENOMEM.
 */

#include "kit/port/port.h"
#include "model/config.h"
#include "nf/acl/ranges.h"

#define ACL_NAME_MAX 32
#define ACL_PREFIX_MAX 64

enum acl_action {
	ACL_ACCEPT,
	ACL_DROP,
	ACL_REJECT,
	ACL_CONTINUE,
	ACL_JUMP,
	ACL_GOTO,
	ACL_RETURN,
	ACL_ACTIONS,
};
extern const char *const acl_action_names[ACL_ACTIONS];

enum acl_reject {
	ACL_REJECT_PORT,
	ACL_REJECT_HOST,
	ACL_REJECT_NET,
	ACL_REJECT_ADMIN,
	ACL_REJECT_RESET,
	ACL_REJECTS,
};

/* The conditions that are sets of numbers. */
enum acl_field {
	ACL_SRC4,
	ACL_SRC6,
	ACL_DST4,
	ACL_DST6,
	ACL_PROTO,
	ACL_SPORT,
	ACL_DPORT,
	ACL_ICMP4, /* type << 8 | code */
	ACL_ICMP6,
	ACL_DSCP,
	ACL_LENGTH,
	ACL_INPUT, /* port index */
	ACL_OUTPUT,
	ACL_VLAN,
	ACL_MAC,
	ACL_FRAGMENT, /* MR_PARSED_FRAGMENT: 1, of these the first: 2, others: 3; whole: 0 */
	ACL_FIELDS,
};
extern const uint8_t acl_field_bits[ACL_FIELDS];

enum acl_spec_flag {
	ACL_SPEC_LIMIT = 1u << 0,
	ACL_SPEC_OVER = 1u << 1,
	ACL_SPEC_LOG = 1u << 2,
	ACL_SPEC_MARK = 1u << 3,
};

struct acl_spec {
	char name[ACL_NAME_MAX];
	uint8_t families; /* 1: IPv4, 2: IPv6 */
	uint8_t action, reject, flags;
	uint32_t has; /* fields that are conditions, one bit each; those of `families` */
	struct acl_ranges field[ACL_FIELDS];
	uint8_t states; /* enum mr_track_state; 0: any */
	uint8_t tcp_mask, tcp_value;
	uint32_t mark_mask, mark_value; /* mask 0: any */
	uint32_t set_mask, set_value;
	uint32_t rate, per, burst; /* per: seconds */
	uint32_t sample, log_rate;
	char prefix[ACL_PREFIX_MAX];
	char to[ACL_NAME_MAX];
};

/* -- named sets ----------------------------------------------------------------------------- */

enum acl_set_type {
	ACL_SET_ADDRESS4,
	ACL_SET_ADDRESS6,
	ACL_SET_NETWORK,
	ACL_SET_PORT,
	ACL_SET_PROTOCOL,
	ACL_SET_INTERFACE,
	ACL_SET_MAC,
};

struct acl_set {
	char name[ACL_NAME_MAX];
	enum acl_set_type type;
	struct acl_ranges ranges[2]; /* the second: of IPv6 */
};

struct acl_sets {
	struct acl_set *at;
	unsigned count;
};

/* Turns the name of an interface into its index; false: there is none. */
typedef bool acl_interface_fn(const void *user, const char *name, uint16_t *index);

/* What reading needs. `interface` may be null: names are then taken for granted. */
struct acl_reading {
	const struct mr_config *config;
	struct mr_report *report; /* may be null */
	const struct acl_sets *sets;
	acl_interface_fn *interface;
	const void *user;
};

int acl_sets_read(struct acl_sets *, const struct acl_reading *, const struct mr_conf *acl);
void acl_sets_free(struct acl_sets *);
const struct acl_set *acl_set_find(const struct acl_sets *, const char *name);
/* Adds what one word of a set or rule says; `type` says how words look. */
bool acl_element_add(struct acl_ranges ranges[2], enum acl_set_type, const struct acl_reading *,
    const char *text, char *why, int *error);

int acl_spec_read(struct acl_spec *, const struct acl_reading *, const struct mr_conf *rule,
    const char *list);
void acl_spec_free(struct acl_spec *);

/* Two numbers that differ when anything about the rule does: what it does and compares beside its
 * entries; and its entries. */
struct acl_digest {
	uint64_t record[2], entries[2];
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_ACL_RANDOM_INT_H
#define MR_NF_ACL_ACL_RANDOM_INT_H

/* Random lists and packets, and a slow, obvious reading of the one for the other. */

#include "nf/acl/acl_test_int.h"
#include "nf/conntrack/track.h"

#define RULES_MAX 60u
#define LISTS 3u

/* A condition on a number: first to last of `with`, and not of `without`; absent: with_count 0. */
struct spans {
	unsigned with_count, without_count;
	struct {
		uint32_t first, last;
	} with[3], without[2];
};

struct rule {
	unsigned name;
	unsigned family; /* 0, 4, 6 */
	struct spans src, dst, proto, sport, dport;
	unsigned flags_mask, flags_value;
	int icmp; /* type, -1: not asked */
	struct spans dscp, vlan;
	unsigned fragment; /* 0: not asked; 1 no, 2 first, 3 later, 4 any */
	unsigned states;
	unsigned mark, set_mark; /* 0: none */
	enum acl_action action;
	unsigned to;
};

struct list {
	struct rule rules[RULES_MAX];
	unsigned count;
	enum acl_action decide;
	bool stateful;
};

extern struct list lists[LISTS];
extern bool stateless; /* rules do not look at states */

unsigned draw(unsigned below);
void change_list(unsigned n); /* a little */
void draw_packet(struct packet *);
/* The configuration; allocated. */
char *print_all(void);
bool passes(const struct list *, const struct packet *, unsigned state, uint32_t *mark);

#endif

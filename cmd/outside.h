/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_OUTSIDE_H
#define MR_CMD_OUTSIDE_H

/*
 * Routes as other programs print them, brought to one form for comparing:
 *
 *	ip route, ip -j route			of one family each
 *	vtysh -c "show ip route json"		and ipv6; what is selected
 *	birdc show route			the best of each prefix
 *
 * Ownership: the table owns its routes. Threads: one.
 * Errors: the text says in which line.
 */

#include <stdio.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

#define OUTSIDE_WAYS_MAX 64u

struct outside_route {
	uint8_t family, len; /* 4 or 6 */
	uint8_t prefix[16];
	bool seen;      /* the other side has it too */
	bool ignorable; /* such as kernel routes to local addresses: need not be there */
	char *ways;     /* sorted: "10.1.0.1,!blackhole,%eth0" */
};

struct outside {
	struct outside_route *routes; /* sorted by family, prefix, length */
	size_t count, room;
};

/* `family`: of "default" where nothing else says it; 0: not known. */
int outside_read(struct outside *, FILE *, unsigned family, struct mr_error *);
void outside_free(struct outside *);
struct outside_route *outside_find(struct outside *, uint8_t family, const uint8_t prefix[16],
    unsigned len);

/* "192.0.2.0/24", "192.0.2.1" or "default"; false: none of them. */
bool outside_prefix(const char *text, unsigned family, struct outside_route *);
/* Brings "b,a" to "a,b" with each once; addresses as inet_ntop writes them. */
char *outside_ways(const char *const *ways, unsigned count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RIB_RIB_TEST_INT_H
#define MR_NF_RIB_RIB_TEST_INT_H

/*
 * A bed for the RIB's tests: router 0 with interfaces 1 to 6 (i1 ...), each with
 * 10.N.0.254/24 and 2001:db8:N::fe/64, router 1 with interface 7.
 *
 * Ownership: the caller's. Threads: one.
 */

#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/rib/rib.h"

#define INTERFACES 6u
#define OTHER_VRF_INTERFACE 7u

struct bed {
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct mr_error error;
	char text[512];
};

void bed_open(struct bed *);
void bed_close(struct bed *);
/* Gives interface `n` what it has from the start. */
void interface_with(struct bed *, uint16_t n);

struct mr_route_hop via(const char *address, uint16_t interface);
struct mr_route_hop direct(uint16_t interface);
struct mr_route_hop special(uint8_t kind);
struct mr_route route(const char *prefix, enum mr_route_source, const struct mr_route_hop *,
    unsigned count);

/* With assertions. */
void set(struct bed *, const char *prefix, enum mr_route_source, struct mr_route_hop);
int unset(struct bed *, const char *prefix, enum mr_route_source);
enum mr_route_state state_of(struct bed *, const char *prefix, enum mr_route_source);
void flap(struct bed *, uint16_t interface, bool up);

/* What the FIB says of an address, and where that leads: "10.1.0.9 i1", several with
 * commas; "blackhole". */
uint32_t in_fib(struct bed *, const char *address);
const char *leads_to(struct bed *, const char *address);

#endif

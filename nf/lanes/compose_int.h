/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LANES_COMPOSE_INT_H
#define MR_NF_LANES_COMPOSE_INT_H

/*
 * For the test of functions in pairs: a small network around two data planes, one with the flow lane.
 *
 *     hosts inside                         hosts outside
 *     10.0.0.9, .10, 2001:db8::9  -- a  b --  10.1.0.9, 2001:db8:1::9
 *                                      c
 *                                      servers 10.2.0.9 to .11
 *
 * With a tunnel, hosts outside are at the other end of it: their frames are in packets of 10.66.0.2.
 *
 * Each host answers what it gets: a packet goes round when its answer comes back to who sent it, from
 * whom it was sent to, whatever was done to either on the way.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/lanes/lanes_bed_int.h"

/* X(constant, name): functions that are put together. */
#define COMPOSE_FUNCTIONS(X) \
	X(VLAN, "VLAN") \
	X(GATEWAY, "bridge, pair and router") \
	X(MEMBER, "bridge member") \
	X(CROSS, "cross-connect") \
	X(VRF, "second router") \
	X(PLUGIN, "plug-in") \
	X(RULES, "flow rules") \
	X(ACL_IN, "acl in") \
	X(ACL_OUT, "acl out") \
	X(TRACK, "conntrack") \
	X(NAT, "nat") \
	X(FORWARD, "nat forward") \
	X(STATIC, "nat static") \
	X(NAT64, "nat64") \
	X(PREFIX, "nptv6") \
	X(LB, "lb nat") \
	X(IPIP, "lb ipip") \
	X(L2, "lb l2") \
	X(TUNNEL, "tunnel")
enum compose_function {
#define X(id, name) C_##id,
	COMPOSE_FUNCTIONS(X)
#undef X
	    C_COUNT,
};
extern const char *const compose_names[C_COUNT];

#define C_BIT(id) (1u << C_##id)
#define C_ON(on, id) (((on)&C_BIT(id)) != 0)

/* compose_conf.c: the configuration with these functions, whose `more` stands behind. */
void compose_write(unsigned on, struct bed_text *);

/* A packet, of UDP or TCP, or of what is in a tunnel. */
struct compose_ends {
	uint8_t src[16], dst[16]; /* IPv4 in the first four */
	uint16_t sport, dport;
	bool six;
};
struct compose_frame {
	uint8_t bytes[256];
	unsigned len, port, vlan;
	uint8_t tunnel[4]; /* the outer destination, where there is one */
	struct compose_ends ends;
};

struct compose {
	struct bed *b;
	unsigned on;
	uint32_t serial;
	unsigned vlan_a, vlan_b;      /* hosts' tags */
	struct compose_frame out[64]; /* what left last */
	unsigned out_count;
};

void compose_ends_of(struct compose_ends *, const char *src, unsigned sport, const char *dst,
    unsigned dport);
/* Sends a packet from the host on this port; what left and is of it, or null. */
const struct compose_frame *compose_send(struct compose *, unsigned port,
    const struct compose_ends *, bool tcp);
/* The same, and whoever it gets to answers: false where nothing arrives, or its answer does not. `far`
 * is what arrived. */
bool compose_round(struct compose *, unsigned port, const struct compose_ends *,
    struct compose_frame *far);
/* The sum of drops by this reason, over nodes of one class, in the first plane. */
uint64_t compose_drops(const struct compose *, const char *class, const char *reason);
uint64_t compose_packets(const struct compose *, const char *class);

/* compose_witness.c: null, or what was not so. */
extern const char *(*const compose_witnesses[C_COUNT])(struct compose *);
/* Packets of both families from inside to outside. */
const char *compose_plain(struct compose *);
const char *compose_forward(struct compose *);
/* Of a service at the address that the translator has, too; of translators named with a VLAN. */
const char *compose_own_service(struct compose *);
const char *compose_masked(struct compose *);
const char *compose_answers_arp(struct compose *);

#endif

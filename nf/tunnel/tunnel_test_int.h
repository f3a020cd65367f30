/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_TUNNEL_TUNNEL_TEST_INT_H
#define MR_NF_TUNNEL_TUNNEL_TEST_INT_H

/*
 * For tests: two whole data planes side by side, one with the flow lane, as nf/lanes makes them, with
 * ends of tunnels; and an oracle of what tunnels write, which shares no code with them.
 *
 *     a   hosts of 10.0.0.0/24, 2001:db8:0::/64        b   the underlay: 10.9.0.0/24, 2001:db8:9::/64;
 *     c, d   stations of bridges                           beyond 10.9.0.2, 2001:db8:9::2 all remote ends
 *
 * Remote ends are 192.0.2.N and 2001:db8:ff::N.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/lanes/lanes_bed_int.h"

#define TN_OUT 64u
#define TN_LANES "lanes: {mode: flow}\n"
#define TN_LOCAL4 "10.9.0.1"
#define TN_LOCAL6 "2001:db8:9::1"

struct tn_frame {
	uint8_t bytes[9000];
	unsigned len, port;
};

struct tn_bed {
	struct bed *b;
	struct tn_frame *out; /* what left with the last tn_run, by port */
	unsigned out_count;
};

/* The network above, with more interfaces, more lines of the router's interfaces (of 6 spaces), and
 * what else there is. Texts; they stay until the next call. */
struct tn_conf {
	const char *interfaces;   /* ", t: {driver: tunnel}" */
	const char *routed;       /* "      t: {address: ...}\n" */
	const char *neighbors;    /* "        10.4.0.9: {interface: t, mac: ...}\n" */
	const char *routes, *all; /* of the router; "tunnel: ...\nbridge: ...\n" */
	const char *crossed;      /* of c: ", cross-connect: t" */
	const char *underlay;     /* the underlay's interface, without "b"; default untagged */
	unsigned mtu;             /* of the underlay's port; 0: 1950 */
};
const char *tn_text(const struct tn_conf *);

void tn_open(struct tn_bed *, const struct tn_conf *);
void tn_apply(struct tn_bed *, const struct tn_conf *);
/* Compares all, and closes. */
void tn_close(struct tn_bed *);

void tn_give(struct tn_bed *, const struct tn_frame *);
/* With what a driver says of it; `split`: so many bytes in a first segment of their own. */
struct tn_meta {
	unsigned split, flags, csum_start, csum_offset, gso_size;
};
void tn_give_as(struct tn_bed *, const struct tn_frame *, const struct tn_meta *);
/* Its layer 4 is not summed up yet. */
void tn_unfinish(struct tn_frame *, unsigned l3, struct tn_meta *);
/* Both planes send the same. */
void tn_run(struct tn_bed *);
/* One alone; the only one that left for it, or null: none did. */
const struct tn_frame *tn_one(struct tn_bed *, const struct tn_frame *);
/* How many left on a port, and one of them (or null). */
unsigned tn_left(const struct tn_bed *, unsigned port, const struct tn_frame **);
uint64_t tn_replayed(const struct tn_bed *);
/* Over all nodes of this class; in the first plane. */
uint64_t tn_packets(const struct tn_bed *, const char *class);
uint64_t tn_drops(const struct tn_bed *, const char *class, const char *reason);
uint64_t tn_count(const struct tn_bed *, const char *class, const char *counter);
/* What the function shows of itself in the first plane; to be freed. */
char *tn_shown(const struct tn_bed *, const char *function);

/* -- frames --------------------------------------------------------------------------------- */

/* 02:00:00:00:HI:LO. */
void tn_mac(uint8_t *, unsigned number);
uint16_t tn_get16(const uint8_t *);
void tn_put16(uint8_t *, unsigned);
/* The one's complement sum of these bytes on top of `start`, not inverted. */
uint16_t tn_sum(const uint8_t *, unsigned len, uint32_t start);
/* An address into 4 or 16 bytes; whether it is of IPv6. */
bool tn_address(const char *text, uint8_t *);

/* UDP, or TCP where `tcp`, between stations; `class` is the byte of DSCP and ECN. */
struct tn_talk {
	unsigned to, from; /* MAC addresses' numbers */
	const char *src, *dst;
	unsigned sport, dport, class;
	bool tcp;
};
void tn_build(struct tn_frame *, unsigned port, const struct tn_talk *, unsigned payload);
void tn_tag(struct tn_frame *, unsigned vlan);
/* What a router makes of a frame that it sends on. */
void tn_route(struct tn_frame *, unsigned to, unsigned from);
/* Sums of what a frame holds are right: IP's, and of layer 4. */
void tn_check_sums(const uint8_t *frame, unsigned len);

/* -- the oracle ----------------------------------------------------------------------------- */

/* What stands around a frame. */
struct tn_head {
	unsigned port, vlan, to, from; /* on the wire */
	const char *src, *dst;
	unsigned vni, udp, ttl, class;
	bool checksum, may_cut;
};
#define TN_ROUND4 50u
#define TN_ROUND6 70u

/* The frame within, its headers byte by byte right; UDP's source port is told. */
const uint8_t *tn_unwrap(const struct tn_frame *, const struct tn_head *, unsigned *len,
    uint16_t *sport);
/* And it is this one. */
uint16_t tn_check(const struct tn_frame *, const struct tn_head *, const struct tn_frame *inner);
/* A frame in these headers, as a remote end sends it. */
void tn_wrap(struct tn_frame *, const struct tn_head *, uint16_t sport,
    const struct tn_frame *inner);
/* Lengths and sums of IP and UDP behind an Ethernet header made anew from the frame's length. */
void tn_settle(struct tn_frame *);
/* A piece of it: `len` bytes of layer 4 from `offset` on. */
void tn_piece(struct tn_frame *, const struct tn_frame *whole, unsigned offset, unsigned len,
    unsigned id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_NAT_TEST_INT_H
#define MR_NF_NAT_NAT_TEST_INT_H

/*
 * For tests: a data plane with the interfaces lan, wan and other, whose nat nodes are given packets
 * and lead to nodes that remember what comes. wan has 203.0.113.1.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/packet/checksum.h"
#include "nf/nat/control_int.h"
#include "nf/nat/held_int.h"

#define SEEN_MAX 1024u

enum outcome { DROPPED, PASSED, SENT, WAITS };

/* What a packet is. */
struct pkt {
	uint32_t src, dst;     /* host order */
	uint16_t sport, dport; /* ICMP: sport is the identifier */
	uint8_t proto;         /* 0: UDP */
	uint8_t flags;         /* of TCP; of ICMP: its type */
	uint8_t code;          /* of ICMP */
	unsigned len;          /* of the payload */
	uint16_t id;           /* IP's */
	uint32_t seq, ack;
	bool no_sum; /* UDP without a checksum */
	bool bad_sum;
};

struct frame {
	unsigned len;
	uint8_t bytes[2048];
};

/* What came out. */
struct seen {
	struct frame f;
	struct pkt p;
	bool good;         /* its checksums */
	uint16_t fragment; /* offset field */
};

struct bed {
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_config *config;
	struct mr_nat *nat;
	struct mr_log log;
	uint16_t keep, sent, lan, wan, other; /* nodes; ports */
	struct seen seen[SEEN_MAX];
	unsigned count;
	struct seen last;
	uint16_t from;    /* the port of packets given to nat-out@wan */
	uint16_t flags;   /* of packets given */
	struct frame arp; /* the last one that came */
	bool arp_sent;
};

int make_model(void **state);
int free_model(void **state);

/* `nat` is what stands behind "nat: {instance: {x: {outside: [wan], inside: [lan], ". */
void bed_open(struct bed *, const char *nat);
/* Another configuration: the whole text behind the interfaces. */
void bed_apply(struct bed *, const char *nat);
/* What is wrong with it first; "": nothing. */
void bed_check(const char *nat, char *said, size_t size);
void bed_close(struct bed *);

struct frame *frame_make(struct frame *, const struct pkt *);
/* An ICMP error about a packet from `by` to its source. */
struct frame *frame_about(struct frame *, const struct frame *quoted, uint32_t by, uint8_t type,
    uint8_t code);
/* A fragment: bytes of layer 4 from `offset` on, `len` of them. */
struct frame *frame_piece(struct frame *, const struct frame *whole, unsigned offset, unsigned len);
/* What it is, and whether its checksums are right. */
bool frame_read(const struct frame *, struct pkt *);

/* From inside to outside, from outside, from inside to an outside address. b->last: what came out. */
enum outcome bed_out(struct bed *, const struct frame *);
enum outcome bed_in(struct bed *, const struct frame *);
enum outcome bed_hair(struct bed *, const struct frame *);
enum outcome out(struct bed *, const struct pkt *);
enum outcome in(struct bed *, const struct pkt *);
enum outcome hair(struct bed *, const struct pkt *);
void bed_run(struct bed *, const char *node, uint16_t port, const struct frame *, unsigned count);
/* The answer to what came out last, as it would come in. */
struct pkt answer(const struct bed *);
/* Everything becomes so much older. */
void bed_later(struct bed *, uint32_t seconds);
void bed_sweep(struct bed *);
uint64_t bed_drops(const struct bed *, const char *node, enum nat_drop);
uint64_t bed_counter(const struct bed *, enum nat_count);
uint16_t node_of(const struct bed *, const char *name);
uint64_t draw(uint64_t *seed);

#define A(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define HOST A(10, 0, 0, 5)
#define HOST2 A(10, 0, 0, 6)
#define OWN A(203, 0, 113, 1)
#define POOL A(203, 0, 113, 8)
#define REMOTE A(198, 51, 100, 7)
#define REMOTE2 A(198, 51, 100, 8)
#define TCP MR_IP_PROTO_TCP
#define UDP MR_IP_PROTO_UDP
#define ICMP MR_IP_PROTO_ICMP

#endif

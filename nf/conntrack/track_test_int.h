/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_TRACK_TEST_INT_H
#define MR_NF_CONNTRACK_TRACK_TEST_INT_H

/*
 * For tests: frames made of a few numbers, and a graph of track, confirm and a node that keeps
 * what packets then carry and drops them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "nf/conntrack/conntrack_int.h"

#define BED_SEEN 4096u

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct ct_core *core;
	struct ct_side side[2]; /* of port 0 and 1, both "in" */
	uint16_t track[2], confirm[2], keep;
	uint32_t seen[BED_SEEN]; /* what packets carried at the end, in order */
	unsigned count;
	bool deny; /* new ones are dropped between track and confirm */
	uint16_t filter[2];
	struct mr_error error;
};

struct frame {
	uint8_t bytes[2048];
	unsigned len;
};

/* Ends: `a` below 1000 is 10.0.x.y or fd00::x:y. */
struct ends {
	bool six;
	uint32_t src, dst;
	uint16_t sport, dport;
};

void bed_open(struct bed *, uint32_t max, uint16_t workers);
void bed_close(struct bed *);
/* Sends frames in one vector into a port's track; the word that each then carried is in b->seen. */
void bed_send(struct bed *, unsigned port, const struct frame *const *, unsigned count);
/* One alone: the states that it was found in with MR_TRACK_REPLY's bit, 0: it was dropped or
 * kept. */
uint32_t bed_one(struct bed *, unsigned port, const struct frame *);
uint64_t bed_drops(const struct bed *, uint16_t node, unsigned reason);

struct frame *frame_udp(struct frame *, const struct ends *, unsigned len);
struct frame *frame_tcp(struct frame *, const struct ends *, uint8_t flags, uint32_t seq,
    uint32_t ack, unsigned len);
struct frame *frame_icmp(struct frame *, const struct ends *, uint8_t type, uint8_t code,
    uint16_t id);
struct frame *frame_proto(struct frame *, const struct ends *, uint8_t proto);
/* An ICMP error from `by` to the quoted frame's source. */
struct frame *frame_about(struct frame *, const struct frame *quoted, uint32_t by, uint8_t type,
    uint8_t code);
/* A piece of it: bytes of layer 4 from `offset` on, `len` of them. */
struct frame *frame_piece(struct frame *, const struct frame *whole, unsigned offset, unsigned len,
    uint32_t id);
struct ends ends_back(const struct ends *);
uint64_t draw(uint64_t *seed);

#define NEW MR_TRACK_NEW
#define EST MR_TRACK_ESTABLISHED
#define REL MR_TRACK_RELATED
#define INV MR_TRACK_INVALID
#define UNT MR_TRACK_UNTRACKED
#define BACK 0x80u

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_LB_TEST_INT_H
#define MR_NF_LB_LB_TEST_INT_H

/*
 * For tests: two whole data planes side by side, one with the flow lane, as nf/lanes makes them.
 * Clients are behind `a` (10.0.0.0/24, 2001:db8:0::/64, and all the world by 10.0.0.9), servers on
 * `b` and behind it (10.1.0.0/24, 2001:db8:1::/64). Every frame that leaves is looked at: its
 * lengths, and its checksums down to the innermost, must be right.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/packet/parse.h"
#include "nf/lanes/lanes_bed_int.h"
#include "nf/lb/control_int.h"

#define LB_OUT 2048u

struct lb_frame {
	uint8_t bytes[BED_FRAME_MAX];
	unsigned len, port;
};

struct lb_bed {
	struct bed *b;
	struct lb_frame *out; /* what left with the last lb_run */
	unsigned out_count;
};

/* With reverse-path filters on `a` and `b`. */
extern bool lb_strict;
/* `services` is the text below `lb:`; the table has room for 1,024 connections. */
void lb_open(struct lb_bed *, const char *services);
/* Services of mode nat; and two of a mode with a tunnel, over IPv4 and IPv6. */
extern const char lb_nat4[];
const char *lb_tunnels(const char *mode);
void lb_change(struct lb_bed *, const char *services);
void lb_close(struct lb_bed *);
struct mr_lb *lb_of(const struct lb_bed *, unsigned plane);

/* What is sent, in words: "10.0.0.5" to "203.0.113.80". */
struct lb_talk {
	const char *src, *dst;
	uint16_t sport, dport;
};
/* TCP with these flags; UDP where `flags` is LB_UDP. */
#define LB_UDP 0x100u
struct lb_frame *lb_packet(const struct lb_bed *, struct lb_frame *, unsigned port,
    const struct lb_talk *, unsigned flags, unsigned payload);
/* An echo request. */
struct lb_frame *lb_echo(const struct lb_bed *, struct lb_frame *, unsigned port,
    const struct lb_talk *);
/* An ICMP error from `by` about a frame, to that one's source. */
struct lb_frame *lb_error(const struct lb_bed *, struct lb_frame *, unsigned port, const char *by,
    const struct lb_frame *quoted, uint8_t type, uint8_t code);
/* A piece of it: bytes of layer 4 from `offset` on. */
struct lb_frame *lb_cut(struct lb_frame *, const struct lb_frame *whole, unsigned offset,
    unsigned len, uint32_t id);
void lb_give(struct lb_bed *, unsigned port, const struct lb_frame *);
void lb_run(struct lb_bed *);
/* One alone; what left for it, or null. */
const struct lb_frame *lb_one(struct lb_bed *, unsigned port, const struct lb_frame *);
/* The same of TCP: makes it, sends it. */
const struct lb_frame *lb_send(struct lb_bed *, unsigned port, const struct lb_talk *,
    unsigned flags);

/* "b 10.0.0.5:1000 > 10.1.0.11:8080", of the innermost where there are tunnels, which stand in
 * front: "b 10.1.0.1 > 10.1.0.11 | 10.0.0.5:1000 > 203.0.113.80:80"; "-": nothing. */
const char *lb_print(const struct lb_frame *, char text[256]);
#define lb_expect(f, want) \
	do { \
		char lb_text[256]; \
		assert_string_equal(lb_print(f, lb_text), want); \
	} while (0)

uint64_t lb_drops_of(const struct lb_bed *, const char *node, const char *reason);
uint64_t lb_count_of(const struct lb_bed *, const char *node, const char *counter);
/* What a configuration is told to be wrong; "": nothing. */
void lb_wrong(const char *config, char *text, size_t size);

#endif

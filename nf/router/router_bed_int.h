/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ROUTER_ROUTER_BED_INT_H
#define MR_NF_ROUTER_ROUTER_BED_INT_H

/*
 * A whole data plane with a router for tests that attack it: what its ports receive is given to
 * them by the test, what they send is looked at before it is gone, and their links go up and down
 * as the test says. Every frame sent must be well formed: see look() in router_bed.c.
 *
 * Whatever is not as it should be ends the program with a line on standard error, so that fuzz
 * targets and tests can share this.
 *
 * Threads: bed_give and bed_link may be called beside running workers.
 */

#include "nf/interface/interface.h"
#include "nf/router/router_int.h"

#define BED_PORTS 3u
#define BED_QUEUE 256u /* frames that wait at a port */
#define BED_FRAME_MAX 9000u

/* How a frame came in that must leave one hop older, if it leaves. */
struct bed_mark {
	uint8_t version, hops, proto;
	uint16_t id;
	uint8_t addresses[32];
	bool sum_good; /* of layer 4 */
};

/* One that left. */
struct bed_frame {
	unsigned port, len;
	uint8_t bytes[2048];
};
#define BED_KEPT 256u

struct bed_port {
	struct mr_port_driver driver; /* the null port's, but for what the bed does itself */
	struct bed *bed;
	struct mr_port *port;
	_Atomic int link;
	_Atomic uint32_t given, taken; /* positions in the ring: one test thread, one worker */
	uint32_t waiting[BED_QUEUE];
	/* Makes packets beside what was given, on the worker's thread; may be null. */
	unsigned (
	    *source)(struct bed_port *, unsigned queue, unsigned worker, uint32_t *, unsigned);
	uint64_t random;         /* the source's own */
	_Atomic uint64_t frames; /* looked at and found well formed */
};

struct bed {
	struct mr_model *model;
	struct mr_log log;
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_buffers *buffers;
	struct router *router;
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct bed_port ports[BED_PORTS]; /* "a", "b", "c" */
	bool strict; /* frames sent must have an Ethernet source of ours; not while it changes */
	uint32_t marks;
	struct bed_mark mark[256];
	uint32_t seconds;
	/* What left lately, when `frames` is there (one worker, and no threads). */
	struct bed_frame *frames; /* [BED_KEPT] */
	unsigned frame_count;
};

__attribute__((noreturn)) void bed_fail(const char *fmt, ...) mr_printf(1, 2);
#define bed_must(what) \
	do { \
		if (!(what)) \
			bed_fail("%s:%d: not %s", __FILE__, __LINE__, #what); \
	} while (0)

/* A parsed configuration: `text` behind the ports'. Ends the program when it is wrong. */
struct mr_config *bed_config(struct bed *, const char *text);

void bed_open(struct bed *, const struct mr_config *);
void bed_apply(struct bed *, const struct mr_config *);
void bed_close(struct bed *); /* configurations are the caller's; another bed_open may follow */
void bed_free(struct bed *);

/* A packet from bytes; `split` above 0 puts so many into a first segment of its own.
 * MR_PACKET_NONE without buffers. */
uint32_t bed_packet(struct bed *, unsigned worker, const uint8_t *bytes, unsigned len,
    unsigned split);
/* It arrives on a port with the next pass; freed when too many wait there. */
void bed_give(struct bed *, unsigned port, uint32_t packet);
void bed_link(struct bed *, unsigned port, bool up);
/* Passes of worker 0 until nothing moves. */
void bed_run(struct bed *);
/* The control thread looks after what is due. */
void bed_tick(struct bed *);

/* How many packets this node dropped for this reason. */
uint64_t bed_drops(const struct bed *, const char *node, const char *reason);

/* received + created = sent + dropped + held + merged, and no node left a packet undecided. */
void bed_balance(const struct bed *);

/* Writes 12 bytes into a packet's end by which look() knows how its IP header was when it came.
 * `sum_good`: and that the checksum of layer 4 (made after this) is right. */
#define BED_STAMP 12u
void bed_stamp(struct bed *, const uint8_t *ip, uint8_t *at, bool sum_good);

/* Checksums: of an IPv4 header, and of `len` bytes of TCP, UDP, ICMP or ICMPv6. */
void bed_sum4(uint8_t *ip);
void bed_sum(uint8_t *ip, uint8_t *l4, unsigned len, unsigned proto);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_ICMP_TEST_INT_H
#define MR_NF_ICMP_ICMP_TEST_INT_H

/*
 * For the tests and fuzz targets of nf/icmp (icmp_test_bed.c): the nodes in a graph with real IP
 * tables, whose edges all end in a node that remembers what came, and three ports that do, too.
 *
 *   if 1  port 0          10.0.0.1/24   2001:db8:0::1/64  fe80::1  MTU 1500
 *   if 2  port 1          10.0.1.1/24   2001:db8:1::1/64  fe80::2  MTU 600, clamp, no unreachables
 *   if 3  port 2 VLAN 7   nothing of its own
 *
 * Hosts .2 to .9 (::2 to ::9) of the subnets are resolved neighbours; 192.0.2.0/24 and 2001:db8:2::/48
 * lie behind 10.0.1.2 and fe80::22 on if 2, 198.51.100.0/24 and 2001:db8:3::/48 behind 10.0.0.2 and
 * fe80::12 on if 1.
 *
 * Without cmocka: what must not fail calls bed_fail, so that fuzz targets can use it.
 */

#include "kit/graph/graph.h"
#include "kit/port/port.h"
#include "nf/icmp/icmp_int.h"
#include "nf/icmp/options_int.h"
#include "nf/ip/adjacency.h"
#include "nf/ip/group.h"

#define BED_PORTS 3u
#define BED_OUT_MAX 600u
#define BED_BYTES 70000u
#define BED_BUFFERS 8192u

#define BED_MAC(i) \
	{ \
		2, 0, 0, 0, 0, (uint8_t)(0x10 + (i)) \
	}

/* Where something went: an edge's number, or a port's. */
#define BED_PORT 100

struct bed_out {
	int where;
	unsigned len;
	struct mr_ip_meta meta;
	uint32_t context;
	uint16_t flags;
	uint8_t *bytes;
};

struct bed_sink {
	struct mr_port port;
	struct bed *bed;
};

enum bed_node {
	BED_ERROR,
	BED_ECHO,
	BED_OPTIONS,
	BED_FRAGMENT,
	BED_MSS,
	BED_REDIRECT,
	BED_REASSEMBLY,
	BED_NODES,
};

struct bed_catch {
	struct bed *bed;
	int where;
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip *ip;
	struct icmp_state *icmp;
	struct bed_sink *sinks[BED_PORTS];
	uint16_t vrf, interface[BED_PORTS + 1]; /* [1] to [3] */
	uint16_t nodes[BED_NODES];
	struct bed_catch catches[BED_NODES][MR_IP_EDGES];
	struct bed_out out[BED_OUT_MAX];
	unsigned count;
	uint8_t *arena; /* of the outs' bytes */
	size_t used;
	uint32_t groups[64], group_count;
	struct mr_error error;
};

void bed_fail(const char *what) __attribute__((noreturn));
void bed_open(struct bed *);
/* Everything accounted for and no buffer lost; false otherwise. */
bool bed_close(struct bed *);
/* One that stays open until the process ends, for fuzz targets. */
struct bed *bed_forever(void);
/* Settings of the VRF without limits. */
struct icmp_settings bed_free(void);

/* What the packet comes with. */
struct bed_in {
	unsigned interface; /* 1 to 3, 0: made here */
	unsigned l3;        /* 14 by default */
	uint8_t type, code, flags;
	uint32_t data;
	uint16_t mtu;
	uint32_t adjacency;
	uint16_t packet_flags, csum_start, csum_offset, gso_size;
	unsigned split; /* first segment's bytes; 0: as few segments as can be */
};
/* Through one node; fills b->out anew. */
void bed_run(struct bed *, enum bed_node, const struct bed_in *, const void *bytes, unsigned len);
/* Several at once, from the same place. */
void bed_add(struct bed *, enum bed_node, const struct bed_in *, const void *bytes, unsigned len);
void bed_clear(struct bed *);
/* Lets a node's time go on, as a worker does each second. */
void bed_pass_seconds(struct bed *, unsigned seconds);
/* The same in one step. */
void bed_skip_seconds(struct bed *, unsigned seconds);
/* Packets that a node holds. */
uint64_t bed_held(struct bed *, enum bed_node);
uint64_t bed_drops(struct bed *, enum bed_node, const char *reason);
uint64_t bed_count(struct bed *, enum icmp_count);
/* The adjacency towards an address. */
uint32_t bed_route4(struct bed *, uint32_t address);
uint32_t bed_route6(struct bed *, const uint8_t *address);

/* -- making packets, the slow way ------------------------------------------------------ */

struct made {
	unsigned len;
	uint8_t bytes[BED_BYTES];
};

#define IP4(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

uint16_t slow_sum(const uint8_t *bytes, unsigned len, uint32_t start);
uint16_t slow_sum6(const uint8_t *ip6, unsigned proto, const uint8_t *l4, unsigned len);
/* Ethernet from station 0x42 to us, and an IPv4 header with these options; the payload follows. */
void make_ip4(struct made *, uint32_t src, uint32_t dst, unsigned proto, const void *options,
    unsigned options_len, const void *payload, unsigned len);
void make_ip6(struct made *, const uint8_t *src, const uint8_t *dst, unsigned next,
    const void *payload, unsigned len);
/* Rewrites the header's checksum (IPv4 at 14) after a change. */
void fix_ip4(struct made *);

#endif

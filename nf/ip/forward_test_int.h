/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_FORWARD_TEST_INT_H
#define MR_NF_IP_FORWARD_TEST_INT_H

/* The forwarding nodes between ports and edges that remember (forward_test_bed.c), and a slow router
 * that has the same routes (forward_test_model.c). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "kit/port/port.h"
#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "nf/ip/drop.h"
#include "nf/ip/group.h"
#include "nf/ip/ip_int.h"

#define PORTS 4u
#define FRAME 1700u
#define MTU_SMALL 600u

struct sink {
	struct mr_port port;
	uint8_t last[FRAME];
	unsigned len, count;
};

struct edge {
	unsigned count;
	struct mr_ip_meta meta;
	uint32_t context;
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip *ip;
	struct sink *sinks[PORTS];
	struct edge edges[MR_IP_EDGES];
	uint16_t interface[PORTS + 1]; /* of the ports; the last is VLAN 7 of port 0 */
	uint16_t vrf;
	struct mr_error error;
};

/* Routes that the slow router and the tables both have. */
struct route {
	uint8_t family, len;
	uint8_t prefix[16];
	uint32_t group;
	uint8_t mac[6]; /* of the next hop, where there is one */
	int port;       /* -1: a fixed decision or nothing resolved */
};

extern struct route routes[32];
extern unsigned route_count;
extern const uint8_t our_mac[PORTS][6];

struct frame {
	unsigned len, port;
	uint8_t bytes[FRAME];
};

enum fate { SENT, LEFT, DROPPED };

struct outcome {
	enum fate fate;
	unsigned number; /* port, edge, or reason */
	unsigned type, code;
	struct frame frame;
};

void bed_open(struct bed *);
void bed_close(struct bed *);
struct outcome slow_router(const struct frame *);

#endif

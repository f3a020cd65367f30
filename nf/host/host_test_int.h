/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_HOST_HOST_TEST_INT_H
#define MR_NF_HOST_HOST_TEST_INT_H

/*
 * For the tests of ip-local and host-input: both nodes in a real graph whose ports remember
 * what they were given.
 *
 *   interface 1   port 0, twin port 1      interface 3   VLAN 7 of port 0, twin port 2
 *   interface 2   port 0, no twin          interface 4   another VRF, twin port 1
 *   the edges of ip-local lead to ports 3, 4 and 5
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/port/port.h"
#include "nf/host/host.h"

#define OUT_MAX 4096u
#define FRAME_MAX 256u

enum { WIRE, TWIN, TWIN_VLAN, ND, ECHO, REASSEMBLY, PORTS };
enum { PLAIN = 1, TWINLESS, VLAN, OTHER_VRF };

struct frame {
	unsigned len;
	uint8_t bytes[FRAME_MAX];
};

struct sink {
	struct mr_port port;
	struct frame *frames;
	unsigned count;
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip ip;
	struct mr_host *host;
	struct mr_host_policy *policies[2];
	struct sink *sinks[PORTS];
	uint16_t to[MR_HOST_EDGES];
	uint16_t local, input;
	struct mr_error error;
};

struct bed *bed_open(void);
void bed_close(struct bed *b);
void inject(struct bed *b, uint16_t node, unsigned port, unsigned interface,
    const struct frame *frames, unsigned count);
uint64_t drops(struct bed *b, uint16_t node, unsigned reason);
/* Of the first VRF. */
struct mr_host_counts counts(struct bed *b, unsigned class);

struct packet {
	const char *src, *dst; /* with a colon: IPv6 */
	uint8_t proto;
	uint16_t src_port, dst_port; /* ICMP: the type in src_port */
	uint8_t flags;               /* TCP's */
	bool options;                /* router alert, or hop-by-hop options */
	uint16_t fragment;           /* offset in units of 8, 0x2000: more */
};

struct frame make_frame(const struct packet *p, unsigned vlan);

#define TCP4(s, d, f) \
	{ \
		"10.0.0.2", "10.0.0.1", MR_IP_PROTO_TCP, s, d, f, false, 0 \
	}
#define TCP6(s, d, f) \
	{ \
		"2001:db8::2", "2001:db8::1", MR_IP_PROTO_TCP, s, d, f, false, 0 \
	}
#define UDP4(s, d) \
	{ \
		"10.0.0.2", "10.0.0.1", MR_IP_PROTO_UDP, s, d, 0, false, 0 \
	}
#define UDP6(s, d) \
	{ \
		"2001:db8::2", "2001:db8::1", MR_IP_PROTO_UDP, s, d, 0, false, 0 \
	}
#define IP4(dst, proto, type) \
	{ \
		"10.0.0.2", dst, proto, type, 0, 0, false, 0 \
	}
#define IP6(dst, proto, type) \
	{ \
		"fe80::2", dst, proto, type, 0, 0, false, 0 \
	}

#endif

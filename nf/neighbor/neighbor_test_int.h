/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_NEIGHBOR_TEST_INT_H
#define MR_NF_NEIGHBOR_NEIGHBOR_TEST_INT_H

/*
 * A router of three interfaces with real tables and nodes, and a clock of the test's own:
 *
 *	lan   port 0, index 1, 192.0.2.1/24, 2001:db8::1/64, fe80::1, twin port 2
 *	wan   port 1, index 2, 198.51.100.1/24, 2001:db8:1::1/64, fe80::2
 *	v10   port 0, VLAN 10, index 3, 203.0.113.1/24
 *
 * Without duplicate detection unless a test turns it on. What leaves a port is kept.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nf/neighbor/neighbor_int.h"

#define LAN 1
#define WAN 2
#define V10 3
#define LAN_PORT 0
#define WAN_PORT 1
#define TWIN_PORT 2
#define CHANNEL_PORT 3
#define PORTS 3
#define OUT_MAX 4096u
#define FRAME_MAX 1600

struct frame {
	unsigned len;
	uint16_t from; /* the port where it came in */
	uint8_t bytes[FRAME_MAX];
};

struct sink {
	struct mr_port port;
	unsigned count;
	struct frame *frames;
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct neighbors *n;
	struct sink *sinks[PORTS];
	struct mr_port *extra[2]; /* closed with the bed */
	uint16_t arp, nd, resolve, output, vrf;
	uint64_t now;
	struct mr_error error;
	struct neighbor_settings settings;
	struct neighbor_interface_settings own;
};

void bed_open(struct bed *);
/* Without ports; they come before bed_nodes. */
void bed_open_workers(struct bed *, uint16_t workers);
void bed_nodes(struct bed *);
void bed_close(struct bed *);
/* Lets time pass in steps as a router would: passes of the worker and ticks. */
void bed_wait(struct bed *, uint32_t ms);
void bed_set(struct bed *, uint16_t interface); /* settings and own of the bed */
void bed_route(struct bed *, const char *prefix, const char *via, uint16_t interface);
void bed_link(struct bed *, uint16_t interface, bool up);
void bed_clear(struct bed *); /* forgets what left */

/* A frame into ip-input by a port; or into a node with the interface as context. */
void bed_inject(struct bed *, unsigned port, const uint8_t *frame, unsigned len);
void bed_inject_nd(struct bed *, uint16_t interface, const uint8_t *frame, unsigned len);
uint64_t bed_drops(struct bed *, uint16_t node, unsigned reason);
uint64_t bed_counter(struct bed *, uint16_t node, unsigned counter);
uint64_t bed_unanswered(struct bed *); /* packets that reached the ICMP edge */

/* Frames. Texts are addresses; a station's MAC is 02:00:00:00:00:NN. */
void station(uint8_t mac[6], unsigned n);
unsigned make_arp(uint8_t *frame, unsigned vlan, unsigned op, unsigned from, const char *sender,
    const uint8_t *target_mac, const char *target, bool broadcast);
unsigned make_ns(uint8_t *frame, unsigned from, const char *source, const char *target,
    bool with_mac);
unsigned make_na(uint8_t *frame, unsigned from, const char *source, const char *to,
    const char *target, uint32_t flags);
unsigned make_ip(uint8_t *frame, const uint8_t *dst_mac, const char *source, const char *target,
    unsigned mark);
void address(const char *text, uint8_t bytes[16]);
struct neighbor *entry(struct bed *, uint16_t interface, const char *text);

#endif

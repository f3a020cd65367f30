/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_BRIDGE_BRIDGE_TEST_INT_H
#define MR_NF_BRIDGE_BRIDGE_TEST_INT_H

/*
 * For the bridge's tests: a graph with one bridge and ports that remember what they
 * were sent (bridge_test_bed.c), and a slow, obvious switch to compare with
 * (bridge_test_model.c).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kit/graph/graph.h"
#include "kit/graph/probe.h"
#include "kit/port/port.h"
#include "nf/bridge/bridge.h"

#define PORTS_MAX 70u
#define FRAME_MAX 400u
#define OUT_MAX 40000u
#define BUFFERS 65536u

struct frame {
	unsigned len;
	uint8_t bytes[FRAME_MAX];
};

struct sink {
	struct mr_port port;
	struct frame *frames; /* the bed's */
	unsigned count;
	uint64_t seed; /* for drivers that make frames */
	_Atomic bool quiet;
};

struct bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_bridge *bridge;
	struct sink *sinks[PORTS_MAX];
	bool up[PORTS_MAX];
	unsigned ports;
	uint16_t workers;
	uint16_t node;
	struct mr_error error;
};

void set_up(struct bed *b, unsigned port, bool up);
void bed_open(struct bed *b, unsigned ports);
/* With ports of another driver, whose structure is a sink. */
void bed_open_with(struct bed *b, unsigned ports, uint16_t workers,
    const struct mr_port_driver *driver);
void bed_close(struct bed *b);
uint32_t clock_seconds(void);
void configure(struct bed *b, const struct mr_bridge_config *config);
void inject(struct bed *b, const struct frame *frames, const uint16_t *ports, const uint16_t *flags,
    unsigned count);
uint64_t node_drops(struct bed *b, unsigned reason);
uint64_t node_counter(struct bed *b, unsigned counter);

struct station {
	uint8_t mac[6];
	unsigned vlan;
	unsigned port;
	bool fixed, drop;
};

struct switch_model {
	struct mr_bridge_config config;
	struct mr_bridge_port ports[PORTS_MAX];
	struct mr_bridge_static statics[8];
	struct station stations[4096];
	unsigned station_count;
	bool vlans;
	uint64_t drops[MR_BRIDGE_DROP_COUNT];
	uint64_t counters[MR_BRIDGE_COUNT_COUNT];
	struct frame *out[PORTS_MAX];
	unsigned out_count[PORTS_MAX];
};

const struct mr_bridge_port *model_port(const struct switch_model *m, unsigned port);
struct station *look_up(struct switch_model *m, const uint8_t *mac, unsigned vlan);
void model_vector(struct switch_model *m, struct bed *b, const struct frame *frames,
    const uint16_t *ports, const uint16_t *flags, unsigned count);
void model_configure(struct switch_model *m, const struct switch_model *old);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_SFLOW_SFLOW_INT_H
#define MR_CONTROL_SFLOW_SFLOW_INT_H

/* What the files of this service share. */

#include <sys/socket.h>

#include "control/service.h"
#include "control/sflow/datagram.h"
#include "kit/graph/probe.h"

#define SFLOW_COLLECTORS_MAX 16u
#define SFLOW_NAME_MAX 64u

struct sflow_conf {
	char name[SFLOW_NAME_MAX];
	struct sockaddr_storage to;
	socklen_t to_size;
};

struct sflow_settings {
	struct sflow_conf collectors[SFLOW_COLLECTORS_MAX];
	unsigned collector_count;
	struct sockaddr_storage agent; /* of the family 0: not said */
	uint32_t sub_agent, rate, polling, limit;
	uint16_t header;
	struct {
		char name[MR_PORT_NAME_MAX];
		uint32_t rate;
	} own[MR_PORT_MAX];
	unsigned own_count;
};

struct sflow_collector {
	char name[SFLOW_NAME_MAX];
	int fd;
	uint64_t sent, lost;
	char error[120];
};

struct sflow_port {
	uint32_t samples; /* flow samples, as their sequence number counts them */
	uint64_t told;    /* counter samples */
};

struct sflow {
	struct mr_control *control;
	struct mr_dataplane *dp;
	struct event *read;
	struct mr_probe *probe; /* null: nothing is sampled */
	uint32_t rates[MR_PORT_MAX];
	uint16_t header; /* of the probe */
	uint64_t boot;   /* milliseconds, monotonic */
	uint32_t sequence, polled;
	struct sflow_settings now, next;
	struct sflow_collector collectors[SFLOW_COLLECTORS_MAX];
	unsigned collector_count;
	struct sflow_port ports[MR_PORT_MAX];
	struct datagram datagram;
};

/* conf.c */
void sflow_read(struct sflow_settings *, const struct mr_config *);
void sflow_check(void *state, const struct mr_config *, struct mr_report *);
/* One in so many of this interface; 0: none. */
uint32_t sflow_rate(const struct sflow_settings *, const char *interface);

/* show.c */
void sflow_show(void *state, struct mr_state *);

#endif

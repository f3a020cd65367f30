/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_ACL_TEST_INT_H
#define MR_NF_ACL_ACL_TEST_INT_H

/*
 * For the tests of lists: a data plane with null ports, whose acl-in and acl-out nodes are given
 * packets and lead to nodes that remember what comes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/acl/acl_int.h"
#include "nf/dataplane.h"

struct frame {
	unsigned len;
	uint8_t bytes[1600];
};

/* What a packet is; 0: not said. */
struct packet {
	unsigned family;   /* 4, 6; others: the ethertype */
	uint32_t src, dst; /* IPv4, host order; of IPv6 the last 32 bits behind 2001:db8:: */
	unsigned proto, sport, dport, tcp_flags;
	unsigned type, code; /* ICMP */
	unsigned dscp, vlan, payload;
	unsigned fragment; /* 2: first, 3: another one */
	unsigned ttl;      /* 0: 64 */
	uint8_t mac;       /* last byte of 02:00:00:00:00:xx */
	uint32_t seq, ack;
};
void make_frame(struct frame *, const struct packet *);

enum outcome { DROPPED, PASSED, ANSWERED };

struct acl_bed {
	struct mr_dataplane *dp;
	struct mr_graph *graph;
	struct mr_config *config;
	struct acl *acl;
	struct mr_log log;
	char said[8192]; /* the log */
	uint16_t sink, back;
	/* Of the last vector, by the packets' places. */
	enum outcome outcome[MR_VECTOR_MAX];
	uint32_t mark[MR_VECTOR_MAX];
	struct frame answer; /* the last one */
	unsigned answers;
};

int make_model(void **state);
int free_model(void **state);
/* The first thing that is wrong with it, "" when nothing is. *config may be null. */
void load(const char *yaml, struct mr_config **config, char *said, size_t size);

/* Stands in front of the text, and nothing is made to lead elsewhere; null: interfaces a, b and c. */
void bed_interfaces(const char *text);
/* Interfaces a, b and c stand in front of the text. */
void bed_open(struct acl_bed *, const char *yaml);
void bed_apply(struct acl_bed *, const char *yaml);
/* False: it was refused; nothing changed. */
bool bed_try(struct acl_bed *, const char *yaml);
void bed_close(struct acl_bed *);
uint16_t node_of(const struct acl_bed *, const char *name);
/* Through "acl-in@a" or the like. `tracks`: the packets' track words, or null. */
void bed_run(struct acl_bed *, const char *node, const struct frame *, const uint32_t *tracks,
    unsigned count);
enum outcome bed_one(struct acl_bed *, const char *node, const struct packet *);
uint64_t bed_drops(const struct acl_bed *, const char *node, enum acl_drop);
char *bed_show(const struct acl_bed *);
/* A rule's packets. */
uint64_t rule_packets(const struct acl_bed *, const char *list, const char *rule);

#endif

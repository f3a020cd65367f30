/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_IP_INT_H
#define MR_NF_IP_IP_INT_H

/* What the files of nf/ip share beside ip.h: control's side of the tables. */

#include "kit/base/hash.h"
#include "nf/ip/adjacency.h"

/* Adjacencies in their order: the special ones, one per interface and family for
 * its connected subnets, then next hops. */
#define IP_HOP_FIRST mr_ip_glean_index(MR_IP_INTERFACES_MAX, MR_IP4)

struct ip_stack {
	uint32_t *items;
	uint32_t count, room;
};

struct mr_ip_control {
	struct mr_adjacency_info *adjacencies; /* [MR_IP_ADJACENCIES_MAX] */
	uint32_t adjacency_end;                /* above the largest index ever used */
	struct ip_stack free;                  /* indices to use again */
	struct ip_stack retired; /* that a worker may still hold: free after a grace period */
	uint32_t *hash;          /* open addressing: a next hop's adjacency; 0: free place */
	uint32_t hash_mask, hash_used;
	struct mr_hash_key key;
	uint64_t grace;                /* grace periods that we waited for */
	uint16_t sink;                 /* the node where edges end that nobody attached */
	uint16_t targets[MR_IP_EDGES]; /* where each edge leads */
	uint16_t linked[32];           /* nodes of other parts that have these edges, too */
	unsigned linked_count;
};

/* An array of `count` elements of zeroes at a fixed address, whose memory is taken page by
 * page as it is written. Null without address space. */
void *mr_ip_reserve(size_t count, size_t size);
void mr_ip_release(void *array, size_t count, size_t size);

int mr_ip_adjacencies_create(struct mr_ip *, struct mr_error *);
void mr_ip_adjacencies_destroy(struct mr_ip *);

extern const struct mr_node_class mr_ip_input_class, mr_ip4_forward_class, mr_ip6_forward_class,
    mr_ip_output_class, mr_ip_sink_class;

#endif

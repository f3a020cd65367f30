/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what this part's nodes record, and what is known of a next hop's neighbour. */
#include <stdio.h>
#include <string.h>

#include "nf/ip/describe.h"
#include "nf/neighbor/part_int.h"

/* Behind a next hop: what the table knows of it. */
static void
add_state(const struct neighbors *n, uint32_t index, char *text, size_t size)
{
	const struct mr_adjacency_info *info = mr_adjacency_info(n->ip, index);
	const struct neighbor *e;
	size_t used = strlen(text);

	e = neighbor_find(n, info->interface, info->family, info->address);
	if (e && used < size)
		snprintf(text + used, size - used, " (%s)",
		    neighbor_state_name((enum neighbor_state)e->machine.state));
}

static bool
is_hop(const struct mr_ip *ip, uint64_t index)
{
	return index >= MR_IP_SPECIALS && index < MR_IP_ADJACENCIES_MAX &&
	    mr_adjacency_info(ip, (uint32_t)index)->references > 0 &&
	    !mr_adjacency_info(ip, (uint32_t)index)->glean;
}

static void
describe_arp(const struct mr_op *op, char *text, size_t size)
{
	uint8_t bytes[4];
	char address[64];

	mr_store_be32(bytes, (uint32_t)op->a);
	snprintf(text, size, "%s %s", op->text,
	    neighbor_text(address, sizeof(address), MR_IP4, bytes));
}

bool
neighbor_describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	static const char waits[] = "waits for the Ethernet address of ";
	const struct neighbor_part *p = state;
	const struct neighbors *n = p->neighbors;
	char hop[192];

	if (!n || op->kind != MR_OP_NOTE || !op->text)
		return false;
	if (strncmp(op->text, "ARP re", 6) == 0) {
		describe_arp(op, text, size);
		return true;
	}
	if (strcmp(op->text, "adjacency") == 0 && is_hop(n->ip, op->a)) {
		if (!mr_ip_describe(n->ip, op, text, size))
			return false;
		add_state(n, (uint32_t)op->a, text, size);
		return true;
	}
	if (strncmp(op->text, waits, sizeof(waits) - 1) == 0) {
		mr_adjacency_describe(n->ip, (uint32_t)op->a, hop, sizeof(hop));
		if (is_hop(n->ip, op->a))
			add_state(n, (uint32_t)op->a, hop, sizeof(hop));
		snprintf(text, size, "%sits next hop: %s", waits, hop);
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "nf/nat/nat_int.h"

static const char *
proto_name(uint8_t proto)
{
	switch (proto) {
	case MR_IP_PROTO_TCP:
		return "tcp";
	case MR_IP_PROTO_UDP:
		return "udp";
	case MR_IP_PROTO_ICMP:
		return "icmp";
	default:
		return "all";
	}
}

size_t
nat_mapping_print(const struct nat_table *t, uint32_t number, char *text, size_t size)
{
	const struct nat_entry *e = &t->entries[number];
	uint64_t inside = atomic_load_explicit(&e->inside, memory_order_relaxed);
	uint64_t outside = atomic_load_explicit(&e->outside, memory_order_relaxed);
	be32_t a = NAT_ADDRESS(inside), b = NAT_ADDRESS(outside);
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a, from, sizeof(from));
	inet_ntop(AF_INET, &b, to, sizeof(to));
	if (!NAT_PROTO_OF(inside))
		return (size_t)snprintf(text, size, "%s as %s", from, to);
	return (size_t)snprintf(text, size, "%s %s:%u as %s:%u", proto_name(NAT_PROTO_OF(inside)),
	    from, mr_be16(NAT_PORT_OF(inside)), to, mr_be16(NAT_PORT_OF(outside)));
}

bool
nat_describe(const struct nat_core *core, const struct mr_op *op, char *text, size_t size)
{
	char name[96];
	uint32_t word;

	if (op->kind != MR_OP_NOTE || !op->text || strncmp(op->text, "nat ", 4) != 0)
		return false;
	if (strcmp(op->text, NAT_NOTE_NEW) == 0) {
		snprintf(text, size, "no mapping yet: a packet would make one");
		return true;
	}
	if (!core || op->a > core->table->max * 2ull)
		return false;
	word = atomic_load_explicit(&core->table->entries[op->a].word, memory_order_acquire);
	if (!(word & NAT_LIVE)) {
		snprintf(text, size, "a mapping that is over");
		return true;
	}
	nat_mapping_print(core->table, (uint32_t)op->a, name, sizeof(name));
	snprintf(text, size, "mapping %s, %s", name, op->text + 4);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/ip/describe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "nf/ip/group.h"

static const char *const specials[MR_IP_SPECIALS] = {
	[MR_IP_SPECIAL_NONE] = "no route",
	[MR_IP_SPECIAL_LOCAL] = "an address of this router",
	[MR_IP_SPECIAL_BLACKHOLE] = "blackhole",
	[MR_IP_SPECIAL_UNREACHABLE] = "unreachable",
	[MR_IP_SPECIAL_PROHIBIT] = "prohibited",
	[MR_IP_SPECIAL_MARTIAN] = "an address that no packet on a wire may have",
	[MR_IP_SPECIAL_MULTICAST] = "multicast",
	[MR_IP_SPECIAL_LINK_LOCAL] = "link-local, not forwarded",
	[MR_IP_SPECIAL_BROADCAST] = "a subnet's broadcast address",
};

static const char *
address_text(char text[INET6_ADDRSTRLEN], unsigned family, const uint8_t *bytes)
{
	return inet_ntop(family == MR_IP6 ? AF_INET6 : AF_INET, bytes, text, INET6_ADDRSTRLEN)
	    ? text
	    : "?";
}

void
mr_adjacency_describe(const struct mr_ip *ip, uint32_t index, char *text, size_t size)
{
	const struct mr_adjacency *line;
	const struct mr_adjacency_info *info;
	char address[INET6_ADDRSTRLEN];
	const uint8_t *mac;
	uint64_t control;
	const char *name;

	if (index >= MR_IP_ADJACENCIES_MAX) {
		snprintf(text, size, "next hop %u, which is none", index);
		return;
	}
	if (index < MR_IP_SPECIALS) {
		snprintf(text, size, "%s", specials[index]);
		return;
	}
	line = &ip->adjacencies[index];
	info = mr_adjacency_info(ip, index);
	name = ip->info[info->interface % MR_IP_INTERFACES_MAX].name;
	if (info->glean) {
		snprintf(text, size, "on the subnet of %s, not resolved", name);
		return;
	}
	/* Relaxed: the control thread wrote it. */
	control = atomic_load_explicit(&line->control, memory_order_relaxed);
	mac = line->rewrite[MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND] +
	    MR_ADJACENCY_REWRITE_MAX - MR_ADJACENCY_LEN(control);
	address_text(address, info->family, info->address);
	if (info->complete)
		snprintf(text, size, "via %s on %s, %02x:%02x:%02x:%02x:%02x:%02x", address, name,
		    mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	else
		snprintf(text, size, "via %s on %s, not resolved", address, name);
}

static void
describe_group(const struct mr_ip *ip, uint32_t group, char *text, size_t size)
{
	struct mr_group_member one = { 0 };
	unsigned count = mr_group_members(ip, group, &one, 1);

	if (count == 1)
		mr_adjacency_describe(ip, one.adjacency, text, size);
	else
		snprintf(text, size, "%u next hops, of which the flow's hash chooses", count);
}

static void
describe_route(const struct mr_ip *ip, const struct mr_op *op, unsigned family, char *text,
    size_t size)
{
	char address[INET6_ADDRSTRLEN], to[128];
	const char *version = family == MR_IP4 ? "IPv4" : "IPv6";

	if (op->arg == MR_IP_SPECIAL_NONE) {
		snprintf(text, size, "no %s route matches", version);
		return;
	}
	describe_group(ip, op->arg, to, sizeof(to));
	snprintf(text, size, "%s route %s/%u: %s", version,
	    address_text(address, family, op->bytes), op->len, to);
}

static void
describe_interface(const struct mr_ip *ip, uint64_t index, char *text, size_t size)
{
	unsigned vrf;

	if (index >= ip->interface_end || !ip->info[index].name[0]) {
		snprintf(text, size, index ? "on an interface that is gone" : "made here");
		return;
	}
	vrf = mr_ip_vrf(&ip->interfaces[index]);
	snprintf(text, size, "on interface %s of router %s", ip->info[index].name,
	    vrf < ip->vrf_end ? ip->vrfs[vrf].name : "?");
}

bool
mr_ip_describe(const struct mr_ip *ip, const struct mr_op *op, char *text, size_t size)
{
	if (!op->text)
		return false;
	if (op->kind == MR_OP_MATCH) {
		if (strcmp(op->text, "fib4") == 0)
			describe_route(ip, op, MR_IP4, text, size);
		else if (strcmp(op->text, "fib6") == 0)
			describe_route(ip, op, MR_IP6, text, size);
		else
			return false;
		return true;
	}
	if (op->kind != MR_OP_NOTE)
		return false;
	if (strcmp(op->text, "interface") == 0) {
		describe_interface(ip, op->a, text, size);
	} else if (strcmp(op->text, "group") == 0) {
		describe_group(ip, (uint32_t)op->a, text, size);
	} else if (strcmp(op->text, "adjacency") == 0) {
		static const char head[] = "next hop: ";

		snprintf(text, size, "%s", head);
		if (size > sizeof(head))
			mr_adjacency_describe(ip, (uint32_t)op->a, text + sizeof(head) - 1,
			    size - sizeof(head) + 1);
	} else {
		return false;
	}
	return true;
}

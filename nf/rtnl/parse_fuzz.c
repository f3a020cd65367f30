/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as rtnetlink messages, and what is read of them into an import whose RIB
 * only remembers.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/rtnl/fake_rib_int.h"
#include "nf/rtnl/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static uint16_t
interface_of(void *user, uint32_t ifindex)
{
	(void)user;
	return ifindex % 3 ? (uint16_t)(ifindex % 7 + 1) : 0;
}

static void
check_hop(const struct mr_rtnl_hop *hop)
{
	must(hop->weight >= 1 && hop->family < MR_IP_FAMILIES);
}

static void
check(const struct mr_rtnl *m)
{
	unsigned bits = m->route.family == MR_IP4 ? 32 : 128;

	if (m->kind == MR_RTNL_ROUTE) {
		must(m->route.family < MR_IP_FAMILIES && m->route.len <= bits);
		must(m->route.hop_count <= MR_RTNL_HOPS_MAX);
		for (unsigned i = m->route.len; i < 128; i++)
			must(!(m->route.prefix[i / 8] & (0x80 >> i % 8)));
		for (unsigned i = 0; i < m->route.hop_count; i++)
			check_hop(&m->hops[i]);
	} else if (m->kind == MR_RTNL_NEXTHOP) {
		must(m->nexthop.member_count <= MR_RTNL_HOPS_MAX);
		for (unsigned i = 0; i < m->nexthop.member_count; i++)
			must(m->members[i].weight >= 1);
		if (!m->nexthop.member_count)
			check_hop(&m->hops[0]);
	} else if (m->kind == MR_RTNL_LINK) {
		must(memchr(m->link.name, 0, sizeof(m->link.name)) != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mr_import_config config = {
		.source = MR_ROUTE_KERNEL,
		.interface = interface_of,
		.single = size & 1,
		.orphans = size & 1,
		.routes_max = 1000,
	};
	struct mr_import_stats stats;
	struct mr_import *im;
	static struct mr_rtnl m;

	must(mr_import_create(&im, &config, NULL) == 0);
	while (size) {
		size_t left = size;

		if (mr_rtnl_next(&data, &size, &m))
			break;
		must(size < left);
		check(&m);
		if (m.kind == MR_RTNL_ROUTE)
			mr_import_route(im, &m);
		else if (m.kind == MR_RTNL_NEXTHOP)
			mr_import_nexthop(im, &m);
		else if (m.kind == MR_RTNL_DONE)
			mr_import_mark(im);
		else if (m.kind == MR_RTNL_ERROR)
			mr_import_sweep(im);
		else
			mr_import_work(im, 2);
	}
	while (mr_import_work(im, 100))
		;
	mr_import_stats(im, &stats);
	must(stats.imported == fake_rib.routes && stats.imported <= stats.routes);
	mr_import_destroy(im);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kit/base/rcu.h"
#include "kit/table/fib4.h"
#include "kit/table/fib6.h"
#include "kit/table/regions.h"
#include "nf/ip/ip_int.h"

uint16_t
mr_ip_vrf_find(const struct mr_ip *ip, const char *name)
{
	for (uint32_t i = 0; i < ip->vrf_end; i++)
		if (strcmp(ip->vrfs[i].name, name) == 0)
			return (uint16_t)i;
	return UINT16_MAX;
}

int
mr_ip_vrf_create(struct mr_ip *ip, const char *name, uint16_t *vrf, struct mr_error *error)
{
	const struct mr_fib4_config four = { 0 };
	const struct mr_fib6_config six = { 0 };
	struct mr_ip_vrf *v;
	uint32_t i;
	int rc;

	for (i = 0; i < ip->vrf_end && ip->vrfs[i].name[0]; i++)
		;
	if (i == MR_IP_VRFS_MAX)
		return mr_error_set(error, -ENOSPC, "more than %u routers", MR_IP_VRFS_MAX);
	v = &ip->vrfs[i];
	rc = mr_fib4_create(&v->fib4, &four, error);
	if (rc)
		return rc;
	rc = mr_fib6_create(&v->fib6, &six, error);
	if (rc) {
		mr_fib4_destroy(v->fib4);
		v->fib4 = NULL;
		return rc;
	}
	for (unsigned f = 0; f < MR_IP_FAMILIES; f++)
		v->regions[f] = mr_ip_reserve(1, sizeof(struct mr_regions));
	if (!v->regions[MR_IP4] || !v->regions[MR_IP6]) {
		mr_ip_vrf_destroy(ip, (uint16_t)i);
		return mr_error_set(error, -ENOMEM, "no memory for the router %s", name);
	}
	snprintf(v->name, sizeof(v->name), "%s", name);
	ip->vrf_end = MR_MAX(ip->vrf_end, i + 1);
	*vrf = (uint16_t)i;
	return 0;
}

void
mr_ip_vrf_destroy(struct mr_ip *ip, uint16_t vrf)
{
	struct mr_ip_vrf *v = &ip->vrfs[vrf];

	mr_rcu_synchronize();
	mr_fib4_destroy(v->fib4);
	mr_fib6_destroy(v->fib6);
	for (unsigned f = 0; f < MR_IP_FAMILIES; f++)
		mr_ip_release(v->regions[f], 1, sizeof(struct mr_regions));
	memset(v, 0, sizeof(*v));
}

void
mr_ip_vrf_changed(const struct mr_ip *ip, uint16_t vrf, enum mr_ip_family family,
    const uint8_t *prefix, unsigned len)
{
	struct mr_regions *regions = ip->vrfs[vrf].regions[family];

	if (!regions)
		return;
	if (family == MR_IP4)
		mr_regions_changed4(regions, mr_load_be32(prefix), len);
	else
		mr_regions_changed6(regions, mr_load_be64(prefix), len);
}

uint32_t
mr_ip_lookup(const struct mr_ip *ip, uint16_t vrf, enum mr_ip_family family, const uint8_t *bytes,
    uint8_t prefix[16], unsigned *len)
{
	uint32_t address, network = 0, group;

	if (vrf >= ip->vrf_end || !ip->vrfs[vrf].name[0])
		return 0;
	memset(prefix, 0, 16);
	if (family == MR_IP6)
		return mr_fib6_match(ip->vrfs[vrf].fib6, bytes, prefix, len);
	memcpy(&address, bytes, sizeof(address));
	group = mr_fib4_match(ip->vrfs[vrf].fib4, mr_be32(address), &network, len);
	network = mr_be32(network);
	memcpy(prefix, &network, sizeof(network));
	return group;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses an interface has, and which are on its link. */
#include <string.h>

#include "nf/ip/ip_int.h"

static const struct mr_ip_interface_info *
owner(const struct mr_ip *ip, uint16_t index)
{
	const struct mr_ip_interface_info *info = &ip->info[index];

	return info->borrowed ? &ip->info[info->borrowed] : info;
}

static unsigned
address_size(enum mr_ip_family family)
{
	return family == MR_IP4 ? 4 : 16;
}

static bool
same_subnet(const uint8_t *a, const uint8_t *b, unsigned len)
{
	unsigned whole = len / 8, rest = len % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || (uint8_t)((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool
usable(const struct mr_ip_address *a)
{
	return !a->tentative && !a->duplicate;
}

const struct mr_ip_address *
mr_ip_address_for(const struct mr_ip *ip, uint16_t index, enum mr_ip_family family,
    const uint8_t *peer)
{
	const struct mr_ip_interface_info *info = owner(ip, index);
	const struct mr_ip_address *first = NULL;

	for (uint32_t i = 0; i < info->address_count; i++) {
		const struct mr_ip_address *a = &info->addresses[i];

		if (a->family != family || !usable(a))
			continue;
		if (peer && same_subnet(a->bytes, peer, a->len))
			return a;
		if (!first || (first->link_local && !a->link_local))
			first = a;
	}
	return first;
}

const struct mr_ip_address *
mr_ip_address_find(const struct mr_ip *ip, uint16_t index, enum mr_ip_family family,
    const uint8_t *bytes)
{
	const struct mr_ip_interface_info *all[2] = { &ip->info[index], owner(ip, index) };

	for (unsigned n = 0; n < (all[0] == all[1] ? 1u : 2u); n++)
		for (uint32_t i = 0; i < all[n]->address_count; i++) {
			const struct mr_ip_address *a = &all[n]->addresses[i];

			if (a->family == family &&
			    memcmp(a->bytes, bytes, address_size(family)) == 0)
				return a;
		}
	return NULL;
}

bool
mr_ip_on_link(const struct mr_ip *ip, uint16_t index, enum mr_ip_family family,
    const uint8_t *bytes)
{
	const struct mr_ip_interface_info *info = &ip->info[index];

	if (family == MR_IP6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return true;
	for (uint32_t i = 0; i < info->address_count; i++) {
		const struct mr_ip_address *a = &info->addresses[i];

		if (a->family == family && same_subnet(a->bytes, bytes, a->len))
			return true;
	}
	return false;
}

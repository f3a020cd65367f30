/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "nf/rib/rib_test_int.h"

void
interface_with(struct bed *b, uint16_t n)
{
	struct mr_ip_interface_info *info = &b->ip->info[n];
	struct mr_ip_address *a = info->addresses;

	a[0] = (struct mr_ip_address){ .family = MR_IP4, .len = 24 };
	a[0].bytes[0] = 10;
	a[0].bytes[1] = (uint8_t)n;
	a[0].bytes[3] = 254;
	a[1] = (struct mr_ip_address){ .family = MR_IP6, .len = 64 };
	inet_pton(AF_INET6, "2001:db8::fe", a[1].bytes);
	a[1].bytes[5] = (uint8_t)n;
	info->address_count = 2;
	info->generation++;
	b->ip->interfaces[n].flags = MR_IP_UP | MR_IP_FORWARD4 | MR_IP_FORWARD6;
	b->ip->interfaces[n].vrf = n == OTHER_VRF_INTERFACE;
}

void
bed_open(struct bed *b)
{
	uint16_t index;

	memset(b, 0, sizeof(*b));
	assert_int_equal(mr_ip_create(&b->ip, NULL, &b->error), 0);
	assert_int_equal(mr_ip_vrf_create(b->ip, "main", &index, &b->error), 0);
	assert_int_equal(index, 0);
	assert_int_equal(mr_ip_vrf_create(b->ip, "other", &index, &b->error), 0);
	for (uint16_t i = 1; i <= INTERFACES + 1; i++) {
		char name[16];

		snprintf(name, sizeof(name), "i%u", i);
		assert_int_equal(mr_ip_interface_create(b->ip, name, &index, &b->error), 0);
		assert_int_equal(index, i);
		interface_with(b, i);
	}
	assert_int_equal(mr_rib_create(&b->rib, b->ip, &b->error), 0);
}

void
bed_close(struct bed *b)
{
	mr_rib_destroy(b->rib);
	mr_ip_destroy(b->ip);
}

static uint8_t
address_of(const char *text, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	if (inet_pton(AF_INET, text, bytes) == 1)
		return MR_IP4;
	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return MR_IP6;
}

struct mr_route_hop
via(const char *address, uint16_t interface)
{
	struct mr_route_hop hop = { .kind = MR_HOP_VIA, .interface = interface, .weight = 1 };

	hop.family = address_of(address, hop.address);
	return hop;
}

struct mr_route_hop
direct(uint16_t interface)
{
	return (struct mr_route_hop){ .kind = MR_HOP_DIRECT, .interface = interface, .weight = 1 };
}

struct mr_route_hop
special(uint8_t kind)
{
	return (struct mr_route_hop){ .kind = MR_HOP_SPECIAL, .special = kind, .weight = 1 };
}

struct mr_route
route(const char *prefix, enum mr_route_source source, const struct mr_route_hop *hops,
    unsigned count)
{
	struct mr_route r = { .source = (uint8_t)source, .hops = hops };
	char text[64];

	snprintf(text, sizeof(text), "%s", prefix);
	assert_non_null(strchr(text, '/'));
	r.len = (uint8_t)atoi(strchr(text, '/') + 1);
	*strchr(text, '/') = 0;
	r.family = address_of(text, r.prefix);
	r.hop_count = (uint16_t)count;
	return r;
}

void
set(struct bed *b, const char *prefix, enum mr_route_source source, struct mr_route_hop hop)
{
	struct mr_route r = route(prefix, source, &hop, 1);

	assert_int_equal(mr_rib_set(b->rib, 0, &r, &b->error), 0);
}

int
unset(struct bed *b, const char *prefix, enum mr_route_source source)
{
	struct mr_route r = route(prefix, source, NULL, 0);

	return mr_rib_unset(b->rib, 0, (enum mr_ip_family)r.family, r.prefix, r.len, source);
}

enum mr_route_state
state_of(struct bed *b, const char *prefix, enum mr_route_source source)
{
	struct mr_route r = route(prefix, source, NULL, 0), found;
	enum mr_route_state state;

	assert_true(mr_rib_get(b->rib, 0, (enum mr_ip_family)r.family, r.prefix, r.len, source,
	    &found, &state));
	return state;
}

void
flap(struct bed *b, uint16_t interface, bool up)
{
	if (up)
		b->ip->interfaces[interface].flags |= MR_IP_UP;
	else
		b->ip->interfaces[interface].flags &= ~MR_IP_UP;
	mr_rib_interface(b->rib, interface, up);
}

uint32_t
in_fib(struct bed *b, const char *address)
{
	uint8_t bytes[16], prefix[16];
	uint8_t family = address_of(address, bytes);
	unsigned len;

	return mr_ip_lookup(b->ip, 0, (enum mr_ip_family)family, bytes, prefix, &len);
}

const char *
leads_to(struct bed *b, const char *address)
{
	static const char *const specials[MR_IP_SPECIALS] = {
		"none",
		"local",
		"blackhole",
		"unreachable",
		"prohibit",
		"martian",
		"multicast",
		"link-local",
		"broadcast",
	};
	struct mr_group_member m[8];
	unsigned count, used = 0;

	count = mr_group_members(b->ip, in_fib(b, address), m, MR_ARRAY_COUNT(m));
	b->text[0] = 0;
	for (unsigned i = 0; i < count && i < MR_ARRAY_COUNT(m); i++) {
		const struct mr_adjacency_info *a = mr_adjacency_info(b->ip, m[i].adjacency);
		char text[64];

		if (m[i].adjacency < MR_IP_SPECIALS) {
			snprintf(b->text + used, sizeof(b->text) - used, "%s",
			    specials[m[i].adjacency]);
			continue;
		}
		if (!(b->ip->interfaces[a->interface].flags & MR_IP_UP))
			continue;
		inet_ntop(a->family == MR_IP4 ? AF_INET : AF_INET6, a->address, text, sizeof(text));
		used += (unsigned)snprintf(b->text + used, sizeof(b->text) - used, "%s%s %s",
		    used ? "," : "", a->glean ? "link" : text, b->ip->info[a->interface].name);
	}
	return b->text;
}

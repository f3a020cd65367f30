/* SPDX-License-Identifier: Apache-2.0 */

/* The parser: messages as iproute2 and the kernel make them, then wrong in every way. */

#include <arpa/inet.h>
#include <linux/lwtunnel.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf/rtnl/rtnl.h"

static uint8_t bytes[16384];
static size_t size;
static struct mr_rtnl m;

static void
begin(unsigned type, unsigned flags, const void *body, size_t len)
{
	struct nlmsghdr h = { .nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)flags };

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, &h, sizeof(h));
	if (len)
		memcpy(bytes + sizeof(h), body, len);
	size = sizeof(h) + len;
	memcpy(bytes, &(uint32_t){ (uint32_t)size }, 4);
}

/* Returns where its length stands. */
static size_t
put(unsigned type, const void *value, size_t len)
{
	struct rtattr a = { .rta_len = (uint16_t)(sizeof(a) + len), .rta_type = (uint16_t)type };
	size_t at = size;

	memcpy(bytes + size, &a, sizeof(a));
	memcpy(bytes + size + sizeof(a), value, len);
	size = MR_ALIGN_UP(size + sizeof(a) + len, (size_t)4);
	memcpy(bytes, &(uint32_t){ (uint32_t)size }, 4);
	return at;
}

static size_t
put32(unsigned type, uint32_t value)
{
	return put(type, &value, 4);
}

static void
begin_route(unsigned family, unsigned len, unsigned type)
{
	const struct rtmsg r = { .rtm_family = (uint8_t)family,
		.rtm_dst_len = (uint8_t)len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BGP,
		.rtm_type = (uint8_t)type };

	begin(RTM_NEWROUTE, NLM_F_CREATE, &r, sizeof(r));
}

/* From a block of its very size, so that a read past its end is seen. */
static enum mr_rtnl_fault
parse(void)
{
	uint8_t *copy = malloc(size);
	const uint8_t *at = copy;
	size_t left = size;
	enum mr_rtnl_fault fault;

	memcpy(copy, bytes, size);
	memset(&m, 0xa5, sizeof(m));
	fault = mr_rtnl_next(&at, &left, &m);
	if (!fault)
		assert_true(at + left == copy + size && left < size);
	free(copy);
	return fault;
}

static const uint8_t ten[4] = { 10, 1, 2, 3 }, six[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5 };

static void
test_route(void **state)
{
	(void)state;
	begin_route(AF_INET, 20, RTN_UNICAST);
	put(RTA_DST, ten, 4);
	put(RTA_GATEWAY, ten, 4);
	put32(RTA_OIF, 7);
	put32(RTA_PRIORITY, 20);
	put32(RTA_TABLE, 1000);
	put32(99, 0); /* of a kernel to come */
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_ROUTE);
	assert_false(m.deleted);
	assert_int_equal(m.flags, NLM_F_CREATE);
	assert_int_equal(m.route.table, 1000);
	assert_int_equal(m.route.metric, 20);
	assert_int_equal(m.route.protocol, RTPROT_BGP);
	assert_int_equal(m.route.len, 20);
	assert_memory_equal(m.route.prefix, "\x0a\x01\x00\x00", 5); /* cut to its length */
	assert_int_equal(m.route.hop_count, 1);
	assert_int_equal(m.hops[0].ifindex, 7);
	assert_int_equal(m.hops[0].weight, 1);
	assert_memory_equal(m.hops[0].address, ten, 4);

	begin_route(AF_INET6, 0, RTN_BLACKHOLE);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.route.hop_count, 0);
	assert_int_equal(m.route.type, RTN_BLACKHOLE);
	assert_int_equal(m.route.table, RT_TABLE_MAIN);
	assert_int_equal(m.route.family, MR_IP6);

	begin_route(AF_INET, 24, RTN_UNICAST);
	put(RTA_DST, ten, 4);
	put32(RTA_NH_ID, 77);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.route.nexthop, 77);

	begin_route(AF_MPLS, 20, RTN_UNICAST);
	put(RTA_DST, ten, 4);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_OTHER);
}

static void
test_multipath(void **state)
{
	struct {
		struct rtnexthop a;
		struct rtattr a1;
		uint8_t gateway[4];
		struct rtnexthop b;
		struct rtattr b1;
		uint16_t family;
		uint8_t via[16];
		uint16_t pad;
		struct rtnexthop c;
		struct rtattr c1;
		uint16_t kind, pad2;
	} mp = {
		.a = { .rtnh_len = 16, .rtnh_hops = 255, .rtnh_ifindex = 3 },
		.a1 = { .rta_len = 8, .rta_type = RTA_GATEWAY },
		.b = { .rtnh_len = 30, .rtnh_flags = RTNH_F_ONLINK, .rtnh_ifindex = 4 },
		.b1 = { .rta_len = 22, .rta_type = RTA_VIA },
		.family = AF_INET6,
		.c = { .rtnh_len = 14, .rtnh_ifindex = 5 },
		.c1 = { .rta_len = 6, .rta_type = RTA_ENCAP_TYPE },
		.kind = LWTUNNEL_ENCAP_MPLS,
	};
	uint8_t many[(MR_RTNL_HOPS_MAX + 1) * sizeof(struct rtnexthop)];

	(void)state;
	memcpy(mp.gateway, ten, 4);
	memcpy(mp.via, six, 16);
	begin_route(AF_INET, 0, RTN_UNICAST);
	put32(RTA_OIF, 9);
	put(RTA_MULTIPATH | NLA_F_NESTED, &mp, sizeof(mp));
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.route.hop_count, 3);
	assert_int_equal(m.hops[0].weight, 256);
	assert_int_equal(m.hops[0].ifindex, 3);
	assert_memory_equal(m.hops[0].address, ten, 4);
	assert_int_equal(m.hops[1].family, MR_IP6);
	assert_int_equal(m.hops[1].flags, RTNH_F_ONLINK);
	assert_memory_equal(m.hops[1].address, six, 16);
	assert_true(m.hops[2].encapsulated);
	assert_false(m.hops[2].gateway);

	for (unsigned i = 0; i <= MR_RTNL_HOPS_MAX; i++)
		memcpy(many + i * sizeof(struct rtnexthop), &(struct rtnexthop){ .rtnh_len = 8 },
		    8);
	begin_route(AF_INET, 0, RTN_UNICAST);
	put(RTA_MULTIPATH, many, sizeof(many) - 8);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.route.hop_count, MR_RTNL_HOPS_MAX);
	begin_route(AF_INET, 0, RTN_UNICAST);
	put(RTA_MULTIPATH, many, sizeof(many));
	assert_int_equal(parse(), MR_RTNL_HOPS);
}

static void
test_nexthop(void **state)
{
	const struct nhmsg six_hop = { .nh_family = AF_INET6 }, group = { 0 };
	const struct nexthop_grp members[] = { { .id = 1 }, { .id = 900, .weight = 254 } };

	(void)state;
	begin(RTM_NEWNEXTHOP, 0, &six_hop, sizeof(six_hop));
	put32(NHA_ID, 12);
	put32(NHA_OIF, 3);
	put(NHA_GATEWAY, six, 16);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_NEXTHOP);
	assert_int_equal(m.nexthop.id, 12);
	assert_int_equal(m.nexthop.member_count, 0);
	assert_int_equal(m.hops[0].family, MR_IP6);
	assert_memory_equal(m.hops[0].address, six, 16);

	begin(RTM_NEWNEXTHOP, 0, &group, sizeof(group));
	put32(NHA_ID, 13);
	put(NHA_GROUP, members, sizeof(members));
	put(NHA_RES_GROUP | NLA_F_NESTED, members, 3);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.nexthop.member_count, 2);
	assert_int_equal(m.members[1].id, 900);
	assert_int_equal(m.members[1].weight, 255);

	begin(RTM_DELNEXTHOP, 0, &group, sizeof(group));
	put32(NHA_ID, 13);
	put(NHA_BLACKHOLE, "", 0);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_true(m.deleted);
	assert_true(m.hops[0].blackhole);

	begin(RTM_NEWNEXTHOP, 0, &group, sizeof(group));
	put(NHA_FDB, "", 0);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_OTHER);
	begin(RTM_NEWNEXTHOP, 0, &group, sizeof(group));
	put(NHA_GROUP, members, sizeof(members) - 1);
	assert_int_equal(parse(), MR_RTNL_VALUE);
}

static void
test_links_and_addresses(void **state)
{
	const struct ifinfomsg link = { .ifi_index = 5, .ifi_flags = 1 };
	const struct ifinfomsg port = { .ifi_index = 5, .ifi_family = AF_BRIDGE };
	const struct ifaddrmsg address = { .ifa_family = AF_INET,
		.ifa_prefixlen = 31,
		.ifa_index = 5 };

	(void)state;
	begin(RTM_NEWLINK, 0, &link, sizeof(link));
	put(IFLA_IFNAME, "wan1", 5);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_LINK);
	assert_int_equal(m.link.ifindex, 5);
	assert_string_equal(m.link.name, "wan1");
	begin(RTM_DELLINK, 0, &port, sizeof(port));
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_OTHER);
	begin(RTM_NEWLINK, 0, &link, sizeof(link));
	put(IFLA_IFNAME, "0123456789abcdef", 17);
	assert_int_equal(parse(), MR_RTNL_VALUE);
	begin(RTM_NEWLINK, 0, &link, sizeof(link));
	put(IFLA_IFNAME, "wan1", 4); /* not ended */
	assert_int_equal(parse(), MR_RTNL_VALUE);

	begin(RTM_NEWADDR, 0, &address, sizeof(address));
	put(IFA_LOCAL, ten, 4);
	put(IFA_ADDRESS, "\x0a\x01\x02\x02", 4);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_ADDRESS_OF);
	assert_memory_equal(m.address.bytes, ten, 4);
	assert_int_equal(m.address.len, 31);
}

static void
test_ends(void **state)
{
	const struct nlmsgerr failed = { .error = -16 };

	(void)state;
	begin(NLMSG_DONE, NLM_F_MULTI, "\0\0\0", 4);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_DONE);
	begin(NLMSG_ERROR, 0, &failed, sizeof(failed));
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_ERROR);
	assert_int_equal(m.error, -16);
	begin(NLMSG_OVERRUN, 0, "", 0);
	assert_int_equal(parse(), MR_RTNL_NONE);
	assert_int_equal(m.kind, MR_RTNL_OVERRUN);
}

/* A good route with one thing wrong each. */
static void
test_faults(void **state)
{
	static const struct {
		enum mr_rtnl_fault fault;
		unsigned type, len;
		uint8_t value[16];
	} attributes[] = {
		{ MR_RTNL_ADDRESS, RTA_DST, 3, { 0 } },
		{ MR_RTNL_ADDRESS, RTA_DST, 16, { 0 } },
		{ MR_RTNL_ADDRESS, RTA_GATEWAY, 0, { 0 } },
		{ MR_RTNL_ADDRESS, RTA_GATEWAY, 5, { 0 } },
		{ MR_RTNL_VALUE, RTA_OIF, 2, { 0 } },
		{ MR_RTNL_VALUE, RTA_PRIORITY, 8, { 0 } },
		{ MR_RTNL_VALUE, RTA_TABLE, 0, { 0 } },
		{ MR_RTNL_VALUE, RTA_NH_ID, 3, { 0 } },
		{ MR_RTNL_VALUE, RTA_VIA, 1, { AF_INET } },
		{ MR_RTNL_ADDRESS, RTA_VIA, 2, { AF_INET } },
		{ MR_RTNL_ADDRESS, RTA_VIA, 7, { AF_INET } },
		{ MR_RTNL_VALUE, RTA_ENCAP_TYPE, 1, { 0 } },
		{ MR_RTNL_ATTRIBUTE, RTA_MULTIPATH, 8, { 7 } }, /* less than its header */
		{ MR_RTNL_ATTRIBUTE, RTA_MULTIPATH, 8, { 9 } }, /* more than there is */
		{ MR_RTNL_ATTRIBUTE, RTA_MULTIPATH, 16, { 16, 0, 0, 0, 0, 0, 0, 0, 9 } },
		{ MR_RTNL_ADDRESS, RTA_MULTIPATH, 16,
		    { 16, 0, 0, 0, 0, 0, 0, 0, 7, 0, RTA_GATEWAY } },
	};
	static const struct {
		enum mr_rtnl_fault fault;
		uint32_t offset;
		uint32_t value;
	} words[] = {
		{ MR_RTNL_LENGTH, 0, 15 },
		{ MR_RTNL_LENGTH, 0, 0 },
		{ MR_RTNL_LENGTH, 0, 37 },
		{ MR_RTNL_LENGTH, 0, 0xffffffff },
		{ MR_RTNL_BODY, 0, 27 },
		{ MR_RTNL_ATTRIBUTE, 0, 34 }, /* ends within the attribute */
		{ MR_RTNL_ATTRIBUTE, 28, 3 | RTA_OIF << 16 },
		{ MR_RTNL_ATTRIBUTE, 28, 9 | RTA_OIF << 16 },
		{ MR_RTNL_ATTRIBUTE, 28, 0 },
		{ MR_RTNL_PREFIX, 16, AF_INET | 33 << 8 },
		{ MR_RTNL_PREFIX, 16, AF_INET6 | 129 << 8 },
	};

	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(attributes); i++) {
		begin_route(AF_INET, 24, RTN_UNICAST);
		put(attributes[i].type, attributes[i].value, attributes[i].len);
		assert_int_equal(parse(), attributes[i].fault);
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++) {
		begin_route(AF_INET, 24, RTN_UNICAST);
		put32(RTA_OIF, 1);
		assert_int_equal(parse(), MR_RTNL_NONE);
		memcpy(bytes + words[i].offset, &words[i].value, 4);
		assert_int_equal(parse(), words[i].fault);
	}
	size = 15;
	assert_int_equal(parse(), MR_RTNL_SHORT);
	for (unsigned i = 0; i < MR_RTNL_FAULT_COUNT; i++)
		assert_non_null(mr_rtnl_fault_name((enum mr_rtnl_fault)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_multipath),
		cmocka_unit_test(test_nexthop),
		cmocka_unit_test(test_links_and_addresses),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("rtnl", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Static routes of the configuration, in the kernel's table, so that the host side reaches what
 * the router does. What the kernel gets is what the FIB does with the prefix: the next hops
 * as resolved, each on the twin of its interface. All are looked at after a
 * change, and some with each second: who else has write access to the table may undo them.
 */

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nf/kernel/mirror_int.h"

#define HOPS_MAX 32u /* that a kernel gets; a route with more is cut */

struct request {
	struct nlmsghdr header;
	struct rtmsg route;
	uint8_t attributes[4096];
};

static void
put(struct request *q, unsigned type, const void *value, size_t len)
{
	const struct rtattr a = { .rta_type = (uint16_t)type, .rta_len = (uint16_t)(4 + len) };
	uint8_t *at = (uint8_t *)q + q->header.nlmsg_len;

	memcpy(at, &a, sizeof(a));
	memcpy(at + sizeof(a), value, len);
	q->header.nlmsg_len += (uint32_t)MR_ALIGN_UP(4 + len, (size_t)4);
}

static unsigned
size_of(unsigned family)
{
	return family == MR_IP4 ? 4 : 16;
}

static void
begin(struct request *q, const struct kernel_mirror *m, const struct kernel_export *e,
    unsigned type, unsigned flags)
{
	memset(q, 0, sizeof(*q));
	q->header.nlmsg_len = NLMSG_LENGTH(sizeof(q->route));
	q->header.nlmsg_type = (uint16_t)type;
	q->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->route.rtm_family = e->family == MR_IP4 ? AF_INET : AF_INET6;
	q->route.rtm_dst_len = e->len;
	q->route.rtm_protocol = MR_KERNEL_PROTOCOL;
	q->route.rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
	put(q, RTA_TABLE, &m->settings.table, 4);
	if (e->len)
		put(q, RTA_DST, e->prefix, size_of(e->family));
}

static int
send_request(struct kernel_mirror *m, struct request *q)
{
	q->header.nlmsg_seq = ++m->export_sequence;
	m->counts.exported++;
	return send(m->out, q, q->header.nlmsg_len, 0) < 0 ? -errno : 0;
}

static void
withdraw(struct kernel_mirror *m, struct kernel_export *e)
{
	struct request q;

	begin(&q, m, e, RTM_DELROUTE, 0);
	e->known = false;
	e->digest = 0;
	if (m->out >= 0)
		send_request(m, &q);
}

/* -- what the FIB does with it ------------------------------------------------------------------- */

struct hop {
	uint32_t ifindex;
	uint16_t weight;
	uint8_t family;
	bool gateway, onlink;
	uint8_t address[16];
};

static bool
hop_of(struct kernel_mirror *m, const struct mr_group_member *member, struct hop *hop)
{
	const struct mr_adjacency_info *a = mr_adjacency_info(m->base.ip, member->adjacency);
	enum mr_ip_family family;

	if (!a)
		return false;
	family = (enum mr_ip_family)a->family;
	memset(hop, 0, sizeof(*hop));
	hop->ifindex = mr_links_device(&m->links, a->interface);
	hop->weight = MR_MIN(member->weight, (uint16_t)256);
	hop->family = a->family;
	hop->gateway = !a->glean;
	memcpy(hop->address, a->address, sizeof(hop->address));
	hop->onlink = hop->gateway &&
	    !mr_ip_on_link(m->base.ip, a->interface, family, a->address) &&
	    !(family == MR_IP6 && a->address[0] == 0xfe);
	return hop->ifindex != 0;
}

static void
put_hop(struct request *q, const struct kernel_export *e, const struct hop *hop)
{
	struct {
		uint16_t family;
		uint8_t address[16];
	} via = { .family = hop->family == MR_IP4 ? AF_INET : AF_INET6 };

	if (!hop->gateway)
		return;
	if (hop->family == e->family) {
		put(q, RTA_GATEWAY, hop->address, size_of(hop->family));
		return;
	}
	memcpy(via.address, hop->address, 16);
	put(q, RTA_VIA, &via, 2 + size_of(hop->family));
}

static void
put_hops(struct request *q, const struct kernel_export *e, const struct hop *hops, unsigned count)
{
	uint32_t start = q->header.nlmsg_len;
	uint16_t size;

	if (count == 1) {
		if (hops[0].onlink)
			q->route.rtm_flags |= RTNH_F_ONLINK;
		put_hop(q, e, &hops[0]);
		put(q, RTA_OIF, &hops[0].ifindex, 4);
		return;
	}
	put(q, RTA_MULTIPATH, "", 0);
	for (unsigned i = 0; i < count; i++) {
		struct rtnexthop nh = {
			.rtnh_flags = hops[i].onlink ? RTNH_F_ONLINK : 0,
			.rtnh_hops = (uint8_t)(hops[i].weight - 1),
			.rtnh_ifindex = (int)hops[i].ifindex,
		};
		uint32_t at = q->header.nlmsg_len;

		q->header.nlmsg_len += sizeof(nh);
		put_hop(q, e, &hops[i]);
		nh.rtnh_len = (uint16_t)(q->header.nlmsg_len - at);
		memcpy((uint8_t *)q + at, &nh, sizeof(nh));
	}
	size = (uint16_t)(q->header.nlmsg_len - start);
	memcpy((uint8_t *)q + start, &size, sizeof(size));
}

static bool
special_type(uint32_t group, uint8_t *type)
{
	switch (group) {
	case MR_IP_SPECIAL_BLACKHOLE:
		*type = RTN_BLACKHOLE;
		return true;
	case MR_IP_SPECIAL_UNREACHABLE:
		*type = RTN_UNREACHABLE;
		return true;
	case MR_IP_SPECIAL_PROHIBIT:
		*type = RTN_PROHIBIT;
		return true;
	default:
		return false;
	}
}

/* False: the FIB does nothing with it that a kernel could. */
static bool
describe(struct kernel_mirror *m, const struct kernel_export *e, struct request *q)
{
	struct mr_group_member members[MR_GROUP_MEMBERS_MAX];
	enum mr_ip_family family = (enum mr_ip_family)e->family;
	struct hop hops[HOPS_MAX];
	enum mr_route_state state;
	struct mr_route route;
	uint8_t prefix[16];
	unsigned len, count, n = 0;
	uint32_t group;

	if (!mr_rib_get(m->base.rib, m->vrf, family, e->prefix, e->len, MR_ROUTE_STATIC, &route,
		&state) ||
	    state != MR_ROUTE_ACTIVE)
		return false;
	group = mr_ip_lookup(m->base.ip, m->vrf, family, e->prefix, prefix, &len);
	/* The prefix's first address may have a route of its own; then its next hops as they are said. */
	begin(q, m, e, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	q->route.rtm_type = RTN_UNICAST;
	if (len != e->len) {
		for (unsigned i = 0; i < route.hop_count; i++)
			if (route.hops[i].kind == MR_HOP_SPECIAL)
				return special_type(route.hops[i].special, &q->route.rtm_type);
		for (unsigned i = 0; i < route.hop_count && n < HOPS_MAX; i++) {
			const struct mr_route_hop *h = &route.hops[i];

			memset(&hops[n], 0, sizeof(hops[n]));
			hops[n].ifindex =
			    h->interface ? mr_links_device(&m->links, h->interface) : 0;
			hops[n].weight = MR_MIN(h->weight, (uint16_t)256);
			hops[n].family = h->family;
			hops[n].gateway = h->kind == MR_HOP_VIA;
			hops[n].onlink = h->onlink;
			memcpy(hops[n].address, h->address, 16);
			n += hops[n].ifindex != 0;
		}
	} else if (group < MR_IP_SPECIALS) {
		return special_type(group, &q->route.rtm_type);
	} else {
		count = mr_group_members(m->base.ip, group, members, MR_GROUP_MEMBERS_MAX);
		for (unsigned i = 0; i < count && n < HOPS_MAX; i++)
			n += hop_of(m, &members[i], &hops[n]);
	}
	if (!n)
		return false;
	if (n == 1 && !hops[0].gateway && e->family == MR_IP4)
		q->route.rtm_scope = RT_SCOPE_LINK;
	put_hops(q, e, hops, n);
	return true;
}

static uint64_t
digest_of(const struct request *q)
{
	const uint8_t *p = (const uint8_t *)&q->route;
	uint64_t hash = 1469598103934665603u;

	for (size_t i = 0; i < q->header.nlmsg_len - sizeof(q->header); i++)
		hash = (hash ^ p[i]) * 1099511628211u;
	return hash ? hash : 1;
}

static void
look_at(struct kernel_mirror *m, struct kernel_export *e)
{
	struct request q;
	uint64_t digest;

	if (!e->wanted || !m->settings.export || !describe(m, e, &q)) {
		if (e->known)
			withdraw(m, e);
		return;
	}
	digest = digest_of(&q);
	if (e->known && e->digest == digest)
		return;
	/* Whoever has a route of the same kind there keeps it: ours goes before it comes again, in IPv4
	 * without a moment between if it is there. */
	if (!e->known || e->family == MR_IP6) {
		withdraw(m, e);
		q.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
	}
	if (send_request(m, &q))
		return;
	e->sequence = m->export_sequence;
	e->digest = digest;
	e->known = true;
}

/* -- the list --------------------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct kernel_export *x = a, *y = b;
	int d = memcmp(x->prefix, y->prefix, sizeof(x->prefix));

	if (!d)
		d = x->family - y->family;
	return d ? d : x->len - y->len;
}

static struct kernel_export *
find(const struct kernel_mirror *m, const struct kernel_export *key)
{
	return m->export_count ? bsearch(key, m->exports, m->export_count, sizeof(*key), compare)
			       : NULL;
}

void
kernel_export_set(struct kernel_mirror *m, struct kernel_export *list, uint32_t count)
{
	struct kernel_export *old = m->exports;
	uint32_t old_count = m->export_count;

	if (count)
		qsort(list, count, sizeof(*list), compare);
	for (uint32_t i = 0; i < count; i++) {
		const struct kernel_export *before = find(m, &list[i]);

		list[i].known = before && before->known;
		list[i].digest = before ? before->digest : 0;
		list[i].sequence = before ? before->sequence : 0;
		list[i].wanted = true;
		list[i].seen = true;
	}
	m->exports = list;
	m->export_count = count;
	m->export_next = 0;
	for (uint32_t i = 0; i < old_count; i++)
		if (old[i].known && !find(m, &old[i]))
			withdraw(m, &old[i]);
	free(old);
	kernel_export_look(m);
}

void
kernel_export_look(struct kernel_mirror *m)
{
	m->export_left = m->export_count;
}

bool
kernel_export_work(struct kernel_mirror *m, unsigned budget)
{
	while (m->export_left && budget--) {
		if (m->export_next >= m->export_count)
			m->export_next = 0;
		m->export_left--;
		look_at(m, &m->exports[m->export_next++]);
	}
	return m->export_left != 0;
}

void
kernel_export_heard(struct kernel_mirror *m, const struct mr_rtnl *message)
{
	struct kernel_export key = { .family = message->route.family, .len = message->route.len };
	struct kernel_export *e;

	memcpy(key.prefix, message->route.prefix, sizeof(key.prefix));
	e = find(m, &key);
	if (message->sender == m->out_port)
		return;
	if (e && message->deleted) {
		/* Somebody else took it away: again. */
		e->known = false;
		kernel_export_look(m);
	} else if (e) {
		e->seen = true;
	} else if (!message->deleted) {
		withdraw(m, &key); /* left over from a time before us */
	}
}

void
kernel_export_mark(struct kernel_mirror *m)
{
	for (uint32_t i = 0; i < m->export_count; i++)
		m->exports[i].seen = false;
}

void
kernel_export_sweep(struct kernel_mirror *m)
{
	for (uint32_t i = 0; i < m->export_count; i++)
		m->exports[i].known &= m->exports[i].seen;
	kernel_export_look(m);
}

/* Requests ask for no answer but when they fail. */
void
kernel_export_read_errors(struct kernel_mirror *m)
{
	uint8_t bytes[8192];
	struct mr_rtnl message;
	ssize_t n;

	while (m->out >= 0 && (n = recv(m->out, bytes, sizeof(bytes), 0)) > 0) {
		const uint8_t *at = bytes;
		size_t left = (size_t)n;

		while (left && mr_rtnl_next(&at, &left, &message) == MR_RTNL_NONE) {
			if (message.kind != MR_RTNL_ERROR || message.error == 0 ||
			    message.error == -ESRCH || message.error == -ENOENT)
				continue;
			m->counts.export_errors++;
			snprintf(m->export_trouble, sizeof(m->export_trouble),
			    "a static route could not be given to the kernel: %s",
			    strerror(-message.error));
			for (uint32_t i = 0; i < m->export_count; i++)
				if (m->exports[i].sequence == message.sequence)
					m->exports[i].known = false;
		}
	}
}

void
kernel_export_remove_all(struct kernel_mirror *m)
{
	for (uint32_t i = 0; i < m->export_count; i++)
		if (m->exports[i].known)
			withdraw(m, &m->exports[i]);
}

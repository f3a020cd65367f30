/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/rtnl/links.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/port/namespace.h"

void
mr_links_init(struct mr_links *l, const struct mr_ip *ip, uint16_t vrf)
{
	memset(l, 0, sizeof(*l));
	l->ip = ip;
	l->vrf = vrf;
	l->generation = 1;
}

void
mr_links_clear(struct mr_links *l)
{
	free(l->links);
	mr_links_init(l, l->ip, l->vrf);
}

/* Where a device stands, or would. */
static uint32_t
place_of(const struct mr_links *l, uint32_t ifindex)
{
	uint32_t low = 0, high = l->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (l->links[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct mr_link *
mr_links_find(const struct mr_links *l, uint32_t ifindex)
{
	uint32_t at = place_of(l, ifindex);

	return at < l->count && l->links[at].ifindex == ifindex ? &l->links[at] : NULL;
}

static struct mr_link *
insert(struct mr_links *l, uint32_t at)
{
	if (l->count == MR_LINKS_MAX)
		return NULL;
	if (l->count == l->room) {
		uint32_t room = l->room ? l->room * 2 : 16;
		struct mr_link *more = realloc(l->links, room * sizeof(*more));

		if (!more)
			return NULL;
		l->links = more;
		l->room = room;
	}
	memmove(&l->links[at + 1], &l->links[at], (l->count - at) * sizeof(*l->links));
	l->count++;
	memset(&l->links[at], 0, sizeof(l->links[at]));
	return &l->links[at];
}

static void
take_out(struct mr_links *l, uint32_t at)
{
	l->count--;
	memmove(&l->links[at], &l->links[at + 1], (l->count - at) * sizeof(*l->links));
	l->generation++;
}

unsigned
mr_links_message(struct mr_links *l, const struct mr_rtnl *m)
{
	uint32_t at = place_of(l, m->link.ifindex);
	struct mr_link *link =
	    at < l->count && l->links[at].ifindex == m->link.ifindex ? &l->links[at] : NULL;
	unsigned change = 0;

	if (m->deleted) {
		if (!link)
			return 0;
		take_out(l, at);
		return MR_LINKS_NAMES | MR_LINKS_UP;
	}
	if (!link) {
		link = insert(l, at);
		if (!link)
			return 0;
		link->ifindex = m->link.ifindex;
		link->flags = m->link.flags;
	}
	if (strcmp(link->name, m->link.name)) {
		memcpy(link->name, m->link.name, sizeof(link->name));
		l->generation++;
		change |= MR_LINKS_NAMES;
	}
	if ((link->flags ^ m->link.flags) & (IFF_UP | IFF_RUNNING))
		change |= MR_LINKS_UP;
	link->flags = m->link.flags;
	link->fresh = true;
	return change;
}

void
mr_links_forget(struct mr_links *l)
{
	l->generation++;
}

void
mr_links_mark(struct mr_links *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		l->links[i].fresh = false;
}

bool
mr_links_sweep(struct mr_links *l)
{
	uint32_t before = l->count;

	for (uint32_t i = l->count; i-- > 0;)
		if (!l->links[i].fresh)
			take_out(l, i);
	return l->count != before;
}

static uint16_t
interface_of(const struct mr_links *l, struct mr_link *link)
{
	if (link->looked == l->generation)
		return link->interface;
	link->looked = l->generation;
	link->interface = mr_ip_interface_find(l->ip, link->name);
	if (link->interface && mr_ip_vrf(&l->ip->interfaces[link->interface]) != l->vrf)
		link->interface = 0;
	return link->interface;
}

uint16_t
mr_links_interface(struct mr_links *l, uint32_t ifindex)
{
	uint32_t at = place_of(l, ifindex);

	if (at >= l->count || l->links[at].ifindex != ifindex)
		return 0;
	return interface_of(l, &l->links[at]);
}

uint32_t
mr_links_device(struct mr_links *l, uint16_t interface)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (interface_of(l, &l->links[i]) == interface)
			return l->links[i].ifindex;
	return 0;
}

/* -- sockets ---------------------------------------------------------------------------- */

struct opening {
	const unsigned *groups;
	unsigned count;
	uint32_t buffer;
	int fd;
};

static int
open_here(void *arg, struct mr_error *error)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct opening *o = arg;
	int size = (int)o->buffer, on = 1, rc;

	o->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (o->fd < 0)
		return mr_error_set(error, -errno, "netlink: %s", strerror(errno));
	/* Without the privilege to go beyond the system's limit, up to it. */
	if (size && setsockopt(o->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(o->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Dumps of one table only; old kernels send all, which is sorted out later. */
	setsockopt(o->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	rc = bind(o->fd, (const struct sockaddr *)&address, sizeof(address));
	for (unsigned i = 0; !rc && i < o->count; i++)
		rc = setsockopt(o->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &o->groups[i],
		    sizeof(o->groups[i]));
	if (!rc)
		return 0;
	rc = -errno;
	close(o->fd);
	o->fd = -1;
	return mr_error_set(error, rc, "netlink: %s", strerror(-rc));
}

int
mr_links_open(int *fd, const char *name_space, const unsigned *groups, unsigned count,
    uint32_t buffer, struct mr_error *error)
{
	struct opening o = { .groups = groups, .count = count, .buffer = buffer, .fd = -1 };
	int rc = name_space && *name_space ? mr_namespace_run(name_space, open_here, &o, error)
					   : open_here(&o, error);

	*fd = o.fd;
	return rc;
}

int
mr_links_dump(int fd, unsigned type, unsigned family, uint32_t table, uint32_t sequence)
{
	struct {
		struct nlmsghdr h;
		union {
			struct rtmsg route;
			struct nhmsg nexthop;
			struct ifinfomsg link;
		};
		struct rtattr attribute;
		uint32_t table;
	} request = {
		.h = { .nlmsg_type = (uint16_t)type,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		    .nlmsg_seq = sequence },
	};
	size_t size = sizeof(request.h);

	if (type == RTM_GETROUTE) {
		size += sizeof(request.route);
		request.route.rtm_family = (uint8_t)family;
	} else if (type == RTM_GETNEXTHOP) {
		size += sizeof(request.nexthop);
	} else {
		size += sizeof(request.link);
	}
	if (type == RTM_GETROUTE && table) {
		const struct rtattr attribute = { .rta_len = 8, .rta_type = RTA_TABLE };

		memcpy((char *)&request + size, &attribute, sizeof(attribute));
		memcpy((char *)&request + size + sizeof(attribute), &table, sizeof(table));
		size += 8;
	}
	request.h.nlmsg_len = (uint32_t)size;
	return send(fd, &request, size, 0) < 0 ? -errno : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink in a namespace: links, addresses. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "nf/host/host_int.h"

#define MESSAGE_MAX 1024
#define BUFFER 32768

int
host_netlink_open(struct mnl_socket **out, unsigned groups, struct mr_error *error)
{
	const int flags = SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, flags);

	if (nl && mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) >= 0) {
		*out = nl;
		return 0;
	}
	mr_error_set(error, -errno, "no netlink socket: %s", strerror(errno));
	if (nl)
		mnl_socket_close(nl);
	return -EIO;
}

void
host_netlink_close(struct mnl_socket *nl)
{
	if (nl)
		mnl_socket_close(nl);
}

int
host_netlink_fd(const struct mnl_socket *nl)
{
	return mnl_socket_get_fd(nl);
}

/* Sends one request and waits for its end; `data` sees what comes before that. */
static int
ask(struct host_space *s, struct nlmsghdr *request, mnl_cb_t data, void *arg)
{
	char buffer[BUFFER];
	ssize_t got;
	int rc = MNL_CB_OK;

	request->nlmsg_seq = ++s->sequence;
	if (mnl_socket_sendto(s->ask, request, request->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		got = mnl_socket_recvfrom(s->ask, buffer, sizeof(buffer));
		if (got < 0)
			return -errno;
		rc = mnl_cb_run(buffer, (size_t)got, s->sequence, mnl_socket_get_portid(s->ask),
		    data, arg);
	}
	return rc < 0 ? -errno : 0;
}

static void
put_no_autoconf(struct nlmsghdr *n)
{
	struct nlattr *spec = mnl_attr_nest_start(n, IFLA_AF_SPEC);
	struct nlattr *six = mnl_attr_nest_start(n, AF_INET6);

	mnl_attr_put_u8(n, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(n, six);
	mnl_attr_nest_end(n, spec);
}

int
host_netlink_link(struct host_space *s, int ifindex, const struct host_link *link)
{
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *n = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *m;

	n->nlmsg_type = RTM_NEWLINK;
	n->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	m = mnl_nlmsg_put_extra_header(n, sizeof(*m));
	m->ifi_index = ifindex;
	if (link->up) {
		m->ifi_flags = IFF_UP;
		m->ifi_change = IFF_UP;
	}
	if (link->mac)
		mnl_attr_put(n, IFLA_ADDRESS, 6, link->mac);
	if (link->mtu)
		mnl_attr_put_u32(n, IFLA_MTU, link->mtu);
	if (link->carrier >= 0)
		mnl_attr_put_u8(n, IFLA_CARRIER, (uint8_t)link->carrier);
	if (link->no_autoconf)
		put_no_autoconf(n);
	return ask(s, n, NULL, NULL);
}

static uint8_t
scope_of(const struct mr_ip_address *a)
{
	return a->link_local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

int
host_netlink_address(struct host_space *s, int ifindex, const struct mr_ip_address *a, bool add)
{
	size_t size = a->family == MR_IP4 ? 4 : 16;
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *n = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *m;

	n->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	n->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (add)
		n->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	m = mnl_nlmsg_put_extra_header(n, sizeof(*m));
	m->ifa_family = a->family == MR_IP4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = a->len;
	m->ifa_flags = a->family == MR_IP6 ? IFA_F_NODAD : 0;
	m->ifa_scope = scope_of(a);
	m->ifa_index = (unsigned)ifindex;
	mnl_attr_put(n, IFA_LOCAL, size, a->bytes);
	mnl_attr_put(n, IFA_ADDRESS, size, a->bytes);
	if (a->family == MR_IP4 && a->len < 31) {
		uint32_t broadcast = mr_load_be32(a->bytes) | (uint32_t)(UINT32_MAX >> a->len);

		mnl_attr_put_u32(n, IFA_BROADCAST, __builtin_bswap32(broadcast));
	}
	return ask(s, n, NULL, NULL);
}

static int
see_address(const struct nlmsghdr *n, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(n);
	struct mr_ip_address a = { .len = m->ifa_prefixlen, .kernel = true };
	size_t size = m->ifa_family == AF_INET ? 4 : 16;
	struct nlattr *attribute;
	bool local = false;

	if (n->nlmsg_type != RTM_NEWADDR ||
	    (m->ifa_family != AF_INET && m->ifa_family != AF_INET6) ||
	    (m->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		return MNL_CB_OK;
	a.family = m->ifa_family == AF_INET ? MR_IP4 : MR_IP6;
	mnl_attr_for_each(attribute, n, sizeof(*m))
	{
		unsigned type = mnl_attr_get_type(attribute);

		/* With a peer, IFA_ADDRESS is the peer's. */
		if (mnl_attr_get_payload_len(attribute) != size ||
		    (type != IFA_LOCAL && (type != IFA_ADDRESS || local)))
			continue;
		memcpy(a.bytes, mnl_attr_get_payload(attribute), size);
		local = type == IFA_LOCAL;
	}
	a.link_local = a.family == MR_IP6 && m->ifa_scope == RT_SCOPE_LINK;
	return host_addresses_add(arg, (int)m->ifa_index, &a) ? MNL_CB_OK : MNL_CB_ERROR;
}

int
host_netlink_addresses(struct host_space *s, struct host_addresses *out)
{
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *n = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *m;

	n->nlmsg_type = RTM_GETADDR;
	n->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	m = mnl_nlmsg_put_extra_header(n, sizeof(*m));
	m->ifa_family = AF_UNSPEC;
	return ask(s, n, see_address, out);
}

/* What the messages say is not read: all addresses are compared, which cannot go wrong
 * when some were lost. */
bool
host_netlink_drain(struct mnl_socket *nl)
{
	char buffer[BUFFER];
	bool any = false;

	for (;;) {
		ssize_t got = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));

		if (got < 0 && errno != ENOBUFS)
			return any;
		any = true;
	}
}

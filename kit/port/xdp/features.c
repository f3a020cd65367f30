/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device's driver can do with XDP, as the kernel tells since 6.3 by the generic netlink family
 * "netdev" (Documentation/netlink/specs/netdev.yaml). libbpf of Debian 12 does not ask yet.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/port/xdp/offload.h"

/* Newer than Debian 12's headers. */
#define NETDEV_VERSION 1
#define NETDEV_GET 1      /* NETDEV_CMD_DEV_GET */
#define NETDEV_IFINDEX 1  /* NETDEV_A_DEV_IFINDEX */
#define NETDEV_FEATURES 3 /* NETDEV_A_DEV_XDP_FEATURES */
#define NETDEV_NDO_XMIT (1u << 2)

struct message {
	struct nlmsghdr head;
	struct genlmsghdr generic;
	struct nlattr attribute;
	uint8_t value[16];
};

/* Asks with one attribute, and looks for another one in the answer, of at most `size` bytes. */
static int
ask(int fd, uint16_t family, uint8_t command, uint8_t version, uint16_t with, const void *value,
    uint16_t value_size, uint16_t wanted, void *out, size_t size)
{
	struct message m = { 0 };
	union {
		struct nlmsghdr head;
		uint8_t bytes[4096];
	} answer;
	size_t at = NLMSG_LENGTH(GENL_HDRLEN);
	ssize_t n;

	m.head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(GENL_HDRLEN) + NLA_HDRLEN + value_size);
	m.head.nlmsg_type = family;
	m.head.nlmsg_flags = NLM_F_REQUEST;
	m.generic.cmd = command;
	m.generic.version = version;
	m.attribute.nla_type = with;
	m.attribute.nla_len = (uint16_t)(NLA_HDRLEN + value_size);
	memcpy(m.value, value, value_size);
	if (send(fd, &m, NLMSG_ALIGN(m.head.nlmsg_len), 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < at || answer.head.nlmsg_type != family)
		return -ENOENT;
	while (at + NLA_HDRLEN <= (size_t)n) {
		struct nlattr a;

		memcpy(&a, answer.bytes + at, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || at + a.nla_len > (size_t)n)
			break;
		if ((a.nla_type & NLA_TYPE_MASK) == wanted) {
			memset(out, 0, size);
			memcpy(out, answer.bytes + at + NLA_HDRLEN,
			    MR_MIN(size, (size_t)(a.nla_len - NLA_HDRLEN)));
			return 0;
		}
		at += NLA_ALIGN(a.nla_len);
	}
	return -ENOENT;
}

int
xdp_device_takes_redirects(int ifindex)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), rc;
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint64_t features = 0;
	uint16_t family;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) ? -errno : 0;
	if (!rc)
		rc = ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, CTRL_ATTR_FAMILY_NAME, "netdev",
		    sizeof("netdev"), CTRL_ATTR_FAMILY_ID, &family, sizeof(family));
	if (!rc)
		rc = ask(fd, family, NETDEV_GET, NETDEV_VERSION, NETDEV_IFINDEX, &ifindex,
		    sizeof(ifindex), NETDEV_FEATURES, &features, sizeof(features));
	close(fd);
	return rc ? rc : (features & NETDEV_NDO_XMIT) != 0;
}

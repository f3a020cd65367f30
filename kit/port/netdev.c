/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/netdev_int.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct ifreq
request(const char *name)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return r;
}

int
port_netdev_socket(struct mr_error *error)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 ? fd : mr_error_set(error, -errno, "no socket: %s", strerror(errno));
}

int
port_netdev_name_check(const char *name, struct mr_error *error)
{
	const char *at;

	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return mr_error_set(error, -EINVAL, "'%s' is no name for an interface", name);
	if (strlen(name) >= IFNAMSIZ)
		return mr_error_set(error, -ENAMETOOLONG,
		    "interface name '%s' is longer than %d characters", name, IFNAMSIZ - 1);
	for (at = name; *at; at++)
		if (*at == '/' || *at == ':' || (unsigned char)*at <= ' ' || *at == 0x7f)
			return mr_error_set(error, -EINVAL,
			    "'%s' is no name for an interface: it has a character that is not "
			    "allowed",
			    name);
	return 0;
}

int
port_netdev_index(int fd, const char *name, struct mr_error *error)
{
	struct ifreq r = request(name);

	if (!ioctl(fd, SIOCGIFINDEX, &r))
		return r.ifr_ifindex;
	if (errno == ENODEV)
		return mr_error_set(error, -ENODEV, "no interface %s in this network namespace",
		    name);
	return mr_error_set(error, -errno, "cannot look up interface %s: %s", name,
	    strerror(errno));
}

int
port_netdev_flags(int fd, const char *name)
{
	struct ifreq r = request(name);

	return ioctl(fd, SIOCGIFFLAGS, &r) ? -errno : (uint16_t)r.ifr_flags;
}

int
port_netdev_set_up(int fd, const char *name, struct mr_error *error)
{
	struct ifreq r = request(name);
	int flags = port_netdev_flags(fd, name);

	if (flags >= 0 && (flags & IFF_UP))
		return 0;
	r.ifr_flags = (short)(flags | IFF_UP);
	if (flags < 0 || ioctl(fd, SIOCSIFFLAGS, &r))
		return mr_error_set(error, -errno, "cannot set interface %s up: %s%s", name,
		    strerror(errno), errno == EPERM ? " (it takes CAP_NET_ADMIN)" : "");
	return 0;
}

int
port_netdev_mac(int fd, const char *name, uint8_t mac[6], struct mr_error *error)
{
	struct ifreq r = request(name);

	if (ioctl(fd, SIOCGIFHWADDR, &r))
		return mr_error_set(error, -errno,
		    "cannot read the MAC address of interface %s: %s", name, strerror(errno));
	if (r.ifr_hwaddr.sa_family != ARPHRD_ETHER && r.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		return mr_error_set(error, -EPROTONOSUPPORT,
		    "interface %s does not carry Ethernet (type %u)", name, r.ifr_hwaddr.sa_family);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	return 0;
}

int
port_netdev_set_mac(int fd, const char *name, const uint8_t mac[6], struct mr_error *error)
{
	struct ifreq r = request(name);

	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, mac, 6);
	if (ioctl(fd, SIOCSIFHWADDR, &r))
		return mr_error_set(error, -errno, "cannot set the MAC address of interface %s: %s",
		    name, strerror(errno));
	return 0;
}

int
port_netdev_mtu(int fd, const char *name, uint16_t wanted, struct mr_error *error)
{
	struct ifreq r = request(name);

	if (ioctl(fd, SIOCGIFMTU, &r))
		return mr_error_set(error, -errno, "cannot read the MTU of interface %s: %s", name,
		    strerror(errno));
	if (wanted && r.ifr_mtu != wanted) {
		r.ifr_mtu = wanted;
		if (ioctl(fd, SIOCSIFMTU, &r))
			return mr_error_set(error, -errno,
			    "cannot set the MTU of interface %s to %u: %s", name, wanted,
			    strerror(errno));
	}
	return MR_MIN(r.ifr_mtu, UINT16_MAX);
}

/* IFF_RUNNING follows the carrier up to a second late; ethtool says what is. */
static bool
has_carrier(int fd, struct ifreq *r, int flags)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };

	r->ifr_data = (char *)&link;
	if (ioctl(fd, SIOCETHTOOL, r))
		return flags & IFF_RUNNING;
	return link.data;
}

int
port_netdev_link(int fd, int index)
{
	struct ifreq r = { .ifr_ifindex = index };
	int flags;

	/* By index first: it may have been renamed, and its name may be another's by now. */
	if (ioctl(fd, SIOCGIFNAME, &r))
		return -ENODEV;
	flags = port_netdev_flags(fd, r.ifr_name);
	if (flags < 0)
		return -ENODEV;
	return (flags & IFF_UP) && has_carrier(fd, &r, flags);
}

int
port_mac_parse(const char *text, uint8_t mac[6])
{
	unsigned b[6], i;
	char rest;

	if (strlen(text) != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		&rest) != 6)
		return -EINVAL;
	for (i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

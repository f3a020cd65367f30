/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/device.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/port/netdev_int.h"

static int
request(const struct xdp_device *d, unsigned long what, struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, d->name, sizeof(d->name));
	return ioctl(d->ctl, what, ifr) ? -errno : 0;
}

static int
ethtool(const struct xdp_device *d, void *command)
{
	struct ifreq ifr = { .ifr_data = command };

	return request(d, SIOCETHTOOL, &ifr);
}

/* Receive and transmit queues in use. A device that cannot tell has one of each. */
static void
read_channels(struct xdp_device *d)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };

	d->rx_queues = d->tx_queues = 1;
	if (ethtool(d, &ch))
		return;
	d->rx_queues = MR_MAX(1u, ch.combined_count + ch.rx_count);
	d->tx_queues = MR_MAX(1u, ch.combined_count + ch.tx_count);
}

static bool
one_of(const char *word, const char *const *list, unsigned count)
{
	while (count--)
		if (!strcmp(word, list[count]))
			return true;
	return false;
}

/* A frame from a real NIC has real checksums; one from a veth, a TAP, a bridge or a
 * hypervisor's device may have been made by a kernel that left them to the "hardware".
 * Real ones stand on a bus whose names contain a colon (PCI, USB); in doubt we look. */
static void
read_driver(struct xdp_device *d)
{
	static const char *const outside[] = { "virtio_net", "vif", "hv_netvsc", "vmxnet3", "tun" };
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	bool bus, guest;

	d->checksums = true;
	if (ethtool(d, &info))
		return;
	memcpy(d->driver, info.driver, sizeof(d->driver));
	d->driver[sizeof(d->driver) - 1] = 0;
	info.bus_info[sizeof(info.bus_info) - 1] = 0;
	bus = strchr(info.bus_info, ':');
	guest = one_of(d->driver, outside, MR_ARRAY_COUNT(outside));
	d->checksums = !bus || guest;
	d->edge = bus || guest;
}

static void
read_speed(struct xdp_device *d)
{
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
	uint32_t speed;

	if (ethtool(d, &cmd))
		return;
	speed = ethtool_cmd_speed(&cmd);
	d->speed_mbps = speed == (uint32_t)SPEED_UNKNOWN ? 0 : speed;
}

static int
read_basics(struct xdp_device *d, struct mr_error *error)
{
	struct ifreq ifr = { 0 };
	int rc;

	rc = request(d, SIOCGIFINDEX, &ifr);
	if (rc == -ENODEV)
		return mr_error_set(error, rc, "no interface %s in this network namespace",
		    d->name);
	if (rc)
		return mr_error_set(error, rc, "interface %s: %s", d->name, strerror(-rc));
	d->ifindex = ifr.ifr_ifindex;
	rc = request(d, SIOCGIFHWADDR, &ifr);
	if (!rc && ifr.ifr_hwaddr.sa_family != 1 /* ARPHRD_ETHER */)
		return mr_error_set(error, -ENOTSUP,
		    "%s is not an Ethernet interface (its type is %u)", d->name,
		    ifr.ifr_hwaddr.sa_family);
	if (!rc)
		memcpy(d->mac, ifr.ifr_hwaddr.sa_data, sizeof(d->mac));
	if (!rc)
		rc = request(d, SIOCGIFMTU, &ifr);
	if (!rc)
		d->mtu = (unsigned)ifr.ifr_mtu;
	if (!rc)
		rc = request(d, SIOCGIFFLAGS, &ifr);
	if (!rc)
		d->flags = (uint16_t)ifr.ifr_flags;
	return rc ? mr_error_set(error, rc, "interface %s: %s", d->name, strerror(-rc)) : 0;
}

int
xdp_device_open(struct xdp_device *d, const char *name, struct mr_error *error)
{
	int rc;

	*d = (struct xdp_device){ .ctl = -1, .promiscuous = -1 };
	if (!name || !*name)
		return mr_error_set(error, -EINVAL, "it needs the name of an interface");
	if (strlen(name) >= IFNAMSIZ)
		return mr_error_set(error, -ENAMETOOLONG,
		    "'%s' is no interface: their names have at most %d characters", name,
		    IFNAMSIZ - 1);
	memcpy(d->name, name, strlen(name));
	d->ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->ctl < 0)
		return mr_error_set(error, -errno, "no socket to ask about interfaces with: %s",
		    strerror(errno));
	rc = read_basics(d, error);
	if (rc) {
		xdp_device_close(d);
		return rc;
	}
	read_channels(d);
	read_driver(d);
	read_speed(d);
	return 0;
}

static int
set_rx_stripping(const struct xdp_device *d, bool on)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };
	int rc = ethtool(d, &v);

	if (rc)
		return rc;
	v.cmd = ETHTOOL_SFLAGS;
	v.data = on ? v.data | ETH_FLAG_RXVLAN : v.data & ~(uint32_t)ETH_FLAG_RXVLAN;
	return ethtool(d, &v);
}

bool
xdp_device_keep_tags(struct xdp_device *d)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };

	if (ethtool(d, &v))
		return false;
	if (!(v.data & ETH_FLAG_RXVLAN))
		return true;
	if (set_rx_stripping(d, false))
		return false;
	d->tags_kept = true;
	return true;
}

void
xdp_device_close(struct xdp_device *d)
{
	if (d->tags_kept && xdp_device_link(d) >= 0)
		set_rx_stripping(d, true);
	if (d->promiscuous >= 0)
		close(d->promiscuous);
	if (d->ctl >= 0)
		close(d->ctl);
	d->tags_kept = false;
	d->promiscuous = d->ctl = -1;
}

int
xdp_device_set_mtu(struct xdp_device *d, unsigned mtu, struct mr_error *error)
{
	struct ifreq ifr = { .ifr_mtu = (int)mtu };
	int rc = request(d, SIOCSIFMTU, &ifr);

	if (rc)
		return mr_error_set(error, rc, "%s does not take an MTU of %u: %s", d->name, mtu,
		    strerror(-rc));
	d->mtu = mtu;
	return 0;
}

int
xdp_device_set_up(struct xdp_device *d, struct mr_error *error)
{
	struct ifreq ifr = { 0 };
	int rc;

	if (d->flags & IFF_UP)
		return 0;
	rc = request(d, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	if (!rc)
		rc = request(d, SIOCSIFFLAGS, &ifr);
	if (rc)
		return mr_error_set(error, rc, "%s could not be brought up: %s", d->name,
		    strerror(-rc));
	d->flags |= IFF_UP;
	return 0;
}

int
xdp_device_set_promiscuous(struct xdp_device *d, struct mr_error *error)
{
	struct packet_mreq want = { .mr_ifindex = d->ifindex, .mr_type = PACKET_MR_PROMISC };
	int rc;

	/* Protocol 0: the socket holds the membership and receives nothing. */
	d->promiscuous = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (d->promiscuous >= 0 &&
	    !setsockopt(d->promiscuous, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &want, sizeof(want)))
		return 0;
	rc = -errno;
	return mr_error_set(error, rc, "%s could not be made promiscuous: %s", d->name,
	    strerror(-rc));
}

int
xdp_device_link(const struct xdp_device *d)
{
	return port_netdev_link(d->ctl, d->ifindex);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a NIC's driver tells by ioctl and netlink, as a text, so that it can be kept with the files
 * and read back from them: ROOT/ethtool/DEVICE.
 */

#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/doctor/doctor.h"

static bool
ask(int fd, const char *device, void *question)
{
	struct ifreq request = { .ifr_data = question };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static void
write_switch(int fd, const char *device, uint32_t command, const char *name, FILE *out)
{
	struct ethtool_value value = { .cmd = command };

	if (ask(fd, device, &value))
		fprintf(out, "%s: %s\n", name, value.data ? "on" : "off");
}

static void
write_xdp(const char *device, FILE *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int index = (int)if_nametoindex(device);

	if (index > 0 && bpf_xdp_query(index, 0, &query) == 0 && query.prog_id)
		fprintf(out, "xdp-program: %u\nxdp-mode: %s\n", query.prog_id,
		    query.attach_mode == XDP_ATTACHED_SKB ? "generic" : "native");
}

static void
write_all(int fd, const char *device, FILE *out)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

	if (ask(fd, device, &driver))
		fprintf(out, "driver: %.31s\n", driver.driver);
	if (ask(fd, device, &ring))
		fprintf(out, "rx-ring: %u\nrx-ring-max: %u\ntx-ring: %u\ntx-ring-max: %u\n",
		    ring.rx_pending, ring.rx_max_pending, ring.tx_pending, ring.tx_max_pending);
	if (ask(fd, device, &channels))
		fprintf(out, "channels: %u\nchannels-max: %u\n",
		    channels.combined_count + channels.rx_count,
		    MR_MAX(channels.max_combined, channels.max_rx));
	if (ask(fd, device, &flags))
		fprintf(out, "lro: %s\nrx-vlan: %s\n", flags.data & ETH_FLAG_LRO ? "on" : "off",
		    flags.data & ETH_FLAG_RXVLAN ? "on" : "off");
	write_switch(fd, device, ETHTOOL_GGRO, "gro", out);
	write_switch(fd, device, ETHTOOL_GTSO, "tso", out);
	write_switch(fd, device, ETHTOOL_GRXCSUM, "rx-checksums", out);
	write_switch(fd, device, ETHTOOL_GTXCSUM, "tx-checksums", out);
	write_xdp(device, out);
}

char *
doctor_ethtool(struct doctor *d, const char *device)
{
	char path[96], *text = NULL;
	size_t size = 0;
	FILE *out;
	int fd;

	if (*d->root)
		return doctor_read(d, "/ethtool/%s", device);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	out = fd >= 0 ? open_memstream(&text, &size) : NULL;
	if (out) {
		write_all(fd, device, out);
		fclose(out);
	}
	if (fd >= 0)
		close(fd);
	snprintf(path, sizeof(path), "/ethtool/%s", device);
	if (text && d->saw)
		d->saw(d->saw_arg, path, text, size);
	return text;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel's word that some link has changed: a netlink socket that is readable
 * then. What it says is not read; every interface is looked at, which is as cheap and
 * cannot go wrong when messages were lost.
 */

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nf/interface/interface_int.h"

int
interface_watch_open(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void
interface_watch_drain(int fd)
{
	char message[8192];

	/* An overflow (ENOBUFS) is news as well. */
	while (recv(fd, message, sizeof(message), 0) > 0)
		;
}

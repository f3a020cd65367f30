/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/packet/checksum.h"

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Runs a command; its own words are no help without its context, so only that it failed. */
static int mr_printf(2, 3) run(struct mr_error *error, const char *fmt, ...)
{
	char command[256];
	va_list args;
	int status;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	status = system(command);
	if (status == 0)
		return 0;
	if (status > 0 && status >> 8 == 127)
		return mr_error_set(error, -ENOENT, "no ip command (package iproute2)");
	return mr_error_set(error, -EIO, "failed: %s", command);
}

static int
make_namespace(int *fd, int *counts, struct mr_error *error)
{
	if (unshare(CLONE_NEWNET) < 0)
		return mr_error_set(error, -errno, "no network namespace of our own: %s",
		    errno == EPERM ? "it takes CAP_SYS_ADMIN, or root" : strerror(errno));
	*fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	*counts = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || *counts < 0)
		return mr_error_set(error, -errno, "no network namespace: %s", strerror(errno));
	/* The kernel's own chatter (neighbour discovery) is no part of any job. */
	return run(error,
	    "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up");
}

int
mr_bench_net_open(struct mr_bench_net *net, struct mr_error *error)
{
	int rc;

	*net = MR_BENCH_NET_CLOSED;
	net->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (net->home < 0)
		return mr_error_set(error, -errno, "no network namespaces: %s", strerror(errno));
	rc = make_namespace(&net->far, &net->far_counts, error);
	if (rc == 0)
		rc = make_namespace(&net->near, &net->near_counts, error);
	if (rc < 0)
		mr_bench_net_close(net);
	return rc;
}

void
mr_bench_net_close(struct mr_bench_net *net)
{
	if (net->home >= 0)
		mr_bench_net_enter(net->home, NULL);
	close_fd(&net->home);
	close_fd(&net->near);
	close_fd(&net->far);
	close_fd(&net->near_counts);
	close_fd(&net->far_counts);
}

int
mr_bench_net_enter(int where, struct mr_error *error)
{
	if (setns(where, CLONE_NEWNET) < 0)
		return mr_error_set(error, -errno, "change network namespace: %s", strerror(errno));
	return 0;
}

int
mr_bench_net_veth(struct mr_bench_net *net, const char *name, struct mr_error *error)
{
	int rc;

	rc = run(error,
	    "ip link add %s type veth peer name far-%s netns /proc/%d/fd/%d && ip link set %s up",
	    name, name, getpid(), net->far, name);
	if (rc == 0)
		rc = mr_bench_net_enter(net->far, error);
	if (rc == 0)
		rc = run(error, "ip link set far-%s up", name);
	if (rc == 0)
		rc = mr_bench_net_enter(net->near, error);
	return rc;
}

int
mr_bench_net_up(struct mr_bench_net *net, const char *name, struct mr_error *error)
{
	return run(error, "ip link set %s up", name);
}

int
mr_bench_net_index(struct mr_bench_net *net, int where, const char *name, struct mr_error *error)
{
	int rc = mr_bench_net_enter(where, error);

	if (rc < 0)
		return rc;
	rc = (int)if_nametoindex(name);
	if (!rc)
		rc = mr_error_set(error, -ENODEV, "no interface %s", name);
	mr_bench_net_enter(net->near, NULL);
	return rc;
}

int
mr_bench_net_socket(struct mr_bench_net *net, const char *name, struct mr_error *error)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = mr_be16(0x0003) };
	int fd;

	to.sll_ifindex = mr_bench_net_index(net, net->far, name, error);
	if (to.sll_ifindex < 0)
		return to.sll_ifindex;
	mr_bench_net_enter(net->far, NULL);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		close_fd(&fd);
	if (fd < 0)
		fd = mr_error_set(error, -errno, "packet socket on %s: %s", name, strerror(errno));
	mr_bench_net_enter(net->near, NULL);
	return fd;
}

uint64_t
mr_bench_net_received(int counts, const char *name)
{
	unsigned long long bytes, packets;
	char text[8192], wanted[32], *line = text;
	ssize_t n;

	n = pread(counts, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = 0;
	snprintf(wanted, sizeof(wanted), "%s:", name);
	while ((line = strstr(line, wanted))) {
		/* Names stand at the right of a column that long ones fill. */
		if (line > text && (line[-1] == ' ' || line[-1] == '\n') &&
		    sscanf(line + strlen(wanted), "%llu %llu", &bytes, &packets) == 2)
			return packets;
		line += strlen(wanted);
	}
	return 0;
}

void
mr_bench_net_frame(uint8_t frame[MR_BENCH_NET_FRAME])
{
	static const uint8_t start[] = {
		/* clang-format off */
		0x02, 0, 0, 0, 0, 0xfe, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00,
		0x45, 0, 0, 50, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2,
		0x04, 0xd2, 0x16, 0x2e, 0, 30, 0, 0,
		/* clang-format on */
	};
	be16_t sum;

	memset(frame, 0x5a, MR_BENCH_NET_FRAME);
	memcpy(frame, start, sizeof(start));
	sum = mr_checksum_finish(mr_checksum_add(0, frame + 14, 20));
	memcpy(frame + 24, &sum, sizeof(sum));
	/* Addresses, protocol 17 and 30 bytes make the pseudo-header. */
	sum = mr_checksum_finish_udp(
	    mr_checksum_add(0, frame + 26, 8 + 30) + mr_be16(17) + mr_be16(30));
	memcpy(frame + 40, &sum, sizeof(sum));
}

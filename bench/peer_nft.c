/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer_nft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static const char script[] =
    "set -e\n"
    "ip link set peer-a address %02x:%02x:%02x:%02x:%02x:%02x\n"
    "ip address add " MR_BENCH_WIRE_IN "/32 dev peer-a\n"
    "ip route add " MR_BENCH_WIRE_SRC " dev peer-a\n"
    "ip address add " MR_BENCH_WIRE_OUT "/24 dev peer-b\n"
    "ip neighbor add " MR_BENCH_WIRE_HOP " lladdr " MR_BENCH_WIRE_HOP_MAC " dev peer-b\n"
    "ip route add " MR_BENCH_WIRE_DST " via " MR_BENCH_WIRE_HOP "\n"
    "echo 1 >/proc/sys/net/ipv4/ip_forward\n"
    "ethtool -K peer-a gro on\n"
    "nft 'table ip nat {\n"
    "  chain post {\n"
    "    type nat hook postrouting priority srcnat\n"
    "    oifname peer-b masquerade\n"
    "  }\n"
    "}'\n";

static int
start(struct mr_bench_wire *wire, struct mr_error *error)
{
	uint8_t frame[MR_BENCH_NET_FRAME];
	char text[sizeof(script) + 1024], line[160] = "";
	FILE *shell;
	int rc;

	mr_bench_net_frame(frame);
	rc = snprintf(text, sizeof(text), script, frame[0], frame[1], frame[2], frame[3], frame[4],
	    frame[5]);
	if (rc >= (int)sizeof(text) || setenv("MR_BENCH_SCRIPT", text, 1))
		return mr_error_set(error, -ENOMEM, "no memory for a script");
	shell = popen("exec 2>&1; sh -c \"$MR_BENCH_SCRIPT\"", "r");
	if (!shell)
		return mr_error_set(error, -errno, "no shell");
	while (fgets(line, sizeof(line), shell))
		;
	line[strcspn(line, "\n")] = 0;
	if (pclose(shell))
		return mr_error_set(error, -EIO, "the kernel's NAT: %s", line);
	return mr_bench_wire_add(wire, MR_BENCH_WIRE_PEER, error);
}

int
mr_bench_nft_start(struct mr_bench_wire *wire, char *label, size_t size, struct mr_error *error)
{
	int rc = start(wire, error);
	struct utsname kernel;

	unsetenv("MR_BENCH_SCRIPT");
	if (rc == 0 && uname(&kernel) == 0)
		snprintf(label, size, "nftables masquerade, Linux %s", kernel.release);
	return rc;
}

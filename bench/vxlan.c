/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/vxlan.h"

#include <string.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "kit/packet/wire_tunnel.h"

#define VNI 100u
#define OURS 198, 19, 0, 1
#define REMOTE 198, 19, 0, 2
#define OUR_MAC 2, 0, 0, 0, 0, 5
#define REMOTE_MAC 2, 0, 0, 0, 0, 6

static const uint8_t ours[4] = { OURS }, remote[4] = { REMOTE };
static const uint8_t our_mac[6] = { OUR_MAC }, remote_mac[6] = { REMOTE_MAC };

void
mr_bench_vxlan_put_tunnel(FILE *out)
{
	fprintf(out,
	    "tunnel:\n  vni: {local: %u.%u.%u.%u, remote: [%u.%u.%u.%u], vxlan: {vni: %u}}\n",
	    ours[0], ours[1], ours[2], ours[3], remote[0], remote[1], remote[2], remote[3], VNI);
}

void
mr_bench_vxlan_put_interface(FILE *out, const char *name)
{
	fprintf(out, "      %s: {mac: \"02:00:00:00:00:05\", address: [198.19.0.1/24]}\n", name);
}

void
mr_bench_vxlan_put_neighbor(FILE *out, const char *interface)
{
	fprintf(out, "        198.19.0.2: {interface: %s, mac: \"02:00:00:00:00:06\"}\n",
	    interface);
}

void
mr_bench_vxlan_head(uint8_t head[MR_BENCH_VXLAN_AROUND], bool to_remote, uint16_t sport)
{
	struct mr_eth *eth = (struct mr_eth *)head;
	struct mr_ip4 *ip = (struct mr_ip4 *)(eth + 1);
	struct mr_udp *udp = (struct mr_udp *)(ip + 1);
	struct mr_vxlan *vxlan = (struct mr_vxlan *)(udp + 1);

	memset(head, 0, MR_BENCH_VXLAN_AROUND);
	memcpy(eth->dst, to_remote ? remote_mac : our_mac, 6);
	memcpy(eth->src, to_remote ? our_mac : remote_mac, 6);
	eth->type = mr_be16(MR_ETH_TYPE_IP4);
	ip->version_ihl = 0x45;
	ip->total_len = mr_be16(MR_BENCH_VXLAN_FRAME - sizeof(*eth));
	ip->frag = mr_be16(MR_IP4_DONT_FRAGMENT);
	ip->ttl = 64;
	ip->proto = MR_IP_PROTO_UDP;
	memcpy(&ip->src, to_remote ? ours : remote, 4);
	memcpy(&ip->dst, to_remote ? remote : ours, 4);
	ip->check = mr_checksum_ipv4_header(ip);
	udp->src = mr_be16(sport);
	udp->dst = mr_be16(MR_TUNNEL_PORT_VXLAN);
	udp->len = mr_be16(MR_BENCH_VXLAN_FRAME - sizeof(*eth) - sizeof(*ip));
	vxlan->flags = MR_VXLAN_VNI_VALID;
	vxlan->vni[2] = VNI;
}

void
mr_bench_vxlan_write(uint8_t *to, const uint8_t frame[MR_BENCH_FRAME])
{
	uint32_t words[4] = { 0 };

	/* Addresses and ports. */
	memcpy(words, frame + sizeof(struct mr_eth) + 12, 12);
	words[3] = words[0] * 0x9e3779b1u ^ words[1] * 0x85ebca77u ^ words[2] * 0xc2b2ae3du;
	mr_bench_vxlan_head(to, false, (uint16_t)(0xc000u | words[3] >> 18));
	memcpy(to + MR_BENCH_VXLAN_AROUND, frame, MR_BENCH_FRAME);
}

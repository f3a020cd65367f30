/* SPDX-License-Identifier: Apache-2.0 */
/* What workers need of a tunnel's configuration: above all, the headers of each remote end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/tunnel/control_int.h"

static uint8_t *
put_ip4(uint8_t *to, const struct tunnel_conf *c, const struct tunnel_ip *remote)
{
	struct mr_ip4 ip = { .version_ihl = 0x45,
		.frag = mr_be16(MR_IP4_DONT_FRAGMENT),
		.ttl = c->ttl,
		.proto = MR_IP_PROTO_UDP };

	memcpy(&ip.src, c->local.bytes, 4);
	memcpy(&ip.dst, remote->bytes, 4);
	memcpy(to, &ip, sizeof(ip));
	return to + sizeof(ip);
}

static uint8_t *
put_ip6(uint8_t *to, const struct tunnel_conf *c, const struct tunnel_ip *remote)
{
	struct mr_ip6 ip = { .version_class_flow = mr_be32(6u << 28),
		.next = MR_IP_PROTO_UDP,
		.hop_limit = c->ttl };

	memcpy(ip.src, c->local.bytes, 16);
	memcpy(ip.dst, remote->bytes, 16);
	memcpy(to, &ip, sizeof(ip));
	return to + sizeof(ip);
}

static void
make_remote(struct tunnel_remote *r, const struct tunnel_conf *c, const struct tunnel_ip *remote)
{
	const struct mr_udp udp = { .dst = mr_be16(c->port) };
	struct mr_vxlan vxlan = { .flags = MR_VXLAN_VNI_VALID };
	uint8_t *at;

	mr_store_be16(vxlan.vni, (uint16_t)(c->vni >> 8));
	vxlan.vni[2] = (uint8_t)c->vni;
	at = remote->six ? put_ip6(r->head, c, remote) : put_ip4(r->head, c, remote);
	memcpy(at, &udp, sizeof(udp));
	at += sizeof(udp);
	memcpy(at, &vxlan, sizeof(vxlan));
	at += sizeof(vxlan);
	r->size = (uint8_t)(at - r->head);
	r->six = remote->six;
}

int
tunnel_view_make(struct tunnel_view **out, const struct tunnel_conf *c, const uint16_t *number_of,
    struct mr_mac *stations, struct mr_error *error)
{
	size_t size =
	    MR_ALIGN_UP(sizeof(struct tunnel_view) + c->remote_count * sizeof(struct tunnel_remote),
		(size_t)MR_CACHE_LINE);
	struct tunnel_view *v = aligned_alloc(MR_CACHE_LINE, size);

	if (!v)
		return mr_error_set(error, -ENOMEM, "tunnel %s: no memory", c->name);
	memset(v, 0, size);
	v->fragment = c->fragment;
	v->checksum = c->checksum;
	v->learn = c->learning && c->remote_count > 1;
	v->dscp = c->dscp;
	v->count = (uint16_t)c->remote_count;
	v->stations = stations;
	memset(v->place, 0xff, sizeof(v->place));
	for (unsigned i = 0; i < c->remote_count; i++) {
		make_remote(&v->remotes[i], c, &c->remotes[i]);
		v->remotes[i].number = number_of[i];
		v->place[number_of[i]] = (uint16_t)i;
	}
	*out = v;
	return 0;
}

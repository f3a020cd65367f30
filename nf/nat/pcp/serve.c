/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/pcp/pcp_int.h"

#include <string.h>

#include "kit/packet/checksum.h"
#include "nf/nat/pass_int.h"

#define UDP_SIZE 8u

/* Seconds before who was refused may ask again (RFC 6887, 7.4). */
#define SHORT_ERROR 30u
#define LONG_ERROR 1800u

const struct nat_instance *
nat_pcp_asked(const struct nat_pass *s, const struct nat_packet *k)
{
	const struct nat_port *port = &s->view->ports[s->self->port];

	for (unsigned i = 0; i < port->inside_count; i++) {
		const struct nat_instance *n = &s->view->instances[port->inside[i]];

		if (!n->pcp || !nat_is_vlan(port->inside_vlan[i], k->vlan) ||
		    (n->source_count && !nat_in_ranges(n->sources, n->source_count, k->src)))
			continue;
		if (k->dst == mr_be32(NAT_PCP_ANYCAST))
			return n;
		for (unsigned h = 0; h < n->home_count; h++)
			if (n->home[h] == k->dst)
				return n;
	}
	return NULL;
}

/* The payload's length; 0: it is cut off, or its checksum is wrong. */
static unsigned
read_payload(const struct nat_pass *s, uint32_t packet, const struct mr_packet *p,
    const struct nat_packet *k, uint8_t bytes[NAT_PCP_MAX])
{
	const uint8_t *udp = mr_packet_bytes_const(p) + k->l4;
	be16_t size, check;
	unsigned len;
	uint64_t sum;

	memcpy(&size, udp + 4, 2);
	memcpy(&check, udp + 6, 2);
	len = mr_be16(size);
	if (len <= UDP_SIZE || k->l4 + len > k->end || k->l4 - k->l3 != sizeof(struct mr_ip4))
		return 0;
	if (check && !(p->flags & (MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD))) {
		sum = mr_checksum_pseudo4(k->src, k->dst, MR_IP_PROTO_UDP, (uint16_t)len);
		if (mr_checksum_add_chain(&sum, s->run->buffers, packet, k->l4, len) ||
		    mr_checksum_fold(sum) != UINT16_MAX)
			return 0;
	}
	len -= UDP_SIZE;
	(void)mr_packet_read(s->run->buffers, packet, k->l4 + UDP_SIZE, bytes,
	    MR_MIN(len, NAT_PCP_MAX));
	return len;
}

/* What the outside address of the host is, or would be. */
static void
tell_address(const struct nat_pass *s, const struct nat_instance *n, be32_t host,
    struct nat_pcp_answer *a)
{
	struct nat_outside o = { 0 };
	uint8_t inside[16] = { 0 };
	struct nat_found f;

	if (n->fixed && nat_fixed(s, n, host, NAT_SCOPE_FIXED_OUT, &f)) {
		a->address = f.address;
		return;
	}
	memcpy(inside, &host, 4);
	if (!n->pool ||
	    nat_pool_look(n->pool, s->run->worker, inside, false, NAT_UDP, 0, s->run->seconds,
		&o) != NAT_TAKEN)
		a->result = o.address ? NAT_PCP_SUCCESS : NAT_PCP_NETWORK_FAILURE;
	a->address = o.address;
}

static bool
is_understood(const struct nat_pcp_request *r)
{
	return (r->proto == MR_IP_PROTO_TCP || r->proto == MR_IP_PROTO_UDP) &&
	    (r->inside || r->nat_pmp);
}

static void
decide(const struct nat_pass *s, const struct nat_instance *n, be32_t host,
    const struct nat_pcp_request *r, struct nat_pcp_answer *a)
{
	memset(a, 0, sizeof(*a));
	a->result = r->result;
	if (r->kind == NAT_PCP_ADDRESS)
		tell_address(s, n, host, a);
	else if ((r->kind == NAT_PCP_MAP || r->kind == NAT_PCP_PEER) && !is_understood(r))
		a->result =
		    !r->proto && r->inside ? NAT_PCP_MALFORMED_REQUEST : NAT_PCP_UNSUPP_PROTOCOL;
	else if (r->kind == NAT_PCP_MAP)
		nat_lease_map(s, n, host, r, a);
	else if (r->kind == NAT_PCP_PEER)
		nat_lease_peer(s, n, host, r, a);
	if (a->result)
		a->lifetime = a->result == NAT_PCP_NETWORK_FAILURE ||
			a->result == NAT_PCP_NO_RESOURCES || a->result == NAT_PCP_USER_EX_QUOTA
		    ? SHORT_ERROR
		    : LONG_ERROR;
	a->epoch = s->run->seconds -
	    atomic_load_explicit(&s->table->lost[n->number], memory_order_relaxed);
}

/* -- the packet back ------------------------------------------------------------------------ */

static bool
turn(const struct nat_pass *s, uint32_t packet, struct mr_packet *p, const struct nat_packet *k,
    const uint8_t *answer, unsigned size)
{
	unsigned at = k->l4 + UDP_SIZE;
	be16_t len = mr_be16((uint16_t)(UDP_SIZE + size)), sum = 0;
	uint8_t *bytes, *udp;
	struct mr_ip4 ip;

	mr_packet_trim(s->run->buffers, s->run->worker, packet, at);
	if (p->segments != 1 || p->len != at || mr_packet_tailroom(p) < size)
		return false;
	p->len = (uint16_t)(at + size);
	p->total = p->len;
	p->flags = (uint16_t)(p->flags &
	    ~(MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD | MR_PACKET_HASHED | MR_PACKET_GSO));
	bytes = mr_packet_bytes(p);
	udp = bytes + k->l4;
	mr_bytes_swap(bytes, bytes + 6, 6);
	ip = (struct mr_ip4){ .version_ihl = 0x45,
		.total_len = mr_be16((uint16_t)(sizeof(ip) + UDP_SIZE + size)),
		.ttl = 64,
		.proto = MR_IP_PROTO_UDP,
		.src = k->dst,
		.dst = k->src };
	ip.check = mr_checksum_ipv4_header(&ip);
	memcpy(bytes + k->l3, &ip, sizeof(ip));
	mr_bytes_swap(udp, udp + 2, 2);
	memcpy(udp + 4, &len, 2);
	memcpy(udp + 6, &sum, 2);
	memcpy(udp + UDP_SIZE, answer, size);
	sum = mr_checksum_finish_udp(mr_checksum_add(
	    mr_checksum_pseudo4(ip.src, ip.dst, MR_IP_PROTO_UDP, (uint16_t)(UDP_SIZE + size)), udp,
	    UDP_SIZE + size));
	memcpy(udp + 6, &sum, 2);
	return true;
}

mr_verdict_t
nat_pcp_serve(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet,
    struct mr_packet *p, const struct nat_packet *k)
{
	uint8_t asked[NAT_PCP_MAX], out[NAT_PCP_MAX];
	struct nat_pcp_request r;
	struct nat_pcp_answer a;
	unsigned len;

	mr_record_uncacheable(s->rec, p, "the translator is asked for a mapping");
	len = read_payload(s, packet, p, k, asked);
	nat_pcp_read(&r, asked, len, k->src, n->nat_pmp);
	if (r.kind == NAT_PCP_IGNORE)
		return nat_drop(s, n, NAT_DROP_PCP);
	/* An explanation makes no mapping, so there is no answer to be shown. */
	if (s->dry)
		return mr_verdict_output(s->self->port);
	decide(s, n, k->src, &r, &a);
	if (!turn(s, packet, p, k, out, nat_pcp_write(out, asked, len, &r, &a)))
		return nat_drop(s, n, NAT_DROP_PCP);
	p->flags |= MR_PACKET_TRANSLATED;
	mr_node_count(s->run, NAT_PCP_COUNTER, 1);
	nat_count(s->table, s->run->worker, n->number, NAT_COUNT_PCP);
	if (a.result)
		nat_count(s->table, s->run->worker, n->number, NAT_COUNT_PCP_REFUSED);
	return mr_verdict_output(s->self->port);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp-redirect: a packet leaves by the interface where it came in, so that its sender could
 * have sent it to the next hop itself. It goes on; the sender is told, if it is on that link
 * and not told too often (RFC 1812, 4.3.3.2, 5.2.7.2: for the one destination only; RFC 4861, 8.2).
 */
#include "nf/icmp/options_int.h"
#include "nf/icmp/route_int.h"

#define REDIRECT_HOST 1u /* code: for the host */
#define ND_HOPS 255u
#define OPTION_TARGET_MAC 2u
#define OPTION_REDIRECTED 4u

enum { REDIRECT_DROP_NOT_SENT, REDIRECT_DROP_COUNT };

struct redirect {
	struct icmp_work w;
	const struct mr_packet *p;
	const struct mr_ip_interface *in;
	enum mr_ip_family family;
	unsigned l3, size; /* bytes of an address */
	const uint8_t *source, *destination;
	uint8_t gateway[16];
	uint8_t mac[6]; /* the gateway's, */
	bool has_mac;   /* when it is known */
};

/* The neighbour that an adjacency stands for, where the packet goes to `destination`. */
static const uint8_t *
neighbour(const struct redirect *r, uint32_t adjacency, const uint8_t *destination)
{
	const struct mr_adjacency_info *info = mr_adjacency_info(r->w.icmp->ip, adjacency);

	if (adjacency < MR_IP_SPECIALS || !info || info->interface != r->p->context)
		return NULL;
	if (info->glean)
		return destination;
	return info->family == r->family ? info->address : NULL;
}

static void
find_mac(struct redirect *r, uint32_t index)
{
	const struct mr_adjacency *a = &r->w.icmp->ip->adjacencies[index];
	uint64_t control = atomic_load_explicit(&a->control, memory_order_acquire);
	unsigned len = MR_ADJACENCY_LEN(control);

	r->has_mac = (MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_COMPLETE) && len >= 14 &&
	    len <= MR_ADJACENCY_REWRITE_MAX;
	if (r->has_mac)
		memcpy(r->mac,
		    a->rewrite[MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND] +
			MR_ADJACENCY_REWRITE_MAX - len,
		    6);
}

/* Whether the sender is a neighbour there who would be helped. */
static bool
is_due(struct redirect *r, uint32_t packet)
{
	struct mr_ip_meta *meta = mr_ip_meta(mr_packet_at(r->w.run->base, packet));
	const uint8_t *ip = mr_packet_bytes_const(r->p) + r->l3, *hop, *source;
	struct ip4_options o;
	unsigned header;

	if ((meta->flags & MR_IP_META_ORIGIN) || !(mr_ip_flags(r->in) & MR_IP_REDIRECTS))
		return false;
	if (icmp_error_refused(mr_packet_bytes_const(r->p), r->p->len, r->p->total, r->l3,
		r->family, r->family == MR_IP4 ? MR_ICMP4_REDIRECT : MR_ICMP6_REDIRECT,
		0) != ICMP_COUNT_COUNT)
		return false;
	header = (ip[0] & 15u) * 4;
	/* A source route says where it wants to pass. */
	if (r->family == MR_IP4 && header > 20 &&
	    (r->l3 + header > r->p->len || ip4_options_scan(ip, header, &o) || o.route))
		return false;
	hop = neighbour(r, meta->adjacency % MR_IP_ADJACENCIES_MAX, r->destination);
	if (!hop)
		return false;
	memcpy(r->gateway, hop, r->size);
	/* RFC 4861, 8.2: a router is named by its link-local address. */
	if (r->family == MR_IP6 && memcmp(hop, r->destination, 16) != 0 &&
	    !icmp_is_link_local6(hop))
		return false;
	if (r->family == MR_IP6 && icmp_is_link_local6(r->source)) {
		find_mac(r, meta->adjacency % MR_IP_ADJACENCIES_MAX);
		return true;
	}
	/* On the link is who is reached there without another router. */
	source = neighbour(r, icmp_route(&r->w, r->in, r->family, r->source), r->source);
	if (!source || memcmp(source, r->source, r->size) != 0 ||
	    memcmp(r->source, r->gateway, r->size) == 0)
		return false;
	find_mac(r, meta->adjacency % MR_IP_ADJACENCIES_MAX);
	return true;
}

static bool
take(const struct redirect *r)
{
	struct icmp_vrf *v = &r->w.icmp->vrfs[mr_ip_vrf(r->in)];

	return icmp_take(&r->w,
		   icmp_word(r->w.icmp->redirected, mr_ip_vrf(r->in), r->family, r->source),
		   &v->redirect_host) &&
	    icmp_take(&r->w, &v->redirects.due, &v->redirects.rate);
}

/* -- the message ---------------------------------------------------------------------- */

/* The offending packet's bytes, at most `max`, behind `at`. */
static unsigned
quote(const struct redirect *r, uint32_t packet, uint8_t *at, unsigned max)
{
	const uint8_t *ip = mr_packet_bytes_const(r->p) + r->l3;
	unsigned len = r->family == MR_IP4 ? mr_load_be16(ip + 2) : 40u + mr_load_be16(ip + 4);

	len = MR_MIN(MR_MIN(len, r->p->total - r->l3), max);
	return (unsigned)mr_packet_read(r->w.run->buffers, packet, r->l3, at, len);
}

static unsigned
make4(const struct redirect *r, uint32_t packet, uint8_t *at)
{
	struct mr_ip4 *ip = (struct mr_ip4 *)at;
	struct mr_icmp *icmp = (struct mr_icmp *)(at + 20);
	unsigned len = 28 + quote(r, packet, at + 28, ICMP_QUOTE4 - 28);

	*ip = (struct mr_ip4){ .version_ihl = 0x45,
		.tos = ICMP_TOS,
		.ttl = ICMP_TTL,
		.proto = MR_IP_PROTO_ICMP,
		.total_len = mr_be16(len),
		.id = mr_be16(icmp_next_id(&r->w)),
		.src = mr_ip_address4(r->in) };
	memcpy(&ip->dst, r->source, 4);
	ip->check = mr_checksum_ipv4_header(ip);
	*icmp = (struct mr_icmp){ .type = MR_ICMP4_REDIRECT, .code = REDIRECT_HOST };
	memcpy(&icmp->rest, r->gateway, 4);
	icmp->check = mr_checksum_finish(mr_checksum_add(0, icmp, len - 20));
	return ip->src ? len : 0;
}

/* RFC 4861, 4.5, with the options of 4.6.1 and 4.6.3. */
static unsigned
make6(const struct redirect *r, uint32_t packet, uint8_t *at)
{
	struct mr_ip6 *ip = (struct mr_ip6 *)at;
	uint8_t *icmp = at + 40, *option = icmp + 40;
	uint64_t sum;
	unsigned n;
	be16_t check;

	memset(at, 0, 80);
	ip->version_class_flow = mr_be32(6u << 28);
	ip->next = MR_IP_PROTO_ICMP6;
	ip->hop_limit = ND_HOPS;
	icmp_own_address6(&r->w, r->p->context, true, ip->src);
	memcpy(ip->dst, r->source, 16);
	icmp[0] = MR_ICMP6_REDIRECT;
	memcpy(icmp + 8, r->gateway, 16);
	memcpy(icmp + 24, r->destination, 16);
	if (r->has_mac) {
		option[0] = OPTION_TARGET_MAC;
		option[1] = 1;
		memcpy(option + 2, r->mac, 6);
		option += 8;
	}
	/* Whole units of eight bytes. */
	n = quote(r, packet, option + 8, (ICMP_QUOTE6 - (unsigned)(option + 8 - at)) & ~7u);
	memset(option + 8 + n, 0, (8 - n % 8) % 8);
	n = (n + 7) / 8 * 8;
	memset(option, 0, 8);
	option[0] = OPTION_REDIRECTED;
	option[1] = (uint8_t)(n / 8 + 1);
	n += (unsigned)(option + 8 - icmp);
	ip->payload_len = mr_be16(n);
	sum = mr_checksum_pseudo6(ip->src, ip->dst, MR_IP_PROTO_ICMP6, n);
	check = mr_checksum_finish(mr_checksum_add(sum, icmp, n));
	memcpy(icmp + 2, &check, 2);
	return icmp_is_link_local6(ip->src) ? 40 + n : 0;
}

/* A new packet beside the one that goes on. */
static void
tell(const struct redirect *r, uint32_t packet)
{
	struct mr_node_run *run = r->w.run;
	struct mr_packet *made;
	mr_verdict_t verdict;
	uint32_t handle;
	unsigned len;

	if (!mr_buffers_get(run->buffers, run->worker, &handle, 1))
		return;
	made = mr_packet_at(run->base, handle);
	mr_packet_init(made, MR_PACKET_DATA, (uint16_t)r->l3, r->p->port, r->p->queue);
	if (mr_unlikely(mr_recorded(r->w.rec, r->p)))
		mr_record_copy(r->w.rec, r->p, made);
	memcpy(made->scratch, r->p->scratch, sizeof(made->scratch));
	made->track = 0;
	memcpy(mr_packet_bytes(made), mr_packet_bytes_const(r->p), r->l3);
	len = r->family == MR_IP4 ? make4(r, packet, mr_packet_bytes(made) + r->l3)
				  : make6(r, packet, mr_packet_bytes(made) + r->l3);
	made->len = (uint16_t)(r->l3 + len);
	made->total = made->len;
	*mr_ip_meta(made) =
	    (struct mr_ip_meta){ .l3 = (uint16_t)r->l3, .flags = MR_IP_META_ORIGIN };
	verdict =
	    mr_verdict_edge(r->family == MR_IP4 ? ICMP_REDIRECT_FORWARD4 : ICMP_REDIRECT_FORWARD6);
	if (r->family == MR_IP6 && icmp_is_link_local6(r->source)) {
		verdict = mr_verdict_output(mr_ip_port(r->in));
		if (!icmp_reflect(&r->w, made, r->in))
			len = 0;
	}
	if (!len)
		verdict = mr_verdict_drop(REDIRECT_DROP_NOT_SENT);
	else
		icmp_count(&r->w, mr_ip_vrf(r->in),
		    r->family == MR_IP4 ? ICMP_REDIRECT4 : ICMP_REDIRECT6);
	mr_node_emit(run, handle, verdict);
}

static void
consider(const struct icmp_work *w, uint32_t packet)
{
	const struct mr_packet *p = mr_packet_at(w->run->base, packet);
	struct redirect r = { .w = *w, .p = p };
	const uint8_t *ip;

	r.l3 = mr_ip_meta(mr_packet_at(w->run->base, packet))->l3;
	r.in = icmp_interface(w, p);
	if (!r.in || r.l3 > MR_PACKET_HEADROOM || !icmp_pull(w, packet, r.l3 + 20))
		return;
	ip = mr_packet_bytes_const(p) + r.l3;
	r.family = ip[0] >> 4 == 6 ? MR_IP6 : MR_IP4;
	r.size = r.family == MR_IP4 ? 4 : 16;
	if (r.family == MR_IP6 && !icmp_pull(w, packet, r.l3 + 40))
		return;
	(void)icmp_pull(w, packet, MR_MIN(p->total, r.l3 + 256));
	ip = mr_packet_bytes_const(p) + r.l3;
	r.source = ip + (r.family == MR_IP4 ? 12 : 8);
	r.destination = r.source + r.size;
	if (!is_due(&r, packet))
		return;
	if (!take(&r)) {
		icmp_count(w, mr_ip_vrf(r.in), ICMP_LIMITED_REDIRECT);
		return;
	}
	mr_record_note(w->rec, p, "redirect sent to the source", 1);
	tell(&r, packet);
}

mr_inline void
icmp_redirect_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct icmp_work w = icmp_work(run, rec);

	for (unsigned i = 0; i < count; i++) {
		mr_record_uncacheable(rec, mr_packet_at(run->base, packets[i]),
		    "leaves by where it came in");
		consider(&w, packets[i]);
		verdicts[i] = mr_verdict_edge(ICMP_REDIRECT_OUTPUT);
	}
}
MR_NODE_FUNCTIONS(icmp_redirect)

static const char *const edges[] = {
	[ICMP_REDIRECT_OUTPUT] = "output",
	[ICMP_REDIRECT_FORWARD4] = "forward4",
	[ICMP_REDIRECT_FORWARD6] = "forward6",
};
static const struct mr_named drops[] = {
	[REDIRECT_DROP_NOT_SENT] = { "redirect-not-sent",
	    "a redirect without an address to send it from" },
};

const struct mr_node_class icmp_redirect_class = {
	.name = "icmp-redirect",
	.doc = "tells hosts of a better first hop",
	.edges = edges,
	.edge_count = ICMP_REDIRECT_EDGES,
	.drops = drops,
	.drop_count = REDIRECT_DROP_COUNT,
	MR_NODE_RUN(icmp_redirect),
};

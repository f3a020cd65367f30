/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/packet/parse_int.h"

/*
 * Tunnels: each function below reads one tunnel's header at `t->at`, moves `at` behind
 * it and says what follows: an Ethernet frame, IP, or what `type` names.
 */

enum content {
	CONTENT_OPAQUE,
	CONTENT_ETHERNET,
	CONTENT_IP,   /* the first nibble tells which */
	CONTENT_TYPE, /* an ethertype */
};

struct tunnel {
	unsigned at;
	unsigned end; /* of the content */
	enum content content;
	uint16_t type;
	uint32_t id;
};

/* MR_NEED looks at `end` of what it is given first: a tunnel has one too. */
#define NEED(t, s, size, error) MR_NEED(t, s, (t)->at, size, error)

static void
follow_type(struct tunnel *t, uint16_t type)
{
	t->type = type;
	t->content = type == MR_ETH_TYPE_TEB ? CONTENT_ETHERNET : CONTENT_TYPE;
}

static enum mr_parse_error
open_mpls(struct tunnel *t, const struct mr_span *s)
{
	uint32_t entry;
	unsigned n;

	for (n = 0; n < MR_PARSE_MPLS_MAX; n++) {
		NEED(t, s, sizeof(struct mr_mpls), MR_PARSE_MPLS_SHORT);
		entry = mr_load_be32(s->bytes + t->at);
		t->at += sizeof(struct mr_mpls);
		if (n == 0)
			t->id = entry >> MR_MPLS_LABEL_SHIFT;
		if (!(entry & MR_MPLS_BOTTOM))
			continue;
		/* Nothing names the content; what everybody does (RFC 4928, section 2). */
		if (t->at < t->end && t->at < s->len &&
		    (s->bytes[t->at] >> 4 == 4 || s->bytes[t->at] >> 4 == 6))
			t->content = CONTENT_IP;
		return MR_PARSE_OK;
	}
	return MR_PARSE_MPLS_DEEP;
}

static enum mr_parse_error
open_pppoe(struct tunnel *t, const struct mr_span *s)
{
	const struct mr_pppoe *p = (const struct mr_pppoe *)(s->bytes + t->at);
	unsigned len;

	NEED(t, s, sizeof(*p) + 2, MR_PARSE_PPPOE_SHORT);
	if (p->version_type != MR_PPPOE_VERSION_TYPE || p->code != 0)
		return MR_PARSE_PPPOE_VERSION;
	len = mr_be16(p->length);
	if (len < 2 || len > t->end - t->at - sizeof(*p))
		return MR_PARSE_PPPOE_LENGTH;
	t->id = mr_be16(p->session);
	t->end = t->at + (unsigned)sizeof(*p) + len;
	t->at += sizeof(*p) + 2;
	switch (mr_load_be16(s->bytes + t->at - 2)) {
	case MR_PPP_IP4:
		follow_type(t, MR_ETH_TYPE_IP4);
		break;
	case MR_PPP_IP6:
		follow_type(t, MR_ETH_TYPE_IP6);
		break;
	case MR_PPP_MPLS:
		follow_type(t, MR_ETH_TYPE_MPLS);
		break;
	}
	return MR_PARSE_OK;
}

static enum mr_parse_error
open_gre(struct tunnel *t, const struct mr_span *s)
{
	unsigned flags, options = 0, key;
	uint16_t type;

	NEED(t, s, sizeof(struct mr_gre), MR_PARSE_GRE_SHORT);
	flags = mr_load_be16(s->bytes + t->at);
	type = mr_load_be16(s->bytes + t->at + 2);
	if (flags & MR_GRE_VERSION)
		return MR_PARSE_GRE_VERSION;
	if (flags & MR_GRE_ROUTING)
		return MR_PARSE_GRE_ROUTING;
	options += flags & MR_GRE_CHECKSUM ? 4 : 0;
	key = options;
	options += flags & MR_GRE_KEY ? 4 : 0;
	options += flags & MR_GRE_SEQUENCE ? 4 : 0;
	NEED(t, s, sizeof(struct mr_gre) + options, MR_PARSE_GRE_SHORT);
	t->at += sizeof(struct mr_gre);
	if (flags & MR_GRE_KEY)
		t->id = mr_load_be32(s->bytes + t->at + key);
	t->at += options;
	follow_type(t, type);
	return MR_PARSE_OK;
}

static enum mr_parse_error
open_vxlan(struct tunnel *t, const struct mr_span *s)
{
	const struct mr_vxlan *v = (const struct mr_vxlan *)(s->bytes + t->at);

	NEED(t, s, sizeof(*v), MR_PARSE_VXLAN_SHORT);
	if (!(v->flags & MR_VXLAN_VNI_VALID))
		return MR_PARSE_VXLAN_FLAGS;
	t->id = mr_load_be32(v->vni) >> 8;
	t->at += sizeof(*v);
	t->content = CONTENT_ETHERNET;
	return MR_PARSE_OK;
}

static enum mr_parse_error
open_geneve(struct tunnel *t, const struct mr_span *s)
{
	const struct mr_geneve *g = (const struct mr_geneve *)(s->bytes + t->at);
	unsigned size;

	NEED(t, s, sizeof(*g), MR_PARSE_GENEVE_SHORT);
	if (g->version_len >> 6)
		return MR_PARSE_GENEVE_VERSION;
	size = (unsigned)sizeof(*g) + (g->version_len & 0x3fu) * 4;
	NEED(t, s, size, MR_PARSE_GENEVE_SHORT);
	t->id = mr_load_be32(g->vni) >> 8;
	t->at += size;
	/* Control packets are for the tunnel's end, not for a host behind it. */
	if (!(g->flags & MR_GENEVE_CONTROL))
		follow_type(t, mr_be16(g->type));
	return MR_PARSE_OK;
}

static enum mr_parse_error
open_gtpu(struct tunnel *t, const struct mr_span *s)
{
	const struct mr_gtpu *g = (const struct mr_gtpu *)(s->bytes + t->at);
	unsigned len, n, size;
	uint8_t next;

	NEED(t, s, sizeof(*g), MR_PARSE_GTPU_SHORT);
	if ((g->flags & MR_GTPU_VERSION_MASK) != MR_GTPU_VERSION_1 ||
	    !(g->flags & MR_GTPU_PROTOCOL))
		return MR_PARSE_GTPU_VERSION;
	len = mr_be16(g->length);
	if (len > t->end - t->at - sizeof(*g))
		return MR_PARSE_GTPU_LENGTH;
	t->id = mr_be32(g->teid);
	t->at += sizeof(*g);
	t->end = t->at + len;
	if (g->flags & (MR_GTPU_EXTENSION | MR_GTPU_SEQUENCE | MR_GTPU_NPDU)) {
		NEED(t, s, sizeof(struct mr_gtpu_options), MR_PARSE_GTPU_SHORT);
		next = s->bytes[t->at + offsetof(struct mr_gtpu_options, next)];
		t->at += sizeof(struct mr_gtpu_options);
		if (!(g->flags & MR_GTPU_EXTENSION))
			next = 0;
		/* Length in units of 4 bytes first, the next one's type last. */
		for (n = 0; next; n++) {
			NEED(t, s, 1, MR_PARSE_GTPU_SHORT);
			size = s->bytes[t->at] * 4u;
			if (size == 0 || n == 8)
				return MR_PARSE_GTPU_EXTENSION;
			NEED(t, s, size, MR_PARSE_GTPU_SHORT);
			t->at += size;
			next = s->bytes[t->at - 1];
		}
	}
	if (g->type == MR_GTPU_TYPE_GPDU && t->at < t->end)
		t->content = CONTENT_IP;
	return MR_PARSE_OK;
}

static enum mr_parse_error
open_tunnel(struct tunnel *t, const struct mr_span *s, enum mr_tunnel kind)
{
	switch (kind) {
	case MR_TUNNEL_IP4:
		follow_type(t, MR_ETH_TYPE_IP4);
		return MR_PARSE_OK;
	case MR_TUNNEL_IP6:
		follow_type(t, MR_ETH_TYPE_IP6);
		return MR_PARSE_OK;
	case MR_TUNNEL_GRE:
		return open_gre(t, s);
	case MR_TUNNEL_VXLAN:
		return open_vxlan(t, s);
	case MR_TUNNEL_GENEVE:
		return open_geneve(t, s);
	case MR_TUNNEL_GTPU:
		return open_gtpu(t, s);
	case MR_TUNNEL_MPLS:
		return open_mpls(t, s);
	case MR_TUNNEL_PPPOE:
		return open_pppoe(t, s);
	case MR_TUNNEL_NONE:
		break;
	}
	return MR_PARSE_INNER_NONE;
}

/* Behind the tunnel's header: `inner` starts from nothing but where it is. */
static enum mr_parse_error
parse_content(struct mr_parsed *inner, const struct tunnel *t, const struct mr_span *s)
{
	if (t->content == CONTENT_ETHERNET)
		return mr_parse_ethernet_at(inner, s, t->at);
	inner->l2 = (uint16_t)t->at;
	inner->l3 = (uint16_t)t->at;
	inner->flags = MR_PARSED_NO_L2;
	switch (t->content) {
	case CONTENT_IP:
		return mr_parse_ip_at(inner, s, t->at);
	case CONTENT_TYPE:
		inner->ethertype = t->type;
		if (t->type != MR_ETH_TYPE_IP4 && t->type != MR_ETH_TYPE_IP6 &&
		    t->type != MR_ETH_TYPE_MPLS && t->type != MR_ETH_TYPE_MPLS_MC)
			inner->flags |= MR_PARSED_OPAQUE;
		return mr_parse_l3_at(inner, s);
	default:
		inner->flags |= MR_PARSED_OPAQUE;
		return MR_PARSE_OK;
	}
}

enum mr_parse_error
mr_parse_inner(const struct mr_parsed *outer, struct mr_parsed *inner, const uint8_t *bytes,
    unsigned len, unsigned total)
{
	enum mr_tunnel kind = outer->tunnel;
	struct mr_span s = { .bytes = bytes, .len = MR_MIN(len, UINT16_MAX - 64u) };
	struct tunnel t = { 0 };
	enum mr_parse_error error;
	bool fragment = outer->flags & MR_PARSED_FRAGMENT;

	t.at = outer->payload ? outer->payload : outer->l3;
	t.end = MR_MIN(outer->end, total);
	/* What UDP says is its own, and no surplus behind it (the parse has checked it). */
	if ((outer->flags & MR_PARSED_L4) && outer->proto == MR_IP_PROTO_UDP && !fragment)
		t.end = MR_MIN(t.end, outer->l4 + (unsigned)mr_load_be16(bytes + outer->l4 + 4));
	*inner = (struct mr_parsed){ .l2 = (uint16_t)t.at, .l3 = (uint16_t)t.at, .end = t.end };
	if (kind != MR_TUNNEL_NONE && fragment)
		error = MR_PARSE_TUNNEL_FRAGMENT;
	else
		error = open_tunnel(&t, &s, kind);
	if (!error) {
		inner->end = t.end;
		s.total = t.end;
		s.len = MR_MIN(s.len, t.end);
		error = parse_content(inner, &t, &s);
	}
	inner->via = (uint8_t)kind;
	inner->tunnel_id = t.id;
	return inner->error = (uint8_t)error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/rib/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lines.h"
#include "nf/query.h"

enum form { FORM_TEXT, FORM_JSON, FORM_WAYS, FORM_COUNT, FORM_DIFF, FORMS };
static const char *const form_names[FORMS] = { "text", "json", "ways", "count", "diff" };
static const char *const family_names[MR_IP_FAMILIES] = { "IPv4", "IPv6" };

#define STATES (MR_ROUTE_NO_MEMORY + 1)
#define DIFFERENCES_MAX 100000u

struct routes {
	const struct mr_rib *rib;
	const struct mr_ip *ip;
	struct mr_rib_filter filter;
	enum form form;
	int source; /* -1: all */
	uint32_t vrf, vrf_end;
	bool many; /* of several routers: their names are said */
	struct mr_rib_walk *walk;
	uint64_t counts[MR_ROUTE_SOURCES][MR_IP_FAMILIES][STATES];
	uint32_t differences;
	struct mr_lines lines;
};

#define put(s, ...) mr_lines_put(&(s)->lines, __VA_ARGS__)

/* -- words -------------------------------------------------------------------------------- */

/* As rtnetlink numbers them (linux/rtnetlink.h, and FRR's). */
static const char *
protocol_name(uint8_t protocol)
{
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {
		{ 1, "redirect" },
		{ 2, "kernel" },
		{ 3, "boot" },
		{ 4, "static" },
		{ 9, "ra" },
		{ 11, "zebra" },
		{ 12, "bird" },
		{ 16, "dhcp" },
		{ 18, "keepalived" },
		{ 42, "babel" },
		{ 186, "bgp" },
		{ 187, "isis" },
		{ 188, "ospf" },
		{ 189, "rip" },
		{ 190, "ripng" },
		{ 191, "nhrp" },
		{ 192, "eigrp" },
		{ 193, "ldp" },
		{ 194, "sharp" },
		{ 195, "pbr" },
		{ 196, "static" },
		{ 197, "openfabric" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++)
		if (known[i].number == protocol)
			return known[i].name;
	return NULL;
}

static const char *
special_name(uint32_t special)
{
	static const char *const names[MR_IP_SPECIALS] = {
		[MR_IP_SPECIAL_NONE] = "none",
		[MR_IP_SPECIAL_LOCAL] = "local",
		[MR_IP_SPECIAL_BLACKHOLE] = "blackhole",
		[MR_IP_SPECIAL_UNREACHABLE] = "unreachable",
		[MR_IP_SPECIAL_PROHIBIT] = "prohibit",
		[MR_IP_SPECIAL_MARTIAN] = "martian",
		[MR_IP_SPECIAL_MULTICAST] = "multicast",
		[MR_IP_SPECIAL_LINK_LOCAL] = "link-local",
		[MR_IP_SPECIAL_BROADCAST] = "broadcast",
	};

	return special < MR_IP_SPECIALS && names[special] ? names[special] : "?";
}

static const char *
interface_name(const struct routes *s, uint16_t interface)
{
	if (interface >= MR_IP_INTERFACES_MAX || !s->ip->info[interface].name[0])
		return "gone";
	return s->ip->info[interface].name;
}

static const char *
address_text(uint8_t family, const uint8_t *bytes, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(family == MR_IP4 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

static const char *
prefix_text(uint8_t family, const uint8_t *bytes, unsigned len, char text[64])
{
	char address[INET6_ADDRSTRLEN];

	snprintf(text, 64, "%s/%u", address_text(family, bytes, address), len);
	return text;
}

/* -- one route ---------------------------------------------------------------------------- */

/* What it came to: "10.1.0.1%lan1,%lan2,!blackhole". */
static void
put_ways(struct routes *s, uint32_t group)
{
	struct mr_group_member m[MR_GROUP_MEMBERS_MAX];
	unsigned count = mr_group_members(s->ip, group, m, MR_ARRAY_COUNT(m));
	char text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < count; i++) {
		const struct mr_adjacency_info *a = mr_adjacency_info(s->ip, m[i].adjacency);

		put(s, "%s", i ? "," : "");
		if (m[i].adjacency < MR_IP_SPECIALS)
			put(s, "!%s", special_name(m[i].adjacency));
		else
			put(s, "%s%%%s", a->glean ? "" : address_text(a->family, a->address, text),
			    interface_name(s, a->interface));
	}
}

static void
put_hop(struct routes *s, const struct mr_route_hop *hop)
{
	char text[INET6_ADDRSTRLEN];

	switch (hop->kind) {
	case MR_HOP_SPECIAL:
		put(s, "%s", special_name(hop->special));
		break;
	case MR_HOP_DIRECT:
		put(s, "on %s", interface_name(s, hop->interface));
		break;
	default:
		put(s, "via %s", address_text(hop->family, hop->address, text));
		if (hop->interface)
			put(s, " on %s", interface_name(s, hop->interface));
		if (hop->onlink)
			put(s, " onlink");
	}
	if (hop->weight > 1)
		put(s, " weight %u", hop->weight);
}

static bool
is_recursive(const struct mr_route *r)
{
	for (unsigned i = 0; i < r->hop_count; i++)
		if (r->hops[i].kind == MR_HOP_VIA && !r->hops[i].interface)
			return true;
	return false;
}

static void
put_line(struct routes *s, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	const char *protocol = protocol_name(r->protocol);
	char text[64], from[64];

	snprintf(from, sizeof(from), "%s%s%s",
	    mr_route_source_name((enum mr_route_source)r->source), protocol ? "/" : "",
	    protocol ? protocol : "");
	put(s, "%-26s %-16s %-10s ", prefix_text(r->family, r->prefix, r->len, text), from,
	    mr_route_state_name(state));
	for (unsigned i = 0; i < r->hop_count; i++) {
		put(s, "%s", i ? ", " : "");
		put_hop(s, &r->hops[i]);
	}
	if (is_recursive(r) && group) {
		put(s, " (");
		put_ways(s, group);
		put(s, ")");
	}
	if (r->metric)
		put(s, " metric %u", r->metric);
	put(s, "\n");
}

static void
put_json_hop(struct routes *s, const struct mr_route_hop *hop)
{
	char text[INET6_ADDRSTRLEN];

	if (hop->kind == MR_HOP_SPECIAL) {
		put(s, "{\"action\":\"%s\"}", special_name(hop->special));
		return;
	}
	put(s, "{");
	if (hop->kind == MR_HOP_VIA)
		put(s, "\"address\":\"%s\",", address_text(hop->family, hop->address, text));
	if (hop->interface)
		put(s, "\"interface\":\"%s\",", interface_name(s, hop->interface));
	if (hop->onlink)
		put(s, "\"onlink\":true,");
	put(s, "\"weight\":%u}", hop->weight);
}

/* Names are the configuration's (mt:name) and need no escaping. */
static void
put_json(struct routes *s, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	const char *protocol = protocol_name(r->protocol);
	char text[64];

	put(s, "{\"router\":\"%s\",\"prefix\":\"%s\",\"source\":\"%s\",", s->ip->vrfs[s->vrf].name,
	    prefix_text(r->family, r->prefix, r->len, text),
	    mr_route_source_name((enum mr_route_source)r->source));
	if (protocol)
		put(s, "\"protocol\":\"%s\",", protocol);
	else if (r->protocol)
		put(s, "\"protocol\":\"%u\",", r->protocol);
	put(s, "\"metric\":%u,\"state\":\"%s\",\"next-hops\":[", r->metric,
	    mr_route_state_name(state));
	for (unsigned i = 0; i < r->hop_count; i++) {
		put(s, "%s", i ? "," : "");
		put_json_hop(s, &r->hops[i]);
	}
	put(s, "]");
	if (group) {
		put(s, ",\"resolved\":\"");
		put_ways(s, group);
		put(s, "\"");
	}
	put(s, "}\n");
}

static bool
each(void *user, const struct mr_route *r, enum mr_route_state state, uint32_t group)
{
	struct routes *s = user;
	char text[64];

	if (s->source >= 0 && r->source != s->source)
		return true;
	switch (s->form) {
	case FORM_TEXT:
		put_line(s, r, state, group);
		break;
	case FORM_JSON:
		put_json(s, r, state, group);
		break;
	case FORM_WAYS:
		if (state != MR_ROUTE_ACTIVE)
			break;
		put(s, "%s %s ", prefix_text(r->family, r->prefix, r->len, text),
		    mr_route_source_name((enum mr_route_source)r->source));
		put_ways(s, group);
		put(s, "\n");
		break;
	default:
		s->counts[r->source][r->family][state]++;
	}
	return true;
}

/* -- a whole router ----------------------------------------------------------------------- */

static void
put_counts(struct routes *s)
{
	for (unsigned source = 0; source < MR_ROUTE_SOURCES; source++)
		for (unsigned f = 0; f < MR_IP_FAMILIES; f++) {
			const uint64_t *n = s->counts[source][f];
			uint64_t sum = 0;

			for (unsigned state = 0; state < STATES; state++)
				sum += n[state];
			if (!sum)
				continue;
			put(s, "%-10s %s %10llu",
			    mr_route_source_name((enum mr_route_source)source), family_names[f],
			    (unsigned long long)sum);
			for (unsigned state = 0; state < STATES; state++)
				if (n[state] && n[state] != sum)
					put(s, "  %llu %s", (unsigned long long)n[state],
					    mr_route_state_name((enum mr_route_state)state));
				else if (n[state] && state != MR_ROUTE_ACTIVE)
					put(s, "  all %s",
					    mr_route_state_name((enum mr_route_state)state));
			put(s, "\n");
		}
	memset(s->counts, 0, sizeof(s->counts));
}

static void
difference(void *user, const struct mr_rib_difference *d)
{
	struct routes *s = user;
	char text[64];

	if (!s->filter.families[d->family] || s->differences++ >= DIFFERENCES_MAX)
		return;
	if (s->many)
		put(s, "router %s, ", s->ip->vrfs[s->vrf].name);
	put(s, "%s: the FIB has ", prefix_text(d->family, d->prefix, d->len, text));
	put_ways(s, d->in_fib);
	put(s, "%s, the RIB wants ", d->in_fib ? "" : "nothing");
	put_ways(s, d->wanted);
	put(s, "%s\n", d->wanted ? "" : "nothing");
}

/* Makes the next piece of text; false when there is no more. */
static bool
make(void *user)
{
	struct routes *s = user;

	while (!s->lines.used && !s->lines.failed && s->vrf < s->vrf_end) {
		if (!s->ip->vrfs[s->vrf].name[0]) {
			s->vrf++;
			continue;
		}
		if (s->form == FORM_DIFF) {
			mr_rib_diff(s->rib, (uint16_t)s->vrf, difference, s);
			s->vrf++;
			continue;
		}
		if (!s->walk) {
			if (mr_rib_walk_create(&s->walk, s->rib, (uint16_t)s->vrf, &s->filter))
				return false;
			if ((s->form == FORM_TEXT || s->form == FORM_COUNT) && s->many)
				put(s, "router %s\n", s->ip->vrfs[s->vrf].name);
		}
		/* Up to some text, and not forever: others have work for this thread too. */
		for (unsigned i = 0; i < 4096 && s->lines.used < 4096; i++) {
			if (mr_rib_walk_next(s->walk, each, s))
				continue;
			mr_rib_walk_destroy(s->walk);
			s->walk = NULL;
			s->vrf++;
			if (s->form == FORM_COUNT)
				put_counts(s);
			break;
		}
	}
	return s->lines.used > 0;
}

static size_t
stream_read(void *state, char *text, size_t size)
{
	struct routes *s = state;

	return mr_lines_read(&s->lines, make, s, text, size);
}

static void
stream_close(void *state)
{
	struct routes *s = state;

	mr_rib_walk_destroy(s->walk);
	mr_lines_free(&s->lines);
	free(s);
}

/* -- the query ---------------------------------------------------------------------------- */

static int
read_prefix(struct routes *s, const struct mr_nf_query *q, struct mr_error *error)
{
	struct mr_rib_filter *f = &s->filter;
	struct mr_query_prefix p = { 0 };
	int rc = mr_query_prefix(q, "prefix", &p, error);

	f->given = p.given;
	f->covering = p.whole;
	f->family = p.six ? MR_IP6 : MR_IP4;
	f->len = p.bits;
	memcpy(f->prefix, p.bytes, sizeof(f->prefix));
	return rc;
}

static int
read_query(struct routes *s, const struct mr_nf_query *q, struct mr_error *error)
{
	const char *router = q->value(q->arg, "router"), *family = q->value(q->arg, "family");
	const char *sources[MR_ROUTE_SOURCES];
	int at = FORM_TEXT, rc = 0;

	s->source = -1;
	s->filter.families[MR_IP4] = !family || strcmp(family, "4") == 0;
	s->filter.families[MR_IP6] = !family || strcmp(family, "6") == 0;
	if (!s->filter.families[MR_IP4] && !s->filter.families[MR_IP6])
		return mr_error_set(error, -EINVAL, "family is 4 or 6, not \"%s\"", family);
	s->vrf_end = s->ip->vrf_end;
	s->many = !router && s->vrf_end > 1;
	if (router) {
		uint16_t vrf = *router ? mr_ip_vrf_find(s->ip, router) : UINT16_MAX;

		if (vrf == UINT16_MAX)
			return mr_error_set(error, -ENOENT, "there is no router \"%s\"", router);
		s->vrf = vrf;
		s->vrf_end = vrf + 1u;
	}
	for (unsigned i = 0; i < MR_ROUTE_SOURCES; i++)
		sources[i] = mr_route_source_name((enum mr_route_source)i);
	rc = mr_query_word(q, "form", form_names, FORMS, "form", &at, error);
	s->form = (enum form)at;
	if (!rc)
		rc = mr_query_word(q, "source", sources, MR_ROUTE_SOURCES, "source of routes",
		    &s->source, error);
	if (!rc)
		rc = read_prefix(s, q, error);
	return rc;
}

int
mr_rib_stream(const struct mr_rib *rib, const struct mr_ip *ip, const struct mr_nf_query *query,
    struct mr_nf_stream *out, struct mr_error *error)
{
	struct routes *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory");
	s->rib = rib;
	s->ip = ip;
	rc = read_query(s, query, error);
	if (rc) {
		stream_close(s);
		return rc;
	}
	*out = (struct mr_nf_stream){
		.type = s->form == FORM_JSON ? "application/x-ndjson" : "text/plain",
		.read = stream_read,
		.close = stream_close,
		.state = s,
	};
	return 0;
}

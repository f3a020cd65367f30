/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip4-options: packets whose IPv4 header has options, before they are forwarded. Checks the
 * options, fills in what records the way (RFC 1812, 5.3.13), follows source routes where
 * that is allowed, and hands packets with a router alert to the host (RFC 2113).
 */
#include "nf/icmp/options_int.h"

#include "nf/icmp/route_int.h"

#define SOURCE_ROUTE_FAILED 5u

enum { OPTIONS_DROP_MALFORMED, OPTIONS_DROP_COUNT };
enum {
	OPTIONS_COUNT_PROBLEM,
	OPTIONS_COUNT_RECORDED,
	OPTIONS_COUNT_ROUTED,
	OPTIONS_COUNT_REFUSED,
	OPTIONS_COUNT_ALERTED,
	OPTIONS_COUNT_COUNT,
};

struct job {
	struct icmp_work w;
	struct mr_packet *p;
	const struct mr_ip_interface *in;
	struct ip4_options o;
	uint32_t flags; /* of the VRF */
	unsigned l3;
};

static mr_verdict_t
error(const struct job *j, unsigned counter, uint8_t type, uint8_t code, uint32_t data)
{
	struct mr_ip_meta *meta = mr_ip_meta(j->p);

	mr_node_count(j->w.run, counter, 1);
	meta->icmp_type = type;
	meta->icmp_code = code;
	meta->icmp_data = data;
	return mr_verdict_edge(MR_IP_EDGE_ICMP);
}

static uint32_t
route(const struct job *j)
{
	return icmp_route_packet(&j->w, j->in, j->p, mr_packet_bytes_const(j->p) + j->l3 + 16);
}

/* What a packet that leaves by this adjacency is said to have passed: the way out's address
 * (RFC 1812, 5.3.13.4), else any of ours. 0: none. */
static be32_t
passed(const struct job *j, uint32_t adjacency)
{
	const struct mr_ip *ip = j->w.icmp->ip;
	be32_t address = mr_ip_address4(&ip->interfaces[icmp_leaves_by(&j->w, adjacency)]);
	unsigned spare;

	if (!address)
		address = mr_ip_address4(j->in);
	if (!address) {
		spare = atomic_load_explicit(&j->w.icmp->vrfs[mr_ip_vrf(j->in)].spare4,
		    memory_order_relaxed);
		address = mr_ip_address4(&ip->interfaces[spare]);
	}
	return address;
}

/* The next stop is on the link: without a router between, as a strict route wants it. */
static bool
is_next(const struct job *j, uint32_t adjacency, const uint8_t *stop)
{
	const struct mr_adjacency_info *info = mr_adjacency_info(j->w.icmp->ip, adjacency);

	return info && (info->glean || (info->family == MR_IP4 && !memcmp(info->address, stop, 4)));
}

/* A source route. False: it cannot be followed; else `*adjacency` leads on. */
static bool
follow(const struct job *j, uint32_t *adjacency)
{
	unsigned at = j->l3 + j->o.route;
	const uint8_t *option = mr_packet_bytes_const(j->p) + at;
	unsigned pointer = option[2];
	be32_t stop, ours;

	if (*adjacency != MR_IP_SPECIAL_LOCAL)
		return !j->o.strict; /* only a loose one may pass others on its way */
	if (pointer > option[1])
		return true; /* it ends here */
	memcpy(&stop, option + pointer - 1, 4);
	if (!icmp_is_host4(stop))
		return false;
	mr_edit_set32(j->w.rec, j->p, j->l3 + 16, stop);
	*adjacency = route(j);
	if (*adjacency < MR_IP_SPECIALS && *adjacency != MR_IP_SPECIAL_LOCAL)
		return false;
	if (j->o.strict && *adjacency != MR_IP_SPECIAL_LOCAL &&
	    !is_next(j, *adjacency, (const uint8_t *)&stop))
		return false;
	ours = passed(j, *adjacency);
	if (ours)
		mr_edit_set32(j->w.rec, j->p, at + pointer - 1, ours);
	pointer += 4;
	mr_edit_set(j->w.rec, j->p, at + 2, &(uint8_t){ (uint8_t)pointer }, 1);
	mr_node_count(j->w.run, OPTIONS_COUNT_ROUTED, 1);
	return true;
}

static mr_verdict_t
pass_on(struct job *j)
{
	struct mr_ip_meta *meta = mr_ip_meta(j->p);
	uint32_t adjacency = route(j);
	be32_t ours;

	meta->flags |= MR_IP_META_OPTIONS;
	if (j->o.route && (!(j->flags & ICMP_SOURCE_ROUTES) || !follow(j, &adjacency))) {
		ip4_header_checksum(&j->w, j->p, j->l3);
		return error(j, OPTIONS_COUNT_REFUSED, MR_ICMP4_UNREACHABLE, SOURCE_ROUTE_FAILED,
		    0);
	}
	if (adjacency < MR_IP_SPECIALS || mr_packet_bytes_const(j->p)[j->l3 + 8] <= 1)
		goto forward;
	if (j->o.alert && !(j->flags & ICMP_ALERT_FORWARD)) {
		mr_node_count(j->w.run, OPTIONS_COUNT_ALERTED, 1);
		ip4_header_checksum(&j->w, j->p, j->l3);
		return mr_verdict_edge(MR_IP_EDGE_LOCAL);
	}
	ours = passed(j, adjacency);
	if (ours && (j->o.record || j->o.timestamp)) {
		ip4_options_fill(&j->w, j->p, j->l3, &j->o, ours);
		mr_node_count(j->w.run, OPTIONS_COUNT_RECORDED, 1);
	}
forward:
	ip4_header_checksum(&j->w, j->p, j->l3);
	return mr_verdict_edge(MR_IP_EDGE_FORWARD4);
}

static mr_verdict_t
options_one(const struct icmp_work *w, uint32_t packet)
{
	struct job j = { .w = *w, .p = mr_packet_at(w->run->base, packet) };
	unsigned len, problem;

	j.l3 = mr_ip_meta(j.p)->l3;
	mr_record_uncacheable(w->rec, j.p, "IPv4 options");
	j.in = icmp_interface(w, j.p);
	if (!j.in || !icmp_pull(w, packet, j.l3 + 20))
		return mr_verdict_drop(OPTIONS_DROP_MALFORMED);
	len = (mr_packet_bytes_const(j.p)[j.l3] & 15u) * 4;
	if (len < 20 || !icmp_pull(w, packet, j.l3 + len))
		return mr_verdict_drop(OPTIONS_DROP_MALFORMED);
	problem = ip4_options_scan(mr_packet_bytes_const(j.p) + j.l3, len, &j.o);
	if (problem)
		return error(&j, OPTIONS_COUNT_PROBLEM, MR_ICMP4_PARAM_PROBLEM, 0, problem << 24);
	j.flags = atomic_load_explicit(&w->icmp->vrfs[mr_ip_vrf(j.in)].flags, memory_order_relaxed);
	return pass_on(&j);
}

mr_inline void
ip4_options_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct icmp_work w = icmp_work(run, rec);

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = options_one(&w, packets[i]);
}
MR_NODE_FUNCTIONS(ip4_options)

static const struct mr_named drops[] = {
	[OPTIONS_DROP_MALFORMED] = { "options-header", "no IPv4 header with options" },
};
static const struct mr_named counters[] = {
	[OPTIONS_COUNT_PROBLEM] = { "malformed", "packets with malformed options" },
	[OPTIONS_COUNT_RECORDED] = { "recorded",
	    "packets whose record route or timestamp option was filled in" },
	[OPTIONS_COUNT_ROUTED] = { "source-routed", "packets sent on along their source route" },
	[OPTIONS_COUNT_REFUSED] = { "source-route-refused",
	    "packets whose source route was not followed" },
	[OPTIONS_COUNT_ALERTED] = { "router-alerts",
	    "packets for others that the host was given for their router alert" },
};

const struct mr_node_class ip4_options_class = {
	.name = "ip4-options",
	.doc = "IPv4 options: checks, record route, timestamps, source routes, router alert",
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	.drops = drops,
	.drop_count = OPTIONS_DROP_COUNT,
	.counters = counters,
	.counter_count = OPTIONS_COUNT_COUNT,
	MR_NODE_RUN(ip4_options),
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nat-in: in front of an interface's user. On an outside interface what is for an outside address gets its
 * inside end as the destination; on an inside one too, and an outside source as well, so that who
 * answers answers to the translator (hairpinning, RFC 4787 REQ-9).
 */

#include <string.h>

#include "kit/flow/key.h"
#include "nf/nat/alg_int.h"
#include "nf/nat/held_int.h"
#include "nf/nat/pass_int.h"
#include "nf/nat/pcp/pcp_int.h"

#define ARP_SIZE 28u

/* The translator that has the packet's destination, and whether the packet comes from outside. */
static const struct nat_instance *
instance_of(const struct nat_pass *s, const struct nat_packet *k, bool *outside)
{
	const struct nat_port *port = &s->view->ports[s->self->port];

	*outside = true;
	for (unsigned i = 0; i < port->outside_count; i++) {
		const struct nat_instance *n = &s->view->instances[port->outside[i]];

		if (nat_is_vlan(port->outside_vlan[i], k->vlan) && nat_is_outside(s, n, k->dst))
			return n;
	}
	*outside = false;
	for (unsigned i = 0; i < port->inside_count; i++) {
		const struct nat_instance *n = &s->view->instances[port->inside[i]];

		if (nat_is_vlan(port->inside_vlan[i], k->vlan) && nat_is_outside(s, n, k->dst))
			return n;
	}
	return NULL;
}

/* For the host, or nobody's. What is the host's now may be somebody's a moment later. */
static mr_verdict_t
not_ours(const struct nat_pass *s, const struct nat_instance *n, struct mr_packet *p,
    const struct nat_packet *k, uint32_t rc)
{
	if (rc != NAT_DROP_FILTERED && rc != NAT_DROP_CHECKSUM && nat_is_own(n, k->dst)) {
		mr_record_call(s->rec, p, 0, false);
		if (k->first)
			nat_lead(s, p, k, NAT_LEAD_PASS, NULL, 0);
		return nat_pass_on(s, p);
	}
	if (k->first)
		nat_lead(s, p, k, NAT_LEAD_DROP, NULL, rc);
	return nat_refuse(s, n, p, rc);
}

/* -- errors ------------------------------------------------------------------------------- */

static mr_verdict_t
error(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet, struct mr_packet *p,
    struct nat_packet *k, bool outside)
{
	struct nat_rewrite outer = { .what = NAT_DST }, quoted = { .what = NAT_SRC };
	struct nat_found f, back = { 0 };
	be32_t dst = k->quoted_dst;
	be16_t dport = k->quoted_dport;
	uint32_t rc = NAT_DONE;

	mr_record_uncacheable(s->rec, p, "an ICMP error");
	if (nat_sum_is_bad(k, s->run->buffers, packet, p))
		return nat_refuse(s, n, p, NAT_DROP_CHECKSUM);
	/* From inside to inside: what the quoted packet was for is known outside by another name
	 * (RFC 5508, REQ-7). */
	if (!outside) {
		rc = nat_quoted_outward(s, n, k, &back);
		if (rc == NAT_DONE) {
			k->quoted_dst = back.address;
			k->quoted_dport = back.ports ? back.port : dport;
			outer.what |= NAT_SRC;
			outer.src = back.address;
			quoted.what |= NAT_DST | (back.ports ? NAT_DPORT : 0);
			quoted.dst = back.address;
			quoted.dport = back.port;
		}
	}
	/* Errors are for whom sent the packet (RFC 1122, 3.2.2). */
	if (rc == NAT_DONE)
		rc = k->quoted_src == k->dst ? nat_quoted_inward(s, n, k, &f) : NAT_DROP_NO_MAPPING;
	k->quoted_dst = dst;
	k->quoted_dport = dport;
	if (rc != NAT_DONE)
		return not_ours(s, n, p, k, rc);
	outer.dst = quoted.src = f.address;
	quoted.sport = f.port;
	quoted.what |= f.ports ? NAT_SPORT : 0;
	nat_rewrite_error(s->rec, p, k, &outer, &quoted);
	mr_node_count(s->run, NAT_ERRORS_COUNTER, 1);
	if (!s->dry)
		nat_count(s->table, s->run->worker, n->number, NAT_COUNT_ERRORS);
	return mr_verdict_edge(0);
}

/* -- flows -------------------------------------------------------------------------------- */

static mr_verdict_t
finish(const struct nat_pass *s, struct mr_packet *p, const struct nat_packet *k,
    const struct nat_rewrite *r)
{
	nat_rewrite(s->rec, p, k, r);
	if (mr_unlikely(k->first))
		nat_lead(s, p, k, NAT_LEAD_DO, r, 0);
	return mr_verdict_edge(0);
}

/* From an inside interface to an outside address. */
static mr_verdict_t
hairpin(const struct nat_pass *s, const struct nat_instance *n, struct mr_packet *p,
    struct nat_packet *k)
{
	struct nat_rewrite r = { .what = NAT_SRC | NAT_DST };
	struct nat_found in, out;
	struct nat_packet as;
	uint32_t rc, number = 0;

	/* Nothing is made for what leads nowhere. */
	if (n->pool && k->what == NAT_FLOW)
		number = nat_pool_find(n->pool, k->dst, nat_pool_proto(k->proto), k->dport);
	if (!number && !(n->fixed && nat_fixed(s, n, k->dst, NAT_SCOPE_FIXED_IN, &in)))
		return not_ours(s, n, p, k, NAT_DROP_NO_MAPPING);
	as = *k;
	as.hash = 0;
	rc = nat_outward(s, n, &as, &out);
	if (rc != NAT_DONE)
		return not_ours(s, n, p, k, rc);
	as.src = out.address;
	as.sport = out.ports ? out.port : k->sport;
	rc = nat_inward(s, n, &as, &in);
	if (rc != NAT_DONE)
		return not_ours(s, n, p, k, rc);
	nat_record_found(s, p, k, &out, NAT_NOTE_OUT);
	nat_record_found(s, p, k, &in, NAT_NOTE_IN);
	r.what |= (out.ports ? NAT_SPORT : 0) | (in.ports ? NAT_DPORT : 0);
	r.src = out.address;
	r.sport = out.port;
	r.dst = in.address;
	r.dport = in.port;
	mr_node_count_packet(s->run, s->rec, p, NAT_HAIRPIN_COUNTER, 1);
	if (!s->dry)
		nat_count(s->table, s->run->worker, n->number, NAT_COUNT_HAIRPIN);
	return finish(s, p, k, &r);
}

static mr_verdict_t
inward(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet, struct mr_packet *p,
    struct nat_packet *k)
{
	struct nat_rewrite r = { .what = NAT_DST };
	struct nat_found f;
	uint32_t rc;

	rc = nat_inward(s, n, k, &f);
	if (mr_unlikely(rc != NAT_DONE)) {
		if (nat_hold_syn(s, n, packet, p, k, rc))
			return s->dry ? mr_verdict_drop(NAT_DROP_EXPLAINED) : MR_VERDICT_HELD;
		return not_ours(s, n, p, k, rc);
	}
	nat_record_found(s, p, k, &f, NAT_NOTE_IN);
	r.dst = f.address;
	r.dport = f.port;
	r.what |= f.ports ? NAT_DPORT : 0;
	if (mr_unlikely(f.word & NAT_ALG) && !nat_alg_run(s, n, packet, p, k, &f, false))
		return nat_refuse(s, n, p, NAT_DROP_ALG);
	mr_node_count_packet(s->run, s->rec, p, NAT_IN_COUNTER, 1);
	return finish(s, p, k, &r);
}

static mr_verdict_t
in_one(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet, struct mr_packet *p,
    struct nat_packet *k, bool outside)
{
	if (!n) {
		/* To no pool's address; requests are known by their port. */
		mr_record_use(s->rec, p, MR_FLOW_DST | MR_FLOW_PROTO | MR_FLOW_DPORT);
		n = mr_unlikely(nat_pcp_is_for(k)) ? nat_pcp_asked(s, k) : NULL;
		return mr_unlikely(n != NULL) ? nat_pcp_serve(s, n, packet, p, k)
					      : nat_pass_on(s, p);
	}
	switch (k->what) {
	case NAT_FLOW:
	case NAT_PROTOCOL:
		return outside ? inward(s, n, packet, p, k) : hairpin(s, n, p, k);
	case NAT_ERROR:
		return error(s, n, packet, p, k, outside);
	case NAT_PIECE:
		return nat_piece(s, packet, p, k);
	default:
		return not_ours(s, n, p, k, NAT_DROP_MALFORMED);
	}
}

/* -- ARP ---------------------------------------------------------------------------------- */

/* Our Ethernet address in this VLAN; false: there is none. */
static bool
mac_of(const struct nat_self *self, uint16_t vlan, uint8_t mac[6])
{
	for (unsigned i = 0; i < NAT_MACS_MAX; i++) {
		uint64_t word = atomic_load_explicit(&self->macs[i], memory_order_relaxed);

		if (!word || word >> NAT_MAC_VLAN_SHIFT != vlan)
			continue;
		memcpy(mac, &word, 6);
		return true;
	}
	return false;
}

/* Ethernet and IPv4, a request, untagged or with one tag (RFC 826): where the protocol begins. */
static unsigned
find_request(const struct mr_packet *p, uint16_t *vlan)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	unsigned at = 14;

	*vlan = 0;
	if (p->len < at + ARP_SIZE)
		return 0;
	if (mr_load_be16(bytes + 12) == MR_ETH_TYPE_VLAN) {
		*vlan = mr_load_be16(bytes + 14) & 4095u;
		at = 18;
	}
	return p->len >= at + ARP_SIZE &&
		memcmp(bytes + at - 2, (const uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 }, 10) == 0
	    ? at
	    : 0;
}

/* Who asks for an address of a pool, that no host has, is told ours. */
static mr_verdict_t
arp(const struct nat_pass *s, struct mr_packet *p)
{
	const struct nat_port *port = &s->view->ports[s->self->port];
	uint8_t *bytes = mr_packet_bytes(p), answer[ARP_SIZE], mac[6];
	uint16_t vlan;
	unsigned at = find_request(p, &vlan);
	be32_t target;

	if (!at || !mac_of(s->self, vlan, mac))
		return mr_verdict_edge(0);
	memcpy(&target, bytes + at + 24, 4);
	for (unsigned i = 0; i < port->outside_count; i++) {
		const struct nat_instance *n = &s->view->instances[port->outside[i]];

		if (!nat_is_vlan(port->outside_vlan[i], vlan) || nat_is_own(n, target) ||
		    !nat_is_outside(s, n, target))
			continue;
		memcpy(answer, bytes + at, 6);
		answer[6] = 0;
		answer[7] = 2;
		memcpy(answer + 8, mac, 6);
		memcpy(answer + 14, bytes + at + 24, 4);
		memcpy(answer + 18, bytes + at + 8, 10);
		mr_edit_set(s->rec, p, 0, bytes + 6, 6);
		mr_edit_set(s->rec, p, 6, mac, 6);
		mr_edit_set(s->rec, p, at, answer, 14);
		mr_edit_set(s->rec, p, at + 14, answer + 14, 14);
		p->flags |= MR_PACKET_TRANSLATED;
		mr_node_count(s->run, NAT_ARP_COUNTER, 1);
		return mr_verdict_output(s->self->port);
	}
	return mr_verdict_edge(0);
}

/* -- the vector --------------------------------------------------------------------------- */

mr_inline void
in_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct nat_pass s = nat_pass_of(run, rec, NULL);
	const struct nat_instance *of[MR_VECTOR_MAX];
	struct nat_packet work[MR_VECTOR_MAX];
	bool outside[MR_VECTOR_MAX];
	uint16_t at[MR_VECTOR_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		const struct mr_packet *later =
		    mr_packet_at(run->base, packets[MR_MIN(i + NAT_AHEAD, count - 1)]);
		struct nat_packet *k = &work[n];

		mr_prefetch(mr_packet_bytes_const(later));
		mr_record_read(rec, p, "nat", &s.core->settings);
		verdicts[i] = mr_verdict_edge(0);
		if (mr_unlikely(!s.view))
			continue;
		nat_pull(run, packets[i], p);
		nat_classify(k, p);
		if (mr_unlikely(k->what == NAT_OTHER)) {
			verdicts[i] = arp(&s, p);
			continue;
		}
		of[n] = instance_of(&s, k, &outside[n]);
		if (of[n] && of[n]->pool && k->what == NAT_FLOW)
			nat_pool_prefetch(of[n]->pool, k->dst, nat_pool_proto(k->proto), k->dport);
		at[n++] = (uint16_t)i;
	}
	for (unsigned i = 0; i < n; i++)
		if (of[i] && of[i]->pool && work[i].what == NAT_FLOW)
			mr_prefetch_write(&s.table->entries[nat_pool_find(of[i]->pool, work[i].dst,
			    nat_pool_proto(work[i].proto), work[i].dport)]);
	for (unsigned i = 0; i < n; i++)
		verdicts[at[i]] = in_one(&s, of[i], packets[at[i]],
		    mr_packet_at(run->base, packets[at[i]]), &work[i], outside[i]);
}
MR_NODE_FUNCTIONS(in)

static const char *const edges[] = { "next" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	NAT_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	NAT_COUNTERS(X)
#undef X
};

const struct mr_node_class nat_in_class = {
	.name = "nat-in",
	.doc = "gives packets to an outside address their inside destination",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = NAT_DROP_COUNT,
	.counters = counters,
	.counter_count = NAT_COUNTER_COUNT,
	MR_NODE_RUN(in),
	.replays = true,
	.replay = nat_replay,
	.tick = nat_tick,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nat-out: behind the outputs of an outside interface. What comes from inside gets an outside source.
 * A vector goes through in three steps: what each packet is, and its bucket on the way; its
 * mapping's line on the way too, or what making one needs; then, in order, the packets.
 */

#include "nf/nat/alg_int.h"
#include "nf/nat/fresh_int.h"
#include "nf/nat/pass_int.h"

/* Whether the translator has to do with this packet that leaves. */
static bool
takes(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    const struct mr_packet *p)
{
	if (mr_unlikely(nat_is_own(n, k->src)))
		return k->what == NAT_ERROR || (n->pool && nat_pool_has(n->pool, k->src));
	if (!(n->inside[p->port / 64 % (MR_PORT_MAX / 64)] >> p->port % 64 & 1))
		return false;
	if (n->source_count && !nat_in_ranges(n->sources, n->source_count, k->src))
		return false;
	if (n->service_count && nat_in_order(n->services, n->service_count, k->src))
		return false;
	if (n->exclude_count && nat_in_ranges(n->excludes, n->exclude_count, k->dst))
		return false;
	return !nat_is_outside(s, n, k->src);
}

static const struct nat_instance *
instance_of(const struct nat_pass *s, const struct nat_packet *k, const struct mr_packet *p)
{
	const struct nat_port *port = &s->view->ports[s->self->port];

	for (unsigned i = 0; i < port->outside_count; i++) {
		const struct nat_instance *n = &s->view->instances[port->outside[i]];

		if (nat_is_vlan(port->outside_vlan[i], k->vlan) && takes(s, n, k, p))
			return n;
	}
	return NULL;
}

static mr_verdict_t
error(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet, struct mr_packet *p,
    const struct nat_packet *k)
{
	struct nat_rewrite outer = { 0 }, quoted = { 0 };
	bool own = nat_is_own(n, k->src);
	struct nat_found f;
	uint32_t rc;

	mr_record_uncacheable(s->rec, p, "an ICMP error");
	if (nat_sum_is_bad(k, s->run->buffers, packet, p))
		return nat_refuse(s, n, p, NAT_DROP_CHECKSUM);
	rc = nat_quoted_outward(s, n, k, &f);
	if (rc != NAT_DONE)
		return own ? nat_pass_on(s, p) : nat_refuse(s, n, p, rc);
	if (!own)
		outer = (struct nat_rewrite){ .what = NAT_SRC, .src = f.address };
	quoted = (struct nat_rewrite){ .what = NAT_DST | (f.ports ? NAT_DPORT : 0),
		.dst = f.address,
		.dport = f.port };
	nat_rewrite_error(s->rec, p, k, &outer, &quoted);
	mr_node_count(s->run, NAT_ERRORS_COUNTER, 1);
	if (!s->dry)
		nat_count(s->table, s->run->worker, n->number, NAT_COUNT_ERRORS);
	return mr_verdict_edge(0);
}

static mr_verdict_t
flow(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet, struct mr_packet *p,
    struct nat_packet *k)
{
	struct nat_rewrite r = { .what = NAT_SRC };
	struct nat_found f;
	uint32_t rc;

	if (nat_is_own(n, k->src) &&
	    (k->what == NAT_PROTOCOL || (k->proto == MR_IP_PROTO_ICMP && !k->query)))
		return nat_pass_on(s, p);
	rc = nat_outward(s, n, k, &f);
	if (rc != NAT_DONE) {
		if (k->first)
			nat_lead(s, p, k, NAT_LEAD_DROP, &r, rc);
		return nat_refuse(s, n, p, rc);
	}
	nat_record_found(s, p, k, &f, NAT_NOTE_OUT);
	r.src = f.address;
	r.sport = f.port;
	r.what |= f.ports ? NAT_SPORT : 0;
	if (mr_unlikely(f.word & NAT_ALG) && !nat_alg_run(s, n, packet, p, k, &f, true))
		return nat_refuse(s, n, p, NAT_DROP_ALG);
	nat_rewrite(s->rec, p, k, &r);
	mr_node_count_packet(s->run, s->rec, p, NAT_OUT_COUNTER, 1);
	if (mr_unlikely(k->first))
		nat_lead(s, p, k, NAT_LEAD_DO, &r, 0);
	return mr_verdict_edge(0);
}

static mr_verdict_t
out_one(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet,
    struct mr_packet *p, struct nat_packet *k)
{
	if (!n)
		return nat_pass_on(s, p);
	switch (k->what) {
	case NAT_FLOW:
	case NAT_PROTOCOL:
		return flow(s, n, packet, p, k);
	case NAT_ERROR:
		return error(s, n, packet, p, k);
	case NAT_PIECE:
		return nat_piece(s, packet, p, k);
	default:
		return nat_is_own(n, k->src) ? nat_pass_on(s, p)
					     : nat_refuse(s, n, p, NAT_DROP_MALFORMED);
	}
}

mr_inline void
out_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct nat_fresh fresh;
	const struct nat_pass s = nat_pass_of(run, rec, &fresh);
	const struct nat_instance *of[MR_VECTOR_MAX];
	struct nat_packet work[MR_VECTOR_MAX];
	uint16_t at[MR_VECTOR_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		const struct mr_packet *later =
		    mr_packet_at(run->base, packets[MR_MIN(i + NAT_AHEAD, count - 1)]);
		struct nat_packet *k = &work[n];
		struct nat_name name;

		mr_prefetch(mr_packet_bytes_const(later));
		mr_record_read(rec, p, "nat", &s.core->settings);
		verdicts[i] = mr_verdict_edge(0);
		if (mr_unlikely(!s.view || (p->flags & MR_PACKET_TRANSLATED)))
			continue;
		nat_pull(run, packets[i], p);
		nat_classify(k, p);
		if (k->what == NAT_OTHER)
			continue;
		of[n] = instance_of(&s, k, p);
		if (mr_likely(of[n] && k->what == NAT_FLOW)) {
			nat_name_of(of[n], k, &name);
			k->hash = nat_hash(s.table, &name);
			mr_slots_prefetch(&s.table->slots, k->hash);
		}
		at[n++] = (uint16_t)i;
	}
	nat_fresh_begin(&fresh);
	for (unsigned i = 0; i < n; i++) {
		uint32_t guess;

		if (mr_unlikely(!work[i].hash))
			continue;
		guess = mr_slots_guess(&s.table->slots, work[i].hash);
		if (mr_likely(guess))
			mr_prefetch_write(&s.table->entries[guess]);
		else
			nat_fresh_want(&fresh, &s, of[i], &work[i]);
	}
	nat_fresh_take(&fresh, &s);
	for (unsigned i = 0; i < n; i++)
		verdicts[at[i]] = out_one(&s, of[i], packets[at[i]],
		    mr_packet_at(run->base, packets[at[i]]), &work[i]);
	nat_fresh_end(&fresh, &s);
}
MR_NODE_FUNCTIONS(out)

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

const struct mr_node_class nat_out_class = {
	.name = "nat-out",
	.doc = "gives packets from inside an outside source",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = NAT_DROP_COUNT,
	.counters = counters,
	.counter_count = NAT_COUNTER_COUNT,
	MR_NODE_RUN(out),
	.replays = true,
	.replay = nat_replay,
	.tick = nat_tick,
};

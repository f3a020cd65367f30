/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nptv6-in and nptv6-out. Addresses change in a way that no checksum sees, so nothing is written but
 * the addresses: also of fragments, of what is encrypted, and of what ICMPv6 errors quote.
 */
#include "kit/base/rcu.h"
#include "kit/flow/key.h"
#include "kit/packet/parse.h"
#include "nf/nptv6/nptv6_int.h"

#define SRC 8u
#define DST 24u

struct pass {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	const struct nptv6_set *set;
};

/* Where IPv6 is in a frame: 0: it is another protocol, or not a whole header. */
static unsigned
find_ip(const struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	uint16_t type;
	unsigned at = mr_find_l3(bytes, p->len, 0, &type);

	return at && type == MR_ETH_TYPE_IP6 && p->len >= at + 40u && bytes[at] >> 4 == 6 ? at : 0;
}

static const struct nptv6_rule *
find(const struct nptv6_rule *rules, unsigned count, unsigned side, const uint8_t *address)
{
	for (unsigned i = 0; i < count; i++)
		if (nptv6_has(&rules[i], side, address))
			return &rules[i];
	return NULL;
}

static bool
change(const struct pass *s, struct mr_packet *p, const struct nptv6_rule *r, unsigned side,
    unsigned at)
{
	uint8_t address[16];

	if (!nptv6_map(r, side, mr_packet_bytes_const(p) + at, address))
		return false;
	mr_edit_set(s->rec, p, at, address, sizeof(address));
	return true;
}

/* The packet that an ICMPv6 error quotes went the other way. */
static void
change_quoted(const struct pass *s, struct mr_packet *p, const struct nptv6_rule *r, unsigned side,
    unsigned l3, unsigned offset)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct mr_parsed parsed;
	unsigned at;

	if (mr_parse_ip(&parsed, bytes, p->len, p->total, l3) || !(parsed.flags & MR_PARSED_L4) ||
	    parsed.proto != MR_IP_PROTO_ICMP6 || parsed.icmp_type >= 128)
		return;
	at = parsed.l4 + 8u;
	if (p->len < at + 40 || parsed.end < at + 40 || bytes[at] >> 4 != 6 ||
	    !nptv6_has(r, side, bytes + at + offset) || !change(s, p, r, side, at + offset))
		return;
	mr_record_uncacheable(s->rec, p, "an ICMPv6 error");
	mr_node_count_packet(s->run, s->rec, p, NPTV6_COUNT_ERRORS, 1);
}

/* From the outside: another destination. */
static mr_verdict_t
inward(const struct pass *s, struct mr_packet *p, unsigned l3, const struct nptv6_rule *r)
{
	if (!change(s, p, r, NPTV6_OUTSIDE, l3 + DST))
		return mr_verdict_drop(NPTV6_DROP_UNMAPPABLE);
	change_quoted(s, p, r, NPTV6_OUTSIDE, l3, SRC);
	mr_node_count_packet(s->run, s->rec, p, NPTV6_COUNT_IN, 1);
	return mr_verdict_edge(0);
}

/* From inside to inside by an outside address: both (RFC 6296, 4.3). */
static mr_verdict_t
hairpin(const struct pass *s, struct mr_packet *p, unsigned l3, const struct nptv6_rule *r)
{
	if (!change(s, p, r, NPTV6_OUTSIDE, l3 + DST))
		return mr_verdict_drop(NPTV6_DROP_UNMAPPABLE);
	change_quoted(s, p, r, NPTV6_OUTSIDE, l3, SRC);
	if (nptv6_has(r, NPTV6_INSIDE, mr_packet_bytes_const(p) + l3 + SRC)) {
		if (!change(s, p, r, NPTV6_INSIDE, l3 + SRC))
			return mr_verdict_drop(NPTV6_DROP_UNMAPPABLE);
		change_quoted(s, p, r, NPTV6_INSIDE, l3, DST);
	}
	mr_node_count_packet(s->run, s->rec, p, NPTV6_COUNT_HAIRPIN, 1);
	return mr_verdict_edge(0);
}

static mr_verdict_t
come_in(const struct pass *s, struct mr_packet *p, unsigned l3)
{
	const uint8_t *dst = mr_packet_bytes_const(p) + l3 + DST;
	const struct nptv6_rule *r = find(s->set->rules[1], s->set->outside, NPTV6_OUTSIDE, dst);

	mr_record_use(s->rec, p, MR_FLOW_DST);
	if (r)
		return inward(s, p, l3, r);
	r = find(s->set->rules[0], s->set->inside, NPTV6_OUTSIDE, dst);
	if (!r)
		return mr_verdict_edge(0);
	mr_record_use(s->rec, p, MR_FLOW_SRC | MR_FLOW_DST);
	return hairpin(s, p, l3, r);
}

static mr_verdict_t
leave(const struct pass *s, struct mr_packet *p, unsigned l3)
{
	const struct nptv6_rule *r = find(s->set->rules[1], s->set->outside, NPTV6_INSIDE,
	    mr_packet_bytes_const(p) + l3 + SRC);

	mr_record_use(s->rec, p, MR_FLOW_SRC);
	if (!r)
		return mr_verdict_edge(0);
	if (!change(s, p, r, NPTV6_INSIDE, l3 + SRC))
		return mr_verdict_drop(NPTV6_DROP_UNMAPPABLE);
	change_quoted(s, p, r, NPTV6_INSIDE, l3, DST);
	mr_node_count_packet(s->run, s->rec, p, NPTV6_COUNT_OUT, 1);
	return mr_verdict_edge(0);
}

mr_inline void
nptv6_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count, bool out)
{
	struct nptv6_stage *stage = run->self;
	struct pass s = { run, rec, NULL };

	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "nptv6",
		    &stage->generation);
	s.set = mr_rcu_read(&stage->set);
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		unsigned l3;

		/* A quoted packet may lie in the second segment. */
		if (mr_unlikely(p->len < p->total && p->len < 256))
			(void)mr_packet_pull(run->buffers, run->worker, packets[i],
			    MR_MIN(p->total, 256u));
		l3 = find_ip(p);
		verdicts[i] = mr_verdict_edge(0);
		if (mr_likely(l3))
			verdicts[i] = out ? leave(&s, p, l3) : come_in(&s, p, l3);
		else
			mr_record_use(rec, p, 0);
	}
}

mr_inline void
nptv6_in_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	nptv6_body(run, rec, packets, verdicts, count, false);
}
MR_NODE_FUNCTIONS(nptv6_in)

mr_inline void
nptv6_out_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	nptv6_body(run, rec, packets, verdicts, count, true);
}
MR_NODE_FUNCTIONS(nptv6_out)

static const char *const edges[] = { "next" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	NPTV6_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	NPTV6_COUNTERS(X)
#undef X
};

const struct mr_node_class nptv6_in_class = {
	.name = "nptv6-in",
	.doc = "inside addresses in place of outside ones",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = NPTV6_DROP_COUNT,
	.counters = counters,
	.counter_count = NPTV6_COUNT_COUNT,
	MR_NODE_RUN(nptv6_in),
	.replays = true,
};

const struct mr_node_class nptv6_out_class = {
	.name = "nptv6-out",
	.doc = "outside addresses in place of inside ones",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = NPTV6_DROP_COUNT,
	.counters = counters,
	.counter_count = NPTV6_COUNT_COUNT,
	MR_NODE_RUN(nptv6_out),
	.replays = true,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acl-in and acl-out: the whole vector is parsed into keys, looked up at once, and then judged
 * packet by packet. Where IP's header cannot be read the packet is dropped: there is nothing that rules
 * could look at. Where only layer 4 is wrong, it is a packet without ports.
 */
#include "kit/flow/key.h"
#include "nf/acl/acl_int.h"
#include "nf/conntrack/conntrack.h"

/* What is known of a packet before rules are asked. */
enum {
	KNOWN_ASK,
	KNOWN_PASS,
	KNOWN_ETHER,
	KNOWN_MALFORMED,
};

struct vector {
	struct mr_parsed parsed[MR_VECTOR_MAX];
	struct mr_class_key keys[MR_VECTOR_MAX];
	uint32_t slots[MR_VECTOR_MAX];
	uint8_t at[MR_VECTOR_MAX]; /* place of the i-th key's packet */
	unsigned asked;
};

/* A header behind the first segment is pulled in: once, and what then is still behind is malformed. */
static enum mr_parse_error
parse(struct mr_node_run *run, uint32_t packet, struct mr_packet *p, struct mr_parsed *r)
{
	enum mr_parse_error error = mr_parse(r, mr_packet_bytes(p), p->len, p->total);

	if (mr_likely(error != MR_PARSE_SPLIT))
		return error;
	if (mr_packet_pull(run->buffers, run->worker, packet, MR_MIN(p->total, 512u)))
		return error;
	return mr_parse(r, mr_packet_bytes(p), p->len, p->total);
}

static bool
is_discovery(const struct mr_parsed *r)
{
	return r->version == 6 && r->proto == MR_IP_PROTO_ICMP6 && (r->flags & MR_PARSED_L4) &&
	    r->icmp_type >= MR_ICMP6_ROUTER_SOLICIT && r->icmp_type <= MR_ICMP6_REDIRECT &&
	    r->ttl == 255;
}

static bool
is_except(const struct acl_view *view, uint16_t ethertype)
{
	for (uint32_t i = 0; i < view->except_count; i++)
		if (view->except[i] == ethertype)
			return true;
	return false;
}

/* Of a frame that is not IP. */
static int
judge_ether(const struct acl_view *view, const struct mr_parsed *r)
{
	bool drop;

	if (r->ethertype == MR_ETH_TYPE_ARP)
		drop = view->drop_arp != is_except(view, r->ethertype);
	else
		drop = view->drop_ether != is_except(view, r->ethertype);
	return drop ? KNOWN_ETHER : KNOWN_PASS;
}

/* Whether IP's own header and what stands between it and layer 4 was read. */
static bool
ip_is_good(const struct mr_parsed *r, enum mr_parse_error error)
{
	if (error == MR_PARSE_OK || error >= MR_PARSE_TCP_SHORT)
		return true;
	/* What is behind it may be anything, but its addresses and lengths hold. */
	return error == MR_PARSE_IP4_FRAGMENT_LENGTH || error == MR_PARSE_IP6_FRAGMENT_LENGTH;
}

static int
judge(const struct acl_view *view, const struct mr_parsed *r, enum mr_parse_error error)
{
	if (mr_likely(error == MR_PARSE_OK && r->version)) {
		if (mr_unlikely(!view->nd_rules && is_discovery(r)))
			return KNOWN_PASS;
		return KNOWN_ASK;
	}
	if (r->ethertype != MR_ETH_TYPE_IP4 && r->ethertype != MR_ETH_TYPE_IP6)
		return error == MR_PARSE_OK || r->ethertype == MR_ETH_TYPE_ARP
		    ? judge_ether(view, r)
		    : KNOWN_MALFORMED;
	return r->version && ip_is_good(r, error) ? KNOWN_ASK : KNOWN_MALFORMED;
}

mr_inline void
make_key(struct mr_class_key *key, const struct mr_parsed *r, const uint8_t *bytes, unsigned state,
    unsigned input)
{
	const uint8_t *ip = bytes + r->l3;
	uint32_t extra = state | (uint32_t)input << ACL_EXTRA_INPUT_SHIFT;
	uint8_t class;

	if (r->version == 4) {
		memset(key, 0, sizeof(*key));
		memcpy(key->src, ip + 12, 4);
		memcpy(key->dst, ip + 16, 4);
		class = ip[1];
		key->family = 4;
	} else {
		memcpy(key->src, ip + 8, 32);
		class = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
		key->sport = key->dport = key->unused = 0;
		key->unused2 = 0;
		key->family = 6;
	}
	key->proto = r->proto;
	extra |= (uint32_t)(class >> 2) << ACL_EXTRA_DSCP_SHIFT;
	if (r->flags & MR_PARSED_L4) {
		switch (r->proto) {
		case MR_IP_PROTO_TCP:
			extra |= (uint32_t)r->tcp_flags << ACL_EXTRA_TCP_SHIFT;
			/* fall through */
		case MR_IP_PROTO_UDP:
		case MR_IP_PROTO_UDPLITE:
		case MR_IP_PROTO_SCTP:
		case MR_IP_PROTO_DCCP:
			key->sport = r->src_port;
			key->dport = r->dst_port;
			extra |= ACL_EXTRA_PORTS;
			break;
		case MR_IP_PROTO_ICMP:
		case MR_IP_PROTO_ICMP6:
			key->dport = (uint16_t)(r->icmp_type << 8 | r->icmp_code);
			if ((r->proto == MR_IP_PROTO_ICMP) == (r->version == 4))
				extra |= ACL_EXTRA_ICMP;
			break;
		default:
			break;
		}
	}
	key->extra = extra;
}

/* Exactly one bit of enum mr_track_state. */
mr_inline unsigned
state_of(const struct acl_world *world, const struct mr_packet *p)
{
	unsigned state = world->tracked ? mr_track_state(p) : MR_TRACK_UNTRACKED;

	return state ? state & -state : MR_TRACK_UNTRACKED;
}

/* A piece of a packet whose first one told the ports. */
static mr_noinline void
add_ports(const struct acl *acl, const struct mr_packet *p, struct mr_class_key *key)
{
	be16_t sport, dport;

	if (!mr_conntrack_ports(acl->conntrack, p, &sport, &dport))
		return;
	key->sport = mr_be16(sport);
	key->dport = mr_be16(dport);
	key->extra |= ACL_EXTRA_PORTS;
}

/* What the decision rests on beside the fields of the flow's key that it names. */
static mr_noinline void
record_looks(const struct acl_case *c, const struct acl_view *view)
{
	const struct acl_looks *looks =
	    &c->world->looks[c->world->bind[c->stage->interface].list[c->stage->out]];
	const struct mr_parsed *r = c->parsed;
	bool six = r->version == 6;

	if (!r->version) {
		/* The key of a frame that is not IP: there is none, so this is for people. */
		mr_record_use(c->rec, c->p, MR_FLOW_ALL);
		return;
	}
	mr_record_use(c->rec, c->p,
	    looks->uses[six] | MR_FLOW_PORT | (six && !view->nd_rules ? MR_FLOW_PROTO : 0));
	if (looks->tcp && r->proto == MR_IP_PROTO_TCP && (r->flags & MR_PARSED_L4))
		mr_guard(c->rec, c->p, r->l4 + 13, 1, looks->tcp);
	if (looks->icmp && (r->flags & MR_PARSED_L4) &&
	    (r->proto == MR_IP_PROTO_ICMP || r->proto == MR_IP_PROTO_ICMP6))
		mr_guard(c->rec, c->p, r->l4, 2, 0xffff);
	if (looks->dscp && six)
		mr_guard(c->rec, c->p, r->l3, 2, 0xc00f); /* as loaded: little-endian */
	else if (looks->dscp)
		mr_guard(c->rec, c->p, r->l3 + 1, 1, 0xfc);
	if (looks->mac)
		mr_guard(c->rec, c->p, r->l2 + 6, 6, 0xffffffffffffull);
	if (looks->length)
		mr_record_uncacheable(c->rec, c->p, "rules compare lengths");
}

static mr_verdict_t
reject(const struct acl_case *c, const struct acl_rule *rule)
{
	struct acl_stage *stage = c->stage;

	mr_record_uncacheable(c->rec, c->p, "answered by a rule");
	if (mr_record_is_dry(c->rec) ? !mr_meter_ready(&stage->rejects, c->run->now)
				     : !mr_meter_take(&stage->rejects, c->run->now, 1))
		return mr_verdict_drop(ACL_DROP_LIMITED);
	if (!acl_reject_make(c->run, c->rec, c->packet, c->parsed, rule->reject))
		return mr_verdict_drop(ACL_DROP_REJECT);
	mr_node_count(c->run, ACL_COUNT_REJECTED, 1);
	/* The answer belongs to the packet's connection, and goes against its direction. */
	if (c->world->tracked)
		c->p->track = mr_track_word(mr_track_connection(c->p), MR_TRACK_RELATED,
		    !(c->p->track & MR_TRACK_REPLY));
	if (!stage->out)
		return mr_verdict_output(stage->interface);
	/* As if it came in here: whoever sent the packet this way knows the way back. */
	c->p->port = stage->interface;
	return mr_verdict_edge(ACL_EDGE_BACK);
}

/* What ends behind an output has passed `confirm` on its way in. */
static mr_noinline void
refuse(const struct acl_case *c)
{
	if (!mr_record_is_dry(c->rec))
		mr_conntrack_refuse(c->stage->acl->conntrack, c->run->worker, c->p);
}

static mr_verdict_t
verdict_of(const struct acl_case *c, const struct acl_view *view, const struct acl_rule *rule)
{
	if (mr_likely(rule->action == ACL_ACCEPT))
		return mr_verdict_edge(ACL_EDGE_NEXT);
	if (c->stage->out && c->world->tracked && (c->key->extra & MR_TRACK_NEW))
		refuse(c);
	switch (rule->action) {
	case ACL_REJECT:
		return reject(c, rule);
	default:
		return mr_verdict_drop(rule == view->decide ? ACL_DROP_DEFAULT
			: rule == view->invalid             ? ACL_DROP_INVALID
							    : ACL_DROP_RULE);
	}
}

mr_inline void
acl_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count, bool out)
{
	struct acl_stage *stage = run->self;
	struct acl_case c = { .run = run, .rec = rec, .stage = stage };
	const struct acl_view *view;
	struct vector v;

	/* Before anything is read: see kit/base/generation.h. */
	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "acl", &stage->generation);
	/* Acquire pairs with the release in commit. */
	c.world = atomic_load_explicit(&stage->acl->world, memory_order_acquire);
	view = c.world->views[c.world->bind[stage->interface].list[out]];
	v.asked = 0;
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		struct mr_parsed *r = &v.parsed[i];
		enum mr_parse_error error;

		if (i + 4 < count)
			mr_prefetch(mr_packet_bytes(mr_packet_at(run->base, packets[i + 4])));
		verdicts[i] = mr_verdict_edge(ACL_EDGE_NEXT);
		if (!view || (p->flags & MR_PACKET_ANSWER)) {
			mr_record_use(rec, p, 0);
			continue;
		}
		error = parse(run, packets[i], p, r);
		c.packet = packets[i];
		c.p = p;
		c.parsed = r;
		if (mr_unlikely(mr_recorded(rec, p)))
			record_looks(&c, view);
		switch (judge(view, r, error)) {
		case KNOWN_ASK:
			make_key(&v.keys[v.asked], r, mr_packet_bytes(p), state_of(c.world, p),
			    out && p->port >= MR_PORT_MAX ? ACL_INPUT_NONE : p->port);
			if (mr_unlikely(c.world->tracked && (p->track & MR_TRACK_PIECE)))
				add_ports(stage->acl, p, &v.keys[v.asked]);
			v.at[v.asked++] = (uint8_t)i;
			break;
		case KNOWN_ETHER:
			verdicts[i] = mr_verdict_drop(ACL_DROP_ETHER);
			break;
		case KNOWN_MALFORMED:
			verdicts[i] = mr_verdict_drop(ACL_DROP_MALFORMED);
			break;
		default:
			break;
		}
	}
	if (!v.asked)
		return;
	if (view->class) {
		mr_class_lookup(view->class, v.keys, v.slots, NULL, v.asked);
	} else {
		for (unsigned i = 0; i < v.asked; i++)
			v.slots[i] = acl_linear_from(view, &v.keys[i], 0);
	}
	for (unsigned i = 0; i < v.asked; i++) {
		unsigned at = v.at[i], state = v.keys[i].extra & 31u;
		const struct acl_rule *rule;

		c.packet = packets[at];
		c.p = mr_packet_at(run->base, packets[at]);
		c.parsed = &v.parsed[at];
		c.key = &v.keys[i];
		if (view->stateful && (state & (MR_TRACK_ESTABLISHED | MR_TRACK_RELATED)))
			acl_hit(&c, rule = view->established);
		else if (view->stateful && state == MR_TRACK_INVALID)
			acl_hit(&c, rule = view->invalid);
		else
			rule = acl_walk(&c, view, v.slots[i]);
		verdicts[at] = verdict_of(&c, view, rule);
	}
}

mr_inline void
acl_in_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	acl_body(run, rec, packets, verdicts, count, false);
}
MR_NODE_FUNCTIONS(acl_in)

mr_inline void
acl_out_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	acl_body(run, rec, packets, verdicts, count, true);
}
MR_NODE_FUNCTIONS(acl_out)

static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	ACL_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	ACL_COUNTERS(X)
#undef X
};
static const char *const edges[] = { [ACL_EDGE_NEXT] = "next", [ACL_EDGE_BACK] = "back" };

#define COMMON \
	.edges = edges, .drops = drops, .drop_count = ACL_DROP_COUNT, .counters = counters, \
	.counter_count = ACL_COUNT_COUNT, .replays = true, .replay = acl_replay, .marks = true, \
	.tally = acl_tally

const struct mr_node_class acl_in_class = {
	.name = "acl-in",
	.doc = "rules for what arrives on an interface",
	.edge_count = ACL_EDGE_BACK,
	COMMON,
	MR_NODE_RUN(acl_in),
};

const struct mr_node_class acl_out_class = {
	.name = "acl-out",
	.doc = "rules for what leaves by an interface",
	.edge_count = ACL_EDGES,
	COMMON,
	MR_NODE_RUN(acl_out),
};

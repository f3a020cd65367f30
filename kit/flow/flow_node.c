/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The node. Group after group: what is in it is looked up together, done to, and either has its
 * fate or waits for a higher group.
 */

#include <string.h>

#include "kit/flow/flow_int.h"

enum { EDGE_GRAPH };
/* clang-format off */
enum drop {
#define X(id, name, doc) DROP_##id,
	MR_FLOW_RULES_DROPS(X)
#undef X
};
enum counter {
#define X(id, name, doc) COUNT_##id,
	MR_FLOW_RULES_COUNTERS(X)
#undef X
};
/* clang-format on */

struct work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct mr_flow_rules *rules;
	const struct flow_view *view;
	const uint32_t *packets;
	mr_verdict_t *verdicts;
	struct flow_packet packet[MR_VECTOR_MAX];
	uint8_t group[MR_VECTOR_MAX]; /* where it is looked at next; MR_FLOW_GROUPS: done */
	bool matched[MR_VECTOR_MAX];
	bool aged[MR_VECTOR_MAX];
};

static struct mr_packet *
packet_at(const struct work *w, unsigned i)
{
	return mr_packet_at(w->run->base, w->packets[i]);
}

static void
read(struct work *w, unsigned i)
{
	struct mr_packet *p = packet_at(w, i);
	struct mr_parsed *r = &w->packet[i].parsed;
	enum mr_parse_error broken = mr_parse(r, mr_packet_bytes(p), p->len, p->total);

	if (mr_unlikely(broken == MR_PARSE_SPLIT) &&
	    mr_packet_pull(w->run->buffers, w->run->worker, w->packets[i],
		MR_MIN(p->total, MR_PACKET_ROOM / 2)) == 0)
		broken = mr_parse(r, mr_packet_bytes(p), p->len, p->total);
	flow_read(&w->packet[i], p, broken);
}

/* -- actions ---------------------------------------------------------------------------------- */

static struct mr_l4_sum
sum_of(const struct mr_parsed *r)
{
	struct mr_l4_sum at = { .kind = MR_SUM_PLAIN };

	if (!(r->flags & MR_PARSED_L4))
		return at;
	switch (r->proto) {
	case MR_IP_PROTO_TCP:
		at.offset = (uint16_t)(r->l4 + offsetof(struct mr_tcp, check));
		break;
	case MR_IP_PROTO_UDP:
		at.offset = (uint16_t)(r->l4 + offsetof(struct mr_udp, check));
		at.kind = MR_SUM_UDP;
		break;
	case MR_IP_PROTO_UDPLITE:
		at.offset = (uint16_t)(r->l4 + offsetof(struct mr_udp, check));
		break;
	case MR_IP_PROTO_ICMP6:
		at.offset = (uint16_t)(r->l4 + 2);
		break;
	default:
		break;
	}
	return at;
}

static void
count(struct work *w, unsigned i, uint32_t counter)
{
	const struct mr_packet *p = packet_at(w, i);
	struct flow_counters *c;

	mr_record_tally(w->rec, p, counter);
	if (mr_record_is_dry(w->rec)) /* that of an explanation is no worker */
		return;
	c = &w->rules->counters[w->run->worker][counter];
	mr_counter_add(&c->packets, 1);
	mr_counter_add(&c->bytes, p->total);
}

static bool
meter(struct work *w, unsigned i, uint32_t number)
{
	struct mr_meter *m = &w->rules->meters[number];
	const struct mr_packet *p = packet_at(w, i);
	bool conforms = mr_record_is_dry(w->rec) ? mr_meter_ready(m, w->run->now)
						 : mr_meter_take(m, w->run->now, 1) != 0;

	mr_record_note(w->rec, p, "meter", number);
	if (conforms)
		mr_record_call(w->rec, p, number, false);
	else
		mr_record_uncacheable(w->rec, p, "over a meter's rate just now");
	return conforms;
}

static void
set_address(struct work *w, unsigned i, const struct mr_flow_action *a, unsigned version,
    bool source)
{
	const struct mr_parsed *r = &w->packet[i].parsed;
	struct mr_packet *p = packet_at(w, i);
	be32_t address;

	if (r->version != version)
		return;
	if (version == 6) {
		mr_edit_address6(w->rec, p, r->l3, source ? 8 : 24, a->bytes, sum_of(r));
		return;
	}
	memcpy(&address, a->bytes, sizeof(address));
	mr_edit_address4(w->rec, p, r->l3, source ? 12 : 16, address, sum_of(r));
}

static void
set_port(struct work *w, unsigned i, uint32_t port, bool source)
{
	const struct flow_packet *f = &w->packet[i];
	const struct mr_parsed *r = &f->parsed;

	if (f->has_ports && (r->proto == MR_IP_PROTO_TCP || r->proto == MR_IP_PROTO_UDP))
		mr_edit_port(w->rec, packet_at(w, i), r->l4 + (source ? 0u : 2u),
		    mr_be16((uint16_t)port), sum_of(r));
}

/* False: it would be 0. The key of a flow promises a TTL above 1, once. */
static bool
age(struct work *w, unsigned i)
{
	const struct mr_parsed *r = &w->packet[i].parsed;
	struct mr_packet *p = packet_at(w, i);

	if (!r->version)
		return true;
	if (mr_packet_bytes(p)[r->l3 + (r->version == 4 ? 8 : 7)] <= 1)
		return false;
	if (w->aged[i])
		mr_record_uncacheable(w->rec, p, "its TTL goes down twice");
	w->aged[i] = true;
	if (r->version == 4)
		mr_edit_ttl4(w->rec, p, r->l3);
	else
		mr_edit_ttl6(w->rec, p, r->l3);
	return true;
}

static void
moved(struct mr_parsed *r, int by)
{
	r->l3 = (uint16_t)(r->l3 + by);
	r->l4 = r->l4 ? (uint16_t)(r->l4 + by) : 0;
}

static bool
push_tag(struct work *w, unsigned i, uint32_t tci)
{
	struct mr_packet *p = packet_at(w, i);
	be16_t tag[2] = { mr_be16(MR_ETH_TYPE_VLAN), mr_be16((uint16_t)tci) };

	if (p->len < sizeof(struct mr_eth) || !mr_edit_push(w->rec, p, 12, sizeof(tag)))
		return false;
	mr_edit_set(w->rec, p, 12, tag, sizeof(tag));
	w->packet[i].parsed.vlan_count++;
	moved(&w->packet[i].parsed, 4);
	return true;
}

static void
pop_tag(struct work *w, unsigned i)
{
	if (!w->packet[i].parsed.vlan_count)
		return;
	mr_edit_pop(w->rec, packet_at(w, i), 12, 4);
	w->packet[i].parsed.vlan_count--;
	moved(&w->packet[i].parsed, -4);
}

static mr_verdict_t
output(struct work *w, unsigned i, uint32_t port)
{
	struct mr_packet *p = packet_at(w, i);
	const struct mr_port_view *view = port < w->run->port_count ? &w->run->ports[port] : NULL;
	uint32_t longest;

	if (!view || !view->port || (p->flags & MR_PACKET_GSO))
		return mr_verdict_output(port);
	longest = view->mtu + (uint32_t)sizeof(struct mr_eth) + 4u * w->packet[i].parsed.vlan_count;
	if (p->total > longest) {
		mr_record_uncacheable(w->rec, p, "it is too long");
		return mr_verdict_drop(DROP_LONG);
	}
	mr_guard_length(w->rec, p, longest);
	return mr_verdict_output(port);
}

/* One action; the packet's verdict is set when that was its fate. */
static bool
act(struct work *w, unsigned i, const struct mr_flow_action *a)
{
	struct mr_packet *p = packet_at(w, i);

	switch (a->type) {
	case MR_FLOW_ACTION_OUTPUT:
		w->verdicts[i] = output(w, i, a->number);
		return true;
	case MR_FLOW_ACTION_DROP:
		w->verdicts[i] = mr_verdict_drop(DROP_RULE);
		return true;
	case MR_FLOW_ACTION_PASS:
		/* The graph would find, and promise, a TTL that the key does not know. */
		if (w->aged[i])
			mr_record_uncacheable(w->rec, p, "its TTL goes down before the graph");
		return true;
	case MR_FLOW_ACTION_JUMP:
		read(w, i);
		w->group[i] = (uint8_t)a->number;
		return true;
	case MR_FLOW_ACTION_COUNT:
		count(w, i, a->number);
		break;
	case MR_FLOW_ACTION_METER:
		if (meter(w, i, a->number))
			break;
		w->verdicts[i] = mr_verdict_drop(DROP_METER);
		return true;
	case MR_FLOW_ACTION_MARK:
		mr_packet_set_mark(p, a->number);
		break;
	case MR_FLOW_ACTION_SET_SRC_MAC:
	case MR_FLOW_ACTION_SET_DST_MAC:
		if (p->len >= sizeof(struct mr_eth))
			mr_edit_set(w->rec, p, a->type == MR_FLOW_ACTION_SET_DST_MAC ? 0 : 6,
			    a->bytes, 6);
		break;
	case MR_FLOW_ACTION_SET_SRC_IP4:
	case MR_FLOW_ACTION_SET_DST_IP4:
		set_address(w, i, a, 4, a->type == MR_FLOW_ACTION_SET_SRC_IP4);
		break;
	case MR_FLOW_ACTION_SET_SRC_IP6:
	case MR_FLOW_ACTION_SET_DST_IP6:
		set_address(w, i, a, 6, a->type == MR_FLOW_ACTION_SET_SRC_IP6);
		break;
	case MR_FLOW_ACTION_SET_SRC_PORT:
	case MR_FLOW_ACTION_SET_DST_PORT:
		set_port(w, i, a->number, a->type == MR_FLOW_ACTION_SET_SRC_PORT);
		break;
	case MR_FLOW_ACTION_DEC_TTL:
		if (age(w, i))
			break;
		w->verdicts[i] = mr_verdict_drop(DROP_TTL);
		return true;
	case MR_FLOW_ACTION_PUSH_VLAN:
		if (push_tag(w, i, a->number))
			break;
		w->verdicts[i] = mr_verdict_drop(DROP_HEADROOM);
		return true;
	case MR_FLOW_ACTION_POP_VLAN:
		pop_tag(w, i);
		break;
	case MR_FLOW_ACTION_SET_VLAN:
		if (w->packet[i].parsed.vlan_count)
			mr_edit_set16(w->rec, p, 14, mr_be16((uint16_t)a->number));
		break;
	default:
		break;
	}
	return false;
}

/* -- looking up ---------------------------------------------------------------------------------- */

/* What the rules of this group look at beyond the flow's key. */
static void
guard(struct work *w, unsigned i, const struct flow_list *list)
{
	const struct mr_parsed *r = &w->packet[i].parsed;
	const struct mr_packet *p = packet_at(w, i);

	if (p->len < sizeof(struct mr_eth))
		return;
	if (list->look & FLOW_LOOK_MAC) {
		mr_guard(w->rec, p, 0, 6, UINT64_MAX);
		mr_guard(w->rec, p, 6, 6, UINT64_MAX);
	}
	if ((list->look & FLOW_LOOK_TCI) && r->vlan_count)
		mr_guard(w->rec, p, 14, 2, UINT64_MAX);
	if ((list->look & FLOW_LOOK_TOS) && r->version)
		mr_guard(w->rec, p, r->version == 4 ? r->l3 + 1u : r->l3, r->version == 4 ? 1 : 2,
		    UINT64_MAX);
	if ((list->look & FLOW_LOOK_TCP_FLAGS) && w->packet[i].has_ports &&
	    r->proto == MR_IP_PROTO_TCP)
		mr_guard(w->rec, p, r->l4 + 13u, 1, UINT64_MAX);
}

static const struct flow_rule *
choose(struct work *w, unsigned i, unsigned group, uint32_t classified)
{
	const struct flow_rule *best =
	    classified == MR_CLASS_NONE ? NULL : w->rules->places[classified];
	const struct flow_list *list = w->view->lists[group];

	if (!list)
		return best;
	if (mr_unlikely(mr_recorded(w->rec, packet_at(w, i))))
		guard(w, i, list);
	for (uint32_t k = 0; k < list->count; k++) {
		const struct flow_rule *r = list->rules[k];

		if (best && best->attr.priority <= r->attr.priority)
			break;
		if (flow_matches(r, &w->packet[i], mr_packet_bytes_const(packet_at(w, i))))
			return r;
	}
	return best;
}

static void
apply(struct work *w, unsigned i, const struct flow_rule *r)
{
	w->group[i] = MR_FLOW_GROUPS;
	if (!r)
		return;
	w->matched[i] = true;
	mr_record_note(w->rec, packet_at(w, i), "flow rule", r->place);
	for (unsigned a = 0; a < r->action_count; a++)
		if (act(w, i, &r->actions[a]))
			return;
}

static void
run_group(struct work *w, unsigned group, const uint16_t *at, unsigned n)
{
	struct mr_class_key keys[MR_VECTOR_MAX];
	uint32_t values[MR_VECTOR_MAX];

	if (n && w->view->classified[group]) {
		for (unsigned k = 0; k < n; k++)
			flow_key(&keys[k], &w->packet[at[k]],
			    mr_packet_bytes_const(packet_at(w, at[k])), group);
		mr_class_lookup(w->view->class, keys, values, NULL, n);
	} else {
		memset(values, 0xff, n * sizeof(values[0]));
	}
	for (unsigned k = 0; k < n; k++)
		apply(w, at[k], choose(w, at[k], group, values[k]));
}

mr_inline void
rules_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct mr_flow_rules *rules = run->self;
	unsigned missed = 0, matched = 0, n;
	uint16_t at[MR_VECTOR_MAX];
	struct work w;

	w.run = run;
	w.rec = rec;
	w.rules = rules;
	w.packets = packets;
	w.verdicts = verdicts;
	/* Before anything is read: see kit/base/generation.h. */
	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "flow rules",
		    &rules->cell);
	/* Acquire pairs with the release in mr_flow_rules_commit. */
	w.view = atomic_load_explicit(&rules->view, memory_order_acquire);
	for (unsigned i = 0; i < count; i++) {
		if (i + 4 < count)
			mr_prefetch(mr_packet_bytes(mr_packet_at(run->base, packets[i + 4])));
		read(&w, i);
		verdicts[i] = mr_verdict_edge(EDGE_GRAPH);
		w.group[i] = 0;
		w.matched[i] = w.aged[i] = false;
	}
	for (unsigned group = 0; group < MR_FLOW_GROUPS;) {
		unsigned next = MR_FLOW_GROUPS;

		n = 0;
		for (unsigned i = 0; i < count; i++)
			if (w.group[i] == group)
				at[n++] = (uint16_t)i;
		if (n)
			run_group(&w, group, at, n);
		for (unsigned i = 0; i < count; i++)
			next = MR_MIN(next, (unsigned)w.group[i]);
		group = next;
	}
	for (unsigned i = 0; i < count; i++) {
		if (mr_unlikely(mr_recorded(rec, packet_at(&w, i))))
			mr_node_count_packet(run, rec, packet_at(&w, i),
			    w.matched[i] ? COUNT_MATCHED : COUNT_MISSED, 1);
		else if (w.matched[i])
			matched++;
		else
			missed++;
	}
	mr_node_count(run, COUNT_MATCHED, matched);
	mr_node_count(run, COUNT_MISSED, missed);
}
MR_NODE_FUNCTIONS(rules)

/* Packets of a meter in the flow lane: those that exceed it take the graph, which drops them. */
static void
rules_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	struct mr_flow_rules *rules = run->self;

	for (unsigned i = 0; i < count; i++)
		skip[i] |= replayed[i].ask ? !mr_meter_ready(&rules->meters[args[i]], run->now)
					   : !mr_meter_take(&rules->meters[args[i]], run->now, 1);
}

static void
rules_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	struct mr_flow_rules *rules = run->self;
	struct flow_counters *c = &rules->counters[run->worker][number];

	mr_counter_add(&c->packets, packets);
	mr_counter_add(&c->bytes, bytes);
}

static const char *const edges[] = { "graph" };
#define X(id, name, doc) { name, doc },
static const struct mr_named drops[] = { MR_FLOW_RULES_DROPS(X) };
static const struct mr_named counters[] = { MR_FLOW_RULES_COUNTERS(X) };
#undef X

const struct mr_node_class mr_flow_rules_class = {
	.name = "flow-rules",
	.doc = "does to packets what the flow rules say",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = MR_ARRAY_COUNT(drops),
	.counters = counters,
	.counter_count = MR_ARRAY_COUNT(counters),
	.replays = true,
	.replay = rules_replay,
	.marks = true,
	.tally = rules_tally,
	MR_NODE_RUN(rules),
};

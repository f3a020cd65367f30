/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip-local: what is for the router itself. A vector goes through in three phases:
 *
 *   1  classify: class, where the packet would go, and what keeps it from going there
 *   2  take tokens: once for each class that the vector has
 *   3  send what got one: to the twin of the interface where it came in, without the
 *      tag of a VLAN's interface, or to the node that answers in the host's place
 *
 * A vector with packets of several VRFs takes its tokens one by one.
 */
#include "nf/host/host.h"

#define AHEAD 8u
#define DONE 0xffu /* as a class: the verdict stands */

struct batch {
	struct mr_host_policy *policy[MR_VECTOR_MAX];
	mr_verdict_t way[MR_VECTOR_MAX];
	uint8_t class[MR_VECTOR_MAX];
	uint8_t tagged[MR_VECTOR_MAX];
	uint16_t counts[MR_HOST_CLASS_COUNT];
};

struct work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct mr_host *h;
	struct batch *b;
};

/* -- 1: classify ------------------------------------------------------------------------- */

static bool
prefix_covers(const struct mr_host_prefix *prefix, unsigned family, const uint8_t *address)
{
	unsigned whole = prefix->len / 8, rest = prefix->len % 8;

	if (prefix->family != family || memcmp(prefix->bytes, address, whole))
		return false;
	return !rest || !((prefix->bytes[whole] ^ address[whole]) >> (8 - rest));
}

static mr_noinline bool
allowed(const struct mr_host_sources *sources, const struct mr_host_packet *what)
{
	if (!what->family)
		return true;
	for (unsigned i = 0; i < sources->count; i++)
		if (prefix_covers(&sources->prefixes[i], what->family, what->src))
			return true;
	return false;
}

mr_inline void
count(const struct work *w, struct mr_host_policy *policy, unsigned class, enum mr_host_count what,
    uint64_t n)
{
	mr_counter_add(
	    mr_counters_row(policy->counters, w->run->worker) + class * MR_HOST_COUNTS + what, n);
}

/* Of TCP: the class of sessions that stand, or the other. */
mr_inline unsigned
class_of(const struct work *w, const struct mr_host_packet *what, unsigned vrf)
{
	if (!what->tcp)
		return what->class;
	if (what->syn ||
	    !mr_host_session_stands(w->h,
		mr_host_session_key(w->h, vrf, what->family, what->src, what->src_port,
		    what->dst_port)))
		return what->fresh;
	return what->class;
}

/* Where packets of this class go, once they have their token. False: nowhere. */
mr_inline bool
choose_way(const struct work *w, unsigned class, unsigned twin, mr_verdict_t *way)
{
	const struct mr_host *h = w->h;

	/* Relaxed: written before the graph's commit. */
	if (class == MR_HOST_ND && atomic_load_explicit(&h->has_nd, memory_order_relaxed))
		*way = mr_verdict_edge(MR_HOST_EDGE_ND);
	else if (class == MR_HOST_ECHO && atomic_load_explicit(&h->has_echo, memory_order_relaxed))
		*way = mr_verdict_edge(MR_HOST_EDGE_ECHO);
	else if (class == MR_HOST_FRAGMENTS &&
	    atomic_load_explicit(&h->has_reassembly, memory_order_relaxed))
		*way = mr_verdict_edge(MR_HOST_EDGE_REASSEMBLY);
	else if (twin != MR_IP_NO_PORT)
		*way = mr_verdict_output(twin);
	else
		return false;
	return true;
}

static mr_verdict_t
refuse(const struct work *w, unsigned i, unsigned reason)
{
	w->b->class[i] = DONE;
	return mr_verdict_drop(reason);
}

/* Leaves class, policy and way in the batch; the verdict is only for what is dropped. */
mr_inline mr_verdict_t
classify(const struct work *w, struct mr_packet *p, unsigned i)
{
	unsigned index = p->context, class;
	const struct mr_ip_interface *interface;
	const struct mr_host_sources *sources;
	struct mr_host_policy *policy;
	struct mr_host_packet what;

	if (mr_unlikely(!index || index >= MR_IP_INTERFACES_MAX))
		return refuse(w, i, MR_HOST_DROP_NO_INTERFACE);
	interface = &w->h->ip->interfaces[index];
	/* Acquire pairs with mr_host_set_policy. */
	policy = atomic_load_explicit(&w->h->policies[mr_ip_vrf(interface) % MR_IP_VRFS_MAX],
	    memory_order_acquire);
	if (mr_unlikely(!policy))
		return refuse(w, i, MR_HOST_DROP_NO_INTERFACE);
	if (mr_unlikely(!mr_host_classify(&what, mr_packet_bytes_const(p), p->len, p->total)))
		return refuse(w, i, MR_HOST_DROP_MALFORMED);
	class = class_of(w, &what, mr_ip_vrf(interface));
	if (mr_unlikely(!choose_way(w, class, mr_ip_twin(interface), &w->b->way[i])))
		return refuse(w, i, MR_HOST_DROP_NO_TWIN);
	if ((what.scope == MR_HOST_LINK_LOCAL || what.scope == MR_HOST_GROUP) &&
	    !mr_host_set_has(&w->h->listens,
		mr_host_listen_key(w->h, index, what.family, what.dst)))
		return refuse(w, i,
		    what.scope == MR_HOST_GROUP ? MR_HOST_DROP_NOT_JOINED : MR_HOST_DROP_NOT_HERE);
	/* Acquire pairs with mr_host_policy_set. */
	sources = atomic_load_explicit(&policy->slots[class].sources, memory_order_acquire);
	if (mr_unlikely(sources && !allowed(sources, &what))) {
		if (!mr_record_is_dry(w->rec))
			count(w, policy, class, MR_HOST_COUNT_REFUSED, 1);
		return refuse(w, i, MR_HOST_DROP_NOT_ALLOWED);
	}
	w->b->class[i] = (uint8_t) class;
	w->b->policy[i] = policy;
	w->b->tagged[i] = what.tagged;
	return 0;
}

/* -- 2: tokens --------------------------------------------------------------------------- */

/* From now on counts[c] is how many packets of class c pass. */
static void
take_for_all(const struct work *w, struct mr_host_policy *policy)
{
	uint16_t *counts = w->b->counts;

	for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++) {
		unsigned wanted = counts[c], got;

		if (!wanted)
			continue;
		got = mr_meter_take(&policy->slots[c].meter, w->run->now, wanted);
		count(w, policy, c, MR_HOST_COUNT_PACKETS, got);
		if (mr_unlikely(got < wanted))
			count(w, policy, c, MR_HOST_COUNT_LIMITED, wanted - got);
		counts[c] = (uint16_t)got;
	}
}

static mr_noinline bool
take_one(const struct work *w, struct mr_host_policy *policy, unsigned class)
{
	bool got = mr_meter_take(&policy->slots[class].meter, w->run->now, 1);

	count(w, policy, class, got ? MR_HOST_COUNT_PACKETS : MR_HOST_COUNT_LIMITED, 1);
	return got;
}

/* -- 3: send ----------------------------------------------------------------------------- */

mr_inline mr_verdict_t
pass(const struct work *w, struct mr_packet *p, unsigned i)
{
	unsigned class = w->b->class[i];
	mr_verdict_t way = w->b->way[i];

	mr_ip_meta(p)->class = (uint8_t) class;
	if (mr_unlikely(mr_recorded(w->rec, p))) {
		mr_record_note(w->rec, p, mr_host_class_info[class].name, class);
		mr_record_uncacheable(w->rec, p, "for the router itself");
	}
	if (!mr_record_is_dry(w->rec))
		count(w, w->b->policy[i], class, MR_HOST_COUNT_BYTES, p->total);
	if ((way & MR_VERDICT_CLASS) == MR_VERDICT_OUTPUT && w->b->tagged[i])
		mr_edit_pop(w->rec, p, 12, sizeof(struct mr_vlan));
	return way;
}

mr_inline void
local_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned n)
{
	struct mr_host_policy *policy = NULL;
	struct batch b;
	const struct work w = { run, rec, run->self, &b };
	bool dry = mr_record_is_dry(rec), mixed = false;

	memset(b.counts, 0, sizeof(b.counts));
	for (unsigned i = 0; i < n; i++) {
		mr_prefetch(mr_packet_bytes_const(
		    mr_packet_at(run->base, packets[MR_MIN(i + AHEAD, n - 1)])));
		verdicts[i] = classify(&w, mr_packet_at(run->base, packets[i]), i);
		if (b.class[i] == DONE)
			continue;
		b.counts[b.class[i]]++;
		mixed |= policy && policy != b.policy[i];
		policy = b.policy[i];
	}
	if (mr_likely(policy && !mixed && !dry))
		take_for_all(&w, policy);
	for (unsigned i = 0; i < n; i++) {
		unsigned class = b.class[i];
		bool got;

		if (class == DONE)
			continue;
		if (mr_unlikely(dry)) {
			got = mr_meter_ready(&b.policy[i]->slots[class].meter, run->now);
		} else if (mr_unlikely(mixed)) {
			got = take_one(&w, b.policy[i], class);
		} else {
			got = b.counts[class] > 0;
			b.counts[class] -= got;
		}
		verdicts[i] = got ? pass(&w, mr_packet_at(run->base, packets[i]), i)
				  : mr_verdict_drop(MR_HOST_DROP_LIMITED + class);
	}
}
MR_NODE_FUNCTIONS(local)

static const char *const edges[] = {
	[MR_HOST_EDGE_ND] = "nd",
	[MR_HOST_EDGE_ECHO] = "echo",
	[MR_HOST_EDGE_REASSEMBLY] = "reassembly",
};

/* clang-format off */
static const struct mr_named drops[] = {
#define X(id, name, doc, rate, burst) \
	[MR_HOST_DROP_LIMITED + MR_HOST_##id] = { name "-limited", "above the rate of its class: " doc },
	MR_HOST_CLASSES(X)
#undef X
#define X(id, name, doc) [MR_HOST_DROP_##id] = { name, doc },
	MR_HOST_LOCAL_DROPS(X)
#undef X
};
/* clang-format on */
static_assert(MR_HOST_LOCAL_DROP_COUNT <= MR_NODE_DROPS_MAX, "a node has so many drop reasons");

const struct mr_node_class mr_host_local_class = {
	.name = "ip-local",
	.doc = "what is for the router itself: classes, their rates, the host's twin",
	.edges = edges,
	.edge_count = MR_HOST_EDGES,
	.drops = drops,
	.drop_count = MR_HOST_LOCAL_DROP_COUNT,
	MR_NODE_RUN(local),
};

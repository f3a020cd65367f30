/* SPDX-License-Identifier: Apache-2.0 */

/*
 * confirm: what passed the rules and belongs to no connection begins one. Here are the
 * limits.
 */

#include <string.h>

#include "nf/conntrack/proxy_int.h"
#include "nf/conntrack/track_int.h"

struct pass {
	const struct ct_side *side;
	struct ct_table *table;
	struct mr_node_run *run;
	struct mr_recorder *rec;
	bool dry;
};

static mr_verdict_t
refuse(const struct pass *s, const struct ct_packet *k, enum ct_count count,
    enum ct_confirm_drop drop)
{
	if (!s->dry)
		ct_count(s->table, s->run->worker, CT_KEY_ZONE(&k->key), count, 1);
	return mr_verdict_drop(drop);
}

/* One more in this second? */
static bool
within_rate(const struct pass *s, const struct ct_packet *k)
{
	struct ct_port *port = s->side->port;
	const uint64_t *source = &k->key.w[k->swapped ? 2 : 0];
	_Atomic uint64_t *word;

	if (!atomic_load_explicit(&port->source_rate.interval, memory_order_relaxed))
		return true;
	word = mr_meter_table_word(s->side->core->rates, source[0],
	    source[1] ^ ((uint64_t)CT_KEY_ZONE(&k->key) << 48 | port->index));
	if (s->dry)
		return mr_meter_word_ready(word, &port->source_rate, s->run->now);
	return mr_meter_word_take(word, &port->source_rate, s->run->now, 1);
}

/* A packet before this one, of the same vector or on another worker, began the connection. */
static mr_verdict_t
join(const struct pass *s, struct mr_packet *p, const struct ct_packet *k, uint32_t index,
    uint32_t word)
{
	struct ct_line *c = &s->table->lines[index];
	uint8_t timeout = CT_TIMEOUT_COUNT;
	enum ct_outcome outcome;
	unsigned dir;

	if (!ct_lock(c, &word))
		return mr_verdict_edge(0);
	dir = k->swapped != !!(word & CT_SWAPPED);
	outcome =
	    ct_advance(c, &s->table->cold[index], k, p, dir, s->run->seconds, &word, &timeout);
	if (outcome == CT_ACCEPT || outcome == CT_STALE) {
		word |= dir ? CT_REPLIED : 0;
		atomic_fetch_add_explicit(&c->packets[dir], 1, memory_order_relaxed);
		p->track = mr_track_word(index, mr_track_state(p), dir);
		if (timeout != CT_TIMEOUT_COUNT) {
			atomic_store_explicit(&c->timeout, timeout, memory_order_relaxed);
			atomic_store_explicit(&c->seen, s->run->seconds, memory_order_relaxed);
		}
	}
	ct_unlock(c, word);
	if (outcome == CT_INVALID) {
		p->track = mr_track_word(0, MR_TRACK_INVALID, false);
		if (atomic_load_explicit(&s->side->core->options, memory_order_relaxed) &
		    CT_DROP_INVALID)
			return mr_verdict_drop(CT_CONFIRM_DROP_INVALID);
	}
	return mr_verdict_edge(0);
}

/* The SYN proxy: back with a SYN/ACK. */
static mr_verdict_t
answer(const struct pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k)
{
	mr_record_note(s->rec, p, "the SYN proxy answers", 0);
	if (!ct_proxy_answer(s->side->core, s->run, packet, k))
		return mr_verdict_drop(CT_CONFIRM_DROP_PROXY);
	mr_node_count(s->run, CT_CONFIRM_ANSWERED, 1);
	/* For the rules of the way out it is an answer. */
	p->track = mr_track_word(0, MR_TRACK_ESTABLISHED, true);
	return mr_verdict_output(p->port);
}

static bool
returns(const struct pass *s, const struct ct_packet *k, const struct mr_packet *p)
{
	return !s->side->out && k->proto == MR_IP_PROTO_TCP &&
	    atomic_load_explicit(&s->side->port->proxy, memory_order_relaxed) != CT_PROXY_OFF &&
	    ct_proxy_returns(s->side->core, k, p, s->run->seconds);
}

static mr_verdict_t
create(const struct pass *s, uint32_t packet, struct mr_packet *p, struct ct_packet *k)
{
	struct ct_table *t = s->table;
	uint16_t zone = CT_KEY_ZONE(&k->key);
	uint32_t worker = s->run->worker, now = s->run->seconds, index, taken, word = 0;
	uint32_t most =
	    atomic_load_explicit(&s->side->port->source_connections, memory_order_relaxed);
	uint32_t limit = atomic_load_explicit(&t->zones[zone].limit, memory_order_relaxed);
	uint32_t cookie = 0, proxied = 0;
	/* In another zone it begins another one. */
	const uint32_t mine[2] = { packet, zone };
	bool counted = false;
	uint64_t begun;

	mr_record_uncacheable(s->rec, p, "begins a connection");
	/* It has, in this explanation: with a line, it would not be here. */
	if (s->dry && mr_record_rehearsed(s->rec, s->table, mine, sizeof(mine), &begun))
		return mr_verdict_edge(0);
	k->hash = ct_hash(t, &k->key);
	index = ct_find(t, worker, &k->key, k->hash, now, &word);
	if (index)
		return s->dry ? mr_verdict_edge(0) : join(s, p, k, index, word);
	if (ct_proxy_wants(s->side, s->run, k, p, s->dry))
		return answer(s, packet, p, k);
	if (!within_rate(s, k))
		return refuse(s, k, CT_COUNT_RATE, CT_CONFIRM_DROP_RATE);
	if (limit &&
	    atomic_load_explicit(&t->zones[zone].connections, memory_order_relaxed) >= limit)
		return refuse(s, k, CT_COUNT_LIMITED, CT_CONFIRM_DROP_ZONE);
	if (s->dry) {
		if (most && ct_sources_count(t->sources, &k->key, k->swapped) >= most)
			return mr_verdict_drop(CT_CONFIRM_DROP_SOURCE);
		mr_record_rehearse(s->rec, s->table, &k->key, sizeof(k->key),
		    k->swapped ? CT_REHEARSED_BEGUN_SWAPPED : CT_REHEARSED_BEGUN);
		mr_record_rehearse(s->rec, s->table, mine, sizeof(mine), 0);
		return mr_verdict_edge(0);
	}
	if (most && !ct_sources_enter(t->sources, &k->key, k->swapped, most, &counted))
		return refuse(s, k, CT_COUNT_SOURCE, CT_CONFIRM_DROP_SOURCE);
	if (returns(s, k, p)) {
		uint64_t hash = k->hash;

		if (!ct_proxy_open(s->run, packet, k, &cookie)) {
			if (counted)
				ct_sources_leave(t->sources, &k->key, k->swapped);
			return mr_verdict_drop(CT_CONFIRM_DROP_PROXY);
		}
		mr_node_count(s->run, CT_CONFIRM_RETURNED, 1);
		ct_classify(k, p, zone, s->side->core->apart); /* it is the SYN now */
		k->hash = hash;
		proxied = CT_PROXIED;
	}
	taken = ct_take(t, worker, k->hash, now);
	if (taken) {
		ct_begin(t, &t->lines[taken], &t->cold[taken], k, p, now);
		t->cold[taken].cookie = cookie;
		index = ct_add(t, worker, taken, &k->key, k->hash,
		    (k->swapped ? CT_SWAPPED : 0) | (counted ? CT_COUNTED : 0) | proxied, now,
		    &word);
	}
	if (index != taken && counted)
		ct_sources_leave(t->sources, &k->key, k->swapped);
	if (!index)
		return refuse(s, k, CT_COUNT_FULL, CT_CONFIRM_DROP_FULL);
	if (index != taken)
		return join(s, p, k, index, word);
	p->track = mr_track_word(index, mr_track_state(p), false);
	return mr_verdict_edge(0);
}

/* Its pieces will come: their connection is known now. */
static void
tell_fragments(const struct pass *s, const struct mr_packet *p, const struct ct_packet *k)
{
	struct ct_fragment *e;
	struct ct_key key;

	ct_fragment_key(k, p, &key);
	key.w[4] |= (uint64_t)CT_KEY_ZONE(&k->key) << 32;
	e = ct_fragment_find(s->side->core->fragments[s->run->worker], ct_hash(s->table, &key),
	    s->run->seconds);
	if (e)
		e->track = p->track;
}

mr_inline void
confirm_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct ct_side *side = run->self;
	const struct pass s = { side, side->core->table, run, rec, mr_record_is_dry(rec) };
	uint16_t zone = atomic_load_explicit(&side->port->zone, memory_order_relaxed);
	/* NEW, without a connection, and no piece. */
	const uint32_t want = mr_track_word(0, MR_TRACK_NEW, false);

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		struct ct_packet k;

		verdicts[i] = mr_verdict_edge(0);
		if (mr_likely(p->track != want)) {
			/* What it rests on, whoever looked for the connection has said. */
			mr_record_use(rec, p, 0);
			continue;
		}
		ct_classify(&k, p, zone, side->core->apart);
		if (k.what != CT_FLOW)
			continue;
		verdicts[i] = create(&s, packets[i], p, &k);
		if (mr_unlikely(k.first) && !s.dry)
			tell_fragments(&s, p, &k);
	}
}
MR_NODE_FUNCTIONS(confirm)

static const char *const edges[] = { "next" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	CT_CONFIRM_DROPS(X)
#undef X
};

static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	CT_CONFIRM_COUNTERS(X)
#undef X
};

const struct mr_node_class ct_confirm_class = {
	.name = "confirm",
	.doc = "begins connections for packets that passed the rules",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = CT_CONFIRM_DROP_COUNT,
	.counters = counters,
	.counter_count = CT_CONFIRM_COUNTER_COUNT,
	MR_NODE_RUN(confirm),
	.replays = true,
};

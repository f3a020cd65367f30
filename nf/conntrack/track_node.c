/* SPDX-License-Identifier: Apache-2.0 */

/*
 * track: which connection a packet belongs to. A vector goes through in three steps: what each
 * packet is, its hash, and its bucket's line on the way; which line may be its connection's, on
 * the way too; then, in order, the packets against their connections.
 */

#include <string.h>

#include "kit/flow/key.h"
#include "nf/conntrack/proxy_int.h"
#include "nf/conntrack/track_int.h"

static const char *const call_it[] = { CT_NOTE " new", CT_NOTE " established", CT_NOTE " related",
	CT_NOTE " invalid", CT_NOTE " untracked" };

mr_verdict_t
ct_say(const struct ct_pass *s, struct mr_packet *p, uint32_t index, unsigned state, bool reply)
{
	unsigned n = (unsigned)__builtin_ctz(state);

	p->track = mr_track_word(index, state, reply);
	/* Replays of others are counted where their connections hear of them. */
	if (state == MR_TRACK_UNTRACKED)
		mr_node_count_packet(s->run, s->rec, p, n, 1);
	else
		mr_node_count(s->run, n, 1);
	mr_record_note(s->rec, p, call_it[n], index | (uint64_t)reply << 32);
	if (mr_unlikely(state == MR_TRACK_INVALID)) {
		mr_record_uncacheable(s->rec, p, "belongs to no connection");
		if (s->options & CT_DROP_INVALID)
			return mr_verdict_drop(CT_TRACK_DROP_INVALID);
	}
	return mr_verdict_edge(0);
}
static_assert(1u << CT_TRACK_UNTRACKED == MR_TRACK_UNTRACKED && CT_TRACK_NEW == 0,
    "counters in the order of states");

static mr_verdict_t
invalid(const struct ct_pass *s, struct mr_packet *p, uint16_t zone)
{
	if (!s->dry)
		ct_count(s->core->table, s->run->worker, zone, CT_COUNT_INVALID, 1);
	return ct_say(s, p, 0, MR_TRACK_INVALID, false);
}

static bool
sum_is_bad(const struct ct_pass *s, uint32_t packet, const struct mr_packet *p,
    const struct ct_packet *k)
{
	return (s->options & CT_CHECKSUM) && !(p->flags & MR_PACKET_IMAGINED) &&
	    ct_sum_is_bad(k, s->run->buffers, packet, p);
}

/* -- recordings --------------------------------------------------------------------------- */

/* Whether its ends are others than when it came in; then *digest is theirs. */
static bool
was_translated(const struct ct_pass *s, const struct mr_packet *p, unsigned dir, uint16_t *digest)
{
	const struct mr_recording *r = mr_recorder_of(s->rec, p->record);

	*digest = ct_ends_digest(r->snap, MR_MIN((unsigned)r->snapped, MR_RECORD_SNAP), dir);
	return *digest != ct_ends_digest(mr_packet_bytes_const(p), p->len, dir);
}

/* Whether the connection's next packet will make more of it: its first answer came, and late. */
static bool
is_about_to_last(const struct ct_pass *s, uint32_t index, uint32_t before, unsigned dir,
    uint8_t timeout)
{
	uint32_t created =
	    atomic_load_explicit(&s->core->table->cold[index].created, memory_order_relaxed);

	if (!dir || (before & CT_REPLIED))
		return false;
	return timeout == CT_GRE ||
	    (timeout == CT_UDP && (int32_t)(s->run->seconds - created) > CT_TALK_SECONDS);
}

static void
record_call(const struct ct_pass *s, const struct mr_packet *p, const struct ct_packet *k,
    uint32_t index, uint32_t word, unsigned dir, bool fresh, uint8_t state)
{
	uint16_t digest;

	if (!mr_recorded(s->rec, p))
		return;
	if (!s->dry && was_translated(s, p, dir, &digest))
		atomic_store_explicit(&s->core->table->cold[index].came[dir], digest,
		    memory_order_relaxed);
	if (word & CT_PROXIED)
		mr_record_uncacheable(s->rec, p, "the SYN proxy translates its numbers");
	else if (k->proto == MR_IP_PROTO_TCP &&
	    (state != CT_TCP_ESTABLISHED || !(word & CT_ASSURED)))
		mr_record_uncacheable(s->rec, p, "its connection is not open, or closes");
	else
		mr_record_call(s->rec, p,
		    index | (dir ? CT_ARG_REPLY : 0) | (fresh ? CT_ARG_NEW : 0) |
			(word >> CT_AGE_SHIFT & CT_ARG_AGE) << CT_ARG_AGE_SHIFT,
		    k->proto != MR_IP_PROTO_TCP && !fresh && (word & CT_REPLIED));
}

/* What became of its connection in this explanation. */
static enum ct_rehearsed
rehearsed(const struct ct_pass *s, const struct ct_packet *k)
{
	uint64_t value;

	return mr_record_rehearsed(s->rec, s->core->table, &k->key, sizeof(k->key), &value)
	    ? (enum ct_rehearsed)value
	    : CT_REHEARSED_NOTHING;
}

/* 0: there is none, or it ended in this explanation. */
static uint32_t
find(const struct ct_pass *s, const struct ct_packet *k, uint32_t *word)
{
	uint32_t index =
	    ct_find(s->core->table, s->run->worker, &k->key, k->hash, s->run->seconds, word);

	return mr_unlikely(s->dry) && rehearsed(s, k) == CT_REHEARSED_ENDED ? 0 : index;
}

/* -- a connection's packet ---------------------------------------------------------------- */

static mr_verdict_t
begin(const struct ct_pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k,
    uint16_t zone)
{
	uint16_t digest;
	uint8_t proxy = s->side->out || k->proto != MR_IP_PROTO_TCP
	    ? CT_PROXY_OFF
	    : atomic_load_explicit(&s->side->port->proxy, memory_order_relaxed);

	if (proxy != CT_PROXY_OFF) {
		/* Without the proxy it would be taken up midway, or not. */
		mr_record_uncacheable(s->rec, p, "the SYN proxy looks at it");
		if (ct_proxy_returns(s->core, k, p, s->run->seconds))
			return ct_say(s, p, 0, MR_TRACK_NEW, false);
		if (proxy == CT_PROXY_ON && !ct_may_begin(k, p, false))
			return invalid(s, p, zone);
	}
	if (!ct_may_begin(k, p, s->options & CT_LOOSE) ||
	    (!k->check && sum_is_bad(s, packet, p, k)))
		return invalid(s, p, zone);
	/* Dropped ones are replayed for as long as nobody begins that connection. */
	if (mr_recorded(s->rec, p)) {
		if (was_translated(s, p, 0, &digest))
			mr_record_uncacheable(s->rec, p, "translated, and of no connection yet");
		else
			mr_record_call(s->rec, p, CT_ARG_NEW, false);
	}
	return ct_say(s, p, 0, MR_TRACK_NEW, false);
}

/* An explanation: what would become of it. */
static enum ct_outcome
rehearse(const struct ct_pass *s, uint32_t index, const struct ct_packet *k, struct mr_packet *p,
    unsigned dir, uint32_t *word, uint8_t *state)
{
	struct ct_line line;
	struct ct_cold cold;
	uint8_t timeout;
	enum ct_outcome outcome;

	if (p->flags & MR_PACKET_IMAGINED) {
		*state =
		    atomic_load_explicit(&s->core->table->lines[index].state, memory_order_relaxed);
		return CT_ACCEPT;
	}
	memcpy(&line, &s->core->table->lines[index], sizeof(line));
	memcpy(&cold, &s->core->table->cold[index], sizeof(cold));
	outcome = ct_advance(&line, &cold, k, p, dir, s->run->seconds, word, &timeout);
	*state = line.state;
	return outcome;
}

/* The server answers: the client may talk now. */
static bool
open_up(const struct ct_pass *s, struct ct_line *c, struct ct_cold *cold, uint32_t packet,
    uint32_t reply, const struct ct_packet *k, uint32_t index, uint32_t *word)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	struct mr_packet *q = mr_packet_at(s->run->base, reply);
	bool done = ct_proxy_opened(c, cold, s->run, packet, reply, k, word);

	q->track = mr_track_word(index, MR_TRACK_ESTABLISHED, false);
	mr_node_emit(s->run, reply,
	    done ? mr_verdict_output(p->port) : mr_verdict_drop(CT_TRACK_DROP_PROXY));
	mr_node_count(s->run, CT_TRACK_PROXY_OPENED, done);
	return done;
}

/* A packet of a connection that the SYN proxy opened, or is opening; the line is locked, and *word
 * its word. As ct_advance; *verdict: of those that go no further. */
static enum ct_outcome
proxied(const struct ct_pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k,
    uint32_t index, unsigned dir, uint32_t *word, uint8_t *timeout, mr_verdict_t *verdict)
{
	struct ct_line *c = &s->core->table->lines[index];
	struct ct_cold *cold = &s->core->table->cold[index];
	enum ct_kind kind = ct_tcp_kind(mr_packet_bytes(p)[k->l4 + 13]);
	bool waits = c->state == CT_TCP_SYN_SENT;
	uint32_t reply = MR_PACKET_NONE;
	enum ct_outcome outcome;

	if (waits && !dir && kind == CT_ACK) {
		if (!ct_proxy_again(c, cold, s->run, packet, k))
			*verdict = mr_verdict_drop(CT_TRACK_DROP_PROXY);
		return CT_STALE;
	}
	if (waits && dir && kind == CT_SYNACK) {
		reply = mr_node_copy(s->run, s->rec, packet);
		if (reply == MR_PACKET_NONE) {
			*verdict = mr_verdict_drop(CT_TRACK_DROP_PROXY);
			return CT_STALE;
		}
	}
	/* Refused: for the client it is open already. */
	if (waits && dir && kind == CT_RST)
		cold->shift = mr_load_be32(mr_packet_bytes(p) + k->l4 + 4) - cold->cookie - 1;
	ct_proxy_before(cold, k, p, dir);
	outcome = ct_advance(c, cold, k, p, dir, s->run->seconds, word, timeout);
	if (reply != MR_PACKET_NONE && outcome == CT_ACCEPT) {
		if (!open_up(s, c, cold, packet, reply, k, index, word))
			*verdict = mr_verdict_drop(CT_TRACK_DROP_PROXY);
		*timeout = CT_TCP_ESTABLISHED;
		return outcome;
	}
	if (reply != MR_PACKET_NONE)
		mr_node_emit(s->run, reply, mr_verdict_drop(CT_TRACK_DROP_PROXY));
	ct_proxy_after(c, cold, k, p, dir);
	return outcome;
}

static mr_verdict_t
goes_on(const struct ct_pass *s, struct mr_packet *p, bool reply)
{
	mr_record_uncacheable(s->rec, p, "its connection changes");
	return ct_say(s, p, 0, reply ? MR_TRACK_ESTABLISHED : MR_TRACK_NEW, reply);
}

static mr_verdict_t
flow(const struct ct_pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k,
    uint16_t zone)
{
	struct ct_table *t = s->core->table;
	uint32_t worker = s->run->worker, now = s->run->seconds, word, before, index;
	uint8_t timeout = CT_TIMEOUT_COUNT, state;
	enum ct_outcome outcome;
	mr_verdict_t verdict = MR_VERDICT_NONE, said;
	struct ct_line *c;
	unsigned dir;

	if (k->check && sum_is_bad(s, packet, p, k))
		return invalid(s, p, zone);
	do {
		index = find(s, k, &word);
		if (!index && mr_unlikely(s->dry) && rehearsed(s, k) >= CT_REHEARSED_BEGUN)
			return goes_on(s, p, k->swapped != (rehearsed(s, k) & 1));
		if (!index)
			return begin(s, packet, p, k, zone);
		c = &t->lines[index];
	} while (!ct_lock(c, &word));
	before = word;
	dir = k->swapped != !!(word & CT_SWAPPED);
	if (mr_unlikely(s->dry)) {
		outcome = rehearse(s, index, k, p, dir, &word, &state);
		ct_unlock(c, before);
		if (outcome == CT_DESTROY)
			mr_record_rehearse(s->rec, t, &k->key, sizeof(k->key), CT_REHEARSED_ENDED);
	} else if (mr_unlikely(word & CT_PROXIED)) {
		outcome = proxied(s, packet, p, k, index, dir, &word, &timeout, &verdict);
		state = atomic_load_explicit(&c->state, memory_order_relaxed);
	} else {
		outcome = ct_advance(c, &t->cold[index], k, p, dir, now, &word, &timeout);
		state = atomic_load_explicit(&c->state, memory_order_relaxed);
	}
	if (mr_unlikely(outcome == CT_INVALID || outcome == CT_REPEAT)) {
		if (!s->dry && outcome == CT_INVALID)
			ct_unlock(c, word);
		else if (!s->dry)
			ct_end_locked(t, worker, index, before, CT_COUNT_REUSED);
		if (outcome == CT_INVALID)
			return invalid(s, p, zone);
		mr_node_count(s->run, CT_TRACK_AGAIN, 1);
		return begin(s, packet, p, k, zone);
	}
	if (mr_likely(!s->dry)) {
		word |= dir ? CT_REPLIED : 0;
		atomic_store_explicit(&c->packets[dir],
		    atomic_load_explicit(&c->packets[dir], memory_order_relaxed) + 1,
		    memory_order_relaxed);
		if (timeout != CT_TIMEOUT_COUNT) {
			atomic_store_explicit(&c->timeout, timeout, memory_order_relaxed);
			atomic_store_explicit(&c->seen, now, memory_order_relaxed);
		}
		if (mr_unlikely(outcome == CT_DESTROY))
			ct_end_locked(t, worker, index, word, CT_COUNT_ENDED);
		else
			ct_unlock(c, word);
	}
	if (outcome == CT_ACCEPT && is_about_to_last(s, index, before, dir, timeout))
		mr_record_uncacheable(s->rec, p, "its connection was answered late");
	else if (outcome == CT_ACCEPT)
		record_call(s, p, k, index, word, dir, !dir && !(before & CT_REPLIED), state);
	else
		mr_record_uncacheable(s->rec, p, "its connection changes");
	said = ct_say(s, p, outcome == CT_DESTROY ? 0 : index,
	    dir || (before & CT_REPLIED) ? MR_TRACK_ESTABLISHED : MR_TRACK_NEW, dir);
	if (outcome == CT_DESTROY)
		p->track |= MR_TRACK_OVER;
	return verdict == MR_VERDICT_NONE ? said : verdict;
}

/* An ICMP error: it belongs to the connection of the packet that it is about. */
static mr_verdict_t
about(const struct ct_pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k,
    uint16_t zone)
{
	uint32_t word, index = 0;

	mr_record_uncacheable(s->rec, p, "an ICMP error");
	if (!sum_is_bad(s, packet, p, k))
		index = find(s, k, &word);
	if (!index && mr_unlikely(s->dry) && rehearsed(s, k) >= CT_REHEARSED_BEGUN)
		return ct_say(s, p, 0, MR_TRACK_RELATED, k->swapped == (rehearsed(s, k) & 1));
	if (!index)
		return invalid(s, p, zone);
	if (!s->dry)
		ct_count(s->core->table, s->run->worker, zone, CT_COUNT_RELATED, 1);
	/* It goes against the packet that it quotes. */
	return ct_say(s, p, index, MR_TRACK_RELATED, k->swapped == !!(word & CT_SWAPPED));
}

/* -- the vector --------------------------------------------------------------------------- */

static mr_verdict_t
track_one(const struct ct_pass *s, uint32_t packet, struct mr_packet *p, const struct ct_packet *k,
    uint16_t zone)
{
	mr_verdict_t verdict;

	switch (k->what) {
	case CT_FLOW:
		verdict = flow(s, packet, p, k, zone);
		break;
	case CT_ABOUT:
		return about(s, packet, p, k, zone);
	case CT_PIECE:
		return ct_piece(s, packet, p, k, zone);
	case CT_UNTRACKED:
		mr_record_use(s->rec, p, MR_FLOW_PROTO | MR_FLOW_DPORT);
		return ct_say(s, p, 0, MR_TRACK_UNTRACKED, false);
	default:
		return invalid(s, p, zone);
	}
	if (mr_unlikely(k->first))
		ct_lead(s, p, k, zone);
	return verdict;
}

/* Whether the packet was tracked in this zone when it came in. */
mr_inline bool
is_known(const struct ct_side *side, const struct mr_packet *p, uint16_t zone)
{
	const struct ct_port *in;

	if (!side->out || !p->track || p->port >= MR_PORT_MAX)
		return false;
	in = &side->core->ports[p->port];
	return atomic_load_explicit(&in->tracked, memory_order_relaxed) &&
	    atomic_load_explicit(&in->zone, memory_order_relaxed) == zone;
}

mr_inline void
track_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct ct_side *side = run->self;
	struct ct_table *t = side->core->table;
	uint16_t zone = atomic_load_explicit(&side->port->zone, memory_order_relaxed);
	const struct ct_pass s = { side, side->core, run, rec,
		atomic_load_explicit(&side->core->options, memory_order_relaxed),
		mr_record_is_dry(rec) };
	struct ct_packet work[MR_VECTOR_MAX];
	uint16_t at[MR_VECTOR_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		mr_record_read(rec, p, "conntrack", &side->core->settings);
		verdicts[i] = mr_verdict_edge(0);
		if (is_known(side, p, zone))
			continue;
		/* Long headers may lie in two segments. */
		if (mr_unlikely(p->len < p->total && p->len < 256))
			(void)mr_packet_pull(run->buffers, run->worker, packets[i],
			    MR_MIN(p->total, 256u));
		ct_classify(&work[n], p, zone, side->core->apart);
		at[n] = (uint16_t)i;
		if (work[n].what == CT_FLOW || work[n].what == CT_ABOUT) {
			work[n].hash = ct_hash(t, &work[n].key);
			mr_slots_prefetch(&t->slots, work[n].hash);
		}
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t guess;

		if (work[i].what != CT_FLOW)
			continue;
		guess = mr_slots_guess(&t->slots, work[i].hash);
		mr_prefetch_write(&t->lines[guess]);
		mr_prefetch(&t->cold[guess]);
	}
	for (unsigned i = 0; i < n; i++)
		verdicts[at[i]] = track_one(&s, packets[at[i]],
		    mr_packet_at(run->base, packets[at[i]]), &work[i], zone);
}
MR_NODE_FUNCTIONS(track)

static const char *const edges[] = { "next" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	CT_TRACK_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	CT_TRACK_COUNTERS(X)
#undef X
};

const struct mr_node_class ct_track_class = {
	.name = "track",
	.doc = "finds the connection that packets belong to",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = CT_TRACK_DROP_COUNT,
	.counters = counters,
	.counter_count = CT_TRACK_COUNTER_COUNT,
	MR_NODE_RUN(track),
	.replays = true,
	.replay = ct_replay,
	.marks = true,
	.replay_one = ct_replay_one,
	.replay_lines = ct_replay_lines,
	.settle = ct_settle,
	.tick = ct_track_tick,
};

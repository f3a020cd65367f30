/* SPDX-License-Identifier: Apache-2.0 */
#include "control/flowexport/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/base/memory.h"
#include "kit/graph/graph.h"
#include "kit/packet/wire.h"

/* Entries fetched before their turn, and between two looks at the clock. */
#define AHEAD 8u
#define BETWEEN 32u
/* After FIN or RST something more may come. */
#define CLOSED_MS 1000u

/* What the collectors have had of an entry. */
struct told {
	uint32_t birth;
	uint64_t packets, octets;
	uint64_t since; /* milliseconds, monotonic: until then nothing was owed */
};

struct walk {
	struct mr_lane *lane;
	struct walk_conf conf;
	walk_record_fn *record;
	void *arg;
	struct told *told[MR_GRAPH_WORKERS_MAX]; /* [index] */
	size_t told_size;
	unsigned worker;
	uint32_t index;
	bool under_way, full, force;
	uint64_t begun;     /* microseconds: the pass */
	uint64_t now, wall; /* milliseconds: monotonic, and what makes them wall time */
	struct walk_stats stats;
};

static uint64_t
us_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* -- records ------------------------------------------------------------------------------------- */

/* IANA "forwardingStatus": 64 forwarded, 128 dropped, 0 not known. */
static uint8_t
status_of(uint8_t fate)
{
	return fate == MR_LEDGER_FORWARDED ? 64 : fate == MR_LEDGER_DROPPED ? 128 : 0;
}

static void
set_ports(struct flow_record *r, const struct mr_ledger_entry *e)
{
	unsigned proto = MR_FLOW_WHERE_PROTO(e->key.where), n = mr_be16(e->key.dport);

	if (proto == (r->six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP)) {
		/* In the key the code stands above the type; the identifier is no port. */
		r->icmp = (uint16_t)(n << 8 | n >> 8);
		r->dport = r->icmp;
		return;
	}
	r->sport = mr_be16(e->key.sport);
	r->dport = (uint16_t)n;
	if (e->translated) {
		r->to_sport = mr_be16(e->to_sport);
		r->to_dport = mr_be16(e->to_dport);
	}
}

static void
tell(struct walk *w, const struct mr_ledger_entry *e, struct told *t, enum flow_end end)
{
	uint16_t port = (uint16_t)MR_FLOW_WHERE_PORT(e->key.where);
	struct flow_record r = {
		.six = MR_FLOW_WHERE_SIX(e->key.where),
		.translated = e->translated,
		.vlan = (uint16_t)MR_FLOW_WHERE_VLAN(e->key.where),
		.proto = (uint8_t)MR_FLOW_WHERE_PROTO(e->key.where),
		.tos = e->tos,
		.tcp = e->tcp,
		.end = (uint8_t)end,
		.status = status_of(e->fate),
		.in = port + 1u,
		.out = e->out == MR_LEDGER_NOWHERE ? 0 : e->out + 1u,
		.packets = e->packets - t->packets,
		.octets = e->octets - t->octets,
	};
	uint64_t first = MR_MAX(e->first, t->since), last = MR_MAX(e->last, first);

	r.first = first + w->wall;
	r.last = last + w->wall;
	memcpy(r.src, e->key.src, sizeof(r.src));
	memcpy(r.dst, e->key.dst, sizeof(r.dst));
	memcpy(r.to_src, e->to_src, sizeof(r.to_src));
	memcpy(r.to_dst, e->to_dst, sizeof(r.to_dst));
	set_ports(&r, e);
	t->packets = e->packets;
	t->octets = e->octets;
	t->since = last;
	w->stats.ended[end]++;
	w->record(w->arg, port, &r);
}

/* -- who is due ------------------------------------------------------------------------------------ */

static bool
is_closed(const struct mr_ledger_entry *e)
{
	return e->tcp & (MR_TCP_FIN | MR_TCP_RST);
}

/* 0: not yet. */
static enum flow_end
why_due(const struct walk *w, const struct mr_ledger_entry *e, const struct told *t)
{
	uint64_t silent = w->now > e->last ? w->now - e->last : 0;

	if (w->force)
		return FLOW_END_FORCED;
	if (is_closed(e) && silent >= CLOSED_MS)
		return FLOW_END_DETECTED;
	if (silent >= w->conf.idle * 1000ul)
		return FLOW_END_IDLE;
	if (w->now >= t->since + w->conf.active * 1000ul)
		return FLOW_END_ACTIVE;
	return w->full && !e->linked ? FLOW_END_RESOURCES : 0;
}

/* Whether nothing more is expected of one of which all was told. */
static bool
is_over(const struct walk *w, const struct mr_ledger_entry *e)
{
	uint64_t silent = w->now > e->last ? w->now - e->last : 0;

	return !e->linked &&
	    (w->full || silent >= w->conf.idle * 1000ul || (is_closed(e) && silent >= CLOSED_MS));
}

static void
look(struct walk *w)
{
	struct told *t = &w->told[w->worker][w->index];
	struct mr_ledger_entry e;
	enum flow_end end;

	if (!mr_lane_ledger_peek(w->lane, w->worker, w->index, &e))
		return;
	if (t->birth != e.birth)
		*t = (struct told){ .birth = e.birth, .since = e.first };
	if (e.packets != t->packets) {
		end = why_due(w, &e, t);
		if (!end)
			return;
		tell(w, &e, t, end);
	} else {
		t->since = MR_MAX(t->since, w->now);
	}
	if (is_over(w, &e))
		mr_lane_ledger_release(w->lane, w->worker, w->index, t->birth, t->packets);
}

/* -- the walk --------------------------------------------------------------------------------------- */

static void
take_clock(struct walk *w)
{
	uint64_t mono = us_of(CLOCK_MONOTONIC);

	w->now = mono / 1000;
	w->wall = us_of(CLOCK_REALTIME) / 1000 - w->now;
}

static void
take_worker(struct walk *w)
{
	uint64_t memory, max = mr_lane_ledger_max(w->lane);

	w->index = 0;
	w->full = w->worker < mr_lane_workers(w->lane) &&
	    mr_lane_ledger_flows(w->lane, w->worker, &memory) > max - max / 10;
}

static void
begin(struct walk *w)
{
	w->under_way = true;
	w->begun = us_of(CLOCK_MONOTONIC);
	w->worker = 0;
	take_worker(w);
}

bool
walk_some(struct walk *w, unsigned us)
{
	uint64_t start = us_of(CLOCK_MONOTONIC), spent = 0;
	unsigned n = 0;

	if (!w->under_way)
		begin(w);
	take_clock(w);
	while (w->worker < mr_lane_workers(w->lane) && spent < us) {
		if (w->index >= mr_lane_ledger_top(w->lane, w->worker)) {
			w->worker++;
			take_worker(w);
			continue;
		}
		w->index++;
		mr_lane_ledger_fetch(w->lane, w->worker, w->index + AHEAD);
		look(w);
		if (++n % BETWEEN == 0)
			spent = us_of(CLOCK_MONOTONIC) - start;
	}
	spent = us_of(CLOCK_MONOTONIC) - start;
	w->stats.piece_us = MR_MAX(w->stats.piece_us, spent);
	if (w->worker < mr_lane_workers(w->lane))
		return false;
	w->under_way = false;
	w->stats.passes++;
	w->stats.pass_us = us_of(CLOCK_MONOTONIC) - w->begun;
	return true;
}

bool
walk_end(struct walk *w, unsigned us)
{
	w->force = true;
	w->under_way = false;
	return walk_some(w, us);
}

/* -- its life ----------------------------------------------------------------------------------------- */

int
walk_create(struct walk **out, struct mr_lane *lane, const struct walk_conf *conf,
    walk_record_fn *record, void *arg, struct mr_error *error)
{
	struct walk *w = calloc(1, sizeof(*w));
	void *memory;
	int rc = 0;

	if (!w)
		return mr_error_set(error, -ENOMEM, "flow-export: no memory");
	w->lane = lane;
	w->conf = *conf;
	w->record = record;
	w->arg = arg;
	w->told_size = (mr_lane_ledger_max(lane) + 1ul) * sizeof(struct told);
	for (unsigned i = 0; i < mr_lane_workers(lane) && !rc; i++) {
		rc = mr_memory_reserve(&memory, w->told_size, -1, "what collectors were told",
		    error);
		w->told[i] = rc ? NULL : memory;
	}
	if (rc) {
		walk_destroy(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
walk_destroy(struct walk *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < MR_GRAPH_WORKERS_MAX; i++)
		if (w->told[i])
			mr_memory_release(w->told[i], w->told_size);
	free(w);
}

struct mr_lane *
walk_lane(const struct walk *w)
{
	return w->lane;
}

void
walk_set(struct walk *w, const struct walk_conf *conf)
{
	w->conf = *conf;
}

void
walk_stats(const struct walk *w, struct walk_stats *stats)
{
	*stats = w->stats;
}

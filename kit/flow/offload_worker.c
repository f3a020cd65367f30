/* SPDX-License-Identifier: Apache-2.0 */

/* Offload, the worker's side: once a second, but for what must come back at once. */

#include <string.h>

#include "kit/flow/offload_int.h"
#include "kit/flow/program_int.h"

static struct mr_port *
port_of(const struct offload_entry *e)
{
	return atomic_load_explicit(&e->port, memory_order_relaxed);
}

static uint32_t
used_of(const struct lane_offload *o)
{
	return atomic_load_explicit(&o->used, memory_order_relaxed);
}

static uint32_t
state_of(const struct offload_entry *e)
{
	return atomic_load_explicit(&e->state, memory_order_relaxed);
}

/* The port may be asked: control has not closed it. Acquire pairs with close_port, which waits until
 * nobody can have seen the port. */
static bool
is_open(const struct lane_worker *l, const struct offload_entry *e)
{
	return atomic_load_explicit(&l->lane->offload->in[MR_FLOW_WHERE_PORT(e->key.where)],
		   memory_order_acquire) == port_of(e);
}

static uint32_t
slot_of(const struct lane_offload *o, const struct offload_entry *e)
{
	return o->first_slot + (uint32_t)(e - o->entries);
}

/* -- counts -------------------------------------------------------------------------------------- */

/* What the port has counted since the last time is the flow's, and its program's. */
static uint64_t
account(struct lane_worker *l, struct mr_node_run *run, struct offload_entry *e)
{
	struct lane_offload *o = l->offload;
	uint64_t packets, bytes, n;
	struct mr_port *port = port_of(e);

	if (!is_open(l, e))
		return 0;
	port->driver->offload->read(port, slot_of(o, e), &packets, &bytes);
	n = packets - e->packets;
	if (!n)
		return 0;
	lane_credit(l, run, e->program, mr_program_at(l->programs, e->program), n,
	    bytes - e->bytes);
	if (e->flow)
		mr_flow_table_account(l->table, e->flow, n, bytes - e->bytes, run->seconds);
	mr_replay_count(run, e->node, MR_LANE_COUNT_OFFLOADED, n);
	mr_counter_add(&o->packets, n);
	mr_counter_add(&o->bytes, bytes - e->bytes);
	e->packets = packets;
	e->bytes = bytes;
	return n;
}

/* -- out of force ---------------------------------------------------------------------------------- */

static void
retire(struct lane_worker *l, struct offload_entry *e, uint32_t seconds)
{
	struct lane_offload *o = l->offload;
	struct mr_port *port = port_of(e);

	if (is_open(l, e))
		port->driver->offload->disable(port, slot_of(o, e));
	e->since = seconds;
	atomic_store_explicit(&e->state, OFFLOAD_RESTING, memory_order_relaxed);
	mr_counter_add(&o->flows, (uint64_t)-1);
}

static void
finish(struct lane_worker *l, struct mr_node_run *run, struct offload_entry *e)
{
	struct lane_offload *o = l->offload;
	struct mr_port *port = port_of(e);

	account(l, run, e);
	if (is_open(l, e))
		port->driver->offload->remove(port, slot_of(o, e), &e->key);
	if (e->flow)
		atomic_store_explicit(&o->entry_of[e->flow], 0, memory_order_relaxed);
	mr_program_release(l->programs, e->program);
	atomic_store_explicit(&e->state, OFFLOAD_FREE, memory_order_relaxed);
	atomic_store_explicit(&o->used, used_of(o) - 1, memory_order_relaxed);
}

void
lane_offload_forget(struct lane_worker *l, uint32_t flow)
{
	struct lane_offload *o = l->offload;
	uint32_t number = atomic_load_explicit(&o->entry_of[flow], memory_order_relaxed);
	struct offload_entry *e;

	if (mr_likely(!number))
		return;
	e = &o->entries[number - 1];
	if (state_of(e) == OFFLOAD_LIVE)
		retire(l, e, o->seconds);
	e->flow = MR_FLOW_NONE;
	atomic_store_explicit(&o->entry_of[flow], 0, memory_order_relaxed);
}

void
lane_offload_end(struct lane_worker *l, struct mr_node_run *run)
{
	struct lane_offload *o = l->offload;

	if (!used_of(o))
		return;
	/* All first, so that none is under way when they are read. */
	for (uint32_t i = 0; used_of(o) && i < o->count; i++)
		if (state_of(&o->entries[i]) == OFFLOAD_LIVE)
			retire(l, &o->entries[i], run->seconds);
	for (uint32_t i = 0; used_of(o) && i < o->count; i++)
		if (state_of(&o->entries[i]) != OFFLOAD_FREE)
			finish(l, run, &o->entries[i]);
}

bool
lane_offload_must_end(const struct lane_worker *l)
{
	/* Acquire pairs with mr_lane_offload_pause. */
	return used_of(l->offload) &&
	    atomic_load_explicit(&l->lane->offload->paused, memory_order_acquire);
}

static bool
holds(const struct offload_entry *e)
{
	uint32_t count = atomic_load_explicit(&e->cell_count, memory_order_relaxed);

	for (uint32_t i = 0; i < count; i++)
		if (mr_generation_read(
			atomic_load_explicit(&e->cells[i].cell, memory_order_relaxed)) !=
		    atomic_load_explicit(&e->cells[i].value, memory_order_relaxed))
			return false;
	return true;
}

void
lane_offload_changed(struct lane_worker *l)
{
	struct lane_offload *o = l->offload;

	for (uint32_t i = 0; used_of(o) && i < o->count; i++)
		if (state_of(&o->entries[i]) == OFFLOAD_LIVE && !holds(&o->entries[i]))
			retire(l, &o->entries[i], o->seconds);
}

/* -- into force ------------------------------------------------------------------------------------ */

/* One cell more. False: too many. */
static bool
rest_on(struct offload_entry *e, const struct mr_generation *cell)
{
	uint32_t n = atomic_load_explicit(&e->cell_count, memory_order_relaxed);

	if (n == OFFLOAD_CELLS)
		return false;
	atomic_store_explicit(&e->cells[n].value, mr_generation_read(cell), memory_order_relaxed);
	atomic_store_explicit(&e->cells[n].cell, cell, memory_order_relaxed);
	atomic_store_explicit(&e->cell_count, n + 1, memory_order_relaxed);
	return true;
}

static const struct mr_generation *
region_cell(const struct mr_regions *regions, const uint8_t *address, bool six)
{
	return &regions->cells[six ? mr_region6(mr_load_be64(address))
				   : mr_region4(mr_load_be32(address))];
}

/* The cells that the flow rests on, with what they say now. */
static bool
rest_on_all(struct offload_entry *e, const struct mr_program *g, const struct mr_flow_key *key)
{
	const struct program_more *more = program_more(g);
	const struct mr_generation *const *own;
	const struct mr_program_cell *cells;
	unsigned count = mr_program_cells(g, &cells);
	bool six = MR_FLOW_WHERE_SIX(key->where), fits = true;

	atomic_store_explicit(&e->cell_count, 0, memory_order_relaxed);
	for (unsigned i = 0; i < count && fits; i++)
		fits = rest_on(e, cells[i].cell);
	if (fits && (g->regions & MR_PROGRAM_REGION_DST))
		fits = rest_on(e, region_cell(more->regions[0], key->dst, six));
	if (fits && (g->regions & MR_PROGRAM_REGION_SRC))
		fits = rest_on(e, region_cell(more->regions[1], key->src, six));
	count = g->regions & MR_PROGRAM_REGION_OWN
	    ? program_part(g, PROGRAM_OWN, (const void **)&own)
	    : 0;
	for (unsigned i = 0; i < count && fits; i++)
		fits = rest_on(e, own[i]);
	return fits;
}

static bool
make_rule(const struct mr_program *g, struct mr_offload_rule *rule)
{
	int ip_at = g->ttl ? g->ttl + g->grow : 0;

	if (!(g->flags & MR_PROGRAM_SIMPLE) || !(g->flags & MR_PROGRAM_OPEN) ||
	    (g->flags & MR_PROGRAM_CALLS) || (g->verdict & MR_VERDICT_CLASS) != MR_VERDICT_OUTPUT)
		return false;
	if (g->write_len &&
	    (g->write_len < 12 || g->write_len > MR_OFFLOAD_WRITE_MAX || g->write_len % 2))
		return false;
	if (ip_at < 0 || ip_at > 40 || (g->ttl && ip_at < g->write_len))
		return false;
	*rule = (struct mr_offload_rule){
		.max_length = g->max_length,
		.grow = g->grow,
		.ip_at = (uint8_t)ip_at,
		.six = g->flags & MR_PROGRAM_TTL6,
		.write_len = g->write_len,
	};
	memcpy(rule->write, g->write + sizeof(g->write) - g->write_len, g->write_len);
	return true;
}

/* The port where the flow comes in; null: it cannot be handed over, or cannot reach *to. */
static struct mr_port *
find_port(const struct lane_worker *l, const struct mr_node_run *run, const struct mr_flow_key *key,
    mr_verdict_t verdict, const struct mr_port **to)
{
	const struct offload_ports *all = l->lane->offload;
	unsigned in = MR_FLOW_WHERE_PORT(key->where);
	unsigned out = verdict & MR_VERDICT_INDEX & ~MR_VERDICT_FINAL;
	/* Acquire pairs with open_port. */
	struct mr_port *port = atomic_load_explicit(&all->in[in], memory_order_acquire);

	if (!port || in >= run->port_count || out >= run->port_count)
		return NULL;
	*to = atomic_load_explicit(&all->out[out], memory_order_acquire);
	/* Ports of the plan are not closed before the next one. */
	if (!*to || run->ports[in].port != port || run->ports[out].port != *to ||
	    !run->ports[out].up)
		return NULL;
	if (!(atomic_load_explicit(&all->reach[in][out / 64], memory_order_relaxed) >> (out % 64) &
		1))
		return NULL;
	return port;
}

static struct offload_entry *
free_entry(struct lane_offload *o)
{
	for (uint32_t i = 0; used_of(o) < o->count && i < o->count; i++) {
		struct offload_entry *e = &o->entries[o->next++ % o->count];

		if (state_of(e) == OFFLOAD_FREE)
			return e;
	}
	return NULL;
}

static bool
hand_over(struct lane_worker *l, struct mr_node_run *run, uint32_t flow)
{
	struct lane_offload *o = l->offload;
	struct mr_flow *line = &l->lines[flow];
	struct mr_program *g = mr_program_at(l->programs, line->program);
	struct mr_offload_rule rule;
	struct offload_entry *e;
	struct mr_port *port;

	if (line->program == LANE_BARRED || line->key.pair || !make_rule(g, &rule))
		return false;
	port = find_port(l, run, &line->key, g->verdict, &rule.to);
	e = port ? free_entry(o) : NULL;
	if (!e || !rest_on_all(e, g, &line->key))
		return false;
	/* What the cells say now is what the program was made from. */
	if (!lane_holds(l, g) || (g->regions && mr_program_stamp(g, &line->key) != line->stamp))
		return false;
	e->flow = flow;
	e->node = atomic_load_explicit(&l->lane->nodes[MR_FLOW_WHERE_PORT(line->key.where)],
	    memory_order_relaxed);
	e->program = line->program;
	e->packets = e->bytes = 0;
	e->cold = 0;
	memcpy(&e->key, &line->key, sizeof(e->key));
	atomic_store_explicit(&e->port, port, memory_order_relaxed);
	atomic_store_explicit(&e->plan, l->plan, memory_order_relaxed);
	if (port->driver->offload->add(port, slot_of(o, e), &e->key, &rule))
		return false;
	/* Release pairs with control's look: it sees the cells. */
	atomic_store_explicit(&e->state, OFFLOAD_LIVE, memory_order_release);
	atomic_store_explicit(&o->entry_of[flow], (uint32_t)(e - o->entries) + 1,
	    memory_order_relaxed);
	mr_program_hold(l->programs, line->program);
	atomic_store_explicit(&o->used, used_of(o) + 1, memory_order_relaxed);
	mr_counter_add(&o->flows, 1);
	mr_counter_add(&o->added, 1);
	/* Control may have looked before it was live. Pairs with mr_lane_offload_check. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!holds(e))
		retire(l, e, run->seconds);
	return true;
}

/* -- what is hot --------------------------------------------------------------------------------- */

static uint64_t
packets_of(const struct lane_worker *l, uint32_t flow, struct mr_flow_key *key)
{
	struct mr_flow_peek peek;

	if (!mr_flow_table_peek(l->table, flow, l->run->seconds, &peek))
		return 0;
	*key = peek.key;
	return peek.packets;
}

static void
hand_over_hot(struct lane_worker *l, struct mr_node_run *run, uint32_t seconds)
{
	struct lane_offload *o = l->offload;
	uint64_t rate = atomic_load_explicit(&l->lane->offload->rate, memory_order_relaxed);
	unsigned adds = 0;

	for (unsigned i = 0; i < o->candidate_count && adds < OFFLOAD_ADDS; i++) {
		struct offload_candidate *c = &o->candidates[i];
		struct mr_flow_key key;
		uint64_t packets = packets_of(l, c->flow, &key);

		if (packets < c->packets + rate * seconds ||
		    memcmp(&key, &c->key, sizeof(key)) != 0 ||
		    atomic_load_explicit(&o->entry_of[c->flow], memory_order_relaxed))
			continue;
		adds++;
		if (!hand_over(l, run, c->flow))
			mr_counter_add(&o->refused, 1);
	}
}

/* The samples since the last second are the next one's candidates, each once. */
static void
choose_candidates(struct lane_worker *l)
{
	struct lane_offload *o = l->offload;
	unsigned samples = MR_MIN(o->sample_at, OFFLOAD_SAMPLES);

	o->candidate_count = 0;
	for (unsigned i = 0; i < samples; i++) {
		struct offload_candidate *c = &o->candidates[o->candidate_count];
		uint32_t flow = o->samples[i];
		unsigned k;

		for (k = 0; k < o->candidate_count && o->candidates[k].flow != flow; k++)
			;
		if (flow == MR_FLOW_NONE || k < o->candidate_count ||
		    atomic_load_explicit(&o->entry_of[flow], memory_order_relaxed))
			continue;
		c->flow = flow;
		c->packets = packets_of(l, flow, &c->key);
		o->candidate_count += c->packets > 0;
	}
	o->sample_at = 0;
}

void
lane_offload_tick(struct lane_worker *l, struct mr_node_run *run)
{
	struct lane_offload *o = l->offload;
	uint64_t few = atomic_load_explicit(&l->lane->offload->rate, memory_order_relaxed) / 8;
	uint32_t seconds = MR_MAX(run->seconds - o->seconds, 1u);

	o->seconds = run->seconds;
	for (uint32_t i = 0; used_of(o) && i < o->count; i++) {
		struct offload_entry *e = &o->entries[i];
		uint64_t n;

		if (state_of(e) == OFFLOAD_LIVE) {
			n = account(l, run, e);
			e->cold = n < few * seconds ? e->cold + seconds : 0;
			if (e->cold >= OFFLOAD_COLD_SECONDS || !holds(e) || !e->flow ||
			    l->lines[e->flow].program != e->program)
				retire(l, e, run->seconds);
		} else if (state_of(e) == OFFLOAD_RESTING && e->since + 1 < run->seconds) {
			finish(l, run, e);
		}
	}
	if (!atomic_load_explicit(&l->lane->offload->paused, memory_order_acquire))
		hand_over_hot(l, run, seconds);
	choose_candidates(l);
}

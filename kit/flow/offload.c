/* SPDX-License-Identifier: Apache-2.0 */

/* Offload, the control thread's side. */

#include "kit/flow/offload.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kit/base/rcu.h"
#include "kit/flow/offload_int.h"

/* What a device can be sent may change without a word (veth): asked for in every so many calls. */
#define ASK_EVERY 8u
/* For workers to settle. */
#define WAIT_NS 1000000L
#define WAIT_TIMES 50u

/* -- life ---------------------------------------------------------------------------------------- */

int
lane_offload_create(struct mr_lane *lane, struct lane_worker *l, uint32_t flows, unsigned worker,
    uint32_t max_flows, struct mr_error *error)
{
	struct lane_offload *o = calloc(1, sizeof(*o));

	if (!lane->offload)
		lane->offload = calloc(1, sizeof(*lane->offload));
	l->offload = o;
	if (o) {
		o->count = flows;
		o->first_slot = worker * flows;
		o->entries = calloc(flows, sizeof(*o->entries));
		o->entry_of = calloc(max_flows + 1u, sizeof(*o->entry_of));
	}
	if (!o || !lane->offload || !o->entries || !o->entry_of)
		return mr_error_set(error, -ENOMEM, "flow lane: no memory for offload");
	lane->offload->slots = lane->worker_count * flows;
	return 0;
}

void
lane_offload_destroy(struct lane_offload *o)
{
	if (!o)
		return;
	free(o->entries);
	free(o->entry_of);
	free(o);
}

/* -- ports ------------------------------------------------------------------------------------- */

static struct mr_port *
port_in(const struct offload_ports *all, unsigned i)
{
	return atomic_load_explicit(&all->in[i], memory_order_relaxed);
}

/* Opens it for rules, or again for another address. */
static void
open_port(struct offload_ports *all, struct mr_lane_offload_port *p)
{
	struct mr_offload_config config = { .slots = all->slots };
	unsigned i = p->port->index;
	struct mr_error error = { 0 };

	memcpy(config.mac, p->mac, sizeof(config.mac));
	if (!p->port->driver->offload) {
		snprintf(p->reason, sizeof(p->reason), "its driver (%s) cannot",
		    p->port->driver->name);
		return;
	}
	if (p->port->driver->offload->open(p->port, &config, &error)) {
		snprintf(p->reason, sizeof(p->reason), "%.*s", (int)sizeof(p->reason) - 1,
		    error.text);
		return;
	}
	memcpy(all->mac[i], p->mac, sizeof(all->mac[i]));
	p->open = true;
	/* Release: workers that see it find it open. */
	atomic_store_explicit(&all->in[i], p->port, memory_order_release);
}

/* When no worker can have it in hand any more, it is closed. */
static void
close_port(struct mr_lane *lane, struct mr_port *port)
{
	struct offload_ports *all = lane->offload;
	bool paused = atomic_load_explicit(&all->paused, memory_order_relaxed);

	atomic_store_explicit(&all->in[port->index], NULL, memory_order_relaxed);
	if (!paused)
		mr_lane_offload_pause(lane, true);
	mr_rcu_synchronize();
	port->driver->offload->close(port);
	if (!paused)
		mr_lane_offload_pause(lane, false);
}

static void
set_reach(struct offload_ports *all, const struct mr_lane_offload_port *ports, unsigned count,
    const struct mr_lane_offload_port *from)
{
	uint64_t reach[MR_PORT_MAX / 64] = { 0 };

	for (unsigned k = 0; k < count; k++)
		if (ports[k].port && ports[k].port != from->port &&
		    from->port->driver->offload->reaches(from->port, ports[k].port))
			reach[ports[k].port->index / 64] |= 1ull << (ports[k].port->index % 64);
	for (unsigned w = 0; w < MR_ARRAY_COUNT(reach); w++)
		atomic_store_explicit(&all->reach[from->port->index][w], reach[w],
		    memory_order_relaxed);
}

void
mr_lane_offload_ports(struct mr_lane *lane, struct mr_lane_offload_port *ports, unsigned count)
{
	struct offload_ports *all = lane->offload;
	bool changed, there[MR_PORT_MAX] = { false };

	if (!all)
		return;
	changed = all->rounds++ % ASK_EVERY == 0;
	for (unsigned k = 0; k < count; k++) {
		struct mr_lane_offload_port *p = &ports[k];
		unsigned i = p->port->index;
		bool ours = port_in(all, i) == p->port;

		there[i] = true;
		p->open = ours;
		p->reason[0] = '\0';
		if (atomic_load_explicit(&all->out[i], memory_order_relaxed) != p->port) {
			atomic_store_explicit(&all->out[i], p->port, memory_order_release);
			changed = true;
		}
		if (ours && (!p->in || memcmp(all->mac[i], p->mac, sizeof(p->mac)) != 0)) {
			close_port(lane, p->port);
			p->open = ours = false;
		}
		if (p->in && !ours) {
			open_port(all, p);
			changed = true;
		}
	}
	for (unsigned i = 0; i < MR_PORT_MAX; i++) {
		if (there[i])
			continue;
		atomic_store_explicit(&all->in[i], NULL, memory_order_relaxed);
		atomic_store_explicit(&all->out[i], NULL, memory_order_relaxed);
	}
	for (unsigned k = 0; k < count && changed; k++)
		if (ports[k].open)
			set_reach(all, ports, count, &ports[k]);
}

/* -- out of force ------------------------------------------------------------------------------ */

static bool
has_changed(const struct offload_entry *e)
{
	uint32_t count = atomic_load_explicit(&e->cell_count, memory_order_relaxed);

	for (uint32_t i = 0; i < count; i++) {
		const struct mr_generation *cell =
		    atomic_load_explicit(&e->cells[i].cell, memory_order_relaxed);

		if (mr_generation_read(cell) !=
		    atomic_load_explicit(&e->cells[i].value, memory_order_relaxed))
			return true;
	}
	return false;
}

static bool
disable(struct lane_offload *o, uint64_t plan, bool all)
{
	bool any = false;

	for (uint32_t i = 0; o && i < o->count; i++) {
		struct offload_entry *e = &o->entries[i];
		struct mr_port *port;

		/* Acquire pairs with the release of a live one. */
		if (atomic_load_explicit(&e->state, memory_order_acquire) != OFFLOAD_LIVE ||
		    (!all && atomic_load_explicit(&e->plan, memory_order_relaxed) == plan &&
			!has_changed(e)))
			continue;
		port = atomic_load_explicit(&e->port, memory_order_relaxed);
		port->driver->offload->disable(port, o->first_slot + i);
		any = true;
	}
	return any;
}

void
mr_lane_offload_check(struct mr_lane *lane)
{
	/* Pairs with the fence in hand_over: what has changed is seen here or there. */
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned w = 0; lane->offload && w < lane->worker_count; w++)
		if (atomic_load_explicit(&lane->workers[w]->offload->flows, memory_order_relaxed))
			disable(lane->workers[w]->offload, mr_graph_plan(lane->graph), false);
}

static bool
are_used(const struct mr_lane *lane)
{
	if (!mr_graph_running(lane->graph))
		return false;
	for (unsigned w = 0; w < lane->worker_count; w++)
		if (atomic_load_explicit(&lane->workers[w]->offload->used, memory_order_relaxed))
			return true;
	return false;
}

void
mr_lane_offload_pause(struct mr_lane *lane, bool pause)
{
	const struct timespec moment = { .tv_nsec = WAIT_NS };
	bool any = false;

	if (!lane->offload)
		return;
	atomic_store_explicit(&lane->offload->paused, pause, memory_order_release);
	if (!pause)
		return;
	/* Whoever was about to add one has. */
	mr_rcu_synchronize();
	for (unsigned w = 0; w < lane->worker_count; w++)
		any |= disable(lane->workers[w]->offload, 0, true);
	/* XDP programs run inside of the kernel's RCU, for which this waits. */
	if (any)
		syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	/* Workers settle now, asleep or not, while the plan is that of the flows. Those that poll in vain
	 * do with the plan's end. */
	for (unsigned i = 0; i < WAIT_TIMES && are_used(lane); i++) {
		mr_graph_wake(lane->graph);
		nanosleep(&moment, NULL);
	}
}

void
mr_lane_offload_set_rate(struct mr_lane *lane, uint32_t rate)
{
	if (lane->offload)
		atomic_store_explicit(&lane->offload->rate, rate, memory_order_relaxed);
}

/* -- state --------------------------------------------------------------------------------------- */

void
mr_lane_offload_stats(const struct mr_lane *lane, unsigned worker, struct mr_lane_offload_stats *s)
{
	const struct lane_offload *o = lane->workers[worker]->offload;

	memset(s, 0, sizeof(*s));
	if (!o)
		return;
	s->flows = mr_counter_get(&o->flows);
	s->added = mr_counter_get(&o->added);
	s->refused = mr_counter_get(&o->refused);
	s->packets = mr_counter_get(&o->packets);
	s->bytes = mr_counter_get(&o->bytes);
}

bool
mr_lane_is_offloaded(const struct mr_lane *lane, unsigned worker, uint32_t index)
{
	const struct lane_offload *o = lane->workers[worker]->offload;
	uint32_t entry;

	if (!o || !index || index > mr_lane_top(lane, worker))
		return false;
	entry = atomic_load_explicit(&o->entry_of[index], memory_order_relaxed);
	return entry && entry <= o->count &&
	    atomic_load_explicit(&o->entries[entry - 1].state, memory_order_relaxed) ==
	    OFFLOAD_LIVE;
}

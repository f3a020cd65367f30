/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker's thread: passes, and between them sleep. An adaptive worker that has
 * found nothing for `spin_us` arms its inputs and waits in epoll on their descriptors
 * and on its own wake-up descriptor. Nobody can slip in between looking and
 * sleeping: drivers arm before the last look (rx_arm says whether there is
 * something), and who hands packets over looks at `asleep` after putting them
 * into the ring, while the sleeper looks at the rings after setting it.
 */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kit/base/cpu.h"
#include "kit/base/log.h"
#include "kit/base/rcu.h"
#include "kit/graph/graph_int.h"

#define SLEEP_MAX_MS 1000
#define SLEEP_IN_FLIGHT_MS 2

/* The epoll set of this plan's inputs, made anew when the plan has changed. */
static void
watch_inputs(struct mr_worker *w)
{
	const struct mr_plan *plan = w->current;
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0 };

	if (w->epoll_generation == plan->generation && w->epoll >= 0)
		return;
	if (w->epoll >= 0)
		close(w->epoll);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return;
	epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &ev);
	for (unsigned i = 0; i < plan->input_count; i++) {
		ev.data.u64 = i + 1;
		if (plan->inputs[i].fd >= 0)
			epoll_ctl(w->epoll, EPOLL_CTL_ADD, plan->inputs[i].fd, &ev);
	}
	w->epoll_generation = plan->generation;
}

/* Whether all inputs can wake us and none has anything now. */
static bool
arm_inputs(struct mr_worker *w)
{
	const struct mr_plan *plan = w->current;

	for (unsigned i = 0; i < plan->input_count; i++) {
		const struct plan_input *in = &plan->inputs[i];
		uint32_t state = atomic_load_explicit(&in->port->state, memory_order_relaxed);

		if (state == MR_PORT_DONE || state == MR_PORT_GONE)
			continue;
		if (in->fd < 0)
			return false;
		if (in->port->driver->rx_arm && !in->port->driver->rx_arm(in->port, in->queue))
			return false;
	}
	return true;
}

/* Lets drivers collect what they sent; true while something is in flight. */
static bool
collect(struct mr_worker *w)
{
	bool in_flight = false;

	for (unsigned i = 0; i < w->current->port_count; i++) {
		const struct plan_port *pp = &w->current->ports[i];

		if (pp->port && pp->owner == w->index && pp->port->driver->tx_idle)
			in_flight |= pp->port->driver->tx_idle(pp->port, pp->queue, w->index);
	}
	return in_flight;
}

static void
sleep_until_needed(struct mr_worker *w, bool in_flight)
{
	struct epoll_event events[16];
	uint64_t drained;
	int n;

	watch_inputs(w);
	/* Sequentially consistent, as is the load in mr_worker_wake: either we see what was
	 * handed over, or its giver sees us asleep. */
	atomic_store_explicit(&w->asleep, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&w->stop, memory_order_seq_cst) || mr_worker_handed(w) ||
	    atomic_load_explicit(&w->plan, memory_order_seq_cst) != w->current || !arm_inputs(w)) {
		atomic_store_explicit(&w->asleep, 0, memory_order_relaxed);
		return;
	}
	mr_counter_add(&w->sleeps, 1);
	/* It may be another plan that wakes us. */
	mr_worker_end_plan(w);
	mr_rcu_offline();
	n = epoll_wait(w->epoll, events, (int)MR_ARRAY_COUNT(events),
	    in_flight ? SLEEP_IN_FLIGHT_MS : SLEEP_MAX_MS);
	mr_rcu_online();
	atomic_store_explicit(&w->asleep, 0, memory_order_relaxed);
	if (n > 0)
		mr_counter_add(&w->wakes, 1);
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 == 0 && read(w->wake, &drained, sizeof(drained)) < 0)
			continue; /* somebody's second wake-up found it empty: fine */
}

static void *
worker_main(void *arg)
{
	struct mr_worker *w = arg;
	struct mr_graph *g = w->graph;
	uint64_t idle_since = 0;
	struct mr_error error;
	char name[16] = "mr-worker-";

	if (w->cpu >= 0 && mr_cpu_pin((unsigned)w->cpu, &error) < 0)
		mr_log(g->log, MR_LOG_WARNING, "worker %u runs unpinned: %s", w->index, error.text);
	name[10] = (char)('0' + w->index / 10);
	name[11] = (char)('0' + w->index % 10);
	pthread_setname_np(pthread_self(), name);
	mr_rcu_register();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		unsigned n;

		/* Not after the pass: what follows it still looks at its plan. */
		mr_rcu_quiescent();
		n = mr_worker_pass(w);
		if (n > 0) {
			idle_since = 0;
			continue;
		}
		if (idle_since == 0)
			idle_since = w->now;
		if (g->mode == MR_GRAPH_POLL) {
			collect(w);
			mr_relax();
			continue;
		}
		if (w->now - idle_since < g->spin_cycles) {
			mr_relax();
			continue;
		}
		sleep_until_needed(w, collect(w));
	}
	/* What was handed over before everybody stopped still goes out. */
	mr_worker_pass(w);
	mr_rcu_unregister();
	return NULL;
}

int
mr_worker_start(struct mr_worker *w, struct mr_error *error)
{
	int rc;

	atomic_store_explicit(&w->stop, false, memory_order_relaxed);
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	if (rc)
		return mr_error_set(error, -rc, "worker %u: %s", w->index, strerror(rc));
	w->running = true;
	return 0;
}

void
mr_worker_stop(struct mr_worker *w)
{
	if (!w->running)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_seq_cst);
	mr_worker_wake(w);
	pthread_join(w->thread, NULL);
	w->running = false;
}

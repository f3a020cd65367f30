/* SPDX-License-Identifier: Apache-2.0 */

/* What control sees of workers' flows. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kit/flow/lane_int.h"

#define WAIT_NS 1000000L
#define WAIT_TIMES 100u

void
mr_lane_stats(const struct mr_lane *lane, unsigned worker, struct mr_lane_stats *s)
{
	const struct lane_worker *l = lane->workers[worker];

	memset(s, 0, sizeof(*s));
	mr_flow_table_stats(l->table, &s->flows);
	mr_programs_stats(l->programs, &s->programs);
	for (unsigned i = 0; i < MR_PROGRAM_REFUSAL_COUNT; i++)
		s->refused[i] = mr_counter_get(&l->refused[i]);
	s->stale = mr_counter_get(&l->stale);
	s->barred = mr_counter_get(&l->barred);
}

unsigned
mr_lane_workers(const struct mr_lane *lane)
{
	return lane->worker_count;
}

static uint32_t
now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

uint32_t
mr_lane_top(const struct mr_lane *lane, unsigned worker)
{
	return mr_flow_table_top(lane->workers[worker]->table);
}

bool
mr_lane_peek(const struct mr_lane *lane, unsigned worker, uint32_t index, struct mr_flow_peek *peek)
{
	return mr_flow_table_peek(lane->workers[worker]->table, index, now_seconds(), peek);
}

bool
mr_lane_find(const struct mr_lane *lane, const struct mr_flow_key *key, unsigned *worker,
    uint32_t *index, struct mr_flow_peek *peek)
{
	for (unsigned w = 0; w < lane->worker_count; w++) {
		uint32_t top = mr_lane_top(lane, w);

		for (uint32_t i = 1; i <= top; i++) {
			if (!mr_lane_peek(lane, w, i, peek) ||
			    memcmp(&peek->key, key, sizeof(*key)) != 0)
				continue;
			*worker = w;
			*index = i;
			return true;
		}
	}
	return false;
}

static const char *
node_name(const void *user, uint16_t node)
{
	return mr_graph_node_name(user, node);
}

static const char *
port_name(const void *user, uint16_t index)
{
	const struct mr_port *port = mr_graph_port(user, index);

	return port ? port->name : "?";
}

static void
print(struct lane_worker *l, uint32_t flow)
{
	const struct mr_flow *line = &l->lines[flow];

	l->text_length = 0;
	if (!mr_flow_table_has(l->table, flow))
		return;
	if (line->program == LANE_BARRED)
		l->text_length = (size_t)snprintf(l->text, sizeof(l->text),
		    "every packet takes the graph: the walk cannot be replayed\n");
	else
		l->text_length =
		    mr_program_print(mr_program_at(l->programs, line->program), &l->values[flow],
			node_name, port_name, l->lane->graph, l->text, sizeof(l->text));
}

/* Names of nodes and ports are control's: it waits for us and changes none meanwhile. */
void
lane_answer(struct lane_worker *l)
{
	/* Acquire pairs with mr_lane_print. */
	uint64_t asked = atomic_load_explicit(&l->asked, memory_order_acquire), now = asked;

	if (mr_likely(!asked))
		return;
	print(l, (uint32_t)asked);
	/* A later question stays. */
	atomic_compare_exchange_strong_explicit(&l->asked, &now, 0, memory_order_relaxed,
	    memory_order_relaxed);
	/* Release: the text is there. */
	atomic_store_explicit(&l->answered, asked, memory_order_release);
}

size_t
mr_lane_print(struct mr_lane *lane, unsigned worker, uint32_t index, char *text, size_t size)
{
	struct lane_worker *l = lane->workers[worker];
	struct timespec pause = { .tv_nsec = WAIT_NS };
	uint64_t question = (uint64_t)++l->questions << 32 | index;
	size_t length;

	if (!size || !index)
		return 0;
	text[0] = '\0';
	/* Release pairs with lane_answer: what was read of the last answer was read before. */
	atomic_store_explicit(&l->asked, question, memory_order_release);
	if (!mr_graph_running(lane->graph))
		lane_answer(l);
	/* Acquire pairs with lane_answer. */
	for (unsigned i = 0; atomic_load_explicit(&l->answered, memory_order_acquire) != question;
	     i++) {
		if (i == WAIT_TIMES) {
			/* The worker may be at it: it writes into its own text. */
			atomic_store_explicit(&l->asked, 0, memory_order_relaxed);
			return 0;
		}
		mr_graph_wake(lane->graph);
		nanosleep(&pause, NULL);
	}
	length = MR_MIN(l->text_length, size - 1);
	memcpy(text, l->text, length);
	text[length] = '\0';
	return length;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane with its workers running: they make packets up, numbered and marked with the policy that
 * was in force when they were made; the control thread replaces configurations. What was made
 * after an apply had returned must not be treated as the configuration before would have: each
 * configuration sends the flows out of other ports, or drops them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kit/base/cpu.h"
#include "kit/packet/wire.h"
#include "model/state.h"
#include "nf/lanes/lanes_bed_int.h"

#define LASTS_MS 2000u
#define FLOWS 64u
#define NEXT_HOPS 3u /* behind ports b, c, d */

struct race {
	struct bed *bed;
	/* The policy: even while it is in force, odd while control changes it. Its half, modulo 4: out
	 * of which port flows leave; 3: none. */
	_Atomic uint32_t policy;
	_Atomic bool quiet;
	_Atomic uint64_t wrong, right, unsure;
};

/* -- what workers make, and see ------------------------------------------------------------- */

static unsigned
source(struct bed_port *bp, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct race *t = bp->user;
	static const uint8_t src[4] = { 10, 0, 0, 9 }, dst[4] = { 10, 100, 0, 1 };
	struct bed_flow f = { .proto = MR_IP_PROTO_UDP, .ttl = 64, .size = 20, .dport = 80 };
	unsigned n = 0;
	uint8_t frame[256];

	(void)queue;
	if (atomic_load_explicit(&t->quiet, memory_order_relaxed))
		return 0;
	memcpy(f.src, src, 4);
	memcpy(f.dst, dst, 4);
	for (; n < MR_MIN(max, 64u); n++) {
		/* Acquire pairs with apply(): what it did before was done. */
		uint32_t policy = atomic_load_explicit(&t->policy, memory_order_acquire);
		unsigned len;

		f.sport = (uint16_t)(1000 * (worker + 1) + n % FLOWS);
		f.dst[3] = (uint8_t)(1 + n % 4);
		f.number = policy + 1;
		len = bed_frame_plain(&f, n, frame);
		packets[n] = mr_packet_from(bp->plane->buffers, worker, frame, len);
		if (packets[n] == MR_PACKET_NONE)
			break;
		mr_packet_at(bp->plane->buffers->base, packets[n])->port = bp->port->index;
	}
	return n;
}

static void
sink(struct bed_port *bp, unsigned worker, const uint32_t *packets, unsigned count)
{
	struct race *t = bp->user;
	unsigned port = (unsigned)(bp - bp->plane->ports);
	uint32_t words[2];

	(void)worker;
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(bp->plane->buffers->base, packets[i]);
		uint32_t now = atomic_load_explicit(&t->policy, memory_order_acquire), policy;

		/* ARP, neighbour discovery */
		if (mr_packet_bytes_const(p)[12] != 8 || mr_packet_bytes_const(p)[13] != 0)
			continue;
		memcpy(words, mr_packet_bytes_const(p) + p->len - 8, sizeof(words));
		policy = words[0] - 1;
		/* While it changes either may be. */
		if (policy != now || (policy & 1))
			atomic_fetch_add_explicit(&t->unsure, 1, memory_order_relaxed);
		else if (policy / 2 % 4 + 1 != port)
			atomic_fetch_add_explicit(&t->wrong, 1, memory_order_relaxed);
		else
			atomic_fetch_add_explicit(&t->right, 1, memory_order_relaxed);
	}
}

/* Time is the machine's. */
void
bed_time_pass(uint64_t ms)
{
	(void)ms;
}

/* -- what control does ---------------------------------------------------------------------- */

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Two processors that we may use, as the configuration names them. */
static bool
two_workers(char *text, size_t size)
{
	struct mr_cpu_set allowed;
	struct mr_error error;
	int cpus[2], count = 0;

	assert_int_equal(mr_cpu_allowed(&allowed, &error), 0);
	mr_cpu_set_foreach(cpu, &allowed) if (count < 2) cpus[count++] = cpu;
	if (count == 2)
		snprintf(text, size, "%d,%d", cpus[0], cpus[1]);
	return count == 2;
}

static void
write_configuration(struct bed_text *t, const char *workers, unsigned policy)
{
	t->used = 0;
	bed_say(t, "system: {buffers: 8192, workers: \"%s\"}\ninterface:\n", workers);
	for (unsigned p = 0; p < BED_PORTS; p++)
		bed_say(t, "  %c: {driver: \"null\"}\n", 'a' + (int)p);
	bed_say(t, "router:\n  r:\n    interface:\n");
	for (unsigned p = 0; p <= NEXT_HOPS; p++)
		bed_say(t,
		    "      %c: {mac: \"02:00:00:00:aa:%02x\", address: 10.%u.0.1/24, "
		    "redirects: false}\n",
		    'a' + (int)p, p + 1, p);
	bed_say(t, "    neighbor:\n      static:\n");
	for (unsigned p = 1; p <= NEXT_HOPS; p++)
		bed_say(t, "        10.%u.0.9: {interface: %c, mac: \"02:00:00:00:%02x:09\"}\n", p,
		    'a' + (int)p, p);
	bed_say(t, "    route:\n");
	if (policy < NEXT_HOPS)
		bed_say(t, "      10.100.0.0/16: {via: 10.%u.0.9}\n", policy + 1);
	else
		bed_say(t, "      10.100.0.0/16: {action: blackhole}\n");
}

static void
set_route(struct race *t, unsigned policy)
{
	struct bed_plane *plane = &t->bed->planes[0];
	uint16_t vrf = mr_ip_vrf_find(plane->ip, "r");
	struct mr_route_hop hop = { .kind = MR_HOP_VIA, .weight = 1, .address = { 10 } };
	struct mr_route route = { .family = MR_IP4,
		.len = 24,
		.source = MR_ROUTE_FPM,
		.hops = &hop,
		.hop_count = 1,
		.prefix = { 10, 100 } };
	struct mr_error error;

	hop.address[1] = (uint8_t)(policy + 1);
	hop.address[3] = 9;
	if (policy == NEXT_HOPS) {
		hop.kind = MR_HOP_SPECIAL;
		hop.special = MR_IP_SPECIAL_BLACKHOLE;
	}
	assert_int_equal(mr_rib_set(plane->rib, vrf, &route, &error), 0);
	mr_rib_settle(plane->rib);
}

static void
unset_route(struct race *t)
{
	struct bed_plane *plane = &t->bed->planes[0];
	const uint8_t prefix[16] = { 10, 100 };

	(void)mr_rib_unset(plane->rib, mr_ip_vrf_find(plane->ip, "r"), MR_IP4, prefix, 24,
	    MR_ROUTE_FPM);
	mr_rib_settle(plane->rib);
}

static void
change(struct race *t, const char *workers, unsigned step)
{
	uint32_t policy = atomic_load_explicit(&t->policy, memory_order_relaxed);
	char yaml[4096];
	struct bed_text text = { .at = yaml, .size = sizeof(yaml) };
	unsigned next = (policy / 2 + 1) % 4;

	/* Release: what is made from now on is of neither. */
	atomic_store_explicit(&t->policy, policy + 1, memory_order_release);
	if (step % 3) {
		set_route(t, next);
	} else {
		unset_route(t);
		write_configuration(&text, workers, next);
		/* Another size is another lane. */
		bed_apply(t->bed, yaml,
		    step % 2 ? "lanes: {mode: flow, flows: 2048}\n" : "lanes: {mode: flow}\n");
	}
	/* Release pairs with source(): the change is there. */
	atomic_store_explicit(&t->policy, policy + 2, memory_order_release);
}

/* Counters, flows and their programs in words are read beside the workers. */
static void
look(struct race *t, uint64_t *printed)
{
	struct bed_plane *plane = &t->bed->planes[0];
	struct mr_lane *lane = mr_lanes_lane(plane->dp);
	struct mr_state *state;
	struct mr_flow_peek peek;
	struct mr_error error;
	char words[4096];
	const char *text;
	size_t size;

	assert_int_equal(mr_state_create(&state, t->bed->model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(plane->dp, "lanes", state), 0);
	assert_int_equal(mr_state_finish(state, &text, &size, &error), 0);
	mr_state_destroy(state);
	mr_lane_settle(lane);
	for (unsigned w = 0; w < mr_lane_workers(lane); w++)
		for (uint32_t i = 1; i <= MR_MIN(mr_lane_top(lane, w), 4u); i++)
			if (mr_lane_peek(lane, w, i, &peek))
				*printed += mr_lane_print(lane, w, i, words, sizeof(words)) > 0;
}

/* Whatever was changed, flows are replayed again soon. */
static void
await_replays(struct race *t, uint64_t *replayed)
{
	uint64_t end = now_ms() + 20000;

	while (bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED) == *replayed && now_ms() < end)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_true(bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED) > *replayed);
	*replayed = bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED);
}

static void
no_packet_meets_the_policy_before(void **state)
{
	struct race *t = calloc(1, sizeof(*t));
	char cpus[32], yaml[4096];
	struct bed_text text = { .at = yaml, .size = sizeof(yaml) };
	uint64_t end, replayed = 0, printed = 0;
	struct bed_plane *plane;
	struct mr_error error;
	unsigned step = 0;

	(void)state;
	assert_non_null(t);
	if (!two_workers(cpus, sizeof(cpus))) {
		free(t);
		print_message("skipped: needs two processors\n");
		skip();
	}
	write_configuration(&text, cpus, 0);
	t->bed = bed_open(yaml, "lanes: {mode: flow}\n", 1);
	plane = &t->bed->planes[0];
	for (unsigned p = 0; p < BED_PORTS; p++) {
		plane->ports[p].user = t;
		plane->ports[p].sink = sink;
	}
	plane->ports[0].source = source;
	assert_int_equal(mr_dataplane_start(plane->dp, &error), 0);
	for (end = now_ms() + LASTS_MS; now_ms() < end; step++) {
		change(t, cpus, step);
		await_replays(t, &replayed);
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		look(t, &printed);
	}
	atomic_store_explicit(&t->quiet, true, memory_order_relaxed);
	mr_dataplane_stop(plane->dp);
	replayed = bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED);
	print_message(
	    "%u changes, %lu packets as they should, %lu between two policies, %lu replayed, "
	    "%lu programs printed\n",
	    step, t->right, t->unsure, replayed, printed);
	assert_int_equal(t->wrong, 0);
	assert_true(t->right > 1000 && replayed > 1000 && printed > 0);
	bed_compare(t->bed, false);
	assert_int_equal(mr_pool_used(plane->buffers->pool), 0);
	bed_close(t->bed);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_packet_meets_the_policy_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

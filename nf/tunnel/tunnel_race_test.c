/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers wrap, unwrap and learn, stations move all the time, while configurations change, also to none at
 * all, and state is read. What was made after a change had returned goes to the remote ends of that
 * configuration only, and comes from them only; what leaves is whole; nothing is lost. Run it under
 * ThreadSanitizer too.
 */
#include <time.h>

#include "kit/base/cpu.h"
#include "model/state.h"
#include "nf/tunnel/tunnel_test_int.h"

#define LASTS_MS 1500u
#define REMOTES 6u
#define STATIONS 8u
#define POLICIES 4u
#define STAMP 12u /* the last bytes of what is in a tunnel: policy, remote end, its sum */
#define PAYLOAD 40u

/* Of the bridge's tunnel, by policy; a bit for each. None: there is no tunnel. */
static const unsigned sets[POLICIES] = { 0x07, 0x02, 0x39, 0 };

struct race {
	struct bed *bed;
	/* Even while a policy is in force, odd while control changes it. */
	_Atomic uint32_t policy;
	_Atomic bool quiet;
	_Atomic uint64_t wrong, out, in, unsure;
	struct tn_frame to_stations[STATIONS + 1], to_router[4];
	struct tn_frame from_remotes[REMOTES][STATIONS];
};

/* Time is the machine's. */
void
bed_time_pass(uint64_t ms)
{
	(void)ms;
}

/* -- what workers make, and see ------------------------------------------------------------- */

static void
stamp(uint8_t *end, uint32_t policy, uint32_t remote)
{
	const uint32_t words[3] = { policy, remote, policy * 31 + remote * 7 + 5 };

	memcpy(end - STAMP, words, STAMP);
}

static const struct tn_frame *
choose(const struct race *t, unsigned port, unsigned n, uint32_t *remote)
{
	*remote = 0;
	if (port == 0)
		return &t->to_router[n % MR_ARRAY_COUNT(t->to_router)];
	if (port == 2)
		return &t->to_stations[n % (STATIONS + 1)];
	*remote = n / STATIONS % REMOTES;
	return &t->from_remotes[*remote][n % STATIONS];
}

static unsigned
source(struct bed_port *bp, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	unsigned port = (unsigned)(bp - bp->plane->ports), n = 0;
	struct race *t = bp->user;
	static _Thread_local unsigned turn;

	(void)queue;
	if (atomic_load_explicit(&t->quiet, memory_order_relaxed))
		return 0;
	for (; n < MR_MIN(max, 32u); n++, turn += 5) {
		/* Acquire pairs with change(): what it did before was done. */
		uint32_t policy = atomic_load_explicit(&t->policy, memory_order_acquire), remote;
		const struct tn_frame *f = choose(t, port, turn, &remote);
		uint8_t bytes[256];

		memcpy(bytes, f->bytes, f->len);
		stamp(bytes + f->len, policy, remote);
		packets[n] = mr_packet_from(bp->plane->buffers, worker, bytes, f->len);
		if (packets[n] == MR_PACKET_NONE)
			break;
		mr_packet_at(bp->plane->buffers->base, packets[n])->port = bp->port->index;
	}
	return n;
}

/* Whether it is a frame of ours; then what its stamp says. */
static bool
read_stamp(const uint8_t *frame, unsigned len, uint32_t *policy, uint32_t *remote)
{
	uint32_t words[3];

	if (len < 14 + 28 + PAYLOAD || tn_get16(frame + 12) != 0x0800 || frame[23] != 17)
		return false;
	memcpy(words, frame + len - STAMP, STAMP);
	*policy = words[0];
	*remote = words[1];
	return words[2] == words[0] * 31 + words[1] * 7 + 5;
}

static bool
is_whole(const uint8_t *f, unsigned len)
{
	return tn_sum(f + 14, 20, 0) == 0xffff && tn_get16(f + 16) == len - 14 &&
	    tn_get16(f + 20) == 0x4000 && tn_get16(f + 38) == len - 34 && f[42] == 8 &&
	    tn_get16(f + 34) >= 49152 && tn_get16(f + 36) == 4789 &&
	    !memcmp(f + 26, "\12\11\0\1", 4);
}

static void
judge(struct race *t, uint32_t policy, bool good, _Atomic uint64_t *right)
{
	/* While it changes either may be. */
	if ((policy & 1) || policy != atomic_load_explicit(&t->policy, memory_order_acquire))
		atomic_fetch_add_explicit(&t->unsure, 1, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(good ? right : &t->wrong, 1, memory_order_relaxed);
}

static void
see(struct race *t, unsigned port, const uint8_t *f, unsigned len)
{
	uint32_t policy, remote;
	unsigned set;

	if (port == 1) {
		/* ARP, neighbour discovery; of the router itself, also in tunnels. */
		if (len < TN_ROUND4 + 14 ||
		    !read_stamp(f + TN_ROUND4, len - TN_ROUND4, &policy, &remote))
			return;
		set = sets[policy / 2 % POLICIES];
		remote = f[33] - 1u;
		judge(t, policy,
		    is_whole(f, len) &&
			(f[48] == 9 ? set >> remote & 1 : remote == policy / 2 % POLICIES % 3),
		    &t->out);
	} else if (read_stamp(f, len, &policy, &remote) && f[6 + 4] == 0x50) {
		judge(t, policy, sets[policy / 2 % POLICIES] >> remote & 1, &t->in);
	}
}

static void
sink(struct bed_port *bp, unsigned worker, const uint32_t *packets, unsigned count)
{
	unsigned port = (unsigned)(bp - bp->plane->ports);
	struct race *t = bp->user;
	uint8_t bytes[512];

	(void)worker;
	for (unsigned i = 0; i < count; i++) {
		size_t len =
		    mr_packet_read(bp->plane->buffers, packets[i], 0, bytes, sizeof(bytes));

		see(t, port, bytes, (unsigned)len);
	}
}

static void
make_frames(struct race *t)
{
	for (unsigned s = 0; s <= STATIONS; s++) {
		const struct tn_talk to = { 0x5000 + s, 0x3002, "10.77.0.1", "10.77.0.2", s, 53, 0,
			false };
		const struct tn_talk from = { 0x3002, 0x5000 + s, "10.77.0.2", "10.77.0.1", 53, s,
			0, false };

		tn_build(&t->to_stations[s], 2, &to, PAYLOAD);
		if (s == STATIONS)
			memset(t->to_stations[s].bytes, 0xff, 6);
		for (unsigned r = 0; r < REMOTES && s < STATIONS; r++) {
			char src[32];
			const struct tn_head head = { 1, 0, 0xaa02, 0x0902, src, TN_LOCAL4, 9, 4789,
				64, 0, false, false };
			struct tn_frame in;

			snprintf(src, sizeof(src), "192.0.2.%u", 1 + r);
			tn_build(&in, 0, &from, PAYLOAD);
			tn_wrap(&t->from_remotes[r][s], &head, 50000, &in);
		}
	}
	for (unsigned n = 0; n < MR_ARRAY_COUNT(t->to_router); n++) {
		const struct tn_talk talk = { 0xaa01, 9, "10.0.0.9", "10.4.0.9", 1000 + n, 53, 0,
			false };

		tn_build(&t->to_router[n], 0, &talk, PAYLOAD);
	}
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

static const char *
configuration(const char *workers, unsigned step, unsigned policy)
{
	static char all[4096], text[BED_TEXT_MAX];
	const struct tn_conf with = {
		.interfaces = sets[policy] ? ", v: {driver: tunnel}, w: {driver: tunnel}"
					   : ", w: {driver: tunnel}",
		.routed =
		    "      w: {mac: \"02:00:00:00:aa:04\", address: [10.4.0.1/24], redirects: "
		    "false}\n",
		.neighbors = "        10.4.0.9: {interface: w, mac: \"02:00:00:00:04:09\"}\n",
		.all = all,
	};
	struct bed_text t = { all, 0, sizeof(all) };
	const char *comma = "";
	char *at;

	bed_say(&t, "bridge: {lan: {interface: [c%s]}}\ntunnel:\n", sets[policy] ? ", v" : "");
	bed_say(&t, "  w: {local: 10.9.0.1, remote: [192.0.2.%u], vxlan: {vni: 4}}\n",
	    policy % 3 + 1);
	if (sets[policy]) {
		bed_say(&t, "  v: {local: 10.9.0.1, vxlan: {vni: 9}, stations-max: %u, remote: [",
		    step % 5 ? 1024 : 64);
		for (unsigned r = 0; r < REMOTES; r++) {
			if (!(sets[policy] >> r & 1))
				continue;
			bed_say(&t, "%s192.0.2.%u", comma, 1 + r);
			comma = ", ";
		}
		bed_say(&t, "], static: [{mac: \"02:00:00:00:50:00\", remote: 192.0.2.%u}]}\n",
		    1 + (unsigned)__builtin_ctz(sets[policy]));
	}
	snprintf(text, sizeof(text), "%s", tn_text(&with));
	at = strstr(text, "buffers: 8192");
	memmove(at + 13 + 13 + strlen(workers), at + 13, strlen(at + 13) + 1);
	memcpy(at + 13, ", workers: \"", 12);
	memcpy(at + 25, workers, strlen(workers));
	at[25 + strlen(workers)] = '"';
	return text;
}

static void
change(struct race *t, const char *workers, unsigned step)
{
	uint32_t policy = atomic_load_explicit(&t->policy, memory_order_relaxed);

	/* Release: what is made from now on is of neither. */
	atomic_store_explicit(&t->policy, policy + 1, memory_order_release);
	bed_apply(t->bed, configuration(workers, step, (policy / 2 + 1) % POLICIES), TN_LANES);
	/* Release pairs with source(): the change is there. */
	atomic_store_explicit(&t->policy, policy + 2, memory_order_release);
}

/* State is read, stations age, routes are looked up beside the workers. */
static void
look(struct race *t)
{
	struct bed_plane *plane = &t->bed->planes[0];
	struct mr_state *state;
	struct mr_error error;
	const char *text;
	size_t size;

	assert_int_equal(mr_state_create(&state, t->bed->model, MR_STATE_PLAIN), 0);
	assert_int_equal(mr_dataplane_show(plane->dp, "tunnel", state), 0);
	assert_int_equal(mr_state_finish(state, &text, &size, &error), 0);
	mr_state_destroy(state);
	mr_dataplane_tick(plane->dp, (uint32_t)(now_ms() / 1000));
}

static void
configurations_change_under_way(void **state)
{
	struct race *t = calloc(1, sizeof(*t));
	struct bed_plane *plane;
	struct mr_error error;
	unsigned step = 0;
	char cpus[32];

	(void)state;
	assert_non_null(t);
	if (!two_workers(cpus, sizeof(cpus))) {
		free(t);
		print_message("skipped: needs two processors\n");
		skip();
	}
	make_frames(t);
	t->bed = bed_open(configuration(cpus, 0, 0), TN_LANES, 1);
	plane = &t->bed->planes[0];
	for (unsigned p = 0; p < BED_PORTS; p++) {
		plane->ports[p].user = t;
		plane->ports[p].sink = sink;
		if (p < 3)
			plane->ports[p].source = source;
	}
	assert_int_equal(mr_dataplane_start(plane->dp, &error), 0);
	for (uint64_t end = now_ms() + LASTS_MS; now_ms() < end; step++) {
		nanosleep(&(struct timespec){ .tv_nsec = 4000000 }, NULL);
		look(t);
		change(t, cpus, step);
	}
	atomic_store_explicit(&t->quiet, true, memory_order_relaxed);
	mr_dataplane_stop(plane->dp);
	print_message("%u changes, %lu packets into tunnels, %lu out of them, %lu between two "
		      "policies, %lu replayed\n",
	    step, t->out, t->in, t->unsure, bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED));
	assert_int_equal(t->wrong, 0);
	assert_true(step > 3 && t->out > 500 && t->in > 500);
	assert_true(bed_lane_count(t->bed, MR_LANE_COUNT_REPLAYED) > 500);
	bed_compare(t->bed, false);
	assert_int_equal(mr_pool_used(plane->buffers->pool), 0);
	bed_close(t->bed);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations_change_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

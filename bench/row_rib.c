/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows rib-*: the control side of a full table, RIB and FIB together: what a routing
 * daemon's routes cost from mr_rib_set until workers see them.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/table/prefixes.h"
#include "kit/table/prefixes6.h"
#include "nf/rib/rib.h"

#define FOUR 1000000u
#define SIX 200000u
#define NEXT_HOPS 250u

struct job {
	struct mr_ip *ip;
	struct mr_rib *rib;
	struct mr_prefix4 *four;
	struct mr_prefix6 *six;
	uint64_t random;
};

static uint64_t
next_random(struct job *job)
{
	job->random ^= job->random << 13;
	job->random ^= job->random >> 7;
	job->random ^= job->random << 17;
	return job->random * 0x2545f4914f6cdd1dull;
}

static struct mr_route
route_of(struct job *job, uint32_t i, struct mr_route_hop *hop)
{
	struct mr_route r = { .source = MR_ROUTE_FPM, .hops = hop, .hop_count = 1 };
	be32_t four;

	*hop = (struct mr_route_hop){ .kind = MR_HOP_VIA, .interface = 1, .weight = 1 };
	if (i < FOUR) {
		four = mr_be32(job->four[i].prefix);
		memcpy(r.prefix, &four, sizeof(four));
		r.len = job->four[i].len;
		hop->address[0] = 10;
		hop->address[3] = (uint8_t)(1 + next_random(job) % NEXT_HOPS);
	} else {
		r.family = hop->family = MR_IP6;
		memcpy(r.prefix, job->six[i - FOUR].prefix, sizeof(r.prefix));
		r.len = job->six[i - FOUR].len;
		hop->address[0] = 0xfe;
		hop->address[1] = 0x80;
		hop->address[15] = (uint8_t)(1 + next_random(job) % NEXT_HOPS);
	}
	return r;
}

static int
set(struct job *job, uint32_t i)
{
	struct mr_route_hop hop;
	struct mr_route r = route_of(job, i, &hop);

	return mr_rib_set(job->rib, 0, &r, NULL);
}

static int
unset(struct job *job, uint32_t i)
{
	struct mr_route_hop hop;
	struct mr_route r = route_of(job, i, &hop);

	return mr_rib_unset(job->rib, 0, (enum mr_ip_family)r.family, r.prefix, r.len,
	    MR_ROUTE_FPM);
}

static int
load(struct job *job)
{
	int rc = 0;

	for (uint32_t i = 0; i < FOUR + SIX && !rc; i++)
		rc = set(job, i);
	mr_rib_settle(job->rib);
	return rc;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_rib_destroy(job->rib);
	mr_ip_destroy(job->ip);
	free(job->four);
	free(job->six);
	free(job);
}

static int
make_tables(struct job *job, struct mr_error *error)
{
	struct mr_ip_address *a;
	uint16_t index;
	int rc = mr_ip_create(&job->ip, NULL, error);

	if (!rc)
		rc = mr_ip_vrf_create(job->ip, "bench", &index, error);
	if (!rc)
		rc = mr_ip_interface_create(job->ip, "lan", &index, error);
	if (!rc)
		rc = mr_rib_create(&job->rib, job->ip, error);
	if (rc)
		return rc;
	a = job->ip->info[index].addresses;
	*a = (struct mr_ip_address){ .family = MR_IP4, .len = 24, .bytes = { 10, 0, 0, 254 } };
	job->ip->info[index].address_count = 1;
	job->ip->interfaces[index].flags = MR_IP_UP;
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	char path[512];
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->random = 0x9e3779b97f4a7c15ull;
	job->four = mr_prefixes_load4(mr_prefixes_path(path, sizeof(path)), FOUR, 1, NULL);
	job->six = mr_prefixes_load6(mr_prefixes_path(path, sizeof(path)), SIX, 1, NULL);
	rc = job->four && job->six ? make_tables(job, error)
				   : mr_error_set(error, -ENOMEM, "no memory");
	if (!rc)
		rc = load(job);
	if (rc)
		teardown(run);
	return rc;
}

static int
load_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start;
	int rc;

	mr_rib_clear_vrf(job->rib, 0);
	mr_rib_settle(job->rib);
	start = mr_cycles();
	rc = load(job);
	*value = (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
	return rc ? mr_error_set(error, rc, "the table could not be loaded") : 0;
}

static int
update_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles(), now, count = 0;
	uint32_t range = run->row->param == 6 ? SIX : FOUR, from = run->row->param == 6 ? FOUR : 0;
	int rc = 0;

	do {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t r = next_random(job);
			uint32_t at = from + (uint32_t)((r >> 8) % range);

			if (r % 3) {
				rc |= unset(job, at);
				count++;
			}
			rc |= set(job, at);
			count++;
		}
		mr_rib_settle(job->rib);
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)count * 1e-6 * (double)run->tsc_hz / (double)(now - start);
	return rc ? mr_error_set(error, -EINVAL, "a change of the table failed") : 0;
}

/* The interface of all routes goes down and comes back: every route is moved twice. */
static int
flap_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint64_t start = mr_cycles();

	job->ip->interfaces[1].flags &= ~MR_IP_UP;
	mr_rib_interface(job->rib, 1, false);
	job->ip->interfaces[1].flags |= MR_IP_UP;
	mr_rib_interface(job->rib, 1, true);
	*value = (double)(mr_cycles() - start) * 1e3 / (double)run->tsc_hz;
	if (mr_rib_diff(job->rib, 0, NULL, NULL))
		return mr_error_set(error, -EINVAL, "FIB and RIB differ");
	return 0;
}

static int
memory_window(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	struct mr_rib_stats stats;

	mr_rib_stats(job->rib, &stats);
	*value = (double)stats.bytes / (double)stats.routes;
	return 0;
}

#define TABLE "1,000,000 IPv4 and 200,000 IPv6 prefixes, 500 next hops"
#define CHANGES "; at random: a fifth replaced, two fifths removed, two fifths added"

static const struct mr_bench_row rows[] = {
	{
	    .name = "rib-load",
	    .unit = "ms",
	    .doc = "a full table of both families into an empty RIB and FIB",
	    .config = TABLE ", in the order of the file",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = load_window,
	},
	{
	    .name = "rib-update",
	    .unit = "Mupdates/s",
	    .more_is_better = true,
	    .doc = "changes of a full IPv4 table, RIB and FIB",
	    .config = TABLE CHANGES " of the IPv4 routes",
	    .param = 4,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = update_window,
	},
	{
	    .name = "rib-update6",
	    .unit = "Mupdates/s",
	    .more_is_better = true,
	    .doc = "changes of a full IPv6 table, RIB and FIB",
	    .config = TABLE CHANGES " of the IPv6 routes",
	    .param = 6,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = update_window,
	},
	{
	    .name = "rib-flap",
	    .unit = "ms",
	    .doc = "the interface of all routes goes down and comes back",
	    .config = TABLE ", all out of the FIB and all in again",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = flap_window,
	},
	{
	    .name = "rib-memory",
	    .unit = "bytes/route",
	    .doc = "memory of the RIB, the FIB's apart",
	    .config = TABLE,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = memory_window,
	},
};

const struct mr_bench_family mr_bench_family_rib = { "rib", rows, MR_ARRAY_COUNT(rows) };

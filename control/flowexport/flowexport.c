/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service that exports flows: who is told of what (conf.c), the walk over the flows (walk.c),
 * and its collectors (collector.c).
 *
 * Flows are kept by the flow lanes (nf/lanes): `prepare` says of which interfaces, before the data
 * plane applies the same configuration. At the start the data plane has applied it already: it
 * does so once more.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/flowexport/flowexport_int.h"
#include "kit/base/log.h"
#include "nf/router/router.h"

/* Of the control thread's time: a piece, and the wait for the next one. */
#define PIECE_US 1000u
#define PIECE_WAIT_US 4000
/* Passes begin a second apart. */
#define PASS_WAIT_US 1000000
/* How long others wait when flows are told by force. */
#define END_US 500000u

extern const char mr_yang_flow_export[];

/* -- records -------------------------------------------------------------------------------------- */

static uint32_t
vrf_of(const struct flow_export *x, uint16_t port, uint16_t vlan)
{
	const struct mr_router_base *router = mr_router_base_of(x->dp);
	unsigned i = router && router->ip ? mr_ip_interface_at(&router->ip->ports[port], vlan) : 0;

	return i ? mr_ip_vrf(&router->ip->interfaces[i]) + 1u : 0;
}

static void
record(void *arg, uint16_t port, struct flow_record *r)
{
	struct flow_export *x = arg;

	r->vrf = vrf_of(x, port, r->vlan);
	x->ports[port].records++;
	x->ports[port].packets += r->packets;
	x->ports[port].octets += r->octets;
	for (unsigned i = 0; i < x->collector_count; i++)
		collector_put(x->collectors[i], r);
}

static void
flush(struct flow_export *x)
{
	for (unsigned i = 0; i < x->collector_count; i++)
		collector_flush(x->collectors[i]);
}

static void
arm(struct flow_export *x, long us)
{
	const struct timeval after = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

	event_add(x->step, &after);
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct flow_export *x = arg;
	bool over;

	(void)fd;
	(void)what;
	if (!x->walk)
		return;
	over = walk_some(x->walk, PIECE_US);
	if (over)
		flush(x);
	arm(x, over ? PASS_WAIT_US : PIECE_WAIT_US);
}

static void
end_walk(struct flow_export *x)
{
	struct walk_stats stats;

	if (!x->walk)
		return;
	if (!walk_end(x->walk, END_US))
		mr_log(mr_control_log(x->control), MR_LOG_WARNING,
		    "flow-export: too many flows to tell of all at the end");
	flush(x);
	walk_stats(x->walk, &stats);
	x->before.passes += stats.passes;
	x->before.piece_us = MR_MAX(x->before.piece_us, stats.piece_us);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(stats.ended); i++)
		x->before.ended[i] += stats.ended[i];
	walk_destroy(x->walk);
	x->walk = NULL;
}

/* -- a change ---------------------------------------------------------------------------------------- */

static int
flow_export_create(void **state, struct mr_control *control, struct mr_error *error)
{
	struct flow_export *x = calloc(1, sizeof(*x));
	struct timespec ts;

	if (!x)
		return mr_error_set(error, -ENOMEM, "no memory");
	*state = x;
	x->control = control;
	x->dp = mr_control_dataplane(control);
	clock_gettime(CLOCK_REALTIME, &ts);
	x->boot = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	x->step = evtimer_new(mr_control_base(control), on_step, x);
	return x->step ? 0 : mr_error_set(error, -ENOMEM, "no memory");
}

static void
drop_coming(struct flow_export *x)
{
	for (unsigned i = 0; i < COLLECTORS_MAX; i++) {
		collector_destroy(x->coming[i]);
		x->coming[i] = NULL;
	}
}

/* The collector in force that this configuration describes, too. */
static int
find_same(const struct flow_export *x, const struct collector_conf *conf)
{
	for (unsigned i = 0; i < x->collector_count; i++)
		if (x->collectors[i] &&
		    memcmp(collector_conf_of(x->collectors[i]), conf, sizeof(*conf)) == 0)
			return (int)i;
	return -1;
}

static int
flow_export_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct flow_export *x = state;
	int rc = 0;

	flow_export_read(&x->next, config);
	x->config = config;
	for (unsigned i = 0; i < x->next.collector_count && !rc; i++)
		if (find_same(x, &x->next.collectors[i]) < 0)
			rc = collector_create(&x->coming[i], &x->next.collectors[i],
			    mr_control_base(x->control), x->boot, flow_export_interface, x, error);
	if (rc) {
		drop_coming(x);
		return rc;
	}
	mr_lanes_ledger_want(x->dp, &x->next.ledger);
	return 0;
}

static void
flow_export_abort(void *state)
{
	struct flow_export *x = state;

	drop_coming(x);
	mr_lanes_ledger_want(x->dp, &x->now.ledger);
}

/* Collectors that stay as they are keep their streams. */
static void
take_collectors(struct flow_export *x)
{
	struct collector *took[COLLECTORS_MAX] = { 0 };

	for (unsigned i = 0; i < x->next.collector_count; i++) {
		int same = find_same(x, &x->next.collectors[i]);

		took[i] = same < 0 ? x->coming[i] : x->collectors[same];
		if (same >= 0)
			x->collectors[same] = NULL;
		x->coming[i] = NULL;
	}
	for (unsigned i = 0; i < x->collector_count; i++) {
		for (unsigned k = 0; k < x->next.collector_count && x->collectors[i]; k++)
			if (strcmp(x->next.collectors[k].name,
				collector_conf_of(x->collectors[i])->name) == 0)
				collector_inherit(took[k], x->collectors[i]);
		collector_end(x->collectors[i]);
		collector_destroy(x->collectors[i]);
	}
	memcpy(x->collectors, took, sizeof(took));
	x->collector_count = x->next.collector_count;
}

/* The first configuration: the data plane knew nothing of flows that are to be kept. */
static void
apply_once_more(struct flow_export *x)
{
	struct mr_report *report = NULL;

	if (!mr_lanes_ledger_is_due(x->dp))
		return;
	if (mr_report_create(&report) || mr_dataplane_apply(x->dp, x->config, report))
		mr_log(mr_control_log(x->control), MR_LOG_ERROR, "flow-export: %s",
		    mr_report_entry(report, 0) ? mr_report_entry(report, 0)->text : "no memory");
	mr_report_destroy(report);
}

static void
flow_export_commit(void *state)
{
	struct flow_export *x = state;
	struct mr_lane *lane;
	struct mr_error error;

	apply_once_more(x);
	lane = mr_lanes_lane(x->dp);
	/* The one that went waits until it is read. */
	if (x->walk && walk_lane(x->walk) != lane)
		end_walk(x);
	take_collectors(x);
	x->now = x->next;
	x->config = NULL;
	if (x->walk)
		walk_set(x->walk, &x->now.walk);
	else if (lane && mr_lane_ledger_max(lane) &&
	    walk_create(&x->walk, lane, &x->now.walk, record, x, &error))
		mr_log(mr_control_log(x->control), MR_LOG_ERROR, "%s", error.text);
	if (x->walk)
		arm(x, PIECE_WAIT_US);
}

static void
flow_export_destroy(void *state)
{
	struct flow_export *x = state;

	end_walk(x);
	for (unsigned i = 0; i < x->collector_count; i++) {
		collector_end(x->collectors[i]);
		collector_destroy(x->collectors[i]);
	}
	drop_coming(x);
	if (x->step)
		event_free(x->step);
	free(x);
}

static void
flow_export_tick(void *state, uint32_t seconds)
{
	struct flow_export *x = state;

	for (unsigned i = 0; i < x->collector_count; i++)
		collector_tick(x->collectors[i], seconds);
}

const struct mr_service mr_service_flow_export = {
	.name = "flow-export",
	.doc = "flows, told to collectors: IPFIX and NetFlow version 9",
	.yang = mr_yang_flow_export,
	.create = flow_export_create,
	.destroy = flow_export_destroy,
	.check = flow_export_check,
	.prepare = flow_export_prepare,
	.commit = flow_export_commit,
	.abort = flow_export_abort,
	.tick = flow_export_tick,
	.show = flow_export_show,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pairs: two interfaces of the driver `pair` that name each other. A node behind the outputs of
 * each makes what is sent there arrive on the other: the packet's port is the other's, and it
 * goes on with the other's stages. A walk through several bridges and routers is one walk, and
 * one recording of the flow lane.
 *
 * A ring of bridges would keep a packet for ever: after MR_PACKET_JOINS_MAX pairs it is dropped.
 */

#include <string.h>

#include "nf/interface/interface_int.h"

enum { JOIN_NEXT };
enum { JOIN_LOOP };

/* -- the configuration ---------------------------------------------------------------------- */

void
interface_check_join(const struct mr_config *config, const struct mr_conf *conf,
    struct mr_report *report)
{
	const char *name = mr_conf_key(conf), *device = interface_device_of(conf);
	const struct mr_conf *other = mr_conf_find(mr_conf_root(config), "interface", device);
	const struct mr_conf *at = mr_conf_child(conf, "device");

	at = at ? at : conf;
	if (!*device)
		mr_report_at(report, config, at, "device has to name the other end of the pair");
	else if (strcmp(device, name) == 0)
		mr_report_at(report, config, at,
		    "is the interface itself; name the other end of the pair");
	else if (!other)
		mr_report_at(report, config, at, "the other end: there is no interface \"%s\"",
		    device);
	else if (strcmp(mr_conf_text(other, "driver", ""), mr_conf_text(conf, "driver", "")) != 0)
		mr_report_at(report, config, at,
		    "interface %s is no end of a pair; it needs "
		    "driver: pair, device: %s",
		    device, name);
	else if (strcmp(interface_device_of(other), name) != 0)
		mr_report_at(report, config, at, "interface %s is paired with \"%s\"", device,
		    interface_device_of(other));
}

/* -- the graph ------------------------------------------------------------------------------ */

static bool
is_end(const struct record *r)
{
	return strcmp(r->want.driver, "pair") == 0;
}

struct record *
interface_join_other(const struct mr_interfaces *all, const struct record *r)
{
	if (!is_end(r))
		return NULL;
	for (struct record *o = interface_records(all); o; o = o->next)
		if (o != r && is_end(o) && strcmp(o->pub.name, r->want.device) == 0)
			return o;
	return NULL;
}

void
interface_join_aim(struct mr_interfaces *all, struct record *r)
{
	struct record *other = interface_join_other(all, r);
	uint16_t to = all->unused;

	if (!other || r->leave == NO_NODE)
		return;
	r->join.index = other->pub.index;
	atomic_store_explicit(&r->join.from, r->pub.port, memory_order_relaxed);
	atomic_store_explicit(&r->join.to, other->pub.port, memory_order_relaxed);
	if (other->pub.port)
		to = mr_interface_first(all, other->pub.index);
	mr_graph_link(mr_dataplane_graph(all->dp), r->leave, JOIN_NEXT, to);
}

/* -- the node ------------------------------------------------------------------------------- */

static void
count(const struct join *join, unsigned worker, uint64_t packets, uint64_t bytes)
{
	mr_port_count_tx(atomic_load_explicit(&join->from, memory_order_relaxed), worker, packets,
	    bytes);
	mr_port_count_rx(atomic_load_explicit(&join->to, memory_order_relaxed), worker, packets,
	    bytes);
}

static void
join_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	(void)number;
	count(run->self, run->worker, packets, bytes);
}

mr_inline void
join_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned n)
{
	const struct join *join = run->self;
	uint64_t passed = 0, bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		mr_record_use(rec, p, 0);
		if (mr_unlikely(!mr_packet_join(p, join->index))) {
			verdicts[i] = mr_verdict_drop(JOIN_LOOP);
			continue;
		}
		mr_record_tally(rec, p, 0);
		mr_record_note(rec, p, "arrives at the other end of the pair", join->index);
		passed++;
		bytes += p->total;
		verdicts[i] = mr_verdict_edge(JOIN_NEXT);
	}
	if (!mr_record_is_dry(rec))
		count(join, run->worker, passed, bytes);
}
MR_NODE_FUNCTIONS(join)

static const char *const edges[] = { [JOIN_NEXT] = "other-end" };
static const struct mr_named drops[] = {
	[JOIN_LOOP] = { "pair-loop", "has gone through as many pairs as a packet may" },
};

const struct mr_node_class interface_join_class = {
	.name = "join",
	.doc = "makes what is sent on one end of a pair arrive on the other",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = 1,
	.replays = true,
	.tally = join_tally,
	MR_NODE_RUN(join),
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function in one data plane. An interface that takes part has one node. prepare makes the next
 * world, pools and nodes; commit shows it; finish ends the bindings of pools that are gone, which no
 * worker uses any more then.
 */
#include "nf/nat64/nat64.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nf/nat/nat.h"
#include "nf/nat64/control_int.h"

#define SWEEP_SECONDS 8u /* all sessions are looked at in this time */

extern const char mr_yang_nat64[];

static const struct mr_conf *
conf_of(const struct mr_config *config)
{
	return mr_conf_child(mr_conf_root(config), "nat64");
}

uint32_t
n64_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

/* -- what workers see --------------------------------------------------------------------------- */

static void
free_list(struct mr_buffers *buffers, uint32_t packet)
{
	while (packet != MR_PACKET_NONE) {
		uint32_t next = mr_packet_at(buffers->base, packet)->hash;

		mr_packets_free(buffers, MR_POOL_SHARED, &packet, 1);
		packet = next;
	}
}

void
n64_core_destroy(struct n64_core *core, struct mr_buffers *buffers)
{
	if (!core)
		return;
	for (unsigned i = 0; core->fragments && core->fragments[i]; i++) {
		uint32_t cursor = 0;
		struct ct_fragment *e;

		while (buffers &&
		    (e = ct_fragments_due(core->fragments[i], 0, UINT32_MAX / 2, &cursor)))
			free_list(buffers, ct_fragment_take(core->fragments[i], e));
		ct_fragments_destroy(core->fragments[i]);
	}
	free(core->fragments);
	n64_table_destroy(core->table);
	free(core);
}

int
n64_core_create(struct n64_core **out, uint32_t max, uint32_t workers, struct mr_error *error)
{
	struct n64_core *core = calloc(1, sizeof(*core));
	int rc;

	if (!core)
		return mr_error_set(error, -ENOMEM, "nat64: no memory");
	core->fragments = calloc(workers + 1, sizeof(*core->fragments));
	rc = core->fragments ? n64_table_create(&core->table, max, workers, error)
			     : mr_error_set(error, -ENOMEM, "nat64: no memory");
	for (uint32_t i = 0; !rc && i < workers; i++)
		rc = ct_fragments_create(&core->fragments[i], error);
	if (rc) {
		n64_core_destroy(core, NULL);
		return rc;
	}
	*out = core;
	return 0;
}

static void
world_free(struct n64_world *w)
{
	if (w)
		free(w->instances);
	free(w);
}

/* -- check -------------------------------------------------------------------------------------- */

static bool
names(const struct mr_conf *instance, const char *list, const char *name)
{
	const struct mr_conf *at;

	mr_conf_each(at, instance, list)
		if (strcmp(mr_conf_value(at), name) == 0)
			return true;
	return false;
}

static const struct mr_conf *
check_places(const struct mr_config *config, struct mr_report *report,
    const struct mr_conf *instance)
{
	const struct mr_conf *router = NULL, *at;
	char user[80];

	snprintf(user, sizeof(user), "nat64 instance %s", mr_conf_key(instance));
	mr_conf_each(at, instance, "outside")
		router =
		    mr_interface_need_router(report, config, at, mr_conf_value(at), user, router);
	mr_conf_each(at, instance, "inside")
		router =
		    mr_interface_need_router(report, config, at, mr_conf_value(at), user, router);
	return router;
}

/* An outside port is of one translator. */
static void
check_shared(const struct mr_config *config, struct mr_report *report,
    const struct mr_conf *instance, const struct n64_conf *c, const struct mr_conf *router)
{
	struct mr_nat_use use;

	for (uint32_t i = 0; i < c->pool.range_count; i++) {
		struct mr_nat_span span = { c->pool.ranges[i].first, c->pool.ranges[i].last,
			(uint16_t)c->pool.first, (uint16_t)c->pool.last, false };

		if (mr_nat_uses(config, router, &span, &use))
			mr_report_at(report, config, instance,
			    "nat64 instance %s: its ports %u-%u of an address are also of nat "
			    "instance %s (%s): give the one other \"ports\" than the other, or "
			    "another address",
			    c->name, c->pool.first, c->pool.last, use.instance, use.what);
	}
}

/* Where packets come from outside, the first one that has the address takes them. */
static void
check_pair(const struct mr_config *config, struct mr_report *report, const struct mr_conf *instance,
    const struct n64_conf *c)
{
	const struct mr_conf *other, *at, *in;
	struct n64_conf d;
	char why[160];
	bool met, same;

	for (other = mr_conf_next(instance); other; other = mr_conf_next(other)) {
		if (!n64_conf_read(&d, other, &at, why, sizeof(why)))
			continue;
		met = same = false;
		mr_conf_each(in, other, "outside")
			met |= names(instance, "outside", mr_conf_value(in));
		for (uint32_t i = 0; i < c->pool.range_count; i++)
			for (uint32_t k = 0; k < d.pool.range_count; k++)
				same |= c->pool.ranges[i].first <= d.pool.ranges[k].last &&
				    d.pool.ranges[k].first <= c->pool.ranges[i].last;
		if (met && same)
			mr_report_at(report, config, other,
			    "nat64 instance %s: has an outside address of instance %s on the same "
			    "interface, which would get its answers",
			    d.name, c->name);
	}
}

const char *
mr_nat64_uses(const struct mr_config *config, const struct mr_nat_span *span)
{
	const struct mr_conf *i, *at;
	struct n64_conf c;
	char why[160];

	mr_conf_each(i, conf_of(config), "instance") {
		if (!n64_conf_read(&c, i, &at, why, sizeof(why)) ||
		    span->port_last < c.pool.first || span->port_first > c.pool.last)
			continue;
		for (uint32_t k = 0; k < c.pool.range_count; k++)
			if (span->first <= c.pool.ranges[k].last &&
			    c.pool.ranges[k].first <= span->last)
				return mr_conf_key(i);
	}
	return NULL;
}

static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_nat64 *n = state;
	const struct mr_conf *conf = conf_of(config), *i, *at = NULL, *router;
	struct n64_conf c;
	char why[160];

	mr_conf_each(i, conf, "instance")
		if (!n64_conf_read(&c, i, &at, why, sizeof(why))) {
			mr_report_at(report, config, at ? at : i, "nat64 instance %s: %s",
			    mr_conf_key(i), why);
		} else {
			router = check_places(config, report, i);
			check_shared(config, report, i, &c, router);
			check_pair(config, report, i, &c);
		}
	if (mr_conf_count(conf, "instance") > N64_INSTANCES)
		mr_report_at(report, config, conf, "nat64: more than %u instances", N64_INSTANCES);
	if (n && n->core && mr_conf_child(conf, "instance") &&
	    n->core->table->max != mr_conf_uint(conf, "max", 1048576))
		mr_report_at(report, config, mr_conf_child(conf, "max"),
		    "the table is made for %u sessions and cannot be changed while it is in use; "
		    "restart for another size",
		    n->core->table->max);
}

/* -- prepare ------------------------------------------------------------------------------------ */

static struct n64_made *
made_of(struct mr_nat64 *n, const struct n64_conf *c)
{
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++)
		if (n->made[i].pool && strcmp(n->made[i].conf.name, c->name) == 0 &&
		    memcmp(&n->made[i].conf.pool, &c->pool, sizeof(c->pool)) == 0)
			return &n->made[i];
	return NULL;
}

static int
make_pool(struct mr_nat64 *n, const struct n64_conf *c, struct n64_made **out,
    struct mr_error *error)
{
	struct nat_pool_config pool = {
		.ranges = c->pool.ranges,
		.range_count = c->pool.range_count,
		.port_first = (uint16_t)c->pool.first,
		.port_last = (uint16_t)c->pool.last,
		.paired = true,
		.preserve_port = true,
		.preserve_parity = true,
		.subscriber_ports = { c->pool.ports, c->pool.ports, c->pool.ports },
		.subscriber_sessions = c->pool.sessions,
		.subscribers_max = MR_MIN(n->core->table->max, 1u << 20),
		.linger = 60,
		.quarantine_seconds = 0,
		.workers = mr_graph_worker_count(mr_dataplane_graph(n->dp)),
	};
	struct n64_made *m = NULL;
	int rc;

	for (unsigned i = 1; i <= N64_INSTANCES_MAX && !m; i++)
		m = n->made[i].pool ? NULL : &n->made[i];
	if (!m)
		return mr_error_set(error, -ENOSPC, "nat64: too many pools at once");
	rc = nat_pool_create(&m->pool, &pool, error);
	if (rc)
		return mr_error_prefix(error, "nat64 instance %s", c->name), rc;
	m->fresh = true;
	*out = m;
	return 0;
}

static struct n64_stage *
find_stage(struct mr_nat64 *n, const struct mr_interface *i, bool outside)
{
	struct n64_stage *s = n->stages;

	while (s &&
	    (strcmp(s->name, i->name) != 0 || s->self.port != i->index ||
		s->self.outside != outside))
		s = s->next;
	return s;
}

static int
join(struct mr_nat64 *n, const char *interface, unsigned outside, unsigned place,
    struct mr_error *error)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(n->dp), interface);
	struct n64_stage *s = i ? find_stage(n, i, outside) : NULL;
	char name[MR_GRAPH_NAME_MAX];
	struct n64_port *port;
	int rc;

	if (!i)
		return 0;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return mr_error_set(error, -ENOMEM, "nat64: no memory");
		snprintf(s->name, sizeof(s->name), "%s", i->name);
		snprintf(name, sizeof(name), "nat64-%s@%s", outside ? "in" : "out", i->name);
		s->self = (struct n64_self){ n->core, i->index, outside };
		s->fresh = true;
		rc = mr_graph_add_node(mr_dataplane_graph(n->dp), &n64_class, name, &s->self,
		    &s->node, error);
		if (rc) {
			free(s);
			return rc;
		}
		s->next = n->stages;
		n->stages = s;
	}
	s->wanted = true;
	port = &n->then->ports[i->index];
	if (port->count[outside] == N64_EACH)
		return mr_error_set(error, -ENOSPC, "interface %s: more than %u nat64 instances",
		    interface, N64_EACH);
	port->at[outside][port->count[outside]++] = (uint8_t)place;
	return 0;
}

static int
add_instance(struct mr_nat64 *n, const struct mr_conf *conf, struct mr_error *error)
{
	struct n64_instance *i = &n->then->instances[n->then->count];
	const struct mr_conf *at = NULL;
	struct n64_made *m;
	struct n64_conf c;
	char why[160];
	int rc = 0;

	if (!n64_conf_read(&c, conf, &at, why, sizeof(why)))
		return mr_error_set(error, -EINVAL, "nat64 instance %s: %s", mr_conf_key(conf),
		    why);
	m = made_of(n, &c);
	if (!m)
		rc = make_pool(n, &c, &m, error);
	if (rc)
		return rc;
	m->wanted = true;
	m->next = c;
	snprintf(i->name, sizeof(i->name), "%s", c.name);
	i->number = (uint8_t)(m - n->made);
	i->by_address = c.by_address;
	i->private_too = c.private_too;
	i->mtu = c.mtu;
	i->cut = c.cut;
	i->prefix = c.prefix;
	i->pool = m->pool;
	i->self = mr_be32(c.pool.ranges[0].first);
	mr_conf_each(at, conf, "inside")
		if (!rc)
			rc = join(n, mr_conf_value(at), 0, n->then->count, error);
	mr_conf_each(at, conf, "outside")
		if (!rc)
			rc = join(n, mr_conf_value(at), 1, n->then->count, error);
	n->then->count++;
	return rc;
}

static void
abort_change(void *state)
{
	struct mr_nat64 *n = state;
	struct n64_stage **at = &n->stages, *s;

	while ((s = *at)) {
		s->wanted = false;
		if (!s->fresh) {
			at = &s->next;
			continue;
		}
		mr_graph_remove_node(mr_dataplane_graph(n->dp), s->node);
		*at = s->next;
		free(s);
	}
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++) {
		struct n64_made *m = &n->made[i];

		m->wanted = false;
		if (m->fresh) {
			nat_pool_destroy(m->pool);
			*m = (struct n64_made){ 0 };
		}
	}
	world_free(n->then);
	n->then = NULL;
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct mr_nat64 *n = state;
	const struct mr_conf *conf = conf_of(config), *at;
	size_t count = mr_conf_count(conf, "instance");
	int rc = 0;

	if (count && !n->core)
		rc = n64_core_create(&n->core, (uint32_t)mr_conf_uint(conf, "max", 1048576),
		    mr_graph_worker_count(mr_dataplane_graph(n->dp)), error);
	if (rc)
		return rc;
	n->then = calloc(1, sizeof(*n->then));
	if (n->then)
		n->then->instances = calloc(count + 1, sizeof(*n->then->instances));
	if (!n->then || !n->then->instances)
		rc = mr_error_set(error, -ENOMEM, "nat64: no memory");
	mr_conf_each(at, conf, "instance")
		if (!rc)
			rc = add_instance(n, at, error);
	if (rc)
		abort_change(n);
	return rc;
}

/* -- commit ------------------------------------------------------------------------------------- */

static void
commit(void *state)
{
	struct mr_nat64 *n = state;

	if (!n->core) {
		world_free(n->then);
		n->then = NULL;
		return;
	}
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++) {
		struct n64_made *m = &n->made[i];

		if (!m->wanted)
			continue;
		m->conf = m->next;
		m->fresh = false;
		for (unsigned t = 0; t < N64_TIME_COUNT; t++)
			atomic_store_explicit(&n->core->table->timeouts[i][t], m->conf.timeouts[t],
			    memory_order_relaxed);
		/* Release pairs with the acquire of who gives ports. */
		atomic_store_explicit(&n->core->table->pools[i], m->pool, memory_order_release);
	}
	n->old = (struct n64_world *)atomic_load_explicit(&n->core->world, memory_order_relaxed);
	/* Release pairs with the acquire in n64_body. */
	atomic_store_explicit(&n->core->world, n->then, memory_order_release);
	n->then = NULL;
	mr_generation_bump(&n->core->settings);
	for (struct n64_stage *s = n->stages; s; s = s->next) {
		s->fresh = false;
		if (s->wanted)
			mr_interface_stage_in(mr_interfaces_of(n->dp), s->self.port,
			    s->self.outside ? MR_STAGE_FAMILY_IN : MR_STAGE_FAMILY_OUT, s->node);
		else
			mr_graph_remove_node(mr_dataplane_graph(n->dp), s->node);
	}
}

static void
finish(void *state)
{
	struct mr_nat64 *n = state;
	struct n64_stage **at = &n->stages, *s;

	while ((s = *at)) {
		if (s->wanted) {
			s->wanted = false;
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++) {
		struct n64_made *m = &n->made[i];

		if (m->pool && !m->wanted) {
			n64_flush(n->core->table, (uint8_t)i, n64_now());
			nat_pool_destroy(m->pool);
			*m = (struct n64_made){ 0 };
			atomic_store_explicit(&n->core->table->pools[i], NULL,
			    memory_order_release);
		}
		m->wanted = false;
	}
	world_free(n->old);
	n->old = NULL;
}

/* -- life ----------------------------------------------------------------------------------------- */

static int
create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct mr_nat64 *n = calloc(1, sizeof(*n));

	if (!n)
		return mr_error_set(error, -ENOMEM, "no memory");
	n->dp = dp;
	*state = n;
	return 0;
}

static void
destroy(void *state)
{
	struct mr_nat64 *n = state;
	struct n64_stage *s;
	struct mr_error error;

	if (!n)
		return;
	for (s = n->stages; s; s = s->next)
		mr_graph_remove_node(mr_dataplane_graph(n->dp), s->node);
	if (n->stages)
		(void)mr_graph_commit(mr_dataplane_graph(n->dp), &error);
	while ((s = n->stages)) {
		n->stages = s->next;
		free(s);
	}
	if (n->core)
		world_free((
		    struct n64_world *)atomic_load_explicit(&n->core->world, memory_order_relaxed));
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++)
		nat_pool_destroy(n->made[i].pool);
	n64_core_destroy(n->core, mr_dataplane_buffers(n->dp));
	free(n);
}

static void
tick(void *state, uint32_t seconds)
{
	struct mr_nat64 *n = state;
	uint32_t top;

	if (!n->core)
		return;
	top = atomic_load_explicit(&n->core->table->sessions.top, memory_order_relaxed);
	n64_watch_tick(n, seconds);
	n64_sweep(n->core->table, seconds, top / SWEEP_SECONDS + 1024);
	for (unsigned i = 1; i <= N64_INSTANCES_MAX; i++)
		if (n->made[i].pool)
			nat_pool_tick(n->made[i].pool, seconds);
}

static bool
describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	const struct mr_nat64 *n = state;

	return n->core && n64_describe(n->core, op, text, size);
}

static const struct mr_nf_listing listings[] = {
	{ "nat64-sessions", "sessions", "instance|protocol|address|port", "address" },
	{ 0 },
};

const struct mr_nf mr_nf_nat64 = {
	.name = "nat64",
	.doc = "IPv6 hosts reach IPv4 ones",
	.yang = mr_yang_nat64,
	.create = create,
	.destroy = destroy,
	.check = check,
	.prepare = prepare,
	.commit = commit,
	.finish = finish,
	.abort = abort_change,
	.tick = tick,
	.show = n64_show,
	.stream = n64_stream,
	.listings = listings,
	.describe = describe,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function in one data plane. Each interface that takes part has a node for what comes in, and one
 * that is outside another for what leaves; both have rules of their own, made in prepare, shown to
 * workers in commit, the old ones freed in finish, when no worker reads them any more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nf/dataplane.h"
#include "nf/interface/interface.h"
#include "nf/nptv6/nptv6.h"
#include "nf/nptv6/nptv6_int.h"

extern const char mr_yang_nptv6[];

struct nptv6 {
	struct mr_dataplane *dp;
	struct nptv6_stage *stages;
	struct instance {
		char name[MR_PORT_NAME_MAX];
		struct nptv6_rule rule;
	} * now, *then; /* end with an empty name */
};

/* -- the configuration -------------------------------------------------------------------------- */

static const struct mr_conf *
conf_of(const struct mr_config *config)
{
	return mr_conf_child(mr_conf_root(config), "nptv6");
}

/* "2001:db8::/48", as the model has checked; bits behind its length are no harm. */
static unsigned
read_prefix(const char *text, uint8_t address[16])
{
	char copy[64];
	char *slash;

	snprintf(copy, sizeof(copy), "%s", text ? text : "::/0");
	slash = strchr(copy, '/');
	if (!slash)
		return 0;
	*slash = '\0';
	if (inet_pton(AF_INET6, copy, address) != 1)
		return 0;
	return (unsigned)strtoul(slash + 1, NULL, 10);
}

static unsigned
read_rule(const struct mr_conf *at, struct nptv6_rule *rule)
{
	uint8_t inside[16], outside[16];
	unsigned len = read_prefix(mr_conf_text(at, "inside-prefix", NULL), inside);
	unsigned other = read_prefix(mr_conf_text(at, "outside-prefix", NULL), outside);

	if (len < 1 || len > 64 || len != other)
		return 0;
	nptv6_rule_make(rule, inside, outside, len);
	return len;
}

static bool
overlap(const struct nptv6_rule *a, const struct nptv6_rule *b, unsigned side)
{
	const struct nptv6_rule *wide = a->len < b->len ? a : b, *other = wide == a ? b : a;

	return nptv6_has(wide, side, other->side[side].prefix);
}

static bool
names(const struct mr_conf *at, const char *list, const char *interface)
{
	const struct mr_conf *i;

	mr_conf_each(i, at, list)
		if (strcmp(mr_conf_value(i), interface) == 0)
			return true;
	return false;
}

static bool
meet(const struct mr_conf *a, const struct mr_conf *b, const char *list)
{
	const struct mr_conf *i;

	mr_conf_each(i, a, list)
		if (names(b, list, mr_conf_value(i)))
			return true;
	return false;
}

static void
check_pairs(const struct mr_config *config, struct mr_report *report, const struct mr_conf *at,
    const struct nptv6_rule *rule)
{
	for (const struct mr_conf *other = mr_conf_next(at); other; other = mr_conf_next(other)) {
		struct nptv6_rule second;

		if (!read_rule(other, &second))
			continue;
		if (meet(at, other, "outside") &&
		    (overlap(rule, &second, NPTV6_INSIDE) || overlap(rule, &second, NPTV6_OUTSIDE)))
			mr_report_at(report, config, other,
			    "nptv6 instance %s: its prefixes overlap with those of instance %s on "
			    "the same outside interface",
			    mr_conf_key(other), mr_conf_key(at));
	}
}

/* All interfaces are one router's, and the outside prefix holds none of its addresses: what is for them
 * would go inside. */
static void
check_places(const struct mr_config *config, struct mr_report *report, const struct mr_conf *at,
    const struct nptv6_rule *rule)
{
	const struct mr_conf *router = NULL, *i, *entry;
	uint8_t address[16];
	char user[80];

	snprintf(user, sizeof(user), "nptv6 instance %s", mr_conf_key(at));
	mr_conf_each(i, at, "outside")
		router =
		    mr_interface_need_router(report, config, i, mr_conf_value(i), user, router);
	mr_conf_each(i, at, "inside")
		router =
		    mr_interface_need_router(report, config, i, mr_conf_value(i), user, router);
	mr_conf_each(i, router, "interface")
		mr_conf_each(entry, i, "address")
			if (read_prefix(mr_conf_value(entry), address) &&
			    nptv6_has(rule, NPTV6_OUTSIDE, address))
				mr_report_at(report, config, mr_conf_child(at, "outside-prefix"),
				    "nptv6 instance %s: outside-prefix %s holds %s of interface %s "
				    "of "
				    "router %s, which could not be reached from outside any more: "
				    "take "
				    "a prefix that holds hosts only",
				    mr_conf_key(at), mr_conf_text(at, "outside-prefix", ""),
				    mr_conf_value(entry), mr_conf_key(i), mr_conf_key(router));
}

static void
nptv6_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *at, *i;

	(void)state;
	mr_conf_each(at, conf_of(config), "instance") {
		struct nptv6_rule rule;
		uint8_t address[16];
		unsigned len = read_prefix(mr_conf_text(at, "inside-prefix", NULL), address);
		unsigned other = read_prefix(mr_conf_text(at, "outside-prefix", NULL), address);

		if (len != other)
			mr_report_at(report, config, mr_conf_child(at, "outside-prefix"),
			    "nptv6 instance %s: prefixes of %u and %u bits; both have to be as "
			    "long",
			    mr_conf_key(at), len, other);
		else if (len < 1 || len > 64)
			mr_report_at(report, config, mr_conf_child(at, "inside-prefix"),
			    "nptv6 instance %s: prefixes may have 1 to 64 bits, not %u",
			    mr_conf_key(at), len);
		mr_conf_each(i, at, "inside")
			if (names(at, "outside", mr_conf_value(i)))
				mr_report_at(report, config, i,
				    "nptv6 instance %s: interface %s is both inside and outside",
				    mr_conf_key(at), mr_conf_value(i));
		if (read_rule(at, &rule)) {
			check_places(config, report, at, &rule);
			check_pairs(config, report, at, &rule);
		}
	}
}

const char *
mr_nptv6_uses(const struct mr_config *config, const uint8_t address[16])
{
	const struct mr_conf *at;
	struct nptv6_rule rule;

	mr_conf_each(at, conf_of(config), "instance")
		if (read_rule(at, &rule) && nptv6_has(&rule, NPTV6_OUTSIDE, address))
			return mr_conf_key(at);
	return NULL;
}

/* -- prepare -------------------------------------------------------------------------------------- */

static struct nptv6_stage *
find_stage(struct nptv6 *n, const struct mr_interface *i, bool out)
{
	struct nptv6_stage *s = n->stages;

	while (s && (strcmp(s->name, i->name) != 0 || s->interface != i->index || s->out != out))
		s = s->next;
	return s;
}

static int
get_stage(struct nptv6 *n, const struct mr_interface *i, bool out, struct nptv6_stage **stage,
    struct mr_error *error)
{
	struct nptv6_stage *s = find_stage(n, i, out);
	char name[MR_GRAPH_NAME_MAX];
	int rc;

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return mr_error_set(error, -ENOMEM, "nptv6: no memory");
		snprintf(s->name, sizeof(s->name), "%s", i->name);
		snprintf(name, sizeof(name), "nptv6-%s@%s", out ? "out" : "in", i->name);
		s->interface = i->index;
		s->out = out;
		s->fresh = true;
		rc = mr_graph_add_node(mr_dataplane_graph(n->dp),
		    out ? &nptv6_out_class : &nptv6_in_class, name, s, &s->node, error);
		if (rc) {
			free(s);
			return rc;
		}
		s->next = n->stages;
		n->stages = s;
	}
	s->wanted = true;
	if (!s->then)
		s->then = calloc(1, sizeof(*s->then));
	*stage = s;
	return s->then ? 0 : mr_error_set(error, -ENOMEM, "nptv6: no memory");
}

static int
add_rule(struct nptv6 *n, const char *interface, bool outside, bool out,
    const struct nptv6_rule *rule, struct mr_error *error)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(n->dp), interface);
	struct nptv6_stage *s;
	unsigned *count;
	int rc;

	if (!i)
		return 0;
	rc = get_stage(n, i, out, &s, error);
	if (rc)
		return rc;
	count = outside ? &s->then->outside : &s->then->inside;
	if (*count == NPTV6_RULES_MAX)
		return mr_error_set(error, -ENOSPC, "interface %s: more than %u nptv6 instances",
		    interface, NPTV6_RULES_MAX);
	s->then->rules[outside][(*count)++] = *rule;
	return 0;
}

static int
add_instance(struct nptv6 *n, const struct mr_conf *at, struct instance *instance,
    struct mr_error *error)
{
	const struct mr_conf *i;
	int rc = 0;

	snprintf(instance->name, sizeof(instance->name), "%s", mr_conf_key(at));
	if (!read_rule(at, &instance->rule))
		return mr_error_set(error, -EINVAL, "nptv6 instance %s: its prefixes do not fit",
		    instance->name);
	mr_conf_each(i, at, "outside") {
		for (unsigned out = 0; !rc && out < 2; out++)
			rc = add_rule(n, mr_conf_value(i), true, out, &instance->rule, error);
	}
	mr_conf_each(i, at, "inside")
		if (!rc)
			rc = add_rule(n, mr_conf_value(i), false, false, &instance->rule, error);
	return rc;
}

static void
nptv6_abort(void *state)
{
	struct nptv6 *n = state;
	struct nptv6_stage **at = &n->stages, *s;

	while ((s = *at)) {
		s->wanted = false;
		free(s->then);
		s->then = NULL;
		if (!s->fresh) {
			at = &s->next;
			continue;
		}
		mr_graph_remove_node(mr_dataplane_graph(n->dp), s->node);
		*at = s->next;
		free(s);
	}
	free(n->then);
	n->then = NULL;
}

static int
nptv6_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct nptv6 *n = state;
	const struct mr_conf *at;
	unsigned count = 0;
	int rc = 0;

	n->then = calloc(mr_conf_count(conf_of(config), "instance") + 1, sizeof(*n->then));
	if (!n->then)
		return mr_error_set(error, -ENOMEM, "nptv6: no memory");
	mr_conf_each(at, conf_of(config), "instance")
		if (!rc)
			rc = add_instance(n, at, &n->then[count++], error);
	if (rc)
		nptv6_abort(n);
	return rc;
}

/* -- commit --------------------------------------------------------------------------------------- */

static void
commit_stage(struct nptv6 *n, struct nptv6_stage *s)
{
	struct mr_interfaces *interfaces = mr_interfaces_of(n->dp);

	if (!s->wanted) {
		mr_graph_remove_node(mr_dataplane_graph(n->dp), s->node);
		return;
	}
	s->old = (struct nptv6_set *)atomic_load_explicit(&s->set, memory_order_relaxed);
	/* Release pairs with the acquire in mr_rcu_read. */
	atomic_store_explicit(&s->set, s->then, memory_order_release);
	if (!s->old || memcmp(s->old, s->then, sizeof(*s->then)) != 0)
		mr_generation_bump(&s->generation);
	s->then = NULL;
	s->fresh = false;
	if (s->out)
		mr_interface_stage_out(interfaces, s->interface, MR_STAGE_PREFIX_OUT, s->node);
	else
		mr_interface_stage_in(interfaces, s->interface, MR_STAGE_PREFIX_IN, s->node);
}

static void
nptv6_commit(void *state)
{
	struct nptv6 *n = state;

	for (struct nptv6_stage *s = n->stages; s; s = s->next)
		commit_stage(n, s);
	free(n->now);
	n->now = n->then;
	n->then = NULL;
}

static void
free_stage(struct nptv6_stage *s)
{
	free((void *)atomic_load_explicit(&s->set, memory_order_relaxed));
	free(s->then);
	free(s->old);
	free(s);
}

static void
nptv6_finish(void *state)
{
	struct nptv6 *n = state;
	struct nptv6_stage **at = &n->stages, *s;

	while ((s = *at)) {
		free(s->old);
		s->old = NULL;
		if (s->wanted) {
			s->wanted = false;
			at = &s->next;
			continue;
		}
		*at = s->next;
		free_stage(s);
	}
}

/* -- life ------------------------------------------------------------------------------------------ */

static int
nptv6_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct nptv6 *n = calloc(1, sizeof(*n));

	if (!n)
		return mr_error_set(error, -ENOMEM, "no memory");
	n->dp = dp;
	*state = n;
	return 0;
}

static void
nptv6_destroy(void *state)
{
	struct nptv6 *n = state;
	struct mr_error error;
	struct nptv6_stage *s;

	if (!n)
		return;
	for (s = n->stages; s; s = s->next)
		mr_graph_remove_node(mr_dataplane_graph(n->dp), s->node);
	if (n->stages)
		(void)mr_graph_commit(mr_dataplane_graph(n->dp), &error);
	while ((s = n->stages)) {
		n->stages = s->next;
		free_stage(s);
	}
	free(n->now);
	free(n->then);
	free(n);
}

static void
show_prefix(struct mr_state *st, const char *leaf, const struct nptv6_rule *r, unsigned side)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16] = { 0 };

	memcpy(address, r->side[side].prefix, 8);
	if (inet_ntop(AF_INET6, address, text, sizeof(text)))
		mr_state_format(st, leaf, "%s/%u", text, r->len);
}

static void
nptv6_show(void *state, struct mr_state *st)
{
	static const char *const names_of[] = {
#define X(id, name, doc) [NPTV6_COUNT_##id] = name,
		NPTV6_COUNTERS(X)
#undef X
	};
	const struct nptv6 *n = state;

	if (!n->now || !n->now->name[0])
		return;
	mr_state_open(st, "nptv6");
	for (const struct instance *i = n->now; i->name[0]; i++) {
		mr_state_list(st, "instance-state", i->name);
		show_prefix(st, "inside-prefix", &i->rule, NPTV6_INSIDE);
		show_prefix(st, "outside-prefix", &i->rule, NPTV6_OUTSIDE);
		mr_state_close(st);
	}
	for (const struct nptv6_stage *s = n->stages; s; s = s->next) {
		struct mr_node_stats stats;

		if (s->out || mr_graph_node_stats(mr_dataplane_graph(n->dp), s->node, &stats))
			continue;
		mr_state_list(st, "interface-state", s->name);
		for (unsigned i = 0; i < NPTV6_COUNT_COUNT; i++) {
			const struct nptv6_stage *o = n->stages;
			struct mr_node_stats more = { 0 };

			while (o && (!o->out || o->interface != s->interface))
				o = o->next;
			if (o)
				(void)mr_graph_node_stats(mr_dataplane_graph(n->dp), o->node,
				    &more);
			mr_state_uint(st, names_of[i], stats.counters[i] + more.counters[i]);
		}
		mr_state_close(st);
	}
	mr_state_close(st);
}

const struct mr_nf mr_nf_nptv6 = {
	.name = "nptv6",
	.doc = "IPv6 prefix translation",
	.yang = mr_yang_nptv6,
	.create = nptv6_create,
	.destroy = nptv6_destroy,
	.check = nptv6_check,
	.prepare = nptv6_prepare,
	.commit = nptv6_commit,
	.finish = nptv6_finish,
	.abort = nptv6_abort,
	.show = nptv6_show,
};

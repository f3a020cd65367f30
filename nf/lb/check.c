/* SPDX-License-Identifier: Apache-2.0 */
/* What YANG cannot say about what is wrong with a configuration. */
#include <stdlib.h>
#include <string.h>

#include "nf/lb/control_int.h"

struct checking {
	const struct mr_config *config;
	struct mr_report *report;
	const struct mr_conf *root, *lb;
	struct lb_conf conf;
};

/* -- interfaces ------------------------------------------------------------------------------ */

static void
check_interfaces(struct checking *c)
{
	const struct mr_conf *track = mr_conf_child(c->root, "conntrack"), *at;
	unsigned tracked = 0, count = 0;

	mr_conf_each(at, c->lb, "interface") {
		const char *name = mr_conf_value(at);

		count++;
		if (mr_conf_find(track, "interface", name))
			tracked++;
		(void)mr_interface_need_router(c->report, c->config, at, name, "lb", NULL);
	}
	if (tracked && tracked < count)
		mr_report_at(c->report, c->config, mr_conf_child(c->lb, "interface"),
		    "conntrack tracks some of these interfaces: it has to track all of them or "
		    "none, "
		    "for it sees both directions of a connection as the client does");
	if (!count && mr_conf_child(c->lb, "service"))
		mr_report_at(c->report, c->config, mr_conf_child(c->lb, "service"),
		    "services are reached on interfaces: name them with \"interface\"");
}

/* -- a service ------------------------------------------------------------------------------- */

static bool
is_nat(const struct lb_conf_service *s)
{
	return s->settings.mode == LB_MODE_NAT || s->settings.mode == LB_MODE_FULL;
}

static bool
is_tunnel(const struct lb_conf_service *s)
{
	return s->settings.mode == LB_MODE_IPIP || s->settings.mode == LB_MODE_GUE;
}

static void
check_router(struct checking *c, const struct lb_conf_service *s, const struct mr_conf *at)
{
	const struct mr_conf *router = mr_conf_child(at, "router");

	if (router && s->vrf == LB_NONE)
		mr_report_at(c->report, c->config, router, "there is no router %s", s->router);
	else if (!router && mr_conf_count(c->root, "router") > 1)
		mr_report_at(c->report, c->config, at,
		    "service %s: there are several routers: say which one with \"router\"",
		    s->name);
}

static bool
has_family(const struct lb_ip *ips, unsigned count, bool six)
{
	for (unsigned i = 0; i < count; i++)
		if (ips[i].six == six)
			return true;
	return false;
}

static const char *
family(bool six)
{
	return six ? "IPv6" : "IPv4";
}

/* Which families meet which. */
static void
check_families(struct checking *c, const struct lb_conf_service *s, const struct mr_conf *at)
{
	const struct mr_conf *conf = mr_conf_child(at, "backend");

	for (unsigned i = 0; i < s->backend_count; i++, conf = mr_conf_next(conf)) {
		bool six = s->backends[i].ip.six;

		if (!is_tunnel(s) && !has_family(s->addresses, s->address_count, six))
			mr_report_at(c->report, c->config, mr_conf_child(conf, "address"),
			    "service %s has no %s address, and mode %s does not translate between "
			    "IPv4 and IPv6: give it one, or use ipip or gue",
			    s->name, family(six), lb_mode_names[s->settings.mode]);
	}
	for (unsigned six = 0; six < 2; six++) {
		bool any = !s->backend_count || is_tunnel(s);

		for (unsigned i = 0; i < s->backend_count; i++)
			any |= s->backends[i].ip.six == six;
		if (!any && has_family(s->addresses, s->address_count, six))
			mr_report_at(c->report, c->config, mr_conf_child(at, "address"),
			    "service %s has an %s address but no such server, and mode %s does not "
			    "translate between IPv4 and IPv6: add servers, or use ipip or gue",
			    s->name, family(six), lb_mode_names[s->settings.mode]);
		if (s->settings.mode == LB_MODE_FULL &&
		    has_family(s->addresses, s->address_count, six) &&
		    !has_family(s->sources, s->source_count, six))
			mr_report_at(c->report, c->config, at,
			    "service %s: mode nat-full speaks to servers from addresses of its "
			    "own: name one of %s with \"source-address\"",
			    s->name, family(six));
	}
	if (s->settings.mode != LB_MODE_FULL && s->source_count)
		mr_report_at(c->report, c->config, mr_conf_child(at, "source-address"),
		    "service %s: mode %s keeps clients' addresses; source-address is nat-full's",
		    s->name, lb_mode_names[s->settings.mode]);
}

static void
check_ports(struct checking *c, const struct mr_conf *at)
{
	const struct mr_conf *entry;
	struct lb_ports p;

	mr_conf_each(entry, at, "port")
		if (!lb_ports_read(mr_conf_value(entry), &p))
			mr_report_at(c->report, c->config, entry,
			    "\"%s\" is no range of ports between 1 and 65535",
			    mr_conf_value(entry));
}

static void
check_backends(struct checking *c, const struct lb_conf_service *s, const struct mr_conf *at)
{
	const struct mr_conf *conf = mr_conf_child(at, "backend");

	for (unsigned i = 0; i < s->backend_count; i++, conf = mr_conf_next(conf)) {
		const struct lb_conf_backend *b = &s->backends[i];

		if (b->port && !is_nat(s))
			mr_report_at(c->report, c->config, mr_conf_child(conf, "port"),
			    "server %s: mode %s leaves packets as they are, ports included",
			    b->name, lb_mode_names[s->settings.mode]);
		for (unsigned k = 0; k < s->address_count; k++)
			if (lb_ip_equal(&b->ip, &s->addresses[k]))
				mr_report_at(c->report, c->config, mr_conf_child(conf, "address"),
				    "server %s has the service's own address", b->name);
		for (unsigned k = 0; k < i; k++)
			if (lb_ip_equal(&b->ip, &s->backends[k].ip) &&
			    b->port == s->backends[k].port)
				mr_report_at(c->report, c->config, conf,
				    "server %s is the same as server %s", b->name,
				    s->backends[k].name);
	}
}

static bool
overlap(const struct lb_conf_service *a, const struct lb_conf_service *b)
{
	for (unsigned i = 0; i < a->port_count; i++)
		for (unsigned k = 0; k < b->port_count; k++)
			if (a->ports[i].first <= b->ports[k].last &&
			    b->ports[k].first <= a->ports[i].last)
				return true;
	return false;
}

/* Another service before it with the same address, protocol and port. */
static void
check_others(struct checking *c, unsigned n, const struct mr_conf *at)
{
	const struct lb_conf_service *s = &c->conf.services[n];

	for (unsigned i = 0; i < n; i++) {
		const struct lb_conf_service *o = &c->conf.services[i];

		if (s->vrf != o->vrf || s->settings.proto != o->settings.proto || !overlap(s, o))
			continue;
		for (unsigned k = 0; k < s->address_count; k++)
			for (unsigned m = 0; m < o->address_count; m++)
				if (lb_ip_equal(&s->addresses[k], &o->addresses[m]))
					mr_report_at(c->report, c->config,
					    mr_conf_child(at, "port"),
					    "service %s has an address and a port of service %s",
					    s->name, o->name);
	}
}

/* Whether SYNs can do without an entry is known when all services are. */
static void
check_stateless(struct checking *c)
{
	const struct lb_conf none = { 0 };
	struct mr_hash_key key = { 0 };
	const struct mr_conf *at;
	struct mr_error error;
	struct lb_view *view;
	unsigned i = 0;

	if (lb_conf_number(&c->conf, &none, &error) ||
	    lb_view_make(&view, &c->conf, NULL, &key, &error)) {
		mr_report_at(c->report, c->config, c->lb, "%s", error.text);
		return;
	}
	mr_conf_each(at, c->lb, "service") {
		const struct lb_conf_service *s = &c->conf.services[i++];

		if (s->settings.syn != LB_SYN_ON || view->services[s->number].stateless)
			continue;
		mr_report_at(c->report, c->config, mr_conf_child(at, "syn-protection"),
		    s->settings.mode == LB_MODE_FULL
			? "service %s: mode nat-full needs an entry for every SYN: its server "
			  "answers to a port that was chosen"
			: "service %s: without an entry, a server's answer would have to tell by "
			  "its "
			  "port alone what address and port of which service it is from, and a "
			  "port of these servers stands for several",
		    s->name);
	}
	lb_view_free(view);
}

static void
check_service(struct checking *c, unsigned n, const struct mr_conf *at)
{
	const struct lb_conf_service *s = &c->conf.services[n];

	check_router(c, s, at);
	check_ports(c, at);
	check_families(c, s, at);
	check_backends(c, s, at);
	check_others(c, n, at);
	lb_check_translators(c->config, c->report, s, at);
	if (s->settings.syn == LB_SYN_ON && s->settings.proto != MR_IP_PROTO_TCP)
		mr_report_at(c->report, c->config, mr_conf_child(at, "syn-protection"),
		    "service %s is of UDP, which has no SYNs", s->name);
	if (s->settings.syn == LB_SYN_ON && s->settings.scheduler != LB_MAGLEV)
		mr_report_at(c->report, c->config, mr_conf_child(at, "syn-protection"),
		    "service %s: without an entry for SYNs its scheduler can only be maglev",
		    s->name);
}

void
lb_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_lb *lb = state;
	struct checking c = { .config = config, .report = report, .root = mr_conf_root(config) };
	const struct mr_conf *at;
	struct mr_error error;
	unsigned n = 0;

	c.lb = mr_conf_child(c.root, "lb");
	if (!c.lb)
		return;
	if (lb_conf_read(&c.conf, config, &error)) {
		mr_report_at(report, config, c.lb, "%s", error.text);
		return;
	}
	if (lb && lb->core && c.conf.service_count && c.conf.max != lb->core->table->max)
		mr_report_at(report, config, mr_conf_child(c.lb, "max"),
		    "the table is made for %u connections and cannot be changed while it is in "
		    "use; restart for another size",
		    lb->core->table->max);
	check_interfaces(&c);
	mr_conf_each(at, c.lb, "service")
		check_service(&c, n++, at);
	check_stateless(&c);
	lb_conf_free(&c.conf);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What YANG cannot say about what is wrong with a configuration: with one instance, with several, and,
 * for functions that come behind this one, which addresses and ports are translated already.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/nat/alg.h"
#include "nf/nat/control_int.h"

/* -- an instance --------------------------------------------------------------------------- */

static void
check_ranges(struct mr_report *report, const struct mr_config *config, const struct mr_conf *conf,
    const char *name)
{
	const struct mr_conf *at;

	mr_conf_each(at, conf, name) {
		struct nat_range r = nat_conf_range(mr_conf_value(at));

		if (r.first > r.last)
			mr_report_at(report, config, at, "%s goes downwards", mr_conf_value(at));
		else if (strcmp(name, "pool") == 0 && r.last - r.first >= NAT_POOL_ADDRESSES_MAX)
			mr_report_at(report, config, at, "more than %u addresses",
			    NAT_POOL_ADDRESSES_MAX);
	}
}

static void
read_forward(const struct mr_conf *at, struct nat_conf_forward *f)
{
	memset(f, 0, sizeof(*f));
	f->protocol = strcmp(mr_conf_text(at, "protocol", "tcp"), "tcp") == 0;
	f->outside = nat_conf_address(mr_conf_text(at, "outside", "0.0.0.0"));
	f->to = nat_conf_address(mr_conf_text(at, "to", ""));
	nat_conf_ports(mr_conf_text(at, "port", "0"), &f->first, &f->last);
	f->to_port = (uint16_t)mr_conf_uint(at, "to-port", f->first);
}

static void
check_forward(struct mr_report *report, const struct mr_config *config, const struct mr_conf *at)
{
	const struct mr_conf *other;
	struct nat_conf_forward f, g;

	read_forward(at, &f);
	if (f.first > f.last) {
		mr_report_at(report, config, mr_conf_child(at, "port"), "%s goes downwards",
		    mr_conf_text(at, "port", ""));
		return;
	}
	if (f.to_port + (f.last - f.first) > 65535)
		mr_report_at(report, config, mr_conf_child(at, "to-port"),
		    "the inside's ports would go past 65535");
	for (other = mr_conf_next(at); other; other = mr_conf_next(other)) {
		uint16_t end, other_end;

		read_forward(other, &g);
		end = (uint16_t)(f.to_port + (f.last - f.first));
		other_end = (uint16_t)(g.to_port + (g.last - g.first));
		if (f.protocol != g.protocol)
			continue;
		if (f.outside == g.outside && f.first <= g.last && g.first <= f.last)
			mr_report_at(report, config, other, "has ports that %s has already",
			    mr_conf_key(at));
		else if (f.to == g.to && f.to_port <= other_end && g.to_port <= end)
			mr_report_at(report, config, other,
			    "leads where %s leads: an inside port has one outside port, for what "
			    "it "
			    "sends by itself",
			    mr_conf_key(at));
	}
}

static void
check_static(struct mr_report *report, const struct mr_config *config, const struct mr_conf *at)
{
	const struct mr_conf *other;

	for (other = mr_conf_next(at); other; other = mr_conf_next(other)) {
		if (strcmp(mr_conf_text(at, "outside", ""), mr_conf_text(other, "outside", "")) ==
		    0)
			mr_report_at(report, config, mr_conf_child(other, "outside"),
			    "%s is that of %s", mr_conf_text(other, "outside", ""),
			    mr_conf_key(at));
		if (strcmp(mr_conf_text(at, "inside", ""), mr_conf_text(other, "inside", "")) == 0)
			mr_report_at(report, config, mr_conf_child(other, "inside"),
			    "%s is that of %s", mr_conf_text(other, "inside", ""), mr_conf_key(at));
	}
}

/* Two names of the same frames: of one interface, or of one and a VLAN of it. */
static bool
same_place(const struct mr_config *config, const char *a, const char *b)
{
	const char *port, *other;
	uint16_t vlan, tag;

	return mr_interface_place(config, a, &port, &vlan) &&
	    mr_interface_place(config, b, &other, &tag) && strcmp(port, other) == 0 &&
	    (vlan == tag || vlan == NAT_ALL_VLANS || tag == NAT_ALL_VLANS);
}

static bool
stands_on(const struct mr_config *config, const struct mr_conf *conf, const char *side,
    const char *name)
{
	const struct mr_conf *at;

	mr_conf_each(at, conf, side)
		if (same_place(config, mr_conf_value(at), name))
			return true;
	return false;
}

static bool
is_crossed(const struct mr_config *config, const char *name)
{
	const struct mr_conf *in = mr_conf_find(mr_conf_root(config), "interface", name);

	return mr_conf_present(in, "cross-connect");
}

/* A translator in a wire: with addresses that the outside sends to whoever is inside. */
static bool
is_in_a_wire(const struct mr_config *config, const struct mr_conf *conf)
{
	const struct mr_conf *at;

	if (!mr_conf_child(conf, "pool") && !mr_conf_child(conf, "static"))
		return false;
	for (unsigned side = 0; side < 2; side++)
		mr_conf_each(at, conf, side ? "inside" : "outside")
			if (!is_crossed(config, mr_conf_value(at)))
				return false;
	return true;
}

/* The next IPv4 network of an interface of a router, at or behind `at`. */
static const struct mr_conf *
network(const struct mr_conf *at, struct nat_range *r)
{
	while (at && strchr(mr_conf_value(at), ':'))
		at = mr_conf_next(at);
	if (at)
		*r = nat_conf_range(mr_conf_value(at));
	return at;
}

/* The same addresses inside and outside would be somebody's whom the other side cannot reach
 * (RFC 4787, REQ-7). */
static void
check_networks(struct mr_report *report, const struct mr_conf *router,
    const struct mr_config *config, const struct mr_conf *conf)
{
	const struct mr_conf *in, *out, *a, *b;
	struct nat_range x, y;

	mr_conf_each(in, conf, "inside") {
		a = mr_conf_child(mr_conf_find(router, "interface", mr_conf_value(in)), "address");
		for (a = network(a, &x); a; a = network(mr_conf_next(a), &x))
			mr_conf_each(out, conf, "outside") {
				b = mr_conf_find(router, "interface", mr_conf_value(out));
				b = network(mr_conf_child(b, "address"), &y);
				for (; b; b = network(mr_conf_next(b), &y))
					if (x.first <= y.last && y.first <= x.last)
						mr_report_at(report, config, in,
						    "%s has addresses that %s has outside: %s and "
						    "%s",
						    mr_conf_value(in), mr_conf_value(out),
						    mr_conf_value(a), mr_conf_value(b));
			}
	}
}

static void
check_places(struct mr_report *report, const struct mr_config *config, const struct mr_conf *conf)
{
	const struct mr_conf *at, *router = NULL;
	char user[80];

	snprintf(user, sizeof(user), "nat instance %s", mr_conf_key(conf));
	mr_conf_each(at, conf, "inside")
		if (stands_on(config, conf, "outside", mr_conf_value(at)))
			mr_report_at(report, config, at, "%s is outside, too", mr_conf_value(at));
	if (is_in_a_wire(config, conf))
		return;
	mr_conf_each(at, conf, "outside")
		router =
		    mr_interface_need_router(report, config, at, mr_conf_value(at), user, router);
	mr_conf_each(at, conf, "inside")
		router =
		    mr_interface_need_router(report, config, at, mr_conf_value(at), user, router);
	check_networks(report, router, config, conf);
}

/* What is shared is told apart by the remote end. */
static void
check_overloading(struct mr_report *report, const struct mr_config *config,
    const struct mr_conf *conf)
{
	const struct mr_conf *others[] = {
		mr_conf_child(mr_conf_child(conf, "block"), "size"),
		mr_conf_child(mr_conf_child(conf, "deterministic"), "inside"),
	};
	const struct mr_conf *at = mr_conf_child(conf, "port-overloading");

	if (!mr_conf_bool(conf, "port-overloading", false))
		return;
	if (strcmp(mr_conf_text(conf, "mapping", ""), "address-and-port-dependent") != 0)
		mr_report_at(report, config, at,
		    "ports are shared with mapping address-and-port-dependent only");
	for (unsigned i = 0; i < MR_ARRAY_COUNT(others); i++)
		if (others[i])
			mr_report_at(report, config, at,
			    "ports are not shared with \"%s\": its log would not say who had one",
			    i ? "deterministic" : "block");
	if (mr_conf_bool(conf, "log-mappings", false))
		mr_report_at(report, config, at,
		    "ports are not shared with \"log-mappings\": the log would not say who had "
		    "one");
}

/* Who asks is asked at an address of the inside's. */
static void
check_pcp(struct mr_report *report, const struct mr_config *config, const struct mr_conf *conf)
{
	const struct mr_conf *pcp = mr_conf_child(conf, "pcp"), *on = mr_conf_child(pcp, "enabled");

	if (!mr_conf_bool(pcp, "enabled", false))
		return;
	if (!mr_conf_child(conf, "inside"))
		mr_report_at(report, config, on,
		    "nobody can ask for mappings without \"inside\": where they are asked for");
	else if (is_in_a_wire(config, conf))
		mr_report_at(report, config, on,
		    "a translator in a wire has no address that could be asked");
	if (mr_conf_uint(pcp, "lifetime-min", 120) > mr_conf_uint(pcp, "lifetime-max", 86400))
		mr_report_at(report, config, mr_conf_child(pcp, "lifetime-min"),
		    "more than lifetime-max");
}

static void
check_instance(struct mr_report *report, const struct mr_config *config, const struct mr_conf *conf)
{
	struct nat_pool_config ports = { 0 };
	struct nat_ranges pool = { 0 };
	const struct mr_conf *at;
	uint16_t first, last;

	check_ranges(report, config, conf, "pool");
	check_ranges(report, config, conf, "source");
	check_ranges(report, config, conf, "exclude");
	nat_conf_ports(mr_conf_text(conf, "ports", "1024-65535"), &first, &last);
	if (first > last)
		mr_report_at(report, config, mr_conf_child(conf, "ports"), "%s goes downwards",
		    mr_conf_text(conf, "ports", ""));
	nat_conf_pool(&ports, conf);
	if (!nat_conf_ranges(&pool, conf, "pool"))
		nat_cgnat_check(report, config, conf, &ports, pool.at, pool.count);
	free(pool.at);
	check_places(report, config, conf);
	check_overloading(report, config, conf);
	check_pcp(report, config, conf);
	mr_conf_each(at, conf, "alg")
		if (!nat_conf_alg(mr_conf_value(at)))
			mr_report_at(report, config, at, "there is no ALG for \"%s\"",
			    mr_conf_value(at));
	mr_conf_each(at, conf, "forward")
		check_forward(report, config, at);
	mr_conf_each(at, conf, "static")
		check_static(report, config, at);
}

/* -- whose an address is ------------------------------------------------------------------------ */

const struct mr_conf *
nat_conf_router(const struct mr_config *config, const struct mr_conf *instance)
{
	struct mr_report *none;
	const struct mr_conf *at = mr_conf_child(instance, "outside"), *router = NULL;

	if (!at || mr_report_create(&none))
		return NULL;
	router = mr_interface_need_router(none, config, at, mr_conf_value(at), "", NULL);
	mr_report_destroy(none);
	return router;
}

static bool
in_list(const struct mr_conf *instance, const char *list, struct nat_range r)
{
	const struct mr_conf *at;

	mr_conf_each(at, instance, list) {
		struct nat_range x = nat_conf_range(mr_conf_value(at));

		if (x.first <= r.last && r.first <= x.last)
			return true;
	}
	return false;
}

static bool
meets(const char *address, struct nat_range r)
{
	uint32_t a = mr_be32(nat_conf_address(address));

	return a >= r.first && a <= r.last;
}

/* Addresses that the router has on the instance's outside interfaces, as far as they are written
 * down. */
static bool
is_on_interface(const struct mr_config *config, const struct mr_conf *instance, struct nat_range r)
{
	const struct mr_conf *router = nat_conf_router(config, instance), *in, *at;
	char text[64];

	mr_conf_each(in, router, "interface") {
		if (mr_conf_bool(in, "loopback", false) ||
		    !stands_on(config, instance, "outside", mr_conf_key(in)))
			continue;
		mr_conf_each(at, in, "address") {
			snprintf(text, sizeof(text), "%s", mr_conf_value(at));
			text[strcspn(text, "/")] = '\0';
			if (!strchr(text, ':') && meets(text, r))
				return true;
		}
	}
	return false;
}

/* Whether the instance uses ports of an address; of forwards the name is put down. */
static bool
uses_ports(const struct mr_conf *instance, struct nat_range r, uint16_t first, uint16_t last,
    char *what, size_t size)
{
	const char *ports = mr_conf_text(instance, "ports", "1024-65535");
	const struct mr_conf *at;
	uint16_t a, b;

	nat_conf_ports(ports, &a, &b);
	snprintf(what, size, "its ports %s", ports);
	if (first <= b && a <= last)
		return true;
	mr_conf_each(at, instance, "forward") {
		const char *outside = mr_conf_text(at, "outside", NULL);

		nat_conf_ports(mr_conf_text(at, "port", "0"), &a, &b);
		snprintf(what, size, "its forward %s", mr_conf_key(at));
		if (first <= b && a <= last && (!outside || meets(outside, r)))
			return true;
	}
	return false;
}

static bool
uses(const struct mr_config *config, const struct mr_conf *instance, const struct mr_nat_span *span,
    struct mr_nat_use *use)
{
	struct nat_range r = { span->first, span->last };
	const struct mr_conf *at;
	bool own = is_on_interface(config, instance, r), pool = in_list(instance, "pool", r);

	*use = (struct mr_nat_use){ .instance = mr_conf_key(instance) };
	mr_conf_each(at, instance, "static") {
		snprintf(use->what, sizeof(use->what), "its static %s", mr_conf_key(at));
		if (meets(mr_conf_text(at, "outside", ""), r))
			return true;
	}
	if (!pool && !(own && !mr_conf_child(instance, "pool")))
		return false;
	/* What comes for one of these and belongs to no mapping goes no further. */
	if (span->behind && pool && !own) {
		snprintf(use->what, sizeof(use->what), "its pool");
		return true;
	}
	return uses_ports(instance, r, span->port_first, span->port_last, use->what,
	    sizeof(use->what));
}

bool
mr_nat_uses(const struct mr_config *config, const struct mr_conf *router,
    const struct mr_nat_span *span, struct mr_nat_use *use)
{
	const struct mr_conf *at;

	mr_conf_each(at, mr_conf_child(mr_conf_root(config), "nat"), "instance")
		if (nat_conf_router(config, at) == router && uses(config, at, span, use))
			return true;
	return false;
}

/* -- several ---------------------------------------------------------------------------------- */

static bool
share_outside(const struct mr_config *config, const struct mr_conf *a, const struct mr_conf *b)
{
	const struct mr_conf *at;

	mr_conf_each(at, a, "outside")
		if (stands_on(config, b, "outside", mr_conf_value(at)))
			return true;
	return false;
}

static bool
has(const struct mr_config *config, const struct mr_conf *instance, struct nat_range r)
{
	const struct mr_conf *at;

	if (in_list(instance, "pool", r) ||
	    (!mr_conf_child(instance, "pool") && is_on_interface(config, instance, r)))
		return true;
	mr_conf_each(at, instance, "static")
		if (meets(mr_conf_text(at, "outside", ""), r))
			return true;
	return false;
}

/* What comes back says by its address whose it is. */
static void
check_pair(struct mr_report *report, const struct mr_config *config, const struct mr_conf *a,
    const struct mr_conf *b)
{
	const struct mr_conf *at;
	bool both = !mr_conf_child(a, "pool") && !mr_conf_child(b, "pool");

	if (!share_outside(config, a, b))
		return;
	mr_conf_each(at, b, "pool")
		both |= has(config, a, nat_conf_range(mr_conf_value(at)));
	mr_conf_each(at, b, "static")
		both |= has(config, a, nat_conf_range(mr_conf_text(at, "outside", "")));
	mr_conf_each(at, a, "static")
		both |= has(config, b, nat_conf_range(mr_conf_text(at, "outside", "")));
	mr_conf_each(at, a, "pool")
		both |= has(config, b, nat_conf_range(mr_conf_value(at)));
	if (both)
		mr_report_at(report, config, b,
		    "nat instance %s: has an outside address of instance %s on the same interface, "
		    "which would get its answers: give each a \"pool\" of its own",
		    mr_conf_key(b), mr_conf_key(a));
}

/* A forward is of an address that the instance has. */
static void
check_forwards(struct mr_report *report, const struct mr_config *config,
    const struct mr_conf *instance)
{
	const struct mr_conf *at;

	mr_conf_each(at, instance, "forward") {
		const char *outside = mr_conf_text(at, "outside", NULL);

		if (outside && mr_conf_child(instance, "pool") &&
		    !in_list(instance, "pool", nat_conf_range(outside)))
			mr_report_at(report, config, mr_conf_child(at, "outside"),
			    "nat instance %s: forward %s is of %s, which is not in the pool",
			    mr_conf_key(instance), mr_conf_key(at), outside);
	}
}

/* How many names of this interface and of its VLANs are on this side, of all instances. */
static unsigned
count_of(const struct mr_config *config, const struct mr_conf *conf, const char *side,
    const char *name)
{
	const struct mr_conf *instance, *at;
	const char *port, *other;
	unsigned n = 0;
	uint16_t vlan;

	if (!mr_interface_place(config, name, &port, &vlan))
		return 0;
	mr_conf_each(instance, conf, "instance")
		mr_conf_each(at, instance, side)
			n += mr_interface_place(config, mr_conf_value(at), &other, &vlan) &&
			    strcmp(port, other) == 0;
	return n;
}

void
nat_conf_check(const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *conf = mr_conf_child(mr_conf_root(config), "nat"), *at, *name;

	mr_conf_each(at, conf, "instance") {
		const struct mr_conf *other;

		check_instance(report, config, at);
		check_forwards(report, config, at);
		for (other = mr_conf_next(at); other; other = mr_conf_next(other))
			check_pair(report, config, at, other);
		for (unsigned side = 0; side < 2; side++)
			mr_conf_each(name, at, side ? "inside" : "outside")
				if (count_of(config, conf, side ? "inside" : "outside",
					mr_conf_value(name)) > NAT_EACH)
					mr_report_at(report, config, name,
					    "more than %u instances have %s, or VLANs of its "
					    "interface, there",
					    NAT_EACH, mr_conf_value(name));
	}
}

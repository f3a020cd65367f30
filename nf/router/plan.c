/* SPDX-License-Identifier: Apache-2.0 */
/* From the configuration to a plan, and what YANG cannot say about what is wrong with one. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/router/router_int.h"

/* "192.0.2.1/24", or without its length where `len` is null. False: not an address. */
static bool
read_address(const char *text, uint8_t *family, uint8_t bytes[16], uint8_t *len)
{
	char copy[64];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long n;
	char *end;

	if (size >= sizeof(copy) || (len && !slash))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	memset(bytes, 0, 16);
	if (inet_pton(AF_INET, copy, bytes) == 1)
		*family = MR_IP4;
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		*family = MR_IP6;
	else
		return false;
	if (!len)
		return true;
	n = strtoul(slash + 1, &end, 10);
	if (*end || n > (*family == MR_IP4 ? 32 : 128))
		return false;
	*len = (uint8_t)n;
	return true;
}

static bool
is_link_local(uint8_t family, const uint8_t *bytes)
{
	return family == MR_IP6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* An address that an interface may have. */
static bool
is_host_address(uint8_t family, const uint8_t *b)
{
	if (family == MR_IP4)
		return b[0] != 0 && b[0] != 127 && b[0] < 224;
	for (unsigned i = 0; i < 15; i++)
		if (b[i])
			return b[0] != 0xff;
	return false;
}

/* -- what is wrong -------------------------------------------------------------------- */

/* The entry of another router, or of this one before it, that has the same name. */
static const struct mr_conf *
earlier(const struct mr_config *config, const struct mr_conf *interface)
{
	const struct mr_conf *router;

	mr_conf_each(router, mr_conf_root(config), "router") {
		if (router == mr_conf_parent(interface))
			return NULL;
		if (mr_conf_find(router, "interface", mr_conf_key(interface)))
			return router;
	}
	return NULL;
}

static void
check_addresses(const struct mr_config *config, const struct mr_conf *interface,
    struct mr_report *report)
{
	uint8_t family, len, bytes[16];
	const struct mr_conf *entry;
	unsigned count = 0;

	mr_conf_each(entry, interface, "address") {
		if (++count == MR_IP_ADDRESSES_MAX)
			mr_report_at(report, config, entry, "more than %u addresses",
			    MR_IP_ADDRESSES_MAX - 1);
		if (!read_address(mr_conf_value(entry), &family, bytes, &len))
			mr_report_at(report, config, entry, "\"%s\" is not an address",
			    mr_conf_value(entry));
		else if (!is_host_address(family, bytes))
			mr_report_at(report, config, entry, "%s is not an address of a host",
			    mr_conf_value(entry));
	}
}

static void
check_kind(const struct mr_config *config, const struct mr_conf *interface,
    struct mr_report *report)
{
	const char *name = mr_conf_key(interface);
	const char *parent = mr_conf_text(interface, "parent", NULL);
	const char *borrowed = mr_conf_text(interface, "unnumbered", NULL);
	bool loopback = mr_conf_bool(interface, "loopback", false);
	bool vlan = mr_conf_present(interface, "vlan");
	const struct mr_conf *other;

	if (loopback && (parent || vlan))
		mr_report_at(report, config, interface,
		    "a loopback has neither a parent nor a VLAN");
	if (vlan && !parent)
		mr_report_at(report, config, mr_conf_child(interface, "vlan"),
		    "name the interface whose VLAN it is with \"parent\"");
	if (!loopback && !parent && !mr_conf_find(mr_conf_root(config), "interface", name))
		mr_report_at(report, config, interface,
		    "there is no interface %s; a VLAN of one has a \"parent\", a loopback says "
		    "\"loopback: true\"",
		    name);
	if (!borrowed)
		return;
	other = mr_conf_find(mr_conf_parent(interface), "interface", borrowed);
	if (!other)
		mr_report_at(report, config, mr_conf_child(interface, "unnumbered"),
		    "router %s has no interface %s", mr_conf_key(mr_conf_parent(interface)),
		    borrowed);
	else if (mr_conf_present(other, "unnumbered"))
		mr_report_at(report, config, mr_conf_child(interface, "unnumbered"),
		    "%s has no addresses of its own either", borrowed);
	if (mr_conf_present(interface, "address"))
		mr_report_at(report, config, mr_conf_child(interface, "unnumbered"),
		    "an unnumbered interface has no addresses of its own");
}

/* Another one, earlier in the file, on the same port with the same tag. */
static void
check_tag(const struct mr_config *config, const struct mr_conf *interface, struct mr_report *report)
{
	const char *parent = mr_conf_text(interface, "parent", mr_conf_key(interface));
	uint64_t vlan = mr_conf_uint(interface, "vlan", 0);
	const struct mr_conf *router, *other;

	if (mr_conf_bool(interface, "loopback", false))
		return;
	mr_conf_each(router, mr_conf_root(config), "router") {
		mr_conf_each(other, router, "interface") {
			if (other == interface)
				return;
			if (mr_conf_bool(other, "loopback", false) ||
			    mr_conf_uint(other, "vlan", 0) != vlan ||
			    strcmp(mr_conf_text(other, "parent", mr_conf_key(other)), parent))
				continue;
			mr_report_at(report, config, interface,
			    "interface %s of router %s has the same frames", mr_conf_key(other),
			    mr_conf_key(router));
			return;
		}
	}
}

static void
check_interface(const struct mr_config *config, const struct mr_conf *interface,
    struct mr_report *report)
{
	const struct mr_conf *other = earlier(config, interface);
	const char *parent = mr_conf_text(interface, "parent", mr_conf_key(interface));
	char user[80];

	if (other)
		mr_report_at(report, config, interface, "router %s has an interface of that name",
		    mr_conf_key(other));
	check_kind(config, interface, report);
	check_tag(config, interface, report);
	check_addresses(config, interface, report);
	if (mr_conf_bool(interface, "loopback", false))
		return;
	snprintf(user, sizeof(user), "router %s", mr_conf_key(mr_conf_parent(interface)));
	mr_interface_claim(report, config, interface, parent, user);
}

static void
check_hop(const struct mr_config *config, const struct mr_conf *at, const struct mr_conf *router,
    const char *interface, struct mr_report *report)
{
	if (interface && !mr_conf_find(router, "interface", interface))
		mr_report_at(report, config, at, "router %s has no interface %s",
		    mr_conf_key(router), interface);
}

static void
check_route(const struct mr_config *config, const struct mr_conf *route, struct mr_report *report)
{
	const struct mr_conf *router = mr_conf_parent(route), *hop;
	bool forwards = !strcmp(mr_conf_text(route, "action", "forward"), "forward");
	bool has_hops = mr_conf_present(route, "via") || mr_conf_present(route, "interface") ||
	    mr_conf_present(route, "next-hop");
	bool six = strchr(mr_conf_key(route), ':') != NULL;

	if (forwards && !has_hops)
		mr_report_at(report, config, route, "says neither \"via\" nor \"interface\"");
	if (!forwards && has_hops)
		mr_report_at(report, config, route, "has an action and next hops as well");
	check_hop(config, mr_conf_child(route, "interface"), router,
	    mr_conf_text(route, "interface", NULL), report);
	mr_conf_each(hop, route, "via")
		if (six && !strchr(mr_conf_value(hop), ':'))
			mr_report_at(report, config, hop,
			    "an IPv6 route cannot go via an IPv4 address");
	mr_conf_each(hop, route, "next-hop") {
		const char *via = mr_conf_text(hop, "via", NULL);

		if (!via && !mr_conf_present(hop, "interface"))
			mr_report_at(report, config, hop, "says neither \"via\" nor \"interface\"");
		if (six && via && !strchr(via, ':'))
			mr_report_at(report, config, hop,
			    "an IPv6 route cannot go via an IPv4 address");
		check_hop(config, hop, router, mr_conf_text(hop, "interface", NULL), report);
	}
}

void
router_check(const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *router, *entry;

	mr_conf_each(router, mr_conf_root(config), "router") {
		mr_conf_each(entry, router, "interface")
			check_interface(config, entry, report);
		mr_conf_each(entry, router, "route")
			check_route(config, entry, report);
	}
}

/* -- the plan ------------------------------------------------------------------------- */

struct plan_interface *
router_plan_interface(const struct plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->interface_count; i++)
		if (strcmp(plan->interfaces[i].name, name) == 0)
			return &plan->interfaces[i];
	return NULL;
}

static uint32_t
flags_of(const struct mr_conf *conf)
{
	static const struct {
		const char *leaf;
		uint32_t flag;
	} switches[] = {
		{ "clamp-mss", MR_IP_CLAMP },
		{ "redirects", MR_IP_REDIRECTS },
		{ "unreachables", MR_IP_UNREACHABLES },
		{ "directed-broadcasts", MR_IP_DIRECTED },
		{ "loopback", MR_IP_LOOPBACK },
	};
	const char *four = mr_conf_text(conf, "reverse-path4", "off");
	const char *six = mr_conf_text(conf, "reverse-path6", "off");
	uint32_t flags = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(switches); i++)
		if (mr_conf_bool(conf, switches[i].leaf, false))
			flags |= switches[i].flag;
	if (strcmp(four, "off"))
		flags |= strcmp(four, "strict") ? MR_IP_URPF4_LOOSE : MR_IP_URPF4_STRICT;
	if (strcmp(six, "off"))
		flags |= strcmp(six, "strict") ? MR_IP_URPF6_LOOSE : MR_IP_URPF6_STRICT;
	return flags;
}

static bool
has_family(const struct plan_interface *p, uint8_t family)
{
	for (uint32_t i = 0; i < p->address_count; i++)
		if (p->addresses[i].family == family)
			return true;
	return false;
}

static void
read_interface(struct plan_interface *p, const struct mr_conf *conf, uint16_t vrf)
{
	bool loopback = mr_conf_bool(conf, "loopback", false);
	const struct mr_conf *entry;

	memset(p, 0, sizeof(*p));
	p->vrf = vrf;
	snprintf(p->name, sizeof(p->name), "%s", mr_conf_key(conf));
	if (!loopback)
		snprintf(p->parent, sizeof(p->parent), "%s",
		    mr_conf_text(conf, "parent", mr_conf_key(conf)));
	snprintf(p->unnumbered, sizeof(p->unnumbered), "%s", mr_conf_text(conf, "unnumbered", ""));
	p->vlan = (uint16_t)mr_conf_uint(conf, "vlan", 0);
	p->mtu = (uint16_t)mr_conf_uint(conf, "mtu", 0);
	p->clamp4 = (uint16_t)mr_conf_uint(conf, "clamp-mss4", 0);
	p->clamp6 = (uint16_t)mr_conf_uint(conf, "clamp-mss6", 0);
	p->flags = flags_of(conf);
	p->has_mac = mr_conf_mac(conf, "mac", p->mac);
	mr_conf_each(entry, conf, "address") {
		struct mr_ip_address *a = &p->addresses[p->address_count];

		/* One place stays free for the link-local address. */
		if (p->address_count == MR_IP_ADDRESSES_MAX - 1 ||
		    !read_address(mr_conf_value(entry), &a->family, a->bytes, &a->len))
			break;
		a->link_local = is_link_local(a->family, a->bytes);
		p->address_count++;
	}
	p->ipv6 = mr_conf_bool(conf, "ipv6", has_family(p, MR_IP6));
}

static int
read_hops(struct plan_route *r, const struct mr_conf *conf)
{
	const char *interface = mr_conf_text(conf, "interface", "");
	const char *action = mr_conf_text(conf, "action", "forward");
	size_t count = mr_conf_count(conf, "via") + mr_conf_count(conf, "next-hop") + 1;
	const struct mr_conf *entry;
	struct plan_hop *h;

	r->hops = calloc(count, sizeof(*r->hops));
	if (!r->hops)
		return -ENOMEM;
	h = r->hops;
	mr_conf_each(entry, conf, "via") {
		h->hop.kind = MR_HOP_VIA;
		h->hop.weight = 1;
		read_address(mr_conf_value(entry), &h->hop.family, h->hop.address, NULL);
		snprintf(h->interface, sizeof(h->interface), "%s", interface);
		h++;
	}
	mr_conf_each(entry, conf, "next-hop") {
		const char *via = mr_conf_text(entry, "via", NULL);

		h->hop.kind = via ? MR_HOP_VIA : MR_HOP_DIRECT;
		h->hop.family = r->route.family;
		h->hop.weight = (uint16_t)mr_conf_uint(entry, "weight", 1);
		h->hop.onlink = mr_conf_bool(entry, "onlink", false);
		if (via)
			read_address(via, &h->hop.family, h->hop.address, NULL);
		snprintf(h->interface, sizeof(h->interface), "%s",
		    mr_conf_text(entry, "interface", ""));
		h++;
	}
	if (h == r->hops && interface[0]) {
		h->hop.kind = MR_HOP_DIRECT;
		h->hop.family = r->route.family;
		h->hop.weight = 1;
		snprintf(h->interface, sizeof(h->interface), "%s", interface);
		h++;
	}
	if (strcmp(action, "forward")) {
		h->hop.kind = MR_HOP_SPECIAL;
		h->hop.weight = 1;
		h->hop.special = !strcmp(action, "blackhole") ? MR_IP_SPECIAL_BLACKHOLE
		    : !strcmp(action, "prohibit")             ? MR_IP_SPECIAL_PROHIBIT
							      : MR_IP_SPECIAL_UNREACHABLE;
		h++;
	}
	r->route.hop_count = (uint16_t)(h - r->hops);
	return 0;
}

static int
read_route(struct plan_route *r, const struct mr_conf *conf, uint16_t vrf)
{
	memset(r, 0, sizeof(*r));
	r->vrf = vrf;
	r->route.source = MR_ROUTE_STATIC;
	r->route.protocol = RTPROT_STATIC;
	r->route.metric = (uint32_t)mr_conf_uint(conf, "metric", 0);
	if (!read_address(mr_conf_key(conf), &r->route.family, r->route.prefix, &r->route.len))
		return -EINVAL;
	return read_hops(r, conf);
}

int
router_plan_read(struct plan *plan, const struct mr_config *config, struct mr_error *error)
{
	size_t vrfs = mr_conf_count(mr_conf_root(config), "router"), interfaces = 0, routes = 0;
	const struct mr_conf *router, *entry;

	memset(plan, 0, sizeof(*plan));
	mr_conf_each(router, mr_conf_root(config), "router") {
		interfaces += mr_conf_count(router, "interface");
		routes += mr_conf_count(router, "route");
	}
	plan->vrfs = calloc(vrfs + 1, sizeof(*plan->vrfs));
	plan->interfaces = calloc(interfaces + 1, sizeof(*plan->interfaces));
	plan->routes = calloc(routes + 1, sizeof(*plan->routes));
	if (!plan->vrfs || !plan->interfaces || !plan->routes)
		goto no_memory;
	mr_conf_each(router, mr_conf_root(config), "router") {
		uint16_t vrf = (uint16_t)plan->vrf_count++;

		snprintf(plan->vrfs[vrf].name, sizeof(plan->vrfs[vrf].name), "%s",
		    mr_conf_key(router));
		mr_conf_each(entry, router, "interface")
			read_interface(&plan->interfaces[plan->interface_count++], entry, vrf);
		mr_conf_each(entry, router, "route") {
			int rc = read_route(&plan->routes[plan->route_count++], entry, vrf);

			if (rc == -ENOMEM)
				goto no_memory;
			if (rc)
				return mr_error_set(error, rc, "route %s of router %s",
				    mr_conf_key(entry), mr_conf_key(router));
		}
	}
	/* Those that borrow speak IPv6 when their lender does. */
	for (uint32_t i = 0; i < plan->interface_count; i++) {
		struct plan_interface *p = &plan->interfaces[i];
		const struct plan_interface *of = router_plan_interface(plan, p->unnumbered);

		if (of)
			p->ipv6 |= of->ipv6;
	}
	return 0;
no_memory:
	return mr_error_set(error, -ENOMEM, "no memory for routers");
}

void
router_plan_free(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->route_count; i++)
		free(plan->routes[i].hops);
	free(plan->vrfs);
	free(plan->interfaces);
	free(plan->routes);
	memset(plan, 0, sizeof(*plan));
}

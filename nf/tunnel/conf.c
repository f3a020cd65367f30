/* SPDX-License-Identifier: Apache-2.0 */
/* From the configuration to plain structs, and what YANG cannot say about what is wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/tunnel/control_int.h"

static bool
read_ip(const char *text, struct tunnel_ip *ip)
{
	memset(ip, 0, sizeof(*ip));
	ip->six = inet_pton(AF_INET6, text, ip->bytes) == 1;
	return ip->six || inet_pton(AF_INET, text, ip->bytes) == 1;
}

bool
tunnel_ip_equal(const struct tunnel_ip *a, const struct tunnel_ip *b)
{
	return a->six == b->six && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

const char *
tunnel_ip_print(const struct tunnel_ip *ip, char text[TUNNEL_TEXT_MAX])
{
	if (!inet_ntop(ip->six ? AF_INET6 : AF_INET, ip->bytes, text, TUNNEL_TEXT_MAX))
		snprintf(text, TUNNEL_TEXT_MAX, "?");
	return text;
}

static bool
is_unicast(const struct tunnel_ip *ip)
{
	static const uint8_t none[16];

	if (memcmp(ip->bytes, none, sizeof(none)) == 0)
		return false;
	return ip->six ? ip->bytes[0] != 0xff : ip->bytes[0] < 224;
}

/* -- reading -------------------------------------------------------------------------------- */

static const char *
router_of(const struct mr_conf *root, const struct mr_conf *at)
{
	const struct mr_conf *first = mr_conf_child(root, "router");

	return mr_conf_text(at, "router", first ? mr_conf_key(first) : "");
}

static int
read_lists(struct tunnel_conf *c, const struct mr_conf *at)
{
	const struct mr_conf *i;

	c->remotes = calloc(mr_conf_count(at, "remote") + 1, sizeof(*c->remotes));
	c->statics = calloc(mr_conf_count(at, "static") + 1, sizeof(*c->statics));
	if (!c->remotes || !c->statics)
		return -ENOMEM;
	mr_conf_each(i, at, "remote")
		if (c->remote_count < TUNNEL_REMOTES_MAX &&
		    read_ip(mr_conf_value(i), &c->remotes[c->remote_count]))
			c->remote_count++;
	mr_conf_each(i, at, "static") {
		struct tunnel_static *s = &c->statics[c->static_count];

		if (mr_conf_mac(i, "mac", s->mac) &&
		    read_ip(mr_conf_text(i, "remote", ""), &s->remote))
			c->static_count++;
	}
	return 0;
}

int
tunnel_conf_read(struct tunnel_conf *c, const struct mr_config *config, const struct mr_conf *at,
    struct mr_error *error)
{
	const struct mr_conf *vxlan = mr_conf_child(at, "vxlan");
	const char *dscp = mr_conf_text(at, "dscp", "copy");

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", mr_conf_key(at));
	snprintf(c->router, sizeof(c->router), "%s", router_of(mr_conf_root(config), at));
	(void)read_ip(mr_conf_text(at, "local", ""), &c->local);
	c->vni = (uint32_t)mr_conf_uint(vxlan, "vni", 0);
	c->port = (uint16_t)mr_conf_uint(vxlan, "port", MR_TUNNEL_PORT_VXLAN);
	c->ttl = (uint8_t)mr_conf_uint(at, "ttl", 64);
	c->dscp = strcmp(dscp, "copy") == 0 ? TUNNEL_DSCP_COPY : (uint8_t)strtoul(dscp, NULL, 10);
	c->fragment = mr_conf_bool(at, "fragment", true);
	c->checksum = mr_conf_bool(at, "udp-checksum", false);
	c->learning = mr_conf_bool(at, "learning", true);
	c->ageing = (uint32_t)mr_conf_uint(at, "ageing-time", 300);
	c->stations = (uint32_t)mr_conf_uint(at, "stations-max", 16384);
	if (read_lists(c, at)) {
		tunnel_conf_free(c);
		return mr_error_set(error, -ENOMEM, "tunnel %s: no memory", mr_conf_key(at));
	}
	return 0;
}

void
tunnel_conf_free(struct tunnel_conf *c)
{
	free(c->remotes);
	free(c->statics);
	memset(c, 0, sizeof(*c));
}

/* -- checking ------------------------------------------------------------------------------- */

struct checking {
	const struct mr_config *config;
	struct mr_report *report;
	const struct mr_conf *root, *at;
	const struct tunnel_conf *c;
};

static bool
has_remote(const struct tunnel_conf *c, const struct tunnel_ip *ip)
{
	for (unsigned i = 0; i < c->remote_count; i++)
		if (tunnel_ip_equal(&c->remotes[i], ip))
			return true;
	return false;
}

static void
check_interface(const struct checking *k)
{
	const struct mr_conf *interface = mr_conf_find(k->root, "interface", k->c->name);
	const char *driver = mr_conf_text(interface, "driver", "xdp");

	if (interface && strcmp(driver, "tunnel") != 0)
		mr_report_at(k->report, k->config, k->at,
		    "interface %s has the driver %s; a tunnel's has to have driver: tunnel",
		    k->c->name, driver);
	if (!mr_conf_child(k->at, "vxlan"))
		mr_report_at(k->report, k->config, k->at,
		    "tunnel %s: say of which kind it is: vxlan: {vni: ...}", k->c->name);
}

static void
check_router(const struct checking *k)
{
	const struct mr_conf *router = mr_conf_child(k->at, "router");

	if (!mr_conf_find(k->root, "router", k->c->router))
		mr_report_at(k->report, k->config, router ? router : k->at,
		    "tunnel %s: there is no router %s whose routes could lead to its remote ends",
		    k->c->name, k->c->router);
	else if (!router && mr_conf_count(k->root, "router") > 1)
		mr_report_at(k->report, k->config, k->at,
		    "tunnel %s: there are several routers: say which one with \"router\"",
		    k->c->name);
}

static void
check_addresses(const struct checking *k)
{
	const struct tunnel_conf *c = k->c;
	const struct mr_conf *i;
	char text[TUNNEL_TEXT_MAX];
	struct tunnel_ip ip;

	if (!is_unicast(&c->local))
		mr_report_at(k->report, k->config, mr_conf_child(k->at, "local"),
		    "tunnel %s: %s is no address that packets can be sent from", c->name,
		    tunnel_ip_print(&c->local, text));
	mr_conf_each(i, k->at, "remote") {
		if (!read_ip(mr_conf_value(i), &ip))
			continue;
		tunnel_ip_print(&ip, text);
		if (ip.six != c->local.six)
			mr_report_at(k->report, k->config, i,
			    "tunnel %s: %s is not of the same family as its local end", c->name,
			    text);
		else if (!is_unicast(&ip))
			mr_report_at(k->report, k->config, i,
			    "tunnel %s: %s is no address of one remote end; name each of them",
			    c->name, text);
		else if (tunnel_ip_equal(&ip, &c->local))
			mr_report_at(k->report, k->config, i,
			    "tunnel %s: its remote end is its local one", c->name);
	}
}

static void
check_statics(const struct checking *k)
{
	const struct tunnel_conf *c = k->c;
	static const uint8_t none[6];
	const struct mr_conf *i;
	char text[TUNNEL_TEXT_MAX];
	struct tunnel_ip ip;
	uint8_t mac[6];

	mr_conf_each(i, k->at, "static") {
		if (read_ip(mr_conf_text(i, "remote", ""), &ip) && !has_remote(c, &ip))
			mr_report_at(k->report, k->config, mr_conf_child(i, "remote"),
			    "tunnel %s: %s is none of its remote ends", c->name,
			    tunnel_ip_print(&ip, text));
		if (mr_conf_mac(i, "mac", mac) && ((mac[0] & 1) || !memcmp(mac, none, 6)))
			mr_report_at(k->report, k->config, mr_conf_child(i, "mac"),
			    "tunnel %s: %s is not the address of one station", c->name,
			    mr_conf_text(i, "mac", ""));
	}
}

/* Whose packets it is must be clear. */
static void
check_others(const struct checking *k, const struct tunnel_conf *all)
{
	const struct tunnel_conf *c = k->c;
	char text[TUNNEL_TEXT_MAX];

	for (const struct tunnel_conf *o = all; o != c; o++) {
		if (o->vni != c->vni || o->port != c->port || strcmp(o->router, c->router) != 0 ||
		    !tunnel_ip_equal(&o->local, &c->local))
			continue;
		for (unsigned i = 0; i < o->remote_count; i++)
			if (has_remote(c, &o->remotes[i]))
				mr_report_at(k->report, k->config, k->at,
				    "tunnel %s: packets from %s could be tunnel %s's as well: its "
				    "VNI, port and local end are the same",
				    c->name, tunnel_ip_print(&o->remotes[i], text), o->name);
	}
}

static void
check_counts(const struct mr_config *config, struct mr_report *report, const struct mr_conf *root)
{
	const struct mr_conf *i;

	if (mr_conf_count(root, "tunnel") > TUNNELS_MAX)
		mr_report_at(report, config, mr_conf_child(root, "tunnel"), "more than %u tunnels",
		    TUNNELS_MAX);
	mr_conf_each(i, root, "interface")
		if (strcmp(mr_conf_text(i, "driver", "xdp"), "tunnel") == 0 &&
		    !mr_conf_find(root, "tunnel", mr_conf_key(i)))
			mr_report_at(report, config, i,
			    "interface %s has the driver tunnel, and there is no tunnel of that "
			    "name",
			    mr_conf_key(i));
}

void
tunnel_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	struct checking k = { config, report, mr_conf_root(config), NULL, NULL };
	size_t count = mr_conf_count(k.root, "tunnel"), n = 0;
	struct tunnel_conf *all = calloc(count + 1, sizeof(*all));
	struct mr_error error = { .text = "tunnels: no memory" };

	(void)state;
	check_counts(config, report, k.root);
	mr_conf_each(k.at, k.root, "tunnel") {
		if (!all || tunnel_conf_read(&all[n], config, k.at, &error)) {
			mr_report_at(report, config, k.at, "%s", error.text);
			break;
		}
		k.c = &all[n++];
		check_interface(&k);
		check_router(&k);
		check_addresses(&k);
		check_statics(&k);
		check_others(&k, all);
	}
	for (size_t i = 0; i < n; i++)
		tunnel_conf_free(&all[i]);
	free(all);
}

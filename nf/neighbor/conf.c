/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: what YANG cannot check, and its translation. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/neighbor/part_int.h"

static bool
read_address(const char *text, uint8_t *family, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	*family = strchr(text, ':') ? MR_IP6 : MR_IP4;
	return inet_pton(*family == MR_IP4 ? AF_INET : AF_INET6, text, bytes) == 1;
}

static void
check_static(const struct mr_config *config, const struct mr_conf *router,
    const struct mr_conf *entry, struct mr_report *report)
{
	const char *interface = mr_conf_text(entry, "interface", "");
	uint8_t family, bytes[16], mac[6];

	if (!mr_conf_find(router, "interface", interface))
		mr_report_at(report, config, mr_conf_child(entry, "interface"),
		    "router %s has no interface %s", mr_conf_key(router), interface);
	if (!read_address(mr_conf_key(entry), &family, bytes) ||
	    (family == MR_IP4 ? bytes[0] >= 224 || bytes[0] == 0 : bytes[0] == 0xff))
		mr_report_at(report, config, entry, "%s is not an address of a host",
		    mr_conf_key(entry));
	if (mr_conf_mac(entry, "mac", mac) && (mr_eth_is_multicast(mac) || mr_eth_is_zero(mac)))
		mr_report_at(report, config, mr_conf_child(entry, "mac"),
		    "is not the address of one station");
}

static void
check_ra(const struct mr_config *config, const struct mr_conf *interface, struct mr_report *report)
{
	const struct mr_conf *ra =
	    mr_conf_child(mr_conf_child(interface, "neighbor"), "router-advertisement");
	uint64_t most = mr_conf_uint(ra, "max-interval", 600);
	uint64_t least = mr_conf_uint(ra, "min-interval", 0), life;

	if (least * 4 > most * 3)
		mr_report_at(report, config, mr_conf_child(ra, "min-interval"),
		    "is more than three quarters of max-interval, %llu s (RFC 4861, 6.2.1)",
		    (unsigned long long)most);
	life = mr_conf_uint(ra, "lifetime", most);
	if (life && life < most)
		mr_report_at(report, config, mr_conf_child(ra, "lifetime"),
		    "is below max-interval, %llu s (RFC 4861, 6.2.1)", (unsigned long long)most);
	if (mr_conf_uint(ra, "preferred-lifetime", 0) >
	    mr_conf_uint(ra, "valid-lifetime", UINT32_MAX))
		mr_report_at(report, config, mr_conf_child(ra, "preferred-lifetime"),
		    "is more than valid-lifetime");
	if (mr_conf_bool(ra, "enabled", false) && mr_conf_bool(interface, "loopback", false))
		mr_report_at(report, config, ra, "a loopback has no hosts to tell");
}

void
neighbor_conf_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *router, *at;

	(void)state;
	mr_conf_each(router, mr_conf_root(config), "router") {
		mr_conf_each(at, mr_conf_child(router, "neighbor"), "static")
			check_static(config, router, at, report);
		mr_conf_each(at, router, "interface")
			check_ra(config, at, report);
	}
}

static void
read_settings(struct neighbor_settings *s, const struct mr_conf *c)
{
	s->times.reachable = (uint32_t)mr_conf_uint(c, "reachable-time", s->times.reachable);
	s->times.retransmit = (uint32_t)mr_conf_uint(c, "retransmit-time", s->times.retransmit);
	s->times.asks = (uint8_t)mr_conf_uint(c, "solicitations", s->times.asks);
	s->times.stale = (uint32_t)mr_conf_uint(c, "stale-time", s->times.stale / 1000) * 1000;
	s->limit = (uint32_t)mr_conf_uint(c, "limit", s->limit);
	s->queue = (uint16_t)mr_conf_uint(c, "queue", s->queue);
	s->answer_rate = (uint32_t)mr_conf_uint(c, "answers", s->answer_rate);
	s->heard_rate = (uint32_t)mr_conf_uint(c, "questions", s->heard_rate);
	s->glean_rate = (uint32_t)mr_conf_uint(c, "unresolved", s->glean_rate);
}

static void
read_dns(struct neighbor_ra_settings *ra, const struct mr_conf *c)
{
	const struct mr_conf *at;

	mr_conf_each(at, c, "dns")
		if (ra->dns_count < NEIGHBOR_DNS_MAX &&
		    inet_pton(AF_INET6, mr_conf_value(at), ra->dns[ra->dns_count]) == 1)
			ra->dns_count++;
	mr_conf_each(at, c, "search")
		if (ra->search_count < NEIGHBOR_DNS_MAX)
			snprintf(ra->search[ra->search_count++], sizeof(ra->search[0]), "%s",
			    mr_conf_value(at));
	ra->dns_lifetime = (uint32_t)mr_conf_uint(c, "dns-lifetime", 3u * ra->max_interval);
}

static void
read_ra(struct neighbor_ra_settings *ra, const struct mr_conf *c)
{
	const char *preference = mr_conf_text(c, "preference", "medium");

	ra->on = mr_conf_bool(c, "enabled", false);
	ra->max_interval = (uint16_t)mr_conf_uint(c, "max-interval", ra->max_interval);
	ra->min_interval =
	    (uint16_t)mr_conf_uint(c, "min-interval", MR_MAX(ra->max_interval / 3, 3));
	ra->lifetime = (uint16_t)mr_conf_uint(c, "lifetime", 3u * ra->max_interval);
	ra->preference = *preference == 'h' ? 1 : *preference == 'l' ? 3 : 0;
	ra->hop_limit = (uint8_t)mr_conf_uint(c, "hop-limit", ra->hop_limit);
	ra->managed = mr_conf_bool(c, "managed", false);
	ra->other = mr_conf_bool(c, "other", false);
	ra->reachable = (uint32_t)mr_conf_uint(c, "reachable-time", 0);
	ra->retransmit = (uint32_t)mr_conf_uint(c, "retransmit-time", 0);
	ra->prefixes = mr_conf_bool(c, "prefixes", true);
	ra->on_link = mr_conf_bool(c, "on-link", true);
	ra->autonomous = mr_conf_bool(c, "autonomous", true);
	ra->valid = (uint32_t)mr_conf_uint(c, "valid-lifetime", ra->valid);
	ra->preferred = (uint32_t)mr_conf_uint(c, "preferred-lifetime", ra->preferred);
	read_dns(ra, c);
}

static void
read_interface(struct neighbor_plan_interface *p, const struct mr_conf *router,
    const struct mr_conf *interface)
{
	const struct mr_conf *c = mr_conf_child(interface, "neighbor");
	const struct mr_conf *ra = mr_conf_child(c, "router-advertisement");
	const char *gratuitous = mr_conf_text(c, "gratuitous", "update");

	snprintf(p->name, sizeof(p->name), "%s", mr_conf_key(interface));
	neighbors_defaults(&p->settings, &p->own);
	read_settings(&p->settings, mr_conf_child(router, "neighbor"));
	p->own.proxy = mr_conf_bool(c, "proxy", false);
	p->own.dad = mr_conf_bool(c, "duplicate-detection", true);
	p->own.gratuitous = *gratuitous == 'l' ? NEIGHBOR_GRATUITOUS_LEARN
	    : *gratuitous == 'i'               ? NEIGHBOR_GRATUITOUS_IGNORE
					       : NEIGHBOR_GRATUITOUS_UPDATE;
	p->tell_mtu = mr_conf_bool(ra, "mtu", true);
	read_ra(&p->own.ra, ra);
}

static void
count(struct neighbor_plan *p, const struct mr_config *config)
{
	const struct mr_conf *router;

	mr_conf_each(router, mr_conf_root(config), "router") {
		p->interface_count += (uint32_t)mr_conf_count(router, "interface");
		p->static_count +=
		    (uint32_t)mr_conf_count(mr_conf_child(router, "neighbor"), "static");
	}
}

int
neighbor_plan_read(struct neighbor_plan *p, const struct mr_config *config, struct mr_error *error)
{
	const struct mr_conf *router, *at;
	uint32_t interfaces = 0, statics = 0;

	memset(p, 0, sizeof(*p));
	count(p, config);
	p->interfaces = calloc(p->interface_count + 1, sizeof(*p->interfaces));
	p->statics = calloc(p->static_count + 1, sizeof(*p->statics));
	if (!p->interfaces || !p->statics) {
		neighbor_plan_free(p);
		return mr_error_set(error, -ENOMEM, "no memory");
	}
	mr_conf_each(router, mr_conf_root(config), "router") {
		mr_conf_each(at, router, "interface")
			read_interface(&p->interfaces[interfaces++], router, at);
		mr_conf_each(at, mr_conf_child(router, "neighbor"), "static") {
			struct neighbor_plan_static *s = &p->statics[statics++];

			snprintf(s->interface, sizeof(s->interface), "%s",
			    mr_conf_text(at, "interface", ""));
			(void)read_address(mr_conf_key(at), &s->family, s->address);
			(void)mr_conf_mac(at, "mac", s->mac);
		}
	}
	return 0;
}

void
neighbor_plan_free(struct neighbor_plan *p)
{
	free(p->interfaces);
	free(p->statics);
	memset(p, 0, sizeof(*p));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services and translators on one router: what comes for an address of a translator does not get as far
 * as to a service, which stands behind.
 */
#include <string.h>

#include "nf/lb/control_int.h"
#include "nf/nat/nat.h"
#include "nf/nat64/nat64.h"
#include "nf/nptv6/nptv6.h"

static void
check4(const struct mr_config *config, struct mr_report *report, const struct lb_conf_service *s,
    const struct lb_ip *ip, const struct mr_conf *at)
{
	const struct mr_conf *router = mr_conf_find(mr_conf_root(config), "router", s->router);
	const char *instance;
	struct mr_nat_use use;
	be32_t address;

	memcpy(&address, ip->bytes, 4);
	for (unsigned i = 0; i < s->port_count; i++) {
		const struct mr_nat_span span = { .first = mr_be32(address),
			.last = mr_be32(address),
			.port_first = s->ports[i].first,
			.port_last = s->ports[i].last,
			.behind = true };

		if (mr_nat_uses(config, router, &span, &use))
			mr_report_at(report, config, mr_conf_child(at, "address"),
			    "service %s: nat instance %s (%s) takes what comes for its address: "
			    "give "
			    "the service another address or port",
			    s->name, use.instance, use.what);
		instance = mr_nat64_uses(config, &span);
		if (instance)
			mr_report_at(report, config, mr_conf_child(at, "address"),
			    "service %s: nat64 instance %s has its address and port, too: give the "
			    "service another address or port",
			    s->name, instance);
	}
}

void
lb_check_translators(const struct mr_config *config, struct mr_report *report,
    const struct lb_conf_service *s, const struct mr_conf *at)
{
	for (unsigned i = 0; i < s->address_count; i++) {
		const struct lb_ip *ip = &s->addresses[i];
		const char *instance = ip->six ? mr_nptv6_uses(config, ip->bytes) : NULL;

		if (!ip->six)
			check4(config, report, s, ip, at);
		if (instance)
			mr_report_at(report, config, mr_conf_child(at, "address"),
			    "service %s: its address is in the outside-prefix of nptv6 instance "
			    "%s, "
			    "which gives packets for it an inside address: take one outside of it",
			    s->name, instance);
	}
}

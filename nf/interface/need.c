/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose an interface is, for functions that stand in front of a router. All from the configuration
 * that is being checked.
 */

#include <stdio.h>
#include <string.h>

#include "nf/interface/interface_int.h"

static const char *
parent_of(const struct mr_conf *routed)
{
	return mr_conf_text(routed, "parent", mr_conf_key(routed));
}

const struct mr_conf *
mr_interface_routed(const struct mr_config *config, const char *name)
{
	const struct mr_conf *router, *at;

	mr_conf_each(router, mr_conf_root(config), "router")
		mr_conf_each(at, router, "interface")
			if (strcmp(mr_conf_key(at), name) == 0)
				return mr_conf_bool(at, "loopback", false) ? NULL : at;
	return NULL;
}

bool
mr_interface_place(const struct mr_config *config, const char *name, const char **port,
    uint16_t *vlan)
{
	const struct mr_conf *routed = mr_interface_routed(config, name);

	*port = name;
	*vlan = MR_INTERFACE_ALL_VLANS;
	if (mr_conf_find(mr_conf_root(config), "interface", name))
		return true;
	if (!routed)
		return false;
	*port = parent_of(routed);
	*vlan = (uint16_t)mr_conf_uint(routed, "vlan", 0);
	return true;
}

/* Who has it, who is no router: " but bridge br0's"; nothing where nobody has. */
static void
other_user(const struct mr_config *config, const char *name, char *text, size_t size)
{
	const struct mr_conf *root = mr_conf_root(config), *at;

	text[0] = '\0';
	mr_conf_each(at, root, "interface") {
		const char *to = mr_conf_text(at, "cross-connect", NULL);

		if (to && (!strcmp(to, name) || !strcmp(mr_conf_key(at), name)))
			snprintf(text, size, " but cross-connect %s-%s's", mr_conf_key(at), to);
	}
	mr_conf_each(at, root, "bridge")
		if (mr_conf_find(at, "interface", name))
			snprintf(text, size, " but bridge %s's", mr_conf_key(at));
}

const struct mr_conf *
mr_interface_need_router(struct mr_report *report, const struct mr_config *config,
    const struct mr_conf *at, const char *name, const char *user, const struct mr_conf *router)
{
	const struct mr_conf *r, *i, *found = NULL;
	const char *port;
	uint16_t vlan;
	char other[128];

	if (!mr_interface_place(config, name, &port, &vlan)) {
		mr_report_at(report, config, at,
		    "%s: there is no interface %s, and no router has one of that name", user, name);
		return router;
	}
	mr_conf_each(r, mr_conf_root(config), "router") {
		mr_conf_each(i, r, "interface") {
			if (strcmp(parent_of(i), port) || mr_conf_bool(i, "loopback", false) ||
			    (vlan != MR_INTERFACE_ALL_VLANS && mr_conf_uint(i, "vlan", 0) != vlan))
				continue;
			if (found && found != r) {
				mr_report_at(report, config, at,
				    "%s: interface %s has VLANs of router %s and of router %s; "
				    "addresses "
				    "mean something else in each: name the interfaces of one",
				    user, name, mr_conf_key(found), mr_conf_key(r));
				return router;
			}
			found = r;
		}
	}
	if (!found) {
		other_user(config, port, other, sizeof(other));
		mr_report_at(report, config, at,
		    "%s: interface %s is no router's%s, and nothing there is sent to addresses: "
		    "name a router's interface (a pair of ports joins a bridge and a router)",
		    user, name, other);
		return router;
	}
	if (router && router != found)
		mr_report_at(report, config, at,
		    "%s: interface %s is router %s's, and another of its interfaces is router "
		    "%s's; "
		    "addresses mean something else in each: make one for each router",
		    user, name, mr_conf_key(found), mr_conf_key(router));
	return router ? router : found;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The host's part of a configuration: what YANG cannot check, and its translation. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/port/namespace.h"
#include "nf/host/host_int.h"

/* The namespace that a router names; null when it has no host. */
static const char *
space_of(const struct mr_conf *router)
{
	const char *name = mr_conf_text(mr_conf_child(router, "host"), "namespace", "-");

	return strcmp(name, "-") ? name : NULL;
}

/* -- check ------------------------------------------------------------------------------- */

static void
check_space(const struct mr_config *config, const struct mr_conf *router, const char *name,
    struct mr_report *report)
{
	const struct mr_conf *at = mr_conf_child(mr_conf_child(router, "host"), "namespace");
	const struct mr_conf *other;
	struct mr_error error;

	if (mr_namespace_check(name, &error))
		mr_report_at(report, config, at, "%s", error.text);
	mr_conf_each(other, mr_conf_root(config), "router") {
		const char *theirs = space_of(other);

		if (other == router)
			break;
		if (theirs && strcmp(theirs, name) == 0)
			mr_report_at(report, config, at,
			    "network namespace %s is router %s's already; each has its own", name,
			    mr_conf_key(other));
	}
}

/* The name is the kernel's interface's, too. */
static void
check_interface(const struct mr_config *config, const struct mr_conf *interface,
    struct mr_report *report)
{
	const char *name = mr_conf_key(interface);

	if (mr_conf_bool(interface, "loopback", false) || !mr_conf_bool(interface, "host", true))
		return;
	if (strlen(name) >= IFNAMSIZ)
		mr_report_at(report, config, interface,
		    "the name is longer than %d characters, which its twin at the host cannot be; "
		    "say \"host: false\" or choose a shorter one",
		    IFNAMSIZ - 1);
	else if (strchr(name, ':') || !strcmp(name, "lo") || !strcmp(name, "all") ||
	    !strcmp(name, "default"))
		mr_report_at(report, config, interface,
		    "its twin at the host cannot have this name; say \"host: false\" or choose "
		    "another one");
}

void
host_conf_check(const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *router, *entry;

	mr_conf_each(router, mr_conf_root(config), "router") {
		const char *name = space_of(router);
		const struct mr_conf *class;

		mr_conf_each(class, mr_conf_child(router, "host"), "punt")
			if (mr_conf_count(class, "allow") > MR_HOST_SOURCES_MAX)
				mr_report_at(report, config, class, "more than %u prefixes",
				    MR_HOST_SOURCES_MAX);
		if (!name)
			continue;
		check_space(config, router, name, report);
		mr_conf_each(entry, router, "interface")
			check_interface(config, entry, report);
	}
}

/* -- read -------------------------------------------------------------------------------- */

/* "192.0.2.0/24"; YANG has seen to it that it is one. */
static bool
read_prefix(struct mr_host_prefix *p, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	p->family = strchr(address, ':') ? 6 : 4;
	p->len = (uint8_t)strtoul(slash + 1, NULL, 10);
	return inet_pton(p->family == 4 ? AF_INET : AF_INET6, address, p->bytes) == 1 &&
	    p->len <= (p->family == 4 ? 32 : 128);
}

static int
read_limit(struct host_limit *limit, const struct mr_conf *class)
{
	struct mr_host_sources *sources;
	const struct mr_conf *entry;

	limit->rate = mr_conf_uint(class, "rate", limit->rate);
	limit->burst = mr_conf_uint(class, "burst", limit->burst);
	if (!mr_conf_present(class, "allow"))
		return 0;
	sources = calloc(1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	mr_conf_each(entry, class, "allow")
		if (sources->count < MR_HOST_SOURCES_MAX)
			sources->count +=
			    read_prefix(&sources->prefixes[sources->count], mr_conf_value(entry));
	limit->sources = sources;
	return 0;
}

int
host_vrf_read(struct host_vrf **out, const struct mr_conf *router, struct mr_error *error)
{
	struct host_vrf *v = calloc(1, sizeof(*v));
	const struct mr_conf *class;
	int rc = 0;

	if (!v)
		return mr_error_set(error, -ENOMEM, "no memory");
	snprintf(v->name, sizeof(v->name), "%s", mr_conf_key(router));
	if (space_of(router))
		snprintf(v->space, sizeof(v->space), "%s", space_of(router));
	for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++)
		v->limits[c] = (struct host_limit){ .rate = mr_host_class_info[c].rate,
			.burst = mr_host_class_info[c].burst };
	mr_conf_each(class, mr_conf_child(router, "host"), "punt") {
		enum mr_host_class c = mr_host_class_find(mr_conf_key(class));

		if (c < MR_HOST_CLASS_COUNT && !rc)
			rc = read_limit(&v->limits[c], class);
	}
	if (rc) {
		host_vrf_free(v);
		return mr_error_set(error, rc, "no memory");
	}
	*out = v;
	return 0;
}

void
host_vrf_free(struct host_vrf *v)
{
	if (!v)
		return;
	for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++)
		free((void *)v->limits[c].sources);
	free(v);
}

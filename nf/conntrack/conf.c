/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/conntrack/control_int.h"

static const struct {
	const char *leaf;
	uint32_t seconds;
} timeouts[] = {
#define X(id, leaf, name, s) [CT_##id] = { leaf, s },
	CT_TIMEOUTS(X)
#undef X
};

/* The number of a zone; a new one gets a number that nobody has or had in the configuration before,
 * for connections may still be there. */
static int
zone_number(struct ct_conf *out, const struct ct_conf *before, const char *name,
    struct mr_error *error)
{
	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		if (strcmp(before->zones[z].name, name) == 0 ||
		    strcmp(out->zones[z].name, name) == 0)
			return (int)z;
	for (unsigned z = 1; z < CT_ZONES_MAX; z++)
		if (!before->zones[z].name[0] && !out->zones[z].name[0])
			return (int)z;
	return mr_error_set(error, -ENOSPC, "more than %u zones", CT_ZONES_MAX - 1);
}

static int
read_zones(struct ct_conf *out, const struct mr_conf *conf, const struct ct_conf *before,
    struct mr_error *error)
{
	const struct mr_conf *zone;

	snprintf(out->zones[0].name, sizeof(out->zones[0].name), "default");
	mr_conf_each(zone, conf, "zone") {
		int n = zone_number(out, before, mr_conf_key(zone), error);

		if (n < 0)
			return n;
		snprintf(out->zones[n].name, sizeof(out->zones[n].name), "%s", mr_conf_key(zone));
		out->zones[n].limit = (uint32_t)mr_conf_uint(zone, "max", 0);
	}
	return 0;
}

static void
read_interface(struct ct_conf *out, const struct mr_conf *conf)
{
	struct ct_conf_interface *i = &out->interfaces[out->interface_count++];
	const char *zone = mr_conf_text(conf, "zone", "default");
	const char *proxy = mr_conf_text(conf, "syn-proxy", "off");

	snprintf(i->name, sizeof(i->name), "%s", mr_conf_key(conf));
	for (unsigned z = 0; z < CT_ZONES_MAX; z++)
		if (strcmp(out->zones[z].name, zone) == 0)
			i->zone = (uint16_t)z;
	i->limits.source_max = (uint32_t)mr_conf_uint(conf, "source-max", 0);
	i->limits.source_rate = (uint32_t)mr_conf_uint(conf, "source-rate", 0);
	i->limits.proxy = strcmp(proxy, "on") == 0 ? CT_PROXY_ON
	    : strcmp(proxy, "auto") == 0           ? CT_PROXY_AUTO
						   : CT_PROXY_OFF;
	i->limits.syn_rate = (uint32_t)mr_conf_uint(conf, "syn-proxy-rate", 1000);
	i->limits.source_burst =
	    (uint32_t)mr_conf_uint(conf, "source-burst", MR_MAX(i->limits.source_rate, 1u));
}

int
ct_conf_read(struct ct_conf *out, const struct mr_config *config, const struct ct_conf *before,
    struct mr_error *error)
{
	const struct mr_conf *conf = mr_conf_child(mr_conf_root(config), "conntrack"), *at;
	const struct mr_conf *times = mr_conf_child(conf, "timeouts");
	int rc;

	memset(out, 0, sizeof(*out));
	out->max = (uint32_t)mr_conf_uint(conf, "max", 1u << 20);
	out->options = (mr_conf_bool(conf, "loose", true) ? CT_LOOSE : 0) |
	    (mr_conf_bool(conf, "drop-invalid", false) ? CT_DROP_INVALID : 0) |
	    (mr_conf_bool(conf, "checksum", true) ? CT_CHECKSUM : 0);
	for (unsigned i = 0; i < CT_TIMEOUT_COUNT; i++)
		out->timeouts[i] = timeouts[i].leaf
		    ? (uint32_t)mr_conf_uint(times, timeouts[i].leaf, timeouts[i].seconds)
		    : timeouts[i].seconds;
	out->interfaces = calloc(mr_conf_count(conf, "interface") + 1, sizeof(*out->interfaces));
	if (!out->interfaces)
		return mr_error_set(error, -ENOMEM, "no memory");
	rc = read_zones(out, conf, before, error);
	if (rc) {
		ct_conf_free(out);
		return rc;
	}
	mr_conf_each(at, conf, "interface")
		read_interface(out, at);
	return 0;
}

void
ct_conf_free(struct ct_conf *c)
{
	free(c->interfaces);
	c->interfaces = NULL;
	c->interface_count = 0;
}

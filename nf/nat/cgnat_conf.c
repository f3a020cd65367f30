/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/nat/control_int.h"

#define LINGER 60u

void
nat_cgnat_read(struct nat_pool_config *out, const struct mr_conf *instance)
{
	const struct mr_conf *block = mr_conf_child(instance, "block");
	const struct mr_conf *deterministic = mr_conf_child(instance, "deterministic");
	const char *inside = mr_conf_text(deterministic, "inside", NULL);

	out->block_size = (uint16_t)mr_conf_uint(block, "size", 0);
	out->blocks_max = (uint16_t)mr_conf_uint(block, "max", 1);
	out->linger = (uint32_t)mr_conf_uint(block, "linger", LINGER);
	out->quarantine_max = (uint32_t)mr_conf_uint(instance, "quarantine-max", 0);
	out->deterministic = inside != NULL;
	if (inside)
		out->inside = nat_conf_range(inside);
}

void
nat_journal_read(struct nat_conf_log *out, const struct mr_conf *nat)
{
	const struct mr_conf *log = mr_conf_child(nat, "log");
	const char *syslog = mr_conf_text(log, "syslog", NULL);

	snprintf(out->file, sizeof(out->file), "%s", mr_conf_text(log, "file", ""));
	out->size = mr_conf_uint(log, "size", 0);
	out->keep = (uint32_t)mr_conf_uint(log, "keep", 0);
	out->syslog_port = (uint16_t)mr_conf_uint(log, "syslog-port", 514);
	if (syslog)
		(void)inet_pton(AF_INET, syslog, &out->syslog);
	out->on = out->file[0] || out->syslog;
}

/* What the pool itself would refuse, as it says it. */
static void
try_pool(struct mr_report *report, const struct mr_config *config, const struct mr_conf *at,
    const struct nat_pool_config *ports, const struct nat_range *pool, unsigned count)
{
	struct nat_pool_config c = *ports;
	struct nat_pool *made = NULL;
	struct mr_error error;

	c.ranges = pool;
	c.range_count = count;
	c.subscribers_max = 1; /* does not matter */
	if (nat_pool_create(&made, &c, &error))
		mr_report_at(report, config, at, "%s", error.text);
	nat_pool_destroy(made);
}

void
nat_cgnat_check(struct mr_report *report, const struct mr_config *config,
    const struct mr_conf *instance, const struct nat_pool_config *ports,
    const struct nat_range *pool, unsigned count)
{
	const struct mr_conf *block = mr_conf_child(instance, "block");
	const struct mr_conf *deterministic = mr_conf_child(instance, "deterministic");

	if (ports->block_size && ports->deterministic) {
		mr_report_at(report, config, mr_conf_child(block, "size"),
		    "what is deterministic has no blocks: its ports follow from the address");
		return;
	}
	if (ports->block_size > ports->port_last - ports->port_first + 1)
		mr_report_at(report, config, mr_conf_child(block, "size"),
		    "more than the %u ports that there are",
		    ports->port_last - ports->port_first + 1u);
	if (!ports->deterministic)
		return;
	if (ports->inside.first > ports->inside.last)
		mr_report_at(report, config, mr_conf_child(deterministic, "inside"),
		    "%s goes downwards", mr_conf_text(deterministic, "inside", ""));
	else if (!count)
		mr_report_at(report, config, deterministic,
		    "needs a pool that is written down: which ports an address has must not "
		    "change with an interface's addresses");
	else if (ports->port_first <= ports->port_last)
		try_pool(report, config, mr_conf_child(deterministic, "inside"), ports, pool,
		    count);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/port/driver.h"
#include "nf/interface/interface_int.h"

static char *
copy(const char *text)
{
	return strdup(text ? text : "");
}

static int
read_options(struct settings *s, const struct mr_conf *conf, struct mr_error *error)
{
	const struct mr_conf *entry;

	mr_conf_each(entry, conf, "options") {
		struct mr_option *o = &s->options[s->option_count];

		if (s->option_count == OPTIONS_MAX)
			return mr_error_set(error, -E2BIG, "interface %s: more than %d options",
			    mr_conf_key(conf), OPTIONS_MAX);
		o->key = copy(mr_conf_key(entry));
		o->value = copy(mr_conf_text(entry, "value", ""));
		s->option_count++;
		if (!o->key || !o->value)
			return mr_error_set(error, -ENOMEM, "interface %s: no memory",
			    mr_conf_key(conf));
	}
	return 0;
}

static int
read_lists(struct settings *s, const struct mr_conf *conf, struct mr_error *error)
{
	const struct mr_conf *entry;

	mr_conf_each(entry, conf, "rx-worker") {
		if (s->worker_count == MR_GRAPH_WORKERS_MAX)
			break;
		s->workers[s->worker_count++] = (uint16_t)mr_conf_value_uint(entry);
	}
	mr_conf_each(entry, conf, "input-nodes") {
		if (s->input_count == INPUTS_MAX)
			return mr_error_set(error, -E2BIG, "interface %s: more than %d input nodes",
			    mr_conf_key(conf), INPUTS_MAX);
		s->inputs[s->input_count] = copy(mr_conf_value(entry));
		if (!s->inputs[s->input_count++])
			return mr_error_set(error, -ENOMEM, "interface %s: no memory",
			    mr_conf_key(conf));
	}
	return 0;
}

/* Written, or the interface's own name, or nothing for a driver that does not go by
 * names: a file is not called what the interface is. */
const char *
interface_device_of(const struct mr_conf *conf)
{
	const struct mr_port_driver *driver =
	    mr_port_driver_find(mr_conf_text(conf, "driver", "xdp"));

	return mr_conf_text(conf, "device",
	    driver && driver->device_named ? mr_conf_key(conf) : "");
}

int
interface_settings_read(struct settings *s, const struct mr_conf *conf, struct mr_error *error)
{
	int rc;

	memset(s, 0, sizeof(*s));
	snprintf(s->driver, sizeof(s->driver), "%s", mr_conf_text(conf, "driver", "xdp"));
	s->device = copy(interface_device_of(conf));
	s->enabled = mr_conf_bool(conf, "enabled", true);
	s->promiscuous = mr_conf_bool(conf, "promiscuous", true);
	s->mtu = (uint16_t)mr_conf_uint(conf, "mtu", 0);
	s->rx_queues = (uint16_t)mr_conf_uint(conf, "rx-queues", 0);
	s->tx_queues = (uint16_t)mr_conf_uint(conf, "tx-queues", 0);
	snprintf(s->cross_connect, sizeof(s->cross_connect), "%s",
	    mr_conf_text(conf, "cross-connect", ""));
	if (!s->device)
		return mr_error_set(error, -ENOMEM, "interface %s: no memory", mr_conf_key(conf));
	rc = read_options(s, conf, error);
	if (!rc)
		rc = read_lists(s, conf, error);
	if (rc)
		interface_settings_free(s);
	return rc;
}

void
interface_settings_free(struct settings *s)
{
	free(s->device);
	for (unsigned i = 0; i < s->option_count; i++) {
		free((char *)s->options[i].key);
		free((char *)s->options[i].value);
	}
	for (unsigned i = 0; i < s->input_count; i++)
		free(s->inputs[i]);
	memset(s, 0, sizeof(*s));
}

/* Whether the port can stay open: where its packets go is no part of it. */
bool
interface_settings_equal(const struct settings *a, const struct settings *b)
{
	if (strcmp(a->driver, b->driver) || strcmp(a->device, b->device) ||
	    a->enabled != b->enabled || a->promiscuous != b->promiscuous || a->mtu != b->mtu ||
	    a->rx_queues != b->rx_queues || a->tx_queues != b->tx_queues ||
	    a->worker_count != b->worker_count || a->option_count != b->option_count ||
	    a->input_count != b->input_count ||
	    memcmp(a->workers, b->workers, a->worker_count * sizeof(a->workers[0])))
		return false;
	for (unsigned i = 0; i < a->option_count; i++)
		if (strcmp(a->options[i].key, b->options[i].key) ||
		    strcmp(a->options[i].value, b->options[i].value))
			return false;
	for (unsigned i = 0; i < a->input_count; i++)
		if (strcmp(a->inputs[i], b->inputs[i]))
			return false;
	return true;
}

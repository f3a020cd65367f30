/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One interface, from its line in the configuration to its port in the graph, and
 * through the days when its device is away.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/port/driver.h"
#include "nf/interface/interface_int.h"

int
interface_record_create(struct mr_interfaces *all, const struct mr_conf *conf, struct record **out,
    struct mr_error *error)
{
	struct record *r = calloc(1, sizeof(*r));
	const struct mr_port_driver *driver;
	int rc;

	if (!r)
		return mr_error_set(error, -ENOMEM, "interface %s: no memory", mr_conf_key(conf));
	snprintf(r->pub.name, sizeof(r->pub.name), "%s", mr_conf_key(conf));
	r->use = all->unused;
	r->cross = NO_NODE;
	interface_stages_clear(r);
	rc = interface_settings_read(&r->want, conf, error);
	driver = mr_port_driver_find(r->want.driver);
	r->pub.within = driver && driver->within;
	if (!rc)
		rc = interface_index_take(all, &r->pub.index, error);
	if (rc) {
		interface_settings_free(&r->want);
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
interface_record_destroy(struct mr_interfaces *all, struct record *r)
{
	if (!r)
		return;
	interface_record_close(r);
	for (unsigned i = 0; i < r->input_count; i++)
		if (r->inputs[i].plugin->destroy)
			r->inputs[i].plugin->destroy(r->inputs[i].self, r->inputs[i].class);
	if (!r->borrows)
		all->taken[r->pub.index] = 0;
	interface_settings_free(&r->want);
	free(r);
}

int
interface_record_open(struct mr_interfaces *all, struct record *r, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);
	const struct mr_port_config config = {
		.name = r->pub.name,
		.device = r->want.device[0] ? r->want.device : NULL,
		.options = r->want.options,
		.option_count = r->want.option_count,
		.index = r->pub.index,
		.rx_queues = r->want.rx_queues,
		.tx_queues =
		    r->want.tx_queues ? r->want.tx_queues : (uint16_t)mr_graph_worker_count(graph),
		.mtu = r->want.mtu,
		.promiscuous = r->want.promiscuous,
		.numa_node = -1,
		.buffers = mr_dataplane_buffers(all->dp),
		.workers = (uint16_t)mr_graph_worker_count(graph),
	};
	int rc;

	if (!r->want.enabled)
		return 0;
	rc = mr_port_open(&r->pub.port, r->want.driver, &config, error);
	if (!rc) {
		rc = r->pub.port->driver->start(r->pub.port, error);
		if (rc)
			interface_record_close(r);
	}
	r->gone = rc == -ENODEV;
	snprintf(r->trouble, sizeof(r->trouble), "%.255s", rc ? error->text : "");
	if (rc)
		return rc;
	r->pub.up =
	    !r->pub.port->driver->poll_link || r->pub.port->driver->poll_link(r->pub.port) != 0;
	return 0;
}

void
interface_record_close(struct record *r)
{
	struct mr_port *port = r->pub.port;

	r->pub.port = NULL;
	r->pub.up = false;
	if (!port)
		return;
	port->driver->stop(port);
	mr_port_close(port);
}

static int
add_inputs(struct mr_interfaces *all, struct record *r, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);
	int rc;

	for (unsigned i = r->input_count; i < r->want.input_count; i++) {
		struct input *in = &r->inputs[i];
		char node[64], name[MR_GRAPH_NAME_MAX];
		const char *argument = strchr(r->want.inputs[i], '=');

		snprintf(node, sizeof(node), "%.*s",
		    (int)(argument ? argument - r->want.inputs[i] : (int)sizeof(node)),
		    r->want.inputs[i]);
		rc = mr_plugins_find(mr_dataplane_plugins(all->dp), node, &in->plugin, &in->class,
		    error);
		if (!rc && in->plugin->create)
			rc = in->plugin->create(&in->self, in->class,
			    argument ? argument + 1 : NULL, error);
		if (rc)
			return rc;
		snprintf(name, sizeof(name), "%.23s@%.23s", in->class->name, r->pub.name);
		rc = mr_graph_add_node(graph, in->class, name, in->self, &in->node, error);
		if (rc)
			return rc;
		r->input_count++;
	}
	return 0;
}

int
interface_record_add(struct mr_interfaces *all, struct record *r, struct mr_error *error)
{
	int rc = add_inputs(all, r, error);

	if (!rc && r->pub.port && !r->added)
		rc = mr_graph_add_port(mr_dataplane_graph(all->dp), r->pub.port, r->want.workers,
		    r->want.worker_count, error);
	else if (!rc)
		return 0;
	if (rc)
		return rc;
	mr_graph_set_port_up(mr_dataplane_graph(all->dp), r->pub.index, r->pub.up);
	r->added = true;
	return 0;
}

void
interface_record_remove(struct mr_interfaces *all, struct record *r)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);

	if (r->added)
		mr_graph_remove_port(graph, r->pub.index);
	r->added = false;
}

void
interface_record_remove_nodes(struct mr_interfaces *all, struct record *r)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);

	for (unsigned i = 0; i < r->input_count; i++)
		mr_graph_remove_node(graph, r->inputs[i].node);
	if (r->cross != NO_NODE)
		mr_graph_remove_node(graph, r->cross);
	if (r->leave != NO_NODE && r->leave != r->carry)
		mr_graph_remove_node(graph, r->leave);
	r->cross = NO_NODE;
	interface_stages_clear(r);
}

static void
went(struct mr_interfaces *all, struct record *r, bool *close_after)
{
	mr_log(mr_dataplane_log(all->dp), MR_LOG_WARNING,
	    "interface %s: device %s has vanished; its packets are dropped until it comes back",
	    r->pub.name, r->want.device);
	interface_record_remove(all, r);
	r->gone = true;
	r->pub.up = false;
	snprintf(r->trouble, sizeof(r->trouble), "device %.200s has vanished", r->want.device);
	*close_after = true;
}

static bool
came_back(struct mr_interfaces *all, struct record *r)
{
	struct mr_error error;

	if (interface_record_open(all, r, &error))
		return false;
	if (interface_record_add(all, r, &error)) {
		mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "interface %s: %s", r->pub.name,
		    error.text);
		interface_record_close(r);
		return false;
	}
	interface_record_aim(all, r);
	mr_log(mr_dataplane_log(all->dp), MR_LOG_NOTICE, "interface %s: device %s is there",
	    r->pub.name, r->want.device);
	return true;
}

bool
interface_record_watch(struct mr_interfaces *all, struct record *r, bool *close_after)
{
	int link;

	if (!r->want.enabled)
		return false;
	if (r->gone)
		return came_back(all, r);
	if (!r->pub.port || !r->pub.port->driver->poll_link)
		return false;
	link = r->pub.port->driver->poll_link(r->pub.port);
	if (link == -ENODEV) {
		went(all, r, close_after);
		return true;
	}
	if ((link > 0) == r->pub.up)
		return false;
	r->pub.up = link > 0;
	mr_log(mr_dataplane_log(all->dp), MR_LOG_NOTICE, "interface %s: link is %s", r->pub.name,
	    r->pub.up ? "up" : "down");
	mr_graph_set_port_up(mr_dataplane_graph(all->dp), r->pub.index, r->pub.up);
	return true;
}

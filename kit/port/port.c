/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "kit/port/driver.h"

const struct mr_port_driver *
mr_port_driver_find(const char *name)
{
	const struct mr_port_driver *const *d;

	for (d = mr_port_driver_list; *d; d++)
		if (!strcmp((*d)->name, name))
			return *d;
	return NULL;
}

/* "pcap, tap, null": what there is, for the error that says what there is not. */
static void
driver_names(char *out, size_t size)
{
	const struct mr_port_driver *const *d;
	size_t used = 0;

	*out = 0;
	for (d = mr_port_driver_list; *d && used < size; d++) {
		int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", (*d)->name);

		used += n > 0 ? (size_t)n : 0;
	}
}

static int
no_driver(const char *name, struct mr_error *error)
{
	const struct mr_port_driver *const *d;
	struct mr_suggest s = { .word = name };
	const char *near;
	char names[256];

	for (d = mr_port_driver_list; *d; d++)
		mr_suggest_try(&s, (*d)->name);
	near = mr_suggest_best(&s);
	driver_names(names, sizeof(names));
	if (near)
		return mr_error_set(error, -ENOENT,
		    "no driver '%s'; did you mean '%s'? (there are %s)", name, near, names);
	return mr_error_set(error, -ENOENT, "no driver '%s' (there are %s)", name, names);
}

static int
config_check(const struct mr_port_driver *driver, const struct mr_port_config *config,
    struct mr_error *error)
{
	size_t i;

	if (!*config->name)
		return mr_error_set(error, -EINVAL, "a port needs a name");
	if (strlen(config->name) >= MR_PORT_NAME_MAX)
		return mr_error_set(error, -ENAMETOOLONG, "the name is longer than %d characters",
		    MR_PORT_NAME_MAX - 1);
	for (i = 0; config->name[i]; i++)
		if ((unsigned char)config->name[i] <= ' ' || config->name[i] == 0x7f)
			return mr_error_set(error, -EINVAL,
			    "a name takes no spaces and no control characters");
	if (config->index >= MR_PORT_MAX)
		return mr_error_set(error, -ENOSPC, "there can be no more than %d ports",
		    MR_PORT_MAX);
	if (config->rx_queues > MR_PORT_QUEUES_MAX || config->tx_queues > MR_PORT_QUEUES_MAX)
		return mr_error_set(error, -ERANGE, "a port has at most %d queues",
		    MR_PORT_QUEUES_MAX);
	if (config->device && *config->device && !driver->device_doc)
		return mr_error_set(error, -EINVAL, "driver %s takes no device ('%s' was given)",
		    driver->name, config->device);
	if (!config->buffers)
		return mr_error_set(error, -EINVAL, "it was given no packet buffers");
	return mr_options_check(driver->options, config, error);
}

int
mr_port_open(struct mr_port **out, const char *driver_name, const struct mr_port_config *config,
    struct mr_error *error)
{
	const struct mr_port_driver *driver = mr_port_driver_find(driver_name);
	int rc;

	*out = NULL;
	if (!driver)
		rc = no_driver(driver_name, error);
	else
		rc = config_check(driver, config, error);
	if (!rc)
		rc = driver->open(out, config, error);
	if (rc)
		mr_error_prefix(error, "port %.*s", MR_PORT_NAME_MAX, config->name);
	return rc;
}

void
mr_port_close(struct mr_port *port)
{
	if (port)
		port->driver->close(port);
}

int
mr_port_alloc(struct mr_port **out, size_t size, const struct mr_port_driver *driver,
    const struct mr_port_config *config, uint16_t rx_queues, uint16_t tx_queues,
    struct mr_error *error)
{
	size_t head = MR_ALIGN_UP(size, (size_t)MR_CACHE_LINE);
	size_t whole = head + (rx_queues + (size_t)tx_queues) * sizeof(struct mr_port_queue_stats);
	struct mr_port *port;

	*out = NULL;
	if (config->device && strlen(config->device) >= sizeof(port->device))
		return mr_error_set(error, -ENAMETOOLONG,
		    "the device's name is longer than %zu characters", sizeof(port->device) - 1);
	port = aligned_alloc(MR_CACHE_LINE, whole);
	if (!port)
		return mr_error_set(error, -ENOMEM, "no memory for %zu bytes", whole);
	memset(port, 0, whole);
	port->driver = driver;
	port->buffers = config->buffers;
	port->index = config->index;
	port->rx_queues = rx_queues;
	port->tx_queues = tx_queues;
	port->mtu = config->mtu ? config->mtu : 1500;
	port->workers = config->workers;
	port->rx_stats = (struct mr_port_queue_stats *)((char *)port + head);
	port->tx_stats = port->rx_stats + rx_queues;
	atomic_init(&port->state, MR_PORT_DOWN);
	snprintf(port->name, sizeof(port->name), "%s", config->name);
	snprintf(port->device, sizeof(port->device), "%s", config->device ? config->device : "");
	*out = port;
	return 0;
}

void
mr_port_free(struct mr_port *port)
{
	free(port);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The function's life in one data plane. A new configuration is a second list of
 * records beside the one in force; records whose settings did not change move over
 * with their open ports. One whose device is the same but whose settings differ can
 * only be opened after the old one is closed, so that happens in finish, and a failure
 * there leaves it closed and tried again each second.
 */

#include "nf/interface/interface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit/port/driver.h"
#include "nf/interface/interface_int.h"

extern const char mr_yang_interface[];

static struct record *
find(struct record *list, const char *name)
{
	for (; list; list = list->next)
		if (strcmp(list->pub.name, name) == 0)
			return list;
	return NULL;
}

static struct record *
current(const struct mr_interfaces *all)
{
	return all->changing ? all->next : all->now;
}

static int
interface_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct mr_interfaces *all = calloc(1, sizeof(*all));
	int rc;

	if (!all)
		return mr_error_set(error, -ENOMEM, "no memory");
	all->dp = dp;
	all->watch = interface_watch_open();
	rc = mr_graph_add_node(mr_dataplane_graph(dp), &interface_unused_class, NULL, NULL,
	    &all->unused, error);
	if (rc) {
		if (all->watch >= 0)
			close(all->watch);
		free(all);
		return rc;
	}
	*state = all;
	return 0;
}

static void
interface_destroy(void *state)
{
	struct mr_interfaces *all = state;
	struct mr_error error;
	struct record *r;

	if (!all)
		return;
	for (r = all->now; r; r = r->next) {
		interface_record_remove(all, r);
		interface_record_remove_nodes(all, r);
	}
	mr_graph_commit(mr_dataplane_graph(all->dp), &error);
	while ((r = all->now) != NULL) {
		all->now = r->next;
		interface_record_destroy(all, r);
	}
	if (all->watch >= 0)
		close(all->watch);
	free(all);
}

/* Two interfaces on one device would take each other's packets. */
static void
check_device(const struct mr_config *config, const struct mr_conf *conf, const char *driver,
    struct mr_report *report)
{
	const char *device = interface_device_of(conf);
	const struct mr_conf *other;

	if (!*device)
		return;
	mr_conf_each(other, mr_conf_root(config), "interface") {
		if (other == conf)
			return;
		if (strcmp(mr_conf_text(other, "driver", "xdp"), driver) == 0 &&
		    strcmp(interface_device_of(other), device) == 0) {
			mr_report_at(report, config, conf,
			    "device \"%s\" is taken by interface %s already", device,
			    mr_conf_key(other));
			return;
		}
	}
}

static void
check_options(const struct mr_config *config, const struct mr_conf *conf,
    const struct mr_port_driver *driver, struct mr_report *report)
{
	struct settings s;
	struct mr_error error;
	struct mr_port_config wanted = { .name = mr_conf_key(conf) };
	const struct mr_conf *at = mr_conf_child(conf, "options");

	if (interface_settings_read(&s, conf, &error)) {
		mr_report_at(report, config, conf, "%s", error.text);
		return;
	}
	wanted.options = s.options;
	wanted.option_count = s.option_count;
	if (mr_options_check(driver->options, &wanted, &error))
		mr_report_at(report, config, at ? at : conf, "%s", error.text);
	interface_settings_free(&s);
}

static void
check_one(struct mr_interfaces *all, const struct mr_config *config, const struct mr_conf *conf,
    struct mr_report *report)
{
	const char *name = mr_conf_text(conf, "driver", "xdp");
	const struct mr_port_driver *driver = mr_port_driver_find(name);
	const struct mr_conf *entry;

	if (strlen(mr_conf_key(conf)) >= MR_PORT_NAME_MAX)
		mr_report_at(report, config, conf, "the name is longer than %d characters",
		    MR_PORT_NAME_MAX - 1);
	if (!driver) {
		char known[256] = "";

		for (unsigned i = 0; mr_port_driver_list[i]; i++)
			snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			    i ? ", " : "", mr_port_driver_list[i]->name);
		mr_report_at(report, config, mr_conf_child(conf, "driver"),
		    "there is no driver \"%s\"; there are %s", name, known);
		return;
	}
	check_device(config, conf, name, report);
	if (driver->joined)
		interface_check_join(config, conf, report);
	check_options(config, conf, driver, report);
	mr_conf_each(entry, conf, "rx-worker")
		if (all &&
		    mr_conf_value_uint(entry) >= mr_graph_worker_count(mr_dataplane_graph(all->dp)))
			mr_report_at(report, config, entry, "there is no worker %s; there are %u",
			    mr_conf_value(entry),
			    mr_graph_worker_count(mr_dataplane_graph(all->dp)));
}

static void
interface_check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *conf;

	mr_conf_each(conf, mr_conf_root(config), "interface")
		check_one(state, config, conf, report);
}

/* The record for one entry: the one in force, if it may stay, or a new one. */
static int
prepare_one(struct mr_interfaces *all, const struct mr_conf *conf, struct record **out,
    struct mr_error *error)
{
	struct record *old = find(all->now, mr_conf_key(conf)), *r;
	int rc = interface_record_create(all, conf, &r, error);

	if (rc)
		return rc;
	*out = r;
	if (old && interface_settings_equal(&old->want, &r->want)) {
		/* Commit moves the open port over; the index is known to others from now on. */
		all->taken[r->pub.index] = 0;
		r->pub.index = old->pub.index;
		r->borrows = true;
		return 0;
	}
	for (struct record *o = all->now; o && r->want.device[0]; o = o->next)
		if (!strcmp(o->want.device, r->want.device) &&
		    !strcmp(o->want.driver, r->want.driver))
			return 0; /* finish opens it, once the device is free */
	rc = interface_record_open(all, r, error);
	if (rc == -ENODEV) {
		mr_log(mr_dataplane_log(all->dp), MR_LOG_WARNING,
		    "interface %s: %s; tried again each second", r->pub.name, error->text);
		rc = 0;
	}
	return rc;
}

static void
drop_next(struct mr_interfaces *all)
{
	struct record *r;

	while ((r = all->next) != NULL) {
		all->next = r->next;
		interface_record_destroy(all, r);
	}
	all->changing = false;
}

static int
interface_prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct mr_interfaces *all = state;
	struct record **tail = &all->next;
	const struct mr_conf *conf;

	all->changing = true;
	mr_conf_each(conf, mr_conf_root(config), "interface") {
		int rc = prepare_one(all, conf, tail, error);

		if (rc) {
			drop_next(all);
			return rc;
		}
		tail = &(*tail)->next;
	}
	return 0;
}

static void
interface_abort(void *state)
{
	drop_next(state);
}

/* The open port and all that hangs on it go from the old record to the new one. */
static void
move_over(struct record *from, struct record *to)
{
	to->borrows = false;
	from->borrows = true;
	to->pub.port = from->pub.port;
	to->pub.up = from->pub.up;
	to->added = from->added;
	to->gone = from->gone;
	memcpy(to->trouble, from->trouble, sizeof(to->trouble));
	memcpy(to->inputs, from->inputs, sizeof(to->inputs));
	to->input_count = from->input_count;
	from->pub.port = NULL;
	from->added = false;
	from->input_count = 0;
}

static void
add(struct mr_interfaces *all, struct record *r)
{
	struct mr_error error;

	if (interface_record_add(all, r, &error) == 0)
		return;
	mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "interface %s: %s", r->pub.name,
	    error.text);
	interface_record_close(r);
}

static void
cross_connect(struct mr_interfaces *all, struct record *r)
{
	const struct record *to = find(all->next, r->want.cross_connect);
	char name[MR_GRAPH_NAME_MAX];
	struct mr_error error;

	if (!r->want.cross_connect[0] || !to)
		return;
	r->cross_to = to->pub.index;
	snprintf(name, sizeof(name), "cross-connect@%s", r->pub.name);
	if (mr_graph_add_node(mr_dataplane_graph(all->dp), &interface_cross_class, name,
		&r->cross_to, &r->cross, &error)) {
		mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "interface %s: %s", r->pub.name,
		    error.text);
		return;
	}
	r->use = r->cross;
}

static void
interface_commit(void *state)
{
	struct mr_interfaces *all = state;
	struct record *r, *old;

	for (r = all->next; r; r = r->next) {
		old = find(all->now, r->pub.name);
		if (old && r->borrows)
			move_over(old, r);
	}
	for (r = all->now; r; r = r->next) {
		interface_record_remove(all, r);
		interface_record_remove_nodes(all, r);
	}
	for (r = all->next; r; r = r->next)
		add(all, r);
	for (r = all->next; r; r = r->next) {
		cross_connect(all, r);
		interface_record_aim(all, r);
	}
}

/* Opens what could not be opened beside the old configuration. */
static void
open_late(struct mr_interfaces *all)
{
	struct mr_error error;
	struct record *r;

	for (r = all->now; r; r = r->next) {
		if (r->pub.port || r->gone || !r->want.enabled)
			continue;
		if (interface_record_open(all, r, &error)) {
			mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR,
			    "interface %s: %s; tried again each second", r->pub.name, error.text);
			r->gone = true;
			continue;
		}
		add(all, r);
		interface_record_aim(all, r);
		mr_graph_commit(mr_dataplane_graph(all->dp), &error);
	}
}

static void
interface_finish(void *state)
{
	struct mr_interfaces *all = state;
	struct record *r, *old = all->now;

	all->now = all->next;
	all->next = NULL;
	all->changing = false;
	while ((r = old) != NULL) {
		old = r->next;
		interface_record_destroy(all, r);
	}
	open_late(all);
}

static void
interface_tick(void *state, uint32_t seconds)
{
	struct mr_interfaces *all = state;
	struct mr_error error;
	struct record *r;

	(void)seconds;
	if (all->watch >= 0)
		interface_watch_drain(all->watch);
	for (r = all->now; r; r = r->next) {
		bool close_after = false;

		if (!interface_record_watch(all, r, &close_after))
			continue;
		if (mr_graph_commit(mr_dataplane_graph(all->dp), &error))
			mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "%s", error.text);
		if (close_after)
			interface_record_close(r);
	}
}

static int
interface_fd(const void *state)
{
	const struct mr_interfaces *all = state;

	return all->watch;
}

struct mr_interfaces *
mr_interfaces_of(struct mr_dataplane *dp)
{
	return mr_dataplane_state(dp, &mr_nf_interface);
}

const struct mr_interface *
mr_interface_find(const struct mr_interfaces *all, const char *name)
{
	struct record *r = find(current(all), name);

	return r ? &r->pub : NULL;
}

const struct mr_interface *
mr_interface_at(const struct mr_interfaces *all, uint16_t index)
{
	for (struct record *r = current(all); r; r = r->next)
		if (r->pub.index == index)
			return &r->pub;
	return NULL;
}

int
interface_index_take(struct mr_interfaces *all, uint16_t *index, struct mr_error *error)
{
	for (unsigned i = 0; i < MR_PORT_MAX; i++) {
		if (all->taken[i])
			continue;
		all->taken[i] = 1;
		*index = (uint16_t)i;
		return 0;
	}
	return mr_error_set(error, -ENOSPC, "more than %d interfaces", MR_PORT_MAX);
}

int
mr_interface_reserve(struct mr_interfaces *all, uint16_t *index, struct mr_error *error)
{
	return interface_index_take(all, index, error);
}

void
mr_interface_release(struct mr_interfaces *all, uint16_t index)
{
	all->taken[index] = 0;
}

struct record *
interface_records(const struct mr_interfaces *all)
{
	return current(all);
}

struct record *
interface_record_at(const struct mr_interfaces *all, uint16_t index)
{
	for (struct record *r = current(all); r; r = r->next)
		if (r->pub.index == index)
			return r;
	return NULL;
}

void
mr_interface_use(struct mr_interfaces *all, uint16_t index, uint16_t node)
{
	struct record *r = interface_record_at(all, index);

	if (!r)
		return;
	r->use = node;
	interface_record_aim(all, r);
}

/* Whether this instance of a function takes the interface's packets. What has no name is no
 * instance, but says something about interfaces (lanes). */
static bool
takes(const struct mr_conf *instance, const char *interface)
{
	const struct mr_conf *member;

	if (!*mr_conf_key(instance))
		return false;
	mr_conf_each(member, instance, "interface")
		if (!strcmp(mr_conf_text(member, "parent", mr_conf_key(member)), interface) &&
		    !mr_conf_bool(member, "loopback", false))
			return true;
	return false;
}

void
mr_interface_claim(struct mr_report *report, const struct mr_config *config,
    const struct mr_conf *at, const char *interface, const char *user)
{
	const struct mr_conf *conf = mr_conf_find(mr_conf_root(config), "interface", interface);
	const struct mr_conf *mine = mr_conf_parent(at), *other;
	const char *cross = mr_conf_text(conf, "cross-connect", NULL);

	if (cross)
		mr_report_at(report, config, at,
		    "interface %s is cross-connected to %s and cannot be in %s as well", interface,
		    cross, user);
	/* Functions that come before this one; those behind it report by themselves. */
	for (other = mr_conf_first(mr_conf_root(config)); other; other = mr_conf_sibling(other)) {
		if (!strcmp(mr_conf_name(other), mr_conf_name(mine)))
			break;
		/* What is no list's entry (connection tracking) only looks at packets. */
		if (*mr_conf_key(other) && takes(other, interface))
			mr_report_at(report, config, at,
			    "interface %s is in %s %s and cannot be in %s as well", interface,
			    mr_conf_name(other), mr_conf_key(other), user);
	}
}

const struct mr_nf mr_nf_interface = {
	.name = "interface",
	.doc = "named ports: opening, watching, cross-connects",
	.yang = mr_yang_interface,
	.create = interface_create,
	.destroy = interface_destroy,
	.check = interface_check,
	.prepare = interface_prepare,
	.commit = interface_commit,
	.finish = interface_finish,
	.abort = interface_abort,
	.plan = interface_plan,
	.tick = interface_tick,
	.fd = interface_fd,
	.show = interface_show,
};

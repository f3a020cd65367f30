/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/commit/commit.h"
#include "control/service.h"
#include "nf/nf.h"

struct mr_control {
	struct mr_control_config config;
	struct mr_http *http;
	void **states; /* of mr_service_list */
};

static unsigned
service_count(void)
{
	unsigned n = 0;

	while (mr_service_list[n])
		n++;
	return n;
}

static int
fail(struct mr_report *report, const struct mr_config *config, int rc, const struct mr_error *error)
{
	mr_report_add(report, mr_config_name(config), 0, 0, "", "%s", error->text);
	return rc;
}

/* -- the model --------------------------------------------------------------------------- */

int
mr_control_model(struct mr_model **out, struct mr_error *error)
{
	const char **texts = calloc(service_count() + 1, sizeof(*texts));
	unsigned count = 0;
	int rc;

	if (!texts)
		return mr_error_set(error, -ENOMEM, "no memory for the model");
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->yang)
			texts[count++] = mr_service_list[i]->yang;
	rc = mr_nf_model_with(out, texts, count, error);
	free(texts);
	return rc;
}

static void
check_services(struct mr_control *c, const struct mr_config *config, struct mr_report *report)
{
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->check)
			mr_service_list[i]->check(c ? c->states[i] : NULL, config, report);
}

void
mr_control_check(const struct mr_config *config, struct mr_report *report)
{
	mr_dataplane_check(config, report);
	check_services(NULL, config, report);
}

/* -- a change ---------------------------------------------------------------------------- */

static void
abort_services(struct mr_control *c, unsigned prepared)
{
	while (prepared-- > 0)
		if (mr_service_list[prepared]->abort)
			mr_service_list[prepared]->abort(c->states[prepared]);
}

/* Those that can fail. On failure, nothing is prepared any more. */
static int
prepare_services(struct mr_control *c, const struct mr_config *next, struct mr_report *report)
{
	struct mr_error error = { 0 };

	for (unsigned i = 0; mr_service_list[i]; i++) {
		int rc = mr_service_list[i]->prepare
		    ? mr_service_list[i]->prepare(c->states[i], next, &error)
		    : 0;

		if (rc) {
			abort_services(c, i);
			return fail(report, next, rc, &error);
		}
	}
	return 0;
}

static void
commit_services(struct mr_control *c)
{
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->commit)
			mr_service_list[i]->commit(c->states[i]);
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->finish)
			mr_service_list[i]->finish(c->states[i]);
}

int
mr_control_apply(struct mr_control *c, const struct mr_config *next, struct mr_report *report)
{
	size_t before = mr_report_count(report);
	int rc;

	check_services(c, next, report);
	if (mr_report_count(report) > before)
		return -EINVAL;
	rc = prepare_services(c, next, report);
	if (rc)
		return rc;
	rc = mr_dataplane_apply(c->config.dataplane, next, report);
	if (rc) {
		abort_services(c, service_count());
		return rc;
	}
	commit_services(c);
	return 0;
}

int
mr_control_try(struct mr_control *c, const struct mr_config *next, struct mr_report *report)
{
	size_t before = mr_report_count(report);

	check_services(c, next, report);
	mr_dataplane_try(c->config.dataplane, next, report);
	return mr_report_count(report) > before ? -EINVAL : 0;
}

/* -- its life ---------------------------------------------------------------------------- */

static int
create_services(struct mr_control *c, struct mr_error *error)
{
	for (unsigned i = 0; mr_service_list[i]; i++) {
		const struct mr_service *service = mr_service_list[i];
		int rc = service->create(&c->states[i], c, error);

		if (rc) {
			mr_error_prefix(error, "%s", service->name);
			return rc;
		}
		if (service->routes && mr_http_add(c->http, service->routes, c->states[i]))
			return mr_error_set(error, -ENOMEM, "control: no memory");
	}
	return 0;
}

int
mr_control_create(struct mr_control **out, const struct mr_control_config *config,
    struct mr_report *report)
{
	const struct mr_config *first = mr_commit_start_choice(config->start);
	struct mr_control *c = calloc(1, sizeof(*c));
	struct mr_error error = { 0 };
	int rc;

	if (!c) {
		mr_commit_start_destroy(config->start);
		return -ENOMEM;
	}
	c->config = *config;
	c->states = calloc(service_count() + 1, sizeof(*c->states));
	rc = c->states ? mr_http_create(&c->http, config->base, config->log, &error)
		       : mr_error_set(&error, -ENOMEM, "control: no memory");
	if (!rc)
		rc = create_services(c, &error);
	if (!rc && config->path)
		rc = mr_http_listen_unix(c->http, config->path, &error);
	if (rc) {
		fail(report, first, rc, &error);
	} else {
		check_services(c, first, report);
		rc = mr_report_count(report) ? -EINVAL : prepare_services(c, first, report);
	}
	if (rc) {
		mr_control_destroy(c);
		return rc;
	}
	commit_services(c);
	*out = c;
	return 0;
}

void
mr_control_destroy(struct mr_control *c)
{
	if (!c)
		return;
	/* Requests first: they use the services. */
	mr_http_destroy(c->http);
	for (unsigned i = service_count(); c->states && i-- > 0;)
		if (c->states[i])
			mr_service_list[i]->destroy(c->states[i]);
	mr_commit_start_destroy(c->config.start);
	free(c->states);
	free(c);
}

void
mr_control_tick(struct mr_control *c, uint32_t seconds)
{
	mr_dataplane_tick(c->config.dataplane, seconds);
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->tick)
			mr_service_list[i]->tick(c->states[i], seconds);
}

int
mr_control_show(struct mr_control *c, const char *name, struct mr_state *st)
{
	int rc = mr_dataplane_show(c->config.dataplane, name, st);

	for (unsigned i = 0; mr_service_list[i]; i++) {
		const struct mr_service *service = mr_service_list[i];

		if (!service->show || (name && strcmp(name, service->name) != 0))
			continue;
		service->show(c->states[i], st);
		rc = 0;
	}
	return rc;
}

struct event_base *
mr_control_base(const struct mr_control *c)
{
	return c->config.base;
}

struct mr_dataplane *
mr_control_dataplane(const struct mr_control *c)
{
	return c->config.dataplane;
}

struct mr_model *
mr_control_model_of(const struct mr_control *c)
{
	return c->config.model;
}

struct mr_log *
mr_control_log(const struct mr_control *c)
{
	return c->config.log;
}

struct mr_http *
mr_control_http(const struct mr_control *c)
{
	return c->http;
}

struct mr_commit_start *
mr_control_start(const struct mr_control *c)
{
	return c->config.start;
}

void *
mr_control_state(const struct mr_control *c, const struct mr_service *service)
{
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i] == service)
			return c->states[i];
	return NULL;
}

void
mr_control_default_path(char *path, size_t size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		snprintf(path, size, "/run/millrace.sock");
	else if (dir && *dir)
		snprintf(path, size, "%s/millrace.sock", dir);
	else
		snprintf(path, size, "/tmp/millrace-%u.sock", (unsigned)geteuid());
}

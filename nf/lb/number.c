/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of services and backends: those of the configuration before for what stays, and for
 * what is new one that nobody has or had in it, for its connections may still be there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lb/control_int.h"

struct numbers {
	bool services[LB_SERVICES_MAX];
	bool backends[LB_BACKENDS_MAX];
};

static void
mark(struct numbers *n, const struct lb_conf *c)
{
	for (unsigned i = 0; i < c->service_count; i++) {
		const struct lb_conf_service *s = &c->services[i];

		if (s->number != LB_NONE)
			n->services[s->number] = true;
		for (unsigned b = 0; b < s->backend_count; b++)
			if (s->backends[b].number != LB_NONE)
				n->backends[s->backends[b].number] = true;
	}
}

static uint16_t
take(bool *used, unsigned max)
{
	for (unsigned i = 0; i < max; i++) {
		if (used[i])
			continue;
		used[i] = true;
		return (uint16_t)i;
	}
	return LB_NONE;
}

/* The same service still: what its connections were made for holds. */
static bool
is_same_service(const struct lb_conf_service *a, const struct lb_conf_service *b)
{
	return a->settings.mode == b->settings.mode && a->settings.proto == b->settings.proto &&
	    strcmp(a->router, b->router) == 0;
}

static bool
is_same_backend(const struct lb_conf_backend *a, const struct lb_conf_backend *b)
{
	return lb_ip_equal(&a->ip, &b->ip) && a->port == b->port;
}

/* Backends of the service before that are not in it any more. */
static int
take_along(struct lb_conf_service *s, const struct lb_conf_service *before)
{
	struct lb_conf_backend *more;

	more = realloc(s->backends,
	    (s->backend_count + before->backend_count + 1) * sizeof(*s->backends));
	if (!more)
		return -ENOMEM;
	s->backends = more;
	for (unsigned i = 0; i < before->backend_count; i++) {
		const struct lb_conf_backend *old = &before->backends[i];
		const struct lb_conf_backend *b = lb_conf_backend(s, old->name);

		if (old->gone)
			continue;
		if ((!old->leaving && b && is_same_backend(old, b)) ||
		    (!old->leaving && (!s->drain_removed || old->admin == MR_LB_DOWN)))
			continue;
		s->backends[s->backend_count] = *old;
		s->backends[s->backend_count].leaving = true;
		s->backends[s->backend_count++].admin = MR_LB_DRAIN;
	}
	return 0;
}

static int
number_service(struct lb_conf_service *s, const struct lb_conf *before)
{
	const struct lb_conf_service *old = lb_conf_service(before, s->name);

	if (!old || !is_same_service(s, old))
		return 0;
	s->number = old->number;
	for (unsigned i = 0; i < s->backend_count; i++) {
		const struct lb_conf_backend *b = lb_conf_backend(old, s->backends[i].name);

		if (b && is_same_backend(b, &s->backends[i]))
			s->backends[i].number = b->number;
	}
	return take_along(s, old);
}

int
lb_conf_number(struct lb_conf *c, const struct lb_conf *before, struct mr_error *error)
{
	struct numbers *n = calloc(1, sizeof(*n));
	int rc = n ? 0 : -ENOMEM;

	for (unsigned i = 0; !rc && i < c->service_count; i++)
		rc = number_service(&c->services[i], before);
	if (rc) {
		free(n);
		return mr_error_set(error, rc, "no memory for the load balancer's services");
	}
	mark(n, before);
	mark(n, c);
	for (unsigned i = 0; !rc && i < c->service_count; i++) {
		struct lb_conf_service *s = &c->services[i];

		if (s->number == LB_NONE)
			s->number = take(n->services, LB_SERVICES_MAX);
		rc = s->number == LB_NONE ? -ENOSPC : 0;
		for (unsigned b = 0; !rc && b < s->backend_count; b++) {
			if (s->backends[b].number == LB_NONE)
				s->backends[b].number = take(n->backends, LB_BACKENDS_MAX);
			rc = s->backends[b].number == LB_NONE ? -ENOSPC : 0;
		}
	}
	free(n);
	if (rc)
		return mr_error_set(error, rc, "more than %u services or %u servers",
		    LB_SERVICES_MAX, LB_BACKENDS_MAX);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the load balancer and the checker: when a commit has changed what is to be asked, the
 * targets follow; when a server's health changes, the load balancer is told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/dataplane.h"
#include "nf/lb/backend.h"
#include "nf/lb/health/health.h"

#define CHECKS_MAX 16384u
#define WORD 64

extern const char mr_yang_lb_health[];

struct space {
	struct space *next;
	char vrf[WORD], name[WORD];
};

struct check {
	struct check *next;
	unsigned service, backend;
	char service_name[WORD], name[WORD];
	enum mr_health_kind kind;
	struct mr_health_target *target; /* null: see `why` */
	char why[128];
	bool wanted;
};

struct checks {
	struct mr_dataplane *dp;
	struct mr_lb *lb;
	struct mr_health *health;
	struct check *checks, *last;        /* in the order of mr_lb_backend_next */
	struct check *hint;                 /* while following: the one found before */
	struct space *spaces, *next_spaces; /* of VRFs; next: between prepare and finish */
};

static void
changed(void *arg, uint64_t tag, bool healthy, const char *why)
{
	struct checks *c = arg;

	mr_lb_set_health(c->lb, (unsigned)(tag >> 32), (unsigned)(uint32_t)tag, healthy,
	    healthy ? NULL : why);
}

static void
free_spaces(struct space **at)
{
	struct space *s;

	while ((s = *at) != NULL) {
		*at = s->next;
		free(s);
	}
}

static void
checks_destroy(void *state)
{
	struct checks *c = state;
	struct check *k;

	if (!c)
		return;
	while ((k = c->checks) != NULL) {
		c->checks = k->next;
		free(k);
	}
	mr_health_destroy(c->health);
	free_spaces(&c->spaces);
	free_spaces(&c->next_spaces);
	free(c);
}

static int
checks_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct checks *c = calloc(1, sizeof(*c));
	const struct mr_health_events events = { changed, c };
	int rc;

	if (!c)
		return mr_error_set(error, -ENOMEM, "no memory");
	c->dp = dp;
	c->lb = mr_lb_of(dp);
	rc = mr_health_create(&c->health, CHECKS_MAX, &events, error);
	if (rc) {
		checks_destroy(c);
		return rc;
	}
	*state = c;
	return 0;
}

/* -- which namespace a VRF's servers are asked from ---------------------------------------- */

static int
checks_prepare(void *state, const struct mr_config *next, struct mr_error *error)
{
	struct checks *c = state;
	const struct mr_conf *router;

	free_spaces(&c->next_spaces);
	mr_conf_each(router, mr_conf_root(next), "router") {
		const char *name = mr_conf_text(mr_conf_child(router, "host"), "namespace", "-");
		struct space *s;

		if (!strcmp(name, "-"))
			continue;
		s = calloc(1, sizeof(*s));
		if (!s)
			return mr_error_set(error, -ENOMEM, "no memory");
		snprintf(s->vrf, sizeof(s->vrf), "%s", mr_conf_key(router));
		snprintf(s->name, sizeof(s->name), "%s", name);
		s->next = c->next_spaces;
		c->next_spaces = s;
	}
	return 0;
}

static void
checks_abort(void *state)
{
	struct checks *c = state;

	free_spaces(&c->next_spaces);
}

/* Nothing of it is in the graph; what there is to do can wait until the new configuration is in force. */
static void
checks_commit(void *state)
{
	(void)state;
}

static const char *
space_of(const struct checks *c, const char *vrf)
{
	const char *wanted = vrf && *vrf ? vrf : "default";

	for (const struct space *s = c->spaces; s; s = s->next)
		if (!strcmp(s->vrf, wanted))
			return s->name;
	return NULL;
}

/* -- targets ------------------------------------------------------------------------------- */

static bool
to_config(const struct checks *c, const struct mr_lb_backend *b, struct mr_health_config *h)
{
	const struct mr_lb_check *k = b->check;
	static const enum mr_health_kind kinds[] = {
		[MR_LB_CHECK_TCP] = MR_HEALTH_TCP,
		[MR_LB_CHECK_HTTP] = MR_HEALTH_HTTP,
		[MR_LB_CHECK_UDP] = MR_HEALTH_UDP,
		[MR_LB_CHECK_ICMP] = MR_HEALTH_ICMP,
	};

	if (!k || k->type == MR_LB_CHECK_NONE || (unsigned)k->type >= MR_ARRAY_COUNT(kinds))
		return false;
	*h = (struct mr_health_config){
		.kind = kinds[k->type],
		.family = b->six ? 6 : 4,
		.port = k->type == MR_LB_CHECK_ICMP ? 0
		    : k->port                       ? k->port
						    : b->port,
		.space = k->space ? k->space : space_of(c, b->vrf),
		.interval = k->interval,
		.timeout = k->timeout,
		.rise = k->rise,
		.fall = k->fall,
	};
	memcpy(h->address, b->address, sizeof(h->address));
	if (k->type == MR_LB_CHECK_HTTP) {
		h->status_first = k->status_first;
		h->status_last = k->status_last;
		h->host = k->host;
		h->path = k->path;
		h->body = k->body;
	} else if (k->type == MR_LB_CHECK_UDP) {
		h->send = k->send;
		h->expect = k->expect;
	}
	return true;
}

static bool
is_of(const struct check *k, const struct mr_lb_backend *b)
{
	return k->service == b->service && k->backend == b->backend;
}

/* Mostly they come in the order of the last time. */
static struct check *
find(struct checks *c, const struct mr_lb_backend *b)
{
	struct check *k = c->hint ? c->hint->next : c->checks;

	if (!k || !is_of(k, b))
		for (k = c->checks; k && !is_of(k, b);)
			k = k->next;
	if (k)
		c->hint = k;
	return k;
}

static struct check *
append(struct checks *c, const struct mr_lb_backend *b)
{
	struct check *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->service = b->service;
	k->backend = b->backend;
	if (c->last)
		c->last->next = k;
	else
		c->checks = k;
	c->last = c->hint = k;
	return k;
}

/* A server that is asked in the same way as before goes on from where it was. */
static void
want(struct checks *c, const struct mr_lb_backend *b, const struct mr_health_config *config)
{
	uint64_t tag = (uint64_t)b->service << 32 | b->backend;
	struct check *k = find(c, b);
	struct mr_error error;

	if (!k)
		k = append(c, b);
	if (!k) {
		mr_log(mr_dataplane_log(c->dp), MR_LOG_ERROR, "lb: no memory for a check");
		return;
	}
	k->wanted = true;
	k->kind = config->kind;
	snprintf(k->service_name, sizeof(k->service_name), "%s", b->service_name);
	snprintf(k->name, sizeof(k->name), "%s", b->name);
	if (k->target && mr_health_is(k->target, config))
		return;
	if (k->target)
		mr_health_remove(k->target);
	k->target = NULL;
	k->why[0] = 0;
	if (mr_health_add(c->health, config, tag, &k->target, &error)) {
		snprintf(k->why, sizeof(k->why), "%s", error.text);
		mr_log(mr_dataplane_log(c->dp), MR_LOG_ERROR, "lb: service %s, backend %s: %s",
		    b->service_name, b->name, error.text);
		return;
	}
	mr_health_presume(k->target, b->healthy);
}

static void
follow(struct checks *c)
{
	struct mr_lb_backend b;
	struct mr_health_config config;
	struct check **at = &c->checks, *k;
	unsigned index = 0;

	for (k = c->checks; k; k = k->next)
		k->wanted = false;
	c->hint = NULL;
	while (mr_lb_backend_next(c->lb, &index, &b)) {
		if (to_config(c, &b, &config))
			want(c, &b, &config);
		else if (!b.healthy) /* nobody will ask it any more */
			mr_lb_set_health(c->lb, b.service, b.backend, true, NULL);
	}
	c->last = NULL;
	while ((k = *at) != NULL) {
		if (k->wanted) {
			c->last = k;
			at = &k->next;
			continue;
		}
		*at = k->next;
		if (k->target)
			mr_health_remove(k->target);
		free(k);
	}
}

/* Numbers of servers that are gone may be given to others by the next commit: with this one the
 * checks of those end. */
static void
checks_finish(void *state)
{
	struct checks *c = state;

	free_spaces(&c->spaces);
	c->spaces = c->next_spaces;
	c->next_spaces = NULL;
	follow(c);
}

static void
checks_tick(void *state, uint32_t seconds)
{
	struct checks *c = state;

	(void)seconds;
	mr_health_work(c->health);
}

static int
checks_fd(const void *state)
{
	const struct checks *c = state;

	return mr_health_fd(c->health);
}

static void
show_check(const struct check *k, struct mr_state *st)
{
	static const char *const kinds[MR_HEALTH_KINDS] = {
		[MR_HEALTH_TCP] = "tcp",
		[MR_HEALTH_HTTP] = "http",
		[MR_HEALTH_UDP] = "udp",
		[MR_HEALTH_ICMP] = "icmp",
	};
	struct mr_health_state s = { .why = k->why };

	if (k->target)
		mr_health_state(k->target, &s);
	mr_state_list(st, "check", k->service_name);
	mr_state_text(st, "backend", k->name);
	mr_state_text(st, "type", kinds[k->kind]);
	mr_state_text(st, "state", !s.decided ? "unknown" : s.healthy ? "healthy" : "unhealthy");
	if (s.why[0])
		mr_state_text(st, "reason", s.why);
	mr_state_uint(st, "good", s.good);
	mr_state_uint(st, "bad", s.bad);
	mr_state_uint(st, "took", s.took);
	mr_state_close(st);
}

static void
checks_show(void *state, struct mr_state *st)
{
	const struct checks *c = state;

	mr_state_open(st, "lb-health");
	for (const struct check *k = c->checks; k; k = k->next)
		show_check(k, st);
	mr_state_close(st);
}

const struct mr_nf mr_nf_lb_health = {
	.name = "lb-health",
	.doc = "how the load balancer's servers answer when they are asked whether they are fit",
	.yang = mr_yang_lb_health,
	.create = checks_create,
	.destroy = checks_destroy,
	.prepare = checks_prepare,
	.commit = checks_commit,
	.finish = checks_finish,
	.abort = checks_abort,
	.tick = checks_tick,
	.fd = checks_fd,
	.show = checks_show,
};

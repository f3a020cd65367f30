/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/fpm/fpm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "nf/fpm/server_int.h"

#define SLICE_NS 2500000ull /* the control thread has other things to do */

extern const char mr_yang_fpm[];

struct wanted {
	struct wanted *next;
	struct fpm_settings settings;
};

struct fpm {
	struct mr_router_base base;
	int epoll;
	struct fpm_server *servers;
	struct wanted *wanted; /* between prepare and finish */
};

static int
create(void **state, const struct mr_router_base *base, struct mr_error *error)
{
	struct fpm *f = calloc(1, sizeof(*f));

	if (!f)
		return mr_error_set(error, -ENOMEM, "no memory");
	f->base = *base;
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll < 0) {
		free(f);
		return mr_error_set(error, -errno, "epoll: %s", strerror(errno));
	}
	*state = f;
	return 0;
}

static void
forget_wanted(struct fpm *f)
{
	struct wanted *w;

	while ((w = f->wanted) != NULL) {
		f->wanted = w->next;
		free(w);
	}
}

static void
destroy(void *state)
{
	struct fpm *f = state;
	struct fpm_server *s;

	if (!f)
		return;
	forget_wanted(f);
	while ((s = f->servers) != NULL) {
		f->servers = s->next;
		fpm_server_destroy(s);
	}
	close(f->epoll);
	free(f);
}

static void
read_settings(struct fpm_settings *s, const struct mr_conf *router)
{
	const struct mr_conf *fpm = mr_conf_child(router, "fpm");
	const struct mr_conf *host = mr_conf_child(router, "host");
	const char *name_space = mr_conf_text(host, "namespace", "");

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", mr_conf_key(router));
	if (strcmp(name_space, "-"))
		snprintf(s->name_space, sizeof(s->name_space), "%s", name_space);
	snprintf(s->address, sizeof(s->address), "%s", mr_conf_text(fpm, "listen", "127.0.0.1"));
	s->port = (uint16_t)mr_conf_uint(fpm, "port", 2620);
	s->table = (uint32_t)mr_conf_uint(fpm, "table", 254);
	s->stale_time = (uint32_t)mr_conf_uint(fpm, "stale-time", 60);
	s->hold_time = (uint32_t)mr_conf_uint(fpm, "hold-time", 0);
}

/* Two servers cannot listen in the same place. */
static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *router, *other;
	struct fpm_settings a, b;

	(void)state;
	mr_conf_each(router, mr_conf_root(config), "router") {
		if (!mr_conf_present(router, "fpm"))
			continue;
		read_settings(&a, router);
		mr_conf_each(other, mr_conf_root(config), "router") {
			if (other == router)
				break;
			if (!mr_conf_present(other, "fpm"))
				continue;
			read_settings(&b, other);
			if (a.port == b.port && !strcmp(a.address, b.address) &&
			    !strcmp(a.name_space, b.name_space))
				mr_report_at(report, config, mr_conf_child(router, "fpm"),
				    "router %s listens on %s port %u in the same namespace", b.name,
				    b.address, b.port);
		}
	}
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct fpm *f = state;
	const struct mr_conf *router;

	mr_conf_each(router, mr_conf_root(config), "router") {
		struct wanted *w;

		if (!mr_conf_present(router, "fpm"))
			continue;
		w = calloc(1, sizeof(*w));
		if (!w) {
			forget_wanted(f);
			return mr_error_set(error, -ENOMEM, "no memory");
		}
		read_settings(&w->settings, router);
		w->next = f->wanted;
		f->wanted = w;
	}
	return 0;
}

static void
fpm_abort(void *state)
{
	forget_wanted(state);
}

static struct fpm_server *
find(struct fpm *f, const struct fpm_settings *settings)
{
	for (struct fpm_server *s = f->servers; s; s = s->next)
		if (fpm_server_is(s, settings))
			return s;
	return NULL;
}

static void
remove_unwanted(struct fpm *f)
{
	struct fpm_server **at = &f->servers, *s;

	for (s = f->servers; s; s = s->next)
		s->keep = false;
	for (struct wanted *w = f->wanted; w; w = w->next) {
		s = find(f, &w->settings);
		if (!s)
			continue;
		s->keep = true;
		s->settings = w->settings;
	}
	while ((s = *at) != NULL) {
		if (s->keep) {
			s->remap = true;
			at = &s->next;
			continue;
		}
		*at = s->next;
		fpm_server_destroy(s);
	}
}

static void
finish(void *state)
{
	struct fpm *f = state;
	struct mr_error error;

	remove_unwanted(f);
	for (struct wanted *w = f->wanted; w; w = w->next) {
		uint16_t vrf = mr_ip_vrf_find(f->base.ip, w->settings.name);
		struct fpm_server *s;

		if (find(f, &w->settings) || vrf == UINT16_MAX)
			continue;
		if (fpm_server_create(&s, &w->settings, &f->base, vrf, f->epoll, &error)) {
			mr_log(mr_dataplane_log(f->base.dp), MR_LOG_ERROR, "router %s: %s",
			    w->settings.name, error.text);
			continue;
		}
		s->next = f->servers;
		f->servers = s;
	}
	forget_wanted(f);
	mr_rib_settle(f->base.rib);
}

/* Each in its turn, and all together no longer than a slice: whoever had the first word in this
 * one has the last in the next. */
static uint32_t
tick(void *state, uint64_t now)
{
	struct fpm *f = state;
	uint64_t deadline = fpm_now_ns() + SLICE_NS;
	uint32_t next = UINT32_MAX;
	struct fpm_server *first = f->servers, **tail;
	bool changed = false;

	for (struct fpm_server *s = first; s; s = s->next) {
		uint32_t wish = fpm_server_work(s, now, deadline);

		changed |= s->changed;
		next = MR_MIN(next, wish);
	}
	if (changed)
		mr_rib_settle(f->base.rib);
	if (first && first->next) {
		f->servers = first->next;
		for (tail = &f->servers; *tail; tail = &(*tail)->next)
			;
		*tail = first;
		first->next = NULL;
	}
	return next;
}

static int
watch(void *state, int epoll)
{
	struct fpm *f = state;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = (void *)&mr_ip_part_fpm };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, f->epoll, &event) ? -errno : 0;
}

static void
changed(void *state, uint16_t interface)
{
	struct fpm *f = state;

	(void)interface;
	for (struct fpm_server *s = f->servers; s; s = s->next) {
		mr_links_forget(&s->links);
		s->remap = true;
	}
}

static void
show(void *state, uint16_t vrf, struct mr_state *st)
{
	const struct fpm *f = state;

	for (const struct fpm_server *s = f->servers; s; s = s->next)
		if (s->vrf == vrf)
			fpm_server_show(s, st);
}

const struct mr_ip_part mr_ip_part_fpm = {
	.name = "fpm",
	.yang = mr_yang_fpm,
	.create = create,
	.destroy = destroy,
	.check = check,
	.prepare = prepare,
	.finish = finish,
	.abort = fpm_abort,
	.tick = tick,
	.watch = watch,
	.changed = changed,
	.show = show,
};

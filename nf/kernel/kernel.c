/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/kernel/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "nf/kernel/mirror_int.h"

#define SLICE_NS 2500000ull /* the control thread has other things to do */

extern const char mr_yang_kernel[];

struct wanted {
	struct wanted *next;
	struct kernel_settings settings;
	struct kernel_export *exports;
	uint32_t export_count;
};

struct kernel {
	struct mr_router_base base;
	int epoll;
	struct kernel_mirror *mirrors;
	struct wanted *wanted; /* between prepare and finish */
};

static int
create(void **state, const struct mr_router_base *base, struct mr_error *error)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return mr_error_set(error, -ENOMEM, "no memory");
	k->base = *base;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (k->epoll < 0) {
		free(k);
		return mr_error_set(error, -errno, "epoll: %s", strerror(errno));
	}
	*state = k;
	return 0;
}

static void
forget_wanted(struct kernel *k)
{
	struct wanted *w;

	while ((w = k->wanted) != NULL) {
		k->wanted = w->next;
		free(w->exports);
		free(w);
	}
}

static void
destroy(void *state)
{
	struct kernel *k = state;
	struct kernel_mirror *m;

	if (!k)
		return;
	forget_wanted(k);
	while ((m = k->mirrors) != NULL) {
		k->mirrors = m->next;
		kernel_mirror_destroy(m);
	}
	close(k->epoll);
	free(k);
}

static const char *
name_space_of(const struct mr_conf *router)
{
	const char *name = mr_conf_text(mr_conf_child(router, "host"), "namespace", "");

	return strcmp(name, "-") ? name : "";
}

static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	const struct mr_conf *router, *kernel;

	(void)state;
	mr_conf_each(router, mr_conf_root(config), "router") {
		kernel = mr_conf_child(router, "kernel");
		if (kernel && !mr_conf_is_default(kernel) && mr_conf_bool(kernel, "import", true) &&
		    !name_space_of(router)[0])
			mr_report_at(report, config, kernel,
			    "router %s has no host namespace whose routes it could follow",
			    mr_conf_key(router));
	}
}

static bool
read_prefix(struct kernel_export *e, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[64];

	if (!slash || slash - text >= (ptrdiff_t)sizeof(address))
		return false;
	memset(e, 0, sizeof(*e));
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	e->family = strchr(address, ':') ? MR_IP6 : MR_IP4;
	e->len = (uint8_t)strtoul(slash + 1, NULL, 10);
	if (inet_pton(e->family == MR_IP6 ? AF_INET6 : AF_INET, address, e->prefix) != 1 ||
	    e->len > (e->family == MR_IP6 ? 128 : 32))
		return false;
	for (unsigned i = e->len; i < 128; i++)
		e->prefix[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return true;
}

static int
read_router(struct wanted *w, const struct mr_conf *router)
{
	const struct mr_conf *kernel = mr_conf_child(router, "kernel"), *route;
	size_t count = mr_conf_count(router, "route");

	snprintf(w->settings.name, sizeof(w->settings.name), "%s", mr_conf_key(router));
	snprintf(w->settings.name_space, sizeof(w->settings.name_space), "%s",
	    name_space_of(router));
	w->settings.import = mr_conf_bool(kernel, "import", true);
	w->settings.export = mr_conf_bool(kernel, "export", true);
	w->settings.table = (uint32_t)mr_conf_uint(kernel, "table", 254);
	w->exports = calloc(count + 1, sizeof(*w->exports));
	if (!w->exports)
		return -ENOMEM;
	mr_conf_each(route, router, "route")
		if (w->settings.export &&
		    read_prefix(&w->exports[w->export_count], mr_conf_key(route)))
			w->export_count++;
	return 0;
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct kernel *k = state;
	const struct mr_conf *router;

	mr_conf_each(router, mr_conf_root(config), "router") {
		struct wanted *w;

		if (!name_space_of(router)[0])
			continue;
		w = calloc(1, sizeof(*w));
		if (w) {
			w->next = k->wanted;
			k->wanted = w;
		}
		if (!w || read_router(w, router)) {
			forget_wanted(k);
			return mr_error_set(error, -ENOMEM, "no memory");
		}
	}
	return 0;
}

static void
kernel_abort(void *state)
{
	forget_wanted(state);
}

static struct kernel_mirror *
find(struct kernel *k, const struct kernel_settings *settings)
{
	for (struct kernel_mirror *m = k->mirrors; m; m = m->next)
		if (kernel_mirror_is(m, settings))
			return m;
	return NULL;
}

static void
remove_unwanted(struct kernel *k)
{
	struct kernel_mirror **at = &k->mirrors, *m;

	for (m = k->mirrors; m; m = m->next)
		m->keep = false;
	for (struct wanted *w = k->wanted; w; w = w->next) {
		m = find(k, &w->settings);
		if (m)
			m->keep = true;
	}
	while ((m = *at) != NULL) {
		if (m->keep) {
			m->remap = true;
			at = &m->next;
			continue;
		}
		*at = m->next;
		kernel_mirror_destroy(m);
	}
}

static void
finish(void *state)
{
	struct kernel *k = state;
	struct mr_error error;

	remove_unwanted(k);
	for (struct wanted *w = k->wanted; w; w = w->next) {
		uint16_t vrf = mr_ip_vrf_find(k->base.ip, w->settings.name);
		struct kernel_mirror *m = find(k, &w->settings);

		if (!m && (vrf == UINT16_MAX || (!w->settings.import && !w->settings.export)))
			continue;
		if (!m && kernel_mirror_create(&m, &w->settings, &k->base, vrf, k->epoll, &error)) {
			mr_log(mr_dataplane_log(k->base.dp), MR_LOG_ERROR, "router %s: %s",
			    w->settings.name, error.text);
			continue;
		}
		if (!m->keep) {
			m->keep = true;
			m->next = k->mirrors;
			k->mirrors = m;
		}
		kernel_export_set(m, w->exports, w->export_count);
		w->exports = NULL;
	}
	forget_wanted(k);
	mr_rib_settle(k->base.rib);
}

/* Each in its turn, and all together no longer than a slice: whoever had the first word in this
 * one has the last in the next. */
static uint32_t
tick(void *state, uint64_t now)
{
	struct kernel *k = state;
	uint64_t deadline = kernel_now_ns() + SLICE_NS;
	uint32_t next = UINT32_MAX;
	struct kernel_mirror *first = k->mirrors, **tail;
	bool changed = false;

	for (struct kernel_mirror *m = first; m; m = m->next) {
		uint32_t wish = kernel_mirror_work(m, now, deadline);

		changed |= m->changed;
		next = MR_MIN(next, wish);
	}
	if (changed)
		mr_rib_settle(k->base.rib);
	if (first && first->next) {
		k->mirrors = first->next;
		for (tail = &k->mirrors; *tail; tail = &(*tail)->next)
			;
		*tail = first;
		first->next = NULL;
	}
	return next;
}

static int
watch(void *state, int epoll)
{
	struct kernel *k = state;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = (void *)&mr_ip_part_kernel };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, k->epoll, &event) ? -errno : 0;
}

static void
changed(void *state, uint16_t interface)
{
	struct kernel *k = state;

	(void)interface;
	for (struct kernel_mirror *m = k->mirrors; m; m = m->next) {
		mr_links_forget(&m->links);
		m->remap = true;
		kernel_export_look(m);
	}
}

static void
show(void *state, uint16_t vrf, struct mr_state *st)
{
	const struct kernel *k = state;

	for (const struct kernel_mirror *m = k->mirrors; m; m = m->next)
		if (m->vrf == vrf)
			kernel_mirror_show(m, st);
}

const struct mr_ip_part mr_ip_part_kernel = {
	.name = "kernel",
	.yang = mr_yang_kernel,
	.create = create,
	.destroy = destroy,
	.check = check,
	.prepare = prepare,
	.finish = finish,
	.abort = kernel_abort,
	.tick = tick,
	.watch = watch,
	.changed = changed,
	.show = show,
};

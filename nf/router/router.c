/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor, and how the parts are taken through the steps. */
#include "nf/router/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "nf/rib/stream.h"
#include "nf/ip/describe.h"
#include "nf/router/router_int.h"

extern const char mr_yang_router[];

static unsigned
part_count(void)
{
	unsigned n = 0;

	while (mr_ip_part_list[n])
		n++;
	return n;
}

/* -- life ----------------------------------------------------------------------------- */

static void
router_destroy(void *state)
{
	struct router *r = state;
	struct mr_error error;

	if (!r)
		return;
	for (unsigned i = r->part_count; i-- > 0;)
		if (r->parts[i])
			mr_ip_part_list[i]->destroy(r->parts[i]);
	if (r->active) {
		mr_ip_remove_nodes(r->base.ip);
		(void)mr_graph_commit(mr_dataplane_graph(r->base.dp), &error);
	}
	mr_rib_destroy(r->base.rib);
	mr_ip_destroy(r->base.ip);
	router_plan_free(&r->now);
	router_plan_free(&r->next);
	if (r->timer >= 0)
		close(r->timer);
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->door >= 0)
		close(r->door);
	free(r->parts);
	free(r);
}

static int
create_watch(struct router *r, struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN };

	r->door = epoll_create1(EPOLL_CLOEXEC);
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->door < 0 || r->epoll < 0 || r->timer < 0 ||
	    epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->timer, &event))
		return mr_error_set(error, -errno, "timer: %s", strerror(errno));
	return 0;
}

static int
create_parts(struct router *r, struct mr_error *error)
{
	r->parts = calloc(part_count() + 1, sizeof(*r->parts));
	if (!r->parts)
		return mr_error_set(error, -ENOMEM, "no memory");
	for (; mr_ip_part_list[r->part_count]; r->part_count++) {
		const struct mr_ip_part *part = mr_ip_part_list[r->part_count];
		int rc = part->create(&r->parts[r->part_count], &r->base, error);

		if (!rc && part->watch)
			rc = part->watch(r->parts[r->part_count], r->epoll);
		if (rc)
			return mr_error_prefix(error, "%s", part->name), rc;
	}
	return 0;
}

static int
router_create(void **state, struct mr_dataplane *dp, struct mr_error *error)
{
	struct router *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return mr_error_set(error, -ENOMEM, "no memory");
	r->base.dp = dp;
	r->door = r->epoll = r->timer = -1;
	*state = r;
	rc = create_watch(r, error);
	if (!rc)
		rc = mr_ip_create(&r->base.ip, mr_dataplane_graph(dp), error);
	if (!rc)
		rc = mr_rib_create(&r->base.rib, r->base.ip, error);
	if (!rc)
		rc = create_parts(r, error);
	if (rc) {
		*state = NULL;
		router_destroy(r);
	}
	return rc;
}

/* -- the steps ------------------------------------------------------------------------ */

static void
check(void *state, const struct mr_config *config, struct mr_report *report)
{
	struct router *r = state;

	router_check(config, report);
	for (unsigned i = 0; mr_ip_part_list[i]; i++)
		if (mr_ip_part_list[i]->check)
			mr_ip_part_list[i]->check(r ? r->parts[i] : NULL, config, report);
}

static void
forget_next(struct router *r)
{
	router_deallocate(r);
	router_plan_free(&r->next);
	r->changing = false;
}

static int
prepare(void *state, const struct mr_config *config, struct mr_error *error)
{
	struct router *r = state;
	unsigned done;
	int rc = router_plan_read(&r->next, config, error);

	r->changing = true;
	if (!rc)
		rc = router_allocate(r, error);
	for (done = 0; !rc && done < r->part_count; done++) {
		if (mr_ip_part_list[done]->prepare)
			rc = mr_ip_part_list[done]->prepare(r->parts[done], config, error);
		if (rc)
			break;
	}
	if (!rc)
		return 0;
	while (done-- > 0)
		if (mr_ip_part_list[done]->abort)
			mr_ip_part_list[done]->abort(r->parts[done]);
	forget_next(r);
	return rc;
}

static void
router_abort(void *state)
{
	struct router *r = state;

	for (unsigned i = r->part_count; i-- > 0;)
		if (mr_ip_part_list[i]->abort)
			mr_ip_part_list[i]->abort(r->parts[i]);
	forget_next(r);
}

static void
commit(void *state)
{
	struct router *r = state;
	struct epoll_event event = { .events = EPOLLIN };
	bool active = r->next.vrf_count > 0;
	struct mr_error error;

	if (active && mr_ip_add_nodes(r->base.ip, &error))
		mr_log(mr_dataplane_log(r->base.dp), MR_LOG_ERROR, "router: %s", error.text);
	router_apply(r);
	for (unsigned i = 0; i < r->part_count; i++)
		if (mr_ip_part_list[i]->commit)
			mr_ip_part_list[i]->commit(r->parts[i], active);
	if (!active)
		mr_ip_remove_nodes(r->base.ip);
	if (active != r->active)
		epoll_ctl(r->door, active ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, r->epoll, &event);
	r->active = active;
}

static void
finish(void *state)
{
	struct router *r = state;
	struct plan old = r->now;

	r->now = r->next;
	memset(&r->next, 0, sizeof(r->next));
	r->changing = false;
	for (uint32_t i = 0; i < r->now.vrf_count; i++)
		r->now.vrfs[i].fresh = false;
	for (uint32_t i = 0; i < r->now.interface_count; i++)
		r->now.interfaces[i].fresh = false;
	for (unsigned i = 0; i < r->part_count; i++)
		if (mr_ip_part_list[i]->finish)
			mr_ip_part_list[i]->finish(r->parts[i]);
	router_release(r, &old);
	router_plan_free(&old);
	for (uint32_t i = 0; i < r->now.interface_count; i++)
		mr_router_changed(&r->base, r->now.interfaces[i].index);
}

/* -- time ----------------------------------------------------------------------------- */

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
tick(void *state, uint32_t seconds)
{
	struct router *r = state;
	uint32_t next = UINT32_MAX;
	uint64_t expirations;

	(void)seconds;
	if (!r->active)
		return;
	if (read(r->timer, &expirations, sizeof(expirations)) < 0)
		expirations = 0; /* something else was readable: fine */
	router_link(r);
	for (unsigned i = 0; i < r->part_count; i++) {
		uint32_t wish = UINT32_MAX;

		if (mr_ip_part_list[i]->tick)
			wish = mr_ip_part_list[i]->tick(r->parts[i], now_ms());
		next = MR_MIN(next, wish);
	}
	if (next != UINT32_MAX) {
		/* A time of zero would disarm it. */
		uint64_t ns = next ? (uint64_t)next * 1000000 : 1;
		const struct itimerspec when = {
			.it_value = { .tv_sec = (time_t)(ns / 1000000000),
			    .tv_nsec = (long)(ns % 1000000000) },
		};

		timerfd_settime(r->timer, 0, &when, NULL);
	}
}

static int
router_fd(const void *state)
{
	const struct router *r = state;

	return r->door;
}

/* -- for the parts -------------------------------------------------------------------- */

static struct router *
router_of(const struct mr_router_base *base)
{
	return mr_container_of(base, struct router, base);
}

void
mr_router_changed(const struct mr_router_base *base, uint16_t interface)
{
	const struct router *r = router_of(base);

	for (unsigned i = 0; i < r->part_count; i++)
		if (mr_ip_part_list[i]->changed)
			mr_ip_part_list[i]->changed(r->parts[i], interface);
}

void *
mr_router_part(const struct mr_router_base *base, const struct mr_ip_part *part)
{
	const struct router *r = router_of(base);

	for (unsigned i = 0; i < r->part_count; i++)
		if (mr_ip_part_list[i] == part)
			return r->parts[i];
	return NULL;
}

static const char *
more_yang(unsigned n)
{
	return n < part_count() ? mr_ip_part_list[n]->yang : NULL;
}

static int
stream(void *state, const char *name, const struct mr_nf_query *query, struct mr_nf_stream *out,
    struct mr_error *error)
{
	const struct router *r = state;

	if (strcmp(name, "routes") == 0)
		return mr_rib_stream(r->base.rib, r->base.ip, query, out, error);
	return mr_error_set(error, -ENOENT, "a router has no %s", name);
}

/* -- for explanations ----------------------------------------------------------------- */

static bool
describe(void *state, const struct mr_op *op, char *text, size_t size)
{
	struct router *r = state;

	for (unsigned i = 0; i < r->part_count; i++)
		if (mr_ip_part_list[i]->describe &&
		    mr_ip_part_list[i]->describe(r->parts[i], op, text, size))
			return true;
	return mr_ip_describe(r->base.ip, op, text, size);
}

static bool
address(const void *state, uint16_t interface, uint16_t vlan, uint8_t mac[6])
{
	const struct router *r = state;
	const struct mr_ip_port *port = &r->base.ip->ports[interface % MR_PORT_MAX];
	unsigned index = mr_ip_interface_at(port, vlan);

	if (!index)
		return false;
	mr_ip_mac_copy(&r->base.ip->interfaces[index], mac);
	return true;
}

const struct mr_router_base *
mr_router_base_of(struct mr_dataplane *dp)
{
	const struct router *r = mr_dataplane_state(dp, &mr_nf_router);

	return &r->base;
}

static bool
whose(const void *state, uint16_t interface, uint16_t vlan, char *text, size_t size)
{
	const struct router *r = state;
	const struct mr_ip *ip = r->base.ip;
	unsigned index = mr_ip_interface_at(&ip->ports[interface % MR_PORT_MAX], vlan);

	if (!index)
		return false;
	snprintf(text, size, "router %s, interface %s",
	    ip->vrfs[mr_ip_vrf(&ip->interfaces[index])].name, ip->info[index].name);
	return true;
}

static const struct mr_nf_listing listings[] = {
	{ "routes", "routes", "router|prefix|source|family", "prefix" },
	{ 0 },
};

const struct mr_nf mr_nf_router = {
	.name = "router",
	.doc = "IPv4 and IPv6 routers (VRFs)",
	.yang = mr_yang_router,
	.more_yang = more_yang,
	.create = router_create,
	.destroy = router_destroy,
	.check = check,
	.prepare = prepare,
	.commit = commit,
	.finish = finish,
	.abort = router_abort,
	.tick = tick,
	.fd = router_fd,
	.show = router_show,
	.stream = stream,
	.listings = listings,
	.describe = describe,
	.address = address,
	.whose = whose,
};

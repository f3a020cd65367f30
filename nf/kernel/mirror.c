/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The socket hears of changes before it asks for what there is, so nothing falls between.
 * One question at a time, as the kernel wants it; answers and changes come in one order,
 * that in which the kernel's tables were. What is told while loading is as true as the answers.
 *
 * Some changes the kernel does not tell: IPv4 routes that go because their device went down, or
 * lost the address that they were bound to, and routes that go with their next-hop
 * object. The last the import knows; after the others everything is asked for again.
 */

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nf/kernel/mirror_int.h"

#define RETRY_MS 1000u
#define RELOAD_MS 50u      /* after a change of devices: others follow it */
#define LOAD_SHARE 4u      /* a flapping device has us load for a quarter of the time at most */
#define BACKOFF_MAX 10000u /* between loads when messages keep getting lost */
#define RECEIVE_BUFFER (64u << 20)
#define MESSAGE_SIZE 65536u
#define EXPORTS_PER_LOOK 256u

uint64_t
kernel_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint16_t
interface_of(void *user, uint32_t ifindex)
{
	struct kernel_mirror *m = user;

	return mr_links_interface(&m->links, ifindex);
}

bool
kernel_mirror_is(const struct kernel_mirror *m, const struct kernel_settings *wanted)
{
	const struct kernel_settings *a = &m->settings;

	return !strcmp(a->name, wanted->name) && !strcmp(a->name_space, wanted->name_space) &&
	    a->import == wanted->import && a->export == wanted->export && a->table == wanted->table;
}

int
kernel_mirror_create(struct kernel_mirror **out, const struct kernel_settings *settings,
    const struct mr_router_base *base, uint16_t vrf, int epoll, struct mr_error *error)
{
	struct kernel_mirror *m = calloc(1, sizeof(*m));
	struct mr_import_config config = {
		.rib = base->rib,
		.vrf = vrf,
		.source = MR_ROUTE_KERNEL,
		.interface = interface_of,
	};
	int rc;

	if (!m)
		return mr_error_set(error, -ENOMEM,
		    "no memory for a mirror of the kernel's routes");
	config.user = m;
	rc = mr_import_create(&m->import, &config, error);
	if (rc) {
		free(m);
		return rc;
	}
	m->settings = *settings;
	m->base = *base;
	m->log = base->dp ? mr_dataplane_log(base->dp) : NULL;
	m->vrf = vrf;
	m->epoll = epoll;
	m->fd = m->out = -1;
	mr_links_init(&m->links, base->ip, vrf);
	*out = m;
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
kernel_mirror_destroy(struct kernel_mirror *m)
{
	if (!m)
		return;
	kernel_export_remove_all(m);
	close_fd(&m->fd);
	close_fd(&m->out);
	mr_import_destroy(m->import);
	mr_links_clear(&m->links);
	free(m->exports);
	free(m);
}

/* -- loading ------------------------------------------------------------------------------------ */

static int
ask(struct kernel_mirror *m)
{
	static const struct {
		unsigned type, family;
	} steps[MIRROR_STEPS] = {
		[MIRROR_LINKS] = { RTM_GETLINK, AF_UNSPEC },
		[MIRROR_NEXTHOPS] = { RTM_GETNEXTHOP, AF_UNSPEC },
		[MIRROR_ROUTES4] = { RTM_GETROUTE, AF_INET },
		[MIRROR_ROUTES6] = { RTM_GETROUTE, AF_INET6 },
	};

	return mr_links_dump(m->fd, steps[m->step].type, steps[m->step].family, m->settings.table,
	    ++m->sequence);
}

static void
give_up(struct kernel_mirror *m, uint64_t now, const char *text)
{
	close_fd(&m->fd);
	m->state = MIRROR_WAITING;
	m->retry_at = now + RETRY_MS;
	if (!strcmp(m->trouble, text))
		return;
	snprintf(m->trouble, sizeof(m->trouble), "%s", text);
	if (m->log)
		mr_log(m->log, MR_LOG_WARNING, "router %s: kernel's routes: %s", m->settings.name,
		    text);
}

static void
load(struct kernel_mirror *m, uint64_t now)
{
	m->state = MIRROR_LOADING;
	m->step = MIRROR_LINKS;
	m->again = false;
	m->load_at = 0;
	m->load_began = now;
	m->counts.loads++;
	mr_links_mark(&m->links);
	mr_import_mark(m->import);
	kernel_export_mark(m);
	if (ask(m))
		give_up(m, now, "the kernel does not answer");
}

static void
note_file(struct kernel_mirror *m, struct stat *out)
{
	char path[128];

	snprintf(path, sizeof(path), "/run/netns/%s", m->settings.name_space);
	if (stat(path, out))
		memset(out, 0, sizeof(*out));
}

static void
open_socket(struct kernel_mirror *m, uint64_t now)
{
	static const unsigned groups[] = { RTNLGRP_LINK, RTNLGRP_NEXTHOP, RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = m };
	struct sockaddr_nl address;
	socklen_t size = sizeof(address);
	struct mr_error error;
	struct stat file;

	note_file(m, &file);
	close_fd(&m->out);
	if (mr_links_open(&m->fd, m->settings.name_space, groups, MR_ARRAY_COUNT(groups),
		RECEIVE_BUFFER, &error) ||
	    mr_links_open(&m->out, m->settings.name_space, NULL, 0, 0, &error)) {
		give_up(m, now, error.text);
		return;
	}
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->fd, &event)) {
		give_up(m, now, "no memory to wait for the kernel");
		return;
	}
	if (getsockname(m->out, (struct sockaddr *)&address, &size) == 0)
		m->out_port = address.nl_pid;
	m->device = file.st_dev;
	m->inode = file.st_ino;
	m->looked_at = now;
	m->backoff = 0;
	m->trouble[0] = 0;
	load(m, now);
	kernel_export_look(m);
}

/* Another namespace has got the name. */
static void
look_at_file(struct kernel_mirror *m, uint64_t now)
{
	struct stat file;

	if (now < m->looked_at + RETRY_MS || !m->settings.name_space[0])
		return;
	m->looked_at = now;
	note_file(m, &file);
	if (file.st_ino && (file.st_ino != m->inode || file.st_dev != m->device)) {
		close_fd(&m->fd);
		for (uint32_t i = 0; i < m->export_count; i++)
			m->exports[i].known = false;
		mr_links_clear(&m->links);
		open_socket(m, now);
	}
}

static void
step_done(struct kernel_mirror *m, uint64_t now, int error)
{
	/* No such table, or a kernel without next-hop objects: there are none. */
	if (error && error != -ENOENT && error != -EOPNOTSUPP) {
		give_up(m, now, strerror(-error));
		return;
	}
	if (m->step == MIRROR_LINKS) {
		mr_links_sweep(&m->links);
		mr_import_remap(m->import);
		m->remap = false;
	}
	if (++m->step < MIRROR_STEPS) {
		if (ask(m))
			give_up(m, now, "the kernel does not answer");
		return;
	}
	m->state = MIRROR_FOLLOWING;
	m->load_took = now - m->load_began;
	if (m->again) {
		m->load_at = now + m->backoff;
		return;
	}
	mr_import_sweep(m->import);
	kernel_export_sweep(m);
}

/* Messages were lost: everything again, less and less often when that goes on. */
static void
lost(struct kernel_mirror *m, uint64_t now)
{
	m->counts.overruns++;
	if (now > m->lost_at + 2 * BACKOFF_MAX)
		m->backoff = 0;
	m->lost_at = now;
	m->again = true;
	if (m->state == MIRROR_FOLLOWING && !m->load_at)
		m->load_at = now + m->backoff;
	m->backoff = MR_MIN(m->backoff ? m->backoff * 2 : 100, BACKOFF_MAX);
}

static void
load_soon(struct kernel_mirror *m, uint64_t now)
{
	if (m->state == MIRROR_LOADING)
		m->again = true;
	else if (!m->load_at)
		m->load_at = MR_MAX(now + RELOAD_MS, m->load_began + LOAD_SHARE * m->load_took);
}

/* -- following ---------------------------------------------------------------------------------- */

static bool
is_forwarded(uint8_t type)
{
	return type == RTN_UNICAST || type == RTN_BLACKHOLE || type == RTN_UNREACHABLE ||
	    type == RTN_PROHIBIT;
}

static void
read_route(struct kernel_mirror *m, const struct mr_rtnl *message)
{
	const struct mr_rtnl_route *r = &message->route;

	if (r->table != m->settings.table)
		m->counts.other_table++;
	else if (r->protocol == MR_KERNEL_PROTOCOL) {
		m->counts.own++;
		kernel_export_heard(m, message);
	} else if (r->protocol == RTPROT_KERNEL || r->protocol == RTPROT_REDIRECT ||
	    (r->flags & RTM_F_CLONED))
		m->counts.local++;
	else if (r->sourced || r->tos || !is_forwarded(r->type))
		m->counts.unsupported++;
	else if (m->settings.import)
		m->changed |= mr_import_route(m->import, message);
}

static void
read_link(struct kernel_mirror *m, const struct mr_rtnl *message, uint64_t now)
{
	unsigned change = mr_links_message(&m->links, message);

	m->remap |= (change & MR_LINKS_NAMES) != 0;
	if (change & MR_LINKS_UP)
		load_soon(m, now);
	if (change)
		kernel_export_look(m);
}

static void
read_message(struct kernel_mirror *m, const struct mr_rtnl *message, uint64_t now)
{
	m->counts.messages++;
	switch (message->kind) {
	case MR_RTNL_ROUTE:
		read_route(m, message);
		break;
	case MR_RTNL_NEXTHOP:
		if (m->settings.import)
			mr_import_nexthop(m->import, message);
		break;
	case MR_RTNL_LINK:
		read_link(m, message, now);
		break;
	case MR_RTNL_ADDRESS_OF:
		if (message->deleted)
			load_soon(m, now);
		break;
	case MR_RTNL_OVERRUN:
		lost(m, now);
		break;
	case MR_RTNL_DONE:
	case MR_RTNL_ERROR:
		if (m->state != MIRROR_LOADING || message->sequence != m->sequence)
			break;
		/* The table changed so that the answer may have holes. */
		if (message->flags & NLM_F_DUMP_INTR)
			m->again = true;
		step_done(m, now, message->error);
		break;
	default:
		break;
	}
}

static void
read_messages(struct kernel_mirror *m, const uint8_t *at, size_t left, uint64_t now)
{
	struct mr_rtnl message;

	while (left && m->fd >= 0) {
		enum mr_rtnl_fault fault = mr_rtnl_next(&at, &left, &message);

		if (fault == MR_RTNL_SHORT || fault == MR_RTNL_LENGTH) {
			m->counts.faults++;
			return;
		}
		if (fault) {
			m->counts.faults++;
			snprintf(m->trouble, sizeof(m->trouble), "message of type %u: %s",
			    message.type, mr_rtnl_fault_name(fault));
			continue;
		}
		if (message.flags & NLM_F_DUMP_INTR)
			m->again = true;
		read_message(m, &message, now);
	}
}

/* True when there may be more. */
static bool
read_socket(struct kernel_mirror *m, uint64_t now, uint64_t deadline)
{
	uint8_t bytes[MESSAGE_SIZE];

	while (m->fd >= 0) {
		struct sockaddr_nl from = { 0 };
		socklen_t size = sizeof(from);
		ssize_t n =
		    recvfrom(m->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);

		if (n > 0) {
			/* Processes may send to each other over netlink; only the kernel counts. */
			if (from.nl_pid == 0)
				read_messages(m, bytes, (size_t)n, now);
		} else if (n < 0 && errno == ENOBUFS) {
			lost(m, now);
		} else if (n < 0 && errno == EAGAIN) {
			return false;
		} else if (n < 0 && errno != EINTR) {
			give_up(m, now, strerror(errno));
		}
		if (kernel_now_ns() >= deadline)
			return m->fd >= 0;
	}
	return false;
}

uint32_t
kernel_mirror_work(struct kernel_mirror *m, uint64_t now, uint64_t deadline)
{
	uint32_t wish = RETRY_MS;
	bool more;

	m->changed = false;
	if (m->fd < 0 && now >= m->retry_at)
		open_socket(m, now);
	if (m->fd < 0)
		return RETRY_MS;
	look_at_file(m, now);
	more = read_socket(m, now, deadline);
	if (m->remap && m->state == MIRROR_FOLLOWING) {
		m->remap = false;
		mr_import_remap(m->import);
	}
	while (!mr_import_idle(m->import) && kernel_now_ns() < deadline) {
		mr_import_work(m->import, 64);
		m->changed = true;
	}
	if (!m->export_left && now >= m->export_at) {
		m->export_left = MR_MIN(m->export_count, EXPORTS_PER_LOOK);
		m->export_at = now + RETRY_MS;
	}
	while (!more && m->state == MIRROR_FOLLOWING && kernel_now_ns() < deadline &&
	    kernel_export_work(m, 16))
		;
	kernel_export_read_errors(m);
	if (m->load_at && m->state == MIRROR_FOLLOWING) {
		if (now >= m->load_at) {
			load(m, now);
			more = true;
		} else {
			wish = MR_MIN(wish, (uint32_t)(m->load_at - now));
		}
	}
	more |= m->export_left && m->state == MIRROR_FOLLOWING;
	return more || !mr_import_idle(m->import) ? 0 : wish;
}

/* -- show ----------------------------------------------------------------------------------------- */

void
kernel_mirror_show(const struct kernel_mirror *m, struct mr_state *st)
{
	static const char *const states[] = {
		[MIRROR_WAITING] = "waiting",
		[MIRROR_LOADING] = "loading",
		[MIRROR_FOLLOWING] = "following",
	};
	const char *trouble = m->trouble[0] ? m->trouble
	    : m->export_trouble[0]          ? m->export_trouble
					    : mr_import_trouble(m->import);
	struct mr_import_stats i;
	uint32_t known = 0;

	for (uint32_t n = 0; n < m->export_count; n++)
		known += m->exports[n].known;
	mr_import_stats(m->import, &i);
	mr_state_open(st, "kernel");
	mr_state_text(st, "state", states[m->state]);
	mr_state_text(st, "namespace", m->settings.name_space);
	mr_state_uint(st, "devices", m->links.count);
	mr_state_uint(st, "routes", i.routes);
	mr_state_uint(st, "imported", i.imported);
	mr_state_uint(st, "foreign", i.foreign);
	mr_state_uint(st, "stale", i.stale);
	mr_state_uint(st, "next-hop-objects", i.nexthops);
	mr_state_uint(st, "exported", known);
	mr_state_open(st, "changes");
	mr_state_uint(st, "added", i.added);
	mr_state_uint(st, "replaced", i.replaced);
	mr_state_uint(st, "removed", i.removed);
	mr_state_uint(st, "renewed", i.renewed);
	mr_state_uint(st, "swept", i.swept);
	mr_state_uint(st, "unknown", i.unknown);
	mr_state_uint(st, "refused", i.refused + i.rib_errors);
	mr_state_close(st);
	mr_state_open(st, "messages");
	mr_state_uint(st, "total", m->counts.messages);
	mr_state_uint(st, "loads", m->counts.loads);
	mr_state_uint(st, "overruns", m->counts.overruns);
	mr_state_uint(st, "malformed", m->counts.faults);
	mr_state_uint(st, "of-other-tables", m->counts.other_table);
	mr_state_uint(st, "own", m->counts.own);
	mr_state_uint(st, "connected", m->counts.local);
	mr_state_uint(st, "unsupported", m->counts.unsupported);
	mr_state_uint(st, "export-requests", m->counts.exported);
	mr_state_uint(st, "export-errors", m->counts.export_errors);
	mr_state_close(st);
	if (trouble[0])
		mr_state_text(st, "last-error", trouble);
	mr_state_close(st);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/fpm/server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kit/port/namespace.h"

#define RETRY_MS 1000u
#define QUIET_MS 5000u      /* no stale route was sent again for so long: the replay is over */
#define SWEEP_LAST 10u      /* times stale-time, when a replay does not end */
#define FRAMES_PER_LOOK 32u /* at the clock */

uint64_t
fpm_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint16_t
interface_of(void *user, uint32_t ifindex)
{
	struct fpm_server *s = user;

	return mr_links_interface(&s->links, ifindex);
}

bool
fpm_server_is(const struct fpm_server *s, const struct fpm_settings *wanted)
{
	const struct fpm_settings *a = &s->settings;

	return !strcmp(a->name, wanted->name) && !strcmp(a->name_space, wanted->name_space) &&
	    !strcmp(a->address, wanted->address) && a->port == wanted->port &&
	    a->table == wanted->table;
}

int
fpm_server_create(struct fpm_server **out, const struct fpm_settings *settings,
    const struct mr_router_base *base, uint16_t vrf, int epoll, struct mr_error *error)
{
	struct fpm_server *s = calloc(1, sizeof(*s));
	struct mr_import_config config = {
		.rib = base->rib,
		.vrf = vrf,
		.source = MR_ROUTE_FPM,
		.interface = interface_of,
		.single = true,
		.orphans = true,
	};
	int rc;

	if (!s)
		return mr_error_set(error, -ENOMEM, "no memory for an FPM server");
	config.user = s;
	rc = mr_import_create(&s->import, &config, error);
	if (rc) {
		free(s);
		return rc;
	}
	s->settings = *settings;
	s->base = *base;
	s->log = base->dp ? mr_dataplane_log(base->dp) : NULL;
	s->vrf = vrf;
	s->epoll = epoll;
	s->listener = s->connection = s->netlink = -1;
	mr_links_init(&s->links, base->ip, vrf);
	*out = s;
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd); /* leaves the epoll set by itself */
	*fd = -1;
}

void
fpm_server_destroy(struct fpm_server *s)
{
	if (!s)
		return;
	close_fd(&s->listener);
	close_fd(&s->connection);
	close_fd(&s->netlink);
	mr_import_destroy(s->import);
	mr_links_clear(&s->links);
	free(s);
}

static void
say(const struct fpm_server *s, enum mr_log_level level, const char *text)
{
	if (s->log)
		mr_log(s->log, level, "router %s: FPM: %s", s->settings.name, text);
}

/* -- opening -------------------------------------------------------------------------------- */

struct listening {
	const struct fpm_settings *settings;
	int fd;
};

static int
listen_here(void *arg, struct mr_error *error)
{
	struct listening *l = arg;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		.sin6_port = mr_be16(l->settings->port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = mr_be16(l->settings->port) };
	bool is_six = inet_pton(AF_INET6, l->settings->address, &six.sin6_addr) == 1;
	int on = 1, rc;

	if (!is_six && inet_pton(AF_INET, l->settings->address, &four.sin_addr) != 1)
		return mr_error_set(error, -EINVAL, "%s is no address", l->settings->address);
	l->fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = l->fd < 0 ? -1 : setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!rc)
		rc = is_six ? bind(l->fd, (struct sockaddr *)&six, sizeof(six))
			    : bind(l->fd, (struct sockaddr *)&four, sizeof(four));
	if (!rc)
		rc = listen(l->fd, 4);
	if (!rc)
		return 0;
	rc = -errno;
	close_fd(&l->fd);
	return mr_error_set(error, rc, "cannot listen on %s port %u: %s", l->settings->address,
	    l->settings->port, strerror(-rc));
}

static int
watch(struct fpm_server *s, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = s };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int
open_links(struct fpm_server *s, struct mr_error *error)
{
	static const unsigned groups[] = { RTNLGRP_LINK };
	int rc = mr_links_open(&s->netlink, s->settings.name_space, groups, 1, 1 << 20, error);

	if (rc)
		return rc;
	s->links_dumping = true;
	mr_links_mark(&s->links);
	rc = mr_links_dump(s->netlink, RTM_GETLINK, AF_UNSPEC, 0, ++s->sequence);
	if (!rc)
		rc = watch(s, s->netlink);
	if (!rc)
		return 0;
	close_fd(&s->netlink);
	return mr_error_set(error, rc, "netlink: %s", strerror(-rc));
}

static int
open_listener(struct fpm_server *s, struct mr_error *error)
{
	struct listening l = { .settings = &s->settings, .fd = -1 };
	int rc = s->settings.name_space[0]
	    ? mr_namespace_run(s->settings.name_space, listen_here, &l, error)
	    : listen_here(&l, error);

	if (!rc && watch(s, l.fd)) {
		close_fd(&l.fd);
		rc = mr_error_set(error, -ENOMEM, "no memory to wait for connections");
	}
	s->listener = l.fd;
	return rc;
}

static void
open_all(struct fpm_server *s, uint64_t now)
{
	struct mr_error error;
	int rc = 0;

	if (now < s->retry_at)
		return;
	if (s->netlink < 0)
		rc = open_links(s, &error);
	if (!rc && s->listener < 0) {
		rc = open_listener(s, &error);
		if (!rc)
			s->trouble[0] = 0;
	}
	if (!rc)
		return;
	s->retry_at = now + RETRY_MS;
	if (strcmp(s->trouble, error.text)) {
		snprintf(s->trouble, sizeof(s->trouble), "%s", error.text);
		say(s, MR_LOG_WARNING, s->trouble);
	}
}

/* -- devices ---------------------------------------------------------------------------------- */

static void
read_links_in(struct fpm_server *s, const uint8_t *at, size_t left)
{
	struct mr_rtnl m;

	while (left && mr_rtnl_next(&at, &left, &m) == MR_RTNL_NONE) {
		if (m.kind == MR_RTNL_LINK) {
			s->remap |= (mr_links_message(&s->links, &m) & MR_LINKS_NAMES) != 0;
		} else if (m.kind == MR_RTNL_DONE && m.sequence == s->sequence) {
			s->links_dumping = false;
			s->remap |= mr_links_sweep(&s->links);
		}
	}
}

/* The namespace may have lost messages for us: then all of its devices again. */
static void
read_links(struct fpm_server *s)
{
	static const unsigned reads = 64;
	uint8_t bytes[32768];

	for (unsigned i = 0; i < reads && s->netlink >= 0; i++) {
		ssize_t n = recv(s->netlink, bytes, sizeof(bytes), 0);

		if (n > 0) {
			read_links_in(s, bytes, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		close_fd(&s->netlink);
		s->retry_at = 0;
	}
	if (s->remap && !s->links_dumping) {
		s->remap = false;
		mr_import_remap(s->import);
	}
}

/* -- the connection ------------------------------------------------------------------------------ */

static void
disconnect(struct fpm_server *s, uint64_t now, enum fpm_close why, const char *text)
{
	struct mr_import_stats stats;
	char line[240];

	mr_import_stats(s->import, &stats);
	close_fd(&s->connection);
	mr_fpm_stream_reset(&s->stream);
	s->closes[why]++;
	s->closed_at = now;
	s->sweep_at = 0;
	if (why != FPM_CLOSE_PEER)
		snprintf(s->trouble, sizeof(s->trouble), "%s", text);
	snprintf(line, sizeof(line), "connection from %s ended: %s; %u routes stay", s->peer, text,
	    stats.routes);
	say(s, why == FPM_CLOSE_PEER || why == FPM_CLOSE_REPLACED ? MR_LOG_NOTICE : MR_LOG_WARNING,
	    line);
}

static void
describe(char *out, size_t size, const struct sockaddr_storage *from)
{
	char address[INET6_ADDRSTRLEN] = "";
	uint16_t port;

	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;

		inet_ntop(AF_INET6, &six->sin6_addr, address, sizeof(address));
		port = mr_be16(six->sin6_port);
		snprintf(out, size, "[%s]:%u", address, port);
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)from;

		inet_ntop(AF_INET, &four->sin_addr, address, sizeof(address));
		port = mr_be16(four->sin_port);
		snprintf(out, size, "%s:%u", address, port);
	}
}

/* A peer that has vanished without a word is noticed within half a minute. */
static void
set_keepalive(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 10 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
		    sizeof(options[i].value));
}

/* FRR has one connection. A second one is FRR after a restart of which the first has not heard,
 * so the newest wins. */
static void
accept_connection(struct fpm_server *s, uint64_t now)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	char line[160];
	int fd;

	if (s->listener < 0)
		return;
	fd = accept4(s->listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (s->connection >= 0)
		disconnect(s, now, FPM_CLOSE_REPLACED, "a newer connection takes its place");
	set_keepalive(fd);
	describe(s->peer, sizeof(s->peer), &from);
	if (watch(s, fd)) {
		close(fd);
		return;
	}
	s->connection = fd;
	s->connections++;
	s->connected_at = now;
	mr_import_mark(s->import);
	s->stale_seen = mr_import_stale(s->import);
	s->stale_since = now;
	s->sweep_at = now + s->settings.stale_time * 1000ull;
	s->sweep_last = now + s->settings.stale_time * 1000ull * SWEEP_LAST;
	snprintf(line, sizeof(line), "connection from %s; %u routes are stale", s->peer,
	    s->stale_seen);
	say(s, MR_LOG_NOTICE, line);
}

/* Frames that are here already; false when one is wrong or the time is over. */
static bool
read_frames(struct fpm_server *s, uint64_t now, uint64_t deadline)
{
	enum mr_fpm_fault fault = MR_FPM_FAULT_NONE;
	const uint8_t *messages;
	unsigned frames = 0;
	char text[96];
	size_t size;

	while (mr_fpm_stream_next(&s->stream, &messages, &size, &fault)) {
		s->changed = true;
		fault = mr_fpm_frame(s->import, s->settings.table, messages, size, &s->counts);
		if (fault)
			break;
		if (++frames % FRAMES_PER_LOOK == 0 && fpm_now_ns() >= deadline)
			return false;
	}
	if (!fault)
		return true;
	if (fault > MR_FPM_FAULT_LAST_RTNL)
		s->counts.faults[fault]++;
	snprintf(text, sizeof(text), "it sent what is no FPM (%s)", mr_fpm_fault_name(fault));
	disconnect(s, now, FPM_CLOSE_FAULT, text);
	return false;
}

/* True when there may be more. */
static bool
read_connection(struct fpm_server *s, uint64_t now, uint64_t deadline)
{
	bool received = false;

	while (s->connection >= 0) {
		uint8_t *to;
		size_t room;
		ssize_t n;

		if (!read_frames(s, now, deadline))
			return s->connection >= 0;
		if (received && fpm_now_ns() >= deadline)
			return true;
		to = mr_fpm_stream_room(&s->stream, &room);
		n = recv(s->connection, to, room, 0);
		if (n > 0) {
			mr_fpm_stream_filled(&s->stream, (size_t)n);
			received = true;
		} else if (n == 0) {
			if (mr_fpm_stream_is_partial(&s->stream))
				disconnect(s, now, FPM_CLOSE_HUNG_UP,
				    "it hung up in the middle of a frame");
			else
				disconnect(s, now, FPM_CLOSE_PEER, "closed by the peer");
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno != EINTR) {
			disconnect(s, now, FPM_CLOSE_ERROR, strerror(errno));
		}
	}
	return false;
}

/* -- what has not come again ------------------------------------------------------------------------ */

static void
look_at_stale(struct fpm_server *s, uint64_t now)
{
	uint32_t stale;

	if (s->connection < 0) {
		if (s->settings.hold_time && s->closed_at &&
		    now >= s->closed_at + s->settings.hold_time * 1000ull) {
			say(s, MR_LOG_WARNING, "nobody has come back; its routes go");
			s->closed_at = 0;
			mr_import_mark(s->import);
			mr_import_sweep(s->import);
		}
		return;
	}
	if (!s->sweep_at)
		return;
	stale = mr_import_stale(s->import);
	if (stale != s->stale_seen) {
		s->stale_seen = stale;
		s->stale_since = now;
	}
	if (now < s->sweep_at || (now < s->stale_since + QUIET_MS && now < s->sweep_last))
		return;
	s->sweep_at = 0;
	mr_import_sweep(s->import);
}

uint32_t
fpm_server_work(struct fpm_server *s, uint64_t now, uint64_t deadline)
{
	bool more;

	s->changed = false;
	if (s->listener < 0 || s->netlink < 0)
		open_all(s, now);
	read_links(s);
	accept_connection(s, now);
	more = read_connection(s, now, deadline);
	look_at_stale(s, now);
	while (!mr_import_idle(s->import) && fpm_now_ns() < deadline) {
		mr_import_work(s->import, 64);
		s->changed = true;
	}
	if (more || !mr_import_idle(s->import))
		return 0;
	return RETRY_MS;
}

/* -- show --------------------------------------------------------------------------------------------- */

static void
show_counts(const struct fpm_server *s, struct mr_state *st)
{
	mr_state_open(st, "messages");
	mr_state_uint(st, "frames", s->counts.frames);
	mr_state_uint(st, "total", s->counts.messages);
	mr_state_uint(st, "routes", s->counts.routes);
	mr_state_uint(st, "next-hops", s->counts.nexthops);
	mr_state_uint(st, "other", s->counts.other);
	mr_state_uint(st, "of-other-tables", s->counts.other_table);
	mr_state_uint(st, "connected", s->counts.connected);
	mr_state_uint(st, "unsupported", s->counts.unsupported);
	mr_state_close(st);
	for (unsigned i = 1; i < MR_FPM_FAULT_COUNT; i++) {
		if (!s->counts.faults[i])
			continue;
		mr_state_list(st, "error", mr_fpm_fault_name((enum mr_fpm_fault)i));
		mr_state_uint(st, "count", s->counts.faults[i]);
		mr_state_close(st);
	}
}

static void
show_import(const struct fpm_server *s, struct mr_state *st)
{
	struct mr_import_stats i;

	mr_import_stats(s->import, &i);
	mr_state_uint(st, "routes", i.routes);
	mr_state_uint(st, "imported", i.imported);
	mr_state_uint(st, "foreign", i.foreign);
	mr_state_uint(st, "stale", s->connection >= 0 ? i.stale : i.routes);
	mr_state_uint(st, "next-hop-objects", i.nexthops);
	mr_state_open(st, "changes");
	mr_state_uint(st, "added", i.added);
	mr_state_uint(st, "replaced", i.replaced);
	mr_state_uint(st, "removed", i.removed);
	mr_state_uint(st, "renewed", i.renewed);
	mr_state_uint(st, "swept", i.swept);
	mr_state_uint(st, "unknown", i.unknown);
	mr_state_uint(st, "refused", i.refused + i.rib_errors);
	mr_state_close(st);
}

void
fpm_server_show(const struct fpm_server *s, struct mr_state *st)
{
	static const char *const closes[FPM_CLOSES] = {
		[FPM_CLOSE_PEER] = "closed",
		[FPM_CLOSE_HUNG_UP] = "hung-up",
		[FPM_CLOSE_ERROR] = "failed",
		[FPM_CLOSE_FAULT] = "wrong",
		[FPM_CLOSE_REPLACED] = "replaced",
	};
	uint64_t now = fpm_now_ns() / 1000000;
	const char *trouble = s->trouble[0] ? s->trouble : mr_import_trouble(s->import);

	mr_state_open(st, "fpm");
	mr_state_text(st, "state",
	    s->connection >= 0     ? "connected"
		: s->listener >= 0 ? "listening"
				   : "down");
	if (s->connection >= 0) {
		mr_state_text(st, "peer", s->peer);
		mr_state_uint(st, "connected-for", (now - s->connected_at) / 1000);
	}
	show_import(s, st);
	show_counts(s, st);
	mr_state_open(st, "connections");
	mr_state_uint(st, "accepted", s->connections);
	for (unsigned i = 0; i < FPM_CLOSES; i++)
		mr_state_uint(st, closes[i], s->closes[i]);
	mr_state_close(st);
	if (trouble[0])
		mr_state_text(st, "last-error", trouble);
	mr_state_close(st);
}

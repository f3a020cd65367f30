/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/health_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/port/namespace.h"

/* An echo wants a raw socket, or where we may not have one, one that the kernel lends to some
 * groups (ping_group_range). */
static int
open_socket(unsigned family, enum health_socket kind)
{
	int domain = family == 6 ? AF_INET6 : AF_INET;
	int protocol = family == 6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
	int more = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd;

	switch (kind) {
	case HEALTH_SOCKET_TCP:
		fd = socket(domain, SOCK_STREAM | more, 0);
		break;
	case HEALTH_SOCKET_UDP:
		fd = socket(domain, SOCK_DGRAM | more, 0);
		break;
	default:
		fd = socket(domain, SOCK_RAW | more, protocol);
		if (fd < 0 && (errno == EPERM || errno == EACCES))
			fd = socket(domain, SOCK_DGRAM | more, protocol);
	}
	return fd < 0 ? -errno : fd;
}

struct visit {
	struct health_space *space;
	unsigned family;
	enum health_socket kind;
};

static unsigned
stock_of(unsigned family, enum health_socket kind)
{
	return (unsigned)kind * 2 + (family == 6);
}

/* Inside. */
static int
fill_stock(void *arg, struct mr_error *error)
{
	struct visit *v = arg;
	unsigned stock = stock_of(v->family, v->kind);
	int fd = 0;

	while (v->space->count[stock] < HEALTH_STOCK) {
		fd = open_socket(v->family, v->kind);
		if (fd < 0)
			break;
		v->space->stock[stock][v->space->count[stock]++] = fd;
	}
	return v->space->count[stock] ? 0 : mr_error_set(error, fd, "%s", strerror(-fd));
}

static void
close_stock(struct health_space *s)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(s->count); i++)
		while (s->count[i])
			close(s->stock[i][--s->count[i]]);
}

void
health_spaces_close(struct mr_health *h)
{
	struct health_space *s;

	while ((s = h->spaces) != NULL) {
		h->spaces = s->next;
		close_stock(s);
		free(s);
	}
}

static struct health_space *
space_of(struct mr_health *h, const char *name)
{
	struct health_space *s;

	for (s = h->spaces; s; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	s = strlen(name) < sizeof(s->name) ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return NULL;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->next = h->spaces;
	h->spaces = s;
	return s;
}

int
health_socket(struct mr_health *h, const char *name, unsigned family, enum health_socket kind,
    struct mr_error *error)
{
	unsigned stock = stock_of(family, kind);
	struct visit v = { .family = family, .kind = kind };
	char path[sizeof(MR_NAMESPACE_FOLDER) + 256];
	struct stat st;
	int rc;

	if (!name) {
		rc = open_socket(family, kind);
		return rc < 0 ? mr_error_set(error, rc, "%s", strerror(-rc)) : rc;
	}
	v.space = space_of(h, name);
	if (!v.space)
		return mr_error_set(error, -ENOMEM, "no memory");
	snprintf(path, sizeof(path), "%s%s%s", strchr(name, '/') ? "" : MR_NAMESPACE_FOLDER,
	    strchr(name, '/') ? "" : "/", name);
	if (stat(path, &st)) {
		close_stock(v.space);
		return mr_error_set(error, -errno, "no network namespace %s", name);
	}
	if (st.st_dev != v.space->device || st.st_ino != v.space->inode) {
		close_stock(v.space);
		v.space->device = st.st_dev;
		v.space->inode = st.st_ino;
	}
	if (!v.space->count[stock]) {
		rc = mr_namespace_run(name, fill_stock, &v, error);
		if (rc)
			return rc;
	}
	return v.space->stock[stock][--v.space->count[stock]];
}

enum health_verdict
health_bad(struct mr_health_target *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->why, sizeof(t->why), fmt, args);
	va_end(args);
	return HEALTH_BAD;
}

enum health_verdict
health_bad_errno(struct mr_health_target *t, int code)
{
	static const struct {
		int code;
		const char *text;
	} known[] = {
		{ ECONNREFUSED, "connection refused" },
		{ ECONNRESET, "connection reset" },
		{ EPIPE, "connection reset" },
		{ EHOSTUNREACH, "host unreachable" },
		{ ENETUNREACH, "network unreachable" },
		{ ETIMEDOUT, "timeout" },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++)
		if (known[i].code == code)
			return health_bad(t, "%s", known[i].text);
	return health_bad(t, "%s", strerror(code));
}

/* SPDX-License-Identifier: Apache-2.0 */

/* The Unix socket, which is always there. */

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/http/http_int.h"

/* A socket that nobody listens on any more is what a crash left behind. */
static bool
is_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	    errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int
listen_on(const char *path, struct mr_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return mr_error_set(error, -ENAMETOOLONG, "control socket %s: the path is too long",
		    path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return mr_error_set(error, -errno, "control socket: %s", strerror(errno));
	mask = umask(0177); /* it steers the data plane: its owner's alone */
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (rc < 0 && errno == EADDRINUSE && is_stale(&address) && unlink(path) == 0)
		rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (rc == 0 && listen(fd, 256) == 0)
		return fd;
	rc = errno == EADDRINUSE
	    ? mr_error_set(error, -errno,
		  "control socket %s: another millrace listens there; give this one its own "
		  "(system/control-socket)",
		  path)
	    : mr_error_set(error, -errno, "control socket %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

int
mr_http_listen_unix(struct mr_http *h, const char *path, struct mr_error *error)
{
	static const struct mr_http_listen here = { .port = 0 };
	int fd = listen_on(path, error);

	if (fd < 0)
		return fd;
	h->unix_listener = http_listener_create(h, &here, fd);
	if (!h->unix_listener) {
		unlink(path);
		return mr_error_set(error, -ENOMEM, "control: no memory");
	}
	http_listener_pause(h->unix_listener, false);
	snprintf(h->path, sizeof(h->path), "%s", path);
	if (h->now->group[0])
		http_set_group(h, h->now->group);
	return 0;
}

/* -- a group that may look --------------------------------------------------------------- */

static bool
find_group(const char *name, gid_t *gid)
{
	struct group entry, *found = NULL;
	char text[16384];

	if (getgrnam_r(name, &entry, text, sizeof(text), &found) || !found)
		return false;
	*gid = entry.gr_gid;
	return true;
}

int
http_check_group(const char *group, struct mr_error *error)
{
	gid_t gid;

	if (!*group || find_group(group, &gid))
		return 0;
	return mr_error_set(error, -ENOENT, "rest: there is no group %s", group);
}

void
http_set_group(struct mr_http *h, const char *group)
{
	gid_t gid = getegid();

	if (!h->path[0])
		return;
	if (*group && !find_group(group, &gid))
		mr_log(h->log, MR_LOG_WARNING, "rest: there is no group %s any more", group);
	/* The bits first when they are taken away, the group first when they are given. */
	if (chmod(h->path, 0600) < 0 || chown(h->path, (uid_t)-1, gid) < 0 ||
	    (*group && chmod(h->path, 0660) < 0))
		mr_log(h->log, MR_LOG_WARNING,
		    "rest: group %s cannot be given the control socket: %s", group,
		    strerror(errno));
}

bool
http_in_group(int fd, const char *group)
{
	struct ucred cred;
	gid_t gid, all[256];
	socklen_t len = sizeof(cred);

	if (!*group || !find_group(group, &gid))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.gid == gid)
		return true;
	len = sizeof(all);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all, &len) < 0)
		return false;
	for (unsigned i = 0; i < len / sizeof(all[0]); i++)
		if (all[i] == gid)
			return true;
	return false;
}

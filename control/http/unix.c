/* SPDX-License-Identifier: Apache-2.0 */

/* The Unix socket, which is always there. */

#include <errno.h>
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
	if (rc == 0 && listen(fd, 64) == 0)
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
	int fd = listen_on(path, error);

	if (fd < 0)
		return fd;
	if (evhttp_accept_socket(h->evhttp, fd)) {
		close(fd);
		unlink(path);
		return mr_error_set(error, -ENOMEM, "control: no memory");
	}
	snprintf(h->path, sizeof(h->path), "%s", path);
	return 0;
}

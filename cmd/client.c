/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"

#define HEAD_MAX 16384
#define ANSWER_MAX (256u << 20)

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* read() that keeps to the client's time. */
static ssize_t
read_in_time(const struct mr_client *c, void *buffer, size_t size)
{
	struct pollfd wait = { .fd = c->fd, .events = POLLIN };
	int64_t left;

	if (c->end) {
		left = c->end - now_ms();
		if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return read(c->fd, buffer, size);
}

/* `ms` 0: for as long as it takes. */
static int
reach(const char *path, int ms, struct mr_error *error)
{
	const struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return mr_error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return mr_error_set(error, -errno, "socket: %s", strerror(errno));
	/* A full queue of a server that accepts nothing holds up connect, too. */
	if (ms)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	mr_error_set(error, -errno,
	    errno == ENOENT || errno == ECONNREFUSED
		? "no millrace runs behind %s (start one with: millrace run FILE)"
		: "%s: cannot be reached (is it another user's?)",
	    path);
	close(fd);
	return error ? error->code : -ECONNREFUSED;
}

static int
send_all(int fd, const char *text, struct mr_error *error)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return mr_error_set(error, -errno, "the request failed: %s",
			    strerror(errno));
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Reads up to the end of the head; what came behind it stays for mr_client_read. */
static int
read_head(struct mr_client *c, int *status, struct mr_error *error)
{
	size_t used = 0;
	char *end;

	c->head = calloc(1, HEAD_MAX + 1);
	if (!c->head)
		return mr_error_set(error, -ENOMEM, "no memory");
	while ((end = strstr(c->head, "\r\n\r\n")) == NULL) {
		ssize_t n = used < HEAD_MAX ? read_in_time(c, c->head + used, HEAD_MAX - used) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ETIMEDOUT)
			return mr_error_set(error, -ETIMEDOUT, "millrace does not answer");
		if (n <= 0)
			return mr_error_set(error, -EPROTO, "the answer has no end of head");
		used += (size_t)n;
	}
	if (sscanf(c->head, "HTTP/%*s %d", status) != 1)
		return mr_error_set(error, -EPROTO, "the answer is not HTTP");
	c->head_len = used;
	c->head_at = (size_t)(end + 4 - c->head);
	return 0;
}

/* {"error":"..."} */
static int
said_no(struct mr_client *c, int status, struct mr_error *error)
{
	char text[1024];
	long n = mr_client_read(c, text, sizeof(text) - 1);
	char *from, *to;

	text[n > 0 ? n : 0] = 0;
	from = strstr(text, ":\"");
	to = from ? strrchr(text, '"') : NULL;
	if (!from || to <= from + 1)
		return mr_error_set(error, -EPROTO, "the server answered %d", status);
	*to = 0;
	return mr_error_set(error, status == 404 ? -ENOENT : -EINVAL, "%s", from + 2);
}

/* With a body it is a POST. `said` gets the status, whatever it is; null: it must be 200. */
static int
request(struct mr_client *c, const char *path, const char *target, const char *body, int ms,
    int *said, struct mr_error *error)
{
	char fallback[108], head[CLIENT_TARGET_MAX + 96], length[48] = "";
	int status, rc;

	memset(c, 0, sizeof(*c));
	mr_control_default_path(fallback, sizeof(fallback));
	c->end = ms ? now_ms() + ms : 0;
	c->fd = reach(path ? path : fallback, ms, error);
	if (c->fd < 0)
		return c->fd;
	if (strlen(target) >= CLIENT_TARGET_MAX - 4) {
		mr_client_close(c);
		return mr_error_set(error, -E2BIG, "that is too long for one request");
	}
	if (body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	snprintf(head, sizeof(head), "%s %s HTTP/1.0\r\nHost: millrace\r\n%s\r\n",
	    body ? "POST" : "GET", target, length);
	rc = send_all(c->fd, head, error);
	if (!rc && body)
		rc = send_all(c->fd, body, error);
	if (!rc)
		rc = read_head(c, &status, error);
	if (!rc && said)
		*said = status;
	else if (!rc && status != 200)
		rc = said_no(c, status, error);
	if (rc)
		mr_client_close(c);
	return rc;
}

int
mr_client_get(struct mr_client *c, const char *path, const char *target, struct mr_error *error)
{
	return request(c, path, target, NULL, 0, NULL, error);
}

bool
mr_client_ready(const struct mr_client *c)
{
	return c->head_at < c->head_len;
}

long
mr_client_read(struct mr_client *c, void *buffer, size_t size)
{
	size_t left = c->head_len - c->head_at;
	ssize_t n;

	if (left > 0) {
		size = MR_MIN(size, left);
		memcpy(buffer, c->head + c->head_at, size);
		c->head_at += size;
		return (long)size;
	}
	n = read_in_time(c, buffer, size);
	return n < 0 ? -errno : (long)n;
}

void
mr_client_close(struct mr_client *c)
{
	if (c->fd > 0)
		close(c->fd);
	free(c->head);
	memset(c, 0, sizeof(*c));
}

static int
fetch(const char *path, const char *target, const char *body, int ms, size_t most, int *said,
    char **text, size_t *size, struct mr_error *error)
{
	size_t room = 65536, used = 0;
	struct mr_client c;
	char *grown;
	long n;
	int rc = request(&c, path, target, body, ms, said, error);

	if (rc)
		return rc;
	*text = malloc(room);
	while (*text && (n = mr_client_read(&c, *text + used, room - used - 1)) != 0) {
		if (n < 0 && n != -EINTR) {
			rc = mr_error_set(error, (int)n, "the answer broke off: %s",
			    strerror((int)-n));
			break;
		}
		used += n > 0 ? (size_t)n : 0;
		if (used + 1 < room)
			continue;
		room *= 2;
		grown = room / 2 <= most ? realloc(*text, room) : NULL;
		if (!grown) {
			rc = mr_error_set(error, -ENOMEM, "the answer is too large");
			break;
		}
		*text = grown;
	}
	mr_client_close(&c);
	if (!*text)
		return mr_error_set(error, -ENOMEM, "no memory");
	if (rc) {
		free(*text);
		*text = NULL;
		return rc;
	}
	(*text)[used] = 0;
	*size = used;
	return 0;
}

int
mr_client_fetch(const char *path, const char *target, char **text, size_t *size,
    struct mr_error *error)
{
	return fetch(path, target, NULL, 0, ANSWER_MAX, NULL, text, size, error);
}

int
mr_client_fetch_within(const char *path, const char *target, int ms, size_t most, char **text,
    size_t *size, struct mr_error *error)
{
	return fetch(path, target, NULL, ms, most, NULL, text, size, error);
}

int
mr_client_post_within(const char *path, const char *target, const char *body, int ms, size_t most,
    char **text, size_t *size, struct mr_error *error)
{
	return fetch(path, target, body, ms, most, NULL, text, size, error);
}

int
mr_client_post(const char *path, const char *target, const char *body, char **text, size_t *size,
    struct mr_error *error)
{
	return fetch(path, target, body, 0, ANSWER_MAX, NULL, text, size, error);
}

int
mr_client_ask(const char *path, const char *target, const char *body, int *status, char **text,
    size_t *size, struct mr_error *error)
{
	return fetch(path, target, body, 0, ANSWER_MAX, status, text, size, error);
}

void
mr_client_param(char *target, size_t size, const char *name, const char *value)
{
	size_t used = strlen(target);

	used += (size_t)snprintf(target + used, size - used,
	    "%c%s=", strchr(target, '?') ? '&' : '?', name);
	for (; *value && used + 4 < size; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    strchr("-._~", c))
			used += (size_t)snprintf(target + used, size - used, "%c", c);
		else
			used += (size_t)snprintf(target + used, size - used, "%%%02X", c);
	}
}

void
mr_client_filter(char *target, size_t size, const char *const *words, unsigned count)
{
	char filter[CLIENT_TARGET_MAX] = "";
	size_t used = 0;

	for (unsigned i = 0; i < count && used < sizeof(filter); i++)
		used += (size_t)snprintf(filter + used, sizeof(filter) - used, "%s%s", i ? " " : "",
		    words[i]);
	if (count)
		mr_client_param(target, size, "filter", filter);
}

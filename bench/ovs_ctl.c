/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ovs_ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 5000
#define ANSWER_MAX (64u << 20)
#define TRY_MS 20

int
mr_bench_ovs_ctl_open(struct mr_bench_ovs_ctl *ctl, const char *path, int timeout_ms,
    struct mr_error *error)
{
	const struct timespec nap = { 0, TRY_MS * 1000000 };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int left, rc = 0;

	*ctl = (struct mr_bench_ovs_ctl){ .fd = -1, .size = 1 << 16 };
	if (strlen(path) >= sizeof(to.sun_path))
		return mr_error_set(error, -ENAMETOOLONG, "%s: too long for a socket", path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	ctl->buffer = malloc(ctl->size);
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!ctl->buffer || ctl->fd < 0)
		return mr_error_set(error, -ENOMEM, "no socket");
	for (left = timeout_ms; left > 0; left -= TRY_MS) {
		rc = connect(ctl->fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
		if (rc == 0)
			return 0;
		nanosleep(&nap, NULL);
	}
	return mr_error_set(error, rc, "nobody listens on %s: %s", path, strerror(-rc));
}

void
mr_bench_ovs_ctl_close(struct mr_bench_ovs_ctl *ctl)
{
	if (ctl->fd >= 0)
		close(ctl->fd);
	free(ctl->buffer);
	*ctl = (struct mr_bench_ovs_ctl){ .fd = -1 };
}

/* Nested brackets outside strings, so far. */
struct scan {
	unsigned depth;
	bool string, escape;
};

/* Whether the object ends with this byte. */
static bool
scan_byte(struct scan *s, char byte)
{
	if (s->string) {
		if (s->escape)
			s->escape = false;
		else if (byte == '\\')
			s->escape = true;
		else if (byte == '"')
			s->string = false;
		return false;
	}
	if (byte == '"')
		s->string = true;
	else if (byte == '{' || byte == '[')
		s->depth++;
	else if ((byte == '}' || byte == ']') && s->depth)
		return --s->depth == 0;
	return false;
}

/* In a string every quote has a backslash before it, so that what is sought for with its quotes
 * stands outside. */
char *
mr_bench_ovs_answer(char *json, bool *failed)
{
	static const char names[2][12] = { "\"result\":\"", "\"error\":\"" };
	char *from = NULL, *to, *text;
	unsigned i;

	for (i = 0; i < 2 && !from; i++) {
		from = strstr(json, names[i]);
		if (from)
			from += strlen(names[i]);
		*failed = i == 1;
	}
	if (!from)
		return NULL;
	for (text = to = from; *from && *from != '"'; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (!*from)
			return NULL;
		/* \uXXXX does not come up in what we read. */
		*to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
	}
	if (!*from)
		return NULL;
	*to = 0;
	return text;
}

static int
receive(struct mr_bench_ovs_ctl *ctl)
{
	struct pollfd p = { ctl->fd, POLLIN, 0 };
	struct scan scan = { 0 };
	size_t have = 0, seen;
	char *grown;
	ssize_t n;

	for (;;) {
		if (have + 1 == ctl->size) {
			grown = ctl->size < ANSWER_MAX ? realloc(ctl->buffer, 2 * ctl->size) : NULL;
			if (!grown)
				return -EMSGSIZE;
			ctl->buffer = grown;
			ctl->size *= 2;
		}
		if (poll(&p, 1, ANSWER_MS) <= 0)
			return -ETIMEDOUT;
		n = read(ctl->fd, ctl->buffer + have, ctl->size - have - 1);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		for (seen = have, have += (size_t)n; seen < have; seen++)
			if (scan_byte(&scan, ctl->buffer[seen])) {
				ctl->buffer[seen + 1] = 0;
				return 0;
			}
	}
}

int
mr_bench_ovs_ctl_call(struct mr_bench_ovs_ctl *ctl, const char *method, const char *const *args,
    char **text, struct mr_error *error)
{
	char request[256];
	bool failed = false;
	int len, rc;

	len =
	    snprintf(request, sizeof(request), "{\"id\":0,\"method\":\"%s\",\"params\":[", method);
	for (; args && *args; args++)
		len += snprintf(request + len, sizeof(request) - (size_t)len, "%s\"%s\"",
		    request[len - 1] == '[' ? "" : ",", *args);
	len += snprintf(request + len, sizeof(request) - (size_t)len, "]}");
	rc = send(ctl->fd, request, (size_t)len, MSG_NOSIGNAL) == len ? 0 : -EPIPE;
	if (rc == 0)
		rc = receive(ctl);
	if (rc < 0)
		return mr_error_set(error, rc, "%s: %s", method, strerror(-rc));
	*text = mr_bench_ovs_answer(ctl->buffer, &failed);
	if (!*text)
		return mr_error_set(error, -EPROTO, "%s: no answer that we know", method);
	if (failed)
		return mr_error_set(error, -EIO, "%s: %.120s", method, *text);
	return 0;
}

bool
mr_bench_ovs_number(const char *text, const char *name, uint64_t *number)
{
	unsigned long long value;
	const char *at = strstr(text, name);

	if (!at || sscanf(at + strlen(name), "%llu", &value) != 1)
		return false;
	*number = value;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lb/health/health_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
mr_health_is(const struct mr_health_target *t, const struct mr_health_config *c)
{
	const struct mr_health_config *a = &t->config;

	return a->kind == c->kind && a->family == c->family && a->port == c->port &&
	    memcmp(a->address, c->address, c->family == 4 ? 4 : 16) == 0 &&
	    same_text(a->space, c->space) && a->interval == c->interval &&
	    a->timeout == c->timeout && a->rise == c->rise && a->fall == c->fall &&
	    a->status_first == c->status_first && a->status_last == c->status_last &&
	    same_text(a->host, c->host) && same_text(a->path, c->path) &&
	    same_text(a->body, c->body) && same_text(a->send, c->send) &&
	    same_text(a->expect, c->expect);
}

/* A request is a line and fields: nothing that a word holds may end one. */
static bool
is_word(const char *text, size_t max)
{
	size_t size = strlen(text);

	if (!size || size > max)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((uint8_t)text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static int
check_config(const struct mr_health_config *c, struct mr_error *error)
{
	if (c->kind >= MR_HEALTH_KINDS || (c->family != 4 && c->family != 6) || !c->interval ||
	    !c->timeout || !c->rise || !c->fall || (c->kind != MR_HEALTH_ICMP && !c->port))
		return mr_error_set(error, -EINVAL, "health check: not whole");
	if (c->kind == MR_HEALTH_HTTP &&
	    (!c->path || c->path[0] != '/' || !is_word(c->path, MR_HEALTH_PATH_MAX)))
		return mr_error_set(error, -EINVAL,
		    "health check: a path begins with / and has no blanks");
	if (c->kind == MR_HEALTH_HTTP && c->host && !is_word(c->host, MR_HEALTH_HOST_MAX))
		return mr_error_set(error, -EINVAL, "health check: %s is no host", c->host);
	if (c->body && strlen(c->body) > CHECK_HTTP_TEXT_MAX)
		return mr_error_set(error, -E2BIG,
		    "health check: the text of a body has more than %u bytes", CHECK_HTTP_TEXT_MAX);
	if ((c->send && strlen(c->send) > MR_HEALTH_BYTES_MAX) ||
	    (c->expect && strlen(c->expect) > MR_HEALTH_BYTES_MAX))
		return mr_error_set(error, -E2BIG,
		    "health check: what is sent or expected has more than %u bytes",
		    MR_HEALTH_BYTES_MAX);
	return 0;
}

static void
set_address(struct mr_health_target *t)
{
	const struct mr_health_config *c = &t->config;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&t->to;
	struct sockaddr_in *four = (struct sockaddr_in *)&t->to;
	/* To a raw socket of IPv6 a port would be a protocol. */
	uint16_t port = c->kind == MR_HEALTH_ICMP ? 0 : c->port;

	if (c->family == 6) {
		six->sin6_family = AF_INET6;
		six->sin6_port = mr_be16(port);
		memcpy(&six->sin6_addr, c->address, 16);
		t->to_size = sizeof(*six);
	} else {
		four->sin_family = AF_INET;
		four->sin_port = mr_be16(port);
		memcpy(&four->sin_addr, c->address, 4);
		t->to_size = sizeof(*four);
	}
}

static void
write_request(struct mr_health_target *t, char *at, size_t size)
{
	const struct mr_health_config *c = &t->config;
	char host[INET6_ADDRSTRLEN + 12], address[INET6_ADDRSTRLEN];

	inet_ntop(c->family == 6 ? AF_INET6 : AF_INET, c->address, address, sizeof(address));
	snprintf(host, sizeof(host), c->family == 6 ? "[%s]:%u" : "%s:%u", address, c->port);
	t->request = at;
	t->request_size = (uint32_t)snprintf(at, size,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: millrace\r\nAccept: */*\r\n"
	    "Connection: close\r\n\r\n",
	    c->path, c->host ? c->host : host);
}

static const char *
keep(char **at, const char *text)
{
	char *kept = *at;

	if (!text)
		return NULL;
	*at = stpcpy(kept, text) + 1;
	return kept;
}

static size_t
room_for(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

int
health_target_create(struct mr_health_target **out, const struct mr_health_config *c,
    struct mr_error *error)
{
	size_t request =
	    c->kind == MR_HEALTH_HTTP && c->path ? 256 + strlen(c->path) + room_for(c->host) : 0;
	struct mr_health_target *t;
	int rc = check_config(c, error);
	char *at;

	if (rc)
		return rc;
	t = calloc(1, sizeof(*t));
	if (t)
		t->texts = calloc(1,
		    1 + request + room_for(c->space) + room_for(c->host) + room_for(c->path) +
			room_for(c->body) + room_for(c->send) + room_for(c->expect));
	if (!t || !t->texts) {
		free(t);
		return mr_error_set(error, -ENOMEM, "health check: no memory");
	}
	at = t->texts;
	t->config = *c;
	t->config.space = keep(&at, c->space);
	t->config.host = keep(&at, c->host);
	t->config.path = keep(&at, c->path);
	t->config.body = keep(&at, c->body);
	t->config.send = keep(&at, c->send);
	t->config.expect = keep(&at, c->expect);
	set_address(t);
	if (c->kind == MR_HEALTH_HTTP) {
		write_request(t, at, request);
		(void)check_http_want(&t->want, c->status_first, c->status_last, t->config.body);
	}
	t->fd = -1;
	t->healthy = true;
	*out = t;
	return 0;
}

void
health_target_free(struct mr_health_target *t)
{
	free(t->texts);
	free(t);
}

void
mr_health_presume(struct mr_health_target *t, bool healthy)
{
	t->healthy = healthy;
}

void
mr_health_state(const struct mr_health_target *t, struct mr_health_state *s)
{
	*s = (struct mr_health_state){
		.healthy = t->healthy,
		.decided = t->decided,
		.why = t->why,
		.good = t->good,
		.bad = t->bad,
		.took = t->took,
	};
}

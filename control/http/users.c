/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who asks: over the Unix socket the kernel says it; over TCP a bearer token (RFC 6750) or a
 * client's certificate does.
 *
 * Tokens are 256 random bits, so that their plain SHA-256, which is what the configuration has, says
 * nothing about them. All users are compared with, each in constant time. A source whose logins
 * fail waits longer and longer for the answer; what it waits for is only the refusal, so nobody can
 * lock another out who comes from the same address.
 */

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "control/http/http_int.h"

#define FORGET_MS 60000u
#define DELAY_MIN_MS 50u
#define DELAY_MAX_MS 5000u

void
mr_http_hash_token(const char *token, size_t size, uint8_t hash[MR_HTTP_HASH_SIZE])
{
	unsigned len = 0;

	if (EVP_Digest(token, size, hash, &len, EVP_sha256(), NULL) != 1 ||
	    len != MR_HTTP_HASH_SIZE)
		memset(hash, 0, MR_HTTP_HASH_SIZE);
}

int
mr_http_make_token(char token[44], char hash[2 * MR_HTTP_HASH_SIZE + 1])
{
	uint8_t bits[32], digest[MR_HTTP_HASH_SIZE];
	char text[48];

	if (getrandom(bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return -errno;
	EVP_EncodeBlock((unsigned char *)text, bits, sizeof(bits)); /* 43 and a '=' */
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	memcpy(token, text, 43);
	token[43] = 0;
	mr_http_hash_token(token, 43, digest);
	for (unsigned i = 0; i < sizeof(digest); i++)
		snprintf(hash + 2 * i, 3, "%02x", digest[i]);
	OPENSSL_cleanse(bits, sizeof(bits));
	OPENSSL_cleanse(text, sizeof(text));
	return 0;
}

/* -- sources ----------------------------------------------------------------------------- */

static struct http_source *
source_of(struct mr_http *h, const uint8_t address[16])
{
	struct http_source *oldest = &h->sources[0];

	for (unsigned i = 0; i < SOURCES_MAX; i++) {
		if (memcmp(h->sources[i].address, address, 16) == 0)
			return &h->sources[i];
		if (h->sources[i].last < oldest->last)
			oldest = &h->sources[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	memcpy(oldest->address, address, 16);
	return oldest;
}

/* Counts a failed login; how long its answer is to wait. */
static unsigned
punish(struct mr_http *h, const uint8_t address[16])
{
	struct http_source *s = source_of(h, address);
	uint64_t now = http_now();
	unsigned delay = DELAY_MIN_MS;

	if (now - s->last > FORGET_MS)
		s->failures = 0;
	s->last = now;
	for (unsigned i = 0; i < s->failures && delay < DELAY_MAX_MS; i++)
		delay *= 2;
	s->failures++;
	return delay > DELAY_MAX_MS ? DELAY_MAX_MS : delay;
}

/* -- refusals ---------------------------------------------------------------------------- */

static void
send_refusal(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;
	struct evhttp_request *req = c->refused;
	struct mr_http_call call = { .http = c->http, .req = req, .who = c->who };

	(void)fd;
	(void)what;
	c->refused = NULL;
	evhttp_add_header(evhttp_request_get_output_headers(req), "WWW-Authenticate",
	    "Bearer realm=\"millrace\"");
	evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
	mr_http_fail(&call, 401, "say who you are: a bearer token, or a client's certificate");
}

static void
refuse_login(struct http_conn *c, struct mr_http_call *call, const char *why)
{
	struct mr_http *h = c->http;
	unsigned delay = punish(h, c->source);
	const struct timeval wait = { delay / 1000, delay % 1000 * 1000 };
	struct timespec ts;
	uint32_t held;

	h->counters.failed_logins++;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (mr_log_allow(&h->limit, (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec,
		&held)) {
		mr_log(h->log, MR_LOG_WARNING,
		    "rest: login refused from %s: %s (%u more were not logged)", c->from, why,
		    held);
		http_tell(call, 401, why);
	}
	c->refused = call->req;
	c->delay = event_new(h->base, -1, 0, send_refusal, c);
	if (!c->delay || event_add(c->delay, &wait))
		send_refusal(-1, 0, c);
}

/* -- who --------------------------------------------------------------------------------- */

static const struct mr_http_user *
by_token(const struct mr_http_settings *s, const char *token)
{
	const struct mr_http_user *found = NULL;
	uint8_t hash[MR_HTTP_HASH_SIZE];

	mr_http_hash_token(token, strlen(token), hash);
	for (unsigned i = 0; i < s->user_count; i++)
		if (s->users[i].has_token &&
		    CRYPTO_memcmp(hash, s->users[i].token, sizeof(hash)) == 0)
			found = &s->users[i];
	return found;
}

static const struct mr_http_user *
by_certificate(const struct mr_http_settings *s, const char *name)
{
	for (unsigned i = 0; i < s->user_count; i++)
		if (s->users[i].certificate[0] && strcmp(s->users[i].certificate, name) == 0)
			return &s->users[i];
	return NULL;
}

static bool
identify_remote(struct http_conn *c, struct mr_http_call *call)
{
	const struct mr_http_settings *s = c->http->now;
	const char *header =
	    evhttp_find_header(evhttp_request_get_input_headers(call->req), "Authorization");
	const struct mr_http_user *user = NULL;
	const char *why = "no token and no certificate";
	char name[256];

	if (header) {
		why = "the authorization is no bearer token";
		if (strncasecmp(header, "Bearer ", 7) == 0) {
			user = by_token(s, header + 7 + strspn(header + 7, " "));
			why = "the token is nobody's";
		}
	} else if (c->generation == c->listener->generation &&
	    http_tls_name(c->bev, name, sizeof(name))) {
		user = by_certificate(s, name);
		why = "the certificate is nobody's";
	}
	if (!user) {
		snprintf(c->who, sizeof(c->who), "unknown");
		refuse_login(c, call, why);
		return false;
	}
	c->known = true;
	snprintf(c->who, sizeof(c->who), "%s", user->name);
	c->role = user->role;
	return true;
}

static bool
identify_local(struct http_conn *c, struct mr_http_call *call)
{
	if (c->uid == 0)
		snprintf(c->who, sizeof(c->who), "root");
	else
		snprintf(c->who, sizeof(c->who), "user %u", (unsigned)c->uid);
	c->known = true;
	c->role = c->trusted ? MR_HTTP_ADMIN : MR_HTTP_READ;
	if (c->trusted || http_in_group(c->fd, c->http->now->group))
		return true;
	c->http->counters.refused++;
	http_tell(call, 403, "not the socket's owner, nor of its group");
	mr_http_fail(call, 403, "%s is neither the socket's owner nor of its group", c->who);
	return false;
}

bool
http_identify(struct http_conn *c, struct mr_http_call *call)
{
	bool good;

	call->who = c->who;
	call->from = c->from;
	good = c->listener->where.port ? identify_remote(c, call) : identify_local(c, call);
	call->role = c->role;
	return good;
}

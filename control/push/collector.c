/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The connection to a collector. It is made again, with growing pauses, for as long as the
 * subscription is there. What waits for a slow collector is bounded by the subscription's queue;
 * what one says is read and thrown away, so that the end of the connection is seen.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/push/push_int.h"
#include "kit/base/log.h"

#define CONNECT_MS 10000u /* with the TLS handshake */
#define STALL_MS 60000u   /* it takes nothing for so long: dead */
#define PAUSE_MIN_MS 250u /* after the first failure */
#define PAUSE_MAX_MS 60000u
#define GOOD_MS 10000u       /* a connection that lasted so long was a good one */
#define UNSENT_MAX 65536     /* bytes that the kernel holds and has not sent */
#define HEARD_MAX (1u << 20) /* bytes that a collector may say in one connection */

struct push_collector {
	struct push_collector_config config;
	struct push_collector_stats stats;
	struct bufferevent *bev;
	struct evdns_base *dns;
	struct event *timer; /* the next attempt, or the end of this one's patience */
	uint32_t pause_ms;
	uint64_t connected_at;
	uint64_t heard;
	uint64_t drained; /* bytes that the queue gave away so far, of this connection */
	uint64_t filled;  /* and was given */
	/* Where each message that is queued ends, as `filled` was then: a ring. */
	uint64_t *ends;
	size_t end_first, end_count, end_room;
};

static void
arm(struct push_collector *c, uint32_t ms)
{
	const struct timeval when = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(c->timer, &when);
}

void
push_collector_blame(struct push_collector *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->stats.error, sizeof(c->stats.error), fmt, args);
	va_end(args);
}

/* -- the queue --------------------------------------------------------------------------- */

/* Whole messages that have left. */
static void
on_drained(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct push_collector *c = arg;

	(void)buffer;
	if (!info->n_deleted || !c->stats.connected)
		return;
	c->drained += info->n_deleted;
	while (c->end_count && c->ends[c->end_first] <= c->drained) {
		c->end_first = (c->end_first + 1) % c->end_room;
		c->end_count--;
		c->stats.sent++;
	}
	c->stats.sent_bytes += info->n_deleted;
	arm(c, STALL_MS);
}

static bool
remember_end(struct push_collector *c)
{
	size_t room = c->end_room ? c->end_room * 2 : 64;
	uint64_t *ends;

	if (c->end_count == c->end_room) {
		ends = malloc(room * sizeof(*ends));
		if (!ends)
			return false;
		for (size_t i = 0; i < c->end_count; i++)
			ends[i] = c->ends[(c->end_first + i) % c->end_room];
		free(c->ends);
		c->ends = ends;
		c->end_first = 0;
		c->end_room = room;
	}
	c->ends[(c->end_first + c->end_count++) % c->end_room] = c->filled;
	return true;
}

size_t
push_collector_queued(const struct push_collector *c)
{
	return c->bev ? evbuffer_get_length(bufferevent_get_output(c->bev)) : 0;
}

int
push_collector_send(struct push_collector *c, const char *bytes, size_t size)
{
	size_t queued = push_collector_queued(c);

	if (!c->stats.connected || queued + size > c->config.settings->queue) {
		c->stats.lost++;
		return -ENOBUFS;
	}
	c->filled += size;
	if (!remember_end(c)) {
		c->filled -= size;
		c->stats.lost++;
		return -ENOBUFS;
	}
	if (!queued)
		arm(c, STALL_MS);
	if (bufferevent_write(c->bev, bytes, size)) {
		c->end_count--;
		c->filled -= size;
		c->stats.lost++;
		return -ENOBUFS;
	}
	return 0;
}

/* -- the connection ---------------------------------------------------------------------- */

static void
hang_up(struct push_collector *c)
{
	c->stats.lost += c->end_count;
	c->stats.connected = false;
	c->end_first = c->end_count = 0;
	c->filled = c->drained = c->heard = 0;
	if (c->bev)
		bufferevent_free(c->bev);
	c->bev = NULL;
}

/* Not where one of its own callbacks runs. */
static void
forget_names(struct push_collector *c)
{
	if (c->dns)
		evdns_base_free(c->dns, 0);
	c->dns = NULL;
}

/* Somewhat more or less than the pause, so that a collector's subscribers do not come all at once. */
static void
try_later(struct push_collector *c)
{
	if (c->stats.connected || !c->stats.connections)
		mr_log(c->config.log, c->pause_ms <= PAUSE_MIN_MS ? MR_LOG_NOTICE : MR_LOG_DEBUG,
		    "telemetry %s: %s:%u: %s", c->config.settings->name, c->config.settings->host,
		    c->config.settings->port, c->stats.error);
	if (c->stats.connected && push_now_ms() - c->connected_at >= GOOD_MS)
		c->pause_ms = PAUSE_MIN_MS;
	hang_up(c);
	arm(c, c->pause_ms * 3 / 4 + arc4random_uniform(c->pause_ms / 2 + 1));
	c->pause_ms = MR_MIN(c->pause_ms * 2, PAUSE_MAX_MS);
}

/* What TLS says of a failure: the certificate's first. */
static void
blame_tls(struct push_collector *c)
{
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);
	long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
	unsigned long code = bufferevent_get_openssl_error(c->bev);
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (verdict != X509_V_OK)
		push_collector_blame(c, "the collector's certificate: %s",
		    X509_verify_cert_error_string(verdict));
	else
		push_collector_blame(c, "TLS: %s", reason ? reason : "the handshake failed");
}

static void
on_connected(struct push_collector *c)
{
	const int on = 1, unsent = UNSENT_MAX;

	c->stats.connected = true;
	c->stats.connections++;
	c->connected_at = push_now_ms();
	setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* What waits should wait here, where it is bounded and seen. */
	setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
	    sizeof(unsent));
	evbuffer_add_cb(bufferevent_get_output(c->bev), on_drained, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	evtimer_del(c->timer);
	mr_log(c->config.log, MR_LOG_INFO, "telemetry %s: connected to %s:%u",
	    c->config.settings->name, c->config.settings->host, c->config.settings->port);
	c->config.connected(c->config.arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct push_collector *c = arg;
	int dns = bufferevent_socket_get_dns_error(bev), code = EVUTIL_SOCKET_ERROR();

	if (what & BEV_EVENT_CONNECTED) {
		on_connected(c);
		return;
	}
	if (dns)
		push_collector_blame(c, "its name: %s", evutil_gai_strerror(dns));
	else if (c->config.settings->tls && (what & BEV_EVENT_ERROR) && !c->stats.connected &&
	    bufferevent_openssl_get_ssl(bev) &&
	    SSL_get_state(bufferevent_openssl_get_ssl(bev)) != TLS_ST_BEFORE)
		blame_tls(c);
	else if (what & BEV_EVENT_ERROR)
		push_collector_blame(c, "%s", code ? strerror(code) : "the connection broke");
	else
		push_collector_blame(c, "the collector hung up");
	try_later(c);
}

/* Nothing that a collector could say means anything. */
static void
on_read(struct bufferevent *bev, void *arg)
{
	struct push_collector *c = arg;
	struct evbuffer *input = bufferevent_get_input(bev);

	c->heard += evbuffer_get_length(input);
	evbuffer_drain(input, evbuffer_get_length(input));
	if (c->heard <= HEARD_MAX)
		return;
	push_collector_blame(c, "the collector says too much");
	try_later(c);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct push_collector *c = arg;

	(void)bev;
	if (c->stats.connected && !push_collector_queued(c))
		evtimer_del(c->timer);
}

static int
connect_to(struct push_collector *c)
{
	const struct push_settings *s = c->config.settings;
	struct in6_addr address;
	bool numeric = inet_pton(AF_INET, s->host, &address) == 1 ||
	    inet_pton(AF_INET6, s->host, &address) == 1;

	if (!numeric)
		c->dns = evdns_base_new(c->config.base,
		    EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!numeric && !c->dns) {
		push_collector_blame(c, "there is no name server to ask for %s", s->host);
		return -EIO;
	}
	return bufferevent_socket_connect_hostname(c->bev, c->dns, AF_UNSPEC, s->host, s->port);
}

static void
begin(struct push_collector *c)
{
	const struct push_settings *s = c->config.settings;
	struct mr_error error = { 0 };
	SSL *ssl = NULL;

	forget_names(c);
	arm(c, CONNECT_MS);
	if (s->tls && push_tls_create(&ssl, s, &error)) {
		push_collector_blame(c, "%s", error.text);
		try_later(c);
		return;
	}
	c->bev = ssl ? bufferevent_openssl_socket_new(c->config.base, -1, ssl,
			   BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE)
		     : bufferevent_socket_new(c->config.base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		SSL_free(ssl);
		push_collector_blame(c, "no memory");
		try_later(c);
		return;
	}
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, 4096);
	if (connect_to(c) && c->bev) { /* else on_event has seen to it */
		push_collector_blame(c, "%s", strerror(errno));
		try_later(c);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct push_collector *c = arg;

	(void)fd;
	(void)what;
	if (!c->bev) {
		begin(c);
		return;
	}
	if (c->stats.connected && !push_collector_queued(c))
		return;
	push_collector_blame(c, "%s",
	    c->stats.connected ? "the collector takes nothing" : "it does not answer");
	try_later(c);
}

int
push_collector_create(struct push_collector **out, const struct push_collector_config *config)
{
	struct push_collector *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->pause_ms = PAUSE_MIN_MS;
	c->timer = evtimer_new(config->base, on_timer, c);
	if (!c->timer) {
		free(c);
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
}

void
push_collector_start(struct push_collector *c)
{
	arm(c, 0);
}

void
push_collector_destroy(struct push_collector *c)
{
	if (!c)
		return;
	hang_up(c);
	forget_names(c);
	event_free(c->timer);
	free(c->ends);
	free(c);
}

void
push_collector_stats(const struct push_collector *c, struct push_collector_stats *stats)
{
	*stats = c->stats;
	stats->queued = push_collector_queued(c);
}

bool
push_collector_is_up(const struct push_collector *c)
{
	return c->stats.connected;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/flowexport/collector.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UNREAD_MAX (1u << 20) /* bytes that a TCP collector may leave unread */
#define SEND_BUFFER (4u << 20)
#define RETRY_MAX 30u
#define END_MS 500
/* Messages of which it is not known yet whether the kernel took them. */
#define SENT_MAX 4096u

struct counts {
	uint64_t messages, flows, packets, octets, records;
};

struct collector {
	struct collector_conf conf;
	struct event_base *base;
	collector_interface_fn *interface;
	void *arg;
	uint64_t boot;
	int fd;                  /* UDP; -1: none */
	struct bufferevent *bev; /* TCP; null: none */
	bool connected;
	uint32_t seconds;  /* of the last tick */
	uint32_t retry_at; /* the next try, and how long after it the one behind */
	uint32_t retry;
	uint32_t refreshed; /* templates and options were sent */
	bool fresh;         /* the stream has no templates yet */
	uint32_t sequence;
	uint64_t bytes; /* sent */
	struct counts sent, lost;
	struct counts last; /* UDP: of the message before, as far as it is among those sent */
	uint64_t errors, connects;
	char error[160];
	/* TCP: messages behind one another in the buffer, the oldest first, in a ring. */
	uint64_t put; /* bytes, ever since it was connected */
	struct waiting {
		uint64_t end;
		struct counts counts;
	} waiting[SENT_MAX];
	uint32_t waiting_first, waiting_count;
	struct message message;
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
count(struct counts *c, const struct counts *more)
{
	c->messages += more->messages;
	c->flows += more->flows;
	c->packets += more->packets;
	c->octets += more->octets;
	c->records += more->records;
}

static struct counts
counts_of(const struct message *m)
{
	return (struct counts){ 1, m->flows, m->packets, m->octets, m->data_records };
}

static void
failed(struct collector *c, const char *what, int code)
{
	c->errors++;
	snprintf(c->error, sizeof(c->error), "%s: %s", what, strerror(code));
}

/* -- UDP ------------------------------------------------------------------------------------------ */

static int
open_socket(struct collector *c, int type)
{
	const struct collector_conf *conf = &c->conf;
	int fd = socket(conf->to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size;

	if (fd < 0)
		return -1;
	size = SEND_BUFFER;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (conf->from.ss_family && bind(fd, (const void *)&conf->from, conf->to_size)) {
		failed(c, "source", errno);
		close(fd);
		return -1;
	}
	return fd;
}

/* The message before was for nobody. */
static void
take_back(struct collector *c)
{
	const struct counts *l = &c->last;

	count(&c->lost, l);
	c->sent.messages -= l->messages;
	c->sent.flows -= l->flows;
	c->sent.packets -= l->packets;
	c->sent.octets -= l->octets;
	c->sent.records -= l->records;
	memset(&c->last, 0, sizeof(c->last));
}

/* A collector that is not there answers the datagram before this one: then it is tried once more. */
static bool
send_datagram(struct collector *c, const struct message *m)
{
	if (c->fd < 0) {
		c->fd = open_socket(c, SOCK_DGRAM);
		if (c->fd >= 0 && connect(c->fd, (const void *)&c->conf.to, c->conf.to_size) != 0) {
			failed(c, "address", errno);
			close(c->fd);
			c->fd = -1;
		}
		if (c->fd < 0)
			return false;
	}
	for (unsigned try = 0; try < 2; try++) {
		if (send(c->fd, m->bytes, m->size, MSG_NOSIGNAL) == (ssize_t)m->size) {
			if (!try)
				c->error[0] = 0;
			return true;
		}
		failed(c, "send", errno);
		if (errno != ECONNREFUSED)
			return false;
		take_back(c);
	}
	return false;
}

/* -- TCP ------------------------------------------------------------------------------------------ */

/* What the kernel has taken is sent. */
static void
settle(struct collector *c, bool end)
{
	uint64_t taken =
	    c->put - (c->bev ? evbuffer_get_length(bufferevent_get_output(c->bev)) : 0);

	while (c->waiting_count) {
		struct waiting *w = &c->waiting[c->waiting_first];

		if (w->end > taken && !end)
			break;
		count(w->end > taken ? &c->lost : &c->sent, &w->counts);
		c->waiting_first = (c->waiting_first + 1) % SENT_MAX;
		c->waiting_count--;
	}
}

static void
disconnect(struct collector *c)
{
	settle(c, true);
	if (c->bev)
		bufferevent_free(c->bev);
	c->bev = NULL;
	c->connected = false;
	c->put = 0;
	c->retry = c->retry ? MR_MIN(2 * c->retry, RETRY_MAX) : 1;
	c->retry_at = c->seconds + c->retry;
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct collector *c = arg;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		/* What was put before knows other templates. */
		collector_flush(c);
		c->connected = true;
		c->connects++;
		c->fresh = true;
		c->sequence = 0;
		c->retry = 0;
		c->error[0] = 0;
		return;
	}
	if (what & BEV_EVENT_EOF)
		failed(c, "connection", ECONNRESET);
	else if (what & BEV_EVENT_ERROR)
		failed(c, "connection", EVUTIL_SOCKET_ERROR());
	disconnect(c);
}

/* A collector has nothing to say (RFC 7011, section 10.4). */
static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void
begin_connection(struct collector *c)
{
	int fd = open_socket(c, SOCK_STREAM);

	c->retry_at = c->seconds + MR_MAX(c->retry, 1u);
	if (fd < 0)
		return;
	c->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		close(fd);
		return;
	}
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&c->conf.to,
		(int)c->conf.to_size))
		disconnect(c);
}

static bool
send_stream(struct collector *c, const struct message *m)
{
	struct evbuffer *out = c->bev ? bufferevent_get_output(c->bev) : NULL;
	struct waiting *w;

	settle(c, false);
	if (!c->connected)
		return false;
	if (evbuffer_get_length(out) + m->size > UNREAD_MAX || c->waiting_count == SENT_MAX) {
		failed(c, "collector does not read", EAGAIN);
		return false;
	}
	if (evbuffer_add(out, m->bytes, m->size)) {
		failed(c, "message", ENOMEM);
		return false;
	}
	c->put += m->size;
	w = &c->waiting[(c->waiting_first + c->waiting_count++) % SENT_MAX];
	w->end = c->put;
	w->counts = counts_of(m);
	return true;
}

/* -- messages --------------------------------------------------------------------------------------- */

/* RFC 7011, section 3.1: data records of this stream before this message. RFC 3954: messages. */
static void
leave(struct collector *c)
{
	struct message *m = &c->message;
	const struct counts counts = counts_of(m);
	bool good;

	message_finish(m,
	    &(struct message_stamp){ .sequence = c->sequence, .now = now_ms(), .boot = c->boot });
	good = c->conf.tcp ? send_stream(c, m) : send_datagram(c, m);
	if (good) {
		c->bytes += m->size;
		c->sequence += c->conf.protocol == MESSAGE_IPFIX ? m->data_records : 1;
		if (!c->conf.tcp) {
			count(&c->sent, &counts);
			c->last = counts;
		}
	} else {
		count(&c->lost, &counts);
		/* What comes behind needs the templates that were in it. */
		c->fresh |= m->records > m->data_records;
	}
	message_begin(m);
}

static void
put_templates(struct collector *c)
{
	c->fresh = false;
	c->refreshed = c->seconds;
	for (unsigned t = 0; t < TEMPLATES; t++) {
		if (message_put_template(&c->message, (enum message_template)t))
			continue;
		leave(c);
		message_put_template(&c->message, (enum message_template)t);
	}
}

static void
put_options(struct collector *c)
{
	struct exporter_record e = { c->sent.messages, c->sent.flows, c->bytes, c->lost.flows,
		c->lost.packets, c->lost.octets };
	struct interface_record r;

	for (unsigned n = 0; c->interface(c->arg, n, &r); n++) {
		if (message_put_interface(&c->message, &r))
			continue;
		leave(c);
		message_put_interface(&c->message, &r);
	}
	if (!message_put_exporter(&c->message, &e)) {
		leave(c);
		message_put_exporter(&c->message, &e);
	}
}

void
collector_put(struct collector *c, const struct flow_record *r)
{
	if (c->fresh) {
		put_templates(c);
		put_options(c);
	}
	if (message_put_flow(&c->message, r))
		return;
	leave(c);
	message_put_flow(&c->message, r);
}

void
collector_flush(struct collector *c)
{
	if (!message_is_empty(&c->message))
		leave(c);
}

void
collector_tick(struct collector *c, uint32_t seconds)
{
	c->seconds = seconds;
	if (c->conf.tcp) {
		if (!c->bev && (int32_t)(seconds - c->retry_at) >= 0)
			begin_connection(c);
		settle(c, false);
		if (!c->connected)
			return;
	}
	if (!c->fresh && seconds - c->refreshed < c->conf.refresh)
		return;
	/* Over TCP templates hold as long as the connection. */
	if (c->fresh || !c->conf.tcp)
		put_templates(c);
	c->refreshed = seconds;
	put_options(c);
	collector_flush(c);
}

bool
collector_is_waiting(const struct collector *c)
{
	return c->connected && evbuffer_get_length(bufferevent_get_output(c->bev)) > 0;
}

/* -- its life ----------------------------------------------------------------------------------------- */

int
collector_create(struct collector **out, const struct collector_conf *conf, struct event_base *base,
    uint64_t boot, collector_interface_fn *interface, void *arg, struct mr_error *error)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return mr_error_set(error, -ENOMEM, "flow-export: no memory for collector %s",
		    conf->name);
	c->conf = *conf;
	c->base = base;
	c->boot = boot;
	c->interface = interface;
	c->arg = arg;
	c->fd = -1;
	c->fresh = true;
	c->message.protocol = conf->protocol;
	c->message.domain = conf->domain;
	c->message.limit = conf->limit;
	c->message.boot = boot;
	message_begin(&c->message);
	*out = c;
	return 0;
}

void
collector_end(struct collector *c)
{
	uint64_t end = now_ms() + END_MS;
	struct evbuffer *out;
	struct pollfd p;

	if (!c)
		return;
	collector_flush(c);
	if (!c->connected)
		return;
	out = bufferevent_get_output(c->bev);
	p = (struct pollfd){ .fd = bufferevent_getfd(c->bev), .events = POLLOUT };
	/* Past the event loop, which is at its end: its own writing is off. */
	bufferevent_disable(c->bev, EV_WRITE);
	evbuffer_unfreeze(out, 1);
	while (evbuffer_get_length(out) && now_ms() < end && poll(&p, 1, END_MS) > 0)
		if (evbuffer_write(out, p.fd) < 0)
			break;
	settle(c, false);
}

void
collector_destroy(struct collector *c)
{
	if (!c)
		return;
	if (c->bev)
		bufferevent_free(c->bev);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

const struct collector_conf *
collector_conf_of(const struct collector *c)
{
	return &c->conf;
}

void
collector_inherit(struct collector *c, const struct collector *from)
{
	c->sent = from->sent;
	c->lost = from->lost;
	c->bytes = from->bytes;
	c->errors = from->errors;
	c->connects = from->connects;
}

void
collector_show(const struct collector *c, struct mr_state *st)
{
	mr_state_list(st, "collector", c->conf.name);
	if (c->conf.tcp)
		mr_state_bool(st, "connected", c->connected);
	mr_state_uint(st, "sequence-number", c->sequence);
	if (c->error[0])
		mr_state_text(st, "trouble", c->error);
	mr_state_open(st, "counters");
	mr_state_uint(st, "messages", c->sent.messages);
	mr_state_uint(st, "records", c->sent.records);
	mr_state_uint(st, "bytes", c->bytes);
	mr_state_uint(st, "flow-records", c->sent.flows);
	mr_state_uint(st, "packets", c->sent.packets);
	mr_state_uint(st, "octets", c->sent.octets);
	mr_state_uint(st, "lost-messages", c->lost.messages);
	mr_state_uint(st, "lost-flow-records", c->lost.flows);
	mr_state_uint(st, "lost-packets", c->lost.packets);
	mr_state_uint(st, "lost-octets", c->lost.octets);
	mr_state_uint(st, "errors", c->errors);
	if (c->conf.tcp)
		mr_state_uint(st, "connections", c->connects);
	mr_state_close(st);
	mr_state_close(st);
}

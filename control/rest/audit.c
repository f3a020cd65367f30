/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who changed what, when, and how it ended; and who was refused. One message for each request that
 * is not just a look, and one for each commit with the paths that it changed: in the form of RFC
 * 5424 to the machine's syslog and to collectors, with fields of its own to the journal, and as a
 * line to the log.
 *
 * Nobody waits for a collector: what does not go out at once, or (over TCP) into a queue of bounded
 * size, is lost and counted.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/commit/commit.h"
#include "control/rest/rest_int.h"
#include "kit/base/log.h"

#define COLLECTORS_MAX 8u
#define QUEUE_MAX 262144u
#define MESSAGE_MAX 4096u
#define RETRY_SECONDS 5
#define JOURNAL "/run/systemd/journal/socket"
#define ENTERPRISE "millrace@32473" /* of RFC 5612: we have no number of our own */
#define FACILITY 13                 /* log audit */

struct collector {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} to;
	socklen_t to_len;
	bool tcp;
	struct bufferevent *bev; /* tcp: null until something is to be sent */
	time_t failed;
};

struct sinks {
	char syslog[108];
	struct collector collectors[COLLECTORS_MAX];
	unsigned count;
};

struct audit {
	struct rest *rest;
	struct mr_log *log;
	int local;    /* datagrams to sockets of this machine */
	int in4, in6; /* and to others; -1 until needed */
	struct sinks *now, *next;
	uint64_t sent, lost;
};

/* One message: what is structured of it, by names, and a sentence. */
struct entry {
	bool refused;
	const char *kind; /* "request", "commit": RFC 5424's MSGID */
	struct {
		const char *name, *value;
	} fields[8];
	unsigned count;
	char text[1024];
};

/* -- texts ------------------------------------------------------------------------------- */

/* What came from outside cannot begin a line of its own. */
static void
tidy(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

/* RFC 5424, 6.3.3: a parameter's value. */
static size_t
put_value(char *out, size_t size, const char *value)
{
	size_t n = 0;

	for (; *value && n + 3 < size; value++) {
		if (strchr("\"\\]", *value))
			out[n++] = '\\';
		out[n++] = (unsigned char)*value < ' ' ? '?' : *value;
	}
	out[n] = 0;
	return n;
}

static size_t
format_syslog(const struct entry *e, char *out, size_t size)
{
	char host[256] = "-", when[40], value[1024];
	struct timeval tv;
	struct tm tm;
	size_t n;

	gettimeofday(&tv, NULL);
	gmtime_r(&tv.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		snprintf(host, sizeof(host), "-");
	n = (size_t)snprintf(out, size, "<%d>1 %s.%06ldZ %s millrace %d %s [" ENTERPRISE,
	    FACILITY * 8 + (e->refused ? 4 : 5), when, (long)tv.tv_usec, host, (int)getpid(),
	    e->kind);
	for (unsigned i = 0; i < e->count && n < size - 64; i++) {
		put_value(value, MR_MIN(sizeof(value), size - n - 64), e->fields[i].value);
		n += (size_t)snprintf(out + n, size - n, " %s=\"%s\"", e->fields[i].name, value);
		n = MR_MIN(n, size - 1);
	}
	n += (size_t)snprintf(out + n, size - n, "] %s", e->text);
	return MR_MIN(n, size - 1);
}

/* The journal's own protocol: NAME=value lines. */
static size_t
format_journal(const struct entry *e, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size,
	    "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=millrace\n"
	    "MILLRACE_AUDIT=%s\n",
	    e->text, e->refused ? 4 : 5, FACILITY, e->kind);

	for (unsigned i = 0; i < e->count && n < size; i++) {
		char line[1100], *c = line;

		snprintf(line, sizeof(line), "MILLRACE_%s=%s", e->fields[i].name,
		    e->fields[i].value);
		for (; *c && *c != '='; c++)
			*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
		tidy(line);
		n += (size_t)snprintf(out + n, size - n, "%s\n", line);
	}
	return MR_MIN(n, size - 1);
}

/* -- sending ----------------------------------------------------------------------------- */

/* True: it went, or nobody is there. */
static bool
send_local(struct audit *a, const char *path, const char *text, size_t size)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (a->local < 0 || strlen(path) >= sizeof(to.sun_path))
		return true;
	memcpy(to.sun_path, path, strlen(path));
	return sendto(a->local, text, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   sizeof(to)) >= 0 ||
	    errno == ENOENT || errno == ECONNREFUSED;
}

static bool
send_udp(struct audit *a, const struct collector *c, const char *text, size_t size)
{
	int *fd = c->to.sa.sa_family == AF_INET ? &a->in4 : &a->in6;

	if (*fd < 0)
		*fd = socket(c->to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd >= 0 && sendto(*fd, text, size, MSG_NOSIGNAL, &c->to.sa, c->to_len) >= 0;
}

static void
on_collector(struct bufferevent *bev, short what, void *arg)
{
	struct collector *c = arg;

	if (what & BEV_EVENT_CONNECTED)
		return;
	bufferevent_free(bev);
	c->bev = NULL;
	c->failed = time(NULL);
}

static void
on_chatter(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in)); /* a collector has nothing to say */
}

static bool
send_tcp(struct audit *a, struct collector *c, const char *text, size_t size)
{
	struct evbuffer *out;

	if (!c->bev && time(NULL) - c->failed >= RETRY_SECONDS) {
		c->bev = bufferevent_socket_new(mr_control_base(a->rest->control), -1,
		    BEV_OPT_CLOSE_ON_FREE);
		if (!c->bev)
			return false;
		bufferevent_setcb(c->bev, on_chatter, NULL, on_collector, c);
		bufferevent_enable(c->bev, EV_READ | EV_WRITE);
		if (bufferevent_socket_connect(c->bev, &c->to.sa, (int)c->to_len) < 0 && c->bev) {
			bufferevent_free(c->bev);
			c->bev = NULL;
			c->failed = time(NULL);
		}
	}
	if (!c->bev)
		return false;
	out = bufferevent_get_output(c->bev);
	if (evbuffer_get_length(out) + size > QUEUE_MAX)
		return false;
	return evbuffer_add_printf(out, "%zu ", size) > 0 && evbuffer_add(out, text, size) == 0;
}

static void
tell(struct audit *a, struct entry *e)
{
	char text[MESSAGE_MAX];
	size_t size;

	tidy(e->text);
	a->sent++;
	mr_log(a->log, e->refused ? MR_LOG_WARNING : MR_LOG_NOTICE, "audit: %s", e->text);
	size = format_journal(e, text, sizeof(text));
	a->lost += !send_local(a, JOURNAL, text, size);
	size = format_syslog(e, text, sizeof(text));
	if (!a->now)
		return;
	a->lost += a->now->syslog[0] && !send_local(a, a->now->syslog, text, size);
	for (unsigned i = 0; i < a->now->count; i++) {
		struct collector *c = &a->now->collectors[i];

		a->lost += c->tcp ? !send_tcp(a, c, text, size) : !send_udp(a, c, text, size);
	}
}

static void
add_field(struct entry *e, const char *name, const char *value)
{
	if (value && e->count < MR_ARRAY_COUNT(e->fields)) {
		e->fields[e->count].name = name;
		e->fields[e->count++].value = value;
	}
}

/* -- what is told ------------------------------------------------------------------------ */

static void
on_request(void *arg, const struct mr_http_event *event)
{
	struct entry e = { .kind = "request", .refused = event->code == 401 || event->code == 403 };
	char status[16];

	snprintf(status, sizeof(status), "%d", event->code);
	add_field(&e, "who", event->who);
	add_field(&e, "from", event->from);
	add_field(&e, "method", event->method);
	add_field(&e, "path", event->path);
	add_field(&e, "status", status);
	add_field(&e, "why", event->why);
	snprintf(e.text, sizeof(e.text), "%s (%s) %s %.600s: %s%s%s", event->who, event->from,
	    event->method, event->path, status, event->why ? ", " : "",
	    event->why ? event->why : "");
	tell(arg, &e);
}

static void
list_changes(const struct mr_diff *diff, char *out, size_t size)
{
	size_t n = 0, i;

	*out = 0;
	for (i = 0; i < mr_diff_count(diff); i++) {
		const struct mr_change *c = mr_diff_at(diff, i);

		if (n + strlen(c->path) + 48 > size)
			break;
		n += (size_t)snprintf(out + n, size - n, "%s%s %s", i ? ", " : "",
		    mr_diff_word(c->op), c->path);
	}
	if (i < mr_diff_count(diff))
		snprintf(out + n, size - n, " and %zu more", mr_diff_count(diff) - i);
}

static void
on_commit(void *arg, enum mr_commit_event what, const struct mr_commit *commit, const char *who)
{
	struct entry e = { .kind = "commit" };
	char id[24], changes[768];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)commit->id);
	list_changes(commit->changes, changes, sizeof(changes));
	add_field(&e, "who", who);
	add_field(&e, "id", id);
	add_field(&e, "what", what == MR_COMMIT_CONFIRM ? "confirm" : "commit");
	add_field(&e, "origin", mr_commit_origin_name(commit->origin));
	add_field(&e, "state", mr_commit_state_name(commit->state));
	add_field(&e, "comment", *commit->comment ? commit->comment : NULL);
	add_field(&e, "changes", what == MR_COMMIT_CONFIRM ? NULL : changes);
	if (what == MR_COMMIT_CONFIRM)
		snprintf(e.text, sizeof(e.text), "commit %s confirmed by %s", id, who);
	else
		snprintf(e.text, sizeof(e.text), "commit %s (%s) by %s: %s", id,
		    mr_commit_origin_name(commit->origin), who, changes);
	tell(arg, &e);
}

/* -- settings ---------------------------------------------------------------------------- */

static void
read_collector(struct collector *c, const struct mr_conf *node)
{
	const char *address = mr_conf_text(node, "address", "");
	uint16_t port = htons((uint16_t)mr_conf_uint(node, "port", 514));

	c->tcp = strcmp(mr_conf_text(node, "transport", "udp"), "tcp") == 0;
	if (inet_pton(AF_INET, address, &c->to.in4.sin_addr) == 1) {
		c->to.in4.sin_family = AF_INET;
		c->to.in4.sin_port = port;
		c->to_len = sizeof(c->to.in4);
	} else {
		inet_pton(AF_INET6, address, &c->to.in6.sin6_addr);
		c->to.in6.sin6_family = AF_INET6;
		c->to.in6.sin6_port = port;
		c->to_len = sizeof(c->to.in6);
	}
}

static void
free_sinks(struct sinks *s)
{
	for (unsigned i = 0; s && i < s->count; i++)
		if (s->collectors[i].bev)
			bufferevent_free(s->collectors[i].bev);
	free(s);
}

int
audit_prepare(struct audit *a, const struct mr_config *next, struct mr_error *error)
{
	const struct mr_conf *rest = mr_conf_child(mr_conf_root(next), "rest"), *node;
	const struct mr_conf *audit = mr_conf_child(rest, "audit");

	a->next = calloc(1, sizeof(*a->next));
	if (!a->next)
		return mr_error_set(error, -ENOMEM, "rest: no memory");
	snprintf(a->next->syslog, sizeof(a->next->syslog), "%s",
	    mr_conf_text(audit, "syslog", "/dev/log"));
	mr_conf_each(node, audit, "collector")
		if (a->next->count < COLLECTORS_MAX)
			read_collector(&a->next->collectors[a->next->count++], node);
	return 0;
}

void
audit_commit(struct audit *a)
{
	struct mr_commits *commits = mr_commits_of(a->rest->control);

	free_sinks(a->now);
	a->now = a->next;
	a->next = NULL;
	/* The other services are all there by now. */
	if (!a->rest->subscribed && commits && mr_commits_subscribe(commits, on_commit, a) == 0)
		a->rest->subscribed = true;
}

void
audit_abort(struct audit *a)
{
	free_sinks(a->next);
	a->next = NULL;
}

int
audit_create(struct audit **out, struct rest *r, struct mr_error *error)
{
	struct audit *a = calloc(1, sizeof(*a));

	*out = a;
	if (!a)
		return mr_error_set(error, -ENOMEM, "no memory");
	a->rest = r;
	a->log = mr_control_log(r->control);
	a->in4 = a->in6 = -1;
	a->local = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mr_http_watch(mr_control_http(r->control), on_request, a);
	return 0;
}

void
audit_destroy(struct audit *a)
{
	if (!a)
		return;
	free_sinks(a->now);
	free_sinks(a->next);
	if (a->local >= 0)
		close(a->local);
	if (a->in4 >= 0)
		close(a->in4);
	if (a->in6 >= 0)
		close(a->in6);
	free(a);
}

void
audit_count(const struct audit *a, uint64_t *sent, uint64_t *lost)
{
	*sent = a->sent;
	*lost = a->lost;
}

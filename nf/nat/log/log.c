/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kit/base/counter.h"
#include "nf/nat/log/log_int.h"

#define WORDS 5u        /* of an event in the ring */
#define RING (1u << 16) /* events */
#define PRIORITY 134    /* RFC 5424: facility local0, informational */

struct nat_log {
	struct mr_mpmc *ring;
	_Atomic uint64_t lost;
	struct nat_log_file file;
	struct nat_log_config config;
	struct sockaddr_in syslog;
	int socket;
	char host[64];
	char names[NAT_LOG_NAMES][NAT_LINE_NAME_MAX];
	uint64_t held[WORDS]; /* taken out and not written yet */
	bool holding;
	int64_t last; /* time of the last line */
	struct nat_log_state state;
};

static int64_t
wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* -- life --------------------------------------------------------------------------------- */

static int
open_syslog(struct nat_log *log, const struct nat_log_config *c, struct mr_error *error)
{
	if (!c->syslog)
		return 0;
	log->syslog = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = c->syslog_port ? c->syslog_port : mr_be16(514),
		.sin_addr.s_addr = c->syslog };
	log->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log->socket < 0)
		return mr_error_set(error, -errno, "syslog: %s", strerror(errno));
	if (gethostname(log->host, sizeof(log->host) - 1) || !log->host[0])
		snprintf(log->host, sizeof(log->host), "-");
	return 0;
}

int
nat_log_create(struct nat_log **out, const struct nat_log_config *c, struct mr_error *error)
{
	struct mr_ring_config ring = { .element_size = sizeof(uint64_t) };
	struct nat_log *log = calloc(1, sizeof(*log));
	int rc;

	if (!log)
		return mr_error_set(error, -ENOMEM, "no memory for the translation log");
	log->config = *c;
	log->socket = log->file.fd = -1;
	log->file.limit = c->size;
	log->file.keep = c->keep;
	ring.capacity = (c->ring ? c->ring : RING) * WORDS;
	rc = mr_mpmc_create(&log->ring, &ring, error);
	if (!rc && c->path) {
		log->file.path = strdup(c->path);
		rc = log->file.path ? nat_log_file_open(&log->file, error)
				    : mr_error_set(error, -ENOMEM, "no memory");
	}
	if (!rc)
		rc = open_syslog(log, c, error);
	if (rc) {
		log->config.held = NULL;
		nat_log_destroy(log);
		return rc;
	}
	log->config.path = log->file.path;
	log->last = wall_clock();
	*out = log;
	return 0;
}

void
nat_log_destroy(struct nat_log *log)
{
	if (!log)
		return;
	if (log->ring)
		while (nat_log_write(log, UINT32_MAX))
			;
	nat_log_file_close(&log->file);
	if (log->socket >= 0)
		close(log->socket);
	mr_mpmc_destroy(log->ring);
	free(log->file.path);
	free(log);
}

/* What stands between quotes must not need escapes. */
void
nat_log_name(struct nat_log *log, uint16_t number, const char *name)
{
	char *to = log->names[number % NAT_LOG_NAMES];

	snprintf(to, NAT_LINE_NAME_MAX, "%s", name);
	for (; *to; to++)
		if ((unsigned char)*to < ' ' || *to == '"' || *to == '\\')
			*to = '_';
}

/* -- putting ------------------------------------------------------------------------------ */

/*
 * word 0   time << 16 | six << 15 | event << 8 | protocol
 * word 1,2 inside
 * word 3   outside | first << 32 | last << 48
 * word 4   age | inside-port << 32 | instance << 48
 */
static bool
put(struct nat_log *log, const struct nat_line *l, uint16_t number, uint32_t age)
{
	uint64_t words[WORDS];

	words[0] = (uint64_t)wall_clock() << 16 | (uint64_t)l->six << 15 | (uint64_t)l->event << 8 |
	    l->protocol;
	memcpy(&words[1], l->inside, sizeof(l->inside));
	words[3] = l->outside | (uint64_t)l->first << 32 | (uint64_t)l->last << 48;
	words[4] = age | (uint64_t)l->inside_port << 32 | (uint64_t)number << 48;
	if (mr_mpmc_put_bulk_u64(log->ring, words, WORDS))
		return true;
	atomic_fetch_add_explicit(&log->lost, 1, memory_order_relaxed);
	return false;
}

static void
from_event(struct nat_line *l, const struct nat_event *e)
{
	*l = (struct nat_line){ .event = e->kind == NAT_BLOCK_GIVEN ? NAT_LINE_BLOCK_GIVEN
								    : NAT_LINE_BLOCK_RETURNED,
		.six = e->six,
		.outside = e->address,
		.first = e->first,
		.last = e->last };
	memcpy(l->inside, e->inside, sizeof(l->inside));
}

bool
nat_log_block(struct nat_log *log, uint16_t number, const struct nat_event *e)
{
	struct nat_line l;

	from_event(&l, e);
	return put(log, &l, number, e->now - e->since);
}

bool
nat_log_mapping(struct nat_log *log, uint16_t number, const struct nat_log_mapping *m)
{
	struct nat_line l = {
		.event = m->kind == NAT_LOG_MAPPING_BEGUN ? NAT_LINE_MAPPING_BEGUN
							  : NAT_LINE_MAPPING_ENDED,
		.six = m->six,
		.outside = m->outside,
		.first = mr_be16(m->outside_port),
		.last = mr_be16(m->outside_port),
		.protocol = m->protocol,
		.inside_port = mr_be16(m->inside_port),
	};

	memcpy(l.inside, m->inside, sizeof(l.inside));
	return put(log, &l, number, m->age);
}

void
nat_log_mark(struct nat_log *log, uint16_t number, bool begins)
{
	struct nat_line l = { .event = begins ? NAT_LINE_STARTED : NAT_LINE_STOPPED };

	(void)put(log, &l, number, 0);
}

/* -- writing ------------------------------------------------------------------------------ */

static void
unpack(const struct nat_log *log, const uint64_t *w, struct nat_line *l)
{
	*l = (struct nat_line){
		.event = (enum nat_line_event)(w[0] >> 8 & 0x7f),
		.time = (int64_t)(w[0] >> 16),
		.protocol = (uint8_t)w[0],
		.outside = (be32_t)w[3],
		.first = (uint16_t)(w[3] >> 32),
		.last = (uint16_t)(w[3] >> 48),
		.inside_port = (uint16_t)(w[4] >> 32),
		.six = w[0] >> 15 & 1,
	};
	l->since = l->time - (int64_t)(uint32_t)w[4] * 1000;
	memcpy(l->inside, &w[1], sizeof(l->inside));
	memcpy(l->nat, log->names[(w[4] >> 48) % NAT_LOG_NAMES], sizeof(l->nat));
}

static void
send_syslog(struct nat_log *log, const struct nat_line *l, const char *line)
{
	char message[NAT_LINE_MAX + 256], time[NAT_TIME_SIZE];
	int n;

	if (log->socket < 0)
		return;
	nat_time_print(l->time, time);
	n = snprintf(message, sizeof(message), "<%u>1 %s %s millrace - nat - %s", PRIORITY, time,
	    log->host, line);
	if (sendto(log->socket, message, (size_t)n, 0, (const struct sockaddr *)&log->syslog,
		sizeof(log->syslog)) == n)
		log->state.sent++;
	else
		log->state.send_errors++;
}

static void
complain(struct nat_log *log, int rc)
{
	log->state.errors++;
	snprintf(log->state.error, sizeof(log->state.error), "%.80s: %s", log->file.path,
	    strerror(-rc));
}

/* 0, or the file cannot be written now. */
static int
write_line(struct nat_log *log, const struct nat_line *l)
{
	char line[NAT_LINE_MAX];
	size_t len = nat_line_print(l, line);
	int rc = log->file.path ? nat_log_file_put(&log->file, line, len) : 0;

	if (rc)
		return rc;
	send_syslog(log, l, line);
	log->state.written++;
	log->last = l->time;
	return 0;
}

void
nat_log_held(struct nat_log *log, uint16_t number, const struct nat_event *e, uint32_t now)
{
	struct nat_line l;

	from_event(&l, e);
	l.event = NAT_LINE_BLOCK_HELD;
	l.time = log->last;
	l.since = l.time - (int64_t)(uint32_t)(now - e->since) * 1000;
	memcpy(l.nat, log->names[number % NAT_LOG_NAMES], sizeof(l.nat));
	if (write_line(log, &l))
		log->state.errors++;
}

static int
turn(struct nat_log *log)
{
	uint64_t size = log->file.size + log->file.used;
	int rc;

	/* As much again as what was held, lest files be made of nothing else. */
	if (!log->file.path || !log->file.limit || size < log->file.limit ||
	    size < 2 * log->file.head)
		return 0;
	rc = nat_log_file_turn(&log->file, wall_clock());
	if (rc == -EEXIST)
		return 0; /* in the next millisecond */
	if (rc)
		return rc;
	log->state.files++;
	if (log->config.held)
		log->config.held(log->config.arg, log);
	log->file.head = log->file.size + log->file.used;
	return 0;
}

unsigned
nat_log_write(struct nat_log *log, unsigned most)
{
	unsigned n = 0;
	int rc = 0;

	while (n < most) {
		struct nat_line l;

		if (!log->holding && !mr_mpmc_get_bulk_u64(log->ring, log->held, WORDS))
			break;
		log->holding = true;
		unpack(log, log->held, &l);
		rc = write_line(log, &l);
		if (!rc) {
			log->holding = false;
			n++;
			rc = turn(log);
		}
		if (rc)
			break;
	}
	if (!rc && log->file.path)
		rc = nat_log_file_flush(&log->file);
	if (rc)
		complain(log, rc);
	else
		log->state.error[0] = '\0';
	return n;
}

void
nat_log_state(const struct nat_log *log, struct nat_log_state *s)
{
	*s = log->state;
	s->lost = mr_counter_get(&log->lost);
	s->waiting = mr_mpmc_count(log->ring) / WORDS + log->holding;
}

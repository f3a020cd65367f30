/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_LOG_LOG_H
#define MR_NF_NAT_LOG_LOG_H

/*
 * The translation log: who had which outside address and ports, and when. Workers put events into
 * a ring; the control thread takes them out, appends them to a file as lines of JSON
 * (log_line.h), and sends each as a syslog message over UDP where that is asked for (RFC 5424
 * in front, the same line as its text).
 *
 * A file that has grown past its size is renamed to NAME.YYYYMMDDTHHMMSS.mmmZ by the time of the
 * change, and a new one begun with the blocks that are held then, so that each file says
 * everything about its time. Older ones than the newest `keep` are removed.
 *
 * Ownership: the log owns its file; names and paths are copied.
 * Threads: put by any; everything else by the control thread.
 * Errors: put never waits: a full ring loses the event, and counts it. A file that cannot be
 * written keeps the events in the ring, and they are written when it can be again.
 */

#include "kit/base/error.h"
#include "nf/nat/pool/pool.h"

#define NAT_LOG_NAMES 256u /* instances */

struct nat_log;

struct nat_log_config {
	const char *path;   /* null: no file */
	uint64_t size;      /* bytes; 0: never begin another */
	unsigned keep;      /* files beside the current one; 0: all */
	be32_t syslog;      /* 0: none */
	be16_t syslog_port; /* 0: 514 */
	unsigned ring;      /* events that can wait; 0: 65536 */
	/* Tells of the blocks that are held, each by nat_log_held. May be null. */
	void (*held)(void *arg, struct nat_log *);
	void *arg;
};

enum nat_log_kind { NAT_LOG_MAPPING_BEGUN, NAT_LOG_MAPPING_ENDED };

struct nat_log_mapping {
	enum nat_log_kind kind;
	bool six;
	uint8_t protocol; /* as in IP */
	uint8_t inside[16];
	be32_t outside;
	be16_t inside_port, outside_port;
	uint32_t age; /* seconds, of one that ended */
};

struct nat_log_state {
	uint64_t written, sent; /* lines, messages */
	uint64_t lost;          /* the ring was full */
	uint64_t errors;        /* times that the file could not be written */
	uint64_t send_errors;
	uint64_t files; /* begun because of the size */
	uint64_t waiting;
	char error[128]; /* the last, while it lasts; else empty */
};

int nat_log_create(struct nat_log **out, const struct nat_log_config *, struct mr_error *);
/* Writes what waits, and that it stopped. */
void nat_log_destroy(struct nat_log *);
/* Of an instance, before its first event. */
void nat_log_name(struct nat_log *, uint16_t number, const char *name);
/* What is held now ends for who reads the log: an instance begins (true), or ends. */
void nat_log_mark(struct nat_log *, uint16_t number, bool begins);

/* From any thread; false: lost. */
bool nat_log_block(struct nat_log *, uint16_t number, const struct nat_event *);
bool nat_log_mapping(struct nat_log *, uint16_t number, const struct nat_log_mapping *);

/* Writes what waits, up to `most` events; returns how many. */
unsigned nat_log_write(struct nat_log *, unsigned most);
/* One block that is held, from config.held; `now` as in event->since. */
void nat_log_held(struct nat_log *, uint16_t number, const struct nat_event *, uint32_t now);
void nat_log_state(const struct nat_log *, struct nat_log_state *);

#endif

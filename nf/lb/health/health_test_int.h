/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_HEALTH_HEALTH_TEST_INT_H
#define MR_NF_LB_HEALTH_HEALTH_TEST_INT_H

/* Servers of every manner on the loopback, and a checker, in one thread: bed_run lets both work. */

#include "nf/lb/health/health.h"

#define BED_SERVERS 8
#define BED_CONNECTIONS 64

enum bed_manner {
	BED_ANSWER, /* reads a request, sends `answer`, hangs up */
	BED_SILENT, /* accepts and says nothing */
	BED_DRIP,   /* a byte of `answer` a millisecond, then nothing */
	BED_FLOOD,  /* sends `answer` without end, and reads nothing */
	BED_RESET,
	BED_ECHO, /* UDP: `answer`, or nothing when it is null */
};

struct bed_connection {
	int fd;
	uint32_t sent;
	bool asked;
};

struct bed_server {
	int fd;
	uint16_t port;
	enum bed_manner manner;
	const char *answer;
	uint32_t accepted, requests;
	char request[1024]; /* the last one */
	struct bed_connection connections[BED_CONNECTIONS];
};

struct bed {
	struct mr_health *health;
	struct bed_server servers[BED_SERVERS];
	unsigned count;
	/* The last change told, of each tag below 64, and how many. */
	bool healthy[64];
	char why[64][MR_HEALTH_WHY_MAX];
	uint32_t changes[64];
};

void bed_create(struct bed *);
void bed_destroy(struct bed *);
struct bed_server *bed_server(struct bed *, unsigned family, enum bed_manner, const char *answer);
/* It closes its socket: connections are refused; and opens it again on the same port. */
void bed_stop(struct bed_server *);
void bed_resume(struct bed_server *, unsigned family);
/* A port at which nobody listens. */
uint16_t bed_free_port(void);
/* Sockets that are open: of us, of everything. */
unsigned bed_open_files(void);

struct mr_health_config bed_config(enum mr_health_kind, unsigned family, uint16_t port);
struct mr_health_target *bed_add(struct bed *, const struct mr_health_config *, uint64_t tag);

uint64_t bed_now_ms(void);
void bed_run(struct bed *, unsigned ms);
/* Until `target` has had so many answers, good and bad, or 1 s is over: false. */
bool bed_run_answers(struct bed *, const struct mr_health_target *, uint64_t answers);
bool bed_run_changes(struct bed *, uint64_t tag, uint32_t changes);

#endif

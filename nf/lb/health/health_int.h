/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_HEALTH_HEALTH_INT_H
#define MR_NF_LB_HEALTH_HEALTH_INT_H

/*
 * What the checker's files share.
 *
 *   health.c         when who is asked, and what answers mean
 *   health_target.c  a target's configuration
 *   health_socket.c  sockets in network namespaces
 *   check_stream.c   TCP and HTTP
 *   check_packet.c   UDP and ICMP
 *   check_http.c     the reader of HTTP answers
 */

#include <netinet/in.h>
#include <sys/socket.h>

#include "kit/base/timer.h"
#include "nf/lb/health/check_http.h"
#include "nf/lb/health/health.h"

#define HEALTH_TOKEN 16u /* random bytes that an echo must bring back */
#define HEALTH_READ 4096u
#define HEALTH_READS 4u /* of HEALTH_READ in one go: then others have their turn */

enum health_verdict { HEALTH_WAIT, HEALTH_GOOD, HEALTH_BAD };

/* One kind of check. Each says what it knows by now; a bad verdict leaves its reason in `why`. */
struct health_check {
	int (
	    *open)(struct mr_health_target *, struct mr_error *); /* the socket; -1 or less: none */
	enum health_verdict (*begin)(struct mr_health_target *);
	enum health_verdict (*ready)(struct mr_health_target *, uint32_t events);
	enum health_verdict (*late)(struct mr_health_target *); /* the time is over */
};
extern const struct health_check health_check_tcp, health_check_http, health_check_udp,
    health_check_icmp;

/* Kinds of sockets. */
enum health_socket { HEALTH_SOCKET_TCP, HEALTH_SOCKET_UDP, HEALTH_SOCKET_ICMP, HEALTH_SOCKETS };
#define HEALTH_STOCK 8u

/* A namespace, with sockets made in advance: each visit costs a thread. */
struct health_space {
	struct health_space *next;
	char name[256];
	uint64_t device, inode; /* whose the sockets are: a namespace may be made anew */
	uint32_t count[2 * HEALTH_SOCKETS];
	int stock[2 * HEALTH_SOCKETS][HEALTH_STOCK];
};

enum health_phase { HEALTH_IDLE, HEALTH_WAITING, HEALTH_ASKED };

struct mr_health_target {
	struct mr_health *health;
	struct mr_health_target *next; /* of those that wait */
	struct mr_health_config config;
	char *texts; /* its */
	uint64_t tag;
	uint32_t index, serial; /* serial: events of one that is gone are known by it */
	struct sockaddr_storage to;
	socklen_t to_size;
	char *request; /* HTTP; among the texts */
	uint32_t request_size;
	struct check_http_want want;

	enum health_phase phase;
	int fd;
	uint64_t started; /* ns */
	bool connected;
	uint32_t sent;
	struct check_http http;
	uint8_t token[HEALTH_TOKEN];
	uint16_t sequence;

	bool healthy, decided;
	uint32_t streak; /* answers in a row that speak against `healthy` */
	uint64_t good, bad;
	uint32_t took;
	char why[MR_HEALTH_WHY_MAX];
};

struct mr_health {
	struct mr_health_events events;
	int epoll, clock;
	struct mr_timer_wheel *wheel;
	struct mr_timer *timers;
	struct mr_health_target **targets;
	uint32_t max, count, asked, serial;
	struct mr_health_target *first, **last; /* that wait */
	struct health_space *spaces;
	uint64_t dice;
};

/* health_target.c */
int health_target_create(struct mr_health_target **out, const struct mr_health_config *,
    struct mr_error *);
void health_target_free(struct mr_health_target *);

/* health_socket.c: a socket that does not block, or -errno. */
int health_socket(struct mr_health *, const char *space, unsigned family, enum health_socket,
    struct mr_error *);
void health_spaces_close(struct mr_health *);
/* For `why`: what an errno says about a server. */
enum health_verdict health_bad_errno(struct mr_health_target *, int code);
enum health_verdict health_bad(struct mr_health_target *, const char *fmt, ...) mr_printf(2, 3);

/* health.c */
int health_watch(struct mr_health_target *, uint32_t events); /* also another time, for others */
uint64_t health_random(struct mr_health *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_HTTP_SETTINGS_H
#define MR_CONTROL_HTTP_SETTINGS_H

/*
 * How the HTTP server is reached beside its Unix socket, and by whom: what a configuration says
 * about it, as plain values. A change is made in the steps of a commit (control/service.h).
 *
 * Ownership: the server copies what it is given.
 * Threads: the event base's.
 * Errors: prepare says which address, certificate or key it is about; nothing has changed then.
 */

#include "control/http/http.h"

#define MR_HTTP_LISTENERS_MAX 16
#define MR_HTTP_USERS_MAX 256
#define MR_HTTP_HASH_SIZE 32 /* of SHA-256 */

struct mr_http_listen {
	char address[64];
	uint16_t port;
	/* Paths of PEM files. */
	char certificate[1024]; /* empty: no TLS */
	char key[1024];
	char client_ca[1024]; /* empty: clients are not asked for certificates */
};

struct mr_http_user {
	char name[64];
	enum mr_http_role role;
	bool has_token;
	uint8_t token[MR_HTTP_HASH_SIZE]; /* the token's SHA-256 */
	char certificate[256];            /* the subject's common name; empty: none */
};

struct mr_http_limits {
	unsigned connections; /* over TCP, in all */
	unsigned per_source;
	size_t body;   /* bytes of a request's body over TCP */
	size_t header; /* and of its head */
	size_t memory; /* of requests and answers under way over TCP, in all */
	unsigned request_seconds, idle_seconds;
};

struct mr_http_settings {
	struct mr_http_listen listen[MR_HTTP_LISTENERS_MAX];
	unsigned listen_count;
	struct mr_http_user users[MR_HTTP_USERS_MAX];
	unsigned user_count;
	struct mr_http_limits limits;
	char group[64]; /* who may look over the Unix socket; empty: nobody but its owner */
};

int mr_http_prepare(struct mr_http *, const struct mr_http_settings *, struct mr_error *);
void mr_http_commit(struct mr_http *);
void mr_http_abort(struct mr_http *);

/* Whether an address is one that only this machine reaches. */
bool mr_http_is_loopback(const char *address);
/* A new token (43 characters that need no escaping) and its hash in hexadecimal digits. */
int mr_http_make_token(char token[44], char hash[2 * MR_HTTP_HASH_SIZE + 1]);
/* The hash of a token. */
void mr_http_hash_token(const char *token, size_t size, uint8_t hash[MR_HTTP_HASH_SIZE]);

/* What is counted. */
struct mr_http_counters {
	uint64_t accepted, requests, refused, failed_logins, timed_out, evicted, over_source;
	uint64_t over_memory, out_of_files;
	unsigned connections;
};
void mr_http_count(const struct mr_http *, struct mr_http_counters *);
/* The n-th address that is listened on; false past the last. */
bool mr_http_listening(const struct mr_http *, unsigned n, struct mr_http_listen *,
    unsigned *connections);

/* What is told about each request that was refused, or that was not just a look. */
struct mr_http_event {
	const char *who, *from, *method, *path;
	int code;
	const char *why; /* null: it was done */
};
void mr_http_watch(struct mr_http *, void (*tell)(void *arg, const struct mr_http_event *),
    void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_CLIENT_H
#define MR_CMD_CLIENT_H

/*
 * A verb's side of the control socket (control/control.h): one request, one answer
 * that ends when the server closes. Kept to HTTP/1.0, so that an answer is a head
 * and then plain bytes, which may go on for as long as the server likes.
 *
 * Ownership: the caller's. Threads: one.
 * Errors: a text for people; what the server said went wrong is passed on.
 */

#include <stddef.h>

#include "kit/base/error.h"

/* Room for a target with a long filter in it. */
#define CLIENT_TARGET_MAX 8192

struct mr_client {
	int fd;
	char *head; /* bytes read behind the head, not yet taken */
	size_t head_len, head_at;
	int64_t end; /* milliseconds of CLOCK_MONOTONIC; 0: for as long as it takes */
};

/* Asks for `target` ("/state/bridge"). `socket` null: the default. On success the head has
 * been read and said 200. */
int mr_client_get(struct mr_client *, const char *socket, const char *target, struct mr_error *);
/* Up to `size` bytes of the answer: 0 at its end, -errno on failure. */
long mr_client_read(struct mr_client *, void *buffer, size_t size);
/* True when a read gives something without looking at the socket. */
bool mr_client_ready(const struct mr_client *);
void mr_client_close(struct mr_client *);

/* The whole answer as a text to be freed. */
int mr_client_fetch(const char *socket, const char *target, char **text, size_t *size,
    struct mr_error *);

/* The same from a server that may hang or say too much: given up after so many milliseconds
 * (-ETIMEDOUT) or bytes (-ENOMEM). */
int mr_client_fetch_within(const char *socket, const char *target, int milliseconds, size_t most,
    char **text, size_t *size, struct mr_error *);
int mr_client_post_within(const char *socket, const char *target, const char *body,
    int milliseconds, size_t most, char **text, size_t *size, struct mr_error *);

/* The same for a target that is given something: `body`, as a POST. */
int mr_client_post(const char *socket, const char *target, const char *body, char **text,
    size_t *size, struct mr_error *);

/* A POST whose answer is wanted whatever its status says. */
int mr_client_ask(const char *socket, const char *target, const char *body, int *status,
    char **text, size_t *size, struct mr_error *);

/* Appends `name=value` to a target, escaped. */
void mr_client_param(char *target, size_t size, const char *name, const char *value);
/* Appends the words of a tcpdump expression as its filter; none: nothing. */
void mr_client_filter(char *target, size_t size, const char *const *words, unsigned count);

#endif

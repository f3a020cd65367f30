/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_LOG_LOG_INT_H
#define MR_NF_NAT_LOG_LOG_INT_H

/* What log.c and log_file.c share. */

#include <netinet/in.h>

#include "kit/base/ring_mpmc.h"
#include "nf/nat/log/log.h"
#include "nf/nat/log/log_line.h"

#define NAT_LOG_BUFFER 65536u

struct nat_log_file {
	char *path;
	int fd; /* -1: not open */
	uint64_t size, limit;
	uint64_t head; /* bytes at its beginning about what was held */
	unsigned keep;
	size_t used; /* of the buffer */
	char buffer[NAT_LOG_BUFFER];
};

int nat_log_file_open(struct nat_log_file *, struct mr_error *);
/* Appends; a full buffer is written first. -errno: it could not be, and nothing was added. */
int nat_log_file_put(struct nat_log_file *, const char *line, size_t len);
int nat_log_file_flush(struct nat_log_file *);
/* Renames it by this time, removes the oldest, begins a new one. */
int nat_log_file_turn(struct nat_log_file *, int64_t time);
void nat_log_file_close(struct nat_log_file *);

#endif

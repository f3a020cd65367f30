/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_SUPPORT_GATHER_H
#define MR_CMD_SUPPORT_GATHER_H

/*
 * What goes into a bundle, part by part. Whatever cannot be had is noted in the manifest; nothing
 * here waits longer than its limit, however the running millrace fares.
 *
 * Ownership: the caller's. Threads: one. Errors: in the bundle.
 */

#include "cmd/doctor/doctor.h"
#include "cmd/support/bundle.h"

struct gather {
	struct bundle *bundle;
	struct secrets *secrets;
	struct doctor *doctor;
	const char *unit; /* of systemd, whose journal it is */
	int64_t end;      /* milliseconds of CLOCK_MONOTONIC: no question after it */
	bool packets;     /* dropped ones */
	bool payload;     /* of those, too */
};

int64_t gather_now(void);

/* Finds the secrets of the file, of `config` (may be null) and of what is in force; *text is
 * `config` without them, to be freed. */
int gather_secrets(struct gather *, struct mr_model *, const struct mr_config *config, char **text);

void gather_version(struct gather *);
void gather_config(struct gather *, const char *text);
/* The doctor's findings, and the machine's files that it read for them. */
void gather_machine(struct gather *);
void gather_process(struct gather *);
void gather_state(struct gather *);
void gather_log(struct gather *);

void gather_drops(struct gather *);
/* Lines of GET /drops as pcapng, headers alone unless `payload`; the bytes to be freed, or null. */
char *drops_to_pcapng(const char *lines, bool payload, size_t *size);

/* Asks the running millrace, when there is time left; text to be freed, or null and the bundle
 * notes why. */
char *gather_ask(struct gather *, const char *target, const char *name, size_t *size);

#endif

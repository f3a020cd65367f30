/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_DOCTOR_DOCTOR_H
#define MR_CMD_DOCTOR_DOCTOR_H

/*
 * What stands between this machine and good forwarding: checks that look at /proc, /sys, the
 * configuration and a running millrace, and say what they found, why it matters and the command
 * that changes it. Nothing is changed here.
 *
 * Every file is read under a root. With one that is not the machine's own, as it comes with a
 * support bundle, the whole examination is repeated from what was read there: what is not a file
 * (the NIC's settings, the running millrace's state) is kept as one.
 *
 * Ownership: a doctor owns its findings; model, configuration and report are the caller's.
 * Threads: one.
 * Errors: what cannot be read is taken as not being there; checks say nothing about what they
 * cannot see.
 */

#include <jansson.h>

#include "kit/base/cpu.h"
#include "model/config.h"

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE,    /* worth knowing; costs little or is a matter of taste */
	DOCTOR_WARNING, /* costs throughput, latency or safety */
	DOCTOR_ERROR,   /* it does not work so */
};

struct finding {
	enum doctor_level level;
	const char *area; /* "kernel", "nic" */
	char what[512];   /* one sentence, no full stop */
	char why[320];    /* why it matters; may be empty */
	char fix[400];    /* commands, lines; may be empty */
};

#define DOCTOR_FINDINGS_MAX 512
#define DOCTOR_FILE_MAX (1u << 20)
#define DOCTOR_NAMES_MAX 512

struct doctor {
	const char *root;               /* "": this machine */
	const struct mr_config *config; /* null: none */
	const struct mr_report *report; /* what is wrong with it; null: nothing was read */
	const char *file;
	const char *socket; /* null: the default */
	int patience_ms;    /* with the running millrace */
	int interval_ms;    /* between the two looks at it */

	/* Is shown all that was read, for keeping; a folder that is there has no text. */
	void (*saw)(void *arg, const char *path, const char *text, size_t size);
	void *saw_arg;

	struct finding *findings;
	size_t count, lost;

	/* What the first checks find out for the others. */
	char pid[16]; /* of the running millrace, or "self" */
	json_t *before, *after;
	char *running;     /* the text of the configuration in force; null: not known */
	char trouble[256]; /* why there is no state */
	bool hung;         /* it listens and does not answer */
	struct mr_cpu_set workers;
	bool chosen; /* the configuration names them */
};

int doctor_init(struct doctor *);
void doctor_end(struct doctor *);
/* Asks the running millrace, twice; nothing is said yet. Before the configuration is looked for: it
 * knows its file. */
void doctor_ask(struct doctor *);
/* Reads the configuration to be looked at: the file that was given, or what is in force, or the
 * service's file; there may be none. 0, or -ENOMEM; what is wrong goes into the report. Both are
 * the caller's. */
int doctor_load(struct doctor *, struct mr_model *, const char *given, struct mr_config **,
    struct mr_report **);
/* What it said under a function's name, part by part; null: nothing. */
json_t *doctor_state(const json_t *answers, const char *function, const char *part);
/* Runs all checks. */
void doctor_examine(struct doctor *);
size_t doctor_count(const struct doctor *, enum doctor_level);
void doctor_print(const struct doctor *, bool everything, FILE *);
void doctor_print_json(const struct doctor *, FILE *);
void doctor_print_fixes(const struct doctor *, FILE *);

/* -- for checks -------------------------------------------------------------------------- */

/* Adds a finding; never null. */
struct finding *doctor_say(struct doctor *, enum doctor_level, const char *area, const char *fmt,
    ...) mr_printf(4, 5);
void doctor_why(struct finding *, const char *why);
void doctor_fix(struct finding *, const char *fmt, ...) mr_printf(2, 3);

/* A file's text, to be freed, cut at DOCTOR_FILE_MAX; null when it cannot be read. A path that ends
 * in .gz is unpacked. */
char *doctor_read(struct doctor *, const char *fmt, ...) mr_printf(2, 3);
/* Its first line, without the end. False: there is none. */
bool doctor_line(struct doctor *, char *line, size_t size, const char *fmt, ...) mr_printf(4, 5);
int64_t doctor_number(struct doctor *, int64_t fallback, const char *fmt, ...) mr_printf(3, 4);
bool doctor_exists(struct doctor *, const char *fmt, ...) mr_printf(2, 3);
/* What a folder holds, sorted. Returns how many. */
unsigned doctor_list(struct doctor *, char names[][64], unsigned max, const char *fmt, ...)
    mr_printf(4, 5);
/* Whether a process of this name runs; its number. */
bool doctor_process(struct doctor *, const char *name, unsigned *pid);

/* A NIC's settings, as "name: value" lines to be freed; null: it tells none. */
char *doctor_ethtool(struct doctor *, const char *device);

/* The kernel interface that a configured one opens; null when its driver opens none. */
const char *doctor_device(const struct mr_conf *interface);

/* In this order. */
void doctor_check_daemon(struct doctor *);
void doctor_check_setup(struct doctor *); /* fills workers */
void doctor_check_kernel(struct doctor *);
void doctor_check_privileges(struct doctor *);
void doctor_check_memory(struct doctor *);
void doctor_check_cpu(struct doctor *);
void doctor_check_nic(struct doctor *);
void doctor_check_mtu(struct doctor *);
void doctor_check_others(struct doctor *);

#endif

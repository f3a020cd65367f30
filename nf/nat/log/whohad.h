/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_LOG_WHOHAD_H
#define MR_NF_NAT_LOG_WHOHAD_H

/*
 * Who had an outside address and port at a time: intervals made of the lines of a translation log.
 *
 *	nat_whohad_create(&w, &error);
 *	nat_whohad_read(w, "/var/log/millrace/nat.log", &error);	with the older files of that name
 *	nat_whohad_seal(w);
 *	nat_whohad_find(w, &question, answer, arg);
 *
 * Each line that ends something says since when it was, and each file begins with what is held
 * then: so missing files or lines cost what only they told. A beginning without an end lasts until
 * the next beginning of the same ports, until the translator was started anew, or until now.
 *
 * A look-up is a few binary searches: intervals are sorted by address, first port, protocol,
 * translator and time; those of one key follow each other.
 *
 * Ownership: an index owns its intervals, of which there is one for each block or mapping ever given.
 * Threads: one. Errors: lines that cannot be read are counted, and passed over.
 */

#include "kit/base/error.h"
#include "nf/nat/log/log_line.h"

#define NAT_WHOHAD_NOW INT64_MAX

struct nat_whohad;

struct nat_whohad_question {
	be32_t address;
	uint16_t port;
	uint8_t protocol; /* 0: any */
	int64_t from, to; /* milliseconds since 1970, both included */
};

struct nat_whohad_answer {
	const char *nat;
	bool six, mapping;
	uint8_t inside[16];
	uint8_t protocol;     /* of a mapping */
	uint16_t inside_port; /* likewise */
	uint16_t first, last;
	int64_t from, to; /* NAT_WHOHAD_NOW: it still has it */
};

int nat_whohad_create(struct nat_whohad **out, struct mr_error *);
void nat_whohad_destroy(struct nat_whohad *);
/* Lines about other addresses are passed over from now on. */
void nat_whohad_only(struct nat_whohad *, be32_t address);

/* The lines of a log and its older files, oldest first. */
int nat_whohad_read(struct nat_whohad *, const char *path, struct mr_error *);
/* One line in the order of the log. -ENOMEM; a bad line is no error. */
int nat_whohad_line(struct nat_whohad *, const char *text, size_t len);
uint64_t nat_whohad_lines(const struct nat_whohad *, uint64_t *bad);

/* After the last line, before the first question. */
void nat_whohad_seal(struct nat_whohad *);
/* Calls back for each that had it in the time asked for; returns how many. */
unsigned nat_whohad_find(const struct nat_whohad *, const struct nat_whohad_question *,
    void (*)(void *arg, const struct nat_whohad_answer *), void *arg);

#endif

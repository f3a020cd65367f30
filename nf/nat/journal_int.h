/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_JOURNAL_INT_H
#define MR_NF_NAT_JOURNAL_INT_H

/*
 * The translation log (log.h) as the configuration has it: which events of which translators go
 * there, another log in place of one, and who has a port now, as lines of a log.
 *
 * Threads: what tells of events may be called by any worker; the rest is the control thread's.
 */

#include "kit/base/error.h"
#include "model/config.h"
#include "model/state.h"
#include "nf/nat/log/log.h"

struct nat_journal;
struct nat_entry;
struct mr_nat;
struct mr_nf_query;
struct mr_nf_stream;

struct nat_conf_log {
	bool on;
	char file[512]; /* "": none */
	uint64_t size;
	uint32_t keep;
	be32_t syslog; /* 0: none */
	uint16_t syslog_port;
};

/* cgnat_conf.c: what a configuration says of blocks, the deterministic mode and the log. */
void nat_cgnat_read(struct nat_pool_config *, const struct mr_conf *instance);
void nat_journal_read(struct nat_conf_log *, const struct mr_conf *nat);
/* `ports`: what the instance's pool will be, without ranges; `pool`: these, null when they are not
 * known before the interfaces are. */
void nat_cgnat_check(struct mr_report *, const struct mr_config *, const struct mr_conf *instance,
    const struct nat_pool_config *ports, const struct nat_range *pool, unsigned count);

int nat_journal_create(struct nat_journal **out, struct mr_nat *, struct mr_error *);
void nat_journal_destroy(struct nat_journal *);

/* The steps of a change: opens another log where the configuration asks for one; workers use it
 * from commit on; after finish, when no worker uses the old one, that is closed. */
int nat_journal_prepare(struct nat_journal *, const struct nat_conf_log *, struct mr_error *);
void nat_journal_abort(struct nat_journal *);
void nat_journal_commit(struct nat_journal *);
void nat_journal_finish(struct nat_journal *);

/* Has a pool's blocks told of. */
void nat_journal_hook(struct nat_journal *, uint8_t instance, struct nat_pool_config *);
/* A pool that is taken down: its blocks are returned. */
void nat_journal_pool_gone(struct nat_journal *, uint8_t instance, const struct nat_pool *);
/* A mapping of an instance that logs each began, or is over. */
void nat_journal_mapping(struct nat_journal *, enum nat_log_kind, const struct nat_entry *,
    const uint8_t six[16], uint32_t now);
/* Whether what happens goes anywhere. */
bool nat_journal_is_on(const struct nat_journal *);

void nat_journal_tick(struct nat_journal *);
void nat_journal_show(const struct nat_journal *, struct mr_state *);
void nat_pool_show(const struct nat_pool *, struct mr_state *);
/* "holders": the path of the log, and who has address= and port= now. */
int nat_journal_stream(struct nat_journal *, const struct mr_nf_query *, struct mr_nf_stream *,
    struct mr_error *);

#endif

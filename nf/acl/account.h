/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_ACCOUNT_H
#define MR_NF_ACL_ACCOUNT_H

/*
 * What a rule keeps from packet to packet: counters, its limit's token bucket, how many packets its
 * log has seen. It outlives the rule's record where a change of other rules replaces that one.
 *
 * Counters stand in chunks of lines of each worker's own. An account's number is not given to
 * another one before a while has passed, because the flow lane tells of packets some time after.
 *
 * Ownership: accounts are counted references; the last one gives the number back.
 * Threads: control makes them; workers count, take tokens and look at nothing else.
 * Errors: -ENOMEM, -ENOSPC.
 */

#include "kit/base/counter.h"
#include "kit/base/error.h"
#include "kit/table/meter.h"

#define ACL_CHUNK 1024u
#define ACL_CHUNKS 2048u
#define ACL_QUARANTINE_SECONDS 60u

struct acl_accounts;

struct acl_account {
	uint32_t number;
	uint32_t refs;
	bool over;
	uint32_t sample;
	_Atomic uint32_t seen; /* packets that the log's sampling has counted */
	struct mr_meter limit;
	struct mr_meter log;
	char prefix[64];
	struct acl_accounts *owner;
};

/* Of one worker: packets, bytes. */
struct acl_count {
	_Atomic uint64_t packets, bytes;
};

struct acl_accounts {
	_Atomic(struct acl_count *) chunks[ACL_CHUNKS]; /* [worker][ACL_CHUNK] */
	uint32_t top;
	uint16_t workers;
	uint64_t hz;
	struct acl_gone *first, **last; /* numbers that rest */
};

int acl_accounts_create(struct acl_accounts **out, uint16_t workers, uint64_t hz);
void acl_accounts_destroy(struct acl_accounts *);

/* With a reference. `seconds` is the time by which numbers rest. */
int acl_account_create(struct acl_account **out, struct acl_accounts *, uint32_t seconds);
void acl_account_hold(struct acl_account *);
void acl_account_release(struct acl_account *, uint32_t seconds);
void acl_account_read(const struct acl_account *, uint64_t *packets, uint64_t *bytes);

mr_inline void
acl_account_count(struct acl_accounts *all, uint32_t number, unsigned worker, uint64_t packets,
    uint64_t bytes)
{
	/* Acquire pairs with the release by which a chunk is put up. */
	struct acl_count *c =
	    atomic_load_explicit(&all->chunks[number / ACL_CHUNK], memory_order_acquire);

	c += (size_t)worker * ACL_CHUNK + number % ACL_CHUNK;
	mr_counter_add(&c->packets, packets);
	mr_counter_add(&c->bytes, bytes);
}

#endif

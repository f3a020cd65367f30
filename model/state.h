/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_STATE_H
#define MR_MODEL_STATE_H

/*
 * State: what a running data plane reports, written in one pass by its functions and
 * coming out as JSON. Every name is looked up in the model as it is written, so
 * state cannot drift away from its YANG: a name that is not there, a text where
 * the model has a number, a list entry without its keys are errors.
 *
 *	mr_state_list(st, "interface", "lan1");
 *	mr_state_text(st, "state", "up");
 *	mr_state_open(st, "counters");
 *	mr_state_uint(st, "rx-packets", n);
 *	mr_state_close(st);
 *	mr_state_close(st);
 *
 * A list's entries are written one after another: its next sibling with another
 * name ends it for good.
 *
 * Ownership: the state owns its text; the model must outlive it.
 * Threads: one at a time.
 * Errors: remembered; the first one makes everything after it do nothing and comes
 * out of mr_state_finish. So writers need not check each call.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"
#include "model/config.h"
#include "model/model.h"

struct mr_state;

enum mr_state_form {
	/* Names and numbers as people and jq like them:
	 * {"interface":[{"name":"lan1","counters":{"rx-packets":7}}]} */
	MR_STATE_PLAIN,
	/* RFC 7951: module names at the top, 64-bit numbers as strings. */
	MR_STATE_RFC7951,
};

int mr_state_create(struct mr_state **out, const struct mr_model *, enum mr_state_form);
void mr_state_destroy(struct mr_state *);
const struct mr_model *mr_state_model(const struct mr_state *);

/* Who reads it has no use for tables that traffic fills, such as a bridge's stations; their writers
 * leave them out. */
void mr_state_set_brief(struct mr_state *);
bool mr_state_is_brief(const struct mr_state *);

/* Opens a container; or an entry of a list with its first key. Further keys follow
 * as leaves, before anything else. */
void mr_state_open(struct mr_state *, const char *container);
void mr_state_list(struct mr_state *, const char *list, const char *key);
void mr_state_list_uint(struct mr_state *, const char *list, uint64_t key);
void mr_state_close(struct mr_state *);

/* Leaves. A leaf-list is written by one call per value. */
void mr_state_text(struct mr_state *, const char *leaf, const char *value);
void mr_state_format(struct mr_state *, const char *leaf, const char *fmt, ...) mr_printf(3, 4);
void mr_state_uint(struct mr_state *, const char *leaf, uint64_t value);
void mr_state_int(struct mr_state *, const char *leaf, int64_t value);
/* Of a decimal64: rounded to the digits that the model gives it. */
void mr_state_real(struct mr_state *, const char *leaf, double value);
void mr_state_bool(struct mr_state *, const char *leaf, bool value);
void mr_state_mac(struct mr_state *, const char *leaf, const uint8_t mac[6]);

/* Closes what is open at the top. *text (null-terminated, *size without the null)
 * is the state's until it is destroyed. */
int mr_state_finish(struct mr_state *, const char **text, size_t *size, struct mr_error *);

/* Reads what a state in MR_STATE_RFC7951 form wrote into a tree for the accessors of
 * config.h: values are checked against their types, completeness is not. */
int mr_state_read(struct mr_config **out, struct mr_model *, const char *text, size_t size,
    struct mr_error *);

#endif

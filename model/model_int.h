/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_MODEL_INT_H
#define MR_MODEL_MODEL_INT_H

/*
 * What the files of model/ share about libyang: the context, the schema by names,
 * types and values in words. Ownership, threads and errors as in model.h.
 */

#include <libyang/libyang.h>

#include "model/config.h"

#define MR_LIST_KEYS_MAX 4

struct mr_model {
	struct ly_ctx *ctx;
	struct lys_module **modules; /* ours, in the order they were given */
	size_t module_count;
};

struct mr_config {
	struct mr_model *model;
	char *name;
	struct lyd_node *tree;      /* the first node at the top, or null */
	struct lyd_node_inner root; /* stands above it; has no schema */
};

/* The schema node of that name under `parent`, or at the top for null. */
const struct lysc_node *mr_schema_child(const struct mr_model *, const struct lysc_node *parent,
    const char *name);
/* Steps through them, states included; null at the end. */
const struct lysc_node *mr_schema_next(const struct mr_model *, const struct lysc_node *parent,
    const struct lysc_node *last);
unsigned mr_schema_keys(const struct lysc_node *list,
    const struct lysc_node *keys[MR_LIST_KEYS_MAX]);
/* The leaf `value` of a list whose entries are a key and this; null for other lists. */
const struct lysc_node *mr_schema_short(const struct lysc_node *list);
bool mr_schema_is_leaf(const struct lysc_node *);
bool mr_schema_is_state(const struct lysc_node *);
struct lysc_type *mr_schema_type(const struct lysc_node *leaf);
const char *mr_schema_units(const struct lysc_node *leaf);
bool mr_type_is_unsigned(LY_DATA_TYPE);
bool mr_type_is_signed(LY_DATA_TYPE);
/* Nanoseconds in a unit of time ("seconds"), 0 for other units and null. */
uint64_t mr_unit_nanoseconds(const char *units);

/* What a reference refers to: "/mi:interface/mi:name" to an "interface", by the last
 * step's parent, or by the last step when that has no name. */
void mr_reference_noun(const struct lysc_type_leafref *, char *noun, size_t size);

/* The path of a reference with module names for prefixes. */
void mr_reference_path(const struct lysc_type_leafref *, char *path, size_t size);

/* A type in words: "a number between 1 and 4094", "one of auto, 1g, 2m". */
void mr_type_phrase(const struct lysc_node *leaf, char *text, size_t size);
/* Why libyang refused that value, beginning with the value: "\"fast\" is not a number ...". */
void mr_value_reason(const struct lysc_node *leaf, const char *value, char *text, size_t size);
/* A value between quotes, cut and with its control characters made visible. */
void mr_value_quote(const char *value, char *text, size_t size);
/* What was written, as YANG writes it ("32k" becomes "32000", "5m" becomes "300").
 * Returns `value` itself when there is nothing to do, or `buffer`. */
const char *mr_value_normal(const struct lysc_node *leaf, const char *value, char *buffer,
    size_t size);
/* Whether the leaf is a list of numbers and ranges. */
bool mr_type_is_number_list(const struct lysc_node *leaf);
/* The first range that goes downwards. */
bool mr_value_bad_range(const char *value, unsigned *first, unsigned *last);

/* A small growing text, cut without memory or room. */
struct mr_text {
	char *text;
	size_t size, used;
};
void mr_text_add(struct mr_text *, const char *fmt, ...) mr_printf(2, 3);

/* A copy of a whole tree, without its places. */
int mr_tree_copy(struct lyd_node **out, const struct lyd_node *from);

/* Makes a tree ready for readers: from here on nothing writes to it. */
void mr_config_seal(struct mr_config *);

/* The line and column that a data node's private pointer holds. */
void *mr_place_make(unsigned line, unsigned column);

/* Among siblings, one of another case of the same choice as `schema`; null when none. */
const struct lyd_node *mr_choice_taken(const struct lyd_node *siblings, const struct lysc_node *);

/* Fills in defaults and finds everything that cannot be seen value by value:
 * what is missing, references to nothing, must and when. `failed` says which nodes
 * have been refused already and should not be called missing. */
struct mr_failed {
	const struct lyd_node *parent;
	const struct lysc_node *schema;
};
int mr_config_check(struct mr_config *, const struct mr_failed *failed, size_t failed_count,
    struct mr_report *);

#endif

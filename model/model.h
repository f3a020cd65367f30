/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_MODEL_H
#define MR_MODEL_MODEL_H

/*
 * The model: what can be configured and what is reported, in YANG (RFC 7950).
 * Every network function brings a module; the configuration file (config.h),
 * state (state.h), help, completion and the reference are views of their sum.
 *
 * Ownership: the texts given to mr_model_create stay the caller's and may go after
 * the call; configurations and states refer to the model, which must outlive them.
 * Threads: the control thread's. Two models may be used by two threads.
 * Errors: 0 or -errno with a text.
 */

#include <stdio.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

struct mr_model;

/* The modules that model/ itself brings (millrace-types, millrace-system) are
 * always part of it; `yang_texts` may import them, each other, ietf-inet-types and
 * ietf-yang-types in any order. A name at the top level, such as "bridge", may
 * belong to one module only. */
int mr_model_create(struct mr_model **out, const char *const *yang_texts, size_t count,
    struct mr_error *);
void mr_model_destroy(struct mr_model *);

enum mr_model_kind {
	MR_MODEL_CONTAINER,
	MR_MODEL_LIST,
	MR_MODEL_LEAF,
	MR_MODEL_LEAF_LIST,
};

/* One node of the schema. Texts live as long as the call that hands it out. */
struct mr_model_item {
	const char *name;
	enum mr_model_kind kind;
	const char *key;           /* of a list: its key, or keys separated by spaces */
	const char *type;          /* of a leaf: "a number between 1 and 4094", "one of auto, 1g" */
	const char *units;         /* null: none */
	const char *fallback;      /* the default; null: none */
	const char *doc;           /* description; line breaks folded; null: none */
	const char *const *values; /* of an enumeration or boolean: the words, ends with null */
	const char *const *value_docs; /* what each means, null where nobody says */
	bool mandatory;
	bool state; /* reported, not configured */
	bool is_key;
};

typedef int (*mr_model_visit)(void *arg, const struct mr_model_item *);

/* Visits what stands under `path`, in the module's order, until `visit` returns
 * something other than 0, which is then returned. The path goes by names, with or
 * without keys in between ("interface/lan1/options", "interface/options"); empty or
 * null is the top. For a leaf, the leaf itself is visited. -ENOENT, with a
 * suggestion, when there is no such path. */
int mr_model_walk(const struct mr_model *, const char *path, mr_model_visit visit, void *arg,
    struct mr_error *);

/* The same for people: one line each, descriptions wrapped. */
int mr_model_describe(const struct mr_model *, const char *path, FILE *, struct mr_error *);

/* The whole model as the configuration reference, in Markdown. */
int mr_model_reference(const struct mr_model *, FILE *, struct mr_error *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_YAML_INT_H
#define MR_MODEL_YAML_INT_H

/*
 * A YAML document as a tree: libyaml's events, composed. An alias is the node that
 * it names (so nodes may have several parents, never themselves as an ancestor);
 * merge keys are resolved. Values are text; what they mean is the schema's business.
 *
 * Ownership: the document owns every node and text, freed at once.
 * Threads: one at a time.
 * Errors: go into the report with their position.
 */

#include "model/report.h"

/* Deeper nesting is refused; the model itself is nowhere near. */
#define MR_YAML_DEPTH_MAX 64

enum mr_yaml_kind {
	MR_YAML_SCALAR,
	MR_YAML_SEQUENCE,
	MR_YAML_MAP,
};

struct mr_yaml_node;

struct mr_yaml_pair {
	struct mr_yaml_node *key; /* always a scalar */
	struct mr_yaml_node *value;
	struct mr_yaml_pair *first; /* the pair that this one repeats */
	bool merged;                /* came through << and yields to a written one */
};

struct mr_yaml_node {
	enum mr_yaml_kind kind;
	bool plain;   /* a scalar without quotes */
	bool settled; /* of a map: repeated keys have been found */
	bool done;    /* composed; an alias may refer to it */
	uint32_t line, column;
	size_t count; /* of items, of pairs, of bytes */
	union {
		char *text; /* ends with a null that count leaves out */
		struct mr_yaml_node **items;
		struct mr_yaml_pair *pairs;
	};
};

struct mr_yaml;

/* Reads one document. *root is null when the text holds none. Returns 0, -EINVAL
 * (reported) or -ENOMEM (reported). */
int mr_yaml_parse(struct mr_yaml **out, struct mr_yaml_node **root, const char *name,
    const char *text, size_t size, size_t nodes_max, struct mr_report *);
void mr_yaml_destroy(struct mr_yaml *);

/* Null, ~ or nothing at all, without quotes. */
bool mr_yaml_is_null(const struct mr_yaml_node *);

/* The same from RFC 8259 JSON. */
int mr_json_parse(struct mr_yaml **out, struct mr_yaml_node **root, const char *name,
    const char *text, size_t size, size_t nodes_max, struct mr_report *);

/* For trees that are made by hand: memory that goes with the document. Null without memory. */
int mr_yaml_create(struct mr_yaml **out);
void *mr_yaml_alloc(struct mr_yaml *, size_t size);

#define MR_BUILD_JSON 1u /* names may have their module's in front; [null] is an empty leaf */
#define MR_BUILD_PART 2u /* what is missing, and whether the whole is right, does not matter */

/* Makes the data tree of a configuration from a YAML tree (null: nothing), and checks it.
 * A node counts towards `nodes_max` as often as aliases bring it. */
int mr_config_build(struct mr_config *, struct mr_yaml_node *root, size_t nodes_max, unsigned flags,
    struct mr_report *);

/* Finds a map's repeated keys: sets `first` in every pair to be left out. */
int mr_yaml_settle(struct mr_yaml_node *map);

#endif

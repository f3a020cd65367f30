/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_CONFIG_H
#define MR_MODEL_CONFIG_H

/*
 * A configuration: a YAML file, checked against the model and filled up with
 * defaults, as a tree to read. What loads is valid by everything that YANG can say;
 * network functions check the rest and point at nodes through mr_report_at.
 *
 * The file: a key is a node's name. A list with one key is a map by that key
 * ("interface: {lan1: {...}}") or a sequence of maps that hold it; an entry that is
 * nothing but its key may be a bare word in a sequence. Where an entry's only other
 * leaf is `value`, the value may stand in for the entry ("options: {queues: 2}").
 * A leaf-list is a sequence or a single value. Numbers take k, M, G, T, Ki, Mi, Gi,
 * Ti; times take ns to d; anchors, aliases and merge keys work.
 *
 * Ownership: a configuration owns its nodes and texts, which never change; the
 * model must outlive it.
 * Threads: any number may read one configuration; load and destroy belong to the
 * thread that owns the model.
 * Errors: 0 or -errno; what is wrong goes into the report, with its place.
 * Accessors never fail: a null node has no children and yields fallbacks.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"
#include "model/model.h"
#include "model/report.h"

#define MR_CONF_PATH_MAX 1024
#define MR_CONFIG_SIZE_MAX (32u << 20) /* bytes of a file */
/* What aliases and merge keys may add to what is written: entries, however small the file. */
#define MR_CONFIG_ALIASED_MAX 100000u

struct mr_config;
struct mr_conf; /* one node of a configuration */

/* Reads a file; "-" is standard input. On failure *out is null and the report says why. */
int mr_config_load(struct mr_config **out, struct mr_model *, const char *path, struct mr_report *);
/* The same from memory; `name` is what errors call it. */
int mr_config_parse(struct mr_config **out, struct mr_model *, const char *name, const char *text,
    size_t size, struct mr_report *);
/* A file's bytes, to be freed; more than a configuration may have are refused when it is parsed. */
int mr_config_read_text(const char *path, char **text, size_t *size, struct mr_report *);
void mr_config_destroy(struct mr_config *);
const char *mr_config_name(const struct mr_config *);
/* The model that it follows. */
const struct mr_model *mr_config_model(const struct mr_config *);

/* The node above all others; its children are "system", "interface" ... */
const struct mr_conf *mr_conf_root(const struct mr_config *);
/* A child by name, or the first of a list or leaf-list; null when there is none. */
const struct mr_conf *mr_conf_child(const struct mr_conf *, const char *name);
/* The entry after this one in its list or leaf-list, in the file's order. */
const struct mr_conf *mr_conf_next(const struct mr_conf *);
#define mr_conf_each(entry, node, name) \
	for ((entry) = mr_conf_child(node, name); (entry); (entry) = mr_conf_next(entry))
/* The entry of a one-key list with that key; null when there is none. */
const struct mr_conf *mr_conf_find(const struct mr_conf *, const char *list, const char *key);
const struct mr_conf *mr_conf_parent(const struct mr_conf *);
size_t mr_conf_count(const struct mr_conf *, const char *name);

/* Every child in turn, whatever its name, keys included: for printing. */
const struct mr_conf *mr_conf_first(const struct mr_conf *);
const struct mr_conf *mr_conf_sibling(const struct mr_conf *);

/* The node's own name, and its value when it is a leaf or a leaf-list's entry
 * (else null); a list entry's first key, and its i-th from 0 (null past the last). */
const char *mr_conf_name(const struct mr_conf *);
const char *mr_conf_value(const struct mr_conf *);
uint64_t mr_conf_value_uint(const struct mr_conf *);
const char *mr_conf_key(const struct mr_conf *);
const char *mr_conf_key_at(const struct mr_conf *, unsigned i);

/* A child leaf's value; `fallback` when it is absent and has no default. */
const char *mr_conf_text(const struct mr_conf *, const char *leaf, const char *fallback);
uint64_t mr_conf_uint(const struct mr_conf *, const char *leaf, uint64_t fallback);
int64_t mr_conf_int(const struct mr_conf *, const char *leaf, int64_t fallback);
bool mr_conf_bool(const struct mr_conf *, const char *leaf, bool fallback);
/* Whether the child is there; one that only a default put there is. */
bool mr_conf_present(const struct mr_conf *, const char *name);
/* Six bytes of a leaf that holds a MAC address; false when absent. */
bool mr_conf_mac(const struct mr_conf *, const char *leaf, uint8_t mac[6]);

/* Whether the node was not written and has its default. A container is when
 * everything in it is. */
bool mr_conf_is_default(const struct mr_conf *);

/* Steps through a list of numbers and ranges ("10,20-30"): each call yields the
 * next range; false at the end. *cursor starts as the text; null yields nothing.
 *
 *	const char *cursor = mr_conf_text(node, "vlans", NULL);
 *	while (mr_ranges_next(&cursor, &first, &last)) ...
 */
bool mr_ranges_next(const char **cursor, unsigned *first, unsigned *last);

/* "bridge/br0/interface/lan1/access"; cut at `size`. */
void mr_conf_path(const struct mr_conf *, char *path, size_t size);
/* Where it was written, or the nearest node above it that was; 0 when none was. */
void mr_conf_where(const struct mr_conf *, unsigned *line, unsigned *column);

/* Whether two nodes say the same, children included; a default counts as if it had
 * been written, entries of lists in any order where the model leaves it open. Both
 * from configurations of one model; two nulls are equal. */
bool mr_conf_equal(const struct mr_conf *, const struct mr_conf *);

/* Whether a leaf holds what nobody else should read: the model marks it with mt:secret, or its name
 * says so ("token", "bgp-password"). */
bool mr_conf_is_secret(const struct mr_conf *);
/* By the name alone. */
bool mr_name_is_secret(const char *name);

/* Prints the children of a node as plain JSON: lists as arrays, numbers as numbers. */
void mr_conf_print_json(const struct mr_conf *, FILE *);

#endif

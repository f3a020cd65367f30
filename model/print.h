/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_PRINT_H
#define MR_MODEL_PRINT_H

/*
 * Configurations, and trees of state, as text: YAML that loads as the same configuration, or
 * RFC 7951 JSON with RFC 8040's ways to choose what of it.
 *
 * Ownership: the caller's. Threads: any number may print one configuration.
 * Errors: what the stream keeps (ferror).
 */

#include <stdio.h>

#include "model/config.h"

enum mr_print_form {
	MR_PRINT_YAML, /* with interfaces by name, as the examples are written */
	MR_PRINT_JSON, /* RFC 7951: module names, 64-bit numbers as texts */
};

enum mr_print_content {
	MR_PRINT_ALL,
	MR_PRINT_CONFIG,
	MR_PRINT_NONCONFIG, /* with the keys and containers that lead to it */
};

/* RFC 6243. */
enum mr_print_defaults {
	MR_PRINT_EXPLICIT,   /* what was written, even where it is the default */
	MR_PRINT_TRIM,       /* what is not the default */
	MR_PRINT_REPORT_ALL, /* everything */
};

struct mr_print {
	enum mr_print_form form;
	enum mr_print_content content;
	enum mr_print_defaults defaults;
	unsigned depth; /* levels: RFC 8040, 4.8.2; 0: all */
};

/* Prints a node; the root (mr_conf_root) as everything in it.
 * JSON: an object with the node as its one member, a list's entry in an array of one; the root's
 * children as members. YAML: what stands under the node's name, a leaf's value as it is; in both
 * with a line break at the end. A null node prints an empty object, or nothing. */
void mr_conf_print(const struct mr_conf *, const struct mr_print *, FILE *);

/* A node's content, or a leaf's value, in one line of YAML: "{mtu: 1500}". To be freed; null
 * without memory. */
char *mr_conf_print_line(const struct mr_conf *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_PATH_H
#define MR_MODEL_PATH_H

/*
 * Paths to places in a configuration, in two forms that may be mixed, step by step:
 *
 *	interface/lan1/mtu			names, and behind a list's its entry's keys
 *	interface=lan1/mtu			RFC 8040: keys behind "=", separated by commas
 *	router/default/route/10.0.0.0/8/via	a key takes as many words as its type needs:
 *						"10.0.0.0" is no prefix, "10.0.0.0/8" is one
 *	acl/list/a%2Fb				%XX stands for a byte in either form: %2F for a
 *						slash in a key that would end before it, %2C for
 *						a comma behind "=", %25 for a percent sign
 *
 * "millrace-system:system" may stand for "system". An empty path is the whole. A list or
 * leaf-list without keys is all of it; a leaf-list's entry goes by its value. What
 * mr_path_print writes is always read back as the same place.
 *
 * Ownership: the caller's. Threads: the thread that owns the model.
 * Errors: 0 or -errno with a text.
 */

#include "kit/base/error.h"
#include "model/config.h"

/* The node at a path: *out is null, and the return -ENOENT, when the path makes sense but
 * nothing is there; -EINVAL when the model has no such place. A list's path gives its first
 * entry; an empty path the root. */
int mr_config_at(const struct mr_config *, const char *path, const struct mr_conf **out,
    struct mr_error *);

/* The path of a node, in the first form; returns what snprintf would. */
size_t mr_path_print(const struct mr_conf *, char *path, size_t size);
/* The same in RFC 8040's form, with module names: "millrace-interface:interface=lan1/mtu". */
size_t mr_path_print_rfc8040(const struct mr_conf *, char *path, size_t size);

#endif

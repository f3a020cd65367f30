/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_NAMESPACE_H
#define MR_KIT_PORT_NAMESPACE_H

/*
 * Network namespaces by name, as `ip netns` knows them: files under /run/netns, each a
 * mount of a namespace. What has to happen inside one (a TAP, a netlink socket, a sysctl) happens
 * on a thread made for it, which enters the namespace and ends; the process itself never
 * moves. Descriptors opened there keep belonging to the namespace.
 *
 * Ownership: a namespace that was made stays until it is deleted, also when the process ends.
 * Threads: any; the call waits for its thread.
 * Errors: 0 or -errno with a text. Entering takes CAP_SYS_ADMIN, making one as well.
 */

#include <sys/types.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_NAMESPACE_FOLDER "/run/netns"
#define MR_NAMESPACE_NAME_MAX 64

/* Refuses what cannot be the name of a file there. */
MR_API int mr_namespace_check(const char *name, struct mr_error *);

/* Runs `call(arg)` inside the namespace and returns what it returned. `name` is a name, or the
 * path of a namespace's file when there is a slash in it. */
MR_API int mr_namespace_run(const char *name, int (*call)(void *arg, struct mr_error *), void *arg,
    struct mr_error *);

/* Makes it; -EEXIST when there is one. */
MR_API int mr_namespace_create(const char *name, struct mr_error *);
MR_API int mr_namespace_delete(const char *name, struct mr_error *);
MR_API bool mr_namespace_exists(const char *name);

/* Another process that has a thread in it; 0: none that we can see. */
MR_API pid_t mr_namespace_user(const char *name);

#endif

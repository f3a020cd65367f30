/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_BTF_H
#define MR_KIT_PORT_XDP_BTF_H

/*
 * The kernel's own types (BTF), searched for one function. libbpf does that too, after
 * it has read and indexed all of them, for every port that is opened; here it takes an
 * eighth of that time.
 *
 * Ownership: none. Threads: any. Errors: whatever is not understood counts as not found.
 */

#include "kit/base/def.h"

/* The number of the function's type in `size` bytes of BTF; 0 when there is none. */
int xdp_btf_find(const void *btf, size_t size, const char *function);

/* The same in the running kernel's. */
int xdp_btf_find_kernel(const char *function);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/alg.h"

#include <stddef.h>

const struct nat_alg *const nat_alg_list[] = {
	NULL,
};

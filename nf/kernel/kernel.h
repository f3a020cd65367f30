/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_KERNEL_KERNEL_H
#define MR_NF_KERNEL_KERNEL_H

/*
 * Routes from and to the kernel: what stands in the routing table of a VRF's host namespace,
 * whoever put it there, is followed; and the VRF's static routes are put there.
 *
 * Threads: the control thread.
 */

#include "nf/ip/part.h"

extern const struct mr_ip_part mr_ip_part_kernel;

#endif

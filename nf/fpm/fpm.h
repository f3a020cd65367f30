/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_FPM_FPM_H
#define MR_NF_FPM_FPM_H

/*
 * Routes from FRR over FPM: one server for each VRF that asks for it, in the namespace of the
 * VRF's host side when it has one, so that zebra's usual 127.0.0.1:2620 is right.
 *
 * Threads: the control thread.
 */

#include "nf/ip/part.h"

extern const struct mr_ip_part mr_ip_part_fpm;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_STATE_STATE_INT_H
#define MR_CONTROL_STATE_STATE_INT_H

/* What the files of the state resources share. A route's state is the control. */

#include "control/service.h"
#include "nf/dataplane.h"

void state_function_stream(const struct mr_http_call *, const char *function, const char *name);
/* The path says what is done: "flush/connections". */
void state_act(const struct mr_http_call *);

#endif

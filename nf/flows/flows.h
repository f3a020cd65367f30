/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_FLOWS_FLOWS_H
#define MR_NF_FLOWS_FLOWS_H

/*
 * Flow rules from the configuration: kit/flow/flow.h behind the list flow-rules/rule, and a node in front
 * of every interface while there are any.
 *
 * Threads: the control thread.
 */

#include "kit/flow/flow.h"
#include "nf/nf.h"

/* The data plane's rules: functions and plug-ins may add their own beside the configuration's. */
struct mr_flow_rules *mr_flows_rules(struct mr_dataplane *);

extern const struct mr_nf mr_nf_flows;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_FLOWS_FLOWS_INT_H
#define MR_NF_FLOWS_FLOWS_INT_H

/* What the files of this function share. */

#include "nf/dataplane.h"
#include "nf/flows/flows.h"
#include "nf/interface/interface.h"

#define FLOWS_NAME_MAX 32
#define FLOWS_ACTIONS_MAX 13

/* A rule as the configuration says it; all bytes count, so that two can be compared. */
struct flows_pattern {
	bool eth, vlan, ip4, ip6, port; /* which items there are */
	enum mr_flow_item_type l4;      /* END: none */
	struct mr_flow_item_port at;
	struct mr_flow_item_eth mac, mac_mask;
	struct mr_flow_item_vlan tag;
	struct mr_flow_item_ip4 four, four_mask;
	struct mr_flow_item_ip6 six, six_mask;
	struct mr_flow_item_l4 ports, ports_last, ports_mask;
	struct mr_flow_item_icmp icmp, icmp_mask;
};

struct flows_rule {
	char name[FLOWS_NAME_MAX];
	struct mr_flow_attr attr;
	struct flows_pattern pattern;
	struct mr_flow_action actions[FLOWS_ACTIONS_MAX]; /* ended by END */
	char meter[FLOWS_NAME_MAX];                       /* whose number goes into its action */
};

struct flows_meter {
	char name[FLOWS_NAME_MAX];
	uint64_t rate, burst;
};

/* Everything that is wrong with a rule is reported; `r` and `interfaces` may be null then. */
void flows_conf_check(struct mr_report *, const struct mr_config *, const struct mr_conf *rule);
void flows_conf_read(struct flows_rule *, const struct mr_conf *rule, const struct mr_interfaces *);
/* The pattern's items, of which there are at most 6 with the end. */
void flows_conf_items(const struct flows_pattern *, struct mr_flow_item items[8]);

#endif

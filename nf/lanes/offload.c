/* SPDX-License-Identifier: Apache-2.0 */

/* Which ports the lane may hand flows to. */

#include "kit/flow/offload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lanes/lanes_int.h"

static unsigned
list_ports(struct lanes *all, struct mr_lane_offload_port *list, bool in)
{
	unsigned n = 0;

	for (unsigned p = 0; p < MR_PORT_MAX; p++) {
		const struct mr_interface *i =
		    mr_interface_at(mr_interfaces_of(all->dp), (uint16_t)p);
		const struct lane_of *of = &all->of[p];
		struct mr_lane_offload_port *port = &list[n];

		if (!i || !i->port)
			continue;
		n++;
		*port = (struct mr_lane_offload_port){ .port = i->port };
		port->in = in && of->flow && !of->view.bridged && i->up;
		memcpy(port->mac, &of->view.mac, sizeof(port->mac));
	}
	return n;
}

static void
take_answer(struct lanes *all, const struct mr_lane_offload_port *port)
{
	struct lane_of *of = &all->of[port->port->index];
	const char *reason = port->reason;

	if (!of->flow)
		reason = "it has no flow lane in front";
	else if (of->view.bridged)
		reason = "Ethernet addresses are part of its flows";
	else if (!port->in)
		reason = "it is down";
	of->offloads = port->open;
	snprintf(of->offload_reason, sizeof(of->offload_reason), "%s", port->open ? "" : reason);
}

void
lanes_offload(struct lanes *all)
{
	struct mr_lane_offload_port *list;
	unsigned n;

	if (!all->now.offload)
		return;
	mr_lane_offload_check(all->lane);
	list = calloc(MR_PORT_MAX, sizeof(*list));
	if (!list)
		return;
	n = list_ports(all, list, true);
	mr_lane_offload_ports(all->lane, list, n);
	for (unsigned k = 0; k < n; k++)
		take_answer(all, &list[k]);
	free(list);
	/* Who traces or captures wants to see all packets. */
	mr_lane_offload_pause(all->lane, mr_graph_is_probed(mr_dataplane_graph(all->dp)));
}

void
lanes_offload_end(struct lanes *all, struct mr_lane *old)
{
	struct mr_lane_offload_port *list = calloc(MR_PORT_MAX, sizeof(*list));

	if (list)
		mr_lane_offload_ports(old, list, list_ports(all, list, false));
	free(list);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The host side's state, in the open entry of its router. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "nf/host/host_int.h"

static void
show_addresses(const struct host_addresses *list, const char *leaf, struct mr_state *st)
{
	char text[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < list->count; i++) {
		const struct mr_ip_address *a = &list->items[i].a;

		inet_ntop(a->family == MR_IP4 ? AF_INET : AF_INET6, a->bytes, text, sizeof(text));
		mr_state_format(st, leaf, "%s/%u", text, a->len);
	}
}

static void
show_twin(const struct host_twin *t, struct mr_state *st)
{
	mr_state_list(st, "twin", t->name);
	if (!t->lo) {
		mr_state_text(st, "state", !t->port ? "gone" : t->carrier > 0 ? "up" : "down");
		mr_state_uint(st, "index", t->index);
	}
	if (t->port) {
		mr_state_uint(st, "to-host", mr_counter_get(&t->port->tx_stats[0].packets));
		mr_state_uint(st, "from-host", mr_counter_get(&t->port->rx_stats[0].packets));
		mr_state_uint(st, "errors",
		    mr_counter_get(&t->port->tx_stats[0].errors) +
			mr_counter_get(&t->port->rx_stats[0].errors));
	}
	show_addresses(&t->ours, "address", st);
	show_addresses(&t->theirs, "kernel-address", st);
	mr_state_close(st);
}

static void
show_class(const struct host_vrf *v, unsigned c, struct mr_state *st)
{
	struct mr_host_counts counts;

	mr_host_policy_counts(v->policy, c, &counts);
	mr_state_list(st, "class", mr_host_class_info[c].name);
	mr_state_uint(st, "rate", v->limits[c].rate);
	mr_state_uint(st, "burst", v->limits[c].burst);
	mr_state_uint(st, "packets", counts.packets);
	mr_state_uint(st, "bytes", counts.bytes);
	mr_state_uint(st, "limited", counts.limited);
	mr_state_uint(st, "refused", counts.refused);
	mr_state_close(st);
}

void
host_show(void *state, uint16_t vrf, struct mr_state *st)
{
	const struct host_part *h = state;

	for (const struct host_vrf *v = h->now; v; v = v->next) {
		if (v->index != vrf)
			continue;
		mr_state_open(st, "host");
		for (const struct host_space *s = h->spaces; s; s = s->next) {
			if (strcmp(s->vrf, v->name))
				continue;
			mr_state_text(st, "current-namespace", s->name);
			mr_state_bool(st, "made", s->made);
			for (const struct host_twin *t = s->twins; t; t = t->next)
				show_twin(t, st);
		}
		for (unsigned c = 0; c < MR_HOST_CLASS_COUNT; c++)
			show_class(v, c, st);
		mr_state_close(st);
	}
}

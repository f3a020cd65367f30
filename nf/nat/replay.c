/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes do with the first packet in a second of a flow in the flow lane. */
#include <string.h>

#include "nf/nat/nat_int.h"

static bool
has(const struct nat_instance *n, be32_t address, uint8_t proto, be16_t port)
{
	return n->pool && nat_pool_find(n->pool, address, nat_pool_proto(proto), port);
}

/* One that went to the host: is its port somebody's by now? */
static uint8_t
still_none(const struct nat_self *self, const uint8_t *bytes, const struct mr_replayed *r)
{
	const struct nat_view *view = mr_rcu_read(&self->core->view);
	const struct nat_port *port = view ? &view->ports[self->port] : NULL;
	const uint8_t *ip = bytes + r->l3, *l4 = bytes + r->l4;
	bool icmp = ip[9] == MR_IP_PROTO_ICMP;
	be32_t dst;
	be16_t at;

	if (!port || r->six)
		return MR_REPLAY_STALE;
	memcpy(&dst, ip + 16, 4);
	memcpy(&at, l4 + (icmp ? 4 : 2), 2);
	if (icmp && l4[0] == MR_ICMP4_ECHO)
		return 0;
	for (unsigned i = 0; i < port->outside_count; i++)
		if (has(&view->instances[port->outside[i]], dst, ip[9], at))
			return MR_REPLAY_STALE;
	for (unsigned i = 0; i < port->inside_count; i++)
		if (has(&view->instances[port->inside[i]], dst, ip[9], at))
			return MR_REPLAY_STALE;
	return 0;
}

static uint8_t
one(const struct nat_table *t, uint32_t arg, uint32_t now)
{
	struct nat_entry *e = &t->entries[arg & NAT_ARG_NUMBER];
	uint32_t word = atomic_load_explicit(&e->word, memory_order_acquire);

	/* The same session, in its time. */
	if (!(word & NAT_LIVE) ||
	    ((word >> NAT_AGE_SHIFT ^ arg >> NAT_ARG_AGE_SHIFT) & NAT_ARG_AGE) ||
	    (word & NAT_SESSION ? nat_is_late(t, e, now) : nat_is_over(t, e, word, now)))
		return MR_REPLAY_STALE;
	if ((arg & NAT_ARG_OPEN) &&
	    atomic_load_explicit(&e->state, memory_order_relaxed) != NAT_TCP_OPEN)
		return MR_REPLAY_STALE;
	if (arg & NAT_ARG_REFRESH)
		nat_touch(e, now);
	return 0;
}

void
nat_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	const struct nat_self *self = run->self;
	const struct nat_table *t = self->core->table;

	for (unsigned i = 0; i < count; i++)
		mr_prefetch_write(&t->entries[args[i] & NAT_ARG_NUMBER]);
	for (unsigned i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		skip[i] = mr_likely(args[i])
		    ? one(t, args[i], run->seconds)
		    : still_none(self, mr_packet_bytes_const(p), &replayed[i]);
	}
}

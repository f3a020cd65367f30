/* SPDX-License-Identifier: Apache-2.0 */
/* lb-send: from the load balancer's nodes into the midst of the router; and what both of them do
 * with packets of the flow lane. */
#include "nf/lb/node_int.h"

mr_inline void
send_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)rec;
	for (unsigned i = 0; i < count; i++) {
		struct mr_ip_meta *m = mr_ip_meta(mr_packet_at(run->base, packets[i]));

		verdicts[i] = mr_verdict_edge(m->class % MR_IP_EDGES);
		m->class = 0;
	}
}
MR_NODE_FUNCTIONS(send)

const struct mr_node_class lb_send_class = {
	.name = "lb-send",
	.doc = "hands what the load balancer decided to the router's nodes",
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	MR_NODE_RUN(send),
	.replays = true,
};

/* What the tunnel's checksum rests on: see known_sum in tunnel.c. */
static bool
is_summed(const struct mr_packet *p, const struct mr_replayed *r)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + r->l3,
		      *udp = mr_packet_bytes_const(p) + r->l4;
	unsigned head = (unsigned)r->l4 - r->l3;
	unsigned len = r->six ? mr_load_be16(ip + 4) + 40u : mr_load_be16(ip + 2);

	return (udp[6] | udp[7]) && mr_load_be16(udp + 4) + head == len;
}

void
lb_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	const struct lb_core *core = run->self;
	struct lb_line *lines = core->table->lines;

	for (unsigned i = 0; i < count; i++)
		mr_prefetch(&lines[args[i] & MR_SLOTS_NUMBER]);
	for (unsigned i = 0; i < count; i++) {
		struct lb_line *c = &lines[args[i] & MR_SLOTS_NUMBER];
		/* Acquire pairs with lb_add: the age's line is there. */
		uint32_t word = atomic_load_explicit(&c->word, memory_order_acquire);

		if (mr_unlikely(!(word & LB_LIVE) ||
			((word >> LB_AGE_SHIFT ^ args[i] >> 24) & LB_ARG_AGE) ||
			lb_is_over(c, run->seconds))) {
			skip[i] = MR_REPLAY_STALE;
			continue;
		}
		if (mr_unlikely(args[i] & LB_ARG_SUMMED) &&
		    !is_summed(mr_packet_at(run->base, packets[i]), &replayed[i])) {
			skip[i] = MR_REPLAY_SKIP;
			continue;
		}
		lb_touch(c, run->seconds);
	}
}

void
lb_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	const struct lb_core *core = run->self;
	uint16_t backend = (uint16_t)(number & (LB_BACKENDS_MAX - 1));
	bool back = number & LB_TALLY_BACK;

	lb_traffic(core, run->worker, backend, back ? LB_TRAFFIC_BACK_PACKETS : LB_TRAFFIC_PACKETS,
	    packets);
	lb_traffic(core, run->worker, backend, back ? LB_TRAFFIC_BACK_BYTES : LB_TRAFFIC_BYTES,
	    bytes);
}

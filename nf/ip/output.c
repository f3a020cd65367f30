/* SPDX-License-Identifier: Apache-2.0 */
/* ip-output: packets whose next hop is decided get their Ethernet header and leave. */
#include "nf/ip/forward_inl.h"
#include "nf/ip/ip_int.h"

mr_inline mr_verdict_t
output_one(const struct ip_work *w, struct mr_packet *p)
{
	struct mr_ip_meta *m = mr_ip_meta(p);
	uint32_t index = m->adjacency % MR_IP_ADJACENCIES_MAX;
	const struct mr_adjacency *adjacency = &w->ip->adjacencies[index];
	/* Acquire pairs with publish() in adjacency.c. */
	uint64_t control = atomic_load_explicit(&adjacency->control, memory_order_acquire);
	mr_verdict_t verdict = MR_ADJACENCY_VERDICT(control);
	bool six;

	if (mr_unlikely(mr_recorded(w->rec, p))) {
		mr_record_read(w->rec, p, "adjacencies",
		    &w->ip->cells->adjacencies[index % MR_IP_CELLS]);
		control = atomic_load_explicit(&adjacency->control, memory_order_acquire);
		verdict = MR_ADJACENCY_VERDICT(control);
	}
	if ((verdict & MR_VERDICT_CLASS) == MR_VERDICT_DROP)
		return verdict;
	if (!(MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_COMPLETE))
		return mr_verdict_edge(MR_IP_EDGE_RESOLVE);
	six = mr_packet_bytes_const(p)[m->l3] >> 4 == 6;
	if (!ip_rewrite(w->rec, p, m->l3, adjacency, control,
		mr_be16(six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4)))
		return mr_verdict_drop(MR_IP_DROP_NO_ROOM);
	return verdict;
}

mr_inline void
output_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct ip_work w = { run, rec, run->self };

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = output_one(&w, mr_packet_at(run->base, packets[i]));
}
MR_NODE_FUNCTIONS(output)

const struct mr_node_class mr_ip_output_class = {
	.name = "ip-output",
	.doc = "writes the Ethernet header of a next hop that is already decided",
	.replays = true,
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	.drops = mr_ip_drops,
	.drop_count = MR_IP_DROP_COUNT,
	MR_NODE_RUN(output),
};

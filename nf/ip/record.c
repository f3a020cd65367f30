/* SPDX-License-Identifier: Apache-2.0 */
/* What forwarding writes down: off the fast path. */
#include "kit/flow/key.h"
#include "nf/ip/forward_inl.h"

uint32_t
ip_record_member(const struct ip_work *w, const struct mr_packet *p, uint32_t group)
{
	const struct mr_ip *ip = w->ip;
	uint32_t adjacency;
	uint64_t word;

	mr_record_read(w->rec, p, "groups", &ip->cells->groups[group % MR_IP_CELLS]);
	word = atomic_load_explicit(&ip->groups[group], memory_order_acquire);
	if (mr_group_mask(word))
		mr_record_read(w->rec, p, "buckets", ip_bucket_cell(ip, mr_group_base(word)));
	adjacency = ip_member(ip, group, p);
	mr_record_read(w->rec, p, "adjacencies", &ip->cells->adjacencies[adjacency % MR_IP_CELLS]);
	mr_record_note(w->rec, p, "adjacency", adjacency);
	/* Several members: the whole flow decides which. Else its addresses: the source's is
	 * checked. */
	mr_record_use(w->rec, p, mr_group_mask(word) ? MR_FLOW_ALL : MR_FLOW_SRC | MR_FLOW_DST);
	return adjacency;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_INPUT_INT_H
#define MR_NF_NEIGHBOR_INPUT_INT_H

/* What arp-input and nd-input do alike once they know what a packet says. */

#include "nf/neighbor/nodes_int.h"

struct neighbor_input {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct neighbor_nodes *nodes;
	const struct neighbor_view *view;
	unsigned interface;
	enum neighbor_parcel parcel;
};

/* The packet itself to the control thread. */
mr_inline mr_verdict_t
neighbor_hand(const struct neighbor_input *in, struct mr_packet *p, enum neighbor_class class,
    unsigned limited)
{
	mr_record_note(in->rec, p, "to the control thread, message class", class);
	if (!neighbor_may_pass(in->rec, in->nodes, in->interface, class, in->run->now))
		return mr_verdict_drop(limited);
	mr_node_count(in->run, NEIGHBOR_COUNT_HANDED, 1);
	p->out = (uint16_t)in->parcel;
	return mr_verdict_output(in->nodes->channel);
}

/* A copy of it, the packet becoming an answer. */
mr_inline void
neighbor_hand_copy(const struct neighbor_input *in, uint32_t packet)
{
	uint32_t copy;

	if (!neighbor_may_pass(in->rec, in->nodes, in->interface, NEIGHBOR_CLASS_HEARD,
		in->run->now)) {
		mr_node_count(in->run, NEIGHBOR_COUNT_HELD_BACK, 1);
		return;
	}
	copy = mr_node_copy(in->run, in->rec, packet);
	if (copy == MR_PACKET_NONE) {
		mr_node_count(in->run, NEIGHBOR_COUNT_NO_COPY, 1);
		return;
	}
	mr_packet_at(in->run->base, copy)->out = (uint16_t)in->parcel;
	mr_node_count(in->run, NEIGHBOR_COUNT_HANDED, 1);
	mr_node_emit(in->run, copy, mr_verdict_output(in->nodes->channel));
}

/* A copy for the kernel of the interface's twin, which does ARP and ND of its own: without
 * the tag, since the twin is of the VLAN alone. */
static mr_noinline void
neighbor_copy_to_twin(const struct neighbor_input *in, uint32_t packet)
{
	uint16_t twin = mr_ip_twin(&in->nodes->ip->interfaces[in->interface]);
	const uint8_t *bytes;
	struct mr_packet *p;
	uint32_t copy;

	if (twin == MR_IP_NO_PORT)
		return;
	copy = mr_node_copy(in->run, in->rec, packet);
	if (copy == MR_PACKET_NONE) {
		mr_node_count(in->run, NEIGHBOR_COUNT_NO_COPY, 1);
		return;
	}
	p = mr_packet_at(in->run->base, copy);
	bytes = mr_packet_bytes_const(p);
	if (mr_eth_type_is_vlan(mr_load_be16(bytes + 12)))
		mr_edit_pop(in->rec, p, 12, 4);
	mr_node_count(in->run, NEIGHBOR_COUNT_TWIN, 1);
	mr_node_emit(in->run, copy, mr_verdict_output(twin));
}

/* Everything but a question for one of our addresses. A copy for the twin is made only of what
 * passes the limit, too: the twin is no way around it. */
mr_inline mr_verdict_t
neighbor_hear(const struct neighbor_input *in, const struct neighbor_message *m, uint32_t packet,
    bool ours, bool to_us)
{
	struct mr_packet *p = mr_packet_at(in->run->base, packet);
	bool answer = m->kind == NEIGHBOR_ANSWER && m->solicited && to_us;
	mr_verdict_t verdict;

	if (m->kind == NEIGHBOR_REDIRECT)
		return mr_verdict_drop(NEIGHBOR_DROP_IGNORED);
	if (m->kind == NEIGHBOR_ASK && !ours && !in->view->proxy)
		return mr_verdict_drop(NEIGHBOR_DROP_OTHER);
	if (m->kind == NEIGHBOR_ANSWER && m->solicited && !to_us && !ours)
		return mr_verdict_drop(NEIGHBOR_DROP_OTHER);
	verdict = neighbor_hand(in, p, answer ? NEIGHBOR_CLASS_ANSWER : NEIGHBOR_CLASS_HEARD,
	    answer ? NEIGHBOR_DROP_ANSWER_LIMIT : NEIGHBOR_DROP_HEARD_LIMIT);
	if ((verdict & MR_VERDICT_CLASS) == MR_VERDICT_OUTPUT && m->kind != NEIGHBOR_ASK)
		neighbor_copy_to_twin(in, packet);
	return verdict;
}

#endif

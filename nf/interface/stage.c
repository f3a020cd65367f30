/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What other functions put in front of an interface's user, and behind its outputs: which
 * order they stand in, and the last step of the way out.
 */

#include <stdio.h>

#include "nf/interface/interface_int.h"

void
interface_stages_clear(struct record *r)
{
	for (unsigned s = 0; s < MR_STAGES; s++)
		r->in[s] = r->out[s] = NO_NODE;
	r->leave = r->carry = r->enter = NO_NODE;
}

static uint16_t
put_in_front(struct mr_graph *graph, uint16_t node, uint16_t next)
{
	if (node == NO_NODE)
		return next;
	mr_graph_link(graph, node, 0, next);
	return node;
}

/* Port -> lane -> plug-ins -> the other stages -> the user. */
static void
aim_in(struct mr_interfaces *all, struct record *r)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);
	uint16_t to = r->use;

	for (unsigned s = MR_STAGES; s-- > MR_STAGE_LANE + 1;)
		to = put_in_front(graph, r->in[s], to);
	for (unsigned i = r->input_count; i-- > 0;)
		to = put_in_front(graph, r->inputs[i].node, to);
	/* What the other end sends, or a tunnel holds, was in the lane where it came in. */
	if (interface_join_other(all, r))
		interface_join_aim(all, interface_join_other(all, r));
	else if (r->enter != NO_NODE)
		mr_graph_link(graph, r->enter, r->enter_edge,
		    r->pub.port ? mr_interface_first(all, r->pub.index) : all->unused);
	else
		to = put_in_front(graph, r->in[MR_STAGE_LANE], to);
	if (r->added)
		mr_graph_set_input(graph, r->pub.index, to, 0);
}

static int
add_leave(struct mr_interfaces *all, struct record *r, struct mr_error *error)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);
	char name[MR_GRAPH_NAME_MAX];

	if (interface_join_other(all, r)) {
		snprintf(name, sizeof(name), "join@%s", r->pub.name);
		return mr_graph_add_node(graph, &interface_join_class, name, &r->join, &r->leave,
		    error);
	}
	snprintf(name, sizeof(name), "interface-out@%s", r->pub.name);
	return mr_graph_add_node(graph, &interface_out_class, name, &r->pub.index, &r->leave,
	    error);
}

/* The node past which nothing more stands behind an output. */
static bool
make_leave(struct mr_interfaces *all, struct record *r)
{
	struct mr_error error;

	if (r->leave != NO_NODE || add_leave(all, r, &error) == 0)
		return true;
	mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "interface %s: %s", r->pub.name,
	    error.text);
	return false;
}

static void
aim_out(struct mr_interfaces *all, struct record *r)
{
	struct mr_graph *graph = mr_dataplane_graph(all->dp);
	uint16_t to = r->leave;

	for (unsigned s = MR_STAGES; s-- > 0;)
		to = put_in_front(graph, r->out[s], to);
	if (r->added)
		mr_graph_set_output(graph, r->pub.index, to);
}

void
interface_record_aim(struct mr_interfaces *all, struct record *r)
{
	if (interface_join_other(all, r) && make_leave(all, r))
		interface_join_aim(all, r);
	aim_in(all, r);
	aim_out(all, r);
}

void
mr_interface_carry(struct mr_interfaces *all, uint16_t index, uint16_t carry, uint16_t enter,
    uint16_t edge)
{
	struct record *r = interface_record_at(all, index);

	if (!r)
		return;
	/* Whoever has a stage may have come before. */
	if (r->leave != NO_NODE && r->leave != r->carry)
		mr_graph_remove_node(mr_dataplane_graph(all->dp), r->leave);
	r->leave = r->carry = carry;
	r->enter = enter;
	r->enter_edge = edge;
	interface_record_aim(all, r);
}

void
mr_interface_stage_in(struct mr_interfaces *all, uint16_t index, enum mr_interface_stage stage,
    uint16_t node)
{
	struct record *r = interface_record_at(all, index);

	if (!r)
		return;
	r->in[stage] = node;
	aim_in(all, r);
}

void
mr_interface_stage_out(struct mr_interfaces *all, uint16_t index, enum mr_interface_stage stage,
    uint16_t node)
{
	struct record *r = interface_record_at(all, index);

	if (!r || !make_leave(all, r))
		return;
	r->out[stage] = node;
	aim_out(all, r);
}

uint16_t
mr_interface_user(const struct mr_interfaces *all, uint16_t index)
{
	const struct record *r = interface_record_at(all, index);

	return r ? r->use : NO_NODE;
}

uint16_t
mr_interface_first(const struct mr_interfaces *all, uint16_t index)
{
	const struct record *r = interface_record_at(all, index);
	uint16_t to = NO_NODE;

	if (!r)
		return to;
	to = r->use;
	for (unsigned s = MR_STAGES; s-- > MR_STAGE_LANE + 1;)
		to = r->in[s] == NO_NODE ? to : r->in[s];
	return r->input_count ? r->inputs[0].node : to;
}

static bool
any(const uint16_t *stages)
{
	for (unsigned s = MR_STAGE_LANE + 1; s < MR_STAGES; s++)
		if (stages[s] != NO_NODE)
			return true;
	return false;
}

bool
mr_interface_is_staged(const struct mr_interfaces *all, uint16_t index)
{
	const struct record *own = interface_record_at(all, index);

	if (own && any(own->in))
		return true;
	for (const struct record *r = interface_records(all); r; r = r->next)
		if (any(r->out) || r->carry != NO_NODE)
			return true;
	return false;
}

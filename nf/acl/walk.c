/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the first rule that the classifier found to the one that decides: most often the same. On
 * the way are rules whose checks fail, rules that only count, mark or log, and jumps, which are look-ups
 * in another list with a place to come back to.
 */
#include "nf/acl/acl_int.h"
#include "nf/conntrack/track.h"

const char acl_note_rule[] = "acl rule";
const char acl_note_pass[] = "acl passing rule";

/* In MR_OP_CALL's argument: what the replay has to find as it was. */
enum acl_call { ACL_CALL_TOKEN, ACL_CALL_NO_TOKEN, ACL_CALL_LOG };
#define CALL_SHIFT 2

static acl_number
value_of(const struct acl_case *c, enum acl_field field)
{
	const struct mr_parsed *r = c->parsed;

	switch (field) {
	case ACL_SRC4:
		return acl_number_load(c->key->src, 4);
	case ACL_SRC6:
		return acl_number_load(c->key->src, 16);
	case ACL_DST4:
		return acl_number_load(c->key->dst, 4);
	case ACL_DST6:
		return acl_number_load(c->key->dst, 16);
	case ACL_PROTO:
		return c->key->proto;
	case ACL_SPORT:
		return c->key->sport;
	case ACL_DPORT:
	case ACL_ICMP4:
	case ACL_ICMP6:
		return c->key->dport;
	case ACL_DSCP:
		return c->key->extra >> ACL_EXTRA_DSCP_SHIFT & 63;
	case ACL_INPUT:
		return c->key->extra >> ACL_EXTRA_INPUT_SHIFT;
	case ACL_LENGTH:
		return r->end - r->l3;
	case ACL_OUTPUT:
		return c->stage->out ? c->stage->interface : ACL_INPUT_NONE;
	case ACL_VLAN:
		return r->vlan_count ? r->vlan[0] & 0xfff : 0;
	case ACL_MAC:
		return acl_number_load(mr_packet_bytes_const(c->p) + r->l2 + 6, 6);
	case ACL_FRAGMENT:
		if (!(r->flags & MR_PARSED_FRAGMENT))
			return 0;
		return r->flags & MR_PARSED_FIRST ? 2 : 3;
	default:
		return 0;
	}
}

/* Conditions of the other IP version are not this packet's. */
static bool
concerns(enum acl_field field, uint8_t family)
{
	if (field == ACL_SRC4 || field == ACL_DST4 || field == ACL_ICMP4)
		return family == 4;
	if (field == ACL_SRC6 || field == ACL_DST6 || field == ACL_ICMP6)
		return family == 6;
	return true;
}

static bool
passes_checks(const struct acl_case *c, const struct acl_rule *rule)
{
	if ((mr_packet_mark(c->p) & rule->mark_mask) != rule->mark_value)
		return false;
	for (unsigned i = 0; i < rule->check_count; i++) {
		const struct acl_check *check = &rule->checks[i];

		if (concerns(check->field, c->key->family) &&
		    !acl_ranges_has(&check->ranges, value_of(c, check->field)))
			return false;
	}
	return true;
}

static bool
passes_limit(const struct acl_case *c, const struct acl_rule *rule)
{
	struct mr_meter *limit = &rule->account->limit;
	bool token = mr_record_is_dry(c->rec) ? mr_meter_ready(limit, c->run->now)
					      : mr_meter_take(limit, c->run->now, 1);

	mr_record_call(c->rec, c->p,
	    rule->slot << CALL_SHIFT | (token ? ACL_CALL_TOKEN : ACL_CALL_NO_TOKEN), false);
	return token != rule->account->over;
}

/* One packet in `sample`, and no more than the rate says: the log. */
static bool
sampled(struct acl_account *a, uint64_t now)
{
	/* Relaxed: only the count matters. */
	uint32_t n = atomic_fetch_add_explicit(&a->seen, 1, memory_order_relaxed);

	return n % a->sample == 0 && mr_meter_take(&a->log, now, 1);
}

void
acl_hit(const struct acl_case *c, const struct acl_rule *rule)
{
	mr_record_tally(c->rec, c->p, rule->account->number);
	mr_record_note(c->rec, c->p, rule->action <= ACL_REJECT ? acl_note_rule : acl_note_pass,
	    rule->slot);
	if (mr_record_is_dry(c->rec))
		return;
	acl_account_count(c->stage->acl->own.accounts, rule->account->number, c->run->worker, 1,
	    c->p->total);
}

static void
side_actions(const struct acl_case *c, const struct acl_rule *rule)
{
	acl_hit(c, rule);
	if (rule->flags & ACL_RULE_MARK)
		mr_packet_set_mark(c->p,
		    (mr_packet_mark(c->p) & ~rule->set_mask) | rule->set_value);
	if (!(rule->flags & ACL_RULE_LOG))
		return;
	mr_record_call(c->rec, c->p, rule->slot << CALL_SHIFT | ACL_CALL_LOG, false);
	if (!mr_record_is_dry(c->rec) && sampled(rule->account, c->run->now))
		acl_log_sample(c, rule);
}

const struct acl_rule *
acl_walk(const struct acl_case *c, const struct acl_view *view, uint32_t slot)
{
	struct {
		const struct acl_view *view;
		uint32_t from;
	} stack[ACL_DEPTH_MAX];
	const struct acl_view *base = view;
	struct acl_rules *rules = &c->stage->acl->own.rules;
	unsigned depth = 0;
	uint64_t more = 0;

	for (;;) {
		const struct acl_rule *rule;
		uint32_t from = 0;

		while (slot == MR_CLASS_NONE && depth) {
			depth--;
			view = stack[depth].view;
			slot = acl_view_from(view, c->key, stack[depth].from);
			more++;
		}
		if (slot == MR_CLASS_NONE) {
			rule = base->decide;
			acl_hit(c, rule);
			mr_node_count(c->run, ACL_COUNT_MORE, more);
			return rule;
		}
		rule = acl_rule_at(rules, slot);
		from = rule->priority + 1;
		if (((rule->flags & ACL_RULE_CHECKS) && !passes_checks(c, rule)) ||
		    ((rule->flags & ACL_RULE_LIMIT) && !passes_limit(c, rule))) {
			slot = acl_view_from(view, c->key, from);
			more++;
			continue;
		}
		side_actions(c, rule);
		switch (rule->action) {
		case ACL_CONTINUE:
			break;
		case ACL_RETURN:
			slot = MR_CLASS_NONE;
			continue;
		case ACL_JUMP:
			/* The check of the configuration sees to the depth. */
			if (depth < ACL_DEPTH_MAX) {
				stack[depth].view = view;
				stack[depth++].from = from;
			}
			/* fall through */
		case ACL_GOTO:
			view = c->world->views[rule->target];
			from = 0;
			break;
		default:
			mr_node_count(c->run, ACL_COUNT_MORE, more);
			return rule;
		}
		slot = acl_view_from(view, c->key, from);
		more++;
	}
}

/* Whether half of the bucket is there again: a flow that is over its limit gets a packet through now
 * and then by the graph, and is judged anew only when it has been under it for a while. */
static bool
is_calm(const struct mr_meter *m, uint64_t now)
{
	uint64_t depth = atomic_load_explicit(&m->rate.depth, memory_order_relaxed);

	now <<= MR_METER_FRACTION;
	return atomic_load_explicit(&m->due, memory_order_relaxed) <= now + depth / 2;
}

/* -- for the flow lane --------------------------------------------------------------------------- */

void
acl_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	struct acl_stage *stage = run->self;

	for (unsigned i = 0; i < count; i++) {
		const struct acl_rule *rule =
		    acl_rule_at(&stage->acl->own.rules, args[i] >> CALL_SHIFT);
		struct acl_case c = { .run = run, .stage = stage, .packet = packets[i] };

		if (skip[i])
			continue;
		if (!rule) {
			skip[i] = MR_REPLAY_STALE;
			continue;
		}
		switch (args[i] & ((1u << CALL_SHIFT) - 1)) {
		case ACL_CALL_TOKEN:
			if (replayed[i].ask ? !mr_meter_ready(&rule->account->limit, run->now)
					    : !mr_meter_take(&rule->account->limit, run->now, 1))
				skip[i] = MR_REPLAY_STALE;
			break;
		case ACL_CALL_NO_TOKEN:
			if (mr_meter_ready(&rule->account->limit, run->now))
				skip[i] = is_calm(&rule->account->limit, run->now) ? MR_REPLAY_STALE
										   : MR_REPLAY_SKIP;
			break;
		default:
			c.p = mr_packet_at(run->base, packets[i]);
			if (!replayed[i].ask && sampled(rule->account, run->now))
				acl_log_sample(&c, rule);
		}
	}
}

void
acl_tally(struct mr_node_run *run, uint32_t number, uint64_t packets, uint64_t bytes)
{
	struct acl_stage *stage = run->self;

	acl_account_count(stage->acl->own.accounts, number, run->worker, packets, bytes);
}

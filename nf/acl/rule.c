/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec to entries and checks. Every condition that entries can have is a list of choices
 * (prefixes, port ranges, protocols, interfaces, DSCPs); entries are all combinations. The shortest
 * lists are combined first, and one that would make too many becomes a check.
 */
#include "nf/acl/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/hash.h"
#include "kit/flow/key.h"
#include "kit/packet/wire.h"

#define BIT(field) (1u << (field))
/* Fields that entries can have at all. */
#define ENTRY_FIELDS \
	(BIT(ACL_SRC4) | BIT(ACL_SRC6) | BIT(ACL_DST4) | BIT(ACL_DST6) | BIT(ACL_PROTO) | \
	    BIT(ACL_SPORT) | BIT(ACL_DPORT) | BIT(ACL_ICMP4) | BIT(ACL_ICMP6) | BIT(ACL_DSCP) | \
	    BIT(ACL_INPUT))

/* How many choices a field of a rule is; 0: none, the field is no condition of this IP version. */
static uint64_t
choices(const struct acl_spec *s, enum acl_field field)
{
	const struct acl_ranges *r = &s->field[field];

	if (!(s->has >> field & 1) || acl_ranges_is_all(r, acl_field_bits[field]))
		return 0;
	switch (field) {
	case ACL_SRC4:
	case ACL_DST4:
	case ACL_SRC6:
	case ACL_DST6:
		return acl_ranges_count_prefixes(r, acl_field_bits[field]);
	case ACL_SPORT:
	case ACL_DPORT:
	case ACL_ICMP4:
	case ACL_ICMP6:
		return r->count;
	default:
		return acl_ranges_size(r, UINT16_MAX);
	}
}

static bool
of_family(enum acl_field field, unsigned six)
{
	if (field == ACL_SRC4 || field == ACL_DST4 || field == ACL_ICMP4)
		return !six;
	if (field == ACL_SRC6 || field == ACL_DST6 || field == ACL_ICMP6)
		return six;
	return true;
}

/* The fields that become entries of one IP version; the others that are conditions are checked. */
static uint32_t
combined(const struct acl_spec *s, unsigned six)
{
	uint64_t size[ACL_FIELDS], product = 1;
	uint32_t out = 0, left = 0;

	for (enum acl_field f = 0; f < ACL_FIELDS; f++) {
		size[f] = (ENTRY_FIELDS >> f & 1) && of_family(f, six) ? choices(s, f) : 0;
		if (size[f])
			left |= BIT(f);
	}
	while (left) {
		enum acl_field best = ACL_FIELDS;

		for (enum acl_field f = 0; f < ACL_FIELDS; f++)
			if ((left >> f & 1) && (best == ACL_FIELDS || size[f] < size[best]))
				best = f;
		left &= ~BIT(best);
		/* More than a few protocols or interfaces are mostly all but some. */
		if (product * size[best] > ACL_ENTRIES_MAX / 2 ||
		    ((best == ACL_PROTO || best == ACL_INPUT || best == ACL_DSCP) &&
			size[best] > 16))
			continue;
		product *= size[best];
		out |= BIT(best);
	}
	return out;
}

uint32_t
acl_rule_checked(const struct acl_spec *s)
{
	uint32_t out = 0;

	for (unsigned six = 0; six < 2; six++) {
		uint32_t in = combined(s, six);

		if (!(s->families >> six & 1))
			continue;
		for (enum acl_field f = 0; f < ACL_FIELDS; f++)
			if (of_family(f, six) && (s->has >> f & 1) && !(in >> f & 1) &&
			    !acl_ranges_is_all(&s->field[f], acl_field_bits[f]))
				out |= BIT(f);
	}
	return out;
}

/* -- entries ------------------------------------------------------------------------------ */

struct growing {
	struct mr_class_rule *at;
	uint32_t count, room;
};

static int
push(struct growing *g, const struct mr_class_rule *r)
{
	if (g->count == g->room) {
		uint32_t room = g->room ? g->room * 2 : 4;
		struct mr_class_rule *at = realloc(g->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		g->at = at;
		g->room = room;
	}
	g->at[g->count++] = *r;
	return 0;
}

/* All of `from`, each with one choice of a field. */
struct times {
	const struct growing *from;
	struct growing to;
	enum acl_field field;
};

static void
choose(struct mr_class_rule *e, enum acl_field field, acl_number value, acl_number last,
    unsigned len)
{
	switch (field) {
	case ACL_SRC4:
	case ACL_SRC6:
		acl_number_store(value, e->src, field == ACL_SRC4 ? 4 : 16);
		e->src_len = (uint8_t)len;
		break;
	case ACL_DST4:
	case ACL_DST6:
		acl_number_store(value, e->dst, field == ACL_DST4 ? 4 : 16);
		e->dst_len = (uint8_t)len;
		break;
	case ACL_PROTO:
		e->proto = (uint8_t)value;
		e->proto_mask = 0xff;
		break;
	case ACL_SPORT:
		e->sport_lo = (uint16_t)value;
		e->sport_hi = (uint16_t)last;
		break;
	case ACL_DPORT:
	case ACL_ICMP4:
	case ACL_ICMP6:
		e->dport_lo = (uint16_t)value;
		e->dport_hi = (uint16_t)last;
		break;
	case ACL_DSCP:
		e->extra |= (uint32_t)value << ACL_EXTRA_DSCP_SHIFT;
		e->extra_mask |= 63u << ACL_EXTRA_DSCP_SHIFT;
		break;
	case ACL_INPUT:
		e->extra |= (uint32_t)value << ACL_EXTRA_INPUT_SHIFT;
		e->extra_mask |= UINT32_MAX << ACL_EXTRA_INPUT_SHIFT;
		break;
	default:
		break;
	}
}

static int
each_choice(struct times *t, acl_number value, acl_number last, unsigned len)
{
	int ret = 0;

	for (uint32_t i = 0; i < t->from->count && !ret; i++) {
		struct mr_class_rule e = t->from->at[i];

		choose(&e, t->field, value, last, len);
		ret = push(&t->to, &e);
	}
	return ret;
}

static int
each_prefix(void *user, acl_number value, unsigned len)
{
	return each_choice(user, value, value, len);
}

static int
multiply(struct growing *g, const struct acl_spec *s, enum acl_field field)
{
	const struct acl_ranges *r = &s->field[field];
	struct times t = { .from = g, .field = field };
	bool prefixes = field <= ACL_DST6;
	bool ranges =
	    field == ACL_SPORT || field == ACL_DPORT || field == ACL_ICMP4 || field == ACL_ICMP6;
	int ret = 0;

	if (prefixes)
		ret = acl_ranges_prefixes(r, acl_field_bits[field], each_prefix, &t);
	for (uint32_t i = 0; i < r->count && !prefixes && !ret; i++) {
		if (ranges) {
			ret = each_choice(&t, r->at[i].first, r->at[i].last, 0);
			continue;
		}
		for (acl_number n = r->at[i].first; n <= r->at[i].last && !ret; n++)
			ret = each_choice(&t, n, n, 0);
	}
	free(g->at);
	*g = t.to;
	return ret;
}

/* What every entry of the rule has. */
static struct mr_class_rule
common(const struct acl_spec *s, unsigned six)
{
	struct mr_class_rule e;

	memset(&e, 0, sizeof(e)); /* padding too: entries are compared as bytes */
	e.family = six ? 6 : 4;
	e.sport_hi = e.dport_hi = 65535;

	if (s->has & (BIT(ACL_SPORT) | BIT(ACL_DPORT)) || s->tcp_mask)
		e.extra |= ACL_EXTRA_PORTS;
	if (s->has & BIT(six ? ACL_ICMP6 : ACL_ICMP4))
		e.extra |= ACL_EXTRA_ICMP;
	e.extra_mask = e.extra;
	e.extra |= (uint32_t)s->tcp_value << ACL_EXTRA_TCP_SHIFT;
	e.extra_mask |= (uint32_t)s->tcp_mask << ACL_EXTRA_TCP_SHIFT;
	/* A key has one of the five: it is among these when it is none of the others. */
	if (s->states)
		e.extra_mask |= ~(uint32_t)s->states & 31u;
	return e;
}

int
acl_rule_expand(const struct acl_spec *s, struct mr_class_rule **entries, uint32_t *count)
{
	struct growing all = { 0 };
	int ret = 0;

	for (unsigned six = 0; six < 2 && !ret; six++) {
		struct mr_class_rule first = common(s, six);
		struct growing g = { 0 };
		uint32_t in = combined(s, six);

		if (!(s->families >> six & 1))
			continue;
		ret = push(&g, &first);
		for (enum acl_field f = 0; f < ACL_FIELDS && !ret; f++)
			if (in >> f & 1)
				ret = multiply(&g, s, f);
		for (uint32_t i = 0; i < g.count && !ret; i++)
			ret = push(&all, &g.at[i]);
		free(g.at);
	}
	if (ret) {
		free(all.at);
		return ret;
	}
	*entries = all.at;
	*count = all.count;
	return 0;
}

/* -- the record ---------------------------------------------------------------------------- */

int
acl_rule_create(struct acl_rule **out, struct acl_spec *s, struct acl_account *account)
{
	uint32_t checked = acl_rule_checked(s);
	struct acl_rule *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->checks = calloc((unsigned)__builtin_popcount(checked) + 1u, sizeof(*r->checks));
	if (!r->checks) {
		free(r);
		return -ENOMEM;
	}
	for (enum acl_field f = 0; f < ACL_FIELDS; f++) {
		if (!(checked >> f & 1))
			continue;
		r->checks[r->check_count++] =
		    (struct acl_check){ .field = f, .ranges = s->field[f] };
		s->field[f] = (struct acl_ranges){ 0 };
	}
	r->refs = 1;
	memcpy(r->name, s->name, sizeof(r->name));
	r->action = s->action;
	r->reject = s->reject;
	r->mark_mask = s->mark_mask;
	r->mark_value = s->mark_value;
	r->set_mask = s->set_mask;
	r->set_value = s->set_value;
	r->flags = (uint8_t)((r->check_count || s->mark_mask ? ACL_RULE_CHECKS : 0) |
	    (s->flags & ACL_SPEC_LIMIT ? ACL_RULE_LIMIT : 0) |
	    (s->flags & ACL_SPEC_LOG ? ACL_RULE_LOG : 0) |
	    (s->flags & ACL_SPEC_MARK ? ACL_RULE_MARK : 0));
	r->account = account;
	acl_account_hold(account);
	*out = r;
	return 0;
}

void
acl_rule_release(struct acl_rule *r)
{
	if (!r || --r->refs)
		return;
	for (unsigned i = 0; i < r->check_count; i++)
		acl_ranges_free(&r->checks[i].ranges);
	free(r->checks);
	free(r);
}

/* -- what it looks at ------------------------------------------------------------------------ */

void
acl_rule_looks(const struct acl_spec *s, struct acl_looks *looks)
{
	static const struct {
		uint32_t fields, use;
	} map[] = {
		{ BIT(ACL_SRC4) | BIT(ACL_SRC6), MR_FLOW_SRC },
		{ BIT(ACL_DST4) | BIT(ACL_DST6), MR_FLOW_DST },
		{ BIT(ACL_PROTO), MR_FLOW_PROTO },
		/* Ports are there with some protocols only. */
		{ BIT(ACL_SPORT), MR_FLOW_SPORT | MR_FLOW_PROTO },
		{ BIT(ACL_DPORT), MR_FLOW_DPORT | MR_FLOW_PROTO },
		{ BIT(ACL_ICMP4) | BIT(ACL_ICMP6), MR_FLOW_SPORT | MR_FLOW_DPORT | MR_FLOW_PROTO },
	};

	for (unsigned six = 0; six < 2; six++)
		for (unsigned i = 0; i < MR_ARRAY_COUNT(map) && (s->families >> six & 1); i++)
			if (s->has & map[i].fields)
				looks->uses[six] |= map[i].use;
	looks->tcp |= s->tcp_mask;
	looks->icmp |= (s->has & (BIT(ACL_ICMP4) | BIT(ACL_ICMP6))) != 0;
	looks->dscp |= (s->has & BIT(ACL_DSCP)) != 0;
	looks->mac |= (s->has & BIT(ACL_MAC)) != 0;
	looks->length |= (s->has & BIT(ACL_LENGTH)) != 0;
	looks->output |= (s->has & BIT(ACL_OUTPUT)) != 0;
	looks->states |= s->states != 0;
}

/* -- whether it is the same as before --------------------------------------------------------- */

static void
mix(uint64_t sum[2], const uint64_t key[2], const void *bytes, size_t size)
{
	uint64_t other[2] = { key[1], key[0] };

	/* Chained: each step's key depends on everything before. */
	sum[0] ^= mr_siphash((uint64_t[]){ key[0] ^ sum[0], key[1] + sum[1] }, bytes, size);
	sum[1] += mr_siphash((uint64_t[]){ other[0] ^ sum[1], other[1] + sum[0] }, bytes, size);
}

void
acl_spec_digest(const struct acl_spec *s, const uint64_t key[2], struct acl_digest *out)
{
	struct acl_spec plain;
	uint32_t checked = acl_rule_checked(s);

	*out = (struct acl_digest){ 0 };
	memcpy(&plain, s, sizeof(plain));
	memset(plain.field, 0, sizeof(plain.field));
	/* Conditions that are entries alone leave the record as it is. */
	plain.has &= checked;
	mix(out->entries, key, &s->has, sizeof(s->has));
	mix(out->entries, key, (uint8_t[]){ s->families, s->states, s->tcp_mask, s->tcp_value }, 4);
	plain.families = plain.states = plain.tcp_mask = plain.tcp_value = 0;
	mix(out->record, key, &plain, sizeof(plain));
	for (enum acl_field f = 0; f < ACL_FIELDS; f++) {
		const struct acl_ranges *r = &s->field[f];

		if (r->count)
			mix(checked >> f & 1 ? out->record : out->entries, key, r->at,
			    r->count * sizeof(*r->at));
	}
}

/* SPDX-License-Identifier: Apache-2.0 */

/* From a pattern and actions to a rule, and everything that can be wrong with them. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kit/flow/flow_int.h"

static const char *const item_names[MR_FLOW_ITEM_TYPES] = {
	"end",
	"void",
	"any",
	"port",
	"eth",
	"vlan",
	"ip4",
	"ip6",
	"tcp",
	"udp",
	"sctp",
	"icmp",
	"icmp6",
};
static const char *const action_names[MR_FLOW_ACTION_TYPES] = {
	"end",
	"void",
	"output",
	"drop",
	"pass",
	"jump",
	"count",
	"meter",
	"mark",
	"set-src-mac",
	"set-dst-mac",
	"set-src-ip4",
	"set-dst-ip4",
	"set-src-ip6",
	"set-dst-ip6",
	"set-src-port",
	"set-dst-port",
	"dec-ttl",
	"push-vlan",
	"pop-vlan",
	"set-vlan",
};

static int mr_printf(5, 6) wrong(struct mr_flow_error *error, enum mr_flow_error_kind kind,
    unsigned index, const char *name, const char *fmt, ...)
{
	char text[200];
	va_list args;

	if (!error)
		return -EINVAL;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	error->kind = kind;
	error->index = index;
	if (kind == MR_FLOW_ERROR_ATTR)
		return mr_error_set(&error->error, -EINVAL, "flow rule: %s", text);
	return mr_error_set(&error->error, -EINVAL, "flow rule: %s %u (%s): %s",
	    kind == MR_FLOW_ERROR_ITEM ? "item" : "action", index, name, text);
}

/* -- the pattern ------------------------------------------------------------------------- */

struct check {
	const struct mr_flow_rules *rules;
	const struct mr_flow_item *item;
	unsigned index;
	struct flow_pattern *p;
	struct mr_flow_error *error;
};

#define WRONG_ITEM(c, ...) \
	wrong((c)->error, MR_FLOW_ERROR_ITEM, (c)->index, item_names[(c)->item->type], __VA_ARGS__)

/* Which layer an item names: they stand in this order. */
static unsigned
layer_of(enum mr_flow_item_type type)
{
	switch (type) {
	case MR_FLOW_ITEM_PORT:
		return 1;
	case MR_FLOW_ITEM_ETH:
		return 2;
	case MR_FLOW_ITEM_VLAN:
		return 3;
	case MR_FLOW_ITEM_IP4:
	case MR_FLOW_ITEM_IP6:
		return 4;
	case MR_FLOW_ITEM_TCP:
	case MR_FLOW_ITEM_UDP:
	case MR_FLOW_ITEM_SCTP:
	case MR_FLOW_ITEM_ICMP:
	case MR_FLOW_ITEM_ICMP6:
		return 5;
	default:
		return 0;
	}
}

static void
mask_bytes(uint8_t *value, uint8_t *mask, const void *spec, const void *with, unsigned size)
{
	memcpy(mask, with, size);
	for (unsigned i = 0; i < size; i++)
		value[i] = ((const uint8_t *)spec)[i] & mask[i];
}

/* How many leading bits are set, when no others are; else -1. */
static int
prefix_of(const uint8_t *mask, unsigned size)
{
	unsigned len = 0;

	while (len < size * 8 && (mask[len / 8] >> (7 - len % 8) & 1))
		len++;
	for (unsigned i = len; i < size * 8; i++)
		if (mask[i / 8] >> (7 - i % 8) & 1)
			return -1;
	return (int)len;
}

static int
check_port(struct check *c)
{
	const struct mr_flow_item_port *spec = c->item->spec, *mask = c->item->mask;

	if (!spec)
		return 0;
	if (mask && mask->port == 0)
		return 0;
	if (mask && mask->port != UINT16_MAX)
		return WRONG_ITEM(c, "a port is asked for whole, or not at all");
	if (spec->port >= MR_PORT_MAX)
		return WRONG_ITEM(c, "there is no port %u", spec->port);
	c->p->port = spec->port;
	return 0;
}

static int
check_eth(struct check *c)
{
	static const struct mr_flow_item_eth whole = {
		.dst = { 255, 255, 255, 255, 255, 255 },
		.src = { 255, 255, 255, 255, 255, 255 },
		.type = 0xffff,
	};
	const struct mr_flow_item_eth *spec = c->item->spec;
	const struct mr_flow_item_eth *mask = c->item->mask ? c->item->mask : &whole;

	if (!spec)
		return 0;
	memcpy(&c->p->mac_mask[0], mask->dst, 6);
	memcpy(&c->p->mac_mask[1], mask->src, 6);
	memcpy(&c->p->mac[0], spec->dst, 6);
	memcpy(&c->p->mac[1], spec->src, 6);
	for (unsigned i = 0; i < 2; i++)
		c->p->mac[i] &= c->p->mac_mask[i];
	c->p->type_mask = mask->type;
	c->p->type = spec->type & mask->type;
	if (c->p->mac_mask[0] | c->p->mac_mask[1])
		c->p->look |= FLOW_LOOK_MAC;
	return 0;
}

static int
check_vlan(struct check *c)
{
	const struct mr_flow_item_vlan *spec = c->item->spec, *mask = c->item->mask;

	c->p->tagged = true;
	if (!spec)
		return 0;
	c->p->tci_mask = mask ? mask->tci : mr_be16(0x0fff);
	c->p->tci = spec->tci & c->p->tci_mask;
	if (c->p->tci_mask & mr_be16(0xf000))
		c->p->look |= FLOW_LOOK_TCI;
	return 0;
}

static int
check_ip(struct check *c)
{
	bool six = c->item->type == MR_FLOW_ITEM_IP6;
	unsigned size = six ? 16 : 4;
	struct mr_flow_item_ip6 spec = { 0 }, mask = { 0 };
	struct flow_pattern *p = c->p;
	be16_t type = mr_be16(six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);

	if (p->type_mask && (type & p->type_mask) != p->type)
		return WRONG_ITEM(c, "the Ethernet item asks for another type");
	p->family = six ? 6 : 4;
	p->prefixes = true;
	if (!c->item->spec)
		return 0;
	memset(mask.src, 255, size);
	memset(mask.dst, 255, size);
	if (six) {
		spec = *(const struct mr_flow_item_ip6 *)c->item->spec;
		if (c->item->mask)
			mask = *(const struct mr_flow_item_ip6 *)c->item->mask;
	} else {
		const struct mr_flow_item_ip4 *s = c->item->spec, *m = c->item->mask;

		memcpy(spec.src, &s->src, 4);
		memcpy(spec.dst, &s->dst, 4);
		spec.proto = s->proto;
		spec.tos = s->tos;
		if (m) {
			memcpy(mask.src, &m->src, 4);
			memcpy(mask.dst, &m->dst, 4);
			mask.proto = m->proto;
			mask.tos = m->tos;
		}
	}
	mask_bytes(p->src, p->src_mask, spec.src, mask.src, size);
	mask_bytes(p->dst, p->dst_mask, spec.dst, mask.dst, size);
	p->prefixes = prefix_of(p->src_mask, size) >= 0 && prefix_of(p->dst_mask, size) >= 0;
	p->proto_mask = mask.proto;
	p->proto = spec.proto & mask.proto;
	p->tos_mask = mask.tos;
	p->tos = spec.tos & mask.tos;
	if (p->tos_mask)
		p->look |= FLOW_LOOK_TOS;
	return 0;
}

static int
take_proto(struct check *c, uint8_t proto)
{
	if (c->p->proto_mask && (proto & c->p->proto_mask) != c->p->proto)
		return WRONG_ITEM(c, "the IP item asks for another protocol");
	c->p->proto = proto;
	c->p->proto_mask = 255;
	c->p->any_network = !c->p->family;
	return 0;
}

/* A port of a rule: a range, or a value under a mask. */
static int
check_range(struct check *c, be16_t spec, const be16_t *last, be16_t mask, uint16_t *lo,
    uint16_t *hi, uint16_t *bits)
{
	*bits = mr_be16(mask);
	*lo = mr_be16(spec) & *bits;
	*hi = *lo;
	if (last) {
		if (*bits && *bits != UINT16_MAX)
			return WRONG_ITEM(c, "a range takes whole ports");
		*hi = *bits ? mr_be16(*last) : *lo;
		if (*hi < *lo)
			return WRONG_ITEM(c, "the range from %u to %u is empty", *lo, *hi);
	}
	c->p->ports |= *bits != 0;
	return 0;
}

static int
check_l4(struct check *c, uint8_t proto)
{
	static const struct mr_flow_item_l4 whole = { .src = 0xffff, .dst = 0xffff };
	const struct mr_flow_item_l4 *spec = c->item->spec, *last = c->item->last;
	const struct mr_flow_item_l4 *mask = c->item->mask ? c->item->mask : &whole;
	struct flow_pattern *p = c->p;
	int rc = take_proto(c, proto);

	if (rc || !spec)
		return rc;
	if (mask->flags && proto != MR_IP_PROTO_TCP)
		return WRONG_ITEM(c, "only TCP has flags");
	p->tcp_flags_mask = mask->flags;
	p->tcp_flags = spec->flags & mask->flags;
	if (p->tcp_flags_mask)
		p->look |= FLOW_LOOK_TCP_FLAGS;
	rc = check_range(c, spec->src, last ? &last->src : NULL, mask->src, &p->sport_lo,
	    &p->sport_hi, &p->sport_mask);
	if (!rc)
		rc = check_range(c, spec->dst, last ? &last->dst : NULL, mask->dst, &p->dport_lo,
		    &p->dport_hi, &p->dport_mask);
	return rc;
}

static int
check_icmp(struct check *c, uint8_t proto, uint8_t family)
{
	static const struct mr_flow_item_icmp whole = { 255, 255 };
	const struct mr_flow_item_icmp *spec = c->item->spec;
	const struct mr_flow_item_icmp *mask = c->item->mask ? c->item->mask : &whole;
	struct flow_pattern *p = c->p;
	int rc;

	if (p->family && p->family != family)
		return WRONG_ITEM(c, "does not stand on the IP item in front of it");
	p->family = family;
	rc = take_proto(c, proto);
	if (rc || !spec)
		return rc;
	/* Whole bytes are whole to the classifier. */
	p->sport_mask = mask->type == 255 ? UINT16_MAX : mask->type;
	p->sport_lo = p->sport_hi = spec->type & mask->type;
	p->dport_mask = mask->code == 255 ? UINT16_MAX : mask->code;
	p->dport_lo = p->dport_hi = spec->code & mask->code;
	p->ports = mask->type || mask->code;
	return 0;
}

static int
check_item(struct check *c)
{
	switch (c->item->type) {
	case MR_FLOW_ITEM_PORT:
		return check_port(c);
	case MR_FLOW_ITEM_ETH:
		return check_eth(c);
	case MR_FLOW_ITEM_VLAN:
		return check_vlan(c);
	case MR_FLOW_ITEM_IP4:
	case MR_FLOW_ITEM_IP6:
		return check_ip(c);
	case MR_FLOW_ITEM_TCP:
		return check_l4(c, MR_IP_PROTO_TCP);
	case MR_FLOW_ITEM_UDP:
		return check_l4(c, MR_IP_PROTO_UDP);
	case MR_FLOW_ITEM_SCTP:
		return check_l4(c, MR_IP_PROTO_SCTP);
	case MR_FLOW_ITEM_ICMP:
		return check_icmp(c, MR_IP_PROTO_ICMP, 4);
	case MR_FLOW_ITEM_ICMP6:
		return check_icmp(c, MR_IP_PROTO_ICMP6, 6);
	default:
		return 0;
	}
}

static int
check_pattern(struct check *c, const struct mr_flow_item *items)
{
	unsigned layer = 0;
	int rc;

	c->p->port = FLOW_PORT_ANY;
	for (c->index = 0; items[c->index].type != MR_FLOW_ITEM_END; c->index++) {
		unsigned here;

		c->item = &items[c->index];
		if (c->index == MR_FLOW_ITEMS_MAX)
			return wrong(c->error, MR_FLOW_ERROR_ITEM, c->index, "?",
			    "more than %u items", MR_FLOW_ITEMS_MAX);
		if ((unsigned)c->item->type >= MR_FLOW_ITEM_TYPES)
			return wrong(c->error, MR_FLOW_ERROR_ITEM, c->index, "?",
			    "there is no item %u", (unsigned)c->item->type);
		here = layer_of(c->item->type);
		if (here && here <= layer)
			return WRONG_ITEM(c, "stands behind an item of the same layer or above");
		layer = here ? here : layer;
		if (!c->item->spec && (c->item->mask || c->item->last))
			return WRONG_ITEM(c, "has a mask or an end of a range, but no spec");
		if (c->item->last && !(here == 5 && c->item->type < MR_FLOW_ITEM_ICMP))
			return WRONG_ITEM(c, "only ports have ranges");
		rc = check_item(c);
		if (rc)
			return rc;
	}
	return 0;
}

/* -- actions -------------------------------------------------------------------------------- */

#define WRONG_ACTION(error, i, a, ...) \
	wrong(error, MR_FLOW_ERROR_ACTION, i, action_names[(a)->type], __VA_ARGS__)

static bool
is_fate(enum mr_flow_action_type type)
{
	return type >= MR_FLOW_ACTION_OUTPUT && type <= MR_FLOW_ACTION_JUMP;
}

static int
check_action(const struct mr_flow_rules *rules, struct flow_rule *r, unsigned i,
    const struct mr_flow_action *a, struct mr_flow_error *error)
{
	switch (a->type) {
	case MR_FLOW_ACTION_OUTPUT:
		if (a->number >= MR_PORT_MAX)
			return WRONG_ACTION(error, i, a, "there is no port %u", a->number);
		return 0;
	case MR_FLOW_ACTION_JUMP:
		if (a->number <= r->attr.group || a->number >= MR_FLOW_GROUPS)
			return WRONG_ACTION(error, i, a,
			    "from group %u to group %u: only to a higher one, below %u",
			    r->attr.group, a->number, MR_FLOW_GROUPS);
		return 0;
	case MR_FLOW_ACTION_COUNT:
		if (!a->number)
			r->own_counter = true;
		else if (a->number > rules->counter_max || !rules->counter_info[a->number].shared)
			return WRONG_ACTION(error, i, a, "there is no counter %u", a->number);
		else if (!r->counter)
			r->counter = a->number;
		return 0;
	case MR_FLOW_ACTION_METER:
		if (!a->number || a->number > rules->meter_max ||
		    !rules->meter_info[a->number].there)
			return WRONG_ACTION(error, i, a, "there is no meter %u", a->number);
		return 0;
	case MR_FLOW_ACTION_SET_SRC_PORT:
	case MR_FLOW_ACTION_SET_DST_PORT:
	case MR_FLOW_ACTION_PUSH_VLAN:
	case MR_FLOW_ACTION_SET_VLAN:
		if (a->number > UINT16_MAX)
			return WRONG_ACTION(error, i, a, "%u is no number of 16 bits", a->number);
		return 0;
	default:
		return 0;
	}
}

static int
check_actions(const struct mr_flow_rules *rules, const struct mr_flow_action *actions,
    struct flow_rule *r, struct mr_flow_error *error)
{
	unsigned seen[MR_FLOW_ACTION_TYPES] = { 0 }, i;
	bool fate = false, once;
	int rc;

	for (i = 0; actions[i].type != MR_FLOW_ACTION_END; i++) {
		const struct mr_flow_action *a = &actions[i];

		if ((unsigned)a->type >= MR_FLOW_ACTION_TYPES)
			return wrong(error, MR_FLOW_ERROR_ACTION, i, "?", "there is no action %u",
			    (unsigned)a->type);
		if (i == MR_FLOW_ACTIONS_MAX)
			return WRONG_ACTION(error, i, a, "more than %u actions",
			    MR_FLOW_ACTIONS_MAX);
		if (fate)
			return WRONG_ACTION(error, i, a, "stands behind the fate");
		once = a->type == MR_FLOW_ACTION_DEC_TTL || a->type == MR_FLOW_ACTION_METER ||
		    (a->type == MR_FLOW_ACTION_COUNT && !a->number);
		if (once && seen[a->type]++)
			return WRONG_ACTION(error, i, a, "only once in a rule");
		rc = check_action(rules, r, i, a, error);
		if (rc)
			return rc;
		fate |= is_fate(a->type);
		if (a->type != MR_FLOW_ACTION_VOID)
			r->actions[r->action_count++] = *a;
	}
	if (!fate)
		return wrong(error, MR_FLOW_ERROR_ACTION, i, "end",
		    "no fate: output, drop, pass or jump");
	return 0;
}

/* -- all of it -------------------------------------------------------------------------------- */

/* Whether the classifier can tell. */
static bool
is_classified(const struct flow_pattern *p)
{
	bool whole_s = p->sport_mask == 0 || p->sport_mask == UINT16_MAX;
	bool whole_d = p->dport_mask == 0 || p->dport_mask == UINT16_MAX;

	if (!p->family && !p->any_network)
		return false;
	return !p->look && (!p->family || p->prefixes) && whole_s && whole_d &&
	    (p->proto_mask == 0 || p->proto_mask == 255) &&
	    (!p->type_mask || p->type_mask == 0xffff) && !(p->tci_mask & ~mr_be16(0x0fff));
}

int
flow_check(const struct mr_flow_rules *rules, const struct mr_flow_attr *attr,
    const struct mr_flow_item *items, const struct mr_flow_action *actions, struct flow_rule *r,
    struct mr_flow_error *error)
{
	struct check c = { .rules = rules, .p = &r->pattern, .error = error };
	int rc;

	if (error)
		*error = (struct mr_flow_error){ .kind = MR_FLOW_ERROR_NONE };
	memset(r, 0, sizeof(*r));
	r->attr = *attr;
	if (attr->group >= MR_FLOW_GROUPS)
		return wrong(error, MR_FLOW_ERROR_ATTR, 0, "", "group %u: there are %u",
		    attr->group, MR_FLOW_GROUPS);
	if (attr->priority == UINT32_MAX)
		return wrong(error, MR_FLOW_ERROR_ATTR, 0, "", "priority %u is too large",
		    attr->priority);
	rc = check_pattern(&c, items);
	if (!rc)
		rc = check_actions(rules, actions, r, error);
	r->listed = !is_classified(&r->pattern);
	return rc;
}

unsigned
flow_class_rules(const struct flow_rule *r, struct mr_class_rule rules[2])
{
	const struct flow_pattern *p = &r->pattern;
	struct mr_class_rule c = {
		.priority = r->attr.priority,
		.value = r->place,
		.extra = FLOW_EXTRA_GROUP(r->attr.group),
		.extra_mask = FLOW_EXTRA_GROUP(MR_FLOW_GROUPS - 1),
		.sport_hi = UINT16_MAX,
		.dport_hi = UINT16_MAX,
		.family = p->family,
		.proto = p->proto,
		.proto_mask = p->proto_mask,
	};

	if (r->listed)
		return 0;
	if (p->port != FLOW_PORT_ANY) {
		c.extra |= FLOW_EXTRA_PORT(p->port);
		c.extra_mask |= FLOW_EXTRA_PORT(MR_PORT_MAX - 1);
	}
	if (p->tagged) {
		c.extra |= FLOW_EXTRA_TAGGED | FLOW_EXTRA_VLAN(mr_be16(p->tci));
		c.extra_mask |= FLOW_EXTRA_TAGGED | FLOW_EXTRA_VLAN(mr_be16(p->tci_mask));
	}
	if (p->ports) {
		c.extra |= FLOW_EXTRA_L4;
		c.extra_mask |= FLOW_EXTRA_L4;
	}
	if (p->sport_mask) {
		c.sport_lo = p->sport_lo;
		c.sport_hi = p->sport_hi;
	}
	if (p->dport_mask) {
		c.dport_lo = p->dport_lo;
		c.dport_hi = p->dport_hi;
	}
	rules[0] = c;
	if (!p->family) {
		rules[0].family = 4;
		rules[1] = c;
		rules[1].family = 6;
		return 2;
	}
	memcpy(rules[0].src, p->src, 16);
	memcpy(rules[0].dst, p->dst, 16);
	rules[0].src_len = (uint8_t)prefix_of(p->src_mask, p->family == 4 ? 4 : 16);
	rules[0].dst_len = (uint8_t)prefix_of(p->dst_mask, p->family == 4 ? 4 : 16);
	return 1;
}

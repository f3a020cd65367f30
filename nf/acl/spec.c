/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule of a configuration to a struct acl_spec. Which IP versions a rule is for follows from its
 * conditions: each says which it allows, and what they agree on is left.
 */
#include "nf/acl/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"
#include "kit/packet/wire.h"
#include "nf/acl/spec_int.h"
#include "nf/acl/text.h"
#include "nf/conntrack/track.h"

const char *const acl_action_names[ACL_ACTIONS] = { "accept", "drop", "reject", "continue", "jump",
	"goto", "return" };

const uint8_t acl_field_bits[ACL_FIELDS] = {
	[ACL_SRC4] = 32,
	[ACL_SRC6] = 128,
	[ACL_DST4] = 32,
	[ACL_DST6] = 128,
	[ACL_PROTO] = 8,
	[ACL_SPORT] = 16,
	[ACL_DPORT] = 16,
	[ACL_ICMP4] = 16,
	[ACL_ICMP6] = 16,
	[ACL_DSCP] = 6,
	[ACL_LENGTH] = 32,
	[ACL_INPUT] = 16,
	[ACL_OUTPUT] = 16,
	[ACL_VLAN] = 12,
	[ACL_MAC] = 48,
	[ACL_FRAGMENT] = 2,
};

#define IP4 1u
#define IP6 2u

/* Most rules have few of the many leaves, and looking for one means looking at all that are there. */
static uint64_t
name_bit(const char *name)
{
	size_t len = strlen(name);

	return 1ull << (((uint8_t)name[0] * 7u + (uint8_t)name[len - 1] * 3u + len * 11u) & 63u);
}

static void
note_names(struct acl_reader *w)
{
	const struct mr_conf *at;

	for (at = mr_conf_first(w->rule); at; at = mr_conf_sibling(at))
		w->names |= name_bit(mr_conf_name(at));
}

bool
acl_reader_may_have(const struct acl_reader *w, const char *name)
{
	return (w->names & name_bit(name)) != 0;
}

void
acl_reader_wrong(struct acl_reader *w, const struct mr_conf *at, const char *why)
{
	mr_report_at(w->r->report, w->r->config, at, "rule %s of list %s: %s", w->out->name,
	    w->list, why);
	w->error = w->error ? w->error : -EINVAL;
}

static void
allow(struct acl_reader *w, unsigned families, const char *leaf)
{
	for (unsigned i = 0; i < 2; i++) {
		if ((w->families & ~families) >> i & 1)
			w->because[i] = leaf;
	}
	w->families &= families;
}

/* -- sets of numbers ------------------------------------------------------------------------ */

static bool
fits(enum acl_set_type wanted, enum acl_set_type set)
{
	return wanted == set || (wanted == ACL_SET_NETWORK && set <= ACL_SET_NETWORK);
}

static void
add_set(struct acl_reader *w, const struct mr_conf *at, enum acl_set_type type,
    struct acl_ranges *to)
{
	const char *name = mr_conf_value(at) + 1;
	const struct acl_set *set = acl_set_find(w->r->sets, name);
	char why[ACL_WHY];

	if (!set) {
		struct mr_suggest near = { .word = name };

		for (unsigned i = 0; i < w->r->sets->count; i++)
			mr_suggest_try(&near, w->r->sets->at[i].name);
		snprintf(why, sizeof(why),
		    mr_suggest_best(&near) ? "there is no set \"%.60s\"; did you mean \"%.40s\"?"
					   : "there is no set \"%.60s\"",
		    name, mr_suggest_best(&near));
		acl_reader_wrong(w, at, why);
		return;
	}
	if (!fits(type, set->type)) {
		snprintf(why, sizeof(why), "set %.60s does not have what %s compares with", name,
		    mr_conf_name(at));
		acl_reader_wrong(w, at, why);
		return;
	}
	for (unsigned i = 0; i < 2; i++)
		if (acl_ranges_add_all(&to[i], &set->ranges[i]))
			w->error = -ENOMEM;
}

/* All that a leaf-list says; of addresses to[1] is IPv6's. */
static void
collect(struct acl_reader *w, const char *leaf, enum acl_set_type type, struct acl_ranges *to)
{
	const struct mr_conf *at;
	char why[ACL_WHY];

	mr_conf_each(at, w->rule, leaf) {
		if (mr_conf_value(at)[0] == '@')
			add_set(w, at, type, to);
		else if (!acl_element_add(to, type, w->r, mr_conf_value(at), why, &w->error))
			acl_reader_wrong(w, at, why);
	}
	acl_ranges_seal(&to[0]);
	acl_ranges_seal(&to[1]);
}

/* `leaf` and `leaf`-not to one set; `field` for the first of `to`, the other one behind it. */
static void
read_pair(struct acl_reader *w, const char *leaf, enum acl_set_type type, enum acl_field field,
    unsigned families)
{
	struct acl_ranges yes[2] = { 0 }, no[2] = { 0 };
	bool given = acl_reader_may_have(w, leaf) && mr_conf_present(w->rule, leaf), taken;
	char less[40];

	snprintf(less, sizeof(less), "%s-not", leaf);
	taken = acl_reader_may_have(w, less) && mr_conf_present(w->rule, less);
	if (!given && !taken)
		return;
	if (given)
		collect(w, leaf, type, yes);
	if (taken)
		collect(w, less, type, no);
	if (!given) {
		for (unsigned i = 0; i < families; i++)
			if (acl_ranges_add(&yes[i], 0, acl_all_ones(acl_field_bits[field + i])))
				w->error = -ENOMEM;
	}
	for (unsigned i = 0; i < families; i++) {
		struct acl_ranges *out = &w->out->field[field + i];

		if (acl_ranges_subtract(&yes[i], &no[i]))
			w->error = -ENOMEM;
		*out = yes[i];
		w->out->has |= 1u << (field + i);
	}
	for (unsigned i = 0; i < 2; i++)
		acl_ranges_free(&no[i]);
	if (families == 1)
		acl_ranges_free(&yes[1]);
}

static void
read_addresses(struct acl_reader *w, const char *leaf, enum acl_field field)
{
	const struct acl_ranges *to = &w->out->field[field];

	read_pair(w, leaf, ACL_SET_NETWORK, field, 2);
	if (!(w->out->has >> field & 1))
		return;
	allow(w, (to[0].count ? IP4 : 0) | (to[1].count ? IP6 : 0), leaf);
}

typedef bool parse_fn(const struct mr_conf *, struct acl_range *, char *why);

static void
read_words(struct acl_reader *w, const char *leaf, enum acl_field field, parse_fn *parse)
{
	const struct mr_conf *at;
	struct acl_range range;
	char why[ACL_WHY];

	if (!acl_reader_may_have(w, leaf))
		return;
	mr_conf_each(at, w->rule, leaf) {
		w->out->has |= 1u << field;
		if (!parse(at, &range, why))
			acl_reader_wrong(w, at, why);
		else if (acl_ranges_add(&w->out->field[field], range.first, range.last))
			w->error = -ENOMEM;
	}
	acl_ranges_seal(&w->out->field[field]);
}

static bool
parse_icmp4(const struct mr_conf *at, struct acl_range *out, char *why)
{
	return acl_text_icmp(mr_conf_value(at), 4, out, why);
}

static bool
parse_icmp6(const struct mr_conf *at, struct acl_range *out, char *why)
{
	return acl_text_icmp(mr_conf_value(at), 6, out, why);
}

static bool
parse_dscp(const struct mr_conf *at, struct acl_range *out, char *why)
{
	return acl_text_dscp(mr_conf_value(at), out, why);
}

static bool
parse_length(const struct mr_conf *at, struct acl_range *out, char *why)
{
	return acl_text_number(mr_conf_value(at), 65575, out, why);
}

static bool
parse_vlan(const struct mr_conf *at, struct acl_range *out, char *why)
{
	return acl_text_number(mr_conf_value(at), 4094, out, why);
}

/* -- what goes together ----------------------------------------------------------------------- */

/* The protocol that another condition implies: what was said must allow it. */
static void
imply(struct acl_reader *w, const char *leaf, unsigned protocol)
{
	struct acl_ranges *to = &w->out->field[ACL_PROTO];
	char why[ACL_WHY];

	if ((w->out->has >> ACL_PROTO & 1) && !acl_ranges_has(to, protocol)) {
		snprintf(why, sizeof(why), "%s is for %s, which its protocols are not", leaf,
		    acl_protocol_name(protocol));
		acl_reader_wrong(w, mr_conf_child(w->rule, leaf), why);
		return;
	}
	to->count = 0;
	if (acl_ranges_add(to, protocol, protocol))
		w->error = -ENOMEM;
	w->out->has |= 1u << ACL_PROTO;
}

static bool
has_ports(unsigned protocol)
{
	return protocol == MR_IP_PROTO_TCP || protocol == MR_IP_PROTO_UDP ||
	    protocol == MR_IP_PROTO_DCCP || protocol == MR_IP_PROTO_SCTP ||
	    protocol == MR_IP_PROTO_UDPLITE;
}

static void
check_ports(struct acl_reader *w)
{
	bool possible = false;

	if (!(w->out->has & (1u << ACL_SPORT | 1u << ACL_DPORT)) ||
	    !(w->out->has >> ACL_PROTO & 1) || w->error)
		return;
	for (unsigned p = 0; p < 256; p++)
		possible |= has_ports(p) && acl_ranges_has(&w->out->field[ACL_PROTO], p);
	if (!possible)
		acl_reader_wrong(w, mr_conf_child(w->rule, "protocol"),
		    "it asks for ports, which none of its protocols has");
}

static void
read_fragment(struct acl_reader *w)
{
	static const struct {
		const char *name;
		unsigned first, last;
	} kinds[] = { { "no", 0, 0 }, { "any", 2, 3 }, { "first", 2, 2 }, { "later", 3, 3 } };
	const char *text =
	    acl_reader_may_have(w, "fragment") ? mr_conf_text(w->rule, "fragment", "") : "";

	for (unsigned i = 0; i < MR_ARRAY_COUNT(kinds); i++) {
		if (strcmp(text, kinds[i].name))
			continue;
		w->out->has |= 1u << ACL_FRAGMENT;
		if (acl_ranges_add(&w->out->field[ACL_FRAGMENT], kinds[i].first, kinds[i].last))
			w->error = -ENOMEM;
	}
}

static void
read_states(struct acl_reader *w)
{
	static const char *const names[] = { "new", "established", "related", "invalid",
		"untracked" };
	const struct mr_conf *at;

	if (!acl_reader_may_have(w, "state"))
		return;
	mr_conf_each(at, w->rule, "state")
		for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++)
			if (!strcmp(mr_conf_value(at), names[i]))
				w->out->states |= (uint8_t)(1u << i);
}

static void
read_families(struct acl_reader *w)
{
	const char *family =
	    acl_reader_may_have(w, "family") ? mr_conf_text(w->rule, "family", NULL) : NULL;
	char why[ACL_WHY];

	if (family)
		allow(w, strcmp(family, "ip4") ? IP6 : IP4, "family");
	if (w->out->has >> ACL_ICMP4 & 1) {
		allow(w, IP4, "icmp-type");
		imply(w, "icmp-type", MR_IP_PROTO_ICMP);
	}
	if (w->out->has >> ACL_ICMP6 & 1) {
		allow(w, IP6, "icmp6-type");
		if (!(w->out->has >> ACL_ICMP4 & 1))
			imply(w, "icmp6-type", MR_IP_PROTO_ICMP6);
	}
	w->out->families = (uint8_t)w->families;
	if (w->families || w->error)
		return;
	if (w->because[0] == w->because[1])
		snprintf(why, sizeof(why), "no address is left of %s", w->because[0]);
	else
		snprintf(why, sizeof(why),
		    "%s rules out IPv4 and %s rules out IPv6: it can match nothing", w->because[0],
		    w->because[1]);
	acl_reader_wrong(w, w->rule, why);
}

static void
check_empty(struct acl_reader *w)
{
	static const struct {
		enum acl_field field;
		const char *leaf;
	} one[] = { { ACL_PROTO, "protocol" }, { ACL_SPORT, "source-port" },
		{ ACL_DPORT, "destination-port" }, { ACL_INPUT, "input" }, { ACL_OUTPUT, "output" },
		{ ACL_MAC, "source-mac" } };
	char why[ACL_WHY];

	for (unsigned i = 0; i < MR_ARRAY_COUNT(one) && !w->error; i++) {
		if (!(w->out->has >> one[i].field & 1) || w->out->field[one[i].field].count)
			continue;
		snprintf(why, sizeof(why), "nothing is left of %s: it can match nothing",
		    one[i].leaf);
		acl_reader_wrong(w, w->rule, why);
	}
}

int
acl_spec_read(struct acl_spec *out, const struct acl_reading *r, const struct mr_conf *rule,
    const char *list)
{
	struct acl_reader w = { .r = r,
		.rule = rule,
		.list = list,
		.out = out,
		.families = IP4 | IP6 };
	const char *flags;
	char why[ACL_WHY];

	note_names(&w);
	flags = acl_reader_may_have(&w, "tcp-flags") ? mr_conf_text(rule, "tcp-flags", NULL) : NULL;
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", mr_conf_key(rule));
	read_addresses(&w, "source", ACL_SRC4);
	read_addresses(&w, "destination", ACL_DST4);
	read_pair(&w, "protocol", ACL_SET_PROTOCOL, ACL_PROTO, 1);
	read_pair(&w, "source-port", ACL_SET_PORT, ACL_SPORT, 1);
	read_pair(&w, "destination-port", ACL_SET_PORT, ACL_DPORT, 1);
	read_pair(&w, "input", ACL_SET_INTERFACE, ACL_INPUT, 1);
	read_pair(&w, "output", ACL_SET_INTERFACE, ACL_OUTPUT, 1);
	read_pair(&w, "source-mac", ACL_SET_MAC, ACL_MAC, 1);
	read_words(&w, "icmp-type", ACL_ICMP4, parse_icmp4);
	read_words(&w, "icmp6-type", ACL_ICMP6, parse_icmp6);
	read_words(&w, "dscp", ACL_DSCP, parse_dscp);
	read_words(&w, "length", ACL_LENGTH, parse_length);
	read_words(&w, "vlan", ACL_VLAN, parse_vlan);
	read_fragment(&w);
	read_states(&w);
	acl_read_marks(&w);
	if (flags) {
		if (!acl_text_tcp_flags(flags, &out->tcp_mask, &out->tcp_value, why))
			acl_reader_wrong(&w, mr_conf_child(rule, "tcp-flags"), why);
		imply(&w, "tcp-flags", MR_IP_PROTO_TCP);
	}
	read_families(&w);
	check_empty(&w);
	check_ports(&w);
	acl_read_limit(&w);
	acl_read_log(&w);
	acl_read_action(&w);
	if (w.error)
		acl_spec_free(out);
	return w.error;
}

void
acl_spec_free(struct acl_spec *spec)
{
	for (unsigned i = 0; i < ACL_FIELDS; i++)
		acl_ranges_free(&spec->field[i]);
}

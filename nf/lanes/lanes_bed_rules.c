/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random access lists and connection tracking. Most rules let pass, since a flow that is
 * dropped tells little; what depends on cycles (limits, samples for the log) is left out.
 */
#include "nf/lanes/lanes_bed_int.h"

#define LISTS 5u

static const char *
one_of(struct bed_random *r, const char *const *words, unsigned count)
{
	return words[bed_draw(r, count)];
}

/* -- access lists ------------------------------------------------------------------------- */

static void
write_place(struct bed_random *r, bool six, struct bed_text *t)
{
	static const unsigned vlans[] = { 0, 7, 8 };
	unsigned n = BED_SUBNET(bed_draw(r, BED_PORTS), vlans[bed_draw(r, 3)]);

	switch (bed_draw(r, 5)) {
	case 0:
		bed_say(t, six ? "\"2001:db8::/%u\"" : "10.0.0.0/%u",
		    six ? 32 + bed_draw(r, 12) : 8 + bed_draw(r, 8));
		break;
	case 1:
		if (six)
			bed_say(t, "\"2001:db8:%x::9\"", n);
		else
			bed_say(t, "10.%u.0.9", n);
		break;
	case 2:
		n = bed_draw(r, BED_ROUTES);
		if (six)
			bed_say(t, "\"2001:db8:%x::/48\"", 0x100 + n);
		else
			bed_say(t, "10.%u.0.0/16", 100 + n);
		break;
	case 3:
		if (six)
			bed_say(t, "\"2001:db8:%x::9-2001:db8:%x::12\"", n, n);
		else
			bed_say(t, "\"10.%u.0.9-10.%u.0.18\"", n, n);
		break;
	default:
		if (six)
			bed_say(t, "\"2001:db8:%x::/64\"", n);
		else
			bed_say(t, "10.%u.0.0/24", n);
	}
}

static void
write_layer4(struct bed_random *r, bool six, struct bed_text *t)
{
	static const char *const flags[] = { "syn", "\"!syn\"", "\"syn,!ack\"", "ack", "rst" };
	static const char *const ports[] = { "80", "1024-20000", "0-1023", "30000-65535" };

	switch (bed_draw(r, 8)) {
	case 0:
		bed_say(t, ", protocol: tcp, tcp-flags: %s", one_of(r, flags, 5));
		break;
	case 1:
	case 2:
		bed_say(t, ", protocol: %s, destination-port: \"%s\"",
		    bed_draw(r, 2) ? "tcp" : "udp", one_of(r, ports, 4));
		break;
	case 3:
		bed_say(t, ", protocol: [tcp, udp], source-port: \"%s\"", one_of(r, ports, 4));
		break;
	case 4:
		if (six)
			bed_say(t, ", family: ip6, icmp6-type: %u", 128 + bed_draw(r, 2));
		else
			bed_say(t, ", family: ip4, icmp-type: %u", bed_draw(r, 2) * 8);
		break;
	default:
		break;
	}
}

static void
write_rest(struct bed_random *r, bool tracked, struct bed_text *t)
{
	static const char *const fragments[] = { "any", "first", "later", "\"no\"" };
	static const char *const states[] = { "new", "established", "related", "invalid",
		"untracked", "new, established", "established, related" };

	if (tracked && bed_one_in(r, 3))
		bed_say(t, ", state: [%s]", one_of(r, states, 7));
	if (bed_one_in(r, 16))
		bed_say(t, ", dscp: %u", bed_draw(r, 2) ? 46 : 0);
	if (bed_one_in(r, 16))
		bed_say(t, ", fragment: %s", one_of(r, fragments, 4));
	if (bed_one_in(r, 16))
		bed_say(t, ", vlan: %u", bed_draw(r, 2) ? 7 : 0);
	if (bed_one_in(r, 16))
		bed_say(t, ", input: [%c, %c]", 'a' + (int)bed_draw(r, 3),
		    'd' + (int)bed_draw(r, 3));
	if (bed_one_in(r, 30))
		bed_say(t, ", source-mac: \"02:00:00:00:ee:%02x\"", bed_draw(r, 24));
	/* Whoever looks at lengths walks. */
	if (bed_one_in(r, 400))
		bed_say(t, ", length: 60-500");
	if (bed_one_in(r, 10))
		bed_say(t, ", mark: \"%u\"", 1 + bed_draw(r, 3));
	if (bed_one_in(r, 8))
		bed_say(t, ", set-mark: \"%u\"", 1 + bed_draw(r, 3));
}

static void
write_rule(const struct bed_shape *s, struct bed_random *r, unsigned list, unsigned lists,
    unsigned k, struct bed_text *t)
{
	static const char *const actions[] = { "accept", "accept", "accept", "accept", "continue",
		"continue", "drop", "return" };
	static const char *const with[] = { "port-unreachable", "host-unreachable",
		"net-unreachable", "admin-prohibited", "tcp-reset" };
	bool six = bed_one_in(r, 3);

	bed_say(t, "        - {name: r%u", k);
	if (bed_draw(r, 2)) {
		bed_say(t, ", source: ");
		write_place(r, six, t);
	}
	if (bed_draw(r, 2)) {
		bed_say(t, ", destination: ");
		write_place(r, six, t);
	}
	write_layer4(r, six, t);
	write_rest(r, s->tracked, t);
	if (list + 1 < lists && bed_one_in(r, 4))
		bed_say(t, ", action: %s, to: l%u}\n", bed_draw(r, 3) ? "jump" : "goto",
		    list + 1 + bed_draw(r, lists - list - 1));
	else if (bed_one_in(r, 10))
		bed_say(t, ", action: reject, reject-with: %s}\n", one_of(r, with, 5));
	else
		bed_say(t, ", action: %s}\n", one_of(r, actions, 8));
}

static void
write_list(const struct bed_shape *s, struct bed_random *r, unsigned list, unsigned lists,
    struct bed_text *t)
{
	static const char *const decide[] = { "accept", "accept", "accept", "accept", "accept",
		"drop", "reject" };
	unsigned rules = bed_draw(r, 14);

	bed_say(t,
	    "    l%u:\n      default: %s\n      stateful: %s\n      neighbor-discovery: %s\n", list,
	    one_of(r, decide, 7), s->tracked && bed_draw(r, 2) ? "true" : "false",
	    bed_one_in(r, 4) ? "rules" : "accept");
	if (bed_one_in(r, 8))
		bed_say(t, "      ether: drop\n      ether-except: [0x88b5]\n");
	if (!rules)
		return;
	bed_say(t, "      rule:\n");
	for (unsigned k = 0; k < rules; k++)
		write_rule(s, r, list, lists, k, t);
}

void
bed_write_lists(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	unsigned lists = 1 + bed_draw(r, LISTS);

	if (bed_one_in(r, 3))
		return;
	bed_say(t, "acl:\n  reject-rate: 1000000\n");
	if (bed_one_in(r, 4))
		bed_say(t, "  default-out: l%u\n", bed_draw(r, lists));
	bed_say(t, "  list:\n");
	for (unsigned i = 0; i < lists; i++)
		write_list(s, r, i, lists, t);
	bed_say(t, "  interface:\n");
	for (unsigned p = 0; p < BED_PORTS; p++) {
		bool in = bed_draw(r, 2), out = bed_one_in(r, 3);

		if (in && out)
			bed_say(t, "    %c: {in: l%u, out: l%u}\n", 'a' + (int)p,
			    bed_draw(r, lists), bed_draw(r, lists));
		else
			bed_say(t, "    %c: {%s: l%u}\n", 'a' + (int)p, in ? "in" : "out",
			    bed_draw(r, lists));
	}
	if (s->tunnel && bed_draw(r, 2))
		bed_say(t, "    tun: {%s: l%u}\n", bed_draw(r, 2) ? "in" : "out",
		    bed_draw(r, lists));
}

/* -- connections -------------------------------------------------------------------------- */

static const char *
yes_or_no(struct bed_random *r, unsigned no)
{
	return bed_one_in(r, no) ? "false" : "true";
}

void
bed_plan_conntrack(struct bed_shape *s, struct bed_random *r)
{
	s->tracked = bed_draw(r, 2);
}

void
bed_write_conntrack(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	bool zones = bed_one_in(r, 3);

	/* Without settings of its own, too, where lists ask for states. */
	if (!s->tracked || bed_one_in(r, 4))
		return;
	bed_say(t,
	    "conntrack:\n  loose: %s\n  drop-invalid: %s\n  checksum: %s\n"
	    "  timeouts: {udp: %u, udp-stream: %u, icmp: %u, tcp-established: %u, "
	    "tcp-time-wait: %u}\n",
	    yes_or_no(r, 4), yes_or_no(r, 2), yes_or_no(r, 4), 1 + bed_draw(r, 20),
	    5 + bed_draw(r, 60), 1 + bed_draw(r, 20), 10 + bed_draw(r, 200), 1 + bed_draw(r, 10));
	if (zones)
		bed_say(t, "  zone: {one: {}, two: {max: %u}}\n", 100 + bed_draw(r, 1000));
	bed_say(t, "  interface:\n");
	for (unsigned p = 0; p < BED_PORTS; p++) {
		bed_say(t, "    %c: {", 'a' + (int)p);
		if (zones)
			bed_say(t, "zone: %s, ", bed_draw(r, 2) ? "two" : "one");
		if (bed_one_in(r, 6))
			bed_say(t, "source-max: %u, ", 5 + bed_draw(r, 50));
		bed_say(t, "syn-proxy: %s}\n", bed_one_in(r, 40) ? "\"on\"" : "\"off\"");
	}
}

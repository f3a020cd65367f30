/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random configurations. A network function takes part with one entry in the list at the end: what
 * it takes of the ports, and its text.
 */
#include "nf/lanes/lanes_bed_int.h"

#include <string.h>

static const unsigned vlan_of[2] = { 7, 8 };

/* -- ports, cross-connects --------------------------------------------------------------- */

static void
plan_ports(struct bed_shape *s, struct bed_random *r)
{
	static const unsigned mtus[] = { 0, 0, 0, 600, 1280, 1400 };
	bool alike = bed_draw(r, 2);

	for (unsigned p = 0; p < BED_PORTS; p++) {
		s->use[p] = BED_UNUSED;
		s->which[p] = 0;
		s->mtu[p] = mtus[bed_draw(r, MR_ARRAY_COUNT(mtus))];
		s->vlans[p] = alike && p ? s->vlans[0] : bed_draw(r, 2);
	}
}

static void
plan_cross(struct bed_shape *s, struct bed_random *r)
{
	unsigned one = BED_PORTS - 1, two = BED_PORTS - 2;

	if (!bed_one_in(r, 3))
		return;
	s->use[one] = s->use[two] = BED_CROSSED;
	s->which[one] = two;
	s->which[two] = one;
}

static void
write_ports(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	(void)r;
	bed_say(t, "system: {buffers: 8192}\ninterface:\n");
	for (unsigned p = 0; p < BED_PORTS; p++) {
		bed_say(t, "  %c: {driver: \"null\"", 'a' + (int)p);
		if (s->use[p] == BED_CROSSED)
			bed_say(t, ", cross-connect: %c", 'a' + (int)s->which[p]);
		if (s->use[p] != BED_ROUTED && s->mtu[p])
			bed_say(t, ", mtu: %u", s->mtu[p]);
		bed_say(t, "}\n");
	}
	if (s->tunnel)
		bed_say(t, "  tun: {driver: tunnel}\n");
}

/* -- bridges ------------------------------------------------------------------------------ */

static void
plan_bridges(struct bed_shape *s, struct bed_random *r)
{
	unsigned wanted = bed_draw(r, 2) ? 2 + bed_draw(r, 3) : 0;

	for (unsigned p = BED_PORTS; wanted > 0 && p-- > 0;) {
		if (s->use[p] != BED_UNUSED)
			continue;
		s->use[p] = BED_BRIDGED;
		s->which[p] = bed_one_in(r, 4);
		wanted--;
	}
}

static void
write_member(const struct bed_shape *s, unsigned p, struct bed_random *r, struct bed_text *t)
{
	bed_say(t, "      %c: {", 'a' + (int)p);
	if (s->vlans[p] && bed_draw(r, 8))
		bed_say(t, "trunk: \"7,8\"%s", bed_draw(r, 2) ? ", native: 7" : "");
	else if (s->vlans[p])
		bed_say(t, "access: %u", vlan_of[bed_draw(r, 2)]);
	else
		bed_say(t, "learning: %s", bed_one_in(r, 12) ? "false" : "true");
	if (bed_one_in(r, 12))
		bed_say(t, ", isolated: true");
	bed_say(t, "}\n");
}

/* A station of each port that only listens is behind the tunnel instead. */
static void
write_behind(const struct bed_shape *s, struct bed_text *t)
{
	bool plain = true;

	for (unsigned p = 0; p < BED_PORTS; p++)
		if (s->use[p] == BED_BRIDGED && s->which[p] == s->tunnel_bridge)
			plain &= !s->vlans[p];
	bed_say(t, plain ? "      tun: {}\n    static:\n" : "      tun: {trunk: \"7,8\"}\n");
	for (unsigned p = 0; plain && p < BED_PORTS; p++)
		bed_say(t, "      - {mac: \"02:00:00:00:ee:%02x\", vlan: 0, interface: tun}\n",
		    p * 4 + 3);
}

static void
write_bridges(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	bool any = false;

	for (unsigned k = 0; k < 2; k++) {
		bool begun = false;

		for (unsigned p = 0; p < BED_PORTS; p++) {
			if (s->use[p] != BED_BRIDGED || s->which[p] != k)
				continue;
			if (!any)
				bed_say(t, "bridge:\n");
			if (!begun)
				bed_say(t, "  br%u:\n    ageing-time: %u\n    interface:\n", k,
				    bed_draw(r, 2) ? 10 : 300);
			any = begun = true;
			write_member(s, p, r, t);
		}
		if (begun && s->tunnel && !s->tunnel_routed && s->tunnel_bridge == k)
			write_behind(s, t);
	}
}

/* -- routers ------------------------------------------------------------------------------ */

static void
plan_routers(struct bed_shape *s, struct bed_random *r)
{
	for (unsigned p = 0; p < BED_PORTS; p++) {
		if (s->use[p] != BED_UNUSED || bed_one_in(r, 8))
			continue;
		s->use[p] = BED_ROUTED;
		s->which[p] = bed_one_in(r, 4);
	}
}

static void
write_interface(const struct bed_shape *s, unsigned p, unsigned vlan, struct bed_random *r,
    struct bed_text *t)
{
	static const char *const reverse[] = { "off", "off", "off", "off", "loose", "strict" };
	unsigned n = BED_SUBNET(p, vlan);

	if (vlan)
		bed_say(t, "      %c.%u: {parent: %c, vlan: %u, ", 'a' + (int)p, vlan, 'a' + (int)p,
		    vlan);
	else
		bed_say(t, "      %c: {", 'a' + (int)p);
	bed_say(t,
	    "mac: \"02:00:00:00:aa:%02x\", address: [10.%u.0.1/24, \"2001:db8:%x::1/64\"], "
	    "neighbor: {duplicate-detection: false}, reverse-path4: %s, reverse-path6: %s",
	    vlan && bed_one_in(r, 8) ? 0x40 + p : p + 1, n, n, reverse[bed_draw(r, 6)],
	    reverse[bed_draw(r, 6)]);
	if (s->mtu[p])
		bed_say(t, ", mtu: %u", s->mtu[p] < 1280 && bed_draw(r, 2) ? 1280 : s->mtu[p]);
	if (bed_one_in(r, 4))
		bed_say(t, ", clamp-mss: true");
	if (bed_draw(r, 6))
		bed_say(t, ", redirects: false");
	bed_say(t, "}\n");
}

static void
write_static(unsigned p, unsigned vlan, struct bed_text *t)
{
	unsigned n = BED_SUBNET(p, vlan);
	char name[8] = { (char)('a' + p) };

	if (vlan) {
		name[1] = '.';
		name[2] = (char)('0' + vlan);
	}
	bed_say(t,
	    "        10.%u.0.9: {interface: %s, mac: \"02:00:00:00:%02x:09\"}\n"
	    "        \"2001:db8:%x::9\": {interface: %s, mac: \"02:00:00:00:%02x:09\"}\n",
	    n, name, n, n, name, n);
}

/* Next hops are mostly neighbours that are there, each in another subnet. */
static void
write_route(const unsigned *subnets, unsigned count, unsigned k, bool six, struct bed_random *r,
    struct bed_text *t)
{
	static const char *const actions[] = { "blackhole", "unreachable", "prohibit" };
	static const unsigned hosts[] = { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0x10, 0x11, 0x12, 0x66 };
	unsigned hops = bed_draw(r, 2) ? 1 : 2 + bed_draw(r, 3), first = bed_draw(r, count);

	if (k == BED_ROUTES)
		bed_say(t, six ? "      \"::/0\": {" : "      0.0.0.0/0: {");
	else if (six)
		bed_say(t, "      \"2001:db8:%x::/48\": {", 0x100 + k);
	else
		bed_say(t, "      10.%u.0.0/16: {", 100 + k);
	if (bed_one_in(r, 8)) {
		bed_say(t, "action: %s}\n", actions[bed_draw(r, 3)]);
		return;
	}
	bed_say(t, "via: [");
	for (unsigned h = 0; h < MR_MIN(hops, count); h++) {
		unsigned n = subnets[(first + h) % count], host = hosts[bed_draw(r, 14)];

		if (six)
			bed_say(t, "%s\"2001:db8:%x::%x\"", h ? ", " : "", n, host);
		else
			bed_say(t, "%s10.%u.0.%u", h ? ", " : "", n, host);
	}
	bed_say(t, "]}\n");
}

static void
write_router(const struct bed_shape *s, unsigned k, struct bed_random *r, struct bed_text *t)
{
	unsigned subnets[BED_PORTS * 3 + 1], count = 0;

	bed_say(t,
	    "  %c:\n"
	    "    icmp:\n"
	    "      errors: {rate: 100000000, burst: 1000000, destination-rate: 100000000, "
	    "destination-burst: 1000000}\n"
	    "      redirects: {rate: 100000000}\n"
	    "      echo-rate: 100000000\n"
	    "    interface:\n",
	    'r' + (int)k);
	for (unsigned p = 0; p < BED_PORTS; p++) {
		if (s->use[p] != BED_ROUTED || s->which[p] != k)
			continue;
		subnets[count++] = BED_SUBNET(p, 0);
		write_interface(s, p, 0, r, t);
		for (unsigned v = 0; s->vlans[p] && v < 2; v++) {
			subnets[count++] = BED_SUBNET(p, vlan_of[v]);
			write_interface(s, p, vlan_of[v], r, t);
		}
	}
	if (s->tunnel && s->tunnel_routed && s->which[s->tunnel_port] == k) {
		subnets[count++] = BED_TUNNEL_NET;
		bed_say(t,
		    "      tun: {mac: \"02:00:00:00:aa:70\", address: [10.%u.0.1/24, "
		    "\"2001:db8:%x::1/64\"], redirects: false, neighbor: {duplicate-detection: "
		    "false}}\n",
		    BED_TUNNEL_NET, BED_TUNNEL_NET);
	}
	bed_say(t, "    neighbor:\n      static:\n");
	if (s->tunnel && s->tunnel_routed && s->which[s->tunnel_port] == k)
		bed_say(t,
		    "        10.%u.0.9: {interface: tun, mac: \"02:00:00:00:%02x:09\"}\n"
		    "        \"2001:db8:%x::9\": {interface: tun, mac: \"02:00:00:00:%02x:09\"}\n",
		    BED_TUNNEL_NET, BED_TUNNEL_NET, BED_TUNNEL_NET, BED_TUNNEL_NET);
	for (unsigned p = 0; p < BED_PORTS; p++) {
		if (s->use[p] != BED_ROUTED || s->which[p] != k)
			continue;
		write_static(p, 0, t);
		for (unsigned v = 0; s->vlans[p] && v < 2; v++)
			write_static(p, vlan_of[v], t);
	}
	bed_say(t, "    route:\n");
	for (unsigned i = 0; i <= BED_ROUTES; i++) {
		write_route(subnets, count, i, false, r, t);
		write_route(subnets, count, i, true, r, t);
	}
}

static void
write_routers(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	bool any = false;

	for (unsigned k = 0; k < 2; k++) {
		for (unsigned p = 0; p < BED_PORTS; p++) {
			if (s->use[p] != BED_ROUTED || s->which[p] != k)
				continue;
			if (!any)
				bed_say(t, "router:\n");
			any = true;
			write_router(s, k, r, t);
			break;
		}
	}
}

/* -- tunnels --------------------------------------------------------------------------------- */

/* Its numbers are its own, so that the rest of a configuration is what it is without it. */
static void
plan_tunnel(struct bed_shape *s, struct bed_random *r)
{
	struct bed_random own = { .state = r->state ^ 0x7475 };
	unsigned first = bed_draw(&own, BED_PORTS);
	bool bridged = false, routed = false;

	for (unsigned k = 0; k < BED_PORTS; k++) {
		unsigned p = (first + k) % BED_PORTS;

		if (s->use[p] == BED_BRIDGED) {
			s->tunnel_bridge = s->which[p];
			bridged = true;
		} else if (s->use[p] == BED_ROUTED) {
			s->tunnel_port = p;
			routed = true;
		}
	}
	s->tunnel = routed;
	s->tunnel_routed = !bridged || bed_draw(&own, 2);
	s->tunnel_six = bed_one_in(&own, 3);
}

static void
write_tunnel(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	static const char *const dscp[] = { "copy", "copy", "46" };
	struct bed_random own = { .state = r->state ^ 0x6e6e };
	unsigned n = BED_SUBNET(s->tunnel_port, 0);
	/* Pieces are known by numbers that both lanes count for themselves. */
	bool pieces = bed_draw(&own, 2) && !s->tracked;

	if (!s->tunnel)
		return;
	bed_say(t, "tunnel: {tun: {router: %c, vxlan: {vni: 77}, fragment: %s, dscp: %s, ",
	    'r' + (int)s->which[s->tunnel_port], pieces ? "true" : "false",
	    dscp[bed_draw(&own, 3)]);
	if (s->tunnel_six)
		bed_say(t, "local: \"2001:db8:%x::1\", remote: [\"2001:db8:%x::9\"]}}\n", n, n);
	else
		bed_say(t, "local: 10.%u.0.1, remote: [10.%u.0.9]}}\n", n, n);
}

/* -- prefix translation ---------------------------------------------------------------------- */

/* Subnets of ports are inside, a prefix that routes lead to stands for them outside. */
static void
write_prefixes(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	unsigned inside = bed_draw(r, BED_PORTS), outside = bed_draw(r, BED_PORTS);

	if (!bed_one_in(r, 3) || inside == outside || s->use[inside] != BED_ROUTED ||
	    s->use[outside] != BED_ROUTED || s->which[inside] != s->which[outside])
		return;
	bed_say(t,
	    "nptv6: {instance: {p: {outside: [%c], inside: [%c], inside-prefix: "
	    "\"2001:db8:%x::/%u\", outside-prefix: \"2001:db8:%x::/%u\"}}}\n",
	    'a' + (int)outside, 'a' + (int)inside, inside, 48, 0x100 + bed_draw(r, BED_ROUTES), 48);
}

/* -- translation of addresses and ports ------------------------------------------------------ */

/* One routed port is outside, with addresses of its subnet; all others are inside. */
static void
write_nat(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	static const char *const behavior[] = { "endpoint-independent", "address-dependent",
		"address-and-port-dependent" };
	unsigned p = bed_draw(r, BED_PORTS), n = BED_SUBNET(p, 0);

	if (!bed_one_in(r, 3) || s->use[p] != BED_ROUTED)
		return;
	bed_say(t,
	    "nat: {instance: {n: {outside: [%c], pool: [10.%u.0.200-10.%u.0.203], hold-syn: 0, "
	    "mapping: %s, filtering: %s, timeouts: {udp: %u, icmp: %u}}}}\n",
	    'a' + (int)p, n, n, behavior[bed_draw(r, 3)], behavior[bed_draw(r, 3)],
	    10 + bed_draw(r, 100), 5 + bed_draw(r, 60));
}

/* -- load balancing -------------------------------------------------------------------------- */

/* Servers are neighbours of a router's ports; what the default route would take is a service. */
static void
write_services(const struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	static const char *const modes[] = { "nat", "nat", "l2", "ipip", "gue" };
	unsigned ports[BED_PORTS], count = 0, k = bed_one_in(r, 4), four = bed_draw(r, 5);
	unsigned six = bed_draw(r, 5), first;

	for (unsigned p = 0; p < BED_PORTS; p++)
		if (s->use[p] == BED_ROUTED && s->which[p] == k)
			ports[count++] = p;
	if (!bed_one_in(r, 3) || !count)
		return;
	bed_say(t, "lb:\n  max: 1024\n  seed: %u\n  interface: [", bed_draw(r, 1000));
	for (unsigned i = 0; i < count; i++)
		bed_say(t, "%s%c", i ? ", " : "", 'a' + (int)ports[i]);
	bed_say(t, "]\n  service:\n");
	for (unsigned n = 0; n < 4; n++) {
		bool is_six = n & 1;

		bed_say(t,
		    "    s%u: {router: %c, mode: %s, scheduler: %s, protocol: %s, port: [80], "
		    "syn-protection: \"off\", address: [",
		    n, 'r' + (int)k, modes[is_six ? six : four],
		    bed_draw(r, 2) ? "maglev" : "weighted-round-robin", n & 2 ? "udp" : "tcp");
		bed_say(t, is_six ? "\"2001:db8:c8::7\"], backend: {" : "10.200.0.7], backend: {");
		first = bed_draw(r, count);
		for (unsigned b = 0; b < MR_MIN(count, 3u); b++) {
			unsigned net = BED_SUBNET(ports[(first + b) % count], 0);

			if (is_six)
				bed_say(t, "%sb%u: {address: \"2001:db8:%x::9\"}", b ? ", " : "", b,
				    net);
			else
				bed_say(t, "%sb%u: {address: 10.%u.0.9}", b ? ", " : "", b, net);
		}
		bed_say(t, "}}\n");
	}
}

/* -- all ---------------------------------------------------------------------------------- */

const struct bed_generator bed_generators[] = {
	{ "ports", plan_ports, write_ports },
	{ "cross-connects", plan_cross, NULL },
	{ "bridges", plan_bridges, write_bridges },
	{ "routers", plan_routers, write_routers },
	{ "tunnel", plan_tunnel, write_tunnel },
	{ "acl", NULL, bed_write_lists },
	{ "conntrack", bed_plan_conntrack, bed_write_conntrack },
	{ "prefixes", NULL, write_prefixes },
	{ "nat", NULL, write_nat },
	{ "services", NULL, write_services },
};
const unsigned bed_generator_count = MR_ARRAY_COUNT(bed_generators);

void
bed_configuration(struct bed_shape *s, struct bed_random *r, struct bed_text *t)
{
	memset(s, 0, sizeof(*s));
	t->used = 0;
	for (unsigned i = 0; i < bed_generator_count; i++)
		if (bed_generators[i].plan)
			bed_generators[i].plan(s, r);
	for (unsigned i = 0; i < bed_generator_count; i++)
		if (bed_generators[i].write)
			bed_generators[i].write(s, r, t);
}

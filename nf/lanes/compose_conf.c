/* SPDX-License-Identifier: Apache-2.0 */

/* How each function writes itself into the configuration. */
#include <libgen.h>
#include <unistd.h>

#include "nf/lanes/compose_int.h"

const char *const compose_names[C_COUNT] = {
#define X(id, name) [C_##id] = name,
	COMPOSE_FUNCTIONS(X)
#undef X
};

static const char *
plugin_path(char path[512])
{
	ssize_t n = readlink("/proc/self/exe", path, 400);

	assert_true(n > 0);
	path[n] = '\0';
	dirname(path);
	strcat(path, "/../examples/no_telnet.so");
	return path;
}

/* Where hosts outside are. */
static const char *
outside(unsigned on)
{
	return C_ON(on, TUNNEL) ? "t" : "b";
}

static void
write_system(unsigned on, struct bed_text *t)
{
	char path[512];

	bed_say(t, "system: {buffers: 1024");
	if (C_ON(on, PLUGIN))
		bed_say(t, ", plugins: [\"%s\"]", plugin_path(path));
	bed_say(t, "}\ninterface:\n");
	for (unsigned p = 0; p < BED_PORTS; p++) {
		bed_say(t, "  %c: {driver: \"null\"", 'a' + (int)p);
		if (C_ON(on, CROSS) && p == 0)
			bed_say(t, ", cross-connect: %s", outside(on));
		if (C_ON(on, CROSS) && p == 1 && !C_ON(on, TUNNEL))
			bed_say(t, ", cross-connect: a");
		if (C_ON(on, PLUGIN) && p == 0)
			bed_say(t, ", input-nodes: [no-telnet]");
		bed_say(t, "}\n");
	}
	if (C_ON(on, TUNNEL))
		bed_say(t, "  t: {driver: tunnel%s}\n",
		    C_ON(on, CROSS) ? ", cross-connect: a" : "");
	if (C_ON(on, GATEWAY))
		bed_say(t,
		    "  house: {driver: pair, device: in}\n  in: {driver: pair, device: house}\n");
}

static void
write_bridges(unsigned on, struct bed_text *t)
{
	const char *tags = C_ON(on, VLAN) ? "trunk: \"7\"" : "";

	if (!C_ON(on, GATEWAY) && !C_ON(on, MEMBER))
		return;
	bed_say(t, "bridge:\n");
	if (C_ON(on, GATEWAY))
		bed_say(t, "  home:\n    interface: {a: {}, d: {}, house: {}}\n");
	if (C_ON(on, MEMBER))
		bed_say(t, "  br0:\n    interface: {a: {%s}, %s: {%s}}\n", tags, outside(on), tags);
}

static void
write_routed(const char *name, const char *more, unsigned n, struct bed_text *t)
{
	bed_say(t,
	    "      %s: {%smac: \"02:00:00:00:aa:%02x\", address: [10.%u.0.1/24, "
	    "\"2001:db8:%x::1/64\"], redirects: false, neighbor: {duplicate-detection: false}}\n",
	    name, more, n + 1, n, n);
}

static void
write_hosts(const char *name, unsigned n, struct bed_text *t)
{
	for (unsigned h = 9; h < 12; h++)
		bed_say(t,
		    "        10.%u.0.%u: {interface: %s, mac: \"02:00:00:00:%02x:%02x\"}\n"
		    "        \"2001:db8:%x::%u\": {interface: %s, mac: "
		    "\"02:00:00:00:%02x:%02x\"}\n",
		    n, h, name, n, h, n, h, name, n, h);
}

static void
write_routers(unsigned on, struct bed_text *t)
{
	bool routed = C_ON(on, GATEWAY) || (!C_ON(on, MEMBER) && !C_ON(on, CROSS));
	const char *in = C_ON(on, GATEWAY) ? "in" : "a", *out = outside(on);
	char vlan[8], more[32] = "";

	snprintf(vlan, sizeof(vlan), "%s.7", out);
	if (C_ON(on, VLAN))
		snprintf(more, sizeof(more), "parent: %s, vlan: 7, ", out);
	out = C_ON(on, VLAN) ? vlan : out;
	bed_say(t, "router:\n");
	if (C_ON(on, VRF))
		bed_say(t, "  first:\n    interface: {f: {address: [10.0.0.1/24, 10.1.0.1/25]}}\n");
	bed_say(t,
	    "  r:\n    icmp: {errors: {rate: 100000000, burst: 1000000, destination-rate: "
	    "100000000, destination-burst: 1000000}}\n    interface:\n");
	if (routed) {
		write_routed(in, "", 0, t);
		write_routed(out, more, 1, t);
	}
	write_routed("c", "", 2, t);
	if (C_ON(on, TUNNEL))
		bed_say(t,
		    "      b: {mac: \"02:00:00:00:aa:42\", address: [10.66.0.1/24], redirects: "
		    "false}\n");
	bed_say(t, "    neighbor:\n      static:\n");
	if (routed) {
		write_hosts(in, 0, t);
		write_hosts(out, 1, t);
	}
	write_hosts("c", 2, t);
	if (C_ON(on, TUNNEL))
		bed_say(t,
		    "        10.66.0.2: {interface: b, mac: \"02:00:00:00:66:02\"}\n"
		    "tunnel: {t: {router: r, local: 10.66.0.1, remote: [10.66.0.2], vxlan: {vni: "
		    "66}}}\n");
}

/* Rules see the inside's addresses, on both sides of all that is translated. */
static void
write_rules(unsigned on, struct bed_text *t)
{
	const char *in = C_ON(on, GATEWAY) ? "in" : "a";

	if (C_ON(on, RULES))
		bed_say(t,
		    "flow-rules: {rule: {x: {priority: 1, match: {interface: a, protocol: udp, "
		    "destination-port: \"9993\"}, action: drop}}}\n");
	if (C_ON(on, ACL_IN) || C_ON(on, ACL_OUT))
		bed_say(t,
		    "acl:\n  list:\n"
		    "    inside: {default: accept, rule: [{name: x, source: 10.0.0.9, protocol: "
		    "udp, "
		    "destination-port: \"9990\", action: drop}]}\n"
		    "    back: {default: accept, rule: [{name: x, destination: 10.0.0.9, protocol: "
		    "udp, source-port: \"9991\", action: drop}]}\n"
		    "    out: {default: accept, rule: [{name: x, source: 10.0.0.9, protocol: udp, "
		    "destination-port: \"9992\", action: drop}]}\n"
		    "  interface:\n");
	if (C_ON(on, ACL_IN))
		bed_say(t, "    %s: {in: inside}\n", in);
	if (C_ON(on, ACL_IN) && C_ON(on, ACL_OUT))
		bed_say(t, "    %s: {in: back, out: out}\n", outside(on));
	else if (C_ON(on, ACL_IN))
		bed_say(t, "    %s: {in: back}\n", outside(on));
	else if (C_ON(on, ACL_OUT))
		bed_say(t, "    %s: {out: out}\n", outside(on));
	if (C_ON(on, TRACK))
		bed_say(t, "conntrack: {drop-invalid: true, interface: [%s, %s, c]}\n", in,
		    outside(on));
}

static void
write_translators(unsigned on, struct bed_text *t)
{
	const char *in = C_ON(on, GATEWAY) ? "in" : "a";

	if (C_ON(on, NAT) || C_ON(on, FORWARD) || C_ON(on, STATIC))
		bed_say(t,
		    "nat: {instance: {home: {outside: [%s], inside: [%s, c], hold-syn: 0%s%s}}}\n",
		    outside(on), in,
		    C_ON(on, FORWARD)
			? ", forward: {web: {protocol: udp, port: 8080, to: 10.0.0.9, to-port: "
			  "8081}}"
			: "",
		    C_ON(on, STATIC) ? ", static: {box: {outside: 10.1.0.77, inside: 10.0.0.10}}"
				     : "");
	if (C_ON(on, NAT64))
		bed_say(t,
		    "nat64: {instance: {six: {outside: [%s], inside: [%s], pool: [10.1.0.200], "
		    "global-only: false}}}\n",
		    outside(on), in);
	if (C_ON(on, PREFIX))
		bed_say(t,
		    "nptv6: {instance: {p: {outside: [%s], inside: [%s], inside-prefix: "
		    "\"2001:db8::/48\", outside-prefix: \"2001:db8:f1::/48\"}}}\n",
		    outside(on), in);
}

static void
write_services(unsigned on, struct bed_text *t)
{
	if (!C_ON(on, LB) && !C_ON(on, IPIP) && !C_ON(on, L2))
		return;
	bed_say(t, "lb:\n  max: 1024\n  interface: [%s, %s, c]\n  service:\n",
	    C_ON(on, GATEWAY) ? "in" : "a", outside(on));
	if (C_ON(on, LB))
		bed_say(t,
		    "    web: {router: r, address: [10.200.0.1], protocol: udp, port: [80], "
		    "backend: "
		    "{one: {address: 10.2.0.9, port: 8080}}}\n");
	if (C_ON(on, IPIP))
		bed_say(t,
		    "    tunnel: {router: r, mode: ipip, address: [10.200.0.2], protocol: udp, "
		    "port: "
		    "[80], backend: {one: {address: 10.2.0.10}}}\n");
	if (C_ON(on, L2))
		bed_say(t,
		    "    direct: {router: r, mode: l2, address: [10.200.0.3], protocol: udp, port: "
		    "[80], backend: {one: {address: 10.2.0.11}}}\n");
}

void
compose_write(unsigned on, struct bed_text *t)
{
	write_system(on, t);
	write_bridges(on, t);
	write_routers(on, t);
	write_rules(on, t);
	write_translators(on, t);
	write_services(on, t);
}

/* SPDX-License-Identifier: Apache-2.0 */

/* The scenes: tests/drops/drops_int.h. */

#include "kit/base/def.h"
#include "tests/drops/drops_int.h"

#define DROP(port_, packet_, patch_, drop_, ...) \
	{ \
		.port = port_, .packet = packet_, .patch = patch_, .drop = drop_, __VA_ARGS__ \
	}
#define GIVE(port_, packet_) DROP(port_, packet_, NULL, NULL)
#define ACT(what, ...) \
	{ \
		.packet = what, __VA_ARGS__ \
	}
#define END \
	{ \
		.packet = NULL \
	}

#define PORTS \
	"system: {buffers: 8192, flight-recorder: {bytes: 2048}}\n" \
	"interface: {a: {driver: \"null\"}, b: {driver: \"null\"}, c: {driver: \"null\"}, d: " \
	"{driver: " \
	"\"null\"}, e: {driver: \"null\"}, f: {driver: \"null\"}}\n"

/* -- routing ------------------------------------------------------------------------------- */

static const char router_config[] =
    PORTS "router:\n"
	  "  r:\n"
	  "    interface:\n"
	  "      a: {address: [10.0.0.1/24, \"2001:db8:0::1/64\"], neighbor: {duplicate-detection: "
	  "false}, "
	  "reverse-path4: strict, reverse-path6: strict}\n"
	  "      b: {address: [10.1.0.1/24, \"2001:db8:1::1/64\"], neighbor: {duplicate-detection: "
	  "false}, "
	  "mtu: 1280}\n"
	  "      c: {address: [10.2.0.1/24], ipv6: false}\n"
	  "      d: {address: [\"2001:db8:3::1/64\"], neighbor: {duplicate-detection: false}}\n"
	  "      e: {address: [10.4.0.1/24, \"2001:db8:4::1/64\"], neighbor: {duplicate-detection: "
	  "false}, "
	  "unreachables: false}\n"
	  "    neighbor:\n"
	  "      static:\n"
	  "        10.0.0.9: {interface: a, mac: \"02:00:00:00:00:09\"}\n"
	  "        10.1.0.9: {interface: b, mac: \"02:00:00:00:01:09\"}\n"
	  "        \"2001:db8:1::9\": {interface: b, mac: \"02:00:00:00:01:09\"}\n"
	  "    route:\n"
	  "      10.100.0.0/16: {action: blackhole}\n"
	  "      10.101.0.0/16: {action: unreachable}\n"
	  "      10.102.0.0/16: {action: prohibit}\n"
	  "      10.103.0.0/16: {via: 10.1.0.77}\n"
	  "      \"2001:db8:100::/48\": {action: blackhole}\n";

#define V4 "src=10.0.0.9 dst=10.1.0.9 "
#define V6 "src=2001:db8:0::9 dst=2001:db8:1::9 "
#define OWN "src=10.0.0.9 dst=10.0.0.1 "
#define OWN6 "src=2001:db8:0::9 dst=2001:db8:0::1 "
#define FROM_E "src=10.4.0.9 "

static const struct drop_step router_steps[] = {
	DROP('a', "hex 020000000001020000000002", NULL, "ip-input: l2-short"),
	DROP('a', V4 "vlan=9", NULL, "ip-input: no-interface"),
	DROP('a', V4 "dmac=02:00:00:00:00:07", NULL, "ip-input: not-ours"),
	DROP('d', V4, NULL, "ip-input: ip4-disabled"),
	DROP('c', V6, NULL, "ip-input: ip6-disabled"),
	DROP('a', V4, "cut=24", "ip-input: ip4-short"),
	DROP('a', V4, "14=65", "ip-input: ip4-version"),
	DROP('a', V4, "14=44", "ip-input: ip4-header-length"),
	DROP('a', V4, "16=0400 sum4", "ip-input: ip4-total-length"),
	DROP('a', V4 "bad-checksum", NULL, "ip-input: ip4-checksum"),
	DROP('a', "src=224.0.0.9 dst=10.1.0.9", NULL, "ip-input: ip4-source"),
	DROP('a', V6, "cut=30", "ip-input: ip6-short"),
	DROP('a', V6, "14=40", "ip-input: ip6-version"),
	DROP('a', V6, "18=0400", "ip-input: ip6-payload-length"),
	DROP('a', "src=ff02::9 dst=2001:db8:1::9", NULL, "ip-input: ip6-source"),
	DROP('a', "src=10.0.0.9 dst=127.0.0.1", NULL, "ip-input: martian"),
	DROP('a', "src=10.0.0.9 dst=10.100.0.1", NULL, "ip-input: blackhole"),
	DROP('e', "src=2001:db8:4::9 dst=fe80::99", NULL, "ip-input: link-local"),
	DROP('a', "src=10.0.0.9 dst=10.1.0.255", NULL, "ip-input: directed-broadcast"),
	DROP('a', V4 "dmac=broadcast", NULL, "ip-input: l2-group"),
	DROP('a', "src=10.1.0.50 dst=10.1.0.9", NULL, "ip-input: reverse-path4"),
	DROP('a', "src=2001:db8:1::50 dst=2001:db8:1::9", NULL, "ip-input: reverse-path6"),
	DROP('f', V4, NULL, "interface-unused: not-used"),
	DROP('a', "src=10.0.0.9 dst=239.1.1.1 dmac=01:00:5e:01:01:01", NULL,
	    "ip-local: not-joined"),
	/* Where errors are not to be sent, they say why. */
	DROP('e', FROM_E "dst=10.1.0.9 ttl=1", NULL, "icmp-error: ttl-expired"),
	DROP('e', FROM_E "dst=192.0.2.1", NULL, "icmp-error: no-route"),
	DROP('e', FROM_E "dst=10.102.0.1", NULL, "icmp-error: prohibited"),
	DROP('e', FROM_E "dst=10.101.0.1", NULL, "icmp-error: host-unreachable"),
	DROP('a', V4 "icmp icmp-type=3 df len=1400", NULL, "icmp-error: too-big"),
	DROP('e', "src=fe80::9 dst=2001:db8:1::9", NULL, "icmp-error: beyond-scope"),
	DROP('e', FROM_E "dst=10.1.0.9 len=110", "14=46 34=44031500 sum4",
	    "icmp-error: parameter-problem"),
	DROP('e', FROM_E "dst=10.4.0.1 len=110", "14=47 34=8307040a01000900 sum4",
	    "icmp-error: source-route"),
	DROP('e', FROM_E "dst=10.1.0.9 ttl=1 dmac=broadcast", NULL, "ip-input: l2-group"),
	/* To ourselves. */
	DROP('a', OWN "frag=64 id=5", NULL, NULL),
	DROP('a', OWN "frag=64 id=5", NULL, "ip-reassembly: fragment-duplicate"),
	DROP('a', OWN "frag=72 id=5", NULL, "ip-reassembly: fragment-overlap", .count = 2),
	DROP('a', OWN "udp dport=9", "38=ffff", "ip-local: malformed"),
	DROP('a', OWN "udp dport=9", NULL, "ip-local: no-twin"),
	/* Neighbours. */
	DROP('a', "arp src=10.0.0.9 dst=10.0.0.1", "cut=30", "arp-input: short"),
	DROP('a', "arp src=10.0.0.9 dst=10.0.0.1", "20=0009", "arp-input: format"),
	DROP('a', "arp src=10.0.0.9 dst=10.0.0.1", "28=e0000001", "arp-input: sender-invalid"),
	DROP('a', "arp src=10.0.0.9 dst=10.0.0.77", NULL, "arp-input: not-for-us"),
	DROP('d', "arp src=10.0.0.9 dst=10.0.0.1", NULL, "arp-input: no-interface"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=86 ttl=64", NULL, "nd-input: nd-hop-limit"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=86 ttl=255 bad-l4-checksum", NULL,
	    "nd-input: nd-checksum"),
	DROP('a', OWN6 "icmp6 icmp-type=135 icmp-code=1 len=86 ttl=255", NULL, "nd-input: nd-code"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=64 ttl=255", NULL, "nd-input: nd-length"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=86 ttl=255",
	    "62=ff020000000000000000000000000001 sum", "nd-input: nd-target"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=86 ttl=255",
	    "62=20010db8000000000000000000000001 78=0100 sum", "nd-input: nd-option"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=86 ttl=255",
	    "62=20010db8000000000000000000000077 78=0101020000000009 sum", "nd-input: not-for-us"),
	DROP('a', "src=fe80::9 dst=2001:db8:0::1 icmp6 icmp-type=137 len=94 ttl=255", NULL,
	    "nd-input: ignored"),
	DROP('a', OWN6 "icmp6 icmp-type=137 len=94 ttl=255", NULL, "nd-input: nd-not-link-local"),
	DROP('a', OWN6 "icmp6 icmp-type=135 len=86 ttl=255",
	    "62=20010db8000000000000000000000077 78=0101 sum", "nd-input: sender-invalid"),
	DROP('a', "src=:: dst=2001:db8:0::1 icmp6 icmp-type=135 len=78 ttl=255",
	    "62=20010db8000000000000000000000001 sum", "nd-input: nd-unspecified"),
	DROP('a', "src=10.0.0.9 dst=10.1.0.77", NULL, "neighbor-resolve: neighbour-limited",
	    .times = 21),
	DROP('a', OWN "icmp bad-l4-checksum", NULL, "icmp-echo: icmp-checksum"),
	GIVE('a', OWN "frag=640 id=55"),
	ACT("tick", .ms = 40000, .drop = "ip-reassembly: fragment-timeout"),
	/* Ports. */
	ACT("full b"),
	DROP('a', V4, NULL, "port-tx: tx-full"),
	ACT("empty b"),
	ACT("down a", .ms = 1000),
	DROP('a', V4, NULL, "ip-input: interface-down"),
	ACT("up a", .ms = 1000),
	END,
};

/* -- bridging ------------------------------------------------------------------------------ */

static const char bridge_config[] = PORTS
    "bridge:\n"
    "  br0:\n"
    "    interface:\n"
    "      a: {trunk: \"7,8\"}\n"
    "      b: {access: 7, mac-limit: 1, mac-limit-action: drop}\n"
    "      c: {access: 7, split-horizon: 1}\n"
    "      d: {access: 7, split-horizon: 1, storm: {broadcast: 1, multicast: 1, unknown: 1}}\n"
    "      e: {access: 9}\n"
    "      f: {access: 7}\n"
    "    static:\n"
    "      - {mac: \"02:00:00:00:00:66\", vlan: 7}\n"
    "      - {mac: \"02:00:00:00:00:03\", vlan: 7, interface: c}\n";

#define FROM(n) "type=0x88b5 len=60 smac=02:00:00:00:00:0" #n " "
#define TO(n) "dmac=02:00:00:00:00:0" #n

static const struct drop_step bridge_steps[] = {
	DROP('f', "hex 0200000000010200000000", NULL, "bridge: too-short"),
	DROP('f', "type=0x88b5 len=60 smac=01:00:00:00:00:01 dmac=broadcast", NULL,
	    "bridge: source-invalid"),
	DROP('a', FROM(1) TO(2), NULL, "bridge: untagged"),
	DROP('a', FROM(1) "vlan=5 " TO(2), NULL, "bridge: vlan-not-allowed"),
	DROP('f', FROM(1) "dmac=01:80:c2:00:00:01", NULL, "bridge: reserved-address"),
	GIVE('f', FROM(6) TO(5)),
	DROP('f', FROM(5) TO(6), NULL, "bridge: same-port"),
	GIVE('c', FROM(3) TO(6)),
	DROP('d', FROM(4) TO(3), NULL, "bridge: split-horizon"),
	GIVE('b', FROM(2) TO(6)),
	DROP('b', FROM(7) TO(6), NULL, "bridge: mac-limit"),
	DROP('f', FROM(6) "dmac=02:00:00:00:00:66", NULL, "bridge: static-drop"),
	DROP('e', FROM(8) "dmac=broadcast", NULL, "bridge: no-target"),
	DROP('d', FROM(4) "dmac=broadcast", NULL, "bridge: storm-broadcast", .times = 9),
	DROP('d', FROM(4) "dmac=01:00:5e:01:01:01", NULL, "bridge: storm-multicast", .times = 9),
	DROP('d', FROM(4) "dmac=02:00:00:00:99:99", NULL, "bridge: storm-unknown", .times = 9),
	ACT("down c", .ms = 1000),
	DROP('f', FROM(6) TO(3), NULL, "bridge: port-down"),
	END,
};

/* -- access lists -------------------------------------------------------------------------- */

#define ROUTER \
	"router: {r: {interface: {a: {address: [10.0.0.1/24, \"2001:db8:0::1/64\"], neighbor: " \
	"{duplicate-detection: false}}, b: {address: [10.1.0.1/24, \"2001:db8:1::1/64\"], " \
	"neighbor: " \
	"{duplicate-detection: false}}, c: {address: [10.2.0.1/24], mtu: 600}}, neighbor: " \
	"{static: " \
	"{10.1.0.9: {interface: b, mac: \"02:00:00:00:01:09\"}, 10.0.0.9: {interface: a, mac: " \
	"\"02:00:00:00:00:09\"}, 10.2.0.9: {interface: c, mac: \"02:00:00:00:02:09\"}, " \
	"\"2001:db8:1::9\": {interface: b, mac: \"02:00:00:00:01:09\"}, \"2001:db8:0::9\": " \
	"{interface: " \
	"a, mac: \"02:00:00:00:00:09\"}}}, route: {0.0.0.0/0: {via: 10.1.0.9}, \"::/0\": {via: " \
	"\"2001:db8:1::9\"}}}}\n"

static const char acl_config[] =
    PORTS ROUTER "conntrack: {loose: false}\n"
		 "acl:\n"
		 "  reject-rate: 1\n"
		 "  list:\n"
		 "    l:\n"
		 "      default: drop\n"
		 "      stateful: true\n"
		 "      ether: drop\n"
		 "      ether-except: [0x0806]\n"
		 "      rule:\n"
		 "        - {name: bad, protocol: tcp, destination-port: 23, action: drop}\n"
		 "        - {name: no, protocol: udp, destination-port: 7, action: reject}\n"
		 "        - {name: web, protocol: tcp, destination-port: 80, action: accept}\n"
		 "  interface: {a: {in: l}}\n";

static const struct drop_step acl_steps[] = {
	DROP('a', V4 "tcp dport=23", NULL, "acl-in: acl-drop"),
	DROP('a', V4 "tcp dport=24", NULL, "acl-in: acl-default"),
	DROP('a', V4 "tcp dport=80 flags=ack", NULL, "acl-in: acl-invalid"),
	DROP('a', V4 "udp dport=7 dmac=broadcast", NULL, "acl-in: acl-reject"),
	DROP('a', V4 "udp dport=7", NULL, "acl-in: acl-reject-limited", .times = 2),
	DROP('a', V6, "14=60 20=00 54=3aff", "acl-in: acl-malformed"),
	DROP('a', "type=0x88b5 dmac=broadcast", NULL, "acl-in: acl-ether"),
	END,
};

/* -- connections --------------------------------------------------------------------------- */

static const char track_config[] = PORTS ROUTER "conntrack:\n"
						"  loose: false\n"
						"  drop-invalid: true\n"
						"  checksum: true\n"
						"  zone: {z: {max: 1}}\n"
						"  interface: {a: {source-max: 2}, b: {zone: z}}\n";

static const struct drop_step track_steps[] = {
	DROP('a', V4 "tcp flags=ack", NULL, "track: conntrack-invalid"),
	GIVE('a', "src=10.0.0.8 dst=10.2.0.9 udp sport=1 dport=1"),
	GIVE('a', "src=10.0.0.8 dst=10.2.0.9 udp sport=1 dport=2"),
	DROP('a', "src=10.0.0.8 dst=10.2.0.9 udp sport=1 dport=3", NULL,
	    "confirm: conntrack-source-connections"),
	GIVE('b', "src=10.1.0.9 dst=10.2.0.9 udp sport=1 dport=1"),
	DROP('b', "src=10.1.0.9 dst=10.2.0.9 udp sport=1 dport=2", NULL,
	    "confirm: conntrack-zone-full"),
	GIVE('a', "src=10.0.0.7 dst=10.2.0.9 udp frag=64 id=77"),
	ACT("tick", .ms = 40000, .drop = "track: fragment-late"),
	END,
};

/* -- translation --------------------------------------------------------------------------- */

static const char nat_config[] = PORTS ROUTER
    "nat:\n"
    "  max: 1024\n"
    "  instance:\n"
    "    n: {outside: [b], inside: [a], pool: [10.1.0.200], ports: 1024-1027, hold-syn: 0, "
    "mapping: "
    "endpoint-independent, filtering: address-dependent, quarantine: 0, limits: {udp: 2}, pcp: "
    "{enabled: true}}\n"
    "    s: {outside: [c], inside: [a], pool: [10.2.0.200], hold-syn: 0, limits: {rate: 1}}\n";

static const struct drop_step nat_steps[] = {
	DROP('b', "src=10.1.0.9 dst=10.1.0.200 udp dport=1024", NULL, "nat-in: nat-no-mapping"),
	DROP('a', V4 "proto=99", NULL, "nat-out: nat-protocol"),
	GIVE('a', V4 "udp sport=1024 dport=5"),
	DROP('b', "src=10.1.0.10 dst=10.1.0.200 udp dport=1024", NULL, "nat-in: nat-filtered"),
	GIVE('a', V4 "udp sport=1025 dport=5"),
	DROP('a', V4 "udp sport=1026 dport=5", NULL, "nat-out: nat-subscriber-limit"),
	GIVE('a', "src=10.0.0.7 dst=10.1.0.9 udp sport=1026 dport=5"),
	GIVE('a', "src=10.0.0.7 dst=10.1.0.9 udp sport=1027 dport=5"),
	DROP('a', "src=10.0.0.6 dst=10.1.0.9 udp sport=1027 dport=5", NULL, "nat-out: nat-no-port"),
	GIVE('a', "src=10.0.0.9 dst=10.2.0.9 udp sport=1 dport=1"),
	DROP('a', "src=10.0.0.9 dst=10.2.0.9 udp sport=2 dport=1", NULL,
	    "nat-out: nat-subscriber-rate"),
	DROP('b', "src=10.1.0.9 dst=10.1.0.200 icmp icmp-type=3 icmp-code=3",
	    "42=450000380000000040110000"
	    "0a0100c80a0100090400000500240000 36=ffff",
	    "nat-in: nat-checksum"),
	DROP('b', "src=10.1.0.9 dst=10.1.0.200 icmp icmp-type=3 len=50", NULL,
	    "nat-in: nat-malformed"),
	DROP('a', "src=10.0.0.9 dst=10.0.0.1 udp dport=5351", "42=0281", "nat-in: nat-pcp"),
	GIVE('b', "src=10.1.0.9 dst=10.1.0.200 udp frag=64 id=78"),
	ACT("tick", .ms = 40000, .drop = "nat-in: nat-fragment-late"),
	END,
};

static const char nat64_config[] = PORTS ROUTER
    "nat64: {instance: {n: {inside: [a], outside: [b], pool: [10.1.0.220], ports: 1024-1025, "
    "subscriber-ports: 1}}}\n";

#define TO64 "src=2001:db8:0::9 dst=64:ff9b::808:808 "

static const struct drop_step nat64_steps[] = {
	DROP('a', "src=2001:db8:0::9 dst=64:ff9b::a01:9 udp", NULL, "nat64: nat64-not-global"),
	DROP('a', "src=64:ff9b::808:809 dst=64:ff9b::808:808 udp", NULL, "nat64: nat64-source"),
	DROP('a', TO64 "proto=99", NULL, "nat64: nat64-protocol"),
	DROP('a', TO64 "tcp flags=ack", NULL, "nat64: nat64-no-binding"),
	GIVE('a', TO64 "udp sport=1024 dport=5"),
	DROP('a', TO64 "udp sport=1025 dport=5", NULL, "nat64: nat64-subscriber-limit"),
	GIVE('a', "src=2001:db8:0::8 dst=64:ff9b::808:808 udp sport=1025 dport=5"),
	DROP('a', "src=2001:db8:0::7 dst=64:ff9b::808:808 udp sport=1025 dport=5", NULL,
	    "nat64: nat64-no-port"),
	GIVE('b', "src=8.8.8.8 dst=10.1.0.220 udp frag=64 id=78"),
	ACT("tick", .ms = 40000, .drop = "nat64: nat64-fragment-late"),
	END,
};

static const char prefix_config[] = PORTS ROUTER
    "nptv6: {instance: {p: {outside: [b], inside: [a], inside-prefix: \"2001:db8:0::/48\", "
    "outside-prefix: \"2001:db8:ff::/48\"}}}\n";

static const struct drop_step prefix_steps[] = {
	DROP('a', "src=2001:db8:0:ffff::9 dst=2001:db8:1::9", NULL, "nptv6-out: nptv6-unmappable"),
	END,
};

/* -- services ------------------------------------------------------------------------------ */

static const char lb_config[] = PORTS ROUTER
    "lb:\n"
    "  max: 1024\n"
    "  interface: [a]\n"
    "  service:\n"
    "    none: {router: r, protocol: udp, port: [80], syn-protection: \"off\", address: "
    "[10.200.0.1], backend: {}}\n"
    "    one: {router: r, protocol: udp, port: [80], syn-protection: \"off\", address: "
    "[10.200.0.2], backend: {x: {address: 10.1.0.9, max-connections: 1}}}\n"
    "    far: {router: r, mode: l2, protocol: udp, port: [80], syn-protection: \"off\", address: "
    "[10.200.0.3], backend: {x: {address: 192.0.2.9}}}\n";

#define TO_LB "src=10.0.0.9 dst=10.200.0."

static const struct drop_step lb_steps[] = {
	DROP('a', TO_LB "1 udp dport=80", NULL, "lb: lb-no-backend"),
	GIVE('a', TO_LB "2 udp sport=1 dport=80"),
	DROP('a', TO_LB "2 udp sport=2 dport=80", NULL, "lb: lb-backends-full"),
	DROP('a', TO_LB "3 udp dport=80", NULL, "lb: lb-no-neighbor"),
	DROP('a', TO_LB "2 udp dport=80 frag=64", NULL, "lb: lb-fragment-early"),
	END,
};

/* -- flow rules and pairs of interfaces ---------------------------------------------------- */

static const char rules_config[] = PORTS ROUTER
    "flow-rules:\n"
    "  meter: {m: {rate: 1, burst: 1}}\n"
    "  rule:\n"
    "    no: {priority: 1, match: {protocol: tcp, destination-port: \"23\"}, action: drop}\n"
    "    slow: {priority: 2, match: {protocol: udp, destination-port: \"7\"}, meter: m, action: "
    "pass}\n"
    "    old: {priority: 3, match: {protocol: udp, destination-port: \"8\"}, decrement-ttl: true, "
    "action: pass}\n"
    "    out: {priority: 4, match: {protocol: udp, destination-port: \"9\"}, action: output, to: "
    "f}\n";

static const struct drop_step rules_steps[] = {
	DROP('a', V4 "tcp dport=23", NULL, "flow-rules: flow-rule"),
	/* The second of the same flow is replayed. */
	DROP('a', V4 "tcp dport=23", NULL, "flow-rules: flow-rule"),
	DROP('a', V4 "tcp dport=23", NULL, "flow-rules: flow-rule"),
	DROP('a', V4 "udp dport=7", NULL, "flow-rules: flow-meter", .times = 2),
	DROP('a', V4 "udp dport=8 ttl=1", NULL, "flow-rules: flow-ttl"),
	DROP('a', V4 "udp dport=9 len=1600", NULL, "flow-rules: flow-too-long"),
	ACT("down f", .ms = 1000),
	DROP('a', V4 "udp dport=9", NULL, "port-tx: port-down"),
	END,
};

const struct drop_scene drop_scenes[] = {
	{ "router", router_config, router_steps },
	{ "bridge", bridge_config, bridge_steps },
	{ "acl", acl_config, acl_steps },
	{ "conntrack", track_config, track_steps },
	{ "nat", nat_config, nat_steps },
	{ "nat64", nat64_config, nat64_steps },
	{ "nptv6", prefix_config, prefix_steps },
	{ "lb", lb_config, lb_steps },
	{ "flow-rules", rules_config, rules_steps },
	{ .name = NULL },
};

const struct drop_excuse drop_excuses[] = {
	{ "no-verdict", "only a broken node gives none" },
	{ "not-known", "only a broken control thread sends such" },
	{ "no-headroom", "what ports receive has room in front of it" },
	{ "no-room", "what ports receive has room in front of it" },
	{ "lb-no-headroom", "what ports receive has room in front of it" },
	{ "flow-headroom", "what ports receive has room in front of it" },
	{ "xlat-no-room", "what ports receive has room in front of it" },
	{ "echo-no-buffer", "no memory" },
	{ "fragment-no-buffer", "no memory" },
	{ "tx-unsettled", "no memory" },
	{ "handoff-full", "of several workers: kit/graph/graph_test.c" },
	{ "handoff-stale", "of several workers: kit/graph/graph_test.c" },
	{ "stale", "a change between two nodes of one pass" },
	{ "no-adjacency", "a change between two nodes of one pass" },
	{ "fragment-waits", "only explanations drop so" },
	{ "fragment-explained", "only explanations drop so" },
	{ "nat-explained", "only explanations drop so" },
	{ "nat64-explained", "only explanations drop so" },
	{ "xlat-ok", "never a reason: xlat's codes begin with it" },
	{ "options-header", "the nodes before look at it" },
	{ "fragment-header", "the nodes before look at it" },
	{ "mss-header", "the nodes before look at it" },
	{ "not-echo", "the nodes before look at it" },
	{ "not-valid", "the nodes before look at it" },
	{ "nobody", "all of a router's parts are there" },
	{ .drop = NULL },
};

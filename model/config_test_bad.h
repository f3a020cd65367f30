/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for config_test.c: what is wrong, the file, everything said about it. */
    {"yaml syntax: unclosed map",
	"system: {workers: 0\n",
	"t:2:1: not YAML: did not find expected ',' or '}', while parsing a flow "
	"mapping that begins in line 1"},
    {"yaml syntax: tab",
	"system:\n"
	"\011workers: 0\n",
	"t:2:1: not YAML: a tab cannot indent; use spaces"},
    {"yaml syntax: bad indentation",
	"system:\n"
	"  workers: 0\n"
	" mode: poll\n",
	"t:3:2: not YAML: did not find expected key, while parsing a block mapping "
	"that begins in line 1"},
    {"yaml syntax: unclosed quote",
	"system: {workers: \"0}\n",
	"t:2:1: not YAML: found unexpected end of stream, while scanning a quoted "
	"scalar that begins in line 1"},
    {"not utf-8",
	"system: {workers: \377}\n",
	"t:1:19: not UTF-8: byte 0xff"},
    {"control character",
	"system: {workers: \001}\n",
	"t:1:19: not text: control character 0x01"},
    {"two documents",
	"system: {}\n"
	"---\n"
	"system: {}\n",
	"t:2:1: a second document begins here; a file is one configuration"},
    {"unknown tag",
	"system: !magic {}\n",
	"t:1:9: the tag \"!magic\" means nothing here"},
    {"unknown anchor",
	"system: *nobody\n",
	"t:1:9: there is no anchor \"nobody\" above this"},
    {"anchor inside itself",
	"interface: &a {x: *a}\n",
	"t:1:19: \"*a\" stands inside what it refers to"},
    {"merge of a word",
	"system: {<<: 5}\n",
	"t:1:14: << needs a map, or a sequence of maps"},
    {"a map as a key",
	"system: {{a: b}: 5}\n",
	"t:1:10: a key must be a single word"},
    {"not a map",
	"- system\n",
	"t:1:1: a configuration is a map, not a sequence"},
    {"a word alone",
	"system\n",
	"t:1:1: a configuration is a map, not a single value"},
    {"unknown key at the top",
	"sytem: {}\n",
	"t:1:1: unknown key \"sytem\"; did you mean \"system\"? known here: system, "
	"table, interface"},
    {"unknown key, nothing near",
	"frobnicate: {}\n",
	"t:1:1: unknown key \"frobnicate\"; known here: system, table, interface"},
    {"unknown key below",
	"table: {br0: {agein: 300}}\n",
	"t:1:15: table/br0: unknown key \"agein\"; did you mean \"ageing\"? known "
	"here: name, ageing, patience, small, any8, any-signed, ratio, on, flag, code, "
	"shape, address, network, mac, vlans, limit, rate, tags, order, member, fixed, "
	"slot, storm, extra, by-port, by-name, by-both, by-word, by-sign, kind, "
	"colour, smell"},
    {"unknown key deep",
	"table: {br0: {extra: {lo: 3}}}\n",
	"t:1:23: table/br0/extra: unknown key \"lo\"; did you mean \"low\"? known "
	"here: low, high"},
    {"key twice",
	"system: {mode: poll, mode: adaptive}\n",
	"t:1:22: system: \"mode\" is there twice; the first is in line 1"},
    {"entry twice in a map",
	"interface:\n"
	"  lan1: {}\n"
	"  lan1: {}\n",
	"t:3:3: interface: \"lan1\" is there twice; the first is in line 2"},
    {"entry twice in a sequence",
	"interface:\n"
	"  - name: lan1\n"
	"  - name: lan2\n"
	"  - name: lan1\n",
	"t:4:5: interface/lan1: is there twice; the first is in line 2"},
    {"entry twice by two keys",
	"interface: [lan1]\n"
	"table:\n"
	"  t:\n"
	"    member: [lan1]\n"
	"    fixed:\n"
	"      - {vlan: 1, mac: '02:00:00:00:00:01', interface: lan1}\n"
	"      - {mac: '02:00:00:00:00:01', interface: lan1, vlan: 1}\n",
	"t:7:9: table/t/fixed/1/02:00:00:00:00:01: is there twice; the first is in "
	"line 6"},
    {"not a number",
	"table: {br0: {ageing: fast}}\n",
	"t:1:23: table/br0/ageing: \"fast\" is not a number of seconds between 10 and "
	"1000000"},
    {"number too large",
	"table: {br0: {ageing: 2000000}}\n",
	"t:1:23: table/br0/ageing: \"2000000\" is not a number of seconds between 10 "
	"and 1000000"},
    {"number with a unit, too large",
	"table: {br0: {ageing: 20d}}\n",
	"t:1:23: table/br0/ageing: \"20d\" is not a number of seconds between 10 and "
	"1000000"},
    {"time that is no whole number of seconds",
	"table: {br0: {ageing: 10500ms}}\n",
	"t:1:23: table/br0/ageing: \"10500ms\" is not a number of seconds between 10 "
	"and 1000000"},
    {"number with an unknown unit",
	"table: {br0: {rate: 5 kg}}\n",
	"t:1:21: table/br0/rate: \"5 kg\" is not a number from 0 up"},
    {"a time where a count belongs",
	"table: {br0: {rate: 5s}}\n",
	"t:1:21: table/br0/rate: \"5s\" is not a number from 0 up"},
    {"number in a hole of its range",
	"table: {br0: {small: 7}}\n",
	"t:1:22: table/br0/small: \"7\" is not a number between -5 and 5 or 10"},
    {"number too small",
	"table: {br0: {small: -6}}\n",
	"t:1:22: table/br0/small: \"-6\" is not a number between -5 and 5 or 10"},
    {"number of no range",
	"table: {br0: {any8: 256, any-signed: 40000}}\n",
	"t:1:21: table/br0/any8: \"256\" is not a number between 0 and 255\n"
	"t:1:38: table/br0/any-signed: \"40000\" is not a number between -32768 and "
	"32767"},
    {"number beyond 64 bits",
	"table: {br0: {rate: 18446744073709551616}}\n",
	"t:1:21: table/br0/rate: \"18446744073709551616\" is not a number from 0 up"},
    {"negative where none is",
	"table: {br0: {rate: -1}}\n",
	"t:1:21: table/br0/rate: \"-1\" is not a number from 0 up"},
    {"not decimal",
	"table: {br0: {ratio: half}}\n",
	"t:1:22: table/br0/ratio: \"half\" is not a decimal number"},
    {"neither true nor false",
	"table: {br0: {on: maybe}}\n",
	"t:1:19: table/br0/on: \"maybe\" is not true or false"},
    {"value for an empty leaf",
	"table: {br0: {flag: 5}}\n",
	"t:1:21: table/br0/flag: \"5\" is a value; this is set by being there, without "
	"one"},
    {"no such word",
	"system: {pages: 3m}\n",
	"t:1:17: system/pages: \"3m\" is not one of auto, 1g, 2m, thp, 4k; did you "
	"mean \"2m\"?"},
    {"no such word, one near",
	"system: {mode: adaptiv}\n",
	"t:1:16: system/mode: \"adaptiv\" is not one of adaptive, poll; did you mean "
	"\"adaptive\"?"},
    {"text too short",
	"table: {br0: {code: a}}\n",
	"t:1:21: table/br0/code: \"a\" is not text of 2 to 4 or 8 characters"},
    {"text of no length",
	"table: {br0: {code: abcde}}\n",
	"t:1:21: table/br0/code: \"abcde\" is not text of 2 to 4 or 8 characters"},
    {"empty text",
	"interface: {lan1: {device: ''}}\n",
	"t:1:28: interface/lan1/device: \"\" is not text of 1 to 4095 characters"},
    {"text of a wrong form",
	"table: {br0: {shape: xyz}}\n",
	"t:1:22: table/br0/shape: \"xyz\" is not text of the form a+b"},
    {"bad name",
	"interface: {'-x': {}}\n",
	"t:1:13: interface: \"-x\" is not a name of letters, digits and _ . @ : - that "
	"begins with a letter, digit or _"},
    {"name too long",
	"interface: {abcdefghijklmnopqrstuvwxyz0123456789: {}}\n",
	"t:1:13: interface: \"abcdefghijklmnopqrstuvwxyz0123456789\" is not text of 1 "
	"to 31 characters"},
    {"not an address",
	"table: {br0: {address: 10.0.0.300}}\n",
	"t:1:24: table/br0/address: \"10.0.0.300\" is not an IP address"},
    {"not a prefix",
	"table: {br0: {network: 10.0.0.0/33}}\n",
	"t:1:24: table/br0/network: \"10.0.0.0/33\" is not an IPv4 prefix such as "
	"192.0.2.0/24"},
    {"not a mac",
	"table: {br0: {mac: 02-00-00-00-00-01}}\n",
	"t:1:20: table/br0/mac: \"02-00-00-00-00-01\" is not a MAC address such as "
	"02:00:00:00:00:01"},
    {"not vlans",
	"table: {br0: {vlans: '10,5000'}}\n",
	"t:1:22: table/br0/vlans: \"10,5000\" is not a list of VLANs between 1 and "
	"4094 such as 10,20-30"},
    {"range that goes down",
	"table: {br0: {vlans: '10,30-20'}}\n",
	"t:1:22: table/br0/vlans: \"10,30-20\" has a range that goes downwards: 30-20"},
    {"not a vlan in a sequence",
	"table: {br0: {vlans: [10, 20-30, blue]}}\n",
	"t:1:34: table/br0/vlans: \"blue\" is not a list of VLANs between 1 and 4094 "
	"such as 10,20-30"},
    {"not in a union",
	"table: {br0: {limit: 200}}\n",
	"t:1:22: table/br0/limit: \"200\" is not a number between 1 and 100, or none"},
    {"leaf without value",
	"table: {br0: {ageing: }}\n",
	"t:1:23: table/br0/ageing: has no value; it needs a number of seconds between "
	"10 and 1000000"},
    {"map for a leaf",
	"table: {br0: {ageing: {seconds: 5}}}\n",
	"t:1:23: table/br0/ageing: needs a single value (a number of seconds between "
	"10 and 1000000), not a map"},
    {"sequence for a leaf",
	"table: {br0: {ageing: [5]}}\n",
	"t:1:23: table/br0/ageing: needs a single value (a number of seconds between "
	"10 and 1000000), not a sequence"},
    {"word for a container",
	"system: fast\n",
	"t:1:9: system: needs a map of settings, not a single value"},
    {"sequence for a container",
	"system: [fast]\n",
	"t:1:9: system: needs a map of settings, not a sequence"},
    {"word for a list",
	"interface: lan1\n",
	"t:1:12: interface: needs a map by its entries' names, or a sequence, not a "
	"single value"},
    {"word for an entry",
	"interface: {lan1: veth1}\n",
	"t:1:19: interface/lan1: needs a map of settings, not a single value"},
    {"map for a list of two keys",
	"table: {br0: {fixed: {1: {}}}}\n",
	"t:1:22: table/br0/fixed: needs a sequence of entries (\"- vlan: ...\"), not a "
	"map"},
    {"sequence entry without key",
	"interface:\n"
	"  - device: veth1\n",
	"t:2:5: interface: entry 1 of the sequence has no \"name\""},
    {"sequence entry without second key",
	"table: {br0: {fixed: [{vlan: 5}]}}\n",
	"t:1:23: table/br0/fixed: entry 1 of the sequence has no \"mac\""},
    {"sequence entry that is a sequence",
	"interface: [[lan1]]\n",
	"t:1:13: interface: entry 1 of the sequence needs to be a map, not a sequence"},
    {"key contradicted",
	"interface: {lan1: {name: lan2}}\n",
	"t:1:26: interface/lan1/name: is \"lan1\" already, by the key of its entry"},
    {"missing leaf",
	"table: {br0: {storm: {}}}\n",
	"t:1:15: table/br0/storm: \"packets\" is missing; it needs a number from 0 up"},
    {"missing value of an option",
	"interface: {lan1: {options: [queues]}}\n",
	"t:1:30: interface/lan1/options/queues: \"value\" is missing; it needs text of "
	"at most 4095 characters"},
    {"option without value",
	"interface: {lan1: {options: {queues: }}}\n",
	"t:1:30: interface/lan1/options/queues: \"value\" is missing; it needs text of "
	"at most 4095 characters"},
    {"too few",
	"system: {stage: {s: {cpus: 1}}}\n",
	"t:1:18: system/stage/s: \"nodes\" has 0 entries; at least 1 is needed"},
    {"too many",
	"table: {br0: {tags: [a, b, c, d]}}\n",
	"t:1:31: table/br0/tags/d: is one too many: 4 entries, at most 3 are allowed"},
    {"too many entries",
	"table: [a, b, c, d, e]\n",
	"t:1:21: table/e: is one too many: 5 entries, at most 4 are allowed"},
    {"value twice",
	"table: {br0: {tags: [a, b, a]}}\n",
	"t:1:28: table/br0/tags/a: is there twice; the first is in line 1"},
    {"reference to nothing",
	"interface: [lan1, lan2]\n"
	"table:\n"
	"  br0:\n"
	"    member: [lan1, lan9]\n",
	"t:4:20: table/br0/member/lan9/interface: no interface named \"lan9\"; did you "
	"mean \"lan1\"? there are lan1, lan2"},
    {"reference to nothing at all",
	"table: {br0: {member: [lan1]}}\n",
	"t:1:24: table/br0/member/lan1/interface: no interface named \"lan1\"; there "
	"is none"},
    {"reference within its own table",
	"interface: [lan1, lan2]\n"
	"table:\n"
	"  a: {member: [lan1]}\n"
	"  b:\n"
	"    member: [lan2]\n"
	"    fixed: [{vlan: 1, mac: '02:00:00:00:00:01', interface: lan1}]\n",
	"t:6:60: table/b/fixed/1/02:00:00:00:00:01/interface: no member named "
	"\"lan1\"; did you mean \"lan2\"? there is lan2"},
    {"reference to itself",
	"interface: {lan1: {cross-connect: lan1}}\n",
	"t:1:35: interface/lan1/cross-connect: \"lan1\" is the interface itself"},
    {"must with words",
	"table: {br0: {extra: {low: 5, high: 3}}}\n",
	"t:1:15: table/br0/extra: has a low above its high"},
    {"must without words",
	"table: {br0: {extra: {high: 0}}}\n",
	"t:1:29: table/br0/extra/high: \"0\" breaks the rule . > 0"},
    {"when with words",
	"table: {br0: {colour: red}}\n",
	"t:1:23: table/br0/colour: is not allowed here: only a table with kind: fancy "
	"has one"},
    {"when without words",
	"table: {br0: {smell: bad}}\n",
	"t:1:22: table/br0/smell: is allowed only when ../kind = 'fancy'"},
    {"two of a choice",
	"table:\n"
	"  br0:\n"
	"    by-port: 5\n"
	"    by-name: x\n",
	"t:4:5: table/br0/by-name: excludes \"by-port\"; one of the two can be there"},
    {"two of a nested choice",
	"table: {br0: {by-name: x, by-both: 5, by-word: x}}\n",
	"t:1:27: table/br0/by-both: excludes \"by-name\"; one of the two can be there\n"
	"t:1:39: table/br0/by-word: excludes \"by-name\"; one of the two can be there"},
    {"not unique",
	"table:\n"
	"  br0:\n"
	"    slot:\n"
	"      1: {holder: a}\n"
	"      2: {holder: b}\n"
	"      3: {holder: a}\n",
	"t:6:7: table/br0/slot/3: has the same holder as table/br0/slot/1"},
    {"character that wants quotes",
	"system: {mode: @x}\n",
	"t:1:16: not YAML: @ cannot begin a value; put it between quotes"},
    {"state",
	"interface: {lan1: {index: 5}}\n",
	"t:1:20: interface/lan1/index: is state: millrace reports it and it cannot be "
	"configured"},
    {"null byte",
	"interface: {lan1: {description: \"a\\0b\"}}\n",
	"t:1:33: interface/lan1/description: holds a null byte"},
    {"null byte in a key",
	"interface: {\"lan\\0\": {}}\n",
	"t:1:13: a key holds a null byte"},
    {"long value",
	"system: {mode: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}\n",
	"t:1:16: system/mode: "
	"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is not "
	"one of adaptive, poll"},
    {"value of many lines",
	"system: {mode: \"a\\nb\"}\n",
	"t:1:16: system/mode: \"a\\nb\" is not one of adaptive, poll"},
    {"several at once",
	"system: {mode: fast, buffers: 5}\n"
	"table: {a: {extra: {colour: red}}}\n"
	"interface:\n"
	"  lan1: {mtu: 5}\n"
	"  lan2: {cross-connect: lan7, rx-queues: 0}\n",
	"t:1:16: system/mode: \"fast\" is not one of adaptive, poll\n"
	"t:1:31: system/buffers: \"5\" is not a number between 1024 and 16777216\n"
	"t:2:21: table/a/extra: unknown key \"colour\"; known here: low, high\n"
	"t:4:15: interface/lan1/mtu: \"5\" is not a number between 68 and 16000\n"
	"t:5:25: interface/lan2/cross-connect: no interface named \"lan7\"; did you "
	"mean \"lan1\"? there are lan1, lan2\n"
	"t:5:42: interface/lan2/rx-queues: \"0\" is not a number between 1 and 64"},
    {"through an alias",
	"interface:\n"
	"  lan1: &x {mtu: 5}\n"
	"  lan2: *x\n",
	"t:2:18: interface/lan1/mtu: \"5\" is not a number between 68 and 16000\n"
	"t:2:18: interface/lan2/mtu: \"5\" is not a number between 68 and 16000"},
    {"through a merge",
	"interface:\n"
	"  lan1: &x {mtu: 1500}\n"
	"  lan2: {<<: *x, mtu: 5}\n",
	"t:3:23: interface/lan2/mtu: \"5\" is not a number between 68 and 16000"},

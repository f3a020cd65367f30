// SPDX-License-Identifier: Apache-2.0
// What needs no data plane: the decoder, the layout, the reader of YAML. An expression that a test
// evaluates in a page of the dashboard; its value is what went wrong, and how much was tried.
(async () => {
	const [{ decode, fromHex, toHex, frameOf, ip6Text, addressBytes, onTheWire }, { layout }, { chains }, yaml, format, { counts }, flows, { Ring, ratesOf }] = await Promise.all(
		["decode", "layout", "paint", "yaml", "format", "routes", "flows", "store"].map((name) => import("/web/" + name + ".js")));
	const wrong = [];
	let tried = 0;
	const is = (what, got, want) => {
		tried++;
		if (JSON.stringify(got) !== JSON.stringify(want))
			wrong.push(what + ": " + JSON.stringify(got) + ", not " + JSON.stringify(want));
	};
	const names = (hex) => decode(fromHex(hex)).layers.map((l) => l.name);
	const field = (hex, layer, name) => decode(fromHex(hex)).layers.find((l) => l.name === layer)?.fields.find((f) => f.name === name);

	// -- the decoder: frames written by hand from the RFCs ------------------------------------
	const eth = "02000000000102000000000208";
	const udp = eth + "00" + "4500001c000040004011b6b1" + "0a000001" + "0a000102" + "0035d43100080000";
	is("UDP", names(udp), ["Ethernet", "IPv4", "UDP"]);
	is("addresses", [field(udp, "IPv4", "Source").value, field(udp, "IPv4", "Destination").value], ["10.0.0.1", "10.0.1.2"]);
	is("ports", [field(udp, "UDP", "Source port").value, field(udp, "UDP", "Source port").note, field(udp, "UDP", "Destination port").value], ["53", "domain", "54321"]);
	is("where a field stands", [field(udp, "IPv4", "TTL").at, field(udp, "IPv4", "TTL").size, field(udp, "UDP", "Length").at], [22, 1, 38]);
	is("no checksum", field(udp, "UDP", "Checksum").note, "none");
	is("VLAN", names("020000000001020000000002" + "8100600a" + udp.slice(24)), ["Ethernet", "VLAN", "IPv4", "UDP"]);
	is("VLAN number", field("020000000001020000000002" + "8100600a" + udp.slice(24), "VLAN", "VLAN").value, "10");
	const arp = "ffffffffffff020000000002" + "0806" + "0001080006040001" + "020000000002" + "0a000001" + "000000000000" + "0a000002";
	is("ARP", decode(fromHex(arp)).layers[1].summary, "who has 10.0.0.2? tell 10.0.0.1");
	is("padding", decode(fromHex(arp + "0000000000")).layers.map((l) => l.name), ["Ethernet", "ARP", "Padding"]);
	const syn = frameOf({ source: "192.0.2.1", destination: "198.51.100.9", protocol: 6, "source-port": 40000, "destination-port": 443 });
	is("TCP", decode(syn).layers.map((l) => l.name), ["Ethernet", "IPv4", "TCP"]);
	is("made checksums", [field(toHex(syn), "IPv4", "Checksum").note, field(toHex(syn), "TCP", "Checksum").note], ["right", "right"]);
	is("flags", field(toHex(syn), "TCP", "Flags").value, "ACK");
	for (const [source, destination] of [["192.0.2.1", "198.51.100.9"], ["2001:db8::1", "2001:db8:1::2"]])
		for (const protocol of [6, 17, source.includes(":") ? 58 : 1]) {
			const made = toHex(frameOf({ source, destination, protocol, "source-port": 7, "destination-port": protocol === 58 ? 128 : protocol === 1 ? 8 : 9, vlan: 5 }));
			const layer = { 6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMPv6" }[protocol];
			is(source + " protocol " + protocol, [names(made).slice(0, 2), field(made, layer, "Checksum")?.note], [["Ethernet", "VLAN"], "right"]);
		}
	const bad = syn.slice();
	bad[40] ^= 1;
	is("a wrong checksum", field(toHex(bad), "TCP", "Checksum").note, "wrong");
	const left = syn.slice();
	left.set([0, 0], 50);
	const partial = (() => { // the sum of addresses, protocol and length alone
		let sum = 6 + 20;
		for (let i = 26; i < 34; i += 2)
			sum += left[i] << 8 | left[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		return sum;
	})();
	left.set([partial >> 8, partial & 255], 50);
	is("left to the device", field(toHex(left), "TCP", "Checksum").note, "left to the device");
	is("made right for the wire", toHex(onTheWire(left, left.length)), toHex(syn));
	const six = frameOf({ source: "2001:db8::1", destination: "ff02::1", protocol: 17, "source-port": 1, "destination-port": 5353 });
	is("IPv6", [names(toHex(six)), field(toHex(six), "IPv6", "Destination").value], [["Ethernet", "IPv6", "UDP"], "ff02::1"]);
	const unreachable = eth + "00" + "45000038000040004001b69a" + "0a000001" + "0a000102" + "0303000000000000" + udp.slice(28);
	is("what an error is about", names(unreachable).slice(2), ["ICMP", "In it: IPv4", "In it: UDP"]);
	is("which error", decode(fromHex(unreachable)).layers[2].summary, "destination unreachable: port");
	for (const [bytes, text] of [["00000000000000000000000000000000", "::"], ["00000000000000000000000000000001", "::1"], ["20010db8000000000001000000000001", "2001:db8::1:0:0:1"], ["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"]]) {
		is("RFC 5952 " + text, ip6Text(fromHex(bytes)), text);
		is("and back " + text, toHex(Uint8Array.from(addressBytes(text))), bytes);
	}
	// Cut anywhere, or of anything, it neither fails nor says what is not there.
	let seed = 1;
	const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
	for (const hex of [udp, arp, toHex(syn), toHex(six), unreachable])
		for (let n = 0; n <= hex.length / 2; n++) {
			const { layers } = decode(fromHex(hex.slice(0, 2 * n)));
			for (const l of layers)
				for (const f of l.fields)
					if (f.at + f.size > n)
						wrong.push("a field past the end of " + hex.slice(0, 2 * n));
			tried++;
		}
	for (let n = 0; n < 3000; n++) {
		const base = fromHex([udp, arp, toHex(syn), toHex(six), unreachable][n % 5]);
		for (let k = 0; k < 4; k++)
			base[Math.floor(random() * base.length)] = Math.floor(random() * 256);
		try {
			decode(base);
			onTheWire(base, base.length + 10);
		} catch (error) {
			wrong.push("decode " + toHex(base) + ": " + error);
		}
		tried++;
	}

	// -- the layout ---------------------------------------------------------------------------
	const box = (id) => ({ id, width: 100, height: 40 });
	const diamond = { nodes: ["a", "b", "c", "d"].map(box), edges: [["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"], ["d", "a"]].map(([from, to], i) => ({ id: "e" + i, from, to })) };
	const laid = layout(diamond);
	is("columns", ["a", "b", "c", "d"].map((id) => laid.nodes.get(id).column), [0, 1, 1, 2]);
	is("the way back", [...laid.edges].map(([, e]) => e.back), [false, false, false, false, true]);
	const apart = (r, what) => {
		const list = [...r.nodes.values()];
		for (let i = 0; i < list.length; i++)
			for (let k = 0; k < i; k++) {
				const a = list[i], b = list[k];
				if (Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 0.01 && Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 0.01)
					wrong.push(what + ": two nodes overlap");
			}
		tried++;
	};
	apart(laid, "diamond");
	for (let n = 0; n < 30; n++) {
		const count = 2 + Math.floor(random() * 60), nodes = Array.from({ length: count }, (_, i) => ({ id: "n" + i, width: 80 + random() * 100, height: 30 + random() * 200 }));
		const edges = Array.from({ length: Math.floor(count * 1.6) }, (_, i) => ({ id: "e" + i, from: "n" + Math.floor(random() * count), to: "n" + Math.floor(random() * count) }));
		const r = layout({ nodes, edges });
		apart(r, "random graph " + n);
		for (const e of edges) {
			const a = r.nodes.get(e.from), b = r.nodes.get(e.to);
			if (e.from !== e.to && (a.column < b.column) === r.edges.get(e.id).back)
				wrong.push("random graph " + n + ": an edge leads the wrong way");
		}
		const again = layout({ nodes, edges }, r);
		is("stable " + n, [...again.nodes.keys()].length, count);
	}
	is("nothing", layout({ nodes: [], edges: [] }).nodes.size, 0);
	// A node more, at the end of one branch, changes no column's order.
	const more = layout({ nodes: [...diamond.nodes, box("e")], edges: [...diamond.edges, { id: "x", from: "d", to: "e" }] }, laid);
	is("same order", laid.nodes.get("b").y < laid.nodes.get("c").y, more.nodes.get("b").y < more.nodes.get("c").y);
	const node = (id) => ({ id, kind: "node" });
	is("stacks", chains({ nodes: ["a", "b", "c", "d"].map(node), edges: [["a", "b"], ["b", "c"], ["a", "d"], ["c", "a"]].map(([from, to]) => ({ from, to })) }), [["b", "c", "a"], ["d"]]);
	is("a ring", chains({ nodes: ["a", "b"].map(node), edges: [["a", "b"], ["b", "a"]].map(([from, to]) => ({ from, to })) }), [["a", "b"]]);

	// -- YAML ---------------------------------------------------------------------------------
	const text = "interface:\n  lan1: {device: eth1, options: {queues: 2}}\n  lan2:\n    mtu: 9000 # large\nacl:\n  list:\n    a:\n      rule:\n        - name: web\n          action: accept\n";
	is("paths", yaml.paths(text).map((p) => p && p.join("/")), ["interface", "interface/lan1", "interface/lan2", "interface/lan2/mtu", "acl", "acl/list", "acl/list/a", "acl/list/a/rule", "acl/list/a/rule/name", "acl/list/a/rule/action", null]);
	is("at the caret", yaml.pathAt(text, text.indexOf("9000")).join("/"), "interface/lan2/mtu");
	is("in braces", yaml.pathAt(text, text.indexOf("eth1")).join("/"), "interface/lan1/device");
	is("in braces of braces", yaml.pathAt(text, text.indexOf("queues") + 2).join("/"), "interface/lan1/options/queues");
	is("line of a path", yaml.lineOf(text, "interface/lan2/mtu"), 3);
	is("parts give the line back", text.split("\n").map((l) => yaml.parts(l).map((p) => p[1]).join("")), text.split("\n"));
	const model = { children: [{ name: "interface", kind: "list", key: "name", children: [{ name: "mtu", kind: "leaf" }] }] };
	is("model of an entry", [yaml.find(model, ["interface", "lan2"]).entry, yaml.find(model, ["interface", "lan2", "mtu"]).node.name], [true, "mtu"]);

	// -- numbers --------------------------------------------------------------------------------
	is("short", [0, 5, 12.34, 999, 999.6, 1234, 45678, 1e6, 12345678, NaN].map((n) => format.short(n)), ["0", "5", "12.3", "999", "1.00 k", "1.23 k", "45.7 k", "1.00 M", "12.3 M", "–"]);
	is("duration", [5, 65, 3700, 90000].map(format.duration), ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
	is("a time of nanoseconds", format.date(1795270674558000000).getTime(), 1795270674558);
	is("counts", counts("router a\nstatic     IPv4          4  3 active\nlocal IPv6 2\n"), [{ router: "a", source: "static", family: "IPv4", count: 4, note: "3 active" }, { router: "a", source: "local", family: "IPv6", count: 2, note: "" }]);
	is("filters", flows.filters("10.0.0.0/8 udp 53 lan1", ["lan1"]), { address: "10.0.0.0/8", protocol: "udp", port: "53", interface: "lan1" });
	is("no filter", flows.filters("nonsense", ["lan1"]), null);
	const ring = new Ring(3);
	[1, 2, 3, 4].forEach((v) => ring.push(v));
	is("ring", [ring.get(0), ring.last(), ring.max(), ring.length], [2, 4, 4, 3]);
	const look = (at, packets, cycles) => ({ at, interfaces: [], system: { hz: 1e9, packets: { received: packets, sent: 0, dropped: 0 }, worker: [{ id: 0, "busy-cycles": cycles }],
		node: [{ name: "a", packets, cycles, calls: packets, next: [{ edge: "x", node: "b", packets }], send: [{ port: "p", node: "port-tx", packets: 0 }] }], drop: [] } });
	const r = ratesOf(look(10, 0, 0), look(12, 1000, 5000));
	is("rates", [r.received, r.nodes.get("a").perPacket, r.edges.get("a\nx"), r.cycles], [500, 5, 500, 5]);
	return { tried, wrong };
})()

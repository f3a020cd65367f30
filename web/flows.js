// SPDX-License-Identifier: Apache-2.0
// The flow lane's flows: the largest, found where they are, so that a million cost nothing here.

import * as api from "./api.js";
import { frameOf, toHex } from "./decode.js";
import { h, put, text } from "./dom.js";
import { explain } from "./explain.js";
import { bps, bytes, count, duration, pps, protocol, short } from "./format.js";
import { fact } from "./graph.js";
import { store } from "./store.js";
import { Table } from "./table.js";

export const title = "Flows";

const PROTOCOLS = ["tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp"];
let by = "rate", top = 100;

const keyOf = (f) => [f.interface, f.worker, f.vlan, f.protocol, f.source, f.destination, f["source-port"], f["destination-port"]].join(" ");
const at = (address, port, proto) => (proto === 6 || proto === 17 || proto === 132 ? (address.includes(":") ? "[" + address + "]" : address) + ":" + port : address);
export const ends = (f) => [at(f.source, f["source-port"], f.protocol), at(f.destination, f["destination-port"], f.protocol)];

// "10.0.0.0/8 udp 53 lan1" as the filters that the data plane knows; what is none is null.
export function filters(words, interfaces) {
	const query = {};
	for (const w of words.trim().split(/\s+/).filter(Boolean)) {
		if (PROTOCOLS.includes(w.toLowerCase()))
			query.protocol = w.toLowerCase();
		else if (/^:?\d{1,5}$/.test(w) && Number(w.replace(":", "")) < 65536)
			query.port = w.replace(":", "");
		else if (interfaces.includes(w))
			query.interface = w;
		else if (/^[\d.]+(\/\d+)?$/.test(w) || /^[\da-f:.]*:[\da-f:.]*(\/\d+)?$/i.test(w))
			query.address = w;
		else
			return null;
	}
	return query;
}

export function show(page) {
	const search = h("input", { type: "search", class: "search wide", placeholder: "Address, prefix, port, protocol or interface", "aria-label": "Find flows: address, prefix, port, protocol or interface" });
	const order = h("select", { "aria-label": "Largest by" }, [["rate", "by packets/s"], ["packets", "by packets"], ["bytes", "by bytes"]].map(([v, say]) => h("option", { value: v, selected: v === by }, say)));
	const many = h("select", { "aria-label": "How many" }, [50, 100, 500].map((n) => h("option", { value: String(n), selected: n === top }, "top " + n)));
	const note = h("span", { class: "muted num" });
	const rates = new Map();
	let rows = [], total = 0;
	const now = (f) => rates.get(keyOf(f)) || {};
	const table = new Table({
		label: "Flows", key: keyOf, open: (f) => open(f), sort: "rate", empty: "No flow is like that.",
		columns: [
			{ key: "ends", label: "Flow", sort: (f) => f.source, class: "mono", grow: true, cell: (td, f) => {
				const [a, b] = ends(f);
				if (!td.firstChild)
					td.append(h("span"), h("span", { class: "muted", "aria-label": "to" }, " → "), h("span"));
				text(td.firstChild, a);
				text(td.lastChild, b);
			} },
			{ key: "protocol", label: "Protocol", sort: (f) => f.protocol, cell: (td, f) => protocol(f.protocol) },
			{ key: "interface", label: "From", sort: (f) => f.interface, cell: (td, f) => f.interface + (f.vlan ? "." + f.vlan : "") },
			{ key: "rate", label: "Packets/s", number: true, sort: (f) => now(f).packets ?? f.packets / (f.age + 1), cell: (td, f) => short(now(f).packets) },
			{ key: "bits", label: "Bit/s", number: true, sort: (f) => now(f).bits ?? f.bytes / (f.age + 1), cell: (td, f) => short(now(f).bits) },
			{ key: "packets", label: "Packets", number: true, class: "hide-small", sort: (f) => f.packets, cell: (td, f) => count(f.packets) },
			{ key: "bytes", label: "Bytes", number: true, class: "hide-small", sort: (f) => f.bytes, cell: (td, f) => bytes(f.bytes) },
			{ key: "age", label: "Age", number: true, class: "hide-medium", sort: (f) => f.age, cell: (td, f) => duration(f.age) },
			{ key: "idle", label: "Idle", number: true, class: "hide-medium", sort: (f) => f.idle, cell: (td, f) => duration(f.idle) },
		],
	});
	const lanes = h("div", { class: "lanes" });
	put(page.main, h("section", { class: "view", "aria-label": "Flows" },
		h("div", { class: "bar" }, search, order, many, h("span", { class: "space" }), note), table.element, lanes));
	page.search = search;

	let before = new Map(), asked = "", wait = null;
	async function refresh() {
		clearTimeout(wait);
		const query = filters(search.value, store.interfaces.map((i) => i.name));
		search.setAttribute("aria-invalid", String(!query));
		if (!query) {
			table.update([]);
			table.say("\"" + search.value.trim() + "\" is no address, prefix, port, protocol or interface.");
			return;
		}
		const target = "/state/lanes/flows?" + new URLSearchParams({ form: "json", top, by, ...query });
		const when = performance.now();
		asked = target;
		try {
			if (!store.paused) {
				const [{ list }, lane] = await Promise.all([api.lines(target, top, page.signal), api.get("/state/lanes", { signal: page.signal })]);
				if (asked !== target)
					return;
				rows = list;
				total = (lane.lanes?.worker || []).reduce((sum, w) => sum + w.flows, 0);
				rateOf(list, when);
				table.none.textContent = total ? "No flow is like that." : "The flow lane has no flow now.";
				table.update(rows);
				laneList(lanes, lane.lanes);
				text(note, count(total) + (total === 1 ? " flow in all" : " flows in all"));
				page.refreshed?.();
			}
		} catch (error) {
			if (error.name === "AbortError")
				return;
			table.update([]);
			table.say(error.status === 404 ? "The flow lane is not there." : error.message);
		}
		if (!page.signal.aborted)
			wait = setTimeout(refresh, 2000);
	}

	function rateOf(list, when) {
		const next = new Map();
		rates.clear();
		for (const f of list) {
			const key = keyOf(f), was = before.get(key);
			next.set(key, { when, packets: f.packets, bytes: f.bytes });
			const seconds = was ? (when - was.when) / 1000 : 0;
			if (was && seconds > 0.3 && f.packets >= was.packets)
				rates.set(key, { packets: (f.packets - was.packets) / seconds, bits: 8 * (f.bytes - was.bytes) / seconds });
			else if (f.age > 0)
				rates.set(key, { packets: f.packets / f.age, bits: 8 * f.bytes / f.age });
		}
		before = next;
	}

	function open(f) {
		flowPanel(page, f, () => rows.find((x) => keyOf(x) === keyOf(f)), now, () => table.select());
	}
	let typing = null;
	search.addEventListener("input", () => {
		clearTimeout(typing);
		typing = setTimeout(refresh, 150);
	});
	order.addEventListener("change", () => {
		by = order.value;
		table.by = by;
		table.down = true;
		table.mark();
		refresh();
	});
	many.addEventListener("change", () => {
		top = Number(many.value);
		refresh();
	});
	page.signal.addEventListener("abort", () => clearTimeout(wait));
	refresh();
}

function laneList(box, lanes) {
	const list = lanes?.interface || [];
	put(box, list.length > 0 && [h("h3", {}, "Lanes"), h("dl", { class: "facts" }, list.map((i) => [h("dt", {}, i.name),
		h("dd", {}, h("b", {}, i.taken), " ", h("span", { class: "muted" }, i.reason), i.counters && h("span", { class: "muted num" }, ", " + count(i.counters.replayed) + " replayed"))]))]);
}

function flowPanel(page, f, find, now, closed) {
	const [a, b] = ends(f), facts = h("dl", { class: "facts" }), program = h("div"), path = h("div");
	const ask = h("button", { onclick: () => explain(path, { hex: toHex(frameOf(f)), name: f.interface, own: true }) }, "Explain its next packet");
	page.panel.open({
		title: a + " → " + b, kind: protocol(f.protocol) + " flow", closed,
		content: [facts, program, [6, 17, 1, 58].includes(f.protocol) && h("div", { class: "actions" }, ask), path],
		update() {
			const x = find() || f;
			put(facts, fact("Comes in at", x.interface + (x.vlan ? ", VLAN " + x.vlan : "")), fact("Worker", x.worker), fact("Now", pps(now(x).packets) + ", " + bps(now(x).bits)),
				fact("Packets", count(x.packets)), fact("Bytes", count(x.bytes)), fact("Age", duration(x.age)), fact("Idle", duration(x.idle)), x.offloaded && fact("Offloaded", "yes"));
		},
	});
	const query = { form: "json", top: 1000, program: true, interface: f.interface, address: f.source };
	if (f.protocol === 6 || f.protocol === 17)
		query.port = f["source-port"];
	api.lines("/state/lanes/flows?" + new URLSearchParams(query), 1000, page.signal).then(({ list }) => {
		const mine = list.find((x) => keyOf(x) === keyOf(f));
		put(program, h("h3", {}, "Its program"), mine?.program?.length
			? h("ol", { class: "program" }, tidy(mine.program).map((line) => h("li", { class: line.quiet ? "muted" : "" }, line.text)))
			: h("p", { class: "empty" }, "It has none any more."));
	}).catch((error) => error.name === "AbortError" || put(program, h("p", { class: "notice bad" }, error.message)));
}

// Counting is the longest part and the least interesting: one line says it.
function tidy(lines) {
	const out = [], counts = [];
	for (const line of lines) {
		const m = /^count in ([^ ,]+)$/.exec(line);
		if (m)
			counts.push(m[1]);
		else if (!/^count /.test(line))
			out.push({ text: line });
	}
	if (counts.length)
		out.splice(Math.max(0, out.length - 1), 0, { text: "counts at " + counts.join(", "), quiet: true });
	return out;
}

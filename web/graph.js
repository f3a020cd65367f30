// SPDX-License-Identifier: Apache-2.0
// The packet graph: as a picture, and as a table for those who read or listen.

import { Chart } from "./charts.js";
import { h, put, text } from "./dom.js";
import { count, decimals, percent, pps, short } from "./format.js";
import { icon } from "./icons.js";
import { Painter, graphOf } from "./paint.js";
import { store } from "./store.js";
import { Table } from "./table.js";

export const title = "Graph";

let unused = false, asTable = false;

export function show(page) {
	const painter = new Painter();
	const said = h("div", { class: "sr", "aria-live": "polite" });
	const search = h("input", { type: "search", placeholder: "Find a node", "aria-label": "Find a node", class: "search" });
	const idle = h("input", { type: "checkbox", checked: unused });
	const picture = h("button", { class: "seg", "aria-pressed": String(!asTable), onclick: () => turn(false) }, icon("graph"), "Picture");
	const list = h("button", { class: "seg", "aria-pressed": String(asTable), onclick: () => turn(true) }, icon("list"), "Table");
	const zoomer = h("div", { class: "zoomer", role: "group", "aria-label": "Zoom" },
		h("button", { "aria-label": "Zoom in", title: "Zoom in (+)", onclick: () => painter.zoom(1.25) }, icon("plus")),
		h("button", { "aria-label": "Zoom out", title: "Zoom out (−)", onclick: () => painter.zoom(0.8) }, icon("minus")),
		h("button", { "aria-label": "Fit the whole graph", title: "Fit (0)", onclick: () => painter.fit() }, icon("fit")));
	const key = h("div", { class: "key" },
		h("span", {}, h("i", { class: "key-line" }), "thicker is more packets"),
		h("span", {}, h("i", { class: "key-bar" }), "share of cycles"),
		h("span", {}, h("i", { class: "key-drop" }), "drops"));
	const table = nodeTable((name) => open(name));
	const stage = h("div", { class: "graph-stage" }, painter.element, zoomer, key);
	const box = h("div", { class: "graph-box" });
	const found = h("span", { class: "muted num" });
	const frame = h("section", { class: "view graph-view", "aria-label": "Packet graph" },
		h("div", { class: "bar" }, search, found, h("span", { class: "space" }),
			h("label", { class: "check" }, idle, "Unused nodes"),
			h("div", { class: "segments", role: "group", "aria-label": "Form" }, picture, list)), box, said);
	put(page.main, frame);
	page.search = search;

	function turn(on) {
		asTable = on;
		picture.setAttribute("aria-pressed", String(!on));
		list.setAttribute("aria-pressed", String(on));
		put(box, on ? table.element : stage);
		if (!on)
			painter.start();
		refresh();
	}

	function refresh() {
		if (!store.system)
			return;
		if (asTable) {
			const term = search.value.trim().toLowerCase();
			table.update((store.system.node || []).filter((n) => (unused || n.packets > 0) && n.name.toLowerCase().includes(term)));
		} else {
			painter.update(graphOf(store.system, store.interfaces, unused), store.rates);
			find();
		}
	}

	function find() {
		const term = search.value.trim().toLowerCase();
		painter.matches = term ? new Set([...painter.nodes.keys()].filter((id) => id.toLowerCase().includes(term))) : null;
		text(found, term && !asTable ? (painter.matches.size || "no") + (painter.matches.size === 1 ? " node" : " nodes") : "");
		painter.dirty = true;
	}

	function open(id, focus = true) {
		if (!id) {
			page.panel.close();
			return;
		}
		if (id.startsWith("rx:") || id.startsWith("tx:")) {
			page.go("ports", id.slice(3));
			return;
		}
		painter.select(id, true);
		nodePanel(page, id, open, () => painter.select(null), focus);
	}

	idle.addEventListener("change", () => {
		unused = idle.checked;
		refresh();
	});
	search.addEventListener("input", () => (asTable ? refresh() : find()));
	search.addEventListener("keydown", (e) => {
		if (e.key === "Enter") {
			const first = asTable ? table.body.firstElementChild?.row.name : [...(painter.matches || [])][0];
			if (first) {
				painter.reveal(first, true);
				open(first);
			}
		}
	});
	painter.addEventListener("open", (e) => open(e.detail));
	painter.addEventListener("select", (e) => {
		const n = painter.nodes.get(e.detail);
		text(said, n ? [n.kind === "node" ? n.name : (n.kind === "rx" ? "receives: " : "sends: ") + n.name, pps(n.rate),
			Number.isFinite(n.cost) ? decimals(n.cost) + " cycles per packet" : "", n.drops > 0 ? pps(n.drops) + " dropped" : ""].filter(Boolean).join(", ") : "");
	});
	store.on("state", refresh, page.signal);
	store.on("restart", refresh, page.signal);
	page.theme = () => (painter.dirty = true);
	page.painter = painter;
	turn(asTable);
	const first = () => {
		open(page.item, false);
		requestAnimationFrame(() => painter.reveal(page.item, true));
	};
	if (page.item && store.system)
		first();
	else if (page.item)
		store.addEventListener("state", first, { once: true, signal: page.signal });
}

function nodeTable(open) {
	const rate = (n) => store.rates.nodes.get(n.name);
	return new Table({
		label: "Nodes", key: (n) => n.name, open: (n) => open(n.name), sort: "rate",
		columns: [
			{ key: "name", label: "Node", sort: (n) => n.name, cell: (td, n) => n.name, class: "mono" },
			{ key: "rate", label: "Packets/s", number: true, sort: (n) => rate(n)?.packets, cell: (td, n) => short(rate(n)?.packets) },
			{ key: "packets", label: "Packets", number: true, sort: (n) => n.packets, cell: (td, n) => count(n.packets) },
			{ key: "cycles", label: "Cycles/packet", number: true, sort: (n) => rate(n)?.perPacket, cell: (td, n) => decimals(rate(n)?.perPacket) },
			{ key: "average", label: "Average", number: true, sort: (n) => n["cycles-per-packet"], cell: (td, n) => decimals(n["cycles-per-packet"]) },
			{ key: "vector", label: "Packets/call", number: true, sort: (n) => n["packets-per-call"], cell: (td, n) => decimals(n["packets-per-call"]) },
			{ key: "drops", label: "Dropped/s", number: true, sort: (n) => rate(n)?.drops, cell: (td, n) => {
				td.classList.toggle("bad", rate(n)?.drops > 0);
				return rate(n)?.drops > 0 ? short(rate(n).drops) : "–";
			} },
		],
	});
}

// What is known about a node, kept up while it is open.
export function nodePanel(page, name, open, closed, focus) {
	const ring = (what) => store.ring("node/" + name + "/" + what);
	const tiles = ["Packets/s", "Cycles/packet", "Packets/call", "Share of cycles"].map((label) => {
		const value = h("b", { class: "num" });
		return { value, element: h("div", { class: "mini" }, h("span", { class: "muted" }, label), value) };
	});
	const chart = new Chart({ label: "Packets a second of " + name, series: [{ ring: ring("packets"), colour: "rx", label: "Packets/s" }], say: (v) => short(v), window: 120 });
	const doc = h("p", { class: "doc" }), facts = h("dl", { class: "facts" });
	const drops = h("div"), ways = h("div"), counters = h("div");
	page.panel.open({
		title: name, kind: "Node", focus, closed,
		content: [doc, h("div", { class: "minis" }, tiles.map((t) => t.element)), chart.element, drops, ways, counters, facts],
		update() {
			const n = store.system?.node?.find((x) => x.name === name), r = store.rates.nodes.get(name);
			if (!n) {
				text(doc, "This node is not in the graph any more.");
				return;
			}
			const all = [...store.rates.nodes.values()].reduce((sum, x) => sum + x.cycles, 0);
			text(doc, sentence(n.text || n.class));
			text(tiles[0].value, short(r?.packets));
			text(tiles[1].value, decimals(r?.perPacket));
			text(tiles[2].value, decimals(r && r.calls > 0 ? r.packets / r.calls : n["packets-per-call"]));
			text(tiles[3].value, percent(all > 0 ? r.cycles / all : 0));
			chart.draw();
			dropList(drops, name);
			wayList(ways, n, open);
			const list = (n.counter || []).filter((c) => c.value > 0);
			put(counters, list.length > 0 && [h("h3", {}, "Counters"), h("table", { class: "plain" }, list.map((c) =>
				h("tr", {}, h("td", {}, h("span", { class: "mono" }, c.name), h("div", { class: "muted small" }, sentence(c.text))), h("td", { class: "number" }, count(c.value)))))]);
			put(facts, fact("Packets", count(n.packets)), fact("Calls", count(n.calls)), fact("Kept now", count(n.held)),
				fact("Cycles per packet since the start", decimals(n["cycles-per-packet"])), fact("Class", n.class),
				n["input-of"]?.length && fact("First for packets from", n["input-of"].join(", ")),
				n["output-of"]?.length && fact("Last for packets to", n["output-of"].join(", ")));
		},
	});
}

export const fact = (name, value) => [h("dt", {}, name), h("dd", { class: "num" }, value)];
export const sentence = (t) => (t ? t[0].toUpperCase() + t.slice(1) + (/[.!?]$/.test(t) ? "" : ".") : "");

function dropList(box, name) {
	const list = (store.system.drop || []).filter((d) => d.node === name && d.packets > 0)
		.sort((a, b) => b.packets - a.packets);
	put(box, list.length > 0 && [h("h3", {}, "Drops"), h("table", { class: "plain" }, list.map((d) => {
		const rate = store.rates.drops.get(d.node + "/" + d.reason) || 0;
		return h("tr", {}, h("td", {}, h("a", { href: "#/drops/" + encodeURIComponent(d.node + "/" + d.reason), class: "mono" }, d.reason),
			h("div", { class: "muted small" }, sentence(d.text))),
		h("td", { class: "number" }, count(d.packets), h("div", { class: rate > 0 ? "bad small" : "muted small" }, rate > 0 ? pps(rate) : "–")));
	}))]);
}

function wayList(box, n, open) {
	const into = [], out = [];
	for (const other of store.system.node || []) {
		for (const e of [...(other.next || []), ...(other.send || [])]) {
			if (!e.packets)
				continue;
			const key = other.name + "\n" + (e.edge || e.port + "/" + e.node), rate = store.rates.edges.get(key) || 0;
			if (e.node === n.name)
				into.push({ name: other.name, how: e.edge || "to " + e.port, rate, packets: e.packets });
			if (other.name === n.name)
				out.push({ name: e.node, how: e.edge || "to " + e.port, rate, packets: e.packets });
		}
	}
	const signature = JSON.stringify([into, out]);
	if (box.signature === signature)
		return;
	// Rates change each second: a person who stands on a button keeps it.
	const focused = box.contains(document.activeElement) ? document.activeElement.dataset.way : null;
	box.signature = signature;
	const rows = (label, list) => list.length > 0 && [h("h3", {}, label), h("table", { class: "plain" }, list.map((w) =>
		h("tr", {}, h("td", {}, h("button", { class: "link mono", "data-way": label + w.name + w.how, onclick: () => open(w.name) }, w.name),
			h("span", { class: "muted small" }, " " + w.how)),
		h("td", { class: "number" }, w.rate > 0 ? short(w.rate) + " pps" : count(w.packets) + " in all"))))];
	put(box, rows("Comes from", into), rows("Goes to", out));
	if (focused)
		[...box.querySelectorAll("button")].find((b) => b.dataset.way === focused)?.focus();
}

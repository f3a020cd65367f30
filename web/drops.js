// SPDX-License-Identifier: Apache-2.0
// What is dropped, why, and the packets themselves: the flight recorder has the last of them.

import * as api from "./api.js";
import { spark } from "./charts.js";
import { fromHex, onTheWire, toHex } from "./decode.js";
import { h, put, text, toggle } from "./dom.js";
import { explain, packetView } from "./explain.js";
import { count, exact, short } from "./format.js";
import { fact, sentence } from "./graph.js";
import { store } from "./store.js";
import { Table } from "./table.js";

export const title = "Drops";

const KEPT = 100;
const keyOf = (d) => d.node + "/" + d.reason;
const rate = (d) => store.rates.drops.get(keyOf(d)) || 0;

export function show(page) {
	const search = h("input", { type: "search", class: "search", placeholder: "Find a reason or node", "aria-label": "Find a reason or node" });
	const note = h("span", { class: "muted num" });
	let only = page.item || "", packets = [];
	const reasons = new Table({
		label: "Drop reasons", key: keyOf, open: (d) => choose(keyOf(d) === only ? "" : keyOf(d)), sort: "packets", empty: "Nothing was dropped.",
		columns: [
			{ key: "reason", label: "Reason", grow: true, sort: (d) => d.reason, cell: (td, d) => {
				if (!td.firstChild)
					td.append(h("b", { class: "mono" }), h("div", { class: "muted small" }));
				text(td.firstChild, d.reason);
				text(td.lastChild, sentence(d.text));
			} },
			{ key: "node", label: "Node", sort: (d) => d.node, class: "mono", cell: (td, d) => d.node },
			{ key: "line", label: "Two minutes", class: "line-cell hide-small", cell: (td, d) => {
				if (!td.firstChild)
					td.append(h("canvas", { class: "spark", "aria-hidden": "true" }));
				spark(td.firstChild, [{ ring: store.ring("drop/" + keyOf(d)), colour: "drop", fill: true }]);
			} },
			{ key: "rate", label: "Packets/s", number: true, sort: rate, cell: (td, d) => {
				toggle(td, "bad", rate(d) > 0);
				return rate(d) > 0 ? short(rate(d)) : "–";
			} },
			{ key: "packets", label: "In all", number: true, sort: (d) => d.packets, cell: (td, d) => count(d.packets) },
		],
	});
	const recorder = new Table({
		label: "Dropped packets", key: (p) => p.id, open: (p) => open(p), empty: "The recorder has none.",
		columns: [
			{ key: "at", label: "When", class: "num", cell: (td, p) => exact(p.at) },
			{ key: "packet", label: "Packet", grow: true, class: "mono", cell: (td, p) => p.packet },
			{ key: "reason", label: "Reason", class: "mono", cell: (td, p) => p.reason },
			{ key: "node", label: "Node", class: "mono hide-medium", cell: (td, p) => p.node },
			{ key: "interface", label: "From", class: "hide-small", cell: (td, p) => p.interface || "" },
		],
	});
	const chosen = h("span", { class: "chip", hidden: true });
	put(page.main, h("section", { class: "view drops-view", "aria-label": "Drops" },
		h("div", { class: "bar" }, search, h("span", { class: "space" }), note),
		reasons.element,
		h("div", { class: "bar section" }, h("h2", {}, "Last packets dropped"), chosen), recorder.element));
	page.search = search;

	function refresh() {
		if (!store.system)
			return;
		const term = search.value.trim().toLowerCase();
		const list = (store.system.drop || []).filter((d) => d.packets > 0 && (d.node + " " + d.reason + " " + (d.text || "")).toLowerCase().includes(term));
		reasons.update(list);
		const all = store.system.packets.dropped;
		text(note, count(all) + " dropped since the start" + (store.rates.dropped > 0 ? ", " + short(store.rates.dropped) + "/s now" : ""));
		if (only) {
			const d = list.find((x) => keyOf(x) === only);
			reasons.select(d);
		}
	}

	function choose(key) {
		only = key;
		chosen.hidden = !key;
		put(chosen, key && [key.split("/").slice(1).join("/"), h("span", { class: "muted" }, " at " + key.split("/")[0]),
			h("button", { class: "quiet", "aria-label": "Show all drops", onclick: () => choose("") }, "×")]);
		if (!key)
			reasons.select();
		load();
	}

	let wait = null, asked = 0;
	async function load() {
		clearTimeout(wait);
		const query = { count: KEPT }, mine = ++asked;
		if (only) {
			query.node = only.split("/")[0];
			query.reason = only.split("/").slice(1).join("/");
		}
		try {
			if (!store.paused) {
				const { list } = await api.lines("/drops?" + new URLSearchParams(query), KEPT, page.signal);
				if (mine !== asked)
					return;
				packets = list.reverse();
				recorder.none.textContent = only ? "The recorder has none of these." : "The recorder has none.";
				recorder.update(packets);
			}
		} catch (error) {
			if (error.name === "AbortError")
				return;
			recorder.update([]);
			recorder.say(error.status === 404 ? "This data plane keeps no dropped packets." : error.message);
		}
		if (!page.signal.aborted && mine === asked)
			wait = setTimeout(load, 2000);
	}

	function open(p) {
		const answer = h("div");
		const ask = h("button", { class: "primary", disabled: !p.interface || !p.bytes, onclick: async () => {
			ask.disabled = true;
			await explain(answer, { hex: toHex(onTheWire(fromHex(p.bytes), p.length)), name: p.interface });
			if (2 * p.length > p.bytes.length)
				answer.append(h("p", { class: "muted small" }, "Of its " + p.length + " bytes " + p.bytes.length / 2 + " were kept; the others were taken as zeros."));
			ask.disabled = false;
			answer.scrollIntoView({ block: "nearest" });
		} }, "Explain this packet");
		page.panel.open({
			title: p.reason, kind: "Dropped packet", wide: true, closed: () => recorder.select(),
			content: [h("p", { class: "doc" }, sentence(p.why)), h("p", { class: "mono summary" }, p.packet),
				h("dl", { class: "facts inline" }, fact("When", exact(p.at)), fact("Node", h("a", { href: "#/graph/" + encodeURIComponent(p.node), class: "mono" }, p.node)),
					p.interface && fact("Came in at", p.interface), p.worker !== undefined && fact("Worker", p.worker), fact("Length", p.length + " bytes")),
				p.bytes && packetView(p.bytes, p.length), h("div", { class: "actions" }, ask), answer],
		});
	}
	search.addEventListener("input", refresh);
	store.on("state", refresh, page.signal);
	page.theme = refresh;
	page.signal.addEventListener("abort", () => clearTimeout(wait));
	refresh();
	choose(only);
}

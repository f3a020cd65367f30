// SPDX-License-Identifier: Apache-2.0
// Interfaces: whether they are there, how much goes through, what they lose.

import { Chart, spark } from "./charts.js";
import { h, put, text, toggle } from "./dom.js";
import { bps, count, percent, pps, short } from "./format.js";
import { fact, sentence } from "./graph.js";
import { errorsOf, store } from "./store.js";
import { Table } from "./table.js";

export const title = "Ports";

const STATES = { up: "good", down: "bad", gone: "bad", done: "idle", disabled: "idle" };

const rate = (i) => store.rates.interfaces.get(i.name) || {};
const ring = (i, what) => store.ring("interface/" + i.name + "/" + what);

function lineCell(td, i) {
	let canvas = td.firstChild;
	if (!canvas) {
		canvas = h("canvas", { class: "spark", "aria-hidden": "true" });
		td.append(canvas);
	}
	spark(canvas, [{ ring: ring(i, "tx"), colour: "tx" }, { ring: ring(i, "rx"), colour: "rx", fill: true }]);
}

function stateCell(td, i) {
	if (!td.firstChild)
		td.append(h("span", { class: "status" }, h("i", { class: "dot" }), h("span")));
	td.firstChild.className = "status " + (STATES[i.state] || "idle");
	text(td.firstChild.lastChild, i.state);
}

function nameCell(td, i) {
	if (!td.firstChild)
		td.append(h("b"), h("div", { class: "muted small" }));
	text(td.firstChild, i.name);
	text(td.lastChild, [i.driver, i.device && i.device !== i.name ? i.device : ""].filter(Boolean).join(" · "));
}

function two(td, top, under) {
	if (!td.firstChild)
		td.append(h("span"), h("div", { class: "muted small" }));
	text(td.firstChild, top);
	text(td.lastChild, under);
}

function usage(i) {
	const r = rate(i);
	return i.speed ? Math.max(r.rxBits || 0, r.txBits || 0) / (i.speed * 1e6) : NaN;
}

export function show(page) {
	const search = h("input", { type: "search", placeholder: "Find a port", "aria-label": "Find a port", class: "search" });
	const table = new Table({
		label: "Ports", key: (i) => i.name, open: (i) => open(i.name), sort: "index", down: false,
		empty: "No interface is configured.",
		columns: [
			{ key: "index", label: "Port", sort: (i) => i.index, cell: nameCell },
			{ key: "state", label: "State", sort: (i) => i.state, cell: stateCell },
			{ key: "rx", label: "Received", number: true, sort: (i) => rate(i).rx, cell: (td, i) => two(td, pps(rate(i).rx), bps(rate(i).rxBits)) },
			{ key: "tx", label: "Sent", number: true, sort: (i) => rate(i).tx, cell: (td, i) => two(td, pps(rate(i).tx), bps(rate(i).txBits)) },
			{ key: "line", label: "Two minutes", cell: lineCell, class: "line-cell hide-small" },
			{ key: "usage", label: "Use", number: true, class: "hide-small", sort: usage, cell: (td, i) => two(td, percent(usage(i)), i.speed ? "of " + short(i.speed * 1e6) + "bit/s" : "") },
			{ key: "rx-all", label: "Received in all", number: true, class: "hide-medium", sort: (i) => i.counters?.["rx-packets"], cell: (td, i) => count(i.counters?.["rx-packets"]) },
			{ key: "tx-all", label: "Sent in all", number: true, class: "hide-medium", sort: (i) => i.counters?.["tx-packets"], cell: (td, i) => count(i.counters?.["tx-packets"]) },
			{ key: "errors", label: "Errors", number: true, sort: (i) => errorsOf(i.counters), cell: (td, i) => {
				toggle(td, "bad", rate(i).errors > 0);
				return errorsOf(i.counters) ? count(errorsOf(i.counters)) : "–";
			} },
		],
	});
	put(page.main, h("section", { class: "view", "aria-label": "Ports" }, h("div", { class: "bar" }, search,
		h("span", { class: "space" }), h("span", { class: "legend" }, h("span", {}, h("i", { class: "swatch rx" }), "received"), h("span", {}, h("i", { class: "swatch tx" }), "sent"))), table.element));
	page.search = search;

	function refresh() {
		const term = search.value.trim().toLowerCase();
		if (store.system)
			table.update(store.interfaces.filter((i) => (i.name + " " + i.driver + " " + (i.device || "") + " " + i.state).toLowerCase().includes(term)));
	}
	const open = (name, focus) => {
		portPanel(page, name, () => table.select(), focus);
		table.select({ name });
	};
	search.addEventListener("input", refresh);
	store.on("state", refresh, page.signal);
	page.theme = refresh;
	refresh();
	if (page.item)
		open(page.item, false);
}

const COUNTERS = [["rx-packets", "Packets received"], ["rx-bytes", "Bytes received"], ["tx-packets", "Packets sent"], ["tx-bytes", "Bytes sent"],
	["rx-errors", "Frames thrown away by the driver"], ["rx-no-buffer", "Lost for want of a buffer"], ["rx-device-drops", "Lost before we saw them"],
	["tx-errors", "Could not be sent"], ["tx-gone", "For a device that had vanished"], ["tx-device-drops", "Lost after we handed them over"],
	["rx-calls", "System calls to receive"], ["tx-calls", "System calls to send"]];

function portPanel(page, name, closed, focus) {
	const i0 = { name };
	const chart = new Chart({ label: "Packets a second of " + name, say: (v) => short(v), series: [
		{ ring: ring(i0, "rx"), colour: "rx", label: "Received" }, { ring: ring(i0, "tx"), colour: "tx", label: "Sent" }] });
	const bits = new Chart({ label: "Bits a second of " + name, say: (v) => short(v), series: [
		{ ring: ring(i0, "rxBits"), colour: "rx", label: "In" }, { ring: ring(i0, "txBits"), colour: "tx", label: "Out" }] });
	const trouble = h("p", { class: "notice bad", hidden: true }), doc = h("p", { class: "doc" });
	const counters = h("table", { class: "plain" }), facts = h("dl", { class: "facts" });
	page.panel.open({
		title: name, kind: "Port", closed, focus,
		content: [trouble, h("h3", {}, "Packets a second"), chart.element, h("h3", {}, "Bits a second"), bits.element, h("h3", {}, "Counters"), counters, facts, doc],
		update() {
			const i = store.interfaces.find((x) => x.name === name);
			if (!i) {
				text(doc, store.system ? "There is no such interface." : "");
				return;
			}
			trouble.hidden = !i.trouble;
			text(trouble, sentence(i.trouble));
			text(doc, sentence(i.detail));
			chart.draw();
			bits.draw();
			put(counters, COUNTERS.filter(([key]) => i.counters && key in i.counters).map(([key, say]) =>
				h("tr", {}, h("td", {}, say), h("td", { class: "number" + (/error|no-buffer|drops|gone/.test(key) && i.counters[key] ? " bad" : "") }, count(i.counters[key])))));
			put(facts, fact("State", i.state), fact("Driver", i.driver), i.device && fact("Device", i.device), i.mac && fact("Ethernet address", i.mac),
				i["current-mtu"] && fact("MTU", i["current-mtu"]), i.speed && fact("Speed", short(i.speed * 1e6) + "bit/s"));
		},
	});
}

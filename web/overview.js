// SPDX-License-Identifier: Apache-2.0
// What one wants to know first: is it well, how much goes through, and where the cycles go.

import { Chart, spark } from "./charts.js";
import { card, h, keyed, put, text, toggle } from "./dom.js";
import { bps, bytes, count, decimals, duration, nanoseconds, percent, pps, short } from "./format.js";
import { icon } from "./icons.js";
import { latencyCard } from "./latency.js";
import { store } from "./store.js";

export const title = "Overview";

function tile(label, colour, ring) {
	const value = h("b", { class: "num" }), more = h("span", { class: "muted num" });
	const canvas = ring && h("canvas", { class: "tile-spark", "aria-hidden": "true" });
	return {
		element: h("div", { class: "tile" }, h("span", { class: "tile-label" }, label), value, more, canvas),
		set(v, m, bad) {
			text(value, v);
			text(more, m || " ");
			toggle(value, "bad", bad);
			if (canvas)
				spark(canvas, [{ ring: store.ring(ring), colour, fill: true }], 120);
		},
	};
}

// What is not as it should be, the worst first. Each leads to where more is said.
export function health(s, interfaces, rates) {
	const list = [];
	for (const i of interfaces) {
		if (i.trouble)
			list.push({ level: "bad", text: i.name + ": " + i.trouble, to: "#/ports/" + encodeURIComponent(i.name) });
		else if (i.state === "down" || i.state === "gone")
			list.push({ level: "bad", text: i.name + " is " + i.state, to: "#/ports/" + encodeURIComponent(i.name) });
	}
	const part = rates.dropped / (rates.received || 1);
	if (rates.dropped > 0 && part > 0.001)
		list.push({ level: part > 0.05 ? "bad" : "warn", text: percent(part) + " of packets are dropped", to: "#/drops" });
	const errors = [...rates.interfaces].filter(([, r]) => r.errors > 0);
	for (const [name, r] of errors)
		list.push({ level: "warn", text: name + " loses " + short(r.errors) + " packets a second", to: "#/ports/" + encodeURIComponent(name) });
	for (const w of s.worker || []) {
		const busy = rates.workers.get(w.id)?.busy;
		if (busy > 0.95)
			list.push({ level: "warn", text: "worker " + w.id + " has no time left: " + percent(busy) + " busy", to: "#/graph" });
	}
	const m = s.memory || {}, free = m["buffers-free"] / m.buffers;
	if (free < 0.1)
		list.push({ level: free < 0.02 ? "bad" : "warn", text: "only " + percent(free) + " of packet buffers are free", to: "#/overview" });
	return list.sort((a, b) => (a.level === "bad" ? 0 : 1) - (b.level === "bad" ? 0 : 1));
}

export function show(page) {
	const tiles = {
		received: tile("Received", "rx", "total/received"), sent: tile("Sent", "tx", "total/sent"),
		dropped: tile("Dropped", "drop", "total/dropped"), cycles: tile("Cycles per packet", "accent", "total/cycles"),
		busy: tile("Workers busy", "accent", "total/busy"), buffers: tile("Packet buffers"),
	};
	const say = (v) => short(v);
	const packets = new Chart({ label: "Packets a second", say, series: [
		{ ring: store.ring("total/received"), colour: "rx", label: "Received" }, { ring: store.ring("total/sent"), colour: "tx", label: "Sent" },
		{ ring: store.ring("total/dropped"), colour: "drop", label: "Dropped" }] });
	const bits = new Chart({ label: "Bits a second", say, series: [
		{ ring: store.ring("total/rxBits"), colour: "rx", label: "In" }, { ring: store.ring("total/txBits"), colour: "tx", label: "Out" }] });
	const status = h("div", { class: "health", role: "list", "aria-label": "Health" });
	const workers = h("div", { class: "workers" }), nodes = h("div", { class: "shares" }), drops = h("div", { class: "shares" }), dropNote = h("p", { class: "empty", hidden: true });
	const facts = h("p", { class: "facts-line muted num" });
	const delay = latencyCard(page);
	put(page.main, h("section", { class: "view", "aria-label": "Overview" },
		h("div", { class: "lead" }, status, facts),
		h("div", { class: "tiles" }, Object.values(tiles).map((t) => t.element)),
		h("div", { class: "grid two" },
			card("Packets a second", packets.element), card("Bits a second", bits.element)),
		h("div", { class: "grid three" },
			card("Where the cycles go", nodes, h("a", { href: "#/graph" }, "Graph")),
			card("Why packets are dropped", [dropNote, drops], h("a", { href: "#/drops" }, "Drops")),
			h("div", { class: "stack" }, card("Workers", workers), delay))));

	function refresh() {
		const s = store.system, r = store.rates;
		if (!s)
			return;
		tiles.received.set(pps(r.received), bps(r.rxBits));
		tiles.sent.set(pps(r.sent), bps(r.txBits));
		tiles.dropped.set(pps(r.dropped), count(s.packets.dropped) + " in all", r.dropped > 0 && r.dropped / (r.received || 1) > 0.001);
		tiles.cycles.set(decimals(r.cycles, 0), Number.isFinite(r.cycles) ? nanoseconds(r.cycles / s.hz * 1e9) + " each" : "no packets now");
		const awake = (s.worker || []).filter((w) => w.state === "busy").length;
		tiles.busy.set(percent(r.busy), awake + " of " + (s.worker || []).length + " awake");
		const m = s.memory || {};
		tiles.buffers.set(percent(m["buffers-free"] / m.buffers) + " free", count(m.buffers) + " in " + (m.pages || ""));
		packets.draw();
		bits.draw();
		text(facts, ["millrace " + s.version, "up " + duration(s.uptime / 1000), "process " + s.pid,
			bytes(m.size || 0) + " of packet memory"].join("  ·  "));
		healthList(status, health(s, store.interfaces, r));
		workerList(workers, s, r);
		const all = [...r.nodes.values()].reduce((sum, n) => sum + n.cycles, 0);
		shareList(nodes, [...r.nodes].map(([name, n]) => ({ name, value: n.cycles, right: decimals(n.perPacket, 0) + " cyc", part: all > 0 ? n.cycles / all : 0,
			to: "#/graph/" + encodeURIComponent(name) })), "accent", "No packets now.");
		const lost = [...r.drops].map(([name, v]) => ({ name: name.split("/").slice(1).join("/"), under: name.split("/")[0], value: v, right: pps(v),
			part: r.dropped > 0 ? v / r.dropped : 0, to: "#/drops/" + encodeURIComponent(name) }));
		const sum = s.packets.dropped || 1;
		const since = (s.drop || []).map((d) => ({ name: d.reason, under: d.node, value: d.packets, right: count(d.packets), part: d.packets / sum,
			to: "#/drops/" + encodeURIComponent(d.node + "/" + d.reason) }));
		const some = lost.some((x) => x.value > 0);
		text(dropNote, some ? "" : s.packets.dropped ? "Nothing now. Since the start:" : "");
		dropNote.hidden = !dropNote.textContent;
		shareList(drops, some ? lost : since, "drop", "Nothing was dropped.");
	}
	store.on("state", refresh, page.signal);
	page.theme = refresh;
	refresh();
}

function healthList(box, list) {
	const shown = list.length ? list : [{ level: "good", text: "All is well", to: "" }];
	keyed(box, shown.slice(0, 4), (x) => x.level + x.to, (x) => h("span", { class: "verdict " + x.level, role: "listitem" },
		icon(x.level === "good" ? "check" : "warning"), x.to ? h("a", { href: x.to }) : h("span")),
	(element, x) => text(element.lastChild, x.text));
}

function workerList(box, s, r) {
	keyed(box, s.worker || [], (w) => w.id, () => h("div", { class: "worker" },
		h("span", { class: "worker-name" }), h("span", { class: "meter", role: "img" }, h("i")), h("span", { class: "num right" }), h("span", { class: "pill" }), h("span", { class: "muted num small wide" })),
	(element, w) => {
		const [name, meter, busy, state, more] = element.children, rate = r.workers.get(w.id);
		text(name, w.cpu === undefined ? "Worker " + w.id : "CPU " + w.cpu);
		meter.firstChild.style.width = Math.max(0, Math.min(100, (rate?.busy || 0) * 100)) + "%";
		meter.setAttribute("aria-label", "busy " + percent(rate?.busy));
		text(busy, percent(rate?.busy));
		text(state, w.state);
		toggle(state, "on", w.state === "busy");
		text(more, pps(rate?.packets) + ", " + short(rate?.sleeps) + " sleeps/s" + (rate?.handoffs > 0 ? ", " + pps(rate.handoffs) + " handed on" : ""));
	});
}

function shareList(box, list, colour, none) {
	const shown = list.filter((x) => x.value > 0).sort((a, b) => b.value - a.value).slice(0, 8);
	if (!shown.length) {
		box.keyed = undefined;
		put(box, h("p", { class: "empty" }, none));
		return;
	}
	if (!box.keyed)
		put(box);
	keyed(box, shown, (x) => x.name + x.under, (x) => h("a", { class: "share " + colour, href: x.to },
		h("span", { class: "share-name" }, h("span", { class: "mono" }), h("span", { class: "muted small" })), h("span", { class: "num right muted" }), h("span", { class: "num right" }), h("i", {})),
	(element, x) => {
		const [name, right, part, bar] = element.children;
		text(name.firstChild, x.name);
		text(name.lastChild, x.under ? " " + x.under : "");
		text(right, x.right);
		text(part, percent(x.part));
		bar.style.width = Math.max(0.5, x.part * 100) + "%";
	});
}

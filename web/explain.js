// SPDX-License-Identifier: Apache-2.0
// A packet: taken apart with its bytes beside it, and what would happen to it now.

import * as api from "./api.js";
import { decode, fromHex } from "./decode.js";
import { h, put } from "./dom.js";
import { decimals } from "./format.js";

// Layers at the left, bytes at the right; what is pointed at in one is marked in the other.
export function packetView(hex, length) {
	const bytes = fromHex(hex), { layers, cut } = decode(bytes, length);
	const cells = [], chars = [], fields = [];
	const dump = h("div", { class: "hex mono", role: "group", "aria-label": "Bytes" });
	for (let at = 0; at < bytes.length; at += 16) {
		const row = h("div", { class: "hex-row" }, h("span", { class: "hex-at" }, at.toString(16).padStart(4, "0")));
		const left = h("span", { class: "hex-bytes" }), right = h("span", { class: "hex-text" });
		for (let i = at; i < at + 16; i++) {
			if (i >= bytes.length) {
				left.append(h("span", { class: "hex-none" }, "  "));
				continue;
			}
			cells[i] = h("span", {}, bytes[i].toString(16).padStart(2, "0"));
			chars[i] = h("span", {}, bytes[i] >= 33 && bytes[i] < 127 ? String.fromCharCode(bytes[i]) : "·");
			cells[i].at = chars[i].at = i;
			left.append(cells[i]);
			right.append(chars[i]);
		}
		row.append(left, right);
		dump.append(row);
	}
	const mark = (from, size, name) => {
		for (let i = from; i < Math.min(from + size, bytes.length); i++) {
			cells[i].classList.toggle(name, true);
			chars[i].classList.toggle(name, true);
		}
	};
	const clear = (name) => {
		for (const list of [cells, chars])
			for (const c of list)
				c.classList.remove(name);
		for (const f of fields)
			f.element.classList.remove(name);
	};
	const tree = h("div", { class: "layers" }, layers.map((l, n) => {
		mark(l.at, l.size, "layer-" + n % 6);
		const box = h("details", { class: "layer layer-" + n % 6, open: n >= layers.length - 3 || layers.length < 5 },
			h("summary", {}, h("i"), h("b", {}, l.name), h("span", { class: "muted" }, l.summary)));
		const rows = l.fields.map((f) => {
			const element = h("div", { class: "field-row", tabIndex: 0 }, h("span", { class: "muted" }, f.name), h("span", { class: "mono" }, f.value),
				h("span", { class: "note " + (f.note === "wrong" || /^(not|too|less|more)/.test(f.note) ? "bad" : f.note === "right" ? "good" : "") }, f.note));
			fields.push({ ...f, element });
			const on = () => {
				clear("lit");
				mark(f.at, f.size, "lit");
			};
			element.addEventListener("pointerenter", on);
			element.addEventListener("focus", on);
			element.addEventListener("pointerleave", () => clear("lit"));
			element.addEventListener("blur", () => clear("lit"));
			return element;
		});
		box.append(h("div", { class: "layer-fields" }, rows));
		return box;
	}));
	dump.addEventListener("pointerover", (e) => {
		const at = e.target.at;
		clear("lit");
		if (at === undefined)
			return;
		// The smallest field that the byte stands in.
		const f = fields.filter((x) => at >= x.at && at < x.at + x.size).sort((a, b) => a.size - b.size)[0];
		if (!f)
			return;
		mark(f.at, f.size, "lit");
		f.element.classList.add("lit");
	});
	dump.addEventListener("pointerleave", () => clear("lit"));
	return h("div", { class: "packet" }, tree, h("div", { class: "hex-box" }, dump,
		cut && h("p", { class: "muted small" }, length > bytes.length ? "The first " + bytes.length + " of " + length + " bytes." : "It ends before its headers do.")));
}

const HIDDEN = new Set(["call", "count", "tally", "use", "read", "region", "node"]);

function words(op) {
	switch (op.kind) {
	case "set": return "writes " + op.bytes + " at " + op.offset;
	case "push": return "puts " + op.length + " bytes in at " + op.offset;
	case "pop": return "takes " + op.length + " bytes out at " + op.offset;
	case "trim": return "cuts it to " + op.length + " bytes";
	case "ttl": return "takes one off the TTL";
	case "sum": return "corrects a checksum";
	case "match": return "finds " + op.prefix + " in " + op.table;
	case "note": return op.words || op.text + (op.number ? " " + op.number : "");
	case "guard": return "looks at byte " + op.offset;
	case "copy": return "makes a copy";
	case "hold": return "keeps it";
	case "uncacheable": return "not for the flow lane: " + op.text;
	case "meta": return "VLAN " + op.vlan + ", context " + op.context;
	case "end": return op.text;
	default: return op.words || op.kind;
	}
}

export function verdictOf(ops) {
	return ops.filter((o) => ["drop", "output", "refused", "end", "hold"].includes(o.kind));
}

// A recording as steps: a node, and under it what it did.
export function stepsView(recording) {
	const list = h("ol", { class: "steps" });
	let step = null, branch = 0;
	for (const op of recording.ops) {
		if (op.kind === "node" || !step) {
			step = h("ul");
			list.append(h("li", {}, h("a", { class: "mono", href: "#/graph/" + encodeURIComponent(op.node) }, op.node),
				op["at-us"] !== undefined && h("span", { class: "muted small num" }, " " + decimals(op["at-us"], 1) + " µs"),
				op.branch && op.branch !== branch && h("span", { class: "muted small" }, " copy " + op.branch), step));
			branch = op.branch || branch;
		}
		if (op.kind === "drop")
			step.append(h("li", { class: "end bad" }, "dropped: ", h("b", {}, op.reason), op.why && h("div", { class: "muted small" }, op.why)));
		else if (op.kind === "output")
			step.append(h("li", { class: "end good" }, "sent on ", h("b", {}, op.interface), ", " + op.length + " bytes"));
		else if (op.kind === "refused")
			step.append(h("li", { class: "end bad" }, "refused by ", h("b", {}, op.interface)));
		else if (!HIDDEN.has(op.kind) || op.words)
			step.append(h("li", {}, op.words || words(op)));
	}
	return list;
}

export function explainView(recording) {
	const ends = verdictOf(recording.ops);
	const say = ends.map((o) => (o.kind === "drop" ? "Dropped at " + o.node + ": " + o.reason : o.kind === "output" ? "Sent on " + o.interface
		: o.kind === "refused" ? "Refused by " + o.interface : o.kind === "hold" ? "Kept by " + o.node : o.text)).join("; ");
	const bad = ends.some((o) => o.kind === "drop" || o.kind === "refused");
	return h("div", { class: "explained" }, h("p", { class: "notice " + (bad ? "bad" : "good") }, say || "It goes nowhere."),
		recording.lane && h("p", { class: "muted small" }, "Lane: " + recording.lane.taken + (recording.lane.reason ? " (" + recording.lane.reason + ")" : "")),
		stepsView(recording));
}

// Asks what would happen, and shows it in `box`.
// frame: { hex, name, own }
export async function explain(box, frame) {
	put(box, h("p", { class: "muted" }, "Asking …"));
	try {
		const recording = await api.get("/explain?" + new URLSearchParams({ interface: frame.name, ...(frame.own ? { to: "own" } : {}) }),
			{ method: "POST", body: frame.hex });
		put(box, h("h3", {}, "What would happen now"), explainView(recording));
		return recording;
	} catch (error) {
		put(box, h("p", { class: "notice bad" }, error.message));
		return null;
	}
}

// SPDX-License-Identifier: Apache-2.0
// The configuration: what runs, with the model's words beside it; changed as everywhere, by a plan,
// a commit that can wait for a confirmation, and a way back.

import * as api from "./api.js";
import { h, put, text } from "./dom.js";
import { count, duration, moment } from "./format.js";
import { fact, sentence } from "./graph.js";
import { icon } from "./icons.js";
import { store } from "./store.js";
import { Table } from "./table.js";
import { find, lineOf, parts, pathAt } from "./yaml.js";

export const title = "Configuration";

// Kept while other views are looked at: nobody loses what was written.
const draft = { base: null, text: null };
let model = null, tab = "edit";

const OPS = { create: ["+", "added"], delete: ["−", "removed"], change: ["~", "changed"], move: ["↕", "moved"] };

const rpc = (name, input) => api.operation("millrace-commit:" + name, input);

export function changesView(changes) {
	return h("ul", { class: "changes" }, changes.map((c) => {
		const [sign, say] = OPS[c.op] || ["~", c.op];
		return h("li", { class: "change " + c.op }, h("span", { class: "sign", "aria-label": say }, sign), h("div", {}, h("div", { class: "mono path" }, c.path),
			(c.old !== undefined || c.new !== undefined) && h("div", { class: "values mono" },
				c.old !== undefined && h("del", {}, c.old), c.old !== undefined && c.new !== undefined && h("span", { class: "muted" }, " → "), c.new !== undefined && h("ins", {}, c.new))));
	}));
}

class Editor {
	constructor(changed, moved) {
		this.area = h("textarea", { class: "mono", spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", "aria-label": "Configuration, as YAML", "aria-describedby": "editor-keys" });
		this.lines = h("pre", { class: "mono lines", "aria-hidden": "true" });
		this.gutter = h("pre", { class: "mono gutter", "aria-hidden": "true" });
		this.hint = h("p", { class: "sr" }, "Tab leaves the field. Control and Enter plans the change.");
		this.hint.id = "editor-keys";
		this.element = h("div", { class: "editor" }, this.gutter, h("div", { class: "editor-box" }, this.lines, this.area), this.hint);
		this.marks = new Map();
		this.area.addEventListener("input", () => {
			this.marks.clear();
			this.paint();
			changed();
		});
		this.area.addEventListener("scroll", () => {
			this.lines.scrollTop = this.gutter.scrollTop = this.area.scrollTop;
			this.lines.scrollLeft = this.area.scrollLeft;
		});
		for (const e of ["keyup", "click", "input", "focus"])
			this.area.addEventListener(e, moved);
		// A new line begins below the last one's first word.
		this.area.addEventListener("keydown", (e) => {
			if (e.key !== "Enter" || e.ctrlKey || e.metaKey || e.shiftKey)
				return;
			const at = this.area.selectionStart, line = this.area.value.slice(this.area.value.lastIndexOf("\n", at - 1) + 1, at);
			const indent = /^\s*/.exec(line)[0] + (/:\s*$/.test(line) ? "  " : "");
			e.preventDefault();
			this.area.setRangeText("\n" + indent, at, this.area.selectionEnd, "end");
			this.area.dispatchEvent(new Event("input"));
		});
	}

	set(value) {
		if (this.area.value !== value)
			this.area.value = value;
		this.paint();
	}

	paint() {
		const list = this.area.value.split("\n");
		put(this.lines, list.length < 4000 ? list.map((line) => [parts(line).map(([kind, t]) => (kind === "text" ? t : h("span", { class: "y-" + kind }, t))), "\n"]) : this.area.value);
		this.area.classList.toggle("bare", list.length >= 4000);
		put(this.gutter, list.map((_, i) => h("span", { class: this.marks.has(i) ? "marked" : "" }, i + 1 + "\n")));
		this.lines.scrollTop = this.gutter.scrollTop = this.area.scrollTop;
	}

	// Errors stand at their lines.
	mark(lines) {
		this.marks = new Map(lines.map((l) => [l, true]));
		this.paint();
	}

	go(line) {
		const before = this.area.value.split("\n").slice(0, line).join("\n").length + (line ? 1 : 0);
		const end = this.area.value.indexOf("\n", before);
		this.area.focus();
		this.area.setSelectionRange(before, end < 0 ? this.area.value.length : end);
		this.area.scrollTop = Math.max(0, line - 8) * 20;
	}
}

export function show(page) {
	const status = h("span", { class: "muted" }), banner = h("div"), result = h("div", { class: "result", "aria-live": "polite" });
	const doc = h("div", { class: "model-doc" });
	const planButton = h("button", { onclick: () => plan() }, "Plan"), applyButton = h("button", { class: "primary", onclick: () => ask() }, "Apply …");
	const discard = h("button", { class: "quiet-text", onclick: () => reset() }, "Discard");
	const editor = new Editor(() => {
		draft.text = editor.area.value;
		put(result);
		dirty();
	}, () => describe());
	const tabs = h("div", { class: "segments", role: "group", "aria-label": "What to show" },
		h("button", { class: "seg", onclick: () => turn("edit") }, icon("config"), "Configuration"), h("button", { class: "seg", onclick: () => turn("history") }, icon("undo"), "History"));
	const edit = h("div", { class: "config-grid" }, editor.element, h("div", { class: "config-side" }, result, doc));
	const history = historyTable((c) => commitPanel(c));
	const box = h("div", { class: "config-box" });
	const actions = h("div", { class: "bar-actions" }, discard, planButton, applyButton);
	put(page.main, h("section", { class: "view config-view", "aria-label": "Configuration" }, banner,
		h("div", { class: "bar" }, tabs, status, h("span", { class: "space" }), actions), box));
	page.search = editor.area;

	const changed = () => draft.text !== null && draft.text !== draft.base;
	function dirty() {
		text(status, draft.base === null ? "" : changed() ? "Changed, not in force" : "What runs now");
		discard.hidden = !changed();
		planButton.disabled = applyButton.disabled = !changed();
	}

	function turn(name) {
		tab = name;
		[...tabs.children].forEach((b, i) => b.setAttribute("aria-pressed", String((i === 0) === (name === "edit"))));
		put(box, name === "edit" ? edit : history.element);
		actions.hidden = status.hidden = name !== "edit";
		if (name === "history")
			commits();
		else
			editor.paint();
	}

	async function load(force) {
		try {
			const running = (await rpc("get", {})).text || "";
			const was = changed() && !force;
			draft.base = running;
			if (!was)
				draft.text = running;
			editor.set(draft.text);
			dirty();
		} catch (error) {
			if (!page.signal.aborted)
				put(result, h("p", { class: "notice bad" }, error.status === 404 ? "This data plane's configuration is not changed over HTTP." : error.message));
		}
	}

	function reset() {
		draft.text = draft.base;
		editor.marks.clear();
		editor.set(draft.base);
		put(result);
		dirty();
		editor.area.focus();
	}

	function fail(error) {
		const lines = error.details?.length ? error.details : [{ path: "", text: error.message }];
		const at = lines.map((d) => {
			const m = /:(\d+)(?::\d+)?: /.exec(d.text) || /line (\d+)/.exec(d.text);
			return m ? Number(m[1]) - 1 : d.path ? lineOf(editor.area.value, d.path) : -1;
		});
		editor.mark(at.filter((l) => l >= 0));
		put(result, h("h3", {}, "This cannot be applied"), h("ul", { class: "faults" }, lines.map((d, i) => h("li", {},
			d.path && h("div", { class: "mono path" }, d.path), h("div", {}, sentence(d.text)),
			at[i] >= 0 && h("button", { class: "link", onclick: () => editor.go(at[i]) }, "line " + (at[i] + 1))))));
	}

	async function plan() {
		if (!changed())
			return;
		planButton.disabled = true;
		try {
			const out = await rpc("plan", { config: draft.text, name: "editor" });
			editor.mark([]);
			const changes = out.changes || [], touches = out.touches || [];
			put(result, h("h3", {}, changes.length ? count(changes.length) + (changes.length === 1 ? " difference" : " differences") : "No difference: only the writing differs"),
				changesView(changes), touches.length > 0 && [h("h3", {}, "What it touches"), h("ul", { class: "touches" }, touches.map((t) => h("li", {},
					h("span", { class: "pill " + t.kind }, t.kind), h("div", {}, h("b", { class: "mono" }, t.what), " ", h("span", { class: "muted" }, t.text || "", t.count !== undefined ? " (" + count(Number(t.count)) + ")" : ""))))) ]);
		} catch (error) {
			fail(error);
		}
		dirty();
	}

	// With a time in which it must be confirmed: who cut themselves off gets back in.
	function ask(rollback) {
		const comment = h("input", { class: "field", maxLength: 1000, placeholder: "Why, for the history", "aria-label": "Comment" });
		const confirm = h("select", { "aria-label": "Take back unless confirmed" }, [["60", "unless I confirm within a minute"], ["300", "unless I confirm within 5 minutes"], ["", "never: it stays"]].map(([v, say]) => h("option", { value: v }, say)));
		const wrong = h("p", { class: "notice bad", hidden: true });
		const go = h("button", { class: "primary", type: "submit" }, rollback ? "Roll back" : "Apply");
		const form = h("form", { class: "ask" }, h("h2", {}, rollback ? "Roll back to commit " + rollback : "Apply this configuration"),
			h("label", {}, "Comment", comment), h("label", {}, "Take it back", confirm), wrong,
			h("div", { class: "actions" }, h("button", { type: "button", onclick: () => d.close() }, "Cancel"), go));
		const d = h("dialog", { "aria-label": rollback ? "Roll back" : "Apply" }, form);
		d.addEventListener("close", () => d.remove());
		form.addEventListener("submit", async (e) => {
			e.preventDefault();
			go.disabled = true;
			const made = {};
			if (comment.value)
				made.comment = comment.value;
			if (confirm.value)
				made.confirm = Number(confirm.value);
			try {
				const out = rollback ? await rpc("rollback", { to: rollback, ...made }) : await rpc("apply", { config: draft.text, name: "dashboard", ...made });
				d.close();
				editor.mark([]);
				put(result, h("p", { class: "notice good" }, out.changed === false ? "There was no difference." : "Commit " + out.id + " is in force."), changesView(out.changes || []));
				draft.text = draft.base;
				await Promise.all([load(true), commits()]);
			} catch (error) {
				if (error.details?.length && !rollback) {
					d.close();
					fail(error);
				} else {
					wrong.hidden = false;
					text(wrong, error.message);
				}
			}
			go.disabled = false;
		});
		document.body.append(d);
		d.showModal();
		comment.focus();
	}

	let known = [], wait = null, pendingSince = 0, lastId;
	async function commits() {
		clearTimeout(wait);
		try {
			const state = await api.get("/state/commits", { signal: page.signal });
			known = (state.commits || []).map((c) => ({ ...c, id: Number(c.id) }));
			pendingSince = performance.now();
			history.update(known);
			waits();
			const force = known.find((c) => c["in-force"])?.id;
			if (lastId !== undefined && force !== lastId)
				load();
			lastId = force;
		} catch (error) {
			if (error.name !== "AbortError" && tab === "history")
				history.say(error.status === 404 ? "This data plane keeps no history." : error.message);
		}
		if (!page.signal.aborted)
			wait = setTimeout(commits, 2000);
	}

	// The commit that is taken back when nobody confirms it.
	function waits() {
		const c = known.find((x) => x.state === "pending" && x["in-force"] !== false);
		if (!c) {
			banner.keyed = null;
			put(banner);
			return;
		}
		if (banner.keyed !== c.id) {
			banner.keyed = c.id;
			banner.left = h("b", { class: "num" });
			banner.bar = h("i");
			banner.most = Number(c["time-left"]) || 1;
			const act = (name) => async (e) => {
				e.target.disabled = true;
				try {
					await rpc(name, { id: c.id });
				} catch (error) {
					put(result, h("p", { class: "notice bad" }, error.message));
				}
				await commits();
				await load();
			};
			put(banner, h("div", { class: "pending", role: "alert" }, h("div", {}, h("b", {}, "Commit " + c.id), " is in force and is taken back in ", banner.left),
				h("div", { class: "actions" }, h("button", { onclick: act("cancel") }, "Take it back"), h("button", { class: "primary", onclick: act("confirm") }, "Keep it")), h("span", { class: "countdown" }, banner.bar)));
		}
		const left = Math.max(0, Number(c["time-left"] || 0) - (performance.now() - pendingSince));
		banner.most = Math.max(banner.most, left);
		text(banner.left, duration(Math.ceil(left / 1000)));
		banner.bar.style.width = left / banner.most * 100 + "%";
	}

	function commitPanel(c) {
		const changes = c.changes || [], configuration = h("div");
		const see = h("button", { onclick: async () => {
			try {
				const out = await rpc("get", { commit: c.id });
				put(configuration, h("h3", {}, "Its configuration"), h("pre", { class: "mono code" }, out.text || ""));
			} catch (error) {
				put(configuration, h("p", { class: "notice bad" }, error.message));
			}
		} }, "Show its configuration");
		page.panel.open({ title: "Commit " + c.id, kind: c["in-force"] ? "In force" : "Earlier", closed: () => history.select(), content: [
			h("p", { class: "doc" }, c.comment || ""), h("dl", { class: "facts" }, fact("When", moment(c.when)), fact("Who", c.who || ""), fact("How", c.origin + (c.of ? " to " + c.of : "")), fact("State", c.state), fact("Kept", c.kept ? "yes" : "with this process")),
			h("div", { class: "actions" }, see, !c["in-force"] && h("button", { class: "primary", onclick: () => ask(c.id) }, "Roll back to this …")),
			changes.length > 0 && [h("h3", {}, count(Number(c["change-count"] || changes.length)) + " differences to the one before"), changesView(changes)], configuration] });
	}

	async function describe() {
		if (!model)
			return;
		const path = pathAt(editor.area.value, editor.area.selectionStart), { node, trail, entry } = find(model, path);
		const key = path.join("/");
		if (doc.path === key)
			return;
		doc.path = key;
		put(doc, modelView(node, trail, path, entry));
	}

	editor.area.addEventListener("keydown", (e) => {
		if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
			e.preventDefault();
			plan();
		}
	});
	turn(tab);
	dirty();
	load();
	commits();
	const timer = setInterval(waits, 500);
	page.signal.addEventListener("abort", () => {
		clearInterval(timer);
		clearTimeout(wait);
	});
	if (model)
		describe();
	else
		api.get("/web/model.json", { signal: page.signal, cache: "default" }).then((m) => {
			model = m;
			describe();
		}).catch((error) => error.name === "AbortError" || put(doc, h("p", { class: "empty" }, error.message)));
	store.on("restart", () => load(), page.signal);
}

function modelView(node, trail, path, entry) {
	const children = node.children || [];
	const box = [h("div", { class: "crumbs mono" }, path.length ? path.join(" / ") : "configuration"),
		h("h3", {}, trail.length ? trail[trail.length - 1].name : "What can be configured", node.kind && h("span", { class: "muted" }, " " + (entry ? "entry" : node.kind)))];
	if (node.doc)
		box.push(h("p", { class: "doc" }, node.doc));
	const facts = [node.type && fact("Type", node.type), node.units && fact("Unit", node.units), node.default !== undefined && fact("Default", node.default),
		node.key && fact("Key", node.key), node.mandatory && fact("Must be given", "yes")].filter(Boolean);
	if (facts.length)
		box.push(h("dl", { class: "facts" }, facts));
	if (node.values?.some((v) => v.doc))
		box.push(h("dl", { class: "words" }, node.values.map((v) => [h("dt", { class: "mono" }, v.name), h("dd", { class: "muted" }, v.doc || "")])));
	if (children.length)
		box.push(h("h4", {}, node.kind ? "In it" : ""), h("dl", { class: "words" }, children.map((c) => [h("dt", { class: "mono" }, c.name),
			h("dd", { class: "muted" }, first(c.doc), c.default !== undefined && h("span", { class: "faint" }, " Default " + c.default + "."))])));
	return box;
}

const first = (doc) => (/^(.*?\.)(\s|$)/.exec(doc || "") || ["", doc || ""])[1];

function historyTable(open) {
	return new Table({
		label: "Commits", key: (c) => c.id, open, sort: "id", empty: "No commit yet.",
		columns: [
			{ key: "id", label: "Commit", number: true, sort: (c) => c.id, cell: (td, c) => c.id },
			{ key: "when", label: "When", sort: (c) => Number(c.when), class: "num", cell: (td, c) => moment(c.when) },
			{ key: "comment", label: "Comment", grow: true, cell: (td, c) => c.comment || "" },
			{ key: "who", label: "Who", sort: (c) => c.who, cell: (td, c) => c.who || "" },
			{ key: "origin", label: "How", sort: (c) => c.origin, class: "hide-small", cell: (td, c) => c.origin + (c.of ? " to " + c.of : "") },
			{ key: "count", label: "Differences", number: true, sort: (c) => Number(c["change-count"]), cell: (td, c) => count(Number(c["change-count"] || 0)) },
			{ key: "state", label: "State", sort: (c) => c.state, cell: (td, c) => {
				put(td, h("span", { class: "pill " + (c["in-force"] ? "on" : c.state) }, c["in-force"] ? (c.state === "pending" ? "waits" : "in force") : c.state));
				return undefined;
			} },
		],
	});
}


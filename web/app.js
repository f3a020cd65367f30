// SPDX-License-Identifier: Apache-2.0
// The page around the views: where one is, whether the data plane is heard, keys, themes, the
// panel at the side, and the questions that are asked.

import * as api from "./api.js";
import { forgetColours } from "./charts.js";
import * as config from "./config.js";
import { h, put, text } from "./dom.js";
import * as drops from "./drops.js";
import * as flows from "./flows.js";
import { duration } from "./format.js";
import * as graph from "./graph.js";
import { icon } from "./icons.js";
import * as keys from "./keys.js";
import * as overview from "./overview.js";
import * as ports from "./ports.js";
import * as routes from "./routes.js";
import { store } from "./store.js";

const views = { overview, graph, ports, flows, routes, drops, config };
const order = Object.keys(views);
let now = null;

// -- the panel at the side -------------------------------------------------------------------

const panelTitle = h("h2", { tabIndex: -1 });
const panelKind = h("span", { class: "eyebrow" });
const panelBody = h("div", { class: "panel-body" });
const panelElement = h("aside", { class: "panel", hidden: true, "aria-labelledby": "panel-title" },
	h("header", {}, h("div", {}, panelKind, panelTitle),
		h("button", { class: "quiet", "aria-label": "Close panel", title: "Close (Esc)", onclick: () => panel.close() }, icon("close"))),
	panelBody);
panelTitle.id = "panel-title";

const panel = {
	shown: null,
	open({ title, kind, content, update, closed, focus = true, wide = false }) {
		const from = this.shown ? this.from : document.activeElement;
		this.shown?.closed?.();
		this.shown = { update, closed };
		this.from = from;
		text(panelTitle, title);
		text(panelKind, kind || "");
		put(panelBody, content);
		panelBody.scrollTop = 0;
		panelElement.hidden = false;
		panelElement.classList.toggle("wide", wide);
		update?.();
		if (focus)
			panelTitle.focus({ preventScroll: true });
	},
	close() {
		if (!this.shown)
			return false;
		const { closed } = this.shown;
		const inside = panelElement.contains(document.activeElement) || document.activeElement === document.body;
		this.shown = null;
		panelElement.hidden = true;
		put(panelBody);
		closed?.();
		if (inside && this.from?.isConnected)
			this.from.focus({ preventScroll: true });
		return true;
	},
};

// -- where one is ----------------------------------------------------------------------------

const main = h("main", { tabIndex: -1, "aria-label": "Content" });
main.id = "main";
const heading = h("h1");
const links = new Map(order.map((name, i) => [name, h("a", { href: "#/" + name, title: views[name].title + " (" + (i + 1) + ")" },
	icon(name), h("span", { class: "label" }, views[name].title), h("span", { class: "badge num", hidden: true }))]));

function go(view, item) {
	const target = "#/" + view + (item ? "/" + encodeURIComponent(item) : "");
	if (location.hash === target)
		route();
	else
		location.hash = target;
}

function route() {
	const [, name, item] = location.hash.split("/");
	const view = views[name] ? name : "overview";
	let decoded;
	try {
		decoded = item ? decodeURIComponent(item) : undefined;
	} catch {
		decoded = undefined;
	}
	now?.stop.abort();
	panel.shown = null;
	panelElement.hidden = true;
	const stop = new AbortController();
	now = { name: view, stop, main, panel, go, signal: stop.signal, item: decoded };
	for (const [key, a] of links) {
		a.classList.toggle("here", key === view);
		if (key === view)
			a.setAttribute("aria-current", "page");
		else
			a.removeAttribute("aria-current");
	}
	text(heading, views[view].title);
	document.title = views[view].title + " – millrace";
	main.className = "";
	main.scrollTop = 0;
	views[view].show(now);
}

// -- whether the data plane is heard -----------------------------------------------------------

const state = h("span", { class: "state", role: "status" }, h("i", { class: "dot" }), h("span"));
const pauseButton = h("button", { class: "quiet", onclick: () => pause() });
const strip = h("div", { class: "strip", role: "alert", hidden: true });

function pause() {
	store.pause(!store.paused);
}

function said() {
	const ago = store.at ? (performance.now() - store.at) / 1000 : 0;
	const words = {
		connecting: "Connecting", live: store.how === "events" ? "Live" : "Live, polling", paused: "Paused",
		stale: store.at ? "Not heard for " + duration(ago) : "Cannot connect",
	}[store.phase];
	state.className = "state " + store.phase;
	text(state.lastChild, words);
	strip.hidden = store.phase !== "stale";
	if (store.phase === "stale")
		text(strip, store.at ? "The data plane does not answer. What is shown is " + duration(ago) + " old; this page goes on trying."
			: "The data plane does not answer: " + store.error);
	document.body.classList.toggle("stale", store.phase === "stale");
	put(pauseButton, icon(store.paused ? "play" : "pause"));
	pauseButton.setAttribute("aria-label", store.paused ? "Go on" : "Pause");
	pauseButton.title = (store.paused ? "Go on" : "Pause") + " (p)";
	pauseButton.setAttribute("aria-pressed", String(store.paused));
}

function badges() {
	const dropping = [...store.rates.drops.values()].reduce((a, b) => a + b, 0);
	const bad = links.get("drops").querySelector(".badge");
	bad.hidden = !(dropping > 0);
	if (dropping > 0)
		text(bad, dropping < 999.5 ? Math.max(1, Math.round(dropping)) + "/s" : Math.round(dropping / 1000) + "k/s");
	const down = store.interfaces.filter((i) => i.state !== "up" && i.state !== "disabled" && i.state !== "done").length;
	const port = links.get("ports").querySelector(".badge");
	port.hidden = !down;
	text(port, down ? down + " down" : "");
}

// -- light and dark ----------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = h("button", { class: "quiet", onclick: () => turnTheme() }, icon("theme"));

function theme(name) {
	if (name)
		document.documentElement.dataset.theme = name;
	else
		delete document.documentElement.dataset.theme;
	const is = name || (dark.matches ? "dark" : "light");
	const other = is === "dark" ? "light" : "dark";
	themeButton.setAttribute("aria-label", "Switch to " + other);
	themeButton.title = "Switch to " + other + " (t)";
	forgetColours();
	now?.theme?.();
	store.tell("state");
}

function turnTheme() {
	const is = document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
	const next = is === "dark" ? "light" : "dark";
	try {
		localStorage.setItem("millrace-theme", next);
	} catch {
		// Not kept, then.
	}
	theme(next);
}

// -- questions ---------------------------------------------------------------------------------

function dialog(title, content, closed) {
	const d = h("dialog", { "aria-label": title }, content);
	d.addEventListener("close", () => {
		closed?.(d.returnValue);
		d.remove();
	});
	d.addEventListener("click", (e) => {
		if (e.target === d)
			d.close();
	});
	document.body.append(d);
	d.showModal();
	return d;
}

api.onUnauthorized((wrong) => new Promise((done) => {
	const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-label": "Token", class: "field mono" });
	const form = h("form", { method: "dialog", class: "ask" },
		h("h2", {}, "Sign in"),
		h("p", {}, wrong ? "That token was not accepted." : "This data plane asks for a token."),
		input, h("p", { class: "muted small" }, "It is kept in this tab only, until the tab is closed."),
		h("div", { class: "actions" }, h("button", { class: "primary", value: "ok" }, "Sign in")));
	form.addEventListener("submit", () => done(input.value.trim()));
	dialog("Sign in", form, () => done(input.value.trim() || null));
	input.focus();
}));

function help() {
	const groups = new Map();
	for (const k of keys.list())
		groups.set(k.group, [...(groups.get(k.group) || []), k]);
	groups.set("In the graph", [["← ↑ → ↓", "To the next node"], ["Enter", "Open it"], ["+ − 0", "Zoom in, out, fit"], ["Shift ← ↑ → ↓", "Move the picture"]]
		.map(([combination, doc]) => ({ combination, doc })));
	groups.set("In tables", [["↑ ↓", "To the next row (j and k, too)"], ["Enter", "Open it"]].map(([combination, doc]) => ({ combination, doc })));
	groups.set("In the configuration", [["Ctrl Enter", "Plan"]].map(([combination, doc]) => ({ combination, doc })));
	dialog("Keys", [h("header", { class: "dialog-head" }, h("h2", {}, "Keys"),
		h("button", { class: "quiet", "aria-label": "Close", onclick: (e) => e.target.closest("dialog").close() }, icon("close"))),
	h("div", { class: "keys" }, [...groups].map(([name, list]) => h("section", {}, h("h3", {}, name),
		h("dl", {}, list.map((k) => [h("dt", {}, k.combination.split(" ").map((x) => h("kbd", {}, x === "Escape" ? "Esc" : x))), h("dd", {}, k.doc)])))))]);
}

function shortcuts() {
	order.forEach((name, i) => keys.bind(String(i + 1), views[name].title, () => go(name), "Views"));
	for (const name of order)
		keys.bind("g " + name[0], "", () => go(name));
	keys.bind("/", "Search in this view", () => {
		now?.search?.focus();
		now?.search?.select?.();
	});
	keys.bind("p", "Pause, go on", pause);
	keys.bind("t", "Light or dark", turnTheme);
	keys.bind("?", "These keys", help);
	keys.bind("Escape", "Close what is open, leave a field", (e) => {
		if (e.target.matches?.("input, select") && !e.target.closest("dialog")) {
			if (e.target.value && e.target.type === "search") {
				e.target.value = "";
				e.target.dispatchEvent(new Event("input"));
			} else {
				e.target.blur();
			}
		} else if (!e.target.matches?.("textarea")) {
			panel.close();
		}
	});
	keys.start();
}

function begin() {
	put(document.getElementById("app"),
		h("nav", { class: "nav", "aria-label": "Views" },
			h("a", { class: "brand", href: "#/overview", "aria-label": "millrace, overview" }, h("img", { src: "/web/icon.svg", alt: "", width: "24", height: "24" }), h("span", { class: "label" }, "millrace")),
			h("div", { class: "links" }, [...links.values()])),
		h("div", { class: "body" },
			h("header", { class: "head" }, heading, h("span", { class: "space" }), state, pauseButton, themeButton,
				h("button", { class: "quiet", "aria-label": "Keys", title: "Keys (?)", onclick: help }, icon("help"))),
			strip, h("div", { class: "content" }, main, panelElement)));
	let kept = null;
	try {
		kept = localStorage.getItem("millrace-theme");
	} catch {
		// The system's, then.
	}
	theme(kept === "dark" || kept === "light" ? kept : null);
	dark.addEventListener("change", () => theme(document.documentElement.dataset.theme));
	shortcuts();
	store.on("phase", said);
	store.on("state", () => {
		badges();
		panel.shown?.update?.();
	});
	setInterval(said, 1000);
	said();
	addEventListener("hashchange", () => {
		route();
		main.focus({ preventScroll: true });
	});
	route();
	store.run();
	// For tests and for those who look: what the page knows.
	window.millrace = { store, get page() { return now; } };
}

begin();

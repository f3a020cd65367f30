// SPDX-License-Identifier: Apache-2.0
// Routes: what is found for an address, what stands under a prefix, how many there are. Never more
// than a screenful is fetched, however many there are.

import * as api from "./api.js";
import { h, put, text } from "./dom.js";
import { count } from "./format.js";
import { fact } from "./graph.js";
import { store } from "./store.js";
import { Table } from "./table.js";

export const title = "Routes";

const MOST = 200;

const hop = (n) => (n.action ? n.action : [n.address && "via " + n.address, n.interface && "on " + n.interface, n.weight > 1 && "weight " + n.weight].filter(Boolean).join(" "));
const keyOf = (r) => r.router + " " + r.prefix + " " + r.source + " " + r.metric;

// "static     IPv4          4  3 active" lines, under "router NAME" where there are several.
export function counts(body) {
	const list = [];
	let router = "";
	for (const line of body.split("\n")) {
		const head = /^router (\S+)/.exec(line), m = /^(\S+)\s+(IPv[46])\s+(\d+)\s*(.*)$/.exec(line);
		if (head)
			router = head[1];
		else if (m)
			list.push({ router, source: m[1], family: m[2], count: Number(m[3]), note: m[4] });
	}
	return list;
}

export function show(page) {
	const search = h("input", { type: "search", class: "search wide", placeholder: "Address or prefix: 192.0.2.1, 2001:db8::/32", "aria-label": "Find routes: address or prefix" });
	const router = h("select", { "aria-label": "Router" }, h("option", { value: "" }, "every router"));
	const family = h("select", { "aria-label": "Family" }, [["", "IPv4 and IPv6"], ["4", "IPv4"], ["6", "IPv6"]].map(([v, say]) => h("option", { value: v }, say)));
	const source = h("select", { "aria-label": "Source" }, [["", "every source"], "local", "connected", "neighbor", "static", "fpm", "kernel"].map((x) =>
		(Array.isArray(x) ? h("option", { value: x[0] }, x[1]) : h("option", { value: x }, x))));
	const note = h("span", { class: "muted num" }), answer = h("div"), tally = h("div", { class: "tally" });
	const table = new Table({
		label: "Routes", key: keyOf, open: (r) => open(r), empty: "No route is like that.",
		columns: [
			{ key: "prefix", label: "Prefix", class: "mono", sort: (r) => r.prefix, cell: (td, r) => r.prefix },
			{ key: "hops", label: "Next hop", grow: true, sort: (r) => r["next-hops"].map(hop).join(), cell: (td, r) => r["next-hops"].slice(0, 4).map(hop).join(", ") + (r["next-hops"].length > 4 ? ", and " + (r["next-hops"].length - 4) + " more" : "") },
			{ key: "source", label: "Source", sort: (r) => r.source, cell: (td, r) => r.source + (r.protocol && r.protocol !== r.source && r.protocol !== "kernel" ? " (" + r.protocol + ")" : "") },
			{ key: "state", label: "State", sort: (r) => r.state, cell: (td, r) => {
				td.classList.toggle("muted", r.state !== "active");
				return r.state;
			} },
			{ key: "metric", label: "Metric", number: true, class: "hide-small", sort: (r) => r.metric, cell: (td, r) => count(r.metric) },
			{ key: "router", label: "Router", class: "hide-small", sort: (r) => r.router, cell: (td, r) => r.router },
		],
	});
	put(page.main, h("section", { class: "view", "aria-label": "Routes" },
		h("div", { class: "bar" }, search, router, family, source, h("span", { class: "space" }), note), answer, table.element, tally));
	page.search = search;

	let asked = "";
	async function find() {
		const term = search.value.trim(), query = { form: "json" };
		if (term)
			query.prefix = term;
		if (router.value)
			query.router = router.value;
		if (family.value)
			query.family = family.value;
		if (source.value)
			query.source = source.value;
		const target = "/state/router/routes?" + new URLSearchParams(query);
		asked = target;
		try {
			const { list, more } = await api.lines(target, MOST, page.signal);
			if (asked !== target)
				return;
			const address = term && !term.includes("/");
			// The longest match first: what decides.
			if (address)
				list.sort((a, b) => Number(b.prefix.split("/")[1]) - Number(a.prefix.split("/")[1]));
			table.by = null;
			table.mark();
			table.update(list);
			table.none.textContent = term ? "No route covers or is under " + term + "." : "There are no routes.";
			text(note, more ? "the first " + MOST : list.length + (list.length === 1 ? " route" : " routes"));
			search.setAttribute("aria-invalid", "false");
			const best = address && list.find((r) => r.state === "active");
			put(answer, address && h("p", { class: "notice " + (best ? "good" : "bad"), role: "status" }, best
				? [h("span", { class: "mono" }, term), " takes ", h("b", { class: "mono" }, best.prefix), ", " + best["next-hops"].map(hop).join(", ") + (best.resolved ? " (" + best.resolved + ")" : "")]
				: ["No route for ", h("span", { class: "mono" }, term)]));
			if (best)
				table.select(best);
		} catch (error) {
			if (error.name === "AbortError")
				return;
			search.setAttribute("aria-invalid", "true");
			put(answer);
			table.update([]);
			table.say(error.status === 404 && !term ? "There is no router in this configuration." : error.message);
		}
	}

	async function tell() {
		try {
			const list = counts(await api.text("/state/router/routes?form=count", { signal: page.signal }));
			const sum = (x) => x.reduce((n, r) => n + r.count, 0), names = [...new Set(list.map((r) => r.source))];
			put(tally, list.length > 0 && [h("h3", {}, "How many"), h("table", { class: "plain narrow", "aria-label": "Routes by source" },
				h("thead", {}, h("tr", {}, h("th", {}, "Source"), h("th", { class: "number" }, "IPv4"), h("th", { class: "number" }, "IPv6"))),
				h("tbody", {}, names.map((name) => h("tr", {}, h("td", {}, name), ["IPv4", "IPv6"].map((f) => h("td", { class: "number" }, count(sum(list.filter((r) => r.source === name && r.family === f))))))),
					h("tr", { class: "sum" }, h("td", {}, "all"), ["IPv4", "IPv6"].map((f) => h("td", { class: "number" }, count(sum(list.filter((r) => r.family === f))))))))]);
			const state = await api.get("/state/router", { signal: page.signal });
			const routers = (state.router || []).map((r) => r.name).filter(Boolean);
			if (routers.length && router.children.length === 1)
				router.append(...routers.map((name) => h("option", { value: name }, name)));
		} catch (error) {
			if (error.name !== "AbortError")
				put(tally);
		}
	}

	function open(r) {
		page.panel.open({ title: r.prefix, kind: "Route", closed: () => table.select(), content: [h("dl", { class: "facts" },
			fact("Router", r.router), fact("Source", r.source), r.protocol && fact("Protocol", r.protocol), fact("State", r.state), fact("Metric", r.metric),
			r.resolved && fact("Resolved", r.resolved)),
		h("h3", {}, "Next hops"), h("table", { class: "plain" }, r["next-hops"].map((n) => h("tr", {}, h("td", { class: "mono" }, hop(n)), h("td", { class: "number" }, n.weight ? "weight " + n.weight : ""))))] });
	}

	let typing = null;
	search.addEventListener("input", () => {
		clearTimeout(typing);
		typing = setTimeout(find, 150);
	});
	for (const x of [router, family, source])
		x.addEventListener("change", find);
	if (page.item)
		search.value = page.item;
	find();
	tell();
	const timer = setInterval(() => store.paused || tell(), 5000);
	page.signal.addEventListener("abort", () => clearInterval(timer));
}

// SPDX-License-Identifier: Apache-2.0
// The packet graph on canvas: what stands still is drawn when something changed, and what moves
// along the edges on a canvas above it, so that a frame costs little however many nodes there are.

import { colour, fit } from "./charts.js";
import { h } from "./dom.js";
import { decimals, short } from "./format.js";
import { layout } from "./layout.js";

const NODE = 46, PORT = 30, STACK = 9;
const BUILT_IN = new Set(["port-rx", "port-tx", "handoff"]);
const FONT = 12.5;
const MARGIN = 160; // of the lower canvas, as in style.css
const SETTLE = 110; // milliseconds without a move, until it is drawn anew
const ZOOM_MOST = 2.5, ZOOM_LEAST = 0.08;
const still = matchMedia("(prefers-reduced-motion: reduce)");

// What state says of the graph, as nodes and edges. Ports are nodes of their own: where packets
// come in at the left, where they leave at the right.
export function graphOf(system, interfaces, unused) {
	const nodes = new Map(), edges = new Map();
	const known = new Map(interfaces.filter((i) => i.counters && i.driver !== "pair").map((i) => [i.name, i]));
	const inside = new Set(interfaces.filter((i) => i.driver === "pair").map((i) => i.name));
	const drops = new Map();
	for (const d of system.drop || [])
		drops.set(d.node, (drops.get(d.node) || 0) + d.packets);
	for (const n of system.node || [])
		if (unused || n.packets > 0 || drops.get(n.name) > 0)
			nodes.set(n.name, { id: n.name, kind: "node", name: n.name, data: n });
	const link = (from, to, packets, key) => {
		if (!nodes.has(from) || !nodes.has(to) || (!packets && !unused))
			return;
		const id = from + "\n" + to;
		const e = edges.get(id) || { id, from, to, packets: 0, keys: [], ports: [] };
		e.packets += packets;
		if (key)
			e.keys.push(key);
		edges.set(id, e);
		return e;
	};
	const port = (side, i) => {
		const id = side + ":" + i.name;
		if (!nodes.has(id))
			nodes.set(id, { id, kind: side, name: i.name, data: i, rank: side === "rx" ? "first" : "last" });
		return id;
	};
	for (const n of system.node || []) {
		for (const e of n.next || [])
			link(n.name, e.node, e.packets, n.name + "\n" + e.edge);
		for (const e of n.send || [])
			link(n.name, e.node, e.packets, n.name + "\n" + e.port + "/" + e.node);
		for (const name of n["input-of"] || []) {
			const i = known.get(name);
			if (!inside.has(name))
				link("port-rx", n.name, i ? i.counters["rx-packets"] : n.packets)?.ports.push(name);
		}
	}
	for (const [name, i] of known) {
		if (i.counters["rx-packets"] || unused) {
			const e = nodes.has("port-rx") && link(port("rx", i), "port-rx", i.counters["rx-packets"]);
			e && e.ports.push(name);
		}
		if (i.counters["tx-packets"] || unused) {
			const e = nodes.has("port-tx") && link("port-tx", port("tx", i), i.counters["tx-packets"]);
			e && (e.sends = name);
		}
	}
	return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

const split = (name) => {
	const at = name.indexOf("@");
	return at < 0 ? [name, ""] : [name.slice(0, at), name.slice(at)];
};

// Nodes that only ever follow each other stand below each other, as one thing to place: chains are
// what makes packet graphs long.
export function chains(graph) {
	const out = new Map(), into = new Map();
	for (const e of graph.edges) {
		out.set(e.from, [...(out.get(e.from) || []), e]);
		into.set(e.to, [...(into.get(e.to) || []), e]);
	}
	const kind = new Map(graph.nodes.map((n) => [n.id, n.kind]));
	const next = new Map(), follows = new Set();
	for (const e of graph.edges) {
		if (e.from === e.to || kind.get(e.from) !== "node" || kind.get(e.to) !== "node" || BUILT_IN.has(e.from) || BUILT_IN.has(e.to))
			continue;
		if (out.get(e.from).length === 1 && into.get(e.to).length === 1) {
			next.set(e.from, e.to);
			follows.add(e.to);
		}
	}
	const stacks = [], done = new Set();
	const walk = (id) => {
		const list = [];
		for (let n = id; n && !done.has(n); n = next.get(n)) {
			done.add(n);
			list.push(n);
		}
		stacks.push(list);
	};
	for (const n of graph.nodes)
		if (!follows.has(n.id))
			walk(n.id);
	for (const n of graph.nodes) // what is left goes round in a circle
		if (!done.has(n.id))
			walk(n.id);
	return stacks;
}

export class Painter extends EventTarget {
	constructor() {
		super();
		this.base = h("canvas", { class: "graph-base" });
		this.top = h("canvas", {
			class: "graph-top", tabIndex: 0, role: "application",
			"aria-label": "Packet graph. Arrow keys move between nodes, Enter opens one, plus and minus zoom, zero fits.",
			"aria-roledescription": "graph",
		});
		this.element = h("div", { class: "graph-canvas" }, this.base, this.top);
		this.nodes = new Map();
		this.edges = new Map();
		this.signature = "";
		this.view = { x: 0, y: 0, k: 1 };
		this.fitted = true; // until a person moves it
		this.dirty = true;
		this.shifted = 0; // when it was moved since it was drawn; 0: not
		this.drawn = { x: 0, y: 0, k: 1 };
		this.selected = null;
		this.hover = null;
		this.matches = null;
		this.pointers = new Map();
		this.frames = 0;
		this.script = 0;
		this.listen();
	}

	emit(name, detail) {
		this.dispatchEvent(new CustomEvent(name, { detail }));
	}

	// -- what is shown -----------------------------------------------------------------

	update(graph, rates) {
		const signature = graph.nodes.map((n) => n.id).join() + "|" + graph.edges.map((e) => e.id).join();
		if (signature !== this.signature) {
			this.signature = signature;
			this.relay(graph);
		}
		const cycles = [...rates.nodes.values()].reduce((sum, n) => sum + n.cycles, 0);
		for (const n of graph.nodes) {
			const mine = this.nodes.get(n.id);
			mine.data = n.data;
			const i = rates.interfaces.get(n.name), r = rates.nodes.get(n.id);
			mine.rate = n.kind === "node" ? r?.packets : n.kind === "rx" ? i?.rx : i?.tx;
			mine.cost = r?.perPacket;
			mine.share = r && cycles > 0 ? r.cycles / cycles : 0;
			mine.drops = r?.drops || 0;
			mine.line = short(mine.rate) + " pps";
			mine.right = Number.isFinite(mine.cost) ? (mine.cost >= 9999.5 ? short(mine.cost) : decimals(mine.cost, mine.cost < 99.5 ? 1 : 0)) + " cyc" : "";
		}
		for (const e of graph.edges) {
			const mine = this.edges.get(e.id);
			if (e.ports.length)
				mine.rate = e.ports.reduce((sum, p) => sum + (rates.interfaces.get(p)?.rx || 0), 0);
			else if (e.sends)
				mine.rate = rates.interfaces.get(e.sends)?.tx || 0;
			else
				mine.rate = e.keys.reduce((sum, key) => sum + (rates.edges.get(key) || 0), 0);
			mine.thick = mine.rate > 0 ? Math.min(7, 1.2 + Math.log10(1 + mine.rate) * 0.85) : 1;
		}
		this.dirty = true;
	}

	relay(graph) {
		const before = this.result;
		const c = this.base.getContext("2d");
		const family = getComputedStyle(document.body).fontFamily;
		c.font = "600 " + FONT + "px " + family;
		const sized = graph.nodes.map((n) => ({
			...n,
			width: n.kind === "node" ? Math.max(128, Math.min(250, Math.ceil(c.measureText(n.name).width) + 26))
				: Math.max(84, Math.ceil(c.measureText(n.name).width) + 76),
			height: n.kind === "node" ? NODE : PORT,
		}));
		const nodes = new Map(sized.map((n) => [n.id, n])), stackOf = new Map();
		const stacks = chains(graph).map((ids) => {
			const list = ids.map((id) => nodes.get(id));
			const width = Math.max(...list.map((n) => n.width));
			ids.forEach((id) => stackOf.set(id, ids[0]));
			return { id: ids[0], list, width, rank: list[0].rank, height: list.reduce((sum, n) => sum + n.height, 0) + STACK * (list.length - 1) };
		});
		const between = graph.edges.filter((e) => stackOf.get(e.from) !== stackOf.get(e.to) || e.from === e.to)
			.map((e) => ({ id: e.id, from: stackOf.get(e.from), to: stackOf.get(e.to) }));
		this.result = layout({ nodes: stacks, edges: between }, before, { gapX: 54, gapY: 16 });
		this.nodes = new Map();
		for (const s of stacks) {
			const at = this.result.nodes.get(s.id);
			let y = at.y - s.height / 2;
			for (const n of s.list) {
				this.nodes.set(n.id, { ...n, width: s.list.length > 1 ? s.width : n.width, x: at.x, y: y + n.height / 2, stack: s.id });
				y += n.height + STACK;
			}
		}
		this.edges = new Map(graph.edges.map((e) => [e.id, this.shape(e)]));
		if (!this.nodes.has(this.selected))
			this.selected = null;
		if (this.fitted)
			this.fit();
	}

	// An edge as a curve, and as points along it at even distances for what moves.
	shape(e) {
		const from = this.nodes.get(e.from), to = this.nodes.get(e.to), way = this.result.edges.get(e.id);
		const points = [];
		if (!way)
			return this.down(e, from, to);
		if (way.back) {
			// Round its start, through the points that the layout kept free, and round its end.
			const first = way.points[0], last = way.points[way.points.length - 1];
			points.push([from.x + from.width / 2, from.y], [from.x + from.width / 2, first.y]);
			for (const p of way.points.slice(1, -1))
				points.push([p.x, p.y]);
			points.push([to.x - to.width / 2, last.y], [to.x - to.width / 2, to.y]);
		} else {
			points.push([from.x + from.width / 2, from.y]);
			for (const p of way.points)
				points.push([p.x, p.y]);
			points.push([to.x - to.width / 2, to.y]);
		}
		const path = new Path2D(), line = [];
		path.moveTo(...points[0]);
		for (let i = 1; i < points.length; i++) {
			const [x0, y0] = points[i - 1], [x1, y1] = points[i], bend = Math.max(Math.abs(x1 - x0) * 0.5, 12);
			const round = Math.min(34, 10 + Math.abs(y1 - y0) * 0.5);
			const turn = !way.back ? 0 : i === 1 ? round : i === points.length - 1 ? -round : 0;
			const a = turn ? [x0 + turn, y0] : [x0 + (way.back ? -bend : bend), y0];
			const b = turn ? [x1 + turn, y1] : [x1 - (way.back ? -bend : bend), y1];
			path.bezierCurveTo(...a, ...b, x1, y1);
			for (let t = i === 1 ? 0 : 1; t <= 10; t++) {
				const u = t / 10, v = 1 - u;
				line.push([v * v * v * x0 + 3 * v * v * u * a[0] + 3 * v * u * u * b[0] + u * u * u * x1,
					v * v * v * y0 + 3 * v * v * u * a[1] + 3 * v * u * u * b[1] + u * u * u * y1]);
			}
		}
		let length = 0;
		const at = [0];
		for (let i = 1; i < line.length; i++)
			at.push(length += Math.hypot(line[i][0] - line[i - 1][0], line[i][1] - line[i - 1][1]));
		const xs = line.map((p) => p[0]), ys = line.map((p) => p[1]);
		return { ...e, path, line, at, length, rate: 0, thick: 1,
			box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] };
	}

	// Within a stack, straight down; back up beside it.
	down(e, from, to) {
		const path = new Path2D();
		let line;
		if (to.y > from.y)
			line = [[from.x, from.y + from.height / 2], [to.x, to.y - to.height / 2]];
		else
			line = [[from.x + from.width / 2, from.y], [from.x + from.width / 2 + 16, from.y], [to.x + to.width / 2 + 16, to.y], [to.x + to.width / 2, to.y]];
		line.forEach((p, i) => (i ? path.lineTo(...p) : path.moveTo(...p)));
		const at = [0];
		for (let i = 1; i < line.length; i++)
			at.push(at[i - 1] + Math.hypot(line[i][0] - line[i - 1][0], line[i][1] - line[i - 1][1]));
		const xs = line.map((p) => p[0]), ys = line.map((p) => p[1]);
		return { ...e, path, line, at, length: at[at.length - 1], rate: 0, thick: 1, box: [Math.min(...xs) - 1, Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys)] };
	}

	// -- where it is looked at from ------------------------------------------------------

	size() {
		return [this.top.clientWidth || 1, this.top.clientHeight || 1];
	}

	fit() {
		const [w, t] = this.size(), r = this.result;
		this.fitted = true;
		if (!r || !r.width)
			return;
		const k = Math.min(1.15, Math.max(ZOOM_LEAST, Math.min((w - 48) / r.width, (t - 88) / Math.max(r.height, 1))));
		this.view = { k, x: (w - r.width * k) / 2, y: (t - r.height * k) / 2 };
		this.dirty = true;
	}

	zoom(factor, x, y) {
		const [w, t] = this.size(), v = this.view;
		x ??= w / 2;
		y ??= t / 2;
		const k = Math.min(ZOOM_MOST, Math.max(ZOOM_LEAST, v.k * factor));
		v.x = x - (x - v.x) * k / v.k;
		v.y = y - (y - v.y) * k / v.k;
		v.k = k;
		this.fitted = false;
		this.shifted = performance.now();
	}

	pan(dx, dy) {
		this.view.x += dx;
		this.view.y += dy;
		this.fitted = false;
		this.shifted = performance.now();
	}

	// What was drawn, moved to where it would be now. True: it has to be drawn anew, since it is
	// not moved any more, or its end comes into sight.
	shift(now) {
		const d = this.drawn, v = this.view, r = v.k / d.k, x = v.x - d.x * r, y = v.y - d.y * r;
		const [w, t] = this.size();
		if (now - this.shifted > SETTLE || r > 1.7 || x - MARGIN * r > 0 || y - MARGIN * r > 0 ||
			x + (w + MARGIN) * r < w || y + (t + MARGIN) * r < t)
			return true;
		this.base.style.transform = "translate(" + x + "px," + y + "px) scale(" + r + ")";
		return false;
	}

	// Brings a node to where it can be seen; does not move what can.
	reveal(id, center) {
		const n = this.nodes.get(id), [w, t] = this.size(), v = this.view;
		if (!n)
			return;
		if (v.k < 0.75 && center)
			v.k = 0.95;
		const x = n.x * v.k + v.x, y = n.y * v.k + v.y;
		const edgeX = Math.min(w / 2, n.width * v.k / 2 + 24), edgeY = Math.min(t / 2, 60);
		if (center || x < edgeX || x > w - edgeX || y < edgeY || y > t - edgeY) {
			v.x += (center ? w / 2 : Math.min(Math.max(x, edgeX), w - edgeX)) - x;
			v.y += (center ? t / 2 : Math.min(Math.max(y, edgeY), t - edgeY)) - y;
			this.fitted = false;
		}
		this.dirty = true;
	}

	select(id, reveal = true) {
		this.selected = id;
		this.dirty = true;
		if (id && reveal)
			this.reveal(id);
		this.emit("select", id);
	}

	hit(px, py) {
		const v = this.view, x = (px - v.x) / v.k, y = (py - v.y) / v.k;
		for (const n of this.nodes.values())
			if (Math.abs(x - n.x) <= n.width / 2 && Math.abs(y - n.y) <= n.height / 2)
				return n.id;
		return null;
	}

	// The nearest node in a direction.
	next(dx, dy) {
		const here = this.nodes.get(this.selected);
		if (!here) {
			const first = [...this.nodes.values()].sort((a, b) => a.x - b.x || a.y - b.y)[0];
			return first?.id;
		}
		let best = null, least = Infinity;
		for (const n of this.nodes.values()) {
			const x = n.x - here.x, y = n.y - here.y, along = x * dx + y * dy, across = Math.abs(x * dy) + Math.abs(y * dx);
			if (n === here || along <= 4)
				continue;
			const d = along + across * 2.2;
			if (d < least) {
				least = d;
				best = n.id;
			}
		}
		return best;
	}

	listen() {
		const c = this.top;
		c.addEventListener("wheel", (e) => {
			e.preventDefault();
			const mouse = !e.deltaX && (e.deltaMode === 1 || Math.abs(e.deltaY) >= 100);
			if (e.ctrlKey || mouse)
				this.zoom(Math.exp(-e.deltaY * (e.deltaMode === 1 ? 0.05 : e.ctrlKey ? 0.01 : 0.0016)), e.offsetX, e.offsetY);
			else
				this.pan(-e.deltaX, -e.deltaY);
		}, { passive: false });
		c.addEventListener("pointerdown", (e) => {
			c.setPointerCapture(e.pointerId);
			this.pointers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
			this.moved = 0;
		});
		c.addEventListener("pointermove", (e) => {
			const p = this.pointers.get(e.pointerId);
			if (!p) {
				const over = this.hit(e.offsetX, e.offsetY);
				if (over !== this.hover) {
					this.hover = over;
					c.classList.toggle("over", Boolean(over));
					this.dirty = true;
				}
				return;
			}
			const dx = e.offsetX - p.x, dy = e.offsetY - p.y;
			this.moved += Math.abs(dx) + Math.abs(dy);
			if (this.pointers.size === 2) {
				const other = [...this.pointers].find(([id]) => id !== e.pointerId)[1];
				const was = Math.hypot(p.x - other.x, p.y - other.y), is = Math.hypot(e.offsetX - other.x, e.offsetY - other.y);
				if (was > 0)
					this.zoom(is / was, (e.offsetX + other.x) / 2, (e.offsetY + other.y) / 2);
			} else if (this.moved > 3) {
				this.pan(dx, dy);
				c.classList.add("dragging");
			}
			p.x = e.offsetX;
			p.y = e.offsetY;
		});
		const up = (e) => {
			if (this.pointers.delete(e.pointerId) && e.type === "pointerup" && this.moved <= 3) {
				const id = this.hit(e.offsetX, e.offsetY);
				this.select(id, false);
				this.emit("open", id);
			}
			c.classList.remove("dragging");
		};
		c.addEventListener("pointerup", up);
		c.addEventListener("pointercancel", up);
		c.addEventListener("pointerleave", () => {
			this.hover = null;
			this.dirty = true;
		});
		c.addEventListener("dblclick", (e) => this.zoom(1.6, e.offsetX, e.offsetY));
		c.addEventListener("keydown", (e) => {
			const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
			if (e.ctrlKey || e.metaKey || e.altKey)
				return;
			if (way && e.shiftKey)
				this.pan(-way[0] * 80, -way[1] * 80);
			else if (way)
				this.select(this.next(...way) || this.selected);
			else if (e.key === "+" || e.key === "=")
				this.zoom(1.25);
			else if (e.key === "-")
				this.zoom(0.8);
			else if (e.key === "0")
				this.fit();
			else if (e.key === "Enter" && this.selected)
				this.emit("open", this.selected);
			else
				return;
			e.preventDefault();
		});
		c.addEventListener("focus", () => {
			this.dirty = true;
		});
		c.addEventListener("blur", () => {
			this.dirty = true;
		});
		new ResizeObserver(() => {
			if (this.fitted && !this.selected)
				this.fit();
			else
				this.reveal(this.selected);
			this.dirty = true;
		}).observe(this.element);
	}

	// -- drawing -----------------------------------------------------------------------

	start() {
		const frame = (now) => {
			if (!this.element.isConnected) {
				this.running = false;
				return;
			}
			requestAnimationFrame(frame);
			const began = performance.now();
			if (this.dirty || (this.shifted && this.shift(began)))
				this.draw();
			this.drawMoving(now);
			this.frames++;
			this.script += performance.now() - began;
		};
		if (!this.running) {
			this.running = true;
			this.dirty = true;
			requestAnimationFrame(frame);
		}
	}

	focusSet() {
		const id = this.hover || this.selected;
		if (!id)
			return null;
		const near = new Set([id]);
		for (const e of this.edges.values())
			if (e.from === id || e.to === id)
				near.add(e.from).add(e.to);
		return { id, near };
	}

	seen(box, margin = 0) {
		const v = this.view, [w, t] = this.size();
		return box[2] * v.k + v.x > -margin && box[0] * v.k + v.x < w + margin && box[3] * v.k + v.y > -margin && box[1] * v.k + v.y < t + margin;
	}

	draw() {
		this.dirty = false;
		this.shifted = 0;
		this.drawn = { ...this.view };
		this.base.style.transform = "";
		const { c } = fit(this.base), v = this.view, scale = window.devicePixelRatio || 1;
		if (!this.base.width)
			return;
		c.setTransform(scale * v.k, 0, 0, scale * v.k, scale * (v.x + MARGIN), scale * (v.y + MARGIN));
		const focus = this.focusSet();
		const quiet = colour("edge-quiet"), line = colour("edge"), strong = colour("accent");
		const thin = Math.max(1, 0.9 / v.k);
		for (const e of this.edges.values()) {
			if (!this.seen(e.box, MARGIN))
				continue;
			const mine = focus && (e.from === focus.id || e.to === focus.id);
			c.globalAlpha = focus && !mine ? 0.35 : 1;
			c.strokeStyle = mine ? strong : e.rate > 0 ? line : quiet;
			c.lineWidth = Math.max(thin, e.thick);
			c.stroke(e.path);
		}
		c.globalAlpha = 1;
		const family = getComputedStyle(document.body).fontFamily;
		for (const n of this.nodes.values()) {
			const box = [n.x - n.width / 2 - 10, n.y - n.height / 2 - 14, n.x + n.width / 2 + 10, n.y + n.height / 2 + 10];
			if (!this.seen(box, MARGIN))
				continue;
			const faint = this.matches ? !this.matches.has(n.id) : focus ? !focus.near.has(n.id) : false;
			c.globalAlpha = faint ? 0.45 : 1;
			this.drawNode(c, n, family, v.k);
		}
		c.globalAlpha = 1;
	}

	drawNode(c, n, family, k) {
		const x = n.x - n.width / 2, y = n.y - n.height / 2, w = n.width, t = n.height, idle = !(n.rate > 0);
		const port = n.kind !== "node", selected = n.id === this.selected;
		c.beginPath();
		c.roundRect(x, y, w, t, port ? t / 2 : 9);
		c.fillStyle = port ? colour("port") : colour("surface");
		c.fill();
		c.lineWidth = selected ? 2 / Math.min(k, 1) : Math.max(1, 0.8 / k);
		c.strokeStyle = selected ? colour("accent") : n.drops > 0 ? colour("drop") : n.id === this.hover ? colour("muted") : colour("line-strong");
		c.stroke();
		if (selected && document.activeElement === this.top) {
			c.beginPath();
			c.roundRect(x - 4, y - 4, w + 8, t + 8, port ? t / 2 + 4 : 12);
			c.globalAlpha *= 0.35;
			c.stroke();
			c.globalAlpha /= 0.35;
		}
		const [head, tail] = split(n.name);
		c.textBaseline = "middle";
		c.textAlign = "left";
		if (k < 0.3) {
			c.fillStyle = idle ? colour("faint") : colour("ink");
			c.globalAlpha *= 0.75;
			c.fillRect(x + 10, n.y - 2, (w - 20) * 0.7, 4);
			c.globalAlpha /= 0.75;
			return;
		}
		if (port) {
			c.font = "600 " + FONT + "px " + family;
			c.fillStyle = colour("ink");
			c.fillText(n.name, x + 14, n.y + 0.5);
			c.font = FONT - 1 + "px " + family;
			c.fillStyle = colour("muted");
			c.textAlign = "right";
			c.fillText(short(n.rate), x + w - 14, n.y + 0.5);
			return;
		}
		const small = k < 0.5, size = small ? 15 : FONT, top = small ? n.y : y + 15.5;
		c.font = "600 " + size + "px " + family;
		c.fillStyle = idle ? colour("muted") : colour("ink");
		c.fillText(head, x + 12, top, w - 20);
		if (tail && !small) {
			const at = c.measureText(head).width;
			c.font = size + "px " + family;
			c.fillStyle = colour("muted");
			c.fillText(tail, x + 12 + at, top);
		}
		if (!small) {
			c.font = "11.5px " + family;
			c.fillStyle = colour("muted");
			c.fillText(idle ? "idle" : n.line, x + 12, y + 31.5);
			if (!idle && n.right) {
				c.textAlign = "right";
				c.fillText(n.right, x + w - 12, y + 31.5);
			}
		}
		// What part of all cycles it takes.
		if (n.share > 0.002) {
			c.fillStyle = colour("accent");
			c.beginPath();
			c.roundRect(x + 12, y + t - 4.5, Math.max(2, (w - 24) * Math.min(1, n.share)), 2.2, 1.1);
			c.fill();
		}
		if (n.drops > 0 && !small) {
			const say = short(n.drops) + " dropped/s";
			c.font = "600 10.5px " + family;
			const width = c.measureText(say).width + 12;
			c.fillStyle = colour("drop");
			c.beginPath();
			c.roundRect(x + w - width - 6, y - 8, width, 16, 8);
			c.fill();
			c.fillStyle = colour("on-drop");
			c.textAlign = "center";
			c.fillText(say, x + w - width / 2 - 6, y + 0.5);
		}
	}

	// Dots that go the way of the packets, the more the faster.
	drawMoving(now) {
		if (still.matches || this.view.k < 0.22) {
			if (this.moving)
				fit(this.top);
			this.moving = false;
			return;
		}
		this.moving = true;
		const { c } = fit(this.top), v = this.view;
		const focus = this.focusSet();
		const size = Math.max(1.2, 1.8 * Math.min(1, v.k * 1.1));
		c.fillStyle = colour("pulse");
		c.beginPath();
		for (const e of this.edges.values()) {
			if (!(e.rate > 0) || !this.seen(e.box) || (focus && e.from !== focus.id && e.to !== focus.id))
				continue;
			const speed = 22 + 14 * Math.log10(1 + e.rate), gap = Math.max(64, 46 / v.k);
			for (let at = (now / 1000 * speed) % gap; at < e.length; at += gap) {
				let i = 1;
				while (i < e.at.length - 1 && e.at[i] < at)
					i++;
				const part = (at - e.at[i - 1]) / ((e.at[i] - e.at[i - 1]) || 1);
				const x = (e.line[i - 1][0] + (e.line[i][0] - e.line[i - 1][0]) * part) * v.k + v.x;
				const y = (e.line[i - 1][1] + (e.line[i][1] - e.line[i - 1][1]) * part) * v.k + v.y;
				c.moveTo(x + size, y);
				c.arc(x, y, size, 0, 7);
			}
		}
		c.fill();
	}
}

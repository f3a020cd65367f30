// SPDX-License-Identifier: Apache-2.0
// Lines over time on canvas. Colours are the page's own, read where the canvas stands.

import { h } from "./dom.js";

let palette = new Map();

// A canvas knows no variables: what --NAME is now, as a colour.
export function colour(name) {
	let value = palette.get(name);
	if (!value) {
		const probe = h("span", { class: "probe" });
		probe.style.color = "var(--" + name + ")";
		document.body.append(probe);
		value = getComputedStyle(probe).color;
		probe.remove();
		palette.set(name, value);
	}
	return value;
}

export function forgetColours() {
	palette = new Map();
}

export function fit(canvas) {
	const scale = window.devicePixelRatio || 1;
	const width = canvas.clientWidth, height = canvas.clientHeight;
	const w = Math.round(width * scale), t = Math.round(height * scale);
	if (canvas.width !== w || canvas.height !== t) {
		canvas.width = w;
		canvas.height = t;
	}
	const c = canvas.getContext("2d");
	c.setTransform(scale, 0, 0, scale, 0, 0);
	c.clearRect(0, 0, width, height);
	return { c, width, height };
}

// 1, 2 or 5 times a power of ten, at least n.
export function nice(n) {
	if (!(n > 0))
		return 1;
	const p = 10 ** Math.floor(Math.log10(n));
	for (const m of [1, 2, 5, 10])
		if (m * p >= n * 0.999)
			return m * p;
	return 10 * p;
}

function trace(c, ring, x, y) {
	let on = false;
	c.beginPath();
	for (let i = 0; i < ring.length; i++) {
		const v = ring.get(i);
		if (!Number.isFinite(v)) {
			on = false;
			continue;
		}
		if (on)
			c.lineTo(x(i, ring), y(v));
		else
			c.moveTo(x(i, ring), y(v));
		on = true;
	}
}

// The last `window` values, without axes: as large as its largest.
export function spark(canvas, series, window = 120) {
	const { c, width, height } = fit(canvas);
	let most = 0;
	for (const s of series)
		for (let i = Math.max(0, s.ring.length - window); i < s.ring.length; i++)
			most = Math.max(most, s.ring.get(i) || 0);
	const y = (v) => height - 1.5 - (v / (most || 1)) * (height - 3);
	const x = (i, ring) => width - 1 - (ring.length - 1 - i) * (width - 2) / (window - 1);
	c.lineJoin = "round";
	for (const s of series) {
		c.strokeStyle = colour(s.colour);
		c.lineWidth = 1.4;
		trace(c, s.ring, x, y);
		c.stroke();
		if (s.fill && s.ring.length > 1) {
			c.lineTo(x(s.ring.length - 1, s.ring), height);
			c.lineTo(x(0, s.ring), height);
			c.closePath();
			c.globalAlpha = 0.12;
			c.fillStyle = colour(s.colour);
			c.fill();
			c.globalAlpha = 1;
		}
	}
}

// series: [{ ring, colour, label }]; say: a value in words.
export class Chart {
	constructor({ label, series, say, window = 300 }) {
		this.series = series;
		this.say = say;
		this.window = window;
		this.canvas = h("canvas", { class: "chart-canvas", role: "img", "aria-label": label });
		this.tip = h("div", { class: "tip", hidden: true });
		this.legend = h("div", { class: "legend" }, series.map((s) =>
			h("span", {}, h("i", { class: "swatch " + s.colour }), s.label, h("b", { class: "num" }))));
		this.element = h("div", { class: "chart" }, this.legend, h("div", { class: "chart-box" }, this.canvas, this.tip));
		this.label = label;
		this.hover = null;
		this.canvas.addEventListener("pointermove", (e) => {
			this.hover = e.offsetX;
			this.draw();
		});
		this.canvas.addEventListener("pointerleave", () => {
			this.hover = null;
			this.draw();
		});
		this.watch = new ResizeObserver(() => this.draw());
		this.watch.observe(this.canvas);
	}

	draw() {
		if (!this.canvas.isConnected || !this.canvas.clientWidth)
			return;
		const { c, width, height } = fit(this.canvas);
		const left = 58, right = width - 8, top = 8, bottom = height - 20;
		const most = nice(Math.max(1e-9, ...this.series.map((s) => s.ring.max())) * 1.02);
		const y = (v) => bottom - v / most * (bottom - top);
		const x = (i, ring) => right - (ring.length - 1 - i) * (right - left) / (this.window - 1);
		c.font = "11px " + getComputedStyle(document.body).fontFamily;
		c.fillStyle = colour("muted");
		c.strokeStyle = colour("line");
		c.lineWidth = 1;
		c.textAlign = "right";
		c.textBaseline = "middle";
		for (let i = 0; i <= 2; i++) {
			const at = Math.round(y(most * i / 2)) + 0.5;
			c.beginPath();
			c.moveTo(left, at);
			c.lineTo(right, at);
			c.stroke();
			c.fillText(this.say(most * i / 2), left - 8, at);
		}
		c.textBaseline = "alphabetic";
		for (let seconds = 0; seconds < this.window; seconds += 60) {
			const at = right - seconds * (right - left) / (this.window - 1);
			c.textAlign = seconds ? "center" : "right";
			c.fillText(seconds ? "−" + seconds / 60 + " min" : "now", at, height - 4);
		}
		c.lineJoin = "round";
		c.lineCap = "round";
		this.series.forEach((s, n) => {
			c.strokeStyle = c.fillStyle = colour(s.colour);
			c.lineWidth = 1.75;
			trace(c, s.ring, x, y);
			c.stroke();
			if (s.ring.length > 1 && n === 0) {
				c.lineTo(x(s.ring.length - 1, s.ring), bottom);
				c.lineTo(x(0, s.ring), bottom);
				c.globalAlpha = 0.07;
				c.fill();
				c.globalAlpha = 1;
			}
			this.legend.children[n].querySelector(".num").textContent = this.say(s.ring.last());
		});
		this.canvas.setAttribute("aria-label", this.label + ": " +
			this.series.map((s) => s.label + " " + this.say(s.ring.last())).join(", "));
		this.drawHover(c, { left, right, top, bottom, width });
	}

	drawHover(c, box) {
		const step = (box.right - box.left) / (this.window - 1);
		const ago = this.hover === null ? -1 : Math.round((box.right - this.hover) / step);
		const ring = this.series[0].ring, i = ring.length - 1 - ago;
		this.tip.hidden = ago < 0 || i < 0 || this.hover < box.left;
		if (this.tip.hidden)
			return;
		const at = box.right - ago * step;
		c.strokeStyle = colour("muted");
		c.setLineDash([2, 3]);
		c.beginPath();
		c.moveTo(at, box.top);
		c.lineTo(at, box.bottom);
		c.stroke();
		c.setLineDash([]);
		this.tip.replaceChildren(h("div", { class: "muted" }, ago ? ago + " s ago" : "now"),
			...this.series.map((s) => h("div", {}, h("i", { class: "swatch " + s.colour }), s.label + " ",
				h("b", { class: "num" }, this.say(s.ring.get(s.ring.length - 1 - ago))))));
		this.tip.style.left = Math.min(Math.max(at + 10, 0), box.width - 170) + "px";
	}
}

// SPDX-License-Identifier: Apache-2.0
// How long packets take from when they were received to their last node: of a few that are traced
// when somebody asks, or of some in each second while somebody follows it.

import * as api from "./api.js";
import { Chart } from "./charts.js";
import { card, h, put } from "./dom.js";
import { decimals } from "./format.js";
import { store } from "./store.js";

const SAMPLES = 64;  // of a measurement
const EACH = 8;      // of a second that is followed
const SECOND = 1000;

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

// Microseconds of up to `count` packets, in order; what came until the signal said stop.
async function sample(count, signal) {
	const times = [];
	try {
		const response = await api.request("/trace?count=" + count, { signal });
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		for (let rest = ""; ;) {
			const { done, value } = await reader.read();
			if (done)
				break;
			const parts = (rest + value).split("\n");
			rest = parts.pop();
			for (const line of parts) {
				const at = JSON.parse(line).ops.filter((o) => o["at-us"] !== undefined).map((o) => o["at-us"]);
				if (at.length)
					times.push(Math.max(...at));
			}
		}
	} catch (error) {
		if (error.name !== "AbortError")
			throw error;
	}
	return times.sort((a, b) => a - b);
}

// Stops with the page, and after so many milliseconds.
function limited(page, milliseconds) {
	const stop = new AbortController();
	const end = setTimeout(() => stop.abort(), milliseconds);
	const leave = () => stop.abort();
	page.signal.addEventListener("abort", leave);
	return { signal: stop.signal, done: () => {
		clearTimeout(end);
		page.signal.removeEventListener("abort", leave);
	} };
}

const empty = (words) => h("p", { class: "empty" }, words);

export function latencyCard(page) {
	const result = h("div", { class: "latency" }, empty("Traces " + SAMPLES + " packets, and shows how long they were in the graph."));
	const measureButton = h("button", { onclick: measure }, "Measure");
	const followButton = h("button", { onclick: follow, "aria-pressed": "false", title: "Traces " + EACH + " packets in each second, as long as this page is open" }, "Follow");
	const median = store.ring("latency/median"), most = store.ring("latency/most");
	const chart = new Chart({ label: "Microseconds in the graph", say: (v) => decimals(v) + " µs", series: [
		{ ring: median, colour: "accent", label: "Median" }, { ring: most, colour: "drop", label: "Most" }] });
	let following = false;

	async function measure() {
		const limit = limited(page, 5 * SECOND);
		measureButton.disabled = true;
		try {
			const times = await sample(SAMPLES, limit.signal);
			if (times.length)
				put(result, histogram(times));
			else if (!page.signal.aborted)
				put(result, empty("No packet came in five seconds."));
		} catch (error) {
			put(result, empty(error.message));
		}
		limit.done();
		measureButton.disabled = false;
	}

	async function follow() {
		following = !following;
		followButton.setAttribute("aria-pressed", String(following));
		if (!following)
			return;
		put(result, chart.element);
		while (following && !page.signal.aborted) {
			const began = performance.now(), limit = limited(page, SECOND - 100);
			let times = [];
			try {
				times = await sample(EACH, limit.signal);
			} catch (error) {
				following = false; // the page's head says that nobody answers
				followButton.setAttribute("aria-pressed", "false");
			}
			limit.done();
			// A second without packets is a gap.
			median.push(times.length ? quantile(times, 0.5) : NaN);
			most.push(times.length ? times[times.length - 1] : NaN);
			chart.draw();
			await new Promise((next) => setTimeout(next, Math.max(0, SECOND - (performance.now() - began))));
		}
	}
	return card("Time in the graph", result, h("span", { class: "buttons" }, measureButton, followButton));
}

function histogram(times) {
	const largest = quantile(times, 0.98) * 1.05 || 1, bins = new Array(24).fill(0);
	for (const t of times)
		bins[Math.min(bins.length - 1, Math.floor(t / largest * bins.length))]++;
	const top = Math.max(...bins);
	const middle = decimals(quantile(times, 0.5)) + " µs", late = decimals(quantile(times, 0.99)) + " µs";
	const bars = h("div", { class: "bins", role: "img", "aria-label": "Median " + middle + ", 99 % below " + late },
		bins.map((n) => {
			const i = h("i");
			i.style.height = n ? Math.max(4, n / top * 100) + "%" : "0";
			return i;
		}));
	return [bars, h("div", { class: "scale muted num small" }, h("span", {}, "0"), h("span", {}, decimals(largest, 0) + " µs")),
		h("p", { class: "num small" }, h("b", {}, middle), " median, ", h("b", {}, late), " at 99 %, of ", times.length, " packets, while traced.")];
}

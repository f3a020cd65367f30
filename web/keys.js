// SPDX-License-Identifier: Apache-2.0
// The keyboard: single keys, and two in a row ("g", then "d"). They rest while somebody types.

const keys = new Map();
let first = "", since = 0;

// when: "always", or the name of the view that must be shown.
export function bind(combination, doc, run, group = "Everywhere") {
	keys.set(combination, { combination, doc, run, group });
	return () => keys.delete(combination);
}

export function list() {
	return [...keys.values()].filter((k) => k.doc);
}

const types = (e) => e.closest?.("input, textarea, select, [contenteditable]");

export function start() {
	addEventListener("keydown", (e) => {
		if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey)
			return;
		if (e.key === "Escape") {
			keys.get("Escape")?.run(e);
			return;
		}
		if (types(e.target) || document.querySelector("dialog[open]"))
			return;
		const two = performance.now() - since < 1200 ? keys.get(first + " " + e.key) : null;
		const found = two || keys.get(e.key);
		first = two ? "" : e.key;
		since = performance.now();
		if (!found || (e.key === " " && e.target.closest?.("button, a, summary, tr")))
			return;
		e.preventDefault();
		found.run(e);
	});
}

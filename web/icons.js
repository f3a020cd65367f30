// SPDX-License-Identifier: Apache-2.0
// Small drawings of one weight, on a field of 20.

import { s } from "./dom.js";

const PATHS = {
	overview: "M3 10.5 10 4l7 6.5M5 9v7h10V9",
	graph: "M3 5h4v4H3zM13 3h4v4h-4zM13 12h4v4h-4zM7 7c3 0 3-2 6-2M7 7c3 0 3 7 6 7",
	ports: "M3 5h14v10H3zM6 15v-4h2v4M12 15v-4h2v4M8 8h4",
	flows: "M3 6h10l-2.5-2.5M17 14H7l2.5 2.5M3 10h14",
	routes: "M5 16V9a4 4 0 0 1 4-4h6M12 2l3 3-3 3M5 12h7a3 3 0 0 1 3 3v1",
	drops: "M10 3c3.5 4 5 6 5 8.5a5 5 0 0 1-10 0C5 9 6.500 7 10 3z",
	config: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
	search: "M9 3.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM13 13l4 4",
	close: "M5 5l10 10M15 5 5 15",
	theme: "M10 3a7 7 0 1 0 7 7 5.500 5.500 0 0 1-7-7z",
	help: "M7.500 7.500a2.500 2.500 0 1 1 3.600 2.200c-.8.400-1.100.9-1.100 1.800M10 14.500v.2",
	pause: "M7 4v12M13 4v12",
	play: "M6 4l10 6-10 6z",
	plus: "M10 4v12M4 10h12",
	minus: "M4 10h12",
	fit: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
	list: "M4 5h12M4 10h12M4 15h12",
	check: "M4 10.500 8.500 15 16 6",
	warning: "M10 3.500 17.500 16h-15zM10 8v4M10 13.800v.2",
	undo: "M7 4 3.500 7.500 7 11M4 7.500h8a4.500 4.500 0 0 1 0 9H8",
};

export function icon(name) {
	return s("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
}

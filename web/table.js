// SPDX-License-Identifier: Apache-2.0
// A table that is sorted by its heads, walked with the arrow keys, and kept as it is while numbers
// in it change.

import { h, keyed, put, text } from "./dom.js";

// columns: [{ key, label, number, sort(row), cell(td, row), grow }]; key: of a row.
export class Table {
	constructor({ label, columns, key, open, sort, down = true, empty = "Nothing here." }) {
		Object.assign(this, { columns, key, open, empty });
		this.by = sort;
		this.down = down;
		this.rows = [];
		this.head = h("tr", {}, columns.map((c) => h("th", { scope: "col", class: classOf(c).replace("mono", "") }, c.sort
			? h("button", { class: "sort", onclick: () => this.sortBy(c) }, c.label, h("span", { "aria-hidden": "true", class: "arrow" }))
			: c.label)));
		this.body = h("tbody");
		this.none = h("p", { class: "empty", hidden: true }, empty);
		this.element = h("div", { class: "table-box" },
			h("table", { "aria-label": label }, h("thead", {}, this.head), this.body), this.none);
		this.body.addEventListener("keydown", (e) => this.keys(e));
		this.body.addEventListener("click", (e) => {
			const tr = e.target.closest("tr");
			if (tr && !e.target.closest("a, button, input") && this.open && !String(getSelection()))
				this.choose(tr);
		});
		this.mark();
	}

	sortBy(column) {
		this.down = this.by === column.key ? !this.down : column.number !== false && Boolean(column.number);
		this.by = column.key;
		this.mark();
		this.update(this.rows);
	}

	mark() {
		this.columns.forEach((c, i) => {
			const th = this.head.children[i];
			if (c.key === this.by)
				th.setAttribute("aria-sort", this.down ? "descending" : "ascending");
			else
				th.removeAttribute("aria-sort");
		});
	}

	update(rows) {
		this.rows = rows;
		const c = this.columns.find((x) => x.key === this.by);
		if (c) {
			const of = new Map(rows.map((r) => [r, c.sort(r)]));
			rows = [...rows].sort((a, b) => compare(of.get(a), of.get(b)) * (this.down ? -1 : 1));
		}
		keyed(this.body, rows, this.key, () => {
			const tr = h("tr", { class: this.open ? "opens" : "" });
			if (this.open)
				tr.tabIndex = -1;
			tr.append(...this.columns.map((col) => h("td", { class: classOf(col), "data-label": col.label })));
			return tr;
		}, (tr, row) => {
			tr.row = row;
			this.columns.forEach((col, i) => {
				const value = col.cell(tr.children[i], row);
				if (value !== undefined)
					text(tr.children[i], value);
			});
		});
		this.none.hidden = rows.length > 0;
		this.rove();
	}

	say(message) {
		put(this.none, message);
		this.none.hidden = this.rows.length > 0;
	}

	// One row is in the order of the tab key: the one that had the focus last.
	rove(tr) {
		if (!this.open)
			return;
		const now = tr || [...this.body.children].find((x) => x.tabIndex === 0) || this.body.firstElementChild;
		for (const x of this.body.children)
			x.tabIndex = x === now ? 0 : -1;
	}

	keys(e) {
		const tr = e.target.closest("tr"), list = [...this.body.children], i = list.indexOf(tr);
		const to = { ArrowDown: i + 1, ArrowUp: i - 1, j: i + 1, k: i - 1, Home: 0, End: list.length - 1 }[e.key];
		if (to !== undefined && list[to]) {
			this.rove(list[to]);
			list[to].focus();
			e.preventDefault();
		} else if ((e.key === "Enter" || e.key === " ") && e.target === tr && this.open) {
			this.choose(tr);
			e.preventDefault();
		}
	}

	choose(tr) {
		this.rove(tr);
		this.select(tr.row);
		this.open(tr.row, tr);
	}

	select(row) {
		const key = row === undefined || row === null ? undefined : this.key(row);
		for (const x of this.body.children) {
			x.classList.toggle("selected", key !== undefined && x.key === key);
			if (key !== undefined && x.key === key)
				x.setAttribute("aria-current", "true");
			else
				x.removeAttribute("aria-current");
		}
	}

	focus() {
		this.body.querySelector("[tabindex='0']")?.focus();
	}
}

const classOf = (c) => (c.number ? "number" : "") + (c.grow ? " grow" : "") + (c.class ? " " + c.class : "");

function compare(a, b) {
	if (typeof a === "number" || typeof b === "number")
		return (Number.isFinite(a) ? a : -1) - (Number.isFinite(b) ? b : -1);
	return String(a ?? "").localeCompare(String(b ?? ""), "en", { numeric: true });
}

// SPDX-License-Identifier: Apache-2.0
// Elements made and changed without markup: what comes from the data plane is text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
	for (const [key, value] of Object.entries(attributes || {})) {
		if (value === undefined || value === null || value === false)
			continue;
		if (key.startsWith("on"))
			element.addEventListener(key.slice(2), value);
		else if (key === "class")
			element.setAttribute("class", value);
		else if (key in element && typeof value !== "string" && !(element instanceof SVGElement))
			element[key] = value;
		else
			element.setAttribute(key, value === true ? "" : value);
	}
	add(element, children);
	return element;
}

export function add(element, children) {
	for (const child of children.flat(Infinity)) {
		if (child === undefined || child === null || child === false)
			continue;
		element.append(child instanceof Node ? child : String(child));
	}
	return element;
}

// h("button", { class: "primary", onclick: go }, "Go")
export function h(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function put(element, ...children) {
	element.replaceChildren();
	return add(element, children);
}

// Only what differs is written: no layout for what stayed.
export function text(element, value) {
	const string = String(value);
	if (element.firstChild === element.lastChild && element.textContent === string)
		return;
	element.textContent = string;
}

export function toggle(element, name, on) {
	if (element.classList.contains(name) !== Boolean(on))
		element.classList.toggle(name, Boolean(on));
}

// Children by key: elements are kept, made, moved or taken away, so that focus and hover stay.
export function keyed(parent, items, keyOf, make, update) {
	const before = parent.keyed || new Map();
	const now = new Map();
	let at = parent.firstChild;
	for (const item of items) {
		const key = keyOf(item);
		let element = before.get(key);
		if (!element) {
			element = make(item);
			element.key = key;
		}
		before.delete(key);
		now.set(key, element);
		update(element, item);
		if (element === at)
			at = at.nextSibling;
		else
			parent.insertBefore(element, at);
	}
	for (const element of before.values())
		element.remove();
	parent.keyed = now;
}

export const card = (name, content, more) => h("section", { class: "card", "aria-label": name },
	h("header", {}, h("h2", {}, name), more), content);

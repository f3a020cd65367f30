// SPDX-License-Identifier: Apache-2.0
// As much of YAML as a page needs that shows and edits it: which place of the model a line is
// about, and what the parts of a line are. What it means is the data plane's to say.

const KEY = /^((?:[^\s#'"[\]{},:]|:(?=\S))[^:#]*?|"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*:(?=\s|$)/;
const plain = (key) => key.trim().replace(/^"(.*)"$|^'(.*)'$/, (all, a, b) => a ?? b);

// For each line the names that lead to it: ["interface", "lan1", "mtu"]; null for empty ones.
export function paths(text) {
	const stack = [], list = [];
	for (const line of text.split("\n")) {
		const body = line.trimStart();
		if (!body || body.startsWith("#")) {
			list.push(null);
			continue;
		}
		let indent = line.length - body.length, rest = body, item = false;
		while (rest.startsWith("- ") || rest === "-") {
			const cut = rest.slice(1).trimStart();
			indent += rest.length - cut.length;
			rest = cut;
			item = true;
		}
		while (stack.length && stack[stack.length - 1].indent >= indent)
			stack.pop();
		const key = KEY.exec(rest);
		if (key)
			stack.push({ indent, name: plain(key[1]) });
		list.push(stack.map((x) => x.name));
		if (item && !key && rest)
			list[list.length - 1] = [...stack.map((x) => x.name), plain(rest)];
	}
	return list;
}

// The place that the caret is at, within a line's braces too.
export function pathAt(text, caret) {
	const line = text.slice(0, caret).split("\n").length - 1;
	const list = paths(text);
	let at = line;
	while (at > 0 && !list[at])
		at--;
	const path = [...(list[at] || [])];
	const start = text.lastIndexOf("\n", caret - 1) + 1, before = text.slice(start, caret);
	const rest = text.slice(caret).match(/^[\w.-]*/)[0];
	let open = [], word = "";
	for (const token of (before + rest).matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]|[^\s{}[\],"]+/g)) {
		const t = token[0];
		if (t === "{" || t === "[") {
			open.push(word);
			word = "";
		} else if (t === "}" || t === "]") {
			open.pop();
			word = "";
		} else if (t === ",") {
			word = "";
		} else if (open.length) {
			word = t.endsWith(":") ? t.slice(0, -1) : word || t;
		}
	}
	open = open.slice(1);
	if (before.includes("{") || before.includes("["))
		return [...path, ...open.filter(Boolean), ...(word ? [word.replace(/"/g, "")] : [])];
	return path;
}

// The line of a path, or of the longest part of it that is there; -1: none.
export function lineOf(text, path) {
	const want = path.split("/").filter(Boolean);
	let best = -1, most = 0;
	paths(text).forEach((p, i) => {
		if (!p)
			return;
		let n = 0;
		for (const name of want)
			if (p[n] === name)
				n++;
		if (n === p.length && n > most) {
			most = n;
			best = i;
		}
	});
	return best;
}

// A line as parts: [["key", "mtu"], ["mark", ":"], ["number", " 1500"]].
export function parts(line) {
	const out = [];
	const push = (kind, text) => text && out.push([kind, text]);
	const m = /^(\s*(?:- +)*)(.*)$/.exec(line);
	push("mark", m[1]);
	let rest = m[2];
	if (rest.startsWith("#")) {
		push("comment", rest);
		return out;
	}
	const key = KEY.exec(rest);
	if (key) {
		push("key", key[1]);
		push("mark", rest.slice(key[1].length, key[0].length));
		rest = rest.slice(key[0].length);
	}
	for (const t of rest.matchAll(/( #.*$)|([^\s{},[\]"':]+)(?=\s*:(?:\s|$))|("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)|([{}[\],:]+)|([^\s{},[\]"']+)|(\s+)/g)) {
		const kind = t[1] ? "comment" : t[2] ? "key" : t[3] ? "text" : t[4] ? "mark" : t[5] ? (/^-?[\d.]+[kMGT]?i?$/.test(t[5]) ? "number" : /^(true|false)$/.test(t[5]) ? "number" : "text") : "mark";
		push(kind, t[0]);
	}
	return out;
}

// Where a path leads in the model: { node, names } of the deepest that is known, and its children.
export function find(model, path) {
	let node = model, key = false;
	const trail = [];
	for (const name of path) {
		const child = (node.children || []).find((c) => c.name === name);
		if (node.kind === "list" && !key && !child) {
			key = true; // an entry of the list, by its key
			continue;
		}
		if (!child)
			break;
		node = child;
		key = false;
		trail.push(node);
	}
	return { node, trail, entry: key };
}

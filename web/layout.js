// SPDX-License-Identifier: Apache-2.0
// A layered drawing of a directed graph, from left to right, after Sugiyama: edges that would lead
// back are turned, every node gets a column behind all that lead to it, long edges pass through
// columns as points, columns are ordered by the medians of their neighbours, and nodes move
// towards them as far as their order permits.
//
// It is stable: nodes that were there before keep their order where nothing argues against it, so
// that a picture that people know does not turn over when a node comes.

// graph: { nodes: [{ id, width, height, rank }], edges: [{ id, from, to }] }
// rank: "first" or "last" column, or nothing. before: a layout of earlier.
// { nodes: Map id -> { x, y, width, height, column, place }, edges: Map id -> { points, back }, width, height }
export function layout(graph, before, options = {}) {
	const gapX = options.gapX ?? 56, gapY = options.gapY ?? 18;
	const g = build(graph);
	turnBack(g);
	rank(g);
	const columns = split(g);
	initialOrder(columns, before);
	reduceCrossings(columns);
	place(columns, gapX, gapY);
	return result(g, columns, graph);
}

function build(graph) {
	const nodes = new Map();
	for (const n of graph.nodes)
		nodes.set(n.id, { id: n.id, width: n.width, height: n.height, want: n.rank, out: [], in: [], column: 0, y: 0, order: 0 });
	const edges = [];
	for (const e of graph.edges) {
		const from = nodes.get(e.from), to = nodes.get(e.to);
		if (!from || !to)
			continue;
		const edge = { id: e.id, from, to, back: from === to, points: [] };
		edges.push(edge);
		if (from === to)
			continue;
		from.out.push(edge);
		to.in.push(edge);
	}
	return { nodes: [...nodes.values()], edges };
}

// Depth first, from the nodes that nothing leads to: an edge to a node on the way is turned.
function turnBack(g) {
	const state = new Map();
	const visit = (start) => {
		const stack = [[start, 0]];
		state.set(start, 1);
		while (stack.length) {
			const top = stack[stack.length - 1], [n, i] = top;
			if (i === n.out.length) {
				state.set(n, 2);
				stack.pop();
				continue;
			}
			top[1]++;
			const e = n.out[i];
			if (!state.has(e.to)) {
				state.set(e.to, 1);
				stack.push([e.to, 0]);
			} else if (state.get(e.to) === 1) {
				e.back = true;
			}
		}
	};
	const starts = [...g.nodes].sort((a, b) => (b.want === "first") - (a.want === "first") || a.in.length - b.in.length);
	for (const n of starts)
		if (!state.has(n))
			visit(n);
}

const head = (e) => (e.back ? e.from : e.to);
const tail = (e) => (e.back ? e.to : e.from);

// Longest paths; then nodes with room move right, next to what they lead to.
function rank(g) {
	const before = new Map(g.nodes.map((n) => [n, []])), after = new Map(g.nodes.map((n) => [n, []]));
	for (const e of g.edges) {
		if (e.from === e.to)
			continue;
		before.get(head(e)).push(tail(e));
		after.get(tail(e)).push(head(e));
	}
	const left = new Map(g.nodes.map((n) => [n, before.get(n).length]));
	const queue = g.nodes.filter((n) => !left.get(n)), order = [];
	while (queue.length) {
		const n = queue.shift();
		order.push(n);
		for (const m of after.get(n)) {
			m.column = Math.max(m.column, n.column + 1);
			left.set(m, left.get(m) - 1);
			if (!left.get(m))
				queue.push(m);
		}
	}
	for (const n of order.reverse()) {
		const next = after.get(n);
		if (next.length && !before.get(n).length && n.want !== "first")
			n.column = Math.min(...next.map((m) => m.column)) - 1;
	}
	const last = Math.max(0, ...g.nodes.map((n) => n.column));
	for (const n of g.nodes)
		if (n.want === "last")
			n.column = Math.max(last, 1);
}

function split(g) {
	const count = 1 + Math.max(0, ...g.nodes.map((n) => n.column));
	const columns = Array.from({ length: count }, () => []);
	for (const n of g.nodes) {
		n.up = [];
		n.down = [];
		columns[n.column].push(n);
	}
	for (const e of g.edges) {
		if (e.from === e.to)
			continue;
		if (e.back) {
			around(columns, e);
			continue;
		}
		let from = tail(e);
		const to = head(e);
		for (let c = from.column + 1; c < to.column; c++) {
			const point = { id: e.id + "@" + c, point: true, width: 0, height: 6, column: c, up: [], down: [], y: 0, order: 0 };
			columns[c].push(point);
			e.points.push(point);
			from.down.push(point);
			point.up.push(from);
			from = point;
		}
		from.down.push(to);
		to.up.push(from);
	}
	return columns;
}

// An edge that leads back passes the columns of its ends, too: it goes round both.
function around(columns, e) {
	let last = null;
	for (let c = e.to.column; c <= e.from.column; c++) {
		const point = { id: e.id + "@" + c, point: true, width: 0, height: 6, column: c, up: [], down: [], y: 0, order: 0 };
		columns[c].push(point);
		e.points.push(point);
		if (last) {
			last.down.push(point);
			point.up.push(last);
		}
		last = point;
	}
	e.points[0].near = e.to;
	last.near = e.from;
}

function initialOrder(columns, before) {
	const places = new Map();
	for (const [id, n] of before?.nodes || [])
		places.set(id, n.y);
	let n = 0;
	const seen = new Set();
	const number = (node) => {
		if (seen.has(node))
			return;
		seen.add(node);
		node.order = n++;
		node.down.forEach(number);
	};
	columns.forEach((column) => column.forEach(number));
	for (const column of columns) {
		column.sort((a, b) => a.order - b.order);
		const known = column.filter((x) => places.has(x.id)).sort((a, b) => places.get(a.id) - places.get(b.id));
		let k = 0;
		column.forEach((x, i) => {
			if (places.has(x.id))
				column[i] = known[k++];
		});
		column.forEach((x, i) => (x.order = i));
	}
}

function median(list) {
	const p = list.map((n) => n.order).sort((a, b) => a - b), m = p.length >> 1;
	return p.length % 2 ? p[m] : (p[m - 1] + p[m]) / 2;
}

function sortBy(column, side) {
	const key = new Map();
	for (const n of column)
		key.set(n, n[side].length ? median(n[side]) : n.order);
	column.sort((a, b) => key.get(a) - key.get(b) || a.order - b.order);
	column.forEach((n, i) => (n.order = i));
}

function crossingsBetween(left) {
	const ends = [];
	for (const n of left)
		for (const m of [...n.down].sort((a, b) => a.order - b.order))
			ends.push(m.order);
	// Inversions, counted by merging.
	const count = (a) => {
		if (a.length < 2)
			return [0, a];
		const m = a.length >> 1, [x, l] = count(a.slice(0, m)), [y, r] = count(a.slice(m)), out = [];
		let i = 0, j = 0, n = x + y;
		while (i < l.length || j < r.length) {
			if (j === r.length || (i < l.length && l[i] <= r[j])) {
				out.push(l[i++]);
			} else {
				n += l.length - i;
				out.push(r[j++]);
			}
		}
		return [n, out];
	};
	return count(ends)[0];
}

export function crossings(columns) {
	let n = 0;
	for (const column of columns)
		n += crossingsBetween(column);
	return n;
}

function reduceCrossings(columns) {
	let best = columns.map((c) => [...c]), least = crossings(columns), stale = 0;
	for (let round = 0; round < 24 && least > 0 && stale < 4; round++) {
		if (round % 2)
			for (let c = columns.length - 2; c >= 0; c--)
				sortBy(columns[c], "down");
		else
			for (let c = 1; c < columns.length; c++)
				sortBy(columns[c], "up");
		const n = crossings(columns);
		if (n < least) {
			least = n;
			best = columns.map((c) => [...c]);
			stale = 0;
		} else {
			stale++;
		}
	}
	best.forEach((column, c) => {
		columns[c] = column;
		column.forEach((n, i) => (n.order = i));
	});
}

// Each wants to stand at the middle of its neighbours; where that would put one over another, the
// group of them stands at its mean (pool adjacent violators).
function settle(column, wish, gap) {
	const blocks = [];
	let offset = 0;
	for (let i = 0; i < column.length; i++) {
		const n = column[i];
		if (i)
			offset += (column[i - 1].height + n.height) / 2 + (n.point && column[i - 1].point ? gap / 2 : gap);
		const weight = n.point ? 2 : 1;
		blocks.push({ sum: (wish(n) - offset) * weight, weight, members: [[n, offset]] });
		while (blocks.length > 1) {
			const b = blocks[blocks.length - 1], a = blocks[blocks.length - 2];
			if (a.sum / a.weight <= b.sum / b.weight)
				break;
			a.sum += b.sum;
			a.weight += b.weight;
			a.members.push(...b.members);
			blocks.pop();
		}
	}
	for (const b of blocks)
		for (const [n, o] of b.members)
			n.y = b.sum / b.weight + o;
}

function place(columns, gapX, gapY) {
	let x = 0;
	for (const column of columns) {
		const width = Math.max(0, ...column.map((n) => n.width));
		for (const n of column)
			n.x = x + width / 2;
		x += width + gapX;
		settle(column, () => 0, gapY);
	}
	const mean = (list, own, n) => (n?.near ? (list.reduce((sum, m) => sum + m.y, n.near.y) / (list.length + 1)) : list.length ? list.reduce((sum, n) => sum + n.y, 0) / list.length : own);
	for (let round = 0; round < 12; round++) {
		for (let c = 1; c < columns.length; c++)
			settle(columns[c], (n) => mean(n.up, mean(n.down, n.y), n), gapY);
		for (let c = columns.length - 2; c >= 0; c--)
			settle(columns[c], (n) => mean(n.down, mean(n.up, n.y), n), gapY);
	}
	for (const column of columns)
		settle(column, (n) => mean([...n.up, ...n.down], n.y, n), gapY);
}

function result(g, columns, graph) {
	let top = Infinity, bottom = -Infinity, right = 0;
	for (const column of columns) {
		for (const n of column) {
			top = Math.min(top, n.y - n.height / 2);
			bottom = Math.max(bottom, n.y + n.height / 2);
			right = Math.max(right, n.x + n.width / 2);
		}
	}
	if (!graph.nodes.length)
		top = bottom = 0;
	const nodes = new Map(), edges = new Map();
	for (const n of g.nodes)
		nodes.set(n.id, { x: n.x, y: n.y - top, width: n.width, height: n.height, column: n.column, place: n.order });
	for (const e of g.edges) {
		const points = e.points.map((p) => ({ x: p.x, y: p.y - top }));
		edges.set(e.id, { points: e.back ? points.reverse() : points, back: e.back });
	}
	return { nodes, edges, width: right, height: bottom - top };
}

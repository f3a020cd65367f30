// SPDX-License-Identifier: Apache-2.0
// What the page knows: the last state, rates made from it and the one before, and their history in
// rings. Views subscribe; nothing here knows what they look like.

import * as api from "./api.js";

export const HISTORY = 300; // seconds
const STREAM = "/restconf/streams/state?names=system,interface&period=1000";

// The last values of something, oldest first.
export class Ring {
	constructor(size = HISTORY) {
		this.values = new Float64Array(size).fill(NaN);
		this.at = 0;
		this.length = 0;
	}
	push(value) {
		this.values[this.at] = value;
		this.at = (this.at + 1) % this.values.length;
		this.length = Math.min(this.length + 1, this.values.length);
	}
	get(i) { // 0: the oldest
		return this.values[(this.at - this.length + i + 2 * this.values.length) % this.values.length];
	}
	last() {
		return this.length ? this.get(this.length - 1) : NaN;
	}
	max() {
		let m = 0;
		for (let i = 0; i < this.length; i++) {
			const v = this.get(i);
			if (v > m)
				m = v;
		}
		return m;
	}
}

class Store extends EventTarget {
	constructor() {
		super();
		this.phase = "connecting"; // "live", "stale", "paused"
		this.how = "";             // "events" or "polling"
		this.error = "";
		this.at = 0;               // of the last state, by performance.now()
		this.system = null;
		this.interfaces = [];
		this.rates = emptyRates();
		this.rings = new Map();
		this.paused = false;
		this.before = null;
	}

	ring(name) {
		let r = this.rings.get(name);
		if (!r)
			this.rings.set(name, (r = new Ring()));
		return r;
	}

	tell(name) {
		this.dispatchEvent(new Event(name));
	}

	on(name, handler, signal) {
		this.addEventListener(name, handler, { signal });
	}

	set(phase, error = "") {
		if (phase === this.phase && error === this.error)
			return;
		this.phase = phase;
		this.error = error;
		this.tell("phase");
	}

	pause(on) {
		this.paused = on;
		this.set(on ? "paused" : "live");
		if (!on)
			this.before = null;
	}

	take(state) {
		if (this.paused || !state.system)
			return;
		const now = { system: state.system, interfaces: state.interface || [], at: state.system.uptime / 1000 };
		const before = this.before;
		this.system = now.system;
		this.interfaces = now.interfaces;
		this.at = performance.now();
		if (before && (before.system.pid !== now.system.pid || now.at < before.at)) {
			// Another process: what was counted before is nothing to compare with.
			this.rings.clear();
			this.rates = emptyRates();
			this.before = null;
			this.tell("restart");
		} else if (before && now.at - before.at > 0.2) {
			this.rates = ratesOf(before, now);
			this.remember();
		} else if (before) {
			this.set("live");
			return;
		}
		this.before = now;
		this.set("live");
		this.tell("state");
	}

	remember() {
		const r = this.rates;
		for (const key of ["received", "sent", "dropped", "rxBits", "txBits", "cycles", "busy"])
			this.ring("total/" + key).push(r[key]);
		for (const [name, i] of r.interfaces)
			for (const key of ["rx", "tx", "rxBits", "txBits", "errors"])
				this.ring("interface/" + name + "/" + key).push(i[key]);
		for (const [name, n] of r.nodes) {
			this.ring("node/" + name + "/packets").push(n.packets);
			this.ring("node/" + name + "/cycles").push(n.perPacket);
		}
		for (const [name, d] of r.drops)
			if (d > 0 || this.rings.has("drop/" + name))
				this.ring("drop/" + name).push(d);
	}

	// For ever: events while the server has them, else asking once a second.
	async run() {
		let stream = true;
		for (;;) {
			try {
				if (stream) {
					try {
						await this.listen();
					} catch (error) {
						if (error instanceof api.Failure && [404, 405, 406, 200].includes(error.status))
							stream = false;
						else
							throw error;
					}
				} else {
					this.how = "polling";
					const [system, interfaces] = await Promise.all([
						api.get("/state/system"), api.get("/state/interface")]);
					this.take({ ...system, ...interfaces });
					await sleep(1000);
				}
			} catch (error) {
				if (!this.paused)
					this.set("stale", error.message);
				stream = true;
				await sleep(1000);
			}
		}
	}

	async listen() {
		const stop = new AbortController();
		let heard = performance.now();
		// A server that says nothing for five seconds is gone, whatever TCP thinks.
		const watch = setInterval(() => {
			if (api.isAsking())
				heard = performance.now();
			else if (performance.now() - heard > 5000)
				stop.abort();
		}, 1000);
		this.how = "events";
		try {
			await api.events(STREAM, (name, data) => {
				heard = performance.now();
				if (name === "state")
					this.take(JSON.parse(data));
			}, stop.signal);
		} finally {
			clearInterval(watch);
		}
		throw new Error("the data plane hung up");
	}
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function emptyRates() {
	return { seconds: 0, received: NaN, sent: NaN, dropped: NaN, rxBits: NaN, txBits: NaN, cycles: NaN, busy: NaN,
		nodes: new Map(), drops: new Map(), interfaces: new Map(), workers: new Map(), edges: new Map() };
}

const byKey = (list, key) => new Map((list || []).map((entry) => [key(entry), entry]));
const dropKey = (d) => d.node + "/" + d.reason;

export function ratesOf(a, b) {
	const seconds = b.at - a.at;
	const per = (x, y) => Math.max(0, ((y || 0) - (x || 0)) / seconds);
	const r = emptyRates();
	const pa = a.system.packets || {}, pb = b.system.packets || {};
	r.seconds = seconds;
	for (const key of ["received", "sent", "dropped", "created"])
		r[key] = per(pa[key], pb[key]);

	const nodes = byKey(a.system.node, (n) => n.name);
	for (const n of b.system.node || []) {
		const m = nodes.get(n.name) || {};
		const packets = per(m.packets, n.packets), cycles = per(m.cycles, n.cycles), calls = per(m.calls, n.calls);
		r.nodes.set(n.name, { packets, cycles, calls, perPacket: packets > 0 && calls > 0 ? cycles / packets : NaN, drops: 0 });
		const ways = byKey(m.next, (e) => e.edge), sends = byKey(m.send, (e) => e.port + "/" + e.node);
		for (const e of n.next || [])
			r.edges.set(n.name + "\n" + e.edge, per(ways.get(e.edge)?.packets, e.packets));
		for (const e of n.send || [])
			r.edges.set(n.name + "\n" + e.port + "/" + e.node, per(sends.get(e.port + "/" + e.node)?.packets, e.packets));
	}

	const drops = byKey(a.system.drop, dropKey);
	for (const d of b.system.drop || []) {
		const rate = per(drops.get(dropKey(d))?.packets, d.packets);
		r.drops.set(dropKey(d), rate);
		const n = r.nodes.get(d.node);
		if (n)
			n.drops += rate;
	}

	r.rxBits = r.txBits = 0;
	const interfaces = byKey(a.interfaces, (i) => i.name);
	for (const i of b.interfaces) {
		const x = interfaces.get(i.name)?.counters, y = i.counters;
		if (!y)
			continue;
		const d = (key) => (x ? per(x[key], y[key]) : 0);
		const rate = {
			rx: d("rx-packets"), tx: d("tx-packets"), rxBits: 8 * d("rx-bytes"), txBits: 8 * d("tx-bytes"),
			errors: errorsOf(y) > errorsOf(x || y) ? (errorsOf(y) - errorsOf(x)) / seconds : 0,
		};
		r.interfaces.set(i.name, rate);
		r.rxBits += rate.rxBits;
		r.txBits += rate.txBits;
	}

	const workers = byKey(a.system.worker, (w) => w.id);
	let busy = 0, all = 0;
	for (const w of b.system.worker || []) {
		const v = workers.get(w.id) || {};
		const cycles = per(v["busy-cycles"], w["busy-cycles"]);
		r.workers.set(w.id, {
			busy: Math.min(1, cycles / b.system.hz), packets: per(v.packets, w.packets),
			sleeps: per(v.sleeps, w.sleeps), loops: per(v.loops, w.loops), handoffs: per(v.handoffs, w.handoffs),
		});
		busy += cycles;
		all++;
	}
	r.busy = all ? Math.min(1, busy / b.system.hz / all) : NaN;
	r.cycles = r.received > 0 ? busy / r.received : NaN;
	return r;
}

export const ERRORS = ["rx-errors", "rx-no-buffer", "rx-device-drops", "tx-errors", "tx-gone", "tx-device-drops"];
export const errorsOf = (counters) => ERRORS.reduce((sum, key) => sum + ((counters && counters[key]) || 0), 0);

export const store = new Store();

// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (n) => (Number.isFinite(n) ? whole.format(n) : "–");

// 1234567 is 1.23 M: three digits are what a glance takes in.
export function short(n, units = ["", "k", "M", "G", "T", "P"]) {
	if (!Number.isFinite(n))
		return "–";
	const sign = n < 0 ? "−" : "";
	n = Math.abs(n);
	let i = 0;
	while (n >= 999.5 && i < units.length - 1) {
		n /= 1000;
		i++;
	}
	const digits = n >= 99.95 || (i === 0 && Number.isInteger(n)) ? 0 : n >= 9.995 ? 1 : n > 0 && i === 0 && n < 1 ? 2 : 2;
	let t = n.toFixed(digits);
	if (i === 0 && t.includes("."))
		t = t.replace(/\.?0+$/, "");
	return sign + t + (units[i] ? " " + units[i] : "");
}

export const pps = (n) => short(n) + (/[kMGT]$/.test(short(n)) ? "pps" : " pps");
export const bps = (n) => short(n) + (/[kMGT]$/.test(short(n)) ? "bit/s" : " bit/s");
export const bytes = (n) => {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;
	while (n >= 1024 && i < units.length - 1) {
		n /= 1024;
		i++;
	}
	return (i && n < 99.95 ? n.toFixed(1) : n.toFixed(0)) + " " + units[i];
};

export const percent = (part) =>
	!Number.isFinite(part) ? "–" : part > 0 && part < 0.001 ? "<0.1 %" : (part * 100).toFixed(part < 0.1 ? 1 : 0) + " %";

export function duration(seconds) {
	if (!Number.isFinite(seconds))
		return "–";
	seconds = Math.floor(seconds);
	if (seconds < 60)
		return seconds + " s";
	if (seconds < 3600)
		return Math.floor(seconds / 60) + " min " + (seconds % 60) + " s";
	if (seconds < 86400)
		return Math.floor(seconds / 3600) + " h " + Math.floor(seconds / 60) % 60 + " min";
	return Math.floor(seconds / 86400) + " d " + Math.floor(seconds / 3600) % 24 + " h";
}

export const decimals = (n, digits = 1) => (!Number.isFinite(n) ? "–" : n >= 1000 ? whole.format(n) : n.toFixed(digits));

// Of nanoseconds.
export const nanoseconds = (n) => (n < 1000 ? n.toFixed(0) + " ns" : n < 1e6 ? (n / 1000).toFixed(1) + " µs" : (n / 1e6).toFixed(1) + " ms");

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

// Of a Date, an ISO text, or a number of milliseconds or nanoseconds since 1970.
export function date(value) {
	if (value === undefined || value === null || value === "")
		return null;
	if (typeof value === "string" && /^\d+(\.\d+)?$/.test(value))
		value = Number(value);
	if (typeof value === "number") {
		while (value > 4e12)
			value /= 1000;
		if (value < 4e9)
			value *= 1000;
	}
	const d = new Date(value);
	return Number.isNaN(d.getTime()) ? null : d;
}

export function time(value) {
	const d = date(value);
	return d ? clock.format(d) : String(value ?? "");
}

export function exact(value) {
	const d = date(value);
	return d ? clock.format(d) + "." + String(d.getMilliseconds()).padStart(3, "0") : String(value ?? "");
}

export function moment(value) {
	const d = date(value);
	return d ? day.format(d) : String(value ?? "");
}

export const PROTOCOLS = { 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 89: "OSPF", 132: "SCTP" };
export const protocol = (n) => PROTOCOLS[n] || "proto " + n;

// SPDX-License-Identifier: Apache-2.0
// A frame taken apart: layers of fields, each with the bytes that it stands in. Every read is
// bounded; what is cut short says so and ends the decoding.

import { PROTOCOLS } from "./format.js";

export function fromHex(hex) {
	const clean = hex.replace(/[\s:]/g, "");
	const bytes = new Uint8Array(clean.length >> 1);
	for (let i = 0; i < bytes.length; i++)
		bytes[i] = parseInt(clean.slice(2 * i, 2 * i + 2), 16);
	return bytes;
}

export const toHex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

const ETHERTYPES = { 0x0800: "IPv4", 0x0806: "ARP", 0x86dd: "IPv6", 0x8100: "VLAN", 0x88a8: "VLAN (802.1ad)", 0x88cc: "LLDP", 0x8847: "MPLS" };
const ICMP4 = { 0: "echo reply", 3: "destination unreachable", 4: "source quench", 5: "redirect", 8: "echo request", 9: "router advertisement", 10: "router solicitation", 11: "time exceeded", 12: "parameter problem", 13: "timestamp request", 14: "timestamp reply" };
const UNREACHABLE4 = { 0: "network", 1: "host", 2: "protocol", 3: "port", 4: "fragmentation needed", 5: "source route failed", 9: "network prohibited", 10: "host prohibited", 13: "administratively prohibited" };
const ICMP6 = { 1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request", 129: "echo reply", 130: "multicast listener query", 131: "multicast listener report", 132: "multicast listener done", 133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation", 136: "neighbour advertisement", 137: "redirect", 143: "multicast listener report v2" };
const UNREACHABLE6 = { 0: "no route", 1: "prohibited", 2: "beyond scope", 3: "address", 4: "port", 5: "source policy", 6: "reject route" };
const PORTS = { 20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 67: "dhcp server", 68: "dhcp client", 69: "tftp", 80: "http", 123: "ntp", 161: "snmp", 179: "bgp", 443: "https", 500: "isakmp", 514: "syslog", 546: "dhcpv6 client", 547: "dhcpv6 server", 853: "dns over tls", 1812: "radius", 3306: "mysql", 3389: "rdp", 4500: "ipsec nat-t", 4789: "vxlan", 5060: "sip", 5353: "mdns", 5432: "postgresql", 6081: "geneve" };
const FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

class Cut extends Error {}

class Reader {
	constructor(bytes) {
		this.b = bytes;
		this.layers = [];
	}
	need(at, size) {
		if (at + size > this.b.length)
			throw new Cut();
	}
	u8(at) {
		this.need(at, 1);
		return this.b[at];
	}
	u16(at) {
		this.need(at, 2);
		return this.b[at] << 8 | this.b[at + 1];
	}
	u32(at) {
		return this.u16(at) * 65536 + this.u16(at + 2);
	}
	mac(at) {
		this.need(at, 6);
		return Array.from(this.b.subarray(at, at + 6), (x) => x.toString(16).padStart(2, "0")).join(":");
	}
	ip4(at) {
		this.need(at, 4);
		return this.b.subarray(at, at + 4).join(".");
	}
	ip6(at) {
		this.need(at, 16);
		return ip6Text(this.b.subarray(at, at + 16));
	}
	layer(name, at) {
		const layer = { name, summary: "", at, size: 0, fields: [] };
		this.layers.push(layer);
		return layer;
	}
	field(layer, name, at, size, value, note) {
		this.need(at, size);
		layer.fields.push({ name, at, size, value: String(value), note: note || "" });
		layer.size = Math.max(layer.size, at + size - layer.at);
	}
}

export function ip6Text(bytes) {
	const words = [];
	for (let i = 0; i < 16; i += 2)
		words.push(bytes[i] << 8 | bytes[i + 1]);
	// The longest run of zeros, of two at least, is left out (RFC 5952).
	let best = -1, length = 1;
	for (let i = 0; i < 8; i++) {
		let n = 0;
		while (i + n < 8 && words[i + n] === 0)
			n++;
		if (n > length) {
			best = i;
			length = n;
		}
	}
	const hex = words.map((w) => w.toString(16));
	if (best < 0)
		return hex.join(":");
	return hex.slice(0, best).join(":") + "::" + hex.slice(best + length).join(":");
}

const hex = (n, digits) => "0x" + n.toString(16).padStart(digits, "0");

// The Internet checksum over bytes, with what goes before it.
export function checksum(bytes, at, size, start = 0) {
	let sum = start;
	for (let i = 0; i < size; i++)
		sum += i & 1 ? bytes[at + i] : bytes[at + i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + Math.floor(sum / 65536);
	return sum;
}

function ethernet(r, at) {
	const l = r.layer("Ethernet", at);
	r.field(l, "Destination", at, 6, r.mac(at), r.u8(at) & 1 ? (r.mac(at) === "ff:ff:ff:ff:ff:ff" ? "broadcast" : "group") : "");
	r.field(l, "Source", at + 6, 6, r.mac(at + 6));
	const type = r.u16(at + 12);
	l.summary = r.mac(at + 6) + " → " + r.mac(at);
	if (type < 1536) {
		r.field(l, "Length", at + 12, 2, type, "802.3");
		return;
	}
	r.field(l, "Type", at + 12, 2, hex(type, 4), ETHERTYPES[type]);
	network(r, at + 14, type);
}

function network(r, at, type) {
	if (type === 0x8100 || type === 0x88a8)
		vlan(r, at);
	else if (type === 0x0800)
		ip4(r, at);
	else if (type === 0x86dd)
		ip6(r, at);
	else if (type === 0x0806)
		arp(r, at);
	else
		payload(r, at, r.b.length);
}

function vlan(r, at) {
	const l = r.layer("VLAN", at), tag = r.u16(at);
	l.summary = "VLAN " + (tag & 0xfff);
	r.field(l, "Priority", at, 1, tag >> 13);
	r.field(l, "Drop eligible", at, 1, tag >> 12 & 1);
	r.field(l, "VLAN", at, 2, tag & 0xfff);
	const type = r.u16(at + 2);
	r.field(l, "Type", at + 2, 2, hex(type, 4), ETHERTYPES[type]);
	network(r, at + 4, type);
}

function arp(r, at) {
	const l = r.layer("ARP", at), op = r.u16(at + 6);
	const known = r.u16(at) === 1 && r.u16(at + 2) === 0x0800 && r.u8(at + 4) === 6 && r.u8(at + 5) === 4;
	r.field(l, "Hardware", at, 2, r.u16(at), r.u16(at) === 1 ? "Ethernet" : "");
	r.field(l, "Protocol", at + 2, 2, hex(r.u16(at + 2), 4), ETHERTYPES[r.u16(at + 2)]);
	r.field(l, "Address sizes", at + 4, 2, r.u8(at + 4) + ", " + r.u8(at + 5));
	r.field(l, "Operation", at + 6, 2, op, op === 1 ? "request" : op === 2 ? "reply" : "");
	if (!known)
		return;
	r.field(l, "Sender", at + 8, 6, r.mac(at + 8));
	r.field(l, "Sender address", at + 14, 4, r.ip4(at + 14));
	r.field(l, "Target", at + 18, 6, r.mac(at + 18));
	r.field(l, "Target address", at + 24, 4, r.ip4(at + 24));
	l.summary = op === 1 ? "who has " + r.ip4(at + 24) + "? tell " + r.ip4(at + 14) : r.ip4(at + 14) + " is at " + r.mac(at + 8);
	payload(r, at + 28, r.b.length, true);
}

function ip4(r, at) {
	const l = r.layer("IPv4", at), first = r.u8(at), header = (first & 15) * 4;
	r.field(l, "Version", at, 1, first >> 4, first >> 4 === 4 ? "" : "not 4");
	r.field(l, "Header length", at, 1, header + " bytes", header < 20 ? "too short" : "");
	if (first >> 4 !== 4 || header < 20)
		return;
	r.field(l, "DSCP", at + 1, 1, r.u8(at + 1) >> 2);
	r.field(l, "ECN", at + 1, 1, r.u8(at + 1) & 3);
	const total = r.u16(at + 2), there = r.b.length - at;
	r.field(l, "Total length", at + 2, 2, total, total < header ? "less than the header" : total > there ? "more than is here" : "");
	r.field(l, "Identification", at + 4, 2, hex(r.u16(at + 4), 4));
	const fragment = r.u16(at + 6), offset = (fragment & 0x1fff) * 8;
	r.field(l, "Flags", at + 6, 1, [fragment & 0x4000 && "don't fragment", fragment & 0x2000 && "more fragments"].filter(Boolean).join(", ") || "none");
	r.field(l, "Fragment offset", at + 6, 2, offset);
	r.field(l, "TTL", at + 8, 1, r.u8(at + 8), r.u8(at + 8) <= 1 ? "ends here" : "");
	const proto = r.u8(at + 9);
	r.field(l, "Protocol", at + 9, 1, proto, PROTOCOLS[proto]);
	const whole = r.b.length >= at + header;
	r.field(l, "Checksum", at + 10, 2, hex(r.u16(at + 10), 4), !whole ? "" : checksum(r.b, at, header) === 0xffff ? "right" : "wrong");
	r.field(l, "Source", at + 12, 4, r.ip4(at + 12));
	r.field(l, "Destination", at + 16, 4, r.ip4(at + 16));
	l.summary = r.ip4(at + 12) + " → " + r.ip4(at + 16) + ", TTL " + r.u8(at + 8);
	if (header > 20)
		r.field(l, "Options", at + 20, header - 20, toHex(r.b.subarray(at + 20, at + header)));
	const end = Math.min(r.b.length, total >= header ? at + total : r.b.length);
	if (offset > 0)
		payload(r, at + header, end);
	else
		transport(r, at + header, end, proto, { from: at + 12, size: 8, whole: !(fragment & 0x2000) && at + total <= r.b.length });
}

const EXTENSIONS = { 0: "Hop-by-hop options", 43: "Routing", 44: "Fragment", 60: "Destination options" };

function ip6(r, at) {
	const l = r.layer("IPv6", at), first = r.u32(at);
	r.field(l, "Version", at, 1, r.u8(at) >> 4, r.u8(at) >> 4 === 6 ? "" : "not 6");
	if (r.u8(at) >> 4 !== 6)
		return;
	r.field(l, "DSCP", at, 2, Math.floor(first / 2 ** 22) & 63);
	r.field(l, "ECN", at + 1, 1, Math.floor(first / 2 ** 20) & 3);
	r.field(l, "Flow label", at + 1, 3, hex(first & 0xfffff, 5));
	const length = r.u16(at + 4), there = r.b.length - at - 40;
	r.field(l, "Payload length", at + 4, 2, length, length > there ? "more than is here" : "");
	let proto = r.u8(at + 6);
	r.field(l, "Next header", at + 6, 1, proto, EXTENSIONS[proto] || PROTOCOLS[proto]);
	r.field(l, "Hop limit", at + 7, 1, r.u8(at + 7), r.u8(at + 7) <= 1 ? "ends here" : "");
	r.field(l, "Source", at + 8, 16, r.ip6(at + 8));
	r.field(l, "Destination", at + 24, 16, r.ip6(at + 24));
	l.summary = r.ip6(at + 8) + " → " + r.ip6(at + 24) + ", hop limit " + r.u8(at + 7);
	const end = Math.min(r.b.length, at + 40 + length), from = at + 8;
	let whole = at + 40 + length <= r.b.length;
	at += 40;
	for (let n = 0; n < 8 && EXTENSIONS[proto]; n++) {
		const e = r.layer("IPv6 " + EXTENSIONS[proto].toLowerCase(), at), next = r.u8(at);
		const size = proto === 44 ? 8 : (r.u8(at + 1) + 1) * 8;
		r.field(e, "Next header", at, 1, next, EXTENSIONS[next] || PROTOCOLS[next]);
		e.summary = size + " bytes";
		if (proto === 44) {
			const f = r.u16(at + 2);
			r.field(e, "Offset", at + 2, 2, f & 0xfff8);
			r.field(e, "More fragments", at + 3, 1, f & 1);
			r.field(e, "Identification", at + 4, 4, hex(r.u32(at + 4), 8));
			whole = false;
			if (f & 0xfff8) {
				payload(r, at + 8, end);
				return;
			}
		} else {
			r.field(e, "Content", at + 1, size - 1, size - 1 + " bytes");
		}
		at += size;
		proto = next;
	}
	transport(r, at, end, proto, { from, size: 32, whole });
}

// Right, wrong, or nothing where the packet is not all there. A sum that a device was to finish is
// that of the addresses alone.
function sumNote(r, at, end, proto, pseudo, field) {
	if (!pseudo.whole)
		return "";
	const start = checksum(r.b, pseudo.from, pseudo.size, proto + (end - at));
	if (proto === 17 && field === 0)
		return "none";
	if (checksum(r.b, at, end - at, start) === 0xffff)
		return "right";
	return field === checksum(r.b, 0, 0, start) ? "left to the device" : "wrong";
}

function portNote(port) {
	return PORTS[port] || "";
}

function transport(r, at, end, proto, pseudo) {
	if (proto === 6)
		tcp(r, at, end, pseudo);
	else if (proto === 17)
		udp(r, at, end, pseudo);
	else if (proto === 1)
		icmp4(r, at, end);
	else if (proto === 58)
		icmp6(r, at, end, pseudo);
	else
		payload(r, at, end);
}

function tcp(r, at, end, pseudo) {
	const l = r.layer("TCP", at), header = (r.u8(at + 12) >> 4) * 4, bits = r.u8(at + 13);
	const flags = FLAGS.filter((_, i) => bits >> i & 1);
	r.field(l, "Source port", at, 2, r.u16(at), portNote(r.u16(at)));
	r.field(l, "Destination port", at + 2, 2, r.u16(at + 2), portNote(r.u16(at + 2)));
	r.field(l, "Sequence", at + 4, 4, r.u32(at + 4));
	r.field(l, "Acknowledgement", at + 8, 4, r.u32(at + 8));
	r.field(l, "Header length", at + 12, 1, header + " bytes", header < 20 ? "too short" : "");
	r.field(l, "Flags", at + 13, 1, flags.join(" ") || "none");
	r.field(l, "Window", at + 14, 2, r.u16(at + 14));
	r.field(l, "Checksum", at + 16, 2, hex(r.u16(at + 16), 4), sumNote(r, at, end, 6, pseudo, r.u16(at + 16)));
	r.field(l, "Urgent", at + 18, 2, r.u16(at + 18));
	l.summary = r.u16(at) + " → " + r.u16(at + 2) + " " + (flags.join(" ") || "no flags");
	if (header > 20)
		tcpOptions(r, l, at + 20, at + header);
	payload(r, at + Math.max(header, 20), end);
}

function tcpOptions(r, l, at, end) {
	const names = { 2: "MSS", 3: "Window scale", 4: "SACK permitted", 5: "SACK", 8: "Timestamps" };
	while (at < end) {
		const kind = r.u8(at);
		if (kind === 0)
			return;
		if (kind === 1) {
			at++;
			continue;
		}
		const size = r.u8(at + 1);
		if (size < 2 || at + size > end)
			return;
		const value = kind === 2 && size === 4 ? r.u16(at + 2) : kind === 3 && size === 3 ? "× " + 2 ** Math.min(r.u8(at + 2), 14)
			: kind === 8 && size === 10 ? r.u32(at + 2) + ", " + r.u32(at + 6) : size === 2 ? "yes" : toHex(r.b.subarray(at + 2, at + size));
		r.field(l, names[kind] || "Option " + kind, at, size, value);
		at += size;
	}
}

function udp(r, at, end, pseudo) {
	const l = r.layer("UDP", at), length = r.u16(at + 4);
	r.field(l, "Source port", at, 2, r.u16(at), portNote(r.u16(at)));
	r.field(l, "Destination port", at + 2, 2, r.u16(at + 2), portNote(r.u16(at + 2)));
	r.field(l, "Length", at + 4, 2, length, length < 8 ? "too short" : length > end - at ? "more than is here" : "");
	r.field(l, "Checksum", at + 6, 2, hex(r.u16(at + 6), 4), sumNote(r, at, end, 17, pseudo, r.u16(at + 6)));
	l.summary = r.u16(at) + " → " + r.u16(at + 2) + ", " + Math.max(0, length - 8) + " bytes";
	payload(r, at + 8, end);
}

function icmp4(r, at, end) {
	const l = r.layer("ICMP", at), type = r.u8(at), code = r.u8(at + 1);
	const name = ICMP4[type] || "type " + type;
	r.field(l, "Type", at, 1, type, ICMP4[type]);
	r.field(l, "Code", at + 1, 1, code, type === 3 ? UNREACHABLE4[code] : "");
	r.field(l, "Checksum", at + 2, 2, hex(r.u16(at + 2), 4), checksum(r.b, at, end - at) === 0xffff ? "right" : "");
	l.summary = name + (type === 3 && UNREACHABLE4[code] ? ": " + UNREACHABLE4[code] : "");
	if (type === 0 || type === 8) {
		r.field(l, "Identifier", at + 4, 2, r.u16(at + 4));
		r.field(l, "Sequence", at + 6, 2, r.u16(at + 6));
		l.summary += ", identifier " + r.u16(at + 4) + ", sequence " + r.u16(at + 6);
	} else {
		r.field(l, "Rest", at + 4, 4, hex(r.u32(at + 4), 8), type === 3 && code === 4 ? "MTU " + r.u16(at + 6) : "");
	}
	if ([3, 4, 5, 11, 12].includes(type) && end > at + 8)
		quoted(r, () => ip4(r, at + 8));
	else
		payload(r, at + 8, end);
}

function icmp6(r, at, end, pseudo) {
	const l = r.layer("ICMPv6", at), type = r.u8(at), code = r.u8(at + 1);
	r.field(l, "Type", at, 1, type, ICMP6[type]);
	r.field(l, "Code", at + 1, 1, code, type === 1 ? UNREACHABLE6[code] : "");
	r.field(l, "Checksum", at + 2, 2, hex(r.u16(at + 2), 4), sumNote(r, at, end, 58, pseudo, r.u16(at + 2)));
	l.summary = ICMP6[type] || "type " + type;
	if (type === 128 || type === 129) {
		r.field(l, "Identifier", at + 4, 2, r.u16(at + 4));
		r.field(l, "Sequence", at + 6, 2, r.u16(at + 6));
	} else if (type === 135 || type === 136) {
		r.field(l, "Flags", at + 4, 4, hex(r.u32(at + 4), 8));
		r.field(l, "Target", at + 8, 16, r.ip6(at + 8));
		l.summary += " for " + r.ip6(at + 8);
		payload(r, at + 24, end);
		return;
	} else {
		r.field(l, "Rest", at + 4, 4, hex(r.u32(at + 4), 8), type === 2 ? "MTU " + r.u32(at + 4) : "");
	}
	if (type >= 1 && type <= 4 && end > at + 8)
		quoted(r, () => ip6(r, at + 8));
	else
		payload(r, at + 8, end);
}

// What an error is about is cut by whoever sent the error: no fault.
function quoted(r, decode) {
	const from = r.layers.length;
	try {
		decode();
	} catch (error) {
		if (!(error instanceof Cut))
			throw error;
	}
	for (const layer of r.layers.slice(from))
		layer.name = "In it: " + layer.name;
}

function payload(r, at, end, padding) {
	const size = Math.min(end, r.b.length) - at;
	if (size <= 0)
		return;
	const l = r.layer(padding ? "Padding" : "Payload", at);
	l.size = size;
	l.summary = size + (size === 1 ? " byte" : " bytes");
}

// { layers: [{ name, summary, at, size, fields: [{ name, at, size, value, note }] }], cut }
export function decode(bytes, length = bytes.length) {
	const r = new Reader(bytes);
	let cut = false;
	try {
		ethernet(r, 0);
	} catch (error) {
		if (!(error instanceof Cut))
			throw error;
		cut = true;
	}
	const last = r.layers[r.layers.length - 1];
	const end = last ? last.at + last.size : 0;
	if (!cut && end < bytes.length && last.name !== "Payload")
		payload(r, end, bytes.length, true);
	return { layers: r.layers, cut: cut || bytes.length < length };
}

// A frame as it would be on the wire: what was not kept of it taken as zeros, and a checksum that
// a device was to finish, or that is of bytes that are not here, made right.
export function onTheWire(bytes, length) {
	const whole = new Uint8Array(Math.max(bytes.length, length));
	whole.set(bytes);
	const { layers } = decode(whole);
	const ip = layers.find((l) => l.name === "IPv4" || l.name === "IPv6"), l4 = layers.find((l) => ["TCP", "UDP", "ICMPv6"].includes(l.name));
	const sum = l4?.fields.find((f) => f.name === "Checksum");
	if (!ip || !sum || !(sum.note === "left to the device" || (sum.note === "wrong" && length > bytes.length)))
		return whole;
	const proto = { TCP: 6, UDP: 17, ICMPv6: 58 }[l4.name], from = ip.fields.find((f) => f.name === "Source").at;
	const size = ip.name === "IPv4" ? (whole[ip.at + 2] << 8 | whole[ip.at + 3]) - (l4.at - ip.at) : ip.at + 40 + (whole[ip.at + 4] << 8 | whole[ip.at + 5]) - l4.at;
	whole[sum.at] = whole[sum.at + 1] = 0;
	const right = (checksum(whole, l4.at, size, checksum(whole, from, ip.name === "IPv4" ? 8 : 32, proto + size)) ^ 0xffff) || 0xffff;
	whole[sum.at] = right >> 8;
	whole[sum.at + 1] = right & 255;
	return whole;
}

// A frame of a flow: what the first packet of its kind could look like, for asking what would
// happen to it.
export function frameOf(flow) {
	const six = flow.source.includes(":"), proto = flow.protocol;
	const inner = proto === 6 ? 20 : 8, size = (six ? 40 : 20) + inner;
	const out = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
	if (flow.vlan)
		out.push(0x81, 0, flow.vlan >> 8, flow.vlan & 255);
	out.push(...(six ? [0x86, 0xdd] : [8, 0]));
	const ip = out.length, w = (n) => [n >> 8 & 255, n & 255];
	if (six)
		out.push(0x60, 0, 0, 0, ...w(inner), proto, 64, ...addressBytes(flow.source), ...addressBytes(flow.destination));
	else
		out.push(0x45, 0, ...w(size), 0, 0, 0x40, 0, 64, proto, 0, 0, ...addressBytes(flow.source), ...addressBytes(flow.destination));
	if (!six)
		out.splice(ip + 10, 2, ...w(checksum(out, ip, 20) ^ 0xffff));
	const l4 = out.length, sport = flow["source-port"] || 0, dport = flow["destination-port"] || 0;
	let sumAt = l4 + 6;
	if (proto === 6) {
		out.push(...w(sport), ...w(dport), 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0);
		sumAt = l4 + 16;
	} else if (proto === 17) {
		out.push(...w(sport), ...w(dport), 0, 8, 0, 0);
	} else {
		// An echo's key: identifier and type.
		out.push(dport & 255, 0, 0, 0, ...w(sport), 0, 1);
		sumAt = l4 + 2;
	}
	const pseudo = proto === 1 ? 0 : checksum(out, six ? ip + 8 : ip + 12, six ? 32 : 8, proto + inner);
	const sum = (checksum(out, l4, inner, pseudo) ^ 0xffff) || (proto === 17 ? 0xffff : 0);
	out.splice(sumAt, 2, ...w(sum));
	return new Uint8Array(out);
}

export function addressBytes(text) {
	if (!text.includes(":"))
		return text.split(".").map(Number);
	const [head, tail] = text.split("::"), words = (t) => (t ? t.split(":") : []).flatMap((x) => {
		if (x.includes("."))
			return x.split(".").map(Number);
		const n = parseInt(x, 16);
		return [n >> 8, n & 255];
	});
	const a = words(head), b = tail === undefined ? [] : words(tail);
	return [...a, ...new Array(Math.max(0, 16 - a.length - b.length)).fill(0), ...b];
}

// SPDX-License-Identifier: Apache-2.0
// Talking to the data plane: requests with a token where one is asked for, lines and events as
// they come. The token stays in this tab.

const KEY = "millrace-token";
let ask = null; // asks a person for a token
let asking = null;

export const isAsking = () => asking !== null;

export function onUnauthorized(handler) {
	ask = handler;
}

export class Failure extends Error {
	constructor(status, message, details) {
		super(message);
		this.status = status;
		this.details = details || [];
	}
}

function token() {
	try {
		return sessionStorage.getItem(KEY);
	} catch {
		return null;
	}
}

export function forgetToken() {
	try {
		sessionStorage.removeItem(KEY);
	} catch {
		// Storage is off: there was none.
	}
}

async function newToken(wrong) {
	asking ||= Promise.resolve(ask ? ask(wrong) : null).finally(() => (asking = null));
	const given = await asking;
	if (!given)
		throw new Failure(401, "a token is needed");
	try {
		sessionStorage.setItem(KEY, given);
	} catch {
		// As long as the page, then.
	}
}

// The texts of RFC 8040's errors, or of {"error": "..."}.
async function failure(response) {
	const body = await response.text();
	let message = response.status + " " + response.statusText, details = [];
	try {
		const json = JSON.parse(body);
		const list = json["ietf-restconf:errors"]?.error;
		if (Array.isArray(list) && list.length) {
			details = list.map((e) => ({ path: e["error-path"] || "", text: e["error-message"] || e["error-tag"] }));
			message = details.map((d) => (d.path ? d.path + ": " : "") + d.text).join("\n");
		} else if (json.error) {
			message = json.error;
		}
	} catch {
		if (body && body.length < 300)
			message = body;
	}
	return new Failure(response.status, message, details);
}

export async function request(path, options = {}) {
	for (let tries = 0; ; tries++) {
		const headers = new Headers(options.headers);
		const has = token();
		if (has)
			headers.set("Authorization", "Bearer " + has);
		const response = await fetch(path, { ...options, headers, cache: options.cache || "no-store" });
		if (response.status === 401 && tries < 5) {
			// Somebody else may have asked meanwhile.
			if (token() === has)
				await newToken(Boolean(has));
			continue;
		}
		if (!response.ok)
			throw await failure(response);
		return response;
	}
}

export async function get(path, options) {
	return (await request(path, options)).json();
}

export async function text(path, options) {
	return (await request(path, options)).text();
}

export async function send(method, path, body, type = "application/yang-data+json") {
	const response = await request(path, {
		method,
		headers: body === undefined ? {} : { "Content-Type": type },
		body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
	});
	const answer = await response.text();
	return answer ? JSON.parse(answer) : {};
}

// An operation of a service: RFC 8040, 3.6.
export async function operation(name, input) {
	const module = name.split(":")[0];
	const answer = await send("POST", "/restconf/operations/" + name, { [module + ":input"]: input });
	return answer[module + ":output"] || {};
}

async function* chunks(response) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done)
				return;
			yield value;
		}
	} finally {
		reader.cancel().catch(() => {});
	}
}

// Up to `most` of the objects, one a line, that a resource goes on to send. What is behind them is
// never fetched: the connection is closed.
export async function lines(path, most = Infinity, signal) {
	const response = await request(path, { signal });
	const list = [];
	let rest = "";
	for await (const chunk of chunks(response)) {
		const parts = (rest + chunk).split("\n");
		rest = parts.pop();
		for (const line of parts) {
			if (!line.trim())
				continue;
			if (list.length >= most)
				return { list, more: true };
			list.push(JSON.parse(line));
		}
	}
	if (rest.trim() && list.length < most)
		list.push(JSON.parse(rest));
	return { list, more: false };
}

// Server-sent events by fetch, as EventSource sends no headers. Ends when the server does.
export async function events(path, told, signal) {
	const response = await request(path, { signal, headers: { Accept: "text/event-stream" } });
	if (!(response.headers.get("Content-Type") || "").startsWith("text/event-stream")) {
		response.body?.cancel().catch(() => {});
		throw new Failure(response.status, "not an event stream");
	}
	let rest = "";
	for await (const chunk of chunks(response)) {
		const parts = (rest + chunk.replace(/\r\n?/g, "\n")).split("\n\n");
		rest = parts.pop();
		for (const part of parts) {
			let name = "message";
			const data = [];
			for (const line of part.split("\n")) {
				if (line.startsWith("event:"))
					name = line.slice(6).trim();
				else if (line.startsWith("data:"))
					data.push(line.slice(5).replace(/^ /, ""));
			}
			if (data.length)
				told(name, data.join("\n"));
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which way a running flow goes: GET /path?flow=WORKER:INDEX, or with the filters of the flow lane's
 * listing (interface, protocol, address, port; top: so many flows, 1). For each flow a packet is made
 * of what its key says, and explained; then one that would answer what leaves, where that leaves. A
 * line of JSON for each, as of /explain, with "direction" and what the lane counted. Which functions'
 * connections, sessions and servers they belong to, their words in the recordings say.
 */

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "control/see/see_int.h"
#include "kit/base/hex.h"
#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"
#include "kit/packet/wire.h"
#include "nf/interface/interface.h"

#define FLOWS_MAX 20u
#define TEXT_MAX 65536u
#define FRAME_MAX 128u

/* One direction of a flow. */
struct way {
	uint16_t port, vlan;
	uint8_t proto;
	bool six, bridged;
	uint8_t
	    macs[12]; /* of a frame that was seen; else the destination is the interface's own */
	bool has_macs;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
};

struct asking {
	struct mr_dataplane *dp;
	struct evbuffer *out;
	const struct mr_http_call *call;
};

/* -- a packet of it ------------------------------------------------------------------------- */

static unsigned
put_l4(const struct way *w, uint8_t *l4)
{
	mr_store_be16(l4, w->sport);
	mr_store_be16(l4 + 2, w->dport);
	switch (w->proto) {
	case MR_IP_PROTO_TCP:
		l4[12] = 0x50;
		l4[13] = MR_TCP_ACK;
		return 20;
	case MR_IP_PROTO_UDP:
		mr_store_be16(l4 + 4, 8);
		return 8;
	default:
		/* An ICMP query: its type, and its identifier (kit/flow/key.h). */
		memset(l4, 0, 4);
		l4[0] = (uint8_t)w->dport;
		mr_store_be16(l4 + 4, w->sport);
		return 8;
	}
}

static unsigned
build(struct mr_dataplane *dp, const struct way *w, uint8_t *frame)
{
	unsigned at = w->vlan ? 18 : 14, header = w->six ? 40 : 20, len;
	uint8_t *ip = frame + at;
	be16_t sum;

	memset(frame, 0, FRAME_MAX);
	memcpy(frame + 6, "\2\0\0\0\0\1", 6);
	if (w->has_macs)
		memcpy(frame, w->macs, 12);
	else
		mr_dataplane_address(dp, w->port, w->vlan, frame);
	if (w->vlan) {
		mr_store_be16(frame + 12, MR_ETH_TYPE_VLAN);
		mr_store_be16(frame + 14, w->vlan);
	}
	mr_store_be16(ip - 2, w->six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	len = put_l4(w, ip + header);
	if (w->six) {
		ip[0] = 0x60;
		mr_store_be16(ip + 4, (uint16_t)len);
		ip[6] = w->proto;
		ip[7] = 64;
		memcpy(ip + 8, w->src, 16);
		memcpy(ip + 24, w->dst, 16);
	} else {
		ip[0] = 0x45;
		mr_store_be16(ip + 2, (uint16_t)(20 + len));
		ip[8] = 64;
		ip[9] = w->proto;
		memcpy(ip + 12, w->src, 4);
		memcpy(ip + 16, w->dst, 4);
		sum = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
		memcpy(ip + 10, &sum, 2);
	}
	return MR_MAX(at + header + len, 60u);
}

/* -- the way back ---------------------------------------------------------------------------- */

/* What answers a packet that leaves: false when that is none of a plain flow's. */
static bool
answer(const json_t *sent, struct mr_dataplane *dp, struct way *w)
{
	const char *hex = json_string_value(json_object_get(sent, "bytes"));
	const char *name = json_string_value(json_object_get(sent, "interface"));
	const struct mr_interface *i = name ? mr_interface_find(mr_interfaces_of(dp), name) : NULL;
	uint8_t frame[FRAME_MAX];
	struct mr_parsed r;
	const uint8_t *ip;
	long len = hex
	    ? mr_hex_read(hex, MR_MIN(strlen(hex), 2 * sizeof(frame)), frame, sizeof(frame))
	    : 0;

	if (!i || len < 14 || mr_parse(&r, frame, (unsigned)len, (unsigned)len) ||
	    !(r.flags & MR_PARSED_L4))
		return false;
	ip = frame + r.l3;
	memset(w, 0, sizeof(*w));
	w->port = i->index;
	w->vlan = r.vlan_count ? r.vlan[0] & 4095u : 0;
	w->six = ip[0] >> 4 == 6;
	w->proto = r.proto;
	memcpy(w->macs, frame + 6, 6);
	memcpy(w->macs + 6, frame, 6);
	w->has_macs = true;
	memcpy(w->src, ip + (w->six ? 24 : 16), w->six ? 16 : 4);
	memcpy(w->dst, ip + (w->six ? 8 : 12), w->six ? 16 : 4);
	switch (r.proto) {
	case MR_IP_PROTO_TCP:
	case MR_IP_PROTO_UDP:
		w->sport = mr_load_be16(frame + r.l4 + 2);
		w->dport = mr_load_be16(frame + r.l4);
		return true;
	case MR_IP_PROTO_ICMP:
		w->dport = frame[r.l4] == MR_ICMP4_ECHO ? MR_ICMP4_ECHO_REPLY : MR_ICMP4_ECHO;
		break;
	case MR_IP_PROTO_ICMP6:
		w->dport = frame[r.l4] == MR_ICMP6_ECHO ? MR_ICMP6_ECHO_REPLY : MR_ICMP6_ECHO;
		break;
	default:
		return false;
	}
	w->sport = mr_load_be16(frame + r.l4 + 4);
	return true;
}

/* -- both ways ------------------------------------------------------------------------------- */

/* Explains one way; the answer to what it sends is `back`. */
static bool
say(struct asking *a, const struct way *w, const char *direction, json_t *counted, struct way *back)
{
	uint8_t frame[FRAME_MAX];
	unsigned len = build(a->dp, w, frame);
	json_t *o = see_explanation(a->dp, w->port, frame, len, MR_PACKET_IMAGINED);
	json_t *sent = json_object_get(o, "sent");
	bool answered = false;
	char *text;

	if (!o)
		return false;
	json_object_set_new(o, "direction", json_string(direction));
	if (counted)
		json_object_set(o, "counted", counted);
	if (json_array_size(sent) == 1 && back)
		answered = answer(json_array_get(sent, 0), a->dp, back);
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
	if (text)
		evbuffer_add_printf(a->out, "%s\n", text);
	free(text);
	json_decref(o);
	return answered;
}

static unsigned
number_of(const json_t *o, const char *key)
{
	return (unsigned)json_integer_value(json_object_get(o, key));
}

/* A flow as the lane's listing has it. */
static void
say_flow(struct asking *a, json_t *flow)
{
	const char *src = json_string_value(json_object_get(flow, "source"));
	const char *dst = json_string_value(json_object_get(flow, "destination"));
	const char *name = json_string_value(json_object_get(flow, "interface"));
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(a->dp), name ? name : "");
	struct way there = { .vlan = (uint16_t)number_of(flow, "vlan"),
		.proto = (uint8_t)number_of(flow, "protocol"),
		.sport = (uint16_t)number_of(flow, "source-port"),
		.dport = (uint16_t)number_of(flow, "destination-port") };
	struct way back;

	if (!src || !dst || !i)
		return;
	there.port = i->index;
	there.six = strchr(src, ':') != NULL;
	if (inet_pton(there.six ? AF_INET6 : AF_INET, src, there.src) != 1 ||
	    inet_pton(there.six ? AF_INET6 : AF_INET, dst, there.dst) != 1)
		return;
	if (say(a, &there, "there", flow, &back))
		say(a, &back, "back", NULL, NULL);
}

/* -- which flows ----------------------------------------------------------------------------- */

static const char *
value(const void *arg, const char *name)
{
	const struct asking *a = arg;

	if (strcmp(name, "form") == 0)
		return "json";
	if (strcmp(name, "by") == 0)
		return "packets";
	if (strcmp(name, "top") == 0)
		return mr_http_param(a->call, "top", "1");
	return mr_http_param(a->call, name, NULL);
}

void
see_path(const struct mr_http_call *call)
{
	struct asking a = { .dp = call->state, .call = call, .out = evbuffer_new() };
	const struct mr_nf_query query = { .value = value, .arg = &a };
	char *text = calloc(1, TEXT_MAX), *line, *rest;
	struct mr_nf_stream stream;
	struct mr_error error;
	size_t used = 0, n;
	uint32_t top;

	if (!a.out || !text) {
		mr_http_fail(call, 503, "no memory");
	} else if (!see_number(call, "top", 1, FLOWS_MAX, &top) || !top) {
		mr_http_fail(call, 400, "top is a number up to %u", FLOWS_MAX);
	} else if (mr_dataplane_stream(a.dp, "lanes", "flows", &query, &stream, &error)) {
		mr_http_fail(call, 400, "%s", error.text);
	} else {
		while ((n = stream.read(stream.state, text + used, TEXT_MAX - used - 1)) > 0)
			used += n;
		stream.close(stream.state);
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
			json_t *flow = json_loads(line, 0, NULL);

			say_flow(&a, flow);
			json_decref(flow);
		}
		if (evbuffer_get_length(a.out))
			mr_http_reply(call, "application/x-ndjson",
			    (const char *)evbuffer_pullup(a.out, -1), evbuffer_get_length(a.out));
		else
			mr_http_fail(call, 404,
			    "no such flow is known (millrace show flows lists them; packets that "
			    "take the graph have none)");
	}
	if (a.out)
		evbuffer_free(a.out);
	free(text);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What would happen to a frame: POST /explain?interface=I with the frame as hexadecimal digits, or
 * POST /explain?drop=ID with a packet of the flight recorder;
 * the answer is a recording (control/see/recording.c). With `to=own` the frame's destination
 * address is replaced by the one that the data plane answers to there, in its VLAN.
 */

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "control/see/drops_int.h"
#include "kit/base/hex.h"
#include "kit/graph/explain.h"
#include "kit/packet/print.h"
#include "kit/packet/wire_eth.h"
#include "nf/interface/interface.h"
#include "nf/lanes/lanes.h"

#define FRAME_MIN 14
#define FRAME_MAX 65535

struct explanation {
	struct mr_dataplane *dp;
	json_t *lane; /* what the flow lane has for it */
	json_t *sent; /* what would leave, in order */
	json_t *said; /* null: no memory */
};

static void
recorded(void *user, const struct mr_recording *r)
{
	struct explanation *e = user;

	e->said = see_recording(e->dp, r, e->lane, e->sent);
}

/* What leaves, as it then is. */
static void
would_leave(void *user, unsigned branch, uint16_t port, uint32_t packet)
{
	struct explanation *e = user;
	const struct mr_buffers *b = mr_dataplane_buffers(e->dp);
	const struct mr_packet *p = mr_packet_at(b->base, packet);
	const struct mr_interface *i = mr_interface_at(mr_interfaces_of(e->dp), port);
	char line[MR_PACKET_PRINT_MAX], *hex;
	unsigned kept = MR_MIN(p->total, (unsigned)FRAME_MAX);
	uint8_t *bytes = malloc(kept);
	json_t *o = json_object();

	hex = malloc(2ul * kept + 1);
	if (i && bytes && hex) {
		mr_packet_read(b, packet, 0, bytes, kept);
		mr_packet_print_first(line, sizeof(line), bytes, kept, p->total);
		mr_hex_write(hex, bytes, kept);
		json_object_set_new(o, "interface", json_string(i->name));
		json_object_set_new(o, "branch", json_integer(branch));
		json_object_set_new(o, "length", json_integer(p->total));
		json_object_set_new(o, "packet", json_string(line));
		json_object_set_new(o, "bytes", json_string(hex));
		json_array_append(e->sent, o);
	}
	json_decref(o);
	free(bytes);
	free(hex);
}

/* Returns the frame's length, or 0 when the client has been told what is wrong. */
static unsigned
read_frame(const struct mr_http_call *call, uint8_t *frame)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(call->req);
	size_t size = evbuffer_get_length(body);
	const char *text = (const char *)evbuffer_pullup(body, -1);
	long n = size ? mr_hex_read(text, size, frame, FRAME_MAX) : 0;

	if (n == -E2BIG)
		mr_http_fail(call, 400, "the frame has more than %d bytes", FRAME_MAX);
	else if (n < 0)
		mr_http_fail(call, 400, "the frame is not written in hexadecimal digits");
	else if (n < FRAME_MIN)
		mr_http_fail(call, 400, "a frame has at least %d bytes, this one %ld", FRAME_MIN,
		    n);
	return n >= FRAME_MIN ? (unsigned)n : 0;
}

/* Which flow of the flow lane the packet would have been replayed by, and what that does. */
static json_t *
flow_json(struct mr_dataplane *dp, uint16_t port, uint32_t packet)
{
	static const char *const words[] = {
		[MR_LANES_GRAPH] = "graph",
		[MR_LANES_NO_KEY] = "flow lane, but packets like this take the graph",
		[MR_LANES_NO_FLOW] = "flow lane, which knows no flow of it: the graph",
		[MR_LANES_BRIDGED] = "flow lane, if its worker knows a flow of it",
		[MR_LANES_FLOW] = "flow lane: replayed",
	};
	struct mr_lanes_flow found;
	enum mr_lanes_answer answer = mr_lanes_find(dp, port, packet, &found);
	json_t *o = json_object(), *lines;
	char *save = NULL;

	json_object_set_new(o, "taken", json_string(words[answer]));
	if (found.reason)
		json_object_set_new(o, "reason", json_string(found.reason));
	if (answer != MR_LANES_FLOW)
		return o;
	json_object_set_new(o, "worker", json_integer(found.worker));
	json_object_set_new(o, "flow", json_integer(found.index));
	json_object_set_new(o, "packets", json_integer((json_int_t)found.flow.packets));
	json_object_set_new(o, "bytes", json_integer((json_int_t)found.flow.bytes));
	json_object_set_new(o, "idle", json_integer(found.flow.idle));
	json_object_set_new(o, "age", json_integer(found.flow.age));
	lines = json_array();
	for (char *line = strtok_r(found.program, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		json_array_append_new(lines, json_string(line));
	json_object_set_new(o, "program", lines);
	return o;
}

json_t *
see_explanation(struct mr_dataplane *dp, uint16_t port, const uint8_t *frame, unsigned len,
    unsigned flags)
{
	struct explanation e = { .dp = dp };
	uint32_t packet = mr_packet_from(mr_dataplane_buffers(dp), MR_POOL_SHARED, frame, len);
	struct mr_error error;

	if (packet == MR_PACKET_NONE)
		return NULL;
	mr_packet_at(mr_dataplane_buffers(dp)->base, packet)->flags |= (uint16_t)flags;
	e.lane = flow_json(dp, port, packet);
	e.sent = json_array();
	if (mr_graph_explain_sent(mr_dataplane_graph(dp), port, packet, recorded, would_leave, &e,
		&error) &&
	    !e.said)
		e.said = json_pack("{s:s}", "error", error.text);
	json_decref(e.lane);
	json_decref(e.sent);
	return e.said;
}

static void
explain(const struct mr_http_call *call, uint16_t port, const uint8_t *frame, unsigned len)
{
	json_t *said = see_explanation(call->state, port, frame, len, 0);
	const char *wrong = json_string_value(json_object_get(said, "error"));
	char *text = wrong ? NULL : json_dumps(said, JSON_COMPACT | JSON_REAL_PRECISION(6));

	if (text)
		mr_http_reply(call, "application/json", text, strlen(text));
	else
		mr_http_fail(call, 503, "%s", wrong ? wrong : "no packet buffer is free");
	free(text);
	json_decref(said);
}

/* The packet of a drop, as it was then: POST /explain?drop=ID. */
static void
explain_drop(const struct mr_http_call *call, const char *id)
{
	struct mr_dataplane *dp = call->state;
	const struct mr_flight_drop *d;
	struct mr_flight_list *list;
	struct mr_error error;

	if (mr_flight_read(mr_dataplane_graph(dp), NULL, &list, &error)) {
		mr_http_fail(call, 503, "%s", error.text);
		return;
	}
	d = drop_find(list, id);
	if (!d)
		mr_http_fail(call, 404, "there is no drop %s, or no more (millrace drops)", id);
	else if (d->kept < d->length)
		mr_http_fail(call, 409,
		    "of the %u bytes of drop %s the first %u were kept: more are with "
		    "system/flight-recorder/bytes",
		    d->length, id, d->kept);
	else if (d->length < FRAME_MIN || d->length > FRAME_MAX)
		mr_http_fail(call, 409, "drop %s is no Ethernet frame any more", id);
	else if (d->port == MR_FLIGHT_NO_PORT || !mr_graph_port(mr_dataplane_graph(dp), d->port))
		mr_http_fail(call, 409, "the interface where drop %s came in is there no more", id);
	else
		explain(call, d->port, d->bytes, d->length);
	mr_flight_list_free(list);
}

void
see_explain(const struct mr_http_call *call)
{
	const char *drop = mr_http_param(call, "drop", NULL);
	struct mr_dataplane *dp = call->state;
	const char *name = mr_http_param(call, "interface", NULL);
	const char *to = mr_http_param(call, "to", NULL);
	uint8_t *frame = malloc(FRAME_MAX);
	const struct mr_interface *i;
	unsigned len, vlan = 0;

	if (drop) {
		free(frame);
		explain_drop(call, drop);
		return;
	}
	i = name ? mr_interface_find(mr_interfaces_of(dp), name) : NULL;
	if (!frame) {
		mr_http_fail(call, 503, "no memory");
	} else if (!name) {
		mr_http_fail(call, 400, "name the interface where the frame comes in");
	} else if (!i) {
		mr_http_fail(call, 404, "there is no interface %s", name);
	} else if (!i->port) {
		mr_http_fail(call, 409, "interface %s has no device now: nothing comes in there",
		    name);
	} else if ((len = read_frame(call, frame)) != 0) {
		if (len >= 16 && mr_load_be16(frame + 12) == MR_ETH_TYPE_VLAN)
			vlan = mr_load_be16(frame + 14) & 0xfffu;
		if (to && strcmp(to, "own") == 0)
			mr_dataplane_address(dp, i->index, (uint16_t)vlan, frame);
		explain(call, i->index, frame, len);
	}
	free(frame);
}

/* SPDX-License-Identifier: Apache-2.0 */

/* Drops as lines of JSON, as a capture, and summed up. */

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/see/drops_int.h"
#include "kit/base/hex.h"
#include "kit/packet/pcapng.h"
#include "kit/packet/print.h"
#include "kit/packet/wire.h"
#include "nf/interface/interface.h"

void
drop_time(const struct mr_graph *g, uint64_t cycles, char text[32])
{
	uint64_t ns = see_wall_time(g, cycles);
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(text, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
	    (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
	    (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
	    (unsigned)tm.tm_sec % 100, (unsigned)(ns % 1000000000 / 1000));
}

/* Null: no such port any more. */
static const char *
port_name(struct mr_dataplane *dp, uint16_t port)
{
	const struct mr_interface *i = mr_interface_at(mr_interfaces_of(dp), port);
	const struct mr_port *p = mr_graph_port(mr_dataplane_graph(dp), port);

	return i ? i->name : p ? p->name : NULL;
}

static void
set_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, json_string(text));
}

static void
set_port(struct mr_dataplane *dp, json_t *o, const char *key, uint16_t port)
{
	const char *name = port == MR_FLIGHT_NO_PORT ? NULL : port_name(dp, port);

	if (name)
		set_text(o, key, name);
}

static json_t *
head(struct mr_dataplane *dp, const struct mr_flight_drop *d)
{
	char id[DROP_ID_MAX], at[32], summary[MR_PACKET_PRINT_MAX];
	json_t *o = json_object();

	drop_id(d, id);
	drop_time(mr_dataplane_graph(dp), d->cycles, at);
	mr_packet_print_first(summary, sizeof(summary), d->bytes, d->kept, d->length);
	set_text(o, "id", id);
	set_text(o, "at", at);
	set_text(o, "node", d->node);
	set_text(o, "reason", drop_reason(d));
	set_text(o, "why", drop_why(d));
	set_text(o, "packet", summary);
	return o;
}

static void
put_line(struct evbuffer *out, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text)
		evbuffer_add_printf(out, "%s\n", text);
	free(text);
	json_decref(o);
}

/* Its bridge or router, by the tag that it has, or had by what the interface is. */
static void
set_whose(struct mr_dataplane *dp, json_t *o, const struct mr_flight_drop *d)
{
	bool tagged = d->kept >= 16 && mr_load_be16(d->bytes + 12) == MR_ETH_TYPE_VLAN;
	uint16_t vlan = tagged ? mr_load_be16(d->bytes + 14) & 0xfffu : 0;
	char text[160];

	if (tagged)
		json_object_set_new(o, "vlan", json_integer(vlan));
	if (d->port != MR_FLIGHT_NO_PORT &&
	    mr_dataplane_whose(dp, d->port, vlan, text, sizeof(text)))
		set_text(o, "whose", text);
}

void
drop_write_json(struct mr_dataplane *dp, struct evbuffer *out, const struct mr_flight_drop *d)
{
	char hex[2 * MR_FLIGHT_BYTES_MAX + 1], flow[DROP_ID_MAX];
	json_t *o = head(dp, d);

	set_port(dp, o, "interface", d->port);
	set_port(dp, o, "out", d->out);
	set_whose(dp, o, d);
	json_object_set_new(o, "worker", json_integer(d->worker));
	json_object_set_new(o, "length", json_integer(d->length));
	/* How many packets it stands for: those of its reason just before it were not kept. */
	json_object_set_new(o, "of", json_integer((json_int_t)d->stands_for));
	if (d->flow != MR_FLIGHT_NO_FLOW) {
		snprintf(flow, sizeof(flow), "%u:%u", d->worker, d->flow);
		set_text(o, "flow", flow);
	}
	json_object_set_new(o, "whole", json_boolean(d->kept == d->length));
	mr_hex_write(hex, d->bytes, d->kept);
	set_text(o, "bytes", hex);
	put_line(out, o);
}

/* -- a capture ----------------------------------------------------------------------------- */

static void
packet_block(struct evbuffer *out, const struct mr_graph *g, const struct mr_flight_drop *d,
    uint32_t interface)
{
	char comment[MR_PCAPNG_COMMENT_MAX], id[DROP_ID_MAX];
	struct evbuffer_iovec room;
	const struct mr_pcapng_packet p = {
		.interface = interface,
		.time_ns = see_wall_time(g, d->cycles),
		.kept = d->kept,
		.length = d->length,
		.comment = comment,
	};

	drop_id(d, id);
	snprintf(comment, sizeof(comment), "drop %s by %s: %s (%s)", id, d->node, drop_reason(d),
	    drop_why(d));
	if (evbuffer_reserve_space(out, MR_PCAPNG_PACKET_MAX(p.kept), &room, 1) != 1)
		return;
	room.iov_len = mr_pcapng_packet(room.iov_base, room.iov_len, &p, d->bytes);
	evbuffer_commit_space(out, &room, 1);
}

void
drops_write_pcapng(struct mr_dataplane *dp, struct evbuffer *out, const struct mr_flight_list *list)
{
	uint8_t block[MR_PCAPNG_INTERFACE_MAX];
	uint16_t *numbers = calloc(UINT16_MAX + 1u, sizeof(*numbers)); /* of blocks, from 1 */
	uint16_t count = 0;

	if (!numbers)
		return;
	evbuffer_add(out, block, mr_pcapng_section(block, sizeof(block)));
	/* Readers want one, even of no packet. */
	if (!list->count)
		evbuffer_add(out, block, mr_pcapng_interface(block, sizeof(block), "none", 0));
	for (size_t i = 0; i < list->count; i++) {
		const struct mr_flight_drop *d = &list->drops[i];
		const char *name = d->port == MR_FLIGHT_NO_PORT ? NULL : port_name(dp, d->port);

		if (!numbers[d->port]) {
			evbuffer_add(out, block,
			    mr_pcapng_interface(block, sizeof(block), name ? name : "gone", 0));
			numbers[d->port] = ++count;
		}
		packet_block(out, mr_dataplane_graph(dp), d, numbers[d->port] - 1u);
	}
	free(numbers);
}

/* -- summed up ----------------------------------------------------------------------------- */

static void
summary_line(struct mr_dataplane *dp, struct evbuffer *out, const struct mr_flight_list *list,
    uint16_t node, const struct mr_node_stats *s, unsigned reason)
{
	const struct mr_flight_drop *last = NULL;
	json_int_t kept = 0;
	json_t *o;

	for (size_t i = 0; i < list->count; i++) {
		if (list->drops[i].index != node || list->drops[i].reason != reason)
			continue;
		last = &list->drops[i];
		kept++;
	}
	o = last ? head(dp, last) : json_object();
	set_text(o, "node", s->name);
	set_text(o, "reason", s->class->drops[reason].name);
	set_text(o, "why", s->class->drops[reason].doc);
	json_object_set_new(o, "packets", json_integer((json_int_t)s->drops[reason]));
	json_object_set_new(o, "kept", json_integer(kept));
	put_line(out, o);
}

void
drops_write_summary(const struct selection *what, struct evbuffer *out,
    const struct mr_flight_list *list)
{
	const struct mr_graph *g = mr_dataplane_graph(what->dp);
	struct mr_node_stats s;

	for (unsigned n = 0; n < mr_graph_node_count(g); n++) {
		if (mr_graph_node_stats(g, (uint16_t)n, &s))
			continue;
		for (unsigned i = 0; i < s.class->drop_count; i++)
			if (s.drops[i] && (!*what->node || !strcmp(what->node, s.name)) &&
			    (!*what->reason || !strcmp(what->reason, s.class->drops[i].name)))
				summary_line(what->dp, out, list, (uint16_t)n, &s, i);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lanes/lanes_bed_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph_int.h"
#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"
#include "kit/packet/wire_tunnel.h"
#include "nf/interface/interface.h"
#include "nf/router/router_int.h"

#define MAGIC 0x57a3c19bu
/* At most so many in this time, which is longer than they wait for each other. */
#define PIECES 100u
#define PIECES_MS 36000u
/* Protocols of tunnels (RFC 2003, RFC 2473). */
#define IPIP 4u
#define IP6IP 41u

uint32_t
bed_draw(struct bed_random *r, uint32_t below)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)((r->state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

void
bed_say(struct bed_text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->at + t->used, t->size - t->used, fmt, args);
	va_end(args);
	if (n < 0 || t->used + (size_t)n >= t->size)
		abort();
	t->used += (size_t)n;
}

void
bed_fail(const struct bed *b, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "with this configuration:\n%s\n", b->text);
	fprintf(stderr, "lanes bed, %s: ", b->doing ? b->doing : "at the start");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* -- ports ------------------------------------------------------------------------------ */

static struct bed_port *
port_of(struct mr_port *port)
{
	return mr_container_of(port->driver, struct bed_port, driver);
}

static unsigned
port_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct bed_port *bp = port_of(port);
	unsigned n = bp->wait_count;

	if (bp->source)
		return bp->source(bp, queue, worker, packets, max);
	bed_must(bp->plane->bed, n <= max);
	bp->wait_count = 0;
	memcpy(packets, bp->waiting, n * sizeof(*packets));
	for (unsigned i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		p->port = port->index;
		p->queue = (uint16_t)queue;
	}
	return n;
}

/* The router draws the identification of its own datagrams in pieces from the cycles. */
static void
hide_fragment(uint8_t *frame, unsigned len)
{
	unsigned l3 = len > 18 && mr_load_be16(frame + 12) == MR_ETH_TYPE_VLAN ? 18 : 14;

	if (len >= l3 + 48 && mr_load_be16(frame + l3 - 2) == MR_ETH_TYPE_IP6 &&
	    frame[l3 + 6] == MR_IP_PROTO_FRAGMENT)
		memset(frame + l3 + 44, 0, 4);
}

/* Whether a load balancer or a tunnel made it; a later piece does not say its port. */
static bool
is_tunneled(const uint8_t *ip, unsigned len)
{
	unsigned port;

	if (ip[9] == IPIP || ip[9] == IP6IP)
		return true;
	if (ip[9] != MR_IP_PROTO_UDP || (mr_load_be16(ip + 6) & MR_IP4_FRAG_OFFSET))
		return ip[9] == MR_IP_PROTO_UDP;
	port = len >= 28 ? mr_load_be16(ip + 22) : 0;
	return port == MR_TUNNEL_PORT_GUE || port == MR_TUNNEL_PORT_VXLAN;
}

/* And tunnels that of their packets that may be cut. */
static void
hide_tunnel(uint8_t *frame, unsigned len)
{
	unsigned l3 = len > 18 && mr_load_be16(frame + 12) == MR_ETH_TYPE_VLAN ? 18 : 14;
	uint8_t *ip = frame + l3;
	be16_t check;

	if (len < l3 + 20 || mr_load_be16(ip - 2) != MR_ETH_TYPE_IP4 || ip[0] != 0x45 ||
	    (mr_load_be16(ip + 6) & MR_IP4_DONT_FRAGMENT) || !is_tunneled(ip, len - l3))
		return;
	memset(ip + 4, 0, 2);
	check = mr_checksum_ipv4_header((const struct mr_ip4 *)ip);
	memcpy(ip + 10, &check, 2);
}

void
bed_hide(uint8_t *frame, unsigned len)
{
	hide_fragment(frame, len);
	hide_tunnel(frame, len);
}

static void
keep(struct bed_port *bp, uint32_t packet)
{
	struct bed_plane *plane = bp->plane;
	const struct mr_packet *p = mr_packet_at(plane->buffers->base, packet);
	struct bed_sent *s;
	uint32_t magic = 0;

	if (plane->sent_count == plane->sent_room) {
		plane->sent_room = plane->sent_room * 2 + 1024;
		plane->sent = realloc(plane->sent, plane->sent_room * sizeof(*plane->sent));
	}
	while (plane->byte_count + p->total > plane->byte_room) {
		plane->byte_room = plane->byte_room * 2 + 65536;
		plane->bytes = realloc(plane->bytes, plane->byte_room);
	}
	bed_must(plane->bed, plane->sent && plane->bytes);
	s = &plane->sent[plane->sent_count++];
	*s = (struct bed_sent){
		.port = (uint32_t)(bp - plane->ports),
		.len = p->total,
		.at = (uint32_t)plane->byte_count,
	};
	bed_must(plane->bed,
	    mr_packet_read(plane->buffers, packet, 0, plane->bytes + s->at, s->len) == s->len);
	plane->byte_count += s->len;
	bed_hide(plane->bytes + s->at, s->len);
	if (s->len >= 12)
		memcpy(&magic, plane->bytes + s->at + s->len - 12, 4);
	if (magic == MAGIC) {
		memcpy(&s->flow, plane->bytes + s->at + s->len - 8, 4);
		memcpy(&s->serial, plane->bytes + s->at + s->len - 4, 4);
	}
}

static unsigned
port_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct bed_port *bp = port_of(port);

	(void)queue;
	if (bp->full)
		return 0;
	if (bp->sink)
		bp->sink(bp, worker, packets, count);
	else
		for (unsigned i = 0; i < count; i++)
			keep(bp, packets[i]);
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static int
port_link(struct mr_port *port)
{
	return atomic_load_explicit(&port_of(port)->link, memory_order_relaxed);
}

static int
port_fd(struct mr_port *port, unsigned queue)
{
	(void)port;
	(void)queue;
	return -1;
}

static void
take_ports(struct bed_plane *plane)
{
	for (unsigned k = 0; k < BED_PORTS; k++) {
		const char name[2] = { (char)('a' + k) };
		const struct mr_interface *i = mr_interface_find(mr_interfaces_of(plane->dp), name);
		struct bed_port *bp = &plane->ports[k];

		bed_must(plane->bed, i && i->port);
		if (bp->port == i->port)
			continue;
		/* Another port than before: it begins with its link up. */
		if (bp->port)
			bed_must(plane->bed, bp->wait_count == 0);
		bp->plane = plane;
		bp->port = i->port;
		bp->driver = *i->port->driver;
		bp->driver.rx = port_rx;
		bp->driver.tx = port_tx;
		bp->driver.poll_link = port_link;
		bp->driver.rx_fd = port_fd;
		atomic_store_explicit(&bp->link, 1, memory_order_relaxed);
		i->port->driver = &bp->driver;
	}
}

/* -- life ------------------------------------------------------------------------------- */

static void
make_model(struct bed *b)
{
	struct mr_error error;

	mr_log_init_fd(&b->log, 2, MR_LOG_ERROR);
	if (mr_nf_model(&b->model, &error))
		bed_fail(b, "%s", error.text);
}

static struct mr_config *
parse(struct bed *b, const char *text, const char *lanes)
{
	struct mr_config *config = NULL;
	struct mr_report *report;
	char *yaml;

	bed_must(b, asprintf(&yaml, "%s%s", text, lanes) > 0 && mr_report_create(&report) == 0);
	if (mr_config_parse(&config, b->model, "bed", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(config, report);
	if (mr_report_count(report)) {
		mr_report_print(report, stderr);
		bed_fail(b, "the configuration is wrong:\n%s", yaml);
	}
	mr_report_destroy(report);
	free(yaml);
	return config;
}

static const char *
lanes_of(unsigned plane, const char *lanes, unsigned planes)
{
	return planes > 1 && plane == BED_GRAPH ? "lanes: {mode: graph}\n" : lanes;
}

struct bed *
bed_open(const char *text, const char *lanes, unsigned planes)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct router *router;
	struct mr_report *report;
	struct mr_error error;

	if (!b)
		abort();
	b->plane_count = planes;
	make_model(b);
	snprintf(b->text, sizeof(b->text), "%s", text);
	for (unsigned k = 0; k < planes; k++) {
		struct bed_plane *plane = &b->planes[k];

		plane->bed = b;
		b->configs[k] = parse(b, text, lanes_of(k, lanes, planes));
		bed_must(b, mr_report_create(&report) == 0);
		if (mr_dataplane_create(&plane->dp, b->configs[k], &b->log, report)) {
			mr_report_print(report, stderr);
			bed_fail(b, "no data plane");
		}
		mr_report_destroy(report);
		plane->graph = mr_dataplane_graph(plane->dp);
		plane->buffers = mr_dataplane_buffers(plane->dp);
		router = mr_dataplane_state(plane->dp, &mr_nf_router);
		plane->ip = router->base.ip;
		plane->rib = router->base.rib;
		take_ports(plane);
		bed_must(b, mr_graph_commit(plane->graph, &error) == 0);
	}
	bed_tick(b, 1);
	return b;
}

static void
note_lane(struct bed *b)
{
	struct bed_plane *plane = &b->planes[b->plane_count - 1];
	struct mr_node_stats s;

	for (unsigned n = 0; n < mr_graph_node_count(plane->graph); n++) {
		if (mr_graph_node_stats(plane->graph, (uint16_t)n, &s) ||
		    strcmp(s.class->name, "flow-lane"))
			continue;
		for (unsigned c = 0; c < MR_LANE_COUNTER_COUNT; c++)
			b->lane[c] += s.counters[c];
	}
}

void
bed_apply(struct bed *b, const char *text, const char *lanes)
{
	note_lane(b);
	for (unsigned k = 0; k < b->plane_count; k++) {
		struct mr_config *config = parse(b, text, lanes_of(k, lanes, b->plane_count));
		struct mr_report *report;

		bed_must(b, mr_report_create(&report) == 0);
		if (mr_dataplane_apply(b->planes[k].dp, config, report)) {
			mr_report_print(report, stderr);
			bed_fail(b, "not applied:\n%s", text);
		}
		mr_report_destroy(report);
		mr_config_destroy(b->configs[k]);
		b->configs[k] = config;
		take_ports(&b->planes[k]);
	}
	snprintf(b->text, sizeof(b->text), "%s", text);
	memset(b->left, 0, sizeof(b->left));
}

void
bed_close(struct bed *b)
{
	for (unsigned k = 0; k < b->plane_count; k++) {
		struct bed_plane *plane = &b->planes[k];

		mr_dataplane_destroy(plane->dp);
		mr_config_destroy(b->configs[k]);
		free(plane->sent);
		free(plane->bytes);
	}
	mr_model_destroy(b->model);
	free(b);
}

/* -- packets and time ------------------------------------------------------------------- */

static uint32_t
packet(struct bed_plane *plane, const uint8_t *bytes, unsigned len, unsigned split)
{
	struct mr_buffers *buffers = plane->buffers;
	uint32_t first, rest;
	struct mr_packet *p;

	if (!split || split >= len)
		return mr_packet_from(buffers, 0, bytes, len);
	first = mr_packet_from(buffers, 0, bytes, split);
	rest = mr_packet_from(buffers, 0, bytes + split, len - split);
	bed_must(plane->bed, first != MR_PACKET_NONE && rest != MR_PACKET_NONE);
	p = mr_packet_at(buffers->base, first);
	bed_must(plane->bed, !p->next);
	p->next = rest;
	p->total = len;
	p->segments = (uint16_t)(1 + mr_packet_at(buffers->base, rest)->segments);
	return first;
}

bool
bed_give(struct bed *b, unsigned port, const uint8_t *bytes, unsigned len, unsigned split,
    unsigned flags)
{
	for (unsigned k = 0; k < b->plane_count; k++) {
		struct bed_port *bp = &b->planes[k].ports[port];
		uint32_t made;

		if (bp->wait_count == MR_VECTOR_MAX)
			return false;
		made = packet(&b->planes[k], bytes, len, split);
		bed_must(b, made != MR_PACKET_NONE);
		mr_packet_at(b->planes[k].buffers->base, made)->flags |= (uint16_t)flags;
		bp->waiting[bp->wait_count++] = made;
	}
	b->given++;
	return true;
}

bool
bed_may_give_piece(struct bed *b)
{
	return b->pieces < PIECES && ++b->pieces;
}

static void
run_plane(struct bed_plane *plane)
{
	for (unsigned passes = 0, idle = 0; idle < 2; passes++) {
		idle = mr_graph_pass(plane->graph, 0) ? 0 : idle + 1;
		if (passes == 10000)
			bed_fail(plane->bed, "packets go round and round");
	}
}

void
bed_run(struct bed *b)
{
	for (unsigned k = 0; k < b->plane_count; k++)
		run_plane(&b->planes[k]);
	if (b->plane_count > 1)
		bed_compare_sent(b);
	for (unsigned k = 0; k < b->plane_count; k++)
		b->planes[k].sent_count = b->planes[k].byte_count = 0;
}

void
bed_tick(struct bed *b, uint64_t ms)
{
	bed_time_pass(ms);
	b->pieces_ms += ms;
	if (b->pieces_ms > PIECES_MS)
		b->pieces = b->pieces_ms = 0;
	for (unsigned k = 0; k < b->plane_count; k++) {
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		b->planes[k].graph->workers[0]->next_second = 0;
		mr_dataplane_tick(b->planes[k].dp, (uint32_t)ts.tv_sec);
	}
	bed_run(b);
}

void
bed_link(struct bed *b, unsigned port, bool up)
{
	for (unsigned k = 0; k < b->plane_count; k++)
		atomic_store_explicit(&b->planes[k].ports[port].link, up, memory_order_relaxed);
}

uint64_t
bed_lane_count(struct bed *b, enum mr_lane_counter counter)
{
	struct bed_plane *plane = &b->planes[b->plane_count - 1];
	uint64_t sum = b->lane[counter];
	struct mr_node_stats s;

	for (unsigned n = 0; n < mr_graph_node_count(plane->graph); n++)
		if (!mr_graph_node_stats(plane->graph, (uint16_t)n, &s) &&
		    !strcmp(s.class->name, "flow-lane"))
			sum += s.counters[counter];
	return sum;
}

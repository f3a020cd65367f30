/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Captured packets as a pcapng stream: an interface block for each port, written
 * when its first packet comes, direction for what was received or sent, and for a
 * drop the reason as the packet's comment.
 */

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/see/attach_int.h"
#include "kit/packet/pcapng.h"
#include "nf/interface/interface.h"

#define BATCH 64
#define PENDING_MAX (16u << 20) /* a client that does not read: stop taking packets out */

/* Cycle stamps to time of day, from what both clocks say now. */
uint64_t
see_wall_time(const struct mr_graph *g, uint64_t cycles)
{
	struct timespec ts;
	uint64_t ago;

	clock_gettime(CLOCK_REALTIME, &ts);
	ago = (uint64_t)((double)(mr_cycles() - cycles) * 1e9 / (double)mr_graph_hz(g));
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec - ago;
}

static uint32_t
interface_block(struct attachment *a, struct evbuffer *out, uint16_t port)
{
	const struct mr_interface *i = mr_interface_at(mr_interfaces_of(a->dp), port);
	uint8_t block[MR_PCAPNG_INTERFACE_MAX];

	if (!a->numbers[port]) {
		evbuffer_add(out, block,
		    mr_pcapng_interface(block, sizeof(block), i ? i->name : "gone", a->snap));
		a->numbers[port] = (uint16_t)++a->interfaces;
	}
	return a->numbers[port] - 1u;
}

static void
comment_of(const struct mr_graph *g, const struct mr_capture *c, char *text, size_t size)
{
	const struct mr_node_class *class = mr_graph_node_class(g, c->node);

	if (c->point == MR_PROBE_DROP && class && c->reason < class->drop_count)
		snprintf(text, size, "dropped by %s: %s", mr_graph_node_name(g, c->node),
		    class->drops[c->reason].name);
	else if (c->point == MR_PROBE_NODE)
		snprintf(text, size, "entering %s", mr_graph_node_name(g, c->node));
	else
		*text = 0;
}

static void
packet_block(struct attachment *a, struct evbuffer *out, const struct mr_capture *c)
{
	static const enum mr_pcapng_direction directions[] = {
		[MR_PROBE_RX] = MR_PCAPNG_IN,
		[MR_PROBE_TX] = MR_PCAPNG_OUT,
		[MR_PROBE_NODE] = MR_PCAPNG_UNKNOWN,
	};
	struct mr_graph *g = mr_dataplane_graph(a->dp);
	struct mr_buffers *b = mr_dataplane_buffers(a->dp);
	uint32_t total = mr_packet_at(b->base, c->packet)->total;
	uint32_t kept = a->snap ? MR_MIN(total, a->snap) : total;
	struct evbuffer_iovec room;
	uint8_t bytes[MR_PACKET_TOTAL_MAX];
	char comment[MR_PCAPNG_COMMENT_MAX];
	struct mr_pcapng_packet p = {
		.interface = interface_block(a, out, c->port),
		.time_ns = see_wall_time(g, c->cycles),
		.length = c->length,
		.direction = c->point < MR_ARRAY_COUNT(directions) ? directions[c->point] : 0,
	};

	p.kept = (uint32_t)mr_packet_read(b, c->packet, 0, bytes, kept);
	comment_of(g, c, comment, sizeof(comment));
	p.comment = *comment ? comment : NULL;
	if (evbuffer_reserve_space(out, MR_PCAPNG_PACKET_MAX(p.kept), &room, 1) != 1)
		return;
	room.iov_len = mr_pcapng_packet(room.iov_base, room.iov_len, &p, bytes);
	evbuffer_commit_space(out, &room, 1);
}

/* What the probe's rings could not take, said of the first interface: it is the
 * capture as a whole that lacks them. */
static void
statistics_block(struct attachment *a, struct evbuffer *out)
{
	uint64_t missed = mr_probe_missed(a->probe);
	uint8_t block[MR_PCAPNG_STATISTICS_SIZE];

	if (missed == a->missed || !a->interfaces)
		return;
	a->missed = missed;
	evbuffer_add(out, block,
	    mr_pcapng_statistics(block, sizeof(block), 0,
		see_wall_time(mr_dataplane_graph(a->dp), mr_cycles()), missed));
}

static bool
step(struct mr_http_stream *st)
{
	struct attachment *a = st->arg;
	struct mr_buffers *b = mr_dataplane_buffers(a->dp);
	struct evbuffer *out = evbuffer_new();
	struct mr_capture c[BATCH];
	unsigned n;

	/* What the client has not read yet waits in the connection; past a bound packets
	 * stay in the probe's rings, which count what they miss. */
	if (!out)
		return true;
	while (evbuffer_get_length(out) + mr_http_pending(st) < PENDING_MAX &&
	    (n = mr_probe_read(a->probe, c, BATCH)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			packet_block(a, out, &c[i]);
			mr_packets_free(b, MR_POOL_SHARED, &c[i].packet, 1);
			a->done++;
		}
	}
	statistics_block(a, out);
	if (evbuffer_get_length(out) > 0)
		evhttp_send_reply_chunk(st->req, out);
	evbuffer_free(out);
	/* A packet that was missed counts as one of those asked for: it will not come again. */
	return a->count && a->done + mr_probe_missed(a->probe) >= a->count;
}

static void
end(struct mr_http_stream *st)
{
	attachment_destroy(st->arg);
}

void
see_capture(const struct mr_http_call *call)
{
	struct attachment *a = attachment_create(call, false);
	uint8_t section[MR_PCAPNG_SECTION_SIZE];
	struct evbuffer *out;

	if (!a)
		return;
	if (mr_http_stream(call, "application/x-pcapng", step, end, a)) {
		attachment_destroy(a);
		mr_http_fail(call, 503, "no memory");
		return;
	}
	out = evbuffer_new();
	if (!out)
		return;
	evbuffer_add(out, section, mr_pcapng_section(section, sizeof(section)));
	evhttp_send_reply_chunk(call->req, out);
	evbuffer_free(out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kit/packet/checksum.h"
#include "kit/packet/gso.h"
#include "kit/port/driver_int.h"

/* A chain becomes one buffer, if its bytes fit one. */
static int
linearise(struct mr_buffers *b, unsigned worker, uint32_t handle)
{
	struct mr_packet *p = mr_packet_at(b->base, handle);
	uint32_t rest;
	int rc;

	if (mr_likely(p->next == MR_PACKET_NONE))
		return 0;
	rc = mr_packet_pull(b, worker, handle, p->total);
	if (rc)
		return rc;
	rest = p->next; /* segments without bytes */
	p->next = MR_PACKET_NONE;
	p->segments = 1;
	if (rest != MR_PACKET_NONE)
		mr_packets_free(b, worker, &rest, 1);
	return 0;
}

/* Brings one packet into the form that `caps` asks for. Returns how many it became, or
 * -errno: the packet is still there. */
static int
settle_one(struct mr_port *port, uint32_t caps, unsigned worker, uint32_t handle, uint32_t *out,
    unsigned room)
{
	struct mr_buffers *b = port->buffers;
	struct mr_packet *p = mr_packet_at(b->base, handle);
	int rc;

	if ((p->flags & MR_PACKET_GSO) && !(caps & MR_PORT_TX_GSO))
		return mr_gso_segment_with(b, worker, handle, port->mtu,
		    caps & MR_PORT_TX_CSUM ? MR_GSO_PARTIAL : 0, out, room);
	/* Who takes super-frames takes their unfinished checksums. */
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && !(caps & MR_PORT_TX_CSUM) &&
	    !(p->flags & MR_PACKET_GSO)) {
		rc = mr_checksum_complete(b, handle);
		if (rc)
			return rc;
	}
	*out = handle;
	return 1;
}

static void
fail(struct mr_buffers *b, unsigned worker, uint32_t packet, uint32_t *failures, unsigned *failed)
{
	if (failures)
		failures[*failed] = packet;
	else
		mr_packets_free(b, worker, &packet, 1);
	++*failed;
}

unsigned
port_settle_for(struct mr_port *port, uint32_t caps, unsigned worker, const uint32_t *in,
    unsigned count, unsigned *consumed, uint32_t *out, unsigned room, uint32_t *failures,
    unsigned *failed)
{
	struct mr_buffers *b = port->buffers;
	unsigned n = 0, i, kept;
	int made, j;

	for (i = 0; i < count && n < room; i++) {
		struct mr_packet *p = mr_packet_at(b->base, in[i]);

		if (mr_likely(!(p->flags & MR_PACKET_TX_WORK) && p->next == MR_PACKET_NONE)) {
			out[n++] = in[i];
			continue;
		}
		made = settle_one(port, caps, worker, in[i], out + n, room - n);
		if (made == -ENOSPC && n)
			break; /* it comes first in the next round */
		if (made < 0) {
			fail(b, worker, in[i], failures, failed);
			continue;
		}
		kept = n;
		for (j = 0; j < made; j++) {
			uint32_t piece = out[n + (unsigned)j];

			if (!(caps & MR_PORT_TX_CHAIN) && linearise(b, worker, piece)) {
				fail(b, worker, piece, failures, failed);
			} else {
				out[kept++] = piece;
			}
		}
		n = kept;
	}
	*consumed = i;
	return n;
}

unsigned
mr_port_settle(struct mr_port *port, unsigned worker, const uint32_t *in, unsigned count,
    unsigned *consumed, uint32_t *out, unsigned room, uint32_t *failures, unsigned *failed)
{
	return port_settle_for(port, port->caps, worker, in, count, consumed, out, room, failures,
	    failed);
}

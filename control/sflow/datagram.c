/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sflow/datagram.h"

#include <string.h>

#include "kit/packet/wire.h"

/* Sample and record formats of enterprise 0. */
enum { FLOW_SAMPLE = 1, COUNTERS_SAMPLE = 2 };
enum { RAW_HEADER = 1, EXTENDED_SWITCH = 1001, EXTENDED_ROUTER = 1002 };
enum { GENERIC_COUNTERS = 1, ETHERNET_COUNTERS = 2 };
#define ETHERNET_FIELDS 13u
#define HEADER_ETHERNET 1u
#define CHECK_SEQUENCE 4u /* bytes that frames had on the wire and lost before they came to us */
#define ADDRESS_4 1u
#define ADDRESS_6 2u
#define TYPE_ETHERNET 6u /* ethernetCsmacd */
#define FULL_DUPLEX 1u

static void
put(struct datagram *d, uint32_t v)
{
	mr_store_be32(d->bytes + d->size, v);
	d->size += 4;
}

static void
put64(struct datagram *d, uint64_t v)
{
	put(d, (uint32_t)(v >> 32));
	put(d, (uint32_t)v);
}

static void
put_bytes(struct datagram *d, const void *bytes, uint32_t size)
{
	memcpy(d->bytes + d->size, bytes, size);
	memset(d->bytes + d->size + size, 0, -size & 3);
	d->size += MR_ALIGN_UP(size, 4u);
}

static uint32_t
header_size(const struct datagram *d)
{
	return 4 + 4 + d->agent_size + 4 * 4;
}

void
datagram_begin(struct datagram *d)
{
	d->size = header_size(d);
	d->samples = 0;
}

void
datagram_finish(struct datagram *d, uint32_t sequence, uint32_t uptime)
{
	uint32_t size = d->size;

	d->size = 0;
	put(d, 5);
	put(d, d->agent_size == 16 ? ADDRESS_6 : ADDRESS_4);
	put_bytes(d, d->agent, d->agent_size);
	put(d, d->sub_agent);
	put(d, sequence);
	put(d, uptime);
	put(d, d->samples);
	d->size = size;
}

static void
put_switch(struct datagram *d, const struct datagram_flow *f)
{
	put(d, EXTENDED_SWITCH);
	put(d, 16);
	put(d, f->vlan);
	put(d, f->priority);
	/* Where it comes in, it is not known yet under which it leaves. */
	put(d, f->vlan);
	put(d, f->priority);
}

static void
put_router(struct datagram *d, const struct datagram_flow *f)
{
	put(d, EXTENDED_ROUTER);
	put(d, 12 + f->hop_size);
	put(d, f->hop_size == 16 ? ADDRESS_6 : ADDRESS_4);
	put_bytes(d, f->hop, f->hop_size);
	put(d, f->src_mask);
	put(d, f->dst_mask);
}

bool
datagram_put_flow(struct datagram *d, const struct datagram_flow *f)
{
	uint32_t raw = 16 + MR_ALIGN_UP(f->snapped, 4u);
	uint32_t size = 32 + 8 + raw + (f->tagged ? 24 : 0) + (f->routed ? 20 + f->hop_size : 0);

	if (d->size + 8 + size > d->limit)
		return false;
	put(d, FLOW_SAMPLE);
	put(d, size);
	put(d, f->sequence);
	put(d, f->index); /* source: type 0, an interface */
	put(d, f->rate);
	put(d, f->pool);
	put(d, f->drops);
	put(d, f->index);
	put(d, f->out);
	put(d, 1u + f->tagged + f->routed);
	put(d, RAW_HEADER);
	put(d, raw);
	put(d, HEADER_ETHERNET);
	put(d, f->length + CHECK_SEQUENCE);
	put(d, CHECK_SEQUENCE);
	put(d, f->snapped);
	put_bytes(d, f->bytes, f->snapped);
	if (f->tagged)
		put_switch(d, f);
	if (f->routed)
		put_router(d, f);
	d->samples++;
	return true;
}

bool
datagram_put_counters(struct datagram *d, const struct datagram_counters *c)
{
	const uint32_t generic = 88, ethernet = 4 * ETHERNET_FIELDS;
	uint32_t size = 12 + 8 + generic + 8 + ethernet;

	if (d->size + 8 + size > d->limit)
		return false;
	put(d, COUNTERS_SAMPLE);
	put(d, size);
	put(d, c->sequence);
	put(d, c->index);
	put(d, 2);
	put(d, GENERIC_COUNTERS);
	put(d, generic);
	put(d, c->index);
	put(d, TYPE_ETHERNET);
	put64(d, c->speed);
	put(d, FULL_DUPLEX);
	put(d, (uint32_t)c->enabled | (uint32_t)c->up << 1);
	put64(d, c->rx_octets);
	put(d, c->rx_packets);
	put(d, DATAGRAM_UNKNOWN); /* of these, multicast and broadcast */
	put(d, DATAGRAM_UNKNOWN);
	put(d, c->rx_discards);
	put(d, c->rx_errors);
	put(d, DATAGRAM_UNKNOWN); /* unknown protocols */
	put64(d, c->tx_octets);
	put(d, c->tx_packets);
	put(d, DATAGRAM_UNKNOWN);
	put(d, DATAGRAM_UNKNOWN);
	put(d, c->tx_discards);
	put(d, c->tx_errors);
	put(d, c->promiscuous ? 1 : 2);
	put(d, ETHERNET_COUNTERS);
	put(d, ethernet);
	for (unsigned i = 0; i < ETHERNET_FIELDS; i++)
		put(d, DATAGRAM_UNKNOWN); /* drivers do not tell */
	d->samples++;
	return true;
}

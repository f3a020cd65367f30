/* SPDX-License-Identifier: Apache-2.0 */
/* The part's state, and how its nodes change packets. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "kit/base/cpu.h"
#include "nf/icmp/icmp_int.h"

#define DESTINATIONS 65536u /* words of 8 bytes */
#define DAY 86400000u       /* milliseconds */

const struct icmp_settings icmp_defaults = {
	.flags = ICMP_ECHO,
	.error_rate = 1000,
	.error_burst = 200,
	.destination_rate = 20,
	.destination_burst = 20,
	.redirect_rate = 100,
	.redirect_interval = 5,
	.echo_rate = 10000,
	.echo_burst = 1000,
	.reassembly = { .datagrams = 512, .buffers = 4096, .fragments = 64, .per_source = 512 },
};

int
icmp_create(struct icmp_state **out, struct mr_ip *ip, struct mr_buffers *buffers, uint32_t workers,
    struct mr_error *error)
{
	struct icmp_state *icmp = calloc(1, sizeof(*icmp));
	int rc = -ENOMEM;

	*out = NULL;
	if (!icmp)
		return mr_error_set(error, -ENOMEM, "no memory");
	icmp->ip = ip;
	icmp->hz = mr_cpu_tsc_hz();
	icmp->vrfs = calloc(MR_IP_VRFS_MAX, sizeof(*icmp->vrfs));
	icmp->link_local = calloc(MR_IP_INTERFACES_MAX, sizeof(*icmp->link_local));
	if (!icmp->vrfs || !icmp->link_local) {
		mr_error_set(error, rc, "no memory");
		goto fail;
	}
	rc = mr_meter_table_create(&icmp->destinations, DESTINATIONS, error);
	if (!rc)
		rc = mr_meter_table_create(&icmp->redirected, DESTINATIONS, error);
	if (!rc)
		rc = mr_counters_create(&icmp->counters, workers, MR_IP_VRFS_MAX * ICMP_COUNT_COUNT,
		    error);
	if (!rc)
		rc = mr_reassembly_create(&icmp->reassembly, ip, buffers, error);
	if (rc)
		goto fail;
	for (unsigned vrf = 0; vrf < MR_IP_VRFS_MAX; vrf++)
		icmp_set(icmp, (uint16_t)vrf, &icmp_defaults);
	icmp_set_clock(icmp);
	*out = icmp;
	return 0;
fail:
	icmp_destroy(icmp);
	return rc;
}

void
icmp_destroy(struct icmp_state *icmp)
{
	if (!icmp)
		return;
	mr_reassembly_destroy(icmp->reassembly);
	mr_counters_destroy(icmp->counters);
	mr_meter_table_destroy(icmp->destinations);
	mr_meter_table_destroy(icmp->redirected);
	free(icmp->link_local);
	free(icmp->vrfs);
	free(icmp);
}

void
icmp_set(struct icmp_state *icmp, uint16_t vrf, const struct icmp_settings *s)
{
	struct icmp_vrf *v = &icmp->vrfs[vrf];

	atomic_store_explicit(&v->flags, s->flags, memory_order_relaxed);
	mr_meter_set(&v->errors, icmp->hz, s->error_rate, s->error_burst);
	mr_meter_set(&v->echo, icmp->hz, s->echo_rate, s->echo_burst);
	mr_meter_set(&v->redirects, icmp->hz, s->redirect_rate, s->redirect_rate);
	mr_meter_rate_set(&v->destination, icmp->hz, s->destination_rate, s->destination_burst);
	/* One redirect at once, the next one an interval later. */
	mr_meter_rate_set(&v->redirect_host, icmp->hz * s->redirect_interval, 1, 1);
	mr_reassembly_limit(icmp->reassembly, vrf, &s->reassembly);
}

void
icmp_set_clock(struct icmp_state *icmp)
{
	uint64_t wall, cycles = mr_cycles() / (icmp->hz / 1000);
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	wall = (uint64_t)ts.tv_sec % (DAY / 1000) * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	atomic_store_explicit(&icmp->day, (uint32_t)((wall + DAY - cycles % DAY) % DAY),
	    memory_order_relaxed);
}

_Atomic uint64_t *
icmp_word(struct mr_meter_table *t, uint16_t vrf, enum mr_ip_family family, const uint8_t *address)
{
	uint64_t words[3] = { 0, 0, (uint64_t)vrf << 8 | family };

	memcpy(words, address, family == MR_IP4 ? 4 : 16);
	return &t->words[mr_hash_words(&t->key, words, 3) & t->mask];
}

/* -- addresses ------------------------------------------------------------------------ */

bool
icmp_is_host4(be32_t address)
{
	uint32_t a = mr_be32(address);

	/* This network, loopback; multicast, reserved and the limited broadcast. */
	return a >> 24 != 0 && a >> 24 != 127 && a < 224u << 24;
}

bool
icmp_is_host6(const uint8_t *a)
{
	static const uint8_t zero[15];

	return a[0] != 0xff && !(memcmp(a, zero, 15) == 0 && a[15] <= 1);
}

void
icmp_own_address6(const struct icmp_work *w, uint32_t interface, bool link_local,
    uint8_t address[16])
{
	static const uint8_t none[16];
	const struct mr_ip_interface *i = &w->icmp->ip->interfaces[interface];
	uint64_t half = atomic_load_explicit(&w->icmp->link_local[interface], memory_order_relaxed);

	mr_ip_address6(i, address);
	if (half && (link_local || !memcmp(address, none, 16))) {
		memset(address, 0, 8);
		address[0] = 0xfe;
		address[1] = 0x80;
		memcpy(address + 8, &half, 8);
	}
}

/* -- edits ---------------------------------------------------------------------------- */

void
icmp_write(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, const void *bytes,
    unsigned len)
{
	const uint8_t *from = bytes;

	for (unsigned at = 0; at < len; at += 16)
		mr_edit_set(rec, p, offset + at, from + at, MR_MIN(16u, len - at));
}

bool
icmp_pull(const struct icmp_work *w, uint32_t packet, unsigned len)
{
	const struct mr_packet *p = mr_packet_at(w->run->base, packet);

	return mr_likely(len <= p->len) ||
	    mr_packet_pull(w->run->buffers, w->run->worker, packet, len) == 0;
}

static void
recorded_length(const struct icmp_work *w, const struct mr_packet *p)
{
	if (mr_unlikely(mr_recorded(w->rec, p)))
		mr_record_op(w->rec, p, MR_OP_TRIM)->arg = p->total;
}

void
icmp_trim(const struct icmp_work *w, uint32_t packet, unsigned len)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);

	if (len >= p->total)
		return;
	mr_packet_trim(w->run->buffers, w->run->worker, packet, len);
	recorded_length(w, p);
}

static void
record_pops(const struct icmp_work *w, const struct mr_packet *p, unsigned at, unsigned len)
{
	for (unsigned part; len; len -= part) {
		struct mr_op *op = mr_record_op(w->rec, p, MR_OP_POP);

		part = MR_MIN(len, 255u);
		op->offset = (uint16_t)at;
		op->len = (uint8_t)part;
	}
}

void
icmp_pop(const struct icmp_work *w, uint32_t packet, unsigned at, unsigned len)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet), *seg;
	unsigned first = MR_MIN(len, p->len - at), left = len - first;

	if (first < p->len - at) {
		/* The bytes in front move up. */
		memmove(mr_packet_bytes(p) + first, mr_packet_bytes(p), at);
		p->data = (uint16_t)(p->data + first);
	}
	p->len = (uint16_t)(p->len - first);
	while (left && p->next != MR_PACKET_NONE) {
		uint32_t next = p->next;

		seg = mr_packet_at(w->run->base, next);
		if (seg->len > left) {
			seg->data = (uint16_t)(seg->data + left);
			seg->len = (uint16_t)(seg->len - left);
			left = 0;
			break;
		}
		left -= seg->len;
		p->next = seg->next;
		p->segments--;
		mr_buffers_put(w->run->buffers, w->run->worker, &next, 1);
	}
	p->total -= len - left;
	if (mr_unlikely(mr_recorded(w->rec, p)))
		record_pops(w, p, at, len);
}

bool
icmp_settle(const struct icmp_work *w, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(w->run->base, packet);
	unsigned field = p->csum_start + p->csum_offset;
	bool open = p->flags & MR_PACKET_CSUM_PARTIAL;
	be16_t check;

	if (mr_checksum_complete(w->run->buffers, packet))
		return false;
	/* Written again for the recording's sake. */
	if (open && mr_recorded(w->rec, p) && field + 2 <= p->len) {
		memcpy(&check, mr_packet_bytes(p) + field, 2);
		mr_edit_set16(w->rec, p, field, check);
	}
	return true;
}

void
icmp_forget(struct mr_packet *p)
{
	p->flags = (uint16_t)(p->flags &
	    ~(MR_PACKET_CSUM_PARTIAL | MR_PACKET_CSUM_GOOD | MR_PACKET_HASHED | MR_PACKET_GSO));
	p->csum_start = 0;
	p->csum_offset = 0;
	p->gso_size = 0;
	p->hash = 0;
}

void
icmp_made(struct mr_packet *p)
{
	icmp_forget(p);
	p->track = 0;
	p->flags &= (uint16_t)~MR_PACKET_MARKED;
}

bool
icmp_reflect(const struct icmp_work *w, struct mr_packet *p, const struct mr_ip_interface *i)
{
	uint8_t eth[12];

	if (mr_ip_meta(p)->l3 < sizeof(struct mr_eth) || mr_ip_port(i) == MR_IP_NO_PORT)
		return false;
	memcpy(eth, mr_packet_bytes(p) + 6, 6);
	mr_ip_mac_copy(i, eth + 6);
	mr_edit_set(w->rec, p, 0, eth, 12);
	return true;
}

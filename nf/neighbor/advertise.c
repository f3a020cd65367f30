/* SPDX-License-Identifier: Apache-2.0 */
/* Router advertisements: RFC 4861, 6.2; RFC 4191; RFC 8106. */
#include <string.h>

#include "nf/neighbor/neighbor_int.h"

#define INITIAL 3u           /* MAX_INITIAL_RTR_ADVERTISEMENTS */
#define INITIAL_EVERY 16000u /* MAX_INITIAL_RTR_ADVERT_INTERVAL */
#define LEAST_BETWEEN 3000u  /* MIN_DELAY_BETWEEN_RAS */
#define ANSWER_WITHIN 500u   /* MAX_RA_DELAY_TIME */
#define NO_SOURCE_YET 200u

enum ra_option {
	RA_SOURCE_MAC = 1,
	RA_PREFIX = 3,
	RA_MTU = 5,
	RA_DNS = 25,
	RA_SEARCH = 31,
};

struct writer {
	uint8_t *at, *end;
};

/* Room for an option of `size` bytes, zeroed, or null. */
static uint8_t *
option(struct writer *w, enum ra_option type, unsigned size)
{
	uint8_t *o = w->at;

	if ((size_t)(w->end - w->at) < size)
		return NULL;
	memset(o, 0, size);
	o[0] = type;
	o[1] = (uint8_t)(size / 8);
	w->at += size;
	return o;
}

static void
prefix_of(uint8_t prefix[16], const struct mr_ip_address *a)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = a->len > 8 * i ? MR_MIN(a->len - 8 * i, 8u) : 0;

		prefix[i] = a->bytes[i] & (uint8_t)(0xff00u >> bits);
	}
}

static bool
already(const struct mr_ip_interface_info *info, uint32_t before, const struct mr_ip_address *a,
    const uint8_t prefix[16])
{
	uint8_t other[16];

	for (uint32_t k = 0; k < before; k++) {
		if (info->addresses[k].family != MR_IP6 || info->addresses[k].len != a->len)
			continue;
		prefix_of(other, &info->addresses[k]);
		if (!memcmp(other, prefix, 16))
			return true;
	}
	return false;
}

/* RFC 4861, 4.6.2. */
static void
write_prefixes(struct writer *w, const struct mr_ip_interface_info *info,
    const struct neighbor_ra_settings *s)
{
	for (uint32_t k = 0; k < info->address_count; k++) {
		const struct mr_ip_address *a = &info->addresses[k];
		uint8_t prefix[16], *o;

		if (a->family != MR_IP6 || a->link_local || a->duplicate || a->len == 128)
			continue;
		prefix_of(prefix, a);
		if (already(info, k, a, prefix))
			continue;
		o = option(w, RA_PREFIX, 32);
		if (!o)
			return;
		o[2] = a->len;
		/* Hosts form addresses in a /64 alone (RFC 4862, 5.5.3 d). */
		o[3] = (uint8_t)((s->on_link ? 0x80u : 0u) |
		    (s->autonomous && a->len == 64 ? 0x40u : 0u));
		mr_store_be32(o + 4, s->valid);
		mr_store_be32(o + 8, MR_MIN(s->preferred, s->valid));
		memcpy(o + 16, prefix, 16);
	}
}

/* "example.com" as labels; returns bytes, 0 when it is none. */
static unsigned
labels(uint8_t *out, const char *name)
{
	unsigned at = 0;

	while (*name) {
		size_t len = strcspn(name, ".");

		if (!len || len > 63)
			return 0;
		out[at++] = (uint8_t)len;
		memcpy(out + at, name, len);
		at += (unsigned)len;
		name += len + (name[len] == '.');
	}
	out[at++] = 0;
	return at;
}

/* RFC 8106, 5. */
static void
write_dns(struct writer *w, const struct neighbor_ra_settings *s)
{
	uint8_t names[NEIGHBOR_DNS_MAX * 256], *o;
	unsigned size = 0;

	if (s->dns_count && (o = option(w, RA_DNS, 8 + 16 * s->dns_count))) {
		mr_store_be32(o + 4, s->dns_lifetime);
		memcpy(o + 8, s->dns, 16 * s->dns_count);
	}
	for (unsigned k = 0; k < s->search_count; k++)
		size += labels(names + size, s->search[k]);
	if (size && (o = option(w, RA_SEARCH, 8 + MR_ALIGN_UP(size, 8u)))) {
		mr_store_be32(o + 4, s->dns_lifetime);
		memcpy(o + 8, names, size);
	}
}

static const struct mr_ip_address *
link_local(const struct neighbors *n, uint16_t interface)
{
	const struct mr_ip_interface_info *info = &n->ip->info[interface];

	for (uint32_t k = 0; k < info->address_count; k++)
		if (info->addresses[k].family == MR_IP6 && info->addresses[k].link_local &&
		    !info->addresses[k].tentative && !info->addresses[k].duplicate)
			return &info->addresses[k];
	return NULL;
}

/* 0 when there is no address to send it from. */
unsigned
neighbor_ra_write(const struct neighbors *n, uint16_t interface, bool last,
    uint8_t frame[NEIGHBOR_RA_MAX])
{
	const struct mr_ip_interface *i = &n->ip->interfaces[interface];
	const struct neighbor_ra_settings *s = &n->interfaces[interface].own.ra;
	const struct mr_ip_address *source = link_local(n, interface);
	uint8_t dst[6], *icmp, *o;
	struct writer w;
	unsigned l3;

	if (!source)
		return 0;
	neighbor_group_mac(dst, neighbor_all_nodes);
	l3 = neighbor_write_ethernet(frame, i, dst, MR_ETH_TYPE_IP6);
	icmp = frame + l3 + sizeof(struct mr_ip6);
	memset(icmp, 0, 16);
	icmp[0] = MR_ICMP6_ROUTER_ADVERT;
	icmp[4] = s->hop_limit;
	icmp[5] = (uint8_t)((s->managed ? 0x80u : 0u) | (s->other ? 0x40u : 0u) |
	    (last || !s->lifetime ? 0u : (unsigned)s->preference << 3));
	mr_store_be16(icmp + 6, last ? 0 : s->lifetime);
	mr_store_be32(icmp + 8, s->reachable);
	mr_store_be32(icmp + 12, s->retransmit);
	w = (struct writer){ icmp + 16, frame + NEIGHBOR_RA_MAX };
	if ((o = option(&w, RA_SOURCE_MAC, 8)))
		mr_ip_mac_copy(i, o + 2);
	if (s->mtu && (o = option(&w, RA_MTU, 8)))
		mr_store_be32(o + 4, s->mtu);
	if (s->prefixes)
		write_prefixes(&w, &n->ip->info[interface], s);
	write_dns(&w, s);
	neighbor_write_ip6(frame, l3, source->bytes, neighbor_all_nodes, (unsigned)(w.at - icmp));
	return (unsigned)(w.at - frame);
}

static bool
send_ra(struct neighbors *n, uint16_t interface, bool last)
{
	uint8_t frame[NEIGHBOR_RA_MAX];
	unsigned len = neighbor_ra_write(n, interface, last, frame);

	if (!len)
		return false;
	neighbors_send_frame(n, interface, frame, len);
	neighbor_count(n, interface, NEIGHBOR_ADVERTISED_N, 1);
	return true;
}

static uint64_t
next_time(struct neighbors *n, struct neighbor_interface *i)
{
	const struct neighbor_ra_settings *s = &i->own.ra;
	uint64_t least = s->min_interval * 1000ull, most = s->max_interval * 1000ull;
	uint64_t wait = least + (most > least ? neighbors_random(n) % (most - least + 1) : 0);

	if (i->ra.initial) {
		i->ra.initial--;
		wait = MR_MIN(wait, (uint64_t)INITIAL_EVERY);
	}
	return n->now + MR_MAX(wait, (uint64_t)LEAST_BETWEEN);
}

void
neighbor_ra_due(struct neighbors *n, uint16_t interface)
{
	struct neighbor_interface *i = &n->interfaces[interface];

	if (!i->ra.running) {
		i->ra.due = 0;
		return;
	}
	if (!send_ra(n, interface, false)) {
		i->ra.due = n->now + NO_SOURCE_YET;
		return;
	}
	i->ra.sent = n->now;
	i->ra.due = next_time(n, i);
}

/* RFC 4861, 6.2.6: with a random delay, and never too soon after the last one. */
void
neighbor_ra_asked(struct neighbors *n, uint16_t interface)
{
	struct neighbor_interface *i = &n->interfaces[interface];
	uint64_t when = n->now + neighbors_random(n) % (ANSWER_WITHIN + 1);

	if (!i->ra.running)
		return;
	if (i->ra.sent)
		when = MR_MAX(when, i->ra.sent + LEAST_BETWEEN);
	if (when >= i->ra.due)
		return;
	i->ra.due = when;
	neighbors_interface_arm(n, interface);
}

void
neighbor_ra_stop(struct neighbors *n, uint16_t interface)
{
	struct neighbor_interface *i = &n->interfaces[interface];

	if (!i->ra.running)
		return;
	if (i->ra.sent)
		send_ra(n, interface, true);
	memset(&i->ra, 0, sizeof(i->ra));
}

void
neighbor_ra_changed(struct neighbors *n, uint16_t interface)
{
	struct neighbor_interface *i = &n->interfaces[interface];

	if (!i->up) {
		memset(&i->ra, 0, sizeof(i->ra)); /* nothing can be sent any more */
	} else if (!i->own.ra.on) {
		neighbor_ra_stop(n, interface);
	} else if (!i->ra.running) {
		i->ra = (struct neighbor_ra){ .due = n->now, .initial = INITIAL, .running = true };
	}
}

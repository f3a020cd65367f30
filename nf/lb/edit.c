/* SPDX-License-Identifier: Apache-2.0 */
/* Other ends for packets, and for those that ICMP errors quote. */
#include <string.h>

#include "nf/lb/node_int.h"

void
lb_edit_end(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, bool to,
    const uint8_t *address, uint16_t port)
{
	struct mr_l4_sum none = { 0 }, l4 = k->what == LB_PIECE ? none : lb_l4_sum(k);
	be32_t four;

	if (k->six) {
		mr_edit_address6(s->rec, p, k->l3, to ? 24 : 8, address, l4);
	} else {
		memcpy(&four, address, 4);
		mr_edit_address4(s->rec, p, k->l3, to ? 16 : 12, four, l4);
	}
	if (k->what != LB_PIECE && port != (to ? k->dport : k->sport))
		mr_edit_port(s->rec, p, k->l4 + (to ? 2u : 0u), mr_be16(port), l4);
}

static struct mr_l4_sum
icmp_sum(const struct lb_packet *k)
{
	return (struct mr_l4_sum){ (uint16_t)(k->l4 + 2), MR_SUM_PLAIN };
}

/* Writes bytes that the error's checksum covers; packets of this kind are not replayed, so the old
 * ones need no guard. */
static void
quoted_set(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, unsigned at,
    const void *bytes, unsigned len)
{
	const uint8_t *to = bytes;
	uint64_t delta = 0;

	for (unsigned i = 0; i < len; i += 2) {
		be16_t was, now;

		memcpy(&was, mr_packet_bytes_const(p) + at + i, 2);
		memcpy(&now, to + i, 2);
		delta += mr_checksum_delta16(was, now);
	}
	mr_edit_set(s->rec, p, at, bytes, len);
	mr_edit_sum_l4(s->rec, p, icmp_sum(k), delta, false);
}

/* The checksum in the quote at `at` takes in what changed, where it is there. */
static void
quoted_sum(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, unsigned at,
    uint64_t delta, bool udp)
{
	be16_t check;

	if (at + 2 > p->len || at + 2 > k->l3 + k->ip_len)
		return;
	memcpy(&check, mr_packet_bytes_const(p) + at, 2);
	check = udp ? mr_checksum_apply_udp(check, delta) : mr_checksum_apply(check, delta);
	quoted_set(s, p, k, at, &check, 2);
}

void
lb_edit_quoted(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, bool to,
    const uint8_t *address, uint16_t port)
{
	unsigned size = k->six ? 16 : 4,
		 at = k->quote_l3 + (k->six ? (to ? 24u : 8u) : (to ? 16u : 12u));
	unsigned port_at = k->quote_l4 + (to ? 2u : 0u);
	bool udp = k->proto == MR_IP_PROTO_UDP;
	be16_t now = mr_be16(port), was;
	uint64_t delta = 0;

	for (unsigned i = 0; i < size; i += 2) {
		be16_t a, b;

		memcpy(&a, mr_packet_bytes_const(p) + at + i, 2);
		memcpy(&b, address + i, 2);
		delta += mr_checksum_delta16(a, b);
	}
	quoted_set(s, p, k, at, address, size);
	if (!k->six)
		quoted_sum(s, p, k, k->quote_l3 + 10u, delta, false);
	memcpy(&was, mr_packet_bytes_const(p) + port_at, 2);
	quoted_set(s, p, k, port_at, &now, 2);
	quoted_sum(s, p, k, k->quote_l4 + (udp ? 6u : 16u), delta + mr_checksum_delta16(was, now),
	    udp);
}

void
lb_edit_outer(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, bool to,
    const uint8_t *address)
{
	struct mr_l4_sum none = { 0 };
	be32_t four;

	/* ICMP's checksum covers no addresses, that of ICMPv6 does. */
	if (k->six) {
		mr_edit_address6(s->rec, p, k->l3, to ? 24 : 8, address, icmp_sum(k));
		return;
	}
	memcpy(&four, address, 4);
	mr_edit_address4(s->rec, p, k->l3, to ? 16 : 12, four, none);
}

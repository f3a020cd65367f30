/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams in pieces: the first one tells the ports of those that follow it. Those that come
 * before it have to be put in order by connection tracking, in front of us. */
#include <string.h>

#include "nf/lb/node_int.h"

#define WAYS 4u

static uint64_t
key_of(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3;
	/* IPv6's fragments are of one packet whatever follows (RFC 8200, 4.5). */
	uint64_t words[5] = { 0, 0, 0, 0,
		k->frag_id | (uint64_t)k->vrf << 32 | (uint64_t)k->six << 48 |
		    (uint64_t)(k->six ? 0 : k->proto) << 56 },
		 key;

	memcpy(&words[0], ip + (k->six ? 8 : 12), k->six ? 16 : 4);
	memcpy(&words[2], ip + (k->six ? 24 : 16), k->six ? 16 : 4);
	key = mr_hash_words(&s->core->table->key, words, 5);
	return key ? key : 1;
}

void
lb_piece_note(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k)
{
	uint64_t key = key_of(s, p, k);
	struct lb_piece *set, *to;

	if (s->dry || s->run->worker >= s->core->workers)
		return;
	set = &s->core->pieces[s->run->worker][key % (LB_PIECES / WAYS) * WAYS];
	to = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			to = &set[i];
			break;
		}
		if ((int32_t)(set[i].until - to->until) < 0)
			to = &set[i];
	}
	*to = (struct lb_piece){ .key = key,
		.until = s->run->seconds + LB_PIECE_SECONDS,
		.sport = k->sport,
		.dport = k->dport,
		.proto = k->proto };
}

bool
lb_piece_ports(const struct lb_pass *s, const struct mr_packet *p, struct lb_packet *k)
{
	uint64_t key = key_of(s, p, k);
	const struct lb_piece *set;

	if (s->dry || s->run->worker >= s->core->workers)
		return false;
	set = &s->core->pieces[s->run->worker][key % (LB_PIECES / WAYS) * WAYS];
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key != key || (int32_t)(s->run->seconds - set[i].until) > 0)
			continue;
		k->sport = set[i].sport;
		k->dport = set[i].dport;
		k->proto = set[i].proto;
		return true;
	}
	return false;
}

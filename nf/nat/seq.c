/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/seq_int.h"

#include <string.h>

#include "kit/packet/wire.h"
#include "kit/record/edit.h"

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_SACK 5

void
nat_seq_grow(struct nat_seq_way *w, uint32_t seq, int32_t growth)
{
	if (w->before != w->after && (int32_t)(seq - w->place) <= 0)
		return;
	w->place = seq;
	w->before = w->after;
	w->after += growth;
}

static uint64_t
add_to(uint8_t *at, int32_t offset, bool odd)
{
	uint32_t was = mr_load_be32(at), is = was + (uint32_t)offset;
	be32_t from = mr_be32(was), to = mr_be32(is);

	memcpy(at, &to, 4);
	/* At an odd place the bytes of each word are exchanged. */
	if (odd) {
		from = from >> 8 | from << 24;
		to = to >> 8 | to << 24;
	}
	return mr_checksum_delta32(from, to);
}

static uint64_t
write_sack(const struct nat_seq_way *back, uint8_t *l4, unsigned size)
{
	uint64_t delta = 0;

	for (unsigned at = 20; at + 2 <= size;) {
		unsigned len = l4[at + 1];

		if (l4[at] == OPTION_END)
			break;
		if (l4[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (len < 2 || at + len > size)
			break;
		for (unsigned i = at + 2; l4[at] == OPTION_SACK && i + 4 <= at + len; i += 4)
			delta +=
			    add_to(l4 + i, -nat_seq_offset_back(back, mr_load_be32(l4 + i)), i & 1);
		at += len;
	}
	return delta;
}

void
nat_seq_write(const struct nat_seq *s, unsigned way, struct mr_packet *p, unsigned l4at,
    unsigned payload)
{
	uint8_t *l4 = mr_packet_bytes(p) + l4at;
	const struct nat_seq_way *own = &s->way[way], *back = &s->way[!way];
	uint64_t delta = add_to(l4 + 4, nat_seq_offset(own, mr_load_be32(l4 + 4)), false);

	if (l4[13] & MR_TCP_ACK)
		delta += add_to(l4 + 8, -nat_seq_offset_back(back, mr_load_be32(l4 + 8)), false);
	delta += write_sack(back, l4, payload - l4at);
	if (!(p->flags & MR_PACKET_CSUM_PARTIAL))
		mr_edit_sum(NULL, p, l4at + 16, delta, MR_SUM_PLAIN);
}

/* SPDX-License-Identifier: Apache-2.0 */

/* What the node does with packets of the flow lane: their session is still the same, and open. */
#include "kit/packet/wire.h"
#include "nf/nat64/nat64_int.h"

static uint8_t
one(const struct n64_table *t, const uint8_t *bytes, uint32_t arg, const struct mr_replayed *r,
    uint32_t now)
{
	struct n64_line *l = &t->sessions.lines[arg & MR_SLOTS_NUMBER];
	uint64_t word = atomic_load_explicit(&l->word, memory_order_acquire);
	unsigned state = N64_STATE(word);
	be16_t check;

	if (!(word & N64_LIVE) ||
	    ((word >> N64_AGE_SHIFT ^ arg >> N64_ARG_AGE_SHIFT) & N64_ARG_AGE) ||
	    (state != N64_STATE_OPEN && state != N64_STATE_UDP && state != N64_STATE_ICMP) ||
	    n64_is_over(t, l, word, now))
		return MR_REPLAY_STALE;
	if (arg & N64_ARG_SUMMED) {
		memcpy(&check, bytes + r->l4 + offsetof(struct mr_udp, check), sizeof(check));
		if (!check)
			return MR_REPLAY_SKIP;
	}
	n64_touch(l, now);
	return 0;
}

void
n64_replay(struct mr_node_run *run, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	const struct n64_self *self = run->self;
	const struct n64_table *t = self->core->table;

	for (unsigned i = 0; i < count; i++)
		mr_prefetch(&t->sessions.lines[args[i] & MR_SLOTS_NUMBER]);
	for (unsigned i = 0; i < count; i++)
		skip[i] = one(t, mr_packet_bytes_const(mr_packet_at(run->base, packets[i])),
		    args[i], &replayed[i], run->seconds);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_TCP_INL_H
#define MR_NF_CONNTRACK_TCP_INL_H

/*
 * The window: whether a segment of an open connection lies in it, and what it moves. Used by
 * tcp.c for packets of the graph, and by replay.c for those of the flow lane. See tcp_int.h.
 */

#include "nf/conntrack/tcp_int.h"

#define CT_ACK_REACH 66000u /* an ACK may be so old, or as old as a window */
#define CT_RETRANS_MAX 3u

mr_inline bool
ct_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

mr_inline uint16_t
ct_digest(const struct ct_segment *s, unsigned dir)
{
	uint64_t x = (uint64_t)s->seq << 32 | s->ack;

	x = (x ^ ((uint64_t)s->win << 16 | s->end << 1 | dir)) * 0x9e3779b97f4a7c15u;
	return (uint16_t)(x >> 48);
}

enum ct_window {
	CT_WINDOW_IN,
	CT_WINDOW_OLD,  /* below: seen before, or late */
	CT_WINDOW_OVER, /* past what may be sent, or acknowledges what was not */
	CT_WINDOW_MORE, /* past it by less than a window, with a good acknowledgement */
};

mr_inline enum ct_window
ct_window_check(const struct ct_half *from, const struct ct_half *to, uint32_t seq, uint32_t ack,
    uint32_t end)
{
	uint32_t reach = from->maxwin > CT_ACK_REACH ? from->maxwin : CT_ACK_REACH;
	bool above_low = !to->maxwin || !ct_before(end, from->end - to->maxwin);

	if (mr_unlikely(ct_before(from->maxend, seq))) {
		if (above_low && end - from->maxend + 1 <= to->maxwin && !ct_before(to->end, ack))
			return CT_WINDOW_MORE;
		return CT_WINDOW_OVER;
	}
	if (mr_unlikely(ct_before(to->end, ack)))
		return CT_WINDOW_OVER;
	if (mr_unlikely(!above_low || ct_before(ack, to->end - reach)))
		return CT_WINDOW_OLD;
	return CT_WINDOW_IN;
}

/* `ack` as checked; `win` scaled. */
mr_inline void
ct_window_move(struct ct_line *c, unsigned dir, const struct ct_segment *s, uint32_t ack,
    uint32_t end, uint32_t win)
{
	struct ct_half *from = &c->half[dir], *to = &c->half[!dir];

	if (from->maxwin < win)
		from->maxwin = win;
	if (ct_before(from->end, end)) {
		from->end = end;
		c->flags[dir] |= CT_HALF_UNACKED;
	}
	if (s->flags & MR_TCP_ACK) {
		if (!(c->flags[dir] & CT_HALF_MAXACK) || ct_before(from->maxack, ack))
			from->maxack = ack;
		c->flags[dir] |= CT_HALF_MAXACK;
	}
	if (to->maxwin && ct_before(from->maxend, end))
		to->maxwin += end - from->maxend;
	if (!ct_before(ack + win, to->maxend))
		to->maxend = ack + win + (win == 0);
	if (ack == to->end)
		c->flags[!dir] &= (uint8_t)~CT_HALF_UNACKED;
}

/* Of packets with ACK alone: whether the same came before. */
mr_inline void
ct_window_note(struct ct_line *c, unsigned dir, const struct ct_segment *s)
{
	uint16_t digest = ct_digest(s, dir);

	if (mr_unlikely(c->last == digest && c->last_end == s->end)) {
		c->retrans += c->retrans < 255;
		return;
	}
	c->last = digest;
	c->last_end = s->end;
	c->retrans = 0;
	c->odd = (uint8_t)((c->odd & ~CT_ODD_WIN_ZERO) | (s->win ? 0 : CT_ODD_WIN_ZERO));
}

/* Of an open connection. */
mr_inline uint8_t
ct_open_timeout(const struct ct_line *c)
{
	if (mr_unlikely(c->retrans >= CT_RETRANS_MAX || (c->odd & CT_ODD_WIN_ZERO)))
		return CT_TCP_RETRANS;
	return (c->flags[0] | c->flags[1]) & CT_HALF_UNACKED ? CT_TCP_UNACKED : CT_TCP_ESTABLISHED;
}

#endif

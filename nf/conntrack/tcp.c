/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/conntrack/tcp_int.h"

#include <string.h>

#include "nf/conntrack/tcp_inl.h"

/* States as short as the table below wants them. */
enum {
	NO = CT_TCP_NONE,
	SS = CT_TCP_SYN_SENT,
	SR = CT_TCP_SYN_RECV,
	ES = CT_TCP_ESTABLISHED,
	FW = CT_TCP_FIN_WAIT,
	CW = CT_TCP_CLOSE_WAIT,
	LA = CT_TCP_LAST_ACK,
	TW = CT_TCP_TIME_WAIT,
	CL = CT_TCP_CLOSE,
	S2 = CT_TCP_SYN_SENT2, /* both ends have sent a SYN */
	STATES,
	IG, /* passes, and changes nothing */
	IV,
};

/* The next state, by direction, kind of packet and state. */
static const uint8_t next_state[2][CT_KINDS][STATES] = {
	{
	    /*             NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
	    [CT_SYN] = { SS, SS, IG, IG, IG, IG, IG, SS, SS, S2 },
	    [CT_SYNACK] = { IV, IV, SR, IV, IV, IV, IV, IV, IV, SR },
	    [CT_FIN] = { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
	    [CT_ACK] = { ES, IV, ES, ES, CW, CW, TW, TW, CL, IV },
	    [CT_RST] = { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	    [CT_OTHER] = { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
	{
	    [CT_SYN] = { IV, S2, IV, IV, IV, IV, IV, SS, IV, S2 },
	    [CT_SYNACK] = { IV, SR, IG, IG, IG, IG, IG, IG, IG, SR },
	    [CT_FIN] = { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
	    [CT_ACK] = { IV, IG, SR, ES, CW, CW, TW, TW, CL, IG },
	    [CT_RST] = { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
	    [CT_OTHER] = { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
};

/* Seconds that the time-outs below have unless configured, to find the shorter of two. */
static const uint32_t usual[] = {
#define X(id, leaf, name, seconds) [CT_##id] = seconds,
	CT_TIMEOUTS(X)
#undef X
};

enum ct_kind
ct_tcp_kind(uint8_t flags)
{
	if (flags & MR_TCP_RST)
		return CT_RST;
	if (flags & MR_TCP_SYN)
		return flags & MR_TCP_ACK ? CT_SYNACK : CT_SYN;
	if (flags & MR_TCP_FIN)
		return CT_FIN;
	return flags & MR_TCP_ACK ? CT_ACK : CT_OTHER;
}

bool
ct_tcp_flags_valid(uint8_t flags)
{
	switch (flags & (MR_TCP_FIN | MR_TCP_SYN | MR_TCP_RST | MR_TCP_ACK | MR_TCP_URG)) {
	case MR_TCP_SYN:
	case MR_TCP_SYN | MR_TCP_URG:
	case MR_TCP_SYN | MR_TCP_ACK:
	case MR_TCP_RST:
	case MR_TCP_RST | MR_TCP_ACK:
	case MR_TCP_FIN | MR_TCP_ACK:
	case MR_TCP_FIN | MR_TCP_ACK | MR_TCP_URG:
	case MR_TCP_ACK:
	case MR_TCP_ACK | MR_TCP_URG:
		return true;
	default:
		return false;
	}
}

/* RFC 9293, 3.1 and RFC 7323, 2: kinds 0 and 1 are one byte, the others say their length. */
static void
read_options(struct ct_segment *s, const uint8_t *options, unsigned len)
{
	while (len > 0 && options[0] != 0) {
		unsigned size = 1;

		if (options[0] != 1) {
			if (len < 2 || options[1] < 2 || options[1] > len)
				return;
			size = options[1];
			if (options[0] == 3 && size == 3) {
				s->scales = true;
				s->scale = MR_MIN(options[2], (uint8_t)14);
			}
		}
		options += size;
		len -= size;
	}
}

void
ct_tcp_read(struct ct_segment *s, const uint8_t *tcp, unsigned room, uint32_t len)
{
	unsigned header = (tcp[12] >> 4) * 4u;

	s->seq = mr_load_be32(tcp + 4);
	s->ack = mr_load_be32(tcp + 8);
	s->flags = tcp[13];
	s->win = mr_load_be16(tcp + 14);
	s->end = s->seq + len + !!(s->flags & MR_TCP_SYN) + !!(s->flags & MR_TCP_FIN);
	s->scales = false;
	s->scale = 0;
	if ((s->flags & MR_TCP_SYN) && header > 20)
		read_options(s, tcp + 20, MR_MIN(header, room) - 20);
}

bool
ct_tcp_may_begin(const struct ct_segment *s, bool loose)
{
	enum ct_kind kind = ct_tcp_kind(s->flags);

	return ct_tcp_flags_valid(s->flags) && (kind == CT_SYN || (kind == CT_ACK && loose));
}

static void
set_scale(struct ct_line *c, unsigned dir, unsigned scale)
{
	c->scale = (uint8_t)((c->scale & ~(15u << 4 * dir)) | scale << 4 * dir);
}

static unsigned
scale_of(const struct ct_line *c, unsigned dir)
{
	return c->scale >> 4 * dir & 15u;
}

/* A SYN says where the direction begins and how its windows are to be read. */
static void
open_half(struct ct_line *c, unsigned dir, const struct ct_segment *s)
{
	c->half[dir] = (struct ct_half){
		.end = s->end,
		.maxend = s->end,
		.maxwin = s->win ? s->win : 1,
	};
	c->flags[dir] = s->scales ? CT_HALF_SCALES : 0;
	set_scale(c, dir, s->scale);
	/* RFC 7323, 1.3: both say so, or none does. */
	if (dir == 1 && !(c->flags[0] & c->flags[1] & CT_HALF_SCALES))
		c->scale = 0;
}

void
ct_tcp_begin(struct ct_line *c, struct ct_cold *cold, const struct ct_segment *s)
{
	uint32_t word = 0;
	uint8_t timeout;

	memset(c->half, 0, sizeof(c->half));
	c->scale = c->flags[0] = c->flags[1] = c->retrans = c->odd = 0;
	c->last = 0;
	c->last_end = 0;
	c->last_kind = CT_OTHER;
	atomic_store_explicit(&c->state, NO, memory_order_relaxed);
	cold->last_ack = 0;
	cold->last_win = 0;
	cold->last_scale = cold->last_flags = 0;
	if (s->flags & MR_TCP_SYN) {
		open_half(c, 0, s);
	} else {
		uint32_t win = s->win ? s->win : 1;

		c->half[0] =
		    (struct ct_half){ .end = s->end, .maxend = s->end + win, .maxwin = win };
		c->flags[0] = c->flags[1] = CT_HALF_LIBERAL;
	}
	(void)ct_tcp_packet(c, cold, s, 0, &word, &timeout);
	atomic_store_explicit(&c->timeout, timeout, memory_order_relaxed);
}

void
ct_tcp_extend(struct ct_line *c, unsigned dir, uint32_t end)
{
	if (!c->half[dir].maxwin || !ct_before(c->half[dir].end, end))
		return;
	c->half[dir].end = end;
	c->flags[dir] |= CT_HALF_UNACKED;
}

/* -- the window --------------------------------------------------------------------------- */

/* The direction was not heard before, though the connection is open. */
static void
join_half(struct ct_line *c, unsigned dir, const struct ct_segment *s, uint32_t ack)
{
	struct ct_half *from = &c->half[dir], *to = &c->half[!dir];
	uint32_t win = (uint32_t)s->win << scale_of(c, dir);

	from->end = s->end;
	from->maxwin = win ? win : 1;
	from->maxend = s->end + from->maxwin;
	if (!to->maxwin)
		to->end = to->maxend = ack;
	else if (ack == to->end + 1)
		to->end++; /* to a keep-alive */
}

static enum ct_outcome
in_window(struct ct_line *c, unsigned dir, const struct ct_segment *s, bool assured)
{
	struct ct_half *from = &c->half[dir], *to = &c->half[!dir];
	bool liberal;
	uint8_t state = c->state, flags = s->flags;
	uint32_t seq = s->seq, ack = s->ack, end = s->end, win = s->win;

	if (!from->maxwin) {
		if (flags & MR_TCP_SYN) {
			open_half(c, dir, s);
			if (!(flags & MR_TCP_ACK))
				return CT_ACCEPT; /* the second SYN of a simultaneous open */
		} else {
			join_half(c, dir, s, ack);
		}
	} else if ((flags & MR_TCP_SYN) && ct_before(from->end, end) &&
	    (state == SS || state == SR)) {
		/* It tries again with other numbers (RFC 9293, 3.4.1). */
		open_half(c, dir, s);
		if (dir == 1 && !(flags & MR_TCP_ACK))
			return CT_ACCEPT;
	}
	/* Without a number acknowledged, and from stacks that put 0 into resets: suppose a good one. */
	if (!(flags & MR_TCP_ACK) || ((flags & MR_TCP_RST) && ack == 0))
		ack = to->end;
	if ((flags & MR_TCP_RST) && seq == 0 && state == SS)
		seq = end = from->end; /* answers a SYN */

	liberal = c->flags[dir] & CT_HALF_LIBERAL;
	switch (ct_window_check(from, to, seq, ack, end)) {
	case CT_WINDOW_IN:
		break;
	case CT_WINDOW_OLD:
		return liberal ? CT_ACCEPT : CT_STALE;
	case CT_WINDOW_MORE:
		if (!assured)
			return liberal ? CT_ACCEPT : CT_INVALID;
		/* Some send more than they may; its acknowledgement will be good then. */
		from->end = end;
		c->flags[dir] |= CT_HALF_UNACKED;
		return liberal ? CT_ACCEPT : CT_STALE;
	default:
		return liberal ? CT_ACCEPT : CT_INVALID;
	}
	if (!(flags & MR_TCP_SYN))
		win <<= scale_of(c, dir);
	ct_window_move(c, dir, s, ack, end, win);
	if (ct_tcp_kind(flags) == CT_ACK)
		ct_window_note(c, dir, s);
	return CT_ACCEPT;
}

/* -- states ------------------------------------------------------------------------------- */

/* We may be the ones who are wrong: remember the packet, its answer will tell. */
static void
remember(struct ct_line *c, struct ct_cold *cold, const struct ct_segment *s, unsigned dir,
    enum ct_kind kind)
{
	uint8_t state = c->state;

	c->last_kind = (uint8_t)(kind | (dir ? CT_LAST_REPLY : 0));
	c->last_end = s->end;
	c->last = 0;
	cold->last_win = s->win;
	c->odd = (uint8_t)((c->odd & ~CT_ODD_WIN_ZERO) | (s->win ? 0 : CT_ODD_WIN_ZERO));
	if (kind == CT_SYN && dir == 0) {
		cold->last_scale = s->scale;
		c->odd &= (uint8_t) ~(CT_ODD_LAST_SCALES | CT_ODD_CHALLENGE | CT_ODD_BOTH_OPEN);
		if (s->scales)
			c->odd |= CT_ODD_LAST_SCALES;
		if (state == LA)
			c->odd |= CT_ODD_CHALLENGE;
	}
	if (state == SS && kind == CT_ACK && dir == 1)
		cold->last_ack = s->ack;
}

/* This SYN/ACK answers a SYN that was ignored: the ends know better. */
static void
catch_up(struct ct_line *c, const struct ct_cold *cold, unsigned dir)
{
	unsigned other = !dir;

	c->half[other] = (struct ct_half){
		.end = c->last_end,
		.maxend = c->last_end,
		.maxwin = cold->last_win ? cold->last_win : 1,
	};
	set_scale(c, other, cold->last_scale);
	c->flags[other] = c->odd & CT_ODD_LAST_SCALES ? CT_HALF_SCALES : 0;
	c->half[dir] = (struct ct_half){ 0 };
	c->flags[dir] = 0;
	set_scale(c, dir, 0);
	c->odd &= (uint8_t)~CT_ODD_CHALLENGE;
}

enum reset {
	RESET_CHECK, /* its place in the window decides */
	RESET_KEEP,  /* likewise, but the state stays: an ACK may challenge it (RFC 5961) */
	RESET_TAKE,
	RESET_INVALID
};

static enum reset
judge_reset(const struct ct_line *c, const struct ct_cold *cold, const struct ct_segment *s,
    unsigned dir, uint32_t word)
{
	uint8_t state = c->state, last = c->last_kind & CT_LAST_KIND;
	bool last_reply = c->last_kind & CT_LAST_REPLY, keep = false;
	const struct ct_half *to = &c->half[!dir];

	/* It closes anyway; its ports may be in use again. */
	if (state >= FW && state <= CL)
		return RESET_TAKE;
	if ((c->flags[!dir] & CT_HALF_MAXACK) && last != CT_SYN) {
		bool open = state == ES && (word & CT_ASSURED);

		if (s->seq == 0 && !open)
			return RESET_CHECK;
		if (ct_before(s->seq, to->maxack))
			return RESET_INVALID;
		/* Exactly next, or right behind what the same end sent just now. */
		if (!open || s->seq == to->maxack ||
		    (last == CT_ACK && last_reply == (dir == 1) && s->seq == c->last_end))
			return RESET_CHECK;
		keep = true;
	}
	if ((((word & CT_REPLIED) && last == CT_SYN) || (!(word & CT_ASSURED) && last == CT_ACK)) &&
	    s->ack == c->last_end)
		return RESET_TAKE; /* answers what was ignored before */
	if (state == SS && last == CT_ACK && last_reply && s->seq == cold->last_ack)
		return RESET_TAKE; /* answers a challenge */
	return keep ? RESET_KEEP : RESET_CHECK;
}

/* The shorter one, as configured by default. */
static uint8_t
at_most(uint8_t timeout, uint8_t most)
{
	return usual[timeout] > usual[most] ? most : timeout;
}

static uint8_t
timeout_of(const struct ct_line *c, uint8_t state, enum ct_kind kind)
{
	if (c->retrans >= CT_RETRANS_MAX && usual[state] > usual[CT_TCP_RETRANS])
		return CT_TCP_RETRANS;
	if (kind == CT_RST)
		return CT_TCP_CLOSE;
	if (((c->flags[0] | c->flags[1]) & CT_HALF_UNACKED))
		return at_most(state, CT_TCP_UNACKED);
	if (c->odd & CT_ODD_WIN_ZERO)
		return at_most(state, CT_TCP_RETRANS);
	return state;
}

/* The packet counts. */
static enum ct_outcome
settle(struct ct_line *c, unsigned dir, enum ct_kind kind, uint8_t to, uint32_t *word,
    uint8_t *timeout)
{
	uint8_t from = c->state;

	c->last_kind = (uint8_t)(kind | (dir ? CT_LAST_REPLY : 0));
	atomic_store_explicit(&c->state, to, memory_order_relaxed);
	if (from != to && to == FW)
		c->flags[dir] |= CT_HALF_CLOSES;
	*timeout = timeout_of(c, to, kind);
	if (!(*word & CT_REPLIED)) {
		/* Refused, or given up before it was answered. */
		if (kind == CT_RST)
			return CT_DESTROY;
		/* Else who only sends SYNs keeps it for ever. */
		if (kind == CT_SYN && from == SS)
			*timeout = CT_TIMEOUT_COUNT;
		if (to == ES)
			*timeout = at_most(*timeout, CT_TCP_UNACKED);
	} else if (!(*word & CT_ASSURED) && (from == SR || from == ES) && to == ES) {
		*word |= CT_ASSURED;
	}
	return CT_ACCEPT;
}

enum ct_outcome
ct_tcp_packet(struct ct_line *c, struct ct_cold *cold, const struct ct_segment *s, unsigned dir,
    uint32_t *word, uint8_t *timeout)
{
	enum ct_kind kind = ct_tcp_kind(s->flags), last = c->last_kind & CT_LAST_KIND;
	bool last_same = !!(c->last_kind & CT_LAST_REPLY) == dir;
	uint8_t from = c->state, to;
	enum ct_outcome outcome;

	*timeout = CT_TIMEOUT_COUNT;
	if (!ct_tcp_flags_valid(s->flags))
		return CT_INVALID;
	to = next_state[dir][kind][from];
	/* A SYN after the end. */
	if (to == SS && from >= TW) {
		if (((c->flags[0] | c->flags[1]) & CT_HALF_CLOSES) || (last_same && last == CT_RST))
			return CT_REPEAT;
		to = IG;
	}
	switch (to) {
	case IV:
		return CT_INVALID;
	case IG:
		if (kind == CT_SYNACK && last == CT_SYN && !last_same && s->ack == c->last_end) {
			catch_up(c, cold, dir);
			from = SS;
			atomic_store_explicit(&c->state, SS, memory_order_relaxed);
			to = SR;
			break;
		}
		remember(c, cold, s, dir, kind);
		return CT_STALE;
	case TW:
		/* It may answer the SYN that was ignored, not the last FIN. */
		if (from == LA && kind == CT_ACK && !last_same && last == CT_SYN &&
		    (c->odd & CT_ODD_CHALLENGE)) {
			c->odd &= (uint8_t)~CT_ODD_CHALLENGE;
			return CT_STALE;
		}
		break;
	case S2:
		c->odd |= CT_ODD_BOTH_OPEN;
		break;
	case SR:
		if (dir == 1 && kind == CT_ACK && (c->odd & CT_ODD_BOTH_OPEN))
			to = ES;
		break;
	case CL:
		if (kind != CT_RST)
			break;
		switch (judge_reset(c, cold, s, dir, *word)) {
		case RESET_TAKE:
			return settle(c, dir, kind, CL, word, timeout);
		case RESET_INVALID:
			return CT_INVALID;
		case RESET_KEEP:
			to = from;
			break;
		default:
			break;
		}
		break;
	default:
		break;
	}
	outcome = in_window(c, dir, s, *word & CT_ASSURED);
	if (outcome != CT_ACCEPT)
		return outcome;
	return settle(c, dir, kind, to, word, timeout);
}

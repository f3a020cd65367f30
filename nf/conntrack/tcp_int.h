/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_TCP_INT_H
#define MR_NF_CONNTRACK_TCP_INT_H

/*
 * TCP as somebody in the middle sees it: a state that follows the flags of both ends, and the
 * window in which each may send, from what the other said (van Rooij, 2001; RFC 9293; window
 * scaling as RFC 7323; resets as RFC 5961). What is accepted, ignored and invalid is as Linux has
 * it, so that rules written for nft mean the same here.
 *
 * SACK is not looked at: what it could tell lies in the window anyway.
 *
 * Threads: the line is locked, or its caller's alone. No allocation, no errors.
 */

#include "kit/packet/wire.h"
#include "nf/conntrack/table_int.h"

enum ct_kind { CT_SYN, CT_SYNACK, CT_FIN, CT_ACK, CT_RST, CT_OTHER, CT_KINDS };
#define CT_LAST_REPLY 0x80u /* in last_kind: by direction 1 */
#define CT_LAST_KIND 0x7fu

enum ct_half_flag {
	CT_HALF_SCALES = 1u << 0,  /* said a window scale */
	CT_HALF_LIBERAL = 1u << 1, /* picked up midway: windows are not known */
	CT_HALF_MAXACK = 1u << 2,  /* maxack is filled */
	CT_HALF_CLOSES = 1u << 3,  /* its FIN came first */
	CT_HALF_UNACKED = 1u << 4, /* sent what was not acknowledged yet */
};

enum ct_odd {
	CT_ODD_BOTH_OPEN = 1u << 0,   /* simultaneous open */
	CT_ODD_CHALLENGE = 1u << 1,   /* an ACK to come may be a challenge (RFC 5961) */
	CT_ODD_WIN_ZERO = 1u << 2,    /* the last window said was 0 */
	CT_ODD_LAST_SCALES = 1u << 3, /* the ignored SYN had a window scale: last_scale */
};

/* What of a segment counts; numbers in host order. */
struct ct_segment {
	uint32_t seq, ack, end;
	uint16_t win;
	uint8_t flags; /* MR_TCP_* */
	uint8_t scale; /* of a SYN's options */
	bool scales;   /* it had one */
};

enum ct_outcome {
	CT_ACCEPT, /* belongs; the line is up to date, its time begins anew */
	CT_STALE,  /* belongs, but tells nothing */
	CT_INVALID,
	CT_REPEAT,  /* the old connection is over; this begins another */
	CT_DESTROY, /* belongs; it is over with this */
};

enum ct_kind ct_tcp_kind(uint8_t flags);
/* Whether these flags may stand together at all. */
bool ct_tcp_flags_valid(uint8_t flags);

/* `tcp` has `room` bytes, its data offset lies within. `len`: payload bytes of the packet. */
void ct_tcp_read(struct ct_segment *, const uint8_t *tcp, unsigned room, uint32_t len);

/* May it begin a connection? */
bool ct_tcp_may_begin(const struct ct_segment *, bool loose);
/* Fills the line of a new connection from its first packet, which was found to be able to. */
void ct_tcp_begin(struct ct_line *, struct ct_cold *, const struct ct_segment *);

/* A packet in direction `dir`. *word: flags of the line's word, changed as it comes. With ACCEPT
 * *timeout is what begins; CT_TIMEOUT_COUNT: what runs goes on. */
enum ct_outcome ct_tcp_packet(struct ct_line *, struct ct_cold *, const struct ct_segment *,
    unsigned dir, uint32_t *word, uint8_t *timeout);

/* Later fragments of a segment: so far it reaches. */
void ct_tcp_extend(struct ct_line *, unsigned dir, uint32_t end);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_TCP_INT_H
#define MR_NF_NAT_TCP_INT_H

/*
 * A session's TCP as RFC 7857 and RFC 6146 see it: by SYN, FIN and RST alone.
 *
 * A reset does not end a session, it shortens its time: a forged one does no harm, because the next
 * packet that is none opens the session again (RFC 7857, 2.2). One whose beginning was not seen
 * is open when it was heard of twice.
 */

#include "kit/packet/wire.h"
#include "nf/nat/table_int.h"

/* X(constant, name) */
#define NAT_TCP_STATES(X) \
	X(NONE, "none") \
	X(SYN_OUT, "syn-sent") \
	X(SYN_IN, "syn-received") \
	X(OPEN, "established") \
	X(FIN_OUT, "fin-sent") \
	X(FIN_IN, "fin-received") \
	X(FIN_BOTH, "closing") \
	X(SHORT, "transitory")

/* clang-format off */
enum nat_tcp {
#define X(id, name) NAT_TCP_##id,
	NAT_TCP_STATES(X)
#undef X
	NAT_TCP_COUNT,
};
/* clang-format on */

mr_inline enum nat_tcp
nat_tcp_next(enum nat_tcp state, uint8_t flags, bool out)
{
	if (mr_unlikely(flags & MR_TCP_RST))
		return NAT_TCP_SHORT;
	if (mr_unlikely(flags & MR_TCP_SYN)) {
		switch (state) {
		case NAT_TCP_SYN_OUT:
			return out ? state : NAT_TCP_OPEN;
		case NAT_TCP_SYN_IN:
			return out ? NAT_TCP_OPEN : state;
		case NAT_TCP_NONE:
		case NAT_TCP_FIN_BOTH:
		case NAT_TCP_SHORT:
			return out ? NAT_TCP_SYN_OUT : NAT_TCP_SYN_IN;
		default:
			return state;
		}
	}
	if (mr_unlikely(flags & MR_TCP_FIN)) {
		if (state == NAT_TCP_OPEN || state == NAT_TCP_SHORT)
			return out ? NAT_TCP_FIN_OUT : NAT_TCP_FIN_IN;
		if (state == (out ? NAT_TCP_FIN_IN : NAT_TCP_FIN_OUT))
			return NAT_TCP_FIN_BOTH;
		return state == NAT_TCP_NONE ? NAT_TCP_SHORT : state;
	}
	if (state == NAT_TCP_SHORT)
		return NAT_TCP_OPEN;
	return state == NAT_TCP_NONE ? NAT_TCP_SHORT : state;
}

mr_inline enum nat_timeout
nat_tcp_timeout(enum nat_tcp state)
{
	return state == NAT_TCP_OPEN || state == NAT_TCP_FIN_OUT || state == NAT_TCP_FIN_IN
	    ? NAT_TIME_TCP_OPEN
	    : NAT_TIME_TCP_SHORT;
}

#endif

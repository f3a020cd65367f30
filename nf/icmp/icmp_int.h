/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_ICMP_INT_H
#define MR_NF_ICMP_ICMP_INT_H

/* What the files of nf/icmp share: settings of each VRF, limits, counters, and the ways in
 * which all of its nodes change packets. */

#include "kit/base/counter.h"
#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"
#include "kit/table/meter.h"
#include "nf/icmp/reassembly.h"
#include "nf/ip/ip.h"

#define ICMP_QUOTE4 576u  /* bytes of an IPv4 error at most (RFC 1812, 4.3.2.3) */
#define ICMP_QUOTE6 1280u /* of an IPv6 one (RFC 4443, 2.4 (c)) */
#define ICMP_TTL 64u
#define ICMP_TOS 0xc0u /* precedence 6, internetwork control (RFC 1812, 4.3.2.5) */

/* Counted for each VRF. X(constant, name, doc) */
#define ICMP_COUNTS(X) \
	X(UNREACHABLE4, "sent-unreachable4", "ICMP destination unreachable sent") \
	X(TOO_BIG4, "sent-too-big4", "ICMP fragmentation needed sent") \
	X(EXPIRED4, "sent-time-exceeded4", "ICMP time exceeded sent") \
	X(PROBLEM4, "sent-parameter-problem4", "ICMP parameter problem sent") \
	X(UNREACHABLE6, "sent-unreachable6", "ICMPv6 destination unreachable sent") \
	X(TOO_BIG6, "sent-too-big6", "ICMPv6 packet too big sent") \
	X(EXPIRED6, "sent-time-exceeded6", "ICMPv6 time exceeded sent") \
	X(PROBLEM6, "sent-parameter-problem6", "ICMPv6 parameter problem sent") \
	X(REDIRECT4, "sent-redirect4", "ICMP redirects sent") \
	X(REDIRECT6, "sent-redirect6", "ICMPv6 redirects sent") \
	X(ECHO4, "sent-echo-reply4", "ICMP echo replies sent") \
	X(ECHO6, "sent-echo-reply6", "ICMPv6 echo replies sent") \
	X(NOT_ABOUT_ICMP, "suppressed-icmp", \
	    "no error: about an ICMP error, a redirect, or unknown ICMP") \
	X(NOT_ABOUT_GROUP, "suppressed-group", \
	    "no error: to a broadcast or multicast address or frame") \
	X(NOT_ABOUT_FRAGMENT, "suppressed-fragment", "no error: a fragment other than the first") \
	X(NOT_ABOUT_SOURCE, "suppressed-source", \
	    "no error: from an address that is not one host's") \
	X(NOT_ABOUT_OURS, "suppressed-own", "no error: made by this router") \
	X(NOT_ABOUT_MALFORMED, "suppressed-malformed", \
	    "no error: not a packet that can be quoted") \
	X(NOT_HERE, "suppressed-interface", "no error: the interface has unreachables: false") \
	X(NOT_FROM, "suppressed-no-address", "no error: no address to send it from") \
	X(LIMITED, "limited-errors", "no error: above the VRF's limit") \
	X(LIMITED_HOST, "limited-destination", "no error: above the limit of one destination") \
	X(LIMITED_ECHO, "limited-echo", "no echo reply: above the limit") \
	X(LIMITED_REDIRECT, "limited-redirects", "no redirect: above a limit")

/* clang-format off */
enum icmp_count {
#define X(id, name, doc) ICMP_##id,
	ICMP_COUNTS(X)
#undef X
	ICMP_COUNT_COUNT,
};
/* clang-format on */

enum icmp_flag {
	ICMP_ECHO = 1u << 0,          /* answer echo requests */
	ICMP_ECHO_GROUPS = 1u << 1,   /* IPv4 ones to broadcast and multicast addresses, too */
	ICMP_SOURCE_ROUTES = 1u << 2, /* honour them */
	ICMP_ALERT_FORWARD = 1u << 3, /* router alert is no reason to look at a packet */
};

/* What workers read of one VRF. */
struct icmp_vrf {
	_Atomic uint32_t flags; /* enum icmp_flag */
	/* Interfaces whose addresses errors are sent from when their own has none; 0: none. */
	_Atomic uint16_t spare4, spare6;
	struct mr_meter errors, echo, redirects;
	struct mr_meter_rate destination, redirect_host; /* words in the tables of icmp_state */
};

/* What an operator can set of one VRF. */
struct icmp_settings {
	uint32_t flags;
	uint32_t error_rate, error_burst;
	uint32_t destination_rate, destination_burst;
	uint32_t redirect_rate, redirect_interval; /* per second, and seconds per host */
	uint32_t echo_rate, echo_burst;
	struct mr_reassembly_limits reassembly;
};

struct icmp_state {
	struct mr_ip *ip;
	struct icmp_vrf *vrfs; /* [MR_IP_VRFS_MAX] */
	_Atomic uint64_t
	    *link_local; /* [MR_IP_INTERFACES_MAX] the lower half, behind fe80::; 0: none */
	struct mr_meter_table *destinations, *redirected;
	struct mr_counters *counters; /* a row per worker: [VRF][ICMP_COUNT_COUNT] */
	struct mr_reassembly *reassembly;
	uint64_t hz;
	_Atomic uint32_t id;  /* of the next IPv4 packet made here */
	_Atomic uint32_t day; /* milliseconds from the cycles' to midnight UT, modulo a day */
};

extern const struct icmp_settings icmp_defaults;

int icmp_create(struct icmp_state **out, struct mr_ip *, struct mr_buffers *, uint32_t workers,
    struct mr_error *);
void icmp_destroy(struct icmp_state *);
void icmp_set(struct icmp_state *, uint16_t vrf, const struct icmp_settings *);
/* The wall clock, for IPv4's timestamp option. */
void icmp_set_clock(struct icmp_state *);

/* One pass of a node. */
struct icmp_work {
	struct icmp_state *icmp;
	struct mr_node_run *run;
	struct mr_recorder *rec;
};

mr_inline struct icmp_work
icmp_work(struct mr_node_run *run, struct mr_recorder *rec)
{
	return (struct icmp_work){ run->self, run, rec };
}

/* The interface that a packet came in on; null: made here, or gone since, tables
 * and all. */
mr_inline const struct mr_ip_interface *
icmp_interface(const struct icmp_work *w, const struct mr_packet *p)
{
	const struct mr_ip_interface *i;

	if (p->context == 0 || p->context >= MR_IP_INTERFACES_MAX)
		return NULL;
	i = &w->icmp->ip->interfaces[p->context];
	return mr_ip_flags(i) & (MR_IP_FORWARD4 | MR_IP_FORWARD6) ? i : NULL;
}

mr_inline void
icmp_count(const struct icmp_work *w, uint16_t vrf, enum icmp_count what)
{
	if (!mr_record_is_dry(w->rec))
		mr_counter_add(mr_counters_row(w->icmp->counters, w->run->worker) +
			(size_t)vrf * ICMP_COUNT_COUNT + what,
		    1);
}

/* Takes one; in an explanation only asks. */
mr_inline bool
icmp_take(const struct icmp_work *w, _Atomic uint64_t *word, const struct mr_meter_rate *rate)
{
	if (mr_record_is_dry(w->rec))
		return mr_meter_word_ready(word, rate, w->run->now);
	return mr_meter_word_take(word, rate, w->run->now, 1) != 0;
}

/* The word of an address in one of the tables. */
_Atomic uint64_t *icmp_word(struct mr_meter_table *, uint16_t vrf, enum mr_ip_family,
    const uint8_t *address);

/* In an explanation the next one, without using it up. */
mr_inline uint16_t
icmp_next_id(const struct icmp_work *w)
{
	if (mr_record_is_dry(w->rec))
		return (uint16_t)atomic_load_explicit(&w->icmp->id, memory_order_relaxed);
	return (uint16_t)atomic_fetch_add_explicit(&w->icmp->id, 1, memory_order_relaxed);
}

/* mr_edit_set for any length. */
void icmp_write(struct mr_recorder *, struct mr_packet *, unsigned offset, const void *bytes,
    unsigned len);
/* Makes the first `len` bytes one piece; false when the packet is shorter. */
bool icmp_pull(const struct icmp_work *, uint32_t packet, unsigned len);
/* Cuts to `len` bytes. */
void icmp_trim(const struct icmp_work *, uint32_t packet, unsigned len);
/* Removes `len` bytes at `at`, wherever in the chain they end; the `at` bytes are in the
 * first segment. */
void icmp_pop(const struct icmp_work *, uint32_t packet, unsigned at, unsigned len);
/* Finishes layer 4's checksum where its source left that to others; false: it cannot be. */
bool icmp_settle(const struct icmp_work *, uint32_t packet);
/* What the source promised holds no longer. */
void icmp_forget(struct mr_packet *);
/* Likewise, and it belongs to no connection: it is the router's own from here. */
void icmp_made(struct mr_packet *);
/* Sends a packet back to the station where its Ethernet header says it came from; false
 * when there is no such header. */
bool icmp_reflect(const struct icmp_work *, struct mr_packet *, const struct mr_ip_interface *);
mr_inline bool
icmp_is_link_local6(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}
/* Our IPv6 address on an interface to speak from: the link-local one or, if there is, another;
 * zero: none. */
void icmp_own_address6(const struct icmp_work *, uint32_t interface, bool link_local,
    uint8_t address[16]);
/* Whether the address is that of one host, for an answer (RFC 1122, 3.2.2). */
bool icmp_is_host4(be32_t address);
bool icmp_is_host6(const uint8_t *address);

/* error_rules.c: may an error be sent about this packet? ICMP_COUNT_COUNT: yes. `bytes` is the packet from
 * its first byte, `len` in one piece, `total` in all; its IP header is at `l3`. */
enum icmp_count icmp_error_refused(const uint8_t *bytes, unsigned len, unsigned total, unsigned l3,
    enum mr_ip_family, uint8_t type, uint8_t code);

/* Words for what icmp-error recorded; false: something else. */
bool icmp_error_describe(const struct mr_op *, char *text, size_t size);

extern const struct mr_node_class icmp_error_class, icmp_echo_class, ip4_options_class,
    ip4_fragment_class, tcp_mss_class, icmp_redirect_class;

/* In the order of each class's edges. */
enum icmp_error_edge { ICMP_ERROR_FORWARD4, ICMP_ERROR_FORWARD6, ICMP_ERROR_EDGES };
enum icmp_echo_edge { ICMP_ECHO_FORWARD4, ICMP_ECHO_FORWARD6, ICMP_ECHO_EDGES };
/* ip4-options has the edges of the forwarding nodes: enum mr_ip_edge. */
enum ip4_fragment_edge { IP4_FRAGMENT_OUTPUT, IP4_FRAGMENT_EDGES };
enum tcp_mss_edge { TCP_MSS_OUTPUT, TCP_MSS_EDGES };
enum icmp_redirect_edge {
	ICMP_REDIRECT_OUTPUT,
	ICMP_REDIRECT_FORWARD4,
	ICMP_REDIRECT_FORWARD6,
	ICMP_REDIRECT_EDGES
};

/* X(constant, name, doc): why an error about a packet was due, and why there is none. */
#define ICMP_ERROR_DROPS(X) \
	X(OTHER, "icmp-other", "an ICMP error of another kind was due") \
	X(EXPIRED, "ttl-expired", "TTL or hop limit ran out") \
	X(REASSEMBLY, "reassembly-timeout", "fragments of its datagram did not come") \
	X(NO_ROUTE, "no-route", "no route to its destination") \
	X(HOST, "host-unreachable", "its next hop does not answer") \
	X(PROTOCOL, "protocol-unreachable", "nothing here speaks its protocol") \
	X(PORT, "port-unreachable", "nothing listens on its port") \
	X(TOO_BIG, "too-big", "larger than the MTU of the way out, and may not be cut") \
	X(SOURCE_ROUTE, "source-route", "source routes are refused, or cannot be followed") \
	X(PROHIBITED, "prohibited", "not allowed: a prohibit route, or a filter") \
	X(SCOPE, "beyond-scope", "its source has no meaning there (RFC 4443, 3.1)") \
	X(PARAMETER, "parameter-problem", "a field of its headers is wrong") \
	X(LIMITED, "icmp-limited", "an error was due, but above a rate limit") \
	X(NOT_SENT, "icmp-not-sent", "an error was due, but could not be made: no address, no room")

/* clang-format off */
enum icmp_error_drop {
#define X(id, name, doc) ICMP_ERROR_DROP_##id,
	ICMP_ERROR_DROPS(X)
#undef X
	ICMP_ERROR_DROPS_COUNT,
};
/* clang-format on */

#endif

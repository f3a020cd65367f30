/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LB_NODE_INT_H
#define MR_NF_LB_NODE_INT_H

/*
 * What the nodes share: a packet as they see it, and the ways on.
 *
 *   lb-back   packet.c, back_node.c    what a server sends, before rules and connections see it
 *   lb        packet.c, lb_node.c      what is for a service, behind them
 *   lb-send   send_node.c              from lb into the midst of the router: errors, next hops
 *
 * Threads: as nodes. Errors: drops, by name.
 */

#include "kit/flow/key.h"
#include "nf/lb/lb_int.h"

struct lb_pass {
	struct lb_core *core;
	const struct lb_view *view;
	struct mr_node_run *run;
	struct mr_recorder *rec;
	uint32_t worker; /* whose caches are used: of an explanation nobody's */
	bool dry;
};

enum lb_what {
	LB_PASS,       /* not ours */
	LB_FLOW,       /* front: to a service; back: from a server */
	LB_NO_SERVICE, /* to a service's address, but none of its ports */
	LB_PING,
	LB_ERROR, /* an ICMP error about a connection: `key` is that connection's */
	LB_PIECE, /* of a datagram, without ports of its own */
	LB_ARP,
	LB_ND,
};

struct lb_packet {
	struct lb_key key; /* front or back */
	uint64_t hash;
	uint32_t ip_len; /* as IP says */
	uint32_t frag_id;
	uint16_t l3, l4;
	uint16_t interface, vrf;
	uint16_t place; /* number of the service's or the server's address */
	uint16_t service;
	uint16_t sport, dport; /* host order; of an error: of the packet that it quotes */
	uint16_t quote_l3, quote_l4;
	uint8_t what; /* enum lb_what */
	uint8_t six, proto, tcp_flags;
	bool first; /* the first of several pieces */
};

/* X(constant, name, doc) */
#define LB_DROPS(X) \
	X(NONE, "lb-no-backend", "no server of the service is fit") \
	X(BUSY, "lb-backends-full", "all servers have as many connections as they may") \
	X(FULL, "lb-full", "no room for another connection") \
	X(CONFLICT, "lb-conflict", \
	    "its server could not tell it from another connection of the same client") \
	X(PORTS, "lb-no-port", "no free port to speak to the server from") \
	X(ERROR, "lb-error-unknown", "an ICMP error about no known connection") \
	X(EARLY, "lb-fragment-early", "a fragment that came before the first one of its packet") \
	X(CLOSED, "lb-no-connection", "to an address that servers are spoken to from, unasked") \
	X(MALFORMED, "lb-malformed", "wrong IPv4 header checksum") \
	X(UNREACHED, "lb-no-neighbor", "mode l2: the server's address is on no link") \
	X(SOURCE, "lb-no-source", "no address to send from, or no route to the server") \
	X(TOO_BIG, "lb-too-big", "larger than the way to the server, and may not be cut there") \
	X(SUPER, "lb-super-frame", \
	    "a super-frame that would have to be cut before it is encapsulated") \
	X(ROOM, "lb-no-headroom", "no room for another header") \
	X(EXPLAINED, "lb-explained", \
	    "an explanation: it would go where the first fragment of its packet went")
#define LB_COUNTERS(X) \
	X(BEGUN, "begun", "connections given to a server") \
	X(STATELESS, "stateless", "packets sent by Maglev alone, without an entry") \
	X(SYNS, "syns-stateless", "of these: SYNs") \
	X(STICKY, "sticky", "connections that went where their client's last one did") \
	X(AGAIN, "given-again", "connections given another server, theirs being gone") \
	X(NO_SERVICE, "no-service", "packets to ports of no service, answered or passed on") \
	X(PINGS, "pings", "echo requests to services' addresses") \
	X(ERRORS, "errors", "ICMP errors passed on to a server or client") \
	X(ASKED, "asked", "ARP requests and neighbour solicitations answered") \
	X(PIECES, "fragments", "fragments but the first of their packet") \
	X(BIG, "too-big", \
	    "packets refused with an ICMP error, being too big for the way to the server") \
	X(EXPIRED, "ttl-expired", "packets refused with an ICMP error, their TTL being used up")

/* clang-format off */
enum lb_drop {
#define X(id, name, doc) LB_DROP_##id,
	LB_DROPS(X)
#undef X
	LB_DROP_COUNT,
};
enum lb_counter {
#define X(id, name, doc) LB_NODE_##id,
	LB_COUNTERS(X)
#undef X
	LB_NODE_COUNT,
};
/* clang-format on */
extern const struct mr_named lb_drops[], lb_counters[];
extern const char *const lb_edge_names[LB_EDGES];

/* packet.c */
void lb_classify_front(const struct lb_pass *, uint32_t packet, struct lb_packet *);
void lb_classify_back(const struct lb_pass *, uint32_t packet, struct lb_packet *);
/* Of a piece whose ports are known by now: its key, and (front) its service. */
void lb_piece_key(const struct lb_pass *, const struct mr_packet *, struct lb_packet *, bool back);
/* What a flow's scheduler goes by. */
uint64_t lb_flow_hash(const struct lb_view *, const struct lb_packet *, bool sticky);

/* piece.c: the ports of datagrams in pieces. */
void lb_piece_note(const struct lb_pass *, const struct mr_packet *, const struct lb_packet *);
bool lb_piece_ports(const struct lb_pass *, const struct mr_packet *, struct lb_packet *);

/* answer.c: ARP and neighbour discovery for addresses that are nobody else's. */
mr_verdict_t lb_answer(const struct lb_pass *, uint32_t packet, const struct lb_packet *);

/* edit.c */
mr_inline struct mr_l4_sum
lb_l4_sum(const struct lb_packet *k)
{
	if (k->proto == MR_IP_PROTO_TCP)
		return (struct mr_l4_sum){ (uint16_t)(k->l4 + 16), MR_SUM_PLAIN };
	return (struct mr_l4_sum){ (uint16_t)(k->l4 + 6), MR_SUM_UDP };
}
/* Another source (`to` false) or destination. Of a piece (LB_PIECE) the address only. */
void lb_edit_end(const struct lb_pass *, struct mr_packet *, const struct lb_packet *, bool to,
    const uint8_t *address, uint16_t port);
/* The same in the packet that an ICMP error quotes. */
void lb_edit_quoted(const struct lb_pass *, struct mr_packet *, const struct lb_packet *, bool to,
    const uint8_t *address, uint16_t port);
/* The error's own source or destination. */
void lb_edit_outer(const struct lb_pass *, struct mr_packet *, const struct lb_packet *, bool to,
    const uint8_t *address);

/* tunnel.c */
mr_verdict_t lb_encapsulate(const struct lb_pass *, struct mr_packet *, const struct lb_packet *,
    uint16_t backend);

/* route.c */
/* Whether it is an address of the router that packets of this interface go to. */
bool lb_route_is_own(const struct mr_ip *, uint16_t interface, bool six, const uint8_t *address);
/* The MTU of the way to an address; 0: no way, or it ends here. */
unsigned lb_route_mtu(const struct mr_ip *, uint16_t interface, bool six, const uint8_t *address);

/* Into the midst of the router, by this edge of enum mr_ip_edge. */
mr_inline mr_verdict_t
lb_leave(struct mr_packet *p, const struct lb_packet *k, enum mr_ip_edge edge,
    const struct mr_ip_meta *meta)
{
	struct mr_ip_meta *m = mr_ip_meta(p);

	p->context = k->interface;
	*m = *meta;
	m->l3 = k->l3;
	m->class = edge;
	return mr_verdict_edge(LB_EDGE_SEND);
}

mr_inline mr_verdict_t
lb_refuse(struct mr_packet *p, const struct lb_packet *k, unsigned type4, unsigned code4,
    unsigned type6, unsigned code6, uint32_t data)
{
	return lb_leave(p, k, MR_IP_EDGE_ICMP,
	    &(struct mr_ip_meta){ .icmp_type = (uint8_t)(k->six ? type6 : type4),
		.icmp_code = (uint8_t)(k->six ? code6 : code4),
		.icmp_data = data });
}

mr_inline mr_verdict_t
lb_too_big(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, unsigned mtu)
{
	mr_node_count(s->run, LB_NODE_BIG, 1);
	return lb_refuse(p, k, MR_ICMP4_UNREACHABLE, MR_ICMP4_UNREACHABLE_NEED_FRAG,
	    MR_ICMP6_TOO_BIG, 0, mtu);
}

mr_inline bool
lb_may_cut(const struct mr_packet *p, const struct lb_packet *k)
{
	return !k->six &&
	    !(mr_load_be16(mr_packet_bytes_const(p) + k->l3 + 6) & MR_IP4_DONT_FRAGMENT);
}

mr_inline uint8_t
lb_ttl(const struct mr_packet *p, const struct lb_packet *k)
{
	return mr_packet_bytes_const(p)[k->l3 + (k->six ? 7 : 8)];
}

/* What a recording carries for replay: the line's number and the low bits of its age. */
#define LB_ARG_AGE 127u
#define LB_ARG_SUMMED (1u << 31) /* UDP has to have a checksum, over all of IP's payload */
mr_inline uint32_t
lb_call_arg(uint32_t index, uint32_t word)
{
	return index | (word >> LB_AGE_SHIFT & LB_ARG_AGE) << 24;
}
/* Whether the way to this server is a tunnel with a checksum, which rests on the packet's own. */
mr_inline bool
lb_is_summed(const struct lb_pass *s, uint16_t backend)
{
	const struct lb_backend *b = &s->view->backends[backend];

	return b->six && s->view->services[b->service].mode == LB_MODE_GUE;
}
#define LB_TALLY_BACK (1u << 31)
void lb_replay(struct mr_node_run *, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *, uint8_t *skip, unsigned count);
void lb_tally(struct mr_node_run *, uint32_t number, uint64_t packets, uint64_t bytes);

/* Of a connection's packet: how long it stays from here on. */
void lb_advance(const struct lb_pass *, const struct lb_found *, const struct lb_packet *,
    bool back);

/* describe.c */
#define LB_NOTE_SERVER "load balancer: server"
#define LB_NOTE_SERVICE "load balancer: service"

#endif

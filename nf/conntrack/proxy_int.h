/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_PROXY_INT_H
#define MR_NF_CONNTRACK_PROXY_INT_H

/*
 * The SYN proxy: answers SYNs for a server and remembers nothing of them; who answers in turn
 * is real, and only then does the server hear of it.
 *
 *   client                     here                                server
 *     SYN isn        ------>   (rules)
 *                    <------   SYN/ACK cookie, window 0
 *     ACK cookie+1   ------>   cookie is good, (rules)  SYN isn  ------>
 *                              a connection begins
 *                    <------   ACK, the server's window  <------  SYN/ACK own isn
 *                              ACK                      ------>
 *     from here on the server's sequence numbers less the cookie's are translated
 *
 * The cookie is 24 bits of SipHash over addresses, ports, zone, the client's isn and the time in
 * steps of 64 seconds, and 8 bits of what the client said: its MSS, as one of eight, and its
 * window scale. Windows of the server are scaled anew. Neither SACK nor time stamps are offered,
 * for they would have to be translated too.
 *
 * Threads: as the nodes that call this; cookies need no state.
 */

#include "nf/conntrack/conntrack_int.h"

/* Whether this packet, a SYN that passed the rules, is to be answered here. */
bool ct_proxy_wants(const struct ct_side *, struct mr_node_run *, const struct ct_packet *,
    const struct mr_packet *, bool dry);
/* Makes the SYN its SYN/ACK, to be sent back on its port. False: it does not fit. */
bool ct_proxy_answer(const struct ct_core *, struct mr_node_run *, uint32_t packet,
    const struct ct_packet *);
/* Whether this packet, of no connection, brings a cookie of ours back. */
bool ct_proxy_returns(const struct ct_core *, const struct ct_packet *, const struct mr_packet *,
    uint32_t seconds);
/* Makes it the client's SYN, for the server; *cookie: what is translated by. */
bool ct_proxy_open(struct mr_node_run *, uint32_t packet, const struct ct_packet *,
    uint32_t *cookie);

/* A proxied connection's packet, whose line is locked, before and after it is looked at. Client's
 * numbers become the server's (before), server's the client's (after). */
void ct_proxy_before(const struct ct_cold *, const struct ct_packet *, struct mr_packet *,
    unsigned dir);
void ct_proxy_after(const struct ct_line *, const struct ct_cold *, const struct ct_packet *,
    struct mr_packet *, unsigned dir);

/* The server's SYN/ACK: it becomes the client's window, and `reply` (a copy) the ACK for the
 * server; the connection is open. */
bool ct_proxy_opened(struct ct_line *, struct ct_cold *, struct mr_node_run *, uint32_t packet,
    uint32_t reply, const struct ct_packet *, uint32_t *word);
/* The client probes, but the server has not answered: its SYN again. */
bool ct_proxy_again(const struct ct_line *, const struct ct_cold *, struct mr_node_run *,
    uint32_t packet, const struct ct_packet *);

#endif

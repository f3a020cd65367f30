/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_ALG_H
#define MR_NF_NAT_ALG_H

/*
 * An application-level gateway: a small file that knows one protocol whose payload speaks of addresses
 * and ports (FTP, SIP, TFTP). Off unless asked for (RFC 4787 REQ-10, RFC 5382 REQ-6).
 *
 * It is one constant descriptor in nat_alg_list. A session that an inside end begins to its port is
 * marked, and one that the outside begins to a static address or a forward, where that is the inside's
 * port: its packets take the graph lane, and the payload of each is shown to `look`, in both
 * directions, before the packet's own ends are written. What `look` wants changed it
 * writes into a list of edits; the length may change, TCP's sequence numbers then follow, in both
 * directions, for the rest of the session.
 *
 *	static bool
 *	look(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits)
 *	{
 *		... find "address, port" of an end that will listen inside ...
 *		if (!nat_talk_expect(talk, MR_IP_PROTO_TCP, address, port, 1,
 *			ends->remote, &outside))
 *			return false;
 *		return alg_edit(edits, at, size, text, text_size);
 *	}
 *
 * Ownership: payload and edits are the caller's.
 * Threads: `look` runs on workers, for one session perhaps on several at once; it keeps no state.
 * Errors: false: the packet is dropped (nat-alg).
 */

#include "nf/nat/alg/alg_text.h"

struct nat_talk; /* one packet of a session */

struct nat_talk_ends {
	bool outward; /* the packet goes out */
	bool server;  /* the inside is the one that was asked, by a static address or a forward */
	be32_t inside, outside, remote;
	be16_t inside_port, outside_port, remote_port;
};
const struct nat_talk_ends *nat_talk_ends(const struct nat_talk *);

struct nat_talk_outside {
	be32_t address;
	be16_t port;
};

/* The inside end will be talked to, by any port of `remote` (0: by anybody): makes a mapping for
 * each of `count` ports (at most 4) from `port` on, outside with as many in a row; *outside: the
 * first of these. False: there is no room. What was expected before is found again. */
bool nat_talk_expect(struct nat_talk *, uint8_t protocol, be32_t inside, be16_t port,
    unsigned count, be32_t remote, struct nat_talk_outside *outside);

struct nat_alg {
	const char *name; /* in the configuration */
	const char *doc;
	uint8_t protocol; /* MR_IP_PROTO_TCP or UDP */
	uint16_t port;    /* of the one that is asked */
	bool (*look)(struct nat_talk *, const uint8_t *payload, unsigned len, struct alg_edits *);
};

/* Those that there are; ends with a null pointer. */
extern const struct nat_alg *const nat_alg_list[];

#endif

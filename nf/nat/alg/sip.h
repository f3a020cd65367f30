/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_ALG_SIP_H
#define MR_NF_NAT_ALG_SIP_H

/*
 * Where a SIP message (RFC 3261) and the session description in it (RFC 8866) say addresses and
 * ports: the places, in their order, to be replaced by a NAT. Names are left alone; so is
 * everything in messages that are not whole (SIP over TCP that is cut by a segment).
 *
 * Ownership: the message's items are places in the caller's payload.
 * Threads: none. Errors: -EINVAL: no SIP, or not whole; -E2BIG: more places than anybody has.
 */

#include "nf/nat/alg/alg_text.h"

#define SIP_ITEMS_MAX 40u

enum sip_place {
	SIP_REQUEST,    /* whom the request is for */
	SIP_VIA,        /* where answers go */
	SIP_RECEIVED,   /* in a Via: where the other end saw the request come from */
	SIP_CONTACT,    /* where requests go from now on */
	SIP_NAME,       /* From, To, Route, Record-Route */
	SIP_ORIGIN,     /* o= */
	SIP_CONNECTION, /* c= */
	SIP_MEDIA,      /* m=: a port alone */
	SIP_CONTROL,    /* a=rtcp: */
};

struct sip_item {
	enum sip_place place;
	uint32_t at, size; /* of the address; size 0: none */
	struct alg_address address;
	uint32_t port_at, port_size; /* size 0: none is said */
	uint16_t port;
	uint8_t media; /* SIP_MEDIA and what belongs to it: counted from 1; 0: of the session */
};

struct sip_message {
	bool request;
	bool session;                    /* the body is a session description */
	uint32_t body, body_size;        /* where it begins */
	uint32_t length_at, length_size; /* Content-Length's number; size 0: not said */
	unsigned count;
	struct sip_item items[SIP_ITEMS_MAX];
};

/* `stream`: the payload is a piece of TCP, and holds this message alone. */
int sip_read(const void *payload, size_t size, bool stream, struct sip_message *);

#endif

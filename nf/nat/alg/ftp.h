/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_ALG_FTP_H
#define MR_NF_NAT_ALG_FTP_H

/*
 * Where data connections are offered in FTP's control connection: PORT and 227 (RFC 959), EPRT
 * and 229 (RFC 2428). Only whole lines are read: a line in two segments is left as it is.
 *
 * Ownership, threads: none. Errors: what is not written as the RFCs say is not found.
 */

#include "nf/nat/alg/alg_text.h"

enum ftp_form {
	FTP_COMMAS,   /* 192,0,2,1,4,1: PORT, 227 */
	FTP_EXTENDED, /* |1|192.0.2.1|1025|: EPRT */
	FTP_PORT_ONLY /* |||1025|: 229; the address is the connection's */
};

struct ftp_endpoint {
	uint32_t at, size; /* its place in the payload */
	enum ftp_form form;
	char delimiter; /* of the extended forms */
	struct alg_address address;
	uint16_t port;
};

/* The next one from *at on, which it steps behind; `server`: the payload is a server's. */
bool ftp_next(const void *payload, size_t size, uint32_t *at, bool server, struct ftp_endpoint *);
/* How an endpoint is written in its form; the number of bytes, at most ALG_EDIT_MAX. */
unsigned ftp_write(const struct ftp_endpoint *, char out[ALG_EDIT_MAX]);

#endif

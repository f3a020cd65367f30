/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FTP (RFC 959, RFC 2428). In active mode the client says where it listens and the server connects to it,
 * in passive mode it is the other way round. Where who says it is inside, that end gets a mapping for the
 * other one, who is told of its outside. Otherwise there is nothing to do.
 *
 * Only one's own address is translated: a command that names another one asks the server to
 * connect to somebody else (RFC 2577, 3), and goes on as it is.
 */
#include <string.h>

#include "kit/packet/wire.h"
#include "nf/nat/alg.h"
#include "nf/nat/alg/ftp.h"

static bool
look(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits)
{
	const struct nat_talk_ends *ends = nat_talk_ends(talk);
	char text[ALG_EDIT_MAX];
	struct ftp_endpoint e;
	uint32_t at = 0;

	while (ends->outward && ftp_next(payload, len, &at, ends->server, &e)) {
		struct nat_talk_outside outside;

		if (e.form != FTP_PORT_ONLY && !alg_address_equal(&e.address, 4, &ends->inside))
			continue;
		if (!nat_talk_expect(talk, MR_IP_PROTO_TCP, ends->inside, mr_be16(e.port), 1,
			ends->remote, &outside))
			return false;
		memcpy(e.address.bytes, &outside.address, 4);
		e.port = mr_be16(outside.port);
		if (!alg_edit(edits, e.at, e.size, text, ftp_write(&e, text)))
			return false;
	}
	return true;
}

const struct nat_alg nat_alg_ftp = {
	.name = "ftp",
	.doc = "data connections of FTP to the inside: to clients in active mode, to servers in "
	       "passive mode",
	.protocol = MR_IP_PROTO_TCP,
	.port = 21,
	.look = look,
};

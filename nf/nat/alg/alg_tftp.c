/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TFTP (RFC 1350): the server answers a request from another port than the one that was asked, which a
 * filter that looks at ports would not let in.
 */
#include "kit/packet/wire.h"
#include "nf/nat/alg.h"

enum { TFTP_READ = 1, TFTP_WRITE = 2 };

static bool
look(struct nat_talk *talk, const uint8_t *payload, unsigned len, struct alg_edits *edits)
{
	const struct nat_talk_ends *ends = nat_talk_ends(talk);
	struct nat_talk_outside outside;

	(void)edits;
	if (!ends->outward || ends->server || len < 4 || payload[0] ||
	    (payload[1] != TFTP_READ && payload[1] != TFTP_WRITE))
		return true;
	return nat_talk_expect(talk, MR_IP_PROTO_UDP, ends->inside, ends->inside_port, 1,
	    ends->remote, &outside);
}

const struct nat_alg nat_alg_tftp = {
	.name = "tftp",
	.doc = "answers of TFTP, which come from another port",
	.protocol = MR_IP_PROTO_UDP,
	.port = 69,
	.look = look,
};

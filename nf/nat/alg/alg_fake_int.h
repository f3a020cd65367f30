/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_ALG_ALG_FAKE_INT_H
#define MR_NF_NAT_ALG_ALG_FAKE_INT_H

/* A session for ALGs alone, without a translator: inside 10.0.0.2, outside 192.0.2.1, remote
 * 198.51.100.9. What is expected gets a port 10,000 higher, and is remembered. */

#include "nf/nat/alg.h"

#define FAKE_EXPECTED_MAX 16u

struct fake_expected {
	uint8_t protocol;
	be32_t inside, remote;
	uint16_t port;
	unsigned count;
};

struct nat_talk {
	struct nat_talk_ends ends;
	bool refuse;
	unsigned count;
	struct fake_expected expected[FAKE_EXPECTED_MAX]; /* the first of them */
};

extern const struct nat_alg nat_alg_ftp, nat_alg_sip, nat_alg_sip_tcp, nat_alg_tftp;

void fake_talk(struct nat_talk *, bool outward, uint16_t inside_port, uint16_t outside_port);
uint16_t fake_outside(uint16_t port);
/* What becomes of a payload: 0 when it is refused. */
size_t fake_look(struct nat_talk *, const struct nat_alg *, const void *payload, size_t size,
    void *out, size_t room);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_PCP_PCP_TEST_INT_H
#define MR_NF_NAT_PCP_PCP_TEST_INT_H

/* For tests: requests of inside hosts to the bed's translator (nat_test_int.h), and what they are told. */

#include "nf/nat/nat_test_int.h"
#include "nf/nat/pcp/message.h"

#define ROUTER A(10, 0, 0, 1)
#define CONF "pool: [203.0.113.8], hold-syn: 0, pcp: {enabled: true}"

struct asked {
	uint32_t host;
	uint8_t proto, nonce;
	uint16_t inside, outside;
	uint32_t lifetime;
	bool only_this;
};

struct told {
	uint8_t result;
	uint32_t lifetime, epoch, address;
	uint16_t port;
};

void put_address(uint8_t *at, uint32_t address);
/* These bytes of a host to an address's PCP port; where the node leads them. */
enum outcome message(struct bed *, uint32_t from, uint32_t to, const uint8_t *bytes, unsigned len);
/* What came back to the host. */
const uint8_t *answer_to(const struct bed *, uint32_t host, unsigned *len);
/* MAP. */
struct told map(struct bed *, const struct asked *);
/* Inside 8080, outside 9000, for an hour. */
struct asked some(uint8_t proto);
enum outcome from_outside(struct bed *, const struct told *, uint8_t proto, uint32_t remote);
uint32_t mappings(const struct bed *);
uint64_t ports_used(const struct bed *, enum nat_proto);

#endif

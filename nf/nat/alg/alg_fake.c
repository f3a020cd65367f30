/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/alg/alg_fake_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

void
fake_talk(struct nat_talk *talk, bool outward, uint16_t inside_port, uint16_t outside_port)
{
	*talk = (struct nat_talk){
		.ends = {
			.outward = outward,
			.inside = inet_addr("10.0.0.2"),
			.outside = inet_addr("192.0.2.1"),
			.remote = inet_addr("198.51.100.9"),
			.inside_port = mr_be16(inside_port),
			.outside_port = mr_be16(outside_port),
		},
	};
}

const struct nat_talk_ends *
nat_talk_ends(const struct nat_talk *talk)
{
	return &talk->ends;
}

uint16_t
fake_outside(uint16_t port)
{
	return (uint16_t)(port + 10000u) ? (uint16_t)(port + 10000u) : 1;
}

bool
nat_talk_expect(struct nat_talk *talk, uint8_t protocol, be32_t inside, be16_t port, unsigned count,
    be32_t remote, struct nat_talk_outside *outside)
{
	if (talk->refuse || !port)
		return false;
	if (talk->count < FAKE_EXPECTED_MAX)
		talk->expected[talk->count] =
		    (struct fake_expected){ protocol, inside, remote, mr_be16(port), count };
	talk->count++;
	outside->address = talk->ends.outside;
	outside->port = mr_be16(fake_outside(mr_be16(port)));
	return true;
}

size_t
fake_look(struct nat_talk *talk, const struct nat_alg *alg, const void *payload, size_t size,
    void *out, size_t room)
{
	struct alg_edits edits = { .count = 0 };
	uint8_t *copy = malloc(size + !size);
	size_t got = 0;

	if (!copy)
		return 0;
	memcpy(copy, payload, size);
	if (alg->look(talk, copy, (unsigned)size, &edits))
		got = alg_edits_apply(&edits, copy, size, out, room);
	free(copy);
	return got;
}

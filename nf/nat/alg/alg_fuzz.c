/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary payloads through each ALG, out and in; the first byte says which. What comes out can be read
 * as well as what went in, and says nothing of the inside.
 */
#include <stdlib.h>
#include <string.h>

#include "kit/packet/wire.h"
#include "nf/nat/alg/alg_fake_int.h"
#include "nf/nat/alg/ftp.h"
#include "nf/nat/alg/sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check_sip(const struct nat_talk *talk, const uint8_t *in, size_t in_size, const uint8_t *out,
    size_t size, bool stream)
{
	struct sip_message before, after;

	if (sip_read(in, in_size, stream, &before))
		return;
	must(sip_read(out, size, stream, &after) == 0);
	must(after.count == before.count && after.request == before.request);
	for (unsigned i = 0; i < after.count; i++) {
		const struct sip_item *item = &after.items[i];

		must(item->place == before.items[i].place);
		/* Port 0 is none: nobody listens there. */
		must(!talk->ends.outward || !item->size || (item->port_size && !item->port) ||
		    !alg_address_equal(&item->address, 4, &talk->ends.inside));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nat_alg *const algs[] = { &nat_alg_ftp, &nat_alg_sip, &nat_alg_sip_tcp,
		&nat_alg_tftp };
	const struct nat_alg *alg;
	struct nat_talk talk;
	uint8_t *out;
	size_t got;

	if (size < 2 || size > 16384)
		return 0;
	alg = algs[data[0] % MR_ARRAY_COUNT(algs)];
	fake_talk(&talk, data[0] & 0x40, 5060, data[0] & 0x20 ? 5060 : 6000);
	data++;
	size--;
	out = malloc(size + 4096);
	must(out != NULL);
	got = fake_look(&talk, alg, data, size, out, size + 4096);
	if (got && alg->port == 5060)
		check_sip(&talk, data, size, out, got, alg->protocol == MR_IP_PROTO_TCP);
	must(talk.ends.outward || !talk.count);
	free(out);
	return 0;
}

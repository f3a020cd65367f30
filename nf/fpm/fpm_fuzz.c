/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as an FPM stream: the first byte says in what pieces they come, the rest goes
 * through the reassembly into an import whose RIB only remembers.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/fpm/stream.h"
#include "nf/rtnl/fake_rib_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static uint16_t
interface_of(void *user, uint32_t ifindex)
{
	(void)user;
	return ifindex % 5 ? (uint16_t)(ifindex % 5) : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_fpm_stream stream;
	const struct mr_import_config config = {
		.source = MR_ROUTE_FPM,
		.interface = interface_of,
		.single = true,
		.orphans = true,
		.routes_max = 1000,
	};
	enum mr_fpm_fault fault = MR_FPM_FAULT_NONE;
	struct mr_fpm_counts counts = { 0 };
	struct mr_import_stats stats;
	size_t piece = size ? 1 + *data * 16u : 1;
	const uint8_t *messages;
	struct mr_import *im;
	size_t length;

	must(mr_import_create(&im, &config, NULL) == 0);
	mr_fpm_stream_reset(&stream);
	/* Recorded streams have their version there, which is a piece size as good as any. */
	while (size && !fault) {
		size_t room, n = MR_MIN(piece, size);
		uint8_t *to = mr_fpm_stream_room(&stream, &room);

		must(room > 0);
		n = MR_MIN(n, room);
		memcpy(to, data, n);
		mr_fpm_stream_filled(&stream, n);
		data += n;
		size -= n;
		while (!fault && mr_fpm_stream_next(&stream, &messages, &length, &fault))
			fault = mr_fpm_frame(im, 254, messages, length, &counts);
	}
	mr_import_mark(im);
	mr_import_sweep(im);
	mr_import_stats(im, &stats);
	must(stats.imported == fake_rib.routes);
	while (mr_import_work(im, 7))
		;
	must(fake_rib.routes == 0);
	mr_import_destroy(im);
	return 0;
}

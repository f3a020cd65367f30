/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/neighbor/neighbor_fuzz_int.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_bed bed;

	return fuzz_one(&bed, &neighbor_nd_class, data, size);
}

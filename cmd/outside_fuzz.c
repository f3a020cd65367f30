/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/outside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	struct outside o;

	if (!file)
		return 0;
	if (outside_read(&o, file, 0, NULL) == 0) {
		for (size_t i = 0; i < o.count; i++)
			if (!outside_find(&o, o.routes[i].family, o.routes[i].prefix,
				o.routes[i].len))
				__builtin_trap();
		outside_free(&o);
	}
	fclose(file);
	return 0;
}

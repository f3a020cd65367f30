/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

/* The benchmarks of the kit alone, where the millrace command is not built. */
int
main(int argc, char **argv)
{
	return mr_bench_main(argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bench/bench.h"
#include "cmd/cmd.h"

/* bench has words of its own (rows) and parses them itself. */
static int
bench_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	(void)cmd;
	return mr_bench_main(argc, argv);
}

const struct mr_cmd mr_cmd_bench = {
	.name = "bench",
	.summary = "measure this build beside its peers, in one run",
	.usage = "--list | ROW... [--peer NAME|none] [--seconds S] [--json]",
	.help =
	    "Rows are jobs (forward, bridge-64k, ring-spsc-same ...). Ours, the bare loop for the\n"
	    "job and the peer take turns in short windows on one pinned core; minimum, median and\n"
	    "maximum are shown, and ratios of medians. A row that cannot run says why.\n"
	    "\n"
	    "  millrace bench --list\n"
	    "  millrace bench forward bridge-64k --seconds 5",
	.run = bench_run,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Time stands still unless the test says otherwise, and what is drawn at random is the same for
 * everybody: two data planes must come to the same decisions. The link has these functions go
 * through here. Cycles cannot be held, but are said to be so long that whatever is limited by them
 * is as good as new with every pass.
 */
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kit/base/cpu.h"
#include "nf/lanes/lanes_bed_int.h"

int __wrap_clock_gettime(clockid_t, struct timespec *);
ssize_t __wrap_getrandom(void *, size_t, unsigned);
uint64_t __wrap_mr_cpu_tsc_hz(void);

static uint64_t now_ms = 100000;

void
bed_time_pass(uint64_t ms)
{
	now_ms += ms;
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE && clock != CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, clock, ts);
	ts->tv_sec = (time_t)(now_ms / 1000);
	ts->tv_nsec = (long)(now_ms % 1000 * 1000000);
	return 0;
}

ssize_t
__wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
	uint64_t state = 0x9e3779b97f4a7c15ull;
	uint8_t *out = buffer;

	(void)flags;
	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		out[i] = (uint8_t)(state >> 32);
	}
	return (ssize_t)size;
}

uint64_t
__wrap_mr_cpu_tsc_hz(void)
{
	return 2000;
}

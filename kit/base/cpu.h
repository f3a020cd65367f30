/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_CPU_H
#define MR_KIT_BASE_CPU_H

/*
 * The processors: which ones we may use, how they are related, lists of them as
 * people write them, pinning, the rate of the cycle counter, what instructions
 * there are. Everything is asked of the machine at the call; nothing is kept.
 *
 * Ownership: all results are the caller's values.
 * Threads: any; pinning concerns the calling thread.
 * Errors: those with a reason take a struct mr_error.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_CPU_MAX 4096

struct mr_cpu_set {
	uint64_t bits[MR_CPU_MAX / 64];
};

mr_inline void
mr_cpu_set_add(struct mr_cpu_set *set, unsigned cpu)
{
	set->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

mr_inline void
mr_cpu_set_remove(struct mr_cpu_set *set, unsigned cpu)
{
	set->bits[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
}

mr_inline bool
mr_cpu_set_has(const struct mr_cpu_set *set, unsigned cpu)
{
	return cpu < MR_CPU_MAX && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

MR_API unsigned mr_cpu_set_count(const struct mr_cpu_set *);

/* The first CPU of the set that is `from` or above; -1 when there is none. */
MR_API int mr_cpu_set_next(const struct mr_cpu_set *, unsigned from);

#define mr_cpu_set_foreach(cpu, set) \
	for (int cpu = mr_cpu_set_next(set, 0); cpu >= 0; \
	     cpu = mr_cpu_set_next(set, (unsigned)cpu + 1))

/* "0,2-5": numbers and ascending ranges, separated by commas; blanks around them
 * and a final newline are fine. An empty text is an empty set. */
MR_API int mr_cpu_set_parse(struct mr_cpu_set *, const char *text, struct mr_error *);

/* The same form. Writes at most `size` bytes, always zero-terminated; returns the length
 * that the whole text has, like snprintf. */
MR_API size_t mr_cpu_set_print(const struct mr_cpu_set *, char *text, size_t size);

/* The CPUs that the calling thread may run on (affinity, cgroup cpusets). */
MR_API int mr_cpu_allowed(struct mr_cpu_set *, struct mr_error *);

/* Keeps the calling thread on these CPUs. */
MR_API int mr_cpu_pin(unsigned cpu, struct mr_error *);
MR_API int mr_cpu_pin_set(const struct mr_cpu_set *, struct mr_error *);

/* Where a CPU sits; -1 for what the machine does not tell. */
struct mr_cpu_place {
	int core; /* number within the socket */
	int socket;
	int node;                   /* NUMA */
	struct mr_cpu_set siblings; /* hardware threads of the same core, itself included */
};

MR_API int mr_cpu_place(struct mr_cpu_place *, unsigned cpu, struct mr_error *);
/* The same, read from another tree than /sys/devices/system (for tests). */
MR_API int mr_cpu_place_at(struct mr_cpu_place *, const char *sysfs, unsigned cpu,
    struct mr_error *);

/* Ticks of mr_cycles() per second: from the machine where it tells, else measured
 * against CLOCK_MONOTONIC_RAW, which takes about 2 ms. Keep the value. */
MR_API uint64_t mr_cpu_tsc_hz(void);

/* Instructions beyond the baseline that this machine has and its kernel supports. */
struct mr_cpu_features {
	bool avx2, avx512; /* avx512: F, BW, DQ, VL, CD together */
	bool aes, pclmul;  /* on 128-bit registers (x86, arm64) */
	bool vaes, vpclmul;
	bool crc32; /* CRC-32C */
	bool neon, sve;
	bool tsc_invariant; /* mr_cycles() runs at a constant rate through sleep states */
};

MR_API void mr_cpu_features(struct mr_cpu_features *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/cpu.h"

#include <errno.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

unsigned
mr_cpu_set_count(const struct mr_cpu_set *set)
{
	unsigned i, count = 0;

	for (i = 0; i < MR_ARRAY_COUNT(set->bits); i++)
		count += (unsigned)__builtin_popcountll(set->bits[i]);
	return count;
}

int
mr_cpu_set_next(const struct mr_cpu_set *set, unsigned from)
{
	unsigned word = from / 64;
	uint64_t bits;

	if (from >= MR_CPU_MAX)
		return -1;
	bits = set->bits[word] & ~UINT64_C(0) << (from % 64);
	while (!bits) {
		if (++word == MR_ARRAY_COUNT(set->bits))
			return -1;
		bits = set->bits[word];
	}
	return (int)(word * 64 + (unsigned)__builtin_ctzll(bits));
}

static const char *
skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\n')
		s++;
	return s;
}

/* One number below MR_CPU_MAX; null when there is none. */
static const char *
parse_cpu(const char *s, unsigned *cpu)
{
	s = skip_blanks(s);
	if (*s < '0' || *s > '9')
		return NULL;
	for (*cpu = 0; *s >= '0' && *s <= '9'; s++) {
		*cpu = *cpu * 10 + (unsigned)(*s - '0');
		if (*cpu >= MR_CPU_MAX)
			return NULL;
	}
	return skip_blanks(s);
}

int
mr_cpu_set_parse(struct mr_cpu_set *set, const char *text, struct mr_error *error)
{
	const char *s = skip_blanks(text);
	unsigned first, last;

	memset(set, 0, sizeof(*set));
	if (!*s)
		return 0;
	for (;;) {
		s = parse_cpu(s, &first);
		last = first;
		if (s && *s == '-')
			s = parse_cpu(s + 1, &last);
		if (!s || first > last || (*s && *s != ','))
			return mr_error_set(error, -EINVAL,
			    "CPU list \"%.100s\": wanted numbers below %u and ranges, like 0,2-5",
			    text, MR_CPU_MAX);
		for (; first <= last; first++)
			mr_cpu_set_add(set, first);
		if (!*s)
			return 0;
		s++;
	}
}

size_t
mr_cpu_set_print(const struct mr_cpu_set *set, char *text, size_t size)
{
	size_t used = 0;
	int first, last;
	char part[32];
	int n;

	if (size)
		text[0] = 0;
	for (first = mr_cpu_set_next(set, 0); first >= 0;
	     first = mr_cpu_set_next(set, (unsigned)last + 1)) {
		for (last = first; mr_cpu_set_has(set, (unsigned)last + 1); last++)
			;
		n = snprintf(part, sizeof(part), last > first ? "%s%d-%d" : "%s%d", used ? "," : "",
		    first, last);
		if (used < size)
			snprintf(text + used, size - used, "%s", part);
		used += (size_t)n;
	}
	return used;
}

int
mr_cpu_allowed(struct mr_cpu_set *set, struct mr_error *error)
{
	/* The kernel's mask has the layout of ours: an array of longs, bit 0 first. */
	memset(set, 0, sizeof(*set));
	if (sched_getaffinity(0, sizeof(set->bits), (cpu_set_t *)set->bits) < 0)
		return mr_error_set(error, -errno, "CPUs allowed: %s", strerror(errno));
	return 0;
}

int
mr_cpu_pin_set(const struct mr_cpu_set *set, struct mr_error *error)
{
	char text[128];

	if (sched_setaffinity(0, sizeof(set->bits), (const cpu_set_t *)set->bits) == 0)
		return 0;
	mr_cpu_set_print(set, text, sizeof(text));
	return mr_error_set(error, -errno, "pin to CPU %s: %s", text,
	    errno == EINVAL ? "not there, offline, or not allowed for this process"
			    : strerror(errno));
}

int
mr_cpu_pin(unsigned cpu, struct mr_error *error)
{
	struct mr_cpu_set set = { 0 };

	if (cpu >= MR_CPU_MAX)
		return mr_error_set(error, -EINVAL, "pin to CPU %u: the highest is %u", cpu,
		    MR_CPU_MAX - 1);
	mr_cpu_set_add(&set, cpu);
	return mr_cpu_pin_set(&set, error);
}

/* The first line of SYSFS/cpu/cpuN/topology/NAME. */
static bool
read_topology(const char *sysfs, unsigned cpu, const char *name, char *text, size_t size)
{
	char path[256];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu/cpu%u/topology/%s", sysfs, cpu, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(text, (int)size, f) != NULL;
	fclose(f);
	return ok;
}

static int
read_topology_int(const char *sysfs, unsigned cpu, const char *name)
{
	char text[32];

	return read_topology(sysfs, cpu, name, text, sizeof(text)) ? atoi(text) : -1;
}

/* A CPU's directory holds a link "nodeN" to its NUMA node. */
static int
read_node(const char *sysfs, unsigned cpu)
{
	char path[256];
	struct dirent *entry;
	int node = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/cpu/cpu%u", sysfs, cpu);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (node < 0 && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "node%d", &node) != 1)
			node = -1;
	closedir(dir);
	return node;
}

int
mr_cpu_place_at(struct mr_cpu_place *place, const char *sysfs, unsigned cpu, struct mr_error *error)
{
	char path[256], text[4096];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/cpu/cpu%u", sysfs, cpu);
	dir = cpu < MR_CPU_MAX ? opendir(path) : NULL;
	if (!dir)
		return mr_error_set(error, -ENOENT, "CPU %u: there is no %s", cpu, path);
	closedir(dir);
	place->core = read_topology_int(sysfs, cpu, "core_id");
	place->socket = read_topology_int(sysfs, cpu, "physical_package_id");
	place->node = read_node(sysfs, cpu);
	if (!read_topology(sysfs, cpu, "thread_siblings_list", text, sizeof(text)) ||
	    mr_cpu_set_parse(&place->siblings, text, NULL) < 0)
		memset(&place->siblings, 0, sizeof(place->siblings));
	mr_cpu_set_add(&place->siblings, cpu);
	return 0;
}

int
mr_cpu_place(struct mr_cpu_place *place, unsigned cpu, struct mr_error *error)
{
	return mr_cpu_place_at(place, "/sys/devices/system", cpu, error);
}

#if defined(__x86_64__)
/* Intel leaf 15H: TSC = crystal * ebx / eax, where the crystal is told. */
static uint64_t
told_tsc_hz(void)
{
	unsigned eax, ebx, ecx, edx;

	if (!__get_cpuid(0x15, &eax, &ebx, &ecx, &edx) || !eax || !ebx || !ecx)
		return 0;
	return (uint64_t)ecx * ebx / eax;
}
#elif defined(__aarch64__)
static uint64_t
told_tsc_hz(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}
#endif

/* One moment on both clocks: of some tries, the one least disturbed. */
static void
read_clocks(uint64_t *cycles, uint64_t *ns)
{
	uint64_t before, after, best = UINT64_MAX;
	struct timespec t;
	int i;

	*cycles = *ns = 0;
	for (i = 0; i < 8; i++) {
		before = mr_cycles();
		clock_gettime(CLOCK_MONOTONIC_RAW, &t);
		after = mr_cycles();
		if (after - before < best) {
			best = after - before;
			*cycles = before + best / 2;
			*ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
		}
	}
}

uint64_t
mr_cpu_tsc_hz(void)
{
	const struct timespec nap = { 0, 2000000 };
	uint64_t c0, c1, n0, n1, hz;

	hz = told_tsc_hz();
	if (hz)
		return hz;
	read_clocks(&c0, &n0);
	nanosleep(&nap, NULL);
	read_clocks(&c1, &n1);
	/* Some 30 ppm are left after 2 ms: round to 100 kHz, as the value is not better. Every
	 * start of a program waits for this, a few times. */
	hz = (uint64_t)((__uint128_t)(c1 - c0) * 1000000000u / (n1 - n0));
	return (hz + 50000) / 100000 * 100000;
}

#if defined(__x86_64__)
/* The state components that the kernel saves, or 0 without XSAVE. */
static uint64_t
enabled_state(unsigned leaf1_ecx)
{
	uint32_t eax, edx;

	if (!(leaf1_ecx & bit_OSXSAVE))
		return 0;
	__asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (uint64_t)edx << 32 | eax;
}

void
mr_cpu_features(struct mr_cpu_features *f)
{
	const unsigned avx512 =
	    bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD;
	unsigned eax, ebx, ecx, edx, leaf1_ecx;
	uint64_t state;

	memset(f, 0, sizeof(*f));
	if (!__get_cpuid(1, &eax, &ebx, &leaf1_ecx, &edx))
		return;
	state = enabled_state(leaf1_ecx);
	f->aes = leaf1_ecx & bit_AES;
	f->pclmul = leaf1_ecx & bit_PCLMUL;
	f->crc32 = leaf1_ecx & bit_SSE4_2;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (state & 0x6) == 0x6) {
		f->avx2 = ebx & bit_AVX2;
		f->avx512 = (state & 0xe6) == 0xe6 && (ebx & avx512) == avx512;
		f->vaes = ecx & bit_VAES;
		f->vpclmul = ecx & bit_VPCLMULQDQ;
	}
	if (__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx))
		f->tsc_invariant = edx & 1u << 8;
}
#elif defined(__aarch64__)
void
mr_cpu_features(struct mr_cpu_features *f)
{
	unsigned long caps = getauxval(AT_HWCAP);

	memset(f, 0, sizeof(*f));
	f->neon = caps & HWCAP_ASIMD;
	f->aes = caps & HWCAP_AES;
	f->pclmul = caps & HWCAP_PMULL;
	f->crc32 = caps & HWCAP_CRC32;
	f->sve = caps & HWCAP_SVE;
	f->tsc_invariant = true; /* the generic timer is, by definition */
}
#endif

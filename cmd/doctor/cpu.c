/* SPDX-License-Identifier: Apache-2.0 */

/* The workers' CPUs: there, fast, alone. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"

#define AREA "cpu"

static bool
read_set(struct doctor *d, struct mr_cpu_set *set, const char *path)
{
	char line[512];

	memset(set, 0, sizeof(*set));
	return doctor_line(d, line, sizeof(line), "%s", path) &&
	    mr_cpu_set_parse(set, line, NULL) == 0;
}

static void
check_instructions(struct doctor *d)
{
	char flags[4096], *text = doctor_read(d, "/proc/cpuinfo");
	struct finding *f;

	/* Another architecture has no such line. */
	if (text && text_field(text, "flags", flags, sizeof(flags))) {
		if (!text_has_word(flags, "sse4_2") || !text_has_word(flags, "popcnt")) {
			f = doctor_say(d, DOCTOR_ERROR, AREA,
			    "the CPU is not x86-64-v2 (SSE4.2, POPCNT)");
			doctor_why(f, "The program's instructions are not all there");
		}
		if (!text_has_word(flags, "constant_tsc") || !text_has_word(flags, "nonstop_tsc")) {
			f = doctor_say(d, DOCTOR_NOTE, AREA,
			    "the time-stamp counter may change its rate");
			doctor_why(f, "Cycles per packet in show and top are then not exact");
		}
		if (text_has_word(flags, "hypervisor"))
			doctor_say(d, DOCTOR_OK, AREA, "this is a virtual machine");
	}
	free(text);
}

static void
check_there(struct doctor *d)
{
	struct mr_cpu_set online, allowed;
	char *status = doctor_read(d, "/proc/%s/status", d->pid), line[512];
	bool know_online = read_set(d, &online, "/sys/devices/system/cpu/online");
	bool know_allowed = status && text_field(status, "Cpus_allowed_list", line, sizeof(line)) &&
	    mr_cpu_set_parse(&allowed, line, NULL) == 0;
	struct finding *f;
	unsigned bad = 0;

	free(status);
	mr_cpu_set_foreach(cpu, &d->workers)
	{
		bool off = know_online && !mr_cpu_set_has(&online, (unsigned)cpu);

		if (!off && (!know_allowed || mr_cpu_set_has(&allowed, (unsigned)cpu)))
			continue;
		bad++;
		f = doctor_say(d, DOCTOR_ERROR, AREA,
		    off ? "worker CPU %d is not there"
			: "worker CPU %d is not open to this process",
		    cpu);
		doctor_why(f, "The worker cannot be pinned and millrace does not start");
		doctor_fix(f, "# set system/workers in %s to CPUs of %s",
		    d->file ? d->file : "the configuration", know_allowed ? line : "this machine");
	}
	if (!bad && d->chosen)
		doctor_say(d, DOCTOR_OK, AREA, "all %u worker CPUs are there",
		    mr_cpu_set_count(&d->workers));
	if (know_online && mr_cpu_set_count(&online) > 1 &&
	    mr_cpu_set_count(&d->workers) >= mr_cpu_set_count(&online)) {
		f = doctor_say(d, DOCTOR_WARNING, AREA, "every CPU has a worker");
		doctor_why(f,
		    "The control thread, interrupts and everything else share with them; leave one "
		    "out");
	}
}

static void
check_governor(struct doctor *d)
{
	struct mr_cpu_set slow = { 0 };
	char governor[32], last[32] = "", list[256];
	struct finding *f;

	mr_cpu_set_foreach(cpu, &d->workers)
	{
		if (!doctor_line(d, governor, sizeof(governor),
			"/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", cpu) ||
		    strcmp(governor, "performance") == 0)
			continue;
		mr_cpu_set_add(&slow, (unsigned)cpu);
		memcpy(last, governor, sizeof(last));
	}
	if (!*last)
		return;
	mr_cpu_set_print(&slow, list, sizeof(list));
	f = doctor_say(d, DOCTOR_WARNING, AREA, "worker CPUs %s are governed by %s", list, last);
	doctor_why(f, "An adaptive worker sleeps between bursts, and wakes up at a low clock rate");
	doctor_fix(f, "cpupower -c %s frequency-set -g performance", list);
}

/* Two workers on one core's threads. */
static void
check_siblings(struct doctor *d)
{
	mr_cpu_set_foreach(cpu, &d->workers)
	{
		struct mr_cpu_set siblings;
		char path[96];
		struct finding *f;

		snprintf(path, sizeof(path),
		    "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
		if (!read_set(d, &siblings, path))
			continue;
		mr_cpu_set_foreach(other, &siblings)
		{
			if (other <= cpu || !mr_cpu_set_has(&d->workers, (unsigned)other))
				continue;
			f = doctor_say(d, DOCTOR_WARNING, AREA,
			    "worker CPUs %d and %d are threads of one core", cpu, other);
			doctor_why(f,
			    "They share its caches and units: together they do about 1.2 "
			    "times what one does");
			doctor_fix(f, "# leave one of them out of system/workers in %s",
			    d->file ? d->file : "the configuration");
		}
	}
}

static void
check_isolation(struct doctor *d)
{
	struct mr_cpu_set isolated, nohz;
	char list[256];
	struct finding *f;
	unsigned disturbed = 0;

	if (!d->chosen || !read_set(d, &isolated, "/sys/devices/system/cpu/isolated"))
		return;
	read_set(d, &nohz, "/sys/devices/system/cpu/nohz_full");
	mr_cpu_set_foreach(cpu, &d->workers) disturbed += !mr_cpu_set_has(&isolated, (unsigned)cpu);
	mr_cpu_set_print(&d->workers, list, sizeof(list));
	if (disturbed) {
		f = doctor_say(d, DOCTOR_NOTE, AREA, "%u of %u worker CPUs are not isolated",
		    disturbed, mr_cpu_set_count(&d->workers));
		doctor_why(f,
		    "Other programs run there too, and each takes milliseconds when it does");
		doctor_fix(f,
		    "# add isolcpus=%s nohz_full=%s rcu_nocbs=%s to GRUB_CMDLINE_LINUX in "
		    "/etc/default/grub, then\nupdate-grub && reboot",
		    list, list, list);
		return;
	}
	doctor_say(d, DOCTOR_OK, AREA, "the workers' CPUs are isolated");
	disturbed = 0;
	mr_cpu_set_foreach(cpu, &d->workers) disturbed += !mr_cpu_set_has(&nohz, (unsigned)cpu);
	if (disturbed) {
		f = doctor_say(d, DOCTOR_NOTE, AREA, "%u worker CPUs have the timer tick",
		    disturbed);
		doctor_why(f, "It interrupts the worker up to a thousand times a second");
		doctor_fix(f,
		    "# add nohz_full=%s to GRUB_CMDLINE_LINUX in /etc/default/grub, then "
		    "update-grub and reboot",
		    list);
	}
}

static void
check_steal(struct doctor *d)
{
	char *text = doctor_read(d, "/proc/stat");

	mr_cpu_set_foreach(cpu, &d->workers)
	{
		uint64_t all = 0, stolen = 0;
		struct finding *f;

		if (!text || !text_cpu_time(text, (unsigned)cpu, &all, &stolen) || all < 6000 ||
		    stolen * 100 < all)
			continue;
		f = doctor_say(d, DOCTOR_WARNING, AREA,
		    "the hypervisor took %.1f %% of worker CPU %d's time since the start",
		    (double)stolen * 100 / (double)all, cpu);
		doctor_why(f,
		    "Packets wait, and are lost when rings are full, while the CPU is elsewhere");
		doctor_fix(f, "# on the host: pin this virtual CPU (virsh vcpupin), or share less");
	}
	free(text);
}

void
doctor_check_cpu(struct doctor *d)
{
	check_instructions(d);
	check_there(d);
	check_governor(d);
	check_siblings(d);
	check_isolation(d);
	check_steal(d);
}

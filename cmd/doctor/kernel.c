/* SPDX-License-Identifier: Apache-2.0 */

/* The kernel: its version, what it was built with, its clock. */

#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"

#define AREA "kernel"

static const struct feature {
	const char *config;
	enum doctor_level level; /* when it is missing */
	const char *for_what;
	const char *why;
} features[] = {
	{ "CONFIG_XDP_SOCKETS", DOCTOR_ERROR, "AF_XDP",
	    "Driver xdp, the default for kernel interfaces, moves packets through AF_XDP sockets" },
	{ "CONFIG_BPF_SYSCALL", DOCTOR_ERROR, "BPF", "Driver xdp steers packets by a BPF program" },
	{ "CONFIG_BPF_JIT", DOCTOR_WARNING, "the BPF compiler",
	    "Without it the steering program is interpreted for each packet" },
	{ "CONFIG_DEBUG_INFO_BTF", DOCTOR_NOTE, "BTF",
	    "Offload and what a kernel can do beyond its version are found through its types" },
	{ "CONFIG_PACKET", DOCTOR_WARNING, "packet sockets", "Driver packet opens them" },
	{ "CONFIG_TUN", DOCTOR_WARNING, "TUN/TAP",
	    "Driver tap and a router's host side make TAP interfaces" },
	{ "CONFIG_MEMFD_CREATE", DOCTOR_ERROR, "memfd", "Packet memory comes from a memfd" },
	{ "CONFIG_HUGETLBFS", DOCTOR_NOTE, "hugepages",
	    "Packet memory on 4 KB pages costs misses of the TLB" },
	{ "CONFIG_TRANSPARENT_HUGEPAGE", DOCTOR_NOTE, "transparent hugepages",
	    "They stand in where no hugepages are reserved" },
};

static void
check_version(struct doctor *d, char *release, size_t size)
{
	struct finding *f;
	unsigned version = 0;

	if (!doctor_line(d, release, size, "/proc/sys/kernel/osrelease") ||
	    !text_version(release, &version)) {
		doctor_say(d, DOCTOR_NOTE, AREA, "the kernel does not tell its version");
		release[0] = '\0';
		return;
	}
	if (version >= 5011) {
		doctor_say(d, DOCTOR_OK, AREA, "Linux %s", release);
		return;
	}
	f = doctor_say(d, version < 5004 ? DOCTOR_ERROR : DOCTOR_WARNING, AREA, "Linux %s is old",
	    release);
	doctor_why(f,
	    version < 5004
		? "AF_XDP without need-wakeup (before 5.4) is not supported"
		: "Before 5.11 AF_XDP has no busy polling, before 5.9 programs stay behind when "
		  "the process is killed");
	doctor_fix(f, "apt install linux-image-amd64 && reboot");
}

/* Without the kernel's own list: what can be seen of it. */
static bool
evident(struct doctor *d, const char *config)
{
	char *text;
	bool there;

	if (strcmp(config, "CONFIG_DEBUG_INFO_BTF") == 0)
		return doctor_exists(d, "/sys/kernel/btf/vmlinux");
	if (strcmp(config, "CONFIG_TUN") == 0)
		return doctor_exists(d, "/dev/net/tun") || doctor_exists(d, "/sys/module/tun");
	if (strcmp(config, "CONFIG_HUGETLBFS") == 0)
		return doctor_exists(d, "/sys/kernel/mm/hugepages");
	if (strcmp(config, "CONFIG_TRANSPARENT_HUGEPAGE") == 0)
		return doctor_exists(d, "/sys/kernel/mm/transparent_hugepage/enabled");
	if (strcmp(config, "CONFIG_BPF_SYSCALL") == 0)
		return doctor_exists(d, "/proc/sys/kernel/unprivileged_bpf_disabled") ||
		    doctor_exists(d, "/sys/kernel/btf/vmlinux");
	if (strcmp(config, "CONFIG_BPF_JIT") == 0)
		return doctor_exists(d, "/proc/sys/net/core/bpf_jit_enable");
	if (strcmp(config, "CONFIG_XDP_SOCKETS") == 0) {
		text = doctor_read(d, "/proc/net/protocols");
		there = !text || strstr(text, "\nXDP ") != NULL;
		free(text);
		return there;
	}
	return true; /* nothing tells */
}

static void
check_features(struct doctor *d, const char *release)
{
	char *config = doctor_read(d, "/boot/config-%s", release);
	unsigned missing = 0;

	if (!config)
		config = doctor_read(d, "/proc/config.gz");
	for (unsigned i = 0; i < MR_ARRAY_COUNT(features); i++) {
		const struct feature *w = &features[i];
		struct finding *f;
		char value[8];
		bool there = config ? text_field(config, w->config, value, sizeof(value))
				    : evident(d, w->config);

		/* A kernel's list may belong to another one that is installed, too. */
		if (there || (config && i == 3 && evident(d, w->config)))
			continue;
		missing++;
		f = doctor_say(d, w->level, AREA, "the kernel has no %s (%s)", w->for_what,
		    w->config);
		doctor_why(f, w->why);
		doctor_fix(f, "apt install linux-image-amd64 && reboot");
	}
	if (!missing)
		doctor_say(d, DOCTOR_OK, AREA, "all features that are used are there%s",
		    config ? "" : ", as far as can be seen without the kernel's configuration");
	free(config);
}

static void
check_clock(struct doctor *d)
{
	static const char folder[] = "/sys/devices/system/clocksource/clocksource0";
	char now[32], all[256] = "";
	struct finding *f;

	if (!doctor_line(d, now, sizeof(now), "%s/current_clocksource", folder))
		return;
	doctor_line(d, all, sizeof(all), "%s/available_clocksource", folder);
	if (strcmp(now, "tsc") == 0 || strcmp(now, "arch_sys_counter") == 0 ||
	    strcmp(now, "kvm-clock") == 0 || strncmp(now, "hyperv", 6) == 0) {
		doctor_say(d, DOCTOR_OK, AREA, "the clock source is %s", now);
		return;
	}
	f = doctor_say(d, DOCTOR_WARNING, AREA, "the clock source is %s", now);
	doctor_why(f,
	    "Reading the time through it is a slow access to a device, and the kernel does it "
	    "for each batch of packets");
	if (text_has_word(all, "tsc"))
		doctor_fix(f, "echo tsc > %s/current_clocksource", folder);
}

static void
check_jit(struct doctor *d)
{
	struct finding *f;

	if (doctor_number(d, 1, "/proc/sys/net/core/bpf_jit_enable") != 0)
		return;
	f = doctor_say(d, DOCTOR_WARNING, AREA, "BPF programs are interpreted");
	doctor_why(f, "The steering program runs for each packet that comes in");
	doctor_fix(f, "sysctl -w net.core.bpf_jit_enable=1");
}

static void
check_bpffs(struct doctor *d)
{
	char *mounts = doctor_read(d, "/proc/%s/mounts", d->pid), type[16] = "";
	struct finding *f;

	if (mounts && text_mount(mounts, "/sys/fs/bpf", type, sizeof(type)) &&
	    strcmp(type, "bpf") == 0) {
		doctor_say(d, DOCTOR_OK, AREA, "/sys/fs/bpf is mounted");
	} else if (mounts) {
		f = doctor_say(d, DOCTOR_NOTE, AREA, "/sys/fs/bpf is not mounted");
		doctor_why(f,
		    "millrace pins nothing, but bpftool and other XDP programs on the "
		    "same interface look there");
		doctor_fix(f, "mount -t bpf bpf /sys/fs/bpf");
	}
	free(mounts);
}

void
doctor_check_kernel(struct doctor *d)
{
	char release[96];

	check_version(d, release, sizeof(release));
	check_features(d, release);
	check_jit(d);
	check_clock(d);
	check_bpffs(d);
}

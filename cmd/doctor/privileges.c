/* SPDX-License-Identifier: Apache-2.0 */

/* Capabilities and limits, of the running millrace or else of who asks. */

#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"

#define AREA "rights"

/* What a configuration needs. */
enum need {
	NEED_KERNEL = 1, /* kernel interfaces */
	NEED_XDP = 2,
	NEED_HOST = 4, /* a router's namespace */
};

static const struct capability {
	unsigned bit;
	const char *name;
	unsigned need;
	enum doctor_level level;
	const char *why;
} capabilities[] = {
	{ 12, "CAP_NET_ADMIN", NEED_KERNEL, DOCTOR_ERROR,
	    "Kernel interfaces are set up and TAPs are made with it" },
	{ 13, "CAP_NET_RAW", NEED_KERNEL, DOCTOR_ERROR,
	    "AF_XDP and packet sockets are opened with it" },
	{ 39, "CAP_BPF", NEED_XDP, DOCTOR_ERROR,
	    "Driver xdp loads its steering program with it (or with CAP_SYS_ADMIN)" },
	{ 38, "CAP_PERFMON", NEED_XDP, DOCTOR_NOTE,
	    "The verifier lets programs that use pointers freely pass with it" },
	{ 21, "CAP_SYS_ADMIN", NEED_HOST, DOCTOR_ERROR,
	    "A router's host side enters its network namespace with it" },
	{ 14, "CAP_IPC_LOCK", NEED_XDP, DOCTOR_NOTE,
	    "Packet memory is locked; without it RLIMIT_MEMLOCK has to allow that" },
};
#define SYS_ADMIN 21
#define BPF 39
#define PERFMON 38
#define IPC_LOCK 14

static unsigned
needs(const struct doctor *d)
{
	const struct mr_conf *root, *entry;
	unsigned need = 0;

	if (!d->config)
		return NEED_KERNEL | NEED_XDP;
	root = mr_conf_root(d->config);
	mr_conf_each(entry, root, "interface") {
		const char *driver = mr_conf_text(entry, "driver", "xdp");

		if (doctor_device(entry) || strcmp(driver, "tap") == 0)
			need |= NEED_KERNEL;
		if (strcmp(driver, "xdp") == 0)
			need |= NEED_XDP;
	}
	mr_conf_each(entry, root, "router")
		if (mr_conf_text(mr_conf_child(entry, "host"), "namespace", NULL))
			need |= NEED_HOST;
	return need;
}

static bool
holds(uint64_t set, unsigned bit)
{
	return (set >> bit & 1) || ((bit == BPF || bit == PERFMON) && (set >> SYS_ADMIN & 1));
}

static void
check_capabilities(struct doctor *d, uint64_t set, unsigned need)
{
	bool running = strcmp(d->pid, "self") != 0;
	unsigned missing = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(capabilities); i++) {
		const struct capability *c = &capabilities[i];
		enum doctor_level level = c->level;
		struct finding *f;

		if (!(c->need & need) || holds(set, c->bit))
			continue;
		missing++;
		/* Who only asks need not be who runs it. */
		if (!running && level == DOCTOR_ERROR)
			level = DOCTOR_WARNING;
		f = doctor_say(d, level, AREA, "%s lacks %s",
		    running ? "the running millrace" : "this user", c->name);
		doctor_why(f, c->why);
		if (running)
			doctor_fix(f,
			    "systemctl edit millrace   # [Service] AmbientCapabilities=%s "
			    "CapabilityBoundingSet=%s",
			    c->name, c->name);
		else
			doctor_fix(f, "sudo millrace run %s", d->file ? d->file : "FILE");
	}
	if (!missing)
		doctor_say(d, DOCTOR_OK, AREA, "%s has the capabilities that are needed",
		    running ? "the running millrace" : "this user");
}

static void
check_limits(struct doctor *d, uint64_t set, unsigned need)
{
	char *limits = doctor_read(d, "/proc/%s/limits", d->pid);
	uint64_t files = UINT64_MAX, locked = UINT64_MAX, wanted = 32768;
	unsigned interfaces = 0;
	struct finding *f;

	if (d->config) {
		const struct mr_conf *root = mr_conf_root(d->config);

		wanted = mr_conf_uint(mr_conf_child(root, "system"), "buffers", wanted);
		interfaces = (unsigned)mr_conf_count(root, "interface");
	}
	wanted *= 2112;
	if (limits && text_limit(limits, "Max locked memory", &locked) && locked < wanted &&
	    (need & NEED_XDP) && !holds(set, IPC_LOCK)) {
		f = doctor_say(d, DOCTOR_WARNING, AREA,
		    "%llu KiB may be locked, packet memory has %llu KiB",
		    (unsigned long long)locked >> 10, (unsigned long long)wanted >> 10);
		doctor_why(f,
		    "AF_XDP locks all packet memory, on kernels before 5.11 by this limit");
		doctor_fix(f, "ulimit -l unlimited   # systemd: LimitMEMLOCK=infinity");
	}
	/* Each queue has sockets, an event and a ring or two. */
	if (limits && text_limit(limits, "Max open files", &files) &&
	    files < 256 + (uint64_t)interfaces * 32) {
		f = doctor_say(d, DOCTOR_WARNING, AREA, "%llu files may be open",
		    (unsigned long long)files);
		doctor_why(f,
		    "Sockets and rings of interfaces, and clients of the control socket, are "
		    "files");
		doctor_fix(f, "ulimit -n 65536   # systemd: LimitNOFILE=65536");
	} else if (limits) {
		doctor_say(d, DOCTOR_OK, AREA, "limits of locked memory and open files suffice");
	}
	free(limits);
}

void
doctor_check_privileges(struct doctor *d)
{
	char *status = doctor_read(d, "/proc/%s/status", d->pid);
	unsigned need = needs(d);
	uint64_t set = 0;

	if (status && text_field_hex(status, "CapEff", &set)) {
		check_capabilities(d, set, need);
		check_limits(d, set, need);
	}
	free(status);
}

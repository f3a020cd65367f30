/* SPDX-License-Identifier: Apache-2.0 */

/* What else runs on this machine and meddles; and whether the clock is right. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"

#define AREA "others"

static const struct meddler {
	const char *process;
	bool interfaces; /* matters only when kernel interfaces are opened */
	enum doctor_level level;
	const char *why;
	const char *fix;
} meddlers[] = {
	{ "irqbalance", true, DOCTOR_NOTE,
	    "It moves interrupts between CPUs, away from the workers that they wake up",
	    "systemctl disable --now irqbalance" },
	{ "firewalld", true, DOCTOR_NOTE,
	    "Its rules do not see packets that millrace forwards, and do see the host's own",
	    "# let millrace's acl say what passes; firewall-cmd --get-active-zones shows where it "
	    "is" },
	{ "NetworkManager", true, DOCTOR_NOTE,
	    "It may give an interface that millrace opens an address, or take it down",
	    "nmcli device set DEVICE managed no" },
	{ "dhclient", true, DOCTOR_NOTE,
	    "An address on an interface that millrace opens is answered by the kernel and by a "
	    "router",
	    "# end it for the interfaces that millrace opens" },
	{ "ovs-vswitchd", true, DOCTOR_NOTE,
	    "Two switches on one interface forward everything twice",
	    "ovs-vsctl show   # and: ovs-vsctl del-port DEVICE" },
	{ "vpp_main", true, DOCTOR_WARNING, "It polls its CPUs without end, maybe the workers' too",
	    "systemctl stop vpp" },
};

static const struct mr_conf *
interfaces(const struct doctor *d)
{
	return d->config ? mr_conf_root(d->config) : NULL;
}

static void
check_meddlers(struct doctor *d)
{
	const struct mr_conf *entry;
	bool opens = !d->config;
	unsigned pid;

	mr_conf_each(entry, interfaces(d), "interface")
		opens |= doctor_device(entry) != NULL;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(meddlers); i++) {
		const struct meddler *m = &meddlers[i];
		struct finding *f;

		if ((m->interfaces && !opens) || !doctor_process(d, m->process, &pid))
			continue;
		f = doctor_say(d, m->level, AREA, "%s runs (process %u)", m->process, pid);
		doctor_why(f, m->why);
		doctor_fix(f, "%s", m->fix);
	}
}

/* The kernel answers for addresses of its own on an interface, as a router here does. */
static void
check_addresses(struct doctor *d)
{
	char *routes = doctor_read(d, "/proc/net/route");
	const struct mr_conf *entry;

	mr_conf_each(entry, interfaces(d), "interface") {
		const char *device = doctor_device(entry);
		struct finding *f;

		if (!routes || !device || !text_row(routes, device))
			continue;
		f = doctor_say(d, DOCTOR_NOTE, AREA,
		    "%s: the kernel has IPv4 routes there of its own", device);
		doctor_why(f,
		    "What millrace takes does not reach the kernel: ssh over this "
		    "interface, for one, unless `options: {leave: ...}` says otherwise");
		doctor_fix(f, "ip -4 address show dev %s", device);
	}
	free(routes);
}

static void
check_netfilter(struct doctor *d)
{
	char *text = doctor_read(d, "/proc/net/ip_tables_names");
	struct finding *f;

	if (text && *text) {
		f = doctor_say(d, DOCTOR_NOTE, AREA, "iptables has rules here");
		doctor_why(f, "They do not see packets that millrace forwards");
		doctor_fix(f, "iptables-save");
	}
	free(text);
}

static void
check_time(struct doctor *d)
{
	static const char *const keepers[] = { "chronyd", "ntpd", "ptp4l", "openntpd" };
	struct finding *f;
	unsigned pid;

	if (doctor_exists(d, "/run/systemd/timesync/synchronized")) {
		doctor_say(d, DOCTOR_OK, AREA, "the clock is synchronised");
		return;
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(keepers); i++) {
		if (!doctor_process(d, keepers[i], &pid))
			continue;
		doctor_say(d, DOCTOR_OK, AREA, "%s keeps the clock", keepers[i]);
		return;
	}
	f = doctor_say(d, DOCTOR_NOTE, AREA, "nothing keeps the clock right");
	doctor_why(f, "Logs of translations, exported flows and captures carry its time");
	doctor_fix(f, "apt install systemd-timesyncd && timedatectl set-ntp true");
}

/* A second one: fine in a namespace, not on the same interfaces. */
static void
check_second(struct doctor *d)
{
	struct finding *f;
	unsigned pid;

	if (d->before || !doctor_process(d, "millrace", &pid))
		return;
	f = doctor_say(d, DOCTOR_NOTE, AREA, "process %u is a millrace behind another socket", pid);
	doctor_why(f, "Two on one interface take each other's packets");
	doctor_fix(f, "tr '\\0' ' ' < /proc/%u/cmdline", pid);
}

void
doctor_check_others(struct doctor *d)
{
	check_meddlers(d);
	check_addresses(d);
	check_netfilter(d);
	check_second(d);
	check_time(d);
}

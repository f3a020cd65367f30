/* SPDX-License-Identifier: Apache-2.0 */

/* The kernel interfaces that the configuration opens: what their drivers can do, how they are set. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"

#define AREA "nic"

enum xdp_kind {
	XDP_NATIVE = 1,
	XDP_ZERO_COPY = 2,
};

/* Drivers of Linux that run XDP themselves (6.1 and later), and their AF_XDP without copies. */
static const struct known {
	const char *driver;
	unsigned xdp;
} known[] = {
	{ "atlantic", XDP_NATIVE },
	{ "bnxt_en", XDP_NATIVE },
	{ "bonding", XDP_NATIVE },
	{ "ena", XDP_NATIVE },
	{ "fsl_dpaa2_eth", XDP_NATIVE | XDP_ZERO_COPY },
	{ "fsl_enetc", XDP_NATIVE },
	{ "gve", XDP_NATIVE | XDP_ZERO_COPY },
	{ "hv_netvsc", XDP_NATIVE },
	{ "i40e", XDP_NATIVE | XDP_ZERO_COPY },
	{ "iavf", 0 },
	{ "ice", XDP_NATIVE | XDP_ZERO_COPY },
	{ "igb", XDP_NATIVE },
	{ "igc", XDP_NATIVE | XDP_ZERO_COPY },
	{ "ixgbe", XDP_NATIVE | XDP_ZERO_COPY },
	{ "ixgbevf", XDP_NATIVE },
	{ "mana", XDP_NATIVE },
	{ "mlx4_en", XDP_NATIVE },
	{ "mlx5_core", XDP_NATIVE | XDP_ZERO_COPY },
	{ "mtk_soc_eth", XDP_NATIVE },
	{ "mvneta", XDP_NATIVE },
	{ "mvpp2", XDP_NATIVE },
	{ "nfp", XDP_NATIVE | XDP_ZERO_COPY },
	{ "nicvf", XDP_NATIVE },
	{ "qede", XDP_NATIVE },
	{ "rvu_nicpf", XDP_NATIVE },
	{ "sfc", XDP_NATIVE },
	{ "stmmac", XDP_NATIVE | XDP_ZERO_COPY },
	{ "st_gmac", XDP_NATIVE | XDP_ZERO_COPY },
	{ "tsnep", XDP_NATIVE | XDP_ZERO_COPY },
	{ "tun", XDP_NATIVE },
	{ "veth", XDP_NATIVE },
	{ "virtio_net", XDP_NATIVE },
	{ "vmxnet3", XDP_NATIVE },
	{ "xen_netfront", XDP_NATIVE },
};

static void
check_driver(struct doctor *d, const char *device, const char *settings)
{
	char name[32] = "", kernel[96] = "";
	const struct known *found = NULL;
	struct finding *f;

	if (!settings || !text_field(settings, "driver", name, sizeof(name)))
		return;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(known); i++)
		if (strcmp(known[i].driver, name) == 0)
			found = &known[i];
	if (found && (found->xdp & XDP_ZERO_COPY)) {
		doctor_say(d, DOCTOR_OK, AREA, "%s: driver %s has AF_XDP without copies", device,
		    name);
	} else if (found && found->xdp) {
		doctor_say(d, DOCTOR_OK, AREA, "%s: driver %s runs XDP, AF_XDP copies", device,
		    name);
	} else {
		doctor_line(d, kernel, sizeof(kernel), "/proc/sys/kernel/osrelease");
		f = doctor_say(d, DOCTOR_NOTE, AREA, "%s: driver %s is not known to run XDP%s%s",
		    device, name, *kernel ? " in Linux " : "", kernel);
		doctor_why(f,
		    "Generic XDP works on a copy that the kernel makes first: some 1 Mpps a queue");
		doctor_fix(f,
		    "# in the configuration: interface: {NAME: {driver: packet}} may be as fast");
	}
}

static void
check_offloads(struct doctor *d, const char *device, const char *driver, const char *settings)
{
	char value[16];
	struct finding *f;

	if (!settings)
		return;
	if (text_field(settings, "lro", value, sizeof(value)) && strcmp(value, "on") == 0) {
		f = doctor_say(d, strcmp(driver, "xdp") == 0 ? DOCTOR_ERROR : DOCTOR_WARNING, AREA,
		    "%s: LRO is on", device);
		doctor_why(f,
		    "Packets merged by the NIC cannot be forwarded as they were; native XDP "
		    "refuses it");
		doctor_fix(f, "ethtool -K %s lro off", device);
	}
	if (strcmp(driver, "xdp") == 0 && text_field(settings, "rx-vlan", value, sizeof(value)) &&
	    strcmp(value, "on") == 0 && text_field(settings, "driver", value, sizeof(value)) &&
	    strcmp(value, "veth") != 0 && strcmp(value, "tun") != 0) {
		f = doctor_say(d, DOCTOR_WARNING, AREA,
		    "%s: the NIC takes VLAN tags out of packets", device);
		doctor_why(f,
		    "AF_XDP does not see the tags then, and tagged packets look untagged");
		doctor_fix(f, "ethtool -K %s rxvlan off", device);
	}
}

static void
check_rings(struct doctor *d, const char *device, const char *settings)
{
	static const char *const sides[] = { "rx", "tx" };
	struct finding *f;

	for (unsigned i = 0; settings && i < 2; i++) {
		char name[16], most_name[16];
		uint64_t now = 0, most = 0;

		snprintf(name, sizeof(name), "%s-ring", sides[i]);
		snprintf(most_name, sizeof(most_name), "%s-ring-max", sides[i]);
		if (!text_field_uint(settings, name, &now) ||
		    !text_field_uint(settings, most_name, &most) || now >= 1024 || now >= most)
			continue;
		f = doctor_say(d, DOCTOR_NOTE, AREA, "%s: the %s ring has %llu of %llu places",
		    device, sides[i], (unsigned long long)now, (unsigned long long)most);
		doctor_why(f, "At 10 Gbit/s of small packets 512 places are full after 34 us");
		doctor_fix(f, "ethtool -G %s %s %llu", device, sides[i],
		    (unsigned long long)MR_MIN(most, UINT64_C(2048)));
	}
}

static void
check_queues(struct doctor *d, const struct mr_conf *conf, const char *device, const char *settings)
{
	unsigned workers = mr_cpu_set_count(&d->workers), rx = 0, names;
	char(*list)[64] = calloc(DOCTOR_NAMES_MAX, sizeof(*list));
	uint64_t asked = mr_conf_uint(conf, "rx-queues", 0), most = 0;
	struct finding *f;

	names =
	    list ? doctor_list(d, list, DOCTOR_NAMES_MAX, "/sys/class/net/%s/queues", device) : 0;
	for (unsigned i = 0; i < names; i++) {
		rx += strncmp(list[i], "rx-", 3) == 0;
		doctor_exists(d, "/sys/class/net/%s/queues/%s", device, list[i]);
	}
	free(list);
	if (!rx)
		return;
	if (settings)
		text_field_uint(settings, "channels-max", &most);
	if (asked > rx) {
		f = doctor_say(d, DOCTOR_ERROR, AREA, "%s: rx-queues wants %llu, the device has %u",
		    device, (unsigned long long)asked, rx);
		doctor_why(f, "The interface does not open");
		if (most >= asked)
			doctor_fix(f, "ethtool -L %s combined %llu", device,
			    (unsigned long long)asked);
		else
			doctor_fix(f, "# remove rx-queues from the interface");
	} else if (rx < workers) {
		f = doctor_say(d, DOCTOR_NOTE, AREA, "%s: %u receive queue%s for %u workers",
		    device, rx, rx == 1 ? "" : "s", workers);
		doctor_why(f,
		    "Workers without a queue of it receive nothing from it; RSS spreads "
		    "flows over queues only");
		if (most > rx)
			doctor_fix(f, "ethtool -L %s combined %llu", device,
			    (unsigned long long)MR_MIN(most, workers));
	} else if (asked && asked < rx) {
		f = doctor_say(d, DOCTOR_WARNING, AREA, "%s: %llu of %u receive queues are read",
		    device, (unsigned long long)asked, rx);
		doctor_why(f, "What RSS puts into the others stays with the kernel");
		doctor_fix(f, "ethtool -L %s combined %llu   # or: ethtool -X %s equal %llu",
		    device, (unsigned long long)asked, device, (unsigned long long)asked);
	} else {
		doctor_say(d, DOCTOR_OK, AREA, "%s: %u receive queues for %u workers", device, rx,
		    workers);
	}
}

/* Interrupts belong on the CPU of the worker that wakes up by them, or at least in its node. */
static void
check_interrupts(struct doctor *d, const char *device)
{
	char *text = doctor_read(d, "/proc/interrupts"), line[256];
	const char *cursor = text;
	unsigned irq, away = 0, all = 0, last = 0;
	struct mr_cpu_set set;
	struct finding *f;
	char list[256];

	while (cursor && text_interrupt(&cursor, device, &irq) && all < 64) {
		bool near = false;

		if (!doctor_line(d, line, sizeof(line), "/proc/irq/%u/smp_affinity_list", irq) ||
		    mr_cpu_set_parse(&set, line, NULL))
			continue;
		all++;
		mr_cpu_set_foreach(cpu, &set) near |= mr_cpu_set_has(&d->workers, (unsigned)cpu);
		away += !near;
		last = near ? last : irq;
	}
	free(text);
	if (!away)
		return;
	mr_cpu_set_print(&d->workers, list, sizeof(list));
	f = doctor_say(d, DOCTOR_NOTE, AREA, "%s: %u of %u interrupts go to CPUs without a worker",
	    device, away, all);
	doctor_why(f, "The driver's half of the work is done there and its cache lines come over");
	doctor_fix(f, "echo %s > /proc/irq/%u/smp_affinity_list%s", list, last,
	    away > 1 ? "   # and the others" : "");
}

static void
check_node(struct doctor *d, const char *device)
{
	int64_t node = doctor_number(d, -1, "/sys/class/net/%s/device/numa_node", device);
	struct mr_cpu_set here;
	char line[512];
	unsigned far = 0;
	struct finding *f;

	if (node < 0 ||
	    !doctor_line(d, line, sizeof(line), "/sys/devices/system/node/node%d/cpulist",
		(int)node) ||
	    mr_cpu_set_parse(&here, line, NULL))
		return;
	mr_cpu_set_foreach(cpu, &d->workers) far += !mr_cpu_set_has(&here, (unsigned)cpu);
	if (!far) {
		doctor_say(d, DOCTOR_OK, AREA, "%s: in the workers' NUMA node", device);
		return;
	}
	f = doctor_say(d, DOCTOR_WARNING, AREA, "%s: in NUMA node %d, and %u worker CPUs are not",
	    device, (int)node, far);
	doctor_why(f, "Each packet then crosses between the sockets, up to twice");
	doctor_fix(f, "# set system/workers to CPUs of %s, or system/numa-node to %d", line,
	    (int)node);
}

static void
check_link(struct doctor *d, const char *device)
{
	char text[32];
	struct finding *f;

	if (doctor_line(d, text, sizeof(text), "/sys/class/net/%s/operstate", device) &&
	    (strcmp(text, "down") == 0 || strcmp(text, "lowerlayerdown") == 0)) {
		f = doctor_say(d, DOCTOR_WARNING, AREA, "%s: the link is down", device);
		doctor_why(f, "No packet comes or goes");
		doctor_fix(f, "ip link set %s up   # and look at the cable and the other end",
		    device);
	}
	if (doctor_line(d, text, sizeof(text), "/sys/class/net/%s/duplex", device) &&
	    strcmp(text, "half") == 0) {
		f = doctor_say(d, DOCTOR_WARNING, AREA, "%s: half duplex", device);
		doctor_why(f, "The two ends do not agree: collisions cost most of the throughput");
		doctor_fix(f, "ethtool -s %s autoneg on", device);
	}
	if (doctor_exists(d, "/sys/class/net/%s/brport", device)) {
		f = doctor_say(d, DOCTOR_ERROR, AREA, "%s: is a port of a bridge of the kernel",
		    device);
		doctor_why(f, "The kernel forwards the same packets once more");
		doctor_fix(f, "ip link set %s nomaster", device);
	}
}

static void
check_program(struct doctor *d, const char *device, const char *driver, const char *settings)
{
	uint64_t program = 0;
	char mode[16] = "";
	struct finding *f;

	if (!settings || !text_field_uint(settings, "xdp-program", &program))
		return;
	text_field(settings, "xdp-mode", mode, sizeof(mode));
	if (d->before) {
		if (strcmp(mode, "generic") == 0 && strcmp(driver, "xdp") == 0)
			doctor_say(d, DOCTOR_NOTE, AREA, "%s: XDP runs in generic mode", device);
		return;
	}
	f = doctor_say(d, DOCTOR_WARNING, AREA, "%s: XDP program %llu is attached already", device,
	    (unsigned long long)program);
	doctor_why(f, "Another program, maybe one that was not ended well, has the interface");
	doctor_fix(f, "bpftool prog show id %llu; ip link set dev %s xdp off",
	    (unsigned long long)program, device);
}

static void
check_one(struct doctor *d, const struct mr_conf *conf, const char *device)
{
	const char *driver = mr_conf_text(conf, "driver", "xdp");
	struct finding *f;
	char *settings;

	if (!doctor_exists(d, "/sys/class/net/%s", device)) {
		f = doctor_say(d, DOCTOR_ERROR, AREA, "interface %s: there is no device %s",
		    mr_conf_key(conf), device);
		doctor_why(f,
		    "It stays closed until the device comes: the name may be wrong, or this be "
		    "another network namespace");
		doctor_fix(f, "ip -br link");
		return;
	}
	settings = doctor_ethtool(d, device);
	check_link(d, device);
	if (strcmp(driver, "xdp") == 0)
		check_driver(d, device, settings);
	check_program(d, device, driver, settings);
	check_offloads(d, device, driver, settings);
	check_rings(d, device, settings);
	check_queues(d, conf, device, settings);
	check_interrupts(d, device);
	check_node(d, device);
	free(settings);
}

void
doctor_check_nic(struct doctor *d)
{
	const struct mr_conf *entry, *root = d->config ? mr_conf_root(d->config) : NULL;

	mr_conf_each(entry, root, "interface") {
		const char *device = doctor_device(entry);

		/* A device's name becomes part of paths. */
		if (device && mr_conf_bool(entry, "enabled", true) && !strchr(device, '/') &&
		    strlen(device) < 64)
			check_one(d, entry, device);
	}
}

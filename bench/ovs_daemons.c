/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ovs_daemons.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/peer_ovs.h"
#include "bench/peers.h"

#define VSWITCHD "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
#define SCHEMA "/usr/share/openvswitch/vswitch.ovsschema"
#define PACKAGE "openvswitch-switch-dpdk"
#define BRIDGE "br0"

#define TOOL_MS 90000
#define TOOL_LOOK_MS 500
/* A buffer with its headers, rounded as it rounds them, in bytes. */
#define BUFFER 3072
/* What each of its ports has beside those that are asked for. */
#define BUFFERS_MORE 24576
/* Of a receive queue. */
#define QUEUE 2048
/* What DPDK and the switch take themselves, in MB. */
#define MEMORY 128

/* Whether a started child has ended; it is left for whoever stops it. */
static bool
gone(const struct mr_bench_child *c)
{
	siginfo_t info = { 0 };

	return c->pid > 0 && waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == c->pid;
}

/* Runs a tool to its end. */
static int
run_tool(struct mr_bench_ovs_daemons *d, char *const argv[], struct mr_error *error)
{
	struct mr_bench_child tool;
	struct mr_error said;
	char line[8];
	int status = 0, left = TOOL_MS, rc;

	rc = mr_bench_child_start(&tool, argv, false, &d->cpus, error);
	if (rc < 0)
		return rc;
	/* There is no such line: it reads to the end. A switch that is gone is not waited for. */
	do {
		rc = mr_bench_child_expect(&tool, "\n", line, sizeof(line), TOOL_LOOK_MS, &said);
		left -= TOOL_LOOK_MS;
	} while (rc == -ETIMEDOUT && left > 0 && !gone(&d->vswitchd));
	if (rc == -EPIPE && waitpid(tool.pid, &status, 0) == tool.pid) {
		tool.pid = 0;
		rc = 0;
	}
	if (rc < 0)
		mr_error_set(error, rc, "%s: %s; %s", argv[0], said.text,
		    mr_bench_ovs_daemons_complaint(d));
	else if (status)
		rc = mr_error_set(error, -EIO, "%s: %s%s%s", argv[0], tool.last,
		    *mr_bench_ovs_daemons_complaint(d) ? "; " : "", d->complaint);
	mr_bench_child_stop(&tool, NULL);
	return rc;
}

/* Tools and daemons of this folder. They are told by their environment, which is put back. */
static void
enter_dir(const char *dir)
{
	static const char *const names[] = { "OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR",
		"OVS_SYSCONFDIR" };
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(names); i++) {
		if (dir)
			setenv(names[i], dir, 1);
		else
			unsetenv(names[i]);
	}
}

static int
start_ovsdb(struct mr_bench_ovs_daemons *d, struct mr_error *error)
{
	char database[64], remote[80], control[80], pool[80];
	char *create[] = { (char *)"ovsdb-tool", (char *)"create", database, (char *)SCHEMA, NULL };
	char *serve[] = { (char *)"ovsdb-server", database, remote, control, pool,
		(char *)"-vconsole:off", (char *)"-vsyslog:off", (char *)"--no-chdir", NULL };
	int rc;

	snprintf(database, sizeof(database), "%s/conf.db", d->dir);
	snprintf(remote, sizeof(remote), "--remote=punix:%s/db.sock", d->dir);
	snprintf(control, sizeof(control), "--unixctl=%s/db.ctl", d->dir);
	snprintf(pool, sizeof(pool), "--log-file=%s/db.log", d->dir);
	rc = run_tool(d, create, error);
	return rc < 0 ? rc : mr_bench_child_start(&d->ovsdb, serve, false, &d->cpus, error);
}

/* What it reads when it starts. Flows and their revalidation are not to depend on how long it
 * stands still between windows. */
static int
configure(struct mr_bench_ovs_daemons *d, const struct mr_bench_run *run, struct mr_error *error)
{
	char db[80], mask[80];
	char *argv[] = { (char *)"ovs-vsctl", (char *)"--retry", (char *)"--timeout=20", db,
		(char *)"--no-wait", (char *)"init", (char *)"--", (char *)"set",
		(char *)"Open_vSwitch", (char *)".", (char *)"other_config:dpdk-init=true", mask,
		(char *)"other_config:dpdk-extra=\"--in-memory --no-pci --no-telemetry\"",
		(char *)"other_config:per-port-memory=true",
		(char *)"other_config:max-idle=3600000",
		(char *)"other_config:max-revalidator=3600000", NULL };
	char hex[MR_CPU_MAX / 4 + 1];
	unsigned at;

	/* The mask's digits: that of our core, then zeros. */
	at = (unsigned)snprintf(hex, sizeof(hex), "%x", 1u << run->cpu % 4);
	for (; at < run->cpu / 4 + 1 && at < 32; at++)
		hex[at] = '0';
	hex[at] = 0;
	snprintf(db, sizeof(db), "--db=unix:%s/db.sock", d->dir);
	snprintf(mask, sizeof(mask), "other_config:pmd-cpu-mask=0x%s", hex);
	return run_tool(d, argv, error);
}

static int
start_vswitchd(struct mr_bench_ovs_daemons *d, struct mr_error *error)
{
	char db[64], control[80], pool[80];
	char *argv[] = { (char *)"unshare", (char *)"--net", (char *)VSWITCHD, db, control, pool,
		(char *)"-vconsole:off", (char *)"-vsyslog:off", (char *)"--no-chdir", NULL };

	snprintf(db, sizeof(db), "unix:%s/db.sock", d->dir);
	snprintf(control, sizeof(control), "--unixctl=%s", d->control);
	snprintf(pool, sizeof(pool), "--log-file=%s/vswitchd.log", d->dir);
	return mr_bench_child_start(&d->vswitchd, argv, false, &d->cpus, error);
}

static int
add_bridge(struct mr_bench_ovs_daemons *d, const char *capture, unsigned frames,
    struct mr_error *error)
{
	char db[80], in[160], queues[40];
	char *argv[] = { (char *)"ovs-vsctl", (char *)"--timeout=80", db, (char *)"add-br",
		(char *)BRIDGE, (char *)"--", (char *)"set", (char *)"bridge", (char *)BRIDGE,
		(char *)"datapath_type=netdev", (char *)"fail-mode=secure", (char *)"--",
		(char *)"add-port", (char *)BRIDGE, (char *)"in", (char *)"--", (char *)"set",
		(char *)"interface", (char *)"in", (char *)"type=dpdk", (char *)"ofport_request=1",
		in, queues, (char *)"--", (char *)"add-port", (char *)BRIDGE, (char *)"out",
		(char *)"--", (char *)"set", (char *)"interface", (char *)"out",
		(char *)"type=dpdk", (char *)"ofport_request=2",
		(char *)"options:dpdk-devargs=\"net_null0,no-rx=1\"", NULL };

	snprintf(db, sizeof(db), "--db=unix:%s/db.sock", d->dir);
	snprintf(in, sizeof(in), "options:dpdk-devargs=\"net_pcap0,rx_pcap=%s,infinite_rx=1\"",
	    capture);
	/* One is what the port has. */
	snprintf(queues, sizeof(queues), "options:n_rxq=%u", frames / QUEUE + 1);
	return run_tool(d, argv, error);
}

static int
start(struct mr_bench_ovs_daemons *d, const struct mr_bench_run *run, const char *capture,
    unsigned frames, struct mr_error *error)
{
	unsigned megabytes =
	    MEMORY + (unsigned)((frames + 3 * (uint64_t)BUFFERS_MORE) * BUFFER >> 20);
	int rc;

	if (geteuid())
		return mr_error_set(error, -EPERM, "it needs root, for a network namespace");
	if (access(VSWITCHD, X_OK) < 0)
		return mr_error_set(error, -ENOENT, "it is not installed (package " PACKAGE ")");
	/* Open vSwitch runs DPDK in memory, which does without files, not without hugepages. */
	if (!mr_bench_peers_hugepages(megabytes))
		return mr_error_set(error, -ENOMEM, "it needs %u MB in free hugepages of 2 MB",
		    megabytes);
	strcpy(d->dir, "/tmp/millrace-ovs-XXXXXX");
	if (!mkdtemp(d->dir)) {
		*d->dir = 0;
		return mr_error_set(error, -errno, "no folder in /tmp");
	}
	snprintf(d->control, sizeof(d->control), "%s/vswitchd.ctl", d->dir);
	mr_cpu_set_add(&d->cpus, run->cpu_other >= 0 ? (unsigned)run->cpu_other : run->cpu);
	enter_dir(d->dir);
	rc = start_ovsdb(d, error);
	if (rc == 0)
		rc = configure(d, run, error);
	if (rc == 0)
		rc = start_vswitchd(d, error);
	if (rc == 0)
		rc = add_bridge(d, capture, frames, error);
	enter_dir(NULL);
	return rc;
}

int
mr_bench_ovs_daemons_start(struct mr_bench_ovs_daemons *d, const struct mr_bench_run *run,
    const char *capture, unsigned frames, struct mr_error *error)
{
	int rc;

	*d = (struct mr_bench_ovs_daemons){ 0 };
	d->ovsdb.in = d->ovsdb.out = d->vswitchd.in = d->vswitchd.out = -1;
	rc = start(d, run, capture, frames, error);
	if (rc < 0)
		mr_bench_ovs_daemons_stop(d);
	return rc;
}

/* Ours alone: what the two made there. */
static void
remove_dir(const char *dir)
{
	struct dirent *entry;
	char path[320];
	DIR *d;

	d = opendir(dir);
	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

void
mr_bench_ovs_daemons_stop(struct mr_bench_ovs_daemons *d)
{
	/* It may stand still. */
	if (d->vswitchd.pid > 0)
		kill(d->vswitchd.pid, SIGCONT);
	mr_bench_child_stop(&d->vswitchd, NULL);
	mr_bench_child_stop(&d->ovsdb, NULL);
	if (*d->dir)
		remove_dir(d->dir);
	*d->dir = 0;
}

int
mr_bench_ovs_daemons_rules(struct mr_bench_ovs_daemons *d, const char *path, struct mr_error *error)
{
	char bridge[80];
	char *argv[] = { (char *)"ovs-ofctl", (char *)"-OOpenFlow14", (char *)"--bundle",
		(char *)"replace-flows", bridge, (char *)path, NULL };

	snprintf(bridge, sizeof(bridge), "unix:%s/" BRIDGE ".mgmt", d->dir);
	return run_tool(d, argv, error);
}

int
mr_bench_ovs_daemons_rule(struct mr_bench_ovs_daemons *d, const char *rule, struct mr_error *error)
{
	char bridge[80];
	char *argv[] = { (char *)"ovs-ofctl", (char *)"add-flow", bridge, (char *)rule, NULL };

	snprintf(bridge, sizeof(bridge), "unix:%s/" BRIDGE ".mgmt", d->dir);
	return run_tool(d, argv, error);
}

int
mr_bench_ovs_daemons_back(struct mr_bench_ovs_daemons *d, const char *capture,
    struct mr_error *error)
{
	char db[80], back[160];
	char *add[] = { (char *)"ovs-vsctl", (char *)"--timeout=20", db, (char *)"add-port",
		(char *)BRIDGE, (char *)"back", (char *)"--", (char *)"set", (char *)"interface",
		(char *)"back", (char *)"type=dpdk", (char *)"ofport_request=3", back, NULL };
	char *drop[] = { (char *)"ovs-vsctl", (char *)"--timeout=20", db, (char *)"del-port",
		(char *)BRIDGE, (char *)"back", NULL };

	snprintf(db, sizeof(db), "--db=unix:%s/db.sock", d->dir);
	snprintf(back, sizeof(back), "options:dpdk-devargs=\"net_pcap1,rx_pcap=%s\"",
	    capture ? capture : "");
	return run_tool(d, capture ? add : drop, error);
}

const char *
mr_bench_ovs_daemons_complaint(struct mr_bench_ovs_daemons *d)
{
	char path[64], line[512];
	const char *text;
	FILE *f;

	*d->complaint = 0;
	snprintf(path, sizeof(path), "%s/vswitchd.log", d->dir);
	f = *d->dir ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		text = strstr(line, "|ERR|");
		if (!text)
			continue;
		snprintf(d->complaint, sizeof(d->complaint), "%s", text + strlen("|ERR|"));
		d->complaint[strcspn(d->complaint, "\n")] = 0;
	}
	if (f)
		fclose(f);
	return d->complaint;
}

pid_t
mr_bench_ovs_daemons_thread(const struct mr_bench_ovs_daemons *d)
{
	return mr_bench_peers_thread(d->vswitchd.pid, "pmd-");
}

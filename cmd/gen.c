/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sends traffic: a data plane of its own in this process, in which a generator
 * port is connected with an interface or with a file. What comes back to the
 * interface goes to the generator, which knows its own packets.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/load.h"
#include "cmd/wait.h"
#include "kit/port/driver.h"
#include "nf/dataplane.h"

#define LOOK_MS 20
#define LINGER_MS 300 /* for what is still on its way back */
#define FILE_INTERVAL_NS 1000

static const struct mr_cmd_option options[] = {
	{ .name = "interface",
	    .letter = 'i',
	    .value = "NAME",
	    .doc = "send out of this interface",
	    .complete = "@device" },
	{ .name = "driver",
	    .value = "NAME",
	    .doc = "its driver: xdp (default), packet, tap",
	    .complete = "xdp|packet|tap" },
	{ .name = "write",
	    .letter = 'w',
	    .value = "FILE",
	    .doc = "into this capture file instead (.pcap, .pcapng)",
	    .complete = "@file" },
	{ .name = "count", .letter = 'c', .value = "N", .doc = "end after so many packets" },
	{ .name = "time", .letter = 't', .value = "S", .doc = "end after so many seconds" },
	{ .name = "rate",
	    .letter = 'r',
	    .value = "N",
	    .doc = "packets per second; k, M: thousands, millions (as fast as it goes)" },
	{ .name = "backlog",
	    .value = "N",
	    .doc = "packets sent at once after a pause, to keep the rate (a tenth of a second's)" },
	{ .name = "size",
	    .letter = 's',
	    .value = "B",
	    .doc = "frame without its checksum: 64, several in turn (64,512), or imix" },
	{ .name = "flows", .letter = 'f', .value = "N", .doc = "how many flows (1)" },
	{ .name = "order",
	    .value = "HOW",
	    .doc = "of flows: round-robin, shuffle, random (random)",
	    .complete = "round-robin|shuffle|random" },
	{ .name = "seed", .value = "N", .doc = "the same seed gives the same packets (1)" },
	{ .name = "latency",
	    .doc = "stamp each packet; what comes back shows loss, order and latency" },
	{ .name = "l3",
	    .value = "WHAT",
	    .doc = "ip4, ip6 or none (ip4)",
	    .complete = "ip4|ip6|none" },
	{ .name = "l4",
	    .value = "WHAT",
	    .doc = "udp, tcp or icmp (udp)",
	    .complete = "udp|tcp|icmp" },
	{ .name = "ethertype", .value = "HEX", .doc = "with --l3 none (0x88b5)" },
	{ .name = "vlan", .value = "ID", .doc = "in an 802.1Q tag (no tag)" },
	{ .name = "src-mac", .value = "MAC", .doc = "first source address (02:00:00:00:00:01)" },
	{ .name = "src-macs", .value = "N", .doc = "how many, counted up from it (1)" },
	{ .name = "dst-mac",
	    .value = "MAC",
	    .doc = "first destination address (02:00:00:01:00:01)" },
	{ .name = "dst-macs", .value = "N", .doc = "how many (1)" },
	{ .name = "src-ip", .value = "IP", .doc = "first source address (10.0.0.1, 2001:db8::1)" },
	{ .name = "src-ips", .value = "N", .doc = "how many (as the flows need)" },
	{ .name = "dst-ip",
	    .value = "IP",
	    .doc = "first destination address (10.1.0.1, 2001:db8:1::1)" },
	{ .name = "dst-ips", .value = "N", .doc = "how many (1)" },
	{ .name = "src-port", .value = "P", .doc = "first source port (1024)" },
	{ .name = "src-ports", .value = "N", .doc = "how many (as the flows need)" },
	{ .name = "dst-port", .value = "P", .doc = "first destination port (9)" },
	{ .name = "dst-ports", .value = "N", .doc = "how many (1)" },
	{ .name = "cpus",
	    .value = "LIST",
	    .doc = "the CPUs that send, a worker each (one, the last)" },
	{ .name = "quiet", .letter = 'q', .doc = "no line per second, only the summary" },
	{ 0 },
};

struct gen {
	struct mr_cmd_args args;
	struct mr_wait wait;
	struct mr_log log;
	struct mr_model *model;
	struct mr_config *config;
	struct mr_dataplane *dataplane;
	struct mr_port *generator, *device;
	uint64_t count, seconds, rate;
	FILE *out; /* what is said: not where a capture goes */
};

/* What passed a port since the start. */
struct sums {
	uint64_t sent, sent_bytes, back, back_bytes;
};

/* A YAML scalar in single quotes. */
static void
put_text(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

/* Every option of the driver that was given to the verb under the same name. */
static void
put_options(FILE *out, const struct gen *g, const struct mr_port_driver *driver, const char *to)
{
	fprintf(out, "    options: {payload: %s",
	    mr_cmd_given(&g->args, "latency") ? "stamp" : "zero");
	for (const struct mr_option_desc *o = driver->options; o && o->key; o++) {
		if (!mr_cmd_given(&g->args, o->key) ||
		    (to && (strcmp(o->key, "rate") == 0 || strcmp(o->key, "backlog") == 0)))
			continue;
		fprintf(out, ", %s: ", o->key);
		put_text(out, mr_cmd_value(&g->args, o->key));
	}
	fprintf(out, "}\n");
}

/* The configuration: two interfaces, each connected with the other. */
static void
put_config(FILE *out, const struct gen *g)
{
	const char *cpus = mr_cmd_value(&g->args, "cpus"), *file = mr_cmd_value(&g->args, "write");
	const char *driver = mr_cmd_value(&g->args, "driver");

	if (cpus) {
		fprintf(out, "system: {workers: ");
		put_text(out, cpus);
		fprintf(out, "}\n");
	}
	fprintf(out, "interface:\n  device:\n    cross-connect: generator\n    driver: ");
	put_text(out, file ? "pcap" : driver ? driver : "xdp");
	if (file)
		fprintf(out, "\n    options: {interval: '%llu', write: ",
		    (unsigned long long)(g->rate ? 1000000000u / g->rate : FILE_INTERVAL_NS));
	else
		fprintf(out, "\n    device: ");
	put_text(out, file ? file : mr_cmd_value(&g->args, "interface"));
	/* The generator last: its clock runs from when it is opened. */
	fprintf(out, "%s\n  generator:\n    driver: gen\n    cross-connect: device\n",
	    file ? "}" : "");
	put_options(out, g, mr_port_driver_find("gen"), file);
}

/* Without the names of our own two interfaces. */
static const char *
reason_of(const char *text)
{
	static const char *const prefixes[] = { "interface device: ", "port device: ",
		"interface generator: ", "port generator: " };

	for (unsigned i = 0; i < MR_ARRAY_COUNT(prefixes); i++)
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return reason_of(text + strlen(prefixes[i]));
	return text;
}

/* Errors are about a file that nobody wrote: path and sentence say enough. */
static void
print_report(const struct mr_report *report)
{
	const struct mr_report_entry *e;

	for (size_t i = 0; (e = mr_report_entry(report, i)) != NULL; i++)
		fprintf(stderr, "millrace gen: %s\n", reason_of(e->text));
}

/* What a data plane that goes on would say: of that the reason is of use here. */
static void
on_log(void *user, enum mr_log_level level, const char *line, size_t len)
{
	const char *end;

	(void)user;
	(void)level;
	line = reason_of(line);
	end = strstr(line, "; tried again");
	len = end ? (size_t)(end - line) : strlen(line);
	fprintf(stderr, "millrace gen: %.*s\n", (int)len, line);
}

static int
build(struct gen *g)
{
	struct mr_report *report = NULL;
	struct mr_error error = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out;
	int rc = mr_load_model(&g->model);

	if (rc)
		return rc;
	out = open_memstream(&text, &size);
	if (!out || mr_report_create(&report)) {
		if (out)
			fclose(out);
		free(text);
		return -ENOMEM;
	}
	put_config(out, g);
	fclose(out);
	rc = mr_config_parse(&g->config, g->model, "gen", text, size, report);
	if (!rc)
		rc = mr_dataplane_create(&g->dataplane, g->config, &g->log, report);
	print_report(report);
	mr_report_destroy(report);
	free(text);
	if (rc)
		return rc;
	for (unsigned i = 0; i < MR_PORT_MAX; i++) {
		struct mr_port *port = mr_graph_port(mr_dataplane_graph(g->dataplane), (uint16_t)i);

		if (port && strcmp(port->name, "generator") == 0)
			g->generator = port;
		else if (port)
			g->device = port;
	}
	if (!g->generator || !g->device) /* the log has said why it could not be opened */
		return -ENODEV;
	rc = mr_dataplane_start(g->dataplane, &error);
	if (rc)
		fprintf(stderr, "millrace gen: %s\n", error.text);
	return rc;
}

static uint64_t
get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static struct sums
sums_of(const struct mr_port *port)
{
	struct sums s = { 0 };

	for (unsigned q = 0; q < port->tx_queues; q++) {
		s.sent += get(&port->tx_stats[q].packets);
		s.sent_bytes += get(&port->tx_stats[q].bytes);
	}
	for (unsigned q = 0; q < port->rx_queues; q++) {
		s.back += get(&port->rx_stats[q].packets);
		s.back_bytes += get(&port->rx_stats[q].bytes);
	}
	return s;
}

static void
print_second(FILE *out, const struct sums *was, const struct sums *now, double seconds, unsigned n)
{
	double sent = (double)(now->sent - was->sent), back = (double)(now->back - was->back);

	fprintf(out, "%4u s  sent %12.0f packets/s %10.1f Mbit/s", n, sent / seconds,
	    (double)(now->sent_bytes - was->sent_bytes) * 8 / 1e6 / seconds);
	if (now->back)
		fprintf(out, "   back %12.0f packets/s %10.1f Mbit/s", back / seconds,
		    (double)(now->back_bytes - was->back_bytes) * 8 / 1e6 / seconds);
	fputc('\n', out);
	fflush(out);
}

static void
print_summary(const struct gen *g, double seconds)
{
	FILE *out = g->out;
	struct sums s = sums_of(g->device);
	struct mr_graph_totals t;
	struct mr_port_stats stats = { 0 };
	uint64_t refused;

	mr_graph_totals(mr_dataplane_graph(g->dataplane), &t);
	refused = t.dropped;
	fprintf(out, "sent %llu packets, %llu bytes in %.2f s: %.0f packets/s, %.1f Mbit/s\n",
	    (unsigned long long)s.sent, (unsigned long long)s.sent_bytes, seconds,
	    seconds > 0 ? (double)s.sent / seconds : 0,
	    seconds > 0 ? (double)s.sent_bytes * 8 / 1e6 / seconds : 0);
	if (refused)
		fprintf(out, "%llu more were made and dropped: the device %s\n",
		    (unsigned long long)refused,
		    g->rate ? "was full, or down" : "takes no more than that, or was down");
	if (s.back)
		fprintf(out, "%llu packets came back\n", (unsigned long long)s.back);
	g->generator->driver->stats(g->generator, &stats);
	if (mr_cmd_given(&g->args, "latency") && s.back)
		fprintf(out, "stamps: %s\n", stats.detail);
}

/* Everything was made, and sent or refused. */
static bool
is_through(const struct gen *g)
{
	struct mr_graph_totals t;

	if (atomic_load_explicit(&g->generator->state, memory_order_relaxed) != MR_PORT_DONE)
		return false;
	mr_graph_totals(mr_dataplane_graph(g->dataplane), &t);
	return t.received + t.created == t.sent + t.dropped + t.held + t.merged;
}

/* Until all is sent, the time is over or a signal comes. Returns the seconds it sent. */
static double
follow(struct gen *g)
{
	int64_t start = mr_wait_now(), second = start + 1000, last = start, now = start,
		through = 0;
	bool quiet = mr_cmd_given(&g->args, "quiet"),
	     receives =
		 g->device->rx_queues > 0 && !(g->device->caps & (MR_PORT_FINITE | MR_PORT_SINK));
	struct sums was = { 0 };

	for (;;) {
		enum mr_waited waited = mr_wait(&g->wait, -1, -1, LOOK_MS);

		now = mr_wait_now();
		if (waited == MR_WAITED_SIGNAL)
			break;
		if (!through &&
		    (is_through(g) || (g->seconds && now - start >= (int64_t)g->seconds * 1000)))
			through = now;
		/* Without an end of its own the generator goes on: nothing to wait for. */
		if (through && (!receives || !is_through(g) || now - through >= LINGER_MS))
			break;
		if (now < second)
			continue;
		mr_dataplane_tick(g->dataplane, (uint32_t)(now / 1000));
		if (!quiet && !through) {
			struct sums sums = sums_of(g->device);

			print_second(g->out, &was, &sums, (double)(now - last) / 1000,
			    (unsigned)((now - start + 500) / 1000));
			was = sums;
		}
		last = now;
		second += 1000;
	}
	return (double)((through ? through : now) - start) / 1000;
}

static bool
read_args(struct gen *g, int argc, char **argv, int *status)
{
	if (mr_cmd_parse(g->args.cmd, argc, argv, 0, 0, &g->args, status))
		return false;
	g->out = mr_cmd_given(&g->args, "write") && !strcmp(mr_cmd_value(&g->args, "write"), "-")
	    ? stderr
	    : stdout;
	*status = MR_EXIT_USAGE;
	if (mr_cmd_given(&g->args, "interface") == mr_cmd_given(&g->args, "write")) {
		fprintf(stderr,
		    "millrace gen: one of --interface NAME and --write FILE (millrace gen "
		    "--help)\n");
		return false;
	}
	if (!mr_cmd_uint(&g->args, "count", 1, UINT64_MAX, &g->count) ||
	    !mr_cmd_uint(&g->args, "time", 1, 10000000, &g->seconds) ||
	    !mr_cmd_uint(&g->args, "rate", 1, 1000000000, &g->rate))
		return false;
	if (mr_cmd_given(&g->args, "write") && !g->count) {
		fprintf(stderr, "millrace gen: a file needs --count N, or it fills the disk\n");
		return false;
	}
	return true;
}

static int
gen_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct gen g = { .args.cmd = cmd };
	int status;
	bool good;

	if (!read_args(&g, argc, argv, &status))
		return status;
	g.log.sink = on_log;
	mr_log_set_level(&g.log, MR_LOG_WARNING);
	if (mr_wait_begin(&g.wait, 0))
		return MR_EXIT_FAILED;
	good = build(&g) == 0;
	if (good) {
		double seconds = follow(&g);

		mr_dataplane_stop(g.dataplane);
		print_summary(&g, seconds);
	}
	mr_dataplane_destroy(g.dataplane);
	mr_config_destroy(g.config);
	mr_model_destroy(g.model);
	mr_wait_end(&g.wait);
	return good ? MR_EXIT_OK : MR_EXIT_FAILED;
}

const struct mr_cmd mr_cmd_gen = {
	.name = "gen",
	.summary = "send generated traffic out of an interface or into a file",
	.usage = "--interface NAME | --write FILE",
	.help =
	    "Makes packets and sends them out of an interface, a line per second, until all are\n"
	    "sent, the time is over or ^C. What arrives at the interface meanwhile is counted;\n"
	    "with --latency the generator knows its own packets again.\n"
	    "It needs CAP_NET_ADMIN and CAP_NET_RAW for an interface, and nothing for a file,\n"
	    "which gets time stamps as of the rate and is the same for the same seed.\n"
	    "\n"
	    "  millrace gen -i veth0 --rate 100k --time 10 --flows 1000 --size imix\n"
	    "  millrace gen -i eth1 --count 1M --latency --dst-mac 02:00:00:00:00:02\n"
	    "  millrace gen --write flood.pcap --count 10k --l4 tcp --dst-port 80 --seed 7",
	.options = options,
	.run = gen_run,
};

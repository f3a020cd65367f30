/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary frames through lists that look at everything there is, answer what they can and log it.
 * Input: frames, each a byte that says where it goes and in what state, two of length, and its bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/acl/acl.h"
#include "nf/acl/acl_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "interface: {a: {driver: \"null\"}, b: {driver: \"null\", cross-connect: a}}\n"
    "acl:\n"
    "  reject-rate: 1000000\n"
    "  default-in: l\n"
    "  default-out: m\n"
    "  list:\n"
    "    l:\n"
    "      neighbor-discovery: rules\n"
    "      rule:\n"
    "        - {name: 0, length: 60-100, vlan: 1-9, action: continue, log: {sample: 3, rate: "
    "1000}}\n"
    "        - {name: 1, source-mac: \"02:00:00:00:00:00/24\", dscp: [ef, 1], action: continue, "
    "set-mark: 1}\n"
    "        - {name: 2, fragment: any, action: jump, to: n}\n"
    "        - {name: 3, protocol: tcp, tcp-flags: \"syn,!ack\", action: reject, reject-with: "
    "tcp-reset}\n"
    "        - {name: 4, protocol: [udp, tcp, sctp, dccp, udplite], destination-port: 0-4000, "
    "action: reject}\n"
    "        - {name: 5, icmp-type: [echo-request, 3/4], action: reject, reject-with: "
    "host-unreachable}\n"
    "        - {name: 6, icmp6-type: [echo-request, 1/4], action: reject, reject-with: tcp-reset}\n"
    "        - {name: 7, protocol-not: [tcp, udp], action: reject, reject-with: net-unreachable}\n"
    "    m:\n"
    "      default: reject\n"
    "      ether: drop\n"
    "      ether-except: [\"0x88cc\"]\n"
    "      rule:\n"
    "        - {name: 1, mark: 1, output: a, action: accept}\n"
    "        - {name: 2, state: [new, invalid], action: goto, to: n}\n"
    "    n:\n"
    "      rule:\n"
    "        - {name: 1, source: [10.0.0.0/8, \"2001:db8::/32\"], action: return}\n"
    "        - {name: 2, limit: {rate: 1, burst: 100}, action: drop}\n";

struct bed {
	struct mr_dataplane *dp;
	struct mr_model *model; /* the configuration's, for as long as it is */
	struct mr_config *config;
	uint16_t nodes[2];
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
open_bed(struct bed *b)
{
	static struct mr_log quiet;
	const char *texts[64];
	struct mr_report *report;
	struct mr_graph *graph;
	size_t n = 0;

	for (; mr_nf_list[n]; n++)
		texts[n] = mr_nf_list[n]->yang;
	must(mr_model_create(&b->model, texts, n, NULL) == 0);
	must(mr_report_create(&report) == 0);
	must(mr_config_parse(&b->config, b->model, "fuzz", text, sizeof(text) - 1, report) == 0);
	must(mr_dataplane_create(&b->dp, b->config, &quiet, report) == 0);
	mr_report_destroy(report);
	graph = mr_dataplane_graph(b->dp);
	for (uint16_t i = 0; i < mr_graph_node_count(graph); i++) {
		if (!strcmp(mr_graph_node_name(graph, i), "acl-in@b"))
			b->nodes[0] = i;
		if (!strcmp(mr_graph_node_name(graph, i), "acl-out@a"))
			b->nodes[1] = i;
	}
	must(b->nodes[0] && b->nodes[1]);
}

static void
run(struct bed *b, uint8_t how, const uint8_t *bytes, size_t len)
{
	struct mr_buffers *buffers = mr_dataplane_buffers(b->dp);
	struct mr_graph *graph = mr_dataplane_graph(b->dp);
	uint32_t packet = mr_packet_from(buffers, 0, bytes, len);
	struct mr_packet *p;

	must(packet != MR_PACKET_NONE);
	p = mr_packet_at(buffers->base, packet);
	p->port = how & 1;
	p->track = 1u << (24 + how / 2 % 5);
	mr_packet_set_mark(p, how >> 7);
	mr_graph_inject(graph, 0, b->nodes[how >> 6 & 1], &packet, 1);
	mr_graph_pass(graph, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed bed;
	struct mr_graph_totals t;
	size_t at = 0;

	if (!bed.dp)
		open_bed(&bed);
	while (at + 3 <= size) {
		size_t len = (data[at + 1] << 8 | data[at + 2]) % 3000;

		len = MR_MIN(len, size - at - 3);
		if (len)
			run(&bed, data[at], data + at + 3, len);
		at += 3 + len;
	}
	mr_dataplane_tick(bed.dp, 0);
	mr_graph_totals(mr_dataplane_graph(bed.dp), &t);
	must(t.received + t.created == t.sent + t.dropped + t.held + t.merged);
	return 0;
}

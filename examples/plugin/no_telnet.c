/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin with one node: TCP to port 23 is dropped by the reason "telnet", everything
 * else goes on. Outside of millrace's own build:
 *
 *	cc -O2 -shared -fPIC $(pkg-config --cflags millrace) -o no_telnet.so no_telnet.c
 *
 * and in the configuration (examples/no-telnet.yaml is a whole one):
 *
 *	system: {plugins: [./no_telnet.so]}
 *	interface: {lan: {device: eth0, input-nodes: [no-telnet]}}
 */
#include "kit/graph/plugin.h"
#include "kit/packet/parse.h"

enum { NEXT }; /* edges: a plugin's node has one, the way on */
enum { DROP_TELNET };
enum { COUNT_SEEN };

/* A vector of packets; each gets one verdict. `rec` is for packets that are traced. */
mr_inline void
no_telnet_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		struct mr_parsed at;

		verdicts[i] = mr_verdict_edge(NEXT);
		mr_parse(&at, mr_packet_bytes(p), p->len, p->total);
		if (!(at.flags & MR_PARSED_L4) || at.proto != MR_IP_PROTO_TCP || at.dst_port != 23)
			continue;
		mr_record_note(rec, p, "TCP from port", at.src_port); /* for `millrace trace` */
		verdicts[i] = mr_verdict_drop(DROP_TELNET);
	}
	mr_node_count(run, COUNT_SEEN, count); /* once per vector, not per packet */
}
MR_NODE_FUNCTIONS(no_telnet)

static const char *const edges[] = { [NEXT] = "next" };
static const struct mr_named drops[] = { [DROP_TELNET] = { "telnet", "TCP to port 23" } };
static const struct mr_named counters[] = { [COUNT_SEEN] = { "seen", "packets looked at" } };
static const struct mr_node_class no_telnet = {
	.name = "no-telnet",
	.doc = "drops TCP to port 23",
	.edges = edges,
	.edge_count = MR_ARRAY_COUNT(edges),
	.drops = drops,
	.drop_count = MR_ARRAY_COUNT(drops),
	.counters = counters,
	.counter_count = MR_ARRAY_COUNT(counters),
	MR_NODE_RUN(no_telnet),
};
MR_API const struct mr_plugin mr_plugin = {
	.abi = MR_PLUGIN_ABI,
	.name = "no-telnet",
	.doc = "an example to copy",
	.nodes = (const struct mr_node_class *const[]){ &no_telnet, NULL },
};

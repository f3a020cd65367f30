/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/interface/interface_int.h"

enum { UNUSED_DROP };

mr_inline void
unused_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	(void)run;
	(void)rec;
	(void)packets;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_drop(UNUSED_DROP);
}
MR_NODE_FUNCTIONS(unused)

static const struct mr_named unused_drops[] = {
	[UNUSED_DROP] = { "not-used", "no bridge or cross-connect uses the interface" },
};
const struct mr_node_class interface_unused_class = {
	.name = "interface-unused",
	.doc = "ends what arrives on interfaces that no function uses",
	.drops = unused_drops,
	.drop_count = 1,
	MR_NODE_RUN(unused),
};

mr_inline void
cross_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const uint16_t *to = run->self;

	for (unsigned i = 0; i < count; i++) {
		mr_record_use(rec, mr_packet_at(run->base, packets[i]), 0);
		verdicts[i] = mr_verdict_output(*to);
	}
}
MR_NODE_FUNCTIONS(cross)

const struct mr_node_class interface_cross_class = {
	.name = "cross-connect",
	.doc = "sends everything on through one other interface",
	.by_address = true, /* takes frames to any, which without this have no key */
	.replays = true,
	MR_NODE_RUN(cross),
};

mr_inline void
out_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const uint16_t *port = run->self;

	for (unsigned i = 0; i < count; i++) {
		mr_record_use(rec, mr_packet_at(run->base, packets[i]), 0);
		verdicts[i] = mr_verdict_send(*port);
	}
}
MR_NODE_FUNCTIONS(out)

const struct mr_node_class interface_out_class = {
	.name = "interface-out",
	.doc = "sends what the rules behind an interface's outputs let pass",
	.replays = true,
	MR_NODE_RUN(out),
};

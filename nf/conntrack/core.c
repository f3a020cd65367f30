/* SPDX-License-Identifier: Apache-2.0 */
/* What workers see, and its life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "nf/conntrack/conntrack_int.h"

#define RATE_WORDS 65536u

int
ct_core_create(struct ct_core **out, uint32_t max, uint32_t workers, struct mr_error *error)
{
	struct ct_core *core = calloc(1, sizeof(*core));
	int rc = 0;

	if (!core)
		return mr_error_set(error, -ENOMEM, "no memory for connections");
	core->alone = workers == 1;
	core->options = CT_LOOSE | CT_CHECKSUM;
	core->ports = calloc(MR_PORT_MAX, sizeof(*core->ports));
	core->fragments = calloc(MR_GRAPH_WORKERS_MAX + 1, sizeof(*core->fragments));
	if (!core->ports || !core->fragments)
		rc = mr_error_set(error, -ENOMEM, "no memory for connections");
	if (!rc)
		rc = ct_table_create(&core->table, max, workers, error);
	if (!rc)
		rc = mr_meter_table_create(&core->rates, RATE_WORDS, error);
	for (uint32_t i = 0; !rc && i < workers; i++)
		rc = ct_fragments_create(&core->fragments[i], error);
	if (rc) {
		ct_core_destroy(core, NULL);
		return rc;
	}
	for (unsigned i = 0; i < MR_PORT_MAX; i++)
		core->ports[i].index = (uint16_t)i;
	*out = core;
	return 0;
}

static void
free_list(struct mr_buffers *buffers, uint32_t packet)
{
	while (packet != MR_PACKET_NONE) {
		uint32_t next = mr_packet_at(buffers->base, packet)->hash;

		mr_packets_free(buffers, MR_POOL_SHARED, &packet, 1);
		packet = next;
	}
}

void
ct_core_destroy(struct ct_core *core, struct mr_buffers *buffers)
{
	if (!core)
		return;
	for (unsigned i = 0; core->fragments && core->fragments[i]; i++) {
		uint32_t cursor = 0;
		struct ct_fragment *e;

		while (buffers &&
		    (e = ct_fragments_due(core->fragments[i], 0, UINT32_MAX / 2, &cursor)))
			free_list(buffers, ct_fragment_take(core->fragments[i], e));
		ct_fragments_destroy(core->fragments[i]);
	}
	free(core->fragments);
	free(core->ports);
	mr_meter_table_destroy(core->rates);
	ct_table_destroy(core->table);
	free(core);
}

bool
ct_piece_ports(const struct ct_core *core, const struct mr_packet *p, be16_t *sport, be16_t *dport)
{
	uint32_t number = mr_track_connection(p), word, ports;
	struct ct_key key;
	unsigned from;

	if (!core || !(p->track & MR_TRACK_PIECE ? 1 : number))
		return false;
	if (p->track & MR_TRACK_PIECE) {
		if (number >> 16 >= MR_GRAPH_WORKERS_MAX || !core->fragments[number >> 16])
			return false;
		ports = ct_fragment_ports(core->fragments[number >> 16], number & 0xffffu);
		*sport = (be16_t)ports;
		*dport = (be16_t)(ports >> 16);
		return true;
	}
	if (mr_track_state(p) & MR_TRACK_RELATED)
		return false;
	word = atomic_load_explicit(&core->table->lines[number].word, memory_order_acquire);
	ct_key_load(&core->table->cold[number], &key);
	from = !!(word & CT_SWAPPED) ^ !!(p->track & MR_TRACK_REPLY);
	*sport = mr_be16(CT_KEY_PORT(&key, from));
	*dport = mr_be16(CT_KEY_PORT(&key, !from));
	return true;
}

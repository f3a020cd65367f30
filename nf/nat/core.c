/* SPDX-License-Identifier: Apache-2.0 */
/* What workers see, and its life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph.h"
#include "nf/nat/held_int.h"

int
nat_core_create(struct nat_core **out, uint32_t max, uint32_t workers, struct mr_error *error)
{
	struct nat_core *core = calloc(1, sizeof(*core));
	int rc = 0;

	if (!core)
		return mr_error_set(error, -ENOMEM, "no memory for a translator");
	core->fragments = calloc(MR_GRAPH_WORKERS_MAX + 1, sizeof(*core->fragments));
	core->held = calloc(MR_GRAPH_WORKERS_MAX + 1, sizeof(*core->held));
	if (!core->fragments || !core->held)
		rc = mr_error_set(error, -ENOMEM, "no memory for a translator");
	if (!rc)
		rc = nat_table_create(&core->table, max, workers, error);
	for (uint32_t i = 0; !rc && i < workers; i++) {
		rc = ct_fragments_create(&core->fragments[i], error);
		core->held[i] = calloc(1, sizeof(*core->held[i]));
		if (!rc && !core->held[i])
			rc = mr_error_set(error, -ENOMEM, "no memory for a translator");
	}
	if (rc) {
		nat_core_destroy(core, NULL);
		return rc;
	}
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
nat_core_destroy(struct nat_core *core, struct mr_buffers *buffers)
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
	for (unsigned i = 0; core->held && core->held[i]; i++) {
		nat_held_free(core->held[i], buffers);
		free(core->held[i]);
	}
	free(core->fragments);
	free(core->held);
	nat_table_destroy(core->table);
	free(core);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way out. What gathered for a port is settled where its device needs that
 * (kit/port/port.h), sent, and what the device refuses twice is dropped by name.
 * A queue belongs to one worker; the others hand over to it.
 */

#include "kit/graph/graph_int.h"

/* A device that takes nothing is asked again this often, having been asked to
 * collect what it finished. */
#define TX_TRIES 3

static unsigned
send_burst(struct mr_worker *w, const struct plan_port *pp, const uint32_t *packets, unsigned count)
{
	const struct mr_port_driver *driver = pp->port->driver;
	unsigned sent = 0, n;

	for (unsigned tries = 0; sent < count && tries < TX_TRIES;) {
		n = driver->tx(pp->port, pp->queue, w->index, packets + sent, count - sent);
		sent += n;
		if (n == 0) {
			tries++;
			if (driver->tx_idle)
				driver->tx_idle(pp->port, pp->queue, w->index);
		}
	}
	mr_counter_add(&w->sent, sent);
	return sent;
}

/* One by one, since each packet's fate is written down after the device has it. */
static void
send_recorded(struct mr_worker *w, const struct plan_port *pp, const uint32_t *packets,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(w->graph->buffers->base, packets[i]);
		struct mr_packet stands_for = { .record = p->record };
		uint32_t total = p->total;
		struct mr_op *op;
		unsigned sent;

		p->record = 0;
		sent = send_burst(w, pp, &packets[i], 1);
		if (stands_for.record && w->recorder) {
			w->recorder->node = MR_GRAPH_NODE_TX;
			op = mr_record_op(w->recorder, &stands_for,
			    sent ? MR_OP_OUTPUT : MR_OP_REFUSED);
			op->arg = pp->port->index;
			op->a = total;
			mr_record_end(w->recorder, &stands_for);
		}
		if (!sent)
			mr_worker_refuse(w, pp->port->index, MR_TX_DROP_FULL, &packets[i], 1);
	}
}

static void
send(struct mr_worker *w, const struct plan_port *pp, const uint32_t *packets, unsigned count,
    bool recorded)
{
	unsigned sent;

	if (mr_unlikely(w->probes && (w->probes->points & MR_PROBE_TX)))
		mr_probe_capture(w->probes, w, MR_PROBE_TX, pp->port->index, 0, packets, count);
	if (mr_unlikely(recorded)) {
		send_recorded(w, pp, packets, count);
		return;
	}
	sent = send_burst(w, pp, packets, count);
	if (mr_unlikely(sent < count))
		mr_worker_refuse(w, pp->port->index, MR_TX_DROP_FULL, packets + sent, count - sent);
}

static bool
needs_settling(const struct mr_worker *w, const struct vector *v)
{
	uint8_t *base = w->graph->buffers->base;
	unsigned work = 0;

	for (unsigned i = 0; i < v->count; i++) {
		const struct mr_packet *p = mr_packet_at(base, v->packets[i]);

		work |= (p->flags & MR_PACKET_TX_WORK) | p->next;
	}
	return work != 0;
}

/* Recorded packets that settling replaces, or that are only explained, end here in their
 * recordings. */
static void
end_recordings(struct mr_worker *w, const struct plan_port *pp, const struct vector *v)
{
	for (unsigned i = 0; i < v->count; i++) {
		struct mr_packet *p = mr_packet_at(w->graph->buffers->base, v->packets[i]);
		struct mr_op *op;

		if (!p->record || !w->recorder)
			continue;
		w->recorder->node = MR_GRAPH_NODE_TX;
		if (pp->settle && ((p->flags & MR_PACKET_TX_WORK) || p->next))
			mr_record_op(w->recorder, p, MR_OP_NOTE)->text =
			    "settled for the device (checksum, segments)";
		op = mr_record_op(w->recorder, p, MR_OP_OUTPUT);
		op->arg = pp->port->index;
		op->a = p->total;
		mr_record_end(w->recorder, p);
	}
}

static void
settle_and_send(struct mr_worker *w, const struct plan_port *pp, const struct vector *v)
{
	uint32_t ready[MR_VECTOR_MAX], unsettled[MR_PORT_UNSETTLED_MAX(MR_VECTOR_MAX)];
	unsigned done = 0, consumed, failed, n, gone;

	if (v->recorded)
		end_recordings(w, pp, v);
	while (done < v->count) {
		failed = 0;
		n = mr_port_settle(pp->port, w->index, v->packets + done, v->count - done,
		    &consumed, ready, MR_VECTOR_MAX, unsettled, &failed);
		if (mr_unlikely(failed))
			mr_worker_refuse(w, pp->port->index, MR_TX_DROP_UNSETTLED, unsettled,
			    failed);
		/* Pieces beyond one for one are packets that the graph made. */
		gone = consumed - failed;
		if (n > gone)
			mr_counter_add(&w->created, n - gone);
		send(w, pp, ready, n, false);
		done += consumed;
		if (mr_unlikely(consumed == 0)) { /* larger than `ready`: cannot be sent */
			mr_worker_refuse(w, pp->port->index, MR_TX_DROP_UNSETTLED,
			    v->packets + done, 1);
			done++;
		}
	}
}

/* What would be sent. */
static void
explain_output(struct mr_worker *w, const struct plan_port *pp, const struct vector *v)
{
	mr_worker_tell_sent(w, pp->port->index, v->packets, v->count);
	end_recordings(w, pp, v);
	mr_packets_free(w->graph->buffers, w->index, v->packets, v->count);
}

void
mr_worker_flush_slot(struct mr_worker *w, unsigned slot)
{
	unsigned port = slot % OUT_FINAL;
	struct vector *v = w->out[slot];
	const struct plan_port *pp = &w->current->ports[port];
	struct node_rt *tx = w->current->nodes[MR_GRAPH_NODE_TX].rt;
	uint64_t start;
	unsigned count;

	if (!v || v->count == 0)
		return;
	w->out[slot] = NULL; /* what a drop or a copy brings on meanwhile gathers anew */
	if (mr_unlikely(pp->port && pp->behind != UINT16_MAX && slot < OUT_FINAL)) {
		mr_worker_enter_vector(w, pp->behind, v);
		return;
	}
	count = v->count;
	start = mr_cycles();
	if (mr_unlikely(!pp->port || !pp->up))
		mr_worker_refuse(w, port, MR_TX_DROP_NO_PORT, v->packets, count);
	else if (mr_unlikely(pp->owner != w->index))
		mr_worker_handoff(w, pp->owner, HANDOFF_PORT | MR_VERDICT_FINAL | port, v->packets,
		    count);
	else if (mr_unlikely(mr_record_is_dry(w->recorder)))
		explain_output(w, pp, v);
	else if (pp->settle && needs_settling(w, v))
		settle_and_send(w, pp, v);
	else
		send(w, pp, v->packets, count, v->recorded);
	vector_put(w, v);
	mr_counter_add(&tx->calls, 1);
	mr_counter_add(&tx->packets, count);
	mr_counter_add(&tx->cycles, mr_cycles() - start);
}

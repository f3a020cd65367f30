/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/interface/interface_int.h"

static uint64_t
get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static const char *
state_name(const struct record *r)
{
	if (!r->want.enabled)
		return "disabled";
	if (!r->pub.port)
		return "gone";
	switch (atomic_load_explicit(&r->pub.port->state, memory_order_relaxed)) {
	case MR_PORT_DONE:
		return "done";
	case MR_PORT_GONE:
		return "gone";
	default:
		return r->pub.up ? "up" : "down";
	}
}

static void
show_counters(const struct mr_port *port, struct mr_state *st)
{
	struct mr_port_queue_stats rx = { 0 }, tx = { 0 };
	struct mr_port_stats device = { 0 };

	for (unsigned q = 0; q < port->rx_queues; q++) {
		rx.packets += get(&port->rx_stats[q].packets);
		rx.bytes += get(&port->rx_stats[q].bytes);
		rx.errors += get(&port->rx_stats[q].errors);
		rx.no_buffer += get(&port->rx_stats[q].no_buffer);
		rx.calls += get(&port->rx_stats[q].calls);
	}
	for (unsigned q = 0; q < port->tx_queues; q++) {
		tx.packets += get(&port->tx_stats[q].packets);
		tx.bytes += get(&port->tx_stats[q].bytes);
		tx.errors += get(&port->tx_stats[q].errors);
		tx.gone += get(&port->tx_stats[q].gone);
		tx.calls += get(&port->tx_stats[q].calls);
	}
	if (port->driver->stats)
		port->driver->stats((struct mr_port *)port, &device);
	if (device.detail[0])
		mr_state_text(st, "detail", device.detail);
	mr_state_open(st, "counters");
	mr_state_uint(st, "rx-packets", rx.packets);
	mr_state_uint(st, "rx-bytes", rx.bytes);
	mr_state_uint(st, "rx-errors", rx.errors);
	mr_state_uint(st, "rx-no-buffer", rx.no_buffer);
	mr_state_uint(st, "rx-device-drops", device.device_rx_dropped);
	mr_state_uint(st, "rx-calls", rx.calls);
	mr_state_uint(st, "tx-packets", tx.packets);
	mr_state_uint(st, "tx-bytes", tx.bytes);
	mr_state_uint(st, "tx-errors", tx.errors);
	mr_state_uint(st, "tx-gone", tx.gone);
	mr_state_uint(st, "tx-device-drops", device.device_tx_dropped);
	mr_state_uint(st, "tx-calls", tx.calls);
	mr_state_close(st);
}

void
interface_show(void *state, struct mr_state *st)
{
	const struct mr_interfaces *all = state;

	for (const struct record *r = all->now; r; r = r->next) {
		const struct mr_port *port = r->pub.port;

		mr_state_list(st, "interface", r->pub.name);
		mr_state_text(st, "driver", r->want.driver);
		if (r->want.device[0])
			mr_state_text(st, "device", r->want.device);
		mr_state_uint(st, "index", r->pub.index);
		mr_state_text(st, "state", state_name(r));
		if (r->trouble[0])
			mr_state_text(st, "trouble", r->trouble);
		if (port) {
			mr_state_mac(st, "mac", port->mac);
			mr_state_uint(st, "current-mtu", port->mtu);
			if (port->speed_mbps)
				mr_state_uint(st, "speed", port->speed_mbps);
			show_counters(port, st);
		}
		mr_state_close(st);
	}
}

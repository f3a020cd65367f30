/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_CHANNEL_H
#define MR_KIT_PORT_CHANNEL_H

/*
 * A channel: a port whose other end is a thread of the same program that is no worker. What
 * the graph sends on the port, the thread receives; what the thread sends, arrives on the port as
 * from any device and enters the graph at the port's input node. For what wants its own time,
 * memory or system calls: resolving neighbours, talking to a daemon, a program's own protocol.
 *
 *   worker 0 -- tx queue 0 -- ring --+
 *   worker 1 -- tx queue 1 -- ring --+--> mr_channel_receive    the thread
 *   a worker <- rx queue 0 -- ring <----- mr_channel_send
 *
 * A packet travels with its whole metadata line, the nodes' scratch included, so that
 * a node and the thread can tell each other what it is about; only `port` and `queue` are set on
 * arrival, as every driver does. Nothing is copied.
 *
 *	mr_channel_open(&port, &channel, &config, 1024, &error);
 *	port->driver->start(port, &error);
 *	mr_graph_add_port(graph, port, NULL, 0, &error);
 *	mr_graph_set_input(graph, port->index, node, 0);
 *	...
 *	for (;;) {
 *		while ((n = mr_channel_receive(channel, packets, 64)) > 0)
 *			mr_channel_send(channel, packets, n);    ... and free what it did not take
 *		if (mr_channel_arm(channel))
 *			poll(&(struct pollfd){ mr_channel_fd(channel), POLLIN }, 1, -1);
 *	}
 *
 * Full is the sender's to handle: the graph drops what the port does not take and counts it
 * ("port-tx", full); mr_channel_send returns how many it took. Nobody makes a system
 * call unless the other side said that it goes to sleep.
 *
 * Ownership: the port owns the channel: mr_port_close ends both and frees what is in the
 * rings. Packets belong to whoever received them, as with any port.
 * Threads: receive, send and arm belong to one thread; open, close and the port's other
 * calls to the control thread (it may be the same). Packets that the thread makes or frees go
 * by MR_POOL_SHARED. stats may be called by any thread.
 * Errors: open returns 0 or -errno with a text; the others move fewer packets.
 */

#include "kit/port/port.h"

struct mr_channel;

struct mr_channel_stats {
	uint64_t received; /* packets that the thread took */
	uint64_t sent;     /* that it gave to the graph */
	uint64_t refused;  /* that it could not give: the ring was full or the port stopped */
	uint64_t wakes;    /* how often the graph had to wake the thread */
};

/* A ring of `slots` packets (a power of two is made of it, 16 at least) for each direction and tx
 * queue. config->tx_queues 0: one for each of config->workers, so that no worker hands over to
 * another; there is one rx queue. */
MR_API int mr_channel_open(struct mr_port **port, struct mr_channel **channel,
    const struct mr_port_config *config, uint32_t slots, struct mr_error *);

/* Up to `max` packets that the graph sent, each queue's in order, queues in turn. */
MR_API unsigned mr_channel_receive(struct mr_channel *, uint32_t *packets, unsigned max);

/* Gives packets to the graph; returns how many of the first it took. */
MR_API unsigned mr_channel_send(struct mr_channel *, const uint32_t *packets, unsigned count);

/* Becomes readable when, after mr_channel_arm, a packet comes. For poll and epoll; never read it. */
MR_API int mr_channel_fd(const struct mr_channel *);

/* About to sleep on the descriptor. False: there is something to receive already. */
MR_API bool mr_channel_arm(struct mr_channel *);

MR_API void mr_channel_stats(const struct mr_channel *, struct mr_channel_stats *);

#endif

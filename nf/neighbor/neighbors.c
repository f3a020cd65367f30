/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's side as a whole: life, time. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/neighbor/neighbor_int.h"

#define HOP_WORDS 16384u
#define HOP_RATE 20u /* packets per second to one unresolved next hop, and at once */
#define WALK_FIRST 100u
#define LONGEST 1000u

/* Of all interfaces together, per second. */
static const uint32_t overall[NEIGHBOR_CLASSES] = {
	[NEIGHBOR_CLASS_ANSWER] = 20000,
	[NEIGHBOR_CLASS_HEARD] = 8000,
	[NEIGHBOR_CLASS_HOP] = 8000,
	[NEIGHBOR_CLASS_GLEAN] = 4000,
};

#define X(id, name, doc) { name, doc },
const struct mr_named neighbor_counts[NEIGHBOR_COUNT_N] = { NEIGHBOR_COUNTS(X) };
#undef X

void
neighbors_defaults(struct neighbor_settings *s, struct neighbor_interface_settings *own)
{
	*s = (struct neighbor_settings){
		.times = { .reachable = 30000,
		    .retransmit = 1000,
		    .delay = 5000,
		    .stale = 1200000,
		    .failed = 60000,
		    .asks = 3 },
		.limit = 4096,
		.queue = 16,
		.answer_rate = 2000,
		.heard_rate = 500,
		.glean_rate = 500,
	};
	*own = (struct neighbor_interface_settings){
		.dad = true,
		.ra = { .prefixes = true,
		    .on_link = true,
		    .autonomous = true,
		    .max_interval = 600,
		    .min_interval = 200,
		    .lifetime = 1800,
		    .hop_limit = 64,
		    .valid = 2592000,
		    .preferred = 604800,
		    .dns_lifetime = 1800 },
	};
}

static int
make_wheels(struct neighbors *n, uint64_t now, struct mr_error *error)
{
	int rc = mr_timer_wheel_create(&n->wheel,
	    &(struct mr_timer_wheel_config){ .timers = &n->entries->timer,
		.stride = sizeof(*n->entries),
		.count = MR_NEIGHBORS_MAX + 1,
		.now = now },
	    error);

	if (rc)
		return rc;
	return mr_timer_wheel_create(&n->interface_wheel,
	    &(struct mr_timer_wheel_config){ .timers = &n->interfaces->timer,
		.stride = sizeof(*n->interfaces),
		.count = MR_IP_INTERFACES_MAX,
		.now = now },
	    error);
}

static int
make_arrays(struct neighbors *n, struct mr_error *error)
{
	n->entries = calloc(MR_NEIGHBORS_MAX + 1, sizeof(*n->entries));
	n->buckets = calloc(NEIGHBOR_BUCKETS, sizeof(*n->buckets));
	n->interfaces = calloc(MR_IP_INTERFACES_MAX, sizeof(*n->interfaces));
	n->waiting = calloc(NEIGHBOR_QUEUE_TOTAL + 1, sizeof(*n->waiting));
	n->nodes.views = calloc(MR_IP_INTERFACES_MAX, sizeof(*n->nodes.views));
	n->nodes.limits = calloc(MR_IP_INTERFACES_MAX, sizeof(*n->nodes.limits));
	if (!n->entries || !n->buckets || !n->interfaces || !n->waiting || !n->nodes.views ||
	    !n->nodes.limits)
		return mr_error_set(error, -ENOMEM, "no memory for neighbours");
	n->entry_end = 1;
	for (unsigned r = 0; r < NEIGHBOR_RANKS; r++)
		TAILQ_INIT(&n->ranks[r]);
	for (uint32_t w = NEIGHBOR_QUEUE_TOTAL; w > 0; w--) {
		n->waiting[w].next = n->waiting_free;
		n->waiting_free = w;
	}
	return 0;
}

static int
make_limits(struct neighbors *n, struct mr_error *error)
{
	int rc = mr_meter_table_create(&n->nodes.destinations, HOP_WORDS, error);

	if (rc)
		return rc;
	mr_meter_rate_set(&n->nodes.destinations->rate, n->hz, HOP_RATE, HOP_RATE);
	for (unsigned c = 0; c < NEIGHBOR_CLASSES; c++)
		mr_meter_set(&n->nodes.overall.class[c], n -> hz, overall[c], overall[c] / 8);
	return 0;
}

int
neighbors_create(struct neighbors **out, const struct neighbors_config *config,
    struct mr_error *error)
{
	struct mr_port_config port = { .name = "neighbor",
		.index = config->port,
		.buffers = config->buffers,
		.workers = config->workers,
		.numa_node = -1 };
	struct neighbors *n = calloc(1, sizeof(*n));
	int rc;

	*out = NULL;
	if (!n)
		return mr_error_set(error, -ENOMEM, "no memory");
	n->ip = config->ip;
	n->nodes.ip = config->ip;
	n->nodes.channel = config->port;
	n->rib = config->rib;
	n->buffers = config->buffers;
	n->log = config->log;
	n->hz = config->hz;
	n->now = config->now;
	n->walk_due = config->now + WALK_FIRST;
	rc = mr_hash_key_random(&n->key, error);
	n->random = n->key.f[0] | 1;
	if (!rc)
		rc = make_arrays(n, error);
	if (!rc)
		rc = make_wheels(n, config->now, error);
	if (!rc)
		rc = make_limits(n, error);
	if (!rc)
		rc = mr_channel_open(&n->port, &n->channel, &port, NEIGHBOR_CHANNEL_SLOTS, error);
	if (!rc)
		rc = n->port->driver->start(n->port, error);
	if (rc) {
		neighbors_destroy(n);
		return rc;
	}
	*out = n;
	return 0;
}

/* No worker runs its nodes any more. */
void
neighbors_destroy(struct neighbors *n)
{
	if (!n)
		return;
	for (uint32_t i = 1; n->entries && i < n->entry_end; i++)
		if (n->entries[i].live)
			neighbor_drop(n, &n->entries[i]);
	if (n->channel)
		neighbors_flush(n);
	for (unsigned i = 0; n->interfaces && i < MR_IP_INTERFACES_MAX; i++) {
		free(n->interfaces[i].addresses);
		if (n->nodes.views)
			free(atomic_load_explicit(&n->nodes.views[i], memory_order_relaxed));
	}
	mr_rcu_drain(&n->retired);
	mr_port_close(n->port);
	mr_meter_table_destroy(n->nodes.destinations);
	mr_timer_wheel_destroy(n->wheel);
	mr_timer_wheel_destroy(n->interface_wheel);
	free(n->entries);
	free(n->buckets);
	free(n->interfaces);
	free(n->waiting);
	free(n->nodes.views);
	free(n->nodes.limits);
	free(n);
}

/* xorshift64*: times that should not fall together, no secrets. */
uint32_t
neighbors_random(struct neighbors *n)
{
	n->random ^= n->random >> 12;
	n->random ^= n->random << 25;
	n->random ^= n->random >> 27;
	return (uint32_t)(n->random * 0x2545f4914f6cdd1dull >> 32);
}

const char *
neighbor_text(char *text, size_t size, unsigned family, const uint8_t *bytes)
{
	if (!inet_ntop(family == MR_IP4 ? AF_INET : AF_INET6, bytes, text, (socklen_t)size))
		text[0] = '\0';
	return text;
}

static void
interfaces_due(struct neighbors *n)
{
	uint32_t due[16];
	unsigned count, rounds = 0;

	do {
		count = mr_timer_advance(n->interface_wheel, n->now, 64, due, MR_ARRAY_COUNT(due));
		for (unsigned i = 0; i < count; i++)
			neighbors_interface_due(n, (uint16_t)due[i]);
	} while ((count || mr_timer_behind(n->interface_wheel)) && ++rounds < 1024);
}

static void
tell(struct neighbors *n)
{
	n->notify = false;
	for (uint32_t i = 1; i < n->ip->interface_end; i++) {
		if (!n->interfaces[i].notify)
			continue;
		n->interfaces[i].notify = false;
		if (n->changed)
			n->changed(n->user, (uint16_t)i);
	}
}

static uint64_t
next_due(const struct neighbors *n)
{
	uint64_t next = MR_MIN(mr_timer_next(n->wheel), mr_timer_next(n->interface_wheel));

	return MR_MIN(next, n->walk_due);
}

uint32_t
neighbors_tick(struct neighbors *n, uint64_t now)
{
	uint64_t next;

	n->now = MR_MAX(now, n->now);
	neighbors_receive(n);
	neighbor_expire(n);
	interfaces_due(n);
	neighbor_walk(n);
	if (n->notify)
		tell(n);
	neighbors_flush(n);
	if (mr_rcu_waiting(&n->retired))
		mr_rcu_flush(&n->retired);
	if (!mr_channel_arm(n->channel))
		return 0;
	next = next_due(n);
	return next <= n->now ? 1 : (uint32_t)MR_MIN(next - n->now, (uint64_t)LONGEST);
}

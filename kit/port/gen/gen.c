/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/gen/gen_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

extern const struct mr_port_driver mr_port_driver_gen;

const struct mr_option_desc gen_options[] = {
	{ .key = "flows",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 16 << 20,
	    .fallback = "1",
	    .doc = "how many flows; each has its own addresses and ports" },
	{ .key = "size",
	    .kind = MR_OPTION_TEXT,
	    .max = 120,
	    .fallback = "64",
	    .doc = "bytes of a frame without its checksum: one size, several (64,512,1514) in "
		   "turn, or "
		   "imix (60, 590 and 1514, 7:4:1)" },
	{ .key = "rate",
	    .kind = MR_OPTION_UINT,
	    .max = 1000000000,
	    .fallback = "0",
	    .doc = "packets per second over all queues; 0: as fast as they are taken" },
	{ .key = "backlog",
	    .kind = MR_OPTION_UINT,
	    .max = 1000000000,
	    .fallback = "0",
	    .doc = "packets that may be sent at once after a pause, to keep the rate; 0: a tenth "
		   "of a second's worth" },
	{ .key = "count",
	    .kind = MR_OPTION_UINT,
	    .max = UINT64_MAX,
	    .fallback = "0",
	    .doc = "packets over all queues, then the port is done; 0: without end" },
	{ .key = "seed",
	    .kind = MR_OPTION_UINT,
	    .max = UINT64_MAX,
	    .fallback = "1",
	    .doc = "the same seed gives the same packets" },
	{ .key = "order",
	    .kind = MR_OPTION_ENUM,
	    .values = "round-robin|shuffle|random",
	    .fallback = "random",
	    .doc = "flows one after the other, one after the other in a mixed order, or drawn for "
		   "each "
		   "packet" },
	{ .key = "l3",
	    .kind = MR_OPTION_ENUM,
	    .values = "ip4|ip6|none",
	    .fallback = "ip4",
	    .doc = "network layer; none: the ethertype and zeros" },
	{ .key = "l4",
	    .kind = MR_OPTION_ENUM,
	    .values = "udp|tcp|icmp",
	    .fallback = "udp",
	    .doc = "transport: UDP, TCP (ACK set), echo requests" },
	{ .key = "src-mac",
	    .kind = MR_OPTION_TEXT,
	    .max = 17,
	    .fallback = "02:00:00:00:00:01",
	    .doc = "first source MAC address" },
	{ .key = "src-macs",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 16 << 20,
	    .fallback = "1",
	    .doc = "how many source MAC addresses, counted up from the first" },
	{ .key = "dst-mac",
	    .kind = MR_OPTION_TEXT,
	    .max = 17,
	    .fallback = "02:00:00:01:00:01",
	    .doc = "first destination MAC address" },
	{ .key = "dst-macs",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 16 << 20,
	    .fallback = "1",
	    .doc = "how many destination MAC addresses" },
	{ .key = "vlan",
	    .kind = MR_OPTION_UINT,
	    .max = 4094,
	    .fallback = "0",
	    .doc = "VLAN of an 802.1Q tag; 0: no tag" },
	{ .key = "ethertype",
	    .kind = MR_OPTION_TEXT,
	    .max = 6,
	    .fallback = "0x88b5",
	    .doc = "with l3 none: hexadecimal" },
	{ .key = "src-ip",
	    .kind = MR_OPTION_TEXT,
	    .max = 45,
	    .doc = "first source address; 10.0.0.1 or 2001:db8::1 when not given" },
	{ .key = "src-ips",
	    .kind = MR_OPTION_UINT,
	    .max = 16 << 20,
	    .fallback = "0",
	    .doc = "how many source addresses; 0: as many as the flows need" },
	{ .key = "dst-ip",
	    .kind = MR_OPTION_TEXT,
	    .max = 45,
	    .doc = "first destination address; 10.1.0.1 or 2001:db8:1::1 when not given" },
	{ .key = "dst-ips",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 16 << 20,
	    .fallback = "1",
	    .doc = "how many destination addresses; flows spread over them" },
	{ .key = "src-port",
	    .kind = MR_OPTION_UINT,
	    .max = 65535,
	    .fallback = "1024",
	    .doc = "first source port, or ICMP identifier" },
	{ .key = "src-ports",
	    .kind = MR_OPTION_UINT,
	    .max = 65536,
	    .fallback = "0",
	    .doc = "how many source ports; 0: as many as the flows need, up to 32768" },
	{ .key = "dst-port",
	    .kind = MR_OPTION_UINT,
	    .max = 65535,
	    .fallback = "9",
	    .doc = "first destination port, or ICMP sequence number" },
	{ .key = "dst-ports",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 65536,
	    .fallback = "1",
	    .doc = "how many destination ports" },
	{ .key = "payload",
	    .kind = MR_OPTION_ENUM,
	    .values = "zero|stamp",
	    .fallback = "zero",
	    .doc = "stamp: the last 16 bytes carry a number and the time, by which a gen port that "
		   "they are "
		   "sent to reports loss, order and latency" },
	{ 0 },
};

static int
choice(const struct mr_option_desc *descs, const struct mr_port_config *config, const char *key)
{
	const char *value = mr_option_text(descs, config, key);
	const char *at = NULL;
	size_t len = strlen(value);
	int n = 0;

	for (; descs->key; descs++)
		if (!strcmp(descs->key, key))
			at = descs->values;
	for (; at; n++) {
		const char *bar = strchr(at, '|');

		if ((bar ? (size_t)(bar - at) : strlen(at)) == len && !memcmp(at, value, len))
			return n;
		at = bar ? bar + 1 : NULL;
	}
	return 0;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
gen_close(struct mr_port *port)
{
	struct gen_port *g = (struct gen_port *)port;
	unsigned i;

	if (!g)
		return;
	for (i = 0; g->queues && i < port->rx_queues; i++)
		if (g->queues[i].timer >= 0)
			close(g->queues[i].timer);
	gen_templates_free(g);
	free(g->queues);
	free(g->sinks);
	mr_port_free(port);
}

static int
queues_build(struct gen_port *g, const struct mr_port_config *config, struct mr_error *error)
{
	uint64_t count = mr_option_uint(gen_options, config, "count");
	uint64_t seed = mr_option_uint(gen_options, config, "seed");
	unsigned n = g->port.rx_queues, unfinished = 0, i;

	g->queues = aligned_alloc(MR_CACHE_LINE, n * sizeof(*g->queues));
	g->sinks = aligned_alloc(MR_CACHE_LINE, g->port.tx_queues * sizeof(*g->sinks));
	if (g->queues)
		memset(g->queues, 0xff, n * sizeof(*g->queues)); /* timers: none yet */
	if (!g->queues || !g->sinks)
		return mr_error_set(error, -ENOMEM, "no memory for %u queues", n);
	memset(g->sinks, 0, g->port.tx_queues * sizeof(*g->sinks));
	for (i = 0; i < g->port.tx_queues; i++)
		atomic_init(&g->sinks[i].cycles_min, UINT64_MAX);
	for (i = 0; i < n; i++) {
		struct gen_queue *q = &g->queues[i];

		*q = (struct gen_queue){ .random = gen_random(&seed), .quota = UINT64_MAX };
		/* A flow belongs to one queue, as with a NIC that hashes. */
		q->first = (uint32_t)((uint64_t)g->flow_count * i / n);
		q->end = (uint32_t)((uint64_t)g->flow_count * (i + 1) / n);
		if (q->first == q->end) {
			q->first = i % g->flow_count;
			q->end = q->first + 1;
		}
		q->next = q->first;
		if (count)
			q->quota = count / n + (i < count % n);
		q->finished = !q->quota;
		unfinished += q->quota != 0;
		q->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (q->timer < 0)
			return mr_error_set(error, -errno, "no timer: %s", strerror(errno));
	}
	atomic_init(&g->unfinished, unfinished);
	if (count)
		g->port.caps |= MR_PORT_FINITE;
	return 0;
}

static int
gen_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	unsigned rx_queues = MR_MAX(config->rx_queues, 1);
	struct gen_port *g;
	int rc;

	rc = mr_port_alloc(out, sizeof(*g), &mr_port_driver_gen, config, (uint16_t)rx_queues,
	    MR_MAX(config->tx_queues, 1), error);
	if (rc)
		return rc;
	g = (struct gen_port *)*out;
	g->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN | MR_PORT_SINK;
	g->layout.l3 = (enum gen_l3)(choice(gen_options, config, "l3") + 1) % 3;
	g->layout.l4 = (enum gen_l4)choice(gen_options, config, "l4");
	g->order = (enum gen_order)choice(gen_options, config, "order");
	g->stamp = choice(gen_options, config, "payload") == 1;
	g->flow_count = (uint32_t)mr_option_uint(gen_options, config, "flows");
	g->rate = mr_option_uint(gen_options, config, "rate");
	if (g->rate)
		g->rate = MR_MAX(g->rate / rx_queues, 1u);
	g->backlog = mr_option_uint(gen_options, config, "backlog");
	if (!g->backlog)
		g->backlog = MR_MAX(g->rate / 10, (uint64_t)MR_VECTOR_MAX);
	rc = gen_templates_build(g, config, error);
	if (!rc)
		rc = queues_build(g, config, error);
	if (rc) {
		gen_close(*out);
		*out = NULL;
	}
	return rc;
}

static int
gen_start(struct mr_port *port, struct mr_error *error)
{
	struct gen_port *g = (struct gen_port *)port;
	unsigned i;

	g->clock_ns = now_ns();
	g->clock_cycles = mr_cycles();
	for (i = 0; i < port->rx_queues; i++)
		g->queues[i].begun_ns = g->clock_ns -
		    (g->rate ? (uint64_t)((unsigned __int128)g->queues[i].sent * 1000000000u /
				   g->rate)
			     : 0);
	if (atomic_load_explicit(&port->state, memory_order_relaxed) != MR_PORT_DONE)
		atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
gen_stop(struct mr_port *port)
{
	uint32_t up = MR_PORT_UP;

	atomic_compare_exchange_strong_explicit(&port->state, &up, MR_PORT_DOWN,
	    memory_order_relaxed, memory_order_relaxed);
}

/* How many packets the rate allows now. A worker that was away catches up with the
 * backlog; what is older is forgiven. */
static uint64_t
rate_due(const struct gen_port *g, struct gen_queue *q)
{
	uint64_t passed = now_ns() - q->begun_ns;
	uint64_t due = (uint64_t)((unsigned __int128)passed * g->rate / 1000000000u);

	due = due > q->sent ? due - q->sent : 0;
	if (mr_unlikely(due > g->backlog)) {
		q->begun_ns +=
		    (uint64_t)((unsigned __int128)(due - g->backlog) * 1000000000u / g->rate);
		due = g->backlog;
	}
	return due;
}

static unsigned
allowance(struct gen_port *g, struct gen_queue *q, unsigned max)
{
	uint64_t left = q->quota - q->sent;

	if (left && g->rate)
		left = MR_MIN(left, rate_due(g, q));
	return (unsigned)MR_MIN(left, (uint64_t)max);
}

/* Writes the flow's fields and the checksums into a copied template. */
mr_inline void
patch(const struct gen_layout *l, const struct gen_template *t, const struct gen_flow *f,
    uint8_t *b, const uint64_t *stamp)
{
	uint64_t sum;
	uint16_t csum;

	memcpy(b + 2, &f->dst_mac, 4);
	memcpy(b + 8, &f->src_mac, 4);
	if (mr_unlikely(l->l3 == GEN_L3_NONE))
		return;
	memcpy(b + l->src_at, &f->src, 4);
	memcpy(b + l->dst_at, &f->dst, 4);
	memcpy(b + l->ports_at, &f->ports, 4);
	if (l->l3 == GEN_L3_IP4) {
		csum = (uint16_t)~gen_fold((uint64_t)t->ip_sum + f->ip_sum);
		memcpy(b + l->ip_at + 10, &csum, 2);
	}
	sum = (uint64_t)t->l4_sum + f->l4_sum;
	if (stamp) {
		uint64_t part;
		uint16_t folded;

		/* End-around carry. */
		part = stamp[0] + stamp[1];
		part += part < stamp[0];
		folded = gen_fold(part);
		sum += t->stamp_odd ? __builtin_bswap16(folded) : folded;
	}
	csum = (uint16_t)~gen_fold(sum);
	if (l->l4 == GEN_UDP && !csum)
		csum = 0xffff; /* RFC 768: 0 would say that there is none */
	memcpy(b + l->csum_at, &csum, 2);
}

mr_inline const struct gen_template *
next_template(const struct gen_port *g, struct gen_queue *q)
{
	const struct gen_template *t = &g->templates[g->schedule[q->step]];

	q->step = q->step + 1 == g->steps ? 0 : q->step + 1;
	return t;
}

/* Frames larger than a buffer: chains, built by the general way. */
static mr_noinline unsigned
rx_chained(struct gen_port *g, struct gen_queue *q, unsigned queue, unsigned worker,
    const struct gen_flow *const *flows, uint64_t stamp[2], uint32_t *packets, unsigned count,
    uint64_t *bytes)
{
	struct mr_buffers *buffers = g->port.buffers;
	const struct gen_layout layout = g->layout;
	unsigned i;

	for (i = 0; i < count; i++) {
		uint32_t step = q->step;
		const struct gen_template *t = next_template(g, q);
		struct mr_packet *p;

		packets[i] = mr_packet_from(buffers, worker, t->bytes, t->len);
		if (packets[i] == MR_PACKET_NONE) {
			q->step = step;
			break;
		}
		p = mr_packet_at(buffers->base, packets[i]);
		p->port = g->port.index;
		p->queue = (uint16_t)queue;
		patch(&layout, t, flows[i], mr_packet_bytes(p), g->stamp ? stamp : NULL);
		if (g->stamp)
			mr_packet_write(buffers, packets[i], t->len - GEN_STAMP_SIZE, stamp,
			    GEN_STAMP_SIZE);
		stamp[1] += 1ull << 32;
		*bytes += t->len;
	}
	return i;
}

static unsigned
rx_single(struct gen_port *g, struct gen_queue *q, unsigned queue, unsigned worker,
    const struct gen_flow *const *flows, uint64_t stamp[2], uint32_t *packets, unsigned count,
    uint64_t *bytes)
{
	struct mr_buffers *buffers = g->port.buffers;
	uint64_t origin = port_origin(g->port.index, (uint16_t)queue);
	/* Our own: what is written into a packet could change g's, as far as the compiler knows. */
	const struct gen_layout layout = g->layout;
	uint8_t *base = buffers->base;
	bool stamped = g->stamp;
	uint64_t sum = 0;
	unsigned i;

	count = port_take(buffers, worker, packets, count);
	for (i = 0; i < count; i++) {
		const struct gen_template *t = next_template(g, q);
		struct mr_packet *p = mr_packet_at(base, packets[i]);
		uint8_t *b = (uint8_t *)p + MR_PACKET_DATA;
		uint32_t len = t->len;

		port_fresh(p, (uint16_t)len, origin);
		port_copy_lines(b, t->bytes, len);
		patch(&layout, t, flows[i], b, stamped ? stamp : NULL);
		if (stamped)
			memcpy(b + len - GEN_STAMP_SIZE, stamp, GEN_STAMP_SIZE);
		stamp[1] += 1ull << 32;
		sum += len;
	}
	*bytes = sum;
	return count;
}

static unsigned
gen_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct gen_port *g = (struct gen_port *)port;
	struct gen_queue *q = &g->queues[queue];
	struct mr_port_queue_stats *stats = &port->rx_stats[queue];
	const struct gen_flow *flows[MR_VECTOR_MAX];
	uint64_t tag = (uint64_t)port->index << 6 | queue;
	uint32_t next = q->next;
	uint64_t random = q->random, bytes = 0, now, stamp[2];
	unsigned count = allowance(g, q, MR_MIN(max, MR_VECTOR_MAX)), got, i;

	if (!count)
		return 0;
	for (i = 0; i < count; i++) {
		if (g->order == GEN_RANDOM) {
			uint64_t r = gen_random(&random) >> 32;

			next = q->first + (uint32_t)(r * (q->end - q->first) >> 32);
			mr_prefetch(&g->flows[next]);
			flows[i] = &g->flows[next];
		} else {
			flows[i] = &g->flows[next];
			next = next + 1 == q->end ? q->first : next + 1;
		}
	}
	now = g->stamp ? mr_cycles() : 0;
	stamp[0] = (uint64_t)GEN_STAMP_MAGIC << 32 | tag << 16 | (now >> 32 & 0xffff);
	stamp[1] = q->sent << 32 | (now & 0xffffffff);
	if (mr_likely(!g->chained))
		got = rx_single(g, q, queue, worker, flows, stamp, packets, count, &bytes);
	else
		got = rx_chained(g, q, queue, worker, flows, stamp, packets, count, &bytes);
	if (mr_unlikely(got < count)) {
		/* Too few buffers: the flows that were drawn and not used come again. */
		mr_counter_add(&stats->no_buffer, 1);
		if (g->order == GEN_RANDOM)
			random = q->random + got * 0x9e3779b97f4a7c15ull;
		else
			next = (uint32_t)(flows[got] - g->flows);
	}
	q->random = random;
	q->next = next;
	q->sent += got;
	mr_counter_add(&stats->packets, got);
	mr_counter_add(&stats->bytes, bytes);
	if (mr_unlikely(q->sent == q->quota && !q->finished)) {
		q->finished = true;
		if (atomic_fetch_sub_explicit(&g->unfinished, 1, memory_order_relaxed) == 1)
			atomic_store_explicit(&port->state, MR_PORT_DONE, memory_order_relaxed);
	}
	return got;
}

static unsigned
gen_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct gen_port *g = (struct gen_port *)port;
	struct mr_port_queue_stats *stats = &port->tx_stats[queue];

	gen_sink_take(g, queue, packets, count);
	mr_counter_add(&stats->bytes, port_swallow(port->buffers, worker, packets, count));
	mr_counter_add(&stats->packets, count);
	return count;
}

static int
gen_rx_fd(struct mr_port *port, unsigned queue)
{
	return ((struct gen_port *)port)->queues[queue].timer;
}

static bool
gen_rx_arm(struct mr_port *port, unsigned queue)
{
	struct gen_port *g = (struct gen_port *)port;
	struct gen_queue *q = &g->queues[queue];
	struct itimerspec when = { 0 };
	uint64_t at;

	if (q->sent < q->quota) {
		if (!g->rate || rate_due(g, q))
			return false;
		at = q->begun_ns +
		    (uint64_t)(((unsigned __int128)(q->sent + 1) * 1000000000u + g->rate - 1) /
			g->rate);
		when.it_value.tv_sec = (time_t)(at / 1000000000u);
		when.it_value.tv_nsec = (long)(at % 1000000000u);
	}
	/* A zero disarms: nothing more comes. */
	timerfd_settime(q->timer, TFD_TIMER_ABSTIME, &when, NULL);
	return true;
}

static int
gen_poll_link(struct mr_port *port)
{
	return 1;
}

static void
gen_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	gen_sink_report((struct gen_port *)port, stats->detail, sizeof(stats->detail));
}

const struct mr_port_driver mr_port_driver_gen = {
	.name = "gen",
	.doc =
	    "makes traffic: flows, sizes, a rate; judges what is sent to it: loss, order, latency",
	.needs = "nothing",
	.options = gen_options,
	.open = gen_open,
	.start = gen_start,
	.stop = gen_stop,
	.close = gen_close,
	.rx = gen_rx,
	.tx = gen_tx,
	.rx_fd = gen_rx_fd,
	.rx_arm = gen_rx_arm,
	.poll_link = gen_poll_link,
	.stats = gen_stats,
};

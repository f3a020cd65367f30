/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/pcap/pcap_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define GAP_MAX_NS 60000000000u /* between two packets, with their own timing */

extern const struct mr_port_driver mr_port_driver_pcap;

/* How far in front of the copy the memory of a looped capture is fetched, in bytes: it is
 * larger than the caches, and the hardware's own stream stops at each page. */
#define AHEAD (32 * MR_CACHE_LINE)

struct capture_port {
	struct mr_port port;
	bool reads, in_memory, paced, writes;
	int timer;  /* wakes for the next packet that is due; silent when none is */
	int events; /* for a pipe: an epoll that names it until its end; else -1 */
	struct capture_reader reader;

	/* From a file: the record that was read and not yet delivered. */
	struct capture_record held;
	bool holds;

	/* From memory. */
	struct capture_memory memory;
	size_t next, next_at; /* record, and where its bytes start */
	uint64_t rounds_left; /* UINT64_MAX: without end */

	/* With the packets' own timing: when the next is due, what the last one's stamp was. */
	uint64_t due_ns, last_ns;
	bool timed;

	/* The workers of several tx queues share one file. */
	pthread_mutex_t lock;
	struct capture_writer *writer;
	uint64_t interval, written; /* with an interval: the stamp of the next packet */
	bool unflushed;
	_Atomic int write_error; /* errno of the first refusal */
	uint8_t *linear;         /* a chain in one piece */
};

static const struct mr_option_desc options[] = {
	{ .key = "write",
	    .kind = MR_OPTION_TEXT,
	    .max = 255,
	    .doc = "file for what is sent: pcapng when its name ends so, else pcap, both with "
		   "nanoseconds; - is "
		   "the standard output" },
	{ .key = "snap",
	    .kind = MR_OPTION_UINT,
	    .max = 262144,
	    .fallback = "0",
	    .doc = "bytes kept of each packet that is written; 0: all" },
	{ .key = "interval",
	    .kind = MR_OPTION_UINT,
	    .max = 60000000000,
	    .fallback = "0",
	    .doc = "time stamps of what is written: 0: the time of writing; else so many "
		   "nanoseconds "
		   "apart from 0 on, so that the same packets make the same file" },
	{ .key = "loop",
	    .kind = MR_OPTION_ENUM,
	    .values = "off|memory",
	    .fallback = "off",
	    .doc = "memory: load the whole file, then deliver it again and again" },
	{ .key = "loops",
	    .kind = MR_OPTION_UINT,
	    .max = UINT64_MAX,
	    .fallback = "0",
	    .doc = "with loop memory: how often; 0: without end" },
	{ .key = "rate",
	    .kind = MR_OPTION_ENUM,
	    .values = "max|original",
	    .fallback = "max",
	    .doc = "as fast as packets are taken, or at the times in the file (gaps of at most a "
		   "minute)" },
	{ .key = "truncated",
	    .kind = MR_OPTION_ENUM,
	    .values = "drop|keep",
	    .fallback = "drop",
	    .doc = "what to do with packets of which the file holds only the beginning" },
	{ .key = "add-ethernet",
	    .kind = MR_OPTION_BOOL,
	    .fallback = "false",
	    .doc = "give the packets of a capture of bare IP an Ethernet header" },
	{ 0 },
};

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
capture_close(struct mr_port *port)
{
	struct capture_port *c = (struct capture_port *)port;

	if (!c)
		return;
	capture_writer_close(c->writer);
	capture_memory_free(&c->memory);
	capture_reader_close(&c->reader);
	if (c->timer >= 0)
		close(c->timer);
	if (c->events >= 0)
		close(c->events);
	pthread_mutex_destroy(&c->lock);
	free(c->linear);
	mr_port_free(port);
}

/* A pipe at its end stays readable for ever, so it is not itself what workers sleep on.
 * What cannot be waited for at all (a device) is polled instead. */
static int
pipe_watch(struct capture_port *c, struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pipe = capture_reader_pipe(&c->reader);

	if (pipe < 0 || c->paced)
		return 0;
	c->events = epoll_create1(EPOLL_CLOEXEC);
	if (c->events < 0)
		return mr_error_set(error, -errno, "no event descriptor: %s", strerror(errno));
	if (epoll_ctl(c->events, EPOLL_CTL_ADD, pipe, &event)) {
		close(c->events);
		c->events = -1;
	}
	return 0;
}

static int
input_open(struct capture_port *c, const struct mr_port_config *config, struct mr_error *error)
{
	uint64_t loops = mr_option_uint(options, config, "loops");
	int rc;

	c->paced = !strcmp(mr_option_text(options, config, "rate"), "original");
	c->in_memory = !strcmp(mr_option_text(options, config, "loop"), "memory");
	rc = capture_reader_open(&c->reader, config->device,
	    mr_option_bool(options, config, "add-ethernet"),
	    !strcmp(mr_option_text(options, config, "truncated"), "keep"), error);
	if (rc)
		return rc;
	c->reads = true;
	c->rounds_left = 1;
	if (!c->in_memory) {
		c->port.caps |= MR_PORT_FINITE;
		return pipe_watch(c, error);
	}
	rc = capture_memory_load(&c->memory, &c->reader, error);
	if (rc)
		return rc;
	capture_reader_close(&c->reader);
	c->rounds_left = loops ? loops : UINT64_MAX;
	if (!c->memory.count)
		return mr_error_set(error, -ENODATA,
		    "%s holds no packet that can be delivered (%lu cannot)%s%s", config->device,
		    (unsigned long)c->reader.errors, c->reader.stop[0] ? "; " : "", c->reader.stop);
	if (loops)
		c->port.caps |= MR_PORT_FINITE;
	return 0;
}

static int
output_open(struct capture_port *c, const struct mr_port_config *config, const char *path,
    struct mr_error *error)
{
	struct stat in, out;
	int rc;

	if (c->reads && strcmp(path, "-") != 0 && !stat(path, &out) && !stat(config->device, &in) &&
	    in.st_dev == out.st_dev && in.st_ino == out.st_ino && S_ISREG(in.st_mode))
		return mr_error_set(error, -EEXIST, "%s cannot be read and written at once", path);
	c->linear = malloc(MR_PACKET_TOTAL_MAX);
	if (!c->linear)
		return mr_error_set(error, -ENOMEM, "no memory to write %s", path);
	rc = capture_writer_open(&c->writer, path,
	    (uint32_t)mr_option_uint(options, config, "snap"), error);
	c->interval = mr_option_uint(options, config, "interval");
	c->writes = !rc;
	return rc;
}

static int
capture_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	const char *path = mr_option_text(options, config, "write");
	bool device = config->device && *config->device;
	struct capture_port *c;
	int rc;

	if (!device && !path)
		return mr_error_set(error, -EINVAL,
		    "it needs a file to read (device), a file to write (option write), or both");
	/* One reader, if anything is read; a file has no flows to spread. */
	rc = mr_port_alloc(out, sizeof(*c), &mr_port_driver_pcap, config, device,
	    MR_MAX(config->tx_queues, 1), error);
	if (rc)
		return rc;
	c = (struct capture_port *)*out;
	pthread_mutex_init(&c->lock, NULL);
	c->port.caps = MR_PORT_TX_CHAIN;
	c->events = -1;
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->timer < 0)
		rc = mr_error_set(error, -errno, "no timer: %s", strerror(errno));
	if (!rc && device)
		rc = input_open(c, config, error);
	if (!rc && path)
		rc = output_open(c, config, path, error);
	if (rc) {
		capture_close(*out);
		*out = NULL;
		return rc;
	}
	if (!path)
		c->port.caps |= MR_PORT_SINK | MR_PORT_TX_CSUM | MR_PORT_TX_GSO;
	/* What was left out while loading. */
	if (device)
		mr_counter_add(&c->port.rx_stats[0].errors, c->reader.errors);
	return 0;
}

static int
capture_start(struct mr_port *port, struct mr_error *error)
{
	struct capture_port *c = (struct capture_port *)port;

	c->due_ns = clock_ns(CLOCK_MONOTONIC);
	if (atomic_load_explicit(&port->state, memory_order_relaxed) != MR_PORT_DONE)
		atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
capture_stop(struct mr_port *port)
{
	struct capture_port *c = (struct capture_port *)port;
	uint32_t up = MR_PORT_UP;

	atomic_compare_exchange_strong_explicit(&port->state, &up, MR_PORT_DOWN,
	    memory_order_relaxed, memory_order_relaxed);
	if (c->writer) {
		pthread_mutex_lock(&c->lock);
		capture_writer_flush(c->writer);
		pthread_mutex_unlock(&c->lock);
	}
}

/* Moves due_ns on by the gap before a record with this stamp, once per record. Stamps come
 * from the file: they may jump, also backwards. */
static bool
is_due(struct capture_port *c, uint64_t stamp_ns, uint64_t now)
{
	if (!c->timed) {
		int64_t gap = c->last_ns ? (int64_t)(stamp_ns - c->last_ns) : 0;

		c->due_ns += gap <= 0 ? 0 : MR_MIN((uint64_t)gap, (uint64_t)GAP_MAX_NS);
		c->last_ns = stamp_ns;
		c->timed = true;
	}
	return c->due_ns <= now;
}

static void
finish(struct capture_port *c)
{
	uint32_t up = MR_PORT_UP;

	/* Release pairs with the acquire in capture_stats, which then reads the reason. */
	if (atomic_compare_exchange_strong_explicit(&c->port.state, &up, MR_PORT_DONE,
		memory_order_release, memory_order_relaxed) &&
	    c->events >= 0)
		epoll_ctl(c->events, EPOLL_CTL_DEL, capture_reader_pipe(&c->reader), NULL);
}

static unsigned
rx_file(struct capture_port *c, unsigned worker, uint32_t *packets, unsigned max, uint64_t *bytes)
{
	struct mr_port_queue_stats *stats = &c->port.rx_stats[0];
	uint64_t errors = c->reader.errors, now = c->paced ? clock_ns(CLOCK_MONOTONIC) : 0;
	unsigned n = 0;

	while (n < max) {
		struct mr_packet *p;

		if (!c->holds) {
			if (c->reader.ended || !capture_reader_ready(&c->reader))
				break;
			c->holds = capture_reader_next(&c->reader, &c->held);
			if (!c->holds)
				break;
			c->timed = false;
		}
		if (c->paced && !is_due(c, c->held.time_ns, now))
			break;
		packets[n] = mr_packet_from(c->port.buffers, worker, c->held.bytes, c->held.len);
		if (packets[n] == MR_PACKET_NONE) {
			mr_counter_add(&stats->no_buffer, 1); /* it waits; a file loses nothing */
			break;
		}
		p = mr_packet_at(c->port.buffers->base, packets[n++]);
		p->port = c->port.index;
		*bytes += c->held.len;
		c->holds = false;
	}
	mr_counter_add(&stats->errors, c->reader.errors - errors);
	if (c->reader.ended && !c->holds)
		finish(c);
	return n;
}

/* `count` records were delivered, which end before `end`; they do not reach past the last one. */
static void
memory_step(struct capture_port *c, unsigned count, const uint8_t *end)
{
	c->next += count;
	c->next_at = (size_t)(end - c->memory.bytes);
	c->timed = false;
	if (c->next == c->memory.count) {
		c->next = c->next_at = 0;
		c->last_ns = 0;
		if (c->rounds_left != UINT64_MAX)
			c->rounds_left--;
	}
}

/* How many of the next records may go now; bounded by rounds and by their timing. */
static unsigned
memory_allowance(struct capture_port *c, unsigned max)
{
	size_t left;

	if (!c->rounds_left)
		return 0;
	if (c->rounds_left == UINT64_MAX || c->rounds_left > max)
		return max;
	left = (c->rounds_left - 1) * c->memory.count + (c->memory.count - c->next);
	return (unsigned)MR_MIN(left, (size_t)max);
}

/* One by one: chains, or packets at their own times. */
static unsigned
rx_memory_slow(struct capture_port *c, unsigned worker, uint32_t *packets, unsigned max,
    uint64_t *bytes)
{
	uint64_t now = c->paced ? clock_ns(CLOCK_MONOTONIC) : 0;
	unsigned n;

	for (n = 0; n < max; n++) {
		uint32_t len = c->memory.lens[c->next];

		if (c->paced && !is_due(c, c->memory.times[c->next], now))
			break;
		packets[n] =
		    mr_packet_from(c->port.buffers, worker, c->memory.bytes + c->next_at, len);
		if (packets[n] == MR_PACKET_NONE) {
			mr_counter_add(&c->port.rx_stats[0].no_buffer, 1);
			break;
		}
		mr_packet_at(c->port.buffers->base, packets[n])->port = c->port.index;
		*bytes += len;
		memory_step(c, 1, c->memory.bytes + c->next_at + MR_ALIGN_UP(len, MR_CACHE_LINE));
	}
	return n;
}

static unsigned
rx_memory(struct capture_port *c, unsigned worker, uint32_t *packets, unsigned max, uint64_t *bytes)
{
	uint64_t origin = port_origin(c->port.index, 0), sum = 0;
	uint8_t *base = c->port.buffers->base;
	unsigned count, run, i, j;

	count = port_take(c->port.buffers, worker, packets, max);
	if (mr_unlikely(count < max))
		mr_counter_add(&c->port.rx_stats[0].no_buffer, 1);
	for (i = 0; i < count; i += run) {
		const uint8_t *from = c->memory.bytes + c->next_at;
		const uint32_t *lens = c->memory.lens + c->next;

		run = (unsigned)MR_MIN((size_t)(count - i), c->memory.count - c->next);
		for (j = 0; j < run; j++) {
			struct mr_packet *p = mr_packet_at(base, packets[i + j]);
			uint32_t len = lens[j];

			mr_prefetch(from + AHEAD);
			port_fresh(p, (uint16_t)len, origin);
			port_copy_lines((uint8_t *)p + MR_PACKET_DATA, from, len);
			from += MR_ALIGN_UP(len, MR_CACHE_LINE);
			sum += len;
		}
		memory_step(c, run, from);
	}
	*bytes = sum;
	return count;
}

static unsigned
capture_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct capture_port *c = (struct capture_port *)port;
	uint64_t bytes = 0;
	unsigned n;

	if (!c->reads)
		return 0;
	if (!c->in_memory) {
		n = rx_file(c, worker, packets, max, &bytes);
	} else {
		n = memory_allowance(c, max);
		n = c->memory.chained || c->paced ? rx_memory_slow(c, worker, packets, n, &bytes)
						  : rx_memory(c, worker, packets, n, &bytes);
		if (mr_unlikely(!c->rounds_left))
			finish(c);
	}
	mr_counter_add(&port->rx_stats[0].packets, n);
	mr_counter_add(&port->rx_stats[0].bytes, bytes);
	return n;
}

static const uint8_t *
linear_bytes(struct capture_port *c, uint32_t handle, const struct mr_packet *p)
{
	if (mr_likely(p->segments == 1))
		return mr_packet_bytes_const(p);
	mr_packet_read(c->port.buffers, handle, 0, c->linear,
	    MR_MIN(p->total, MR_PACKET_TOTAL_MAX));
	return c->linear;
}

static unsigned
capture_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct capture_port *c = (struct capture_port *)port;
	struct mr_port_queue_stats *stats = &port->tx_stats[queue];
	unsigned refused = 0, i;
	int rc;

	if (c->writer) {
		uint64_t now = clock_ns(CLOCK_REALTIME);

		pthread_mutex_lock(&c->lock);
		for (i = 0; i < count; i++) {
			const struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

			rc = capture_writer_put(c->writer, linear_bytes(c, packets[i], p),
			    MR_MIN(p->total, MR_PACKET_TOTAL_MAX),
			    c->interval ? c->interval * c->written : now);
			c->written++;
			if (mr_unlikely(rc)) {
				int none = 0;

				refused++;
				atomic_compare_exchange_strong_explicit(&c->write_error, &none, -rc,
				    memory_order_relaxed, memory_order_relaxed);
			}
		}
		c->unflushed = true;
		pthread_mutex_unlock(&c->lock);
	}
	mr_counter_add(&stats->errors, refused);
	mr_counter_add(&stats->bytes, port_swallow(port->buffers, worker, packets, count));
	mr_counter_add(&stats->packets, count - refused);
	return count;
}

/* Nothing is sent for a while: let readers of the file see what was. */
static bool
capture_tx_idle(struct mr_port *port, unsigned queue, unsigned worker)
{
	struct capture_port *c = (struct capture_port *)port;

	if (c->writer && !pthread_mutex_trylock(&c->lock)) {
		if (c->unflushed)
			capture_writer_flush(c->writer);
		c->unflushed = false;
		pthread_mutex_unlock(&c->lock);
	}
	return false;
}

static int
capture_rx_fd(struct mr_port *port, unsigned queue)
{
	struct capture_port *c = (struct capture_port *)port;

	return c->events >= 0 ? c->events : c->timer;
}

static bool
capture_rx_arm(struct mr_port *port, unsigned queue)
{
	struct capture_port *c = (struct capture_port *)port;
	struct itimerspec when = { 0 };
	bool waits = c->holds || c->in_memory;

	if (c->reads && atomic_load_explicit(&port->state, memory_order_relaxed) != MR_PORT_DONE) {
		/* A pipe that is paced is looked at again when its next packet is due. */
		if (!waits && capture_reader_ready(&c->reader))
			return false;
		if (waits && (!c->paced || !c->timed || c->due_ns <= clock_ns(CLOCK_MONOTONIC)))
			return false;
		if (waits) {
			when.it_value.tv_sec = (time_t)(c->due_ns / 1000000000u);
			when.it_value.tv_nsec = (long)(c->due_ns % 1000000000u);
		} else if (c->paced) {
			when.it_value.tv_nsec = 1000000;
			timerfd_settime(c->timer, 0, &when, NULL);
			return true;
		}
	}
	timerfd_settime(c->timer, TFD_TIMER_ABSTIME, &when, NULL);
	return true;
}

static int
capture_poll_link(struct mr_port *port)
{
	return 1;
}

static void
capture_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	struct capture_port *c = (struct capture_port *)port;
	int refused = atomic_load_explicit(&c->write_error, memory_order_relaxed);
	char input[100] = "nothing to read", output[60] = "";

	memset(stats, 0, sizeof(*stats));
	if (c->reads && c->in_memory)
		snprintf(input, sizeof(input), "%zu packets in memory", c->memory.count);
	else if (c->reads)
		snprintf(input, sizeof(input), "reading");
	if (c->reads && atomic_load_explicit(&port->state, memory_order_acquire) == MR_PORT_DONE)
		snprintf(input, sizeof(input), "read to %s%.80s",
		    c->reader.stop[0] ? "a fault: " : "the end", c->reader.stop);
	if (refused)
		snprintf(output, sizeof(output), ", cannot write: %.40s", strerror(refused));
	else if (c->writes)
		snprintf(output, sizeof(output), ", writing");
	snprintf(stats->detail, sizeof(stats->detail), "%s%s", input, output);
}

const struct mr_port_driver mr_port_driver_pcap = {
	.name = "pcap",
	.doc = "capture files: delivers what is in one, writes what is sent into another",
	.needs = "nothing",
	.device_doc =
	    "capture file to read, pcap or pcapng; - is the standard input. Of a pipe, open "
	    "waits for the header, and a record begun is waited for to its end",
	.options = options,
	.open = capture_open,
	.start = capture_start,
	.stop = capture_stop,
	.close = capture_close,
	.rx = capture_rx,
	.tx = capture_tx,
	.rx_fd = capture_rx_fd,
	.rx_arm = capture_rx_arm,
	.tx_idle = capture_tx_idle,
	.poll_link = capture_poll_link,
	.stats = capture_stats,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row wake-p99: a worker that has fallen asleep for want of packets, and one that arrives. A
 * port of ours whose descriptor is an event counter: from the moment it is told of a
 * packet to the moment the graph has sent it. The floor is a thread that sleeps in epoll on
 * such a descriptor and looks at the clock: what the kernel alone takes.
 *
 * A window is some wake-ups, each a few milliseconds after the last; its value is their
 * 99th percentile.
 */
#include "bench/bench.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "kit/graph/graph.h"

#define WAKES 100
#define PAUSE_NS 1500000
#define GIVE_UP_NS UINT64_C(2000000000)

/* One packet at a time: rx takes it when `due`, tx notes when. */
struct door {
	struct mr_port port;
	int fd;
	_Atomic bool due;
	_Atomic uint64_t sent_at;
};

struct job {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct door *door;
	/* The floor's thread. */
	pthread_t thread;
	bool threaded;
	int fd;
	_Atomic bool quit;
	_Atomic uint64_t woke_at;
};

static unsigned
door_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct door *d = mr_container_of(port, struct door, port);
	uint64_t count;

	if (!max || !atomic_load_explicit(&d->due, memory_order_acquire) ||
	    !mr_buffers_get(port->buffers, worker, packets, 1))
		return 0;
	atomic_store_explicit(&d->due, false, memory_order_relaxed);
	if (read(d->fd, &count, sizeof(count)) < 0)
		return 0; /* told and not yet counted: harmless, the next look finds nothing due */
	mr_packet_init(mr_packet_at(port->buffers->base, packets[0]), MR_PACKET_DATA, 64,
	    port->index, 0);
	return 1;
}

static unsigned
door_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct door *d = mr_container_of(port, struct door, port);

	atomic_store_explicit(&d->sent_at, mr_cycles(), memory_order_release);
	mr_packets_free(port->buffers, worker, packets, count);
	return count;
}

static int
door_fd(struct mr_port *port, unsigned queue)
{
	return mr_container_of(port, struct door, port)->fd;
}

static const struct mr_port_driver door_driver = {
	.name = "door",
	.rx = door_rx,
	.tx = door_tx,
	.rx_fd = door_fd,
};

static void *
sleeper(void *arg)
{
	struct job *job = arg;
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t count;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, job->fd, &event) < 0)
		return NULL;
	while (!atomic_load(&job->quit)) {
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			continue;
		if (read(job->fd, &count, sizeof(count)) > 0)
			atomic_store_explicit(&job->woke_at, mr_cycles(), memory_order_release);
	}
	close(epoll);
	return NULL;
}

static int
ring_bell(int fd)
{
	const uint64_t one = 1;

	return write(fd, &one, sizeof(one)) < 0 ? -errno : 0;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	if (job->threaded) {
		atomic_store(&job->quit, true);
		ring_bell(job->fd);
		pthread_join(job->thread, NULL);
	}
	mr_graph_destroy(job->graph);
	if (job->door) {
		close(job->door->fd);
		mr_port_free(&job->door->port);
	}
	mr_buffers_destroy(job->buffers);
	if (job->fd >= 0)
		close(job->fd);
	free(job);
}

static int
make_door(struct job *job, struct mr_error *error)
{
	const struct mr_port_config config = { .name = "door0",
		.buffers = job->buffers,
		.rx_queues = 1,
		.tx_queues = 1,
		.numa_node = -1,
		.workers = 1 };
	struct mr_port *port;
	int rc;

	rc = mr_port_alloc(&port, sizeof(struct door), &door_driver, &config, 1, 1, error);
	if (rc < 0)
		return rc;
	job->door = mr_container_of(port, struct door, port);
	port->mtu = 1500;
	atomic_store(&port->state, MR_PORT_UP);
	job->door->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->door->fd < 0)
		return mr_error_set(error, -errno, "event descriptor: %s", strerror(errno));
	return 0;
}

static int
make_graph(struct job *job, uint16_t cpu, struct mr_error *error)
{
	const struct mr_graph_config config = { .buffers = job->buffers,
		.cpus = &cpu,
		.workers = 1,
		.mode = MR_GRAPH_ADAPTIVE,
		.spin_us = 50 };
	int rc;

	rc = mr_graph_create(&job->graph, &config, error);
	if (rc == 0)
		rc = mr_graph_add_port(job->graph, &job->door->port, NULL, 0, error);
	if (rc == 0) {
		mr_graph_set_port_up(job->graph, 0, true);
		rc = mr_graph_set_input(job->graph, 0, MR_GRAPH_NODE_TX, 0);
	}
	return rc < 0 ? rc : mr_graph_start(job->graph, error);
}

static int
make_sleeper(struct job *job, unsigned cpu, struct mr_error *error)
{
	pthread_attr_t attr;
	struct mr_cpu_set set = { 0 };
	int rc;

	job->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->fd < 0)
		return mr_error_set(error, -errno, "event descriptor: %s", strerror(errno));
	mr_cpu_set_add(&set, cpu);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set.bits), (const cpu_set_t *)set.bits);
	rc = pthread_create(&job->thread, &attr, sleeper, job);
	pthread_attr_destroy(&attr);
	if (rc)
		return mr_error_set(error, -rc, "second thread: %s", strerror(rc));
	job->threaded = true;
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_buffers_config memory = { .count = 4096, .workers = 1, .numa_node = -1 };
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->fd = -1;
	rc = mr_buffers_create(&job->buffers, &memory, error);
	if (rc == 0)
		rc = make_door(job, error);
	if (rc == 0)
		rc = make_graph(job, (uint16_t)run->cpu_other, error);
	if (rc == 0)
		rc = make_sleeper(job, (unsigned)run->cpu_other, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Wakes somebody who notes the time in `seen`; the 99th percentile in microseconds. */
static int
wake_often(struct mr_bench_run *run, int fd, _Atomic bool *due, _Atomic uint64_t *seen,
    double *value, struct mr_error *error)
{
	const struct timespec pause = { 0, PAUSE_NS };
	double took[WAKES];
	uint64_t start, give_up;
	unsigned i;
	int rc;

	give_up = run->tsc_hz / 1000000000 * GIVE_UP_NS;
	for (i = 0; i < WAKES; i++) {
		nanosleep(&pause, NULL);
		atomic_store_explicit(seen, 0, memory_order_relaxed);
		start = mr_cycles();
		if (due)
			atomic_store_explicit(due, true, memory_order_release);
		rc = ring_bell(fd);
		if (rc < 0)
			return mr_error_set(error, rc, "event descriptor: %s", strerror(-rc));
		while (!atomic_load_explicit(seen, memory_order_acquire)) {
			if (mr_cycles() - start > give_up)
				return mr_error_set(error, -ETIMEDOUT, "nobody woke up");
			mr_relax();
		}
		took[i] = (double)(atomic_load_explicit(seen, memory_order_relaxed) - start);
	}
	qsort(took, WAKES, sizeof(took[0]), compare_values);
	*value = took[WAKES * 99 / 100 - 1] * 1e6 / (double)run->tsc_hz;
	return 0;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return wake_often(run, job->door->fd, &job->door->due, &job->door->sent_at, value, error);
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;

	return wake_often(run, job->fd, NULL, &job->woke_at, value, error);
}

static const struct mr_bench_row rows[] = {
	{
	    .name = "wake-p99",
	    .unit = "microseconds",
	    .doc =
		"from a packet's arrival at a sleeping worker to its being sent, 99th percentile",
	    .config = "adaptive worker asleep in epoll on another core than the one that wakes it, "
		      "100 wake-ups a window, 1.5 ms apart; floor: a bare thread in epoll",
	    .window_ms = 150,
	    .two_cpus = true,
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .floor = bare,
	},
};

const struct mr_bench_family mr_bench_family_wake = { "wake", rows, MR_ARRAY_COUNT(rows) };

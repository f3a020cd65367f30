/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation, in lines:
 *
 *	> frames PATH	the frames to play, 64 bytes each, nothing between them, in place of what
 *			the port received
 *	< frames COUNT
 *	> window N	forward for N time-stamp cycles after 2 ms of running in
 *	< took CYCLES PACKETS
 *	> feeding N	the same with nothing between receiving and sending
 *	< took CYCLES PACKETS
 *	> sent		what all ports together have sent and received, and how many sent
 *	< sent PACKETS PORTS of PACKETS
 *	> quit
 */
#include "adapt.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_memcpy.h>
#include <rte_version.h>

#include "l3fwd.h"

#define FRAME 64

/* Of the thread that forwards, but for what the semaphores hand over. */
uint64_t adapt_end;
static uint64_t window_start, window_end, packets;
static uint64_t asked; /* cycles */
static bool only_feed;
static sem_t wanted, done;

static const uint8_t (*frames)[FRAME];
static uint64_t frame_count, frame_next;
static rte_rx_callback_fn parse_types;

unsigned
adapt_buffers(void)
{
	const char *text = getenv("MR_L3FWD_BUFFERS");
	unsigned count = text ? (unsigned)strtoul(text, NULL, 10) : 0;

	return RTE_MAX(count, 8192u);
}

static void
feed_until(uint64_t end)
{
	const uint16_t queue = lcore_conf[rte_lcore_id()].tx_queue_id[0];
	struct rte_mbuf *m[MAX_PKT_BURST];
	uint16_t n, sent;

	while (rte_rdtsc() < end) {
		n = rte_eth_rx_burst(0, 0, m, MAX_PKT_BURST);
		for (sent = rte_eth_tx_burst(0, queue, m, n); sent < n; sent++)
			rte_pktmbuf_free(m[sent]);
	}
}

static void
feed(void)
{
	feed_until(rte_rdtsc() + rte_get_tsc_hz() / 500);
	packets = 0;
	window_start = rte_rdtsc();
	feed_until(window_start + asked);
	window_end = rte_rdtsc();
	sem_post(&done);
}

bool
adapt_wait(void)
{
	if (adapt_end && !window_start) { /* run in */
		packets = 0;
		window_start = rte_rdtsc();
		adapt_end = window_start + asked;
		return true;
	}
	if (adapt_end) {
		window_end = rte_rdtsc();
		sem_post(&done);
	}
	for (;;) {
		while (sem_wait(&wanted))
			;
		if (!only_feed)
			break;
		feed();
	}
	window_start = 0;
	adapt_end = rte_rdtsc() + rte_get_tsc_hz() / 500;
	return !force_quit;
}

/* The frames are fetched some ahead, as a device would have brought them. */
static uint16_t
receive(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t count, uint16_t room,
    void *arg)
{
	uint64_t at = frame_next;
	uint16_t i;

	packets += count;
	for (i = 0; frames && i < count; i++) {
		rte_prefetch0(frames[at + 32 < frame_count ? at + 32 : at + 32 - frame_count]);
		rte_memcpy(rte_pktmbuf_mtod(m[i], void *), frames[at], FRAME);
		if (++at == frame_count)
			at = 0;
	}
	frame_next = at;
	return parse_types(port, queue, m, count, room, arg);
}

rte_rx_callback_fn
adapt_receive(rte_rx_callback_fn parse)
{
	parse_types = parse;
	sem_init(&wanted, 0, 0);
	sem_init(&done, 0, 0);
	return receive;
}

int
adapt_lpm_add(struct rte_lpm *lpm, uint32_t address, uint8_t length, uint32_t next_hop)
{
	const struct rte_lpm_tbl_entry entry = {
		.next_hop = next_hop,
		.valid = 1,
		.valid_group = 0,
		.depth = length,
	};
	uint32_t at, end;

	if (length < 1 || length > 24)
		return rte_lpm_add(lpm, address, length, next_hop);
	at = (address & ~(uint32_t)0 << (32 - length)) >> 8;
	for (end = at + (1u << (24 - length)); at < end; at++)
		lpm->tbl24[at] = entry;
	return 0;
}

static void
load_frames(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *memory;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 64 * FRAME)
		rte_exit(EXIT_FAILURE, "no frames in %s\n", path);
	/* A copy, on huge pages where the kernel has some. */
	memory = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		rte_exit(EXIT_FAILURE, "no memory for frames\n");
	madvise(memory, st.st_size, MADV_HUGEPAGE);
	if (pread(fd, memory, st.st_size, 0) != st.st_size)
		rte_exit(EXIT_FAILURE, "frames in %s cannot be read\n", path);
	close(fd);
	frames = memory;
	frame_count = st.st_size / FRAME;
	frame_next = 0;
	printf("frames %llu\n", (unsigned long long)frame_count);
}

static void
run_window(unsigned long long cycles, bool feeding)
{
	asked = cycles;
	only_feed = feeding;
	sem_post(&wanted);
	while (sem_wait(&done))
		;
	printf("took %llu %llu\n", (unsigned long long)(window_end - window_start),
	    (unsigned long long)packets);
}

static void
tell_sent(void)
{
	struct rte_eth_stats stats;
	unsigned long long sent = 0, received = 0;
	unsigned ports = 0;
	uint16_t port;

	RTE_ETH_FOREACH_DEV(port)
	{
		if (rte_eth_stats_get(port, &stats))
			continue;
		received += stats.ipackets;
		sent += stats.opackets;
		ports += stats.opackets > 0;
	}
	printf("sent %llu %u of %llu\n", sent, ports, received);
}

void
adapt_serve(void)
{
	unsigned long long cycles;
	char line[512], path[512];

	printf("\nready %s\n", rte_version());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n")) {
		if (sscanf(line, "window %llu", &cycles) == 1)
			run_window(cycles, false);
		else if (sscanf(line, "feeding %llu", &cycles) == 1)
			run_window(cycles, true);
		else if (sscanf(line, "frames %511s", path) == 1)
			load_frames(path);
		else if (!strcmp(line, "sent\n"))
			tell_sent();
		else
			printf("what is \"%.*s\"?\n", (int)strcspn(line, "\n"), line);
		fflush(stdout);
	}
	force_quit = true;
	only_feed = false;
	sem_post(&wanted);
}

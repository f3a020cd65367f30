/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrary bytes as a capture file, through the whole driver: as a file and as a loop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/port/port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drain(struct mr_buffers *buffers, const char *path, const struct mr_option *list, size_t count,
    size_t size)
{
	struct mr_port_config config = {
		.name = "fuzz",
		.device = path,
		.options = list,
		.option_count = count,
		.buffers = buffers,
		.workers = 1,
	};
	const struct mr_port_driver *d;
	struct mr_port_stats stats;
	struct mr_error error;
	struct mr_port *port;
	uint32_t h[64], i;
	unsigned n, calls;

	if (mr_port_open(&port, "pcap", &config, &error))
		return;
	d = port->driver;
	if (d->start(port, &error))
		abort();
	/* It ends by itself: every call delivers a packet, ends, or is a bug. */
	for (calls = 0; port->state != MR_PORT_DONE; calls++) {
		n = d->rx(port, 0, 0, h, 64);
		if (calls > size + 64)
			abort();
		for (i = 0; i < n; i++) {
			struct mr_packet *p = mr_packet_at(buffers->base, h[i]);

			if (p->total < 14 || p->total > MR_PACKET_TOTAL_MAX || !p->segments)
				abort();
		}
		if (d->tx(port, 0, 0, h, n) != n)
			abort();
	}
	d->stats(port, &stats);
	d->stop(port);
	mr_port_close(port);
	if (mr_pool_used(buffers->pool))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mr_option file[] = { { "truncated", "keep" },
		{ "add-ethernet", "true" } };
	static const struct mr_option memory[] = { { "loop", "memory" }, { "loops", "2" },
		{ "write", "/dev/null" } };
	struct mr_buffers_config config = { .count = 256,
		.workers = 1,
		.pages = MR_ARENA_4K,
		.numa_node = -1 };
	struct mr_buffers *buffers;
	char path[64];
	int fd;

	fd = memfd_create("capture", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (mr_buffers_create(&buffers, &config, NULL))
		abort();
	drain(buffers, path, file, MR_ARRAY_COUNT(file), size);
	drain(buffers, path, memory, MR_ARRAY_COUNT(memory), size);
	mr_buffers_destroy(buffers);
	close(fd);
	return 0;
}

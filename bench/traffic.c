/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit/packet/wire.h"

const uint8_t mr_bench_traffic_mac[6] = { 2, 0, 0, 0, 0, 1 };

static void
draw_udp(uint8_t frame[MR_BENCH_FRAME], const struct mr_bench_routes *routes, uint64_t *rng,
    void *user)
{
	uint8_t dst[16];

	mr_bench_routes_draw(routes, rng, dst);
	mr_bench_udp(frame, routes->bits == 128, mr_bench_traffic_mac, dst, rng);
}

static int
make_frames(struct mr_bench_traffic *t, const struct mr_bench_traffic_config *config)
{
	uint64_t rng = 1;
	uint32_t i;

	t->flows = config->flows;
	t->count = MR_MAX(MR_BENCH_TRAFFIC_MIN, t->flows);
	t->frames = mr_bench_alloc_large((size_t)t->count * MR_BENCH_FRAME);
	if (!t->frames)
		return -ENOMEM;
	for (i = 0; i < t->flows; i++) {
		if (config->draw)
			config->draw(t->frames[i], &t->routes, &rng, config->user);
		else
			draw_udp(t->frames[i], &t->routes, &rng, NULL);
	}
	for (; i < t->count; i++)
		memcpy(t->frames[i], t->frames[i % t->flows], MR_BENCH_FRAME);
	return 0;
}

int
mr_bench_traffic_open(struct mr_bench_traffic *t, const struct mr_bench_traffic_config *config,
    struct mr_error *error)
{
	int rc;

	*t = MR_BENCH_TRAFFIC_CLOSED;
	rc = config->prefixes
	    ? mr_bench_routes_load(&t->routes, config->bits, config->prefixes, error)
	    : mr_bench_routes_everywhere(&t->routes, error);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < MR_BENCH_HOPS; i++) {
		memcpy(t->macs[i][0], (const uint8_t[]){ 2, 0, 0, 0, 1, (uint8_t)i }, 6);
		memcpy(t->macs[i][1], (const uint8_t[]){ 2, 0, 0, 0, 0, 3 }, 6);
	}
	rc = make_frames(t, config);
	if (rc == 0)
		rc = t->capture = mr_bench_capture_by(t->frames, t->count, config->write,
		    config->write_len, t->path, sizeof(t->path));
	if (rc >= 0)
		return 0;
	mr_bench_traffic_close(t);
	return mr_error_set(error, rc, "frames for the bench: %s", strerror(-rc));
}

void
mr_bench_traffic_close(struct mr_bench_traffic *t)
{
	mr_bench_routes_free(&t->routes);
	free(t->frames);
	if (t->capture >= 0)
		close(t->capture);
	*t = MR_BENCH_TRAFFIC_CLOSED;
}

int
mr_bench_traffic_answers(const struct mr_bench_traffic *t, uint32_t count,
    void (*answer)(uint8_t frame[MR_BENCH_FRAME]), mr_bench_frame_write *write, unsigned write_len,
    char *path, size_t size)
{
	uint8_t(*frames)[MR_BENCH_FRAME] = malloc((size_t)count * MR_BENCH_FRAME);
	int fd;

	if (!frames)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(frames[i], t->frames[i % t->flows], MR_BENCH_FRAME);
		answer(frames[i]);
	}
	fd = mr_bench_capture_by(frames, count, write, write_len, path, size);
	free(frames);
	return fd;
}

uint8_t *
mr_bench_traffic_hops(const struct mr_bench_traffic *t)
{
	size_t dst = sizeof(struct mr_eth) +
	    (t->routes.bits == 128 ? offsetof(struct mr_ip6, dst) : offsetof(struct mr_ip4, dst));
	uint8_t *hops = malloc(t->count);
	const struct mr_bench_route *r;

	for (uint32_t i = 0; hops && i < t->count; i++) {
		r = mr_bench_routes_find(&t->routes, t->frames[i] + dst);
		if (!r) {
			free(hops);
			return NULL;
		}
		hops[i] = r->hop;
	}
	return hops;
}

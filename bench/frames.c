/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/packet/checksum.h"
#include "kit/packet/wire.h"

static const uint8_t sender_mac[6] = { 2, 0, 0, 0, 0, 2 };

uint32_t
mr_bench_draw(uint64_t *state, uint32_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * UINT64_C(0x2545f4914f6cdd1d) >> 32) * below >> 32);
}

void *
mr_bench_alloc_large(size_t size)
{
	const size_t page = 2 << 20;
	void *memory;

	size = MR_ALIGN_UP(size, page);
	memory = aligned_alloc(page, size);
	if (memory) {
		madvise(memory, size, MADV_HUGEPAGE);
		memset(memory, 0, size);
	}
	return memory;
}

FILE *
mr_bench_file(char *path, size_t size, int *fd)
{
	FILE *f = NULL;
	int copy;

	*fd = memfd_create("millrace-bench", MFD_CLOEXEC);
	if (*fd < 0)
		return NULL;
	copy = dup(*fd);
	if (copy >= 0)
		f = fdopen(copy, "w");
	if (!f) {
		if (copy >= 0)
			close(copy);
		close(*fd);
		*fd = -1;
		return NULL;
	}
	snprintf(path, size, "/proc/%d/fd/%d", getpid(), *fd);
	return f;
}

int
mr_bench_file_done(FILE *f, int fd)
{
	bool bad = ferror(f);

	if (fclose(f) == 0 && !bad)
		return fd;
	close(fd);
	return -EIO;
}

void
mr_bench_answer(uint8_t frame[MR_BENCH_FRAME])
{
	struct mr_ip4 *ip = (struct mr_ip4 *)(frame + sizeof(struct mr_eth));
	struct mr_udp *udp = (struct mr_udp *)(ip + 1);
	be32_t address = ip->src;
	be16_t port = udp->src;

	ip->src = ip->dst;
	ip->dst = address;
	udp->src = udp->dst;
	udp->dst = port;
}

int
mr_bench_capture(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count, char *path, size_t size)
{
	static const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	static const uint32_t record[4] = { 0, 0, MR_BENCH_FRAME, MR_BENCH_FRAME };
	uint32_t i;
	FILE *f;
	int fd;

	f = mr_bench_file(path, size, &fd);
	if (!f)
		return -ENOMEM;
	fwrite(head, sizeof(head), 1, f);
	for (i = 0; i < count; i++) {
		fwrite(record, sizeof(record), 1, f);
		fwrite(frames[i], MR_BENCH_FRAME, 1, f);
	}
	return mr_bench_file_done(f, fd);
}

int
mr_bench_frames(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count, char *path, size_t size)
{
	FILE *f;
	int fd;

	f = mr_bench_file(path, size, &fd);
	if (!f)
		return -ENOMEM;
	fwrite(frames, MR_BENCH_FRAME, count, f);
	return mr_bench_file_done(f, fd);
}

void
mr_bench_udp(uint8_t frame[MR_BENCH_FRAME], bool ip6, const uint8_t mac[6], const uint8_t dst[16],
    uint64_t *rng)
{
	struct mr_eth *eth = (struct mr_eth *)frame;
	struct mr_ip4 *ip4 = (struct mr_ip4 *)(eth + 1);
	struct mr_ip6 *to6 = (struct mr_ip6 *)(eth + 1);
	struct mr_udp *udp = ip6 ? (struct mr_udp *)(to6 + 1) : (struct mr_udp *)(ip4 + 1);
	uint16_t len = (uint16_t)(frame + MR_BENCH_FRAME - (uint8_t *)udp);
	uint64_t sum;

	memset(frame, 0, MR_BENCH_FRAME);
	memcpy(eth->dst, mac, 6);
	memcpy(eth->src, sender_mac, 6);
	udp->src = mr_be16((uint16_t)(1024 + mr_bench_draw(rng, 64512)));
	udp->dst = mr_be16((uint16_t)(1024 + mr_bench_draw(rng, 64512)));
	udp->len = mr_be16(len);
	if (ip6) {
		eth->type = mr_be16(MR_ETH_TYPE_IP6);
		to6->version_class_flow = mr_be32(0x60000000);
		to6->payload_len = mr_be16(len);
		to6->next = 17;
		to6->hop_limit = 64;
		memcpy(to6->src, (const uint8_t[]){ 0x20, 0x01, 0x0d, 0xb8, [15] = 2 }, 16);
		memcpy(to6->dst, dst, 16);
		sum = mr_checksum_pseudo6(to6->src, to6->dst, 17, len);
	} else {
		eth->type = mr_be16(MR_ETH_TYPE_IP4);
		ip4->version_ihl = 0x45;
		ip4->total_len = mr_be16((uint16_t)(sizeof(*ip4) + len));
		ip4->ttl = 64;
		ip4->proto = 17;
		ip4->src = mr_be32(0xc6336402); /* 198.51.100.2 */
		memcpy(&ip4->dst, dst, 4);
		ip4->check = mr_checksum_finish(mr_checksum_add(0, ip4, sizeof(*ip4)));
		sum = mr_checksum_pseudo4(ip4->src, ip4->dst, 17, len);
	}
	udp->check = mr_checksum_finish_udp(mr_checksum_add(sum, udp, len));
}

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
mr_bench_capture_by(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count,
    mr_bench_frame_write *write, unsigned len, char *path, size_t size)
{
	static const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	const uint32_t record[4] = { 0, 0, write ? len : MR_BENCH_FRAME,
		write ? len : MR_BENCH_FRAME };
	uint8_t bytes[4 * MR_BENCH_FRAME];
	FILE *f;
	int fd;

	f = mr_bench_file(path, size, &fd);
	if (!f)
		return -ENOMEM;
	fwrite(head, sizeof(head), 1, f);
	for (uint32_t i = 0; i < count; i++) {
		fwrite(record, sizeof(record), 1, f);
		if (write)
			write(bytes, frames[i]);
		fwrite(write ? bytes : frames[i], record[2], 1, f);
	}
	return mr_bench_file_done(f, fd);
}

int
mr_bench_capture(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count, char *path, size_t size)
{
	return mr_bench_capture_by(frames, count, NULL, 0, path, size);
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
mr_bench_tuple(uint8_t frame[MR_BENCH_FRAME], const uint8_t mac[6], const uint8_t src[4],
    const uint8_t dst[4], uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct mr_eth *eth = (struct mr_eth *)frame;
	struct mr_ip4 *ip = (struct mr_ip4 *)(eth + 1);
	struct mr_udp *udp = (struct mr_udp *)(ip + 1);
	struct mr_tcp *tcp = (struct mr_tcp *)(ip + 1);
	uint16_t len = (uint16_t)(frame + MR_BENCH_FRAME - (uint8_t *)udp);
	uint64_t sum;

	memset(frame, 0, MR_BENCH_FRAME);
	memcpy(eth->dst, mac, 6);
	memcpy(eth->src, sender_mac, 6);
	eth->type = mr_be16(MR_ETH_TYPE_IP4);
	ip->version_ihl = 0x45;
	ip->total_len = mr_be16((uint16_t)(sizeof(*ip) + len));
	ip->ttl = 64;
	ip->proto = proto;
	memcpy(&ip->src, src, 4);
	memcpy(&ip->dst, dst, 4);
	ip->check = mr_checksum_finish(mr_checksum_add(0, ip, sizeof(*ip)));
	udp->src = mr_be16(sport); /* of both */
	udp->dst = mr_be16(dport);
	sum = mr_checksum_pseudo4(ip->src, ip->dst, proto, len);
	if (proto == 6) {
		tcp->offset = 5 << 4;
		tcp->flags = MR_TCP_ACK;
		tcp->check = mr_checksum_finish(mr_checksum_add(sum, tcp, len));
	} else {
		udp->len = mr_be16(len);
		udp->check = mr_checksum_finish_udp(mr_checksum_add(sum, udp, len));
	}
}

void
mr_bench_udp(uint8_t frame[MR_BENCH_FRAME], bool ip6, const uint8_t mac[6], const uint8_t dst[16],
    uint64_t *rng)
{
	static const uint8_t src4[4] = { 198, 51, 100, 2 };
	struct mr_eth *eth = (struct mr_eth *)frame;
	struct mr_ip6 *ip = (struct mr_ip6 *)(eth + 1);
	struct mr_udp *udp = (struct mr_udp *)(ip + 1);
	uint16_t len = (uint16_t)(frame + MR_BENCH_FRAME - (uint8_t *)udp);
	uint16_t sport = (uint16_t)(1024 + mr_bench_draw(rng, 64512));
	uint16_t dport = (uint16_t)(1024 + mr_bench_draw(rng, 64512));
	uint64_t sum;

	if (!ip6) {
		mr_bench_tuple(frame, mac, src4, dst, 17, sport, dport);
		return;
	}
	memset(frame, 0, MR_BENCH_FRAME);
	memcpy(eth->dst, mac, 6);
	memcpy(eth->src, sender_mac, 6);
	eth->type = mr_be16(MR_ETH_TYPE_IP6);
	ip->version_class_flow = mr_be32(0x60000000);
	ip->payload_len = mr_be16(len);
	ip->next = 17;
	ip->hop_limit = 64;
	memcpy(ip->src, (const uint8_t[]){ 0x20, 0x01, 0x0d, 0xb8, [15] = 2 }, 16);
	memcpy(ip->dst, dst, 16);
	udp->src = mr_be16(sport);
	udp->dst = mr_be16(dport);
	udp->len = mr_be16(len);
	sum = mr_checksum_pseudo6(ip->src, ip->dst, 17, len);
	udp->check = mr_checksum_finish_udp(mr_checksum_add(sum, udp, len));
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_FRAMES_H
#define MR_BENCH_FRAMES_H

/*
 * What rows that play frames need: random numbers that are the same everywhere, large memory, and
 * files in memory that a peer can open.
 *
 * Ownership: a descriptor is the caller's to close, and the file is gone with it.
 * Threads: none. Errors: -errno.
 */

#include <stdio.h>

#include "kit/base/def.h"

#define MR_BENCH_FRAME 64 /* bytes */

/* xorshift64*, so that all machines get the same: a number below `below`. The state is not 0. */
uint32_t mr_bench_draw(uint64_t *state, uint32_t below);

/* Zeroed, on huge pages where the kernel has some, as our own tables are; for free(). Null
 * without memory. */
void *mr_bench_alloc_large(size_t size);

/* A file in memory to write to, and its path, for this process's children too. Close the
 * stream with mr_bench_file_done, which returns the descriptor that keeps the file. */
FILE *mr_bench_file(char *path, size_t size, int *fd);
int mr_bench_file_done(FILE *, int fd);

/* A UDP datagram that fills the frame, checksums right, to an address from 198.51.100.2 or
 * 2001:db8::2, from and to random ports from 1024 on. */
void mr_bench_udp(uint8_t frame[MR_BENCH_FRAME], bool ip6, const uint8_t mac[6],
    const uint8_t dst[16], uint64_t *rng);

/* A frame of these: IPv4 addresses in wire order, TCP (6, an ACK) or UDP (17), checksums right. */
void mr_bench_tuple(uint8_t frame[MR_BENCH_FRAME], const uint8_t mac[6], const uint8_t src[4],
    const uint8_t dst[4], uint8_t proto, uint16_t sport, uint16_t dport);

/* Such an IPv4 frame as its answer: addresses and ports exchanged, checksums what they were. */
void mr_bench_answer(uint8_t frame[MR_BENCH_FRAME]);

/* Frames as a capture in such a file, and as they are; returns the descriptor. In the former, each may be
 * written otherwise: by `write`, which makes `len` bytes of one; null: it is written as it is. */
typedef void mr_bench_frame_write(uint8_t *to, const uint8_t frame[MR_BENCH_FRAME]);
int mr_bench_capture_by(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count,
    mr_bench_frame_write *write, unsigned len, char *path, size_t size);
int mr_bench_capture(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count, char *path,
    size_t size);
int mr_bench_frames(const uint8_t (*frames)[MR_BENCH_FRAME], uint32_t count, char *path,
    size_t size);

#endif

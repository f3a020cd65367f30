/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

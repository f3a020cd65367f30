/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/feed.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/net.h"
#include "kit/base/cpu.h"

#define CALL (1 << 30)
#define BATCH 64 /* frames between two looks at the signals */
#define PAGE 4096
#define HEADS 44 /* bytes of a frame: what anybody may change */
#define INSNS 48

/* The one value of an array map, shared with the program. */
struct mr_bench_feed_shared {
	_Atomic uint32_t way;
	_Atomic int32_t error; /* why the child ended */
	_Atomic uint64_t count;
};

/*
 *	if (data + HEADS > data_end) return XDP_DROP;
 *	memcpy(data, frame, HEADS);
 */
static unsigned
write_heads(struct bpf_insn *to, const uint8_t frame[MR_BENCH_NET_FRAME])
{
	const struct bpf_insn check[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		    .dst_reg = BPF_REG_7,
		    .src_reg = BPF_REG_1,
		    .off = offsetof(struct xdp_md, data) },
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		    .dst_reg = BPF_REG_8,
		    .src_reg = BPF_REG_1,
		    .off = offsetof(struct xdp_md, data_end) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_7 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = HEADS },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_JLE | BPF_X,
		    .dst_reg = BPF_REG_2,
		    .src_reg = BPF_REG_8,
		    .off = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	unsigned n = MR_ARRAY_COUNT(check);

	memcpy(to, check, sizeof(check));
	for (unsigned at = 0; at < HEADS; at += 4, n++) {
		to[n] = (struct bpf_insn){ .code = BPF_ST | BPF_MEM | BPF_W,
			.dst_reg = BPF_REG_7,
			.off = (int16_t)at };
		memcpy(&to[n].imm, frame + at, 4);
	}
	return n;
}

/*
 *	key = shared->way; if (!key) return XDP_DROP;
 *	shared->count++;
 *	return bpf_redirect_map(ways, key, XDP_DROP);
 */
static unsigned
write_redirect(struct bpf_insn *to, int ways, int memory)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_IMM | BPF_DW,
		    .dst_reg = BPF_REG_6,
		    .src_reg = BPF_PSEUDO_MAP_VALUE,
		    .imm = memory },
		{ 0 },
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		    .dst_reg = BPF_REG_2,
		    .src_reg = BPF_REG_6,
		    .off = offsetof(struct mr_bench_feed_shared, way) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_2, .off = 7 },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW,
		    .dst_reg = BPF_REG_1,
		    .src_reg = BPF_REG_6,
		    .off = offsetof(struct mr_bench_feed_shared, count) },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = 1 },
		{ .code = BPF_STX | BPF_MEM | BPF_DW,
		    .dst_reg = BPF_REG_6,
		    .src_reg = BPF_REG_1,
		    .off = offsetof(struct mr_bench_feed_shared, count) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW,
		    .dst_reg = BPF_REG_1,
		    .src_reg = BPF_PSEUDO_MAP_FD,
		    .imm = ways },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	memcpy(to, insns, sizeof(insns));
	return MR_ARRAY_COUNT(insns);
}

/* Frames come back from who received them, and may have been written to by then. */
static int
load_program(int ways, int memory)
{
	uint8_t frame[MR_BENCH_NET_FRAME];
	struct bpf_insn insns[INSNS];
	unsigned n;

	mr_bench_net_frame(frame);
	n = write_heads(insns, frame);
	n += write_redirect(insns + n, ways, memory);
	return bpf_prog_load(BPF_PROG_TYPE_XDP, "millrace_feed", "Apache-2.0", insns, n, NULL);
}

static void
child_main(const struct mr_bench_feed *feed, unsigned cpu)
{
	uint8_t frame[MR_BENCH_NET_FRAME];
	int rc = mr_cpu_pin(cpu, NULL);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
	    .repeat = CALL, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	mr_bench_net_frame(frame);
	while (rc == 0 || rc == -EINTR || rc == -EAGAIN)
		rc = bpf_prog_test_run_opts(feed->program, &opts);
	/* It tells nothing but itself. */
	atomic_store_explicit(&feed->shared->error, rc, memory_order_relaxed);
	_exit(1);
}

static int
make_program(struct mr_bench_feed *feed, struct mr_error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
	void *shared;

	feed->ways =
	    bpf_map_create(BPF_MAP_TYPE_DEVMAP, "feed_ways", 4, 4, MR_BENCH_FEED_WAYS, NULL);
	feed->memory = bpf_map_create(BPF_MAP_TYPE_ARRAY, "feed_memory", 4,
	    sizeof(struct mr_bench_feed_shared), 1, &mapped);
	if (feed->ways < 0 || feed->memory < 0)
		return mr_error_set(error, -errno, "no map for a BPF program: %s", strerror(errno));
	feed->program = load_program(feed->ways, feed->memory);
	if (feed->program < 0)
		return mr_error_set(error, feed->program, "feeding BPF program: %s",
		    strerror(-feed->program));
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, feed->memory, 0);
	if (shared == MAP_FAILED)
		return mr_error_set(error, -errno, "map of a BPF map: %s", strerror(errno));
	feed->shared = shared;
	return 0;
}

int
mr_bench_feed_start(struct mr_bench_feed *feed, unsigned cpu, struct mr_error *error)
{
	pid_t parent = getpid();
	int rc;

	*feed = (struct mr_bench_feed){ .ways = -1, .memory = -1, .program = -1 };
	rc = make_program(feed, error);
	if (rc == 0) {
		feed->pid = fork();
		if (feed->pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == parent)
				child_main(feed, cpu);
			_exit(1);
		}
		if (feed->pid < 0) {
			feed->pid = 0;
			rc = mr_error_set(error, -EAGAIN, "no process to feed with");
		}
	}
	if (rc < 0)
		mr_bench_feed_stop(feed);
	return rc;
}

int
mr_bench_feed_add(struct mr_bench_feed *feed, int ifindex, struct mr_error *error)
{
	uint32_t way = feed->way_count + 1, value = (uint32_t)ifindex;
	int rc =
	    way < MR_BENCH_FEED_WAYS ? bpf_map_update_elem(feed->ways, &way, &value, 0) : -ENOSPC;

	if (rc < 0)
		return mr_error_set(error, rc, "interface %d cannot be fed: %s", ifindex,
		    strerror(-rc));
	return (int)++feed->way_count;
}

int
mr_bench_feed_to(struct mr_bench_feed *feed, int way, struct mr_error *error)
{
	int rc = atomic_load_explicit(&feed->shared->error, memory_order_relaxed);

	if (rc)
		return mr_error_set(error, rc,
		    "the kernel does not feed frames (BPF_PROG_TEST_RUN with live frames, Linux "
		    "5.18): %s",
		    strerror(-rc));
	atomic_store_explicit(&feed->shared->way, (uint32_t)way, memory_order_relaxed);
	return 0;
}

uint64_t
mr_bench_feed_count(const struct mr_bench_feed *feed)
{
	return atomic_load_explicit(&feed->shared->count, memory_order_relaxed);
}

static void
close_fd(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = -1;
}

void
mr_bench_feed_stop(struct mr_bench_feed *feed)
{
	if (feed->pid > 0) {
		kill(feed->pid, SIGKILL);
		waitpid(feed->pid, NULL, 0);
	}
	if (feed->shared)
		munmap(feed->shared, PAGE);
	close_fd(&feed->program);
	close_fd(&feed->memory);
	close_fd(&feed->ways);
	feed->shared = NULL;
	feed->pid = 0;
}

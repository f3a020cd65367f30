/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_xdp.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#define RING 2048
#define FRAMES (4 * RING)
#define BURST 256
#define CHUNK 2048
#define STRIDE 2112         /* as ours: not a power of two, which would share cache sets */
#define OPT_MAX_TX_BUDGET 9 /* XDP_MAX_TX_SKB_BUDGET, Linux 6.17 */
#define SEND_MEMORY (32 << 20)

struct mr_bench_bare_xdp {
	struct xsk_ring_cons rx[2], done[2];
	struct xsk_ring_prod tx[2], fill[2];
	struct xsk_umem *umem;
	struct xsk_socket *sockets[2];
	void *memory;
	int map, program, link;
	uint32_t owed, stocked; /* frames that the fill ring could take, that are idle */
	uint64_t stock[FRAMES];
};

static int
steer(struct mr_bench_bare_xdp *x, const char *device)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		    .dst_reg = BPF_REG_2,
		    .src_reg = BPF_REG_1,
		    .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW,
		    .dst_reg = BPF_REG_1,
		    .src_reg = BPF_PSEUDO_MAP_FD },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	uint32_t key = 0, value = (uint32_t)xsk_socket__fd(x->sockets[0]);

	x->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "bare_xsks", 4, 4, 1, NULL);
	if (x->map < 0)
		return x->map;
	insns[1].imm = x->map;
	x->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "bare_steer", "Apache-2.0", insns,
	    MR_ARRAY_COUNT(insns), NULL);
	if (x->program < 0)
		return x->program;
	x->link = bpf_link_create(x->program, (int)if_nametoindex(device), BPF_XDP, &opts);
	if (x->link < 0)
		return x->link;
	return bpf_map_update_elem(x->map, &key, &value, 0);
}

static int
open_sockets(struct mr_bench_bare_xdp *x, const char *const names[2])
{
	const struct xsk_umem_config memory = { .fill_size = RING,
		.comp_size = RING,
		.frame_size = CHUNK,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG };
	const struct xsk_socket_config config = { .rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP };
	const size_t size = (size_t)FRAMES * STRIDE;
	int budget = RING, send = SEND_MEMORY, fd, rc;
	unsigned i;

	x->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (x->memory == MAP_FAILED) {
		x->memory = NULL;
		return -ENOMEM;
	}
	rc = xsk_umem__create(&x->umem, x->memory, size, &x->fill[0], &x->done[0], &memory);
	for (i = 0; i < 2 && rc == 0; i++) {
		rc = xsk_socket__create_shared(&x->sockets[i], names[i], 0, x->umem, &x->rx[i],
		    &x->tx[i], &x->fill[i], &x->done[i], &config);
		if (rc)
			break;
		fd = xsk_socket__fd(x->sockets[i]);
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send));
		setsockopt(fd, SOL_XDP, OPT_MAX_TX_BUDGET, &budget, sizeof(budget));
	}
	return rc;
}

/* What was sent goes back to the stock. */
static void
collect(struct mr_bench_bare_xdp *x)
{
	uint32_t at = 0, n, i;

	n = xsk_ring_cons__peek(&x->done[1], RING, &at);
	for (i = 0; i < n; i++)
		x->stock[x->stocked++] =
		    xsk_umem__extract_addr(*xsk_ring_cons__comp_addr(&x->done[1], at + i));
	xsk_ring_cons__release(&x->done[1], n);
}

/* As many frames as were received may be received again. */
static void
refill(struct mr_bench_bare_xdp *x)
{
	uint32_t at, n = MR_MIN(x->owed, x->stocked), i;

	if (!n || xsk_ring_prod__reserve(&x->fill[0], n, &at) != n)
		return;
	for (i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill[0], at + i) = x->stock[--x->stocked];
	xsk_ring_prod__submit(&x->fill[0], n);
	x->owed -= n;
}

int
mr_bench_bare_xdp_open(struct mr_bench_bare_xdp **out, const char *from, const char *to,
    struct mr_error *error)
{
	const char *const names[2] = { from, to };
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct mr_bench_bare_xdp *x = calloc(1, sizeof(*x));
	uint32_t i;
	int rc;

	*out = NULL;
	if (!x)
		return mr_error_set(error, -ENOMEM, "no memory");
	x->map = x->program = x->link = -1;
	setrlimit(RLIMIT_MEMLOCK, &all);
	rc = open_sockets(x, names);
	if (rc == 0)
		rc = steer(x, from);
	if (rc < 0) {
		mr_bench_bare_xdp_close(x);
		return mr_error_set(error, rc, "bare AF_XDP loop: %s", strerror(-rc));
	}
	for (i = 0; i < FRAMES; i++)
		x->stock[x->stocked++] = (uint64_t)i * STRIDE;
	x->owed = RING;
	refill(x);
	*out = x;
	return 0;
}

unsigned
mr_bench_bare_xdp_turn(struct mr_bench_bare_xdp *x)
{
	uint32_t from, to, n, i;

	collect(x);
	/* libxdp looks at the kernel's index only when its copy is used up: short bursts. */
	x->rx[0].cached_prod = __atomic_load_n(x->rx[0].producer, __ATOMIC_ACQUIRE);
	n = xsk_ring_cons__peek(&x->rx[0], BURST, &from);
	if (n && xsk_ring_prod__reserve(&x->tx[1], n, &to) == n) { /* it has room */
		for (i = 0; i < n; i++)
			*xsk_ring_prod__tx_desc(&x->tx[1], to + i) =
			    *xsk_ring_cons__rx_desc(&x->rx[0], from + i);
		xsk_ring_prod__submit(&x->tx[1], n);
		xsk_ring_cons__release(&x->rx[0], n);
	}
	if (n && xsk_ring_prod__needs_wakeup(&x->tx[1]))
		while (sendto(xsk_socket__fd(x->sockets[1]), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		    errno == EAGAIN)
			collect(x);
	x->owed += n;
	refill(x);
	return n;
}

void
mr_bench_bare_xdp_close(struct mr_bench_bare_xdp *x)
{
	if (!x)
		return;
	if (x->link >= 0)
		close(x->link);
	if (x->program >= 0)
		close(x->program);
	if (x->map >= 0)
		close(x->map);
	xsk_socket__delete(x->sockets[1]);
	xsk_socket__delete(x->sockets[0]);
	if (x->umem)
		xsk_umem__delete(x->umem);
	if (x->memory)
		munmap(x->memory, (size_t)FRAMES * STRIDE);
	free(x);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program, with everything in it:
 *
 *	if the driver holds a VLAN tag: make room, write it into the frame
 *	if not filter(frame) or leave(frame): goto pass
 *	forward what is of a known flow (offload_code.c)
 *	if bpf_redirect_map(sockets, ctx->rx_queue_index, XDP_PASS) == XDP_REDIRECT: return it
 *  pass:
 *	take a tag that we wrote out again; return XDP_PASS
 *
 * The tag must be taken out again because the kernel still has it beside the frame.
 */
#include "kit/port/xdp/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit/port/xdp/btf.h"
#include "kit/port/xdp/cbpf.h"
#include "kit/port/xdp/expression.h"

/* Newer than Debian 12's headers. */
#define PROG_XDP_HAS_FRAGS (1u << 5)
#define PROG_XDP_DEV_BOUND_ONLY (1u << 6)
#define CALL_KFUNC 2 /* BPF_PSEUDO_KFUNC_CALL */

#define STACK_PUSHED (EBPF_STACK_CBPF_END - 8)
#define STACK_PROTO (EBPF_STACK_CBPF_END - 16)
#define STACK_TCI (EBPF_STACK_CBPF_END - 12)

#define FP 10

/* r6, r9 = the frame's first byte and end; to `drop` when it is shorter than `need`. */
static void
emit_frame(struct ebpf *e, int need, int drop)
{
	ebpf_load(e, BPF_DW, 1, FP, EBPF_STACK_CTX);
	ebpf_load(e, BPF_W, 6, 1, offsetof(struct xdp_md, data));
	ebpf_load(e, BPF_W, 9, 1, offsetof(struct xdp_md, data_end));
	ebpf_mov(e, 2, 6);
	ebpf_add_imm(e, 2, need);
	ebpf_jump(e, BPF_JMP | BPF_JGT | BPF_X, 2, 9, 0, drop);
}

static void
emit_adjust_head(struct ebpf *e, int delta, int drop)
{
	ebpf_load(e, BPF_DW, 1, FP, EBPF_STACK_CTX);
	ebpf_mov_imm(e, 2, delta);
	ebpf_call(e, BPF_FUNC_xdp_adjust_head);
	ebpf_jump(e, BPF_JMP | BPF_JNE | BPF_K, 0, 0, 0, drop);
}

static void
emit_push_tag(struct ebpf *e, int kfunc, int drop)
{
	int untagged = ebpf_label(e);

	ebpf_mov_imm(e, 2, 0);
	ebpf_store(e, BPF_DW, FP, 2, STACK_PUSHED);
	ebpf_store(e, BPF_DW, FP, 2, STACK_PROTO);
	ebpf_load(e, BPF_DW, 1, FP, EBPF_STACK_CTX);
	ebpf_mov(e, 2, FP);
	ebpf_add_imm(e, 2, STACK_PROTO);
	ebpf_mov(e, 3, FP);
	ebpf_add_imm(e, 3, STACK_TCI);
	ebpf_emit(e, BPF_JMP | BPF_CALL, 0, CALL_KFUNC, 0, kfunc);
	/* The function's int: its upper half is not to be trusted. */
	ebpf_jump(e, BPF_JMP32 | BPF_JNE | BPF_K, 0, 0, 0, untagged);

	emit_adjust_head(e, -4, drop);
	emit_frame(e, 18, drop);
	ebpf_load(e, BPF_DW, 1, 6, 4); /* the addresses, four bytes to the front */
	ebpf_store(e, BPF_DW, 6, 1, 0);
	ebpf_load(e, BPF_W, 1, 6, 12);
	ebpf_store(e, BPF_W, 6, 1, 8);
	ebpf_load(e, BPF_H, 1, FP, STACK_PROTO); /* in wire order */
	ebpf_store(e, BPF_H, 6, 1, 12);
	ebpf_load(e, BPF_H, 1, FP, STACK_TCI); /* in the host's */
	ebpf_swap(e, 1, 16);
	ebpf_store(e, BPF_H, 6, 1, 14);
	ebpf_mov_imm(e, 1, 1);
	ebpf_store(e, BPF_DW, FP, 1, STACK_PUSHED);
	ebpf_bind(e, untagged);
}

static void
emit_pop_tag(struct ebpf *e, int drop)
{
	int untouched = ebpf_label(e);

	ebpf_load(e, BPF_DW, 1, FP, STACK_PUSHED);
	ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, untouched);
	emit_frame(e, 18, drop);
	ebpf_load(e, BPF_DW, 1, 6, 0);
	ebpf_load(e, BPF_W, 2, 6, 8);
	ebpf_store(e, BPF_W, 6, 2, 12);
	ebpf_store(e, BPF_DW, 6, 1, 4);
	emit_adjust_head(e, 4, drop);
	ebpf_bind(e, untouched);
}

/* Goes on behind it when the frame matches (or, with `inverted`, when it does not), at
 * `otherwise` if not. */
static int
emit_expression(struct ebpf *e, const char *what, const char *text, bool inverted, int otherwise,
    struct mr_error *error)
{
	struct sock_filter *program;
	unsigned count;
	int go_on = ebpf_label(e);
	int rc;

	rc = xdp_expression_compile(what, text, &program, &count, error);
	if (rc)
		return rc;
	rc = cbpf_translate(e, program, count, inverted ? otherwise : go_on,
	    inverted ? go_on : otherwise, error);
	free(program);
	ebpf_bind(e, go_on);
	if (rc)
		mr_error_prefix(error, "%s '%s'", what, text);
	return rc;
}

int
xdp_steer_assemble(struct ebpf *e, const char *filter, const char *leave, int map_fd, int tag_kfunc,
    const struct xdp_offload_code *offload, struct mr_error *error)
{
	int pass = ebpf_label(e), drop = ebpf_label(e);
	int rc = 0;

	ebpf_store(e, BPF_DW, FP, 1, EBPF_STACK_CTX);
	if (tag_kfunc)
		emit_push_tag(e, tag_kfunc, drop);
	if (filter && *filter)
		rc = emit_expression(e, "filter", filter, false, pass, error);
	if (!rc && leave && *leave)
		rc = emit_expression(e, "leave", leave, true, pass, error);
	if (rc)
		return rc;
	if (offload)
		xdp_offload_emit(e, offload);

	if (map_fd < 0) {
		ebpf_mov_imm(e, 0, XDP_TX);
	} else {
		ebpf_load(e, BPF_DW, 1, FP, EBPF_STACK_CTX);
		ebpf_load(e, BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index));
		ebpf_emit(e, BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map_fd);
		ebpf_emit(e, 0, 0, 0, 0, 0);
		ebpf_mov_imm(e, 3, XDP_PASS);
		ebpf_call(e, BPF_FUNC_redirect_map);
		ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, XDP_PASS, pass);
	}
	ebpf_exit(e);

	ebpf_bind(e, pass);
	if (tag_kfunc)
		emit_pop_tag(e, drop);
	ebpf_mov_imm(e, 0, XDP_PASS);
	ebpf_exit(e);
	if (tag_kfunc) {
		ebpf_bind(e, drop);
		ebpf_mov_imm(e, 0, XDP_ABORTED);
		ebpf_exit(e);
	}
	rc = ebpf_finish(e);
	if (rc == -EFBIG)
		return mr_error_set(error, rc, "the filter is too long");
	return rc ? mr_error_set(error, rc, "the steering program could not be put together") : 0;
}

int
xdp_steer_check_filters(const char *filter, const char *leave, struct mr_error *error)
{
	struct ebpf e = { 0 };
	int rc = xdp_steer_assemble(&e, filter, leave, -1, 0, NULL, error);

	ebpf_release(&e);
	return rc;
}

/* The kernel function that tells a VLAN tag beside the frame; 0 when there is none. */
static int
find_tag_kfunc(void)
{
	return xdp_btf_find_kernel("bpf_xdp_metadata_rx_vlan_tag");
}

/* *fd: the program, in the kernel. */
static int
load(const struct xdp_steer *s, const struct xdp_offload_code *offload, int *fd,
    struct mr_error *error)
{
	/* Kernel functions are for programs under the GPL; this one is ours to give under
	 * both licences. */
	const char *licence = s->tag_kfunc ? "Dual BSD/GPL" : "Apache-2.0";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = s->flags,
	    .expected_attach_type = BPF_XDP);
	struct ebpf e = { 0 };
	int rc;

	if (s->tag_kfunc)
		opts.prog_ifindex = (uint32_t)s->ifindex;
	rc = xdp_steer_assemble(&e, s->filter, s->leave, s->map_fd, s->tag_kfunc, offload, error);
	if (!rc) {
		*fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "millrace_steer", licence, e.insns, e.count,
		    &opts);
		rc = *fd < 0 ? *fd : 0;
		if (rc)
			mr_error_set(error, rc, "the kernel refused the steering program: %s",
			    strerror(-rc));
	}
	ebpf_release(&e);
	return rc;
}

static int
load_as(struct xdp_steer *s, unsigned flags, int tag_kfunc, struct mr_error *error)
{
	s->flags = flags;
	s->tag_kfunc = tag_kfunc;
	return load(s, NULL, &s->prog_fd, error);
}

/* The best program that this kernel takes: with tags, without, without frames of
 * several buffers (before Linux 5.18). */
static int
load_best(struct xdp_steer *s, const struct xdp_steer_config *config, struct mr_error *error)
{
	int tag_kfunc = config->native ? find_tag_kfunc() : 0;
	int rc = -ENOTSUP;

	if (tag_kfunc) {
		rc = load_as(s, PROG_XDP_HAS_FRAGS | PROG_XDP_DEV_BOUND_ONLY, tag_kfunc, error);
		s->frags = s->tags = !rc;
	}
	if (rc) {
		rc = load_as(s, PROG_XDP_HAS_FRAGS, 0, error);
		s->frags = !rc;
	}
	if (rc == -EINVAL)
		rc = load_as(s, 0, 0, error);
	if (rc == -EPERM)
		return mr_error_set(error, rc,
		    "no permission to load the steering program (CAP_BPF, CAP_NET_ADMIN)");
	return rc;
}

int
xdp_steer_check_free(int ifindex, const char *device, struct mr_error *error)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	const char *how;
	uint32_t id;

	if (bpf_xdp_query(ifindex, 0, &query))
		return 0; /* attaching will tell */
	id = query.prog_id      ? query.prog_id
	    : query.drv_prog_id ? query.drv_prog_id
	    : query.skb_prog_id ? query.skb_prog_id
				: query.hw_prog_id;
	if (!id)
		return 0;
	how = id == query.drv_prog_id ? "native"
	    : id == query.skb_prog_id ? "generic"
				      : "offloaded";
	return mr_error_set(error, -EBUSY,
	    "an XDP program is attached to %s already (id %u, %s): stop its owner, or "
	    "remove it with ip link set dev %s xdp off",
	    device, id, how, device);
}

static int
attach(struct xdp_steer *s, const struct xdp_steer_config *config, struct mr_error *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
	    .flags = config->native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	const char *mode = config->native ? "native" : "generic";

	s->link_fd = bpf_link_create(s->prog_fd, config->ifindex, BPF_XDP, &opts);
	if (s->link_fd >= 0)
		return 0;
	switch (s->link_fd) {
	case -EBUSY:
	case -EEXIST:
		if (xdp_steer_check_free(config->ifindex, config->device, error))
			return -EBUSY;
		break;
	case -EOPNOTSUPP:
		return mr_error_set(error, s->link_fd, "%s's driver has no %s XDP", config->device,
		    mode);
	case -ERANGE:
		return mr_error_set(error, s->link_fd,
		    "%s's driver does no %s XDP with this MTU (its peer's, for veth)",
		    config->device, mode);
	case -EINVAL:
		return mr_error_set(error, s->link_fd,
		    "%s's driver refused the %s XDP program (MTU too large, or Linux before 5.9)",
		    config->device, mode);
	case -EPERM:
		return mr_error_set(error, s->link_fd,
		    "no permission to attach the steering program (CAP_NET_ADMIN)");
	default:
		break;
	}
	return mr_error_set(error, s->link_fd, "no %s XDP on %s: %s", mode, config->device,
	    strerror(-s->link_fd));
}

int
xdp_steer_open(struct xdp_steer *s, const struct xdp_steer_config *config, struct mr_error *error)
{
	int rc;

	*s = (struct xdp_steer){ .map_fd = -1, .prog_fd = -1, .link_fd = -1 };
	s->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "millrace_xsks", sizeof(uint32_t),
	    sizeof(uint32_t), config->queues, NULL);
	if (s->map_fd == -EPERM)
		return mr_error_set(error, -EPERM,
		    "no permission to make the map of sockets (CAP_BPF, CAP_NET_ADMIN)");
	if (s->map_fd < 0)
		return mr_error_set(error, s->map_fd, "no map of sockets: %s",
		    strerror(-s->map_fd));
	s->ifindex = config->ifindex;
	s->filter = strdup(config->filter ? config->filter : "");
	s->leave = strdup(config->leave ? config->leave : "");
	rc = s->filter && s->leave ? load_best(s, config, error)
				   : mr_error_set(error, -ENOMEM, "no memory for the filters");
	if (!rc)
		rc = attach(s, config, error);
	if (rc)
		xdp_steer_close(s);
	return rc;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
xdp_steer_close(struct xdp_steer *s)
{
	close_fd(&s->link_fd);
	close_fd(&s->prog_fd);
	close_fd(&s->map_fd);
	free(s->filter);
	free(s->leave);
	s->filter = s->leave = NULL;
}

int
xdp_steer_change(struct xdp_steer *s, const struct xdp_offload_code *offload,
    struct mr_error *error)
{
	int fd = -1, rc;

	if (s->link_fd < 0)
		return mr_error_set(error, -ENODEV, "no steering program is attached");
	rc = load(s, offload, &fd, error);
	if (rc)
		return rc;
	rc = bpf_link_update(s->link_fd, fd, NULL);
	if (rc) {
		close(fd);
		return mr_error_set(error, rc, "the steering program could not be replaced: %s",
		    strerror(-rc));
	}
	close(s->prog_fd);
	s->prog_fd = fd;
	return 0;
}

int
xdp_steer_take(struct xdp_steer *s, unsigned queue, int socket, struct mr_error *error)
{
	uint32_t key = queue, value = (uint32_t)socket;
	int rc = bpf_map_update_elem(s->map_fd, &key, &value, 0);

	return rc
	    ? mr_error_set(error, rc, "the socket of queue %u could not be put into the map: %s",
		  queue, strerror(-rc))
	    : 0;
}

void
xdp_steer_leave(struct xdp_steer *s, unsigned queue)
{
	uint32_t key = queue;

	bpf_map_delete_elem(s->map_fd, &key);
}

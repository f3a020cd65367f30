/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_EBPF_H
#define MR_KIT_PORT_XDP_EBPF_H

/*
 * A small assembler: eBPF instructions appended one after the other, jumps to labels
 * that may be bound later. Two places of the driver write with it: the steering
 * program (steer.c) and the translation of filters (cbpf.c).
 *
 * Ownership: the caller's, on its stack; ebpf_release frees what it grew.
 * Threads: none. Errors: the first one sticks in `error`; whatever is appended
 * after it is dropped, so that only ebpf_finish has to be checked.
 */

#include <linux/bpf.h>

#include "kit/base/def.h"

struct ebpf {
	struct bpf_insn *insns;
	int *targets; /* label that instruction i jumps to, or -1 */
	unsigned count, room;
	int *labels; /* instruction that label l stands at, or -1 */
	unsigned label_count, label_room;
	int error; /* 0 or -errno */
};

void ebpf_release(struct ebpf *);

/* A label that is not bound yet; bind it once, at the next instruction. */
int ebpf_label(struct ebpf *);
void ebpf_bind(struct ebpf *, int label);

void ebpf_emit(struct ebpf *, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm);
void ebpf_jump(struct ebpf *, uint8_t code, uint8_t dst, uint8_t src, int32_t imm, int label);

/* Resolves the jumps. -EFBIG when one is too far, -EINVAL when a label was never bound. */
int ebpf_finish(struct ebpf *);

/* The instructions that are used more than once. Registers by number. */
mr_inline void
ebpf_mov(struct ebpf *e, uint8_t dst, uint8_t src)
{
	ebpf_emit(e, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

mr_inline void
ebpf_mov_imm(struct ebpf *e, uint8_t dst, int32_t imm)
{
	ebpf_emit(e, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

/* The upper half becomes 0. */
mr_inline void
ebpf_mov32_imm(struct ebpf *e, uint8_t dst, uint32_t imm)
{
	ebpf_emit(e, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)imm);
}

mr_inline void
ebpf_add_imm(struct ebpf *e, uint8_t dst, int32_t imm)
{
	ebpf_emit(e, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm);
}

/* `size` is BPF_B, BPF_H, BPF_W or BPF_DW. */
mr_inline void
ebpf_load(struct ebpf *e, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	ebpf_emit(e, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

mr_inline void
ebpf_store(struct ebpf *e, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	ebpf_emit(e, BPF_STX | BPF_MEM | size, dst, src, off, 0);
}

mr_inline void
ebpf_call(struct ebpf *e, int32_t helper)
{
	ebpf_emit(e, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

mr_inline void
ebpf_exit(struct ebpf *e)
{
	ebpf_emit(e, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Wire order to the host's, for 16 or 32 bits. */
mr_inline void
ebpf_swap(struct ebpf *e, uint8_t dst, int bits)
{
	ebpf_emit(e, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, bits);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One classic instruction becomes a few of eBPF. The registers:
 *
 *	r6 first byte of the frame, r9 its end (of the first buffer)
 *	r7 A, r8 X, both 32 bits with a clear upper half
 *	r0 to r5 scratch
 *
 * A load is direct where the bytes lie in the first buffer and goes through a
 * helper otherwise:
 *
 *	r1 = r6 + k;  r2 = r1 + size;  if r2 > r9 goto slow
 *	A = *r1;  goto done
 *	slow: A = bpf_xdp_load_bytes(ctx, k, stack, size), no match if that fails
 *	done: A = big endian A
 */
#include "kit/port/xdp/cbpf.h"

#include <errno.h>
#include <stdlib.h>

#define R_DATA 6
#define R_A 7
#define R_X 8
#define R_END 9
#define R_FP 10

/* Beyond this the verifier follows no packet pointer (MAX_PACKET_OFF is 65,535). */
#define OFFSET_MAX 0xff00

struct translation {
	struct ebpf *e;
	const struct sock_filter *program;
	unsigned count;
	int *labels; /* of each classic instruction, or -1 as long as nothing reaches it */
	int match, no_match;
};

static int16_t
scratch_slot(uint32_t k)
{
	return (int16_t)(EBPF_STACK_CBPF_END + 4 * (int)k);
}

static unsigned
load_size(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* The frame cannot match. The verifier refuses code that it thinks nothing reaches, so
 * what follows must seem reachable. */
static void
emit_no_match(struct translation *t)
{
	ebpf_mov_imm(t->e, 0, 0);
	ebpf_jump(t->e, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0, t->no_match);
}

/* dst = the bytes at offset `k`, or at offset r1 when `computed`; r1 is then bounded already. */
static void
emit_load(struct translation *t, uint8_t dst, uint8_t size_code, unsigned size, uint32_t k,
    bool computed)
{
	struct ebpf *e = t->e;
	int slow = ebpf_label(e), done = ebpf_label(e);

	if (computed) {
		ebpf_mov(e, 5, 1);
		ebpf_mov(e, 3, R_DATA);
		ebpf_emit(e, BPF_ALU64 | BPF_ADD | BPF_X, 3, 1, 0, 0);
	} else {
		ebpf_mov(e, 3, R_DATA);
		ebpf_add_imm(e, 3, (int32_t)k);
	}
	ebpf_mov(e, 2, 3);
	ebpf_add_imm(e, 2, (int32_t)size);
	ebpf_jump(e, BPF_JMP | BPF_JGT | BPF_X, 2, R_END, 0, slow);
	ebpf_load(e, size_code, dst, 3, 0);
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, done);

	ebpf_bind(e, slow);
	ebpf_load(e, BPF_DW, 1, R_FP, EBPF_STACK_CTX);
	if (computed)
		ebpf_mov(e, 2, 5);
	else
		ebpf_mov_imm(e, 2, (int32_t)k);
	ebpf_mov(e, 3, R_FP);
	ebpf_add_imm(e, 3, EBPF_STACK_CBPF);
	ebpf_mov_imm(e, 4, (int32_t)size);
	ebpf_call(e, BPF_FUNC_xdp_load_bytes);
	ebpf_jump(e, BPF_JMP | BPF_JNE | BPF_K, 0, 0, 0, t->no_match);
	ebpf_load(e, size_code, dst, R_FP, EBPF_STACK_CBPF);

	ebpf_bind(e, done);
	if (size > 1)
		ebpf_swap(e, dst, (int)size * 8);
}

/* r1 = X + k, without overflow. */
static void
emit_offset(struct translation *t, uint32_t k)
{
	struct ebpf *e = t->e;

	ebpf_mov32_imm(e, 1, k);
	ebpf_emit(e, BPF_ALU64 | BPF_ADD | BPF_X, 1, R_X, 0, 0);
	ebpf_jump(e, BPF_JMP | BPF_JGT | BPF_K, 1, 0, OFFSET_MAX, t->no_match);
}

static void
emit_length(struct translation *t, uint8_t dst)
{
	ebpf_load(t->e, BPF_DW, 1, R_FP, EBPF_STACK_CTX);
	ebpf_call(t->e, BPF_FUNC_xdp_get_buff_len);
	ebpf_emit(t->e, BPF_ALU | BPF_MOV | BPF_X, dst, 0, 0, 0);
}

static int
translate_ld(struct translation *t, const struct sock_filter *f)
{
	struct ebpf *e = t->e;
	unsigned size = load_size(f->code);
	bool to_x = BPF_CLASS(f->code) == BPF_LDX;
	uint8_t dst = to_x ? R_X : R_A;

	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		ebpf_mov32_imm(e, dst, f->k);
		return 0;
	case BPF_MEM:
		if (f->k >= BPF_MEMWORDS)
			return -EINVAL;
		ebpf_load(e, BPF_W, dst, R_FP, scratch_slot(f->k));
		return 0;
	case BPF_LEN:
		emit_length(t, dst);
		return 0;
	case BPF_ABS:
		if (to_x)
			return -EINVAL;
		if (f->k > OFFSET_MAX)
			emit_no_match(t);
		else
			emit_load(t, R_A, BPF_SIZE(f->code), size, f->k, false);
		return 0;
	case BPF_IND:
		if (to_x)
			return -EINVAL;
		emit_offset(t, f->k);
		emit_load(t, R_A, BPF_SIZE(f->code), size, 0, true);
		return 0;
	case BPF_MSH: /* X = 4 * (P[k] & 15): the length of an IPv4 header */
		if (!to_x)
			return -EINVAL;
		if (f->k > OFFSET_MAX) {
			emit_no_match(t);
			return 0;
		}
		emit_load(t, R_X, BPF_B, 1, f->k, false);
		ebpf_emit(e, BPF_ALU | BPF_AND | BPF_K, R_X, 0, 0, 15);
		ebpf_emit(e, BPF_ALU | BPF_LSH | BPF_K, R_X, 0, 0, 2);
		return 0;
	default:
		return -EINVAL;
	}
}

/* eBPF takes a shift modulo 32 and divides by zero to zero; classic BPF does neither. */
static int
translate_alu(struct translation *t, const struct sock_filter *f)
{
	struct ebpf *e = t->e;
	uint8_t op = BPF_OP(f->code);
	bool by_x = BPF_SRC(f->code) == BPF_X;
	int wide, done;

	switch (op) {
	case BPF_NEG:
		ebpf_emit(e, BPF_ALU | BPF_NEG, R_A, 0, 0, 0);
		return 0;
	case BPF_DIV:
	case BPF_MOD:
		if (by_x)
			ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, R_X, 0, 0, t->no_match);
		else if (!f->k)
			return -EINVAL;
		break;
	case BPF_LSH:
	case BPF_RSH:
		if (by_x) {
			wide = ebpf_label(e);
			done = ebpf_label(e);
			ebpf_jump(e, BPF_JMP | BPF_JGT | BPF_K, R_X, 0, 31, wide);
			ebpf_emit(e, BPF_ALU | op | BPF_X, R_A, R_X, 0, 0);
			ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, done);
			ebpf_bind(e, wide);
			ebpf_mov32_imm(e, R_A, 0);
			ebpf_bind(e, done);
			return 0;
		}
		if (f->k > 31) {
			ebpf_mov32_imm(e, R_A, 0);
			return 0;
		}
		break;
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		break;
	default:
		return -EINVAL;
	}
	if (by_x)
		ebpf_emit(e, BPF_ALU | op | BPF_X, R_A, R_X, 0, 0);
	else
		ebpf_emit(e, BPF_ALU | op | BPF_K, R_A, 0, 0, (int32_t)f->k);
	return 0;
}

/* The label of a classic instruction, which is reached now. Jumps go forward only, so
 * one that is not reached when its turn comes never is; the verifier wants it left out. */
static int
reach(struct translation *t, uint64_t at)
{
	if (t->labels[at] < 0)
		t->labels[at] = ebpf_label(t->e);
	return t->labels[at];
}

static int
translate_jmp(struct translation *t, const struct sock_filter *f, unsigned at)
{
	struct ebpf *e = t->e;
	uint8_t op = BPF_OP(f->code);
	uint64_t yes = at + 1ull + f->jt, no = at + 1ull + f->jf;

	if (op == BPF_JA) {
		/* Only "protochain" compiles to loops: a huge k, a jump back. */
		if (f->k >= t->count - at - 1)
			return f->k > INT32_MAX ? -ELOOP : -EINVAL;
		ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, reach(t, at + 1ull + f->k));
		return 0;
	}
	if (op != BPF_JEQ && op != BPF_JGT && op != BPF_JGE && op != BPF_JSET)
		return -EINVAL;
	if (yes >= t->count || no >= t->count)
		return -EINVAL;
	if (BPF_SRC(f->code) == BPF_X)
		ebpf_jump(e, BPF_JMP32 | op | BPF_X, R_A, R_X, 0, reach(t, yes));
	else
		ebpf_jump(e, BPF_JMP32 | op | BPF_K, R_A, 0, (int32_t)f->k, reach(t, yes));
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, reach(t, no));
	return 0;
}

static int
translate_one(struct translation *t, unsigned at)
{
	const struct sock_filter *f = &t->program[at];
	struct ebpf *e = t->e;
	uint8_t reg;

	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
		return translate_ld(t, f);
	case BPF_ST:
	case BPF_STX:
		if (f->k >= BPF_MEMWORDS)
			return -EINVAL;
		reg = BPF_CLASS(f->code) == BPF_ST ? R_A : R_X;
		ebpf_store(e, BPF_W, R_FP, reg, scratch_slot(f->k));
		return 0;
	case BPF_ALU:
		return translate_alu(t, f);
	case BPF_JMP:
		return translate_jmp(t, f, at);
	case BPF_RET:
		if (BPF_RVAL(f->code) == BPF_K)
			ebpf_mov32_imm(e, R_A, f->k);
		else if (BPF_RVAL(f->code) != BPF_A)
			return -EINVAL;
		/* Both ways, so that both labels are reached. */
		ebpf_jump(e, BPF_JMP | BPF_JNE | BPF_K, R_A, 0, 0, t->match);
		ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, t->no_match);
		return 0;
	default: /* BPF_MISC */
		if (BPF_MISCOP(f->code) == BPF_TAX)
			ebpf_emit(e, BPF_ALU | BPF_MOV | BPF_X, R_X, R_A, 0, 0);
		else if (BPF_MISCOP(f->code) == BPF_TXA)
			ebpf_emit(e, BPF_ALU | BPF_MOV | BPF_X, R_A, R_X, 0, 0);
		else
			return -EINVAL;
		return 0;
	}
}

static void
emit_prologue(struct translation *t)
{
	struct ebpf *e = t->e;
	unsigned i;

	ebpf_load(e, BPF_DW, 1, R_FP, EBPF_STACK_CTX);
	ebpf_load(e, BPF_W, R_DATA, 1, offsetof(struct xdp_md, data));
	ebpf_load(e, BPF_W, R_END, 1, offsetof(struct xdp_md, data_end));
	ebpf_mov_imm(e, R_A, 0);
	ebpf_mov_imm(e, R_X, 0);
	for (i = 0; i < BPF_MEMWORDS; i += 2)
		ebpf_store(e, BPF_DW, R_FP, R_A, scratch_slot(i));
}

int
cbpf_translate(struct ebpf *e, const struct sock_filter *program, unsigned count, int match,
    int no_match, struct mr_error *error)
{
	struct translation t = { .e = e,
		.program = program,
		.count = count,
		.match = match,
		.no_match = no_match };
	unsigned i;
	int rc = 0;

	if (!count || count > BPF_MAXINSNS)
		return mr_error_set(error, -EINVAL,
		    "a filter of %u instructions (1 to %d are allowed)", count, BPF_MAXINSNS);
	if (BPF_CLASS(program[count - 1].code) != BPF_RET)
		return mr_error_set(error, -EINVAL, "the filter has no end");
	t.labels = malloc(count * sizeof(*t.labels));
	if (!t.labels)
		return mr_error_set(error, -ENOMEM, "no memory for a filter of %u instructions",
		    count);
	for (i = 0; i < count; i++)
		t.labels[i] = -1;
	emit_prologue(&t);
	reach(&t, 0);
	for (i = 0; i < count && !rc; i++) {
		if (t.labels[i] < 0)
			continue;
		ebpf_bind(e, t.labels[i]);
		rc = translate_one(&t, i);
		if (BPF_CLASS(program[i].code) != BPF_JMP &&
		    BPF_CLASS(program[i].code) != BPF_RET && i + 1 < count)
			reach(&t, i + 1);
	}
	free(t.labels);
	if (rc == -ELOOP)
		return mr_error_set(error, rc,
		    "the filter loops (protochain), which cannot be translated");
	if (rc)
		return mr_error_set(error, rc,
		    "instruction %u of the filter (code 0x%02x) is not known", i - 1,
		    program[i - 1].code);
	return e->error ? mr_error_set(error, e->error, "no memory for the translated filter") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/ebpf.h"

#include <errno.h>
#include <stdlib.h>

void
ebpf_release(struct ebpf *e)
{
	free(e->insns);
	free(e->targets);
	free(e->labels);
	*e = (struct ebpf){ 0 };
}

static bool
grow(struct ebpf *e)
{
	unsigned room = e->room ? e->room * 2 : 256;
	struct bpf_insn *insns = realloc(e->insns, room * sizeof(*insns));
	int *targets;

	if (insns)
		e->insns = insns;
	targets = realloc(e->targets, room * sizeof(*targets));
	if (targets)
		e->targets = targets;
	if (!insns || !targets) {
		e->error = -ENOMEM;
		return false;
	}
	e->room = room;
	return true;
}

int
ebpf_label(struct ebpf *e)
{
	unsigned room = e->label_room ? e->label_room * 2 : 256;
	int *labels;

	if (e->label_count == e->label_room) {
		labels = realloc(e->labels, room * sizeof(*labels));
		if (!labels) {
			e->error = -ENOMEM;
			return 0;
		}
		e->labels = labels;
		e->label_room = room;
	}
	e->labels[e->label_count] = -1;
	return (int)e->label_count++;
}

void
ebpf_bind(struct ebpf *e, int label)
{
	if (!e->error)
		e->labels[label] = (int)e->count;
}

void
ebpf_emit(struct ebpf *e, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (e->error || (e->count == e->room && !grow(e)))
		return;
	e->targets[e->count] = -1;
	e->insns[e->count++] = (struct bpf_insn){ .code = code,
		.dst_reg = dst & 15,
		.src_reg = src & 15,
		.off = off,
		.imm = imm };
}

void
ebpf_jump(struct ebpf *e, uint8_t code, uint8_t dst, uint8_t src, int32_t imm, int label)
{
	ebpf_emit(e, code, dst, src, 0, imm);
	if (!e->error)
		e->targets[e->count - 1] = label;
}

int
ebpf_finish(struct ebpf *e)
{
	unsigned i;
	int off;

	for (i = 0; i < e->count && !e->error; i++) {
		if (e->targets[i] < 0)
			continue;
		off = e->labels[e->targets[i]];
		if (off < 0) {
			e->error = -EINVAL;
			break;
		}
		off -= (int)i + 1;
		if (off < INT16_MIN || off > INT16_MAX)
			e->error = -EFBIG;
		e->insns[i].off = (int16_t)off;
	}
	return e->error;
}

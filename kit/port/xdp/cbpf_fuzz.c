/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a classic program: it is refused, or every jump of the translation stays
 * inside it. (What the translation means is compared in cbpf_test.c, where the
 * kernel's verifier looks at it too.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/port/xdp/cbpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sock_filter program[BPF_MAXINSNS + 1];
	unsigned count = (unsigned)MR_MIN(size / sizeof(*program), MR_ARRAY_COUNT(program)), i;
	struct mr_error error = { 0 };
	struct ebpf e = { 0 };
	int match, no_match, to;

	memcpy(program, bytes, count * sizeof(*program));
	match = ebpf_label(&e);
	no_match = ebpf_label(&e);
	if (cbpf_translate(&e, program, count, match, no_match, &error)) {
		if (!error.code || !*error.text)
			abort();
		ebpf_release(&e);
		return 0;
	}
	ebpf_bind(&e, match);
	ebpf_mov_imm(&e, 0, 1);
	ebpf_exit(&e);
	ebpf_bind(&e, no_match);
	ebpf_mov_imm(&e, 0, 0);
	ebpf_exit(&e);
	if (!ebpf_finish(&e)) {
		for (i = 0; i < e.count; i++) {
			to = (int)i + 1 + e.insns[i].off;
			if (e.targets[i] >= 0 && (to < 0 || to >= (int)e.count))
				abort();
		}
	} else if (e.error != -EFBIG) {
		abort();
	}
	ebpf_release(&e);
	return 0;
}

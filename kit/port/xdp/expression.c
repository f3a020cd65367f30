/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/expression.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn), "the same instructions");

int
xdp_expression_compile(const char *what, const char *text, struct sock_filter **program,
    unsigned *count, struct mr_error *error)
{
	/* A snapshot length of any frame: it is what a match returns, nothing is cut. */
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program compiled = { 0 };
	unsigned i;
	int rc = 0;

	*program = NULL;
	*count = 0;
	if (!pcap)
		return mr_error_set(error, -ENOMEM, "no memory to compile the %s", what);
	if (pcap_compile(pcap, &compiled, text, 1, PCAP_NETMASK_UNKNOWN)) {
		rc = mr_error_set(error, -EINVAL, "%s '%s': %s", what, text, pcap_geterr(pcap));
		goto out;
	}
	*program = malloc(compiled.bf_len * sizeof(**program));
	if (!*program) {
		rc = mr_error_set(error, -ENOMEM, "no memory to compile the %s", what);
		goto out;
	}
	for (i = 0; i < compiled.bf_len; i++) {
		const struct bpf_insn *f = &compiled.bf_insns[i];

		(*program)[i] =
		    (struct sock_filter){ .code = f->code, .jt = f->jt, .jf = f->jf, .k = f->k };
	}
	*count = compiled.bf_len;
out:
	pcap_freecode(&compiled);
	pcap_close(pcap);
	return rc;
}

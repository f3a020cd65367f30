/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as a segment of FTP's control connection; the first says who sent it. What is found
 * lies in the payload, moves on, and is found again where another endpoint is written there.
 */
#include <stdlib.h>
#include <string.h>

#include "nf/nat/alg/ftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
write_another(const uint8_t *data, size_t size, bool server, uint32_t before, struct ftp_endpoint e)
{
	struct alg_edits edits = { 0 };
	char text[ALG_EDIT_MAX];
	struct ftp_endpoint again;
	size_t room = size + ALG_EDIT_MAX, n;
	uint8_t *out = malloc(room);

	must(out != NULL);
	e.port ^= 0x1234;
	e.port += !e.port;
	memset(e.address.bytes, 0x21, e.address.family == 6 ? 16 : 4);
	must(alg_edit(&edits, e.at, e.size, text, ftp_write(&e, text)));
	n = alg_edits_apply(&edits, data, size, out, room);
	must(n == size + (size_t)alg_edits_growth(&edits, 0));
	must(ftp_next(out, n, &before, server, &again));
	must(again.at == e.at && again.port == e.port && again.form == e.form);
	must(e.form == FTP_PORT_ONLY ||
	    alg_address_equal(&again.address, e.address.family, e.address.bytes));
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t at = 0, before = 0;
	struct ftp_endpoint e;
	bool server;

	if (!size)
		return 0;
	server = data[0] & 1;
	data++;
	size--;
	while (ftp_next(data, size, &at, server, &e)) {
		must(at > before && at <= size && e.size && e.at >= before && e.at + e.size <= at);
		write_another(data, size, server, before, e);
		before = at;
	}
	return 0;
}

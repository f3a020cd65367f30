/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as a translation log: lines that are read mean the same when they are written and
 * read again, and whatever intervals come of them, those that a look-up names had the port.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nf/nat/log/whohad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_line(const char *line, size_t len)
{
	char text[NAT_LINE_MAX], again[NAT_LINE_MAX];
	struct nat_line l, m;
	int64_t ms;

	(void)nat_time_parse(&ms, line, len);
	if (nat_line_parse(&l, line, len))
		return;
	len = nat_line_print(&l, text);
	require(len < NAT_LINE_MAX && nat_line_parse(&m, text, len) == 0);
	require(nat_line_print(&m, again) == len && memcmp(text, again, len) == 0);
}

static void
check_answer(void *arg, const struct nat_whohad_answer *a)
{
	const struct nat_whohad_question *q = arg;

	require(a->first <= q->port && q->port <= a->last);
	require(a->from <= q->to && a->to >= q->from);
	require(!q->protocol || !a->mapping || a->protocol == q->protocol);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct nat_whohad_question q = { .from = INT64_C(1795255500000),
		.to = INT64_C(1795255600000) };
	struct nat_line l, last = { 0 };
	struct nat_whohad *w;

	if (nat_whohad_create(&w, NULL))
		return 0;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline ? newline : end) - at);

		check_line(at, len);
		if (nat_line_parse(&l, at, len) == 0)
			last = l;
		(void)nat_whohad_line(w, at, len);
		at += len + 1;
	}
	nat_whohad_seal(w);
	q.address = last.outside;
	q.port = last.last;
	q.protocol = last.protocol;
	(void)nat_whohad_find(w, &q, check_answer, &q);
	q.from = 0;
	q.to = INT64_MAX;
	(void)nat_whohad_find(w, &q, check_answer, &q);
	nat_whohad_destroy(w);
	return 0;
}

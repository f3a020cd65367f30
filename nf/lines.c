/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
mr_lines_put(struct mr_lines *l, const char *fmt, ...)
{
	va_list args;
	int n;

	for (;;) {
		size_t left = l->room - l->used;
		char *grown;

		va_start(args, fmt);
		n = vsnprintf(l->text ? l->text + l->used : NULL, left, fmt, args);
		va_end(args);
		if (n < 0 || (size_t)n < left)
			break;
		grown = realloc(l->text, l->room * 2 + (size_t)n + 1024);
		if (!grown) {
			l->failed = true;
			return;
		}
		l->room = l->room * 2 + (size_t)n + 1024;
		l->text = grown;
	}
	l->used += n > 0 ? (size_t)n : 0;
}

void
mr_lines_free(struct mr_lines *l)
{
	free(l->text);
	*l = (struct mr_lines){ 0 };
}

size_t
mr_lines_read(struct mr_lines *l, mr_lines_make_fn *make, void *user, char *text, size_t size)
{
	size_t done = 0;

	while (done < size && !l->failed) {
		size_t n;

		if (l->read == l->used) {
			l->used = l->read = 0;
			if (!make(user))
				break;
			/* Others have work for this thread, too. */
			if (!l->used && done)
				break;
			continue;
		}
		n = MR_MIN(size - done, l->used - l->read);
		memcpy(text + done, l->text + l->read, n);
		l->read += n;
		done += n;
	}
	return done;
}

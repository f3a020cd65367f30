/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/suggest.h"

#include <string.h>

#define WORD_MAX 63u

unsigned
mr_suggest_distance(const char *a, const char *b)
{
	size_t a_len = strnlen(a, WORD_MAX), b_len = strnlen(b, WORD_MAX);
	uint8_t rows[3][WORD_MAX + 1]; /* the rows i - 2, i - 1 and i, in turn */
	uint8_t *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	size_t i, j;

	for (j = 0; j <= b_len; j++)
		last[j] = (uint8_t)j;
	memset(before, 0, sizeof(rows[0]));
	for (i = 1; i <= a_len; i++) {
		now[0] = (uint8_t)i;
		for (j = 1; j <= b_len; j++) {
			uint8_t edit = last[j - 1] + (a[i - 1] != b[j - 1]);

			edit = MR_MIN(edit, (uint8_t)(last[j] + 1));
			edit = MR_MIN(edit, (uint8_t)(now[j - 1] + 1));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				edit = MR_MIN(edit, (uint8_t)(before[j - 2] + 1));
			now[j] = edit;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

void
mr_suggest_try(struct mr_suggest *s, const char *candidate)
{
	unsigned distance = mr_suggest_distance(s->word, candidate);

	if (!s->best || distance < s->distance) {
		s->best = candidate;
		s->distance = distance;
	}
}

const char *
mr_suggest_best(const struct mr_suggest *s)
{
	size_t near = MR_MAX(strnlen(s->word, WORD_MAX) / 3, (size_t)1);

	return s->best && s->distance <= near ? s->best : NULL;
}

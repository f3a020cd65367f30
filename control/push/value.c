/* SPDX-License-Identifier: Apache-2.0 */

/* Values, as messages and thresholds want them. */

#include <time.h>

#include "control/push/push_int.h"

struct push_value
push_value_of(const struct mr_sample *s, const struct mr_sample_value *v)
{
	const struct mr_leaf *leaf = v->leaf;
	struct push_value out = { .kind = leaf->kind, .digits = leaf->digits, .u = v->u };

	if (leaf->kind == MR_LEAF_TEXT) {
		out.text = mr_sample_text(s, v->text);
	} else if (leaf->kind == MR_LEAF_ENUM) {
		out.kind = MR_LEAF_TEXT;
		out.text = v->u < leaf->word_count ? leaf->words[v->u] : "";
	}
	return out;
}

double
push_number_of(const struct mr_sample_value *v)
{
	double one = 1;

	if (v->leaf->kind == MR_LEAF_UINT)
		return (double)v->u;
	for (unsigned i = 0; i < v->leaf->digits; i++)
		one *= 10;
	return (double)v->i / one;
}

uint64_t
push_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

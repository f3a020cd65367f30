/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of the classifier: pages of buckets, blocks of what shares a bucket, copies of both
 * before they are changed, growth by a page at a time.
 */
#include "kit/table/classifier_int.h"

#include <errno.h>
#include <stdlib.h>

static struct class_line *
line_at(const void *lines, unsigned stride, uint32_t i)
{
	return (struct class_line *)((uintptr_t)lines + (size_t)stride * i);
}

static struct class_block *
block_of(const struct class_line *more)
{
	return (struct class_block *)((uintptr_t)more - sizeof(struct class_block));
}

/* The first line of a new block. */
static struct class_line *
block_create(struct mr_class *c, const struct class_family *family, uint32_t lines)
{
	struct class_block *block = class_block_get(c, family->number, lines);

	return block ? (struct class_line *)(block + 1) : NULL;
}

static void
block_drop(struct mr_class *c, const struct class_family *family, const struct class_line *more)
{
	if (!more)
		return;
	if (block_of(more)->born == c->epoch)
		class_block_put(c, family->number, block_of(more));
	else
		class_retire(c, block_of(more), family->number ? CLASS_BLOCK6 : CLASS_BLOCK4);
}

static void
line_clear(struct class_line *line, unsigned words)
{
	memset(line, 0, sizeof(*line) + 16 * words);
	line->rank = UINT64_MAX;
	memset(line->words, 0xff, 8 * words);
}

static void
mask_of(uint8_t mask[16], unsigned len)
{
	memset(mask, 0, 16);
	memset(mask, 0xff, len / 8);
	if (len % 8)
		mask[len / 8] = (uint8_t)(0xff00 >> len % 8);
}

static void
line_fill(struct class_line *line, const struct mr_class_rule *rule, uint32_t id)
{
	bool six = rule->family == 6;
	struct class_words value, mask;
	uint8_t src[16], dst[16];
	unsigned n = six ? 4 : 1;

	mask_of(src, rule->src_len);
	mask_of(dst, rule->dst_len);
	class_words_of(&value, six, rule->src, rule->dst, 0, 0, rule->proto, rule->extra);
	class_words_of(&mask, six, src, dst, 0, 0, rule->proto_mask, rule->extra_mask);
	line->rank = (uint64_t)rule->priority << 32 | id;
	line->value = rule->value;
	line->more_count = line->more_tags = 0;
	line->more = NULL;
	line->sport = rule->sport_lo;
	line->sport_span = rule->sport_hi - rule->sport_lo;
	line->dport = rule->dport_lo;
	line->dport_span = rule->dport_hi - rule->dport_lo;
	memcpy(line->words, value.address, 8 * n);
	line->words[n] = value.extra;
	memcpy(line->words + n + 1, mask.address, 8 * n);
	line->words[2 * n + 1] = mask.extra;
}

void
class_probe_fill(struct class_probe *p, const struct class_tuple *t, bool six)
{
	struct class_words w;
	uint8_t src[16], dst[16];

	mask_of(src, t->src);
	mask_of(dst, t->dst);
	class_words_of(&w, six, src, dst, 0, 0, t->proto ? 0xff : 0, 0);
	p->mask_address0 = w.address[0];
	if (six)
		memcpy(p->mask_address, w.address + 1, sizeof(p->mask_address));
	p->mask_ports = w.ports | (uint16_t)(0xffff0000u >> t->sport) |
	    (uint32_t)(uint16_t)(0xffff0000u >> t->dport) << 16;
	p->mask_extra = t->extra_mask;
}

uint64_t
class_rule_hash(const struct mr_hash_key *key, const struct class_tuple *t,
    const struct mr_class_rule *rule)
{
	bool six = rule->family == 6;
	struct class_probe p;
	struct class_words w;

	class_probe_fill(&p, t, six);
	class_words_of(&w, six, rule->src, rule->dst, rule->sport_lo, rule->dport_lo, rule->proto,
	    rule->extra);
	return class_hash(key, &p, &w, six);
}

static uint32_t
page_mask(uint32_t pages)
{
	return pages > 1 ? UINT32_MAX >> __builtin_clz(pages - 1) : 0;
}

static uint8_t *
page_create(struct mr_class *c, const struct class_family *family)
{
	uint8_t *page = class_page_get(c, family->number);

	for (uint32_t i = 0; page && i < CLASS_PAGE_LINES; i++)
		line_clear(line_at(page, family->stride, i), family->words);
	return page;
}

static void
page_drop(struct mr_class *c, const struct class_family *family, uint8_t *page, uint32_t born)
{
	if (born == c->epoch)
		class_page_put(c, family->number, page);
	else
		class_retire(c, page, family->number ? CLASS_PAGE6 : CLASS_PAGE4);
}

static void
page_drop_blocks(struct mr_class *c, const struct class_family *family, const uint8_t *page)
{
	for (uint32_t i = 0; i < CLASS_PAGE_LINES; i++)
		block_drop(c, family, line_at(page, family->stride, i)->more);
}

static bool
pages_room(struct class_table *t, uint32_t pages)
{
	uint32_t room = MR_MAX(pages, 2 * t->room), *born;
	uint8_t **page;

	if (pages <= t->room)
		return true;
	page = realloc(t->page, room * sizeof(*page));
	if (page)
		t->page = page;
	born = realloc(t->born, room * sizeof(*born));
	if (born)
		t->born = born;
	if (!page || !born)
		return false;
	t->room = room;
	return true;
}

int
class_table_open(struct mr_class *c, struct class_family *family, struct class_table *t,
    const struct class_tuple *tuple, uint32_t pages)
{
	*t = (struct class_table){ .tuple = *tuple, .rank = UINT64_MAX };
	pages = MR_MAX(pages, 1u);
	if (!pages_room(t, pages))
		goto no_memory;
	for (; t->pages < pages; t->pages++) {
		t->page[t->pages] = page_create(c, family);
		t->born[t->pages] = c->epoch;
		if (!t->page[t->pages])
			goto no_memory;
	}
	t->used = t->changed = true;
	return 0;

no_memory:
	class_table_close(c, family, t);
	return -ENOMEM;
}

void
class_table_close(struct mr_class *c, struct class_family *family, struct class_table *t)
{
	for (uint32_t i = 0; i < t->pages; i++) {
		page_drop_blocks(c, family, t->page[i]);
		page_drop(c, family, t->page[i], t->born[i]);
	}
	free(t->page);
	free(t->born);
	class_retire(c, t->published, CLASS_HEAP);
	*t = (struct class_table){ 0 };
}

void
class_table_free(struct mr_class *c, struct class_family *family, struct class_table *t)
{
	for (uint32_t i = 0; i < t->pages; i++)
		for (uint32_t k = 0; k < CLASS_PAGE_LINES; k++) {
			const struct class_line *more =
			    line_at(t->page[i], family->stride, k)->more;

			if (more)
				class_block_put(c, family->number, block_of(more));
		}
	free(t->page);
	free(t->born);
	free(t->published);
	*t = (struct class_table){ 0 };
}

/* The writer's own copy of a page. */
static uint8_t *
page_own(struct mr_class *c, const struct class_family *family, struct class_table *t, uint32_t n)
{
	uint8_t *copy;

	if (t->born[n] == c->epoch)
		return t->page[n];
	copy = class_page_get(c, family->number);
	if (!copy)
		return NULL;
	memcpy(copy, t->page[n], (size_t)CLASS_PAGE_LINES * family->stride);
	page_drop(c, family, t->page[n], t->born[n]);
	t->page[n] = copy;
	t->born[n] = c->epoch;
	t->changed = true;
	return copy;
}

/* How many of a sorted block's lines are better. */
static uint32_t
better(const struct class_line *more, uint32_t count, unsigned stride, uint64_t rank)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (line_at(more, stride, middle)->rank < rank)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t
line_hash(const struct mr_class *c, const struct class_core *core, const struct class_table *t,
    const struct class_line *line)
{
	return class_rule_hash(&c->key, &t->tuple, &core->slots[(uint32_t)line->rank].rule);
}

/* Into a page that is the writer's own; without memory nothing is changed. */
static int
bucket_add(struct mr_class *c, const struct class_core *core, const struct class_table *t,
    const struct class_family *family, struct class_line *head, const struct class_line *line,
    uint64_t hash)
{
	size_t size = sizeof(*line) + 16 * family->words;
	unsigned stride = family->stride;
	uint8_t spare[CLASS_STRIDE6];
	struct class_line *more = (struct class_line *)head->more;
	uint16_t n = head->more_count, tags = head->more_tags;
	uint32_t at;

	if (head->rank == UINT64_MAX) {
		memcpy(head, line, size);
		return 0;
	}
	if (!more || block_of(more)->born != c->epoch || block_of(more)->room == n) {
		more = block_create(c, family, n + 1u);
		if (!more)
			return -ENOMEM;
		if (n)
			memcpy(more, head->more, (size_t)n * stride);
		block_drop(c, family, head->more);
	}
	if (line->rank < head->rank) {
		hash = line_hash(c, core, t, head);
		memcpy(spare, head, size);
		memcpy(head, line, size);
		line = (const struct class_line *)spare;
	}
	at = better(more, n, stride, line->rank);
	memmove(line_at(more, stride, at + 1), line_at(more, stride, at),
	    (size_t)(n - at) * stride);
	memcpy(line_at(more, stride, at), line, size);
	line_at(more, stride, at)->more = NULL;
	line_at(more, stride, at)->more_count = line_at(more, stride, at)->more_tags = 0;
	head->more = more;
	head->more_count = n + 1;
	head->more_tags = (uint16_t)(tags | 1u << class_tag_of(hash));
	return 0;
}

/* One more page: what the page it comes from holds is dealt out to both, as new pages. Without
 * memory the table stays as it is, which is only denser. */
static void
table_grow(struct mr_class *c, const struct class_core *core, const struct class_family *family,
    struct class_table *t)
{
	uint32_t mask = page_mask(t->pages + 1), from = t->pages & mask >> 1;
	uint8_t *half[2] = { NULL, NULL }, line_space[CLASS_STRIDE6], *old;
	struct class_line *line = (struct class_line *)line_space;
	const struct class_line *in;

	if (!pages_room(t, t->pages + 1) || class_retire_reserve(c, 2 * CLASS_PAGE_LINES))
		return;
	half[0] = page_create(c, family);
	half[1] = page_create(c, family);
	if (!half[0] || !half[1])
		goto undo;
	old = t->page[from];
	for (uint32_t i = 0; i < CLASS_PAGE_LINES; i++) {
		const struct class_line *head = line_at(old, family->stride, i);

		if (head->rank == UINT64_MAX)
			continue;
		for (uint32_t k = 0; k <= head->more_count; k++) {
			uint32_t id;
			uint64_t hash;

			in = k ? line_at(head->more, family->stride, k - 1) : head;
			id = (uint32_t)in->rank;
			line_fill(line, &core->slots[id].rule, id);
			hash = class_rule_hash(&c->key, &t->tuple, &core->slots[id].rule);
			if (bucket_add(c, core, t, family,
				line_at(half[((hash >> 6) & mask) != from], family->stride,
				    class_bucket_of(hash)),
				line, hash))
				goto undo;
		}
	}
	page_drop_blocks(c, family, old);
	page_drop(c, family, old, t->born[from]);
	t->page[from] = half[0];
	t->page[t->pages] = half[1];
	t->born[from] = t->born[t->pages] = c->epoch;
	t->pages++;
	t->changed = true;
	return;

undo:
	for (unsigned i = 0; i < 2; i++)
		if (half[i]) {
			page_drop_blocks(c, family, half[i]);
			class_page_put(c, family->number, half[i]);
		}
}

int
class_table_add(struct mr_class *c, struct class_core *core, struct class_family *family,
    struct class_table *t, uint32_t id)
{
	const struct mr_class_rule *rule = &core->slots[id].rule;
	uint64_t hash = class_rule_hash(&c->key, &t->tuple, rule);
	uint32_t n = class_page_of(hash, t->pages, page_mask(t->pages));
	uint8_t space[CLASS_STRIDE6], *page = page_own(c, family, t, n);
	struct class_line *line = (struct class_line *)space;

	if (!page)
		return -ENOMEM;
	line_fill(line, rule, id);
	if (bucket_add(c, core, t, family, line_at(page, family->stride, class_bucket_of(hash)),
		line, hash))
		return -ENOMEM;
	t->rank = MR_MIN(t->rank, line->rank);
	t->rules++;
	t->changed = true;
	if (t->rules > t->pages * CLASS_PAGE_RULES)
		table_grow(c, core, family, t);
	return 0;
}

int
class_table_remove(struct mr_class *c, struct class_family *family, struct class_table *t,
    const struct mr_class_rule *rule, uint32_t id)
{
	uint64_t hash = class_rule_hash(&c->key, &t->tuple, rule);
	uint64_t rank = (uint64_t)rule->priority << 32 | id;
	uint32_t n = class_page_of(hash, t->pages, page_mask(t->pages)), left, at;
	unsigned stride = family->stride;
	uint8_t *page = page_own(c, family, t, n);
	struct class_line *head, *more = NULL;
	const struct class_line *old;
	uint16_t tags;

	if (!page)
		return -ENOMEM;
	head = line_at(page, stride, class_bucket_of(hash));
	old = head->more;
	left = head->more_count;
	tags = head->more_tags;
	if (left > 1) {
		more = block_create(c, family, left - 1);
		if (!more)
			return -ENOMEM;
	}
	if (head->rank == rank && !left) {
		line_clear(head, family->words);
	} else {
		/* Either the head goes and the first of the others takes its place, or one of
		 * these. */
		at = head->rank == rank ? 0 : better(old, left, stride, rank);
		if (head->rank == rank)
			memcpy(head, old, sizeof(*head) + 16 * family->words);
		left--;
		if (more) {
			memcpy(more, old, (size_t)at * stride);
			memcpy(line_at(more, stride, at), line_at(old, stride, at + 1),
			    (size_t)(left - at) * stride);
		}
		head->more = more;
		head->more_count = (uint16_t)left;
		head->more_tags = left ? tags : 0; /* maybe too many */
		block_drop(c, family, old);
	}
	t->changed = true;
	if (!--t->rules)
		t->rank = UINT64_MAX;
	return 0;
}

uint32_t
class_table_crowd(const struct mr_class *c, const struct class_family *family,
    const struct class_table *t, const struct mr_class_rule *rule)
{
	uint64_t hash = class_rule_hash(&c->key, &t->tuple, rule);
	const uint8_t *page = t->page[class_page_of(hash, t->pages, page_mask(t->pages))];
	const struct class_line *head = line_at(page, family->stride, class_bucket_of(hash));

	return head->rank == UINT64_MAX ? 0 : 1u + head->more_count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's memory: pages of buckets from large chunks, and what waits to be released. */
#include "kit/table/classifier_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CHUNK_FIRST (64u << 10)
#define CHUNK_LAST (2u << 20)
/* A chunk's own words stand in its first page. */
#define CHUNK_HEAD 4096u

/* Zeroed. Sizes from 1 MB on are made of huge pages where there are any; class_map_size says what
 * is taken then. */
size_t
class_map_size(size_t size)
{
	return size < CHUNK_LAST / 2 ? MR_ALIGN_UP(size, 4096ul)
				     : MR_ALIGN_UP(size, (size_t)CHUNK_LAST);
}

void *
class_map(size_t size)
{
	size_t extra = size >= CHUNK_LAST ? CHUNK_LAST : 0, skip;
	uint8_t *p =
	    mmap(NULL, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (!extra)
		return p;
	skip = -(uintptr_t)p & (CHUNK_LAST - 1);
	if (skip)
		munmap(p, skip);
	if (extra - skip)
		munmap(p + skip + size, extra - skip);
	madvise(p + skip, size, MADV_HUGEPAGE);
	return p + skip;
}

void
class_unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static bool
chunk_add(struct class_pages *pages)
{
	size_t size = pages->chunk ? pages->chunk : CHUNK_FIRST;
	struct class_chunk *chunk = class_map(size);

	if (!chunk)
		return false;
	*chunk = (struct class_chunk){ pages->chunks, size };
	pages->chunks = chunk;
	pages->at = (uint8_t *)chunk + CHUNK_HEAD;
	pages->end = (uint8_t *)chunk + size;
	pages->bytes += size;
	pages->chunk = MR_MIN(2 * size, (size_t)CHUNK_LAST);
	return true;
}

/* The first of a list of free pieces, which are linked through their first words, or a new one. */
static void *
piece_get(struct class_pages *pages, void **list, size_t size)
{
	void *piece = *list;

	if (piece) {
		memcpy(list, piece, sizeof(void *));
		return piece;
	}
	if ((size_t)(pages->end - pages->at) < size && !chunk_add(pages))
		return NULL;
	piece = pages->at;
	pages->at += size;
	return piece;
}

static void
piece_put(void **list, void *piece)
{
	memcpy(piece, list, sizeof(void *));
	*list = piece;
}

void *
class_page_get(struct mr_class *c, unsigned six)
{
	return piece_get(&c->pages, &c->pages.free[six],
	    CLASS_PAGE_LINES * (six ? CLASS_STRIDE6 : CLASS_STRIDE4));
}

void
class_page_put(struct mr_class *c, unsigned six, void *page)
{
	piece_put(&c->pages.free[six], page);
}

static unsigned
block_size_of(uint32_t lines)
{
	return lines > 1 ? 32 - (unsigned)__builtin_clz(lines - 1) : 0;
}

struct class_block *
class_block_get(struct mr_class *c, unsigned six, uint32_t lines)
{
	unsigned n = block_size_of(lines);
	size_t stride = six ? CLASS_STRIDE6 : CLASS_STRIDE4, room = n ? 1ul << n : lines, size;
	struct class_block *block;

	size = sizeof(*block) + room * stride;
	if (n < CLASS_BLOCK_SIZES)
		block = piece_get(&c->pages, &c->pages.free_blocks[six][n], size);
	else
		block = aligned_alloc(MR_CACHE_LINE, size);
	if (block) {
		block->born = c->epoch;
		block->room = (uint32_t)room;
		c->pages.bytes += n < CLASS_BLOCK_SIZES ? 0 : size;
	}
	return block;
}

void
class_block_put(struct mr_class *c, unsigned six, struct class_block *block)
{
	unsigned n = block_size_of(block->room);

	if (n < CLASS_BLOCK_SIZES) {
		piece_put(&c->pages.free_blocks[six][n], block);
	} else {
		c->pages.bytes -=
		    sizeof(*block) + (size_t)block->room * (six ? CLASS_STRIDE6 : CLASS_STRIDE4);
		free(block);
	}
}

void
class_pages_close(struct class_pages *pages)
{
	struct class_chunk *chunk, *next;

	for (chunk = pages->chunks; chunk; chunk = next) {
		next = chunk->next;
		class_unmap(chunk, chunk->size);
	}
}

int
class_retire_reserve(struct mr_class *c, uint32_t count)
{
	struct mr_class_retired *r = c->retired;
	uint32_t have = r ? r->count : 0, room;

	if (r && r->room - r->count >= count)
		return 0;
	room = MR_MAX(have + count, 2 * have);
	r = realloc(r, sizeof(*r) + room * sizeof(r->items[0]));
	if (!r)
		return -ENOMEM;
	r->owner = c;
	r->count = have;
	r->room = room;
	c->retired = r;
	return 0;
}

void
class_retire(struct mr_class *c, void *memory, enum class_kind kind)
{
	if (memory)
		c->retired->items[c->retired->count++] =
		    (struct class_retired_item){ memory, kind };
}

void
mr_class_release(struct mr_class_retired *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->count; i++) {
		struct class_retired_item *item = &r->items[i];

		switch (item->kind) {
		case CLASS_HEAP:
			free(item->memory);
			break;
		case CLASS_PAGE4:
		case CLASS_PAGE6:
			class_page_put(r->owner, item->kind == CLASS_PAGE6, item->memory);
			break;
		case CLASS_BLOCK4:
		case CLASS_BLOCK6:
			class_block_put(r->owner, item->kind == CLASS_BLOCK6, item->memory);
			break;
		case CLASS_FILTER:
			class_filter_destroy(item->memory);
			break;
		}
	}
	free(r);
}

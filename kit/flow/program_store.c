/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where programs are: lines in memory that is reserved once and touched when it is first needed. A
 * program's number is that of its first line. Freed ones wait in lists by their size, since
 * configurations make programs of few sizes; with the last one all of it is fresh again.
 *
 * Equal programs are found by a keyed hash of their bytes in an open table. An entry that goes
 * leaves no mark: those behind it move up.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kit/base/counter.h"
#include "kit/flow/program_int.h"

#if defined(__SANITIZE_ADDRESS__)
#define PROGRAM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PROGRAM_ASAN 1
#endif
#endif

#ifdef PROGRAM_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#endif

/* Lines reserved for each program: most have three or four. */
#define LINES_EACH 8u

/* A freed block's first bytes. */
struct block {
	uint32_t next;
};

static void *
reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void
set_next(struct mr_programs *s, uint32_t line)
{
	s->line_next = line;
	atomic_store_explicit(&s->memory, (uint64_t)line * MR_CACHE_LINE, memory_order_relaxed);
}

int
mr_programs_create(struct mr_programs **out, const struct mr_programs_config *config,
    struct mr_error *error)
{
	struct mr_programs *s;
	uint64_t lines = (uint64_t)config->max * LINES_EACH + PROGRAM_LINES_MAX + 1, slots = 16;
	int err;

	if (!config->max || config->max > UINT32_MAX / LINES_EACH / 2 || !config->classes)
		return mr_error_set(error, -EINVAL, "action programs: %u are not possible",
		    config->max);
	s = calloc(1, sizeof(*s));
	if (!s)
		return mr_error_set(error, -ENOMEM, "action programs: no memory");
	err = mr_hash_key_random(&s->key, error);
	if (err) {
		free(s);
		return err;
	}
	while (slots < (uint64_t)config->max * 2)
		slots *= 2;
	s->max = config->max;
	s->nodes = config->nodes;
	s->classes = config->classes;
	s->line_count = (uint32_t)lines;
	set_next(s, 1);
	s->index_mask = (uint32_t)(slots - 1);
	s->reserved = lines * MR_CACHE_LINE;
	s->index_size = slots * sizeof(*s->index);
	s->base = reserve(s->reserved);
	s->index = reserve(s->index_size);
	if (!s->base || !s->index) {
		mr_programs_destroy(s);
		return mr_error_set(error, -ENOMEM, "action programs: no memory for %u",
		    config->max);
	}
	*out = s;
	return 0;
}

void
mr_programs_destroy(struct mr_programs *s)
{
	if (!s)
		return;
	if (s->base) {
		ASAN_UNPOISON_MEMORY_REGION(s->base, s->reserved);
		munmap(s->base, s->reserved);
	}
	if (s->index)
		munmap(s->index, s->index_size);
	free(s);
}

struct mr_program *
mr_program_at(struct mr_programs *s, uint32_t program)
{
	return (struct mr_program *)(s->base + (size_t)program * MR_CACHE_LINE);
}

void
mr_program_hold(struct mr_programs *s, uint32_t program)
{
	mr_program_at(s, program)->users++;
}

struct mr_program *
mr_programs_lines(struct mr_programs *s)
{
	return (struct mr_program *)s->base;
}

void
mr_programs_set_era(struct mr_programs *s, uint32_t era)
{
	s->builder.era = era;
	program_like_forget_all(s);
}

void
mr_programs_stats(const struct mr_programs *s, struct mr_programs_stats *out)
{
	*out = (struct mr_programs_stats){
		.programs = mr_counter_get(&s->count),
		.built = mr_counter_get(&s->built),
		.shared = mr_counter_get(&s->shared),
		.memory = mr_counter_get(&s->memory),
	};
}

/* -- lines ------------------------------------------------------------------------------ */

static void
give(struct mr_programs *s, uint32_t first, unsigned lines)
{
	struct block *b = (struct block *)mr_program_at(s, first);

	b->next = s->free[lines];
	s->free[lines] = first;
	ASAN_POISON_MEMORY_REGION(b, lines * MR_CACHE_LINE);
}

static uint32_t
take_free(struct mr_programs *s, unsigned lines)
{
	uint32_t first = s->free[lines];
	struct block *b = (struct block *)mr_program_at(s, first);

	ASAN_UNPOISON_MEMORY_REGION(b, lines * MR_CACHE_LINE);
	s->free[lines] = b->next;
	return first;
}

/* Lines for a program; 0: none. */
static uint32_t
take(struct mr_programs *s, unsigned lines)
{
	uint32_t first;

	if (s->free[lines])
		return take_free(s, lines);
	if (s->line_count - s->line_next >= lines) {
		first = s->line_next;
		set_next(s, first + lines);
		return first;
	}
	for (unsigned more = lines + 1; more <= PROGRAM_LINES_MAX; more++) {
		if (!s->free[more])
			continue;
		first = take_free(s, more);
		give(s, first + lines, more - lines);
		return first;
	}
	return 0;
}

/* -- equal ones --------------------------------------------------------------------------- */

/* What does not make two programs different: the counters in front, `checked` and `users`. */
static bool
same(const struct mr_program *a, const struct mr_program *b)
{
	size_t from = offsetof(struct mr_program, verdict);
	size_t to = offsetof(struct mr_program, checked), on = offsetof(struct mr_program, write);

	return a->lines == b->lines &&
	    !memcmp((const uint8_t *)a + from, (const uint8_t *)b + from, to - from) &&
	    !memcmp((const uint8_t *)a + on, (const uint8_t *)b + on,
		a->lines * MR_CACHE_LINE - on);
}

/* Of a fresh one, in which these fields are 0: line by line, each with what came of those before
 * it. */
static uint32_t
hash(const struct mr_programs *s, const struct mr_program *g)
{
	uint64_t h = g->lines;

	for (unsigned i = 0; i < g->lines; i++) {
		uint64_t words[MR_CACHE_LINE / 8];

		memcpy(words, g + i, sizeof(words));
		h = mr_hash_u128(&s->key, h, mr_hash_words(&s->key, words, 8));
	}
	return (uint32_t)h;
}

static uint32_t
find(struct mr_programs *s, const struct mr_program *g, uint32_t h, uint32_t *slot)
{
	uint32_t i = h & s->index_mask;

	for (; s->index[i]; i = (i + 1) & s->index_mask)
		if (s->index[i] >> 32 == h && same(mr_program_at(s, (uint32_t)s->index[i]), g))
			break;
	*slot = i;
	return (uint32_t)s->index[i];
}

static void
unlink_slot(struct mr_programs *s, uint32_t hole)
{
	uint32_t mask = s->index_mask;

	for (uint32_t i = (hole + 1) & mask; s->index[i]; i = (i + 1) & mask) {
		uint32_t home = (uint32_t)(s->index[i] >> 32) & mask;

		/* It may move up unless its home lies behind the hole. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		s->index[hole] = s->index[i];
		hole = i;
	}
	s->index[hole] = 0;
}

uint32_t
mr_programs_intern(struct mr_programs *s, bool private)
{
	struct mr_program *fresh = &s->builder.program, *g;
	uint32_t h = 0, slot = 0, program;

	if (!private) {
		h = hash(s, fresh);
		program = find(s, fresh, h, &slot);
		if (program) {
			mr_counter_add(&s->shared, 1);
			mr_program_at(s, program)->users++;
			return program;
		}
	}
	if (mr_counter_get(&s->count) == s->max)
		return 0;
	program = take(s, fresh->lines);
	if (!program)
		return 0;
	g = mr_program_at(s, program);
	memcpy(g, fresh, fresh->lines * MR_CACHE_LINE);
	g->users = 1;
	if (!private)
		s->index[slot] = (uint64_t)h << 32 | program;
	mr_counter_add(&s->count, 1);
	mr_counter_add(&s->built, 1);
	return program;
}

/* The hash is of the program as it was built. */
static void
forget(struct mr_programs *s, struct mr_program *g, uint32_t program)
{
	uint32_t i;

	g->packets = g->bytes = 0;
	g->checked = g->users = 0;
	i = hash(s, g) & s->index_mask;
	while ((uint32_t)s->index[i] != program)
		i = (i + 1) & s->index_mask;
	unlink_slot(s, i);
}

void
mr_program_release(struct mr_programs *s, uint32_t program)
{
	struct mr_program *g = mr_program_at(s, program);

	if (--g->users)
		return;
	program_like_forget(s, program);
	if (!(g->flags & MR_PROGRAM_PRIVATE))
		forget(s, g, program);
	give(s, program, g->lines);
	mr_counter_add(&s->count, (uint64_t)-1);
	if (mr_counter_get(&s->count))
		return;
	/* Nobody's: as at the start, so that no pattern of sizes stays. */
	ASAN_UNPOISON_MEMORY_REGION(s->base, (size_t)s->line_next * MR_CACHE_LINE);
	memset(s->free, 0, sizeof(s->free));
	set_next(s, 1);
}

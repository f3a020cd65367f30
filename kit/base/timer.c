/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A chunk's 16 words: the next older chunk of the slot, the slot's number, then the
 * indices of timers. A place is the number of a word, so chunk 0 is never used. */
#define CHUNK_WORDS 16u
#define CHUNK_FIRST 2u
#define CHUNK_TIMERS (CHUNK_WORDS - CHUNK_FIRST)
#define SLOTS ((uint32_t)MR_TIMER_LEVELS * MR_TIMER_SLOTS)

struct mr_timer_wheel {
	uint8_t *timers;
	size_t stride;
	uint32_t (*chunks)[CHUNK_WORDS];
	uint64_t tick;   /* everything before it is done; its own slot may hold timers */
	uint64_t target; /* the tick that the last advance was to reach */
	uint32_t free;   /* list of chunks that were used */
	uint32_t fresh;  /* the first that never was: memory is touched as it is needed */
	uint32_t armed;
	unsigned descend; /* level whose present slot is being moved down; 0: none */
	unsigned tick_shift;
	uint64_t used[MR_TIMER_LEVELS][MR_TIMER_SLOTS / 64]; /* slots that hold timers */
	/* The place of each slot's last timer; 0 when it is empty. */
	uint32_t last[SLOTS];
};

mr_inline struct mr_timer *
timer_at(const struct mr_timer_wheel *w, uint32_t index)
{
	return (struct mr_timer *)(w->timers + index * w->stride);
}

mr_inline uint32_t *
word_at(const struct mr_timer_wheel *w, uint32_t place)
{
	return &w->chunks[0][0] + place;
}

int
mr_timer_wheel_create(struct mr_timer_wheel **out, const struct mr_timer_wheel_config *config,
    struct mr_error *error)
{
	/* Full chunks, one that is not per slot that can be in use, and number 0. */
	uint64_t chunks = (uint64_t)config->count / CHUNK_TIMERS + MR_MIN(config->count, SLOTS) + 2;
	struct mr_timer_wheel *w;

	*out = NULL;
	if (!config->count || config->stride < sizeof(struct mr_timer) || config->tick_shift > 63 ||
	    chunks * CHUNK_WORDS > UINT32_MAX)
		return mr_error_set(error, -EINVAL,
		    "timer wheel: %u timers, stride %zu, tick shift %u", config->count,
		    config->stride, config->tick_shift);
	w = calloc(1, sizeof(*w));
	if (!w)
		goto no_memory;
	w->chunks = aligned_alloc(MR_CACHE_LINE, chunks * sizeof(*w->chunks));
	if (!w->chunks)
		goto no_memory;
	w->timers = config->timers;
	w->stride = config->stride;
	w->tick_shift = config->tick_shift;
	w->tick = w->target = config->now >> config->tick_shift;
	w->fresh = 1;
	*out = w;
	return 0;

no_memory:
	free(w);
	return mr_error_set(error, -ENOMEM, "timer wheel: no memory for %u timers", config->count);
}

void
mr_timer_wheel_destroy(struct mr_timer_wheel *w)
{
	if (!w)
		return;
	free(w->chunks);
	free(w);
}

/* Where a timer of that tick belongs, seen from the present one. */
mr_inline unsigned
slot_of(const struct mr_timer_wheel *w, uint64_t tick)
{
	uint64_t differ = tick ^ w->tick;
	unsigned level = differ ? (63 - (unsigned)__builtin_clzll(differ)) / 8 : 0;

	return level * MR_TIMER_SLOTS + (tick >> (8 * level)) % MR_TIMER_SLOTS;
}

mr_inline void
slot_push(struct mr_timer_wheel *w, unsigned slot, uint32_t index)
{
	uint32_t place = w->last[slot], chunk;

	if (place % CHUNK_WORDS == CHUNK_WORDS - 1 || !place) {
		chunk = w->free;
		if (chunk)
			w->free = w->chunks[chunk][0];
		else
			chunk = w->fresh++; /* there is always one: see create */
		w->chunks[chunk][0] = place / CHUNK_WORDS;
		w->chunks[chunk][1] = slot;
		if (!place)
			w->used[slot / MR_TIMER_SLOTS][slot % MR_TIMER_SLOTS / 64] |= UINT64_C(1)
			    << (slot % 64);
		place = chunk * CHUNK_WORDS + CHUNK_FIRST - 1;
	}
	w->last[slot] = ++place;
	*word_at(w, place) = index;
	timer_at(w, index)->place = place;
}

/* Takes away the last word of a slot. */
mr_inline void
slot_shrink(struct mr_timer_wheel *w, unsigned slot)
{
	uint32_t place = w->last[slot], chunk, older;

	if (place % CHUNK_WORDS > CHUNK_FIRST) {
		w->last[slot] = place - 1;
		return;
	}
	chunk = place / CHUNK_WORDS;
	older = w->chunks[chunk][0];
	w->chunks[chunk][0] = w->free;
	w->free = chunk;
	w->last[slot] = older ? older * CHUNK_WORDS + CHUNK_WORDS - 1 : 0;
	if (!older)
		w->used[slot / MR_TIMER_SLOTS][slot % MR_TIMER_SLOTS / 64] &=
		    ~(UINT64_C(1) << (slot % 64));
}

/* Takes an armed timer out of its slot: the slot's last one takes its place. */
mr_inline void
remove_timer(struct mr_timer_wheel *w, struct mr_timer *timer)
{
	uint32_t place = timer->place, last, moved;
	unsigned slot = w->chunks[place / CHUNK_WORDS][1];

	last = w->last[slot];
	if (place != last) {
		moved = *word_at(w, last);
		*word_at(w, place) = moved;
		timer_at(w, moved)->place = place;
	}
	slot_shrink(w, slot);
}

void
mr_timer_set(struct mr_timer_wheel *w, uint32_t index, uint64_t time)
{
	struct mr_timer *timer = timer_at(w, index);
	uint64_t mask = (UINT64_C(1) << w->tick_shift) - 1;
	unsigned slot;

	/* Rounded up, never early; what has passed is due in the present tick. */
	timer->tick = MR_MAX((time >> w->tick_shift) + ((time & mask) != 0), w->tick);
	slot = slot_of(w, timer->tick);
	if (timer->place) {
		if (w->chunks[timer->place / CHUNK_WORDS][1] == slot)
			return;
		remove_timer(w, timer);
	} else {
		w->armed++;
	}
	slot_push(w, slot, index);
}

bool
mr_timer_cancel(struct mr_timer_wheel *w, uint32_t index)
{
	struct mr_timer *timer = timer_at(w, index);

	if (!timer->place)
		return false;
	remove_timer(w, timer);
	timer->place = 0;
	w->armed--;
	return true;
}

/* The first slot in use of a level from `from` on; MR_TIMER_SLOTS when there is none. */
mr_inline unsigned
next_used(const struct mr_timer_wheel *w, unsigned level, unsigned from)
{
	unsigned word = from / 64;
	uint64_t bits;

	if (from >= MR_TIMER_SLOTS)
		return MR_TIMER_SLOTS;
	bits = w->used[level][word] & ~UINT64_C(0) << (from % 64);
	while (!bits) {
		if (++word == MR_TIMER_SLOTS / 64)
			return MR_TIMER_SLOTS;
		bits = w->used[level][word];
	}
	return word * 64 + (unsigned)__builtin_ctzll(bits);
}

/* The first tick after the present one at which something has to be done, and on which
 * level. All slots in use lie ahead, and those of a lower level come first. */
static bool
next_event(const struct mr_timer_wheel *w, uint64_t *tick, unsigned *level)
{
	unsigned slot, shift;

	for (*level = 0; *level < MR_TIMER_LEVELS; ++*level) {
		shift = 8 * *level;
		slot = next_used(w, *level, (unsigned)(w->tick >> shift) % MR_TIMER_SLOTS + 1);
		if (slot < MR_TIMER_SLOTS) {
			/* The bytes above stay, this one is the slot's, those below are 0. */
			*tick = ((w->tick >> shift & ~UINT64_C(0xff)) | slot) << shift;
			return true;
		}
	}
	return false;
}

/* While the last chunk of a slot is worked on, fetch the one before it: its timers when
 * its line has come, its line when it has not been asked for. */
mr_inline void
prefetch_older(const struct mr_timer_wheel *w, uint32_t place)
{
	uint32_t older = w->chunks[place / CHUNK_WORDS][0], i;

	if (!older)
		return;
	for (i = CHUNK_FIRST; i < CHUNK_WORDS; i++)
		mr_prefetch_write(timer_at(w, w->chunks[older][i]));
	if (w->chunks[older][0])
		mr_prefetch(w->chunks[w->chunks[older][0]]);
}

/* Before the first chunk of a slot: nothing has been fetched ahead. */
static void
prefetch_last(const struct mr_timer_wheel *w, uint32_t place)
{
	uint32_t first = place / CHUNK_WORDS * CHUNK_WORDS + CHUNK_FIRST;

	mr_prefetch(w->chunks[w->chunks[place / CHUNK_WORDS][0]]);
	for (; first <= place; first++)
		mr_prefetch_write(timer_at(w, *word_at(w, first)));
}

/* Delivers up to `count` timers of the present tick. */
static unsigned
expire(struct mr_timer_wheel *w, unsigned count, uint32_t *expired)
{
	unsigned slot = (unsigned)w->tick % MR_TIMER_SLOTS, n;
	uint32_t place = w->last[slot], index;
	bool fresh = true;

	if (place)
		prefetch_last(w, place);
	for (n = 0; n < count && place; n++, place = w->last[slot]) {
		if (fresh || place % CHUNK_WORDS == CHUNK_WORDS - 1)
			prefetch_older(w, place);
		fresh = false;
		index = *word_at(w, place);
		timer_at(w, index)->place = 0;
		expired[n] = index;
		slot_shrink(w, slot);
	}
	w->armed -= n;
	return n;
}

/* Moves up to `count` timers of the present slot of level `descend` down. */
static unsigned
descend(struct mr_timer_wheel *w, unsigned count)
{
	unsigned slot, n;
	uint32_t place, index;
	bool fresh = true;

	slot = w->descend * MR_TIMER_SLOTS + (w->tick >> (8 * w->descend)) % MR_TIMER_SLOTS;
	place = w->last[slot];
	if (place)
		prefetch_last(w, place);
	for (n = 0; n < count && place; n++, place = w->last[slot]) {
		if (fresh || place % CHUNK_WORDS == CHUNK_WORDS - 1)
			prefetch_older(w, place);
		fresh = false;
		index = *word_at(w, place);
		slot_shrink(w, slot);
		slot_push(w, slot_of(w, timer_at(w, index)->tick), index);
	}
	if (!place)
		w->descend = 0;
	return n;
}

unsigned
mr_timer_advance(struct mr_timer_wheel *w, uint64_t now, unsigned budget, uint32_t *expired,
    unsigned max)
{
	unsigned count = 0, n, level;
	uint64_t tick;

	/* A clock that goes back stands still. */
	w->target = MR_MAX(now >> w->tick_shift, w->target);
	for (;;) {
		if (w->descend) {
			budget -= descend(w, budget);
			if (w->descend)
				return count;
		}
		n = expire(w, MR_MIN(budget, max - count), expired + count);
		count += n;
		budget -= n;
		if (w->last[w->tick % MR_TIMER_SLOTS])
			return count;
		if (!next_event(w, &tick, &level) || tick > w->target) {
			w->tick = w->target;
			return count;
		}
		if (!budget)
			return count;
		w->tick = tick;
		w->descend = level;
	}
}

bool
mr_timer_behind(const struct mr_timer_wheel *w)
{
	return w->tick < w->target || w->descend || w->last[w->tick % MR_TIMER_SLOTS];
}

uint64_t
mr_timer_next(const struct mr_timer_wheel *w)
{
	unsigned level;
	uint64_t tick;

	if (mr_timer_behind(w))
		return w->tick << w->tick_shift;
	if (!next_event(w, &tick, &level))
		return UINT64_MAX;
	/* With a shift, the last ticks' times lie beyond 64 bits: as good as never. */
	return tick > UINT64_MAX >> w->tick_shift ? UINT64_MAX : tick << w->tick_shift;
}

uint32_t
mr_timer_count(const struct mr_timer_wheel *w)
{
	return w->armed;
}

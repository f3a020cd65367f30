/* SPDX-License-Identifier: Apache-2.0 */
/* Schedulers: which server a new connection is given. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/lb/lb_int.h"

#define TURNS_MAX 4096u
#define TRIES 16u /* slots of a Maglev table that are looked at for a server with room */

void
lb_choice_free(struct lb_choice *c)
{
	if (!c)
		return;
	mr_maglev_destroy(c->maglev);
	free(c->turns);
	free(c);
}

static uint32_t
divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Turns by weight, spread out: each time the one goes that is most behind with its share (as in
 * nginx's smooth weighted round-robin). */
static int
make_turns(struct lb_choice *c, const struct lb_view *view)
{
	uint32_t common = 0;
	int64_t *behind = calloc(c->count + 1, sizeof(*behind));
	uint64_t sum = 0, scale;

	for (uint32_t i = 0; i < c->count; i++) {
		common = divisor(view->backends[c->backends[i]].weight, common);
		sum += view->backends[c->backends[i]].weight;
	}
	/* Where there would be too many, shares are rounded. */
	scale = common ? common : 1;
	while (sum / scale > TURNS_MAX)
		scale *= 2;
	c->turn_count = (uint32_t)MR_MAX(sum / scale, (uint64_t)c->count);
	c->turns = calloc(c->turn_count + 1, sizeof(*c->turns));
	if (!behind || !c->turns) {
		free(behind);
		return -ENOMEM;
	}
	for (uint32_t t = 0; t < c->turn_count; t++) {
		uint32_t best = 0;

		for (uint32_t i = 0; i < c->count; i++) {
			behind[i] += view->backends[c->backends[i]].weight;
			best = behind[i] > behind[best] ? i : best;
		}
		behind[best] -= (int64_t)sum;
		c->turns[t] = c->backends[best];
	}
	free(behind);
	return 0;
}

static uint64_t
identity(const struct lb_backend *b)
{
	/* Not keyed: several load balancers are to agree. */
	static const uint64_t key[2] = { 0x6d696c6c72616365u, 0x6d61676c6576u };
	uint8_t bytes[18];

	memcpy(bytes, b->address, 16);
	memcpy(bytes + 16, &b->port, 2);
	return mr_siphash(key, bytes, sizeof(bytes));
}

static int
make_maglev(struct lb_choice *c, const struct lb_view *view, uint32_t size, struct mr_error *error)
{
	struct mr_maglev_member *members = calloc(c->count + 1, sizeof(*members));
	int rc;

	if (!members)
		return mr_error_set(error, -ENOMEM, "no memory for a scheduler");
	for (uint32_t i = 0; i < c->count; i++)
		members[i] = (struct mr_maglev_member){
			.identity = identity(&view->backends[c->backends[i]]),
			.weight = view->backends[c->backends[i]].weight,
			.value = c->backends[i],
		};
	rc = mr_maglev_create(&c->maglev, size, members, c->count, error);
	free(members);
	return rc;
}

int
lb_choice_make(struct lb_choice **out, const struct lb_view *view, const uint32_t *fit,
    uint16_t service, int six, uint32_t *size, struct mr_error *error)
{
	const struct lb_service *s = &view->services[service];
	bool any = s->mode == LB_MODE_IPIP || s->mode == LB_MODE_GUE;
	struct lb_choice *c =
	    calloc(1, sizeof(*c) + (size_t)view->backend_end * sizeof(c->backends[0]));
	unsigned all = 0;
	int rc;

	if (!c)
		return mr_error_set(error, -ENOMEM, "no memory for a scheduler");
	for (uint32_t i = 0; i < view->backend_end; i++) {
		const struct lb_backend *b = &view->backends[i];

		if (b->service != service || (!any && b->six != six))
			continue;
		all++;
		if (b->weight && (fit[i] & LB_FIT_NEW))
			c->backends[c->count++] = (uint16_t)i;
	}
	*size = mr_maglev_size(all, *size);
	rc = make_maglev(c, view, *size, error);
	if (!rc && make_turns(c, view))
		rc = mr_error_set(error, -ENOMEM, "no memory for a scheduler");
	if (rc) {
		lb_choice_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* -- by workers --------------------------------------------------------------------------- */

mr_inline bool
has_room(const struct lb_core *core, const struct lb_view *view, uint16_t service, uint16_t b)
{
	/* A choice may be older than the view, or younger. */
	return b < view->backend_end && view->backends[b].service == service &&
	    (lb_fit(core, b) & LB_FIT_NEW) &&
	    (!view->backends[b].max ||
		atomic_load_explicit(&core->live[b].active, memory_order_relaxed) <
		    view->backends[b].max);
}

static bool
by_maglev(const struct lb_core *core, const struct lb_view *view, const struct lb_choice *c,
    uint16_t service, uint64_t hash, uint16_t *backend)
{
	for (unsigned n = 0; n < TRIES; n++) {
		*backend = mr_maglev_pick_again(c->maglev, hash, n);
		if (has_room(core, view, service, *backend))
			return true;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		*backend = c->backends[(hash + i) % c->count];
		if (has_room(core, view, service, *backend))
			return true;
	}
	return false;
}

static bool
by_turns(const struct lb_core *core, const struct lb_view *view, const struct lb_choice *c,
    uint16_t service, _Atomic uint32_t *turn, bool dry, uint16_t *backend)
{
	uint32_t at = dry ? atomic_load_explicit(turn, memory_order_relaxed)
			  : atomic_fetch_add_explicit(turn, 1, memory_order_relaxed);

	for (uint32_t i = 0; i < c->turn_count; i++) {
		*backend = c->turns[(at + i) % c->turn_count];
		if (has_room(core, view, service, *backend))
			return true;
	}
	return false;
}

static bool
by_load(const struct lb_core *core, const struct lb_view *view, const struct lb_choice *c,
    uint16_t service, uint64_t hash, uint16_t *backend)
{
	uint64_t least = 0, weight = 0;

	/* From another one each time, so that equals share. */
	for (uint32_t i = 0; i < c->count; i++) {
		uint16_t b = c->backends[(hash + i) % c->count];
		uint64_t active = atomic_load_explicit(&core->live[b].active, memory_order_relaxed);

		if (!has_room(core, view, service, b) ||
		    (weight && active * weight >= least * view->backends[b].weight))
			continue;
		least = active;
		weight = view->backends[b].weight;
		*backend = b;
	}
	return weight != 0;
}

enum lb_chosen
lb_choose(const struct lb_core *core, const struct lb_view *view, uint16_t service, bool six,
    uint64_t hash, bool plain, bool dry, uint16_t *backend)
{
	struct lb_service_live *live = &core->services[service];
	/* Acquire pairs with the publication. */
	const struct lb_choice *c = atomic_load_explicit(&live->choice[six], memory_order_acquire);
	bool found;

	if (!c || !c->count)
		return LB_CHOSEN_NONE;
	if (plain || view->services[service].scheduler == LB_MAGLEV)
		found = by_maglev(core, view, c, service, hash, backend);
	else if (view->services[service].scheduler == LB_WEIGHTED)
		found = by_turns(core, view, c, service, &live->turn, dry, backend);
	else
		found = by_load(core, view, c, service, hash, backend);
	return found ? LB_CHOSEN : LB_CHOSEN_BUSY;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Next-hop objects: hop sets with a number, single ones and groups. They come in any order, so a
 * route or a group may name one that nobody has told about yet. An object that goes gives its
 * number free at once, while its routes are still being worked off.
 */

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "nf/rtnl/import_int.h"

static void
mention(struct mr_import *im, struct set *group, int by)
{
	for (unsigned i = 0; i < group->count; i++) {
		struct set *member = by > 0 ? import_set_get_number(im, group->members[i].id)
					    : import_set_number(im, group->members[i].id);

		if (!member) {
			/* No memory for it: as if the group had not named it. */
			group->members[i--] = group->members[--group->count];
			im->stats.refused++;
			continue;
		}
		member->mentions += (uint32_t)by;
		if (by < 0)
			import_set_drop_unused(im, member->index);
	}
}

/* Makes it an object that nobody has told about. */
static void
undefine(struct mr_import *im, struct set *s)
{
	if (s->kind == SET_GROUP)
		mention(im, s, -1);
	free(s->hops);
	free(s->members);
	s->hops = NULL;
	s->members = NULL;
	s->count = 0;
	s->kind = SET_UNKNOWN;
}

static void
define(struct mr_import *im, struct set *s, const struct mr_rtnl *m)
{
	size_t size = m->nexthop.member_count * sizeof(*m->members);
	struct mr_rtnl_hop hop = m->hops[0];

	if (m->nexthop.member_count) {
		struct mr_rtnl_member *members = malloc(size);

		if (!members) {
			im->stats.refused++;
			return;
		}
		memcpy(members, m->members, size);
		undefine(im, s);
		s->kind = SET_GROUP;
		s->members = members;
		s->count = m->nexthop.member_count;
		mention(im, s, 1);
	} else {
		hop.flags &= IMPORT_HOP_FLAGS;
		hop.weight = 1;
		if (s->kind == SET_HOPS && import_set_same_hops(s, &hop, 1, 0))
			return;
		undefine(im, s);
		if (!import_set_copy_hops(s, &hop, 1))
			im->stats.refused++;
		else
			s->kind = SET_HOPS;
	}
	import_set_resolve(im, s);
	import_set_resolve_groups(im, s);
}

/* The next hops of a group spelled out, for when its members' numbers mean nothing any more. */
static void
spell_out(struct mr_import *im, struct set *s)
{
	struct mr_rtnl_hop hops[MR_RTNL_HOPS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; s->kind == SET_GROUP && i < s->count; i++) {
		const struct set *member = import_set_number(im, s->members[i].id);

		if (!member || member->kind != SET_HOPS)
			continue;
		hops[n] = member->hops[0];
		hops[n++].weight = s->members[i].weight;
	}
	if (s->kind != SET_GROUP)
		return;
	undefine(im, s);
	s->kind = SET_HOPS;
	if (!import_set_copy_hops(s, hops, n))
		im->stats.refused++;
}

/* An object whose number is free from now on: another may have it while its routes are still
 * here. Groups go on naming the number. */
static void
take_number(struct mr_import *im, struct set *s)
{
	uint32_t id = s->id, mentions = s->mentions;
	struct set *other;

	import_set_leave(im, s);
	s->mentions = 0;
	if (!mentions)
		return;
	other = import_set_get_number(im, id);
	if (other)
		other->mentions = mentions;
	else
		im->stats.refused++;
}

static void
remove_object(struct mr_import *im, struct set *s)
{
	struct set *other;

	if (im->config.orphans)
		spell_out(im, s);
	else
		undefine(im, s);
	take_number(im, s);
	if (!im->config.orphans) {
		s->doomed = true;
		import_set_queue(im, s);
	}
	other = import_set_number(im, s->id);
	if (other)
		import_set_resolve_groups(im, other);
	import_set_drop_unused(im, s->index);
}

void
mr_import_nexthop(struct mr_import *im, const struct mr_rtnl *m)
{
	struct set *s;

	if (!m->nexthop.id)
		return;
	if (m->deleted) {
		s = import_set_number(im, m->nexthop.id);
		if (s && s->kind != SET_UNKNOWN)
			remove_object(im, s);
		return;
	}
	s = import_set_get_number(im, m->nexthop.id);
	if (s)
		define(im, s, m);
	else
		im->stats.refused++;
}

void
import_sets_forget_numbers(struct mr_import *im)
{
	/* Groups first, while they find their members. */
	for (uint32_t i = 1; i < im->set_end; i++)
		if (im->sets[i])
			spell_out(im, im->sets[i]);
	for (uint32_t i = 1; i < im->set_end; i++) {
		struct set *s = im->sets[i];

		if (!s || !s->numbered)
			continue;
		import_set_leave(im, s);
		s->mentions = 0;
		import_set_drop_unused(im, i);
	}
}

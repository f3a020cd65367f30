/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a version's lines to what workers look packets up in: a handful of entries as they are, or a
 * classifier. The old version's classifier is changed where that is less work than making one; what
 * was done to it is written down, so that an abort can undo it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/acl/list.h"

/* Longest bucket of a classifier: beyond, a rule is refused. */
#define BUCKET_MAX 16384u

void
acl_record_release(struct acl_own *own, struct acl_rule *rule)
{
	if (!rule)
		return;
	if (rule->refs == 1) {
		if (rule->slot != UINT32_MAX)
			acl_rules_give(&own->rules, rule->slot);
		acl_account_release(rule->account, own->seconds);
	}
	acl_rule_release(rule);
}

void
acl_line_release(struct acl_own *own, struct acl_line *line)
{
	if (!line || --line->refs)
		return;
	acl_record_release(own, line->rule);
	free(line->entries);
	free(line->ids);
	free(line);
}

void
acl_version_free(struct acl_own *own, struct acl_version *v)
{
	if (!v)
		return;
	for (uint32_t i = 0; i < v->count; i++)
		acl_line_release(own, v->lines[i]);
	free(v->lines);
	free(v->linear);
	free(v->except);
	free(v);
}

uint32_t
acl_linear_from(const struct acl_view *v, const struct mr_class_key *key, uint32_t priority)
{
	for (uint32_t i = 0; i < v->linear_count; i++) {
		const struct mr_class_rule *e = &v->linear[i];
		unsigned whole, bits;

		if (e->priority < priority || e->family != key->family ||
		    ((e->proto ^ key->proto) & e->proto_mask) ||
		    ((e->extra ^ key->extra) & e->extra_mask) || key->sport < e->sport_lo ||
		    key->sport > e->sport_hi || key->dport < e->dport_lo ||
		    key->dport > e->dport_hi)
			continue;
		whole = e->src_len / 8;
		bits = e->src_len % 8;
		if (memcmp(e->src, key->src, whole) ||
		    (bits && (e->src[whole] ^ key->src[whole]) >> (8 - bits)))
			continue;
		whole = e->dst_len / 8;
		bits = e->dst_len % 8;
		if (memcmp(e->dst, key->dst, whole) ||
		    (bits && (e->dst[whole] ^ key->dst[whole]) >> (8 - bits)))
			continue;
		return e->value;
	}
	return MR_CLASS_NONE;
}

/* -- changes to a classifier ------------------------------------------------------------------- */

static int
note(struct acl_list *l, struct acl_line *line, uint32_t at, bool added)
{
	if (l->undo_count == l->undo_room) {
		uint32_t room = l->undo_room ? l->undo_room * 2 : 64;
		struct acl_undo *undo = realloc(l->undo, room * sizeof(*undo));

		if (!undo)
			return -ENOMEM;
		l->undo = undo;
		l->undo_room = room;
	}
	l->undo[l->undo_count++] = (struct acl_undo){ line, at, added };
	return 0;
}

static int
add(struct acl_list *l, struct mr_class *c, struct acl_line *line, uint32_t at,
    struct mr_error *error)
{
	int ret = mr_class_add(c, &line->entries[at], &line->ids[at], error);

	if (ret) {
		(void)mr_error_prefix(error, "rule %s", line->rule->name);
		return ret;
	}
	ret = note(l, line, at, true);
	if (ret)
		(void)mr_class_remove(c, line->ids[at], NULL);
	return ret ? mr_error_set(error, ret, "no memory") : 0;
}

static int
take_out(struct acl_list *l, struct mr_class *c, struct acl_line *line, uint32_t at,
    struct mr_error *error)
{
	int ret = note(l, line, at, false);

	if (ret)
		return mr_error_set(error, ret, "no memory");
	ret = mr_class_remove(c, line->ids[at], error);
	if (ret)
		l->undo_count--;
	return ret;
}

/* Two lines of one record: what both have stays. Entries of a line are in order. */
static int
merge(struct acl_list *l, struct mr_class *c, struct acl_line *from, struct acl_line *to,
    bool removing, struct mr_error *error)
{
	uint32_t i = 0, j = 0;
	int ret = 0;

	while ((i < from->count || j < to->count) && !ret) {
		int order = i == from->count ? 1
		    : j == to->count
		    ? -1
		    : memcmp(&from->entries[i], &to->entries[j], sizeof(*to->entries));

		if (order < 0) {
			if (removing)
				ret = take_out(l, c, from, i, error);
			i++;
		} else if (order > 0) {
			if (!removing)
				ret = add(l, c, to, j, error);
			j++;
		} else {
			to->ids[j++] = from->ids[i++];
		}
	}
	return ret;
}

/* The lines of both versions, each with its partner of the same record, if it has one. */
struct pairs {
	struct acl_line **partner_of_old; /* [now->count] */
	struct acl_line **partner_of_new; /* [then->count] */
};

struct by_rule {
	const struct acl_rule *rule;
	uint32_t at;
};

static int
compare_rules(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct by_rule *)a)->rule;
	uintptr_t y = (uintptr_t)((const struct by_rule *)b)->rule;

	return x < y ? -1 : x > y;
}

static int
pair(struct pairs *p, const struct acl_version *now, const struct acl_version *then)
{
	struct by_rule *sorted = malloc((now->count + 1) * sizeof(*sorted));

	p->partner_of_old = calloc(now->count + 1, sizeof(struct acl_line *));
	p->partner_of_new = calloc(then->count + 1, sizeof(struct acl_line *));
	if (!sorted || !p->partner_of_old || !p->partner_of_new) {
		free(sorted);
		free(p->partner_of_old);
		free(p->partner_of_new);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < now->count; i++)
		sorted[i] = (struct by_rule){ now->lines[i]->rule, i };
	qsort(sorted, now->count, sizeof(*sorted), compare_rules);
	for (uint32_t i = 0; i < then->count && now->count; i++) {
		struct by_rule key = { then->lines[i]->rule, 0 }, *found;

		found = bsearch(&key, sorted, now->count, sizeof(*sorted), compare_rules);
		if (!found)
			continue;
		p->partner_of_new[i] = now->lines[found->at];
		p->partner_of_old[found->at] = then->lines[i];
	}
	free(sorted);
	return 0;
}

/* How many entries have to be added or removed, about. */
static uint64_t
work(const struct pairs *p, const struct acl_version *now, const struct acl_version *then)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < now->count; i++)
		n += p->partner_of_old[i] ? 0 : now->lines[i]->count;
	for (uint32_t i = 0; i < then->count; i++) {
		const struct acl_line *old = p->partner_of_new[i], *new = then->lines[i];

		if (!old)
			n += new->count;
		else if (old != new)
			n += old->count > new->count ? old->count - new->count
						     : new->count - old->count;
	}
	return n;
}

static int
change(struct acl_list *l, const struct pairs *p, struct mr_error *error)
{
	struct acl_version *now = l->now, *then = l->then;
	struct mr_class_retired *retired = NULL;
	struct mr_class *c = now->class;
	int ret = 0;

	for (uint32_t i = 0; i < now->count && !ret; i++) {
		struct acl_line *old = now->lines[i], *new = p->partner_of_old[i];

		if (new == old)
			continue;
		if (new)
			ret = merge(l, c, old, new, true, error);
		for (uint32_t k = 0; !new &&k < old->count && !ret; k++)
			ret = take_out(l, c, old, k, error);
	}
	for (uint32_t i = 0; i < then->count && !ret; i++) {
		struct acl_line *old = p->partner_of_new[i], *new = then->lines[i];

		if (new == old)
			continue;
		if (old)
			ret = merge(l, c, old, new, false, error);
		for (uint32_t k = 0; !old && k < new->count && !ret; k++)
			ret = add(l, c, new, k, error);
	}
	if (!ret)
		ret = mr_class_publish(c, &retired, error);
	if (ret) {
		acl_version_undo(l);
		return ret;
	}
	if (retired)
		l->retired[l->retired_count++] = retired;
	then->class = c;
	return 0;
}

/* -- a new one --------------------------------------------------------------------------------- */

static int
build(struct acl_version *v, struct mr_error *error)
{
	struct mr_class_config config = { .rules = v->entries, .list_max = BUCKET_MAX };
	struct mr_class_rule *all = malloc((v->entries + 1) * sizeof(*all));
	struct mr_class_retired *retired = NULL;
	uint32_t n = 0;
	int ret;

	if (!all)
		return mr_error_set(error, -ENOMEM, "no memory for %u entries", v->entries);
	ret = mr_class_create(&v->class, &config, error);
	/* A line's ids are those of the classifier that is in force until the change is certain. */
	for (uint32_t i = 0; i < v->count && !ret; i++) {
		memcpy(all + n, v->lines[i]->entries, v->lines[i]->count * sizeof(*all));
		n += v->lines[i]->count;
	}
	if (!ret)
		ret = mr_class_replace_all(v->class, all, n, error);
	if (!ret)
		ret = mr_class_publish(v->class, &retired, error);
	mr_class_release(retired);
	free(all);
	if (ret) {
		mr_class_destroy(v->class);
		v->class = NULL;
	}
	return ret;
}

static int
linear(struct acl_version *v, struct mr_error *error)
{
	uint32_t n = 0;

	v->linear = malloc((v->entries + 1) * sizeof(*v->linear));
	if (!v->linear)
		return mr_error_set(error, -ENOMEM, "no memory");
	for (uint32_t i = 0; i < v->count; i++) {
		memcpy(v->linear + n, v->lines[i]->entries,
		    v->lines[i]->count * sizeof(*v->linear));
		n += v->lines[i]->count;
	}
	v->view.linear = v->linear;
	v->view.linear_count = n;
	return 0;
}

int
acl_version_build(struct acl_list *l, struct mr_error *error)
{
	struct acl_version *now = l->now, *then = l->then;
	struct mr_class_retired **room;
	struct pairs p;
	int ret = 0;

	if (then->entries > MR_CLASS_RULES_MAX)
		return mr_error_set(error, -E2BIG,
		    "its rules come to %u entries; %u are the most (prefixes, ports and protocols "
		    "multiply)",
		    then->entries, MR_CLASS_RULES_MAX);
	if (then->entries <= ACL_LINEAR_MAX)
		return linear(then, error);
	if (now && now->class && !l->stale) {
		bool little;

		room = realloc(l->retired, (l->retired_count + 2) * sizeof(*room));
		if (!room || pair(&p, now, then))
			return mr_error_set(error, -ENOMEM, "no memory");
		l->retired = room;
		little = work(&p, now, then) <= then->entries / 4 + 16;
		if (little)
			ret = change(l, &p, error);
		free(p.partner_of_old);
		free(p.partner_of_new);
		/* A bucket that is too long: other tables may do. */
		if (little && !ret)
			goto done;
	}
	ret = build(then, error);
done:
	if (!ret)
		then->view.class = mr_class_view(then->class);
	return ret;
}

/* The classifier in force as it was; what look-ups see of it never changed. Where memory does not
 * even allow that, it is not changed any more: the next version gets one of its own. */
void
acl_version_undo(struct acl_list *l)
{
	struct mr_class *c = l->now ? l->now->class : NULL;

	while (l->undo_count) {
		struct acl_undo *u = &l->undo[--l->undo_count];
		uint32_t *id = &u->line->ids[u->at];

		if (u->added ? mr_class_remove(c, *id, NULL)
			     : mr_class_add(c, &u->line->entries[u->at], id, NULL))
			l->stale = true;
	}
}

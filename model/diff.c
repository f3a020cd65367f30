/* SPDX-License-Identifier: Apache-2.0 */
#include "model/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_int.h"
#include "model/path.h"
#include "model/print.h"

struct mr_diff {
	struct mr_change *list;
	size_t count, room;
};

static const char *const words[] = {
	[MR_DIFF_CREATE] = "create",
	[MR_DIFF_DELETE] = "delete",
	[MR_DIFF_CHANGE] = "change",
	[MR_DIFF_MOVE] = "move",
};

const char *
mr_diff_word(enum mr_diff_op op)
{
	return words[op];
}

int
mr_diff_op_of(const char *word)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++)
		if (!strcmp(words[i], word))
			return (int)i;
	return -1;
}

/* -- the list -------------------------------------------------------------------------------- */

int
mr_diff_create_empty(struct mr_diff **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void
mr_diff_destroy(struct mr_diff *diff)
{
	if (!diff)
		return;
	for (size_t i = 0; i < diff->count; i++) {
		free((char *)diff->list[i].path);
		free((char *)diff->list[i].old);
		free((char *)diff->list[i].value);
	}
	free(diff->list);
	free(diff);
}

int
mr_diff_add(struct mr_diff *diff, enum mr_diff_op op, const char *path, const char *old,
    const char *value)
{
	struct mr_change *grown, c = { .op = op };

	if (diff->count == diff->room) {
		size_t room = diff->room ? diff->room * 2 : 32;

		grown = realloc(diff->list, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		diff->list = grown;
		diff->room = room;
	}
	c.path = strdup(path);
	c.old = old ? strdup(old) : NULL;
	c.value = value ? strdup(value) : NULL;
	if (!c.path || (old && !c.old) || (value && !c.value)) {
		free((char *)c.path);
		free((char *)c.old);
		free((char *)c.value);
		return -ENOMEM;
	}
	diff->list[diff->count++] = c;
	return 0;
}

size_t
mr_diff_count(const struct mr_diff *diff)
{
	return diff ? diff->count : 0;
}

const struct mr_change *
mr_diff_at(const struct mr_diff *diff, size_t i)
{
	return diff && i < diff->count ? &diff->list[i] : NULL;
}

bool
mr_diff_touches(const struct mr_diff *diff, const char *path)
{
	size_t length = strlen(path), other;

	for (size_t i = 0; i < mr_diff_count(diff); i++) {
		const char *p = diff->list[i].path;

		other = strlen(p);
		if (!strncmp(p, path, MR_MIN(length, other)) &&
		    (other == length || (other > length ? p : path)[MR_MIN(length, other)] == '/'))
			return true;
	}
	return false;
}

/* -- comparing ------------------------------------------------------------------------------- */

static int
add_node(struct mr_diff *diff, enum mr_diff_op op, const struct lyd_node *at,
    const struct lyd_node *old, const struct lyd_node *new)
{
	char path[MR_CONF_PATH_MAX * 3];
	char *was = old ? mr_conf_print_line((const struct mr_conf *)old) : NULL;
	char *is = new ? mr_conf_print_line((const struct mr_conf *)new) : NULL;
	int rc = -ENOMEM;

	mr_path_print((const struct mr_conf *)at, path, sizeof(path));
	if ((was || !old) && (is || !new))
		rc = mr_diff_add(diff, op, path, was, is);
	free(was);
	free(is);
	return rc;
}

/* What only defaults put there. The library keeps that mark on containers, too. */
static bool
says_nothing(const struct lyd_node *node)
{
	return mr_conf_is_default((const struct mr_conf *)node);
}

static bool
is_key(const struct lyd_node *node)
{
	return lysc_is_key(node->schema);
}

static struct lyd_node *
same_in(const struct lyd_node *node, const struct lyd_node *siblings)
{
	struct lyd_node *found = NULL;

	return siblings && !lyd_find_sibling_first(siblings, node, &found) ? found : NULL;
}

/* The same leaf with whatever value. */
static struct lyd_node *
leaf_in(const struct lyd_node *leaf, const struct lyd_node *siblings)
{
	struct lyd_node *found = NULL;

	return siblings && !lyd_find_sibling_val(siblings, leaf->schema, NULL, 0, &found) ? found
											  : NULL;
}

static const struct lyd_node *
counterpart(const struct lyd_node *node, const struct lyd_node *siblings)
{
	return node->schema->nodetype == LYS_LEAF ? leaf_in(node, siblings)
						  : same_in(node, siblings);
}

static int compare(struct mr_diff *, const struct lyd_node *old, const struct lyd_node *new);

/* What goes: in `old` and not in `new`. */
static int
gone(struct mr_diff *diff, const struct lyd_node *old, const struct lyd_node *new)
{
	int rc = 0;

	for (; old && !rc; old = old->next) {
		if (is_key(old) || says_nothing(old) || counterpart(old, new))
			continue;
		rc = add_node(diff, MR_DIFF_DELETE, old, old, NULL);
	}
	return rc;
}

static int
come(struct mr_diff *diff, const struct lyd_node *old, const struct lyd_node *new)
{
	int rc = 0;

	for (; new && !rc; new = new->next) {
		const struct lyd_node *was = is_key(new) ? NULL : counterpart(new, old);

		if (is_key(new))
			continue;
		if (!was && !says_nothing(new))
			rc = add_node(diff, MR_DIFF_CREATE, new, NULL, new);
		else if (new->schema->nodetype == LYS_LEAF &&
		    was &&strcmp(lyd_get_value(was), lyd_get_value(new)))
			rc = add_node(diff, MR_DIFF_CHANGE, new, was, new);
		else if (!mr_schema_is_leaf(new->schema))
			rc = compare(diff, lyd_child(was), lyd_child(new));
	}
	return rc;
}

/* -- order ----------------------------------------------------------------------------------- */

static const char *
name_of(const struct lyd_node *entry)
{
	return entry->schema->nodetype == LYS_LEAFLIST ? lyd_get_value(entry)
						       : lyd_get_value(lyd_child(entry));
}

static void
place_of(const struct lyd_node *before, char *text, size_t size)
{
	if (before)
		snprintf(text, size, "after %s", name_of(before));
	else
		snprintf(text, size, "first");
}

/* One entry that is in both lists. */
struct kept {
	const struct lyd_node *old, *new;
	const struct lyd_node *old_before, *new_before; /* of all entries; null: it is the first */
	size_t old_at;
	size_t length, from; /* of the longest run up to it that keeps its order */
	bool stays;
};

static int
old_compare(const void *left, const void *right)
{
	const struct lyd_node *a = *(const struct lyd_node *const *)left;
	const struct lyd_node *b = *(const struct lyd_node *const *)right;

	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

/* The longest subsequence that goes upwards stays; the others have moved. */
static int
mark_stays(struct kept *kept, size_t count)
{
	size_t *tails = calloc(count + 1, sizeof(*tails)), length = 0;

	if (!tails)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		size_t low = 0, high = length;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (kept[tails[middle]].old_at < kept[i].old_at)
				low = middle + 1;
			else
				high = middle;
		}
		kept[i].from = low ? tails[low - 1] : SIZE_MAX;
		tails[low] = i;
		length += low == length;
	}
	for (size_t i = length ? tails[length - 1] : SIZE_MAX; i != SIZE_MAX; i = kept[i].from)
		kept[i].stays = true;
	free(tails);
	return 0;
}

struct placed {
	const struct lyd_node *node, *before;
	size_t at;
};

static int
moves(struct mr_diff *diff, const struct lyd_node *first_old, const struct lyd_node *first_new)
{
	const struct lysc_node *schema = first_new->schema;
	size_t old_count = 0, new_count = 0, count = 0;
	const struct lyd_node *before = NULL, *n;
	struct placed *places, *place;
	struct kept *kept;
	int rc = -ENOMEM;

	for (n = first_old; n && n->schema == schema; n = n->next)
		old_count++;
	for (n = first_new; n && n->schema == schema; n = n->next)
		new_count++;
	places = calloc(old_count + 1, sizeof(*places));
	kept = calloc(new_count + 1, sizeof(*kept));
	if (!places || !kept)
		goto out;
	n = first_old;
	for (size_t i = 0; i < old_count; i++, n = n->next) {
		places[i] = (struct placed){ .node = n, .before = before, .at = i };
		before = n;
	}
	qsort(places, old_count, sizeof(*places), old_compare);
	before = NULL;
	for (n = first_new; n && n->schema == schema; before = n, n = n->next) {
		const struct lyd_node *was = same_in(n, first_old);

		place = was ? bsearch(&was, places, old_count, sizeof(*places), old_compare) : NULL;
		if (place)
			kept[count++] = (struct kept){ .old = was,
				.new = n,
				.old_before = place->before,
				.new_before = before,
				.old_at = place->at };
	}
	rc = mark_stays(kept, count);
	for (size_t i = 0; i < count && !rc; i++) {
		char path[MR_CONF_PATH_MAX * 3], was[300], is[300];

		if (kept[i].stays)
			continue;
		mr_path_print((const struct mr_conf *)kept[i].new, path, sizeof(path));
		place_of(kept[i].old_before, was, sizeof(was));
		place_of(kept[i].new_before, is, sizeof(is));
		rc = mr_diff_add(diff, MR_DIFF_MOVE, path, was, is);
	}
out:
	free(places);
	free(kept);
	return rc;
}

static int
ordered(struct mr_diff *diff, const struct lyd_node *old, const struct lyd_node *new)
{
	const struct lyd_node *first;
	int rc = 0;

	for (; new && !rc; new = new->next) {
		if (!lysc_is_userordered(new->schema) ||
		    (new->prev->next &&new->prev->schema == new->schema))
			continue;
		for (first = old; first && first->schema != new->schema; first = first->next)
			;
		if (first)
			rc = moves(diff, first, new);
	}
	return rc;
}

static int
compare(struct mr_diff *diff, const struct lyd_node *old, const struct lyd_node *new)
{
	int rc = gone(diff, old, new);

	if (!rc)
		rc = come(diff, old, new);
	return rc ? rc : ordered(diff, old, new);
}

int
mr_diff_create(struct mr_diff **out, const struct mr_config *from, const struct mr_config *to)
{
	int rc = mr_diff_create_empty(out);

	if (!rc)
		rc = compare(*out, from->tree, to->tree);
	if (rc) {
		mr_diff_destroy(*out);
		*out = NULL;
	}
	return rc;
}

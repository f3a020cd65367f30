/* SPDX-License-Identifier: Apache-2.0 */
/* Lines: the rules of a configuration, compared with those in force. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf/acl/list.h"

/* -- rules to lines --------------------------------------------------------------------------- */

static uint16_t
target_of(const struct acl_own *own, const char *name)
{
	for (const struct acl_list *l = own->lists; l; l = l->next)
		if (!strcmp(l->name, name))
			return l->id;
	return 0;
}

static void
set_account(struct acl_account *a, const struct acl_spec *s, uint64_t hz)
{
	a->over = s->flags & ACL_SPEC_OVER;
	a->sample = s->flags & ACL_SPEC_LOG ? s->sample : 1;
	memcpy(a->prefix, s->prefix, sizeof(a->prefix));
	/* So many in a minute of cycles are so many in 60 times the cycles. */
	if (s->flags & ACL_SPEC_LIMIT)
		mr_meter_set(&a->limit, hz * s->per, s->rate, s->burst);
	if (s->flags & ACL_SPEC_LOG)
		mr_meter_set(&a->log, hz, s->log_rate, s->log_rate);
}

/* A record for the spec; with `account` one that goes on counting there. */
int
acl_record_make(struct acl_rule **out, struct acl_list *l, struct acl_spec *s)
{
	struct acl_own *own = l->own;
	struct acl_account *account;
	struct acl_rule *rule;
	int ret = acl_account_create(&account, own->accounts, own->seconds);

	if (ret)
		return ret;
	set_account(account, s, own->accounts->hz);
	ret = acl_rule_create(&rule, s, account);
	acl_account_release(account, own->seconds);
	if (ret)
		return ret;
	rule->list = l->id;
	rule->slot = UINT32_MAX;
	if (rule->action == ACL_JUMP || rule->action == ACL_GOTO)
		rule->target = target_of(own, s->to);
	*out = rule;
	return 0;
}

static int
compare_entries(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mr_class_rule));
}

static int
make_line(struct acl_line **out, struct acl_list *l, struct acl_spec *s,
    const struct acl_digest *digest, const struct acl_line *old)
{
	struct acl_line *line = calloc(1, sizeof(*line));
	int ret = line ? acl_rule_expand(s, &line->entries, &line->count) : -ENOMEM;

	if (!line)
		return ret;
	line->refs = 1;
	line->digest = *digest;
	memcpy(line->to, s->to, sizeof(line->to));
	acl_rule_looks(s, &line->looks);
	if (!ret) {
		qsort(line->entries, line->count, sizeof(*line->entries), compare_entries);
		line->ids = calloc(line->count + 1, sizeof(*line->ids));
		ret = line->ids ? 0 : -ENOMEM;
	}
	if (!ret && old && !memcmp(old->digest.record, digest->record, sizeof(digest->record))) {
		line->rule = old->rule;
		line->rule->refs++;
	} else if (!ret) {
		ret = acl_record_make(&line->rule, l, s);
	}
	if (ret) {
		acl_line_release(l->own, line);
		return ret;
	}
	*out = line;
	return 0;
}

/* -- the old lines by name ----------------------------------------------------------------------- */

struct named {
	const char *name;
	uint32_t at;
};

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int
index_names(struct named **out, const struct acl_version *v)
{
	uint32_t count = v ? v->count : 0;

	*out = malloc((count + 1) * sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		(*out)[i] = (struct named){ v->lines[i]->rule->name, i };
	qsort(*out, count, sizeof(**out), compare_named);
	return 0;
}

static uint32_t
find_name(const struct named *names, const struct acl_version *v, const char *name)
{
	struct named key = { name, 0 }, *found;

	if (!v || !v->count)
		return ACL_NEW;
	found = bsearch(&key, names, v->count, sizeof(*names), compare_named);
	return found ? found->at : ACL_NEW;
}

/* Lines of the next version: old ones, or new ones that still lack a priority. */
int
acl_lines_read(struct acl_list *l, const struct acl_reading *r, const struct mr_conf *conf,
    struct acl_place *places, struct mr_error *error)
{
	struct acl_version *now = l->now, *then = l->then;
	const struct mr_conf *rule;
	struct named *names;
	int ret = index_names(&names, now);

	mr_conf_each(rule, conf, "rule") {
		struct acl_line *old = NULL, **line = &then->lines[then->count];
		struct acl_place *place = &places[then->count];
		struct acl_digest digest;
		struct acl_spec spec;

		if (ret)
			break;
		if (!mr_conf_bool(rule, "enabled", true))
			continue;
		ret = acl_spec_read(&spec, r, rule, l->name);
		if (ret) {
			(void)mr_error_set(error, ret, "rule %s cannot be read", mr_conf_key(rule));
			free(names);
			return ret;
		}
		acl_spec_digest(&spec, l->own->key, &digest);
		place->old = find_name(names, now, spec.name);
		if (place->old != ACL_NEW) {
			old = now->lines[place->old];
			place->priority = old->rule->priority;
		}
		if (old && !memcmp(&old->digest, &digest, sizeof(digest))) {
			old->refs++;
			*line = old;
		} else {
			ret = make_line(line, l, &spec, &digest, old);
		}
		then->count += !ret;
		acl_spec_free(&spec);
	}
	free(names);
	return ret ? mr_error_set(error, ret, "no memory") : 0;
}

/* -- priorities --------------------------------------------------------------------------------- */

/* The same rule at another place: a record of its own, which counts on. */
struct acl_rule *
acl_record_move(const struct acl_rule *old)
{
	struct acl_rule *rule = malloc(sizeof(*rule));

	if (!rule)
		return NULL;
	memcpy(rule, old, sizeof(*rule));
	rule->refs = 1;
	rule->slot = UINT32_MAX;
	rule->checks = calloc(old->check_count + 1u, sizeof(*rule->checks));
	if (!rule->checks) {
		free(rule);
		return NULL;
	}
	acl_account_hold(rule->account);
	for (rule->check_count = 0; rule->check_count < old->check_count; rule->check_count++) {
		struct acl_check *to = &rule->checks[rule->check_count];
		const struct acl_check *from = &old->checks[rule->check_count];

		to->field = from->field;
		if (acl_ranges_add_all(&to->ranges, &from->ranges)) {
			acl_account_release(rule->account, 0);
			acl_rule_release(rule);
			return NULL;
		}
	}
	return rule;
}

/* A line of its own for this version, with a record that nobody uses yet. */
static int
own_line(struct acl_list *l, struct acl_line **at)
{
	struct acl_line *old = *at, *line;
	struct acl_rule *rule = acl_record_move(old->rule);

	if (!rule)
		return -ENOMEM;
	if (old->refs == 1) {
		acl_record_release(l->own, old->rule);
		old->rule = rule;
		return 0;
	}
	line = malloc(sizeof(*line));
	if (line) {
		memcpy(line, old, sizeof(*line));
		line->refs = 1;
		line->rule = rule;
		line->entries = malloc((line->count + 1) * sizeof(*line->entries));
		line->ids = calloc(line->count + 1, sizeof(*line->ids));
	}
	if (!line || !line->entries || !line->ids) {
		if (line) {
			free(line->entries);
			free(line->ids);
			free(line);
		}
		acl_record_release(l->own, rule);
		return -ENOMEM;
	}
	memcpy(line->entries, old->entries, line->count * sizeof(*line->entries));
	old->refs--;
	*at = line;
	return 0;
}

int
acl_line_place(struct acl_list *l, struct acl_line **at, const struct acl_place *place)
{
	bool fresh = (*at)->rule->slot == UINT32_MAX;
	int ret = 0;

	if (!fresh && !place->keep) {
		ret = own_line(l, at);
		fresh = true;
	}
	if (!ret && fresh)
		ret = acl_rules_take(&l->own->rules, (struct acl_rule *)(*at)->rule);
	if (ret)
		return ret;
	if (fresh)
		(*at)->rule->priority = place->priority;
	/* Those of a line that workers know are as they are. */
	for (uint32_t i = 0; i < (*at)->count && (*at)->refs == 1; i++) {
		(*at)->entries[i].priority = place->priority;
		(*at)->entries[i].value = (*at)->rule->slot;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */

/* The set of rules: changes by the control thread, gathered and shown at once. */

#include "kit/flow/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit/base/rcu.h"
#include "kit/flow/flow_int.h"

/* -- life ---------------------------------------------------------------------------------- */

static void
view_free(struct flow_view *v)
{
	if (!v)
		return;
	for (unsigned g = 0; g < MR_FLOW_GROUPS; g++)
		free(v->lists[g]);
	free(v);
}

void
mr_flow_rules_destroy(struct mr_flow_rules *s)
{
	if (!s)
		return;
	if (s->retired)
		mr_class_release(s->retired);
	mr_class_destroy(s->class);
	view_free(atomic_load_explicit(&s->view, memory_order_relaxed));
	for (uint32_t i = 1; s->places && i <= s->place_top; i++)
		free(s->places[i]);
	for (unsigned g = 0; g < MR_FLOW_GROUPS; g++)
		free(s->listed[g]);
	for (unsigned w = 0; w < s->worker_count; w++)
		free(s->counters[w]);
	free(s->places);
	free(s->counter_info);
	free(s->counter_free);
	free(s->meters);
	free(s->meter_info);
	free(s);
}

int
mr_flow_rules_create(struct mr_flow_rules **out, const struct mr_flow_rules_config *config,
    struct mr_error *error)
{
	const struct mr_class_config class = { 0 };
	struct mr_flow_rules *s = calloc(1, sizeof(*s));
	bool made;
	int rc;

	if (!s)
		return mr_error_set(error, -ENOMEM, "flow rules: no memory");
	s->graph = config->graph;
	s->max = config->max_rules ? config->max_rules : FLOW_RULES_MAX;
	s->meter_max = config->max_meters ? config->max_meters : FLOW_METERS_MAX;
	/* Those at rest come on top of those in use. */
	s->counter_max = 2 * s->max;
	s->worker_count = mr_graph_worker_count(s->graph);
	/* Touched where used only: calloc of so much is fresh memory. */
	s->places = calloc(s->max + 1u, sizeof(struct flow_rule *));
	s->counter_info = calloc(s->counter_max + 1u, sizeof(*s->counter_info));
	s->counter_free = calloc(s->counter_max + 1u, sizeof(*s->counter_free));
	s->meters = calloc(s->meter_max + 1u, sizeof(*s->meters));
	s->meter_info = calloc(s->meter_max + 1u, sizeof(*s->meter_info));
	made = s->places && s->counter_info && s->counter_free && s->meters && s->meter_info;
	for (unsigned w = 0; w < s->worker_count; w++) {
		s->counters[w] = calloc(s->counter_max + 1u, sizeof(*s->counters[w]));
		made &= s->counters[w] != NULL;
	}
	rc = made ? mr_class_create(&s->class, &class, error)
		  : mr_error_set(error, -ENOMEM, "flow rules: no memory for %u", s->max);
	s->changed = true;
	if (!rc)
		rc = mr_flow_rules_commit(s, error);
	if (rc) {
		mr_flow_rules_destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

int
mr_flow_rules_node(struct mr_flow_rules *s, const char *name, uint16_t *node,
    struct mr_error *error)
{
	return mr_graph_add_node(s->graph, &mr_flow_rules_class, name, s, node, error);
}

/* -- counters ------------------------------------------------------------------------------- */

static uint32_t
now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

/* 0: none is left. */
static uint32_t
counter_get(struct mr_flow_rules *s)
{
	uint32_t c = 0;

	if (s->counter_free_count) {
		uint32_t oldest = s->counter_free[s->counter_free_first];

		if ((int32_t)(now_seconds() - s->counter_info[oldest].rest) > 0) {
			c = oldest;
			s->counter_free_first = (s->counter_free_first + 1) % s->counter_max;
			s->counter_free_count--;
		}
	}
	if (!c && s->counter_top < s->counter_max)
		c = ++s->counter_top;
	if (!c)
		return 0;
	s->counter_info[c].users = 1;
	s->counter_info[c].shared = false;
	for (unsigned w = 0; w < s->worker_count; w++) {
		/* Nobody writes to it: it was never used, or rested. */
		atomic_store_explicit(&s->counters[w][c].packets, 0, memory_order_relaxed);
		atomic_store_explicit(&s->counters[w][c].bytes, 0, memory_order_relaxed);
	}
	return c;
}

static void
counter_put(struct mr_flow_rules *s, uint32_t c)
{
	if (!c || --s->counter_info[c].users)
		return;
	s->counter_info[c].shared = false;
	s->counter_info[c].rest = now_seconds() + FLOW_COUNTER_REST;
	s->counter_free[(s->counter_free_first + s->counter_free_count) % s->counter_max] = c;
	s->counter_free_count++;
}

int
mr_flow_counter_create(struct mr_flow_rules *s, uint32_t *counter, struct mr_error *error)
{
	uint32_t c = counter_get(s);

	if (!c)
		return mr_error_set(error, -ENOSPC, "flow rules: %u counters are the most",
		    s->counter_max);
	s->counter_info[c].shared = true;
	*counter = c;
	return 0;
}

static bool
is_shared(const struct mr_flow_rules *s, uint32_t c)
{
	return c && c <= s->counter_max && s->counter_info[c].shared;
}

int
mr_flow_counter_destroy(struct mr_flow_rules *s, uint32_t counter, struct mr_error *error)
{
	if (!is_shared(s, counter))
		return mr_error_set(error, -ENOENT, "flow rules: there is no counter %u", counter);
	if (s->counter_info[counter].users > 1)
		return mr_error_set(error, -EBUSY, "flow rules: counter %u is used by %u rules",
		    counter, s->counter_info[counter].users - 1);
	counter_put(s, counter);
	return 0;
}

static void
count_of(const struct mr_flow_rules *s, uint32_t c, struct mr_flow_count *out)
{
	*out = (struct mr_flow_count){ 0 };
	for (unsigned w = 0; w < s->worker_count; w++) {
		out->packets += mr_counter_get(&s->counters[w][c].packets);
		out->bytes += mr_counter_get(&s->counters[w][c].bytes);
	}
}

int
mr_flow_counter_query(const struct mr_flow_rules *s, uint32_t counter, struct mr_flow_count *out)
{
	if (!is_shared(s, counter))
		return -ENOENT;
	count_of(s, counter, out);
	return 0;
}

/* -- meters ---------------------------------------------------------------------------------- */

static bool
is_meter(const struct mr_flow_rules *s, uint32_t m)
{
	return m && m <= s->meter_max && s->meter_info[m].there;
}

int
mr_flow_meter_create(struct mr_flow_rules *s, uint64_t rate, uint64_t burst, uint32_t *meter,
    struct mr_error *error)
{
	for (uint32_t m = 1; m <= s->meter_max; m++) {
		if (s->meter_info[m].there || s->meter_info[m].users)
			continue;
		s->meter_info[m].there = true;
		*meter = m;
		return mr_flow_meter_set(s, m, rate, burst);
	}
	return mr_error_set(error, -ENOSPC, "flow rules: %u meters are the most", s->meter_max);
}

int
mr_flow_meter_set(struct mr_flow_rules *s, uint32_t meter, uint64_t rate, uint64_t burst)
{
	if (!is_meter(s, meter))
		return -ENOENT;
	mr_meter_set(&s->meters[meter], mr_graph_hz(s->graph), rate, burst);
	return 0;
}

int
mr_flow_meter_destroy(struct mr_flow_rules *s, uint32_t meter, struct mr_error *error)
{
	if (!is_meter(s, meter))
		return mr_error_set(error, -ENOENT, "flow rules: there is no meter %u", meter);
	if (s->meter_info[meter].users)
		return mr_error_set(error, -EBUSY, "flow rules: meter %u is used by %u rules",
		    meter, s->meter_info[meter].users);
	s->meter_info[meter].there = false;
	return 0;
}

/* -- rules ----------------------------------------------------------------------------------- */

static int
rules_error(struct mr_flow_error *error, int code, const struct mr_error *why)
{
	if (error) {
		error->kind = MR_FLOW_ERROR_RULES;
		error->index = 0;
		error->error = *why;
		error->error.code = code;
	}
	return code;
}

static struct flow_rule *
rule_at(const struct mr_flow_rules *s, uint32_t rule)
{
	struct flow_rule *r = rule && rule <= s->place_top ? s->places[rule] : NULL;

	/* One that is removed stays until the commit. */
	return r && r->next == 0 ? r : NULL;
}

/* What the rule uses of others has one user more, or less. */
static void
hold(struct mr_flow_rules *s, const struct flow_rule *r, bool more)
{
	for (unsigned i = 0; i < r->action_count; i++) {
		const struct mr_flow_action *a = &r->actions[i];

		if (a->type == MR_FLOW_ACTION_METER) {
			s->meter_info[a->number].users += more ? 1u : -1u;
		} else if (a->type == MR_FLOW_ACTION_COUNT && a->number) {
			if (more)
				s->counter_info[a->number].users++;
			else
				counter_put(s, a->number);
		}
	}
}

static int
list_add(struct mr_flow_rules *s, struct flow_rule *r, struct mr_error *error)
{
	unsigned g = r->attr.group;
	uint32_t at = s->listed_count[g];

	if (!s->listed[g])
		s->listed[g] = calloc(MR_FLOW_LISTED_MAX, sizeof(struct flow_rule *));
	if (!s->listed[g])
		return mr_error_set(error, -ENOMEM, "flow rules: no memory");
	if (at == MR_FLOW_LISTED_MAX)
		return mr_error_set(error, -ENOSPC,
		    "flow rules: group %u has %u rules already that are looked through one by one",
		    g, MR_FLOW_LISTED_MAX);
	while (at && s->listed[g][at - 1]->attr.priority > r->attr.priority)
		at--;
	memmove(&s->listed[g][at + 1], &s->listed[g][at],
	    (s->listed_count[g] - at) * sizeof(struct flow_rule *));
	s->listed[g][at] = r;
	s->listed_count[g]++;
	s->changed_lists |= 1ull << g;
	return 0;
}

static void
list_remove(struct mr_flow_rules *s, const struct flow_rule *r)
{
	unsigned g = r->attr.group;
	uint32_t at = 0;

	while (s->listed[g][at] != r)
		at++;
	s->listed_count[g]--;
	memmove(&s->listed[g][at], &s->listed[g][at + 1],
	    (s->listed_count[g] - at) * sizeof(struct flow_rule *));
	s->changed_lists |= 1ull << g;
}

static int
class_add(struct mr_flow_rules *s, struct flow_rule *r, struct mr_error *error)
{
	struct mr_class_rule rules[2];
	unsigned count = flow_class_rules(r, rules);
	int rc = 0;

	for (r->class_count = 0; r->class_count < count && !rc; r->class_count += !rc)
		rc = mr_class_add(s->class, &rules[r->class_count], &r->class_ids[r->class_count],
		    error);
	if (!rc) {
		s->classified[r->attr.group]++;
		return 0;
	}
	while (r->class_count > 0)
		mr_class_remove(s->class, r->class_ids[--r->class_count], NULL);
	return rc;
}

static uint32_t
place_get(struct mr_flow_rules *s)
{
	uint32_t place = s->place_free;

	if (!place)
		return s->place_top < s->max ? ++s->place_top : 0;
	s->place_free = s->places[place]->next == UINT32_MAX ? 0 : s->places[place]->next;
	free(s->places[place]);
	s->places[place] = NULL;
	return place;
}

/* One whose memory nobody names any more, or never did. */
static void
place_put(struct mr_flow_rules *s, struct flow_rule *r)
{
	r->next = s->place_free ? s->place_free : UINT32_MAX;
	s->place_free = r->place;
}

int
mr_flow_rule_validate(const struct mr_flow_rules *s, const struct mr_flow_attr *attr,
    const struct mr_flow_item *items, const struct mr_flow_action *actions,
    struct mr_flow_error *error)
{
	struct flow_rule r;

	return flow_check(s, attr, items, actions, &r, error);
}

static int
own_counter(struct mr_flow_rules *s, struct flow_rule *r, struct mr_error *error)
{
	uint32_t c;

	if (!r->own_counter)
		return 0;
	c = counter_get(s);
	if (!c)
		return mr_error_set(error, -ENOSPC, "flow rules: no counter is left");
	/* The rule's hold on it is added with the others'. */
	s->counter_info[c].users = 0;
	r->counter = c;
	for (unsigned i = 0; i < r->action_count; i++)
		if (r->actions[i].type == MR_FLOW_ACTION_COUNT && !r->actions[i].number)
			r->actions[i].number = c;
	return 0;
}

int
mr_flow_rule_create(struct mr_flow_rules *s, const struct mr_flow_attr *attr,
    const struct mr_flow_item *items, const struct mr_flow_action *actions, uint32_t *rule,
    struct mr_flow_error *error)
{
	struct flow_rule *r = malloc(sizeof(*r));
	struct mr_error why;
	int rc;

	if (!r) {
		mr_error_set(&why, -ENOMEM, "flow rules: no memory");
		return rules_error(error, -ENOMEM, &why);
	}
	rc = flow_check(s, attr, items, actions, r, error);
	if (rc) {
		free(r);
		return rc;
	}
	r->place = place_get(s);
	if (!r->place) {
		free(r);
		rc = mr_error_set(&why, -ENOSPC, "flow rules: %u are the most", s->max);
		return rules_error(error, rc, &why);
	}
	s->places[r->place] = r;
	rc = own_counter(s, r, &why);
	hold(s, r, true);
	if (!rc)
		rc = r->listed ? list_add(s, r, &why) : class_add(s, r, &why);
	if (rc) {
		hold(s, r, false);
		place_put(s, r);
		return rules_error(error, rc, &why);
	}
	s->count++;
	s->changed = true;
	*rule = r->place;
	return 0;
}

static int
remove_rule(struct mr_flow_rules *s, struct flow_rule *r, struct mr_error *error)
{
	int rc;

	if (r->listed)
		list_remove(s, r);
	/* Of two, the second can be removed when the first was not for want of memory: the rule is
	 * then tried again. */
	while (r->class_count > 0) {
		rc = mr_class_remove(s->class, r->class_ids[r->class_count - 1], error);
		if (rc)
			return rc;
		if (--r->class_count == 0)
			s->classified[r->attr.group]--;
	}
	hold(s, r, false);
	r->next = s->removed ? s->removed : UINT32_MAX;
	s->removed = r->place;
	s->count--;
	s->changed = true;
	return 0;
}

int
mr_flow_rule_destroy(struct mr_flow_rules *s, uint32_t rule, struct mr_flow_error *error)
{
	struct flow_rule *r = rule_at(s, rule);
	struct mr_error why;
	int rc;

	if (!r)
		rc = mr_error_set(&why, -ENOENT, "flow rules: there is no rule %u", rule);
	else
		rc = remove_rule(s, r, &why);
	return rc ? rules_error(error, rc, &why) : 0;
}

int
mr_flow_rules_flush(struct mr_flow_rules *s, struct mr_flow_error *error)
{
	int rc = 0;

	for (uint32_t i = 1; i <= s->place_top && !rc; i++)
		if (rule_at(s, i))
			rc = mr_flow_rule_destroy(s, i, error);
	return rc;
}

int
mr_flow_rule_query(const struct mr_flow_rules *s, uint32_t rule, struct mr_flow_count *out)
{
	const struct flow_rule *r = rule_at(s, rule);

	if (!r || !r->counter)
		return -ENOENT;
	count_of(s, r->counter, out);
	return 0;
}

uint32_t
mr_flow_rules_count(const struct mr_flow_rules *s)
{
	return s->count;
}

/* -- showing them -------------------------------------------------------------------------------- */

static struct flow_list *
list_build(const struct mr_flow_rules *s, unsigned g)
{
	uint32_t count = s->listed_count[g];
	struct flow_list *list = malloc(sizeof(*list) + count * sizeof(struct flow_rule *));

	if (!list)
		return NULL;
	list->count = count;
	list->look = 0;
	for (uint32_t i = 0; i < count; i++) {
		list->rules[i] = s->listed[g][i];
		list->look |= s->listed[g][i]->pattern.look;
	}
	return list;
}

/* Lists that have not changed are the old view's: they change hands with the commit. */
static struct flow_view *
view_build(const struct mr_flow_rules *s, const struct flow_view *old)
{
	struct flow_view *v = calloc(1, sizeof(*v));
	bool made = v != NULL;

	for (unsigned g = 0; g < MR_FLOW_GROUPS && made; g++) {
		v->classified[g] = s->classified[g] > 0;
		if (!(s->changed_lists >> g & 1))
			v->lists[g] = old ? old->lists[g] : NULL;
		else if (s->listed_count[g])
			made = (v->lists[g] = list_build(s, g)) != NULL;
	}
	if (made)
		return v;
	for (unsigned g = 0; v && g < MR_FLOW_GROUPS; g++)
		if (s->changed_lists >> g & 1)
			free(v->lists[g]);
	free(v);
	return NULL;
}

static void
reclaim(struct mr_flow_rules *s)
{
	while (s->removed) {
		struct flow_rule *r = s->places[s->removed];

		s->removed = r->next == UINT32_MAX ? 0 : r->next;
		place_put(s, r);
	}
}

int
mr_flow_rules_commit(struct mr_flow_rules *s, struct mr_error *error)
{
	struct flow_view *old = atomic_load_explicit(&s->view, memory_order_relaxed), *v;
	int rc;

	if (!s->changed)
		return 0;
	v = view_build(s, old);
	if (!v)
		return mr_error_set(error, -ENOMEM, "flow rules: no memory for a commit");
	rc = mr_class_publish(s->class, &s->retired, error);
	if (rc) {
		for (unsigned g = 0; g < MR_FLOW_GROUPS; g++)
			if (s->changed_lists >> g & 1)
				free(v->lists[g]);
		free(v);
		return rc;
	}
	v->class = mr_class_view(s->class);
	/* Release pairs with the acquire of the node. Then the cell: see kit/base/generation.h. */
	atomic_store_explicit(&s->view, v, memory_order_release);
	mr_generation_bump(&s->cell);
	mr_rcu_synchronize();
	for (unsigned g = 0; old && g < MR_FLOW_GROUPS; g++)
		if (s->changed_lists >> g & 1)
			free(old->lists[g]);
	free(old);
	if (s->retired)
		mr_class_release(s->retired);
	s->retired = NULL;
	reclaim(s);
	s->changed = false;
	s->changed_lists = 0;
	return 0;
}

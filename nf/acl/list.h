/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ACL_LIST_H
#define MR_NF_ACL_LIST_H

/*
 * A list of rules through its changes. The rules of the next configuration are compared, by name,
 * with those in force: what is the same keeps its entries in the classifier, its counters and its
 * place among the priorities, and only what differs is added and removed. A few entries are looked
 * at one after another, without a classifier.
 *
 *   acl_list_prepare   makes the next view, beside the one that workers see
 *   commit             the caller shows the next view to workers (acl_world)
 *   acl_list_finish    after the grace period: forgets the old one
 *   acl_list_abort     instead: forgets the next one
 *
 * Ownership: a list owns lines, records (which the caller's table of rules points to) and views.
 * Threads: control; views are for any number of workers. Errors: -errno with a sentence.
 */

#include "kit/base/error.h"
#include "nf/acl/rule.h"

/* Entries that are looked at one after another. */
#define ACL_LINEAR_MAX 12u

/* What workers see of a list. Immutable. */
struct acl_view {
	const struct mr_class_view *class; /* null: linear */
	const struct mr_class_rule *linear;
	uint32_t linear_count;
	bool stateful;
	bool drop_arp, drop_ether, nd_rules;
	const uint16_t *except; /* ethertypes, host order */
	uint32_t except_count;
	const struct acl_rule *decide, *established, *invalid; /* the list's own */
};

/* Rules by slot: what the classifier gives. */
struct acl_rules {
	_Atomic(const struct acl_rule *) *_Atomic chunks[ACL_CHUNKS];
	uint32_t top;
	uint32_t free; /* first free slot + 1; chained through `next` */
	uint32_t *next;
	uint32_t room;
};

mr_inline const struct acl_rule *
acl_rule_at(struct acl_rules *t, uint32_t slot)
{
	/* Acquire pairs with the releases in acl_rules_take. A view that names a slot was published
	 * after them. */
	_Atomic(const struct acl_rule *) *chunk =
	    atomic_load_explicit(&t->chunks[slot / ACL_CHUNK], memory_order_acquire);

	return atomic_load_explicit(&chunk[slot % ACL_CHUNK], memory_order_acquire);
}

/* A rule with its entries, as it stands in one version of a list or several. */
struct acl_line {
	uint32_t refs;
	struct acl_digest digest;
	struct acl_rule *rule;
	struct mr_class_rule *entries; /* in order of their bytes */
	uint32_t *ids;                 /* in the list's classifier */
	uint32_t count;
	struct acl_looks looks;
	char to[ACL_NAME_MAX];
};

struct acl_own {
	struct acl_rules rules;
	struct acl_accounts *accounts;
	struct acl_list *lists;
	uint64_t key[2]; /* of digests */
	uint32_t seconds;
};

struct acl_version {
	struct acl_line **lines;
	uint32_t count, entries;
	struct mr_class *class;
	struct acl_view view;
	struct mr_class_rule *linear;
	uint16_t *except;
	struct acl_looks looks; /* of its own rules */
};

struct acl_undo {
	struct acl_line *line;
	uint32_t at; /* of its entries */
	bool added;
};

struct acl_list {
	struct acl_list *next;
	char name[ACL_NAME_MAX];
	uint16_t id;
	struct acl_own *own;
	struct acl_version *now, *then; /* in force, and being prepared; then == now: the same */
	struct acl_rule *builtin[3];    /* decide, established, invalid */
	struct acl_rule *decide_then;   /* the next one, when it is another */
	struct acl_undo *undo;
	uint32_t undo_count, undo_room;
	struct mr_class_retired **retired;
	uint32_t retired_count;
	bool stale; /* the classifier in force is not to be changed */
	bool wanted;
	/* The walk over jumps that acl.c makes. */
	uint8_t visit;
	struct acl_looks reach; /* what is looked at here and in lists that it may come to */
	bool changed;           /* it, or a list that it may come to */
};

int acl_list_create(struct acl_list **out, struct acl_own *, const char *name, uint16_t id,
    struct mr_error *);
void acl_list_destroy(struct acl_list *);

int acl_list_prepare(struct acl_list *, const struct acl_reading *, const struct mr_conf *,
    struct mr_error *);
void acl_list_finish(struct acl_list *);
void acl_list_abort(struct acl_list *);

/* plan.c: which of the new lines may keep the priorities of the old ones that they are, so that
 * all are in order; the others get priorities between them. */
#define ACL_NEW UINT32_MAX
struct acl_place {
	uint32_t old;      /* its place before, or ACL_NEW */
	uint32_t priority; /* the old one; then the one that it has */
	bool keep;
};
int acl_plan(struct acl_place *, uint32_t count);

/* slots.c */
int acl_rules_take(struct acl_rules *, struct acl_rule *);
void acl_rules_give(struct acl_rules *, uint32_t slot);
void acl_rules_close(struct acl_rules *);

/* line.c */
/* A record of the list for a spec, without slot and priority; and one at another place, that counts
 * on where `old` does. */
int acl_record_make(struct acl_rule **out, struct acl_list *, struct acl_spec *);
struct acl_rule *acl_record_move(const struct acl_rule *old);
/* The lines of `then`: old ones, or new ones that still lack a priority. */
int acl_lines_read(struct acl_list *, const struct acl_reading *, const struct mr_conf *,
    struct acl_place *, struct mr_error *);
/* Gives the line the priority that the plan has for it; it may become another one. */
int acl_line_place(struct acl_list *, struct acl_line **, const struct acl_place *);

/* version.c */
void acl_line_release(struct acl_own *, struct acl_line *);
void acl_record_release(struct acl_own *, struct acl_rule *);
void acl_version_free(struct acl_own *, struct acl_version *);
/* Makes then->class of its lines, from now's where that is less work. */
int acl_version_build(struct acl_list *, struct mr_error *);
void acl_version_undo(struct acl_list *);

/* The rule that comes first of this priority or later among a few; MR_CLASS_NONE. */
uint32_t acl_linear_from(const struct acl_view *, const struct mr_class_key *, uint32_t priority);

mr_inline uint32_t
acl_view_from(const struct acl_view *v, const struct mr_class_key *key, uint32_t priority)
{
	return v->class ? mr_class_lookup_from(v->class, key, priority)
			: acl_linear_from(v, key, priority);
}

#endif

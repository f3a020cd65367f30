/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_MODEL_SAMPLE_H
#define MR_MODEL_SAMPLE_H

/*
 * A sample: the state at one moment as a flat row of values, each with its leaf of the model and the
 * list entry that it belongs to. Metrics and telemetry are made from it, so that what they send
 * has the model's names, types, units and descriptions, and nothing else knows any.
 *
 *	st = mr_sample_begin(s);
 *	mr_control_show(control, NULL, st);
 *	mr_sample_end(s, &error);
 *	for (i = 0; i < s->value_count; i++)
 *		... s->values[i].leaf->path, s->entries[s->values[i].entry].path ...
 *
 * Ownership: leaves belong to mr_leaves, which must outlive samples; the model must outlive both. A
 * sample's arrays and texts are its own and are overwritten by the next one.
 * Threads: one at a time.
 * Errors: 0 or -errno with a text; what does not fit MR_SAMPLE_MAX is counted (`cut`) and left out.
 */

#include "model/state.h"

#define MR_SAMPLE_MAX (1u << 20) /* values */
#define MR_SAMPLE_KEYS 4         /* of one list */

enum mr_leaf_kind {
	MR_LEAF_UINT,
	MR_LEAF_INT,
	MR_LEAF_DECIMAL, /* an int64_t with `digits` of them behind the point */
	MR_LEAF_BOOL,
	MR_LEAF_ENUM, /* a number, of `words` */
	MR_LEAF_TEXT,
};

struct mr_leaf_list { /* a list of the model */
	const char *name;
	const char *path;                  /* "system/node/counter" */
	const struct mr_leaf_list *parent; /* the list around it; null: none */
	const char *keys[MR_SAMPLE_KEYS];
	unsigned key_count;
	unsigned index;
};

struct mr_leaf {
	const char *name;
	const char *path; /* "system/node/counter/value": no keys */
	const char *tail; /* what is behind the innermost list: "/value", "/system/uptime" */
	const char *doc;  /* line breaks folded; "" */
	const char *units;
	const struct mr_leaf_list *list; /* the innermost; null: none */
	const char *const *words;
	unsigned word_count;
	unsigned index; /* in mr_leaves */
	enum mr_leaf_kind kind;
	uint8_t digits;
	bool counter; /* only goes up */
	bool many;    /* a leaf-list */
	bool key;
	bool state; /* not configuration */
};

struct mr_leaves;

/* Everything that the model can report or configure. */
int mr_leaves_create(struct mr_leaves **out, const struct mr_model *, struct mr_error *);
void mr_leaves_destroy(struct mr_leaves *);
unsigned mr_leaves_count(const struct mr_leaves *);
const struct mr_leaf *mr_leaves_at(const struct mr_leaves *, unsigned index);
unsigned mr_leaves_list_count(const struct mr_leaves *);
const struct mr_leaf_list *mr_leaves_list_at(const struct mr_leaves *, unsigned index);

struct mr_sample_entry {
	const struct mr_leaf_list *list; /* null: entry 0, which is all that is in no list */
	uint32_t parent;
	uint32_t path; /* a text: "/system/node[name='drop']/counter[name='seen']" */
	uint32_t keys[MR_SAMPLE_KEYS]; /* texts */
	uint32_t keys_left;            /* not written yet */
	uint64_t hash;                 /* of the path */
};

struct mr_sample_value {
	const struct mr_leaf *leaf;
	uint32_t entry;
	uint32_t text; /* of MR_LEAF_TEXT */
	union {
		uint64_t u; /* UINT, BOOL, and ENUM */
		int64_t i;  /* INT, and DECIMAL */
	};
};

struct mr_sample {
	const struct mr_leaves *leaves;
	struct mr_state *state;
	struct mr_sample_value *values; /* keys are not among them */
	struct mr_sample_entry *entries;
	char *text; /* all texts, by their place in it */
	size_t value_count, value_room, entry_count, entry_room, text_used, text_room;
	uint64_t cut;
	uint32_t open[32]; /* the entry of each level that is open */
	unsigned depth;
	bool failed; /* no memory */
};

int mr_sample_create(struct mr_sample **out, const struct mr_leaves *);
void mr_sample_destroy(struct mr_sample *);
/* The state to write into; null without memory. */
struct mr_state *mr_sample_begin(struct mr_sample *, const struct mr_model *);
int mr_sample_end(struct mr_sample *, struct mr_error *);

static inline const char *
mr_sample_text(const struct mr_sample *s, uint32_t text)
{
	return s->text + text;
}

/* The hash of an entry with that path. */
uint64_t mr_sample_hash(const char *path);

/* A number as the model writes it: "7", "-3", "12.5", "true", "up"; nothing for a text. Returns the
 * length. */
#define MR_SAMPLE_NUMBER 32
unsigned mr_sample_print(const struct mr_leaf *, const struct mr_sample_value *,
    char text[MR_SAMPLE_NUMBER]);

#endif

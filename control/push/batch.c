/* SPDX-License-Identifier: Apache-2.0 */

/* Messages, of as many values as one takes. */

#include <stdio.h>
#include <string.h>

#include "control/push/subscription_int.h"

static bool
send_message(struct push_subscription *s, struct push_message *m)
{
	struct push_bytes *out = &s->batch.out;
	struct push_collector_stats stats;
	int rc;

	if (s->broken)
		return false;
	push_collector_stats(s->collector, &stats);
	m->subscription = s->settings->name;
	m->system = s->system;
	m->sequence = s->sequence++;
	m->time = s->time;
	m->lost = stats.lost;
	out->used = 0;
	rc = s->settings->protobuf ? push_encode_protobuf(out, m) : push_encode_json(out, m);
	if (rc || push_collector_send(s->collector, out->text, out->used))
		s->broken = true;
	else
		s->said = s->now;
	return !s->broken;
}

bool
push_send(struct push_subscription *s, enum push_kind kind)
{
	return send_message(s, &(struct push_message){ .kind = kind });
}

void
push_batch_send(struct push_subscription *s)
{
	struct batch *b = &s->batch;

	for (size_t i = 0; i < b->update_count; i++)
		b->updates[i].path = b->texts.text + b->update_at[i];
	for (size_t i = 0; i < b->delete_count; i++)
		b->deletes[i] = b->texts.text + b->delete_at[i];
	send_message(s,
	    &(struct push_message){
		.kind = PUSH_UPDATE,
		.updates = b->updates,
		.deletes = b->deletes,
		.update_count = b->update_count,
		.delete_count = b->delete_count,
	    });
	b->update_count = b->delete_count = b->texts.used = 0;
}

/* The path of a leaf of an entry, in the batch's texts; of a leaf-list, of one member. SIZE_MAX:
 * no memory. */
static size_t
batch_path(struct batch *b, const char *entry, const struct mr_leaf *leaf, const char *member)
{
	size_t size = strlen(entry) + strlen(leaf->tail) + strlen(member) + 8, at = b->texts.used;
	char *to = push_bytes_room(&b->texts, size);

	if (!to)
		return SIZE_MAX;
	to = stpcpy(stpcpy(to, entry), leaf->tail);
	if (leaf->many)
		sprintf(to, "[.=%c%s%c]", strchr(member, '\'') ? '"' : '\'', member,
		    strchr(member, '\'') ? '"' : '\'');
	b->texts.used += size;
	return at;
}

void
push_batch_update(struct push_subscription *s, const struct mr_sample *sample,
    const struct mr_sample_value *v)
{
	struct batch *b = &s->batch;
	struct push_value value = push_value_of(sample, v);
	char number[MR_SAMPLE_NUMBER] = "";
	size_t at;

	if (v->leaf->many && value.kind != MR_LEAF_TEXT)
		mr_sample_print(v->leaf, v, number);
	at = batch_path(b, mr_sample_text(sample, sample->entries[v->entry].path), v->leaf,
	    value.kind == MR_LEAF_TEXT ? value.text : number);
	if (at == SIZE_MAX) {
		s->broken = true;
		return;
	}
	b->update_at[b->update_count] = at;
	b->updates[b->update_count++].value = value;
	if (b->update_count == PUSH_UPDATES_MAX)
		push_batch_send(s);
}

static void
delete_at(struct push_subscription *s, size_t at)
{
	struct batch *b = &s->batch;

	if (at == SIZE_MAX) {
		s->broken = true;
		return;
	}
	b->delete_at[b->delete_count++] = at;
	if (b->delete_count == PUSH_UPDATES_MAX)
		push_batch_send(s);
}

void
push_batch_delete_leaf(struct push_subscription *s, const struct push_row *row)
{
	const struct mr_sample_value value = { .u = row->u };
	char number[MR_SAMPLE_NUMBER];

	mr_sample_print(row->leaf, &value, number);
	delete_at(s,
	    batch_path(&s->batch, s->known.text + row->path, row->leaf,
		row->leaf->kind == MR_LEAF_TEXT ? s->known.text + row->text : number));
}

void
push_batch_delete(struct push_subscription *s, const char *path)
{
	size_t size = strlen(path) + 1, at = s->batch.texts.used;
	char *to = push_bytes_room(&s->batch.texts, size);

	if (to) {
		memcpy(to, path, size);
		s->batch.texts.used += size;
	}
	delete_at(s, to ? at : SIZE_MAX);
}

void
push_send_event(struct push_subscription *s, const struct push_threshold *t, const char *entry,
    bool raised, const struct push_value *value)
{
	size_t at = batch_path(&s->batch, entry, t->leaf, "");
	struct push_event event = { .threshold = t->name, .raised = raised, .gone = !value };

	if (at == SIZE_MAX) {
		s->broken = true;
		return;
	}
	event.path = s->batch.texts.text + at;
	if (value)
		event.value = *value;
	send_message(s, &(struct push_message){ .kind = PUSH_EVENT, .event = &event });
	s->batch.texts.used = at;
}

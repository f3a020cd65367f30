/* SPDX-License-Identifier: Apache-2.0 */
/* The table of rules by slot: what the classifier gives, and what notes in recordings name. */
#include <errno.h>
#include <stdlib.h>

#include "nf/acl/list.h"

int
acl_rules_take(struct acl_rules *t, struct acl_rule *rule)
{
	_Atomic(const struct acl_rule *) *chunk;
	uint32_t slot;

	if (t->free) {
		slot = t->free - 1;
		t->free = t->next[slot];
	} else {
		slot = t->top;
		if (slot == ACL_CHUNK * ACL_CHUNKS)
			return -ENOSPC;
		if (slot == t->room) {
			uint32_t room = t->room ? t->room * 2 : ACL_CHUNK;
			uint32_t *next = realloc(t->next, room * sizeof(*next));

			if (!next)
				return -ENOMEM;
			t->next = next;
			t->room = room;
		}
		if (slot % ACL_CHUNK == 0) {
			chunk = calloc(ACL_CHUNK, sizeof(*chunk));
			if (!chunk)
				return -ENOMEM;
			atomic_store_explicit(&t->chunks[slot / ACL_CHUNK], chunk,
			    memory_order_release);
		}
		t->top++;
	}
	rule->slot = slot;
	chunk = atomic_load_explicit(&t->chunks[slot / ACL_CHUNK], memory_order_relaxed);
	/* Release pairs with the acquire in acl_rule_at. */
	atomic_store_explicit(&chunk[slot % ACL_CHUNK], rule, memory_order_release);
	return 0;
}

void
acl_rules_give(struct acl_rules *t, uint32_t slot)
{
	_Atomic(const struct acl_rule *) *chunk =
	    atomic_load_explicit(&t->chunks[slot / ACL_CHUNK], memory_order_relaxed);

	atomic_store_explicit(&chunk[slot % ACL_CHUNK], NULL, memory_order_relaxed);
	t->next[slot] = t->free;
	t->free = slot + 1;
}

void
acl_rules_close(struct acl_rules *t)
{
	for (unsigned i = 0; i < ACL_CHUNKS; i++)
		free(atomic_load_explicit(&t->chunks[i], memory_order_relaxed));
	free(t->next);
}

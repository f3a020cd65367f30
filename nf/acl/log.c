/* SPDX-License-Identifier: Apache-2.0 */
/* Samples for the log: workers put a packet's first bytes into a ring of their own, and the control
 * thread writes a line for each once a second. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/packet/print.h"
#include "nf/acl/acl_int.h"

#define SAMPLES 128u

struct sample {
	uint32_t slot; /* of the rule */
	uint16_t interface;
	uint16_t len, total;
	bool out;
	uint8_t bytes[ACL_SNAP];
};

/* One worker puts, the control thread gets. */
struct acl_samples {
	MR_CACHE_ALIGNED _Atomic uint32_t tail; /* the worker's */
	MR_CACHE_ALIGNED _Atomic uint32_t head; /* control's */
	struct sample at[SAMPLES];
};

int
acl_log_open(struct acl *acl)
{
	for (unsigned w = 0; w < acl->workers; w++) {
		acl->samples[w] = aligned_alloc(MR_CACHE_LINE,
		    MR_ALIGN_UP(sizeof(struct acl_samples), (size_t)MR_CACHE_LINE));
		if (!acl->samples[w])
			return -ENOMEM;
		memset(acl->samples[w], 0, sizeof(*acl->samples[w]));
	}
	return 0;
}

void
acl_log_close(struct acl *acl)
{
	for (unsigned w = 0; w < acl->workers; w++)
		free(acl->samples[w]);
}

void
acl_log_sample(const struct acl_case *c, const struct acl_rule *rule)
{
	struct acl_samples *ring = c->stage->acl->samples[c->run->worker];
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	struct sample *s = &ring->at[tail % SAMPLES];

	/* Acquire pairs with the release in acl_log_drain: the sample there has been read. */
	if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == SAMPLES) {
		mr_node_count(c->run, ACL_COUNT_LOG_LOST, 1);
		return;
	}
	s->slot = rule->slot;
	s->interface = c->stage->interface;
	s->out = c->stage->out;
	s->len = (uint16_t)MR_MIN((unsigned)c->p->len, ACL_SNAP);
	s->total = (uint16_t)MR_MIN(c->p->total, (uint32_t)UINT16_MAX);
	memcpy(s->bytes, mr_packet_bytes_const(c->p), s->len);
	/* Release pairs with the acquire in acl_log_drain. */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

static void
write_line(struct acl *acl, const struct sample *s)
{
	const struct mr_interface *i = mr_interface_at(mr_interfaces_of(acl->dp), s->interface);
	const struct acl_rule *rule = acl_rule_at(&acl->own.rules, s->slot);
	char text[MR_PACKET_PRINT_MAX];

	mr_packet_print_first(text, sizeof(text), s->bytes, s->len, s->total);
	/* Its rule may be gone meanwhile. */
	mr_log(mr_dataplane_log(acl->dp), MR_LOG_NOTICE, "%s%srule %s, %s %s: %s",
	    rule ? rule->account->prefix : "", rule && rule->account->prefix[0] ? " " : "",
	    rule ? rule->name : "?", s->out ? "out by" : "in by", i ? i->name : "?", text);
}

void
acl_log_drain(struct acl *acl)
{
	for (unsigned w = 0; w < acl->workers; w++) {
		struct acl_samples *ring = acl->samples[w];
		uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
		uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

		for (; head != tail; head++)
			write_line(acl, &ring->at[head % SAMPLES]);
		atomic_store_explicit(&ring->head, head, memory_order_release);
	}
}

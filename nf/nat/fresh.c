/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/fresh_int.h"

#include <string.h>

#include "nf/nat/translate_int.h"

/* Whether making its mapping is nothing but to take a port for it. */
static bool
is_plain(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k)
{
	return !s->dry && n->pool && !n->fixed && n->mapping == NAT_ENDPOINT_INDEPENDENT &&
	    !(k->tcp & MR_TCP_RST) && (k->proto != MR_IP_PROTO_ICMP || k->query) &&
	    !nat_is_own(n, k->src);
}

void
nat_fresh_want(struct nat_fresh *f, const struct nat_pass *s, const struct nat_instance *n,
    struct nat_packet *k)
{
	uint16_t *at = &f->by_hash[k->hash >> 48 & (MR_VECTOR_MAX - 1)];

	if (!is_plain(s, n, k))
		return;
	if (!f->count)
		memset(f->by_hash, 0, sizeof(f->by_hash));
	/* The same flow's second packet, or one that looks like it. */
	if (*at)
		return;
	f->of[f->count] = (struct nat_fresh_one){ .hash = k->hash, .instance = n, .packet = k };
	*at = (uint16_t)++f->count;
}

void
nat_fresh_take(struct nat_fresh *f, const struct nat_pass *s)
{
	uint32_t numbers[MR_VECTOR_MAX];
	unsigned got = 0;

	if (mr_likely(!f->count))
		return;
	got = mr_pool_get(s->table->numbers, s->run->worker, numbers, f->count);
	/* Who finds none left is told when it is its turn. */
	f->count = got;
	for (unsigned i = 0; i < got; i++)
		mr_prefetch_write(&s->table->entries[numbers[i]]);
	for (unsigned i = 0; i < got; i++) {
		struct nat_fresh_one *one = &f->of[i];
		const struct nat_packet *k = one->packet;
		uint8_t inside[16] = { 0 };

		memcpy(inside, &k->src, 4);
		one->number = numbers[i];
		one->rc = nat_taken(nat_pool_pick(one->instance->pool, s->run->worker, inside,
		    false, nat_pool_proto(k->proto), k->sport, s->run->seconds, &one->outside));
		one->packet->fresh = i + 1;
	}
}

uint32_t
nat_fresh_use(struct nat_fresh *f, const struct nat_packet *k, uint32_t *number,
    struct nat_outside *o)
{
	struct nat_fresh_one *one = &f->of[k->fresh - 1];

	*number = one->number;
	*o = one->outside;
	one->number = 0;
	return one->rc;
}

void
nat_fresh_end(struct nat_fresh *f, const struct nat_pass *s)
{
	uint32_t unused[MR_VECTOR_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < f->count; i++) {
		const struct nat_fresh_one *one = &f->of[i];
		struct nat_pool *pool = one->instance->pool;
		enum nat_proto proto = nat_pool_proto(one->packet->proto);

		if (mr_likely(!one->number))
			continue;
		if (one->rc == NAT_DONE) {
			nat_pool_own(pool, &one->outside, proto, one->number);
			nat_pool_give(pool, s->run->worker, &one->outside, proto, one->number,
			    s->run->seconds);
		}
		unused[count++] = one->number;
	}
	if (count)
		mr_pool_put(s->table->numbers, s->run->worker, unused, count);
}

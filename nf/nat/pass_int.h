/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_PASS_INT_H
#define MR_NF_NAT_PASS_INT_H

/* What the two nodes do with a packet alike. */

#include "nf/nat/nat_int.h"

/* How many packets ahead the bytes are fetched. */
#define NAT_AHEAD 8u

mr_inline struct nat_pass
nat_pass_of(struct mr_node_run *run, struct mr_recorder *rec, struct nat_fresh *fresh)
{
	struct nat_self *self = run->self;

	return (struct nat_pass){ self, self->core, self->core->table,
		mr_rcu_read(&self->core->view), run, rec, mr_record_is_dry(rec), fresh };
}

/* Headers in one piece; long ones may lie in two segments. */
mr_inline void
nat_pull(struct mr_node_run *run, uint32_t packet, const struct mr_packet *p)
{
	if (mr_unlikely(p->len < p->total && p->len < 256))
		(void)mr_packet_pull(run->buffers, run->worker, packet, MR_MIN(p->total, 256u));
}

mr_inline void
nat_record_found(const struct nat_pass *s, const struct mr_packet *p, const struct nat_packet *k,
    const struct nat_found *f, const char *note)
{
	if (mr_likely(!mr_recorded(s->rec, p)))
		return;
	mr_record_note(s->rec, p, f->mapping ? note : NAT_NOTE_NEW, f->mapping);
	if (!f->open || k->first)
		mr_record_uncacheable(s->rec, p,
		    "its session opens or closes, or an ALG looks at it");
	else if (f->number)
		mr_record_call(s->rec, p,
		    f->number | (f->refresh ? NAT_ARG_REFRESH : 0) |
			(k->proto == MR_IP_PROTO_TCP ? NAT_ARG_OPEN : 0) |
			(f->word >> NAT_AGE_SHIFT & NAT_ARG_AGE) << NAT_ARG_AGE_SHIFT,
		    true);
}

mr_inline mr_verdict_t
nat_pass_on(const struct nat_pass *s, const struct mr_packet *p)
{
	mr_node_count_packet(s->run, s->rec, p, NAT_PASSED_COUNTER, 1);
	return mr_verdict_edge(0);
}

mr_inline mr_verdict_t
nat_refuse(const struct nat_pass *s, const struct nat_instance *n, const struct mr_packet *p,
    uint32_t drop)
{
	mr_record_uncacheable(s->rec, p, "the translator drops it");
	return nat_drop(s, n, drop);
}

#endif

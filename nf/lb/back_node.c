/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lb-back: what a server sends to a client gets the service's address as its source, before
 * connections and rules see it. What no entry tells is a server's own affair and goes on as it is.
 */
#include <string.h>

#include "nf/lb/node_int.h"

/* The client, in wire order. */
static void
client_of(const struct lb_found *f, uint8_t bytes[16])
{
	memcpy(bytes, f->front, 16);
}

/* Larger than some way out, or at the end of its time: the server is told about the packet that
 * it sent, not about what would become of it. */
static bool
refused(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    const uint8_t *client, mr_verdict_t *verdict)
{
	unsigned least = atomic_load_explicit(&s->core->mtu_least, memory_order_relaxed), mtu;

	if (lb_ttl(p, k) <= 1) {
		mr_node_count(s->run, LB_NODE_EXPIRED, 1);
		*verdict = lb_refuse(p, k, MR_ICMP4_TIME_EXCEEDED, 0, MR_ICMP6_TIME_EXCEEDED, 0, 0);
		return true;
	}
	if (mr_likely(!least || k->ip_len <= least) || (p->flags & MR_PACKET_GSO) ||
	    lb_may_cut(p, k))
		return false;
	mtu = lb_route_mtu(s->core->ip, k->interface, k->six, client);
	if (!mtu || k->ip_len <= mtu)
		return false;
	*verdict = lb_too_big(s, p, k, mtu);
	return true;
}

static mr_verdict_t
translate(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    const struct lb_found *f)
{
	const struct lb_address *own = &s->view->addresses[LB_TAIL_PLACE(f->front[2])];
	unsigned least = atomic_load_explicit(&s->core->mtu_least, memory_order_relaxed);
	mr_verdict_t verdict;
	uint8_t client[16];

	client_of(f, client);
	if (refused(s, p, k, client, &verdict)) {
		mr_record_uncacheable(s->rec, p, "answered by an ICMP error");
		return verdict;
	}
	mr_record_note(s->rec, p, LB_NOTE_SERVER, f->backend | 1ull << 32);
	if (least)
		mr_guard_length(s->rec, p, k->l3 + least);
	if (!s->dry) {
		lb_traffic(s->core, s->run->worker, f->backend, LB_TRAFFIC_BACK_PACKETS, 1);
		lb_traffic(s->core, s->run->worker, f->backend, LB_TRAFFIC_BACK_BYTES, p->total);
	}
	mr_record_tally(s->rec, p, f->backend | LB_TALLY_BACK);
	lb_edit_end(s, p, k, false, own->bytes, LB_TAIL_OWN_PORT(f->front[2]));
	if (LB_TAIL_FLAGS(f->back_tail) & LB_KEY_FULL)
		lb_edit_end(s, p, k, true, client, LB_TAIL_PEER_PORT(f->front[2]));
	p->flags |= MR_PACKET_TRANSLATED;
	return mr_verdict_edge(LB_EDGE_NEXT);
}

/* The answer to a SYN that got no entry. */
static mr_verdict_t
without_entry(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	const struct lb_reverse *r;
	uint8_t flags = k->tcp_flags & (MR_TCP_SYN | MR_TCP_ACK | MR_TCP_RST);

	if (flags != (MR_TCP_SYN | MR_TCP_ACK) && !(flags & MR_TCP_RST)) {
		/* It may be a connection's by the time that another packet comes. */
		mr_record_uncacheable(s->rec, p, "a server's, but of no connection");
		return mr_verdict_edge(LB_EDGE_NEXT);
	}
	r = lb_reverse_find(s->view, &s->view->addresses[k->place], k->proto, k->sport);
	if (!r || (LB_TAIL_FLAGS(k->key.w[2]) & LB_KEY_FULL))
		return mr_verdict_edge(LB_EDGE_NEXT);
	/* To the router itself, which asks servers whether they are fit. */
	if (lb_route_is_own(s->core->ip, k->interface, k->six,
		mr_packet_bytes_const(p) + k->l3 + (k->six ? 24 : 16)))
		return mr_verdict_edge(LB_EDGE_NEXT);
	mr_node_count(s->run, LB_NODE_STATELESS, 1);
	lb_edit_end(s, p, k, false, s->view->addresses[r->address].bytes,
	    r->port ? r->port : k->sport);
	p->flags |= MR_PACKET_TRANSLATED;
	return mr_verdict_edge(LB_EDGE_NEXT);
}

/* Whether what was found may still be used: its service and address are those of this view. */
static bool
is_current(const struct lb_pass *s, const struct lb_found *f)
{
	return f->backend < s->view->backend_end && f->service < s->view->service_end &&
	    s->view->services[f->service].present &&
	    LB_TAIL_PLACE(f->front[2]) < s->view->address_count &&
	    (lb_fit(s->core, f->backend) & LB_FIT_OLD);
}

static bool
known(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k,
    struct lb_found *f)
{
	if (!lb_find_back(s->core->table, s->worker, &k->key, k->hash, s->run->seconds, f))
		return false;
	mr_record_read(s->rec, p, "lb-backend", &s->core->live[f->backend].changed);
	return is_current(s, f);
}

static mr_verdict_t
flow(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	struct lb_found f;

	if (!known(s, p, k, &f))
		return without_entry(s, p, k);
	if (!s->dry)
		lb_advance(s, &f, k, true);
	mr_record_call(s->rec, p, lb_call_arg(f.index, f.word), true);
	return translate(s, p, k, &f);
}

static mr_verdict_t
piece(const struct lb_pass *s, struct mr_packet *p, struct lb_packet *k)
{
	mr_node_count(s->run, LB_NODE_PIECES, 1);
	if (!lb_piece_ports(s, p, k))
		return mr_verdict_drop(s->dry ? LB_DROP_EXPLAINED : LB_DROP_EARLY);
	lb_piece_key(s, p, k, true);
	k->hash = lb_hash(s->core->table, &k->key);
	return flow(s, p, k);
}

/* From a server, or from the way to one, about what a client sent. */
static mr_verdict_t
error(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	const struct lb_address *own;
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3;
	struct lb_found f;
	uint8_t client[16];
	bool by_server;

	if (!known(s, p, k, &f))
		return mr_verdict_edge(LB_EDGE_NEXT);
	own = &s->view->addresses[LB_TAIL_PLACE(f.front[2])];
	by_server = memcmp(ip + (k->six ? 8 : 12), s->view->backends[f.backend].address,
			k->six ? 16 : 4) == 0;
	mr_node_count(s->run, LB_NODE_ERRORS, 1);
	client_of(&f, client);
	lb_edit_quoted(s, p, k, true, own->bytes, LB_TAIL_OWN_PORT(f.front[2]));
	if (LB_TAIL_FLAGS(f.back_tail) & LB_KEY_FULL) {
		lb_edit_quoted(s, p, k, false, client, LB_TAIL_PEER_PORT(f.front[2]));
		lb_edit_outer(s, p, k, true, client);
	}
	/* Nobody outside knows the server; a router between says who it is. */
	if (by_server)
		lb_edit_outer(s, p, k, false, own->bytes);
	p->flags |= MR_PACKET_TRANSLATED;
	return mr_verdict_edge(LB_EDGE_NEXT);
}

static mr_verdict_t
back_one(const struct lb_pass *s, uint32_t packet, struct lb_packet *k)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);

	switch (k->what) {
	case LB_FLOW:
		if (mr_unlikely(k->first))
			lb_piece_note(s, p, k);
		return flow(s, p, k);
	case LB_ERROR:
		return error(s, p, k);
	case LB_PIECE:
		return piece(s, p, k);
	default:
		mr_record_use(s->rec, p, MR_FLOW_SRC | MR_FLOW_PROTO);
		return mr_verdict_edge(LB_EDGE_NEXT);
	}
}

mr_inline void
back_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct lb_core *core = run->self;
	struct lb_table *t = core->table;
	struct lb_pass s = { .core = core,
		.run = run,
		.rec = rec,
		.dry = mr_record_is_dry(rec),
		.worker = mr_record_is_dry(rec) ? MR_POOL_SHARED : run->worker };
	struct lb_packet work[MR_VECTOR_MAX];

	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "lb", &core->settings);
	s.view = lb_view_of(core);
	for (unsigned i = 0; i < count; i++) {
		lb_classify_back(&s, packets[i], &work[i]);
		if (work[i].what == LB_FLOW || work[i].what == LB_ERROR) {
			work[i].hash = lb_hash(t, &work[i].key);
			mr_slots_prefetch(&t->back, work[i].hash);
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (work[i].what == LB_FLOW)
			mr_prefetch_write(&t->lines[mr_slots_guess(&t->back, work[i].hash)]);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = back_one(&s, packets[i], &work[i]);
}
MR_NODE_FUNCTIONS(back)

const struct mr_node_class lb_back_class = {
	.name = "lb-back",
	.doc = "gives what a server sends to a client the service's address as its source",
	.edges = lb_edge_names,
	.edge_count = LB_EDGES,
	.drops = lb_drops,
	.drop_count = LB_DROP_COUNT,
	.counters = lb_counters,
	.counter_count = LB_NODE_COUNT,
	MR_NODE_RUN(back),
	.replays = true,
	.replay = lb_replay,
	.tally = lb_tally,
};

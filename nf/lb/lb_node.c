/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lb: what is for a service is sent to a server. A vector goes through in three steps: what each
 * packet is, its hash, and its bucket on the way; which line may be its connection's, on the way
 * too; then, in order, the packets.
 */
#include <string.h>

#include "nf/ip/adjacency.h"
#include "nf/lb/node_int.h"

const char *const lb_edge_names[LB_EDGES] = { [LB_EDGE_NEXT] = "next", [LB_EDGE_SEND] = "send" };
const struct mr_named lb_drops[] = {
#define X(id, name, doc) { name, doc },
	LB_DROPS(X)
#undef X
};
const struct mr_named lb_counters[] = {
#define X(id, name, doc) { name, doc },
	LB_COUNTERS(X)
#undef X
};

#define CONFLICTS 4u /* other servers tried where the first cannot tell two connections apart */
#define PORT_TRIES 32u
#define PORT_FIRST 1024u

/* -- on to the server ---------------------------------------------------------------------- */

/* Too big for the way to the server, or at the end of its time: its sender is told, and sees the
 * packet as he sent it. */
static bool
refused(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, unsigned mtu,
    mr_verdict_t *verdict)
{
	if (lb_ttl(p, k) <= 1) {
		mr_node_count(s->run, LB_NODE_EXPIRED, 1);
		*verdict = lb_refuse(p, k, MR_ICMP4_TIME_EXCEEDED, 0, MR_ICMP6_TIME_EXCEEDED, 0, 0);
		return true;
	}
	if (mtu && k->ip_len > mtu && !(p->flags & MR_PACKET_GSO) && !lb_may_cut(p, k)) {
		*verdict = lb_too_big(s, p, k, mtu);
		return true;
	}
	return false;
}

static mr_verdict_t
to_neighbor(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    uint16_t backend)
{
	const struct lb_live *live = &s->core->live[backend];
	uint32_t adjacency = atomic_load_explicit(&live->adjacency, memory_order_relaxed);
	unsigned mtu = atomic_load_explicit(&live->mtu, memory_order_relaxed);
	struct mr_ip_meta meta = { .adjacency = adjacency, .mtu = (uint16_t)MR_MIN(mtu, 65535u) };
	enum mr_ip_edge edge = MR_IP_EDGE_OUTPUT;
	struct mr_ip4 ip;

	if (!adjacency)
		return mr_verdict_drop(LB_DROP_UNREACHED);
	/* The router's checks are behind us. */
	if (!k->six) {
		memcpy(&ip, mr_packet_bytes_const(p) + k->l3, sizeof(ip));
		if (ip.version_ihl == 0x45 && !mr_checksum_ipv4_header_good(&ip))
			return mr_verdict_drop(LB_DROP_MALFORMED);
		mr_edit_ttl4(s->rec, p, k->l3);
	} else {
		mr_edit_ttl6(s->rec, p, k->l3);
	}
	if (k->ip_len > mtu && !(p->flags & MR_PACKET_GSO))
		edge = MR_IP_EDGE_FRAGMENT4;
	else
		meta.flags = MR_IP_META_DECREMENTED;
	return lb_leave(p, k, edge, &meta);
}

static mr_verdict_t
translated(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    uint16_t backend, const struct lb_found *f)
{
	const struct lb_backend *b = &s->view->backends[backend];

	lb_edit_end(s, p, k, true, b->address, b->port ? b->port : k->dport);
	if (f && (LB_TAIL_FLAGS(f->back_tail) & LB_KEY_FULL)) {
		lb_edit_end(s, p, k, false, s->view->addresses[f->source].bytes,
		    LB_TAIL_PEER_PORT(f->back_tail));
		p->flags |= MR_PACKET_TRANSLATED;
	}
	return mr_verdict_edge(LB_EDGE_NEXT);
}

static mr_verdict_t
send(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, uint16_t backend,
    const struct lb_found *f)
{
	const struct lb_service *service = &s->view->services[k->service];
	unsigned mtu = atomic_load_explicit(&s->core->live[backend].mtu, memory_order_relaxed);
	bool tunnel = service->mode == LB_MODE_IPIP || service->mode == LB_MODE_GUE;
	mr_verdict_t verdict;

	mr_record_note(s->rec, p, LB_NOTE_SERVER, backend);
	if (!tunnel && refused(s, p, k, mtu, &verdict)) {
		mr_record_uncacheable(s->rec, p, "answered by an ICMP error");
		return verdict;
	}
	if (!tunnel && mtu)
		mr_guard_length(s->rec, p, k->l3 + mtu);
	if (!s->dry) {
		lb_traffic(s->core, s->run->worker, backend, LB_TRAFFIC_PACKETS, 1);
		lb_traffic(s->core, s->run->worker, backend, LB_TRAFFIC_BYTES, p->total);
	}
	mr_record_tally(s->rec, p, backend);
	if (tunnel)
		return lb_encapsulate(s, p, k, backend);
	return service->mode == LB_MODE_L2 ? to_neighbor(s, p, k, backend)
					   : translated(s, p, k, backend, f);
}

/* -- a new connection ---------------------------------------------------------------------- */

/* What joins midway has to show that it goes on, as a SYN has. */
static uint32_t
first_limit(const struct lb_service *service, const struct lb_packet *k, uint8_t *state)
{
	*state = LB_OPEN;
	if (k->proto == MR_IP_PROTO_UDP)
		return service->timeouts[LB_TIMEOUT_UDP];
	if (k->tcp_flags & MR_TCP_RST) {
		*state = LB_CLOSED;
		return service->timeouts[LB_TIMEOUT_CLOSE];
	}
	if (k->tcp_flags & MR_TCP_FIN) {
		*state = LB_FIN;
		return service->timeouts[LB_TIMEOUT_FIN];
	}
	*state = LB_BEGUN;
	return service->timeouts[LB_TIMEOUT_SYN];
}

/* What the server will see as its peer, and thus answer to. */
static void
back_of(const struct lb_pass *s, struct lb_new *n, const struct lb_packet *k, uint64_t draw)
{
	const struct lb_service *service = &s->view->services[n->service];
	const struct lb_backend *b = &s->view->backends[n->backend];
	uint16_t server_port = b->port ? b->port : k->dport, port = k->sport;
	unsigned flags = k->six ? LB_KEY_SIX : 0;

	n->back.w[0] = k->key.w[0];
	n->back.w[1] = k->key.w[1];
	if (service->mode == LB_MODE_FULL) {
		unsigned first = service->source_first + (k->six ? service->source_count[0] : 0u);

		n->source =
		    s->view
			->sources[first + (uint32_t)(draw >> 32) % service->source_count[k->six]];
		/* The client's own port where that is free. */
		if (draw)
			port = (uint16_t)(PORT_FIRST + (draw & 0xffffffff) % (65536 - PORT_FIRST));
		n->back.w[0] = n->source;
		n->back.w[1] = 0;
		flags |= LB_KEY_FULL;
	}
	n->back.w[2] = LB_KEY_TAIL(port, server_port, b->number, k->proto, flags);
	n->back_hash = lb_hash(s->core->table, &n->back);
}

static enum lb_added
add(const struct lb_pass *s, struct lb_new *n, const struct lb_packet *k, struct lb_found *f)
{
	uint8_t mode = s->view->services[n->service].mode;
	unsigned tries = mode == LB_MODE_FULL ? PORT_TRIES : 1;
	uint64_t draw = 0, seed = k->hash ^ s->run->now;
	enum lb_added result = LB_CONFLICT;

	n->flags = LB_COUNTED;
	if (mode != LB_MODE_NAT && mode != LB_MODE_FULL)
		return lb_add(s->core->table, s->worker, n, s->run->seconds, f);
	n->flags |= LB_BACKED;
	for (unsigned i = 0; i < tries && result == LB_CONFLICT; i++) {
		back_of(s, n, k, draw);
		result = lb_add(s->core->table, s->worker, n, s->run->seconds, f);
		seed = (seed + 0x9e3779b97f4a7c15u) * 0xd1342543de82ef95u;
		draw = seed | 1;
	}
	return result;
}

static void
sticky_key(const struct lb_packet *k, struct lb_key *key)
{
	*key = k->key;
	key->w[2] =
	    LB_KEY_TAIL(k->service, 0, 0, k->proto, LB_KEY_STICKY | (k->six ? LB_KEY_SIX : 0));
}

/* Where the client's connections go, if that is known and the server fit. */
static bool
stuck(const struct lb_pass *s, const struct lb_packet *k, uint16_t *backend)
{
	struct lb_found f;
	struct lb_key key;

	sticky_key(k, &key);
	if (!lb_find(s->core->table, s->worker, &key, lb_hash(s->core->table, &key),
		s->run->seconds, &f))
		return false;
	if (!(lb_fit(s->core, f.backend) & LB_FIT_NEW)) {
		if (!s->dry)
			(void)lb_end(s->core->table, s->worker, f.index, f.word, LB_COUNT_MOVED);
		return false;
	}
	if (!s->dry) {
		lb_touch(&s->core->table->lines[f.index], s->run->seconds);
		mr_node_count(s->run, LB_NODE_STICKY, 1);
	}
	*backend = f.backend;
	return true;
}

static void
stick(const struct lb_pass *s, const struct lb_packet *k, uint16_t backend)
{
	struct lb_new n = { .backend = backend,
		.service = k->service,
		.state = LB_STICKY,
		.limit = s->view->services[k->service].sticky };
	struct lb_found f;

	sticky_key(k, &n.front);
	n.front_hash = lb_hash(s->core->table, &n.front);
	(void)lb_add(s->core->table, s->worker, &n, s->run->seconds, &f);
}

mr_inline bool
is_syn(const struct lb_packet *k)
{
	return (k->tcp_flags & (MR_TCP_SYN | MR_TCP_ACK)) == MR_TCP_SYN;
}

/* Whether this SYN gets no entry: its client has yet to show that it is there. */
static bool
is_kept_out(const struct lb_pass *s, const struct lb_service *service, const struct lb_packet *k)
{
	if (!is_syn(k) || !service->stateless || service->syn == LB_SYN_OFF)
		return false;
	return service->syn == LB_SYN_ON || lb_is_pressed(s->core->table);
}

static mr_verdict_t
stateless(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k, uint16_t backend)
{
	mr_record_uncacheable(s->rec, p, "has no entry");
	mr_node_count(s->run, LB_NODE_STATELESS, 1);
	mr_node_count(s->run, LB_NODE_SYNS, is_syn(k));
	return send(s, p, k, backend, NULL);
}

/* The n-th server for it; a drop where there is none. */
static bool
choose(const struct lb_pass *s, const struct lb_packet *k, bool plain, unsigned n,
    uint16_t *backend, mr_verdict_t *verdict)
{
	const struct lb_service *service = &s->view->services[k->service];
	uint64_t hash = lb_flow_hash(s->view, k, service->sticky != 0);
	enum lb_chosen chosen;

	if (n == 0 && service->sticky && stuck(s, k, backend))
		return true;
	chosen = lb_choose(s->core, s->view, k->service, k->six, hash + n * 0x9e3779b97f4a7c15u,
	    plain, s->dry, backend);
	*verdict = mr_verdict_drop(chosen == LB_CHOSEN_NONE ? LB_DROP_NONE : LB_DROP_BUSY);
	return chosen == LB_CHOSEN;
}

static mr_verdict_t
begin(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	const struct lb_service *service = &s->view->services[k->service];
	bool out = is_kept_out(s, service, k);
	/* What joins midway was somewhere before, and if by Maglev, it gets there again. */
	bool plain = out || (k->proto == MR_IP_PROTO_TCP && !is_syn(k));
	struct lb_new n = { .front = k->key, .front_hash = k->hash, .service = k->service };
	enum lb_added added = LB_CONFLICT;
	mr_verdict_t verdict = mr_verdict_drop(LB_DROP_NONE);
	struct lb_found f;

	n.limit = first_limit(service, k, &n.state);
	for (unsigned i = 0; i < CONFLICTS && added == LB_CONFLICT; i++) {
		if (!choose(s, k, plain, i, &n.backend, &verdict)) {
			mr_record_uncacheable(s->rec, p, "no server is fit");
			return verdict;
		}
		mr_record_read(s->rec, p, "lb-backend", &s->core->live[n.backend].changed);
		if (out || s->dry)
			return stateless(s, p, k, n.backend);
		added = add(s, &n, k, &f);
	}
	if (added == LB_FULL && service->stateless)
		return stateless(s, p, k, n.backend);
	if (added == LB_FULL)
		return mr_verdict_drop(LB_DROP_FULL);
	if (added == LB_CONFLICT)
		return mr_verdict_drop(
		    service->mode == LB_MODE_FULL ? LB_DROP_PORTS : LB_DROP_CONFLICT);
	if (added == LB_ADDED) {
		mr_node_count(s->run, LB_NODE_BEGUN, 1);
		lb_traffic(s->core, s->worker, f.backend, LB_TRAFFIC_CONNECTIONS, 1);
		if (service->sticky)
			stick(s, k, f.backend);
	}
	/* Its next packet changes what is remembered. */
	mr_record_uncacheable(s->rec, p, "its connection begins");
	return send(s, p, k, f.backend, &f);
}

/* -- a connection's packet ----------------------------------------------------------------- */

void
lb_advance(const struct lb_pass *s, const struct lb_found *f, const struct lb_packet *k, bool back)
{
	const struct lb_service *service = &s->view->services[f->service];
	struct lb_line *c = &s->core->table->lines[f->index];

	lb_touch(c, s->run->seconds);
	if (k->what == LB_PIECE)
		return;
	if (k->proto == MR_IP_PROTO_UDP) {
		if (!(f->word & LB_ASSURED) && (back || !(f->word & LB_BACKED)))
			lb_assure(c, f->word);
		return;
	}
	if (!back && !(f->word & LB_ASSURED) && !(k->tcp_flags & MR_TCP_SYN))
		lb_assure(c, f->word);
	if (mr_unlikely(k->tcp_flags & MR_TCP_RST) && f->state != LB_CLOSED)
		lb_enter(c, LB_CLOSED, service->timeouts[LB_TIMEOUT_CLOSE]);
	else if (mr_unlikely(k->tcp_flags & MR_TCP_FIN) && f->state < LB_FIN)
		lb_enter(c, LB_FIN, service->timeouts[LB_TIMEOUT_FIN]);
	else if (f->state == LB_BEGUN && !back && !(k->tcp_flags & MR_TCP_SYN))
		lb_enter(c, LB_OPEN, service->timeouts[LB_TIMEOUT_TCP]);
}

/* A client begins anew with the same port: on the same server, for flows of the lane may lead
 * there yet. False: that one takes no new ones. */
static bool
begins_anew(const struct lb_pass *s, struct lb_found *f)
{
	struct lb_live *live = &s->core->live[f->backend];

	if (lb_fit(s->core, f->backend) & LB_FIT_NEW) {
		if (s->dry)
			return true;
		lb_restart(s->core->table, s->worker, f,
		    s->view->services[f->service].timeouts[LB_TIMEOUT_TCP], s->run->seconds);
		mr_node_count(s->run, LB_NODE_BEGUN, 1);
		lb_traffic(s->core, s->run->worker, f->backend, LB_TRAFFIC_CONNECTIONS, 1);
		return true;
	}
	if (!s->dry) {
		(void)lb_end(s->core->table, s->worker, f->index, f->word, LB_COUNT_REUSED);
		mr_generation_bump(&live->changed);
	}
	return false;
}

/* Whether what was found is where the packet is to go; if not, it is ended. */
static bool
still_good(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k,
    struct lb_found *f)
{
	mr_record_read(s->rec, p, "lb-backend", &s->core->live[f->backend].changed);
	if (f->backend < s->view->backend_end && f->service == k->service &&
	    (lb_fit(s->core, f->backend) & LB_FIT_OLD))
		return !is_syn(k) || f->state < LB_FIN || begins_anew(s, f);
	if (s->dry)
		return false;
	mr_node_count(s->run, LB_NODE_AGAIN, 1);
	(void)lb_end(s->core->table, s->worker, f->index, f->word, LB_COUNT_MOVED);
	return false;
}

static mr_verdict_t
flow(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	struct lb_found f;
	bool summed;

	mr_record_note(s->rec, p, LB_NOTE_SERVICE, k->service);
	if (!lb_find(s->core->table, s->worker, &k->key, k->hash, s->run->seconds, &f) ||
	    !still_good(s, p, k, &f))
		return begin(s, p, k);
	if (!s->dry)
		lb_advance(s, &f, k, false);
	summed = k->proto == MR_IP_PROTO_UDP && lb_is_summed(s, f.backend);
	mr_record_call(s->rec, p, lb_call_arg(f.index, f.word) | (summed ? LB_ARG_SUMMED : 0),
	    !summed);
	return send(s, p, k, f.backend, &f);
}

/* -- others --------------------------------------------------------------------------------- */

static mr_verdict_t
piece(const struct lb_pass *s, struct mr_packet *p, struct lb_packet *k)
{
	mr_node_count(s->run, LB_NODE_PIECES, 1);
	if (!lb_piece_ports(s, p, k))
		return mr_verdict_drop(s->dry ? LB_DROP_EXPLAINED : LB_DROP_EARLY);
	lb_piece_key(s, p, k, false);
	if (k->service == LB_NONE)
		return mr_verdict_edge(LB_EDGE_NEXT);
	k->hash = lb_hash(s->core->table, &k->key);
	return flow(s, p, k);
}

/* From a client, or from the way to one, about what a server sent. */
static mr_verdict_t
error(const struct lb_pass *s, struct mr_packet *p, struct lb_packet *k)
{
	const struct lb_backend *b;
	uint16_t backend = LB_NONE;
	mr_verdict_t verdict;
	bool known;
	struct lb_found f;

	if (k->service == LB_NONE)
		return mr_verdict_edge(LB_EDGE_NEXT);
	known = lb_find(s->core->table, s->worker, &k->key, k->hash, s->run->seconds, &f);
	k->service = known ? f.service
			   : lb_rule_find(s->view, &s->view->addresses[k->place], k->proto,
				 LB_TAIL_OWN_PORT(k->key.w[2]));
	if (k->service == LB_NONE)
		return mr_verdict_edge(LB_EDGE_NEXT);
	if (known)
		backend = f.backend;
	else if (!s->view->services[k->service].stateless ||
	    !choose(s, k, true, 1, &backend, &verdict))
		return mr_verdict_drop(LB_DROP_ERROR);
	mr_node_count(s->run, LB_NODE_ERRORS, 1);
	if (s->view->services[k->service].mode > LB_MODE_FULL)
		return send(s, p, k, backend, NULL);
	b = &s->view->backends[backend];
	lb_edit_quoted(s, p, k, false, b->address, b->port ? b->port : k->sport);
	if (known && (LB_TAIL_FLAGS(f.back_tail) & LB_KEY_FULL))
		lb_edit_quoted(s, p, k, true, s->view->addresses[f.source].bytes,
		    LB_TAIL_PEER_PORT(f.back_tail));
	lb_edit_outer(s, p, k, true, b->address);
	return mr_verdict_edge(LB_EDGE_NEXT);
}

/* To a port where there is no service. */
static mr_verdict_t
no_service(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	mr_node_count(s->run, LB_NODE_NO_SERVICE, 1);
	mr_record_use(s->rec, p, MR_FLOW_DST | MR_FLOW_PROTO | MR_FLOW_DPORT);
	if (atomic_load_explicit(&s->core->own[k->place], memory_order_relaxed))
		return mr_verdict_edge(LB_EDGE_NEXT);
	if (!(s->view->addresses[k->place].roles & LB_ROLE_SERVICE))
		return mr_verdict_drop(LB_DROP_CLOSED);
	return lb_refuse(p, k, MR_ICMP4_UNREACHABLE, MR_ICMP4_UNREACHABLE_PORT,
	    MR_ICMP6_UNREACHABLE, 4, 0);
}

static mr_verdict_t
ping(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k)
{
	bool own = atomic_load_explicit(&s->core->own[k->place], memory_order_relaxed);

	mr_record_uncacheable(s->rec, p, "answered");
	mr_node_count(s->run, LB_NODE_PINGS, 1);
	if (own)
		return mr_verdict_edge(LB_EDGE_NEXT);
	if (!(s->view->addresses[k->place].roles & LB_ROLE_PING))
		return mr_verdict_drop(LB_DROP_CLOSED);
	return lb_leave(p, k, MR_IP_EDGE_LOCAL, &(struct mr_ip_meta){ 0 });
}

static mr_verdict_t
lb_one(const struct lb_pass *s, uint32_t packet, struct lb_packet *k)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);

	switch (k->what) {
	case LB_FLOW:
		if (mr_unlikely(k->first))
			lb_piece_note(s, p, k);
		return flow(s, p, k);
	case LB_NO_SERVICE:
		return no_service(s, p, k);
	case LB_PING:
		return ping(s, p, k);
	case LB_ERROR:
		return error(s, p, k);
	case LB_PIECE:
		return piece(s, p, k);
	case LB_ARP:
	case LB_ND:
		return lb_answer(s, packet, k);
	default:
		mr_record_use(s->rec, p, MR_FLOW_DST);
		return mr_verdict_edge(LB_EDGE_NEXT);
	}
}

mr_inline void
lb_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
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

	/* What is written down must be older than what is read. */
	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "lb", &core->settings);
	s.view = lb_view_of(core);
	for (unsigned i = 0; i < count; i++) {
		lb_classify_front(&s, packets[i], &work[i]);
		if (work[i].what == LB_FLOW || work[i].what == LB_ERROR) {
			work[i].hash = lb_hash(t, &work[i].key);
			mr_slots_prefetch(&t->front, work[i].hash);
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (work[i].what == LB_FLOW)
			mr_prefetch_write(&t->lines[mr_slots_guess(&t->front, work[i].hash)]);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = lb_one(&s, packets[i], &work[i]);
}
MR_NODE_FUNCTIONS(lb)

const struct mr_node_class lb_class = {
	.name = "lb",
	.doc = "sends what is for a service to one of its servers",
	.edges = lb_edge_names,
	.edge_count = LB_EDGES,
	.drops = lb_drops,
	.drop_count = LB_DROP_COUNT,
	.counters = lb_counters,
	.counter_count = LB_NODE_COUNT,
	MR_NODE_RUN(lb),
	.replays = true,
	.replay = lb_replay,
	.tally = lb_tally,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nat64-out and nat64-in. IPv6 from inside to the translator's prefix becomes IPv4 behind rules and
 * connections, IPv4 from outside to an address of the pool becomes IPv6 in front of them, so that both
 * directions are one connection to them. Both are routed then. What is neither passes by.
 */
#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"
#include "kit/flow/key.h"
#include "nf/xlat/xlat_int.h"
#include "nf/nat64/nat64_int.h"

enum { INSIDE, OUTSIDE };

static mr_verdict_t
answer(const struct n64_pass *s, uint32_t packet, const struct xlat *x, unsigned l3, bool six,
    const uint8_t from[16], uint8_t type, uint8_t code, uint32_t word, uint32_t drop)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);

	(void)x;
	mr_record_uncacheable(s->rec, p, "the translator answers it");
	if (!n64_answer(s, packet, l3, six, from, type, code, word))
		return mr_verdict_drop(drop);
	mr_node_count(s->run, N64_COUNTER_ANSWERED, 1);
	return mr_verdict_output(p->port);
}

/* Our address as IPv6 sees it. */
static void
own6(const struct n64_instance *n, uint8_t out[16])
{
	xlat_embed(&n->prefix, n->self, out);
}

/* -- translation ------------------------------------------------------------------------------ */

static void
record_way(const struct n64_pass *s, const struct mr_packet *p, const struct xlat *x,
    const struct n64_instance *n, const struct n64_way *way)
{
	unsigned most = MR_MIN(n->mtu, n->cut);
	bool summed = !x->six && x->outer.proto == MR_IP_PROTO_UDP;

	if (mr_likely(!mr_recorded(s->rec, p)))
		return;
	mr_record_note(s->rec, p, x->six ? N64_NOTE_OUT : N64_NOTE_IN, way->session);
	if (!way->session || !way->open) {
		mr_record_uncacheable(s->rec, p, "its session opens, closes, or is none");
		return;
	}
	/* Longer ones are answered, or cut. */
	if (!x->six)
		mr_guard_length(s->rec, p, x->outer.at + most - 20);
	mr_record_call(s->rec, p, n64_arg(way->session, way->word, summed), !summed);
}

/* What has become too long for the inside, unless it may be cut (RFC 7915, 4). */
static bool
is_too_big(const struct xlat *x, const struct mr_packet *p, const struct n64_instance *n)
{
	return !x->six && !p->gso_size && x->outer.whole &&
	    x->outer.payload + 40 + (x->outer.fragment ? 8 : 0) > n->mtu;
}

mr_verdict_t
n64_translate(const struct n64_pass *s, uint32_t packet, struct xlat *x,
    const struct n64_instance *n, const struct n64_way *way, be32_t remote)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const struct xlat_pass pass = n64_xlat(s);
	struct xlat_to to = { .mtu4 = n->mtu, .mtu6 = n->mtu };
	unsigned l3 = x->outer.at;
	enum xlat_result result;
	bool cut = false;

	if (is_too_big(x, p, n)) {
		uint8_t from[16] = { 0 };

		memcpy(from, mr_packet_bytes(p) + l3 + 16, 4);
		return answer(s, packet, x, l3, false, from, MR_ICMP4_UNREACHABLE,
		    MR_ICMP4_UNREACHABLE_NEED_FRAG, n->mtu - 20u, N64_DROP_TOO_BIG);
	}
	to.outer.sport = x->outer.sport;
	to.outer.dport = x->outer.dport;
	if (x->six) {
		memcpy(to.outer.src, &way->outside, 4);
		memcpy(to.outer.dst, &remote, 4);
		to.outer.sport = way->outside_port;
		if (x->outer.kind == XLAT_ECHO)
			to.outer.dport = to.outer.sport;
	} else {
		xlat_embed(&n->prefix, remote, to.outer.src);
		memcpy(to.outer.dst, way->inside, 16);
		to.outer.dport = way->inside_port;
		if (x->outer.kind == XLAT_ECHO)
			to.outer.sport = to.outer.dport;
		if (!x->outer.whole && !p->gso_size && x->outer.kind != XLAT_ECHO &&
		    x->outer.payload + 40 + (x->outer.fragment ? 8 : 0) > n->cut)
			cut = x->outer.fragment = true;
	}
	if (x->outer.kind != XLAT_PIECE)
		record_way(s, p, x, n, way);
	result = xlat_write(&pass, packet, x, &to);
	if (result)
		return n64_refuse(s, p, N64_DROP_XLAT + result);
	p->flags |= MR_PACKET_TRANSLATED;
	mr_node_count_packet(s->run, s->rec, p, x->six ? N64_COUNTER_OUT : N64_COUNTER_IN, 1);
	if (cut) {
		if (!n64_cut(s, packet, l3, n->cut))
			return mr_verdict_drop(N64_DROP_XLAT + XLAT_NO_ROOM);
		mr_node_count(s->run, N64_COUNTER_CUT, 1);
	}
	return mr_verdict_edge(0);
}

/* From inside to an outside end that is one of ours: through the translator twice, and IPv6 as
 * before (RFC 6146, 3.8). */
static mr_verdict_t
hairpin(const struct n64_pass *s, struct mr_packet *p, const struct xlat *x,
    const struct n64_instance *n, const struct n64_way *way, be32_t remote)
{
	const struct xlat_part *o = &x->outer;
	enum nat_proto proto = n64_proto(o);
	struct mr_l4_sum sum = xlat_sum_at(o->proto);
	struct n64_found binding;
	struct n64_key key;
	struct n64_way back;
	uint8_t src[16];
	uint32_t drop;

	mr_record_uncacheable(s->rec, p, "from inside to inside");
	if (!o->bare || o->fragment)
		return mr_verdict_drop(N64_DROP_HAIRPIN);
	if (!n64_find_outside(s->table, n->number, n->pool, remote, proto, o->dport, &binding,
		&key))
		return mr_verdict_drop(N64_DROP_NO_MAPPING);
	drop = n64_inward(s, n, way->outside, way->outside_port, proto, n64_tcp(p, o), &binding,
	    &key, &back);
	if (drop)
		return mr_verdict_drop(drop - 1);
	xlat_embed(&n->prefix, way->outside, src);
	sum.offset = (uint16_t)(sum.offset + o->l4);
	mr_edit_address6(s->rec, p, o->at, 8, src, sum);
	mr_edit_address6(s->rec, p, o->at, 24, back.inside, sum);
	if (o->kind == XLAT_ECHO) {
		/* One number for both: a question has the asker's, an answer brings it back. */
		mr_edit_port(s->rec, p, o->l4 + 4u, o->reply ? back.inside_port : way->outside_port,
		    sum);
	} else {
		mr_edit_port(s->rec, p, o->l4, way->outside_port, sum);
		mr_edit_port(s->rec, p, o->l4 + 2u, back.inside_port, sum);
	}
	mr_node_count(s->run, N64_COUNTER_HAIRPINS, 1);
	return mr_verdict_edge(0);
}

/* -- ICMP errors ------------------------------------------------------------------------------ */

/* About a packet that the inside got: the quoted destination is its binding's inside end. */
static mr_verdict_t
error_outward(const struct n64_pass *s, uint32_t packet, const struct xlat *x,
    const struct n64_instance *n, be32_t remote)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const struct xlat_pass pass = n64_xlat(s);
	struct xlat_to to = { .mtu4 = n->mtu, .mtu6 = n->mtu };
	const struct xlat_part *q = &x->quoted;
	const uint8_t *ip = mr_packet_bytes_const(p) + q->at;
	struct n64_key key = { .ports = N64_PORTS(q->dport, 0, n64_proto(q), n->number) };
	struct n64_found f;
	enum xlat_result result;
	be32_t peer, self;

	mr_record_uncacheable(s->rec, p, "an ICMP error");
	if (q->kind != XLAT_PORTS && q->kind != XLAT_ECHO)
		return mr_verdict_drop(N64_DROP_NO_MAPPING);
	memcpy(key.inside, ip + 24, 16);
	if (!xlat_extract(&n->prefix, ip + 8, &peer) || nat_pool_has(n->pool, remote) ||
	    !n64_find_binding(s->table, &key, &f))
		return mr_verdict_drop(N64_DROP_NO_MAPPING);
	self = N64_ADDRESS(f.outside);
	memcpy(to.outer.src, &self, 4);
	memcpy(to.outer.dst, &remote, 4);
	memcpy(to.quoted.src, &peer, 4);
	memcpy(to.quoted.dst, &self, 4);
	to.quoted.sport = q->sport;
	to.quoted.dport = N64_PORT(f.outside);
	if (q->kind == XLAT_ECHO)
		to.quoted.sport = to.quoted.dport;
	result = xlat_write(&pass, packet, x, &to);
	if (result)
		return mr_verdict_drop(N64_DROP_XLAT + result);
	p->flags |= MR_PACKET_TRANSLATED;
	mr_node_count(s->run, N64_COUNTER_ERRORS, 1);
	return mr_verdict_edge(0);
}

/* About a packet that the inside sent: the quoted source is its binding's outside end. */
static mr_verdict_t
error_inward(const struct n64_pass *s, uint32_t packet, const struct xlat *x,
    const struct n64_instance *n, be32_t remote)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const struct xlat_pass pass = n64_xlat(s);
	struct xlat_to to = { .mtu4 = n->mtu, .mtu6 = n->mtu };
	const struct xlat_part *q = &x->quoted;
	struct n64_found f;
	struct n64_key key;
	enum xlat_result result;
	be32_t source, peer;

	mr_record_uncacheable(s->rec, p, "an ICMP error");
	memcpy(&source, mr_packet_bytes_const(p) + q->at + 12, 4);
	memcpy(&peer, mr_packet_bytes_const(p) + q->at + 16, 4);
	if ((q->kind != XLAT_PORTS && q->kind != XLAT_ECHO) ||
	    !n64_find_outside(s->table, n->number, n->pool, source, n64_proto(q), q->sport, &f,
		&key))
		return mr_verdict_edge(0); /* somebody else's */
	xlat_embed(&n->prefix, remote, to.outer.src);
	memcpy(to.outer.dst, key.inside, 16);
	memcpy(to.quoted.src, key.inside, 16);
	xlat_embed(&n->prefix, peer, to.quoted.dst);
	to.quoted.sport = N64_SPORT(key.ports);
	to.quoted.dport = q->dport;
	if (q->kind == XLAT_ECHO)
		to.quoted.dport = to.quoted.sport;
	result = xlat_write(&pass, packet, x, &to);
	if (result)
		return mr_verdict_drop(N64_DROP_XLAT + result);
	p->flags |= MR_PACKET_TRANSLATED;
	mr_node_count(s->run, N64_COUNTER_ERRORS, 1);
	return mr_verdict_edge(0);
}

/* -- packets ---------------------------------------------------------------------------------- */

static bool
has_ports(const struct xlat_part *o)
{
	return o->kind == XLAT_ECHO ||
	    (o->kind == XLAT_PORTS && (o->proto == MR_IP_PROTO_TCP || o->proto == MR_IP_PROTO_UDP));
}

static mr_verdict_t
outward(const struct n64_pass *s, uint32_t packet, unsigned l3, const struct n64_instance *n,
    be32_t remote)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	const uint8_t *ip = mr_packet_bytes_const(p) + l3;
	enum xlat_result result;
	struct n64_way way;
	uint8_t own[16];
	struct xlat x;
	uint64_t hash = 0;
	uint32_t drop;
	be32_t other;

	if (!n->private_too && xlat_prefix_is_well_known(&n->prefix) && !xlat_is_global4(remote))
		return n64_refuse(s, p, N64_DROP_NOT_GLOBAL);
	if (xlat_extract(&n->prefix, ip + 8, &other))
		return n64_refuse(s, p, N64_DROP_SOURCE);
	own6(n, own);
	result = xlat_read(&x, p, l3);
	if (result == XLAT_ROUTE)
		return answer(s, packet, &x, l3, true, own, MR_ICMP6_PARAM_PROBLEM, 0, x.wrong,
		    N64_DROP_XLAT + XLAT_ROUTE);
	if (result)
		return n64_refuse(s, p, N64_DROP_XLAT + result);
	/* The next router would answer to nobody. */
	if (x.outer.hops <= 1)
		return answer(s, packet, &x, l3, true, own, MR_ICMP6_TIME_EXCEEDED, 0, 0,
		    N64_DROP_EXPIRED);
	if (x.outer.kind == XLAT_ERROR)
		return error_outward(s, packet, &x, n, remote);
	if (x.outer.kind == XLAT_PIECE)
		return n64_piece(s, packet, &x, n);
	if (!has_ports(&x.outer))
		return n64_refuse(s, p, N64_DROP_PROTOCOL);
	if (x.outer.fragment && x.outer.more)
		hash = n64_piece_hash(s, p, &x);
	drop = n64_outward(s, n, ip + 8, remote, &x.outer, n64_tcp(p, &x.outer), &way);
	if (drop)
		return n64_refuse(s, p, drop - 1);
	if (mr_unlikely(nat_pool_has(n->pool, remote)))
		return hairpin(s, p, &x, n, &way, remote);
	if (hash)
		n64_lead(s, hash, way.session, way.word, n);
	return n64_translate(s, packet, &x, n, &way, remote);
}

static mr_verdict_t
inward(const struct n64_pass *s, uint32_t packet, unsigned l3, const struct n64_instance *n)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	enum xlat_result result;
	struct n64_found binding;
	struct n64_key key;
	struct n64_way way;
	struct xlat x;
	be32_t remote, address;
	uint8_t own[16] = { 0 };
	uint64_t hash = 0;
	uint32_t drop;

	memcpy(&remote, mr_packet_bytes_const(p) + l3 + 12, 4);
	memcpy(&address, mr_packet_bytes_const(p) + l3 + 16, 4);
	memcpy(own, &address, 4);
	/* What cannot be read may be for somebody else at this address. */
	result = xlat_read(&x, p, l3);
	if (result)
		return mr_verdict_edge(0);
	if (x.outer.kind == XLAT_ERROR)
		return error_inward(s, packet, &x, n, remote);
	if (x.outer.kind == XLAT_PIECE)
		return n64_piece(s, packet, &x, n);
	if (x.outer.fragment)
		hash = n64_piece_hash(s, p, &x);
	if (!has_ports(&x.outer) ||
	    !n64_find_outside(s->table, n->number, n->pool, address, n64_proto(&x.outer),
		x.outer.dport, &binding, &key)) {
		/* No recording notices when a binding comes. */
		mr_record_uncacheable(s->rec, p,
		    "to an address of the translator, without a binding");
		if (hash)
			n64_lead(s, hash, 0, 0, n);
		return mr_verdict_edge(0);
	}
	if (x.outer.hops <= 1)
		return answer(s, packet, &x, l3, false, own, MR_ICMP4_TIME_EXCEEDED, 0, 0,
		    N64_DROP_EXPIRED);
	drop = n64_inward(s, n, remote, x.outer.sport, n64_proto(&x.outer), n64_tcp(p, &x.outer),
	    &binding, &key, &way);
	if (drop)
		return n64_refuse(s, p, drop - 1);
	if (hash)
		n64_lead(s, hash, way.session, way.word, n);
	return n64_translate(s, packet, &x, n, &way, remote);
}

/* Where IP is in a frame; 0: another protocol, or not a whole header. */
static unsigned
find_ip(const struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	uint16_t type;
	unsigned at = mr_find_l3(bytes, p->len, 0, &type);

	if (at && type == MR_ETH_TYPE_IP6)
		return p->len >= at + 40u && bytes[at] >> 4 == 6 ? at : 0;
	return at && type == MR_ETH_TYPE_IP4 && p->len >= at + 20u && bytes[at] >> 4 == 4 ? at : 0;
}

static mr_verdict_t
one(const struct n64_pass *s, uint32_t packet, struct mr_packet *p)
{
	const struct n64_port *port = &s->world->ports[s->self->port];
	unsigned l3 = find_ip(p);
	const uint8_t *ip = mr_packet_bytes_const(p) + l3;
	be32_t address;

	if (!l3) {
		mr_record_use(s->rec, p, 0);
		return mr_verdict_edge(0);
	}
	/* Frames to groups, and to other stations, are not for the router behind. */
	if (ip[0] >> 4 == 6) {
		for (unsigned i = 0; !s->self->outside && i < port->count[INSIDE]; i++) {
			const struct n64_instance *n = &s->world->instances[port->at[INSIDE][i]];

			if (xlat_extract(&n->prefix, ip + 24, &address))
				return outward(s, packet, l3, n, address);
		}
	} else {
		memcpy(&address, ip + 16, 4);
		for (unsigned i = 0; s->self->outside && i < port->count[OUTSIDE]; i++) {
			const struct n64_instance *n = &s->world->instances[port->at[OUTSIDE][i]];

			if (nat_pool_has(n->pool, address))
				return inward(s, packet, l3, n);
		}
	}
	mr_record_use(s->rec, p, MR_FLOW_DST);
	return mr_verdict_edge(0);
}

mr_inline void
n64_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct n64_self *self = run->self;
	struct n64_pass s = { .self = self,
		.core = self->core,
		.table = self->core->table,
		.run = run,
		.rec = rec,
		.dry = mr_record_is_dry(rec) };

	for (unsigned i = 0; rec && i < count; i++)
		mr_record_read(rec, mr_packet_at(run->base, packets[i]), "nat64",
		    &self->core->settings);
	/* Acquire pairs with the release in commit. */
	s.world = atomic_load_explicit(&self->core->world, memory_order_acquire);
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);

		/* Long headers may lie in two segments. */
		if (mr_unlikely(p->len < p->total && p->len < 256))
			(void)mr_packet_pull(run->buffers, run->worker, packets[i],
			    MR_MIN(p->total, 256u));
		verdicts[i] = one(&s, packets[i], p);
	}
}
MR_NODE_FUNCTIONS(n64)

static const char *const edges[] = { "next" };
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	N64_DROPS(X) XLAT_RESULTS(X)
#undef X
};
static const struct mr_named counters[] = {
#define X(id, name, doc) { name, doc },
	N64_COUNTERS(X)
#undef X
};

const struct mr_node_class n64_class = {
	.name = "nat64",
	.doc = "IPv4 in place of IPv6, and the other way round",
	.edges = edges,
	.edge_count = 1,
	.drops = drops,
	.drop_count = N64_DROP_COUNT,
	.counters = counters,
	.counter_count = N64_COUNTER_COUNT,
	MR_NODE_RUN(n64),
	.replays = true,
	.replay = n64_replay,
	.tick = n64_tick,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* ip-reassembly: from fragments to the table and out of it. */
#include "nf/icmp/icmp_int.h"
#include "nf/icmp/reassembly_int.h"

#define ECN_NONE 1u /* as bits: not capable, */
#define ECN_CE 8u   /* congestion experienced */

struct pass {
	struct mr_reassembly *r;
	struct mr_node_run *run;
	struct mr_recorder *rec;
};

/* The edits of the other nodes, which need no state of theirs. */
static struct icmp_work
work(const struct pass *s)
{
	return (struct icmp_work){ .run = s->run, .rec = s->rec };
}

static struct mr_packet *
at(const struct pass *s, uint32_t packet)
{
	return mr_packet_at(s->run->base, packet);
}

/* Lets go of all fragments, for one reason. */
static void
drop_all(const struct pass *s, uint32_t first, enum mr_reassembly_drop reason)
{
	while (first != MR_PACKET_NONE) {
		uint32_t next = *fragment_next(at(s, first));

		mr_node_release(s->run, first, mr_verdict_drop(reason));
		first = next;
	}
}

/* The same, but for the one that its verdict drops. */
static void
drop_all_but(const struct pass *s, uint32_t first, uint32_t but, enum mr_reassembly_drop reason)
{
	while (first != MR_PACKET_NONE) {
		uint32_t next = *fragment_next(at(s, first));

		if (first != but)
			mr_node_release(s->run, first, mr_verdict_drop(reason));
		first = next;
	}
}

static void
evict(const struct pass *s, uint32_t index, enum mr_reassembly_drop reason)
{
	drop_all(s, reassembly_take(s->r, &s->r->datagrams[index]), reason);
	reassembly_end(s->r, index);
}

/* Fragments of it that come later will find it so. */
static void
kill_datagram(const struct pass *s, struct datagram *d, enum mr_reassembly_drop reason)
{
	drop_all(s, reassembly_take(s->r, d), reason);
	d->dead = (uint8_t)(reason + 1);
}

/* -- whole ---------------------------------------------------------------------------- */

/* Strings the segments of all fragments together; empty ones go. Returns the first packet. */
static uint32_t
join(const struct pass *s, uint32_t first)
{
	struct mr_packet *whole = at(s, first), *tail = whole;
	uint32_t next = *fragment_next(whole), segment;

	while (tail->next != MR_PACKET_NONE)
		tail = at(s, tail->next);
	while (next != MR_PACKET_NONE) {
		struct mr_packet *p = at(s, next);
		uint32_t following = *fragment_next(p);

		whole->total += p->total;
		for (segment = next; segment != MR_PACKET_NONE; segment = next) {
			struct mr_packet *q = at(s, segment);

			next = q->next;
			q->next = MR_PACKET_NONE;
			if (!q->len) {
				mr_buffers_put(s->run->buffers, s->run->worker, &segment, 1);
				continue;
			}
			tail->next = segment;
			tail = q;
			whole->segments++;
		}
		next = following;
	}
	return first;
}

static void
restore4(const struct pass *s, struct mr_packet *p, unsigned total, bool congested)
{
	unsigned l3 = mr_ip_meta(p)->l3;
	struct mr_ip4 ip;

	memcpy(&ip, mr_packet_bytes(p) + l3, sizeof(ip));
	ip.total_len = mr_be16(mr_ip4_header_len(&ip) + total);
	ip.frag = 0;
	ip.tos |= congested ? 3 : 0;
	mr_edit_set(s->rec, p, l3, &ip, 8);
	ip.check = mr_checksum_ipv4_header((const struct mr_ip4 *)(mr_packet_bytes(p) + l3));
	mr_edit_set16(s->rec, p, l3 + 10, ip.check);
}

/* Takes the fragment header at `where` out. */
static void
restore6(const struct pass *s, struct mr_packet *p, unsigned where, unsigned total, bool congested)
{
	unsigned l3 = mr_ip_meta(p)->l3, named = l3 + 6, header = l3 + 40;
	uint8_t *bytes = mr_packet_bytes(p), class;

	while (header < where) {
		unsigned size = (bytes[header + 1] + 1u) * 8;

		if (bytes[named] == MR_IP_PROTO_AH)
			size = (bytes[header + 1] + 2u) * 4;
		named = header;
		header += size;
	}
	mr_edit_set(s->rec, p, named, &bytes[where], 1);
	mr_edit_set16(s->rec, p, l3 + 4, mr_be16(where - l3 - 40 + total));
	if (congested) {
		class = (uint8_t)(bytes[l3 + 1] | 0x30);
		mr_edit_set(s->rec, p, l3 + 1, &class, 1);
	}
	mr_edit_pop(s->rec, p, where, sizeof(struct mr_ip6_frag));
}

/* What the whole's length field says beside the payload: IPv4's header, IPv6's extension headers. */
static unsigned
headers(struct mr_packet *first, bool six)
{
	const struct mr_ip_meta *meta = mr_ip_meta(first);

	return six ? meta->icmp_data - meta->l3 - 40u
		   : (mr_packet_bytes_const(first)[meta->l3] & 15u) * 4;
}

/* All is there. `packet` is the one that completed it. */
static mr_verdict_t
complete(const struct pass *s, uint32_t index, uint32_t packet)
{
	struct datagram *d = &s->r->datagrams[index];
	unsigned total = d->total, count = d->count;
	bool congested = d->marks & ECN_CE, six = d->key.family == MR_IP6;
	uint32_t first = reassembly_take(s->r, d);
	struct mr_packet *p = at(s, first);

	reassembly_end(s->r, index);
	/* The first one's headers may be longer than those of the one that ends at 65,535 bytes. */
	if (headers(p, six) + total > UINT16_MAX) {
		drop_all_but(s, first, packet, MR_REASSEMBLY_DROP_MALFORMED);
		return mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
	}
	(void)join(s, first);
	if (six)
		restore6(s, p, mr_ip_meta(p)->icmp_data, total, congested);
	else
		restore4(s, p, total, congested);
	icmp_forget(p);
	mr_ip_meta(p)->icmp_data = 0;
	p->track = 0;
	p->flags &= (uint16_t)~MR_PACKET_MARKED; /* fragments have something else there */
	mr_node_count(s->run, MR_REASSEMBLY_COUNT_WHOLE, 1);
	mr_node_merged(s->run, count - 1);
	if (first == packet)
		return mr_verdict_edge(MR_REASSEMBLY_EDGE_WHOLE);
	mr_node_release(s->run, first, mr_verdict_edge(MR_REASSEMBLY_EDGE_WHOLE));
	return MR_VERDICT_HELD;
}

/* -- a fragment comes ----------------------------------------------------------------- */

/* Room for one more, by whatever has to give way; otherwise the reason + 1. */
static unsigned
make_room(const struct pass *s, const struct fragment *f, bool fresh)
{
	struct reassembly_vrf *v = &s->r->vrfs[f->key.vrf];
	unsigned segments = at(s, f->packet)->segments;
	uint32_t datagrams = atomic_load_explicit(&v->max_datagrams, memory_order_relaxed);
	uint32_t buffers = atomic_load_explicit(&v->max_buffers, memory_order_relaxed);

	if (segments > buffers || segments > s->r->max_buffers || !datagrams)
		return MR_REASSEMBLY_DROP_FULL + 1;
	for (;;) {
		bool full = s->r->buffers + segments > s->r->max_buffers ||
		    atomic_load_explicit(&v->buffers, memory_order_relaxed) + segments > buffers;
		uint32_t oldest;

		if (fresh)
			full |= !s->r->free ||
			    atomic_load_explicit(&v->datagrams, memory_order_relaxed) >= datagrams;
		if (!full)
			return 0;
		oldest = reassembly_oldest(s->r, f->key.vrf);
		if (!oldest)
			return MR_REASSEMBLY_DROP_FULL + 1;
		evict(s, oldest, MR_REASSEMBLY_DROP_FULL);
	}
}

/* Only the first one needs its headers again. */
static void
strip(const struct pass *s, const struct fragment *f)
{
	struct mr_packet *p = at(s, f->packet);
	const struct icmp_work w = work(s);
	unsigned head = f->l3 + f->header;

	icmp_trim(&w, f->packet, head + f->len);
	if (f->offset == 0)
		return;
	p->data = (uint16_t)(p->data + head);
	p->len = (uint16_t)(p->len - head);
	p->total -= head;
}

static mr_verdict_t
take_in(const struct pass *s, const struct fragment *f)
{
	uint32_t index = reassembly_find(s->r, &f->key), after;
	struct reassembly_vrf *v = &s->r->vrfs[f->key.vrf];
	struct datagram *d;
	unsigned reason;

	reason = index ? 0 : make_room(s, f, true);
	if (reason)
		return mr_verdict_drop(reason - 1);
	if (!index)
		index = reassembly_begin(s->r, &f->key,
		    s->run->seconds +
			(f->key.family == MR_IP4 ? MR_REASSEMBLY_TIMEOUT4
						 : MR_REASSEMBLY_TIMEOUT6));
	d = &s->r->datagrams[index];
	if (d->dead)
		return mr_verdict_drop(d->dead - 1u);
	reason = reassembly_place(s->r, d, f, &after);
	if (reason == MR_REASSEMBLY_DROP_DUPLICATE + 1)
		return mr_verdict_drop(reason - 1);
	if (!reason && d->count >= atomic_load_explicit(&v->max_fragments, memory_order_relaxed))
		reason = MR_REASSEMBLY_DROP_MANY + 1;
	if (!reason && d->buffers + at(s, f->packet)->segments > MR_PACKET_SEGMENTS_MAX)
		reason = MR_REASSEMBLY_DROP_NO_ROOM + 1;
	if (!reason && (d->marks | f->marks) == ((d->marks | f->marks) | ECN_CE | ECN_NONE))
		reason = MR_REASSEMBLY_DROP_ECN + 1;
	if (reason) {
		kill_datagram(s, d, (enum mr_reassembly_drop)(reason - 1));
		return mr_verdict_drop(reason - 1);
	}
	if (s->r->shares[d->share] + at(s, f->packet)->segments >
	    atomic_load_explicit(&v->max_share, memory_order_relaxed)) {
		if (!d->count)
			reassembly_end(s->r, index);
		return mr_verdict_drop(MR_REASSEMBLY_DROP_SOURCE);
	}
	reason = make_room(s, f, false);
	/* What gave way may have been this one. */
	if (reason || reassembly_find(s->r, &f->key) != index)
		return mr_verdict_drop(reason ? reason - 1 : MR_REASSEMBLY_DROP_FULL);
	strip(s, f);
	reassembly_add(s->r, d, f, after);
	if (d->total && d->have == d->total)
		return complete(s, index, f->packet);
	return MR_VERDICT_HELD;
}

/* -- what it is ----------------------------------------------------------------------- */

static mr_verdict_t
problem6(struct mr_packet *p, uint8_t code, unsigned pointer)
{
	struct mr_ip_meta *meta = mr_ip_meta(p);

	meta->icmp_type = MR_ICMP6_PARAM_PROBLEM;
	meta->icmp_code = code;
	meta->icmp_data = pointer;
	return mr_verdict_edge(MR_REASSEMBLY_EDGE_ICMP);
}

/* RFC 1858, 3128: a TCP header in one piece, and nothing that writes into it afterwards. */
static bool
is_tiny4(const struct fragment *f)
{
	return f->key.proto == MR_IP_PROTO_TCP &&
	    ((f->offset == 0 && f->len < 20) || f->offset == 8);
}

static mr_verdict_t
fragment4(const struct pass *s, struct fragment *f, const struct mr_parsed *p)
{
	const uint8_t *ip = mr_packet_bytes(at(s, f->packet)) + f->l3;

	if (p->error == MR_PARSE_IP4_FRAGMENT_LENGTH || p->error == MR_PARSE_IP4_FRAGMENT_END)
		return mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
	f->header = (ip[0] & 15u) * 4;
	f->offset = p->frag_offset;
	f->len = mr_load_be16(ip + 2) - f->header;
	f->more = mr_load_be16(ip + 6) & MR_IP4_MORE_FRAGMENTS;
	f->marks = (uint8_t)(1u << (ip[1] & 3));
	f->key.id = p->frag_id;
	f->key.proto = ip[9];
	memcpy(f->key.src, ip + 12, 4);
	memcpy(f->key.dst, ip + 16, 4);
	if (!f->len || f->header + f->offset + f->len > UINT16_MAX)
		return mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
	if (is_tiny4(f))
		return mr_verdict_drop(MR_REASSEMBLY_DROP_TINY);
	return MR_VERDICT_HELD;
}

static bool
ends_in_headers(unsigned error)
{
	switch (error) {
	case MR_PARSE_IP6_EXT_SHORT:
	case MR_PARSE_TCP_SHORT:
	case MR_PARSE_TCP_HEADER_LENGTH:
	case MR_PARSE_UDP_SHORT:
	case MR_PARSE_SCTP_SHORT:
	case MR_PARSE_DCCP_SHORT:
	case MR_PARSE_ICMP_SHORT:
	case MR_PARSE_ICMP6_SHORT:
		return true;
	default:
		return false;
	}
}

static mr_verdict_t
fragment6(const struct pass *s, struct fragment *f, const struct mr_parsed *p)
{
	struct mr_packet *packet = at(s, f->packet);
	const uint8_t *ip = mr_packet_bytes(packet) + f->l3,
		      *frag = mr_packet_bytes(packet) + p->fragment;

	/* RFC 8200, 4.5: these are told to the sender. */
	if (p->error == MR_PARSE_IP6_FRAGMENT_LENGTH)
		return problem6(packet, 0, 4);
	f->header = p->fragment - f->l3 + (unsigned)sizeof(struct mr_ip6_frag);
	f->offset = p->frag_offset;
	f->len = p->end - f->l3 - f->header;
	f->more = frag[3] & MR_IP6_MORE_FRAGMENTS;
	f->marks = (uint8_t)(1u << (ip[1] >> 4 & 3));
	f->key.id = p->frag_id;
	memcpy(f->key.src, ip + 8, 16);
	memcpy(f->key.dst, ip + 24, 16);
	if (p->error == MR_PARSE_IP6_FRAGMENT_END ||
	    f->header - 48 + f->offset + f->len > UINT16_MAX)
		return problem6(packet, 0, p->fragment - f->l3 + 2);
	/* RFC 7112: the first one has all headers. */
	if (f->offset == 0 && ends_in_headers(p->error))
		return problem6(packet, 3, 0);
	if (!f->len || (f->offset == 0 && p->error && !p->l4))
		return mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
	/* Where its header goes out again. */
	mr_ip_meta(packet)->icmp_data = p->fragment;
	return MR_VERDICT_HELD;
}

/* An IPv6 packet in a single fragment is whole, whatever else has its number (RFC 6946). */
static mr_verdict_t
atomic6(const struct pass *s, struct mr_packet *p, const struct mr_parsed *r)
{
	mr_node_count(s->run, MR_REASSEMBLY_COUNT_ATOMIC, 1);
	restore6(s, p, r->fragment, r->end - r->fragment - (unsigned)sizeof(struct mr_ip6_frag),
	    false);
	return mr_verdict_edge(MR_REASSEMBLY_EDGE_WHOLE);
}

static mr_verdict_t
reassemble(const struct pass *s, uint32_t packet)
{
	struct mr_packet *p = at(s, packet);
	const struct icmp_work w = work(s);
	struct fragment f = { .packet = packet, .l3 = mr_ip_meta(p)->l3 };
	const struct mr_ip_interface *in;
	struct mr_parsed r;
	mr_verdict_t verdict;

	mr_record_uncacheable(s->rec, p, "a fragment");
	if (p->total <= f.l3 || p->context >= MR_IP_INTERFACES_MAX ||
	    !icmp_pull(&w, packet, MR_MIN(p->total, f.l3 + 256)))
		return mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
	in = &s->r->ip->interfaces[p->context];
	if (mr_parse_ip(&r, mr_packet_bytes(p), p->len, p->total, f.l3) == MR_PARSE_SPLIT) {
		/* Long chains of headers. */
		if (!icmp_pull(&w, packet, MR_MIN(p->total, f.l3 + 1280)))
			return mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
		(void)mr_parse_ip(&r, mr_packet_bytes(p), p->len, p->total, f.l3);
	}
	if (!(r.flags & MR_PARSED_FRAGMENT)) {
		if (r.flags & MR_PARSED_ATOMIC)
			return atomic6(s, p, &r);
		/* What its layer 4 is like, is not our business. */
		return r.l4 ? mr_verdict_edge(MR_REASSEMBLY_EDGE_WHOLE)
			    : mr_verdict_drop(MR_REASSEMBLY_DROP_MALFORMED);
	}
	mr_node_count(s->run, MR_REASSEMBLY_COUNT_FRAGMENTS, 1);
	f.key.vrf = mr_ip_vrf(in);
	f.key.family = r.version == 4 ? MR_IP4 : MR_IP6;
	verdict = r.version == 4 ? fragment4(s, &f, &r) : fragment6(s, &f, &r);
	if (verdict != MR_VERDICT_HELD)
		return verdict;
	mr_record_note(s->rec, p, "fragment at byte", f.offset);
	if (mr_record_is_dry(s->rec))
		return mr_verdict_drop(MR_REASSEMBLY_DROP_EXPLAINED);
	return take_in(s, &f);
}

mr_inline void
reassembly_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct pass s = { run->self, run, rec };

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = reassemble(&s, packets[i]);
}
MR_NODE_FUNCTIONS(reassembly)

/* -- time ----------------------------------------------------------------------------- */

/* RFC 792, RFC 4443 3.3: said about the first fragment, when that is there. */
static void
time_out(const struct pass *s, uint32_t index)
{
	struct datagram *d = &s->r->datagrams[index];
	bool six = d->key.family == MR_IP6;
	uint32_t first = reassembly_take(s->r, d), rest;
	struct mr_ip_meta *meta;

	reassembly_end(s->r, index);
	if (first == MR_PACKET_NONE)
		return;
	if (fragment_offset(at(s, first)) != 0) {
		drop_all(s, first, MR_REASSEMBLY_DROP_TIMEOUT);
		return;
	}
	rest = *fragment_next(at(s, first));
	meta = mr_ip_meta(at(s, first));
	meta->icmp_type = six ? MR_ICMP6_TIME_EXCEEDED : MR_ICMP4_TIME_EXCEEDED;
	meta->icmp_code = 1;
	meta->icmp_data = 0;
	mr_node_release(s->run, first, mr_verdict_edge(MR_REASSEMBLY_EDGE_ICMP));
	drop_all(s, rest, MR_REASSEMBLY_DROP_TIMEOUT);
}

static void
reassembly_tick(struct mr_node_run *run)
{
	const struct pass s = { run->self, run, NULL };

	if (!s.r->count)
		return;
	for (unsigned vrf = 0; vrf < MR_IP_VRFS_MAX; vrf++) {
		for (unsigned family = 0; family < MR_IP_FAMILIES; family++) {
			const struct datagrams *age = &s.r->vrfs[vrf].age[family];

			while (age->oldest &&
			    (int32_t)(run->seconds - s.r->datagrams[age->oldest].deadline) >= 0)
				time_out(&s, age->oldest);
		}
	}
}

static const char *const edges[] = {
	[MR_REASSEMBLY_EDGE_WHOLE] = "whole",
	[MR_REASSEMBLY_EDGE_ICMP] = "icmp",
};
static const struct mr_named drops[] = {
#define X(id, name, doc) { name, doc },
	MR_REASSEMBLY_DROPS(X)
#undef X
};
static const struct mr_named counters[] = {
	[MR_REASSEMBLY_COUNT_FRAGMENTS] = { "fragments", "fragments that came" },
	[MR_REASSEMBLY_COUNT_WHOLE] = { "reassembled", "datagrams put together" },
	[MR_REASSEMBLY_COUNT_ATOMIC] = { "atomic", "IPv6 packets in a single fragment (RFC 6946)" },
};

const struct mr_node_class mr_reassembly_class = {
	.name = "ip-reassembly",
	.doc = "puts fragments for the router itself together",
	.edges = edges,
	.edge_count = MR_REASSEMBLY_EDGES,
	.drops = drops,
	.drop_count = MR_REASSEMBLY_DROP_COUNT,
	.counters = counters,
	.counter_count = MR_REASSEMBLY_COUNT_COUNT,
	MR_NODE_RUN(reassembly),
	.alone = true,
	.tick = reassembly_tick,
};

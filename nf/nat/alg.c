/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "kit/packet/checksum.h"
#include "nf/nat/alg_int.h"

#define EXPECT_MAX 4u
#define EXPECT_TRIES 64u

struct nat_talk {
	const struct nat_pass *pass;
	const struct nat_instance *instance;
	struct nat_talk_ends ends;
};

const struct nat_talk_ends *
nat_talk_ends(const struct nat_talk *talk)
{
	return &talk->ends;
}

/* -- what is expected --------------------------------------------------------------------- */

/* As if the inside had sent something to the remote end, whose port is not known yet. */
static bool
expect_one(const struct nat_talk *talk, struct nat_packet *k, struct nat_talk_outside *out)
{
	struct nat_found f;

	k->hash = 0;
	if (nat_outward(talk->pass, talk->instance, k, &f) != NAT_DONE)
		return false;
	out->address = f.address;
	out->port = f.ports ? f.port : k->sport;
	return true;
}

/* The others behind the first one. */
static bool
expect_rest(const struct nat_talk *talk, struct nat_packet *k, be16_t port, unsigned count,
    const struct nat_talk_outside *first)
{
	for (unsigned i = 1; i < count; i++) {
		struct nat_talk_outside got;
		be16_t want = mr_be16((uint16_t)(mr_be16(first->port) + i));

		k->sport = mr_be16((uint16_t)(mr_be16(port) + i));
		k->want = (struct nat_outside){ first->address, want, 0 };
		if (!expect_one(talk, k, &got) || got.address != first->address || got.port != want)
			return false;
	}
	return true;
}

static bool
are_free(const struct nat_talk *talk, uint8_t protocol, be32_t address, unsigned port,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (port + i > 65535 ||
		    nat_pool_find(talk->instance->pool, address, nat_pool_proto(protocol),
			mr_be16((uint16_t)(port + i))))
			return false;
	return true;
}

/* Ports in a row: the inside's own, or some of the same parity. */
static unsigned
find_row(const struct nat_talk *talk, uint8_t protocol, unsigned port, unsigned count)
{
	uint64_t seed = mr_hash_u64(&talk->pass->table->key, talk->pass->run->now | 1);
	unsigned parity = port & 1;

	for (unsigned i = 0; i < EXPECT_TRIES; i++) {
		if (port >= 1024 && are_free(talk, protocol, talk->ends.outside, port, count))
			return port;
		seed = seed * 0x2545f4914f6cdd1dull + 1442695040888963407ull;
		port = ((1024 + (unsigned)(seed >> 40) % 64000) & ~1u) | parity;
	}
	return 0;
}

bool
nat_talk_expect(struct nat_talk *talk, uint8_t protocol, be32_t inside, be16_t port, unsigned count,
    be32_t remote, struct nat_talk_outside *outside)
{
	struct nat_packet k = { .what = NAT_FLOW,
		.proto = protocol,
		.src = inside,
		.dst = remote,
		.sport = port };
	unsigned row;

	if (talk->pass->dry || !talk->instance->pool || !port || count > EXPECT_MAX)
		return false;
	/* Who was asked at an address answers from there. */
	if ((count > 1 || talk->ends.server) && !nat_is_mapped(talk->pass, talk->instance, &k)) {
		row = find_row(talk, protocol, mr_be16(port), count);
		if (!row)
			return false;
		k.want = (struct nat_outside){ talk->ends.outside, mr_be16((uint16_t)row), 0 };
	}
	return expect_one(talk, &k, outside) && expect_rest(talk, &k, port, count, outside);
}

/* -- the payload -------------------------------------------------------------------------- */

/* The bytes behind the IP header, added up anew. */
static void
sum_again(struct mr_packet *p, const struct nat_packet *k)
{
	uint8_t *bytes = mr_packet_bytes(p), *l4 = bytes + k->l4;
	unsigned len = k->end - k->l4, at = k->proto == MR_IP_PROTO_TCP ? 16 : 6;
	uint64_t sum;
	be32_t src, dst;
	be16_t check;

	memcpy(&src, bytes + k->l3 + 12, 4);
	memcpy(&dst, bytes + k->l3 + 16, 4);
	memcpy(&check, l4 + at, 2);
	if (k->proto == MR_IP_PROTO_UDP && !check)
		return;
	sum = mr_checksum_pseudo4(src, dst, k->proto, (uint16_t)len);
	memset(l4 + at, 0, 2);
	if (p->flags & MR_PACKET_CSUM_PARTIAL)
		check = mr_checksum_fold(sum);
	else if (k->proto == MR_IP_PROTO_UDP)
		check = mr_checksum_finish_udp(mr_checksum_add(sum, l4, len));
	else
		check = mr_checksum_finish(mr_checksum_add(sum, l4, len));
	memcpy(l4 + at, &check, 2);
}

static void
set_length(struct mr_packet *p, struct nat_packet *k, int growth)
{
	uint8_t *ip = mr_packet_bytes(p) + k->l3, *l4 = mr_packet_bytes(p) + k->l4;
	be16_t len, check;

	k->end = (uint32_t)((int)k->end + growth);
	len = mr_be16((uint16_t)(k->end - k->l3));
	memcpy(ip + 2, &len, 2);
	check = mr_checksum_ipv4_header((const struct mr_ip4 *)(const void *)ip);
	memcpy(ip + 10, &check, 2);
	if (k->proto == MR_IP_PROTO_UDP) {
		len = mr_be16((uint16_t)(k->end - k->l4));
		memcpy(l4 + 4, &len, 2);
	}
	/* What stood behind IP's end was padding. */
	p->len = (uint16_t)k->end;
	p->total = k->end;
}

static bool
change(struct mr_packet *p, struct nat_packet *k, const struct alg_edits *edits)
{
	uint8_t text[MR_PACKET_ROOM], *payload = mr_packet_bytes(p) + k->payload;
	unsigned len = k->end - k->payload;
	size_t room = MR_MIN(sizeof(text), len + mr_packet_tailroom(p) + (p->len - k->end)), got;

	got = alg_edits_apply(edits, payload, len, text, room);
	if (!got)
		return false;
	memcpy(payload, text, got);
	set_length(p, k, (int)got - (int)len);
	sum_again(p, k);
	return true;
}

/* -- sequence numbers --------------------------------------------------------------------- */

/* The session's shifts; with `make` also where it had none. Under its lock. */
static struct nat_seq *
seq_of(const struct nat_pass *s, struct nat_entry *e, bool make)
{
	uint32_t number = atomic_load_explicit(&e->alg, memory_order_relaxed);

	if (!number && make && mr_pool_get(s->table->seq_numbers, s->run->worker, &number, 1)) {
		memset(&s->table->seqs[number], 0, sizeof(s->table->seqs[number]));
		atomic_store_explicit(&e->alg, number, memory_order_relaxed);
	}
	return number ? &s->table->seqs[number] : NULL;
}

/* Writes the numbers of a segment, and that it became longer. */
static bool
follow(const struct nat_pass *s, struct mr_packet *p, const struct nat_packet *k,
    const struct nat_found *f, bool outward, uint32_t seq, int growth)
{
	struct nat_entry *e = &s->table->entries[f->number];
	uint32_t word = f->word;
	struct nat_seq *shifts;

	if (!nat_lock(e, &word))
		return false;
	shifts = seq_of(s, e, growth != 0);
	if (shifts) {
		if (growth)
			nat_seq_grow(&shifts->way[!outward], seq, growth);
		nat_seq_write(shifts, !outward, p, k->l4, k->payload);
	}
	nat_unlock(e, word);
	return shifts || !growth;
}

/* -- a packet ----------------------------------------------------------------------------- */

static struct nat_talk
talk_of(const struct nat_pass *s, const struct nat_instance *n, const struct nat_packet *k,
    const struct nat_found *f, bool outward)
{
	struct nat_talk talk = { s, n, { .outward = outward } };
	struct nat_talk_ends *e = &talk.ends;

	e->inside = outward ? k->src : f->address;
	e->outside = outward ? f->address : k->dst;
	e->remote = outward ? k->dst : k->src;
	e->inside_port = outward ? k->sport : f->ports ? f->port : k->dport;
	e->outside_port = outward ? (f->ports ? f->port : k->sport) : k->dport;
	e->remote_port = outward ? k->dport : k->sport;
	return talk;
}

bool
nat_alg_run(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet,
    struct mr_packet *p, struct nat_packet *k, const struct nat_found *f, bool outward)
{
	struct nat_talk talk = talk_of(s, n, k, f, outward);
	const struct nat_alg *alg = nat_alg_between(n, k->proto, talk.ends.remote_port,
	    talk.ends.inside_port, &talk.ends.server);
	struct alg_edits edits = { .count = 0 };
	unsigned len = k->end > k->payload ? k->end - k->payload : 0;
	uint32_t seq = 0;
	int growth = 0;

	/* An explanation makes nothing, so it changes nothing. */
	if (s->dry)
		return true;
	if (k->proto == MR_IP_PROTO_TCP)
		seq = mr_load_be32(mr_packet_bytes_const(p) + k->l4 + 4);
	if (alg && len) {
		if (p->segments > 1 &&
		    (p->total > MR_PACKET_ROOM ||
			mr_packet_pull(s->run->buffers, s->run->worker, packet, p->total)))
			return false;
		if (!alg->look(&talk, mr_packet_bytes_const(p) + k->payload, len, &edits))
			return false;
		growth = edits.count ? alg_edits_growth(&edits, 0) : 0;
		if (edits.count && !change(p, k, &edits))
			return false;
	}
	return k->proto != MR_IP_PROTO_TCP || follow(s, p, k, f, outward, seq, growth);
}

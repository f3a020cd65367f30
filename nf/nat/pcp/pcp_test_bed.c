/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/pcp/pcp_test_int.h"

void
put_address(uint8_t *at, uint32_t address)
{
	memset(at, 0, 10);
	at[10] = at[11] = 0xff;
	mr_store_be32(at + 12, address);
}

enum outcome
message(struct bed *b, uint32_t from, uint32_t to, const uint8_t *bytes, unsigned len)
{
	struct pkt p = { .src = from,
		.dst = to,
		.sport = 40000,
		.dport = NAT_PCP_PORT,
		.len = len,
		.no_sum = true };
	struct frame f;

	memcpy(frame_make(&f, &p)->bytes + 42, bytes, len);
	return bed_hair(b, &f);
}

const uint8_t *
answer_to(const struct bed *b, uint32_t host, unsigned *len)
{
	assert_true(b->last.good);
	assert_int_equal(b->last.p.dst, host);
	assert_int_equal(b->last.p.sport, NAT_PCP_PORT);
	assert_int_equal(b->last.p.dport, 40000);
	assert_memory_equal(b->last.f.bytes, ((const uint8_t[]){ 2, 0, 0, 0, 0, 2 }), 6);
	*len = b->last.f.len - 42;
	return b->last.f.bytes + 42;
}

struct told
map(struct bed *b, const struct asked *a)
{
	uint8_t m[64] = { 2, 1 };
	unsigned len = a->only_this ? 64 : 60;
	const uint8_t *back;

	mr_store_be32(m + 4, a->lifetime);
	put_address(m + 8, a->host);
	m[24] = a->nonce;
	m[36] = a->proto;
	mr_store_be32(m + 40, (uint32_t)a->inside << 16 | a->outside);
	put_address(m + 44, 0);
	m[60] = 2;
	assert_int_equal(message(b, a->host, ROUTER, m, len), SENT);
	back = answer_to(b, a->host, &len);
	assert_in_range(len, 60, 64);
	assert_int_equal(back[0], 2);
	assert_int_equal(back[1], 0x81);
	assert_memory_equal(back + 24, m + 24, 18);
	return (struct told){ back[3], mr_load_be32(back + 4), mr_load_be32(back + 8),
		mr_load_be32(back + 56), (uint16_t)mr_load_be32(back + 40) };
}

struct asked
some(uint8_t proto)
{
	return (struct asked){ .host = HOST,
		.proto = proto,
		.nonce = 1,
		.inside = 8080,
		.outside = 9000,
		.lifetime = 3600 };
}

enum outcome
from_outside(struct bed *b, const struct told *t, uint8_t proto, uint32_t remote)
{
	struct pkt p = { .src = remote,
		.sport = 1234,
		.dst = t->address,
		.dport = t->port,
		.proto = proto,
		.flags = proto == TCP ? MR_TCP_SYN : 0 };

	return in(b, &p);
}

uint32_t
mappings(const struct bed *b)
{
	return nat_mappings(b->nat->core->table, b->nat->conf.instances[0].number);
}

uint64_t
ports_used(const struct bed *b, enum nat_proto proto)
{
	struct nat_pool_state s;

	nat_pool_state(b->nat->pools[b->nat->conf.instances[0].number].pool, &s);
	return s.used[proto];
}

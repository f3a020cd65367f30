/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random packets of UDP and ICMP queries, and time, through every kind of mapping and filter, against
 * a model that is a list: what it has a mapping for must come out as it says, a new one must have
 * a port that nobody has, and what it does not let in must not come in.
 */
#include "nf/nat/nat_test_int.h"

#define STEPS 12000u
#define LIST 4096u
#define LIFE_UDP 300u
#define LIFE_ICMP 60u

struct remote {
	uint32_t address;
	uint16_t port;
	uint32_t seen;
};

struct mapping {
	bool used;
	uint8_t proto;
	uint32_t inside, outside;
	uint16_t port, outside_port;
	struct remote of; /* what of the remote end it holds for */
	uint32_t seen;
	struct remote remotes[64]; /* whom it may hear */
	unsigned count;
};

static struct mapping list[LIST];
static unsigned mapping_kind, filter_kind;
static uint32_t now;

static uint32_t
life(const struct mapping *m)
{
	return m->proto == UDP ? LIFE_UDP : LIFE_ICMP;
}

static bool
is_tracked(void)
{
	return filter_kind != NAT_ENDPOINT_INDEPENDENT;
}

/* As much of the end as a behaviour looks at. */
static struct remote
part(unsigned kind, uint8_t proto, uint32_t address, uint16_t port)
{
	return (struct remote){ kind == NAT_ENDPOINT_INDEPENDENT ? 0 : address,
		kind == NAT_PORT_DEPENDENT && proto != ICMP ? port : 0, now };
}

static bool
same(const struct remote *a, const struct remote *b)
{
	return a->address == b->address && a->port == b->port;
}

static void
expire(void)
{
	for (unsigned i = 0; i < LIST; i++) {
		struct mapping *m = &list[i];

		for (unsigned r = 0; r < m->count;)
			if (now - m->remotes[r].seen > life(m))
				m->remotes[r] = m->remotes[--m->count];
			else
				r++;
		if (m->used && (is_tracked() ? m->count == 0 : now - m->seen > life(m)))
			m->used = false;
	}
}

static struct mapping *
find_inside(const struct pkt *p)
{
	struct remote of = part(mapping_kind, p->proto, p->dst, p->dport);

	for (unsigned i = 0; i < LIST; i++)
		if (list[i].used && list[i].proto == p->proto && list[i].inside == p->src &&
		    list[i].port == p->sport && same(&list[i].of, &of))
			return &list[i];
	return NULL;
}

static struct mapping *
find_outside(uint8_t proto, uint32_t address, uint16_t port)
{
	for (unsigned i = 0; i < LIST; i++)
		if (list[i].used && list[i].proto == proto && list[i].outside == address &&
		    list[i].outside_port == port)
			return &list[i];
	return NULL;
}

static void
heard(struct mapping *m, const struct remote *who)
{
	m->seen = now;
	for (unsigned i = 0; i < m->count; i++)
		if (same(&m->remotes[i], who)) {
			m->remotes[i].seen = now;
			return;
		}
	if (is_tracked()) {
		assert_true(m->count < MR_ARRAY_COUNT(m->remotes));
		m->remotes[m->count++] = *who;
	}
}

static void
step_out(struct bed *b, const struct pkt *p)
{
	struct remote who = part(filter_kind, p->proto, p->dst, p->dport);
	struct mapping *m = find_inside(p);
	struct pkt got;

	assert_int_equal(out(b, p), PASSED);
	assert_true(b->last.good);
	got = b->last.p;
	assert_int_equal(got.dst, p->dst);
	if (p->proto == UDP)
		assert_int_equal(got.dport, p->dport);
	if (m) {
		assert_int_equal(got.src, m->outside);
		assert_int_equal(got.sport, m->outside_port);
	} else {
		assert_null(find_outside(p->proto, got.src, got.sport));
		assert_true(got.src == POOL || got.src == POOL + 1);
		for (m = list; m->used; m++)
			assert_true(m < list + LIST - 1);
		*m = (struct mapping){ .used = true,
			.proto = p->proto,
			.inside = p->src,
			.port = p->sport,
			.outside = got.src,
			.outside_port = got.sport,
			.of = part(mapping_kind, p->proto, p->dst, p->dport) };
	}
	heard(m, &who);
}

static void
step_in(struct bed *b, const struct pkt *p)
{
	uint16_t to = p->proto == ICMP ? p->sport : p->dport;
	struct remote who = part(filter_kind, p->proto, p->src, p->sport);
	struct mapping *m = find_outside(p->proto, p->dst, to);
	bool may = m && !is_tracked();

	if (p->proto == ICMP)
		who.port = 0;
	for (unsigned i = 0; m && i < m->count; i++)
		may |= same(&m->remotes[i], &who);
	assert_int_equal(in(b, p), may ? PASSED : DROPPED);
	if (!may)
		return;
	assert_true(b->last.good);
	assert_int_equal(b->last.p.dst, m->inside);
	assert_int_equal(p->proto == ICMP ? b->last.p.sport : b->last.p.dport, m->port);
	assert_int_equal(b->last.p.src, p->src);
}

static void
step(struct bed *b, uint64_t *seed)
{
	struct pkt p = { .proto = draw(seed) % 4 ? UDP : ICMP, .len = (unsigned)draw(seed) % 40 };
	const struct mapping *m = &list[draw(seed) % 200];

	if (draw(seed) % 50 == 0) {
		uint32_t by = (uint32_t)draw(seed) % 120;

		now += by;
		bed_later(b, by);
		if (draw(seed) & 1)
			bed_sweep(b);
		expire();
	}
	if (draw(seed) & 1) {
		p.src = HOST + (uint32_t)(draw(seed) % 4);
		p.dst = REMOTE + (uint32_t)(draw(seed) % 4);
		p.sport = (uint16_t)(3000 + draw(seed) % 6);
		p.dport = (uint16_t)(80 + draw(seed) % 4);
		p.flags = 8;
		step_out(b, &p);
		return;
	}
	p.src = REMOTE + (uint32_t)(draw(seed) % 5);
	p.sport = (uint16_t)(80 + draw(seed) % 5);
	p.dst = m->used ? m->outside : POOL;
	p.dport = m->used ? m->outside_port : (uint16_t)(3000 + draw(seed) % 10);
	p.proto = m->used ? m->proto : p.proto;
	if (p.proto == ICMP) {
		p.sport = p.dport;
		p.dport = 0;
	}
	step_in(b, &p);
}

static void
as_the_model_says(void **state)
{
	static const char *const kinds[] = { "endpoint-independent", "address-dependent",
		"address-and-port-dependent" };
	static struct bed b;
	uint64_t seed = 20261121;
	char body[256];

	for (mapping_kind = 0; mapping_kind < 3; mapping_kind++)
		for (filter_kind = 0; filter_kind < 3; filter_kind++) {
			snprintf(body, sizeof(body),
			    "pool: [203.0.113.8-203.0.113.9], mapping: %s, filtering: %s",
			    kinds[mapping_kind], kinds[filter_kind]);
			bed_open(&b, body);
			memset(list, 0, sizeof(list));
			now = 100000;
			for (unsigned i = 0; i < STEPS; i++)
				step(&b, &seed);
			bed_close(&b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_model_says),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}

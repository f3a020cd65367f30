/* SPDX-License-Identifier: Apache-2.0 */

/* Blocks of ports, and ports that follow from the address. */

#include <errno.h>

#include "nf/nat/pool/pool_test_int.h"

/* What a log would know: who has each port now. */
struct books {
	uint32_t holder[4][65536]; /* inside's number + 1 */
	unsigned given, returned;
};

static void
note(void *arg, unsigned worker, const struct nat_event *e)
{
	struct books *b = arg;
	be32_t inside;

	memcpy(&inside, e->inside, 4);
	assert_true(worker == 0 || worker == UINT32_MAX); /* the tick */
	assert_false(e->six);
	for (unsigned port = e->first; port <= e->last; port++) {
		uint32_t *holder = &b->holder[mr_be32(e->address) - OUTSIDE][port];
		uint32_t who = mr_be32(inside) - INSIDE + 1;

		assert_int_equal(*holder, e->kind == NAT_BLOCK_GIVEN ? 0 : who);
		*holder = e->kind == NAT_BLOCK_GIVEN ? who : 0;
	}
	if (e->kind == NAT_BLOCK_GIVEN)
		assert_int_equal(e->since, e->now);
	else
		assert_true(e->since < e->now);
	*(e->kind == NAT_BLOCK_GIVEN ? &b->given : &b->returned) += 1;
}

/* The pool says what the log does. */
static void
check_look(struct nat_pool *p, const struct books *b)
{
	uint32_t cursor = 0, count = 0;
	struct nat_event e;
	be32_t inside;

	for (unsigned a = 0; a < 4; a++)
		for (unsigned port = 0; port < 65536; port += 7) {
			bool held =
			    nat_pool_block_of(p, mr_be32(OUTSIDE + a), mr_be16((uint16_t)port), &e);

			memcpy(&inside, e.inside, 4);
			assert_int_equal(held, b->holder[a][port] != 0);
			if (held)
				assert_int_equal(mr_be32(inside) - INSIDE + 1, b->holder[a][port]);
		}
	for (; nat_pool_next_block(p, &cursor, &e); count++) {
		memcpy(&inside, e.inside, 4);
		assert_int_equal(b->holder[mr_be32(e.address) - OUTSIDE][e.last],
		    mr_be32(inside) - INSIDE + 1);
		assert_int_equal(e.since, 5);
	}
	assert_int_equal(count, b->given - b->returned);
	assert_false(nat_pool_block_of(p, mr_be32(1), mr_be16(5000), &e));
}

static void
subscribers_keep_to_their_blocks(void **state)
{
	static struct books books;
	static struct nat_outside all[30][300];
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 4);
	struct nat_pool_state s;
	struct nat_pool *p;

	c.block_size = 100;
	c.blocks_max = 3;
	c.linger = 60;
	c.event = note;
	c.event_arg = &books;
	c.preserve_port = c.preserve_parity = true;
	p = pool_make(&c);
	for (uint32_t n = 0; n < 30; n++)
		for (uint32_t i = 0; i < 300; i++) {
			struct nat_outside *out = &all[n][i];

			assert_int_equal(take(p, n, NAT_UDP, (uint16_t)(1024 + i), 1, 5, out),
			    NAT_TAKEN);
			assert_int_equal(out->address, all[n][0].address);
			assert_int_equal(
			    books.holder[mr_be32(out->address) - OUTSIDE][mr_be16(out->port)],
			    n + 1);
		}
	check_look(p, &books);
	/* One line of a log for a hundred mappings (RFC 6888 REQ-14). */
	assert_int_equal(books.given, 90);
	nat_pool_state(p, &s);
	assert_int_equal(s.blocks_used, 90);
	assert_int_equal(s.blocks, 4 * 645);
	/* All three are full; the other protocols have the same blocks. */
	assert_int_equal(take(p, 1, NAT_UDP, 1, 1, 5, &all[1][0]), NAT_NO_PORT);
	for (uint32_t i = 0; i < 300; i++) {
		struct nat_outside out;

		assert_int_equal(take(p, 1, NAT_TCP, 1, 1, 5, &out), NAT_TAKEN);
		nat_pool_give(p, 0, &out, NAT_TCP, 1, 5);
	}
	assert_int_equal(books.given, 90);
	/* Empty ones are returned but for the first, and that with the subscriber. */
	for (uint32_t i = 1; i < 300; i++)
		nat_pool_give(p, 0, &all[2][i], NAT_UDP, 1, 6);
	nat_pool_tick(p, 7);
	assert_int_equal(books.returned, 2);
	nat_pool_give(p, 0, &all[2][0], NAT_UDP, 1, 10);
	nat_pool_tick(p, 69);
	assert_int_equal(books.returned, 2);
	nat_pool_tick(p, 70);
	assert_int_equal(books.returned, 3);
	nat_pool_destroy(p);
}

static void
blocks_run_out_and_come_back(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);
	struct nat_outside out[20], more;
	struct nat_pool *p;

	c.port_last = 2023; /* ten blocks each */
	c.block_size = 100;
	c.linger = 1000;
	c.quarantine_seconds = 50;
	p = pool_make(&c);
	for (uint32_t n = 0; n < 20; n++)
		assert_int_equal(take(p, n, NAT_TCP, 1, 1, 0, &out[n]), NAT_TAKEN);
	assert_int_equal(take(p, 77, NAT_TCP, 1, 1, 1, &more), NAT_NO_BLOCK);
	assert_int_equal(mr_counters_sum(p->counters, NAT_POOL_NO_BLOCK), 1);
	/* Whoever has one goes on. */
	assert_int_equal(take(p, 3, NAT_TCP, 1, 1, 1, &more), NAT_TAKEN);
	/* One that lingers gives its block up, which then is in quarantine. */
	nat_pool_give(p, 0, &out[5], NAT_TCP, 1, 10);
	assert_int_equal(take(p, 77, NAT_TCP, 1, 1, 11, &more), NAT_NO_BLOCK);
	assert_int_equal(take(p, 77, NAT_TCP, 1, 1, 60, &more), NAT_NO_BLOCK);
	assert_int_equal(take(p, 77, NAT_TCP, 1, 1, 61, &more), NAT_TAKEN);
	assert_int_equal(more.address, out[5].address);
	assert_int_equal((mr_be16(more.port) - 1024) / 100, (mr_be16(out[5].port) - 1024) / 100);
	nat_pool_destroy(p);
}

static void
reserved_ports_are_in_no_block(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 1);
	be32_t address = mr_be32(OUTSIDE);
	struct nat_outside out[20], more;
	struct nat_pool *p;

	c.port_last = 1043;
	c.block_size = 10;
	p = pool_make(&c);
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(1025), 70), 0);
	assert_int_equal(nat_pool_reserve(p, address, NAT_TCP, mr_be16(1035), 71), 0);
	for (uint32_t n = 0; n < 2; n++) {
		for (unsigned i = 0; i < 9; i++)
			assert_int_equal(take(p, n, NAT_TCP, 1025, 1, 0, &out[i + n * 10]),
			    NAT_TAKEN);
		assert_int_equal(take(p, n, NAT_TCP, 1025, 1, 0, &more), NAT_NO_PORT);
	}
	assert_int_equal(nat_pool_find(p, address, NAT_TCP, mr_be16(1025)), 70);
	nat_pool_unreserve(p, address, NAT_TCP, mr_be16(1025));
	nat_pool_unreserve(p, address, NAT_TCP, mr_be16(1035));
	for (uint32_t n = 0; n < 2; n++)
		assert_int_equal(take(p, n, NAT_TCP, 1025, 1, 0, &more), NAT_TAKEN);
	nat_pool_destroy(p);
}

/* RFC 7422, by an oracle that counts instead of dividing. */
static void
deterministic_ports_follow_from_the_address(void **state)
{
	static const struct {
		uint32_t inside, addresses, first, last;
	} cases[] = {
		{ 1, 1, 1024, 65535 },
		{ 254, 1, 1024, 65535 },
		{ 1000, 3, 1024, 65535 },
		{ 16, 16, 1024, 1024 },
		{ 100, 7, 5000, 5999 },
		{ 64512, 1, 1024, 65535 },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		uint32_t share = 1, ports, address = 0, at = 0;
		struct nat_range range;
		struct nat_pool_config c = pool_config(&range, cases[i].addresses);
		struct nat_outside out;
		struct nat_event e;
		struct nat_pool *p;
		be32_t inside;

		c.port_first = (uint16_t)cases[i].first;
		c.port_last = (uint16_t)cases[i].last;
		c.deterministic = true;
		c.subscribers_max = 70000;
		c.inside = (struct nat_range){ INSIDE + 5, INSIDE + 4 + cases[i].inside };
		c.quarantine_seconds = 9;
		p = pool_make(&c);
		while (share * cases[i].addresses < cases[i].inside)
			share++;
		ports = (cases[i].last - cases[i].first + 1) / share;
		for (uint32_t n = 0; n < cases[i].inside; n++) {
			uint32_t first = cases[i].first + at * ports;
			unsigned takes = MR_MIN(ports, 3u);

			for (unsigned t = 0; t < takes; t++) {
				assert_int_equal(take(p, 5 + n, NAT_UDP, 1, 1, 0, &out), NAT_TAKEN);
				assert_int_equal(mr_be32(out.address), OUTSIDE + address);
				assert_in_range(mr_be16(out.port), first, first + ports - 1);
				assert_true(nat_pool_block_of(p, out.address, out.port, &e));
				memcpy(&inside, e.inside, 4);
				assert_int_equal(mr_be32(inside), INSIDE + 5 + n);
				assert_int_equal(e.first, first);
				assert_int_equal(e.last, first + ports - 1);
			}
			if (ports < 3)
				assert_int_equal(take(p, 5 + n, NAT_UDP, 1, 1, 0, &out),
				    NAT_NO_PORT);
			if (++at == share) {
				at = 0;
				address++;
			}
		}
		assert_int_equal(take(p, 4, NAT_UDP, 1, 1, 0, &out), NAT_NO_SUBSCRIBER);
		assert_int_equal(take(p, 5 + cases[i].inside, NAT_UDP, 1, 1, 0, &out),
		    NAT_NO_SUBSCRIBER);
		nat_pool_destroy(p);
	}
}

static void
impossible_pools_are_refused(void **state)
{
	struct nat_range range;
	struct nat_pool_config good = pool_config(&range, 1), c = good;
	struct nat_pool *p = NULL;
	struct mr_error error;

	c.deterministic = true;
	c.inside = (struct nat_range){ 1, 64513 };
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	c.inside = (struct nat_range){ 1, 64512 };
	c.block_size = 64;
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	c = good;
	c.block_size = 64513;
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	c = good;
	c.blocks_max = 65;
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	c = good;
	c.port_first = 0;
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	c = good;
	c.subscribers_max = 0;
	assert_int_equal(nat_pool_create(&p, &c, &error), -EINVAL);
	assert_null(p);
	nat_pool_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subscribers_keep_to_their_blocks),
		cmocka_unit_test(blocks_run_out_and_come_back),
		cmocka_unit_test(reserved_ports_are_in_no_block),
		cmocka_unit_test(deterministic_ports_follow_from_the_address),
		cmocka_unit_test(impossible_pools_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

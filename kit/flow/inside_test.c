/* SPDX-License-Identifier: Apache-2.0 */

/* Tunnels' remote ends against a list of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kit/flow/inside.h"

#define ENDS 1500u

struct end {
	struct mr_flow_outer key;
	uint32_t number;
};

static struct end list[ENDS];
static unsigned list_count;
static uint64_t state = 0x1234567;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Few values of each field, so that most keys differ from others in one of them. */
static void
draw_key(struct mr_flow_outer *key)
{
	static const uint16_t ports[] = { 4789, 8472, 4789 + 64, 0, 65535 };
	bool six = draw(2);

	memset(key, 0, sizeof(*key));
	memset(key->local, 1 + (int)draw(3), six ? 16 : 4);
	memset(key->remote, 1, six ? 16 : 4);
	key->remote[draw(six ? 16 : 4)] = (uint8_t)draw(8);
	key->network = draw(4) ? draw(6) : draw(1u << 24);
	key->port = ports[draw(MR_ARRAY_COUNT(ports))];
	key->vrf = (uint16_t)(draw(3) | (six ? MR_FLOW_OUTER_SIX : 0));
}

static uint32_t
number_of(const struct mr_flow_outer *key)
{
	for (unsigned i = 0; i < list_count; i++)
		if (memcmp(&list[i].key, key, sizeof(*key)) == 0)
			return list[i].number;
	return 0;
}

static void
add_some(struct mr_flow_inside *t)
{
	list_count = 0;
	for (unsigned i = 0; i < ENDS; i++) {
		struct end end = { .number = draw(8) ? 1 + draw(65535) : UINT32_MAX };

		draw_key(&end.key);
		mr_flow_inside_add(t, &end.key, end.number);
		/* One that is there keeps its number. */
		if (!number_of(&end.key))
			list[list_count++] = end;
	}
	assert_true(list_count > ENDS / 4 && list_count < ENDS);
}

static void
test_random(void **s)
{
	unsigned found = 0, looked = 0;
	struct mr_flow_inside *t;

	(void)s;
	for (unsigned round = 0; round < 3; round++) {
		uint64_t ports = 0;

		assert_int_equal(mr_flow_inside_create(&t, ENDS, NULL), 0);
		add_some(t);
		for (unsigned i = 0; i < list_count; i++) {
			assert_int_equal(mr_flow_inside_find(t, &list[i].key), list[i].number);
			ports |= 1ull << list[i].key.port % 64;
		}
		assert_int_equal(mr_flow_inside_ports(t), ports);
		for (unsigned i = 0; i < 5000; i++, looked++) {
			struct mr_flow_outer key;
			uint32_t number;

			draw_key(&key);
			if (draw(2)) { /* of one that is there */
				uint16_t port = key.port;

				key = list[draw(list_count)].key;
				key.port = draw(2) ? port : key.port;
			}
			number = number_of(&key);
			assert_int_equal(mr_flow_inside_find(t, &key), number);
			found += number != 0;
		}
		mr_flow_inside_destroy(t);
	}
	assert_true(found > looked / 20 && found < looked * 19 / 20);
}

/* Each bit of a key counts. */
static void
test_bits(void **s)
{
	struct mr_flow_inside *t;
	struct mr_flow_outer key;

	(void)s;
	assert_int_equal(mr_flow_inside_create(&t, 1, NULL), 0);
	draw_key(&key);
	mr_flow_inside_add(t, &key, 7);
	for (unsigned bit = 0; bit < 8 * sizeof(key); bit++) {
		struct mr_flow_outer other = key;

		((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(mr_flow_inside_find(t, &other), 0);
	}
	assert_int_equal(mr_flow_inside_find(t, &key), 7);
	mr_flow_inside_destroy(t);
}

static void
test_empty(void **s)
{
	struct mr_flow_inside *t;
	struct mr_flow_outer key;

	(void)s;
	mr_flow_inside_destroy(NULL);
	assert_int_equal(mr_flow_inside_create(&t, 0, NULL), 0);
	draw_key(&key);
	assert_int_equal(mr_flow_inside_find(t, &key), 0);
	assert_int_equal(mr_flow_inside_ports(t), 0);
	mr_flow_inside_destroy(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

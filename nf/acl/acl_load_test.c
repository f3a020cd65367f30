/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long list: it loads, and a change of one rule is a change of one rule: the classifier stays
 * and the other rules are not touched. With a number as argument, so many rules, and what it took.
 */
#include <time.h>

#include "nf/acl/acl.h"
#include "nf/acl/acl_test_int.h"

static unsigned rules = 3000;

static uint32_t
mix(uint32_t n)
{
	n = (n ^ n >> 16) * 0x7feb352d;
	n = (n ^ n >> 15) * 0x846ca68b;
	return n ^ n >> 16;
}

/* All but rule `without`, and with rule `moved` at the end. */
static char *
print(unsigned without, unsigned moved)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fprintf(f,
	    "acl:\n  interface: {a: {in: l}}\n  list:\n    l:\n      default: drop\n      rule:\n");
	for (unsigned k = 0; k <= rules; k++) {
		unsigned i = k == rules ? moved : k;
		uint32_t a = mix(i), b = mix(i + 1000000);

		if (i == without || (k < rules && i == moved))
			continue;
		fprintf(f,
		    "        - {name: r%u, source: 10.%u.%u.0/24, destination: 10.%u.%u.%u, "
		    "protocol: %s, destination-port: %u, action: %s}\n",
		    i, a & 255, a >> 8 & 255, b & 255, b >> 8 & 255, b >> 16 & 255,
		    a >> 31 ? "tcp" : "udp", a >> 16 & 0x7fff, b >> 31 ? "accept" : "drop");
	}
	fclose(f);
	return text;
}

static double
milliseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
change(struct acl_bed *b, unsigned without, unsigned moved, const char *what)
{
	const struct acl_list *l = b->acl->own.lists;
	struct mr_class *class = l->now->class;
	char *text = print(without, moved), said[500];
	struct mr_config *config = NULL;
	struct mr_error error;
	double start;

	load(text, &config, said, sizeof(said));
	assert_string_equal(said, "");
	start = milliseconds();
	assert_int_equal(mr_nf_acl.prepare(b->acl, config, &error), 0);
	print_message("%s: prepared in %.1f ms, %u changes of entries\n", what,
	    milliseconds() - start, l->undo_count);
	assert_ptr_equal(l->then->class, class);
	assert_in_range(l->undo_count, 1, 4);
	mr_nf_acl.abort(b->acl);
	mr_config_destroy(config);
	bed_apply(b, text);
	assert_ptr_equal(b->acl->own.lists->now->class, class);
	free(text);
}

static void
long_lists_change_a_little(void **state)
{
	uint32_t a = mix(7), c = mix(1000007);
	struct packet p = { .family = 4,
		.src = 0x0a000001 | (a & 255) << 16 | (a & 0xff00),
		.dst = 0x0a000000 | (c & 255) << 16 | (c & 0xff00) | (c >> 16 & 255),
		.proto = a >> 31 ? 6 : 17,
		.dport = a >> 16 & 0x7fff };
	char *text = print(UINT32_MAX, rules - 1);
	double start = milliseconds();
	struct acl_bed b;

	bed_open(&b, text);
	free(text);
	print_message("%u rules: loaded in %.0f ms\n", rules, milliseconds() - start);
	(void)bed_one(&b, "acl-in@a", &p);
	assert_int_equal(rule_packets(&b, "l", "r7"), 1);
	change(&b, 5, rules - 1, "one rule less");
	change(&b, UINT32_MAX, rules - 1, "one rule more");
	change(&b, UINT32_MAX, 100, "one rule moved");
	(void)bed_one(&b, "acl-in@a", &p);
	assert_int_equal(rule_packets(&b, "l", "r7"), 2);
	bed_close(&b);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_lists_change_a_little),
	};

	if (argc > 1)
		rules = (unsigned)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, make_model, free_model);
}

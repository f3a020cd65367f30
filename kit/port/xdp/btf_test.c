/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "kit/port/xdp/btf.h"

/* One of each kind, with a function before and behind. */
static struct btf *
make_types(void)
{
	struct btf *b = btf__new_empty();
	int proto;

	assert_non_null(b);
	assert_int_equal(btf__add_int(b, "int", 4, BTF_INT_SIGNED), 1);
	btf__add_ptr(b, 1);
	btf__add_array(b, 1, 1, 4);
	btf__add_struct(b, "s", 8);
	btf__add_field(b, "a", 1, 0, 0);
	btf__add_field(b, "b", 1, 32, 0);
	btf__add_union(b, "u", 4);
	btf__add_field(b, "c", 1, 0, 0);
	btf__add_enum(b, "e", 4);
	btf__add_enum_value(b, "one", 1);
	proto = btf__add_func_proto(b, 1);
	btf__add_func_param(b, "x", 1);
	btf__add_func(b, "early", BTF_FUNC_GLOBAL, proto);
	btf__add_fwd(b, "f", BTF_FWD_STRUCT);
	btf__add_typedef(b, "t", 1);
	btf__add_volatile(b, 1);
	btf__add_const(b, 1);
	btf__add_restrict(b, 2);
	btf__add_var(b, "v", BTF_VAR_STATIC, 1);
	btf__add_datasec(b, ".data", 4);
	btf__add_datasec_var_info(b, 13, 0, 4);
	btf__add_float(b, "float", 4);
	btf__add_decl_tag(b, "tag", 4, -1);
	btf__add_type_tag(b, "tag", 1);
	btf__add_enum64(b, "big", 8, false);
	btf__add_enum64_value(b, "two", 2);
	btf__add_func(b, "late", BTF_FUNC_STATIC, proto);
	return b;
}

static void
test_kinds(void **state)
{
	struct btf *b = make_types();
	const void *bytes;
	uint32_t size;
	int early = btf__find_by_name_kind(b, "early", BTF_KIND_FUNC);
	int late = btf__find_by_name_kind(b, "late", BTF_KIND_FUNC);

	assert_true(early > 0 && late > early);
	bytes = btf__raw_data(b, &size);
	assert_int_equal(xdp_btf_find(bytes, size, "early"), early);
	assert_int_equal(xdp_btf_find(bytes, size, "late"), late);
	assert_int_equal(xdp_btf_find(bytes, size, "lat"), 0);
	assert_int_equal(xdp_btf_find(bytes, size, "later"), 0);
	assert_int_equal(xdp_btf_find(bytes, size, "int"), 0); /* no function */
	btf__free(b);
}

/* Cut anywhere, or with any byte changed, it is never read past its end (the copies are of
 * exactly their size, so that a sanitizer sees it). */
static void
test_damaged(void **state)
{
	struct btf *b = make_types();
	const uint8_t *bytes;
	uint32_t size, i;
	uint8_t *copy;
	int whole;

	bytes = btf__raw_data(b, &size);
	whole = xdp_btf_find(bytes, size, "late");
	for (i = 0; i < size; i++) {
		copy = malloc(i + 1);
		memcpy(copy, bytes, i);
		assert_int_equal(xdp_btf_find(copy, i, "late"), 0);
		free(copy);
		copy = malloc(size);
		memcpy(copy, bytes, size);
		copy[i] ^= 0xff;
		assert_in_range(xdp_btf_find(copy, size, "late"), 0, (uintmax_t)whole + 100);
		free(copy);
	}
	btf__free(b);
}

/* libbpf finds the same in the running kernel. */
static void
test_kernel(void **state)
{
	static const char *const functions[] = { "bpf_xdp_metadata_rx_vlan_tag",
		"bpf_xdp_metadata_rx_hash", "no such function" };
	struct btf *b = btf__load_vmlinux_btf();
	unsigned i;
	int id;

	if (!b || libbpf_get_error(b)) {
		print_message("this kernel tells no types (/sys/kernel/btf/vmlinux)\n");
		skip();
	}
	for (i = 0; i < MR_ARRAY_COUNT(functions); i++) {
		id = btf__find_by_name_kind(b, functions[i], BTF_KIND_FUNC);
		assert_int_equal(xdp_btf_find_kernel(functions[i]), MR_MAX(id, 0));
	}
	btf__free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

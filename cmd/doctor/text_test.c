/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void
fields(void **state)
{
	const char *text = "MemTotal:       16 kB\nMem: 7\nCapEff:\t00000000000030c0\r\n"
			   "flags\t\t: fpu sse4_2 avx \nDRIVER=ixgbe\nempty:\n";
	char value[32];
	uint64_t n;

	(void)state;
	assert_true(text_field(text, "Mem", value, sizeof(value)));
	assert_string_equal(value, "7");
	assert_true(text_field(text, "DRIVER", value, sizeof(value)));
	assert_string_equal(value, "ixgbe");
	assert_true(text_field(text, "empty", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(text_field_uint(text, "MemTotal", &n));
	assert_int_equal(n, 16);
	assert_true(text_field_hex(text, "CapEff", &n));
	assert_int_equal(n, 0x30c0);
	assert_true(text_field(text, "flags", value, 8));
	assert_string_equal(value, "fpu sse");
	assert_true(text_has_word("fpu sse4_2\n", "sse4_2"));
	assert_false(text_has_word("fpu sse4_2\n", "sse4"));
	assert_true(text_row("Iface\tx\neth0\t0\n", "eth0"));
	assert_false(text_row("Iface\tx\neth01\t0\n", "eth0"));
	assert_false(text_row("eth0\n", ""));
	assert_true(text_row("x\neth0", "eth0"));
	assert_false(text_field(text, "MemFree", value, sizeof(value)));
	assert_false(text_field_uint(text, "empty", &n));
}

static void
kernel_files(void **state)
{
	const char *limits =
	    "Limit                     Soft Limit           Hard Limit           Units\n"
	    "Max locked memory         8388608              unlimited            bytes\n"
	    "Max open files            unlimited            unlimited            files\n";
	const char *mounts = "sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n";
	const char *interrupts = "           CPU0\n  24:   5  PCI-MSI  eth0-TxRx-0\n"
				 "  25:   5  PCI-MSI  eth01-TxRx-0\n  26:   5  PCI-MSI  eth0\n";
	const char *cursor = interrupts;
	char word[16];
	unsigned n;
	uint64_t a, b;

	(void)state;
	assert_true(text_limit(limits, "Max locked memory", &a));
	assert_int_equal(a, 8388608);
	assert_true(text_limit(limits, "Max open files", &a));
	assert_true(a == UINT64_MAX);
	assert_false(text_limit(limits, "Max", &a));
	assert_true(text_mount(mounts, "/sys/fs/bpf", word, sizeof(word)));
	assert_string_equal(word, "bpf");
	assert_false(text_mount(mounts, "/sys/fs", word, sizeof(word)));
	assert_true(text_chosen("always [madvise] never\n", word, sizeof(word)));
	assert_string_equal(word, "madvise");
	assert_false(text_chosen("always ]madvise[", word, sizeof(word)));
	assert_true(text_version("6.1.0-13-amd64\n", &n));
	assert_int_equal(n, 6001);
	assert_false(text_version("six", &n));
	assert_true(text_cpu_time("cpu  9 9 9\ncpu1 1 2 3 4 5 6 7 8 9 10\n", 1, &a, &b));
	assert_int_equal(a, 36);
	assert_int_equal(b, 8);
	assert_false(text_cpu_time("cpu1 1 2 3\n", 1, &a, &b));
	assert_true(text_interrupt(&cursor, "eth0", &n));
	assert_int_equal(n, 24);
	assert_true(text_interrupt(&cursor, "eth0", &n));
	assert_int_equal(n, 26);
	assert_false(text_interrupt(&cursor, "eth0", &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(kernel_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

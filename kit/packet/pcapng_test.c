/* SPDX-License-Identifier: Apache-2.0 */

/* What we write, libpcap reads; and no block is written past its room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pcap/pcap.h>

#include "kit/packet/pcapng.h"

static void
test_libpcap_reads_it(void **state)
{
	uint8_t file[65536], frame[1500];
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *bytes;
	size_t size = 0;
	FILE *f;
	pcap_t *p;

	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7);
	size += mr_pcapng_section(file, sizeof(file));
	assert_int_equal(size, MR_PCAPNG_SECTION_SIZE);
	size += mr_pcapng_interface(file + size, sizeof(file) - size, "lan1", 0);
	size += mr_pcapng_interface(file + size, sizeof(file) - size, NULL, 0);
	for (unsigned len = 1; len <= 40; len++)
		size += mr_pcapng_packet(file + size, sizeof(file) - size,
		    &(struct mr_pcapng_packet){ .interface = len % 2,
			.time_ns = 1700000000ull * 1000000000 + len,
			.kept = len,
			.length = len + 5,
			.direction = (enum mr_pcapng_direction)(len % 3),
			.comment = len % 4 ? NULL : "drop: vlan-not-allowed" },
		    frame);
	assert_int_equal(mr_pcapng_statistics(file + size, sizeof(file) - size, 1, 7, 99),
	    MR_PCAPNG_STATISTICS_SIZE);
	size += MR_PCAPNG_STATISTICS_SIZE;
	f = fmemopen(file, size, "rb");
	p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, error);
	assert_non_null(p);
	for (unsigned len = 1; len <= 40; len++) {
		assert_int_equal(pcap_next_ex(p, &head, &bytes), 1);
		assert_int_equal(head->caplen, len);
		assert_int_equal(head->len, len + 5);
		assert_int_equal(head->ts.tv_sec, 1700000000);
		assert_int_equal(head->ts.tv_usec, len);
		assert_memory_equal(bytes, frame, len);
	}
	assert_int_equal(pcap_next_ex(p, &head, &bytes), PCAP_ERROR_BREAK);
	pcap_close(p);
}

static void
test_bounds(void **state)
{
	char name[200], comment[600];
	uint8_t frame[100] = { 1 };
	const struct mr_pcapng_packet packet = { .kept = 99,
		.length = 99,
		.direction = MR_PCAPNG_OUT,
		.comment = comment };

	memset(name, 'n', sizeof(name));
	memset(comment, 'c', sizeof(comment));
	for (size_t size = 0; size <= MR_PCAPNG_PACKET_MAX(99); size++) {
		uint8_t *out = malloc(size ? size : 1); /* exactly, for the sanitizer */

		if (size >= MR_PCAPNG_PACKET_MAX(99))
			assert_true(mr_pcapng_packet(out, size, &packet, frame) > 0);
		else
			mr_pcapng_packet(out, size, &packet, frame);
		if (size >= MR_PCAPNG_INTERFACE_MAX)
			assert_true(mr_pcapng_interface(out, size, name, 0) > 0);
		else
			mr_pcapng_interface(out, size, name, 0);
		mr_pcapng_section(out, size);
		assert_int_equal(mr_pcapng_statistics(out, size, 0, 0, 1),
		    size >= MR_PCAPNG_STATISTICS_SIZE ? MR_PCAPNG_STATISTICS_SIZE : 0);
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libpcap_reads_it),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

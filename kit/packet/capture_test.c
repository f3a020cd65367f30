/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Real and broken captures through everything that reads a frame. What values come out is
 * compared with tshark's elsewhere (tests/packet); here the bounds are the matter, under
 * AddressSanitizer, and what must hold for any input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "kit/packet/capture_int.h"
#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"
#include "kit/packet/print.h"
#include "kit/packet/rss.h"

struct seen {
	unsigned frames, ok, tunnels, good, bad;
	unsigned errors[MR_PARSE_ERROR_COUNT];
	struct mr_rss rss;
};

static void
check_frame(struct seen *seen, const struct capture_frame *f)
{
	struct mr_parsed p, q;
	uint16_t start = 0, offset = 0;
	unsigned depth;
	char text[160];

	mr_parse(&p, f->bytes, f->len, f->total);
	mr_parse_ethernet(&q, f->bytes, f->len, f->total);
	assert_memory_equal(&p, &q, sizeof(p));
	seen->frames++;
	seen->ok += !p.error;
	seen->errors[p.error]++;
	for (depth = 0; depth < 8; depth++) {
		assert_true(p.end <= f->total);
		if (p.l4)
			assert_true(p.l4 <= f->len && p.l4 <= p.payload && p.payload <= p.end);
		mr_rss_packet(&seen->rss, &p, f->bytes);
		if (p.error || !p.tunnel)
			break;
		mr_parse_inner(&p, &p, f->bytes, f->len, f->total);
		seen->tunnels += !p.error;
		seen->errors[p.error]++;
	}
	if (mr_checksum_is_unfinished(f->bytes, f->len, &start, &offset))
		assert_true(start + offset + 2u <= f->len);
	switch (mr_checksum_l4_verify(f->bytes, f->len)) {
	case MR_CHECKSUM_GOOD:
		seen->good++;
		break;
	case MR_CHECKSUM_BAD:
		seen->bad++;
		break;
	default:
		break;
	}
	mr_packet_print_first(text, sizeof(text), f->bytes, f->len, f->total);
	assert_true(strlen(text) > 5 && strlen(text) < sizeof(text));
}

static void
check_folder(struct seen *seen, const char *data, const char *folder)
{
	char path[1024];
	struct capture_frame f;
	struct capture c;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", data, folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s/%s", data, folder, entry->d_name);
		if (entry->d_name[0] == '.' || !capture_open(&c, path))
			continue;
		while (c.link == CAPTURE_ETHERNET && capture_next(&c, &f)) {
			check_frame(seen, &f);
			free(f.bytes);
		}
		capture_close(&c);
	}
	closedir(dir);
}

static void
test_captures(void **state)
{
	/* Beside the source tree: seen from there, or from a build folder in it. */
	const char *data[] = { getenv("MR_DATA"), "../shared/data", "../../shared/data" },
		   *found = NULL;
	static struct seen seen;
	char path[512];
	DIR *dir;

	for (size_t i = 0; i < MR_ARRAY_COUNT(data) && !found; i++) {
		if (!data[i])
			continue;
		snprintf(path, sizeof(path), "%s/captures", data[i]);
		dir = opendir(path);
		if (dir) {
			closedir(dir);
			found = data[i];
		}
	}
	if (!found) {
		print_message("no captures: set MR_DATA to the shared data folder\n");
		skip();
	}
	mr_rss_prepare(&seen.rss, NULL, 0);
	check_folder(&seen, found, "captures");
	check_folder(&seen, found, "malformed");
	print_message("%u frames, %u whole, %u inside tunnels, %u good sums, %u bad\n", seen.frames,
	    seen.ok, seen.tunnels, seen.good, seen.bad);
	/* Most of what is out there is well formed, and every kind of break has its name. */
	assert_true(seen.frames > 4000 && seen.ok > seen.frames * 9 / 10);
	assert_true(seen.tunnels > 200 && seen.good > seen.frames / 3);
	assert_true(seen.bad > 0);
	assert_true(seen.errors[MR_PARSE_IP4_TRUNCATED] && seen.errors[MR_PARSE_UDP_LENGTH]);
	assert_true(seen.errors[MR_PARSE_IP6_JUMBOGRAM] && seen.errors[MR_PARSE_SPLIT]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/child.h"
#include "bench/measure.h"
#include "bench/net.h"
#include "bench/ovs_ctl.h"
#include "bench/report.h"
#include "kit/packet/checksum.h"

static void
test_side(void **state)
{
	static const double values[] = { 5, 1, 4, 2, 100, 3 };
	struct mr_bench_side side = { 0 }, other = { 0 };
	unsigned i;

	mr_bench_side_settle(&side);
	assert_true(mr_bench_ratio(&side, &side) < 0);
	for (i = 0; i < MR_ARRAY_COUNT(values); i++)
		assert_int_equal(mr_bench_side_add(&side, values[i]), 0);
	mr_bench_side_settle(&side);
	assert_true(side.min == 1 && side.max == 100 && side.median == 3.5);
	for (i = 0; i < 1001; i++)
		assert_int_equal(mr_bench_side_add(&other, i), 0);
	mr_bench_side_settle(&other);
	assert_true(other.median == 500);
	assert_true(mr_bench_ratio(&side, &other) == 3.5 / 500);
	free(side.values);
	free(other.values);
}

static void
test_json(void **state)
{
	static const struct mr_bench_row row = { .name = "r", .unit = "u", .config = "c" };
	struct mr_bench_result r = { .row = &row, .tsc_hz = 7, .config = "a \"b\"\\\n" };
	char text[1024];
	FILE *f;

	f = fmemopen(text, sizeof(text), "w");
	assert_non_null(f);
	mr_error_set(&r.skipped, -EPERM, "no privilege");
	mr_bench_print_json(f, &r);
	fclose(f);
	assert_string_equal(text,
	    "  {\"row\": \"r\", \"unit\": \"u\", \"better\": \"less\", \"tsc_hz\": 7,\n"
	    "   \"skipped\": \"no privilege\",\n"
	    "   \"config\": \"a \\\"b\\\"\\\\\\u000a\"}");
}

static void
test_child(void **state)
{
	char *argv[] = { (char *)"sh", (char *)"-c",
		(char *)"read a; echo noise; echo \"got $a\"; echo last words; exit 3", NULL };
	struct mr_bench_child c;
	struct mr_cpu_set cpus;
	struct mr_error error;
	char line[64];
	int terminal;

	assert_int_equal(mr_cpu_allowed(&cpus, NULL), 0);
	for (terminal = 0; terminal < 2; terminal++) {
		assert_int_equal(mr_bench_child_start(&c, argv, terminal, &cpus, &error), 0);
		assert_int_equal(mr_bench_child_expect(&c, "got", line, sizeof(line), 50, &error),
		    -ETIMEDOUT);
		assert_int_equal(mr_bench_child_send(&c, "this\n", &error), 0);
		assert_int_equal(
		    mr_bench_child_expect(&c, "got", line, sizeof(line), 20000, &error), 0);
		assert_string_equal(line, "got this");
		assert_int_equal(
		    mr_bench_child_expect(&c, "never", line, sizeof(line), 20000, &error), -EPIPE);
		assert_string_equal(error.text, "it ended, saying \"last words\"");
		mr_bench_child_stop(&c, NULL);
		assert_int_equal(c.pid, 0);
	}
	argv[0] = (char *)"no-such-program";
	assert_int_equal(mr_bench_child_start(&c, argv, false, &cpus, &error), 0);
	assert_int_equal(mr_bench_child_expect(&c, "x", line, sizeof(line), 20000, &error), -EPIPE);
	assert_string_equal(error.text,
	    "it ended, saying \"no-such-program: No such file or directory\"");
	mr_bench_child_stop(&c, "bye\n"); /* nobody listens: must not end us */
}

/* A row whose sides cost 2, 1 and 4, and a peer that dies in its third window. */
static unsigned windows[3], torn_down, stopped;

static int
count_window(unsigned side, double cost, double *value)
{
	windows[side]++;
	*value = cost;
	return 0;
}

static int
fake_ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return count_window(0, 2, value);
}

static int
fake_floor(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return count_window(1, 1, value);
}

static int
fail_ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	return windows[0]++ > 2 ? mr_error_set(error, -EIO, "it broke") : 0;
}

static void
fake_teardown(struct mr_bench_run *run)
{
	torn_down++;
}

static int
fake_start(struct mr_bench_run *run, void **state, char *label, size_t size, struct mr_error *error)
{
	snprintf(label, size, "fake 1");
	mr_bench_note(run, "; noted");
	return 0;
}

static int
fake_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	return count_window(2, 4, value);
}

static int
dying_window(struct mr_bench_run *run, void *state, double *value, struct mr_error *error)
{
	if (++windows[2] == 3)
		return mr_error_set(error, -EPIPE, "it died");
	*value = 4;
	return 0;
}

static void
fake_stop(void *state)
{
	stopped++;
}

static const struct mr_bench_peer fake = { "fake", fake_start, fake_window, fake_stop, NULL };
static const struct mr_bench_peer dying = { "dying", fake_start, dying_window, fake_stop, NULL };
static const struct mr_bench_peer *const fakes[] = { &fake, &dying, NULL };

static void
test_measure(void **state)
{
	struct mr_bench_row row = { .name = "fake",
		.unit = "u",
		.config = "c",
		.teardown = fake_teardown,
		.ours = fake_ours,
		.floor = fake_floor,
		.peers = fakes };
	struct mr_bench_options options = { .seconds = 0.001, .cpu = -1, .tsc_hz = 1000000000 };
	struct mr_bench_result r;

	mr_bench_measure(&row, &options, &r);
	assert_int_equal(r.skipped.code | r.peer_skipped.code, 0);
	assert_true(r.ours.count >= 5);
	assert_int_equal(r.ours.count, r.floor.count);
	assert_int_equal(r.ours.count, r.peer.count);
	assert_true(windows[0] > r.ours.count); /* the first is not counted */
	assert_true(mr_bench_ratio(&r.ours, &r.peer) == 0.5);
	assert_true(mr_bench_ratio(&r.ours, &r.floor) == 2);
	assert_string_equal(r.peer_label, "fake 1");
	assert_int_equal(strncmp(r.config, "c; noted", 8), 0);
	assert_int_equal(torn_down, 1);
	assert_int_equal(stopped, 1);
	mr_bench_result_clear(&r);

	row.rounds_min = 9;
	options.seconds = 0;
	mr_bench_measure(&row, &options, &r);
	assert_int_equal(r.ours.count, 9);
	mr_bench_result_clear(&r);
	torn_down = stopped = 1;
	row.rounds_min = 0;
	options.seconds = 0.001;

	windows[2] = 0;
	options.peer = "dying";
	mr_bench_measure(&row, &options, &r);
	assert_string_equal(r.peer_skipped.text, "it died");
	assert_int_equal(r.peer.count, 0);
	assert_true(r.ours.count >= 5);
	assert_int_equal(stopped, 2);
	mr_bench_result_clear(&r);

	options.peer = "nobody";
	mr_bench_measure(&row, &options, &r);
	assert_string_equal(r.peer_skipped.text, "this row has no peer nobody");
	mr_bench_result_clear(&r);

	options.peer = "none";
	windows[0] = 0;
	row.ours = fail_ours;
	mr_bench_measure(&row, &options, &r);
	assert_string_equal(r.skipped.text, "it broke");
	assert_int_equal(torn_down, 4);
	mr_bench_result_clear(&r);

	options.cpu = MR_CPU_MAX - 1;
	mr_bench_measure(&row, &options, &r);
	assert_string_equal(r.skipped.text, "CPU 4095 is not one that we may use");
	mr_bench_result_clear(&r);
}

/* What is fed is what we say it is. */
static void
test_frame(void **state)
{
	uint8_t frame[MR_BENCH_NET_FRAME];

	mr_bench_net_frame(frame);
	assert_true(mr_checksum_ipv4_header_good((const struct mr_ip4 *)(frame + 14)));
	assert_int_equal(mr_checksum_l4_verify(frame, sizeof(frame)), MR_CHECKSUM_GOOD);
}

static void
test_ovs_answer(void **state)
{
	char good[] =
	    "{\"id\":0,\"result\":\"packets: 12\\n\\tsays \\\"error\\\":\\\\ 7\",\"error\":null}";
	char bad[] = "{\"error\":\"no such command\",\"id\":0,\"result\":null}";
	char cut[] = "{\"id\":0,\"result\":\"packets\\";
	char other[] = "{\"id\":0,\"method\":\"echo\"}";
	uint64_t number;
	bool failed;
	char *text;

	text = mr_bench_ovs_answer(good, &failed);
	assert_string_equal(text, "packets: 12\n\tsays \"error\":\\ 7");
	assert_false(failed);
	assert_true(mr_bench_ovs_number(text, "packets:", &number));
	assert_int_equal(number, 12);
	assert_false(mr_bench_ovs_number(text, "says", &number));
	assert_false(mr_bench_ovs_number(text, "bytes:", &number));
	assert_string_equal(mr_bench_ovs_answer(bad, &failed), "no such command");
	assert_true(failed);
	assert_null(mr_bench_ovs_answer(cut, &failed));
	assert_null(mr_bench_ovs_answer(other, &failed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_side),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_measure),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_ovs_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

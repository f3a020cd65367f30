/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/metrics/metrics_int.h"
#include "nf/nf.h"

struct bed {
	struct mr_model *model;
	struct mr_leaves *leaves;
	struct families *families;
	struct mr_sample *sample;
	struct page page;
};

static int
setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct mr_error error = { 0 };

	*state = b;
	if (mr_nf_model(&b->model, &error) || mr_leaves_create(&b->leaves, b->model, &error) ||
	    families_create(&b->families, b->leaves, &error))
		fail_msg("%s", error.text);
	return mr_sample_create(&b->sample, b->leaves);
}

static int
teardown(void **state)
{
	struct bed *b = *state;

	page_free(&b->page);
	mr_sample_destroy(b->sample);
	families_destroy(b->families);
	mr_leaves_destroy(b->leaves);
	mr_model_destroy(b->model);
	free(b);
	return 0;
}

static const char *
write_page(struct bed *b, bool open)
{
	struct mr_error error = { 0 };

	if (mr_sample_end(b->sample, &error))
		fail_msg("%s", error.text);
	assert_int_equal(page_write(&b->page, b->families, b->sample, open), 0);
	b->page.text[b->page.used] = '\0';
	return b->page.text;
}

static void
write_interfaces(struct mr_state *st)
{
	mr_state_open(st, "system");
	mr_state_uint(st, "uptime", 12345);
	mr_state_list(st, "node", "a\"b\\c\nd");
	mr_state_real(st, "packets-per-call", 2.5);
	mr_state_list(st, "counter", "seen");
	mr_state_uint(st, "value", UINT64_MAX);
	mr_state_close(st);
	mr_state_close(st);
	mr_state_list(st, "drop", "ip4");
	mr_state_text(st, "reason", "ttl");
	mr_state_uint(st, "packets", 3);
	mr_state_close(st);
	mr_state_close(st);
	for (unsigned i = 0; i < 2; i++) {
		mr_state_list(st, "interface", i ? "wan" : "lan");
		mr_state_uint(st, "speed", 10000);
		mr_state_text(st, "state", i ? "down" : "up");
		mr_state_open(st, "counters");
		mr_state_uint(st, "rx-bytes", i);
		mr_state_close(st);
		mr_state_close(st);
	}
}

static void
has(const char *page, const char *line)
{
	if (!strstr(page, line))
		fail_msg("no %s in\n%s", line, page);
}

static void
names_values_and_labels(void **state)
{
	struct bed *b = *state;
	const char *page;

	write_interfaces(mr_sample_begin(b->sample, b->model));
	page = write_page(b, false);
	has(page, "\nmillrace_system_uptime_seconds 12.345\n");
	has(page, "\nmillrace_system_node_packets_per_call{node=\"a\\\"b\\\\c\\nd\"} 2.5\n");
	has(page,
	    "\nmillrace_system_node_counters_total{node=\"a\\\"b\\\\c\\nd\",counter=\"seen\"} "
	    "18446744073709551615\n");
	has(page, "\nmillrace_system_drop_packets_total{node=\"ip4\",reason=\"ttl\"} 3\n");
	has(page,
	    "\n# TYPE millrace_interface_counters_rx_bytes_total counter\n"
	    "millrace_interface_counters_rx_bytes_total{interface=\"lan\"} 0\n"
	    "millrace_interface_counters_rx_bytes_total{interface=\"wan\"} 1\n");
	has(page, "\n# HELP millrace_interface_counters_rx_bytes_total Bytes received.\n");
	has(page, "\nmillrace_interface_speed_bytes_per_second{interface=\"lan\"} 1250000000\n");
	has(page, "\nmillrace_interface_state{interface=\"wan\",state=\"up\"} 0\n");
	has(page, "\nmillrace_interface_state{interface=\"wan\",state=\"down\"} 1\n");
	assert_int_equal(b->page.series, 18);
	assert_null(strstr(page, "# EOF"));
}

static void
open_metrics_form(void **state)
{
	struct bed *b = *state;
	const char *page;

	write_interfaces(mr_sample_begin(b->sample, b->model));
	page = write_page(b, true);
	has(page,
	    "\n# TYPE millrace_interface_counters_rx_bytes counter\n"
	    "# UNIT millrace_interface_counters_rx_bytes bytes\n"
	    "millrace_interface_counters_rx_bytes_total{interface=\"lan\"} 0\n");
	assert_string_equal(page + b->page.used - 6, "# EOF\n");
}

/* What is too much is cut, and that is counted. */
static void
families_are_bounded(void **state)
{
	struct bed *b = *state;
	struct mr_state *st = mr_sample_begin(b->sample, b->model);
	char name[32];

	for (unsigned i = 0; i < METRICS_FAMILY_MAX + 10; i++) {
		snprintf(name, sizeof(name), "i%u", i);
		mr_state_list(st, "interface", name);
		mr_state_uint(st, "index", 1);
		mr_state_close(st);
	}
	write_page(b, false);
	assert_int_equal(b->page.series, METRICS_FAMILY_MAX);
	assert_int_equal(b->page.cut, 10);
}

/* -- the whole model --------------------------------------------------------------------- */

static uint32_t
add_text(struct mr_sample *s, const char *text)
{
	strcpy(s->text + s->text_used, text);
	s->text_used += strlen(text) + 1;
	return (uint32_t)(s->text_used - strlen(text) - 1);
}

static uint32_t
add_entry(struct mr_sample *s, const struct mr_leaf_list *list)
{
	struct mr_sample_entry *e;
	uint32_t parent;

	if (!list)
		return 0;
	parent = add_entry(s, list->parent);
	e = &s->entries[s->entry_count];
	*e = (struct mr_sample_entry){ .list = list, .parent = parent };
	for (unsigned k = 0; k < list->key_count; k++)
		e->keys[k] = add_text(s, "x");
	return (uint32_t)s->entry_count++;
}

/* A sample with one value for each leaf that there is. */
static void
sample_everything(struct bed *b)
{
	unsigned count = mr_leaves_count(b->leaves);
	struct mr_sample *s = b->sample;

	s->entry_room = count * 8;
	s->value_room = count;
	s->text_room = count * 64;
	s->entries = calloc(s->entry_room, sizeof(*s->entries));
	s->values = calloc(s->value_room, sizeof(*s->values));
	s->text = calloc(1, s->text_room);
	s->text_used = 1;
	s->entry_count = 1;
	for (unsigned i = 0; i < count; i++) {
		const struct mr_leaf *leaf = mr_leaves_at(b->leaves, i);

		if (leaf->state || leaf->kind == MR_LEAF_ENUM)
			s->values[s->value_count++] = (struct mr_sample_value){ .leaf = leaf,
				.entry = add_entry(s, leaf->list) };
	}
}

/* Whatever a module may bring one day: its names are such as Prometheus wants. */
static void
promtool_has_no_complaint(void **state)
{
	char path[] = "/tmp/millrace-metrics-XXXXXX", command[128], said[4096];
	struct bed *b = *state;
	FILE *file;
	size_t n;
	int fd;

	if (system("command -v promtool >/dev/null 2>&1"))
		skip(); /* Debian's package prometheus */
	sample_everything(b);
	assert_int_equal(page_write(&b->page, b->families, b->sample, false), 0);
	assert_true(b->page.series > 400);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->page.text, b->page.used), b->page.used);
	close(fd);
	snprintf(command, sizeof(command), "promtool check metrics <%s 2>&1", path);
	file = popen(command, "r");
	n = fread(said, 1, sizeof(said) - 1, file);
	said[n] = '\0';
	unlink(path);
	assert_string_equal(said, "");
	assert_int_equal(pclose(file), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_values_and_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(open_metrics_form, setup, teardown),
		cmocka_unit_test_setup_teardown(families_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(promtool_has_no_complaint, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

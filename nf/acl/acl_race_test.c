/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers judge what two ports make up while the control thread brings in one policy after
 * another. When a policy that lets nothing pass has been applied, nothing passes any more. For
 * ThreadSanitizer, too.
 */
#include <time.h>

#include "nf/acl/acl.h"
#include "nf/acl/acl_test_int.h"

#include "kit/base/cpu.h"

#define LASTS_MS 1500u

static const char system_text[] = "  a: {driver: gen, cross-connect: c, options: {flows: 256, "
				  "rate: 200000, src-ip: 10.0.0.1, src-ips: 8000}}\n"
				  "  b: {driver: gen, cross-connect: c, options: {flows: 256, "
				  "rate: 200000, src-ip: 10.0.0.1, src-ips: 8000}}\n"
				  "  c: {driver: \"null\"}\n";

static struct mr_model *model;

static int
make(void **state)
{
	const char *texts[64];
	struct mr_error error;
	size_t n = 0;

	for (; mr_nf_list[n]; n++)
		texts[n] = mr_nf_list[n]->yang;
	return mr_model_create(&model, texts, n, &error);
}

static int
unmake(void **state)
{
	mr_model_destroy(model);
	return 0;
}

static struct mr_config *
parse(const char *acl)
{
	struct mr_config *config = NULL;
	struct mr_report *report;
	struct mr_cpu_set cpus;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned n = 0;

	assert_int_equal(mr_cpu_allowed(&cpus, NULL), 0);
	fprintf(f, "system: {workers: \"");
	mr_cpu_set_foreach(cpu, &cpus) if (n++ < 2) fprintf(f, n == 1 ? "%d" : ",%d", cpu);
	fprintf(f, "\"}\ninterface:\n%s%s", system_text, acl);
	fclose(f);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "t", text, size, report) || mr_report_count(report)) {
		mr_report_print(report, stderr);
		fail();
	}
	mr_report_destroy(report);
	free(text);
	return config;
}

/* A list of many rules of which the n-th bit of `seed` says whether it is there. */
static char *
policy(unsigned seed, bool closed)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fprintf(f,
	    "acl:\n  default-in: l\n  default-out: %s\n  list:\n    m: {rule: [{name: x, action: "
	    "continue, set-mark: 3}]}\n    o:\n      rule: [{name: p, mark: 3, action: "
	    "continue}]\n    l:\n      default: %s\n      stateful: %s\n      rule:\n",
	    seed & 1 ? "o" : "m", closed ? "drop" : "accept",
	    !closed && seed & 2 ? "true" : "false");
	for (unsigned i = 0; i < 40; i++) {
		if (!(seed * 2654435761u >> (i % 32) & 1))
			continue;
		fprintf(f, "        - {name: r%u, source: 10.0.%u.0/24, protocol: udp, action: %s",
		    i, i,
		    i % 5 == 0       ? "jump, to: m"
			: i % 5 == 1 ? "drop, limit: {rate: 1000}"
			: i % 5 == 2 ? "continue, log: {sample: 1000}"
				     : "drop");
		fprintf(f, "}\n");
	}
	fprintf(f, "        - {name: last, action: continue}\n");
	fclose(f);
	return text;
}

static uint64_t
sent(struct mr_dataplane *dp)
{
	const struct mr_interface *c = mr_interface_find(mr_interfaces_of(dp), "c");
	uint64_t n = 0;

	for (unsigned q = 0; q < c->port->tx_queues; q++)
		n += atomic_load(&c->port->tx_stats[q].packets);
	return n;
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
policies_change_under_traffic(void **state)
{
	char *text = policy(1, false);
	struct mr_config *config = parse(text);
	struct mr_report *report;
	struct mr_dataplane *dp;
	struct mr_error error;
	struct mr_log quiet = { 0 };
	struct mr_graph_totals t;
	uint64_t end, passed = 0, closed = 0;

	free(text);
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_dataplane_create(&dp, config, &quiet, report)) {
		mr_report_print(report, stderr);
		fail();
	}
	assert_int_equal(mr_dataplane_start(dp, &error), 0);
	end = now_ms() + LASTS_MS;
	for (unsigned n = 2; now_ms() < end; n++) {
		bool shut = n % 3 == 0;
		struct mr_config *next;
		uint64_t before;

		text = policy(n, shut);
		next = parse(text);
		free(text);
		assert_int_equal(mr_dataplane_apply(dp, next, report), 0);
		mr_config_destroy(config);
		config = next;
		before = sent(dp);
		for (unsigned i = 0; i < 20; i++)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		if (shut)
			assert_int_equal(sent(dp), before);
		closed += shut;
		passed += sent(dp) - before;
		mr_dataplane_tick(dp, acl_seconds());
	}
	mr_dataplane_stop(dp);
	assert_true(passed > 0 && closed > 0);
	mr_graph_totals(mr_dataplane_graph(dp), &t);
	assert_int_equal(t.received + t.created, t.sent + t.dropped + t.held + t.merged);
	mr_dataplane_destroy(dp);
	mr_config_destroy(config);
	mr_report_destroy(report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_change_under_traffic),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}

/* SPDX-License-Identifier: Apache-2.0 */

/* What is wrong with a tunnel's configuration is said, each in its words; what state says when something
 * is missing; changes that keep what they can. */

#include "nf/interface/interface.h"
#include "nf/tunnel/tunnel_test_int.h"

static struct mr_model *model;

/* A good one, around which the others are wrong. */
#define ROUTER(name) \
	"  " name ": {interface: {" name "0: {loopback: true, address: [10.9.0.1/32, " \
	"\"2001:db8:9::1/128\"]}}}\n"
#define TOP "interface: {v: {driver: tunnel}, w: {driver: tunnel}, n: {driver: \"null\"}}\n"
#define ONE TOP "router:\n" ROUTER("r") "tunnel:\n"
#define W "  w: {local: 10.9.0.1, remote: [192.0.2.9], vxlan: {vni: 9}}\n"

static const struct {
	const char *yaml, *said; /* null: nothing */
} cases[] = {
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n", NULL },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.9], vxlan: {vni: 1}}\n", NULL },
	/* The interface. */
	{ ONE W "  n: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "interface n has the driver null; a tunnel's has to have driver: tunnel" },
	{ ONE W "  x: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n", "x" },
	{ ONE W, "interface v has the driver tunnel, and there is no tunnel of that name" },
	/* The kind. */
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1]}\n",
	    "tunnel v: say of which kind it is: vxlan: {vni: ...}" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {}}\n", "vni" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 0}}\n", "vni" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 16777216}}\n", "vni" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 16777215}}\n", NULL },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1, port: 0}}\n", "port" },
	/* The router. */
	{ ONE W "  v: {router: q, local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "tunnel v: there is no router q whose routes could lead to its remote ends" },
	{ TOP "router:\n" ROUTER("r") ROUTER(
	      "s") "tunnel:\n"
		   "  w: {router: s, local: 10.9.0.1, remote: [192.0.2.9], vxlan: {vni: 9}}\n"
		   "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "tunnel v: there are several routers: say which one with \"router\"" },
	{ TOP "router:\n" ROUTER("r") ROUTER(
	      "s") "tunnel:\n"
		   "  w: {router: s, local: 10.9.0.1, remote: [192.0.2.9], vxlan: {vni: 1}}\n"
		   "  v: {router: r, local: 10.9.0.1, remote: [192.0.2.9], vxlan: {vni: 1}}\n",
	    NULL },
	{ "interface: {v: {driver: tunnel}}\n"
	  "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}}\n",
	    "tunnel v: there is no router" },
	/* The ends. */
	{ ONE W "  v: {remote: [192.0.2.1], vxlan: {vni: 1}}\n", "local" },
	{ ONE W "  v: {local: 10.9.0.1, vxlan: {vni: 1}}\n", "remote" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [], vxlan: {vni: 1}}\n", "remote" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1, 192.0.2.1], vxlan: {vni: 1}}\n",
	    "192.0.2.1" },
	{ ONE W "  v: {local: host, remote: [192.0.2.1], vxlan: {vni: 1}}\n", "local" },
	{ ONE W "  v: {local: 224.0.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "tunnel v: 224.0.0.1 is no address that packets can be sent from" },
	{ ONE W "  v: {local: 255.255.255.255, remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "tunnel v: 255.255.255.255 is no address that packets can be sent from" },
	{ ONE W "  v: {local: 0.0.0.0, remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "tunnel v: 0.0.0.0 is no address that packets can be sent from" },
	{ ONE W "  v: {local: \"ff02::1\", remote: [\"2001:db8::1\"], vxlan: {vni: 1}}\n",
	    "tunnel v: ff02::1 is no address that packets can be sent from" },
	{ ONE W "  v: {local: \"::\", remote: [\"2001:db8::1\"], vxlan: {vni: 1}}\n",
	    "tunnel v: :: is no address that packets can be sent from" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1, \"2001:db8::1\"], vxlan: {vni: 1}}\n",
	    "tunnel v: 2001:db8::1 is not of the same family as its local end" },
	{ ONE W "  v: {local: \"2001:db8:9::1\", remote: [192.0.2.1], vxlan: {vni: 1}}\n",
	    "tunnel v: 192.0.2.1 is not of the same family as its local end" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [239.1.1.1], vxlan: {vni: 1}}\n",
	    "tunnel v: 239.1.1.1 is no address of one remote end; name each of them" },
	{ ONE W "  v: {local: \"2001:db8:9::1\", remote: [\"ff05::1\"], vxlan: {vni: 1}}\n",
	    "tunnel v: ff05::1 is no address of one remote end; name each of them" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [10.9.0.1], vxlan: {vni: 1}}\n",
	    "tunnel v: its remote end is its local one" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, static: [{mac: "
		"\"02:00:00:00:00:01\", remote: 192.0.2.2}]}\n",
	    "tunnel v: 192.0.2.2 is none of its remote ends" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, static: [{mac: "
		"\"02:00:00:00:00:01\"}]}\n",
	    "remote" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, static: [{mac: "
		"\"02:00:00:00:00:01\", remote: 192.0.2.1}]}\n",
	    NULL },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, static: [{mac: "
		"\"03:00:00:00:00:01\", remote: 192.0.2.1}]}\n",
	    "tunnel v: 03:00:00:00:00:01 is not the address of one station" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, static: [{mac: "
		"\"00:00:00:00:00:00\", remote: 192.0.2.1}]}\n",
	    "tunnel v: 00:00:00:00:00:00 is not the address of one station" },
	/* Whose a packet is. */
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1, 192.0.2.9], vxlan: {vni: 9}}\n",
	    "tunnel v: packets from 192.0.2.9 could be tunnel w's as well: its VNI, port and local "
	    "end are the same" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1, 192.0.2.9], vxlan: {vni: 9, port: "
		"8472}}\n",
	    NULL },
	{ ONE W "  v: {local: 10.9.0.2, remote: [192.0.2.1, 192.0.2.9], vxlan: {vni: 9}}\n", NULL },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 9}}\n", NULL },
	/* Numbers. */
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, ttl: 0}\n", "ttl" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, ttl: 255}\n", NULL },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, dscp: 64}\n",
	    "dscp" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, dscp: 63}\n", NULL },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, dscp: paste}\n",
	    "dscp" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, stations-max: 15}\n",
	    "stations-max" },
	{ ONE W "  v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}, ageing-time: "
		"4000001}\n",
	    "ageing-time" },
};

/* All that is said about it. */
static char *
said_of(const char *yaml)
{
	struct mr_config *config = NULL;
	struct mr_report *report;
	char *said = NULL;
	size_t size;
	FILE *out;

	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "t", yaml, strlen(yaml), report) == 0)
		mr_dataplane_check(config, report);
	out = open_memstream(&said, &size);
	assert_non_null(out);
	mr_report_print(report, out);
	fclose(out);
	mr_report_destroy(report);
	mr_config_destroy(config);
	return said;
}

static void
mistakes_are_explained(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		char *said = said_of(cases[i].yaml);

		if (cases[i].said ? !strstr(said, cases[i].said) : said[0] != '\0')
			fail_msg("%s\"%s\" does not say \"%s\"", cases[i].yaml, said,
			    cases[i].said ? cases[i].said : "");
		free(said);
	}
}

static void
there_are_limits(void **state)
{
	static char yaml[400000];
	struct bed_text t = { yaml, 0, sizeof(yaml) };
	char *said;

	(void)state;
	bed_say(&t,
	    "interface: {v: {driver: tunnel}}\nrouter:\n" ROUTER(
		"r") "tunnel:\n  v: {local: 10.9.0.1, vxlan: {vni: 1}, remote: [");
	for (unsigned i = 0; i < 1025; i++)
		bed_say(&t, "%s10.8.%u.%u", i ? ", " : "", i >> 8, i & 255);
	bed_say(&t, "]}\n");
	said = said_of(yaml);
	assert_non_null(strstr(said, "remote"));
	free(said);
	t.used = 0;
	bed_say(&t, "interface:\n");
	for (unsigned i = 0; i < 961; i++)
		bed_say(&t, "  t%u: {driver: tunnel}\n", i);
	bed_say(&t, "router:\n" ROUTER("r") "tunnel:\n");
	for (unsigned i = 0; i < 961; i++)
		bed_say(&t, "  t%u: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: %u}}\n", i,
		    i + 1);
	said = said_of(yaml);
	assert_non_null(strstr(said, "more than 960 tunnels"));
	free(said);
}

/* -- what state says ------------------------------------------------------------------------- */

static void
shows(const struct tn_bed *t, const char *what, bool there)
{
	char *text = tn_shown(t, "tunnel");

	if ((strstr(text, what) != NULL) != there)
		fail_msg("%s %s in %s", what, there ? "is not" : "is", text);
	free(text);
}

static void
trouble(void **state)
{
	struct tn_conf c = {
		.interfaces = ", v: {driver: tunnel, mtu: 1500}",
		.all = "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}}\n",
		.mtu = 1550,
	};
	struct tn_bed t;

	(void)state;
	tn_open(&t, &c);
	shows(&t, "trouble", false);
	shows(&t,
	    "\"remote-state\":[{\"address\":\"192.0.2.1\",\"reachable\":true,\"path-mtu\":1550,",
	    true);
	c.interfaces = ", v: {driver: tunnel, mtu: 1501}";
	tn_apply(&t, &c);
	shows(&t,
	    "\"trouble\":\"the interface's MTU is 1501: with the headers around them, its largest "
	    "frames are 1 bytes too big for the way to 192.0.2.1\"",
	    true);
	c.interfaces = ", v: {driver: tunnel}";
	c.all = "tunnel: {v: {local: 10.9.0.77, remote: [192.0.2.1], vxlan: {vni: 1}}}\n";
	tn_apply(&t, &c);
	shows(&t, "\"trouble\":\"10.9.0.77 is no address of router r\"", true);
	c.all = "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1, 203.0.113.1], vxlan: {vni: "
		"1}}}\n";
	tn_apply(&t, &c);
	shows(&t, "\"trouble\":\"no route to 203.0.113.1\"", true);
	shows(&t, "{\"address\":\"203.0.113.1\",\"reachable\":false,\"tx-packets\":0", true);
	tn_close(&t);
}

/* -- changes --------------------------------------------------------------------------------- */

/* Tunnels come and go with their nodes, and so does what takes their packets from the host. */
static void
come_and_go(void **state)
{
	static const struct tn_conf none = { 0 };
	struct tn_conf c = {
		.interfaces = ", v: {driver: tunnel, mtu: 1500}, w: {driver: tunnel, mtu: 1500}",
		.all = "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}, w: "
		       "{local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 2}}}\n"
		       "bridge: {one: {interface: [c, v]}, two: {interface: [d, w]}}\n",
	};
	static const struct tn_talk talk = { 0x3002, 0x3001, "10.77.0.2", "10.77.0.1", 53, 1004, 0,
		false };
	struct tn_head head = { 1, 0, 0xaa02, 0x0902, "192.0.2.1", TN_LOCAL4, 1, 4789, 60, 0, false,
		false };
	struct tn_frame f, in;
	struct tn_bed t;

	(void)state;
	tn_open(&t, &none);
	tn_build(&in, 0, &talk, 20);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t local = tn_packets(&t, "ip-local");

		tn_wrap(&f, &head, 50000, &in);
		assert_null(tn_one(&t, &f));
		assert_int_equal(tn_packets(&t, "ip-local"), local + 1);
		tn_apply(&t, &c);
		for (unsigned vni = 1; vni <= 2; vni++) {
			head.vni = vni;
			tn_wrap(&f, &head, 50000, &in);
			for (unsigned n = 0; n < 3; n++) {
				const struct tn_frame *got = tn_one(&t, &f);

				assert_true(got && got->port == vni + 1);
			}
		}
		/* Only one of them; the other's number is unknown. */
		c.all = "tunnel: {w: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 2}}}\n"
			"bridge: {two: {interface: [d, w]}}\n";
		c.interfaces = ", w: {driver: tunnel, mtu: 1500}";
		tn_apply(&t, &c);
		assert_non_null(tn_one(&t, &f));
		head.vni = 1;
		tn_wrap(&f, &head, 50000, &in);
		assert_null(tn_one(&t, &f));
		assert_int_equal(tn_drops(&t, "tunnel-in", "unknown-vni"), 1);
		tn_apply(&t, &none);
		c.interfaces = ", v: {driver: tunnel, mtu: 1500}, w: {driver: tunnel, mtu: 1500}";
		c.all = "tunnel: {v: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 1}}, w: "
			"{local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: 2}}}\n"
			"bridge: {one: {interface: [c, v]}, two: {interface: [d, w]}}\n";
	}
	tn_close(&t);
}

/* More than one node of tunnel-enter can lead to; the last one's packets find their way. */
static void
many(void **state)
{
	static char interfaces[8192], all[16384], members[4096];
	struct bed_text i = { interfaces, 0, sizeof(interfaces) };
	struct bed_text a = { all, 0, sizeof(all) };
	struct bed_text m = { members, 0, sizeof(members) };
	const struct tn_conf c = { .interfaces = interfaces, .all = all };
	static const struct tn_talk talk = { 0x3002, 0x3001, "10.77.0.2", "10.77.0.1", 53, 1004, 0,
		false };
	struct tn_head head = { 1, 0, 0xaa02, 0x0902, "192.0.2.1", TN_LOCAL4, 0, 4789, 60, 0, false,
		false };
	struct tn_frame f, in;
	struct tn_bed t;

	(void)state;
	bed_say(&a, "tunnel:\n");
	for (unsigned n = 1; n <= 70; n++) {
		bed_say(&i, ", t%u: {driver: tunnel}", n);
		bed_say(&a, "  t%u: {local: 10.9.0.1, remote: [192.0.2.1], vxlan: {vni: %u}}\n", n,
		    n);
		bed_say(&m, ", t%u: {isolated: true}", n);
	}
	bed_say(&a, "bridge: {one: {interface: {c: {}%s}}}\n", members);
	tn_open(&t, &c);
	for (unsigned n = 1; n <= 70; n += 23) {
		head.vni = n;
		tn_build(&in, 0, &talk, n);
		tn_wrap(&f, &head, 50000, &in);
		tn_give(&t, &f);
		tn_run(&t);
		assert_int_equal(t.out_count, 1);
		assert_int_equal(t.out[0].port, 2);
		assert_int_equal(t.out[0].len, in.len);
	}
	tn_close(&t);
}

static int
make_model(void **state)
{
	struct mr_error error;

	(void)state;
	return mr_nf_model(&model, &error);
}

static int
free_model(void **state)
{
	(void)state;
	mr_model_destroy(model);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(there_are_limits),
		cmocka_unit_test(trouble),
		cmocka_unit_test(come_and_go),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, make_model, free_model);
}
